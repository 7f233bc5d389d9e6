//! A simulated tenant: a fake Microsoft Graph and token endpoint that live, change and fail on command.
//!
//! It shares no code with the client, so that a mistake about the wire cannot
//! hide on both sides. State ([`Tenant`]) and HTTP skin ([`Simulator`]) are apart.
//!
//! - State: [`Tenant`] with its change log (`object`, `tenant`, `mutate`), filled by seed (`people`, `generate`), from
//!   JSON lines (`population`), or changed at random ([`life`]).
//! - Delta: `cursor` (what a token remembers), `render` (one object), `delta` (one page), `knobs` (what is open).
//! - Requests: `call`, `query`, `filter`, `schema`, `errors`, `faults`, `desk` (what requests share), `routes`,
//!   `rounds` (delta), `lists`, `batch`, `token` (with `assertion`, `device`), `identity` (tokens for machines).
//! - Skin: `http` (axum), `wire` (sockets that break), `server` (the handle).
//!
//! Everything is deterministic but for the clock and the order of requests.

mod assertion;
mod batch;
mod call;
mod cursor;
mod delta;
mod desk;
mod device;
mod errors;
mod faults;
mod filter;
mod generate;
mod http;
mod identity;
mod knobs;
pub mod life;
mod lists;
mod mutate;
mod object;
mod people;
mod population;
mod query;
mod render;
mod rng;
mod rounds;
mod routes;
mod schema;
mod server;
mod tenant;
mod token;
mod wire;

#[cfg(test)]
mod claims;
#[cfg(test)]
mod replica;

pub use assertion::{Federation, Thumbprint};
pub use desk::{Options, Request, ServerCertificate, Tally};
pub use faults::{Action, Links, RetryAfter, Rule, RuleId, Target, TokenFault};
pub use identity::{Machine, MachineIdentity};
pub use knobs::{Knobs, Lateness, Reason, SelectOnLink, Spelling, StateLoss};
pub use object::{Kind, State};
pub use population::LoadError;
pub use rng::Rng;
pub use server::{Faults, Simulator};
pub use tenant::{Counts, Tenant, TenantError};
