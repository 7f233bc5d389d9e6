//! The state of the simulated tenant: objects, edges and an append-only change log. Pure: no I/O, no clock.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::{Map, Value, json};
use thiserror::Error;

use super::object::{Change, Kind, Object, Slot, State, What};
use super::rng::Rng;

/// Why a change of the tenant was refused.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum TenantError {
    /// No object has this id.
    #[error("no object {0}")]
    Unknown(String),
    /// The object is of another kind than the change needs.
    #[error("{0} is not of the kind this change needs")]
    WrongKind(String),
    /// The object is not in the state the change needs, such as restoring a live object.
    #[error("{0} is not in the state this change needs")]
    WrongState(String),
    /// An object with this id is there already.
    #[error("{0} exists already")]
    Exists(String),
    /// The property cannot be set this way.
    #[error("property {0} cannot be set this way")]
    Property(String),
    /// The description of an object is not usable.
    #[error("not an object: {0}")]
    Shape(String),
}

/// How many objects of each kind there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Live users.
    pub users: usize,
    /// Live groups.
    pub groups: usize,
    /// Live contacts.
    pub contacts: usize,
    /// Users in the recycle bin.
    pub deleted_users: usize,
    /// Groups in the recycle bin.
    pub deleted_groups: usize,
    /// Stored membership edges, those of objects in the recycle bin included.
    pub edges: usize,
}

/// A simulated tenant.
#[derive(Debug)]
pub struct Tenant {
    pub(super) objects: Vec<Object>,
    pub(super) index: HashMap<Arc<str>, Slot>,
    pub(super) principals: HashMap<Box<str>, Slot>,
    /// Objects of each stream in order of creation: the walk of an enumeration.
    pub(super) order: [Vec<Slot>; 3],
    pub(super) live: [usize; 3],
    pub(super) reports: HashMap<Slot, Vec<Slot>>,
    pub(super) bin: BTreeSet<Slot>,
    pub(super) log: Vec<Change>,
    pub(super) names: Vec<String>,
    pub(super) edges: usize,
    /// Building the first state is not a change anybody may see.
    pub(super) loading: bool,
    pub(super) keeps_security_groups: bool,
    pub(super) domains: Vec<Value>,
    pub(super) organization: Value,
    pub(super) domain: String,
    pub(super) ids: Rng,
}

impl Tenant {
    /// An empty tenant with a verified default domain, its `onmicrosoft` twin and an unverified one.
    pub fn empty(domain: &str) -> Self {
        let initial = initial_domain(domain);
        let entry = |id: &str, default: bool, first: bool, verified: bool| {
            json!({"id": id, "authenticationType": "Managed", "isAdminManaged": true, "isDefault": default,
                   "isInitial": first, "isRoot": true, "isVerified": verified,
                   "supportedServices": if verified { json!(["Email", "OfficeCommunicationsOnline"]) } else { json!([]) }})
        };
        let domains = vec![
            entry(domain, true, false, true),
            entry(&initial, false, true, true),
            entry(&format!("pending.{domain}"), false, false, false),
        ];
        let organization = json!({
            "id": "", "displayName": "Contoso Ltd", "city": "Oslo", "countryLetterCode": "NO", "tenantType": "AAD",
            "onPremisesSyncEnabled": null, "technicalNotificationMails": [format!("it@{domain}")],
            "verifiedDomains": [
                {"capabilities": "Email, OfficeCommunicationsOnline", "isDefault": true, "isInitial": false,
                 "name": domain, "type": "Managed"},
                {"capabilities": "Email, OfficeCommunicationsOnline", "isDefault": false, "isInitial": true,
                 "name": initial, "type": "Managed"}]
        });
        Self {
            objects: Vec::new(),
            index: HashMap::new(),
            principals: HashMap::new(),
            order: [Vec::new(), Vec::new(), Vec::new()],
            live: [0; 3],
            reports: HashMap::new(),
            bin: BTreeSet::new(),
            log: Vec::new(),
            names: Vec::new(),
            edges: 0,
            loading: false,
            keeps_security_groups: false,
            domains,
            organization,
            domain: domain.to_owned(),
            ids: Rng::new(super::rng::hash(domain.as_bytes())),
        }
    }

    /// The default domain.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The domains of the tenant as Graph describes them.
    pub fn domains(&self) -> &[Value] {
        &self.domains
    }

    /// The organization as Graph describes it; the id is filled in by the server.
    pub fn organization(&self) -> &Value {
        &self.organization
    }

    /// The number of changes so far.
    pub fn version(&self) -> u64 {
        u64::try_from(self.log.len()).unwrap_or(u64::MAX)
    }

    /// The properties of a live object, its id included.
    pub fn object(&self, id: &str) -> Option<Map<String, Value>> {
        let object = self.get(self.slot(id)?)?;
        (object.state == State::Live).then(|| properties(object))
    }

    /// The kind of an object, whatever its state.
    pub fn kind(&self, id: &str) -> Option<Kind> {
        Some(self.get(self.slot(id)?)?.kind)
    }

