//! Extended operations: StartTLS (RFC 4511 4.14), "Who am I?" (RFC 4532) and Cancel
//! (RFC 3909). Pure: no I/O, no clock.

use super::operation::Received;
use super::server::Server;
use super::session::Session;
use super::wire::ber::{INTEGER, Malformed, SEQUENCE, Tlvs};
use super::wire::request::ExtendedRequest;
use super::wire::response::Outcome;
use ldap3_proto::LdapResultCode;

/// OID of StartTLS.
pub(crate) const START_TLS: &str = "1.3.6.1.4.1.1466.20037";
/// OID of "Who am I?".
pub(crate) const WHO_AM_I: &str = "1.3.6.1.4.1.4203.1.11.3";
/// OID of Cancel.
pub(crate) const CANCEL: &str = "1.3.6.1.1.8";
/// OID of Password Modify (RFC 3062).
const PASSWORD_MODIFY: &str = "1.3.6.1.4.1.4203.1.11.1";

/// What an extended request comes to.
pub(crate) enum ExtendedStep {
    /// This answer: outcome, response name, response value.
    Answer(Outcome, Option<&'static str>, Option<Vec<u8>>),
    /// The operation with this number is to be stopped.
    Cancel(i32),
    /// Success is answered, and TLS begins behind it.
    StartTls,
    /// This answer, and the connection ends.
    Close(Outcome),
}

/// Decides an extended request.
pub(crate) fn answer(
    server: &Server,
    session: &Session,
    request: &ExtendedRequest<'_>,
    received: &Received<'_>,
) -> ExtendedStep {
    let name = std::str::from_utf8(request.name).unwrap_or_default();
    match name {
        START_TLS => start_tls(server, session, request, received),
        // RFC 4532 2.1: "The requestValue field is absent." 2.2: the response's
        // "responseName field is absent".
        WHO_AM_I if request.value.is_some() => {
            refuse(LdapResultCode::ProtocolError, "Who am I? takes no value")
        }
        WHO_AM_I => {
            let who = match &session.bound {
                Some(_) => format!("u:{}", session.name()).into_bytes(),
                None => Vec::new(),
            };
            ExtendedStep::Answer(Outcome::success(), None, Some(who))
        }
        CANCEL => match cancel_id(request.value) {
            Ok(id) => ExtendedStep::Cancel(id),
            Err(problem) => refuse(LdapResultCode::ProtocolError, problem.what),
        },
        PASSWORD_MODIFY => ExtendedStep::Answer(super::refused::write(), None, None),
        // RFC 4511 4.12: "If the server does not recognize the request name, it MUST
        // return only the response fields from LDAPResult, containing the protocolError
        // result code."
        _ => refuse(LdapResultCode::ProtocolError, "unknown extended operation"),
    }
}

fn start_tls(
    server: &Server,
    session: &Session,
    request: &ExtendedRequest<'_>,
    received: &Received<'_>,
) -> ExtendedStep {
    let refuse = |code, message: &'static str| {
        ExtendedStep::Answer(Outcome::new(code, message), Some(START_TLS), None)
    };
    // RFC 4511 4.14.2: "operationsError [...] Operations sequencing incorrect; e.g., TLS
    // is already established"; "protocolError [...] TLS is not supported".
    if session.tls {
        return refuse(LdapResultCode::OperationsError, "TLS is already established");
    }
    if received.searches_run {
        return refuse(LdapResultCode::OperationsError, "other operations are under way");
    }
    if request.value.is_some() {
        return refuse(LdapResultCode::ProtocolError, "StartTLS takes no value");
    }
    if server.tls().is_none() {
        return refuse(LdapResultCode::ProtocolError, "TLS is not configured");
    }
    // Octets sent in the clear must never be read as if TLS had protected them. RFC 4511
    // 4.14.1: the client "MUST NOT send any LDAP PDUs [...] until it receives a StartTLS
    // response".
    if received.octets_follow {
        return ExtendedStep::Close(Outcome::new(
            LdapResultCode::OperationsError,
            "requests were sent behind StartTLS",
        ));
    }
    ExtendedStep::StartTls
}

/// RFC 3909 2.1: `cancelRequestValue ::= SEQUENCE { cancelID MessageID }`.
fn cancel_id(value: Option<&[u8]>) -> Result<i32, Malformed> {
    let missing = Malformed { what: "Cancel without the id of an operation", at: 0 };
    let mut outside = Tlvs::new(value.ok_or(missing)?, 0);
    let mut inside = outside.expect(SEQUENCE, "Cancel without the id of an operation")?.inside();
    outside.end()?;
    let id = inside.expect(INTEGER, "Cancel without the id of an operation")?;
    let id = id.natural("Cancel of an id out of range")?;
    inside.ignore_unrecognised(&[INTEGER])?;
    Ok(id.cast_signed())
}

/// What a cancelled operation ends with.
pub(crate) fn canceled() -> Outcome {
    Outcome::new(LdapResultCode::Canceled, "canceled")
}

/// The answer where no such operation is under way.
pub(crate) fn nothing_to_cancel() -> Outcome {
    Outcome::new(LdapResultCode::NoSuchOperation, "no such operation is under way")
}

fn refuse(code: LdapResultCode, message: &'static str) -> ExtendedStep {
    ExtendedStep::Answer(Outcome::new(code, message), None, None)
}
