//! Bind: simple authentication of service accounts (RFC 4511 4.2, RFC 4513 5.1).
//! Pure: no I/O, no clock.

use super::accounts::Account;
use super::server::Server;
use super::wire::request::BindRequest;
use super::wire::response::Outcome;
use crate::directory::dn::DnKey;
use crate::replica::reader::Snapshot;
use ldap3_proto::LdapResultCode;
use std::sync::Arc;
use std::time::Instant;
use zeroize::Zeroizing;

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
}

/// Decides a bind as far as that is cheap. The session is anonymous already.
pub(crate) fn begin(
    server: &Server,
    request: &BindRequest<'_>,
    snapshot: &Snapshot,
    now: Instant,
) -> BindStep {
    let refuse = |code, message: &'static str| BindStep::Decided(Outcome::new(code, message), None);
    // LDAPv2 clients are served as if they spoke version 3: some mail filters still bind so.
    if !matches!(request.version, 2 | 3) {
        return refuse(LdapResultCode::ProtocolError, "protocol version is neither 2 nor 3");
    }
    let Some(password) = request.password else {
        return refuse(LdapResultCode::AuthMethodNotSupported, "only simple binds are supported");
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
    let is_ours = |key: &DnKey| snapshot.contexts().iter().any(|c| key.is_within(&c.key));
    let account = server.accounts.find(name, &is_ours);
    match account {
        Some(account) if server.accounts.recalls(account, password, now) => {
            BindStep::Decided(Outcome::success(), Some(account.clone()))
        }
        account => BindStep::Check(PendingBind {
            account: account.cloned(),
            password: Zeroizing::new(password.to_vec()),
        }),
    }
}

/// The answer to a wrong name or password, in the words of Active Directory that
/// clients parse. It is the same for both.
pub(crate) fn wrong() -> Outcome {
    Outcome::new(
        LdapResultCode::InvalidCredentials,
        "80090308: LdapErr: DSID-0C090569, comment: AcceptSecurityContext error, data 52e, v4563",
    )
}
