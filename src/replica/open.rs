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
    // Opening for writing marks the file. One that is not ours to write is left as it is;
    // after an unclean stop only a repair, which writes, can tell.
    if existed && let Ok(database) = builder.open_read_only(path) {
        if !has_meta(&database).map_err(&unusable)? {
            return Err(OpenError::Foreign(path.to_owned()));
        }
        refuse_newer(path, read_format(&database).map_err(&unusable)?)?;
    }
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
fn has_meta(database: &impl ReadableDatabase) -> Result<bool, String> {
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
    refuse_newer(path, found)?;
    if found == Some(FORMAT) {
        return Ok(());
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

fn refuse_newer(path: &Path, format: Option<u32>) -> Result<(), OpenError> {
    match format {
        Some(found) if found > FORMAT => {
            Err(OpenError::Newer { path: path.to_owned(), found, known: FORMAT })
        }
        _ => Ok(()),
    }
}

fn read_format(database: &impl ReadableDatabase) -> Result<Option<u32>, String> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use redb::TableDefinition;
    use tempfile::TempDir;

    /// A file as `fill` leaves it, and what opening it says; whether it was stopped
    /// cleanly or not.
    fn refusal(clean: bool, fill: impl Fn(&Database)) -> (OpenError, Vec<u8>, Vec<u8>) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("replica.redb");
        let settings = ReplicaSettings { path: path.clone(), ..ReplicaSettings::default() };
        let database = Database::create(&path).unwrap();
        fill(&database);
        if clean {
            drop(database);
        } else {
            let killed = folder.path().join("killed.redb");
            std::fs::copy(&path, &killed).unwrap();
            drop(database);
            std::fs::rename(killed, &path).unwrap();
        }
        let before = std::fs::read(&path).unwrap();
        let error = open(&settings).err().unwrap();
        (error, before, std::fs::read(&path).unwrap())
    }

    fn newer(database: &Database) {
        let txn = database.begin_write().unwrap();
        tables::create(&txn).unwrap();
        let format = (FORMAT + 1).to_le_bytes();
        txn.open_table(META).unwrap().insert("format", format.as_slice()).unwrap();
        txn.commit().unwrap();
    }

    fn foreign(database: &Database) {
        let txn = database.begin_write().unwrap();
        let table: TableDefinition<'_, u32, u32> = TableDefinition::new("theirs");
        txn.open_table(table).unwrap().insert(1, 2).unwrap();
        txn.commit().unwrap();
    }

    #[test]
    fn newer_file_is_refused_and_left_as_it_is() {
        let (error, before, after) = refusal(true, newer);
        let OpenError::Newer { found, known, .. } = &error else { panic!("{error}") };
        assert_eq!((*found, *known), (FORMAT + 1, FORMAT));
        let told = error.to_string();
        assert!(told.contains("run the newer entraldap, or move the file away"), "{told}");
        assert!(before == after, "the file was changed");
    }

    #[test]
    fn newer_file_is_refused_after_an_unclean_stop_too() {
        let (error, ..) = refusal(false, newer);
        assert!(matches!(error, OpenError::Newer { .. }), "{error}");
    }

    #[test]
    fn foreign_file_is_refused_and_left_as_it_is() {
        let (error, before, after) = refusal(true, foreign);
        assert!(matches!(error, OpenError::Foreign(_)), "{error}");
        assert!(before == after, "the file was changed");
    }
}
