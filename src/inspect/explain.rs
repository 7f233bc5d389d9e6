//! What is known of an address, a name or an id, and since when; and why somebody is not
//! served.

use super::export;
use crate::directory::dn::Dn;
use crate::directory::entry::Values;
use crate::directory::filter;
use crate::directory::ids::ObjectId;
use crate::directory::schema;
use crate::directory::text;
use crate::replica::connection::ConnectionState;
use crate::replica::log::Change;
use crate::replica::source::{SourceObject, Space};
use crate::replica::{Error, Number, Snapshot, StoredEntry};
use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};
use serde_json::Value;
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
    /// Why it is in scope: the groups of the scope that lead to it. Empty where the whole
    /// tenant is copied.
    pub scope: Vec<String>,
    /// What else there is to know: held, paused, made by a rule.
    pub notes: Vec<String>,
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
/// The properties that an address may stand in, of objects that are not served.
const PROPERTIES: &[&str] =
    &["mail", "proxyAddresses", "userPrincipalName", "otherMails", "mailNickname", "displayName"];

/// How many changes are told.
const CHANGES: usize = 10;

type Hits = BTreeMap<Number, Vec<String>>;

/// Explains an address, a DN or an object id.
pub fn explain(snapshot: &Snapshot, asked: &str) -> Result<Explanation, Error> {
    let asked = asked.trim();
    let (hits, gone) = hits(snapshot, asked)?;
    let mut found = Vec::new();
    for (number, by) in hits {
        if let Some(entry) = snapshot.entry(number)? {
            found.push(tell(snapshot, &entry, by)?);
        }
    }
    let reason = if found.is_empty() { why_not(snapshot, asked, gone)? } else { String::new() };
    Ok(Explanation { asked: asked.to_owned(), found, reason })
}

/// The objects that are meant: number, connection, Graph's id. Also such that are not
/// served, where they are asked for by their id.
pub fn objects(snapshot: &Snapshot, asked: &str) -> Result<Vec<(Number, String, String)>, Error> {
    let asked = asked.trim();
    let mut objects = Vec::new();
    if let Ok(id) = asked.parse::<ObjectId>() {
        for (connection, state) in snapshot.connections() {
            if let Some(number) = snapshot.find(*connection, id)? {
                objects.push((number, state.name.clone(), id.to_string()));
            }
        }
        return Ok(objects);
    }
    for number in hits(snapshot, asked)?.0.into_keys() {
        let Some(entry) = snapshot.entry(number)? else { continue };
        let identity = entry.view().identity();
        if identity.kind.is_some() {
            let name = state(snapshot, identity.connection).map(|state| state.name.clone());
            objects.push((number, name.unwrap_or_default(), identity.object.to_string()));
        }
    }
    Ok(objects)
}

/// Entries that are meant, and by what; and an object that is no longer served.
fn hits(snapshot: &Snapshot, asked: &str) -> Result<(Hits, Option<Number>), Error> {
    let (mut hits, mut gone) = (Hits::new(), None);
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
    Ok((hits, gone))
}

