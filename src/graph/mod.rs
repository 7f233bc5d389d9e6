//! The back door: the client of Microsoft Graph.
//!
//! [`Graph`] is one connection to one tenant. A stream of objects is read in rounds: a [`Position`] says what to
//! ask next, a [`Page`] brings objects and the next position, and only the last page of a round brings the position
//! from which the next round starts. Everything that goes wrong is a [`GraphError`] that says whether and when to
//! ask again, and only two of its answers ([`Retry::Restart`], [`Retry::RestartRound`]) give up a position.
//!
//! One request passes through these files:
//! [`delta`], `listing`, `batch` or `groups` (what is asked) -> `client` (token, attempts) -> `throttle` (when it may go) ->
//! `transport` (the wire) -> `verdict` (what a refusal means) -> `retry` (whether to try again) -> [`object`] (what
//! came). `auth` holds the token, `authorize` lets a person sign in, `links` says where a token may be sent, `advice`
//! and `aadsts` what a refusal means and what an administrator should do.
//!
//! `sign_in` asks whether a user's password is right, past all of this but the wire.
//! [`probe`], [`permissions`] and [`expiry`] are for people: what is wrong, before or after something fails.
//!
//! Nothing here decides that an object is gone: a page either is complete and well formed, or is an error.

mod aadsts;
mod advice;
pub mod auth;
mod authorize;
mod batch;
mod client;
mod counters;
pub mod delta;
pub mod error;
pub mod expiry;
mod groups;
mod links;
mod listing;
pub mod object;
pub mod permissions;
pub mod probe;
mod retry;
mod select;
mod sign_in;
mod throttle;
mod transport;
mod verdict;

#[cfg(test)]
mod tests;

pub use auth::{CredentialInfo, TokenInfo};
pub use authorize::DeviceCode;
pub use batch::Fetched;
pub use counters::Counters;
pub use delta::{Next, Page, Position, PositionError, RawPage, items};
pub use error::{Access, ErrorKind, GraphError, Retry};
pub use groups::{FoundGroup, MemberCount};
pub use object::{Item, ManagerChange, MemberChange, Removal};
pub use sign_in::SignIn;

use crate::config::settings::ConnectionSettings;
use std::sync::Arc;

/// One connection to Microsoft Graph. Clones share the token, the request budget and the counters.
#[derive(Clone)]
pub struct Graph {
    client: Arc<client::Client>,
}

impl Graph {
    /// Prepares a connection; nothing is sent.
    ///
    /// # Errors
    /// The settings cannot work: plain http to another machine, an unreadable `ca_file`, no root certificates.
    pub fn new(settings: &ConnectionSettings) -> Result<Graph, GraphError> {
        Ok(Graph { client: Arc::new(client::Client::new(settings)?) })
    }

    /// What the access token in use says; fetches one where none is held. Never the token itself.
    ///
    /// # Errors
    /// No token was issued.
    pub async fn token(&self) -> Result<TokenInfo, GraphError> {
        Ok(self.client.token().await?.info())
    }

    /// What proves the application, as far as this machine can tell. Nothing is sent.
    ///
    /// # Errors
    /// It cannot be read or used.
    pub fn credential(&self) -> Result<CredentialInfo, GraphError> {
        self.client.tokens.credential()
    }

    /// By what sort of permissions Graph is read.
    pub fn access(&self) -> Access {
        self.client.access()
    }

    /// What was sent so far, over all clones. Only ever grows; see [`Counters::since`].
    pub fn requests(&self) -> Counters {
        self.client.counters()
    }
}

impl std::fmt::Debug for Graph {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Graph").finish_non_exhaustive()
    }
}
