//! Who a connection speaks for, and what that allows. Pure: no I/O, no clock.

use super::accounts::Account;
use super::server::Server;
use super::wire::response::Outcome;
use crate::config::settings::LimitSettings;
use crate::directory::attribute::AttributeId;
use ldap3_proto::LdapResultCode;
use std::sync::Arc;

/// The authorization state of one connection (RFC 4513 4).
#[derive(Debug, Default)]
pub(crate) struct Session {
    /// The account that has bound; `None` is anonymous.
    pub(crate) account: Option<Arc<Account>>,
    /// Whether TLS protects the connection.
    pub(crate) tls: bool,
}

impl Session {
    /// The account's name; empty for anonymous.
    pub(crate) fn name(&self) -> &str {
        self.account.as_deref().map_or("", |account| account.name())
    }

    /// Whether entries may be looked at; the root DSE and the schema always may.
    pub(crate) fn may_read(&self, server: &Server) -> Result<(), Outcome> {
        if self.account.is_some() || server.anonymous_search {
            return Ok(());
        }
        // The wording that clients of Active Directory look for.
        Err(Outcome::new(
            LdapResultCode::OperationsError,
            "000004DC: LdapErr: DSID-0C090A5C, comment: In order to perform this operation a \
             successful bind must be completed on the connection., data 0, v4563",
        ))
    }

    /// Whether filters and compares may look at an attribute.
    pub(crate) fn may_test(&self, _attribute: AttributeId) -> bool {
        true
    }

    /// What the client may take.
    pub(crate) fn limits<'s>(&self, server: &'s Server) -> &'s LimitSettings {
        &server.limits
    }

    /// Largest request, in octets.
    pub(crate) fn largest_request(&self, server: &Server) -> usize {
        match self.account {
            None => server.limits.pdu_before_bind,
            Some(_) => server.limits.pdu_after_bind,
        }
    }
}
