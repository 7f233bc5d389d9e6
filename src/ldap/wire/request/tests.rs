//! What is read of requests, right and malformed.

use super::*;
use crate::ldap::wire::frame::{self, Framed};
use crate::ldap::wire::samples::{bind, control, message, search, tlv};
use proptest::prelude::*;
use std::sync::OnceLock;

fn read(bytes: &[u8]) -> Result<Request<'_>, Refusal> {
    match frame::next(bytes, 1 << 20) {
        Ok(Framed::Whole { header, value }) => {
            decode(&bytes[header..header + value], header, limits())
        }
        other => panic!("{other:?}"),
    }
}

fn limits() -> &'static LimitSettings {
    static LIMITS: OnceLock<LimitSettings> = OnceLock::new();
    LIMITS.get_or_init(LimitSettings::default)
}

fn disconnects(bytes: &[u8]) -> bool {
    matches!(read(bytes), Err(Refusal::Disconnect(_)))
}

fn answers(bytes: &[u8], tag: u8) -> bool {
    matches!(read(bytes), Err(Refusal::Malformed { response, .. }) if response == tag)
}

const UNBIND: &[u8] = b"\x42\x00";

#[test]
fn a_search_is_read_with_all_its_parts() {
    let op = search("dc=x", 2, "(objectGUID=\\ff\\00)", &["mail", "1.1"]);
    let bytes = message(b"\x07", &op, &[control("1.2.3", true, None)]);
    let request = read(&bytes).unwrap();
    assert_eq!((request.id, request.controls.len()), (7, 1));
    let Operation::Search(search) = request.operation else { panic!() };
    assert_eq!((search.base, search.scope), (&b"dc=x"[..], LdapSearchScope::Subtree));
    assert_eq!(search.filter.to_string(), "(objectGUID=\\ff\\00)");
    assert_eq!(search.attributes.iter().collect::<Vec<_>>(), [&b"mail"[..], b"1.1"]);
    assert_eq!(search.fingerprint.target, b"\x04\x04dc=x\x0a\x01\x02");
    assert!(search.fingerprint.question.starts_with(b"\x01\x01\x00\xa3"));
}

#[test]
fn binds_of_all_kinds_are_read() {
    let simple = message(b"\x01", &bind(3, "cn=a", "pw"), &[]);
    let Operation::Bind(request) = read(&simple).unwrap().operation else { panic!() };
    assert_eq!((request.version, request.proof), (3, Proof::Password(b"pw")));
    let sasl = |mechanism, credentials| Proof::Sasl { mechanism, credentials };
    for (choice, proof) in [
        (tlv(0xa3, b"\x04\x06GSSAPI"), sasl(b"GSSAPI", None)),
        (tlv(0xa3, b"\x04\x08EXTERNAL\x04\x00"), sasl(b"EXTERNAL", Some(b""))),
        (tlv(0x89, b""), Proof::Other),
        (tlv(0x8a, b"NTLM"), Proof::Other),
        (tlv(0x8b, b"x"), Proof::Other),
    ] {
        let op = tlv(0x60, &[&b"\x02\x01\x03\x04\x00"[..], &choice].concat());
        let bytes = message(b"\x01", &op, &[]);
        let Operation::Bind(request) = read(&bytes).unwrap().operation else { panic!() };
        assert_eq!(request.proof, proof);
    }
}

#[test]
fn operations_without_a_decoder_are_known_by_their_response() {
    for (op, response) in
        [(0x66, tag::MODIFY), (0x68, tag::ADD), (0x4a, tag::DELETE), (0x6c, tag::MODIFY_DN)]
    {
        let bytes = message(b"\x01", &tlv(op, b"whatever"), &[]);
        assert!(matches!(read(&bytes).unwrap().operation, Operation::Write(t) if t == response));
    }
}

#[test]
fn message_ids_outside_their_range_end_the_connection() {
    for id in [&b""[..], b"\x00", b"\xff", b"\x00\x80\x00\x00\x00", b"\x01\x00\x00\x00\x05"] {
        assert!(disconnects(&message(id, UNBIND, &[])), "{id:?}");
    }
    assert_eq!(read(&message(b"\x7f\xff\xff\xff", UNBIND, &[])).unwrap().id, i32::MAX);
    assert_eq!(read(&message(b"\x00\x00\x05", UNBIND, &[])).unwrap().id, 5);
}

#[test]
fn what_is_no_request_ends_the_connection() {
    for op in [tlv(0x64, b"\x04\x00\x30\x00"), tlv(0x65, b""), tlv(0x04, b"x"), tlv(0x7f, b"")] {
        assert!(disconnects(&message(b"\x01", &op, &[])), "{op:?}");
    }
    assert!(disconnects(b"\x30\x00"));
    assert!(disconnects(b"\x30\x03\x02\x01\x01"));
    assert!(disconnects(b"\x30\x05\x02\x01\x01\x63\x05"));
}

