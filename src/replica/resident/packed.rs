//! An entry as it is kept in memory: the stored form ([`super::super::encoding`]) without
//! the names of attributes, and with values that many entries have kept once. Pure: no
//! I/O, no clock.
//!
//! ```text
//! kind u8 | flags u8 | connection u16 | parent u32 | object id 16 | dn length u16
//! | attributes u16 | dn as a TLV | slots | sets of its own
//! slot u32: attribute (10 bits), operational (1), where its set is (2), place (19)
//! a set of its own: length u8, or 255 and u16 | TLVs of the values
//! ```
//!
//! Values of several attributes that are the same (names, addresses) lie there once.

use super::super::encoding::{HEADER, Identity, View, identity, push_header, set_of, tlv_len};
use super::super::view::AttributeView;
use crate::directory::attribute::AttributeId;
use std::collections::HashMap;
use std::sync::Arc;

/// The octets of the header: those of the stored form without its last field.
const HEAD: usize = HEADER - 4;
const SLOT: usize = 4;
const PLACE_BITS: u32 = 19;
const LAST_PLACE: usize = (1 << PLACE_BITS) - 1;
const LAST_ID: u16 = (1 << 10) - 1;
/// Where a set is.
const OWN: u32 = 0;
const SHARED: u32 = 1;
const WIDE: u32 = 2;
const NAME: u32 = 3;

/// So many different sets of one attribute are shared. One that has more, and hardly any
/// twice, is not looked at any further.
const MOST_OF_ONE: usize = 4096;
/// Longer sets are not shared.
const LONGEST_SHARED: usize = 512;

/// Values that many entries have.
#[derive(Debug, Default)]
pub(super) struct Shared {
    sets: Vec<Arc<[u8]>>,
    known: HashMap<Arc<[u8]>, u32>,
    attributes: HashMap<AttributeId, Sharing>,
}

#[derive(Debug, Default)]
struct Sharing {
    different: usize,
    seen: usize,
}

impl Shared {
    fn find(&self, set: &[u8]) -> Option<u32> {
        if set.len() > LONGEST_SHARED { None } else { self.known.get(set).copied() }
    }

    /// Learns the values of an entry.
    pub(super) fn learn(&mut self, view: &View<'_>) {
        for slot in view.slots() {
            let set = slot.tlv.and_then(set_of).filter(|set| set.len() <= LONGEST_SHARED);
            let Some(set) = set.filter(|_| self.sets.len() < LAST_PLACE) else { continue };
            let sharing = self.attributes.entry(slot.id).or_default();
            let is_full = sharing.different >= MOST_OF_ONE;
            if is_full && sharing.seen < 2 * sharing.different {
                continue;
            }
            sharing.seen += 1;
            if is_full || self.known.contains_key(set) {
                continue;
            }
            let Ok(at) = u32::try_from(self.sets.len()) else { continue };
            sharing.different += 1;
            let set: Arc<[u8]> = set.into();
            self.sets.push(Arc::clone(&set));
            self.known.insert(set, at);
        }
    }

    /// How many octets it takes up.
    pub(super) fn size(&self) -> usize {
        self.sets.iter().map(|set| set.len() + 72).sum()
    }
}

/// Packs an entry behind `out`; the flag tells whether it could be: octets that are no
/// stored entry, or one larger than any, are left to the file.
pub(super) fn pack(octets: &[u8], shared: &Shared, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    let packed = try_pack(octets, shared, out);
    if packed.is_none() {
        out.truncate(start);
    }
    packed.is_some()
}

