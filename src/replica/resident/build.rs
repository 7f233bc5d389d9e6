//! Making it from the file.

use super::super::error::Error;
use super::super::keys;
use super::super::reader::Snapshot;
use super::entries::Builder;
use super::rows::{self, Rows};
use super::{Resident, hash};
use redb::ReadableTable;
use std::ops::Bound;

/// After so many rows of a table it is asked whether to go on.
const ROWS_PER_QUESTION: usize = 4096;

/// Reads all of a snapshot; `None` where `go_on` says no.
pub(in super::super) fn build(
    snapshot: &Snapshot,
    go_on: &dyn Fn() -> bool,
) -> Result<Option<Resident>, Error> {
    let mut entries = Builder::default();
    for (count, row) in snapshot.tables.entries.iter()?.enumerate() {
        if count.is_multiple_of(ROWS_PER_QUESTION) && !go_on() {
            return Ok(None);
        }
        let (number, stored) = row?;
        entries.add(number.value(), stored.value());
    }
    let mut found = Vec::new();
    for attribute in keys::nearly_unique() {
        let first = keys::equal(*attribute, &[]);
        let behind = keys::after_prefix(&first);
        let to = behind.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut count = 0usize;
        let go_on = || {
            count += 1;
            !count.is_multiple_of(ROWS_PER_QUESTION) || go_on()
        };
        let done = snapshot.tables.equal.each(Bound::Included(&first), to, go_on, |key, ids| {
            let hash = hash(*attribute, key);
            found.extend(ids.iter().map(|number| rows::row(hash, number)));
        })?;
        if !done {
            return Ok(None);
        }
    }
    Ok(Some(Resident { entries: entries.finish(), rows: Rows::of(found) }))
}
