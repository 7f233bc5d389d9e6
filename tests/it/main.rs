//! The whole program, tried at its boundaries: a simulated tenant behind it, real
//! LDAP clients before it.

#![allow(unreachable_pub, reason = "the modules of a test binary are its own")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail as tests do"
)]

mod world;

mod admin;
mod check;
mod clients;
mod credentials;
mod disk;
mod facts;
mod faults;
mod guard;
mod hostile;
mod killed;
mod knobs;
mod listeners;
mod local;
mod many;
mod members;
mod names;
mod permissions;
mod promises;
mod rederive;
mod reports;
mod resume;
mod rules;
mod scale;
mod schedule;
mod scope;
mod secrets;
mod sync;
mod token_death;
mod verbs;
