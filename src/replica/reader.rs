//! Reading: one snapshot per search. (Signatures; the bodies follow.)

use super::encoding::{Slot, View};
use super::ids::{Ids, Number};
use crate::directory::attribute::AttributeId;
use crate::directory::dn::{Dn, DnKey};
use crate::directory::entry::Values;
use crate::directory::filter::Substrings;
use std::ops::Bound;
use std::sync::Arc;

/// Why the stored copy cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the replica cannot be read: {0}")]
pub struct ReadError(pub String);

/// A handle that opens snapshots. Cheap to clone; it cannot write.
#[derive(Clone)]
pub struct Reader {}

/// A tenant's part of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// The connection's number.
    pub connection: u16,
    /// Its base.
    pub base: Dn,
    /// The base's key.
    pub key: DnKey,
    /// The base entry's number; `None` until a first complete sync is published.
    /// Until then searches in the context answer `unavailable`.
    pub entry: Option<Number>,
}

/// The published state at one instant.
pub struct Snapshot {}

impl Reader {
    /// The newest published state.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        unimplemented!()
    }
}

#[allow(unused_variables, reason = "signatures only for now")]
impl Snapshot {
    /// The configured connections' parts of the tree.
    pub fn contexts(&self) -> &[Context] {
        unimplemented!()
    }
    /// Counts commits: answers from snapshots with the same number are equal.
    pub fn sequence(&self) -> u64 {
        unimplemented!()
    }
    /// The published entry with this name.
    pub fn number(&self, name: &DnKey) -> Result<Option<Number>, ReadError> {
        unimplemented!()
    }
    /// An entry.
    pub fn entry(&self, number: Number) -> Result<Option<StoredEntry<'_>>, ReadError> {
        unimplemented!()
    }
    /// The entry directly above one of the few entries that have others below them
    /// (bases and containers); `None` for bases and for numbers of other entries.
    pub fn container_parent(&self, number: Number) -> Option<Number> {
        unimplemented!()
    }
    /// All entries.
    pub fn all(&self) -> Result<Ids, ReadError> {
        unimplemented!()
    }
    /// Entries that have the attribute.
    pub fn present(&self, attribute: AttributeId) -> Result<Ids, ReadError> {
        unimplemented!()
    }
    /// Entries with a value that has this key. For `member`, `memberOf`, `manager` the
    /// key is that of the DN. Exact.
    pub fn equal(&self, attribute: AttributeId, key: &[u8]) -> Result<Ids, ReadError> {
        unimplemented!()
    }
    /// Entries with a value whose key lies in the range. Exact. Not for DN syntax.
    pub fn range(
        &self,
        attribute: AttributeId,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
    ) -> Result<Ids, ReadError> {
        unimplemented!()
    }
    /// Entries with a value whose key starts so. Exact.
    pub fn prefix(&self, attribute: AttributeId, prefix: &[u8]) -> Result<Ids, ReadError> {
        unimplemented!()
    }
    /// Entries that may have a matching value; the flag says whether all of them do.
    pub fn substrings(
        &self,
        attribute: AttributeId,
        pieces: &Substrings,
    ) -> Result<(Ids, bool), ReadError> {
        unimplemented!()
    }
    /// Entries with a value whose key satisfies `test`; looks at every distinct key.
    pub fn keys_matching(
        &self,
        attribute: AttributeId,
        test: &dyn Fn(&[u8]) -> bool,
    ) -> Result<Ids, ReadError> {
        unimplemented!()
    }
    /// The entries from which the DN with this key is reached over `member` (groups
    /// that contain it, directly or nested) or `memberOf` (what it contains).
    pub fn in_chain(&self, attribute: AttributeId, key: &[u8]) -> Result<Ids, ReadError> {
        unimplemented!()
    }
}

/// An entry inside a snapshot.
pub struct StoredEntry<'s> {
    snapshot: &'s Snapshot,
}

impl StoredEntry<'_> {
    /// The entry's number.
    pub fn number(&self) -> Number {
        unimplemented!()
    }
    /// The entry in place.
    pub fn view(&self) -> View<'_> {
        unimplemented!()
    }
    /// The `PartialAttribute` TLV of a slot, wherever it lies.
    pub fn tlv<'a>(&'a self, slot: &Slot<'a>) -> Result<&'a [u8], ReadError> {
        let _ = (slot, self.snapshot);
        unimplemented!()
    }
}

impl Values for StoredEntry<'_> {
    fn values(&self, attribute: AttributeId) -> impl Iterator<Item = &[u8]> {
        let _ = attribute;
        std::iter::empty()
    }
}
