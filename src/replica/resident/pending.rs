//! What one commit changes of it, collected while it is made. Pure: no I/O, no clock.

use super::super::ids::Number;
use super::super::keys;
use super::{hash, rows};
use crate::directory::attribute::AttributeId;
use std::collections::BTreeMap;

/// A commit that changes more entries makes it cheaper to start over.
const MOST: usize = 20_000;

/// The changes of a commit.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    entries: BTreeMap<Number, Option<Vec<u8>>>,
    rows: Vec<(u64, bool)>,
    is_too_large: bool,
}

impl Pending {
    /// Takes nothing in.
    pub(in super::super) fn off() -> Self {
        Pending { is_too_large: true, ..Pending::default() }
    }

    /// Notes the stored form of an entry, or that it is gone.
    pub(in super::super) fn entry(&mut self, number: Number, stored: Option<&[u8]>) {
        if self.is_too_large {
            return;
        }
        self.entries.insert(number, stored.map(<[u8]>::to_vec));
        if self.entries.len() > MOST {
            *self = Pending::off();
        }
    }

    /// Notes that an entry has a value with this key, or no longer.
    pub(in super::super) fn value(
        &mut self,
        attribute: AttributeId,
        key: &[u8],
        number: Number,
        add: bool,
    ) {
        if !self.is_too_large && keys::is_nearly_unique(attribute) {
            self.rows.push((rows::row(hash(attribute, key), number), add));
        }
    }

    /// Whether this is more than is kept.
    pub(in super::super) fn is_too_large(&self) -> bool {
        self.is_too_large
    }

    /// Whether it changes nothing.
    pub(in super::super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.rows.is_empty()
    }

    pub(super) fn entries(&self) -> &BTreeMap<Number, Option<Vec<u8>>> {
        &self.entries
    }

    pub(super) fn rows(&self) -> &[(u64, bool)] {
        &self.rows
    }
}
