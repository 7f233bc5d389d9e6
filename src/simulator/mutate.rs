//! The changes a tenant can go through. Every visible effect is one entry of the log. Pure: no I/O, no clock.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::object::{Kind, Object, Slot, State, What};
use super::tenant::{Tenant, TenantError, properties};

type Done<T = ()> = Result<T, TenantError>;

impl Tenant {
    /// Adds a user; without an `id` one is made up. Answers the id.
    pub fn add_user(&mut self, user: Value) -> Done<String> {
        self.add(Kind::User, user)
    }

    /// Adds a group; `members`, when there, holds ids, which may be unknown so far.
    pub fn add_group(&mut self, group: Value) -> Done<String> {
        self.add(Kind::Group, group)
    }

    /// Adds a contact.
    pub fn add_contact(&mut self, contact: Value) -> Done<String> {
        self.add(Kind::Contact, contact)
    }

    /// Adds an object that only appears as a member: a device, a service principal, something unknown.
    pub fn add_other(&mut self, kind: Kind, id: &str) -> Done<String> {
        if kind.stream().is_some() {
            return Err(TenantError::WrongKind(id.to_owned()));
        }
        self.add(kind, serde_json::json!({ "id": id }))
    }

    /// Sets a property; null clears it. Nothing is logged when nothing changes.
    pub fn set(&mut self, kind: Kind, id: &str, property: &str, value: Value) -> Done {
        let slot = self.typed(kind, id)?;
        if matches!(property, "id" | "members" | "manager") || property.starts_with('@') {
            return Err(TenantError::Property(property.to_owned()));
        }
        let object = self.expect_live(slot, id)?;
        let mut map = properties(object);
        let before = map.get(property);
        if before == Some(&value) || (before.is_none() && value.is_null()) {
            return Ok(());
        }
        if property == "userPrincipalName" {
            if let Some(old) = before.and_then(Value::as_str) {
                self.principals.remove(old.to_lowercase().as_str());
            }
            if let Some(new) = value.as_str() {
                self.principals.insert(new.to_lowercase().into(), slot);
            }
        }
        map.insert(property.to_owned(), value);
        self.write(slot, map);
        let number = self.name_number(property);
        self.record(slot, What::Property(number));
        Ok(())
    }

    /// Deletes an object the way the service does: users and Microsoft 365 groups
    /// go to the recycle bin, everything else is gone at once.
    pub fn soft_delete(&mut self, id: &str) -> Done {
        let slot = self.known(id)?;
        let object = self.expect_live(slot, id)?;
        let kept = match object.kind {
            Kind::User => true,
            Kind::Group => self.keeps_security_groups || is_unified(&properties(object)),
            _ => false,
        };
        if !kept {
            return self.purge(id);
        }
        let kind = object.kind;
        if let Some(object) = self.get_mut(slot) {
            object.state = State::Deleted;
        }
        self.bin.insert(slot);
        self.count_live(kind, false);
        self.record(slot, What::Deleted);
        Ok(())
    }

    /// Takes an object out of the recycle bin. Its memberships were never gone.
    pub fn restore(&mut self, id: &str) -> Done {
        let slot = self.known(id)?;
        if !self.bin.remove(&slot) {
            return Err(TenantError::WrongState(id.to_owned()));
        }
        let mut kind = Kind::Unknown;
        if let Some(object) = self.get_mut(slot) {
            object.state = State::Live;
            kind = object.kind;
        }
        self.count_live(kind, true);
        self.record(slot, What::Restored);
        Ok(())
    }

    /// Removes an object for good: only now its memberships end.
    pub fn purge(&mut self, id: &str) -> Done {
        let slot = self.known(id)?;
        let Some(object) = self.get_mut(slot).filter(|object| object.state != State::Purged) else {
            return Err(TenantError::WrongState(id.to_owned()));
        };
        let was_live = object.state == State::Live;
        let kind = object.kind;
        let principal = properties(object)
            .get("userPrincipalName")
            .and_then(Value::as_str)
            .map(str::to_lowercase);
        object.state = State::Purged;
        object.text = "{}".into();
        let groups = std::mem::take(&mut object.member_of);
        let members = std::mem::take(&mut object.members);
        let manager = object.manager.take();
        self.bin.remove(&slot);
        if was_live {
            self.count_live(kind, false);
        }
        if let Some(principal) = principal {
            self.principals.remove(principal.as_str());
        }
        self.record(slot, What::Purged);
        self.edges = self.edges.saturating_sub(members.len());
        for member in members {
            if let Some(object) = self.get_mut(member) {
                take(&mut object.member_of, slot);
            }
        }
        for group in groups {
            if self.get_mut(group).is_some_and(|group| take(&mut group.members, slot)) {
                self.edges = self.edges.saturating_sub(1);
                self.record(group, What::Left(slot));
            }
        }
        if let Some(list) = manager.and_then(|manager| self.reports.get_mut(&manager)) {
            list.retain(|report| *report != slot);
        }
        for report in self.reports.remove(&slot).unwrap_or_default() {
            if let Some(object) = self.get_mut(report) {
                object.manager = None;
                self.record(report, What::Manager(Some(slot)));
            }
        }
        Ok(())
    }

