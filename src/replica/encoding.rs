//! How an entry is stored: ready to send. A directory of attribute numbers and
//! finished `PartialAttribute` TLVs (RFC 4511 4.1.7), so that an answer is a few
//! copies. Pure: no I/O, no clock.
//!
//! ```text
//! kind u8 | flags u8 | connection u16 | parent u32 | object id 16 | dn length u16
//! | attributes u16 | user part u32 | dn | slots | user TLVs | operational TLVs
//! slot: attribute u16 | flags u16 | offset u32 | length u32
//! ```
//!
//! Numbers are little-endian. The TLVs of user attributes lie together. An attribute
//! whose TLV is longer than [`WIDE`] lies in a table of its own (the slot says so, and
//! how long it is): reading the address of a list does not read its ten thousand members.

use super::ids::Number;
use super::set::Set;
use crate::directory::attribute::AttributeId;
use crate::directory::entry::Entry;
use crate::directory::ids::ObjectId;
use crate::directory::kind::Kind;
use crate::directory::schema::Schema;

/// Attributes with longer TLVs lie outside the entry.
pub const WIDE: usize = 2048;

/// The octets before an entry's name.
pub(super) const HEADER: usize = 32;
const SLOT: usize = 12;
const FLAG_OPERATIONAL: u16 = 1;
const FLAG_WIDE: u16 = 2;
/// Kind of an entry that no Graph object stands behind: the base and its containers.
const STRUCTURE: u8 = u8::MAX;

/// What is stored of an entry beside its attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The object's kind; `None` for the base and its containers.
    pub kind: Option<Kind>,
    /// The number of the connection that the entry belongs to.
    pub connection: u16,
    /// The entry directly above; [`Number::MAX`] for the base.
    pub parent: Number,
    /// The Graph object.
    pub object: ObjectId,
}

/// An entry, encoded: what goes into the entry table, and its wide attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The stored form.
    pub entry: Vec<u8>,
    /// `PartialAttribute` TLVs that are stored beside it.
    pub wide: Vec<(AttributeId, Vec<u8>)>,
}

/// Encodes `entry`. Attributes without values are left out.
pub fn encode(entry: &Entry, identity: &Identity, schema: &Schema) -> Encoded {
    let dn = entry.dn.to_string();
    let mut slots = Vec::with_capacity(64);
    let mut wide = Vec::new();
    let mut user = Vec::with_capacity(WIDE);
    let mut operational = Vec::with_capacity(WIDE);
    for (id, values) in entry.attributes() {
        let Some(attribute) = schema.get(id) else { continue };
        let mut flags = if attribute.operational { FLAG_OPERATIONAL } else { 0 };
        let part = if attribute.operational { &mut operational } else { &mut user };
        let (offset, len) = (part.len(), partial_attribute_len(attribute.name, values));
        if len > WIDE {
            flags |= FLAG_WIDE;
            wide.push((id, partial_attribute(attribute.name, values)));
        } else {
            push_partial_attribute(part, attribute.name, values);
        }
        slots.push((id, flags, offset, len));
    }
    let mut out =
        Vec::with_capacity(HEADER + dn.len() + slots.len() * SLOT + user.len() + operational.len());
    out.push(identity.kind.map_or(STRUCTURE, |kind| kind as u8));
    out.push(0);
    out.extend(identity.connection.to_le_bytes());
    out.extend(identity.parent.to_le_bytes());
    out.extend(identity.object.as_bytes());
    out.extend(clamp_u16(dn.len()).to_le_bytes());
    out.extend(clamp_u16(slots.len()).to_le_bytes());
    out.extend(clamp_u32(user.len()).to_le_bytes());
    out.extend(dn.as_bytes());
    for (id, flags, offset, len) in slots {
        let base = if flags & FLAG_OPERATIONAL == 0 { 0 } else { user.len() };
        out.extend(id.0.to_le_bytes());
        out.extend(flags.to_le_bytes());
        out.extend(clamp_u32(base + offset).to_le_bytes());
        out.extend(clamp_u32(len).to_le_bytes());
    }
    out.extend(user);
    out.extend(operational);
    Encoded { entry: out, wide }
}

fn clamp_u16(n: usize) -> u16 {
    u16::try_from(n).unwrap_or(u16::MAX)
}

