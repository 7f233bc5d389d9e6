//! Large sets of numbers that have been read: a class, those with an attribute. Nearly every
//! search that finds many needs one of them, and at a million entries it is 128 KiB to read.

use roaring::RoaringBitmap;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// So many are kept, the latest ones.
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
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let find = |kept: &VecDeque<Kept>| {
            kept.iter().find(|kept| *kept.key == *key).map(|kept| Arc::clone(&kept.set))
        };
        if let Some(set) = find(&lock()) {
            return Ok(set);
        }
        // Nobody waits for a file.
        let set = Arc::new(read()?);
        let mut kept = lock();
        if find(&kept).is_none() {
            kept.truncate(MOST - 1);
            kept.push_front(Kept { key: key.into(), set: Arc::clone(&set) });
        }
        Ok(set)
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
        assert_eq!((2..18).map(get).last(), Some(18));
        assert_eq!((get(17), get(2)), (18, 18));
        assert_eq!(get(1), 19);
    }

    #[test]
    fn what_could_not_be_read_is_read_the_next_time() {
        let sets = LargeSets::default();
        assert_eq!(sets.get(b"a", || Err("damaged")), Err("damaged"));
        let set = sets.get(b"a", || Ok::<_, &str>(RoaringBitmap::from([7]))).unwrap();
        assert!(set.contains(7));
    }
}