#[test]
fn truncated_controls_never_vanish() {
    let op = search("", 0, "(objectClass=*)", &[]);
    let whole = message(b"\x01", &op, &[control("1.2.3", true, None)]);
    // The same octets, with the length of the control one too large.
    let mut bytes = whole.clone();
    let at = whole.len() - 11;
    assert_eq!(bytes[at], 0x0a);
    bytes[at] += 1;
    assert!(answers(&bytes, tag::SEARCH_DONE));
    let list = tlv(0x30, &[b"\x02\x01\x01", op.as_slice(), b"\xa0\x05\x30\x01\x04"].concat());
    assert!(answers(&list, tag::SEARCH_DONE));
}

#[test]
fn what_stands_behind_the_controls_is_ignored_unless_it_is_known() {
    let op = search("", 0, "(objectClass=*)", &[]);
    let wrap = |behind: &[u8]| tlv(0x30, &[b"\x02\x01\x01", op.as_slice(), behind].concat());
    assert!(read(&wrap(b"\xa5\x00")).is_ok());
    assert!(answers(&wrap(b"\xa0\x00\xa0\x00"), tag::SEARCH_DONE));
    assert!(answers(&wrap(b"\xa5\x07"), tag::SEARCH_DONE));
    assert!(answers(&wrap(b"\x00"), tag::SEARCH_DONE));
}

#[test]
fn a_malformed_search_has_an_answer() {
    let good = search("dc=x", 2, "(cn=a)", &["mail"]);
    let inside = &good[2..];
    for (name, at, octet) in [
        ("scope", 8, 4),
        ("aliases", 11, 4),
        ("negative size limit", 14, 0xff),
        ("negative time limit", 17, 0x80),
        ("filter that overruns", 22, 0x7f),
    ] {
        let mut bad = inside.to_vec();
        bad[at] = octet;
        assert!(answers(&message(b"\x01", &tlv(0x63, &bad), &[]), tag::SEARCH_DONE), "{name}");
    }
    let size_above_max = [
        &b"\x04\x00\x0a\x01\x00\x0a\x01\x00\x02\x05\x01\x00\x00\x00\x01"[..],
        b"\x02\x01\x00\x01\x01\x00\x87\x01a\x30\x00",
    ];
    let op = tlv(0x63, &size_above_max.concat());
    assert!(answers(&message(b"\x01", &op, &[]), tag::SEARCH_DONE));
    for cut in 0..inside.len() {
        let op = tlv(0x63, &inside[..cut]);
        assert!(answers(&message(b"\x01", &op, &[]), tag::SEARCH_DONE), "{cut}");
    }
}

#[test]
fn malformed_unbind_and_abandon_have_no_answer() {
    assert_eq!(read(&message(b"\x01", b"\x50\x00", &[])).unwrap_err(), Refusal::Nothing);
    let controls = [tlv(0x04, b"junk")];
    assert!(matches!(
        read(&message(b"\x01", UNBIND, &controls)).unwrap().operation,
        Operation::Unbind
    ));
    let abandon = message(b"\x02", b"\x50\x01\x05", &[control("1.2.3", true, None)]);
    assert!(matches!(read(&abandon).unwrap().operation, Operation::Abandon(_)));
}

#[test]
fn too_many_attributes_are_refused_not_read() {
    let names = vec!["cn"; limits().attributes + 1];
    let bytes = message(b"\x01", &search("", 0, "(cn=a)", &names), &[]);
    assert!(matches!(read(&bytes), Err(Refusal::TooLarge { .. })));
}

proptest! {
    #[test]
    fn no_octets_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = frame::next(&bytes, 1 << 20);
        let _ = decode(&bytes, 0, limits());
    }

    #[test]
    fn no_change_to_a_request_makes_the_decoder_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let op = search("dc=x", 2, "(&(cn=a*b)(|(mail=x)(!(sn:dn:2.4:=y))))", &["mail", "cn"]);
        let mut bytes = message(b"\x07", &op, &[control("1.2.3", true, Some(b"v"))]);
        for (at, octet) in changes {
            let at = at.index(bytes.len());
            bytes[at] = octet;
        }
        if let Ok(Framed::Whole { header, value }) = frame::next(&bytes, 1 << 20) {
            let _ = decode(&bytes[header..header + value], header, limits());
        }
        let _ = decode(&bytes[2..2 + cut.index(bytes.len() - 2)], 2, limits());
    }
}
