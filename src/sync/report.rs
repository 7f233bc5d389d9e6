//! What people are told about a pass. Pure: no I/O, no clock.

pub use crate::replica::log::PassRecord;
use serde::Serialize;
use serde_json::{Value, json};

/// Why somebody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// A pass ran.
    Pass,
    /// A pass changed something.
    Change,
    /// A pass failed, is held, or could not read everything.
    Trouble,
    /// The same trouble goes on.
    Reminder,
    /// Trouble has ended.
    Recovery,
    /// What proves the application ends soon.
    Expiry,
    /// Somebody tries whether reports arrive.
    Test,
}

/// What people are told about a pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Why they are told.
    pub reason: Reason,
    /// The pass.
    pub record: PassRecord,
    /// Reports before it that could not be delivered.
    pub lost: u64,
}

impl Report {
    /// Whether a pass is trouble.
    pub fn is_trouble(record: &PassRecord) -> bool {
        record.verdict != "committed"
    }

    /// Stands for a trouble: the same words are the same trouble. Numbers and ids, which
    /// differ each time, are left out.
    pub fn trouble_key(record: &PassRecord) -> String {
        let is_word = |word: &&str| word.chars().all(|c| c.is_alphabetic());
        let words: Vec<&str> = record
            .error
            .split(|c: char| c.is_whitespace() || matches!(c, ':' | ';' | ',' | '(' | ')' | '"'))
            .filter(|word| !word.is_empty())
            .filter(is_word)
            .take(16)
            .collect();
        format!("{} {}", record.verdict, words.join(" "))
    }

    /// One line.
    pub fn subject(&self) -> String {
        let PassRecord { connection, number, verdict, .. } = &self.record;
        let first = self.record.error.split(['\n', ';']).next().unwrap_or_default();
        let first: String = first.chars().filter(|c| !c.is_control()).take(120).collect();
        let text = match self.reason {
            Reason::Test => return "[entraldap] test: reports arrive here".to_owned(),
            Reason::Recovery => format!("pass {number} went well again"),
            Reason::Expiry => {
                let end = self.record.credential_end.unwrap_or_default();
                let end = jiff::Timestamp::from_second(end);
                let day = end.map(|end| end.strftime("%Y-%m-%d").to_string()).unwrap_or_default();
                format!("its secret or certificate ends on {day}")
            }
            Reason::Reminder => format!("still in trouble, pass {number} {verdict}: {first}"),
            Reason::Trouble => format!("pass {number} {verdict}: {first}"),
            Reason::Pass | Reason::Change => format!(
                "pass {number}: {} added, {} changed, {} removed",
                self.record.added, self.record.changed, self.record.removed
            ),
        };
        format!("[entraldap] {connection}: {text}")
    }

    /// What is worth knowing, as pairs of a word and a text.
    pub fn facts(&self) -> Vec<(&'static str, String)> {
        let record = &self.record;
        let mut facts = vec![("Connection", record.connection.clone())];
        if self.reason != Reason::Test {
            let time = |ms: i64| {
                jiff::Timestamp::from_second(ms / 1000)
                    .map_or_else(|_| String::new(), |t| t.to_string())
            };
            facts.extend([
                ("Pass", format!("{} ({}, {})", record.number, record.kind, record.trigger)),
                ("Verdict", record.verdict.clone()),
                ("Started", time(record.started)),
                ("Ended", time(record.ended)),
                ("Added", record.added.to_string()),
                ("Changed", record.changed.to_string()),
                ("Removed", record.removed.to_string()),
                (
                    "Requests",
                    format!(
                        "{}, {} tried again, {} ms waited because Graph asked for it",
                        record.requests, record.retries, record.throttled_ms
                    ),
                ),
            ]);
            let served: Vec<String> =
                record.entries.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
            if !served.is_empty() {
                facts.push(("Served", served.join(", ")));
            }
        }
        if !record.error.is_empty() {
            facts.push(("Error", record.error.clone()));
        }
        facts.extend(record.warnings.iter().map(|warning| ("Warning", warning.clone())));
        if self.lost > 0 {
            facts.push((
                "Lost",
                format!("{} reports before this one could not be delivered", self.lost),
            ));
        }
        facts
    }

    /// The report for machines. Keys are only ever added.
    pub fn to_json(&self) -> Value {
        json!({
            "version": 1,
            "reason": self.reason,
            "subject": self.subject(),
            "connection": self.record.connection,
            "pass": self.record,
            "lost": self.lost,
        })
    }
}
