//! The properties that are asked for: those that are always, those that the mapping reads,
//! and the relations that delta queries follow. Pure: no I/O, no clock.

use crate::config::property;
use crate::config::settings::MappingSettings;
use crate::directory::kind::Kind;

/// `$select` of each stream.
#[derive(Debug)]
pub(super) struct Selects {
    objects: [String; 3],
    rounds: [String; 3],
}

const KINDS: [Kind; 3] = [Kind::User, Kind::Group, Kind::Contact];

impl Selects {
    /// What the mapping needs.
    pub(super) fn new(mapping: &MappingSettings) -> Self {
        let objects = KINDS.map(|kind| {
            let more = mapping.properties(kind);
            let all: Vec<&str> = property::base(kind).iter().copied().chain(more).collect();
            all.join(",")
        });
        let relations = ["manager", "members", ""];
        let mut rounds = objects.clone();
        for (select, relation) in rounds.iter_mut().zip(relations) {
            if !relation.is_empty() {
                select.push(',');
                select.push_str(relation);
            }
        }
        Selects { objects, rounds }
    }

    /// Of a delta query.
    pub(super) fn of_rounds(&self, kind: Kind) -> &str {
        at(&self.rounds, kind)
    }

    /// Of a single object.
    pub(super) fn of_objects(&self, kind: Kind) -> &str {
        at(&self.objects, kind)
    }
}

fn at(list: &[String; 3], kind: Kind) -> &str {
    let place = KINDS.iter().position(|known| *known == kind);
    place.and_then(|place| list.get(place)).map_or("", String::as_str)
}
