//! `[[connection]]`: a tenant and where it is served.

use super::distinct::Distinct;
use super::reader::{Place, Table};
use super::settings::ConnectionSettings;
use super::user_binds::{self, Wish};
use super::value::{Trouble, Value};
use super::{
    Environment, credential, graph, guard, include, local, mapping, rule, scope, sync, tree,
};
use crate::directory::dn::{Dn, DnKey};
use crate::directory::ids::ObjectId;
use std::str::FromStr;

/// Reads all connections of the file, and the profiles that they name.
pub(super) fn read(
    table: &Table<'_>,
    environment: &Environment,
) -> (Vec<ConnectionSettings>, Vec<Wish>) {
    let mut seen = Seen { names: Distinct::new("name"), bases: Vec::new(), wishes: Vec::new() };
    let connections =
        table.sections("connection", |connection| one(connection, environment, &mut seen));
    if connections.is_empty() && !table.has("connection") {
        table.missing(
            "connection",
            "add [[connection]] with name, base, tenant, client_id, client_secret",
        );
    }
    (connections.into_iter().flatten().collect(), seen.wishes)
}

/// What the connections so far have taken.
struct Seen {
    names: Distinct,
    bases: Vec<(DnKey, Place)>,
    wishes: Vec<Wish>,
}

fn one(
    table: &Table<'_>,
    environment: &Environment,
    seen: &mut Seen,
) -> Option<ConnectionSettings> {
    let name = table.required("name", "write for example name = \"contoso\"", name);
    let base = table.required("base", "write for example base = \"dc=contoso,dc=com\"", base);
    let remedy = "write the tenant's id or one of its domains";
    let tenant = table.required("tenant", remedy, tenant);
    let remedy = "write the application (client) id of the app registration";
    let client_id = match table.has("managed_identity") {
        true => table.optional("client_id", client_id).or_else(|| Some(String::new())),
        false => table.required("client_id", remedy, client_id),
    };
    let credential = credential::read(table, environment);
    let graph = table.section("graph", graph::read);
    let (sync, include) = table.section("sync", |table| (sync::read(table), include::read(table)));
    let tree = table.section("tree", tree::read);
    let mapping = table.section("mapping", |table| mapping::read(table, &tree));
    let scope = table.section("scope", scope::read);
    let rules = rule::read(table);
    let guard = table.section("guard", guard::read);
    let read_local = |table: &Table<'_>| local::read(table, base.as_ref(), &tree);
    let local = table.section_if_present("local", read_local).flatten();
    let whose = (name.as_deref(), client_id.as_deref());
    let cloud = graph.as_ref().map(|graph| &graph.endpoint);
    let read_user_binds =
        |table: &Table<'_>| user_binds::read(table, environment, whose, cloud, &mut seen.wishes);
    let user_binds = table.section_if_present("user_binds", read_user_binds).flatten();

    if let Some(name) = &name {
        seen.names.check(table.report, table.place("name"), name);
    }
    if let Some(base) = &base {
        check_disjoint(table, base, &mut seen.bases);
    }
    Some(ConnectionSettings {
        name: name?,
        base: base?,
        tenant: tenant?,
        client_id: client_id?,
        credential: credential?,
        graph: graph?,
        sync,
        mapping,
        include,
        scope,
        rules,
        guard,
        local,
        user_binds,
        tree,
    })
}

/// Two tenants below one base could claim one name.
fn check_disjoint(table: &Table<'_>, base: &Dn, bases: &mut Vec<(DnKey, Place)>) {
    let key = base.key();
    let place = table.place("base");
    let overlapping = bases.iter().find(|(other, _)| key.is_within(other) || other.is_within(&key));
    if let Some((other, first)) = overlapping {
        let how = if *other == key {
            "is the same as"
        } else if key.is_within(other) {
            "lies within"
        } else {
            "encloses"
        };
        let line = table.report.line(first);
        let message = format!("\"{base}\" {how} the base in line {line}");
        let remedy = "give each connection a base of its own, none within another";
        table.report.problem(&place, Trouble::new(message, remedy));
    }
    bases.push((key, place));
}

/// A name that fits into commands, file names and metric labels.
fn name(value: &Value<'_>) -> Result<String, Trouble> {
    let text = value.text()?;
    if text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')) {
        return Ok(text.to_owned());
    }
    let message = format!("{text:?} does not fit into commands and reports");
    Err(Trouble::new(message, "use letters, digits, '-', '_' and '.'"))
}

fn base(value: &Value<'_>) -> Result<Dn, Trouble> {
    let text = value.text()?;
    let example = "write for example \"dc=contoso,dc=com\"";
    match Dn::parse(text) {
        Ok(dn) if !dn.is_root() => Ok(dn),
        Ok(_) => Err(Trouble::new("is the root of the tree", example)),
        Err(error) => Err(Trouble::new(format!("{text:?} is not a DN ({error})"), example)),
    }
}

fn tenant(value: &Value<'_>) -> Result<String, Trouble> {
    let text = value.text()?;
    let fits = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'));
    // `common` and the like sign people in; an application has a tenant.
    let no_tenant = ["common", "organizations", "consumers"];
    if fits && !no_tenant.contains(&text.to_ascii_lowercase().as_str()) {
        return Ok(text.to_owned());
    }
    let remedy = "write the tenant's id, or a domain such as \"contoso.onmicrosoft.com\"";
    Err(Trouble::new(format!("{text:?} is not a tenant"), remedy))
}

pub(super) fn client_id(value: &Value<'_>) -> Result<String, Trouble> {
    let text = value.text()?;
    if ObjectId::from_str(text).is_ok() {
        return Ok(text.to_owned());
    }
    // A client secret in the wrong line must not be repeated.
    let remedy = "copy the application (client) id from the app registration's overview";
    Err(Trouble::new("is not an id such as 00000000-0000-0000-0000-000000000000", remedy))
}
