//! Why a pass failed, and when to try again. What is published stays as it was.

use crate::directory::ids::ObjectId;
use crate::graph::{GraphError, Retry};
use crate::replica;
use std::time::Duration;

/// Why a pass failed.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// Microsoft Graph refused, or could not be reached.
    #[error("{0}")]
    Graph(#[from] GraphError),
    /// The replica could not be read or written.
    #[error("{0}")]
    Replica(#[from] replica::Error),
    /// Graph's answers go round in circles.
    #[error(
        "{stream}: Graph does not come to an end ({what}); nothing was changed, the pass is tried again later"
    )]
    Endless {
        /// The stream.
        stream: &'static str,
        /// What was seen.
        what: String,
    },
    /// Graph gives up every link it hands out.
    #[error(
        "{0}: Graph rejected its own links again and again; nothing was changed, the pass is tried again later"
    )]
    Restless(&'static str),
    /// The credentials belong to another tenant than the data.
    #[error(
        "the credentials lead to tenant {found}, but the replica holds tenant {known}; correct `tenant` or `client_id`, or move the replica file away to start over with the other tenant"
    )]
    OtherTenant {
        /// The tenant that the replica was filled from.
        known: String,
        /// The tenant that answered now.
        found: String,
    },
    /// Graph names an object, and does not have it.
    #[error(
        "Graph tells of the object {0} and does not find it yet; nothing was changed, the pass is tried again soon"
    )]
    Lagging(ObjectId),
    /// The groups of the scope are not what they are said to be.
    #[error("[connection.scope] groups: {0}")]
    Scope(String),
    /// The connection was given up.
    #[error("{0} is disconnected; `entraldap resume {0}` connects it again")]
    Disconnected(String),
    /// A task of ours ended early.
    #[error("the pass was cut short: {0}")]
    Cut(String),
}

/// When to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// Soon, with growing distance.
    Soon,
    /// Not before this time has passed.
    After(Duration),
    /// When the next pass is due: only an administrator can change the outcome.
    WhenDue,
}

impl SyncError {
    /// When to try again.
    pub fn again(&self) -> Again {
        match self {
            SyncError::Graph(error) => match error.retry {
                Retry::After(wait) => Again::After(wait),
                Retry::Never => Again::WhenDue,
                Retry::Restart | Retry::RestartRound => Again::Soon,
            },
            SyncError::OtherTenant { .. } | SyncError::Scope(_) | SyncError::Disconnected(_) => {
                Again::WhenDue
            }
            _ => Again::Soon,
        }
    }
}
