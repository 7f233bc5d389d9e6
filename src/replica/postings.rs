//! Postings: a key to a set of numbers. Short lists lie beside the key; long ones in
//! chunks of 65,536 numbers, so that one more number rewrites at most 8 KiB.

use super::error::Error;
use super::ids::{Ids, Number};
use super::tables::{PostingsTables, ReadPostings};
use redb::{AccessGuard, ReadableTable, StorageError, Table, WriteTransaction};
use roaring::RoaringBitmap;
use std::ops::Bound;

/// Lists up to this long lie beside the key.
const INLINE: usize = 256;
/// First octet of a head: the list follows.
const LIST: u8 = 0;
/// First octet of a head: how many there are follows; the numbers lie in chunks.
const CHUNKED: u8 = 1;
/// Buffered operations are applied when there are so many.
const FLUSH_AT: usize = 2_000_000;

type Octets = &'static [u8];

/// Keys of an attribute and the numbers that have them.
pub(super) type Rows<'a> = Box<dyn Iterator<Item = Result<(Vec<u8>, Ids), Error>> + 'a>;

/// What a head says.
enum Head {
    List(Vec<Number>),
    Chunked(u32),
}

fn read_head(bytes: &[u8]) -> Result<Head, Error> {
    match bytes.split_first() {
        Some((&LIST, rest)) => {
            let (words, _) = rest.as_chunks::<4>();
            Ok(Head::List(words.iter().map(|word| Number::from_le_bytes(*word)).collect()))
        }
        Some((&CHUNKED, rest)) => {
            let count = rest.first_chunk().ok_or(Error::Damaged("a postings head"))?;
            Ok(Head::Chunked(u32::from_le_bytes(*count)))
        }
        _ => Err(Error::Damaged("a postings head")),
    }
}

fn read_chunk(bytes: &[u8]) -> Result<RoaringBitmap, Error> {
    RoaringBitmap::deserialize_from(bytes).map_err(|_| Error::Damaged("a postings chunk"))
}

fn read<H, C>(heads: &H, chunks: &C, key: &[u8]) -> Result<Ids, Error>
where
    H: ReadableTable<Octets, Octets>,
    C: ReadableTable<(Octets, u16), Octets>,
{
    let Some(head) = heads.get(key)? else { return Ok(Ids::default()) };
    resolve(chunks, key, head.value())
}

fn resolve<C>(chunks: &C, key: &[u8], head: &[u8]) -> Result<Ids, Error>
where
    C: ReadableTable<(Octets, u16), Octets>,
{
    match read_head(head)? {
        Head::List(list) => Ok(Ids::Few(list)),
        Head::Chunked(_) => {
            let mut all = RoaringBitmap::new();
            for row in chunks.range((key, 0u16)..=(key, u16::MAX))? {
                all |= read_chunk(row?.1.value())?;
            }
            Ok(Ids::Many(all))
        }
    }
}

impl ReadPostings {
    /// The numbers of one key.
    pub(super) fn get(&self, key: &[u8]) -> Result<Ids, Error> {
        read(&self.heads, &self.chunks, key)
    }

    /// How many numbers one key has, without reading them.
    pub(super) fn count(&self, key: &[u8]) -> Result<usize, Error> {
        let Some(head) = self.heads.get(key)? else { return Ok(0) };
        Ok(match read_head(head.value())? {
            Head::List(list) => list.len(),
            Head::Chunked(count) => count as usize,
        })
    }

