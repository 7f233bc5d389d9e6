//! The stored copy: what Graph said, the entries made of it, and the indexes over
//! them, in one redb file. Two families of tables: `source` is what Graph said,
//! entries are derived from it. [`Reader`] has no way to write.

pub mod connection;
mod difference;
pub mod encoding;
mod entries;
pub mod error;
pub mod frames;
pub mod ids;
mod keys;
mod large;
mod links;
pub mod log;
pub mod open;
mod operations;
mod pages;
pub(crate) mod plan;
mod postings;
pub mod reader;
mod residency;
mod resident;
mod rewrite;
mod runs;
pub mod set;
pub mod source;
pub(crate) mod steps;
mod substrings;
mod tables;
mod upgrade;
mod view;
pub mod writer;

pub use error::{Error, OpenError};
pub use ids::{Ids, Number};
pub use keys::cut as cut_key;
pub use open::open;
pub use reader::{Context, Reader, Snapshot, StoredEntry};
pub use view::{AttributeView, EntryView, Visit};
pub use writer::{Transaction, Writer};
