//! An entry as it is kept in memory: the stored form ([`super::super::encoding`]) without
//! the names of attributes, and with values that many entries have kept once. Pure: no
//! I/O, no clock.
//!
//! ```text
//! kind u8 | flags u8 | connection u16 | parent u32 | object id 16 | dn length u16
//! | attributes u16 | slots | dn as a TLV | sets of its own
//! slot u32: attribute (10 bits), operational (1), where its set is (2), place (19)
//! a set of its own: length u8 | TLVs of the values; or
//!     255 | length u16 | TLVs;
//!     254 | start u16 | length u16: a part of what lies there already;
//!     253 | count u16 | u32 for each value: where among those that are kept once
//! ```
//!
//! Values of several attributes that are the same (names, addresses) lie there once, and so do
//! the addresses of an attribute that has some of another one's.

use super::super::encoding::{HEADER, Identity, identity, tlv_len};
use super::super::set::{Pieces, Set};
use super::super::view::{AttributeView, Visit};
use super::shared::Shared;
use crate::directory::attribute::AttributeId;

/// The octets of the header: those of the stored form without its last field.
pub(super) const HEAD: usize = HEADER - 4;
pub(super) const SLOT: usize = 4;
pub(super) const PLACE_BITS: u32 = 19;
pub(super) const LAST_PLACE: usize = (1 << PLACE_BITS) - 1;
pub(super) const LAST_ID: u16 = (1 << 10) - 1;
/// Where a set is.
pub(super) const OWN: u32 = 0;
pub(super) const SHARED: u32 = 1;
pub(super) const WIDE: u32 = 2;
pub(super) const NAME: u32 = 3;
/// What a set of its own begins with, unless it is its length.
pub(super) const LONG: u8 = 255;
pub(super) const PART: u8 = 254;
pub(super) const PIECES: u8 = 253;

/// A packed entry, read in place.
#[derive(Debug, Clone, Copy)]
pub struct Packed<'a> {
    head: &'a [u8],
    /// The name, as a TLV.
    name: &'a [u8],
    dn: &'a [u8],
    slots: &'a [[u8; SLOT]],
    body: &'a [u8],
    shared: &'a Shared,
}

impl<'a> Packed<'a> {
    pub(super) fn new(octets: &'a [u8], shared: &'a Shared) -> Option<Self> {
        let (head, rest) = octets.split_at_checked(HEAD)?;
        let dn_len = usize::from(u16::from_le_bytes(*head.get(24..)?.first_chunk()?));
        let count = u16::from_le_bytes(*head.get(26..)?.first_chunk()?);
        let (slots, rest) = rest.split_at_checked(usize::from(count) * SLOT)?;
        let (name, body) = rest.split_at_checked(tlv_len(dn_len))?;
        let dn = name.get(name.len() - dn_len..)?;
        let (slots, _) = slots.as_chunks::<SLOT>();
        Some(Packed { head, name, dn, slots, body, shared })
    }

