//! Answers as octets (RFC 4511 4.1.9), written straight into the output buffer.
//! Pure: no I/O, no clock.

use super::ber::{ENUMERATED, INTEGER, OCTET_STRING, SEQUENCE};
use super::request::tag;
use crate::replica::encoding::{push_header, tlv_len};
use ldap3_proto::LdapResultCode;
use std::borrow::Cow;

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// `resultCode`
    pub(crate) code: LdapResultCode,
    /// `matchedDN`
    pub(crate) matched: String,
    /// `diagnosticMessage`
    pub(crate) message: Cow<'static, str>,
}

impl Outcome {
    /// An outcome with a message and without a matched name.
    pub(crate) fn new(code: LdapResultCode, message: impl Into<Cow<'static, str>>) -> Self {
        Outcome { code, matched: String::new(), message: message.into() }
    }

    /// Success, without comment.
    pub(crate) fn success() -> Self {
        Self::new(LdapResultCode::Success, "")
    }
}

/// OID of the Notice of Disconnection (RFC 4511 4.4.1).
pub(crate) const NOTICE_OF_DISCONNECTION: &str = "1.3.6.1.4.1.1466.20036";

/// Writes an `LDAPResult` with the tag of the response.
pub(crate) fn result(out: &mut Vec<u8>, id: i32, tag: u8, outcome: &Outcome) {
    let has_text = !outcome.matched.is_empty() || !outcome.message.is_empty();
    if has_text || outcome.code != LdapResultCode::Success {
        return full(out, id, tag, outcome, &[], &[]);
    }
    let (id, id_len) = integer(id.cast_unsigned());
    out.extend_from_slice(&[SEQUENCE, 11 + id_len as u8, INTEGER, id_len as u8]);
    out.extend_from_slice(id.get(5 - id_len..).unwrap_or_default());
    out.extend_from_slice(&[tag, 7, ENUMERATED, 1, 0, OCTET_STRING, 0, OCTET_STRING, 0]);
}

/// Writes an `ExtendedResponse`.
pub(crate) fn extended(
    out: &mut Vec<u8>,
    id: i32,
    outcome: &Outcome,
    name: Option<&str>,
    value: Option<&[u8]>,
) {
    let mut behind = Vec::new();
    for (tag, octets) in [(0x8a, name.map(str::as_bytes)), (0x8b, value)] {
        if let Some(octets) = octets {
            push_header(&mut behind, tag, octets.len());
            behind.extend(octets);
        }
    }
    full(out, id, tag::EXTENDED, outcome, &behind, &[]);
}

/// Writes the Notice of Disconnection: an unsolicited notification, number 0.
pub(crate) fn disconnection(out: &mut Vec<u8>, outcome: &Outcome) {
    extended(out, 0, outcome, Some(NOTICE_OF_DISCONNECTION), None);
}

/// What a `SearchResultDone` carries beside its outcome.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct DoneExtras {
    /// Where the client asked for pages: the cookie for the next one, or an empty one.
    pub(crate) cookie: Option<Vec<u8>>,
    /// Where the client asked for an order: whether it is kept.
    pub(crate) sorted: Option<SortResult>,
}

/// Whether an answer is sorted (RFC 2891 1.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SortResult {
    /// `sortResult`
    pub(crate) code: LdapResultCode,
    /// `attributeType`: the key that was the trouble.
    pub(crate) attribute: Option<Vec<u8>>,
}

/// Writes a `SearchResultDone`.
pub(crate) fn search_done(out: &mut Vec<u8>, id: i32, outcome: &Outcome, extras: &DoneExtras) {
    if extras.cookie.is_none() && extras.sorted.is_none() {
        return result(out, id, tag::SEARCH_DONE, outcome);
    }
    let mut list = Vec::new();
    if let Some(cookie) = &extras.cookie {
        // RFC 2696 3: "size [...] zero if the server does not know" the estimate.
        let mut value = vec![INTEGER, 1, 0];
        push_primitive(&mut value, OCTET_STRING, cookie);
        push_control(&mut list, super::super::controls::PAGED_RESULTS, &value);
    }
    if let Some(sorted) = &extras.sorted {
        let mut value = Vec::new();
        let (code, len) = integer(sorted.code.clone() as i64 as u32);
        push_primitive(&mut value, ENUMERATED, code.get(5 - len..).unwrap_or_default());
        if let Some(attribute) = &sorted.attribute {
            push_primitive(&mut value, 0x80, attribute);
        }
        push_control(&mut list, super::super::controls::SORT_RESPONSE, &value);
    }
    let mut controls = Vec::new();
    if !list.is_empty() {
        push_primitive(&mut controls, 0xa0, &list);
    }
    full(out, id, tag::SEARCH_DONE, outcome, &[], &controls);
}

