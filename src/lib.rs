//! entraldap: a local replica of a Microsoft Entra ID tenant's recipients, served over LDAP.

pub mod cli;
pub mod config;
pub mod directory;
pub mod replica;
pub mod telemetry;
