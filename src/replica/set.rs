//! The values of one attribute of an entry, as they are sent. Pure: no I/O, no clock.

use super::encoding::values_in;
use std::fmt;
use std::sync::Arc;

/// The TLVs of an attribute's values.
#[derive(Clone, Copy)]
pub enum Set<'a> {
    /// One behind the other.
    Whole(&'a [u8]),
    /// Each kept once for many entries.
    Pieces(Pieces<'a>),
}

/// Values out of a list of them.
#[derive(Clone, Copy)]
pub struct Pieces<'a> {
    /// Where in the list each is, little-endian.
    places: &'a [[u8; 4]],
    list: &'a [Arc<[u8]>],
}

impl<'a> Pieces<'a> {
    /// `None` where one of them is not in the list.
    pub(super) fn new(places: &'a [[u8; 4]], list: &'a [Arc<[u8]>]) -> Option<Self> {
        let is_there = |place: &[u8; 4]| (u32::from_le_bytes(*place) as usize) < list.len();
        places.iter().all(is_there).then_some(Pieces { places, list })
    }

    fn iter(&self) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        let list = self.list;
        let piece = |place: &[u8; 4]| list.get(u32::from_le_bytes(*place) as usize);
        self.places.iter().filter_map(piece).map(|tlv| &**tlv)
    }
}

impl<'a> Set<'a> {
    /// How many octets the TLVs have.
    pub fn octets(&self) -> usize {
        match self {
            Set::Whole(tlvs) => tlvs.len(),
            Set::Pieces(pieces) => pieces.iter().map(<[u8]>::len).sum(),
        }
    }

    /// Writes the TLVs.
    pub fn push_to(&self, out: &mut Vec<u8>) {
        match self {
            Set::Whole(tlvs) => out.extend_from_slice(tlvs),
            Set::Pieces(pieces) => pieces.iter().for_each(|tlv| out.extend_from_slice(tlv)),
        }
    }

    /// The values.
    pub fn values(&self) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        let (whole, pieces) = match self {
            Set::Whole(tlvs) => (*tlvs, None),
            Set::Pieces(pieces) => (&[][..], Some(*pieces)),
        };
        let of_pieces = pieces.into_iter().flat_map(|pieces| pieces.iter().flat_map(values_in));
        values_in(whole).chain(of_pieces)
    }
}

impl PartialEq for Set<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.values().eq(other.values())
    }
}

impl Eq for Set<'_> {}

impl fmt::Debug for Set<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.values().map(String::from_utf8_lossy)).finish()
    }
}
