//! The change log and the history of passes.

use super::error::Error;
use super::ids::Number;
use super::reader::Snapshot;
use super::writer::Transaction;
use crate::directory::ids::ObjectId;
use redb::ReadableTable;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};

/// A change of one entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The entry.
    pub number: Number,
    /// The Graph object behind it, as text.
    pub object: String,
    /// What happened.
    pub action: Action,
    /// The entry's name, after an addition or change; before a removal.
    pub dn: String,
    /// The pass.
    pub pass: u64,
    /// Unix time.
    pub time: i64,
    /// What changed in it; of entries that are new or gone, nothing is told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<AttributeChange>,
    /// Why, where it is more than what Graph said: a rule, the scope.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// What changed in one attribute. Values that are no text are told in base64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttributeChange {
    /// The attribute.
    pub name: String,
    /// Values that are gone, the first of many.
    pub removed: Vec<String>,
    /// Values that are new, the first of many.
    pub added: Vec<String>,
    /// How many more values are gone or new than are told.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: usize,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// What happened to an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It is new.
    Added,
    /// An attribute or the name changed.
    Changed,
    /// It is gone.
    Removed,
}

/// One pass, as it is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PassRecord {
    /// Counts up from 1.
    pub number: u64,
    /// The connection's name.
    pub connection: String,
    /// `delta` or `full`.
    pub kind: String,
    /// Why it ran: `start`, `interval`, `manual`, `reconcile`, `resync`, `retry`.
    pub trigger: String,
    /// Unix time in milliseconds.
    pub started: i64,
    /// Unix time in milliseconds.
    pub ended: i64,
    /// `committed`, `partial` (a stream may not be read), `held` or `failed`.
    pub verdict: String,
    /// What went wrong; empty when nothing did.
    pub error: String,
    /// What the administrator should know although the pass went well.
    pub warnings: Vec<String>,
    /// Graph objects in the answers.
    pub received: u64,
    /// Entries added.
    pub added: u64,
    /// Entries changed.
    pub changed: u64,
    /// Entries removed.
    pub removed: u64,
    /// Requests sent.
    pub requests: u64,
    /// Requests that were tried again.
    pub retries: u64,
    /// Milliseconds waited because Graph asked for it.
    pub throttled_ms: u64,
    /// Milliseconds the commit took, deriving included.
    pub commit_ms: u64,
    /// Entries by kind afterwards.
    pub entries: BTreeMap<String, u64>,
    /// The numbers of its changes: the first, and the one behind the last.
    #[serde(default)]
    pub changes: (u64, u64),
    /// Unix time at which what proves the application ends, where that is near.
    #[serde(default)]
    pub credential_end: Option<i64>,
}

impl Transaction<'_> {
    /// The sequence number that the next logged change gets.
    pub fn next_change(&self) -> u64 {
        self.next_change
    }

    /// Logs a change.
    pub fn log_change(&mut self, change: &Change) -> Result<(), Error> {
        let octets = serde_json::to_vec(change).unwrap_or_default();
        self.tables.changes.insert(self.next_change, octets.as_slice())?;
        self.tables.changes_of.insert((change.number, self.next_change), ())?;
        self.next_change += 1;
        Ok(())
    }

    /// The number of the next pass.
    pub fn next_pass(&self) -> Result<u64, Error> {
        Ok(self.tables.passes.last()?.map_or(1, |(number, _)| number.value() + 1))
    }

    /// Remembers a pass, and forgets passes older than the last `keep`.
    pub fn record_pass(&mut self, record: &PassRecord, keep: usize) -> Result<(), Error> {
        let octets = serde_json::to_vec(record).unwrap_or_default();
        self.tables.passes.insert(record.number, octets.as_slice())?;
        let oldest = record.number.saturating_sub(keep as u64);
        self.tables.passes.retain_in::<u64, _>(..=oldest, |_, _| false)?;
        Ok(())
    }

    /// Forgets changes from before `time` (Unix), the oldest first and a bounded number at
    /// once. The last one always stays: the next is numbered after it.
    pub fn forget_changes_before(&mut self, time: i64) -> Result<(), Error> {
        let mut old = Vec::new();
        for row in self.tables.changes.iter()?.take(FORGOTTEN_AT_ONCE) {
            let (sequence, octets) = row?;
            let change = read_change(octets.value())?;
            if change.time >= time || sequence.value() + 1 >= self.next_change {
                break;
            }
            old.push((sequence.value(), change.number));
        }
        for (sequence, number) in old {
            self.tables.changes.remove(sequence)?;
            self.tables.changes_of.remove((number, sequence))?;
        }
        Ok(())
    }

    /// Takes what tells of a person out of all changes of an object: names and values. That
    /// there were changes, and when, stays.
    pub fn anonymise_changes_of(&mut self, number: Number) -> Result<(), Error> {
        let rows = self.tables.changes_of.range((number, 0)..=(number, u64::MAX))?;
        let sequences: Vec<u64> =
            rows.map(|row| Ok(row?.0.value().1)).collect::<Result<_, Error>>()?;
        for sequence in sequences {
            let found = self.tables.changes.get(sequence)?;
            let Some(mut change) = found.map(|o| read_change(o.value())).transpose()? else {
                continue;
            };
            change.dn.clear();
            change.attributes.clear();
            let octets = serde_json::to_vec(&change).unwrap_or_default();
            self.tables.changes.insert(sequence, octets.as_slice())?;
        }
        Ok(())
    }

    /// Takes these names out of the changes of others: whose manager somebody was, in which
    /// group somebody stood. Walks over the whole log.
    pub fn forget_names(&mut self, names: &HashSet<String>) -> Result<(), Error> {
        let mut rewritten = Vec::new();
        for row in self.tables.changes.iter()? {
            let (sequence, octets) = row?;
            let mut change = read_change(octets.value())?;
            let mut found = false;
            for attribute in &mut change.attributes {
                for values in [&mut attribute.removed, &mut attribute.added] {
                    let before = values.len();
                    values.retain(|value| !names.contains(value));
                    attribute.more += before - values.len();
                    found |= values.len() < before;
                }
            }
            if found {
                rewritten.push((sequence.value(), serde_json::to_vec(&change).unwrap_or_default()));
            }
        }
        for (sequence, octets) in rewritten {
            self.tables.changes.insert(sequence, octets.as_slice())?;
        }
        Ok(())
    }
}

