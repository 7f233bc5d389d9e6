//! A filter bound to a schema: names resolved, values normalised, unknown things
//! Undefined. Evaluation is three-valued (RFC 4511 4.5.1.7). Pure: no I/O, no clock.

use super::anr;
use super::attribute::{AttributeId, AttributeType, Key, Syntax, integer};
use super::entry::Values;
use super::filter::{Extensible, Filter, Substrings};
use super::schema::{Described, Schema};
use memchr::memmem;

/// A filter bound to a schema. Keys are those of [`Syntax::key`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Predicate {
    /// All of them; empty is True.
    And(Vec<Predicate>),
    /// One of them; empty is False.
    Or(Vec<Predicate>),
    /// The opposite; Undefined stays Undefined.
    Not(Box<Predicate>),
    /// Neither true nor false of any entry.
    Undefined,
    /// The attribute has a value.
    Present(AttributeId),
    /// A value has this key.
    Equal(AttributeId, Key),
    /// A value has this key or a greater one.
    GreaterOrEqual(AttributeId, Key),
    /// A value has this key or a smaller one.
    LessOrEqual(AttributeId, Key),
    /// A value's key holds these pieces in this order.
    Substrings(AttributeId, Substrings<'static>),
    /// An integer value has all bits of the mask (MS-ADTS 3.1.1.3.4.4.1).
    AllBits(AttributeId, i64),
    /// An integer value has one bit of the mask (MS-ADTS 3.1.1.3.4.4.2).
    AnyBits(AttributeId, i64),
    /// The DN with this key is reached by following the attribute, over any number of
    /// entries (MS-ADTS 3.1.1.3.4.4.3).
    InChain(AttributeId, Key),
}

/// LDAP_MATCHING_RULE_BIT_AND.
pub const RULE_BIT_AND: &str = "1.2.840.113556.1.4.803";
/// LDAP_MATCHING_RULE_BIT_OR.
pub const RULE_BIT_OR: &str = "1.2.840.113556.1.4.804";
/// LDAP_MATCHING_RULE_TRANSITIVE_EVAL.
pub const RULE_IN_CHAIN: &str = "1.2.840.113556.1.4.1941";