    /// Removes a contact; contacts have no recycle bin.
    pub fn delete_contact(&mut self, id: &str) -> Done {
        self.typed(Kind::Contact, id)?;
        self.purge(id)
    }

    /// Puts an object into a group. Answers whether it was not a member before.
    pub fn add_member(&mut self, group: &str, member: &str) -> Done<bool> {
        let slot = self.typed(Kind::Group, group)?;
        self.expect_live(slot, group)?;
        let member = match self.slot(member) {
            Some(member) => member,
            // Groups may refer to objects that no stream has shown.
            None => self.insert(Kind::Unknown, member, Map::new())?,
        };
        Ok(self.join(slot, member))
    }

    /// Takes an object out of a group. Answers whether it was a member.
    pub fn remove_member(&mut self, group: &str, member: &str) -> Done<bool> {
        let slot = self.typed(Kind::Group, group)?;
        self.expect_live(slot, group)?;
        let (group, member) = (slot, self.known(member)?);
        let was = self.get_mut(group).is_some_and(|group| take(&mut group.members, member));
        if was {
            if let Some(object) = self.get_mut(member) {
                take(&mut object.member_of, group);
            }
            self.edges = self.edges.saturating_sub(1);
            self.record(group, What::Left(member));
        }
        Ok(was)
    }

    /// Sets or clears the manager of a user.
    pub fn set_manager(&mut self, user: &str, manager: Option<&str>) -> Done {
        let slot = self.typed(Kind::User, user)?;
        self.expect_live(slot, user)?;
        let manager = manager.map(|manager| self.typed(Kind::User, manager)).transpose()?;
        let before =
            self.get_mut(slot).and_then(|object| std::mem::replace(&mut object.manager, manager));
        if before == manager {
            return Ok(());
        }
        if let Some(list) = before.and_then(|before| self.reports.get_mut(&before)) {
            list.retain(|report| *report != slot);
        }
        if let Some(manager) = manager {
            self.reports.entry(manager).or_default().push(slot);
        }
        self.record(slot, What::Manager(before));
        Ok(())
    }

    /// Gives an alias of `from` to `to`: both objects change, the receiver first,
    /// so that for a moment both have it.
    pub fn swap_alias(&mut self, from: &str, to: &str, alias: &str) -> Done {
        let bare = |entry: &str| {
            entry.split_once(':').map_or(entry, |(_, address)| address).trim().to_lowercase()
        };
        let alias = bare(alias);
        let (giver, taker) = (self.kind_of(from)?, self.kind_of(to)?);
        let mut given = self.aliases(to)?;
        if !given.iter().any(|entry| bare(entry) == alias) {
            given.push(format!("smtp:{alias}"));
        }
        let kept: Vec<String> =
            self.aliases(from)?.into_iter().filter(|entry| bare(entry) != alias).collect();
        self.set(taker, to, "proxyAddresses", Value::from(given))?;
        self.set(giver, from, "proxyAddresses", Value::from(kept))
    }