    /// The keys in a range, without their first two octets, and their numbers.
    pub(super) fn rows(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        reverse: bool,
    ) -> Result<Rows<'_>, Error> {
        let row =
            |row: Result<(AccessGuard<'_, Octets>, AccessGuard<'_, Octets>), StorageError>| {
                let (key, head) = row?;
                let ids = resolve(&self.chunks, key.value(), head.value())?;
                Ok((key.value().get(2..).unwrap_or_default().to_vec(), ids))
            };
        let rows = self.heads.range::<&[u8]>((from, to))?;
        Ok(if reverse { Box::new(rows.rev().map(row)) } else { Box::new(rows.map(row)) })
    }

    /// Tells every key in a range, without its first two octets, and its numbers, while
    /// `go_on` says so; the flag says whether it did to the end.
    pub(super) fn each(
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
            let ids = resolve(&self.chunks, key.value(), head.value())?;
            tell(key.value().get(2..).unwrap_or_default(), &ids);
        }
        Ok(true)
    }

    /// Numbers of keys in a range, `enough` of them or more, where there are so many.
    pub(super) fn some(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        enough: usize,
    ) -> Result<Ids, Error> {
        let mut found = RoaringBitmap::new();
        for row in self.heads.range::<&[u8]>((from, to))? {
            let (key, head) = row?;
            match resolve(&self.chunks, key.value(), head.value())? {
                Ids::Few(list) => found.extend(list),
                Ids::Many(set) => found |= set,
            }
            if found.len() >= enough as u64 {
                break;
            }
        }
        Ok(Ids::Many(found))
    }

    /// The union over all keys in a range that `test` accepts.
    pub(super) fn union(
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
            match resolve(&self.chunks, key.value(), head.value())? {
                Ids::Few(list) => few.extend(list),
                Ids::Many(set) => many |= set,
            }
        }
        if many.is_empty() && few.len() <= 1024 {
            return Ok(few.into_iter().collect());
        }
        few.sort_unstable();
        many.extend(few);
        Ok(Ids::Many(many))
    }
}

/// One buffered operation: a key inside the arena, a number, and whether to add it.
#[derive(Clone, Copy)]
struct Operation {
    /// The first octets of the key, for sorting: they decide nearly always.
    prefix: u64,
    start: u32,
    len: u32,
    number: Number,
    add: bool,
}

/// A postings store inside a write transaction. Operations are buffered and applied in
/// key order; [`WritePostings::get`] sees only those that have been applied.
pub(super) struct WritePostings<'t> {
    heads: Table<'t, Octets, Octets>,
    chunks: Table<'t, (Octets, u16), Octets>,
    arena: Vec<u8>,
    operations: Vec<Operation>,
}

impl<'t> WritePostings<'t> {
    pub(super) fn open(txn: &'t WriteTransaction, store: PostingsTables) -> Result<Self, Error> {
        Ok(WritePostings {
            heads: txn.open_table(store.heads)?,
            chunks: txn.open_table(store.chunks)?,
            arena: Vec::new(),
            operations: Vec::new(),
        })
    }

    /// Adds a number to a key, or removes it.
    pub(super) fn change(&mut self, key: &[u8], number: Number, add: bool) -> Result<(), Error> {
        let full =
            self.operations.len() >= FLUSH_AT || self.arena.len() + key.len() > u32::MAX as usize;
        if full {
            self.flush()?;
        }
        let start = self.arena.len() as u32;
        self.arena.extend(key);
        let mut octets = [0u8; 8];
        octets.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
        let prefix = u64::from_be_bytes(octets);
        self.operations.push(Operation { prefix, start, len: key.len() as u32, number, add });
        Ok(())
    }

    /// The numbers of one key, as applied.
    pub(super) fn get(&self, key: &[u8]) -> Result<Ids, Error> {
        debug_assert!(self.operations.is_empty(), "read before flush");
        read(&self.heads, &self.chunks, key)
    }

    /// Applies what is buffered.
    pub(super) fn flush(&mut self) -> Result<(), Error> {
        let arena = std::mem::take(&mut self.arena);
        let mut operations = std::mem::take(&mut self.operations);
        let key = |operation: &Operation| {
            let start = operation.start as usize;
            arena.get(start..start + operation.len as usize).unwrap_or_default()
        };
        // Stable: of two operations on one number, the later one counts.
        operations.sort_by(|a, b| a.prefix.cmp(&b.prefix).then_with(|| key(a).cmp(key(b))));
        for group in operations.chunk_by(|a, b| a.prefix == b.prefix && key(a) == key(b)) {
            if let Some(first) = group.first() {
                self.apply(key(first), group)?;
            }
        }
        Ok(())
    }

    fn apply(&mut self, key: &[u8], operations: &[Operation]) -> Result<(), Error> {
        let head = match self.heads.get(key)? {
            Some(head) => read_head(head.value())?,
            None => Head::List(Vec::new()),
        };
        let list = match head {
            Head::Chunked(count) => return self.apply_to_chunks(key, count, operations),
            Head::List(list) => list,
        };
        let merged = merge(list, operations);
        if merged.len() > INLINE {
            let all: Vec<Operation> = merged
                .iter()
                .map(|n| Operation { prefix: 0, start: 0, len: 0, number: *n, add: true })
                .collect();
            return self.apply_to_chunks(key, 0, &all);
        }
        if merged.is_empty() {
            self.heads.remove(key)?;
            return Ok(());
        }
        let mut bytes = Vec::with_capacity(1 + 4 * merged.len());
        bytes.push(LIST);
        merged.iter().for_each(|number| bytes.extend(number.to_le_bytes()));
        self.heads.insert(key, bytes.as_slice())?;
        Ok(())
    }

