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

use super::super::encoding::{
    HEADER, Identity, Slot, View, identity, push_header, set_of, tlv_len,
};
use super::super::set::{Pieces, Set};
use super::super::view::{AttributeView, Visit};
use super::shared::Shared;
use crate::directory::attribute::AttributeId;
use memchr::memmem;

/// The octets of the header: those of the stored form without its last field.
const HEAD: usize = HEADER - 4;
const SLOT: usize = 4;
const PLACE_BITS: u32 = 19;
pub(super) const LAST_PLACE: usize = (1 << PLACE_BITS) - 1;
const LAST_ID: u16 = (1 << 10) - 1;
/// Where a set is.
const OWN: u32 = 0;
const SHARED: u32 = 1;
const WIDE: u32 = 2;
const NAME: u32 = 3;
/// Shorter sets are kept, whatever others hold: saying where they are takes as much.
const SHORTEST_PART: usize = 6;
/// What a set of its own begins with, unless it is its length.
const LONG: u8 = 255;
const PART: u8 = 254;
const PIECES: u8 = 253;

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
    let slots = out.len();
    out.resize(slots + SLOT * view.slots().count(), 0);
    let name = out.len();
    push_header(out, 0x04, view.dn().len());
    out.extend(view.dn().as_bytes());
    let body = out.len();
    let mut sets = Vec::with_capacity(view.slots().count());
    for slot in view.slots() {
        let set = slot.tlv.map_or(Some(&[][..]), set_of)?;
        let kept = if slot.tlv.is_none() {
            Kept::InFile
        } else if out.get(name..body) == Some(set) {
            Kept::AsName
        } else if let Some(place) = shared.find(set) {
            Kept::Shared(place)
        } else if let Some(places) = shared.find_each(slot.id, set) {
            Kept::Pieces(places)
        } else {
            Kept::Whole
        };
        sets.push((slot, set, kept));
    }
    find_parts(&mut sets);
    let places = push_sets(&sets, body, out)?;
    for (at, ((slot, _, kept), place)) in sets.iter().zip(places).enumerate() {
        let kind = match kept {
            Kept::InFile => WIDE,
            Kept::AsName => NAME,
            Kept::Shared(_) => SHARED,
            Kept::Pieces(_) | Kept::Whole | Kept::Part(..) => OWN,
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

/// How the set of an entry that is being packed is kept.
enum Kept {
    InFile,
    AsName,
    Shared(u32),
    Pieces(Vec<u32>),
    /// As it is.
    Whole,
    /// In another set of the entry, from an octet on.
    Part(usize, usize),
}

type Sets<'v> = [(Slot<'v>, &'v [u8], Kept)];

/// Finds the sets that are parts of longer ones, or the same as others.
fn find_parts(sets: &mut Sets<'_>) {
    let whole = |(_, (_, _, kept)): &(usize, &(Slot<'_>, &[u8], Kept))| matches!(kept, Kept::Whole);
    let mut order: Vec<usize> = sets.iter().enumerate().filter(whole).map(|(at, _)| at).collect();
    let len = |at: &usize| sets.get(*at).map_or(0, |(_, set, _)| set.len());
    order.sort_by_key(|at| std::cmp::Reverse(len(at)));
    // The longer ones, one behind the other; where each begins and ends, and which it is.
    let mut octets = Vec::new();
    let mut starts: Vec<(usize, usize, usize)> = Vec::new();
    for at in order {
        let Some((_, set, kept)) = sets.get_mut(at) else { continue };
        let found = if set.len() >= SHORTEST_PART { memmem::find(&octets, set) } else { None };
        let holder = found.and_then(|found| {
            let behind = starts.partition_point(|(start, ..)| *start <= found);
            let (start, end, holder) = *starts.get(behind.checked_sub(1)?)?;
            // Not across two of them.
            (found + set.len() <= end).then_some((holder, found - start))
        });
        match holder {
            Some((holder, from)) => *kept = Kept::Part(holder, from),
            None => {
                starts.push((octets.len(), octets.len() + set.len(), at));
                octets.extend_from_slice(set);
            }
        }
    }
}

/// Writes the sets of an entry's own in the order in which they are read. Gives where each is;
/// `None`: one is longer than any.
fn push_sets(sets: &Sets<'_>, body: usize, out: &mut Vec<u8>) -> Option<Vec<usize>> {
    let mut places = vec![0; sets.len()];
    for ((_, set, kept), place) in sets.iter().zip(&mut places) {
        *place = match kept {
            Kept::Shared(place) => *place as usize,
            Kept::InFile | Kept::AsName | Kept::Part(..) => 0,
            Kept::Pieces(_) | Kept::Whole => out.len() - body,
        };
        match kept {
            Kept::Whole => match u8::try_from(set.len()) {
                Ok(len) if len < PIECES => out.push(len),
                _ => {
                    out.push(LONG);
                    out.extend(u16::try_from(set.len()).ok()?.to_le_bytes());
                }
            },
            Kept::Pieces(pieces) => {
                out.push(PIECES);
                out.extend(u16::try_from(pieces.len()).ok()?.to_le_bytes());
                pieces.iter().for_each(|piece| out.extend(piece.to_le_bytes()));
            }
            _ => {}
        }
        if matches!(kept, Kept::Whole) {
            out.extend_from_slice(set);
        }
    }
    for at in 0..sets.len() {
        let (_, set, Kept::Part(holder, from)) = sets.get(at)? else { continue };
        let (_, whole, _) = sets.get(*holder)?;
        let place = *places.get(*holder)?;
        if whole.len() == set.len() {
            *places.get_mut(at)? = place;
            continue;
        }
        *places.get_mut(at)? = out.len() - body;
        let header = if whole.len() < usize::from(PIECES) { 1 } else { 3 };
        out.push(PART);
        out.extend(u16::try_from(place + header + from).ok()?.to_le_bytes());
        out.extend(u16::try_from(set.len()).ok()?.to_le_bytes());
    }
    Some(places)
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
                shared.learn(&View::new(octets).unwrap(), LAST_PLACE);
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
        shared.learn(&View::new(&stored(&member(2))).unwrap(), LAST_PLACE);
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
