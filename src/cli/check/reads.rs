//! One real request of each kind, and a few records for people to look at.

use super::step::{Outcome, Step};
use crate::config::settings::ConnectionSettings;
use crate::directory::kind::Kind;
use crate::graph::object::Item;
use crate::graph::{Graph, Position, TokenInfo};
use serde_json::{Map, Value};
use std::time::{Duration, Instant};

/// All of them.
pub(super) const NAMES: [&str; 5] = ["tenant", "users", "groups", "contacts", "domains"];
/// So many records are shown.
const SHOWN: usize = 3;

/// Takes them all.
pub(super) async fn all(
    graph: &Graph,
    settings: &ConnectionSettings,
    token: &TokenInfo,
) -> Vec<Step> {
    let [tenant, users, groups, contacts, domains] = NAMES;
    let mut steps = Vec::new();
    let started = Instant::now();
    let organization = graph.organization().await;
    // The name is for people only.
    steps.push(match organization {
        Ok(found) => Step::ok(tenant, started.elapsed(), organization_line(&found)),
        Err(error) if error.is_permission() => Step::ok(
            tenant,
            started.elapsed(),
            "its name may not be read (Organization.Read.All), which nothing needs",
        ),
        Err(error) => optional(Step::refused(tenant, started.elapsed(), &error)),
    });
    for (name, kind) in [(users, Kind::User), (groups, Kind::Group), (contacts, Kind::Contact)] {
        if kind == Kind::Contact && !settings.sync.contacts {
            steps.push(Step::ok(name, Duration::ZERO, "switched off (contacts = false)"));
            continue;
        }
        let started = Instant::now();
        let page = graph.page(&Position::start(kind)).await;
        let step = match page {
            Ok(page) => read(name, started.elapsed(), &page.items, token, settings),
            Err(error) => Step::refused(name, started.elapsed(), &error),
        };
        let required = settings.sync.requires(Some(kind));
        steps.push(if required { step } else { optional(step) });
    }
    let started = Instant::now();
    steps.push(match graph.domains().await {
        Ok(list) => Step::ok(domains, started.elapsed(), names(&list)),
        Err(error) => optional(Step::refused(domains, started.elapsed(), &error)),
    });
    steps
}

/// A part that is left out where it may not be read.
fn optional(step: Step) -> Step {
    if step.failed() { Step { outcome: Outcome::Warning, ..step } } else { step }
}

fn read(
    name: &'static str,
    took: Duration,
    items: &[Item],
    token: &TokenInfo,
    settings: &ConnectionSettings,
) -> Step {
    let live = || items.iter().filter(|item| item.removed.is_none());
    let count = live().count();
    let mut what = match count {
        0 => "none in the first page".to_owned(),
        1 => "1 in the first page".to_owned(),
        count => format!("{count} in the first page"),
    };
    let members: usize = items.iter().map(|item| item.members.len()).sum();
    if name == "groups" {
        what.push_str(&format!(", {members} members"));
    }
    for item in live().take(SHOWN) {
        what.push('\n');
        what.push_str(&line(&item.properties));
    }
    let step = Step::ok(name, took, what);
    // Graph sends no members of such groups, and no error, without the permission.
    let text =
        |item: &Item| item.properties.get("visibility").and_then(Value::as_str).map(str::to_owned);
    let hidden = live().filter(|item| text(item).as_deref() == Some("HiddenMembership"));
    let empty = hidden.filter(|item| item.members.is_empty()).count();
    let may = token.permissions.iter().flatten().any(|name| name == "Member.Read.Hidden");
    if empty > 0 && !may && settings.sync.hidden_members {
        return step.but(
            Outcome::Warning,
            format!("{empty} groups hide their members, and none of them came"),
            "grant Member.Read.Hidden as well, or leave hidden_members = false",
        );
    }
    step
}

fn text<'a>(properties: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    properties.get(name).and_then(Value::as_str)
}

fn line(properties: &Map<String, Value>) -> String {
    let name = text(properties, "displayName").unwrap_or("(no name)");
    let address = text(properties, "mail").or_else(|| text(properties, "userPrincipalName"));
    format!("{name} <{}>", address.unwrap_or("no mail address"))
}

fn organization_line(found: &Map<String, Value>) -> String {
    let name = text(found, "displayName").unwrap_or("(no name)");
    format!("{name} ({})", text(found, "id").unwrap_or("no id"))
}

fn names(list: &[Map<String, Value>]) -> String {
    let verified =
        |domain: &&Map<String, Value>| domain.get("isVerified") != Some(&Value::Bool(false));
    let names: Vec<&str> =
        list.iter().filter(verified).filter_map(|domain| text(domain, "id")).collect();
    let more = if names.len() > 8 { " ..." } else { "" };
    format!("{}{more}", names.iter().take(8).copied().collect::<Vec<_>>().join(" "))
}
