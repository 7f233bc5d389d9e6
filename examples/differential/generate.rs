//! Filters from a seed.

use crate::allowed;
use crate::dump::Dump;
use crate::intended;
use crate::values;
use entraldap::directory::attribute::{AttributeType, Syntax};
use entraldap::directory::filter::{Extensible, Filter, Octets, Substrings};
use entraldap::directory::predicate::{RULE_BIT_AND, RULE_BIT_OR, RULE_IN_CHAIN};
use entraldap::directory::schema;
use entraldap::simulator::Rng;

/// What makes filters.
pub(crate) struct Generator<'d> {
    /// Everything that is random comes from here.
    pub(crate) rng: Rng,
    /// What they are made of.
    pub(crate) dump: &'d Dump,
}

impl Generator<'_> {
    /// A filter with one assertion.
    pub(crate) fn leaf(&mut self) -> Filter<'static> {
        if self.rng.one_in(40) {
            let names = ["bogus", "1.2.3.4.5", "x-nothing", "mail;x-odd", "bogus;lang-en"];
            let name = self.rng.pick(&names).copied().unwrap_or_default();
            return self.about(name.into(), None);
        }
        let attribute = self.attribute();
        let name = self.spelled(attribute);
        self.about(name, Some(attribute))
    }

    /// A filter of filters; its assertions are none of those that differ as intended.
    pub(crate) fn tree(&mut self, depth: usize) -> Filter<'static> {
        if depth == 0 || self.rng.one_in(4) {
            for _ in 0..50 {
                let leaf = self.leaf();
                if intended::leaf(&leaf).is_none() {
                    return leaf;
                }
            }
            return Filter::And(Vec::new());
        }
        match self.rng.below(5) {
            0 | 1 => Filter::And(self.list(depth)),
            2 | 3 => Filter::Or(self.list(depth)),
            _ => Filter::Not(Box::new(self.tree(depth - 1))),
        }
    }

    fn list(&mut self, depth: usize) -> Vec<Filter<'static>> {
        let count = if self.rng.one_in(12) { 0 } else { 1 + self.rng.below(4) };
        (0..count).map(|_| self.tree(depth - 1)).collect()
    }

    /// An attribute, mostly one that entries have.
    pub(crate) fn attribute(&mut self) -> &'static AttributeType {
        let all = schema::standard().attributes();
        for _ in 0..50 {
            let found = match self.rng.one_in(6) {
                false => self.dump.used(&mut self.rng),
                true => self.rng.pick(all),
            };
            if let Some(found) = found.filter(|found| !allowed::is_excluded(found)) {
                return found;
            }
        }
        // The schema is not empty: objectClass is its first attribute.
        self.dump.used(&mut self.rng).or(all.first()).unwrap_or_else(|| std::process::abort())
    }

    /// One of the names of an attribute, with an option at times.
    pub(crate) fn spelled(&mut self, attribute: &AttributeType) -> Vec<u8> {
        let odd = |name: &str| -> String {
            let swap = |(at, c): (usize, char)| match at % 2 {
                0 => c.to_ascii_uppercase(),
                _ => c.to_ascii_lowercase(),
            };
            name.chars().enumerate().map(swap).collect()
        };
        let name = attribute.name;
        match self.rng.below(24) {
            0 | 1 => odd(name),
            2 | 3 => attribute.oid.to_owned(),
            4 | 5 => self.rng.pick(attribute.aliases).copied().unwrap_or(name).to_owned(),
            6 => format!("{name};lang-en"),
            7 => format!("{name};LANG-de-AT"),
            8 => format!("{name};x-unknown"),
            9 if self.rng.one_in(2) => format!("{name};binary"),
            _ => name.to_owned(),
        }
        .into_bytes()
    }

    /// A filter that asserts something of an attribute, of an unknown one at times.
    fn about(&mut self, name: Vec<u8>, known: Option<&'static AttributeType>) -> Filter<'static> {
        let value = match known {
            Some(attribute) => values::assertion(self.dump, attribute, &mut self.rng),
            None => self.dump.of_syntax(Syntax::DirectoryString, &mut self.rng),
        };
        let (name, value) = (Octets::from(name), Octets::from(value));
        match self.rng.below(20) {
            0 => Filter::Present(name),
            1..=7 => Filter::Equality(name, value),
            8..=12 => match self.pieces(&value) {
                Some(pieces) => Filter::Substrings(name, pieces),
                None => Filter::Equality(name, value),
            },
            13 | 14 => Filter::GreaterOrEqual(name, value),
            15 | 16 => Filter::LessOrEqual(name, value),
            17 => Filter::Approx(name, value),
            _ => self.extensible(name, known, value),
        }
    }

    /// Pieces of a value, in its order for the most part.
    fn pieces(&mut self, value: &[u8]) -> Option<Substrings<'static>> {
        let text: Vec<char> = String::from_utf8_lossy(value).chars().take(60).collect();
        let shape = 1 + self.rng.below(7);
        let mut from = 0;
        let mut take = |rng: &mut Rng, whole: (bool, bool)| -> Vec<u8> {
            let left = text.len().saturating_sub(from);
            let start = if whole.0 { 0 } else { from + rng.below(left) };
            let len = 1 + rng.below(left.min(6));
            let (start, end) = match whole.1 {
                true => (text.len().saturating_sub(len), text.len()),
                false => (start, (start + len).min(text.len())),
            };
            from = if rng.one_in(8) { start } else { end };
            let piece: String = text.get(start..end).unwrap_or_default().iter().collect();
            match rng.below(12) {
                0 => format!("{piece} ").into_bytes(),
                1 => format!(" {piece}").into_bytes(),
                2 => piece.to_uppercase().into_bytes(),
                3 if rng.one_in(3) => values::near_text(&piece, rng),
                _ => piece.into_bytes(),
            }
        };
        let rng = &mut self.rng;
        let initial = (shape & 1 != 0).then(|| take(rng, (true, false)));
        let middle = if shape & 2 != 0 { 1 + rng.below(3) } else { 0 };
        let any: Vec<_> = (0..middle).map(|_| take(rng, (false, false))).collect();
        let last = (shape & 4 != 0).then(|| take(rng, (false, true)));
        let all = || initial.iter().chain(&any).chain(&last);
        // Neither RFC 4515 nor any client writes an empty piece.
        all().all(|piece| !piece.is_empty()).then(|| Substrings {
            initial: initial.clone().map(Octets::from),
            any: any.iter().cloned().map(Octets::from).collect(),
            last: last.clone().map(Octets::from),
        })
    }

    fn extensible(
        &mut self,
        name: Octets<'static>,
        known: Option<&'static AttributeType>,
        value: Octets<'static>,
    ) -> Filter<'static> {
        let own = known.map_or(("caseIgnoreMatch", "2.5.13.2"), |a| equality_rule(a.syntax));
        let is_integer = known.is_some_and(|attribute| attribute.syntax == Syntax::Integer);
        let rule = match self.rng.below(12) {
            _ if is_integer && self.rng.one_in(2) => {
                Some(if self.rng.one_in(2) { RULE_BIT_AND } else { RULE_BIT_OR })
            }
            0..=2 => None,
            3..=5 => Some(own.0),
            6 | 7 => Some(own.1),
            8 => Some("CASEignoreMatch"),
            9 => Some("caseExactMatch"),
            10 => Some(RULE_IN_CHAIN),
            _ => self.rng.pick(&["1.2.3.4", "bogusMatch", RULE_BIT_AND]).copied(),
        };
        let rule = rule.map(|rule| Octets::from(rule.as_bytes()));
        let anonymous = rule.is_some() && self.rng.one_in(20);
        Filter::Extensible(Extensible {
            rule,
            attribute: (!anonymous).then_some(name),
            value,
            dn_attributes: self.rng.one_in(4),
        })
    }
}

/// The name and identifier of the rule that values of the syntax are compared by.
pub(crate) fn equality_rule(syntax: Syntax) -> (&'static str, &'static str) {
    match syntax {
        Syntax::DirectoryString => ("caseIgnoreMatch", "2.5.13.2"),
        Syntax::CaseExactString => ("caseExactMatch", "2.5.13.5"),
        Syntax::TelephoneNumber => ("telephoneNumberMatch", "2.5.13.20"),
        Syntax::Boolean => ("booleanMatch", "2.5.13.13"),
        Syntax::Integer => ("integerMatch", "2.5.13.14"),
        Syntax::GeneralizedTime => ("generalizedTimeMatch", "2.5.13.27"),
        Syntax::Dn | Syntax::ObjectCategory => ("distinguishedNameMatch", "2.5.13.1"),
        Syntax::ObjectClass => ("objectIdentifierMatch", "2.5.13.0"),
        Syntax::OctetString | Syntax::Guid | Syntax::Sid => ("octetStringMatch", "2.5.13.17"),
    }
}