impl Predicate {
    /// Binds `filter` to `schema`. `may_test` says which attributes this client's
    /// filters may see; tests of others are Undefined.
    pub fn bind(
        filter: &Filter<'_>,
        schema: &Schema,
        may_test: &dyn Fn(AttributeId) -> bool,
    ) -> Self {
        // `names` is the text that the leaf looks for where its attribute is aNR.
        let on = |name: &[u8], names: Option<&[u8]>, make: &Make<'_>| match schema.described(name) {
            Described::Attribute(a) if a.name == anr::NAME => {
                names.map(|text| Self::bind(&anr::expand(text), schema, may_test))
            }
            Described::Attribute(a) if may_test(a.id) && !a.is_constructed() => make(a),
            // Known and absent: false of every entry, if the assertion makes sense.
            Described::Subtype(a) if may_test(a.id) => make(a).map(|_| Predicate::Or(Vec::new())),
            _ => None,
        };
        let list = |filters: &[Filter<'_>]| {
            filters.iter().map(|f| Self::bind(f, schema, may_test)).collect()
        };
        let bound = match filter {
            Filter::And(filters) => Some(Predicate::And(list(filters))),
            Filter::Or(filters) => Some(Predicate::Or(list(filters))),
            Filter::Not(inner) => {
                Some(Predicate::Not(Box::new(Self::bind(inner, schema, may_test))))
            }
            Filter::Present(name) => on(name, Some(b""), &|a| Some(Predicate::Present(a.id))),
            Filter::Equality(name, value) | Filter::Approx(name, value) => {
                on(name, Some(value), &|a| equal(a, value))
            }
            Filter::GreaterOrEqual(name, value) => on(name, None, &|a| {
                ordered(a, value).map(|key| Predicate::GreaterOrEqual(a.id, key))
            }),
            Filter::LessOrEqual(name, value) => {
                on(name, None, &|a| ordered(a, value).map(|key| Predicate::LessOrEqual(a.id, key)))
            }
            Filter::Substrings(name, pieces) => {
                on(name, pieces.only_initial(), &|a| substrings(a, pieces))
            }
            Filter::Extensible(extensible) => extensible
                .attribute
                .as_deref()
                .and_then(|name| on(name, None, &|a| extensible_match(a, extensible))),
        };
        bound.unwrap_or(Predicate::Undefined)
    }

    /// What the filter says of `entry`; `None` is Undefined. `in_chain` answers
    /// [`Predicate::InChain`] for this entry.
    pub fn evaluate(
        &self,
        entry: &impl Values,
        in_chain: &dyn Fn(AttributeId, &[u8]) -> bool,
    ) -> Option<bool> {
        let any =
            |id: &AttributeId, test: &dyn Fn(&[u8]) -> bool| Some(entry.values(*id).any(test));
        match self {
            Predicate::And(list) => {
                let mut result = Some(true);
                for inner in list {
                    match inner.evaluate(entry, in_chain) {
                        Some(false) => return Some(false),
                        None => result = None,
                        Some(true) => {}
                    }
                }
                result
            }
            Predicate::Or(list) => {
                let mut result = Some(false);
                for inner in list {
                    match inner.evaluate(entry, in_chain) {
                        Some(true) => return Some(true),
                        None => result = None,
                        Some(false) => {}
                    }
                }
                result
            }
            Predicate::Not(inner) => inner.evaluate(entry, in_chain).map(|truth| !truth),
            Predicate::Undefined => None,
            Predicate::Present(id) => any(id, &|_| true),
            Predicate::Equal(id, key) => {
                let syntax = syntax_of(*id)?;
                any(id, &|value| syntax.equals(value, key))
            }
            Predicate::GreaterOrEqual(id, key) => {
                let syntax = syntax_of(*id)?;
                any(id, &|value| syntax.key(value).is_some_and(|found| found >= *key))
            }
            Predicate::LessOrEqual(id, key) => {
                let syntax = syntax_of(*id)?;
                any(id, &|value| syntax.key(value).is_some_and(|found| found <= *key))
            }
            Predicate::Substrings(id, pieces) => {
                let syntax = syntax_of(*id)?;
                any(id, &|value| syntax.key(value).is_some_and(|found| pieces.match_key(&found)))
            }
            Predicate::AllBits(id, mask) => {
                any(id, &|value| integer(value).is_some_and(|n| n & mask == *mask))
            }
            Predicate::AnyBits(id, mask) => {
                any(id, &|value| integer(value).is_some_and(|n| n & mask != 0))
            }
            Predicate::InChain(id, key) => Some(in_chain(*id, key)),
        }
    }
}

/// Makes the predicate of a leaf, should its value make sense for the attribute.
type Make<'m> = dyn Fn(&AttributeType) -> Option<Predicate> + 'm;

impl Substrings<'_> {
    /// The text, where it is only asked how a value begins.
    pub fn only_initial(&self) -> Option<&[u8]> {
        match self {
            Substrings { initial: Some(initial), any, last: None } if any.is_empty() => {
                Some(initial)
            }
            _ => None,
        }
    }

    /// Whether the key `found` holds the pieces in their order, without overlap.
    pub fn match_key(&self, found: &[u8]) -> bool {
        let Some(mut rest) = found.strip_prefix(self.initial.as_deref().unwrap_or_default()) else {
            return false;
        };
        for piece in &self.any {
            let Some(at) = memmem::find(rest, piece) else { return false };
            rest = rest.get(at + piece.len()..).unwrap_or_default();
        }
        rest.ends_with(self.last.as_deref().unwrap_or_default())
    }
}

fn syntax_of(id: AttributeId) -> Option<Syntax> {
    super::schema::standard().get(id).map(|attribute| attribute.syntax)
}

fn equal(attribute: &AttributeType, value: &[u8]) -> Option<Predicate> {
    Some(Predicate::Equal(attribute.id, attribute.syntax.key(value)?))
}

fn ordered(attribute: &AttributeType, value: &[u8]) -> Option<Key> {
    if attribute.syntax.has_ordering() { attribute.syntax.key(value) } else { None }
}

