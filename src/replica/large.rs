//! Large sets of numbers that have been read: a class, those with an attribute. Nearly every
//! search that finds many needs one of them, and at a million entries it is 128 KiB to read.

use roaring::RoaringBitmap;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// So many are kept: those that were asked for last.
const MOST: usize = 16;

/// Sets of one store in one snapshot, by key. Nothing that is kept ever changes: the next
/// snapshot begins with none.
#[derive(Default)]
pub(super) struct LargeSets(Mutex<VecDeque<Kept>>);

struct Kept {
    key: Box<[u8]>,
    set: Arc<RoaringBitmap>,
}

impl LargeSets {
    /// The set of a key; it is read where it is not kept.
    pub(super) fn get<E>(
        &self,
        key: &[u8],
        read: impl FnOnce() -> Result<RoaringBitmap, E>,
    ) -> Result<Arc<RoaringBitmap>, E> {
        if let Some(set) = self.find(key) {
            return Ok(set);
        }
        // Nobody waits for a file.
        let set = Arc::new(read()?);
        let mut kept = self.lock();
        // Another search may have read it meanwhile.
        kept.retain(|kept| *kept.key != *key);
        kept.truncate(MOST - 1);
        kept.push_front(Kept { key: key.into(), set: Arc::clone(&set) });
        Ok(set)
    }

    fn find(&self, key: &[u8]) -> Option<Arc<RoaringBitmap>> {
        let mut kept = self.lock();
        let at = kept.iter().position(|kept| *kept.key == *key)?;
        let found = kept.remove(at)?;
        let set = Arc::clone(&found.set);
        kept.push_front(found);
        Some(set)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn the_latest_sets_are_read_once_and_the_others_again() {
        let (sets, reads) = (LargeSets::default(), Cell::new(0));
        let get = |key: u8| {
            let read = || -> Result<_, ()> {
                reads.set(reads.get() + 1);
                Ok(RoaringBitmap::from([u32::from(key)]))
            };
            assert!(sets.get(&[key], read).unwrap().contains(u32::from(key)));
            reads.get()
        };
        assert_eq!((get(0), get(1), get(0), get(1)), (1, 2, 2, 2));
        assert_eq!((2..16).map(get).last(), Some(16));
        assert_eq!((get(0), get(16)), (16, 17));
        assert_eq!((get(0), get(2)), (17, 17));
        assert_eq!(get(1), 18);
    }

    #[test]
    fn what_could_not_be_read_is_read_the_next_time() {
        let sets = LargeSets::default();
        assert_eq!(sets.get(b"a", || Err("damaged")), Err("damaged"));
        let set = sets.get(b"a", || Ok::<_, &str>(RoaringBitmap::from([7]))).unwrap();
        assert!(set.contains(7));
    }
}
