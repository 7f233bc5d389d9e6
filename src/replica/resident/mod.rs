//! What most searches read, in memory beside the file: every entry, packed, and who has
//! an address, an account name or an id. A B-tree on disk costs a lookup several times
//! what the rest of it does.
//!
//! It belongs to a snapshot and never changes: a commit makes the next one, which shares
//! with it what the commit has not touched. What it does not know is read from the file,
//! so it can be missing, while it is built at the start or after a first load.

mod build;
mod entries;
mod packed;
mod packing;
mod pending;
mod rows;
mod shared;

pub(super) use build::build;
pub(super) use packed::Packed;
pub(super) use pending::Pending;
pub(super) use shared::Once;

use super::ids::Number;
use super::keys;
use crate::directory::attribute::AttributeId;
use entries::Entries;
use rows::Rows;

/// So many entries with one value are looked up in the file, where they are one set.
const MOST: usize = 32;

/// The hash of a value's key, as far as the index has that.
fn hash(attribute: AttributeId, key: &[u8]) -> u32 {
    rows::hash(attribute, keys::cut(key))
}

/// The published entries at one instant.
pub(super) struct Resident {
    entries: Entries,
    rows: Rows,
}

impl Resident {
    /// An entry. One that is not here may be in the file.
    pub(super) fn entry(&self, number: Number) -> Option<Packed<'_>> {
        self.entries.get(number)
    }

    /// Entries that may have a value with this key, and all that do; `None` where the file
    /// must be asked.
    pub(super) fn candidates(
        &self,
        attribute: AttributeId,
        key: &[u8],
    ) -> Option<impl Iterator<Item = Number> + Clone + '_> {
        if !keys::is_nearly_unique(attribute) {
            return None;
        }
        let found = self.rows.find(hash(attribute, key));
        (found.len() <= MOST).then(|| found.iter().map(|row| rows::number(*row)))
    }

    /// How many octets it takes up, about.
    pub(super) fn size(&self) -> usize {
        self.entries.size() + self.rows.size()
    }

    /// The state after a commit.
    pub(super) fn after(&self, pending: &Pending) -> Self {
        Resident {
            entries: self.entries.after(pending.entries()),
            rows: self.rows.after(pending.rows()),
        }
    }
}
