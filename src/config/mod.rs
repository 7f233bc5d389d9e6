//! Text to settings: one TOML file, read once into types that cannot be wrong.
//!
//! [`load()`] gives [`Settings`] or all [`Problems`] of the file at once, each with its
//! key, line and remedy. One file per section of the TOML file.

mod account;
mod admin;
mod calendar;
mod connection;
mod credential;
mod defaults;
mod distinct;
mod environment;
mod graph;
mod guard;
mod include;
mod ldap;
mod limits;
mod load;
mod local;
mod log;
mod mapping;
pub mod problem;
mod profile;
pub mod property;
mod reader;
mod replica;
mod report;
mod rule;
mod scope;
pub mod secret;
pub mod settings;
mod source;
mod sync;
#[cfg(test)]
mod tests;
mod tree;
mod user_binds;
mod value;

pub use environment::Environment;
pub use load::{load, parse};
pub use local::load as local_entries;
pub use problem::{Problem, Problems};
pub use secret::{ProxyUrl, Secret, SecretSource};
pub use settings::Settings;