fn by_values(snapshot: &Snapshot, asked: &str, hits: &mut Hits) -> Result<(), Error> {
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

fn state(snapshot: &Snapshot, connection: u16) -> Option<&ConnectionState> {
    snapshot.connections().iter().find(|(number, _)| *number == connection).map(|(_, s)| s)
}

fn tell(snapshot: &Snapshot, entry: &StoredEntry<'_>, by: Vec<String>) -> Result<Found, Error> {
    let view = entry.view();
    let identity = view.identity();
    let state = state(snapshot, identity.connection);
    let base = state.map_or_else(String::new, |state| state.base.clone());
    let mail = schema::standard().attribute(b"mail");
    let mail = mail.and_then(|mail| entry.values(mail.id).next());
    let search = match mail {
        Some(mail) => (base, format!("(proxyAddresses=smtp:{})", filter::escape(mail))),
        None => (view.dn().to_owned(), "(objectClass=*)".to_owned()),
    };
    let (scope, notes) = match state {
        Some(state) => (
            scope_of(snapshot, identity.connection, state, entry.number())?,
            notes(state, entry.number(), &identity.object.to_string()),
        ),
        None => (Vec::new(), Vec::new()),
    };
    Ok(Found {
        dn: view.dn().to_owned(),
        by,
        kind: identity.kind.map_or_else(|| "container".to_owned(), |kind| kind.to_string()),
        object: identity.object.to_string(),
        connection: state.map_or_else(String::new, |state| state.name.clone()),
        scope,
        notes,
        ldif: export::ldif(entry),
        changes: changes(snapshot, entry.number())?,
        search,
    })
}

fn notes(state: &ConnectionState, number: Number, object: &str) -> Vec<String> {
    let mut notes = Vec::new();
    if state.paused_objects.contains_key(object) {
        notes.push("paused: it keeps this state until `entraldap resume` of it".to_owned());
    }
    if let Some(held) = &state.held {
        notes.push(format!(
            "pass {} is held, this is the state before it: {}",
            held.pass,
            held.reasons.join("; ")
        ));
    }
    if state.disconnected {
        notes.push("the connection is disconnected: nothing changes any more".to_owned());
    } else if state.paused {
        notes.push("the connection is paused: nothing changes by itself".to_owned());
    }
    if state.local_groups.contains(&number) {
        notes.push("made by a rule of the configuration".to_owned());
    }
    if state.local_entries.contains(&number) {
        notes.push("from the file of local entries".to_owned());
    }
    notes
}

/// How the groups of the scope lead to an object: the shortest way from each.
fn scope_of(
    snapshot: &Snapshot,
    connection: u16,
    state: &ConnectionState,
    number: Number,
) -> Result<Vec<String>, Error> {
    let mut roots = BTreeMap::new();
    for (named, id) in &state.scope {
        let Ok(id) = id.parse::<ObjectId>() else { continue };
        if let Some(root) = snapshot.find(connection, id)? {
            roots.insert(root, named.clone());
        }
    }
    if roots.is_empty() {
        return Ok(Vec::new());
    }
    let (mut seen, mut ways) = (RoaringBitmap::new(), Vec::new());
    let mut open = vec![(number, String::new())];
    while !open.is_empty() {
        let mut next = Vec::new();
        for (number, way) in open {
            if let Some(named) = roots.get(&number) {
                ways.push(format!("{named}{way}"));
            }
            for group in snapshot.linked(Space::Groups, number)?.iter() {
                if seen.insert(group) && snapshot.source(group)?.is_some() {
                    let step = match roots.contains_key(&group) {
                        true => way.clone(),
                        false => format!(" > {}{way}", name_of(snapshot, group)?),
                    };
                    next.push((group, step));
                }
            }
        }
        open = next;
    }
    Ok(ways)
}

fn name_of(snapshot: &Snapshot, number: Number) -> Result<String, Error> {
    let source = snapshot.source(number)?;
    let name = source.as_ref().and_then(|object| object.properties.get("displayName"));
    Ok(name.and_then(Value::as_str).unwrap_or("a group").to_owned())
}

fn changes(snapshot: &Snapshot, number: Number) -> Result<Vec<Change>, Error> {
    Ok(snapshot.changes_of(number, CHANGES)?.into_iter().map(|(_, change)| change).collect())
}

fn why_not(snapshot: &Snapshot, asked: &str, gone: Option<Number>) -> Result<String, Error> {
    if let Some(reason) = left_out(snapshot, asked, gone)? {
        return Ok(reason);
    }
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
            Some(change) => {
                let name = if change.dn.is_empty() { asked } else { &change.dn };
                let why =
                    if change.why.is_empty() { String::new() } else { format!(": {}", change.why) };
                format!(
                    "the object was {name} and is no longer in the directory; its last change here was {:?} in pass {}{why}",
                    change.action, change.pass
                )
            }
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
    let mut reason =
        "not in the directory: no object that Graph told of has this address, name or id"
            .to_owned();
    for (_, state) in snapshot.connections().iter().filter(|(_, state)| state.configured) {
        if !state.scope.is_empty() {
            let groups: Vec<&str> = state.scope.keys().map(String::as_str).collect();
            reason.push_str(&format!(
                "; of {} only members of {} are copied",
                state.name,
                groups.join(", ")
            ));
        }
        if let Some(held) = &state.held {
            reason.push_str(&format!("; pass {} of {} is held", held.pass, state.name));
        }
    }
    Ok(reason)
}

/// Why an object that is known is not served.
fn left_out(
    snapshot: &Snapshot,
    asked: &str,
    gone: Option<Number>,
) -> Result<Option<String>, Error> {
    if let Some(number) = gone {
        let Some(why) = snapshot.left_out(number)? else { return Ok(None) };
        return Ok(Some(format!("not served: {why}")));
    }
    for (number, why) in snapshot.all_left_out()? {
        let Some(object) = snapshot.source(number)? else { continue };
        if has(&object, asked) {
            let name = object.properties.get("displayName").and_then(Value::as_str);
            return Ok(Some(format!(
                "not served: {why} ({} {}, {})",
                object.kind,
                name.unwrap_or("without name"),
                object.id
            )));
        }
    }
    Ok(None)
}

fn has(object: &SourceObject, asked: &str) -> bool {
    let folded = text::fold(asked);
    let is = |text: &str| {
        let bare = text.split_once(':').map_or(text, |(_, address)| address.trim());
        text::fold(text) == folded || text::fold(bare) == folded
    };
    PROPERTIES.iter().filter_map(|name| object.properties.get(*name)).any(|value| match value {
        Value::String(text) => is(text),
        Value::Array(list) => list.iter().filter_map(Value::as_str).any(is),
        _ => false,
    })
}
