//! Passes and what they changed, and the life of one object.

use super::explain;
use crate::replica::log::{Change, PassRecord};
use crate::replica::{Error, Number, Snapshot};
use serde::{Deserialize, Serialize};

/// A pass and its changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pass {
    /// Its record.
    pub record: PassRecord,
    /// Its changes, in their order, as far as they are remembered.
    pub changes: Vec<Change>,
    /// How many it made.
    pub made: u64,
}

/// The life of an object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Life {
    /// Its Graph object id.
    pub object: String,
    /// The connection it came by.
    pub connection: String,
    /// Its name; empty where it is not served.
    pub dn: String,
    /// Its changes, newest first.
    pub changes: Vec<Change>,
}

/// A pass; `None` where none has this number, or it is forgotten.
pub fn pass(snapshot: &Snapshot, number: u64, most: usize) -> Result<Option<Pass>, Error> {
    let Some(record) = snapshot.pass(number)? else { return Ok(None) };
    let changes = snapshot.changes_in(&record, most)?.into_iter().map(|(_, c)| c).collect();
    let made = record.changes.1.saturating_sub(record.changes.0);
    Ok(Some(Pass { record, changes, made }))
}

/// The lives of the objects that an address, a name or an id means.
pub fn lives(snapshot: &Snapshot, asked: &str, most: usize) -> Result<Vec<Life>, Error> {
    let mut lives = Vec::new();
    for (number, connection, object) in explain::objects(snapshot, asked)? {
        lives.push(life(snapshot, number, connection, object, most)?);
    }
    Ok(lives)
}

fn life(
    snapshot: &Snapshot,
    number: Number,
    connection: String,
    object: String,
    most: usize,
) -> Result<Life, Error> {
    let entry = snapshot.entry(number)?;
    let dn = entry.map_or_else(String::new, |entry| entry.view().dn().to_owned());
    let changes = snapshot.changes_of(number, most)?.into_iter().map(|(_, c)| c).collect();
    Ok(Life { object, connection, dn, changes })
}
