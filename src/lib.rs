//! entraldap: a local replica of a Microsoft Entra ID tenant's recipients, served over LDAP.

pub mod admin;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod directory;
pub mod graph;
pub mod inspect;
pub mod ldap;
pub mod mapping;
pub mod replica;
#[cfg(feature = "simulator")]
pub mod simulator;
pub mod sync;
pub mod telemetry;
