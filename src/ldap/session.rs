//! Who a connection speaks for, and what that allows. Pure: no I/O, no clock.

use super::access::Access;
use super::accounts::Account;
use super::bind;
use super::certificate::Shown;
use super::profile::{Allowance, Attributes, Profile};
use super::server::Server;
use super::users::User;
use super::wire::response::Outcome;
use crate::directory::attribute::AttributeId;
use crate::directory::dn::{Dn, DnKey};
use ldap3_proto::LdapResultCode;
use std::net::IpAddr;
use std::sync::Arc;
use tokio_rustls::rustls::pki_types::CertificateDer;

/// Who has bound.
#[derive(Debug, Clone)]
pub(crate) enum Bound {
    /// A service account.
    Account(Arc<Account>),
    /// A user, with the password that Entra has.
    User(Arc<User>),
}

/// The authorization state of one connection (RFC 4513 4).
pub(crate) struct Session {
    /// Where the client is.
    pub(crate) peer: IpAddr,
    /// Who has bound; `None` is anonymous.
    pub(crate) bound: Option<Bound>,
    /// Whether TLS protects the connection.
    pub(crate) tls: bool,
    /// The certificate that the client has shown.
    certificate: Option<Shown>,
    /// What holds for the request that is being carried out; `None` shows nothing but the
    /// root DSE and the schema.
    profile: Option<Arc<Profile>>,
    limits: Allowance,
    /// By what configuration, and for which account, that was looked up.
    settled: Option<(Arc<Access>, Option<Arc<Account>>)>,
}

impl Session {
    /// An anonymous session, before its first request.
    pub(crate) fn new(server: &Server, peer: IpAddr) -> Self {
        let limits = Allowance::of(&server.limits);
        Session {
            peer,
            bound: None,
            tls: false,
            certificate: None,
            profile: None,
            limits,
            settled: None,
        }
    }

    /// Looks up what holds now: each request begins so, since accounts and profiles may
    /// have been loaded anew behind the one before.
    ///
    /// An account that is gone, or has other credentials now, is not anonymous instead, nor
    /// is a user who has changed, or where users cannot bind any more: a smaller view would answer "there is no such recipient". It must bind again.
    pub(crate) fn refresh(&mut self, server: &Server) {
        let access = server.access_now();
        if self.is_settled(&access) {
            return;
        }
        let users;
        let profile = match &mut self.bound {
            Some(Bound::User(user)) => {
                users = server.users();
                users.profile_of(&server.reader.snapshot(), user)
            }
            Some(Bound::Account(account)) => access.accounts.current(account).map(|current| {
                *account = Arc::clone(current);
                current.profile()
            }),
            None => access.anonymous.as_ref(),
        };
        self.profile = profile.filter(|profile| profile.admits(self.peer)).cloned();
        self.limits = match &self.profile {
            Some(profile) => *profile.limits(),
            None => Allowance::of(&server.limits),
        };
        self.settled = match &self.bound {
            // What holds for users changes with every pass.
            Some(Bound::User(_)) => None,
            Some(Bound::Account(account)) => Some((Arc::clone(&access), Some(account.clone()))),
            None => Some((Arc::clone(&access), None)),
        };
    }

    /// Whether nothing can have changed since the request before.
    fn is_settled(&self, access: &Arc<Access>) -> bool {
        let Some((known, account)) = &self.settled else { return false };
        let same = match (&self.bound, account) {
            (None, None) => true,
            (Some(Bound::Account(bound)), Some(account)) => Arc::ptr_eq(bound, account),
            _ => false,
        };
        same && Arc::ptr_eq(known, access)
    }

    /// TLS has been established; whatever was bound before is not.
    pub(crate) fn secured(&mut self, certificate: Option<&CertificateDer<'_>>) {
        self.bound = None;
        self.profile = None;
        self.settled = None;
        self.tls = true;
        self.certificate = certificate.map(Shown::new);
    }

    /// The certificate that the client has shown inside TLS.
    pub(crate) fn certificate(&self) -> Option<&Shown> {
        self.certificate.as_ref()
    }

    /// What `supportedSASLMechanisms` lists: what can work on this connection.
    pub(crate) fn mechanisms(&self, server: &Server) -> Option<&'static str> {
        let shown = self.certificate.as_ref()?;
        let access = server.access();
        access.accounts.of_certificate(shown).map(|_| bind::EXTERNAL)
    }

    /// The name of who has bound; empty for anonymous.
    pub(crate) fn name(&self) -> &str {
        match &self.bound {
            Some(Bound::Account(account)) => account.name(),
            Some(Bound::User(user)) => &user.name,
            None => "",
        }
    }

    /// Whether entries may be looked at; the root DSE and the schema always may.
    pub(crate) fn may_read(&self) -> Result<(), Outcome> {
        if self.profile.is_some() {
            return Ok(());
        }
        // The wording that clients of Active Directory look for.
        Err(Outcome::new(
            LdapResultCode::OperationsError,
            "000004DC: LdapErr: DSID-0C090A5C, comment: In order to perform this operation a \
             successful bind must be completed on the connection., data 0, v4563",
        ))
    }

    /// Whether filters and compares may look at an attribute of an entry. A test of any
    /// other is Undefined: its result would tell what may not be read.
    pub(crate) fn may_test(&self, attribute: AttributeId) -> bool {
        self.may_return(attribute)
    }

    /// Whether an attribute of an entry may be returned.
    pub(crate) fn may_return(&self, attribute: AttributeId) -> bool {
        self.profile.as_ref().is_some_and(|profile| profile.may_read(attribute))
    }

    /// The attributes that may be tested and returned; `None` for all.
    pub(crate) fn readable(&self) -> Option<&Attributes> {
        self.profile.as_ref().and_then(|profile| profile.readable())
    }

    /// The parts of the tree that exist for it; empty for all of it.
    pub(crate) fn bases(&self) -> &[DnKey] {
        self.profile.as_ref().map_or(&[], |profile| profile.bases())
    }

    /// Whether an entry of this name exists, as far as this client is told.
    pub(crate) fn sees(&self, name: &DnKey) -> bool {
        self.profile.as_ref().is_some_and(|profile| profile.sees(name))
    }

    /// Whether entries at or below this name may exist, as far as this client is told.
    pub(crate) fn sees_below(&self, name: &DnKey) -> bool {
        self.profile.as_ref().is_some_and(|profile| profile.sees_below(name))
    }

    /// The outcome without the name of an entry that does not exist for this client.
    pub(crate) fn veiled(&self, outcome: Outcome) -> Outcome {
        if outcome.matched.is_empty() || self.bases().is_empty() {
            return outcome;
        }
        let visible = Dn::parse(&outcome.matched).is_ok_and(|dn| self.sees(&dn.key()));
        if visible { outcome } else { Outcome { matched: String::new(), ..outcome } }
    }

    /// How much the client may take.
    pub(crate) fn limits(&self) -> &Allowance {
        &self.limits
    }

    /// Largest request, in octets.
    pub(crate) fn largest_request(&self, server: &Server) -> usize {
        match self.bound {
            None => server.limits.pdu_before_bind,
            Some(_) => server.limits.pdu_after_bind,
        }
    }
}