/// How many changes are forgotten in one pass.
const FORGOTTEN_AT_ONCE: usize = 10_000;

fn read_change(octets: &[u8]) -> Result<Change, Error> {
    serde_json::from_slice(octets).map_err(|_| Error::Damaged("a change"))
}

fn read_pass(octets: &[u8]) -> Result<PassRecord, Error> {
    serde_json::from_slice(octets).map_err(|_| Error::Damaged("a pass record"))
}

impl Snapshot {
    /// The last passes, newest first.
    pub fn passes(&self, most: usize) -> Result<Vec<PassRecord>, Error> {
        let rows = self.tables.passes.range::<u64>(..)?.rev().take(most);
        rows.map(|row| read_pass(row?.1.value())).collect()
    }

    /// One pass.
    pub fn pass(&self, number: u64) -> Result<Option<PassRecord>, Error> {
        self.tables.passes.get(number)?.map(|octets| read_pass(octets.value())).transpose()
    }

    /// The changes of a pass, as far as they are still known, with their numbers.
    pub fn changes_in(&self, pass: &PassRecord, most: usize) -> Result<Vec<(u64, Change)>, Error> {
        let rows = self.tables.changes.range(pass.changes.0..pass.changes.1)?.take(most);
        rows.map(|row| {
            let (sequence, octets) = row?;
            Ok((sequence.value(), read_change(octets.value())?))
        })
        .collect()
    }

    /// The changes of one object, newest first, with their sequence numbers.
    pub fn changes_of(&self, number: Number, most: usize) -> Result<Vec<(u64, Change)>, Error> {
        let rows = self.tables.changes_of.range((number, 0)..=(number, u64::MAX))?.rev().take(most);
        let mut changes = Vec::new();
        for row in rows {
            let sequence = row?.0.value().1;
            if let Some(octets) = self.tables.changes.get(sequence)? {
                changes.push((sequence, read_change(octets.value())?));
            }
        }
        Ok(changes)
    }

    /// The number of an object by its Graph id, whether it is published or not.
    pub fn find(&self, connection: u16, id: ObjectId) -> Result<Option<Number>, Error> {
        let key = super::source::number_key(connection, id);
        Ok(self.tables.numbers.get(key.as_slice())?.map(|number| number.value()))
    }

    /// What Graph last said of an object.
    pub fn source(&self, number: Number) -> Result<Option<super::source::SourceObject>, Error> {
        match self.tables.objects.get(number)? {
            Some(octets) => super::source::SourceObject::read(octets.value()).map(Some),
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::ReplicaSettings;
    use crate::replica::open;

    fn change(number: Number, time: i64) -> Change {
        Change {
            number,
            object: String::new(),
            action: Action::Changed,
            dn: format!("cn={number},dc=x"),
            pass: 1,
            time,
            attributes: vec![AttributeChange {
                name: "manager".to_owned(),
                removed: vec!["cn=gone,dc=x".to_owned()],
                added: vec!["cn=here,dc=x".to_owned()],
                more: 0,
            }],
            why: String::new(),
        }
    }

    #[test]
    fn changes_are_forgotten_by_age_and_the_last_one_never_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("replica.redb");
        let writer = open(&ReplicaSettings { path, ..ReplicaSettings::default() }).unwrap();
        let log = |change_log: &mut Transaction<'_>| -> Result<(), Error> {
            (10..=40).step_by(10).try_for_each(|time| change_log.log_change(&change(7, time)))
        };
        writer.write(log).unwrap();
        let times = || -> Vec<i64> {
            let known = writer.reader().snapshot().changes_of(7, 100).unwrap();
            known.into_iter().map(|(_, change)| change.time).collect()
        };
        assert_eq!(times(), [40, 30, 20, 10]);
        writer.write(|change| change.forget_changes_before(25)).unwrap();
        assert_eq!(times(), [40, 30]);
        writer.write(|change| change.forget_changes_before(99)).unwrap();
        assert_eq!(times(), [40]);
        let next = writer.write(|log| -> Result<u64, Error> { Ok(log.next_change()) }).unwrap();
        assert_eq!(next, 5, "numbers are not used again");
    }

    #[test]
    fn names_of_those_who_left_the_scope_are_forgotten_in_the_changes_of_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("replica.redb");
        let writer = open(&ReplicaSettings { path, ..ReplicaSettings::default() }).unwrap();
        writer.write(|log| log.log_change(&change(7, 10))).unwrap();
        let gone = HashSet::from(["cn=gone,dc=x".to_owned()]);
        writer.write(|log| log.forget_names(&gone)).unwrap();
        let known = writer.reader().snapshot().changes_of(7, 1).unwrap().remove(0).1;
        let attribute = &known.attributes[0];
        assert!(attribute.removed.is_empty() && attribute.more == 1);
        assert_eq!(attribute.added, ["cn=here,dc=x"]);
        writer.write(|log| log.anonymise_changes_of(7)).unwrap();
        let known = writer.reader().snapshot().changes_of(7, 1).unwrap().remove(0).1;
        assert_eq!((known.dn.as_str(), known.attributes.len(), known.time), ("", 0, 10));
    }
}
