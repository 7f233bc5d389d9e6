//! What is known of an address, a name or an id, and since when.

use super::export;
use crate::directory::dn::Dn;
use crate::directory::entry::Values;
use crate::directory::filter;
use crate::directory::ids::ObjectId;
use crate::directory::schema;
use crate::directory::text;
use crate::replica::log::Change;
use crate::replica::{Error, Number, Snapshot, StoredEntry};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The answer to `explain`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// What was asked for.
    pub asked: String,
    /// Entries that were found.
    pub found: Vec<Found>,
    /// Why nothing was found; empty when something was.
    pub reason: String,
}

/// An entry that was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// Its name.
    pub dn: String,
    /// By which attributes it was found.
    pub by: Vec<String>,
    /// What it is: `user`, `group`, `contact`, `domain`, or `container`.
    pub kind: String,
    /// Its Graph object id.
    pub object: String,
    /// The connection it came by.
    pub connection: String,
    /// Its attributes, as LDIF.
    pub ldif: String,
    /// Its latest changes, newest first.
    pub changes: Vec<Change>,
    /// A search that shows it: base and filter.
    pub search: (String, String),
}

/// The attributes that an address may stand in, as gateways look for it.
const BY: &[&str] = &[
    "mail",
    "proxyAddresses",
    "mailLocalAddress",
    "userPrincipalName",
    "otherMailbox",
    "sAMAccountName",
    "mailNickname",
    "targetAddress",
    "cn",
    "displayName",
];

/// How many changes are told.
const CHANGES: usize = 10;

/// Explains an address, a DN or an object id.
pub fn explain(snapshot: &Snapshot, asked: &str) -> Result<Explanation, Error> {
    let asked = asked.trim();
    let mut hits: BTreeMap<Number, Vec<String>> = BTreeMap::new();
    let mut gone = None;
    if let Ok(id) = asked.parse::<ObjectId>() {
        for (connection, _) in snapshot.connections() {
            if let Some(number) = snapshot.find(*connection, id)? {
                match snapshot.entry(number)? {
                    Some(_) => hits.entry(number).or_default().push("object id".to_owned()),
                    None => gone = Some(number),
                }
            }
        }
    } else if let Some(dn) = Dn::parse(asked).ok().filter(|dn| !dn.is_root()) {
        if let Some(number) = snapshot.number(&dn.key())? {
            hits.entry(number).or_default().push("name".to_owned());
        }
    } else {
        by_values(snapshot, asked, &mut hits)?;
    }
    let mut found = Vec::new();
    for (number, by) in hits {
        if let Some(entry) = snapshot.entry(number)? {
            found.push(tell(snapshot, &entry, by)?);
        }
    }
    let reason = if found.is_empty() { why_not(snapshot, asked, gone)? } else { String::new() };
    Ok(Explanation { asked: asked.to_owned(), found, reason })
}

fn by_values(
    snapshot: &Snapshot,
    asked: &str,
    hits: &mut BTreeMap<Number, Vec<String>>,
) -> Result<(), Error> {
    for name in BY {
        let Some(attribute) = schema::standard().attribute(name.as_bytes()) else { continue };
        let smtp = format!("smtp:{asked}");
        for value in [asked, smtp.as_str()] {
            let Some(key) = attribute.syntax.key(value.as_bytes()) else { continue };
            for number in snapshot.equal(attribute.id, &key)?.iter() {
                let by = hits.entry(number).or_default();
                if !by.iter().any(|known| known == name) {
                    by.push((*name).to_owned());
                }
            }
        }
    }
    Ok(())
}

fn tell(snapshot: &Snapshot, entry: &StoredEntry<'_>, by: Vec<String>) -> Result<Found, Error> {
    let view = entry.view();
    let identity = view.identity();
    let connection =
        snapshot.connections().iter().find(|(number, _)| *number == identity.connection);
    let base = connection.map_or_else(String::new, |(_, state)| state.base.clone());
    let mail = schema::standard().attribute(b"mail");
    let mail = mail.and_then(|mail| entry.values(mail.id).next());
    let search = match mail {
        Some(mail) => (base, format!("(proxyAddresses=smtp:{})", filter::escape(mail))),
        None => (view.dn().to_owned(), "(objectClass=*)".to_owned()),
    };
    Ok(Found {
        dn: view.dn().to_owned(),
        by,
        kind: identity.kind.map_or_else(|| "container".to_owned(), |kind| kind.to_string()),
        object: identity.object.to_string(),
        connection: connection.map_or_else(String::new, |(_, state)| state.name.clone()),
        ldif: export::ldif(entry),
        changes: changes(snapshot, entry.number())?,
        search,
    })
}

fn changes(snapshot: &Snapshot, number: Number) -> Result<Vec<Change>, Error> {
    Ok(snapshot.changes_of(number, CHANGES)?.into_iter().map(|(_, change)| change).collect())
}

fn why_not(snapshot: &Snapshot, asked: &str, gone: Option<Number>) -> Result<String, Error> {
    let unpublished: Vec<_> = snapshot
        .connections()
        .iter()
        .filter(|(_, s)| s.configured && !s.is_published())
        .map(|(_, s)| s.name.as_str())
        .collect();
    if !unpublished.is_empty() {
        return Ok(format!(
            "unknown: the first sync of {} is not complete; until then LDAP searches answer `unavailable` (52), and gateways defer mail",
            unpublished.join(", ")
        ));
    }
    if let Some(number) = gone {
        let last = changes(snapshot, number)?.into_iter().next();
        return Ok(match last {
            Some(change) => format!(
                "the object was {} and is no longer in the directory; its last change here was {:?} in pass {}",
                change.dn, change.action, change.pass
            ),
            None => {
                "the object is only referred to by others (a device, or something that was deleted)"
                    .to_owned()
            }
        });
    }
    let domain = asked.rsplit_once('@').map(|(_, domain)| text::fold(domain));
    let name = schema::standard().attribute(b"dc");
    if let (Some(domain), Some(name)) = (domain, name)
        && snapshot.equal(name.id, domain.as_bytes())?.is_empty()
    {
        return Ok(format!(
            "not in the directory, and {domain} is no accepted domain of the tenant"
        ));
    }
    Ok("not in the directory: no object that Graph told of has this address, name or id".to_owned())
}
