//! One message of a client (RFC 4511 4.1.1), borrowed from the input buffer.
//! Pure: no I/O, no clock.

use super::ber::{BOOLEAN, ENUMERATED, INTEGER, Malformed, OCTET_STRING, SEQUENCE, Tlv, Tlvs};
use super::controls::{self, Control};
use super::filter::{self, FilterProblem};
use crate::directory::filter::Filter;
use ldap3_proto::proto::LdapSearchScope;

/// Most attributes that one search asks for.
pub(crate) const MAX_ATTRIBUTES: usize = 1024;

/// A request, its number and its controls.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    /// `messageID`, 1 to 2^31-1.
    pub(crate) id: i32,
    /// What is asked.
    pub(crate) operation: Operation<'a>,
    /// The controls, in the order sent.
    pub(crate) controls: Vec<Control<'a>>,
}

/// The operations a client may ask for.
#[derive(Debug)]
pub(crate) enum Operation<'a> {
    /// Who the client is.
    Bind(BindRequest<'a>),
    /// The client goes.
    Unbind,
    /// Entries are looked for.
    Search(SearchRequest<'a>),
    /// Modify, add, delete or rename: by the tag of the response.
    Write(u8),
    /// Does an entry have a value?
    Compare(CompareRequest<'a>),
    /// Another operation is of no interest any more; the connection has seen which.
    Abandon,
    /// Something with an OID.
    Extended(ExtendedRequest<'a>),
}

/// RFC 4511 4.2
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BindRequest<'a> {
    /// Protocol version.
    pub(crate) version: i64,
    /// Who binds.
    pub(crate) name: &'a [u8],
    /// The password; `None` for any other way of authentication.
    pub(crate) password: Option<&'a [u8]>,
}

/// RFC 4511 4.5.1. Aliases do not exist here, so how they are treated is checked and dropped.
#[derive(Debug)]
pub(crate) struct SearchRequest<'a> {
    /// Name of the base entry.
    pub(crate) base: &'a [u8],
    /// How far below it.
    pub(crate) scope: LdapSearchScope,
    /// Most entries; 0 for no limit.
    pub(crate) size_limit: u32,
    /// Most seconds; 0 for no limit.
    pub(crate) time_limit: u32,
    /// Whether values are left out.
    pub(crate) types_only: bool,
    /// Which entries.
    pub(crate) filter: Filter,
    /// Which attributes.
    pub(crate) attributes: AttributeList<'a>,
    /// All of the request but the limits, for cookies.
    pub(crate) fingerprint: Fingerprint<'a>,
}

/// The octets that say what a search is about: what a cookie must agree with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fingerprint<'a> {
    /// Base and scope.
    pub(crate) target: &'a [u8],
    /// Types only, filter, attributes.
    pub(crate) question: &'a [u8],
}

/// Attribute descriptions, as sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AttributeList<'a>(Tlvs<'a>);

impl<'a> AttributeList<'a> {
    /// The descriptions in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = self.0;
        std::iter::from_fn(move || rest.next().ok().map(|tlv| tlv.value))
    }
}

/// RFC 4511 4.10
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CompareRequest<'a> {
    /// Name of the entry.
    pub(crate) entry: &'a [u8],
    /// Attribute description.
    pub(crate) attribute: &'a [u8],
    /// The value that it may have.
    pub(crate) value: &'a [u8],
}

/// RFC 4511 4.12
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ExtendedRequest<'a> {
    /// `requestName`: an OID.
    pub(crate) name: &'a [u8],
    /// `requestValue`
    pub(crate) value: Option<&'a [u8]>,
}

/// Why a message is not a request that can be carried out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Number or operation cannot be told: the connection ends.
    Disconnect(Malformed),
    /// They can: the operation's response says protocolError.
    Malformed { id: i32, response: u8, problem: Malformed },
    /// It is a request, but larger than the server cares for.
    TooLarge { id: i32, response: u8, what: &'static str },
    /// A malformed unbind or abandon, which have no response.
    Nothing,
}

/// Response tags (RFC 4511 4.2 to 4.12).
pub(crate) mod tag {
    pub(crate) const BIND: u8 = 0x61;
    pub(crate) const ENTRY: u8 = 0x64;
    pub(crate) const SEARCH_DONE: u8 = 0x65;
    pub(crate) const MODIFY: u8 = 0x67;
    pub(crate) const ADD: u8 = 0x69;
    pub(crate) const DELETE: u8 = 0x6b;
    pub(crate) const MODIFY_DN: u8 = 0x6d;
    pub(crate) const COMPARE: u8 = 0x6f;
    pub(crate) const EXTENDED: u8 = 0x78;
    pub(crate) const UNBIND_REQUEST: u8 = 0x42;
    pub(crate) const ABANDON_REQUEST: u8 = 0x50;
}

