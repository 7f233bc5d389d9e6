//! Bind: service accounts prove who they are by a password (RFC 4511 4.2, RFC 4513 5.1)
//! or by a client certificate (RFC 4513 5.2.3); users by the password that Entra has.
//! Pure but for the checks, which take their time.

use super::accounts::{Account, Checked};
use super::server::Server;
use super::session::{Bound, Session};
use super::throttle::{Attempt, network_of};
use super::users::{Door, Sought, User, UserAnswer, UserName, UserQuestion};
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
    Decided(Outcome, Option<Bound>),
    /// The password must be checked, which takes a while.
    Check(PendingBind),
}

/// A bind whose password has yet to be checked.
pub(crate) struct PendingBind {
    whose: Whose,
    password: Zeroizing<Vec<u8>>,
    attempt: Attempt,
    /// When the request was looked at.
    pub(crate) started: Instant,
}

/// Whose password it is said to be.
enum Whose {
    /// A service account's; `None` where the name is unknown.
    Account(Option<Arc<Account>>),
    /// A user's; `None` where the name is unknown.
    User(Arc<Door>, UserName, Option<Arc<User>>),
}

impl PendingBind {
    /// Checks the password.
    pub(crate) async fn check(self, server: &Arc<Server>) -> (Outcome, Option<Bound>) {
        let access = server.access();
        let PendingBind { whose, password, attempt, .. } = self;
        match whose {
            Whose::Account(account) => {
                match access.accounts.verify(account.clone(), password, attempt).await {
                    Checked::Right => (Outcome::success(), account.map(Bound::Account)),
                    Checked::Wrong => (wrong(), None),
                    Checked::Throttled => (throttled(), None),
                }
            }
            Whose::User(door, who, user) => {
                let asked = Arc::clone(server);
                let may_ask = Box::new(move || {
                    asked.access().accounts.wait(attempt, Instant::now()).is_none()
                });
                let network = network_of(attempt.peer);
                let question = UserQuestion { who, password, network, may_ask };
                let answer = (door.check)(question).await;
                // What cannot be checked is no guess that has failed.
                match answer {
                    UserAnswer::Right => access.accounts.succeeded(attempt, Instant::now()),
                    UserAnswer::Unavailable | UserAnswer::Busy => {}
                    _ => {
                        let name = user.as_deref().map(|user| user.name.as_str());
                        access.accounts.failed(name, attempt, Instant::now());
                    }
                }
                let bound = user.filter(|_| answer == UserAnswer::Right).map(Bound::User);
                (outcome_of(answer), bound)
            }
        }
    }
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
    let check = |whose| {
        let password = Zeroizing::new(password.to_vec());
        BindStep::Check(PendingBind { whose, password, attempt, started: now })
    };
    let account = access.accounts.find(name, &is_ours);
    // A service account's password is never sent to Entra.
    if account.is_none() {
        match server.users().seek(snapshot, name, session.peer) {
            Ok(Sought::Closed) => {}
            Ok(Sought::Ask(door, who, user)) => return check(Whose::User(door, who, user)),
            Ok(Sought::NotReady) => {
                let message = "the first sync is not complete: it is not known who there is";
                return refuse(LdapResultCode::Unavailable, message);
            }
            Err(error) => return BindStep::Decided(server.unreadable(&error), None),
        }
    }
    // An account that is not for this network is as unknown there.
    let account = account.filter(|account| account.profile().admits(session.peer));
    match account {
        Some(account) if access.accounts.still_right(account, password, attempt, now) => {
            BindStep::Decided(Outcome::success(), Some(Bound::Account(account.clone())))
        }
        account => check(Whose::Account(account.cloned())),
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
        Some(account) => {
            BindStep::Decided(Outcome::success(), Some(Bound::Account(account.clone())))
        }
        None => BindStep::Decided(wrong(), None),
    }
}

/// The answer to a client that has failed too often, whatever its password is now. Mail
/// gateways take it for a passing fault and defer the mail.
pub(crate) fn throttled() -> Outcome {
    Outcome::new(LdapResultCode::Busy, "too many failed binds; try again in a minute")
}

/// The answer to a wrong name or password. It is the same for both.
pub(crate) fn wrong() -> Outcome {
    invalid_credentials("52e")
}

/// What a user is told. The codes are those of Windows: 775 locked out, 532 password expired,
/// 533 disabled, 530 not at this time, 52f an account restriction.
fn outcome_of(answer: UserAnswer) -> Outcome {
    match answer {
        UserAnswer::Right => Outcome::success(),
        UserAnswer::Wrong => wrong(),
        UserAnswer::Locked => invalid_credentials("775"),
        UserAnswer::Expired => invalid_credentials("532"),
        UserAnswer::Disabled => invalid_credentials("533"),
        UserAnswer::Hours => invalid_credentials("530"),
        UserAnswer::Barred => invalid_credentials("52f"),
        UserAnswer::Busy => throttled(),
        UserAnswer::Unavailable => {
            let message = "passwords of users cannot be checked now; the log tells why";
            Outcome::new(LdapResultCode::Unavailable, message)
        }
    }
}

/// In the words of Active Directory that clients parse.
fn invalid_credentials(data: &str) -> Outcome {
    Outcome::new(
        LdapResultCode::InvalidCredentials,
        format!(
            "80090308: LdapErr: DSID-0C090569, comment: AcceptSecurityContext error, data {data}, v4563"
        ),
    )
}
