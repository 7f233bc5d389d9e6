//! A filter as it was understood, and parts of it that are neither true nor false of any
//! entry. Pure: no I/O, no clock.

use crate::directory::anr;
use crate::directory::attribute::{AttributeType, Syntax};
use crate::directory::filter::{Filter, Octets};
use crate::directory::predicate::Predicate;
use crate::directory::schema::{self, Described};
use std::collections::HashMap;

/// `filter` with attributes by the names that they have here, and what stands for
/// ambiguous name resolution written out.
pub(super) fn understood(filter: &Filter<'static>) -> Filter<'static> {
    if let Some(expansion) = anr::expansion(filter) {
        return expansion;
    }
    let all = |list: &[Filter<'static>]| list.iter().map(understood).collect();
    let mut same = filter.clone();
    match &mut same {
        Filter::And(list) => *list = all(list),
        Filter::Or(list) => *list = all(list),
        Filter::Not(inner) => **inner = understood(inner),
        leaf => {
            if let Some(name) = name_mut(leaf)
                && let Some(known) = schema::standard().attribute(name)
            {
                *name = known.name.as_bytes().into();
            }
        }
    }
    same
}

/// Parts of `filter`, as it was understood, by their places in what it was bound to.
pub(super) fn texts(filter: &Filter<'_>, bound: &Predicate) -> HashMap<*const Predicate, String> {
    let mut found = HashMap::new();
    let mut open = vec![(filter, bound)];
    while let Some((filter, bound)) = open.pop() {
        match (filter, bound) {
            (Filter::And(list), Predicate::And(parts))
            | (Filter::Or(list), Predicate::Or(parts)) => {
                open.extend(list.iter().zip(parts));
            }
            (Filter::Not(inner), Predicate::Not(part)) => open.push((inner, part)),
            (leaf, part) => {
                found.insert(std::ptr::from_ref(part), leaf.to_string());
            }
        }
    }
    found
}

/// Parts of `filter`, as it was understood, that are Undefined, each with the reason.
pub(super) fn undefined(filter: &Filter<'_>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open = vec![filter];
    while let Some(filter) = open.pop() {
        match filter {
            Filter::And(list) | Filter::Or(list) => open.extend(list.iter().rev()),
            Filter::Not(inner) => open.push(inner),
            leaf => {
                let bound = Predicate::bind(leaf, schema::standard(), &|_| true);
                if bound == Predicate::Undefined {
                    found.push((leaf.to_string(), why(leaf)));
                }
            }
        }
    }
    found
}

/// Attributes that `filter` asks for.
pub(super) fn attributes(filter: &Filter<'_>) -> Vec<&'static AttributeType> {
    let mut found: Vec<&AttributeType> = Vec::new();
    let mut open = vec![filter];
    while let Some(filter) = open.pop() {
        match filter {
            Filter::And(list) | Filter::Or(list) => open.extend(list.iter().rev()),
            Filter::Not(inner) => open.push(inner),
            leaf => found.extend(name(leaf).and_then(|name| schema::standard().attribute(name))),
        }
    }
    found.sort_by_key(|attribute| attribute.id);
    found.dedup_by_key(|attribute| attribute.id);
    found
}

fn name<'f>(leaf: &'f Filter<'_>) -> Option<&'f [u8]> {
    match leaf {
        Filter::And(_) | Filter::Or(_) | Filter::Not(_) => None,
        Filter::Equality(name, _)
        | Filter::Substrings(name, _)
        | Filter::GreaterOrEqual(name, _)
        | Filter::LessOrEqual(name, _)
        | Filter::Present(name)
        | Filter::Approx(name, _) => Some(name),
        Filter::Extensible(found) => found.attribute.as_deref(),
    }
}

fn name_mut<'f>(leaf: &'f mut Filter<'static>) -> Option<&'f mut Octets<'static>> {
    match leaf {
        Filter::And(_) | Filter::Or(_) | Filter::Not(_) => None,
        Filter::Equality(name, _)
        | Filter::Substrings(name, _)
        | Filter::GreaterOrEqual(name, _)
        | Filter::LessOrEqual(name, _)
        | Filter::Present(name)
        | Filter::Approx(name, _) => Some(name),
        Filter::Extensible(found) => found.attribute.as_mut(),
    }
}

/// Why a leaf is Undefined.
fn why(leaf: &Filter<'_>) -> String {
    let Some(written) = name(leaf) else {
        return "a matching rule without an attribute is not looked for".to_owned();
    };
    let text = String::from_utf8_lossy(written);
    let found = match schema::standard().described(written) {
        Described::Attribute(found) | Described::Subtype(found) => found,
        Described::Unknown => return unknown(&text),
    };
    if found.is_constructed() {
        return format!(
            "{} is worked out when it is asked for; filters cannot test it",
            found.name
        );
    }
    let of = holds(found.syntax);
    match leaf {
        Filter::GreaterOrEqual(..) | Filter::LessOrEqual(..) if !found.syntax.has_ordering() => {
            format!("values of {} have no order: it holds {of}", found.name)
        }
        Filter::Substrings(..) if !found.syntax.has_substrings() => {
            format!("{} cannot be asked for by pieces: it holds {of}", found.name)
        }
        Filter::Extensible(asked) if asked.rule.is_some() => {
            let rule = asked.rule.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
            format!("{} holds {of}: the rule {rule} or the value does not fit", found.name)
        }
        _ => format!("{} holds {of}, and this is none", found.name),
    }
}

fn unknown(text: &str) -> String {
    let name = text.split(';').next().unwrap_or_default();
    if schema::standard().attribute(name.as_bytes()).is_some() {
        return format!("the option of {text} is not known; write {name}");
    }
    match schema::standard().nearest(name) {
        Some(meant) => format!("there is no attribute {name}; did you mean {}?", meant.name),
        None => format!("there is no attribute {name}; the schema (cn=Subschema) lists all"),
    }
}

fn holds(syntax: Syntax) -> &'static str {
    match syntax {
        Syntax::DirectoryString | Syntax::CaseExactString => "texts that are not empty",
        Syntax::TelephoneNumber => "telephone numbers",
        Syntax::Boolean => "TRUE or FALSE",
        Syntax::Integer => "whole numbers",
        Syntax::GeneralizedTime => "times, for example 20240506070809Z",
        Syntax::Dn => "DNs, for example cn=Sales,ou=groups,dc=contoso,dc=com",
        Syntax::ObjectCategory => "a category, for example person",
        Syntax::ObjectClass => "object classes, for example user",
        Syntax::OctetString => "octets",
        Syntax::Guid => "a GUID, for example 0b1f6a52-6c1e-4a07-9a55-3f1f5a9c0a01",
        Syntax::Sid => "a SID, for example S-1-5-21-1-2-3-1105",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Filter<'static> {
        understood(&Filter::parse(text).unwrap())
    }

    #[test]
    fn names_are_those_of_the_schema_and_short_forms_are_written_out() {
        let found = read("(&(OBJECTCLASS=user)(!(rfc822Mailbox=Ada@x))(bogus=1))");
        assert_eq!(found.to_string(), "(&(objectClass=user)(!(mail=Ada@x))(bogus=1))");
        let found = read("(anr=ada)").to_string();
        assert!(found.starts_with("(|(displayName=ada*)") && found.contains("(mail=ada*)"));
    }

    #[test]
    fn what_is_undefined_is_named_with_the_reason() {
        for (text, reason) in [
            ("(mial=a)", "there is no attribute mial; did you mean mail?"),
            (
                "(proxyAdresses=a)",
                "there is no attribute proxyAdresses; did you mean proxyAddresses?",
            ),
            ("(qqqqqqqqqqqq=a)", "there is no attribute qqqqqqqqqqqq; the schema (cn=Subschema)"),
            ("(mail;x-old=a)", "the option of mail;x-old is not known; write mail"),
            (
                "(userAccountControl=abc)",
                "userAccountControl holds whole numbers, and this is none",
            ),
            ("(userAccountControl=5*)", "cannot be asked for by pieces"),
            ("(objectClass>=a)", "values of objectClass have no order"),
            ("(member=ada)", "member holds DNs"),
            ("(cn:1.2.840.113556.1.4.803:=2)", "the rule 1.2.840.113556.1.4.803"),
            ("(:caseIgnoreMatch:=a)", "a matching rule without an attribute"),
            ("(tokenGroups=a)", "tokenGroups is worked out when it is asked for"),
        ] {
            let found = undefined(&read(text));
            let [(_, told)] = &found[..] else { panic!("{text}: {found:?}") };
            assert!(told.contains(reason), "{text}: {told}");
        }
        assert_eq!(undefined(&read("(&(mail=a)(|(sn=b*)(!(cn=*))))")), []);
        let both = undefined(&read("(&(foo1=a)(mail=x)(!(bar1=b)))"));
        let parts: Vec<&str> = both.iter().map(|(part, _)| part.as_str()).collect();
        assert_eq!(parts, ["(foo1=a)", "(bar1=b)"]);
    }

    #[test]
    fn every_leaf_that_is_bound_has_its_text() {
        let filter = read("(&(cn=a)(|(mail=b)(!(sn=c*)))(bogus=d))");
        let bound = Predicate::bind(&filter, schema::standard(), &|_| true);
        let mut found: Vec<String> = texts(&filter, &bound).into_values().collect();
        found.sort_unstable();
        assert_eq!(found, ["(bogus=d)", "(cn=a)", "(mail=b)", "(sn=c*)"]);
    }
}
