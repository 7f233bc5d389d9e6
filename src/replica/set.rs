//! The values of one attribute of an entry, as they are sent. Pure: no I/O, no clock.

use super::encoding::split_tlv;
use super::resident::Once;
use std::fmt;

/// The TLVs of an attribute's values.
#[derive(Clone, Copy)]
pub enum Set<'a> {
    /// One behind the other.
    Whole(&'a [u8]),
    /// Each kept once for many entries.
    Pieces(Pieces<'a>),
}

/// Values out of many that are kept once: the TLV of each.
#[derive(Clone, Copy)]
pub struct Pieces<'a> {
    /// Where each is, little-endian.
    places: &'a [[u8; 4]],
    all: &'a Once,
}

impl<'a> Pieces<'a> {
    /// `None` where one of them is not there.
    pub(super) fn new(places: &'a [[u8; 4]], all: &'a Once) -> Option<Self> {
        let is_there = |place: &[u8; 4]| (u32::from_le_bytes(*place) as usize) < all.len();
        places.iter().all(is_there).then_some(Pieces { places, all })
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (place, behind) = self.places.split_first()?;
        self.places = behind;
        self.all.get(u32::from_le_bytes(*place))
    }
}

impl<'a> Set<'a> {
    /// How many octets the TLVs have.
    pub fn octets(&self) -> usize {
        match self {
            Set::Whole(tlvs) => tlvs.len(),
            Set::Pieces(pieces) => pieces.map(<[u8]>::len).sum(),
        }
    }

    /// Writes the TLVs.
    pub fn push_to(&self, out: &mut Vec<u8>) {
        match self {
            Set::Whole(tlvs) => out.extend_from_slice(tlvs),
            Set::Pieces(pieces) => pieces.for_each(|tlv| out.extend_from_slice(tlv)),
        }
    }

    /// The values.
    #[inline]
    pub fn values(&self) -> Values<'a> {
        match self {
            Set::Whole(tlvs) => Values { tlvs, behind: None },
            Set::Pieces(pieces) => Values { tlvs: &[], behind: Some(*pieces) },
        }
    }
}

/// The values of an attribute, one after the other.
#[derive(Clone)]
pub struct Values<'a> {
    tlvs: &'a [u8],
    behind: Option<Pieces<'a>>,
}

impl<'a> Iterator for Values<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        if self.tlvs.is_empty() {
            self.tlvs = self.behind.as_mut()?.next()?;
        }
        let (_, value, behind) = split_tlv(self.tlvs)?;
        self.tlvs = behind;
        Some(value)
    }
}

/// By octets.
impl PartialEq for Set<'_> {
    fn eq(&self, other: &Self) -> bool {
        let octets = |set: &Self| {
            let mut octets = Vec::with_capacity(set.octets());
            set.push_to(&mut octets);
            octets
        };
        octets(self) == octets(other)
    }
}

impl Eq for Set<'_> {}

impl fmt::Debug for Set<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.values().map(<[u8]>::escape_ascii)).finish()
    }
}
