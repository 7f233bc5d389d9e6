//! The plain collections and single objects: `/users`, `/groups`, `/contacts`, `/directory/deletedItems`, members.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::call::{Call, Outcome, Reply};
use super::cursor::{open_place, seal_place};
use super::desk::{Desk, lock};
use super::errors::Refusal;
use super::filter::Filter;
use super::object::{Kind, Object, Slot, State};
use super::query::{self, Params};
use super::render::is_hidden;
use super::schema::{self, Property};
use super::tenant::{Tenant, properties};

const READ_USERS: &[&str] =
    &["User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"];
const READ_CONTACTS: &[&str] =
    &["OrgContact.Read.All", "Directory.Read.All", "Directory.ReadWrite.All"];

/// All objects of a kind, or their number.
pub(super) fn collection(desk: &Desk, call: &Call, kind: Kind) -> Outcome {
    let tenant = lock(&desk.tenant);
    let live = |slot: &Slot| tenant.is_live(*slot);
    listing(desk, call, &tenant, kind, tenant.walk(kind), &live)
}

/// The recycle bin, of one kind.
pub(super) fn deleted_items(desk: &Desk, call: &Call, cast: &str) -> Outcome {
    let kind = match cast {
        "microsoft.graph.user" => Kind::User,
        "microsoft.graph.group" => Kind::Group,
        _ => {
            return Err(Refusal::bad_request(
                "A cast segment is needed: microsoft.graph.user or microsoft.graph.group.",
            ));
        }
    };
    let tenant = lock(&desk.tenant);
    let bin: Vec<Slot> = tenant.bin.iter().copied().collect();
    let of_kind = |slot: &Slot| tenant.get(*slot).is_some_and(|object| object.kind == kind);
    listing(desk, call, &tenant, kind, &bin, &of_kind)
}

/// The number of live objects, as text; an advanced query.
pub(super) fn count(desk: &Desk, call: &Call, kind: Kind) -> Outcome {
    if !call.eventual() {
        return Err(Refusal::bad_request("$count is not currently supported."));
    }
    let tenant = lock(&desk.tenant);
    Ok(Reply::Text(tenant.live(kind).count().to_string()))
}

/// One object by id, users also by user principal name.
pub(super) fn single(desk: &Desk, call: &Call, kind: Kind, key: &str) -> Outcome {
    let tenant = lock(&desk.tenant);
    let object = live_object(&tenant, kind, key)?;
    let names = chosen(kind, &call.params())?;
    let mut body = trimmed(object, &names);
    body.insert("@odata.context".to_owned(), context(call, &format!("{}/$entity", kind.segment())));
    if let Some(expand) = call.params().get("expand") {
        if kind != Kind::User || expand.split('(').next() != Some("manager") {
            let text = format!("Parsing OData Select and Expand failed: could not find {expand}.");
            return Err(Refusal::bad_request(&text));
        }
        let manager = tenant.manager(key).filter(|manager| tenant.object(manager).is_some());
        if let Some(manager) = manager {
            let manager = json!({"@odata.type": "#microsoft.graph.user", "id": manager});
            body.insert("manager".to_owned(), manager);
        }
    }
    Ok(Reply::Json(body.into()))
}

/// The members of a group, direct or nested.
pub(super) fn members(
    desk: &Desk,
    call: &Call,
    key: &str,
    nested: bool,
    number_only: bool,
) -> Outcome {
    let tenant = lock(&desk.tenant);
    let group = live_object(&tenant, Kind::Group, key)?;
    let hidden = desk.knobs().serve_hidden || desk.granted(call, &["Member.Read.Hidden"]);
    let all = if is_hidden(group) && !hidden {
        Vec::new()
    } else if nested {
        transitive(&tenant, group)
    } else {
        group.members.clone()
    };
    // The members list of v1.0 leaves service principals out.
    let shown = |slot: &Slot| {
        tenant.get(*slot).is_some_and(|object| {
            object.state == State::Live
                && !matches!(object.kind, Kind::ServicePrincipal | Kind::Unknown)
        })
    };
    if number_only {
        return match call.eventual() {
            true => Ok(Reply::Text(all.iter().filter(|slot| shown(slot)).count().to_string())),
            false => Err(Refusal::bad_request("$count is not currently supported.")),
        };
    }
    let params = call.params();
    let (page, next) = cut(&params, &all, shown)?;
    let selected = params.select();
    let readable = |kind| match kind {
        Kind::User => desk.granted(call, READ_USERS),
        Kind::Contact => desk.granted(call, READ_CONTACTS),
        _ => true,
    };
    let items = page.into_iter().filter_map(|slot| tenant.get(slot)).map(|object| {
        let names: Vec<String> = match &selected {
            Some(names) => names.iter().chain([&"id".to_owned()]).cloned().collect(),
            None => schema::defaults(object.kind).iter().map(|name| (*name).to_owned()).collect(),
        };
        let mut item = trimmed(object, &names);
        if !readable(object.kind) {
            // A type the application may not read is told by id only, without an error.
            item.iter_mut()
                .filter(|(name, _)| *name != "id")
                .for_each(|(_, value)| *value = Value::Null);
        }
        item.insert("@odata.type".to_owned(), object.kind.odata_type().into());
        Value::from(item)
    });
    let mut body = Map::new();
    body.insert("@odata.context".to_owned(), context(call, "directoryObjects"));
    body.insert("value".to_owned(), items.collect());
    if params.get("count") == Some("true") && call.eventual() && !params.has("skiptoken") {
        body.insert(
            "@odata.count".to_owned(),
            all.iter().filter(|slot| shown(slot)).count().into(),
        );
    }
    link(desk, call, &params, next, &mut body);
    Ok(Reply::Json(body.into()))
}