fn substrings(attribute: &AttributeType, pieces: &Substrings<'_>) -> Option<Predicate> {
    if !attribute.syntax.has_substrings() {
        return None;
    }
    let piece = |value: &[u8]| attribute.syntax.piece(value);
    // A key neither starts nor ends with a space (RFC 4518 2.6.1), so such a space in
    // the assertion is insignificant.
    let trim = |mut value: Vec<u8>, at_start: bool| {
        if at_start && value.first() == Some(&b' ') {
            value.remove(0);
        } else if !at_start && value.last() == Some(&b' ') {
            value.pop();
        }
        value
    };
    let any = pieces.any.iter().map(|value| piece(value));
    let bound = Substrings {
        initial: match &pieces.initial {
            Some(value) => Some(trim(piece(value)?, true).into()),
            None => None,
        },
        any: any.map(|found| found.map(Into::into)).collect::<Option<_>>()?,
        last: match &pieces.last {
            Some(value) => Some(trim(piece(value)?, false).into()),
            None => None,
        },
    };
    Some(Predicate::Substrings(attribute.id, bound))
}

fn extensible_match(attribute: &AttributeType, found: &Extensible<'_>) -> Option<Predicate> {
    let Some(rule) = &found.rule else { return equal(attribute, &found.value) };
    let rule = std::str::from_utf8(rule).ok()?;
    let is_dn = attribute.syntax == Syntax::Dn;
    match rule {
        RULE_BIT_AND | RULE_BIT_OR if attribute.syntax == Syntax::Integer => {
            let mask = integer(&found.value)?;
            Some(match rule {
                RULE_BIT_AND => Predicate::AllBits(attribute.id, mask),
                _ => Predicate::AnyBits(attribute.id, mask),
            })
        }
        RULE_IN_CHAIN if is_dn => {
            Some(Predicate::InChain(attribute.id, attribute.syntax.key(&found.value)?))
        }
        _ if names_equality_of(rule, attribute.syntax) => equal(attribute, &found.value),
        _ => None,
    }
}