    /// The entry's name, as text.
    pub fn dn(&self) -> &'a str {
        // Checked when the entry was packed.
        std::str::from_utf8(self.dn).unwrap_or_default()
    }

    /// The octets of its name.
    pub(in super::super) fn dn_octets(&self) -> &'a [u8] {
        self.dn
    }

    /// What is kept beside the attributes.
    pub fn identity(&self) -> Identity {
        identity(self.head)
    }

    /// All attributes, by number.
    pub fn attributes(&self) -> impl Iterator<Item = AttributeView<'a>> + use<'a> {
        let this = *self;
        this.slots.iter().map(move |slot| this.read(slot))
    }

    /// Shows those attributes to a visitor that it wants, by number.
    #[inline]
    pub(in super::super) fn visit<V: Visit<'a>>(&self, visitor: &mut V) -> Result<(), V::Error> {
        for slot in self.slots {
            let slot = u32::from_le_bytes(*slot);
            let (id, operational) = meaning(slot);
            if !visitor.wants(id, operational) {
                continue;
            }
            match self.plain(slot) {
                Some(tlvs) => visitor.whole(id, tlvs),
                None => {
                    let set = self.otherwise(slot);
                    visitor.other(AttributeView { id, operational, set })?;
                }
            }
        }
        Ok(())
    }

    /// One attribute; `None` where the entry lacks it.
    #[inline]
    pub fn attribute(&self, id: AttributeId) -> Option<AttributeView<'a>> {
        let at = self.slots.binary_search_by_key(&id, slot_id).ok()?;
        self.slots.get(at).map(|slot| self.read(slot))
    }

    #[inline]
    fn read(&self, slot: &[u8; SLOT]) -> AttributeView<'a> {
        let slot = u32::from_le_bytes(*slot);
        let (id, operational) = meaning(slot);
        let set = match self.plain(slot) {
            Some(tlvs) => Some(Set::Whole(tlvs)),
            None => self.otherwise(slot),
        };
        AttributeView { id, operational, set }
    }

    /// The set, where it lies in one piece and at once, as nearly all do.
    #[inline]
    fn plain(&self, slot: u32) -> Option<&'a [u8]> {
        let place = slot as usize & LAST_PLACE;
        match slot >> PLACE_BITS & 3 {
            OWN => {
                let (first, rest) = self.body.get(place..)?.split_first()?;
                if *first < PIECES { rest.get(..usize::from(*first)) } else { None }
            }
            SHARED => self.shared.sets().get(place as u32),
            NAME => Some(self.name),
            _ => None,
        }
    }

    /// Any other set; `None` where it is not in memory.
    #[inline(never)]
    fn otherwise(&self, slot: u32) -> Option<Set<'a>> {
        if slot >> PLACE_BITS & 3 != OWN {
            return None;
        }
        let (kind, rest) = self.body.get(slot as usize & LAST_PLACE..)?.split_first()?;
        let (number, rest) = rest.split_first_chunk()?;
        let number = usize::from(u16::from_le_bytes(*number));
        match *kind {
            LONG => rest.get(..number).map(Set::Whole),
            PART => {
                let len = usize::from(u16::from_le_bytes(*rest.first_chunk()?));
                self.body.get(number..number + len).map(Set::Whole)
            }
            PIECES => {
                let (places, _) = rest.get(..4 * number)?.as_chunks();
                Pieces::new(places, self.shared.groups()).map(Set::Pieces)
            }
            _ => None,
        }
    }
}

/// Which attribute a slot is of, and whether it is returned only when asked for.
fn meaning(slot: u32) -> (AttributeId, bool) {
    (AttributeId((slot >> (PLACE_BITS + 3)) as u16), slot >> (PLACE_BITS + 2) & 1 != 0)
}

fn slot_id(slot: &[u8; SLOT]) -> AttributeId {
    meaning(u32::from_le_bytes(*slot)).0
}

#[cfg(test)]
mod tests {
    use super::super::packing::pack;
    use super::*;
    use crate::directory::dn::Dn;
    use crate::directory::entry::Entry;
    use crate::directory::ids::ObjectId;
    use crate::directory::kind::Kind;
    use crate::directory::schema;
    use crate::replica::EntryView;
    use crate::replica::encoding::{View, encode};
    use memchr::memmem;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_packed_entry_is_the_stored_one(
            entries in prop::collection::vec(prop::collection::vec(
                (0usize..465, prop::collection::vec(prop::collection::vec(any::<u8>(), 1..700), 1..5)), 0..12), 1..6),
            learned in 0usize..6,
        ) {
            let all = schema::standard().attributes();
            let mut shared = Shared::default();
            let stored: Vec<Vec<u8>> = entries.iter().enumerate().map(|(n, attributes)| {
                let mut entry = Entry::new(Dn::parse(&format!("cn=n{n},dc=x")).unwrap());
                entry.add(schema::standard().attribute(b"entryDN").unwrap().id, entry.dn.to_string());
                for (id, values) in attributes {
                    entry.set(all[id % all.len()].id, values.clone());
                }
                let object = ObjectId::from_bytes([n as u8; 16]);
                let identity =
                    Identity { kind: Some(Kind::User), connection: 7, parent: n as u32, object };
                encode(&entry, &identity, schema::standard()).entry
            }).collect();
            for octets in stored.iter().take(learned) {
                shared.learn(&View::new(octets).unwrap());
            }
            for octets in &stored {
                let mut out = vec![1, 2, 3];
                prop_assert!(pack(octets, &shared, &mut out));
                let (view, packed) = (View::new(octets).unwrap(), Packed::new(&out[3..], &shared).unwrap());
                prop_assert_eq!(view.dn(), packed.dn());
                prop_assert_eq!(view.identity(), packed.identity());
                let expected = EntryView::Stored(view).attributes().collect::<Vec<_>>();
                prop_assert_eq!(&expected, &packed.attributes().collect::<Vec<_>>());
                for attribute in expected {
                    prop_assert_eq!(Some(attribute), packed.attribute(attribute.id));
                }
                prop_assert_eq!(packed.attribute(AttributeId(LAST_ID)), None);
            }
        }

