//! Values that many entries have, each kept once. Pure: no I/O, no clock.

use super::super::encoding::{View, set_of, tlvs_in};
use super::super::keys::linked;
use crate::directory::attribute::AttributeId;
use foldhash::HashMap;
use std::sync::Arc;

/// So many different sets of one attribute are shared. One that has more, and hardly any
/// twice, is not looked at any further.
const MOST_OF_ONE: usize = 4096;
/// Longer sets are not shared.
const LONGEST: usize = 512;

/// Octets, each sort once, in the order in which they came.
#[derive(Debug, Default)]
struct Once {
    list: Vec<Arc<[u8]>>,
    places: HashMap<Arc<[u8]>, u32>,
}

impl Once {
    fn add(&mut self, octets: &[u8]) {
        let Ok(place) = u32::try_from(self.list.len()) else { return };
        if !self.places.contains_key(octets) {
            let octets: Arc<[u8]> = octets.into();
            self.list.push(Arc::clone(&octets));
            self.places.insert(octets, place);
        }
    }

    fn size(&self) -> usize {
        self.list.iter().map(|octets| octets.len() + 72).sum()
    }
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
        if set.len() > LONGEST { None } else { self.sets.places.get(set).copied() }
    }

    /// The sets.
    pub(super) fn sets(&self) -> &[Arc<[u8]>] {
        &self.sets.list
    }

    /// Where each value of this attribute is, should all of them be kept once.
    pub(super) fn find_each(&self, attribute: AttributeId, set: &[u8]) -> Option<Vec<u32>> {
        if attribute != linked().member_of {
            return None;
        }
        tlvs_in(set).map(|tlv| self.groups.places.get(tlv).copied()).collect()
    }

    /// What those places are in.
    pub(super) fn groups(&self) -> &[Arc<[u8]>] {
        &self.groups.list
    }

    /// Learns the values of an entry, unless so many sets are known already.
    pub(super) fn learn(&mut self, view: &View<'_>, most: usize) {
        for slot in view.slots() {
            let Some(set) = slot.tlv.and_then(set_of) else { continue };
            if slot.id == linked().member_of {
                tlvs_in(set).for_each(|tlv| self.groups.add(tlv));
            } else if set.len() <= LONGEST && self.sets.list.len() < most {
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
        if !is_full && !self.sets.places.contains_key(set) {
            sharing.different += 1;
            self.sets.add(set);
        }
    }

    /// How many octets it takes up.
    pub(super) fn size(&self) -> usize {
        self.sets.size() + self.groups.size()
    }
}
