//! `[[ldap.profile]]`: what an account may see, from where, and how much of it.

use super::distinct::Distinct;
use super::reader::Table;
use super::settings::{ConnectionSettings, ProfileSettings, Readable};
use super::value::{Trouble, Value};
use crate::directory::attribute::AttributeId;
use crate::directory::dn::Dn;
use crate::directory::{nearest, schema, text};
use ipnet::IpNet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

/// The profiles of the file, by name.
pub(super) struct Profiles(Vec<Arc<ProfileSettings>>);

impl Profiles {
    /// The profile that a value names.
    pub(super) fn find(&self, value: &Value<'_>) -> Result<Arc<ProfileSettings>, Trouble> {
        self.named(value.text()?)
    }

    /// The profile of this name.
    pub(super) fn named(&self, name: &str) -> Result<Arc<ProfileSettings>, Trouble> {
        let folded = text::fold(name);
        if let Some(found) = self.0.iter().find(|profile| text::fold(&profile.name) == folded) {
            return Ok(Arc::clone(found));
        }
        let names: Vec<&str> = self.0.iter().map(|profile| profile.name.as_str()).collect();
        let remedy = match nearest::nearest(name, &names) {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None => format!("add [[ldap.profile]] with name = \"{name}\""),
        };
        Err(Trouble::new(format!("{name:?} is not a profile"), remedy))
    }
}

/// Reads all profiles. `connections`: what there is to see.
pub(super) fn read(table: &Table<'_>, connections: &[ConnectionSettings]) -> Profiles {
    let mut names = Distinct::new("profile");
    let read = |profile: &Table<'_>| one(profile, connections, &mut names);
    Profiles(table.sections("profile", read).into_iter().flatten().map(Arc::new).collect())
}

fn one(
    table: &Table<'_>,
    connections: &[ConnectionSettings],
    names: &mut Distinct,
) -> Option<ProfileSettings> {
    let name = table.required("name", "write for example name = \"gateway\"", |v| v.string());
    let networks = table.optional("networks", |value| value.list(network));
    let bases = table.optional("bases", |value| value.list(|item| base(item, connections)));
    let only = table.optional("attributes", |value| value.list(attribute));
    let except = table.optional("except_attributes", |value| value.list(hidden));
    let any = 0..=u32::MAX;
    let profile = ProfileSettings {
        name: name.unwrap_or_default(),
        networks: networks.unwrap_or_default(),
        bases: bases.unwrap_or_default(),
        attributes: match (only, except) {
            (Some(only), _) => Readable::Only(only),
            (None, Some(except)) => Readable::Except(except),
            (None, None) => Readable::All,
        },
        size: table.optional("size", |value| value.number(any.clone())),
        page: table.optional("page", |value| value.number(any)),
        time: table.optional("time", |value| value.duration(Duration::ZERO..=DAY)),
        operations: table.optional("operations", |value| value.number(1..=10_000)),
    };
    if table.has("attributes") && table.has("except_attributes") {
        let message = "contradicts attributes, which names all that is readable";
        let trouble = Trouble::new(message, "remove one of them");
        table.report.problem(&table.place("except_attributes"), trouble);
    }
    if profile.name.is_empty() {
        return None;
    }
    names.check(table.report, table.place("name"), &profile.name);
    Some(profile)
}

/// `10.1.0.0/16`, `2001:db8::/32`, or one address.
fn network(value: &Value<'_>) -> Result<IpNet, Trouble> {
    let text = value.text()?;
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(address));
    }
    let Ok(network) = text.parse::<IpNet>() else {
        let message = format!("{text:?} is not a network");
        return Err(Trouble::new(message, "write for example \"10.1.0.0/16\" or \"10.1.2.3\""));
    };
    // Whoever writes more than the network has a single machine in mind, or mistypes.
    if network.trunc() != network {
        let message = format!("{text:?} names a machine and a network");
        let remedy = format!("write \"{}\" or \"{}\"", network.trunc(), network.addr());
        return Err(Trouble::new(message, remedy));
    }
    Ok(network)
}

/// A base that shows nothing would make every recipient unknown, so a mistyped one is
/// refused: bases lie in a container of a connection, or have a connection below them.
fn base(value: &Value<'_>, connections: &[ConnectionSettings]) -> Result<Dn, Trouble> {
    let text = value.text()?;
    let example = "write for example \"ou=users,dc=contoso,dc=com\"";
    let dn = Dn::parse(text)
        .map_err(|error| Trouble::new(format!("{text:?} is not a DN ({error})"), example))?;
    let key = dn.key();
    let shows = |connection: &ConnectionSettings| {
        let tree = &connection.tree;
        let branches = [&tree.users, &tree.groups, &tree.contacts, &tree.domains];
        let container = |ou: &str| connection.base.child("ou", ou).key();
        connection.base.key().is_within(&key)
            || branches.iter().any(|branch| key.is_within(&container(&branch.ou)))
    };
    if connections.is_empty() || connections.iter().any(shows) {
        return Ok(dn);
    }
    let message = format!("{text:?} shows nothing: it lies in no container of a connection");
    let bases: Vec<String> = connections.iter().map(|c| format!("\"{}\"", c.base)).collect();
    let remedy = format!("choose {}, or a container such as ou=users below it", bases.join(" or "));
    Err(Trouble::new(message, remedy))
}

fn attribute(value: &Value<'_>) -> Result<AttributeId, Trouble> {
    let name = value.text()?;
    let schema = schema::standard();
    if let Some(found) = schema.attribute(name.as_bytes()) {
        return Ok(found.id);
    }
    let remedy = match schema.nearest(name) {
        Some(meant) => format!("did you mean \"{}\"?", meant.name),
        None => "write a name that the schema (cn=Subschema) lists".to_owned(),
    };
    Err(Trouble::new(format!("{name:?} is not an attribute"), remedy))
}

fn hidden(value: &Value<'_>) -> Result<AttributeId, Trouble> {
    let id = attribute(value)?;
    // RFC 4512 2.4: every entry has one; clients that miss it take the entry for broken.
    if schema::standard().get(id).is_some_and(|found| found.name == "objectClass") {
        let message = "holds objectClass, which is always readable";
        return Err(Trouble::new(message, "remove it from the list"));
    }
    Ok(id)
}
