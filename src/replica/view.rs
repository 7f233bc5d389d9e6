//! An entry of a snapshot, read in place, wherever it is kept.

use super::encoding::{Identity, Slot, View, set_of};
use super::resident::Packed;
use super::set::Set;
use crate::directory::attribute::AttributeId;

/// An entry, read in place.
#[derive(Debug, Clone, Copy)]
pub enum EntryView<'a> {
    /// As the file has it.
    Stored(View<'a>),
    /// As it is kept in memory.
    Packed(Packed<'a>),
}

/// An attribute of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttributeView<'a> {
    /// Which.
    pub id: AttributeId,
    /// Whether it is returned only when asked for.
    pub operational: bool,
    /// Its values; `None` where they lie in the table of wide attributes.
    pub(super) set: Option<Set<'a>>,
}

/// Does something with attributes of an entry. Its methods are apart so that what is done with
/// nearly every attribute is a few instructions in one place.
pub trait Visit<'a> {
    /// Why it may end before the last attribute.
    type Error;

    /// Whether an attribute is wanted; the flag: it is returned only when asked for.
    fn wants(&self, id: AttributeId, operational: bool) -> bool;

    /// An attribute whose values are these TLVs.
    fn whole(&mut self, id: AttributeId, tlvs: &'a [u8]);

    /// Any other one.
    fn other(&mut self, found: AttributeView<'a>) -> Result<(), Self::Error>;
}

impl<'a> EntryView<'a> {
    /// The entry's name, as text.
    pub fn dn(&self) -> &'a str {
        match self {
            EntryView::Stored(view) => view.dn(),
            EntryView::Packed(packed) => packed.dn(),
        }
    }

    /// The octets of its name.
    pub(crate) fn dn_octets(&self) -> &'a [u8] {
        match self {
            EntryView::Stored(view) => view.dn().as_bytes(),
            EntryView::Packed(packed) => packed.dn_octets(),
        }
    }

    /// What is stored beside the attributes.
    pub fn identity(&self) -> Identity {
        match self {
            EntryView::Stored(view) => view.identity(),
            EntryView::Packed(packed) => packed.identity(),
        }
    }

    /// All attributes, by number.
    pub fn attributes(&self) -> impl Iterator<Item = AttributeView<'a>> + use<'a> {
        let (stored, packed) = match self {
            EntryView::Stored(view) => (Some(view.slots().map(of_slot)), None),
            EntryView::Packed(packed) => (None, Some(packed.attributes())),
        };
        stored.into_iter().flatten().chain(packed.into_iter().flatten())
    }

    /// Shows those attributes to a visitor that it wants, by number, to the first error.
    #[inline]
    pub fn visit<V: Visit<'a>>(&self, visitor: &mut V) -> Result<(), V::Error> {
        match self {
            EntryView::Stored(view) => {
                for slot in view.slots() {
                    if visitor.wants(slot.id, slot.operational) {
                        visitor.other(of_slot(slot))?;
                    }
                }
                Ok(())
            }
            EntryView::Packed(packed) => packed.visit(visitor),
        }
    }

    /// One attribute; `None` where the entry lacks it.
    pub fn attribute(&self, id: AttributeId) -> Option<AttributeView<'a>> {
        match self {
            EntryView::Stored(view) => view.slot(id).map(of_slot),
            EntryView::Packed(packed) => packed.attribute(id),
        }
    }
}

fn of_slot(slot: Slot<'_>) -> AttributeView<'_> {
    let set = slot.tlv.and_then(set_of).map(Set::Whole);
    AttributeView { id: slot.id, operational: slot.operational, set }
}