fn try_pack(octets: &[u8], shared: &Shared, out: &mut Vec<u8>) -> Option<()> {
    let view = View::new(octets)?;
    out.extend(octets.get(..HEAD)?);
    let name = out.len();
    push_header(out, 0x04, view.dn().len());
    out.extend(view.dn().as_bytes());
    let slots = out.len();
    out.resize(slots + SLOT * view.slots().count(), 0);
    let body = out.len();
    // Where the sets so far lie.
    let mut own: Vec<(usize, usize)> = Vec::new();
    for (at, slot) in view.slots().enumerate() {
        let (kind, place) = match slot.tlv.map(set_of) {
            None => (WIDE, 0),
            Some(set) => {
                let set = set?;
                if out.get(name..slots) == Some(set) {
                    (NAME, 0)
                } else if let Some(which) = shared.find(set) {
                    (SHARED, which as usize)
                } else {
                    (OWN, find_or_push(set, body, &mut own, out)?)
                }
            }
        };
        if slot.id.0 > LAST_ID || place > LAST_PLACE {
            return None;
        }
        let head = u32::from(slot.id.0) << 3 | u32::from(slot.operational) << 2 | kind;
        let octets = (head << PLACE_BITS | place as u32).to_le_bytes();
        *out.get_mut(slots + SLOT * at..)?.first_chunk_mut::<SLOT>()? = octets;
    }
    Some(())
}

/// Where in the body a set lies.
fn find_or_push(
    set: &[u8],
    body: usize,
    own: &mut Vec<(usize, usize)>,
    out: &mut Vec<u8>,
) -> Option<usize> {
    let is_it = |place: usize, len: usize| {
        let before = if len < 255 { 1 } else { 3 };
        len == set.len() && out.get(body + place + before..body + place + before + len) == Some(set)
    };
    if let Some((place, _)) = own.iter().find(|(place, len)| is_it(*place, *len)) {
        return Some(*place);
    }
    let place = out.len() - body;
    match u8::try_from(set.len()) {
        Ok(len) if len < 255 => out.push(len),
        _ => {
            out.push(255);
            out.extend(u16::try_from(set.len()).ok()?.to_le_bytes());
        }
    }
    out.extend(set);
    own.push((place, set.len()));
    Some(place)
}

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
        let (name, rest) = rest.split_at_checked(tlv_len(dn_len))?;
        let dn = name.get(name.len() - dn_len..)?;
        let (slots, body) = rest.split_at_checked(usize::from(count) * SLOT)?;
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

    /// One attribute; `None` where the entry lacks it.
    pub fn attribute(&self, id: AttributeId) -> Option<AttributeView<'a>> {
        let at = self.slots.binary_search_by_key(&id, slot_id).ok()?;
        self.slots.get(at).map(|slot| self.read(slot))
    }

    fn read(&self, slot: &[u8; SLOT]) -> AttributeView<'a> {
        let slot = u32::from_le_bytes(*slot);
        let place = slot as usize & LAST_PLACE;
        let set = match slot >> PLACE_BITS & 3 {
            OWN => self.own(place),
            SHARED => self.shared.sets.get(place).map(|set| &**set),
            NAME => Some(self.name),
            _ => None,
        };
        let id = AttributeId((slot >> (PLACE_BITS + 3)) as u16);
        AttributeView { id, operational: slot >> (PLACE_BITS + 2) & 1 != 0, set }
    }

    fn own(&self, place: usize) -> Option<&'a [u8]> {
        match self.body.get(place..)?.split_first()? {
            (255, rest) => {
                let (len, rest) = rest.split_first_chunk()?;
                rest.get(..usize::from(u16::from_le_bytes(*len)))
            }
            (len, rest) => rest.get(..usize::from(*len)),
        }
    }
}

fn slot_id(slot: &[u8; SLOT]) -> AttributeId {
    AttributeId((u32::from_le_bytes(*slot) >> (PLACE_BITS + 3)) as u16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::dn::Dn;
    use crate::directory::entry::Entry;
    use crate::directory::ids::ObjectId;
    use crate::directory::kind::Kind;
    use crate::directory::schema;
    use crate::replica::EntryView;
    use crate::replica::encoding::encode;
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
        fn octets_that_are_no_entry_are_not_packed(octets in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut out = Vec::new();
            let packed = pack(&octets, &Shared::default(), &mut out);
            prop_assert_eq!(packed, View::new(&octets).is_some());
            prop_assert_eq!(out.is_empty(), !packed);
        }
    }
}
