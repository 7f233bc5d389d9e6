//! Who is served: the switches and the rules of the configuration. Pure: no I/O, no clock.

use crate::config::settings::{ConnectionSettings, IncludeSettings, RuleAction, RuleSettings};
use crate::directory::attribute::AttributeId;
use crate::directory::entry::Entry;
use crate::directory::kind::Kind;
use crate::directory::predicate::Predicate;
use crate::directory::schema;
use crate::mapping::Properties;
use serde_json::Value;

/// What the configuration says of who is served.
pub struct Judge<'a> {
    include: &'a IncludeSettings,
    rules: &'a [RuleSettings],
    /// Whether a rule tests `memberOf`.
    pub asks_groups: bool,
    /// Whether one follows it over any number of steps.
    pub asks_chains: bool,
}

/// What is to become of an object.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// Why it is not served; `None` where it is.
    pub left_out: Option<String>,
    /// Local groups that it is put into.
    pub groups: Vec<String>,
}

impl<'a> Judge<'a> {
    /// The judge of a connection.
    pub fn new(settings: &'a ConnectionSettings) -> Self {
        let rules = settings.rules.as_slice();
        let member_of = schema::standard().attribute(b"memberOf").map(|found| found.id);
        let asks = |chains| {
            rules.iter().any(|rule| member_of.is_some_and(|id| tests(&rule.predicate, id, chains)))
        };
        let (asks_groups, asks_chains) = (asks(false), asks(true));
        Judge { include: &settings.include, rules, asks_groups, asks_chains }
    }

    /// Whether entries have to be mapped to be judged.
    pub fn has_rules(&self) -> bool {
        !self.rules.is_empty()
    }

    /// All properties that decide who is served; `None` where rules may test any.
    pub fn properties(&self) -> Option<&'static [&'static str]> {
        const SWITCHES: &[&str] = &[
            "accountEnabled",
            "assignedLicenses",
            "groupTypes",
            "id",
            "mail",
            "mailEnabled",
            "securityEnabled",
            "userType",
            "proxyAddresses",
        ];
        if self.has_rules() {
            return None;
        }
        let primary = !self.include.without_mail || !self.include.domains.is_empty();
        if primary { Some(SWITCHES) } else { SWITCHES.split_last().map(|(_, others)| others) }
    }

    /// The local groups that rules name, each once.
    pub fn groups(&self) -> Vec<&'a str> {
        let mut names: Vec<&str> = Vec::new();
        for rule in self.rules {
            if let RuleAction::Group(name) = &rule.action
                && !names.iter().any(|known| known.to_lowercase() == name.to_lowercase())
            {
                names.push(name);
            }
        }
        names
    }

    /// A text of everything that decides verdicts.
    pub fn fingerprint(&self) -> String {
        let rules: Vec<_> = self.rules.iter().map(|rule| (&rule.filter, &rule.action)).collect();
        format!("{:?}\n{rules:?}", self.include)
    }

    /// The first switch that leaves the object out.
    pub fn switched_off(&self, kind: Kind, properties: &Properties) -> Option<String> {
        let include = self.include;
        let switch = match kind {
            Kind::User => user_switch(include, properties),
            Kind::Group => group_switch(include, properties),
            Kind::Contact | Kind::Domain => None,
        };
        switch.map(|switch| format!("{switch} = false")).or_else(|| self.foreign(kind, properties))
    }

    fn foreign(&self, kind: Kind, properties: &Properties) -> Option<String> {
        let domains = &self.include.domains;
        if domains.is_empty() {
            return None;
        }
        let text = |name: &str| properties.get(name).and_then(Value::as_str);
        let domain = match kind {
            Kind::Domain => text("id")?,
            _ => primary(properties)?.rsplit_once('@')?.1,
        };
        let domain = domain.to_lowercase();
        (!domains.contains(&domain)).then(|| format!("{domain} is not among domains"))
    }

    /// What the rules say of an entry. `above`: whether the group with this key of a DN is
    /// over it, at any height.
    pub fn verdict(&self, entry: &Entry, above: &dyn Fn(&[u8]) -> bool) -> Verdict {
        let mut verdict = Verdict::default();
        for (at, rule) in self.rules.iter().enumerate() {
            if rule.predicate.evaluate(entry, &|_, key| above(key)) != Some(true) {
                continue;
            }
            match &rule.action {
                RuleAction::Include => break,
                RuleAction::Exclude => {
                    verdict.groups.clear();
                    verdict.left_out = Some(told(at, rule));
                    break;
                }
                RuleAction::Group(name) => verdict.groups.push(name.clone()),
            }
        }
        verdict
    }
}

/// The primary address, as the mapping finds it.
fn primary(properties: &Properties) -> Option<&str> {
    let proxies = properties.get("proxyAddresses").and_then(Value::as_array);
    let proxies = proxies.into_iter().flatten().filter_map(Value::as_str);
    let mut primaries = proxies.filter_map(|proxy| proxy.trim().strip_prefix("SMTP:"));
    primaries.next().or_else(|| properties.get("mail").and_then(Value::as_str)).map(str::trim)
}

