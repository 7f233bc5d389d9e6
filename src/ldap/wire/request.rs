//! One message of a client (RFC 4511 4.1.1), borrowed from the input buffer.
//! Pure: no I/O, no clock.

use super::ber::{BOOLEAN, ENUMERATED, INTEGER, Malformed, OCTET_STRING, SEQUENCE, Tlv, Tlvs};
use super::controls::{self, Control};
use super::filter::{self, FilterProblem};
use crate::config::settings::LimitSettings;
use crate::directory::filter::Filter;
use ldap3_proto::proto::LdapSearchScope;

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
    /// The operation with this number is of no interest any more.
    Abandon(i32),
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
    /// What proves it.
    pub(crate) proof: Proof<'a>,
}

/// RFC 4511 4.2: the `AuthenticationChoice`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof<'a> {
    /// A password.
    Password(&'a [u8]),
    /// `SaslCredentials`
    Sasl { mechanism: &'a [u8], credentials: Option<&'a [u8]> },
    /// Any other choice.
    Other,
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
    pub(crate) filter: Filter<'a>,
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

    /// The octets that they came in.
    pub(crate) fn octets(&self) -> &'a [u8] {
        self.0.octets()
    }

    #[cfg(test)]
    pub(crate) fn of(octets: &'a [u8]) -> Self {
        AttributeList(Tlvs::new(octets, 0))
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
    pub(crate) const BIND_REQUEST: u8 = 0x60;
    pub(crate) const SEARCH_REQUEST: u8 = 0x63;
    pub(crate) const COMPARE_REQUEST: u8 = 0x6e;
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

/// Reads a whole message whose contents start at octet `header`, within the limits for
/// controls, attributes and filters.
pub(crate) fn decode<'a>(
    contents: &'a [u8],
    header: usize,
    limits: &LimitSettings,
) -> Result<Request<'a>, Refusal> {
    let (id, op, mut rest) = envelope(contents, header).map_err(Refusal::Disconnect)?;
    let response = match op.tag {
        tag::BIND_REQUEST => tag::BIND,
        tag::SEARCH_REQUEST => tag::SEARCH_DONE,
        0x66 => tag::MODIFY,
        0x68 => tag::ADD,
        0x4a => tag::DELETE,
        0x6c => tag::MODIFY_DN,
        tag::COMPARE_REQUEST => tag::COMPARE,
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
        Some(list) => controls::decode(&list, limits.controls).map_err(answer)?,
        None => Vec::new(),
    };
    rest.ignore_unrecognised(&[0xa0]).map_err(answer)?;
    let operation = match op.tag {
        tag::BIND_REQUEST => Operation::Bind(bind(&op).map_err(answer)?),
        tag::SEARCH_REQUEST => {
            Operation::Search(search(&op, limits).map_err(|problem| match problem {
                FilterProblem::Malformed(problem) => answer(problem),
                FilterProblem::TooLarge(what) => Refusal::TooLarge { id, response, what },
            })?)
        }
        tag::COMPARE_REQUEST => Operation::Compare(compare(&op).map_err(answer)?),
        0x77 => Operation::Extended(extended(&op).map_err(answer)?),
        tag::UNBIND_REQUEST => Operation::Unbind,
        tag::ABANDON_REQUEST => {
            let id = op.natural("abandoned message id out of range").map_err(answer)?;
            Operation::Abandon(id.cast_signed())
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
    let proof = match choice.tag {
        0x80 => Proof::Password(choice.value),
        0xa3 => {
            let mut parts = choice.inside();
            let mechanism = parts.expect(OCTET_STRING, "expected a SASL mechanism")?.value;
            let credentials = parts.take(OCTET_STRING)?.map(|tlv| tlv.value);
            parts.ignore_unrecognised(&[OCTET_STRING])?;
            Proof::Sasl { mechanism, credentials }
        }
        // Sicily has the tags 9 to 11; other choices may come.
        0x81..=0xbf => Proof::Other,
        _ => return Err(choice.malformed("expected an authentication choice")),
    };
    Ok(BindRequest { version, name, proof })
}

fn search<'a>(op: &Tlv<'a>, limits: &LimitSettings) -> Result<SearchRequest<'a>, FilterProblem> {
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
    let filter = filter::decode(&parts.next()?, limits)?;
    let list = parts.expect(SEQUENCE, "expected a list of attributes")?;
    parts.ignore_unrecognised(&[SEQUENCE])?;
    let mut names = list.inside();
    let mut count = 0;
    while !names.is_empty() {
        names.expect(OCTET_STRING, "expected an attribute description")?;
        count += 1;
    }
    if count > limits.attributes {
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
mod tests;
