//! entraldap: a local replica of a Microsoft Entra ID tenant's recipients, served over LDAP.

pub mod config;
pub mod directory;
pub mod graph;
pub mod replica;
