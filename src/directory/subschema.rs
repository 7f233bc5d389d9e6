//! The text of the subschema entry (RFC 4512 4.1 and 4.2): what this server knows, for
//! clients that read it. Pure: no I/O, no clock.

use super::attribute::{AttributeType, Syntax};
use super::predicate::{RULE_BIT_AND, RULE_BIT_OR, RULE_IN_CHAIN};
use super::schema::{self, ClassKind, ObjectClass};

/// The values of `attributeTypes`.
pub fn attribute_types() -> Vec<String> {
    schema::standard().attributes().iter().map(attribute_type).collect()
}

/// The values of `objectClasses`.
pub fn object_classes() -> Vec<String> {
    schema::standard().classes().iter().map(object_class).collect()
}

/// The values of `matchingRules`.
pub fn matching_rules() -> Vec<String> {
    let text = |rule: &Rule| format!("( {}{} SYNTAX {} )", rule.oid, named(rule), rule.syntax);
    RULES.iter().map(text).collect()
}

/// The values of `matchingRuleUse`: which attributes a rule can be asked for in an
/// extensible match. Rules that no attribute uses are left out.
pub fn matching_rule_use() -> Vec<String> {
    let text = |rule: &Rule| {
        let attributes = schema::standard().attributes();
        let applies: Vec<&str> =
            attributes.iter().filter(|a| applies(rule, a.syntax)).map(|a| a.name).collect();
        match applies.as_slice() {
            [] => None,
            names => Some(format!("( {}{} APPLIES {} )", rule.oid, named(rule), list(names))),
        }
    };
    RULES.iter().filter_map(text).collect()
}

/// The values of `ldapSyntaxes`.
pub fn ldap_syntaxes() -> Vec<String> {
    SYNTAXES.iter().map(|(oid, desc)| format!("( {oid} DESC '{desc}' )")).collect()
}

fn attribute_type(attribute: &AttributeType) -> String {
    let mut names = vec![attribute.name];
    names.extend(attribute.aliases);
    let mut out = format!("( {} NAME {}", attribute.oid, quoted(&names));
    let forms = forms(attribute.syntax);
    out.push_str(&format!(" EQUALITY {}", forms.equality));
    if let Some(rule) = forms.ordering.filter(|_| attribute.syntax.has_ordering()) {
        out.push_str(&format!(" ORDERING {rule}"));
    }
    if let Some(rule) = forms.substrings.filter(|_| attribute.syntax.has_substrings()) {
        out.push_str(&format!(" SUBSTR {rule}"));
    }
    out.push_str(&format!(" SYNTAX {}", forms.syntax));
    if attribute.single_value {
        out.push_str(" SINGLE-VALUE");
    }
    if attribute.operational {
        out.push_str(" NO-USER-MODIFICATION USAGE directoryOperation");
    }
    out + " )"
}

fn object_class(class: &ObjectClass) -> String {
    let mut out = format!("( {} NAME '{}'", class.oid, class.name);
    if !class.superior.is_empty() {
        out.push_str(&format!(" SUP {}", class.superior));
    }
    out.push_str(match class.kind {
        ClassKind::Abstract => " ABSTRACT",
        ClassKind::Structural => " STRUCTURAL",
        ClassKind::Auxiliary => " AUXILIARY",
    });
    for (word, names) in [("MUST", class.must), ("MAY", class.may)] {
        if !names.is_empty() {
            out.push_str(&format!(" {word} {}", list(names)));
        }
    }
    out + " )"
}

/// `qdescrs`: one quoted name, or several in parentheses.
fn quoted(names: &[&str]) -> String {
    match names {
        [name] => format!("'{name}'"),
        names => format!("( '{}' )", names.join("' '")),
    }
}

/// `oids`: one name, or several in parentheses.
fn list(names: &[&str]) -> String {
    match names {
        [name] => (*name).to_owned(),
        names => format!("( {} )", names.join(" $ ")),
    }
}

fn named(rule: &Rule) -> String {
    if rule.name.is_empty() { String::new() } else { format!(" NAME '{}'", rule.name) }
}

/// The rules and the syntax that stand for a [`Syntax`] in a definition.
struct Forms {
    equality: &'static str,
    ordering: Option<&'static str>,
    substrings: Option<&'static str>,
    syntax: &'static str,
}

