//! The filter of a search request (RFC 4511 4.5.1.7). Pure: no I/O, no clock.

use super::ber::{BOOLEAN, Malformed, OCTET_STRING, SEQUENCE, Tlv, Tlvs};
use crate::config::settings::LimitSettings;
use crate::directory::filter::{Extensible, Filter, Octets, Substrings};

/// Why a filter cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FilterProblem {
    /// It is not a filter.
    Malformed(Malformed),
    /// It is one, but larger than the server cares to evaluate.
    TooLarge(&'static str),
}

impl From<Malformed> for FilterProblem {
    fn from(malformed: Malformed) -> Self {
        FilterProblem::Malformed(malformed)
    }
}

/// Reads one filter, within the limits for depth and parts.
pub(crate) fn decode<'a>(
    tlv: &Tlv<'a>,
    limits: &LimitSettings,
) -> Result<Filter<'a>, FilterProblem> {
    Decoder { nodes: 0, limits }.filter(tlv, 0)
}

/// Reads `ValuesReturnFilter ::= SEQUENCE OF SimpleFilterItem` (RFC 3876 3): filters
/// without And, Or and Not.
pub(crate) fn simple_items<'a>(
    list: &Tlv<'a>,
    limits: &LimitSettings,
) -> Result<Vec<Filter<'a>>, FilterProblem> {
    if list.tag != SEQUENCE {
        return Err(list.malformed("expected a list of filter items").into());
    }
    let mut decoder = Decoder { nodes: 0, limits };
    let mut inside = list.inside();
    let mut items = Vec::new();
    while !inside.is_empty() {
        let item = inside.next()?;
        if matches!(item.tag, 0xa0..=0xa2) {
            return Err(item.malformed("not a simple filter item").into());
        }
        items.push(decoder.filter(&item, 0)?);
    }
    Ok(items)
}

struct Decoder<'l> {
    nodes: usize,
    limits: &'l LimitSettings,
}

impl Decoder<'_> {
    fn filter<'a>(&mut self, tlv: &Tlv<'a>, depth: usize) -> Result<Filter<'a>, FilterProblem> {
        self.nodes += 1;
        if depth >= self.limits.filter_depth {
            return Err(FilterProblem::TooLarge("filter nested too deeply"));
        }
        if self.nodes > self.limits.filter_nodes {
            return Err(FilterProblem::TooLarge("filter with too many parts"));
        }
        Ok(match tlv.tag {
            0xa0 => Filter::And(self.list(tlv, depth)?),
            0xa1 => Filter::Or(self.list(tlv, depth)?),
            0xa2 => {
                let mut inside = tlv.inside();
                let inner = self.filter(&inside.next()?, depth + 1)?;
                inside.end()?;
                Filter::Not(Box::new(inner))
            }
            0xa3 => assertion(tlv, Filter::Equality)?,
            0xa4 => substrings(tlv)?,
            0xa5 => assertion(tlv, Filter::GreaterOrEqual)?,
            0xa6 => assertion(tlv, Filter::LessOrEqual)?,
            0x87 => Filter::Present(tlv.value.into()),
            0xa8 => assertion(tlv, Filter::Approx)?,
            0xa9 => extensible(tlv)?,
            // The CHOICE is extensible. A kind of filter that is not known yet cannot be
            // determined: Undefined, which is what a match without attribute binds to.
            0x80..=0xbf => Filter::Extensible(Extensible::default()),
            _ => return Err(tlv.malformed("not a filter").into()),
        })
    }

    fn list<'a>(&mut self, tlv: &Tlv<'a>, depth: usize) -> Result<Vec<Filter<'a>>, FilterProblem> {
        let mut inside = tlv.inside();
        let mut list = Vec::new();
        while !inside.is_empty() {
            list.push(self.filter(&inside.next()?, depth + 1)?);
        }
        Ok(list)
    }
}

/// The two octet strings of an `AttributeValueAssertion`.
pub(crate) fn assertion_parts<'a>(mut inside: Tlvs<'a>) -> Result<(&'a [u8], &'a [u8]), Malformed> {
    let attribute = inside.expect(OCTET_STRING, "expected an attribute description")?.value;
    let value = inside.expect(OCTET_STRING, "expected an assertion value")?.value;
    inside.ignore_unrecognised(&[OCTET_STRING])?;
    Ok((attribute, value))
}

fn assertion<'a>(
    tlv: &Tlv<'a>,
    make: impl FnOnce(Octets<'a>, Octets<'a>) -> Filter<'a>,
) -> Result<Filter<'a>, Malformed> {
    let (attribute, value) = assertion_parts(tlv.inside())?;
    Ok(make(attribute.into(), value.into()))
}

