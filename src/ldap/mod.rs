//! The front door: LDAP, LDAPS and StartTLS (RFC 4510 to 4519), read only.
//!
//! [`listener`] accepts; a [`connection`] reads and writes, in the [`background`] while a search
//! of it takes long; [`operation`] comes to a verdict on each request, in the [`session`] of the
//! client; [`search`] finds entries; [`wire`] is what the octets look like.

mod access;
mod accounts;
mod addresses;
mod background;
mod bind;
mod bind_name;
mod certificate;
mod compare;
mod complaints;
mod connection;
mod controls;
mod counters;
mod end;
mod extended;
mod generated;
mod listener;
mod operation;
mod profile;
mod refused;
mod root_dse;
mod schema_entry;
mod search;
mod server;
mod session;
mod slice;
mod stream;
mod target;
mod throttle;
mod tls;
mod users;
mod watch;
mod wire;

#[doc(hidden)]
pub mod bench;
#[cfg(fuzzing)]
pub mod fuzzing;
#[cfg(test)]
mod tests;

pub use accounts::AccountError;
pub use counters::{Counts, Latency, OperationKind};
pub use listener::{listen, serve};
pub use server::{Clock, Server, StartError};
pub use tls::TlsError;
pub use users::{Check, Checking, UserAnswer, UserBinds, UserName, UserQuestion};