fn forms(syntax: Syntax) -> Forms {
    let (equality, ordering, substrings, syntax) = match syntax {
        Syntax::DirectoryString => (
            "caseIgnoreMatch",
            Some("caseIgnoreOrderingMatch"),
            Some("caseIgnoreSubstringsMatch"),
            DIRECTORY_STRING,
        ),
        Syntax::CaseExactString => (
            "caseExactMatch",
            Some("caseExactOrderingMatch"),
            Some("caseExactSubstringsMatch"),
            DIRECTORY_STRING,
        ),
        Syntax::TelephoneNumber => {
            ("telephoneNumberMatch", None, Some("telephoneNumberSubstringsMatch"), TELEPHONE)
        }
        Syntax::Boolean => ("booleanMatch", None, None, BOOLEAN),
        Syntax::Integer => ("integerMatch", Some("integerOrderingMatch"), None, INTEGER),
        Syntax::GeneralizedTime => {
            ("generalizedTimeMatch", Some("generalizedTimeOrderingMatch"), None, TIME)
        }
        Syntax::Dn | Syntax::ObjectCategory => ("distinguishedNameMatch", None, None, DN),
        Syntax::ObjectClass => ("objectIdentifierMatch", None, None, OID),
        Syntax::OctetString => {
            ("octetStringMatch", Some("octetStringOrderingMatch"), None, OCTET_STRING)
        }
        Syntax::Guid | Syntax::Sid => ("octetStringMatch", None, None, OCTET_STRING),
    };
    Forms { equality, ordering, substrings, syntax }
}

fn applies(rule: &Rule, syntax: Syntax) -> bool {
    match rule.oid {
        RULE_BIT_AND | RULE_BIT_OR => syntax == Syntax::Integer,
        RULE_IN_CHAIN => syntax == Syntax::Dn,
        _ => forms(syntax).equality == rule.name,
    }
}

struct Rule {
    oid: &'static str,
    name: &'static str,
    syntax: &'static str,
}

const fn rule(oid: &'static str, name: &'static str, syntax: &'static str) -> Rule {
    Rule { oid, name, syntax }
}

const BOOLEAN: &str = "1.3.6.1.4.1.1466.115.121.1.7";
const DN: &str = "1.3.6.1.4.1.1466.115.121.1.12";
const DIRECTORY_STRING: &str = "1.3.6.1.4.1.1466.115.121.1.15";
const TIME: &str = "1.3.6.1.4.1.1466.115.121.1.24";
const INTEGER: &str = "1.3.6.1.4.1.1466.115.121.1.27";
const OID: &str = "1.3.6.1.4.1.1466.115.121.1.38";
const OCTET_STRING: &str = "1.3.6.1.4.1.1466.115.121.1.40";
const TELEPHONE: &str = "1.3.6.1.4.1.1466.115.121.1.50";
const SUBSTRINGS: &str = "1.3.6.1.4.1.1466.115.121.1.58";

const SYNTAXES: &[(&str, &str)] = &[
    (BOOLEAN, "Boolean"),
    (DN, "DN"),
    (DIRECTORY_STRING, "Directory String"),
    (TIME, "Generalized Time"),
    (INTEGER, "INTEGER"),
    (OID, "OID"),
    (OCTET_STRING, "Octet String"),
    (TELEPHONE, "Telephone Number"),
    (SUBSTRINGS, "Substring Assertion"),
];

