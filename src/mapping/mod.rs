//! From a Graph object to an entry, by a preset and the configuration.
//! The `ad` preset: what Active Directory and `inetOrgPerson` clients read. Pure: no I/O, no clock.
//!
//! What a value is never depends on other objects: names and accounts that must be
//! unique, and memberships, are decided before and passed in.

mod addresses;
mod draft;
mod group;
mod json;
pub mod local;
#[cfg(test)]
mod mapped_tests;
mod moment;
mod names;
mod overrides;
mod person;
mod presets;
mod structure;
#[cfg(test)]
mod tests;

use crate::config::property;
use crate::config::settings::{Branch, MappingSettings, Preset, TreeSettings};
use crate::directory::dn::Dn;
use crate::directory::entry::Entry;
use crate::directory::ids::ObjectId;
use crate::directory::kind::Kind;
use draft::Draft;
pub use names::{NAMING, account_with_suffix, with_suffix};
use serde_json::{Map, Value};

/// The selected properties of a Graph object, merged over time; what was removed is absent.
pub type Properties = Map<String, Value>;

/// Raised with every change of this room that makes other entries of the same objects.
const VERSION: u32 = 3;

/// How the objects of one connection become entries.
#[derive(Debug, Clone)]
pub struct Mapping {
    base: Dn,
    /// DNs of the object categories of people, groups and domains.
    categories: [String; 3],
    settings: MappingSettings,
    users: Place,
    groups: Place,
    contacts: Place,
    domains: Place,
}

/// Where the entries of a kind stand, and what their RDN is made of.
#[derive(Debug, Clone)]
struct Place {
    ou: String,
    container: Dn,
    rdn: String,
}

/// A Graph object, and what was decided about it.
#[derive(Debug, Clone, Copy)]
pub struct Object<'a> {
    /// What it is.
    pub kind: Kind,
    /// Its object id; for a domain, an id that stands for its name.
    pub id: ObjectId,
    /// Its properties.
    pub properties: &'a Properties,
    /// Its RDN value, unique in its container.
    pub name: &'a str,
    /// Its `sAMAccountName`, unique in the connection; users and groups only.
    pub account: Option<&'a str>,
    /// DNs of the members that are served.
    pub members: &'a [&'a str],
    /// DNs of the groups that it is a direct member of.
    pub member_of: &'a [&'a str],
    /// The manager's DN.
    pub manager: Option<&'a str>,
    /// DNs of those whose manager it is.
    pub direct_reports: &'a [&'a str],
    /// Number of the change that made the entry.
    pub created: u64,
    /// Number of the entry's latest change.
    pub changed: u64,
    /// Time of that change, in seconds since 1970.
    pub changed_at: i64,
}

impl Mapping {
    /// The mapping of a connection, below `base`.
    pub fn new(base: &Dn, tree: &TreeSettings, settings: &MappingSettings) -> Self {
        let place = |branch: &Branch| Place {
            ou: branch.ou.clone(),
            container: base.child("ou", &branch.ou),
            rdn: branch.rdn.clone(),
        };
        Mapping {
            base: base.clone(),
            categories: ["Person", "Group", "Domain"].map(|name| structure::category(base, name)),
            settings: settings.clone(),
            users: place(&tree.users),
            groups: place(&tree.groups),
            contacts: place(&tree.contacts),
            domains: place(&tree.domains),
        }
    }

    /// A text of everything that decides what entries look like: where it differs from
    /// the one that entries were made with, they are to be derived anew.
    pub fn fingerprint(&self) -> String {
        let mut out = format!("mapping {VERSION} {:?}\nbase {}", self.settings, self.base);
        for kind in Kind::ALL {
            let place = self.place(kind);
            out.push_str(&format!("\n{} {:?} {:?}", kind.plural(), place.ou, place.rdn));
        }
        out
    }

    /// The Graph properties to select. Members and managers are relationships, and
    /// asked for by whoever needs them.
    pub fn properties(&self, kind: Kind) -> Vec<&str> {
        let base = property::base(kind).iter().copied();
        base.chain(self.settings.properties(kind)).collect()
    }