fn clamp_u32(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// `SEQUENCE { type OCTET STRING, vals SET OF OCTET STRING }`.
pub(super) fn partial_attribute(name: &str, values: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::with_capacity(partial_attribute_len(name, values));
    push_partial_attribute(&mut out, name, values);
    out
}

fn partial_attribute_len(name: &str, values: &[Vec<u8>]) -> usize {
    tlv_len(tlv_len(name.len()) + tlv_len(set_len(values)))
}

fn set_len(values: &[Vec<u8>]) -> usize {
    values.iter().map(|value| tlv_len(value.len())).sum()
}

fn push_partial_attribute(out: &mut Vec<u8>, name: &str, values: &[Vec<u8>]) {
    let set = set_len(values);
    push_header(out, 0x30, tlv_len(name.len()) + tlv_len(set));
    push_header(out, 0x04, name.len());
    out.extend_from_slice(name.as_bytes());
    push_header(out, 0x31, set);
    for value in values {
        push_header(out, 0x04, value.len());
        out.extend_from_slice(value);
    }
}

/// Writes a `PartialAttribute` with these values.
pub fn push_attribute(out: &mut Vec<u8>, name: &str, set: &Set<'_>) {
    let len = set.octets();
    push_header(out, 0x30, tlv_len(name.len()) + tlv_len(len));
    push_header(out, 0x04, name.len());
    out.extend_from_slice(name.as_bytes());
    push_header(out, 0x31, len);
    set.push_to(out);
}

/// The length of a TLV whose value has `len` octets.
pub fn tlv_len(len: usize) -> usize {
    1 + match len {
        0..=0x7f => 1,
        0x80..=0xff => 2,
        0x100..=0xffff => 3,
        0x1_0000..=0xff_ffff => 4,
        _ => 5,
    } + len
}

/// Writes a tag and a definite length in its shortest form.
pub fn push_header(out: &mut Vec<u8>, tag: u8, len: usize) {
    out.push(tag);
    match len {
        0..=0x7f => out.push(len as u8),
        0x80..=0xff => out.extend([0x81, len as u8]),
        0x100..=0xffff => out.extend([0x82, (len >> 8) as u8, len as u8]),
        0x1_0000..=0xff_ffff => out.extend([0x83, (len >> 16) as u8, (len >> 8) as u8, len as u8]),
        _ => out.extend([0x84, (len >> 24) as u8, (len >> 16) as u8, (len >> 8) as u8, len as u8]),
    }
}

/// Splits a TLV with a definite length off: tag, value, rest.
pub fn split_tlv(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, mut rest) = rest.split_first()?;
    let mut len = usize::from(first);
    if first >= 0x80 {
        let count = usize::from(first & 0x7f);
        let (octets, behind) = rest.split_at_checked(count).filter(|_| count <= 4)?;
        len = octets.iter().fold(0, |len, octet| (len << 8) | usize::from(*octet));
        rest = behind;
    }
    let (value, rest) = rest.split_at_checked(len)?;
    Some((tag, value, rest))
}

/// The values inside a `PartialAttribute` TLV.
pub fn values_of(tlv: &[u8]) -> impl Iterator<Item = &[u8]> {
    Set::Whole(set_of(tlv).unwrap_or_default()).values()
}

/// The TLVs of the values inside a `PartialAttribute` TLV.
pub fn set_of(tlv: &[u8]) -> Option<&[u8]> {
    let (_, sequence, _) = split_tlv(tlv)?;
    let (_, _, behind_name) = split_tlv(sequence)?;
    split_tlv(behind_name).map(|(_, set, _)| set)
}

/// The TLVs, each by itself.
pub fn tlvs_in(set: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = set;
    std::iter::from_fn(move || {
        let (_, _, behind) = split_tlv(rest)?;
        let (tlv, behind) = rest.split_at(rest.len() - behind.len());
        rest = behind;
        Some(tlv)
    })
}

/// A stored entry, read in place.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    bytes: &'a [u8],
    dn: &'a str,
    slots: &'a [[u8; SLOT]],
    body: &'a [u8],
}

/// Where one attribute of a stored entry lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot<'a> {
    /// The attribute.
    pub id: AttributeId,
    /// Whether it is returned only when asked for.
    pub operational: bool,
    /// Its `PartialAttribute` TLV; `None` where it lies in the table of wide attributes.
    pub tlv: Option<&'a [u8]>,
    /// The TLV's length, wherever it lies.
    pub len: usize,
}

impl<'a> View<'a> {
    /// The view of no entry: no name, no attribute.
    pub(super) fn empty() -> Self {
        View { bytes: &[], dn: "", slots: &[], body: &[] }
    }

    /// Reads the fixed part; `None` where the octets are no stored entry.
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        let (header, rest) = bytes.split_at_checked(HEADER)?;
        let dn_len = u16::from_le_bytes(*header.get(24..)?.first_chunk()?);
        let count = u16::from_le_bytes(*header.get(26..)?.first_chunk()?);
        let (dn, rest) = rest.split_at_checked(usize::from(dn_len))?;
        let (slots, body) = rest.split_at_checked(usize::from(count) * SLOT)?;
        let (slots, _) = slots.as_chunks::<SLOT>();
        Some(View { bytes, dn: std::str::from_utf8(dn).ok()?, slots, body })
    }

    /// The entry's name, as text.
    pub fn dn(&self) -> &'a str {
        self.dn
    }

    /// What is stored beside the attributes.
    pub fn identity(&self) -> Identity {
        identity(self.bytes)
    }

    /// All attributes, by number.
    pub fn slots(&self) -> impl Iterator<Item = Slot<'a>> + use<'a> {
        let body = self.body;
        self.slots.iter().map(move |slot| read_slot(slot, body))
    }

    /// One attribute; `None` where the entry lacks it.
    pub fn slot(&self, id: AttributeId) -> Option<Slot<'a>> {
        let at = self.slots.binary_search_by_key(&id, slot_id).ok()?;
        self.slots.get(at).map(|slot| read_slot(slot, self.body))
    }

    /// Whether any attribute lies in the table of wide attributes.
    pub fn has_wide(&self) -> bool {
        self.slots.iter().any(|[_, _, flags, ..]| flags & FLAG_WIDE as u8 != 0)
    }
}

