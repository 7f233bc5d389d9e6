//! What a connection's sync is doing, for `status`, progress bars and metrics.

use super::PassRecord;
use crate::replica::connection::Held;
use serde::Serialize;
use std::collections::BTreeMap;

/// What the sync of one connection is doing.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Status {
    /// The connection's name.
    pub connection: String,
    /// What is going on.
    pub phase: Phase,
    /// Objects received in this pass, by kind.
    pub received: BTreeMap<&'static str, u64>,
    /// The last pass that ended.
    pub last: Option<PassRecord>,
    /// Unix time of the end of the last pass that was committed.
    pub last_success: Option<i64>,
    /// Whether a first complete sync is published.
    pub published: bool,
    /// Passes that failed since the last one that did not.
    pub failures: u32,
    /// Unix time at which the next pass starts.
    pub next: Option<i64>,
    /// Passes since the start, by verdict.
    pub passes: BTreeMap<String, u64>,
    /// The pass that waits for a person.
    pub held: Option<Held>,
    /// Whether passes do not run by themselves.
    pub paused: bool,
    /// Whether it was given up.
    pub disconnected: bool,
    /// Unix time at which what proves the application ends, where that is known.
    pub credential_end: Option<i64>,
    /// Object ids of objects that keep their present state.
    pub paused_objects: Vec<String>,
}

/// The phases of a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// No pass is running.
    #[default]
    Idle,
    /// Pages are being fetched.
    Fetching,
    /// Entries are being derived and committed.
    Committing,
}
