//! What is kept of a connection beside its objects: links, rounds under way, times.

use super::error::Error;
use super::ids::Number;
use crate::directory::kind::Kind;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The state of one connection.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ConnectionState {
    /// Its name in the configuration.
    pub name: String,
    /// Its base, as text.
    pub base: String,
    /// Whether the configuration still has it.
    pub configured: bool,
    /// Base and containers, once a first complete sync is published; empty before.
    pub structure: Vec<Number>,
    /// The tenant's id, as Graph said it.
    pub tenant: Option<String>,
    /// What the entries were derived by; another value means: derive anew.
    pub mapping: String,
    /// Delta links by kind ([`Kind::plural`]).
    pub links: BTreeMap<String, Link>,
    /// Rounds under way, by kind.
    pub rounds: BTreeMap<String, Round>,
    /// Unix time of the end of the last pass that was committed.
    pub last_success: Option<i64>,
    /// Unix time of the end of the last full enumeration.
    pub last_full: Option<i64>,
    /// Groups that the scope names, as configured, and the object ids that were found.
    #[serde(default)]
    pub scope: BTreeMap<String, String>,
    /// What the scope was when the source tables were last cut to it; empty for the
    /// whole tenant.
    #[serde(default)]
    pub cut_to: String,
    /// Whether data of objects that left the scope may still stand in free pages of the
    /// file.
    #[serde(default)]
    pub traces: bool,
    /// Groups that rules have made.
    #[serde(default)]
    pub local_groups: Vec<Number>,
    /// Stands for what the local file held when its entries were published.
    #[serde(default)]
    pub local: String,
    /// Entries of the local file.
    #[serde(default)]
    pub local_entries: Vec<Number>,
    /// What is served.
    #[serde(default)]
    pub totals: Totals,
    /// The pass that waits for a person.
    #[serde(default)]
    pub held: Option<Held>,
    /// What a person has allowed to vanish, until a pass has made use of it.
    #[serde(default)]
    pub approved: Option<Losses>,
    /// Whether passes run by themselves.
    #[serde(default)]
    pub paused: bool,
    /// Whether it was given up: no pass runs at all.
    #[serde(default)]
    pub disconnected: bool,
    /// Objects that the next pass looks at, whatever it brings.
    #[serde(default)]
    pub touched: Vec<Number>,
    /// Object ids of objects that keep their present state, and since when (Unix time).
    #[serde(default)]
    pub paused_objects: BTreeMap<String, i64>,
}

/// What is served of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Entries by kind ([`Kind::plural`]).
    pub entries: BTreeMap<String, u64>,
    /// Mail addresses.
    pub addresses: u64,
    /// Groups with members.
    pub filled_groups: u64,
}

/// What vanishes with a pass.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Losses {
    /// Entries by kind ([`Kind::plural`]).
    pub entries: BTreeMap<String, u64>,
    /// Mail addresses that nobody has any more.
    pub addresses: u64,
    /// Groups that lose their last member.
    pub emptied_groups: u64,
}

/// A pass that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Held {
    /// The pass.
    pub pass: u64,
    /// Unix time of the first one that was held.
    pub since: i64,
    /// What would vanish.
    pub losses: Losses,
    /// What is suspicious about it, a sentence each.
    pub reasons: Vec<String>,
    /// Whether somebody said no: everything is asked anew.
    #[serde(default)]
    pub rejected: bool,
}

/// Where the next delta round of a stream starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The delta link, as received.
    pub position: String,
    /// What the stream selects; another value means: enumerate anew.
    pub select: String,
}

/// A round that is being staged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// Whether it enumerates everything: what it does not name is gone at its end.
    pub full: bool,
    /// Where it started.
    pub start: String,
    /// What to request next; `None` when the round is complete.
    pub next: Option<String>,
    /// The delta link that ended it.
    pub delta: Option<String>,
    /// What the stream selects.
    pub select: String,
    /// How many pages are staged.
    pub pages: u32,
    /// How many of them belong to the enumeration, once it is complete; the others
    /// bring what changed after it.
    #[serde(default)]
    pub enumerated: Option<u32>,
}

impl ConnectionState {
    /// Whether a first complete sync has been published.
    pub fn is_published(&self) -> bool {
        !self.structure.is_empty()
    }

    /// The round of a stream that is under way.
    pub fn round(&self, kind: Kind) -> Option<&Round> {
        self.rounds.get(kind.plural())
    }

    pub(super) fn read(octets: &[u8]) -> Result<Self, Error> {
        serde_json::from_slice(octets).map_err(|_| Error::Damaged("a connection's state"))
    }

    pub(super) fn write(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}