fn listing(
    desk: &Desk,
    call: &Call,
    tenant: &Tenant,
    kind: Kind,
    slots: &[Slot],
    shown: &dyn Fn(&Slot) -> bool,
) -> Outcome {
    let params = call.params();
    let names = chosen(kind, &params)?;
    let filter = Filter::read(&params, call.eventual())?;
    let accepted = |slot: &Slot| {
        shown(slot)
            && (filter == Filter::All
                || tenant.get(*slot).is_some_and(|object| filter.accepts(&properties(object))))
    };
    let (page, next) = cut(&params, slots, accepted)?;
    let items = page.into_iter().filter_map(|slot| tenant.get(slot)).map(|object| {
        let mut item = trimmed(object, &names);
        if object.state == State::Deleted && item.contains_key("securityEnabled") {
            // The recycle bin reports every group as not security enabled.
            item.insert("securityEnabled".to_owned(), false.into());
        }
        Value::from(item)
    });
    let mut body = Map::new();
    body.insert("@odata.context".to_owned(), context(call, kind.segment()));
    body.insert("value".to_owned(), items.collect());
    if params.get("count") == Some("true") && call.eventual() && !params.has("skiptoken") {
        body.insert(
            "@odata.count".to_owned(),
            slots.iter().filter(|slot| accepted(slot)).count().into(),
        );
    }
    link(desk, call, &params, next, &mut body);
    Ok(Reply::Json(body.into()))
}

/// One page of a list from the place its token names, and the place of the next.
fn cut(
    params: &Params,
    slots: &[Slot],
    accepted: impl Fn(&Slot) -> bool,
) -> Result<(Vec<Slot>, Option<usize>), Refusal> {
    let top = params.top()?;
    let start = match params.get("skiptoken") {
        Some(token) => {
            open_place(token).ok_or_else(|| Refusal::bad_request("Invalid page token."))?
        }
        None => 0,
    };
    let mut rest = slots.iter().enumerate().skip(start).filter(|(_, slot)| accepted(slot));
    let page = rest.by_ref().take(top).map(|(_, slot)| *slot).collect();
    Ok((page, rest.next().map(|(place, _)| place)))
}

fn link(
    desk: &Desk,
    call: &Call,
    params: &Params,
    next: Option<usize>,
    body: &mut Map<String, Value>,
) {
    if let Some(place) = next {
        let kept = params.without("skiptoken");
        let separator = if kept.is_empty() { "" } else { "&" };
        let token = seal_place(place, desk.nonce());
        let url = format!("{}{}?{kept}{separator}$skiptoken={token}", call.root, call.path);
        body.insert("@odata.nextLink".to_owned(), url.into());
    }
}

fn live_object<'a>(tenant: &'a Tenant, kind: Kind, key: &str) -> Result<&'a Object, Refusal> {
    let slot = if kind == Kind::User { tenant.find(key) } else { tenant.slot(key) };
    slot.and_then(|slot| tenant.get(slot))
        .filter(|object| object.kind == kind && object.state == State::Live)
        .ok_or_else(|| Refusal::not_found(key))
}

/// The names of `$select`, or the default set. Lists may select outside the store.
fn chosen(kind: Kind, params: &Params) -> Result<Vec<String>, Refusal> {
    let Some(mut names) = params.select() else {
        return Ok(schema::defaults(kind).iter().map(|name| (*name).to_owned()).collect());
    };
    if let Some(name) = names.iter().find(|name| schema::property(kind, name) == Property::Missing)
    {
        return Err(query::missing(kind, name));
    }
    names.push("id".to_owned());
    Ok(names)
}

/// The named properties; plain reads show what is not set as null.
fn trimmed(object: &Object, names: &[String]) -> Map<String, Value> {
    let mut all = properties(object);
    names
        .iter()
        .map(|name| (name.clone(), all.remove(name).unwrap_or(Value::Null)))
        .filter(|(name, value)| name != "id" || !value.is_null())
        .collect()
}

/// Everything reachable, each once, groups included; cycles end.
fn transitive(tenant: &Tenant, group: &Object) -> Vec<Slot> {
    let mut seen: HashSet<Slot> = tenant.slot(&group.id).into_iter().collect();
    let mut queue = group.members.clone();
    let mut found = Vec::new();
    while let Some(slot) = queue.pop() {
        let Some(object) = tenant.get(slot).filter(|object| object.state == State::Live) else {
            continue;
        };
        if seen.insert(slot) {
            found.push(slot);
            queue.extend(&object.members);
        }
    }
    found.sort_unstable();
    found
}

fn context(call: &Call, name: &str) -> Value {
    json!(format!("{}/v1.0/$metadata#{name}", call.root))
}
