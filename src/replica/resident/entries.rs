//! Packed entries by their numbers. Pure: no I/O, no clock.
//!
//! Entries with neighbouring numbers lie together. A commit copies the groups that it
//! changes and the list of all groups, and shares their entries.

use super::super::encoding::View;
use super::super::ids::Number;
use super::packed::Packed;
use super::packing::pack;
use super::shared::Shared;
use std::collections::BTreeMap;
use std::sync::Arc;

/// So many numbers share one allocation.
const GROUP: usize = 32;

/// All entries.
pub(super) struct Entries {
    groups: Vec<Option<Group>>,
    shared: Arc<Shared>,
}

/// Entries with neighbouring numbers, one behind the other.
#[derive(Clone)]
struct Group {
    /// Where each ends; one that is not there ends where it begins.
    ends: [u32; GROUP],
    octets: Arc<[u8]>,
}

/// Takes in stored entries in the order of their numbers.
#[derive(Default)]
pub(super) struct Builder {
    groups: Vec<Option<Group>>,
    shared: Shared,
    ends: [u32; GROUP],
    /// Of the group that is being filled: the one behind `groups`.
    octets: Vec<u8>,
}

impl Builder {
    /// Takes in an entry.
    pub(super) fn add(&mut self, number: Number, stored: &[u8]) {
        let number = number as usize;
        while self.groups.len() < number / GROUP {
            self.close();
        }
        if let Some(view) = View::new(stored) {
            self.shared.learn(&view);
        }
        pack(stored, &self.shared, &mut self.octets);
        let behind = self.ends.iter_mut().skip(number % GROUP);
        behind.for_each(|end| *end = u32::try_from(self.octets.len()).unwrap_or(u32::MAX));
    }

    fn close(&mut self) {
        self.groups.push(Group::of(&std::mem::take(&mut self.ends), &self.octets));
        self.octets.clear();
    }

    /// All that came.
    pub(super) fn finish(mut self) -> Entries {
        self.close();
        self.shared.finish();
        Entries { groups: self.groups, shared: Arc::new(self.shared) }
    }
}

impl Entries {
    pub(super) fn get(&self, number: Number) -> Option<Packed<'_>> {
        let number = number as usize;
        let group = self.groups.get(number / GROUP)?.as_ref()?;
        Packed::new(group.get(number % GROUP), &self.shared)
    }

    /// After these changes: the stored form of each, or that it is gone. What cannot be
    /// packed is gone as well, from here.
    pub(super) fn after(&self, changes: &BTreeMap<Number, Option<Vec<u8>>>) -> Self {
        let mut groups = self.groups.clone();
        let mut changes = changes.iter().peekable();
        while let Some((first, _)) = changes.peek() {
            let at = **first as usize / GROUP;
            let old = self.groups.get(at).and_then(Option::as_ref);
            let mut octets = Vec::with_capacity(old.map_or(0, |old| old.octets.len()) + 1024);
            let mut ends = [0; GROUP];
            for (place, end) in ends.iter_mut().enumerate() {
                match changes.next_if(|(number, _)| **number as usize == at * GROUP + place) {
                    Some((_, Some(stored))) => {
                        pack(stored, &self.shared, &mut octets);
                    }
                    Some((_, None)) => {}
                    None => octets.extend(old.map_or(&[][..], |old| old.get(place))),
                }
                *end = u32::try_from(octets.len()).unwrap_or(u32::MAX);
            }
            if groups.len() <= at {
                groups.resize(at + 1, None);
            }
            if let Some(group) = groups.get_mut(at) {
                *group = Group::of(&ends, &octets);
            }
        }
        Entries { groups, shared: Arc::clone(&self.shared) }
    }

    /// How many octets they take up.
    pub(super) fn size(&self) -> usize {
        let octets = |group: &Group| 24 + group.octets.len();
        let group =
            |group: &Option<Group>| size_of::<Option<Group>>() + group.as_ref().map_or(0, octets);
        self.shared.size() + self.groups.iter().map(group).sum::<usize>()
    }
}

impl Group {
    fn of(ends: &[u32; GROUP], octets: &[u8]) -> Option<Self> {
        if octets.is_empty() {
            return None;
        }
        Some(Group { ends: *ends, octets: Arc::from(octets) })
    }

    fn get(&self, place: usize) -> &[u8] {
        let end = |place: usize| self.ends.get(place).map_or(0, |end| *end as usize);
        let start = place.checked_sub(1).map_or(0, end);
        self.octets.get(start..end(place)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::dn::Dn;
    use crate::directory::entry::Entry;
    use crate::directory::ids::ObjectId;
    use crate::directory::schema;
    use crate::replica::encoding::{Identity, encode};
    use proptest::prelude::*;

    fn stored(number: Number, version: u8) -> Vec<u8> {
        let dn = format!("cn=number {number} version {version},dc=x");
        let identity = Identity {
            kind: None,
            connection: 0,
            parent: number,
            object: ObjectId::from_bytes([version; 16]),
        };
        encode(&Entry::new(Dn::parse(&dn).unwrap()), &identity, schema::standard()).entry
    }

    proptest! {
        #[test]
        fn entries_are_where_they_were_put_after_any_commits(
            first in prop::collection::btree_set(0u32..300, 0..80),
            commits in prop::collection::vec(prop::collection::btree_map(0u32..400, prop::option::of(1u8..9), 0..40), 0..5),
        ) {
            let mut model: BTreeMap<Number, u8> = first.iter().map(|number| (*number, 0)).collect();
            let mut builder = Builder::default();
            first.iter().for_each(|number| builder.add(*number, &stored(*number, 0)));
            let mut entries = builder.finish();
            for commit in commits {
                let before: Vec<Option<String>> =
                    (0..420).map(|n| entries.get(n).map(|packed| packed.dn().to_owned())).collect();
                let changes = commit.iter().map(|(n, v)| (*n, v.map(|v| stored(*n, v)))).collect();
                let after = entries.after(&changes);
                // Whoever holds the state before still sees that.
                for (number, before) in (0..).zip(&before) {
                    prop_assert_eq!(entries.get(number).map(|packed| packed.dn().to_owned()), before.clone());
                }
                for (number, version) in commit {
                    match version {
                        Some(version) => model.insert(number, version),
                        None => model.remove(&number),
                    };
                }
                entries = after;
                for number in 0..420 {
                    let expected = model.get(&number).map(|v| format!("cn=number {number} version {v},dc=x"));
                    prop_assert_eq!(entries.get(number).map(|packed| packed.dn().to_owned()), expected);
                }
            }
        }
    }
}
