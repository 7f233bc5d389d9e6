//! How one object looks in a page. Pure: no I/O, no clock.

use serde_json::{Map, Value, json};

use super::cursor::DeltaQuery;
use super::delta::Maker;
use super::knobs::Knobs;
use super::object::{Kind, Object, Slot, State, What};
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
fn reference(tenant: &Tenant, slot: Slot, gone: bool) -> Value {
    let (kind, id) =
        tenant.get(slot).map_or((Kind::Unknown, ""), |object| (object.kind, &*object.id));
    let mut entry = json!({"@odata.type": kind.odata_type(), "id": id});
    if gone && let Some(entry) = entry.as_object_mut() {
        entry.insert("@removed".to_owned(), json!({"reason": "deleted"}));
    }
    entry
}

/// Entries that a client has to tolerate: an unknown type, no type, ids that no stream ever shows.
fn odd_members(group: &str) -> Vec<Value> {
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

/// What a stretch of the log did to one object.
#[derive(Default)]
pub(super) struct Touch {
    whole: bool,
    properties: Vec<u16>,
    links: Vec<(Slot, bool)>,
    /// The manager before the first change.
    manager: Option<Option<Slot>>,
}

impl Maker<'_> {
    /// An object as a new one: all selected properties, a slice of its members.
    pub(super) fn whole(&self, object: &Object, members: &[Slot], first: bool) -> Value {
        let mut map = scalars(object, &self.selection);
        let mut entries: Vec<Value> =
            members.iter().map(|slot| reference(self.tenant, *slot, false)).collect();
        if first && object.kind == Kind::Group && self.tells_members(object) {
            if self.knobs.odd_members {
                entries.extend(odd_members(&object.id));
            }
            if self.knobs.removed_in_initial {
                entries.extend(self.strangers(object));
            }
        }
        if !entries.is_empty() {
            map.insert("members@delta".to_owned(), entries.into());
        }
        if self.selection.relation("manager")
            && let Some(manager) = object.manager
        {
            map.insert("manager@delta".to_owned(), json!([reference(self.tenant, manager, false)]));
        }
        map.into()
    }

    /// An object that a stretch of the log has touched.
    pub(super) fn changed(&self, object: &Object, touch: &Touch) -> Value {
        if object.state != State::Live {
            return removed(object, self.knobs);
        }
        let mut map = scalars(object, &self.selection);
        if self.ask.minimal && !touch.whole {
            let names: Vec<&str> =
                touch.properties.iter().map(|number| self.tenant.name(*number)).collect();
            map.retain(|name, _| name == "id" || names.contains(&name.as_str()));
        }
        let entries: Vec<Value> = touch
            .links
            .iter()
            .map(|(member, joined)| {
                let joined = if self.knobs.coalesce {
                    object.members.binary_search(member).is_ok()
                } else {
                    *joined
                };
                reference(self.tenant, *member, !joined)
            })
            .collect();
        if !entries.is_empty() && self.tells_members(object) {
            map.insert("members@delta".to_owned(), entries.into());
        }
        let managers = self.managers(object, touch);
        if !managers.is_empty() {
            map.insert("manager@delta".to_owned(), managers.into());
        }
        map.into()
    }

    fn managers(&self, object: &Object, touch: &Touch) -> Vec<Value> {
        if !self.selection.relation("manager") {
            return Vec::new();
        }
        let before = touch.manager.flatten().filter(|before| Some(*before) != object.manager);
        let shown = touch.whole || touch.manager.is_some() || self.knobs.manager_again;
        let now = object.manager.filter(|_| shown);
        let ended = before.filter(|_| now.is_none() || self.knobs.manager_both);
        ended
            .map(|slot| reference(self.tenant, slot, true))
            .into_iter()
            .chain(now.map(|slot| reference(self.tenant, slot, false)))
            .collect()
    }

    /// Removals of members that never were: an unknown id, and a user who is not in the group.
    fn strangers(&self, object: &Object) -> Vec<Value> {
        let seed = super::rng::hash(object.id.as_bytes());
        let unknown = json!({"@odata.type": "#microsoft.graph.user", "id": guid_of(seed, 0xdead),
                             "@removed": {"reason": "deleted"}});
        let users = self.tenant.walk(Kind::User);
        let stranger = users
            .iter()
            .rev()
            .take(16)
            .find(|slot| object.members.binary_search(slot).is_err())
            .map(|slot| reference(self.tenant, *slot, true));
        std::iter::once(unknown).chain(stranger).collect()
    }

    pub(super) fn tells_members(&self, object: &Object) -> bool {
        self.selection.relation("members") && (self.ask.hidden || !is_hidden(object))
    }
}

impl Touch {
    /// Adds a change; answers whether it takes the room of a member entry.
    pub(super) fn add(&mut self, what: What, coalesce: bool) -> bool {
        match what {
            What::Created | What::Deleted | What::Restored | What::Purged => self.whole = true,
            What::Property(number) => self.properties.push(number),
            What::Manager(before) => self.manager = self.manager.or(Some(before)),
            What::Joined(member) | What::Left(member) => {
                if coalesce && self.links.iter().any(|(known, _)| *known == member) {
                    return false;
                }
                self.links.push((member, matches!(what, What::Joined(_))));
                return true;
            }
        }
        false
    }
}
