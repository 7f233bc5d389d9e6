//! One pass from change to commit.
//!
//! [`engine`] runs a pass: it gathers a round of every stream ([`gather`]), and then,
//! in one transaction, merges what came into the source tables ([`apply`]), derives
//! the entries that change with it ([`mod@derive`]), and records the pass. [`schedule`]
//! says when. What a pass did is a [`PassRecord`].

pub mod apply;
pub mod buttons;
mod carrier;
pub mod commit;
pub mod derive;
pub mod engine;
pub mod error;
mod expiry;
pub mod gather;
mod haul;
pub mod judge;
pub mod local;
mod local_groups;
pub mod losses;
mod names;
mod put;
pub mod report;
mod rereads;
pub mod schedule;
mod scope;
pub mod status;

pub use crate::replica::log::PassRecord;
pub use commit::Preview;
pub use engine::Engine;
pub use error::{Again, SyncError};
pub use schedule::{Button, Command, Handle};
pub use status::{Phase, Status};
