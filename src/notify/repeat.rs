//! Whether somebody is told of a pass: not of the same trouble again and again, and once
//! of its end. Pure: no I/O, no clock.

use crate::config::settings::On;
use crate::sync::report::{PassRecord, Reason, Report};
use std::collections::HashMap;

/// The same trouble is told again after so many seconds.
const REMINDER: i64 = 24 * 3600;

/// What one target has been told, by connection.
#[derive(Debug, Default)]
pub(super) struct Memory {
    troubles: HashMap<String, Told>,
    /// When the end of a credential was told last, by connection.
    ends: HashMap<String, i64>,
}

#[derive(Debug)]
struct Told {
    key: String,
    /// Unix time.
    at: i64,
}

impl Memory {
    /// Whether, and as what, a pass is told at `now` (Unix time).
    pub(super) fn decide(&mut self, on: On, record: &PassRecord, now: i64) -> Option<Reason> {
        if Report::is_trouble(record) {
            return self.trouble(record, now);
        }
        if self.troubles.remove(&record.connection).is_some() {
            return Some(Reason::Recovery);
        }
        if record.credential_end.is_some() {
            let told = self.ends.get(&record.connection);
            if told.is_none_or(|told| now - told >= REMINDER) {
                self.ends.insert(record.connection.clone(), now);
                return Some(Reason::Expiry);
            }
        }
        let changed = record.added + record.changed + record.removed > 0;
        match on {
            On::Pass if changed => Some(Reason::Change),
            On::Pass => Some(Reason::Pass),
            On::Change if changed => Some(Reason::Change),
            On::Change | On::Trouble => None,
        }
    }

    /// What was decided did not arrive: trouble is told again.
    pub(super) fn undo(&mut self, record: &PassRecord) {
        self.troubles.remove(&record.connection);
        self.ends.remove(&record.connection);
    }

    fn trouble(&mut self, record: &PassRecord, now: i64) -> Option<Reason> {
        let key = Report::trouble_key(record);
        let reason = match self.troubles.get(&record.connection) {
            Some(told) if told.key == key && now - told.at < REMINDER => return None,
            Some(told) if told.key == key => Reason::Reminder,
            _ => Reason::Trouble,
        };
        self.troubles.insert(record.connection.clone(), Told { key, at: now });
        Some(reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(verdict: &str, error: &str, changed: u64) -> PassRecord {
        PassRecord {
            connection: "contoso".to_owned(),
            verdict: verdict.to_owned(),
            error: error.to_owned(),
            changed,
            ..PassRecord::default()
        }
    }

    #[test]
    fn repeated_trouble_is_told_once_a_day_and_its_end_once() {
        let mut memory = Memory::default();
        let down = |id: u32| pass("failed", &format!("users/delta: no answer (request {id})"), 0);
        let mut told = |record: &PassRecord, now| memory.decide(On::Trouble, record, now);
        assert_eq!(told(&pass("committed", "", 3), 0), None);
        assert_eq!(told(&down(1), 10), Some(Reason::Trouble));
        assert_eq!(told(&down(2), 20), None, "the same, under another number");
        assert_eq!(told(&pass("held", "20 of 30 users", 0), 30), Some(Reason::Trouble));
        assert_eq!(told(&down(3), 40), Some(Reason::Trouble), "another one again");
        assert_eq!(told(&down(4), 39 + REMINDER), None);
        assert_eq!(told(&down(5), 40 + REMINDER), Some(Reason::Reminder));
        assert_eq!(told(&pass("committed", "", 0), 50 + REMINDER), Some(Reason::Recovery));
        assert_eq!(told(&pass("committed", "", 0), 60 + REMINDER), None);
    }

    #[test]
    fn an_end_that_is_near_is_told_once_a_day_to_everybody() {
        for on in [On::Pass, On::Change, On::Trouble] {
            let mut memory = Memory::default();
            let ending = PassRecord { credential_end: Some(1), ..pass("committed", "", 0) };
            assert_eq!(memory.decide(on, &ending, 0), Some(Reason::Expiry));
            assert_ne!(memory.decide(on, &ending, 10), Some(Reason::Expiry));
            assert_eq!(memory.decide(on, &ending, REMINDER), Some(Reason::Expiry));
        }
    }

    #[test]
    fn each_connection_has_troubles_of_its_own() {
        let mut memory = Memory::default();
        let mut other = pass("failed", "the same", 0);
        assert!(memory.decide(On::Trouble, &other, 0).is_some());
        other.connection = "fabrikam".to_owned();
        assert!(memory.decide(On::Trouble, &other, 0).is_some());
        assert!(memory.decide(On::Trouble, &other, 0).is_none());
    }

    #[test]
    fn passes_and_changes_are_told_to_those_who_want_them() {
        let mut memory = Memory::default();
        let (quiet, change) = (pass("committed", "", 0), pass("committed", "", 1));
        assert_eq!(memory.decide(On::Pass, &quiet, 0), Some(Reason::Pass));
        assert_eq!(memory.decide(On::Pass, &change, 0), Some(Reason::Change));
        assert_eq!(memory.decide(On::Change, &quiet, 0), None);
        assert_eq!(memory.decide(On::Change, &change, 0), Some(Reason::Change));
        assert_eq!(memory.decide(On::Change, &pass("partial", "x", 1), 0), Some(Reason::Trouble));
    }
}
