//! Postings: a key to a set of numbers. Short lists lie beside the key; long ones in
//! chunks of 65,536 numbers, so that one more number rewrites at most 8 KiB. Searches read
//! them by way of [`read`].

pub(super) mod read;

use super::error::Error;
use super::ids::{Few, Ids, Number};
use super::operations::{Operation, Operations};
use super::runs::Runs;
use super::tables::PostingsTables;
use redb::{ReadableTable, ReadableTableMetadata, Table, WriteTransaction};
use roaring::RoaringBitmap;
use std::ops::Bound;
use std::path::Path;

/// Lists up to this long lie beside the key.
const INLINE: usize = 256;
/// First octet of a head: the list follows.
const LIST: u8 = 0;
/// First octet of a head: how many there are follows; the numbers lie in chunks.
const CHUNKED: u8 = 1;
/// Buffered operations are applied, or written to a run, when they take so many octets.
const FLUSH_AT: usize = 32 << 20;

type Octets = &'static [u8];

/// What a head says.
enum Head {
    List(Few),
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
    match read_head(head.value())? {
        Head::List(list) => Ok(Ids::Few(list)),
        Head::Chunked(_) => read_chunks(chunks, key).map(Ids::from),
    }
}

fn read_chunks<C>(chunks: &C, key: &[u8]) -> Result<RoaringBitmap, Error>
where
    C: ReadableTable<(Octets, u16), Octets>,
{
    let mut all = RoaringBitmap::new();
    for row in chunks.range((key, 0u16)..=(key, u16::MAX))? {
        all |= read_chunk(row?.1.value())?;
    }
    Ok(all)
}

/// A postings store inside a write transaction. Operations are buffered and applied in
/// key order; [`WritePostings::get`] sees only those that have been applied.
pub(super) struct WritePostings<'t> {
    heads: Table<'t, Octets, Octets>,
    chunks: Table<'t, (Octets, u16), Octets>,
    operations: Operations,
    /// Operations before those, while the store is empty.
    runs: Runs,
}

impl<'t> WritePostings<'t> {
    /// Files for what is more than memory should hold are made in `folder`.
    pub(super) fn open(
        txn: &'t WriteTransaction,
        store: PostingsTables,
        folder: &Path,
    ) -> Result<Self, Error> {
        Ok(WritePostings {
            heads: txn.open_table(store.heads)?,
            chunks: txn.open_table(store.chunks)?,
            operations: Operations::default(),
            runs: Runs::new(folder),
        })
    }

    /// Adds a number to a key, or removes it.
    pub(super) fn change(&mut self, key: &[u8], number: Number, add: bool) -> Result<(), Error> {
        if self.operations.octets() >= FLUSH_AT {
            if self.is_empty()? {
                self.runs.spill(std::mem::take(&mut self.operations))?;
            } else {
                self.flush()?;
            }
        }
        self.operations.push(key, Operation { number, add });
        Ok(())
    }

    /// The numbers of one key, as applied.
    pub(super) fn get(&self, key: &[u8]) -> Result<Ids, Error> {
        let applied = self.operations.is_empty() && self.runs.is_empty();
        debug_assert!(applied, "read before flush");
        read(&self.heads, &self.chunks, key)
    }

    /// Applies what is buffered.
    pub(super) fn flush(&mut self) -> Result<(), Error> {
        let operations = std::mem::take(&mut self.operations);
        if !self.runs.is_empty() {
            if !operations.is_empty() {
                self.runs.spill(operations)?;
            }
            let runs = self.runs.take();
            return self.fill(|each| runs.drain(each));
        }
        if operations.is_empty() {
            return Ok(());
        }
        if self.is_empty()? {
            return self.fill(|each| operations.drain(each));
        }
        operations.drain(|key, operations| self.apply(key, operations))
    }

    fn is_empty(&self) -> Result<bool, Error> {
        Ok(self.heads.is_empty()? && self.chunks.is_empty()?)
    }

    /// Writes into an empty store: in order, and without looking for what is there.
    fn fill(
        &mut self,
        drain: impl FnOnce(
            &mut dyn FnMut(&[u8], &[Operation]) -> Result<(), Error>,
        ) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut heads = self.heads.upper_bound_mut(Bound::<&[u8]>::Unbounded)?;
        let mut chunks = self.chunks.upper_bound_mut(Bound::<(&[u8], u16)>::Unbounded)?;
        let mut list = Vec::new();
        drain(&mut |key, operations| {
            list.clear();
            list.extend(operations.iter().filter(|it| it.add).map(|it| it.number));
            if list.is_empty() {
                return Ok(());
            }
            if list.len() > INLINE {
                for (chunk, octets) in chunked(&list)? {
                    chunks.insert_before((key, chunk), octets.as_slice())?;
                }
            }
            Ok(heads.insert_before(key, head(&list).as_slice())?)
        })?;
        heads.close()?;
        chunks.close()?;
        Ok(())
    }

