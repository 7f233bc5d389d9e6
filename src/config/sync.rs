//! `[connection.sync]`: when, and what of.

use super::reader::Table;
use super::settings::SyncSettings;
use super::value::Trouble;
use std::time::Duration;

const DAY: u64 = 86_400;

/// Reads the section.
pub(super) fn read(table: &Table<'_>) -> SyncSettings {
    let default = SyncSettings::default();
    // Graph forgets a delta link after 7 days, and every pass would start from nothing.
    let interval = Duration::from_secs(1)..=Duration::from_secs(6 * DAY);
    let reconcile = Duration::from_secs(60)..=Duration::from_secs(90 * DAY);
    let settings = SyncSettings {
        interval: table.or("interval", default.interval, |value| value.duration(interval)),
        reconcile: table.or("reconcile", default.reconcile, |value| value.duration(reconcile)),
        contacts: table.or("contacts", default.contacts, |value| value.boolean()),
        hidden_members: table.or("hidden_members", default.hidden_members, |value| value.boolean()),
    };
    if settings.reconcile < settings.interval {
        let remedy = "choose a longer reconcile, or a shorter interval";
        let trouble = Trouble::new("is shorter than interval", remedy);
        table.report.problem(&table.place("reconcile"), trouble);
    }
    settings
}
