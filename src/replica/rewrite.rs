//! Writing the file anew: what was removed is off the disk only when the pages that it
//! stood in are. redb marks them as free, and uses them again some day.

use super::error::Error;
use super::tables::*;
use redb::{
    Database, Key, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, Value,
};
use redb::{TableError, WriteTransaction};
use std::ops::Bound;
use std::path::{Path, PathBuf};

/// The file that a new one is made in, beside the old one.
pub(super) fn draft(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

/// Copies all that is live into a new file; the old one stays as it is.
pub(super) fn copy(database: &Database, path: &Path, cache: usize) -> Result<(), Error> {
    // One that a killed process has left is of no use.
    let _ = std::fs::remove_file(path);
    let read = database.begin_read()?;
    let mut builder = Database::builder();
    builder.set_cache_size(cache);
    let new = builder.create(path).map_err(|error| Error::Storage(error.to_string()))?;
    let mut write = new.begin_write()?;
    write.set_quick_repair(true);
    create(&write)?;
    one(&read, &write, META)?;
    one(&read, &write, CONNECTIONS)?;
    one(&read, &write, NUMBERS)?;
    one(&read, &write, OBJECTS)?;
    one(&read, &write, LEFT_OUT)?;
    one(&read, &write, PAGES)?;
    one(&read, &write, ENTRIES)?;
    one(&read, &write, WIDE)?;
    one(&read, &write, NAMES)?;
    one(&read, &write, ACCOUNTS)?;
    one(&read, &write, ACCOUNT_OF)?;
    one(&read, &write, CHANGES)?;
    one(&read, &write, CHANGES_OF)?;
    one(&read, &write, PASSES)?;
    for store in [EQUAL, PRESENT, GRAMS, LINKS] {
        one(&read, &write, store.heads)?;
        one(&read, &write, store.chunks)?;
    }
    write.commit()?;
    Ok(())
}

fn one<K: Key + 'static, V: Value + 'static>(
    read: &ReadTransaction,
    write: &WriteTransaction,
    table: TableDefinition<'_, K, V>,
) -> Result<(), Error> {
    let from = match read.open_table(table) {
        Ok(from) => from,
        Err(TableError::TableDoesNotExist(_)) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let mut to = write.open_table(table)?;
    let mut cursor = to.upper_bound_mut(Bound::<K::SelfType<'_>>::Unbounded)?;
    for row in from.iter()? {
        let (key, value) = row?;
        cursor.insert_before(key.value(), value.value())?;
    }
    Ok(cursor.close()?)
}