    fn apply(&mut self, key: &[u8], operations: &[Operation]) -> Result<(), Error> {
        let known = self.heads.get(key)?.map(|head| read_head(head.value())).transpose()?;
        let list = match known {
            Some(Head::Chunked(count)) => return self.apply_to_chunks(key, count, operations),
            Some(Head::List(list)) => list,
            None => Few::new(),
        };
        let merged = merge(list, operations);
        if merged.is_empty() {
            self.heads.remove(key)?;
            return Ok(());
        }
        if merged.len() > INLINE {
            for (chunk, octets) in chunked(&merged)? {
                self.chunks.insert((key, chunk), octets.as_slice())?;
            }
        }
        self.heads.insert(key, head(&merged).as_slice())?;
        Ok(())
    }

    fn apply_to_chunks(
        &mut self,
        key: &[u8],
        count: u32,
        operations: &[Operation],
    ) -> Result<(), Error> {
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
                self.chunks.insert((key, chunk), write_chunk(&set)?.as_slice())?;
            }
        }
        if count == 0 {
            self.heads.remove(key)?;
            return Ok(());
        }
        self.heads.insert(key, chunked_head(count).as_slice())?;
        Ok(())
    }
}

/// The head of an ascending list.
fn head(list: &[Number]) -> Vec<u8> {
    if list.len() > INLINE {
        return chunked_head(list.len() as u64).to_vec();
    }
    let mut head = Vec::with_capacity(1 + 4 * list.len());
    head.push(LIST);
    list.iter().for_each(|number| head.extend(number.to_le_bytes()));
    head
}

fn chunked_head(count: u64) -> [u8; 5] {
    let [a, b, c, d] = u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes();
    [CHUNKED, a, b, c, d]
}

/// The chunks of an ascending list.
fn chunked(list: &[Number]) -> Result<Vec<(u16, Vec<u8>)>, Error> {
    let groups = list.chunk_by(|a, b| a >> 16 == b >> 16);
    groups
        .map(|group| {
            let chunk = group.first().map_or(0, |first| (first >> 16) as u16);
            let set = RoaringBitmap::from_sorted_iter(group.iter().copied());
            Ok((chunk, write_chunk(&set.map_err(|_| Error::Damaged("a list of numbers"))?)?))
        })
        .collect()
}

fn write_chunk(set: &RoaringBitmap) -> Result<Vec<u8>, Error> {
    let mut octets = Vec::with_capacity(set.serialized_size());
    set.serialize_into(&mut octets).map_err(|error| Error::Storage(error.to_string()))?;
    Ok(octets)
}

/// The ascending list after the operations, which ascend as well.
fn merge(list: Few, operations: &[Operation]) -> Few {
    let mut old = list.into_iter().peekable();
    let mut out = Few::with_capacity(old.len() + operations.len());
    for operation in operations {
        while let Some(number) = old.next_if(|number| *number < operation.number) {
            out.push(number);
        }
        old.next_if_eq(&operation.number);
        if operation.add {
            out.push(operation.number);
        }
    }
    out.extend(old);
    out
}

#[cfg(test)]
mod tests {
    use super::read::LARGE;
    use super::*;
    use crate::replica::large::LargeSets;
    use crate::replica::tables::{EQUAL, ReadPostings};
    use proptest::prelude::*;
    use redb::{Database, ReadableDatabase};
    use std::collections::{BTreeMap, BTreeSet};
    use std::ops::Bound;

    fn database() -> Database {
        Database::builder().create_with_backend(redb::backends::InMemoryBackend::new()).unwrap()
    }

    fn stored(db: &Database) -> ReadPostings {
        let txn = db.begin_read().unwrap();
        ReadPostings {
            heads: txn.open_table(EQUAL.heads).unwrap(),
            chunks: txn.open_table(EQUAL.chunks).unwrap(),
            large: LargeSets::default(),
        }
    }

    fn change(db: &Database, numbers: impl Iterator<Item = Number>, add: bool) {
        let txn = db.begin_write().unwrap();
        {
            let folder = std::env::temp_dir();
            let mut postings = WritePostings::open(&txn, EQUAL, &folder).unwrap();
            numbers.for_each(|number| postings.change(b"key", number, add).unwrap());
            postings.flush().unwrap();
        }
        txn.commit().unwrap();
    }

    #[test]
    fn a_large_set_is_that_of_its_snapshot_however_often_it_is_read() {
        let db = database();
        change(&db, 0..3 * LARGE, true);
        let before = stored(&db);
        let count = |postings: &ReadPostings| postings.get(b"key").unwrap().len();
        assert_eq!(count(&before), 3 * LARGE as usize);
        change(&db, LARGE..2 * LARGE, false);
        let after = stored(&db);
        for _ in 0..2 {
            assert_eq!((count(&before), count(&after)), (3 * LARGE as usize, 2 * LARGE as usize));
        }
        assert!(!after.get(b"key").unwrap().contains(LARGE));
        assert!(before.get(b"key").unwrap().contains(LARGE));
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
                    let mut postings = WritePostings::open(&txn, EQUAL, &std::env::temp_dir()).unwrap();
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
            let stored = stored(&db);
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