/// The number and operation tag of a message whose contents start at octet `header`.
pub(crate) fn envelope(
    contents: &[u8],
    header: usize,
) -> Result<(i32, Tlv<'_>, Tlvs<'_>), Malformed> {
    let mut parts = Tlvs::new(contents, header);
    let id = parts.expect(INTEGER, "expected a message id")?;
    let number = id.natural("message id out of range")?;
    // RFC 4511 4.1.1.1: "The messageID of a request MUST have a non-zero value".
    if number == 0 {
        return Err(id.malformed("message id out of range"));
    }
    Ok((number.cast_signed(), parts.next()?, parts))
}

/// Reads a whole message whose contents start at octet `header`.
pub(crate) fn decode(contents: &[u8], header: usize) -> Result<Request<'_>, Refusal> {
    let (id, op, mut rest) = envelope(contents, header).map_err(Refusal::Disconnect)?;
    let response = match op.tag {
        0x60 => tag::BIND,
        0x63 => tag::SEARCH_DONE,
        0x66 => tag::MODIFY,
        0x68 => tag::ADD,
        0x4a => tag::DELETE,
        0x6c => tag::MODIFY_DN,
        0x6e => tag::COMPARE,
        0x77 => tag::EXTENDED,
        tag::UNBIND_REQUEST | tag::ABANDON_REQUEST => 0,
        // RFC 4511 4.1.1: "the tag of the protocolOp is not recognized as a request".
        _ => return Err(Refusal::Disconnect(op.malformed("not a request"))),
    };
    let answer = |problem: Malformed| match response {
        0 => Refusal::Nothing,
        response => Refusal::Malformed { id, response, problem },
    };
    let controls = match rest.take(0xa0).map_err(answer)? {
        // RFC 4511 4.1.11: the criticality "only applies to request messages (except
        // UnbindRequest)"; nothing is answered to these two whatever controls say.
        Some(_) if response == 0 => Vec::new(),
        Some(list) => controls::decode(&list).map_err(answer)?,
        None => Vec::new(),
    };
    rest.ignore_unrecognised(&[0xa0]).map_err(answer)?;
    let operation = match op.tag {
        0x60 => Operation::Bind(bind(&op).map_err(answer)?),
        0x63 => Operation::Search(search(&op).map_err(|problem| match problem {
            FilterProblem::Malformed(problem) => answer(problem),
            FilterProblem::TooLarge(what) => Refusal::TooLarge { id, response, what },
        })?),
        0x6e => Operation::Compare(compare(&op).map_err(answer)?),
        0x77 => Operation::Extended(extended(&op).map_err(answer)?),
        tag::UNBIND_REQUEST => Operation::Unbind,
        tag::ABANDON_REQUEST => {
            op.natural("abandoned message id out of range").map_err(answer)?;
            Operation::Abandon
        }
        _ => Operation::Write(response),
    };
    Ok(Request { id, operation, controls })
}

fn bind<'a>(op: &Tlv<'a>) -> Result<BindRequest<'a>, Malformed> {
    let mut parts = op.inside();
    let version = parts.expect(INTEGER, "expected a protocol version")?.integer()?;
    let name = parts.expect(OCTET_STRING, "expected a bind name")?.value;
    let choice = parts.next()?;
    parts.ignore_unrecognised(&[0x80, 0xa3])?;
    let password = match choice.tag {
        0x80 => Some(choice.value),
        // SASL; Sicily has the tags 9 to 11; other choices may come.
        0x81..=0xbf => None,
        _ => return Err(choice.malformed("expected an authentication choice")),
    };
    Ok(BindRequest { version, name, password })
}