/// Appends a control whose value is a SEQUENCE of these elements.
fn push_control(list: &mut Vec<u8>, oid: &str, elements: &[u8]) {
    let value = tlv_len(elements.len());
    push_header(list, SEQUENCE, tlv_len(oid.len()) + tlv_len(value));
    push_primitive(list, OCTET_STRING, oid.as_bytes());
    push_header(list, OCTET_STRING, value);
    push_primitive(list, SEQUENCE, elements);
}

fn full(out: &mut Vec<u8>, id: i32, tag: u8, outcome: &Outcome, behind: &[u8], controls: &[u8]) {
    let (code, code_len) = integer(outcome.code.clone() as i64 as u32);
    let (id, id_len) = integer(id.cast_unsigned());
    let (matched, message) = (outcome.matched.as_bytes(), outcome.message.as_bytes());
    let op = tlv_len(code_len) + tlv_len(matched.len()) + tlv_len(message.len()) + behind.len();
    push_header(out, SEQUENCE, tlv_len(id_len) + tlv_len(op) + controls.len());
    push_primitive(out, INTEGER, id.get(5 - id_len..).unwrap_or_default());
    push_header(out, tag, op);
    push_primitive(out, ENUMERATED, code.get(5 - code_len..).unwrap_or_default());
    push_primitive(out, OCTET_STRING, matched);
    push_primitive(out, OCTET_STRING, message);
    out.extend(behind);
    out.extend(controls);
}

fn push_primitive(out: &mut Vec<u8>, tag: u8, value: &[u8]) {
    push_header(out, tag, value.len());
    out.extend_from_slice(value);
}

/// The octets of a natural number, right-aligned, and how many of them count.
fn integer(number: u32) -> ([u8; 5], usize) {
    let [a, b, c, d] = number.to_be_bytes();
    // One bit more than the number has, for the sign.
    let len = (u32::BITS - number.leading_zeros()) as usize / 8 + 1;
    ([0, a, b, c, d], len)
}

/// A `SearchResultEntry` that is being written. Its outer lengths are written in four
/// octets, as Active Directory does, so that they can be filled in when the attributes
/// have been copied and nothing needs to be measured first.
pub(crate) struct EntryWriter {
    start: usize,
    op: usize,
    list: usize,
}

impl EntryWriter {
    /// Begins the entry named `dn`.
    pub(crate) fn begin(out: &mut Vec<u8>, id: i32, dn: &[u8]) -> Self {
        let start = out.len();
        out.extend_from_slice(&[SEQUENCE, 0x84, 0, 0, 0, 0]);
        let (id, id_len) = integer(id.cast_unsigned());
        push_primitive(out, INTEGER, id.get(5 - id_len..).unwrap_or_default());
        let op = out.len();
        out.extend_from_slice(&[tag::ENTRY, 0x84, 0, 0, 0, 0]);
        push_primitive(out, OCTET_STRING, dn);
        let list = out.len();
        out.extend_from_slice(&[SEQUENCE, 0x84, 0, 0, 0, 0]);
        EntryWriter { start, op, list }
    }

    /// All `PartialAttribute`s have been appended to `out`.
    pub(crate) fn finish(self, out: &mut [u8]) {
        let end = out.len();
        for place in [self.start, self.op, self.list] {
            let len = u32::try_from(end - place - 6).unwrap_or(u32::MAX);
            if let Some(octets) = out.get_mut(place + 2..place + 6) {
                octets.copy_from_slice(&len.to_be_bytes());
            }
        }
    }

    /// The entry cannot be completed: nothing of it has been written.
    pub(crate) fn undo(self, out: &mut Vec<u8>) {
        out.truncate(self.start);
    }
}