fn substrings<'a>(tlv: &Tlv<'a>) -> Result<Filter<'a>, Malformed> {
    let mut inside = tlv.inside();
    let attribute = inside.expect(OCTET_STRING, "expected an attribute description")?.value;
    let list = inside.expect(SEQUENCE, "expected the pieces of a substrings filter")?;
    inside.ignore_unrecognised(&[OCTET_STRING, SEQUENCE])?;
    let mut pieces = list.inside();
    let mut found = Substrings::default();
    // RFC 4511 4.5.1.7.2: "substrings SEQUENCE SIZE (1..MAX)"; "initial can occur at most
    // once", first, and "final at most once", last.
    if pieces.is_empty() {
        return Err(pieces.malformed("substrings filter without a piece"));
    }
    let mut first = true;
    while !pieces.is_empty() {
        let piece = pieces.next()?;
        match piece.tag {
            0x80 if first => found.initial = Some(piece.value.into()),
            0x81 if found.last.is_none() => found.any.push(piece.value.into()),
            0x82 if found.last.is_none() => found.last = Some(piece.value.into()),
            _ => return Err(piece.malformed("misplaced piece of a substrings filter")),
        }
        first = false;
    }
    found.initial = found.initial.filter(|piece| !piece.is_empty());
    found.any.retain(|piece| !piece.is_empty());
    found.last = found.last.filter(|piece| !piece.is_empty());
    Ok(Filter::Substrings(attribute.into(), found))
}

fn extensible<'a>(tlv: &Tlv<'a>) -> Result<Filter<'a>, Malformed> {
    let mut inside = tlv.inside();
    let octets = |tlv: Option<Tlv<'a>>| tlv.map(|tlv| tlv.value.into());
    let rule = octets(inside.take(0x81)?);
    let attribute = octets(inside.take(0x82)?);
    let value = inside.expect(0x83, "expected the value of an extensible match")?.value.into();
    let dn_attributes = inside.take(0x84)?.map_or(Ok(false), |tlv| tlv.boolean())?;
    inside.ignore_unrecognised(&[0x81, 0x82, 0x83, 0x84, BOOLEAN])?;
    // RFC 4511 4.5.1.7.7: "If the matchingRule field is absent, the type field MUST be
    // present".
    if rule.is_none() && attribute.is_none() {
        return Err(tlv.malformed("extensible match without attribute and rule"));
    }
    Ok(Filter::Extensible(Extensible { rule, attribute, value, dn_attributes }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ldap::wire::samples::{filter_octets, tlv};

    fn read(bytes: &[u8]) -> Result<Filter<'_>, FilterProblem> {
        decode(&Tlvs::new(bytes, 0).next()?, &LimitSettings::default())
    }

    #[test]
    fn filters_of_all_kinds_are_read() {
        for text in [
            "(&)",
            "(|)",
            "(!(cn=a))",
            "(&(cn=a)(|(sn=b)(mail=*)))",
            "(cn>=a)",
            "(cn<=a)",
            "(cn~=a)",
            "(cn=a*b*c*d)",
            "(cn=*a)",
            "(cn=a*)",
            "(objectGUID=\\ff\\00\\01)",
            "(userAccountControl:1.2.840.113556.1.4.803:=2)",
            "(cn:dn:2.4:=a)",
            "(:caseExactMatch:=a)",
            "(userCertificate;binary=*)",
        ] {
            let filter = Filter::parse(text).unwrap();
            assert_eq!(read(&filter_octets(&filter)).unwrap(), filter, "{text}");
        }
    }

    #[test]
    fn a_choice_that_is_not_known_is_undefined() {
        assert_eq!(read(b"\xaa\x00").unwrap(), Filter::Extensible(Extensible::default()));
    }

    #[test]
    fn malformed_filters_are_refused() {
        for (name, bytes) in [
            ("not with two children", tlv(0xa2, b"\x87\x01a\x87\x01b")),
            ("not without a child", tlv(0xa2, b"")),
            ("equality without a value", tlv(0xa3, b"\x04\x01a")),
            ("equality with a third part", tlv(0xa3, b"\x04\x01a\x04\x01b\x04\x01c")),
            ("substrings without pieces", tlv(0xa4, b"\x04\x01a\x30\x00")),
            ("two initial pieces", tlv(0xa4, b"\x04\x01a\x30\x06\x80\x01a\x80\x01b")),
            ("a piece behind the last", tlv(0xa4, b"\x04\x01a\x30\x06\x82\x01a\x81\x01b")),
            ("extensible of nothing", tlv(0xa9, b"\x83\x01a")),
            ("extensible without value", tlv(0xa9, b"\x82\x01a")),
            ("truncated child", tlv(0xa0, b"\x87\x05a")),
            ("universal tag", tlv(0x30, b"")),
        ] {
            assert!(matches!(read(&bytes), Err(FilterProblem::Malformed(_))), "{name}");
        }
    }

    #[test]
    fn depth_and_size_are_bounded() {
        let limits = LimitSettings::default();
        let deep = |n| (0..n).fold(b"\x87\x01a".to_vec(), |inner, _| tlv(0xa2, &inner));
        assert!(read(&deep(limits.filter_depth - 1)).is_ok());
        assert!(matches!(read(&deep(limits.filter_depth)), Err(FilterProblem::TooLarge(_))));
        assert!(read(&tlv(0xa1, &b"\x87\x01a".repeat(limits.filter_nodes - 1))).is_ok());
        let wide = tlv(0xa1, &b"\x87\x01a".repeat(limits.filter_nodes));
        assert!(matches!(read(&wide), Err(FilterProblem::TooLarge(_))));
    }
}
