//! Who may come in, and with which certificates: what is loaded anew while the server
//! runs.

use super::accounts::Accounts;
use super::profile::Profile;
use super::server::StartError;
use super::tls;
use crate::config::settings::{LdapSettings, LimitSettings};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// The state of one configuration; replaced as a whole.
pub(crate) struct Access {
    /// `[[ldap.account]]`
    pub(crate) accounts: Accounts,
    /// What clients that have not bound may see.
    pub(crate) anonymous: Option<Arc<Profile>>,
    /// `[ldap.tls]`
    pub(crate) tls: Option<TlsAcceptor>,
}

impl Access {
    /// Checks the accounts and loads certificate and key. What the accounts of `before`
    /// have learnt is kept. `limits` hold where a profile has none of its own.
    pub(crate) fn new(
        settings: &LdapSettings,
        limits: &LimitSettings,
        before: Option<&Access>,
    ) -> Result<Self, StartError> {
        let profile = |profile| Arc::new(Profile::new(profile, limits));
        Ok(Access {
            tls: settings.tls.as_ref().map(tls::acceptor).transpose()?,
            accounts: Accounts::new(
                &settings.accounts,
                limits,
                before.map(|before| &before.accounts),
            )?,
            anonymous: settings.anonymous.as_deref().map(profile),
        })
    }
}