fn search<'a>(op: &Tlv<'a>) -> Result<SearchRequest<'a>, FilterProblem> {
    let whole = op.value;
    let mut parts = op.inside();
    let base = parts.expect(OCTET_STRING, "expected a base")?.value;
    let scope = parts.expect(ENUMERATED, "expected a scope")?;
    let scope = match scope.integer()? {
        0 => LdapSearchScope::Base,
        1 => LdapSearchScope::OneLevel,
        2 => LdapSearchScope::Subtree,
        3 => LdapSearchScope::Children,
        _ => return Err(scope.malformed("unknown scope").into()),
    };
    let target_end = parts;
    let deref = parts.expect(ENUMERATED, "expected how to treat aliases")?;
    if !(0..=3).contains(&deref.integer()?) {
        return Err(deref.malformed("unknown treatment of aliases").into());
    }
    let size_limit = parts.expect(INTEGER, "expected a size limit")?.natural("bad size limit")?;
    let time_limit = parts.expect(INTEGER, "expected a time limit")?.natural("bad time limit")?;
    let question_start = parts;
    let types_only = parts.expect(BOOLEAN, "expected typesOnly")?.boolean()?;
    let filter = filter::decode(&parts.next()?)?;
    let list = parts.expect(SEQUENCE, "expected a list of attributes")?;
    parts.ignore_unrecognised(&[SEQUENCE])?;
    let mut names = list.inside();
    let mut count = 0;
    while !names.is_empty() {
        names.expect(OCTET_STRING, "expected an attribute description")?;
        count += 1;
    }
    if count > MAX_ATTRIBUTES {
        return Err(FilterProblem::TooLarge("too many attributes asked for"));
    }
    let upto = |tlvs: &Tlvs<'_>| whole.len() - tlvs.remaining();
    let fingerprint = Fingerprint {
        target: whole.get(..upto(&target_end)).unwrap_or_default(),
        question: whole.get(upto(&question_start)..).unwrap_or_default(),
    };
    let attributes = AttributeList(list.inside());
    Ok(SearchRequest {
        base,
        scope,
        size_limit,
        time_limit,
        types_only,
        filter,
        attributes,
        fingerprint,
    })
}

fn compare<'a>(op: &Tlv<'a>) -> Result<CompareRequest<'a>, Malformed> {
    let mut parts = op.inside();
    let entry = parts.expect(OCTET_STRING, "expected an entry name")?.value;
    let assertion = parts.expect(SEQUENCE, "expected an assertion")?;
    parts.ignore_unrecognised(&[OCTET_STRING, SEQUENCE])?;
    let (attribute, value) = filter::assertion_parts(assertion.inside())?;
    Ok(CompareRequest { entry, attribute, value })
}

fn extended<'a>(op: &Tlv<'a>) -> Result<ExtendedRequest<'a>, Malformed> {
    let mut parts = op.inside();
    let name = parts.expect(0x80, "expected a request name")?.value;
    let value = parts.take(0x81)?.map(|tlv| tlv.value);
    parts.ignore_unrecognised(&[0x80, 0x81])?;
    Ok(ExtendedRequest { name, value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ldap::wire::frame::{self, Framed};
    use crate::ldap::wire::samples::{bind, control, message, search, tlv};
    use proptest::prelude::*;

    fn read(bytes: &[u8]) -> Result<Request<'_>, Refusal> {
        match frame::next(bytes, 1 << 20) {
            Ok(Framed::Whole { header, value }) => decode(&bytes[header..header + value], header),
            other => panic!("{other:?}"),
        }
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
        assert_eq!((request.version, request.password), (3, Some(&b"pw"[..])));
        for choice in
            [tlv(0xa3, b"\x04\x06GSSAPI"), tlv(0x89, b""), tlv(0x8a, b"NTLM"), tlv(0x8b, b"x")]
        {
            let op = tlv(0x60, &[&b"\x02\x01\x03\x04\x00"[..], &choice].concat());
            let bytes = message(b"\x01", &op, &[]);
            let Operation::Bind(request) = read(&bytes).unwrap().operation else { panic!() };
            assert_eq!(request.password, None);
        }
    }

    #[test]
    fn operations_without_a_decoder_are_known_by_their_response() {
        for (op, response) in
            [(0x66, tag::MODIFY), (0x68, tag::ADD), (0x4a, tag::DELETE), (0x6c, tag::MODIFY_DN)]
        {
            let bytes = message(b"\x01", &tlv(op, b"whatever"), &[]);
            assert!(
                matches!(read(&bytes).unwrap().operation, Operation::Write(t) if t == response)
            );
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
        for op in [tlv(0x64, b"\x04\x00\x30\x00"), tlv(0x65, b""), tlv(0x04, b"x"), tlv(0x7f, b"")]
        {
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
        assert!(matches!(read(&abandon).unwrap().operation, Operation::Abandon));
    }

    #[test]
    fn too_many_attributes_are_refused_not_read() {
        let names = vec!["cn"; MAX_ATTRIBUTES + 1];
        let bytes = message(b"\x01", &search("", 0, "(cn=a)", &names), &[]);
        assert!(matches!(read(&bytes), Err(Refusal::TooLarge { .. })));
    }

    proptest! {
        #[test]
        fn no_octets_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = frame::next(&bytes, 1 << 20);
            let _ = decode(&bytes, 0);
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
                let _ = decode(&bytes[header..header + value], header);
            }
            let _ = decode(&bytes[2..2 + cut.index(bytes.len() - 2)], 2);
        }
    }
}
