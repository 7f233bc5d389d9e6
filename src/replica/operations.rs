//! Operations on a postings store, buffered until they are applied in key order. Pure: no
//! I/O, no clock.
//!
//! They are appended, and sorted at the end: a hash table with the operations of each key was
//! measured at three times the cost, since each look-up misses the processor's caches. A short
//! key (three octets of a name, of which an entry has hundreds) makes one word together with
//! what is to be done.

use super::error::Error;
use super::ids::Number;

/// A number to add to a key, or to remove from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Operation {
    pub(super) number: Number,
    pub(super) add: bool,
}

/// Operations, in the order in which they came.
#[derive(Default)]
pub(super) struct Operations {
    short: Vec<Short>,
    long: Vec<Long>,
    /// The longer keys.
    arena: Vec<u8>,
}

impl Operations {
    pub(super) fn push(&mut self, key: &[u8], operation: Operation) {
        match Short::new(key, operation) {
            Some(short) => self.short.push(short),
            None => {
                self.long.push(Long::new(key, operation, self.arena.len()));
                self.arena.extend(key);
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.short.is_empty() && self.long.is_empty()
    }

    /// How much memory they take.
    pub(super) fn octets(&self) -> usize {
        size_of_val(self.short.as_slice()) + size_of_val(self.long.as_slice()) + self.arena.len()
    }

    /// Gives each key, in order, with what becomes of it: of each number the latest
    /// operation, by ascending number.
    pub(super) fn drain(
        self,
        mut each: impl FnMut(&[u8], &[Operation]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let Operations { mut short, mut long, arena } = self;
        // Both stable: of two operations on one number, the later one counts.
        short.sort_by_key(|row| row.key());
        long.sort_by(|a, b| a.prefix.cmp(&b.prefix).then_with(|| a.key(&arena).cmp(b.key(&arena))));
        let mut group = Vec::new();
        let mut short = short.chunk_by(|a, b| a.key() == b.key()).peekable();
        let same = |a: &Long, b: &Long| a.prefix == b.prefix && a.key(&arena) == b.key(&arena);
        for rows in long.chunk_by(same) {
            let Some(key) = rows.first().map(|row| row.key(&arena)) else { continue };
            while let Some(before) =
                short.next_if(|rows| rows.first().is_some_and(|it| it.is_before(key)))
            {
                Short::give(before, &mut group, &mut each)?;
            }
            group.clear();
            group.extend(rows.iter().map(Long::operation));
            each(key, latest(&mut group))?;
        }
        short.try_for_each(|rows| Short::give(rows, &mut group, &mut each))
    }
}

/// The operations by ascending number, and of each number only the last.
pub(super) fn latest(operations: &mut Vec<Operation>) -> &[Operation] {
    if !operations.is_sorted_by(|a, b| a.number < b.number) {
        operations.sort_by_key(|operation| operation.number);
        operations.dedup_by(|later, kept| {
            let same = later.number == kept.number;
            if same {
                kept.add = later.add;
            }
            same
        });
    }
    operations
}

/// An operation on a key of seven octets at most: the key, padded; how many octets it has;
/// the number; whether to add it.
#[derive(Clone, Copy)]
struct Short(u128);

const SHORT: usize = 7;

impl Short {
    fn new(key: &[u8], operation: Operation) -> Option<Self> {
        if key.len() > SHORT {
            return None;
        }
        let mut octets = [0; SHORT + 1];
        octets.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
        let key = u64::from_be_bytes(octets) | key.len() as u64;
        let rest = u64::from(operation.number) << 1 | u64::from(operation.add);
        Some(Short(u128::from(key) << 64 | u128::from(rest)))
    }

    fn key(self) -> u64 {
        (self.0 >> 64) as u64
    }

    fn operation(&self) -> Operation {
        Operation { number: (self.0 >> 1) as Number, add: self.0 & 1 == 1 }
    }

    fn is_before(self, key: &[u8]) -> bool {
        let octets = self.key().to_be_bytes();
        octets.get(..usize::from(self.key() as u8)).is_some_and(|octets| octets < key)
    }

    /// Gives what becomes of one key.
    fn give(
        rows: &[Short],
        group: &mut Vec<Operation>,
        each: &mut impl FnMut(&[u8], &[Operation]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let Some(first) = rows.first() else { return Ok(()) };
        group.clear();
        group.extend(rows.iter().map(Short::operation));
        let octets = first.key().to_be_bytes();
        let key = octets.get(..usize::from(first.key() as u8)).unwrap_or_default();
        each(key, latest(group))
    }
}

/// An operation on a longer key, which lies in the arena.
#[derive(Clone, Copy)]
struct Long {
    /// The first octets of the key, for sorting: they decide nearly always.
    prefix: u128,
    start: u32,
    /// The key's length, and in the lowest bit whether to add.
    len_and_add: u32,
    number: Number,
}

impl Long {
    fn new(key: &[u8], operation: Operation, start: usize) -> Self {
        let mut octets = [0u8; 16];
        octets.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
        Long {
            prefix: u128::from_be_bytes(octets),
            start: start as u32,
            len_and_add: (key.len() as u32) << 1 | u32::from(operation.add),
            number: operation.number,
        }
    }

    fn key<'a>(&self, arena: &'a [u8]) -> &'a [u8] {
        let start = self.start as usize;
        arena.get(start..start + (self.len_and_add >> 1) as usize).unwrap_or_default()
    }

    fn operation(&self) -> Operation {
        Operation { number: self.number, add: self.len_and_add & 1 == 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn keys_come_in_order_with_the_latest_operation_on_each_number() {
        for count in [0, 1, 50, 12_000] {
            let mut state = count as u64;
            let mut below = |limit: u64| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 33) % limit
            };
            let mut operations = Operations::default();
            let mut model: BTreeMap<Vec<u8>, BTreeMap<Number, bool>> = BTreeMap::new();
            for _ in 0..count {
                let len = below(20) as usize;
                let key: Vec<u8> = (0..len).map(|_| below(2) as u8 * 255).collect();
                let operation = Operation { number: below(9) as u32, add: below(2) == 0 };
                operations.push(&key, operation);
                model.entry(key).or_default().insert(operation.number, operation.add);
            }
            let mut found = Vec::new();
            let each = |key: &[u8], list: &[Operation]| {
                found.push((key.to_vec(), list.iter().map(|it| (it.number, it.add)).collect()));
                Ok(())
            };
            operations.drain(each).unwrap();
            assert!(found.iter().eq(&model.into_iter().collect::<Vec<_>>()), "{count}");
        }
    }
}
