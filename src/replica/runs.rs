//! Sorted runs of operations, in files without a name: what a first load does to an index
//! is more than memory should hold, and an index that is filled in order is made in a
//! fraction of the time that inserting here and there takes.

use super::error::Error;
use super::operations::{Operation, Operations, latest};
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// How much of each run is read at once.
const READ_AT_ONCE: usize = 64 << 10;
/// A length beyond this is damage.
const LONGEST: u64 = 1 << 31;

/// Runs, each behind those before it in time.
pub(super) struct Runs {
    folder: PathBuf,
    files: Vec<File>,
}

impl Runs {
    /// Files will be made in `folder`, and are gone with the runs, or with the process.
    pub(super) fn new(folder: &Path) -> Self {
        Runs { folder: folder.to_owned(), files: Vec::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Those so far; there are none then.
    pub(super) fn take(&mut self) -> Runs {
        Runs { folder: self.folder.clone(), files: std::mem::take(&mut self.files) }
    }

    /// Writes a run.
    pub(super) fn spill(&mut self, operations: Operations) -> Result<(), Error> {
        let mut file = BufWriter::new(tempfile::tempfile_in(&self.folder).map_err(Error::file)?);
        let mut record = Vec::new();
        operations.drain(|key, operations| {
            record.clear();
            put(&mut record, key.len() as u64);
            record.extend(key);
            put(&mut record, operations.len() as u64);
            let mut before = 0;
            for operation in operations {
                put(
                    &mut record,
                    u64::from(operation.number - before) << 1 | u64::from(operation.add),
                );
                before = operation.number;
            }
            file.write_all(&record).map_err(Error::file)
        })?;
        let mut file = file.into_inner().map_err(|error| Error::file(error.into_error()))?;
        file.rewind().map_err(Error::file)?;
        self.files.push(file);
        Ok(())
    }

    /// Gives each key of all runs, in order, with what becomes of it, as
    /// [`Operations::drain`] does.
    pub(super) fn drain(
        self,
        mut each: impl FnMut(&[u8], &[Operation]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut heap = BinaryHeap::new();
        for (at, file) in self.files.into_iter().enumerate() {
            let file = BufReader::with_capacity(READ_AT_ONCE, file);
            let mut run = Run { at, file, key: Vec::new() };
            if run.advance().map_err(Error::file)? {
                heap.push(Reverse(run));
            }
        }
        let (mut key, mut group) = (Vec::new(), Vec::new());
        while let Some(mut first) = heap.peek_mut() {
            if first.0.key != key {
                if !group.is_empty() {
                    each(&key, latest(&mut group))?;
                    group.clear();
                }
                key.clone_from(&first.0.key);
            }
            first.0.operations(&mut group).map_err(Error::file)?;
            if !first.0.advance().map_err(Error::file)? {
                std::collections::binary_heap::PeekMut::pop(first);
            }
        }
        if group.is_empty() { Ok(()) } else { each(&key, latest(&mut group)) }
    }
}

/// A run that is being read: the key is, what becomes of it is not yet.
struct Run {
    at: usize,
    file: BufReader<File>,
    key: Vec<u8>,
}

impl Run {
    /// Goes on to the next key; `false` at the end.
    fn advance(&mut self) -> io::Result<bool> {
        if self.file.fill_buf()?.is_empty() {
            return Ok(false);
        }
        let len = take(&mut self.file)?;
        self.key.resize(len as usize, 0);
        self.file.read_exact(&mut self.key)?;
        Ok(true)
    }

    fn operations(&mut self, group: &mut Vec<Operation>) -> io::Result<()> {
        let mut number = 0u32;
        for _ in 0..take(&mut self.file)? {
            let word = take(&mut self.file)?;
            number = number.wrapping_add((word >> 1) as u32);
            group.push(Operation { number, add: word & 1 == 1 });
        }
        Ok(())
    }
}

/// By key, then by time.
impl Ord for Run {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key).then(self.at.cmp(&other.at))
    }
}

impl PartialOrd for Run {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Run {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Run {}

/// Seven bits an octet, the lowest first.
fn put(out: &mut Vec<u8>, mut word: u64) {
    while word >= 0x80 {
        out.push(word as u8 | 0x80);
        word >>= 7;
    }
    out.push(word as u8);
}

fn take(file: &mut impl Read) -> io::Result<u64> {
    let (mut word, mut octet) = (0, [0x80]);
    let mut shift = 0;
    while octet[0] & 0x80 != 0 {
        file.read_exact(&mut octet)?;
        word |= u64::from(octet[0] & 0x7f) << shift;
        shift += 7;
        if shift > 35 || word >= LONGEST << 2 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a run of an index is damaged"));
        }
    }
    Ok(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replica::Number;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn runs_give_what_one_buffer_would(
            batches in prop::collection::vec(
                prop::collection::vec(
                    (prop::collection::vec(0u8..3, 0..9), any::<u32>(), any::<bool>()), 0..200), 0..6)
        ) {
            let mut runs = Runs::new(&std::env::temp_dir());
            let mut model: BTreeMap<Vec<u8>, BTreeMap<Number, bool>> = BTreeMap::new();
            for batch in batches {
                let mut operations = Operations::default();
                for (key, number, add) in batch {
                    let number = number % 7 * (u32::MAX / 7);
                    operations.push(&key, Operation { number, add });
                    model.entry(key).or_default().insert(number, add);
                }
                runs.spill(operations).unwrap();
            }
            let mut found = Vec::new();
            runs.drain(|key, list| {
                found.push((key.to_vec(), list.iter().map(|it| (it.number, it.add)).collect()));
                Ok(())
            }).unwrap();
            prop_assert!(found.iter().eq(&model.into_iter().collect::<Vec<_>>()));
        }
    }
}
