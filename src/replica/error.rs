//! What can go wrong with the stored copy.

use std::io::ErrorKind;
use std::path::PathBuf;

/// Why the stored copy cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error(
        "{0}: the replica is in use by another process; stop that one, or ask it: commands talk to the running daemon through its admin socket"
    )]
    InUse(PathBuf),
    /// Written by a newer entraldap.
    #[error(
        "{path}: the replica has format {found}, this program knows formats up to {known}; run the newer entraldap, or move the file away and sync anew (nothing was changed)"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format known here.
        known: u32,
    },
    /// Some other file.
    #[error(
        "{0}: not a replica written by entraldap; name another path in [replica] (nothing was changed)"
    )]
    Foreign(PathBuf),
    /// The file cannot be read or created.
    #[error("{path}: {reason}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What the system or redb says, with a remedy where one is known.
        reason: String,
    },
}

/// Why the stored copy cannot be read or written. The published state is as it was.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The disk is full, or a quota or a limit of the system is reached.
    #[error(
        "the replica file cannot grow ({0}); make room on its disk, nothing is lost and the next pass goes on"
    )]
    Full(std::io::Error),
    /// The storage engine says so: an I/O error, a damaged file.
    #[error("the replica file: {0}")]
    Storage(String),
    /// Octets in the file are not what this program writes.
    #[error(
        "the replica file is damaged ({0}); move it away and restart: the tenant is then synced anew"
    )]
    Damaged(&'static str),
}

impl Error {
    /// Of a file beside the replica.
    pub(super) fn file(error: std::io::Error) -> Self {
        if no_room(&error) { Error::Full(error) } else { Error::Storage(error.to_string()) }
    }
}

macro_rules! storage {
    ($($error:ty),*) => {$(
        impl From<$error> for Error {
            fn from(error: $error) -> Self {
                match redb::Error::from(error) {
                    redb::Error::Io(error) if no_room(&error) => Error::Full(error),
                    other => Error::Storage(other.to_string()),
                }
            }
        }
    )*};
}

/// Whether a file could not grow.
pub(super) fn no_room(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
    )
}

storage!(
    redb::StorageError,
    redb::TableError,
    redb::TransactionError,
    redb::CommitError,
    redb::CursorError
);
