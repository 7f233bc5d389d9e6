//! How one object looks in a page. Pure: no I/O, no clock.

use serde_json::{Map, Value, json};

use super::cursor::DeltaQuery;
use super::knobs::Knobs;
use super::object::{Kind, Object, Slot, State};
use super::rng::{guid_of, hash};
use super::schema;
use super::tenant::{Tenant, properties};

/// The properties and relations a delta round tracks.
#[derive(Debug)]
pub(super) struct Selection<'a> {
    kind: Kind,
    chosen: Option<&'a [String]>,
    all: bool,
}

impl<'a> Selection<'a> {
    pub(super) fn of(query: &'a DeltaQuery, knobs: &Knobs) -> Self {
        Self { kind: query.kind(), chosen: query.select.as_deref(), all: knobs.all_by_default }
    }

    /// Whether a property is sent and tracked.
    pub(super) fn has(&self, name: &str) -> bool {
        match self.chosen {
            Some(chosen) => name == "id" || chosen.iter().any(|chosen| chosen == name),
            None => self.all || schema::defaults(self.kind).contains(&name),
        }
    }

    /// Members come by default, but a `$select` must name them; managers must always be named.
    pub(super) fn relation(&self, name: &str) -> bool {
        match self.chosen {
            Some(chosen) => chosen.iter().any(|chosen| chosen == name),
            None => name == "members" && self.kind == Kind::Group,
        }
    }
}

/// The selected properties: never set is absent, cleared is null.
pub(super) fn scalars(object: &Object, selection: &Selection<'_>) -> Map<String, Value> {
    let mut map = properties(object);
    map.retain(|name, _| selection.has(name));
    map
}

/// An object that is gone, or in the recycle bin.
pub(super) fn removed(object: &Object, knobs: &Knobs) -> Value {
    let reason = match (object.kind, object.state) {
        (Kind::Contact, _) => knobs.contact_reason.text(),
        (_, State::Deleted) => "changed",
        _ => "deleted",
    };
    json!({"id": &*object.id, "@removed": {"reason": reason}})
}

/// A reference to an object in a relation; `gone` ends it.
pub(super) fn reference(tenant: &Tenant, slot: Slot, gone: bool) -> Value {
    let (kind, id) =
        tenant.get(slot).map_or((Kind::Unknown, ""), |object| (object.kind, &*object.id));
    let mut entry = json!({"@odata.type": kind.odata_type(), "id": id});
    if gone && let Some(entry) = entry.as_object_mut() {
        entry.insert("@removed".to_owned(), json!({"reason": "deleted"}));
    }
    entry
}

/// Entries that a client has to tolerate: an unknown type, no type, ids that no stream ever shows.
pub(super) fn odd_members(group: &str) -> Vec<Value> {
    let seed = hash(group.as_bytes());
    vec![
        json!({"@odata.type": "#microsoft.graph.futureThing", "id": guid_of(seed, 1)}),
        json!({"id": guid_of(seed, 2)}),
        json!({"@odata.type": "#microsoft.graph.device", "id": guid_of(seed, 3)}),
        json!({"@odata.type": "#microsoft.graph.user", "id": guid_of(seed, 4)}),
    ]
}

/// Whether the members of a group may not be told.
pub(super) fn is_hidden(object: &Object) -> bool {
    object.text.contains("\"visibility\":\"HiddenMembership\"")
}
