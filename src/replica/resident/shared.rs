//! Values that many entries have, each kept once. Pure: no I/O, no clock.

use super::super::encoding::{View, set_of, tlvs_in};
use super::super::keys::linked;
use super::packed::LAST_PLACE;
use crate::directory::attribute::AttributeId;
use foldhash::HashMap;
use foldhash::quality::RandomState;
use hashbrown::HashTable;
use std::hash::BuildHasher;

/// So many different sets of one attribute are shared. One that has more, and hardly any
/// twice, is not looked at any further.
const MOST_OF_ONE: usize = 4096;
/// Longer sets are not shared.
const LONGEST: usize = 512;

/// Octets, each sort once, one behind the other in the order in which they came.
#[derive(Debug, Default)]
pub(in super::super) struct Once {
    octets: Vec<u8>,
    /// Where each ends.
    ends: Vec<u32>,
    places: HashTable<u32>,
    hashes: RandomState,
}

impl Once {
    /// How many there are.
    pub(in super::super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The ones at a place.
    pub(in super::super) fn get(&self, place: u32) -> Option<&[u8]> {
        at(&self.octets, &self.ends, place)
    }

    /// Where they are.
    fn find(&self, octets: &[u8]) -> Option<u32> {
        let is_it = |place: &u32| self.get(*place) == Some(octets);
        self.places.find(self.hashes.hash_one(octets), is_it).copied()
    }

    /// Takes them in, if they are not there and there is room; the flag says whether it did.
    fn add(&mut self, octets: &[u8]) -> bool {
        let (Ok(place), Ok(end)) =
            (u32::try_from(self.ends.len()), u32::try_from(self.octets.len() + octets.len()))
        else {
            return false;
        };
        if self.find(octets).is_some() {
            return false;
        }
        self.octets.extend(octets);
        self.ends.push(end);
        let Once { octets, ends, places, hashes } = self;
        let hash = |place: &u32| hashes.hash_one(at(octets, ends, *place).unwrap_or_default());
        places.insert_unique(hash(&place), place, hash);
        true
    }

    fn size(&self) -> usize {
        let places = self.places.capacity() * (size_of::<u32>() + 1);
        self.octets.capacity() + size_of::<u32>() * self.ends.capacity() + places
    }
}

fn at<'o>(octets: &'o [u8], ends: &[u32], place: u32) -> Option<&'o [u8]> {
    let place = place as usize;
    let end = *ends.get(place)? as usize;
    let start = place.checked_sub(1).and_then(|before| ends.get(before));
    octets.get(start.map_or(0, |start| *start as usize)..end)
}

/// Values that many entries have.
#[derive(Debug, Default)]
pub(super) struct Shared {
    sets: Once,
    /// Groups that entries are members of, as TLVs: few have the same ones, and many one of
    /// them.
    groups: Once,
    attributes: HashMap<AttributeId, Sharing>,
}

#[derive(Debug, Default)]
struct Sharing {
    different: usize,
    seen: usize,
}

impl Shared {
    /// Where a set is, should it be shared.
    pub(super) fn find(&self, set: &[u8]) -> Option<u32> {
        if set.len() > LONGEST { None } else { self.sets.find(set) }
    }

    /// The sets.
    pub(super) fn sets(&self) -> &Once {
        &self.sets
    }

    /// Where each value of this attribute is, should all of them be kept once.
    pub(super) fn find_each(&self, attribute: AttributeId, set: &[u8]) -> Option<Vec<u32>> {
        if attribute != linked().member_of {
            return None;
        }
        // Octets that are no whole TLVs, which only damage leaves, are kept as they are.
        let is_whole = tlvs_in(set).map(<[u8]>::len).sum::<usize>() == set.len();
        if !is_whole {
            return None;
        }
        tlvs_in(set).map(|tlv| self.groups.find(tlv)).collect()
    }

    /// What those places are in.
    pub(super) fn groups(&self) -> &Once {
        &self.groups
    }

    /// Learns the values of an entry.
    pub(super) fn learn(&mut self, view: &View<'_>) {
        for slot in view.slots() {
            let Some(set) = slot.tlv.and_then(set_of) else { continue };
            if slot.id == linked().member_of {
                for tlv in tlvs_in(set) {
                    self.groups.add(tlv);
                }
            } else if set.len() <= LONGEST && self.sets.len() < LAST_PLACE {
                self.learn_set(slot.id, set);
            }
        }
    }

    fn learn_set(&mut self, attribute: AttributeId, set: &[u8]) {
        let sharing = self.attributes.entry(attribute).or_default();
        let is_full = sharing.different >= MOST_OF_ONE;
        if is_full && sharing.seen < 2 * sharing.different {
            return;
        }
        sharing.seen += 1;
        if !is_full && self.sets.add(set) {
            sharing.different += 1;
        }
    }

    /// Nothing more will come: what entries have that change later is kept with each.
    pub(super) fn finish(&mut self) {
        self.attributes = HashMap::default();
        for once in [&mut self.sets, &mut self.groups] {
            once.octets.shrink_to_fit();
            once.ends.shrink_to_fit();
        }
    }

    /// How many octets it takes up.
    pub(super) fn size(&self) -> usize {
        self.sets.size() + self.groups.size()
    }
}