    fn apply_to_chunks(
        &mut self,
        key: &[u8],
        count: u32,
        operations: &[Operation],
    ) -> Result<(), Error> {
        let mut operations = operations.to_vec();
        operations.sort_by_key(|operation| operation.number >> 16);
        let mut count = u64::from(count);
        for group in operations.chunk_by(|a, b| a.number >> 16 == b.number >> 16) {
            let Some(first) = group.first() else { continue };
            let chunk = (first.number >> 16) as u16;
            let mut set = match self.chunks.get((key, chunk))? {
                Some(bytes) => read_chunk(bytes.value())?,
                None => RoaringBitmap::new(),
            };
            let before = set.len();
            for operation in group {
                if operation.add {
                    set.insert(operation.number)
                } else {
                    set.remove(operation.number)
                };
            }
            count = (count + set.len()).saturating_sub(before);
            if set.is_empty() {
                self.chunks.remove((key, chunk))?;
            } else {
                let mut bytes = Vec::with_capacity(set.serialized_size());
                set.serialize_into(&mut bytes).map_err(|e| Error::Storage(e.to_string()))?;
                self.chunks.insert((key, chunk), bytes.as_slice())?;
            }
        }
        if count == 0 {
            self.heads.remove(key)?;
            return Ok(());
        }
        let mut head = vec![CHUNKED];
        head.extend(u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
        self.heads.insert(key, head.as_slice())?;
        Ok(())
    }
}

/// The ascending list after the operations.
fn merge(list: Vec<Number>, operations: &[Operation]) -> Vec<Number> {
    let mut sorted = operations.to_vec();
    // Stable: of two operations on one number, the later one counts.
    sorted.sort_by_key(|operation| operation.number);
    let mut old = list.into_iter().peekable();
    let mut out = Vec::with_capacity(old.len() + sorted.len());
    for group in sorted.chunk_by(|a, b| a.number == b.number) {
        let Some(last) = group.last() else { continue };
        while let Some(number) = old.next_if(|number| *number < last.number) {
            out.push(number);
        }
        old.next_if_eq(&last.number);
        if last.add {
            out.push(last.number);
        }
    }
    out.extend(old);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replica::tables::EQUAL;
    use proptest::prelude::*;
    use redb::{Database, ReadableDatabase};
    use std::collections::{BTreeMap, BTreeSet};
    use std::ops::Bound;

    fn database() -> Database {
        Database::builder().create_with_backend(redb::backends::InMemoryBackend::new()).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn any_operations_agree_with_plain_sets(
            batches in prop::collection::vec(
                prop::collection::vec((0u8..3, 0u32..140_000, prop::bool::weighted(0.7)), 0..700), 1..5)
        ) {
            let db = database();
            let mut model: BTreeMap<Vec<u8>, BTreeSet<u32>> = BTreeMap::new();
            for batch in batches {
                let txn = db.begin_write().unwrap();
                {
                    let mut postings = WritePostings::open(&txn, EQUAL).unwrap();
                    for (key, number, add) in batch {
                        // Few enough distinct numbers that some are removed again.
                        let number = number / 97;
                        postings.change(&[key], number, add).unwrap();
                        let set = model.entry(vec![key]).or_default();
                        if add { set.insert(number); } else { set.remove(&number); }
                    }
                    postings.flush().unwrap();
                }
                txn.commit().unwrap();
            }
            let txn = db.begin_read().unwrap();
            let stored = ReadPostings {
                heads: txn.open_table(EQUAL.heads).unwrap(),
                chunks: txn.open_table(EQUAL.chunks).unwrap(),
            };
            for (key, set) in &model {
                prop_assert_eq!(stored.get(key).unwrap().iter().collect::<Vec<_>>(), set.iter().copied().collect::<Vec<_>>());
                prop_assert_eq!(stored.count(key).unwrap(), set.len());
            }
            let all: BTreeSet<u32> = model.values().flatten().copied().collect();
            let union = stored.union(Bound::Unbounded, Bound::Unbounded, &|_| true).unwrap();
            prop_assert_eq!(union.iter().collect::<Vec<_>>(), all.into_iter().collect::<Vec<_>>());
        }
    }
}
