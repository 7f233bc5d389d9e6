//! Opening the file: creating it, refusing what is not ours or newer, upgrading what
//! is older, and repairing what a killed process left.

use super::error::{OpenError, no_room};
use super::tables::{self, FORMAT, META};
use super::writer::Writer;
use crate::config::settings::ReplicaSettings;
use redb::{
    Database, DatabaseError, ReadableDatabase, ReadableTableMetadata, StorageError, TableError,
};
use std::io::ErrorKind;
use std::path::Path;

/// Opens the file, or creates it where there is none.
pub fn open(settings: &ReplicaSettings) -> Result<Writer, OpenError> {
    let unusable = |reason: String| OpenError::Unusable { path: settings.path.clone(), reason };
    Writer::new(database(settings)?, settings).map_err(|error| unusable(error.to_string()))
}

/// Opens the file in the format of this program.
pub(super) fn database(settings: &ReplicaSettings) -> Result<Database, OpenError> {
    let path = settings.path.as_path();
    let existed = path.metadata().is_ok_and(|file| file.len() > 0);
    let unusable = |reason: String| OpenError::Unusable { path: path.to_owned(), reason };
    let mut builder = Database::builder();
    builder.set_cache_size(settings.cache);
    let shown = path.to_owned();
    builder.set_repair_callback(move |progress| {
        tracing::info!(path = %shown.display(), done = progress.progress(), "repairing the replica after an unclean stop");
    });
    let database = builder.create(path).map_err(|error| explain(path, error))?;
    if existed && !has_meta(&database).map_err(&unusable)? {
        return Err(OpenError::Foreign(path.to_owned()));
    }
    prepare(path, &database)?;
    Ok(database)
}

/// A file with tables but without ours was written by somebody else. A file without any
/// table is one that we were killed in creating.
fn has_meta(database: &Database) -> Result<bool, String> {
    let txn = database.begin_read().map_err(|e| e.to_string())?;
    match txn.open_table(META) {
        Ok(table) => Ok(table.len().is_ok()),
        Err(TableError::TableDoesNotExist(_)) => {
            Ok(txn.list_tables().map_err(|e| e.to_string())?.count() == 0)
        }
        Err(TableError::TableTypeMismatch { .. }) => Ok(false),
        Err(error) => Err(error.to_string()),
    }
}

/// Brings the file to the format of this program, in one transaction.
fn prepare(path: &Path, database: &Database) -> Result<(), OpenError> {
    let unusable = |reason: String| OpenError::Unusable { path: path.to_owned(), reason };
    let found = read_format(database).map_err(&unusable)?;
    match found {
        Some(FORMAT) => return Ok(()),
        Some(found) if found > FORMAT => {
            return Err(OpenError::Newer { path: path.to_owned(), found, known: FORMAT });
        }
        _ => {}
    }
    let upgrade = || -> Result<(), redb::Error> {
        let txn = database.begin_write()?;
        tables::create(&txn)?;
        if let Some(found) = found {
            super::upgrade::upgrade(&txn, found)?;
        }
        txn.open_table(META)?.insert("format", FORMAT.to_le_bytes().as_slice())?;
        txn.commit()?;
        Ok(())
    };
    upgrade().map_err(|error| unusable(error.to_string()))
}

fn read_format(database: &Database) -> Result<Option<u32>, String> {
    let txn = database.begin_read().map_err(|e| e.to_string())?;
    let table = match txn.open_table(META) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let format = table.get("format").map_err(|e| e.to_string())?;
    Ok(format.and_then(|octets| octets.value().first_chunk().map(|b| u32::from_le_bytes(*b))))
}

fn explain(path: &Path, error: DatabaseError) -> OpenError {
    let owned = path.to_owned();
    match error {
        DatabaseError::DatabaseAlreadyOpen => OpenError::InUse(owned),
        DatabaseError::Storage(StorageError::Io(io)) => {
            let folder = path.parent().unwrap_or(Path::new("."));
            let reason = match io.kind() {
                ErrorKind::NotFound => {
                    format!(
                        "the folder {} does not exist; create it, owned by the user that runs entraldap",
                        folder.display()
                    )
                }
                ErrorKind::PermissionDenied => {
                    format!(
                        "no permission ({io}); the user that runs entraldap must own the file and the folder {}",
                        folder.display()
                    )
                }
                ErrorKind::InvalidData => return OpenError::Foreign(owned),
                _ if no_room(&io) => {
                    format!("the disk is full ({io}); free space and start again, nothing is lost")
                }
                _ => io.to_string(),
            };
            OpenError::Unusable { path: owned, reason }
        }
        other => OpenError::Unusable {
            path: owned,
            reason: format!(
                "{other}; if the file is damaged, move it away and restart: the tenant is then synced anew"
            ),
        },
    }
}
