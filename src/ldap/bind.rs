//! Bind: service accounts prove who they are by a password (RFC 4511 4.2, RFC 4513 5.1)
//! or by a client certificate (RFC 4513 5.2.3).
//! Pure: no I/O, no clock.

use super::accounts::Account;
use super::server::Server;
use super::session::Session;
use super::throttle::Attempt;
use super::wire::request::{BindRequest, Proof};
use super::wire::response::Outcome;
use crate::directory::dn::DnKey;
use crate::replica::reader::Snapshot;
use ldap3_proto::LdapResultCode;
use std::sync::Arc;
use std::time::Instant;
use zeroize::Zeroizing;

/// The SASL mechanism of RFC 4422 appendix A.
pub(crate) const EXTERNAL: &str = "EXTERNAL";

/// What a bind request comes to.
pub(crate) enum BindStep {
    /// It is decided.
    Decided(Outcome, Option<Arc<Account>>),
    /// The password must be checked, which takes a while.
    Check(PendingBind),
}

/// A bind whose password has yet to be checked.
pub(crate) struct PendingBind {
    /// Whose password; `None` where the name is unknown.
    pub(crate) account: Option<Arc<Account>>,
    /// The password.
    pub(crate) password: Zeroizing<Vec<u8>>,
    /// Who tries.
    pub(crate) attempt: Attempt,
    /// When the request was looked at.
    pub(crate) started: Instant,
}

/// Decides a bind as far as that is cheap. The session is anonymous already.
pub(crate) fn begin(
    server: &Server,
    session: &Session,
    request: &BindRequest<'_>,
    snapshot: &Snapshot,
    now: Instant,
) -> BindStep {
    let refuse = |code, message: &'static str| BindStep::Decided(Outcome::new(code, message), None);
    // LDAPv2 clients are served as if they spoke version 3: some mail filters still bind so.
    if !matches!(request.version, 2 | 3) {
        return refuse(LdapResultCode::ProtocolError, "protocol version is neither 2 nor 3");
    }
    let is_ours = |key: &DnKey| snapshot.contexts().iter().any(|c| key.is_within(&c.key));
    let password = match request.proof {
        Proof::Password(password) => password,
        Proof::Sasl { mechanism, credentials } if mechanism == EXTERNAL.as_bytes() => {
            return external(server, session, credentials, &is_ours);
        }
        Proof::Sasl { .. } | Proof::Other => {
            let message = "only simple binds and EXTERNAL are supported";
            return refuse(LdapResultCode::AuthMethodNotSupported, message);
        }
    };
    match (request.name.is_empty(), password.is_empty()) {
        (true, true) => return BindStep::Decided(Outcome::success(), None),
        // RFC 4513 5.1.2: "Servers SHOULD by default fail Unauthenticated Bind requests
        // with a resultCode of unwillingToPerform."
        (false, true) => {
            return refuse(LdapResultCode::UnwillingToPerform, "a name without a password");
        }
        (true, false) => return BindStep::Decided(wrong(), None),
        (false, false) => {}
    }
    let name = std::str::from_utf8(request.name).unwrap_or_default();
    let access = server.access();
    let attempt = access.accounts.attempt(name, &is_ours, session.peer);
    // Before the password is looked at: a client that guesses learns nothing meanwhile.
    if access.accounts.wait(attempt, now).is_some() {
        return BindStep::Decided(throttled(), None);
    }
    // An account that is not for this network is as unknown there.
    let account = access.accounts.find(name, &is_ours);
    let account = account.filter(|account| account.profile().admits(session.peer));
    match account {
        Some(account) if access.accounts.still_right(account, password, attempt, now) => {
            BindStep::Decided(Outcome::success(), Some(account.clone()))
        }
        account => BindStep::Check(PendingBind {
            account: account.cloned(),
            password: Zeroizing::new(password.to_vec()),
            attempt,
            started: now,
        }),
    }
}

/// SASL EXTERNAL (RFC 4422 appendix A): the certificate that TLS has verified is the proof.
fn external(
    server: &Server,
    session: &Session,
    credentials: Option<&[u8]>,
    is_ours: &dyn Fn(&DnKey) -> bool,
) -> BindStep {
    let Some(shown) = session.certificate() else {
        let message = "EXTERNAL needs TLS and a client certificate";
        let outcome = Outcome::new(LdapResultCode::AuthMethodNotSupported, message);
        return BindStep::Decided(outcome, None);
    };
    let access = server.access();
    let account = access.accounts.of_certificate(shown);
    let account = account.filter(|account| account.profile().admits(session.peer));
    // RFC 4513 5.2.3.1: an implicit assertion does "not include the optional credentials
    // field"; RFC 4422 A.2: an empty one asks for the identity that the proof has, too.
    // Any other must name the same account (RFC 4513 5.2.1.8: "u:" or "dn:").
    let asserted = std::str::from_utf8(credentials.unwrap_or_default());
    let same = |account: &&Arc<Account>| match asserted {
        Ok("") => true,
        Ok(identity) => {
            let name = identity.strip_prefix("u:").or_else(|| identity.strip_prefix("dn:"));
            let meant = name.and_then(|name| access.accounts.find(name, is_ours));
            meant.is_some_and(|meant| Arc::ptr_eq(meant, account))
        }
        Err(_) => false,
    };
    match account.filter(same) {
        Some(account) => BindStep::Decided(Outcome::success(), Some(account.clone())),
        None => BindStep::Decided(wrong(), None),
    }
}

/// The answer to a client that has failed too often, whatever its password is now. Mail
/// gateways take it for a passing fault and defer the mail.
pub(crate) fn throttled() -> Outcome {
    Outcome::new(LdapResultCode::Busy, "too many failed binds; try again in a minute")
}

/// The answer to a wrong name or password, in the words of Active Directory that
/// clients parse. It is the same for both.
pub(crate) fn wrong() -> Outcome {
    Outcome::new(
        LdapResultCode::InvalidCredentials,
        "80090308: LdapErr: DSID-0C090569, comment: AcceptSecurityContext error, data 52e, v4563",
    )
}