/// Appends a `PartialAttribute` with these values.
pub(crate) fn attribute<'a>(
    out: &mut Vec<u8>,
    name: &str,
    values: impl Iterator<Item = &'a [u8]> + Clone,
) {
    let set: usize = values.clone().map(|value| tlv_len(value.len())).sum();
    push_header(out, SEQUENCE, tlv_len(name.len()) + tlv_len(set));
    push_primitive(out, OCTET_STRING, name.as_bytes());
    push_header(out, 0x31, set);
    values.for_each(|value| push_primitive(out, OCTET_STRING, value));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ldap::wire::samples::{control, tlv};

    #[test]
    fn results_are_written_in_their_shortest_form() {
        let mut out = Vec::new();
        result(&mut out, 1, tag::BIND, &Outcome::success());
        assert_eq!(out, b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00");
        out.clear();
        result(&mut out, 128, tag::SEARCH_DONE, &Outcome::new(LdapResultCode::Busy, "hi"));
        assert_eq!(out, b"\x30\x0f\x02\x02\x00\x80\x65\x09\x0a\x01\x33\x04\x00\x04\x02hi");
        out.clear();
        result(&mut out, i32::MAX, tag::BIND, &Outcome::success());
        assert_eq!(out.get(..8).unwrap(), b"\x30\x0f\x02\x04\x7f\xff\xff\xff");
    }

    #[test]
    fn the_notice_of_disconnection_has_number_zero_and_its_name() {
        let mut out = Vec::new();
        disconnection(&mut out, &Outcome::new(LdapResultCode::ProtocolError, ""));
        let expected = b"\x30\x24\x02\x01\x00\x78\x1f\x0a\x01\x02\x04\x00\x04\x00\x8a\x161.3.6.1.4.1.1466.20036";
        assert_eq!(out, expected);
    }

    #[test]
    fn a_done_carries_its_cookie_and_whether_it_is_sorted() {
        let op = b"\x02\x01\x02\x65\x07\x0a\x01\x00\x04\x00\x04\x00";
        let done = |extras: DoneExtras, controls: &[Vec<u8>]| {
            let mut out = Vec::new();
            search_done(&mut out, 2, &Outcome::success(), &extras);
            assert_eq!(out, tlv(0x30, &[op.as_slice(), &tlv(0xa0, &controls.concat())].concat()));
        };
        let cookie = Some(b"c".to_vec());
        let paged =
            control("1.2.840.113556.1.4.319", false, Some(b"\x30\x06\x02\x01\x00\x04\x01c"));
        done(DoneExtras { cookie: cookie.clone(), sorted: None }, std::slice::from_ref(&paged));
        let sorted = Some(SortResult { code: LdapResultCode::Success, attribute: None });
        let in_order = control("1.2.840.113556.1.4.474", false, Some(b"\x30\x03\x0a\x01\x00"));
        done(DoneExtras { cookie, sorted }, &[paged, in_order]);
        let attribute = Some(b"x".to_vec());
        let sorted = Some(SortResult { code: LdapResultCode::NoSuchAttribute, attribute });
        let not = b"\x30\x06\x0a\x01\x10\x80\x01x";
        let unsorted = control("1.2.840.113556.1.4.474", false, Some(not));
        done(DoneExtras { cookie: None, sorted }, &[unsorted]);
    }

    #[test]
    fn an_entry_gets_its_lengths_afterwards_or_is_undone() {
        let mut out = b"before".to_vec();
        let writer = EntryWriter::begin(&mut out, 7, b"dc=x");
        attribute(&mut out, "cn", [&b"a"[..], b"b"].into_iter());
        writer.finish(&mut out);
        let expected = [
            &b"before\x30\x84\x00\x00\x00\x23\x02\x01\x07"[..],
            b"\x64\x84\x00\x00\x00\x1a\x04\x04dc=x",
            b"\x30\x84\x00\x00\x00\x0e\x30\x0c\x04\x02cn\x31\x06\x04\x01a\x04\x01b",
        ];
        assert_eq!(out, expected.concat());
        let whole = out.len();
        EntryWriter::begin(&mut out, 7, b"dc=x").undo(&mut out);
        assert_eq!(out.len(), whole);
    }
}
