//! From the hash of a value to the numbers of the entries that may have it. Pure: no
//! I/O, no clock.
//!
//! All rows are in the order of their hashes, in lists of some hundreds. Hashes are spread
//! evenly, so a hash tells which list its row is in, and nearly where. A commit copies the
//! lists that it changes and shares the others.

use super::super::ids::Number;
use crate::directory::attribute::AttributeId;
use foldhash::quality::RandomState;
use std::hash::BuildHasher;
use std::sync::{Arc, OnceLock};

/// How many rows a list holds when it is made, about. More make a lookup read more of a list,
/// fewer more places where lists are.
const LIST: usize = 256;
/// The lists are made anew when they hold so many.
const CROWDED: usize = 8 * LIST;

/// A number behind the hash of a value.
type Row = u64;

/// The hash of a value's key, of this process alone. Should somebody bring about values that
/// fall together all the same, these few are looked up in the file.
pub(super) fn hash(attribute: AttributeId, key: &[u8]) -> u32 {
    static STATE: OnceLock<RandomState> = OnceLock::new();
    (STATE.get_or_init(RandomState::default).hash_one((attribute.0, key)) >> 32) as u32
}

/// The number of a row.
pub(super) fn number(row: Row) -> Number {
    row as Number
}

/// A row.
pub(super) fn row(hash: u32, number: Number) -> Row {
    (u64::from(hash) << 32) | u64::from(number)
}

/// All rows.
#[derive(Debug)]
pub(super) struct Rows {
    /// Each holds the rows of an equal part of all hashes.
    lists: Vec<Arc<[Row]>>,
    len: usize,
}

impl Rows {
    /// Makes the lists of these rows.
    pub(super) fn of(mut rows: Vec<Row>) -> Self {
        rows.sort_unstable();
        rows.dedup();
        let count = (rows.len() / LIST).max(1);
        let mut rest = rows.as_slice();
        let lists = (0..count).map(|at| {
            let (list, behind) = rest.split_at(
                rest.iter().position(|row| place(*row, count).0 > at).unwrap_or(rest.len()),
            );
            rest = behind;
            Arc::from(list)
        });
        Rows { lists: lists.collect(), len: rows.len() }
    }

    /// The rows with this hash.
    pub(super) fn find(&self, hash: u32) -> &[Row] {
        let (first, last) = (row(hash, 0), row(hash, Number::MAX));
        let (at, part) = place(first, self.lists.len());
        let Some(list) = self.lists.get(at) else { return &[] };
        let mut start = ((u64::from(part) * list.len() as u64) >> 32) as usize;
        while start > 0 && list.get(start - 1).is_some_and(|row| *row >= first) {
            start -= 1;
        }
        while list.get(start).is_some_and(|row| *row < first) {
            start += 1;
        }
        let rest = list.get(start..).unwrap_or_default();
        let end = rest.iter().position(|row| *row > last).unwrap_or(rest.len());
        rest.get(..end).unwrap_or_default()
    }

    /// After these changes, in their order: a row, and whether it is added. Each list is
    /// copied once, however many of them it meets: a first load brings all to a single one.
    pub(super) fn after(&self, changes: &[(Row, bool)]) -> Self {
        let mut changes = changes.to_vec();
        // Stable: of two changes of one row, the later one counts.
        changes.sort_by_key(|(row, _)| *row);
        let mut after = Rows { lists: self.lists.clone(), len: self.len };
        let count = after.lists.len();
        let list_of = |change: &(Row, bool)| place(change.0, count).0;
        for changes in changes.chunk_by(|a, b| list_of(a) == list_of(b)) {
            let at = changes.first().map_or(usize::MAX, list_of);
            let Some(list) = after.lists.get_mut(at) else { continue };
            let changed = merged(list, changes);
            after.len = after.len + changed.len() - list.len();
            *list = Arc::from(changed);
        }
        if after.len <= CROWDED * count {
            return after;
        }
        let all: Vec<Row> = after.lists.iter().flat_map(|list| list.iter().copied()).collect();
        Self::of(all)
    }

    /// How many octets it takes up.
    pub(super) fn size(&self) -> usize {
        let lists = self.lists.iter().map(|list| 40 + 8 * list.len());
        lists.sum()
    }
}

/// A list after changes, both by ascending rows.
fn merged(list: &[Row], changes: &[(Row, bool)]) -> Vec<Row> {
    let mut out = Vec::with_capacity(list.len() + changes.len());
    let mut old = list.iter().copied().peekable();
    for changes in changes.chunk_by(|a, b| a.0 == b.0) {
        let Some((row, add)) = changes.last() else { continue };
        while let Some(before) = old.next_if(|old| old < row) {
            out.push(before);
        }
        old.next_if_eq(row);
        out.extend(add.then_some(*row));
    }
    out.extend(old);
    out
}

/// In which of so many lists a row is, and how far in it, as a part of 2^32.
fn place(row: Row, count: usize) -> (usize, u32) {
    let product = (row >> 32) * count as u64;
    ((product >> 32) as usize, product as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn found(rows: &Rows, hash: u32) -> Vec<Number> {
        rows.find(hash).iter().map(|row| number(*row)).collect()
    }

    proptest! {
        #[test]
        fn any_rows_are_found_after_any_changes(
            first in prop::collection::vec((any::<u32>(), 0u32..50), 0..3000),
            changes in prop::collection::vec((any::<u32>(), 0u32..50, any::<bool>()), 0..3000),
            few in prop::bool::ANY,
        ) {
            // Few different hashes: many rows of one, and hashes far from even.
            let hash = |hash: u32| if few { hash % 7 } else { hash };
            let mut model: BTreeSet<Row> = first.iter().map(|(h, n)| row(hash(*h), *n)).collect();
            let rows = Rows::of(first.iter().map(|(h, n)| row(hash(*h), *n)).collect());
            let before = model.clone();
            let changes: Vec<(Row, bool)> =
                changes.iter().map(|(h, n, add)| (row(hash(*h), *n), *add)).collect();
            for (row, add) in &changes {
                if *add { model.insert(*row); } else { model.remove(row); }
            }
            let after = rows.after(&changes);
            for (rows, model) in [(&rows, &before), (&after, &model)] {
                prop_assert_eq!(rows.len, model.len());
                for wanted in model.iter().chain(changes.iter().map(|(row, _)| row)) {
                    let hash = (wanted >> 32) as u32;
                    let expected: Vec<Number> =
                        model.range(row(hash, 0)..=row(hash, Number::MAX)).map(|r| number(*r)).collect();
                    prop_assert_eq!(found(rows, hash), expected);
                }
            }
        }
    }

    #[test]
    fn an_index_that_grows_makes_more_lists() {
        let rows = Rows::of(Vec::new());
        assert_eq!(rows.lists.len(), 1);
        let all: Vec<(Row, bool)> =
            (0..100_000u32).map(|n| (row(n.wrapping_mul(2_654_435_761), n), true)).collect();
        let rows = rows.after(&all);
        assert!(rows.lists.len() > 300, "{}", rows.lists.len());
        assert!(rows.lists.iter().all(|list| list.len() <= CROWDED));
    }
}
