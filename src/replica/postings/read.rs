//! Postings inside a snapshot.

use super::{Head, Octets, read_chunks, read_head};
use crate::replica::error::Error;
use crate::replica::ids::Ids;
use crate::replica::tables::ReadPostings;
use redb::{AccessGuard, StorageError};
use roaring::RoaringBitmap;
use std::ops::Bound;

/// Sets of so many numbers and more are kept when they have been read.
pub(super) const LARGE: u32 = 4096;

/// Keys of an attribute and the numbers that have them.
pub(in crate::replica) type Rows<'a> = Box<dyn Iterator<Item = Result<(Vec<u8>, Ids), Error>> + 'a>;

impl ReadPostings {
    /// The numbers of one key.
    pub(in crate::replica) fn get(&self, key: &[u8]) -> Result<Ids, Error> {
        let Some(head) = self.heads.get(key)? else { return Ok(Ids::default()) };
        self.resolve(key, head.value())
    }

    fn resolve(&self, key: &[u8], head: &[u8]) -> Result<Ids, Error> {
        match read_head(head)? {
            Head::Chunked(count) if count >= LARGE => {
                self.large.get(key, || read_chunks(&self.chunks, key)).map(Ids::Many)
            }
            Head::Chunked(_) => read_chunks(&self.chunks, key).map(Ids::from),
            Head::List(list) => Ok(Ids::Few(list)),
        }
    }

    /// How many numbers one key has, without reading them.
    pub(in crate::replica) fn count(&self, key: &[u8]) -> Result<usize, Error> {
        let Some(head) = self.heads.get(key)? else { return Ok(0) };
        Ok(match read_head(head.value())? {
            Head::List(list) => list.len(),
            Head::Chunked(count) => count as usize,
        })
    }

    /// The keys in a range, without their first two octets, and their numbers.
    pub(in crate::replica) fn rows(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        reverse: bool,
    ) -> Result<Rows<'_>, Error> {
        let row =
            |row: Result<(AccessGuard<'_, Octets>, AccessGuard<'_, Octets>), StorageError>| {
                let (key, head) = row?;
                let ids = self.resolve(key.value(), head.value())?;
                Ok((key.value().get(2..).unwrap_or_default().to_vec(), ids))
            };
        let rows = self.heads.range::<&[u8]>((from, to))?;
        Ok(if reverse { Box::new(rows.rev().map(row)) } else { Box::new(rows.map(row)) })
    }

    /// Tells every key in a range, without its first two octets, and its numbers, while
    /// `go_on` says so; the flag says whether it did to the end.
    pub(in crate::replica) fn each(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        mut go_on: impl FnMut() -> bool,
        mut tell: impl FnMut(&[u8], &Ids),
    ) -> Result<bool, Error> {
        for row in self.heads.range::<&[u8]>((from, to))? {
            if !go_on() {
                return Ok(false);
            }
            let (key, head) = row?;
            let ids = self.resolve(key.value(), head.value())?;
            tell(key.value().get(2..).unwrap_or_default(), &ids);
        }
        Ok(true)
    }

    /// Numbers of keys in a range that `test` accepts, `enough` of them or more, where there
    /// are so many.
    pub(in crate::replica) fn some(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        enough: usize,
        test: &dyn Fn(&[u8]) -> bool,
    ) -> Result<Ids, Error> {
        let mut found = RoaringBitmap::new();
        for row in self.heads.range::<&[u8]>((from, to))? {
            let (key, head) = row?;
            if !test(key.value()) {
                continue;
            }
            match self.resolve(key.value(), head.value())? {
                Ids::Few(list) => found.extend(list),
                Ids::Many(set) => found |= &*set,
            }
            if found.len() >= enough as u64 {
                break;
            }
        }
        Ok(Ids::from(found))
    }

    /// The union over all keys in a range that `test` accepts.
    pub(in crate::replica) fn union(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        test: &dyn Fn(&[u8]) -> bool,
    ) -> Result<Ids, Error> {
        let mut few = Vec::new();
        let mut many = RoaringBitmap::new();
        for row in self.heads.range::<&[u8]>((from, to))? {
            let (key, head) = row?;
            if !test(key.value()) {
                continue;
            }
            match self.resolve(key.value(), head.value())? {
                Ids::Few(list) => few.extend(list),
                Ids::Many(set) => many |= &*set,
            }
        }
        if many.is_empty() && few.len() <= 1024 {
            return Ok(few.into_iter().collect());
        }
        few.sort_unstable();
        many.extend(few);
        Ok(Ids::from(many))
    }
}