    /// The entry that the entries of this kind stand below.
    pub fn container(&self, kind: Kind) -> Dn {
        self.place(kind).container.clone()
    }

    /// The attribute that their RDN is made of.
    pub fn rdn_attribute(&self, kind: Kind) -> &str {
        &self.place(kind).rdn
    }

    /// The DN of the object that has this RDN value. Its text is the same everywhere:
    /// in the entry, in `member`, `memberOf`, `manager`.
    pub fn dn(&self, kind: Kind, name: &str) -> Dn {
        let place = self.place(kind);
        place.container.child(&place.rdn, name)
    }

    /// The RDN value that the object would like: never empty, and short enough for
    /// [`with_suffix`].
    pub fn wanted_name(&self, kind: Kind, id: ObjectId, properties: &Properties) -> String {
        names::wanted_name(kind, self.rdn_attribute(kind), id, properties)
    }

    /// The `sAMAccountName` that the object would like; `None` where its kind has none.
    pub fn wanted_account(
        &self,
        kind: Kind,
        id: ObjectId,
        properties: &Properties,
    ) -> Option<String> {
        names::wanted_account(kind, id, properties)
    }

    /// The entry of an object.
    pub fn entry(&self, object: &Object<'_>) -> Entry {
        let dn = self.dn(object.kind, object.name);
        let mut draft = Draft::new(dn.clone());
        match object.kind {
            Kind::User => person::user(&mut draft, object),
            Kind::Group => group::group(&mut draft, object),
            Kind::Contact => person::contact(&mut draft, object),
            Kind::Domain => structure::domain(&mut draft, object),
        }
        if self.settings.preset != Preset::Ad {
            presets::inetorgperson(&mut draft, object);
        }
        if self.settings.preset == Preset::Posix {
            presets::posix(&mut draft, object);
        }
        overrides::apply(&mut draft, object.properties, self.settings.of(object.kind));
        draft.name_by(self.rdn_attribute(object.kind), object.name);
        self.bookkeeping(&mut draft, object, &dn);
        draft.entry()
    }

    /// The entries that no Graph object stands behind: the base, then the containers.
    pub fn structure(&self) -> Vec<Entry> {
        let mut entries = vec![structure::base(&self.base)];
        for kind in Kind::ALL {
            let place = self.place(kind);
            let same = |entry: &Entry| entry.dn.key() == place.container.key();
            if !entries.iter().any(same) {
                entries.push(structure::container(&self.base, &place.container, &place.ou));
            }
        }
        entries
    }

    /// What entries of all kinds have.
    fn bookkeeping(&self, draft: &mut Draft, object: &Object<'_>, dn: &Dn) {
        let [person, group, domain] = &self.categories;
        let category = match object.kind {
            Kind::User | Kind::Contact => person,
            Kind::Group => group,
            Kind::Domain => domain,
        };
        draft.add("objectCategory", category.as_str());
        draft.name_from(if object.kind == Kind::Domain { "dc" } else { "cn" });
        let dn = dn.to_string();
        draft.add("distinguishedName", dn.as_str());
        draft.add("entryDN", dn);
        draft.add("objectGUID", object.id.guid_octets());
        draft.add("entryUUID", object.id.to_string());
        draft.put("memberOf", object.member_of);
        draft.add("uSNCreated", object.created.to_string());
        draft.add("uSNChanged", object.changed.to_string());
        if let Some(created) = json::time(object.properties, "createdDateTime") {
            draft.add("whenCreated", moment::ad_time(created));
            draft.add("createTimestamp", moment::ldap_time(created));
        }
        if let Some(changed) = moment::from_unix(object.changed_at) {
            draft.add("whenChanged", moment::ad_time(changed));
            draft.add("modifyTimestamp", moment::ldap_time(changed));
        }
    }

    fn place(&self, kind: Kind) -> &Place {
        match kind {
            Kind::User => &self.users,
            Kind::Group => &self.groups,
            Kind::Contact => &self.contacts,
            Kind::Domain => &self.domains,
        }
    }
}