/// RFC 4517 4.2, and what Active Directory adds. Its in-chain rule has no name that
/// RFC 4512 allows; the bitwise ones have those of OpenLDAP.
const RULES: &[Rule] = &[
    rule("2.5.13.0", "objectIdentifierMatch", OID),
    rule("2.5.13.1", "distinguishedNameMatch", DN),
    rule("2.5.13.2", "caseIgnoreMatch", DIRECTORY_STRING),
    rule("2.5.13.3", "caseIgnoreOrderingMatch", DIRECTORY_STRING),
    rule("2.5.13.4", "caseIgnoreSubstringsMatch", SUBSTRINGS),
    rule("2.5.13.5", "caseExactMatch", DIRECTORY_STRING),
    rule("2.5.13.6", "caseExactOrderingMatch", DIRECTORY_STRING),
    rule("2.5.13.7", "caseExactSubstringsMatch", SUBSTRINGS),
    rule("2.5.13.13", "booleanMatch", BOOLEAN),
    rule("2.5.13.14", "integerMatch", INTEGER),
    rule("2.5.13.15", "integerOrderingMatch", INTEGER),
    rule("2.5.13.17", "octetStringMatch", OCTET_STRING),
    rule("2.5.13.18", "octetStringOrderingMatch", OCTET_STRING),
    rule("2.5.13.20", "telephoneNumberMatch", TELEPHONE),
    rule("2.5.13.21", "telephoneNumberSubstringsMatch", SUBSTRINGS),
    rule("2.5.13.27", "generalizedTimeMatch", TIME),
    rule("2.5.13.28", "generalizedTimeOrderingMatch", TIME),
    rule(RULE_BIT_AND, "integerBitAndMatch", INTEGER),
    rule(RULE_BIT_OR, "integerBitOrMatch", INTEGER),
    rule(RULE_IN_CHAIN, "", DN),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// The words of a definition; quotes and parentheses stand alone.
    fn words(text: &str) -> Vec<String> {
        text.replace('(', " ( ").replace(')', " ) ").split_whitespace().map(str::to_owned).collect()
    }

    /// The names after `word`: one, or those between parentheses.
    fn after(text: &str, word: &str) -> Vec<String> {
        let words = words(text);
        let Some(at) = words.iter().position(|w| w == word) else { return Vec::new() };
        let rest = &words[at + 1..];
        if rest[0] != "(" {
            return vec![rest[0].trim_matches('\'').to_owned()];
        }
        let end = rest.iter().position(|w| w == ")").unwrap();
        rest[1..end].iter().filter(|w| *w != "$").map(|w| w.trim_matches('\'').to_owned()).collect()
    }

    #[test]
    fn definitions_read_as_rfc_4512_says() {
        let types = attribute_types();
        let of = |name: &str| types.iter().find(|t| after(t, "NAME")[0] == name).unwrap().clone();
        assert_eq!(
            of("cn"),
            "( 2.5.4.3 NAME ( 'cn' 'commonName' ) EQUALITY caseIgnoreMatch ORDERING \
             caseIgnoreOrderingMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX \
             1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )"
        );
        assert_eq!(
            of("objectGUID"),
            "( 1.2.840.113556.1.4.2 NAME 'objectGUID' EQUALITY octetStringMatch SYNTAX \
             1.3.6.1.4.1.1466.115.121.1.40 SINGLE-VALUE )"
        );
        assert_eq!(
            of("entryDN"),
            "( 1.3.6.1.1.20 NAME 'entryDN' EQUALITY distinguishedNameMatch SYNTAX \
             1.3.6.1.4.1.1466.115.121.1.12 SINGLE-VALUE NO-USER-MODIFICATION USAGE \
             directoryOperation )"
        );
        assert_eq!(
            object_classes().iter().find(|c| c.contains("'person'")).unwrap(),
            "( 2.5.6.6 NAME 'person' SUP top STRUCTURAL MUST ( cn $ sn ) MAY ( userPassword $ \
             telephoneNumber $ seeAlso $ serialNumber $ x500uniqueIdentifier ) )"
        );
    }

    #[test]
    fn what_only_the_root_dse_of_active_directory_has_is_a_list_of_text() {
        let types = attribute_types();
        for name in ["defaultNamingContext", "rootDomainNamingContext", "highestCommittedUSN"] {
            let of = types.iter().find(|t| after(t, "NAME")[0] == name).unwrap();
            assert!(!of.contains("SINGLE-VALUE"), "{of}");
        }
    }

    #[test]
    fn everything_that_definitions_refer_to_is_published() {
        let rules: HashSet<String> =
            matching_rules().iter().flat_map(|r| after(r, "NAME")).collect();
        let syntaxes: HashSet<String> =
            ldap_syntaxes().iter().map(|s| words(s)[1].clone()).collect();
        let mut types = HashSet::new();
        for text in attribute_types() {
            types.extend(after(&text, "NAME"));
            for word in ["EQUALITY", "ORDERING", "SUBSTR"] {
                assert!(after(&text, word).iter().all(|rule| rules.contains(rule)), "{text}");
            }
            assert!(syntaxes.contains(&after(&text, "SYNTAX")[0]), "{text}");
        }
        let classes: HashSet<String> =
            object_classes().iter().flat_map(|c| after(c, "NAME")).collect();
        for text in object_classes() {
            assert!(after(&text, "SUP").iter().all(|class| classes.contains(class)), "{text}");
            for word in ["MUST", "MAY"] {
                assert!(after(&text, word).iter().all(|name| types.contains(name)), "{text}");
            }
        }
        for text in matching_rules() {
            assert!(syntaxes.contains(&after(&text, "SYNTAX")[0]), "{text}");
        }
        let published: HashSet<String> =
            matching_rules().iter().map(|r| words(r)[1].clone()).collect();
        for text in matching_rule_use() {
            assert!(published.contains(&words(&text)[1]), "{text}");
            assert!(after(&text, "APPLIES").iter().all(|name| types.contains(name)), "{text}");
        }
    }

    #[test]
    fn parentheses_balance_and_nothing_is_outside_ascii() {
        for text in [
            attribute_types(),
            object_classes(),
            matching_rules(),
            matching_rule_use(),
            ldap_syntaxes(),
        ]
        .concat()
        {
            let count = |c: char| text.matches(c).count();
            assert!(text.starts_with("( ") && text.ends_with(" )") && text.is_ascii(), "{text}");
            assert_eq!((count('('), count('\'') % 2), (count(')'), 0), "{text}");
        }
    }
}