        #[test]
        fn sets_that_hold_the_same_values_are_read_as_they_are_stored(
            entries in prop::collection::vec(prop::collection::vec(prop::collection::vec(0usize..12, 0..6), 6), 1..5),
            learned in 0usize..5,
        ) {
            // Lengths about those at which a set's length is written otherwise.
            let lengths = [1, 3, 4, 5, 20, 119, 120, 123, 248, 249, 250, 251];
            let names = ["mail", "mailLocalAddress", "mailAlternateAddress", "memberOf", "description", "cn"];
            let identity = Identity { kind: None, connection: 0, parent: 0, object: ObjectId::from_bytes([7; 16]) };
            let stored: Vec<Vec<u8>> = entries.iter().enumerate().map(|(n, sets)| {
                let mut entry = Entry::new(Dn::parse(&format!("cn=n{n},dc=x")).unwrap());
                for (name, values) in names.iter().zip(sets) {
                    let id = schema::standard().attribute(name.as_bytes()).unwrap().id;
                    values.iter().for_each(|which| entry.add(id, vec![b'a' + *which as u8; lengths[*which]]));
                }
                encode(&entry, &identity, schema::standard()).entry
            }).collect();
            let mut shared = Shared::default();
            stored.iter().take(learned).for_each(|s| shared.learn(&View::new(s).unwrap()));
            for octets in &stored {
                for shared in [&shared, &Shared::default()] {
                    let mut out = Vec::new();
                    prop_assert!(pack(octets, shared, &mut out));
                    let packed = EntryView::Packed(Packed::new(&out, shared).unwrap());
                    let stored = EntryView::Stored(View::new(octets).unwrap());
                    prop_assert_eq!(packed.attributes().collect::<Vec<_>>(), stored.attributes().collect::<Vec<_>>());
                }
            }
        }

        #[test]
        fn octets_that_are_no_entry_are_not_packed(octets in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut out = Vec::new();
            let packed = pack(&octets, &Shared::default(), &mut out);
            prop_assert_eq!(packed, View::new(&octets).is_some());
            prop_assert_eq!(out.is_empty(), !packed);
        }
    }

    #[test]
    fn what_other_entries_or_other_attributes_have_is_kept_once() {
        let id = |name: &str| schema::standard().attribute(name.as_bytes()).unwrap().id;
        let identity = Identity {
            kind: None,
            connection: 0,
            parent: 0,
            object: ObjectId::from_bytes([7; 16]),
        };
        let member = |n: u32| {
            let mut entry = Entry::new(Dn::parse(&format!("cn=n{n},dc=x")).unwrap());
            (0..=n).for_each(|m| entry.add(id("memberOf"), format!("cn=group {m},dc=x")));
            entry
        };
        let stored = |entry: &Entry| encode(entry, &identity, schema::standard()).entry;
        let mut shared = Shared::default();
        shared.learn(&View::new(&stored(&member(2))).unwrap());
        let times = |octets: &[u8], text: &str| memmem::find_iter(octets, text).count();
        for n in 0..4 {
            let mut entry = member(n);
            let address = |m: u32| format!("{m}.number{n}@contoso.example");
            entry.add(id("mail"), address(0));
            (0..4).for_each(|m| entry.add(id("mailLocalAddress"), address(m)));
            (1..4).for_each(|m| entry.add(id("mailAlternateAddress"), address(m)));
            let stored = stored(&entry);
            let mut out = Vec::new();
            assert!(pack(&stored, &shared, &mut out));
            let packed = EntryView::Packed(Packed::new(&out, &shared).unwrap());
            let view = EntryView::Stored(View::new(&stored).unwrap());
            assert!(packed.attributes().eq(view.attributes()));
            for text in ["0.number", "1.number", "3.number"] {
                assert_eq!(times(&out, text), 1, "{text}");
            }
            // The last one is a member of a group that nobody was when they were learned.
            assert_eq!(times(&out, "cn=group"), if n < 3 { 0 } else { 4 });
        }
    }
}