    /// Where an object is in its life.
    pub fn state(&self, id: &str) -> Option<State> {
        Some(self.get(self.slot(id)?)?.state)
    }

    /// The ids of all live objects of a kind, oldest first.
    pub fn live(&self, kind: Kind) -> impl Iterator<Item = &str> {
        self.walk(kind)
            .iter()
            .filter_map(|slot| self.get(*slot))
            .filter(|object| object.state == State::Live)
            .map(|object| &*object.id)
    }

    /// The ids of the objects in the recycle bin.
    pub fn deleted(&self, kind: Kind) -> impl Iterator<Item = &str> {
        self.bin
            .iter()
            .filter_map(|slot| self.get(*slot))
            .filter(move |object| object.kind == kind)
            .map(|object| &*object.id)
    }

    /// The stored edges of a group, to objects in the recycle bin too.
    pub fn members(&self, group: &str) -> Vec<&str> {
        self.slot(group)
            .and_then(|slot| self.get(slot))
            .map(|object| object.members.iter().filter_map(|slot| self.id(*slot)).collect())
            .unwrap_or_default()
    }

    /// The groups that hold an object as a direct member.
    pub fn member_of(&self, id: &str) -> Vec<&str> {
        self.slot(id)
            .and_then(|slot| self.get(slot))
            .map(|object| object.member_of.iter().filter_map(|slot| self.id(*slot)).collect())
            .unwrap_or_default()
    }

    /// The manager of a user.
    pub fn manager(&self, user: &str) -> Option<&str> {
        self.id(self.get(self.slot(user)?)?.manager?)
    }

    /// How many objects there are.
    pub fn counts(&self) -> Counts {
        let binned = |kind| self.deleted(kind).count();
        let [users, groups, contacts] = self.live;
        Counts {
            users,
            groups,
            contacts,
            deleted_users: binned(Kind::User),
            deleted_groups: binned(Kind::Group),
            edges: self.edges,
        }
    }

    /// Lets deleted security groups go to the recycle bin (a preview of the service) instead of being gone at once.
    pub fn keep_deleted_security_groups(&mut self, keep: bool) {
        self.keeps_security_groups = keep;
    }

    /// Whether a user of this id or user principal name is there and disabled.
    pub(super) fn is_disabled(&self, name: &str) -> bool {
        let object = self.find(name).and_then(|slot| self.get(slot));
        object.is_some_and(|object| {
            properties(object).get("accountEnabled") == Some(&Value::Bool(false))
        })
    }

    /// The slot behind an id or a user principal name.
    pub(super) fn find(&self, key: &str) -> Option<Slot> {
        self.slot(key).or_else(|| self.principals.get(key.to_lowercase().as_str()).copied())
    }

    pub(super) fn slot(&self, id: &str) -> Option<Slot> {
        self.index.get(id).copied()
    }

    pub(super) fn get(&self, slot: Slot) -> Option<&Object> {
        self.objects.get(usize::try_from(slot).ok()?)
    }

    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut Object> {
        self.objects.get_mut(usize::try_from(slot).ok()?)
    }

    pub(super) fn id(&self, slot: Slot) -> Option<&str> {
        self.get(slot).map(|object| &*object.id)
    }

    pub(super) fn is_live(&self, slot: Slot) -> bool {
        self.get(slot).is_some_and(|object| object.state == State::Live)
    }

    pub(super) fn walk(&self, kind: Kind) -> &[Slot] {
        kind.stream().and_then(|stream| self.order.get(stream)).map_or(&[], Vec::as_slice)
    }

    pub(super) fn record(&mut self, object: Slot, what: What) {
        if !self.loading {
            self.log.push(Change { object, what });
        }
    }

    pub(super) fn count_live(&mut self, kind: Kind, up: bool) {
        if let Some(count) = kind.stream().and_then(|stream| self.live.get_mut(stream)) {
            *count = if up { count.saturating_add(1) } else { count.saturating_sub(1) };
        }
    }

    pub(super) fn name_number(&mut self, name: &str) -> u16 {
        let known = self.names.iter().position(|known| known == name);
        let number = known.unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len().saturating_sub(1)
        });
        u16::try_from(number).unwrap_or(u16::MAX)
    }

    pub(super) fn name(&self, number: u16) -> &str {
        self.names.get(usize::from(number)).map_or("", String::as_str)
    }
}

/// The properties of an object as a map; an object that is gone has only its id.
pub(super) fn properties(object: &Object) -> Map<String, Value> {
    let mut map: Map<String, Value> = serde_json::from_str(&object.text).unwrap_or_default();
    map.insert("id".to_owned(), Value::from(&*object.id));
    map
}

/// The `onmicrosoft` domain that belongs to a domain: `contoso.com` has `contoso.onmicrosoft.com`.
pub(super) fn initial_domain(domain: &str) -> String {
    let name = domain.split('.').next().unwrap_or(domain);
    let top = domain.rsplit('.').next().unwrap_or("com");
    format!("{name}.onmicrosoft.{top}")
}
