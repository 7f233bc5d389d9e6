//! `[[connection.rule]]`: who is served, and in which groups of our own.

use super::reader::Table;
use super::value::{Trouble, Value};
use crate::directory::filter::Filter;
use crate::directory::predicate::{Predicate, RULE_IN_CHAIN};
use crate::directory::schema;

/// A rule over mapped entries of users, groups and contacts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSettings {
    /// Why it is there; shown by `explain`.
    pub text: String,
    /// The filter as written.
    pub filter: String,
    /// Which entries it concerns.
    pub predicate: Predicate,
    /// What happens to them.
    pub action: RuleAction,
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleAction {
    /// The entry is served; no later rule can leave it out.
    Include,
    /// The entry is not served; no later rule looks at it.
    Exclude,
    /// The entry becomes a member of the local group with this name; the rules go on.
    Group(String),
}

/// Reads all rules of a connection, in their order.
pub(super) fn read(table: &Table<'_>) -> Vec<RuleSettings> {
    table.sections("rule", one).into_iter().flatten().collect()
}

fn one(table: &Table<'_>) -> Option<RuleSettings> {
    let example = "write for example filter = \"(department=Sales)\"";
    let filter = table.required("filter", example, filter);
    let action = table.required(
        "action",
        "write \"include\", \"exclude\", or \"group\" together with group = \"name\"",
        |value| {
            value.word(&[
                ("include", Word::Include),
                ("exclude", Word::Exclude),
                ("group", Word::Group),
            ])
        },
    );
    let text = table.optional("text", |value| value.string());
    let group = table.optional("group", group_name);
    let action = match action? {
        Word::Group if !table.has("group") => {
            table.missing("group", "write group = \"name of the group\"");
            return None;
        }
        Word::Group => RuleAction::Group(group?),
        word => {
            if table.has("group") {
                let trouble = Trouble::new("has no meaning here", "write action = \"group\"");
                table.report.problem(&table.place("group"), trouble);
            }
            if word == Word::Include { RuleAction::Include } else { RuleAction::Exclude }
        }
    };
    let (filter, predicate) = filter?;
    Some(RuleSettings { text: text.unwrap_or_default(), filter, predicate, action })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Include,
    Exclude,
    Group,
}

fn group_name(value: &Value<'_>) -> Result<String, Trouble> {
    let name = value.text()?.trim();
    if name.len() > 128 {
        return Err(Trouble::new("is longer than 128 octets", "choose a shorter name"));
    }
    Ok(name.to_owned())
}

fn filter(value: &Value<'_>) -> Result<(String, Predicate), Trouble> {
    let text = value.text()?;
    let example = "write an LDAP filter (RFC 4515) such as \"(department=Sales)\"";
    let filter = Filter::parse(text)
        .map_err(|error| Trouble::new(format!("{text:?} is not a filter: {error}"), example))?;
    if let Some(name) = named(&filter, &|name| schema::standard().attribute(name).is_none()) {
        let message = format!("{text:?} tests {name:?}, which is not an attribute");
        return Err(Trouble::new(message, "write a name that the schema (cn=Subschema) lists"));
    }
    if let Some(name) = named(&filter, &depends_on_others) {
        let message = format!("{text:?} tests {name:?}, which depends on other entries");
        return Err(Trouble::new(message, "test memberOf, or what the object itself has"));
    }
    let predicate = Predicate::bind(&filter, schema::standard(), &|_| true);
    if let Some(what) = out_of_place(&predicate) {
        let message = format!("{text:?} tests {what}, which a rule cannot");
        let remedy = format!("follow memberOf upwards: (memberOf:{RULE_IN_CHAIN}:=DN)");
        return Err(Trouble::new(message, remedy));
    }
    Ok((text.to_owned(), predicate))
}

/// The first attribute name in the filter that is `wanted`. A test of what nobody has
/// would never be true, or, negated, always.
fn named(filter: &Filter<'_>, wanted: &dyn Fn(&[u8]) -> bool) -> Option<String> {
    let name = match filter {
        Filter::And(list) | Filter::Or(list) => {
            return list.iter().find_map(|inner| named(inner, wanted));
        }
        Filter::Not(inner) => return named(inner, wanted),
        Filter::Present(name)
        | Filter::Equality(name, _)
        | Filter::Approx(name, _)
        | Filter::GreaterOrEqual(name, _)
        | Filter::LessOrEqual(name, _)
        | Filter::Substrings(name, _) => name,
        Filter::Extensible(extensible) => extensible.attribute.as_ref()?,
    };
    wanted(name).then(|| String::from_utf8_lossy(name).into_owned())
}

/// Rules are asked before these are known.
fn depends_on_others(name: &[u8]) -> bool {
    let found = schema::standard().attribute(name);
    found.is_some_and(|found| matches!(found.name, "member" | "manager" | "directReports"))
}

/// What is followed through entries that are not derived yet when the rule is asked.
fn out_of_place(predicate: &Predicate) -> Option<String> {
    let name = |id| schema::standard().get(id).map(|attribute| attribute.name);
    match predicate {
        Predicate::And(list) | Predicate::Or(list) => list.iter().find_map(out_of_place),
        Predicate::Not(inner) => out_of_place(inner),
        Predicate::InChain(id, _) if name(*id) != Some("memberOf") => {
            Some(format!("{} in chain", name(*id).unwrap_or("an attribute")))
        }
        _ => None,
    }
}