/// Whether `rule` is the equality rule that values of `syntax` are compared by anyway.
fn names_equality_of(rule: &str, syntax: Syntax) -> bool {
    let (name, oid) = match syntax {
        Syntax::DirectoryString => ("caseIgnoreMatch", "2.5.13.2"),
        Syntax::CaseExactString => ("caseExactMatch", "2.5.13.5"),
        Syntax::TelephoneNumber => ("telephoneNumberMatch", "2.5.13.20"),
        Syntax::Boolean => ("booleanMatch", "2.5.13.13"),
        Syntax::Integer => ("integerMatch", "2.5.13.14"),
        Syntax::GeneralizedTime => ("generalizedTimeMatch", "2.5.13.27"),
        Syntax::Dn | Syntax::ObjectCategory => ("distinguishedNameMatch", "2.5.13.1"),
        Syntax::ObjectClass => ("objectIdentifierMatch", "2.5.13.0"),
        Syntax::OctetString | Syntax::Guid | Syntax::Sid => ("octetStringMatch", "2.5.13.17"),
    };
    rule.eq_ignore_ascii_case(name) || rule == oid
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::dn::Dn;
    use crate::directory::entry::Entry;
    use crate::directory::schema;

    fn entry() -> Entry {
        let mut entry = Entry::new(Dn::parse("uid=ada,ou=users,dc=x").unwrap());
        for (name, value) in [
            ("objectClass", "user"),
            ("cn", "Ada Lind"),
            ("mail", "ada@contoso.com"),
            ("proxyAddresses", "SMTP:ada@contoso.com"),
            ("proxyAddresses", "smtp:a.lind@contoso.com"),
            ("userAccountControl", "514"),
            ("whenChanged", "20260102030405.0Z"),
        ] {
            entry.add(schema::standard().attribute(name.as_bytes()).unwrap().id, value);
        }
        entry
    }

    fn says(filter: &str) -> Option<bool> {
        let filter = Filter::parse(filter).unwrap();
        Predicate::bind(&filter, schema::standard(), &|_| true).evaluate(&entry(), &|_, _| false)
    }

    #[test]
    fn an_unknown_attribute_is_undefined_and_so_is_its_negation() {
        for filter in [
            "(bogus=x)",
            "(!(bogus=x))",
            "(bogus=*)",
            "(!(bogus=*))",
            "(bogus:1.2.3:=x)",
            "(&(cn=ada lind)(bogus=x))",
            "(|(cn=nobody)(bogus=x))",
            "(bogus>=x)",
            "(bogus=a*)",
        ] {
            assert_eq!(says(filter), None, "{filter}");
        }
        assert_eq!(says("(|(cn=ada lind)(bogus=x))"), Some(true));
        assert_eq!(says("(&(cn=nobody)(bogus=x))"), Some(false));
        assert_eq!(says("(!(&(cn=nobody)(bogus=x)))"), Some(true));
    }

    #[test]
    fn a_known_attribute_that_is_absent_is_false_and_its_negation_true() {
        assert_eq!(says("(msExchHideFromAddressLists=TRUE)"), Some(false));
        assert_eq!(says("(!(msExchHideFromAddressLists=TRUE))"), Some(true));
        assert_eq!(says("(!(description=*))"), Some(true));
    }

    #[test]
    fn values_compare_by_their_syntax() {
        for (filter, truth) in [
            ("(proxyAddresses=SMTP:A.Lind@contoso.com)", true),
            ("(proxyAddresses=smtp$ada@contoso.com)", false),
            ("(MAIL=ADA@CONTOSO.COM)", true),
            ("(cn=  ada   lind )", true),
            ("(cn~=ada lind)", true),
            ("(cn=ada*)", true),
            ("(cn=*lind)", true),
            ("(cn=a*a*d)", true),
            ("(cn=*nd*nd*)", false),
            ("(cn=ada *)", true),
            ("(cn=ada lind*lind)", false),
            ("(userAccountControl:1.2.840.113556.1.4.803:=2)", true),
            ("(userAccountControl:1.2.840.113556.1.4.803:=3)", false),
            ("(userAccountControl:1.2.840.113556.1.4.804:=3)", true),
            ("(!(userAccountControl:1.2.840.113556.1.4.803:=2))", false),
            ("(userAccountControl>=514)", true),
            ("(userAccountControl<=99)", false),
            ("(userAccountControl:1.2.840.113556.1.4.803:= 2 )", true),
            ("(mail;lang-en=ada@contoso.com)", false),
            ("(mail;lang-en=*)", false),
            ("(whenChanged>=20260101000000Z)", true),
            ("(whenChanged<=20260101000000Z)", false),
            ("(&)", true),
            ("(|)", false),
            ("(cn:caseIgnoreMatch:=ADA LIND)", true),
            ("(cn:=ada lind)", true),
        ] {
            assert_eq!(says(filter), Some(truth), "{filter}");
        }
    }

    #[test]
    fn an_assertion_that_makes_no_sense_is_undefined() {
        for filter in [
            "(userAccountControl=abc)",
            "(objectGUID=zz)",
            "(mail>=\\ff)",
            "(objectClass>=a)",
            "(userAccountControl=5*)",
            "(cn:1.2.840.113556.1.4.803:=2)",
            "(cn:1.9.9:=a)",
            "(:caseIgnoreMatch:=a)",
            "(member=no dn)",
            "(sn=)",
            // RFC 3866: a description with a language tag is one of the same type.
            "(userAccountControl;lang-en=abc)",
            "(objectClass;lang-en>=a)",
            "(mail;lang-en>=\\ff)",
        ] {
            assert_eq!(says(filter), None, "{filter}");
        }
    }

    #[test]
    fn attributes_that_may_not_be_tested_are_undefined() {
        let filter = Filter::parse("(!(mail=x))").unwrap();
        let mail = schema::standard().attribute(b"mail").unwrap().id;
        let bound = Predicate::bind(&filter, schema::standard(), &|id| id != mail);
        assert_eq!(bound.evaluate(&entry(), &|_, _| false), None);
    }
}