/// What the header says.
pub(super) fn identity(header: &[u8]) -> Identity {
    let field = |at: usize| header.get(at..).unwrap_or_default();
    Identity {
        kind: header.first().and_then(|number| Kind::from_number(*number)),
        connection: field(2).first_chunk().map_or(0, |b| u16::from_le_bytes(*b)),
        parent: field(4).first_chunk().map_or(Number::MAX, |b| u32::from_le_bytes(*b)),
        object: ObjectId::from_bytes(field(8).first_chunk().copied().unwrap_or_default()),
    }
}

fn slot_id(slot: &[u8; SLOT]) -> AttributeId {
    let [a, b, ..] = *slot;
    AttributeId(u16::from_le_bytes([a, b]))
}

fn read_slot<'a>(slot: &[u8; SLOT], body: &'a [u8]) -> Slot<'a> {
    let [_, _, f0, f1, o0, o1, o2, o3, l0, l1, l2, l3] = *slot;
    let flags = u16::from_le_bytes([f0, f1]);
    let offset = u32::from_le_bytes([o0, o1, o2, o3]) as usize;
    let len = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    let tlv = if flags & FLAG_WIDE == 0 { body.get(offset..offset + len) } else { None };
    Slot { id: slot_id(slot), operational: flags & FLAG_OPERATIONAL != 0, tlv, len }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::dn::Dn;
    use crate::directory::schema;
    use proptest::prelude::*;

    fn id(name: &str) -> AttributeId {
        schema::standard().attribute(name.as_bytes()).unwrap().id
    }

    fn identity() -> Identity {
        Identity {
            kind: Some(Kind::Group),
            connection: 3,
            parent: 7,
            object: ObjectId::from_bytes([9; 16]),
        }
    }

    #[test]
    fn an_entry_is_read_in_place_as_it_was_written() {
        let mut entry = Entry::new(Dn::parse("cn=All,ou=groups,dc=x").unwrap());
        entry.add(id("cn"), "All");
        entry.add(id("mail"), "all@x");
        let members: Vec<Vec<u8>> =
            (0..300).map(|n| format!("uid=user{n},ou=users,dc=x").into_bytes()).collect();
        entry.set(id("member"), members.clone());
        let encoded = encode(&entry, &identity(), schema::standard());
        let view = View::new(&encoded.entry).unwrap();
        assert_eq!(view.dn(), "cn=All,ou=groups,dc=x");
        assert_eq!(view.identity(), identity());
        let mail = view.slot(id("mail")).unwrap();
        assert_eq!(mail.tlv.unwrap(), b"\x30\x0f\x04\x04mail\x31\x07\x04\x05all@x");
        assert_eq!(values_of(mail.tlv.unwrap()).collect::<Vec<_>>(), [b"all@x"]);
        let member = view.slot(id("member")).unwrap();
        assert_eq!((member.tlv, view.has_wide()), (None, true));
        let (wide_id, tlv) = &encoded.wide[0];
        assert_eq!((*wide_id, tlv.len()), (id("member"), member.len));
        assert!(values_of(tlv).eq(members.iter().map(Vec::as_slice)));
        assert!(view.slot(id("description")).is_none());
    }

    #[test]
    fn octets_that_are_no_entry_are_refused() {
        let encoded =
            encode(&Entry::new(Dn::parse("dc=x").unwrap()), &identity(), schema::standard());
        for len in 0..encoded.entry.len() {
            assert!(View::new(&encoded.entry[..len]).is_none());
        }
    }

    proptest! {
        #[test]
        fn any_values_survive(values in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..400), 0..12)) {
            let mut entry = Entry::new(Dn::parse("cn=a,dc=x").unwrap());
            values.iter().for_each(|value| entry.add(id("description"), value.clone()));
            let encoded = encode(&entry, &identity(), schema::standard());
            let view = View::new(&encoded.entry).unwrap();
            let found: Vec<Vec<u8>> = match view.slot(id("description")) {
                Some(slot) => values_of(slot.tlv.unwrap_or_else(|| &encoded.wide[0].1)).map(<[u8]>::to_vec).collect(),
                None => Vec::new(),
            };
            let stored: Vec<Vec<u8>> = entry.attributes().flat_map(|(_, v)| v.to_vec()).collect();
            prop_assert_eq!(found, stored);
        }
    }
}
