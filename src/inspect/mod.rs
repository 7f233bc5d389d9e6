//! Looking into the replica on behalf of an administrator: what is known of an
//! address, how a filter is answered, and everything as text. Reads snapshots, in the
//! daemon or without one.

pub mod explain;
pub mod export;
pub mod history;
mod notes;
pub mod plan;
mod understood;
