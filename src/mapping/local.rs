//! Entries of our own: what follows from what their file says; and addresses that another
//! entry keeps. Pure: no I/O, no clock.

use super::draft::Draft;
use super::{Mapping, moment, structure};
use crate::directory::entry::{Entry, Values};
use crate::directory::ids::ObjectId;
use crate::directory::schema;
use std::collections::HashSet;

/// A local entry, and what was decided about it.
#[derive(Debug, Clone, Copy)]
pub struct Local<'a> {
    /// What the file says.
    pub entry: &'a Entry,
    /// An id that stands for its name.
    pub id: ObjectId,
    /// DNs of the members that are served.
    pub members: &'a [&'a str],
    /// DNs of the groups that it is a member of.
    pub member_of: &'a [&'a str],
    /// Number of the change that made the entry.
    pub created: u64,
    /// Number of the entry's latest change.
    pub changed: u64,
    /// Time of that change, in seconds since 1970.
    pub changed_at: i64,
}

/// The attributes that addresses stand in; with a prefix in the last.
const ADDRESSES: [&str; 4] = ["mail", "mailLocalAddress", "mailAlternateAddress", "proxyAddresses"];

/// The mail addresses of an entry, folded, each once.
pub fn addresses(entry: &impl Values) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for name in ADDRESSES {
        let Some(attribute) = schema::standard().attribute(name.as_bytes()) else { continue };
        for value in entry.values(attribute.id) {
            if let Some(address) = bare(name, value)
                && !found.contains(&address)
            {
                found.push(address);
            }
        }
    }
    found
}

fn bare(name: &str, value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?;
    let address = match name {
        "proxyAddresses" => {
            let (prefix, address) = text.split_once(':')?;
            prefix.eq_ignore_ascii_case("smtp").then(|| address.trim())?
        }
        _ => text.trim(),
    };
    (!address.is_empty()).then(|| address.to_lowercase())
}

/// Takes addresses away that another entry keeps. Gives those that it had. Where the
/// primary one goes, the next becomes it.
pub fn without(entry: &mut Entry, kept_elsewhere: &HashSet<String>) -> Vec<String> {
    let lost: Vec<String> =
        addresses(entry).into_iter().filter(|address| kept_elsewhere.contains(address)).collect();
    if lost.is_empty() {
        return lost;
    }
    for name in ADDRESSES {
        let Some(attribute) = schema::standard().attribute(name.as_bytes()) else { continue };
        let stays = |value: &&[u8]| bare(name, value).is_none_or(|a| !kept_elsewhere.contains(&a));
        let values = entry.values(attribute.id).filter(stays).map(<[u8]>::to_vec).collect();
        entry.set(attribute.id, values);
    }
    let id = |name: &str| schema::standard().attribute(name.as_bytes()).map(|found| found.id);
    if let (Some(mail), Some(all)) = (id("mail"), id("mailLocalAddress"))
        && entry.values(mail).next().is_none()
    {
        let next: Vec<Vec<u8>> = entry.values(all).take(1).map(<[u8]>::to_vec).collect();
        entry.set(mail, next);
    }
    lost
}

impl Mapping {
    /// The entry that is served. An address that the file gives in one attribute is found
    /// by the others, too.
    pub fn local(&self, local: &Local<'_>) -> Entry {
        let entry = local.entry;
        let mut draft = Draft::of(entry.clone());
        let addresses = addresses(entry);
        let mut texts = addresses.iter();
        if let Some(primary) = draft.first("mail").or_else(|| texts.next().cloned()) {
            draft.text("mail", Some(&primary));
            if !draft.has("proxyAddresses") {
                draft.add("proxyAddresses", format!("SMTP:{primary}"));
                let others = addresses.iter().filter(|a| **a != primary.to_lowercase());
                draft.texts("proxyAddresses", others.map(|a| format!("smtp:{a}")));
            }
            if !draft.has("mailLocalAddress") {
                draft.text("mailLocalAddress", Some(&primary));
                let others = addresses.iter().filter(|a| **a != primary.to_lowercase());
                draft.texts("mailLocalAddress", others);
            }
        }
        let is_group = is_group(entry);
        if !draft.has("objectCategory") {
            let category = if is_group { "Group" } else { "Person" };
            draft.add("objectCategory", structure::category(&self.base, category));
        }
        let dn = entry.dn.to_string();
        draft.name_from("cn");
        draft.add("distinguishedName", dn.as_str());
        draft.add("entryDN", dn);
        draft.add("objectGUID", local.id.guid_octets());
        draft.add("entryUUID", local.id.to_string());
        draft.put("memberOf", local.member_of);
        draft.put("member", local.members);
        draft.add("uSNCreated", local.created.to_string());
        draft.add("uSNChanged", local.changed.to_string());
        if let Some(changed) = moment::from_unix(local.changed_at) {
            draft.add("whenChanged", moment::ad_time(changed));
            draft.add("modifyTimestamp", moment::ldap_time(changed));
        }
        draft.entry()
    }
}

/// Whether an entry is a group, by its classes.
pub fn is_group(entry: &Entry) -> bool {
    let class = schema::standard().attribute(b"objectClass").map(|found| found.id);
    let is = |value: &[u8]| {
        [&b"group"[..], b"groupOfNames", b"groupOfUniqueNames", b"posixGroup"]
            .iter()
            .any(|name| value.eq_ignore_ascii_case(name))
    };
    class.is_some_and(|class| entry.values(class).any(is))
}
