//! What the tenant holds against what the replica serves, told apart by an
//! independent reading of the same facts.

use entraldap::directory::entry::Values;
use entraldap::directory::schema;
use entraldap::replica::{Snapshot, StoredEntry};
use entraldap::simulator::{Kind, Tenant};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

pub fn texts(entry: &StoredEntry<'_>, attribute: &str) -> BTreeSet<String> {
    let id = schema::standard().attribute(attribute.as_bytes()).unwrap().id;
    entry.values(id).map(|value| String::from_utf8_lossy(value).into_owned()).collect()
}

/// Object id to DN of every entry with a Graph id.
pub fn by_id(snapshot: &Snapshot) -> BTreeMap<String, (String, u32)> {
    let mut found = BTreeMap::new();
    for number in snapshot.all().unwrap().iter() {
        let entry = snapshot.entry(number).unwrap().unwrap();
        let id = texts(&entry, "entryUUID").into_iter().next();
        let kind = entry.view().identity().kind;
        if let (Some(id), Some(kind)) = (id, kind)
            && kind != entraldap::directory::kind::Kind::Domain
        {
            found.insert(id, (entry.view().dn().to_owned(), number));
        }
    }
    found
}

fn strings(object: &Map<String, Value>, property: &str) -> BTreeSet<String> {
    match object.get(property) {
        Some(Value::Array(list)) => {
            list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        Some(Value::String(text)) => BTreeSet::from([text.clone()]),
        _ => BTreeSet::new(),
    }
}

fn primary(object: &Map<String, Value>) -> BTreeSet<String> {
    let proxies = strings(object, "proxyAddresses");
    let primary = proxies.iter().find_map(|p| p.strip_prefix("SMTP:")).map(|p| p.trim().to_owned());
    primary.map_or_else(|| strings(object, "mail"), |p| BTreeSet::from([p]))
}

/// `tells_hidden`: whether members of groups with hidden membership are to be served.
pub fn differences(tenant: &Tenant, snapshot: &Snapshot, tells_hidden: bool) -> Vec<String> {
    let mut out = Vec::new();
    let served = by_id(snapshot);
    let mut expected = BTreeSet::new();
    let name = |id: &str| served.get(id).map(|(dn, _)| dn.clone());
    for kind in [Kind::User, Kind::Group, Kind::Contact] {
        for id in tenant.live(kind) {
            expected.insert(id.to_owned());
            let Some((dn, number)) = served.get(id) else {
                out.push(format!("{kind:?} {id} is not served"));
                continue;
            };
            let entry = snapshot.entry(*number).unwrap().unwrap();
            let object = tenant.object(id).unwrap();
            let mut check = |what: &str, found: BTreeSet<String>, wanted: BTreeSet<String>| {
                if found != wanted {
                    out.push(format!("{dn} {what}: {found:?}, tenant has {wanted:?}"));
                }
            };
            let trimmed = |set: BTreeSet<String>| -> BTreeSet<String> {
                set.into_iter()
                    .map(|text| text.trim().to_owned())
                    .filter(|text| !text.is_empty())
                    .collect()
            };
            // Some tenants write `SMTP: a@b`: the space is no part of the address.
            let proxies =
                strings(&object, "proxyAddresses").into_iter().map(|p| match p.split_once(':') {
                    Some((kind, address)) => format!("{kind}:{}", address.trim()),
                    None => p,
                });
            check("proxyAddresses", texts(&entry, "proxyAddresses"), proxies.collect());
            check("mail", texts(&entry, "mail"), primary(&object));
            check(
                "displayName",
                trimmed(texts(&entry, "displayName")),
                trimmed(strings(&object, "displayName")),
            );
            let hidden = |group: &str| {
                !tells_hidden
                    && tenant.object(group).is_some_and(|g| {
                        g.get("visibility").and_then(Value::as_str) == Some("HiddenMembership")
                    })
            };
            let groups = tenant
                .member_of(id)
                .into_iter()
                .filter(|g| tenant.state(g).is_some_and(|_| tenant.object(g).is_some()));
            let groups = groups.filter(|g| !hidden(g)).filter_map(name).collect();
            check("memberOf", texts(&entry, "memberOf"), groups);
            match kind {
                Kind::User => {
                    let department = trimmed(strings(&object, "department"));
                    check("department", trimmed(texts(&entry, "department")), department);
                    check(
                        "userPrincipalName",
                        texts(&entry, "userPrincipalName"),
                        strings(&object, "userPrincipalName"),
                    );
                    let enabled =
                        object.get("accountEnabled").and_then(Value::as_bool) != Some(false);
                    let control = if enabled { "512" } else { "514" };
                    check(
                        "userAccountControl",
                        texts(&entry, "userAccountControl"),
                        BTreeSet::from([control.to_owned()]),
                    );
                    let manager =
                        tenant.manager(id).filter(|m| tenant.object(m).is_some()).and_then(name);
                    check("manager", texts(&entry, "manager"), manager.into_iter().collect());
                }
                Kind::Group => {
                    let members = tenant
                        .members(id)
                        .into_iter()
                        .filter(|_| !hidden(id))
                        .filter(|m| tenant.object(m).is_some());
                    check("member", texts(&entry, "member"), members.filter_map(name).collect());
                }
                _ => {}
            }
        }
    }
    for (id, (dn, _)) in &served {
        if !expected.contains(id) {
            out.push(format!("{dn} ({id}) is served but not in the tenant"));
        }
    }
    let names: BTreeSet<_> = served.values().map(|(dn, _)| dn.to_lowercase()).collect();
    if names.len() != served.len() {
        out.push("two entries have one name".to_owned());
    }
    out
}