/// A rule as `explain` names it.
fn told(at: usize, rule: &RuleSettings) -> String {
    match rule.text.as_str() {
        "" => format!("rule {}: {}", at + 1, rule.filter),
        text => format!("rule {}, \"{text}\": {}", at + 1, rule.filter),
    }
}

fn user_switch(include: &IncludeSettings, properties: &Properties) -> Option<&'static str> {
    let is_guest = properties.get("userType").and_then(Value::as_str) == Some("Guest");
    let is_disabled = properties.get("accountEnabled") == Some(&Value::Bool(false));
    let licences = properties.get("assignedLicenses").and_then(Value::as_array);
    let is_unlicensed = licences.is_none_or(Vec::is_empty);
    let has_mail = primary(properties).is_some_and(|address| !address.is_empty());
    [
        (include.guests || !is_guest, "guests"),
        (include.disabled || !is_disabled, "disabled"),
        (include.unlicensed || !is_unlicensed, "unlicensed"),
        (include.without_mail || has_mail, "without_mail"),
    ]
    .into_iter()
    .find_map(|(served, switch)| (!served).then_some(switch))
}

fn group_switch(include: &IncludeSettings, properties: &Properties) -> Option<&'static str> {
    let is = |name: &str| properties.get(name) == Some(&Value::Bool(true));
    let kinds = properties.get("groupTypes").and_then(Value::as_array);
    let is_unified =
        kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind.as_str() == Some("Unified")));
    let (served, switch) = match (is_unified, is("mailEnabled"), is("securityEnabled")) {
        (true, _, _) => (include.microsoft365_groups, "microsoft365_groups"),
        (false, true, true) => (include.mail_security_groups, "mail_security_groups"),
        (false, true, false) => (include.distribution_lists, "distribution_lists"),
        (false, false, _) => (include.security_groups, "security_groups"),
    };
    (!served).then_some(switch)
}

fn tests(predicate: &Predicate, wanted: AttributeId, chains: bool) -> bool {
    match predicate {
        Predicate::And(list) | Predicate::Or(list) => {
            list.iter().any(|inner| tests(inner, wanted, chains))
        }
        Predicate::Not(inner) => tests(inner, wanted, chains),
        Predicate::InChain(id, _) => *id == wanted,
        Predicate::Present(id)
        | Predicate::Equal(id, _)
        | Predicate::GreaterOrEqual(id, _)
        | Predicate::LessOrEqual(id, _)
        | Predicate::Substrings(id, _) => !chains && *id == wanted,
        Predicate::AllBits(..) | Predicate::AnyBits(..) | Predicate::Undefined => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Every way to leave somebody out. The pattern names each switch: one that is new needs
    /// a way here, and its properties in [`Judge::properties`].
    fn ways() -> Vec<IncludeSettings> {
        let all = IncludeSettings::default;
        let IncludeSettings {
            guests: _,
            disabled: _,
            unlicensed: _,
            without_mail: _,
            distribution_lists: _,
            mail_security_groups: _,
            security_groups: _,
            microsoft365_groups: _,
            domains: _,
        } = all();
        vec![
            all(),
            IncludeSettings { guests: false, ..all() },
            IncludeSettings { disabled: false, ..all() },
            IncludeSettings { unlicensed: false, ..all() },
            IncludeSettings { without_mail: false, ..all() },
            IncludeSettings { distribution_lists: false, ..all() },
            IncludeSettings { mail_security_groups: false, ..all() },
            IncludeSettings { security_groups: false, ..all() },
            IncludeSettings { microsoft365_groups: false, ..all() },
            IncludeSettings { domains: vec!["contoso.com".to_owned()], ..all() },
        ]
    }

    /// Objects of all sorts, two values of each property.
    fn objects() -> Vec<Properties> {
        let choices = [
            ("userType", json!("Guest")),
            ("accountEnabled", json!(false)),
            ("assignedLicenses", json!([{"skuId": "x"}])),
            ("mail", json!("ada@fabrikam.com")),
            ("proxyAddresses", json!(["SMTP:ada@contoso.com"])),
            ("groupTypes", json!(["Unified"])),
            ("mailEnabled", json!(true)),
            ("securityEnabled", json!(true)),
            ("id", json!("fabrikam.com")),
        ];
        (0..1 << choices.len())
            .map(|which| {
                let here = choices.iter().enumerate().filter(|(at, _)| which >> at & 1 == 1);
                here.map(|(_, (name, value))| ((*name).to_owned(), value.clone())).collect()
            })
            .collect()
    }

    #[test]
    fn the_properties_that_are_said_to_decide_are_all_that_decide() {
        let mut left_out = [0; 10];
        for (way, include) in ways().iter().enumerate() {
            let judge = Judge { include, rules: &[], asks_groups: false, asks_chains: false };
            let named = judge.properties().unwrap();
            for object in objects() {
                let mut some = object.clone();
                some.retain(|name, _| named.contains(&name.as_str()));
                for kind in Kind::ALL {
                    let verdict = judge.switched_off(kind, &object);
                    assert_eq!(verdict, judge.switched_off(kind, &some), "{include:?} {object:?}");
                    left_out[way] += usize::from(verdict.is_some());
                }
            }
        }
        assert_eq!(left_out[0], 0);
        assert!(left_out[1..].iter().all(|count| *count > 0), "{left_out:?}");
    }
}
