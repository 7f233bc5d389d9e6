//! Requests as a client would send them, for tests. Pure: no I/O, no clock.

use crate::directory::filter::Filter;
use crate::replica::encoding::push_header;

/// An element.
pub(crate) fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    push_header(&mut out, tag, value.len());
    out.extend(value);
    out
}

fn octets(value: &[u8]) -> Vec<u8> {
    tlv(0x04, value)
}

/// A filter.
pub(crate) fn filter_octets(filter: &Filter<'_>) -> Vec<u8> {
    let pair = |tag, a: &[u8], v: &[u8]| tlv(tag, &[octets(a), octets(v)].concat());
    let list = |tag, list: &[Filter<'_>]| {
        tlv(tag, &list.iter().flat_map(filter_octets).collect::<Vec<u8>>())
    };
    match filter {
        Filter::And(inner) => list(0xa0, inner),
        Filter::Or(inner) => list(0xa1, inner),
        Filter::Not(inner) => tlv(0xa2, &filter_octets(inner)),
        Filter::Equality(a, v) => pair(0xa3, a, v),
        Filter::GreaterOrEqual(a, v) => pair(0xa5, a, v),
        Filter::LessOrEqual(a, v) => pair(0xa6, a, v),
        Filter::Approx(a, v) => pair(0xa8, a, v),
        Filter::Present(a) => tlv(0x87, a),
        Filter::Substrings(a, s) => {
            let mut pieces = s.initial.as_ref().map(|v| tlv(0x80, v)).unwrap_or_default();
            s.any.iter().for_each(|v| pieces.extend(tlv(0x81, v)));
            pieces.extend(s.last.as_ref().map(|v| tlv(0x82, v)).unwrap_or_default());
            tlv(0xa4, &[octets(a), tlv(0x30, &pieces)].concat())
        }
        Filter::Extensible(e) => {
            let mut parts = e.rule.as_ref().map(|v| tlv(0x81, v)).unwrap_or_default();
            parts.extend(e.attribute.as_ref().map(|v| tlv(0x82, v)).unwrap_or_default());
            parts.extend(tlv(0x83, &e.value));
            parts.extend(if e.dn_attributes { tlv(0x84, &[0xff]) } else { Vec::new() });
            tlv(0xa9, &parts)
        }
    }
}

/// One control.
pub(crate) fn control(oid: &str, critical: bool, value: Option<&[u8]>) -> Vec<u8> {
    let mut parts = octets(oid.as_bytes());
    parts.extend(if critical { tlv(0x01, &[0xff]) } else { Vec::new() });
    parts.extend(value.map(octets).unwrap_or_default());
    tlv(0x30, &parts)
}

/// A message with controls.
pub(crate) fn message(id: &[u8], op: &[u8], controls: &[Vec<u8>]) -> Vec<u8> {
    let mut parts = tlv(0x02, id);
    parts.extend(op);
    if !controls.is_empty() {
        parts.extend(tlv(0xa0, &controls.concat()));
    }
    tlv(0x30, &parts)
}

/// A simple bind operation.
#[cfg(test)]
pub(crate) fn bind(version: u8, name: &str, password: &str) -> Vec<u8> {
    let parts = [tlv(0x02, &[version]), octets(name.as_bytes()), tlv(0x80, password.as_bytes())];
    tlv(0x60, &parts.concat())
}

/// A search operation without limits.
#[allow(clippy::unwrap_used, reason = "for tests: the filter is a literal")]
pub(crate) fn search(base: &str, scope: u8, filter: &str, attributes: &[&str]) -> Vec<u8> {
    let filter = filter_octets(&Filter::parse(filter).unwrap());
    let list: Vec<u8> = attributes.iter().flat_map(|name| octets(name.as_bytes())).collect();
    let head = [octets(base.as_bytes()), tlv(0x0a, &[scope]), tlv(0x0a, &[0])].concat();
    let limits = [tlv(0x02, &[0]), tlv(0x02, &[0]), tlv(0x01, &[0])].concat();
    tlv(0x63, &[head, limits, filter, tlv(0x30, &list)].concat())
}