    /// The `proxyAddresses` of a live object.
    pub fn aliases(&self, id: &str) -> Done<Vec<String>> {
        let object = self.object(id).ok_or_else(|| TenantError::Unknown(id.to_owned()))?;
        let list =
            object.get("proxyAddresses").and_then(Value::as_array).cloned().unwrap_or_default();
        Ok(list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    }

    pub(super) fn add(&mut self, kind: Kind, value: Value) -> Done<String> {
        let Value::Object(mut map) = value else {
            return Err(TenantError::Shape(value.to_string()));
        };
        let members = map.remove("members");
        let manager = map.remove("manager");
        let id = match map.remove("id") {
            Some(Value::String(id)) => id,
            None => self.ids.guid(),
            Some(other) => return Err(TenantError::Shape(other.to_string())),
        };
        let slot = self.insert(kind, &id, map)?;
        for member in members.as_ref().and_then(Value::as_array).into_iter().flatten() {
            if let Some(member) = member.as_str() {
                self.add_member(&id, member)?;
            }
        }
        if let Some(manager) = manager.as_ref().and_then(Value::as_str) {
            self.set_manager(&id, Some(manager))?;
        }
        Ok(self.id(slot).unwrap_or_default().to_owned())
    }

    fn insert(&mut self, kind: Kind, id: &str, map: Map<String, Value>) -> Done<Slot> {
        if let Some(slot) = self.slot(id) {
            return self.fill(slot, kind, id, map);
        }
        let slot =
            Slot::try_from(self.objects.len()).map_err(|_| TenantError::Shape(id.to_owned()))?;
        let id: Arc<str> = id.into();
        self.index.insert(Arc::clone(&id), slot);
        self.objects.push(Object {
            id,
            kind,
            state: State::Live,
            text: "{}".into(),
            manager: None,
            members: Vec::new(),
            member_of: Vec::new(),
        });
        self.settle(slot, kind, map);
        Ok(slot)
    }

    /// A group named this member before it was there: the place is taken, the object comes now.
    fn fill(&mut self, slot: Slot, kind: Kind, id: &str, map: Map<String, Value>) -> Done<Slot> {
        match self.get_mut(slot) {
            Some(object)
                if object.kind == Kind::Unknown
                    && object.text.len() <= 2
                    && kind != Kind::Unknown =>
            {
                object.kind = kind;
            }
            _ => return Err(TenantError::Exists(id.to_owned())),
        }
        self.settle(slot, kind, map);
        Ok(slot)
    }

    fn settle(&mut self, slot: Slot, kind: Kind, map: Map<String, Value>) {
        if let Some(name) = map.get("userPrincipalName").and_then(Value::as_str) {
            self.principals.insert(name.to_lowercase().into(), slot);
        }
        self.write(slot, map);
        if let Some(order) = kind.stream().and_then(|stream| self.order.get_mut(stream)) {
            order.push(slot);
        }
        self.count_live(kind, true);
        if kind.stream().is_some() {
            self.record(slot, What::Created);
        }
    }

    fn write(&mut self, slot: Slot, mut map: Map<String, Value>) {
        map.remove("id");
        let text = serde_json::to_string(&map).unwrap_or_default();
        if let Some(object) = self.get_mut(slot) {
            object.text = text.into();
        }
    }

    fn join(&mut self, group: Slot, member: Slot) -> bool {
        let new = self.get_mut(group).is_some_and(|object| put(&mut object.members, member));
        if new {
            if let Some(object) = self.get_mut(member) {
                put(&mut object.member_of, group);
            }
            self.edges = self.edges.saturating_add(1);
            self.record(group, What::Joined(member));
        }
        new
    }

    fn known(&self, id: &str) -> Done<Slot> {
        self.slot(id).ok_or_else(|| TenantError::Unknown(id.to_owned()))
    }

    fn kind_of(&self, id: &str) -> Done<Kind> {
        self.kind(id).ok_or_else(|| TenantError::Unknown(id.to_owned()))
    }

    fn typed(&self, kind: Kind, id: &str) -> Done<Slot> {
        let slot = self.known(id)?;
        match self.get(slot) {
            Some(object) if object.kind == kind => Ok(slot),
            _ => Err(TenantError::WrongKind(id.to_owned())),
        }
    }

    fn expect_live(&self, slot: Slot, id: &str) -> Done<&Object> {
        self.get(slot)
            .filter(|object| object.state == State::Live)
            .ok_or_else(|| TenantError::WrongState(id.to_owned()))
    }
}

pub(super) fn is_unified(group: &Map<String, Value>) -> bool {
    let types = group.get("groupTypes").and_then(Value::as_array);
    types.is_some_and(|types| types.iter().any(|kind| kind == "Unified"))
}

fn put(list: &mut Vec<Slot>, slot: Slot) -> bool {
    match list.binary_search(&slot) {
        Ok(_) => false,
        Err(place) => {
            list.insert(place, slot);
            true
        }
    }
}

fn take(list: &mut Vec<Slot>, slot: Slot) -> bool {
    match list.binary_search(&slot) {
        Ok(place) => {
            list.remove(place);
            true
        }
        Err(_) => false,
    }
}
