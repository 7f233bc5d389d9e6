//! `[connection.guard]`: how much may vanish in one pass before a person is asked.

use super::reader::Table;
use super::value::{Trouble, Value};

/// `[connection.guard]`: how much may vanish in one pass before a person is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardSettings {
    /// Whether the limits hold.
    pub enabled: bool,
    /// Whether they hold for what a changed configuration removes, too.
    pub configuration: bool,
    /// Users that are removed.
    pub users: Threshold,
    /// Groups that are removed.
    pub groups: Threshold,
    /// Contacts that are removed.
    pub contacts: Threshold,
    /// Domains that are removed.
    pub domains: Threshold,
    /// Mail addresses that nobody has any more.
    pub addresses: Threshold,
    /// Groups that lose their last member; the share is of the groups with members.
    pub emptied_groups: Threshold,
}

/// When a number of losses is suspicious.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threshold {
    /// So many never are.
    pub free: u64,
    /// More than so many always are.
    pub count: u64,
    /// In between, more than this share of what there was, in percent.
    pub share: u32,
}

impl Threshold {
    /// Whether to lose `lost` of `total` is suspicious.
    pub fn is_exceeded(&self, lost: u64, total: u64) -> bool {
        let share = lost.saturating_mul(100) > total.saturating_mul(u64::from(self.share));
        lost > self.free && (lost > self.count || share)
    }
}

impl Default for GuardSettings {
    fn default() -> Self {
        let objects = |count| Threshold { free: 5, count, share: 10 };
        GuardSettings {
            enabled: true,
            configuration: true,
            users: objects(500),
            groups: objects(100),
            contacts: objects(500),
            domains: Threshold { free: 1, count: 5, share: 10 },
            addresses: Threshold { free: 20, count: 2000, share: 10 },
            emptied_groups: objects(50),
        }
    }
}

/// Reads the section.
pub(super) fn read(table: &Table<'_>) -> GuardSettings {
    let default = GuardSettings::default();
    let limit = |key, default| table.section(key, |table| threshold(table, default));
    GuardSettings {
        enabled: table.or("enabled", default.enabled, |value| value.boolean()),
        configuration: table.or("configuration", default.configuration, |value| value.boolean()),
        users: limit("users", default.users),
        groups: limit("groups", default.groups),
        contacts: limit("contacts", default.contacts),
        domains: limit("domains", default.domains),
        addresses: limit("addresses", default.addresses),
        emptied_groups: limit("emptied_groups", default.emptied_groups),
    }
}

fn threshold(table: &Table<'_>, default: Threshold) -> Threshold {
    let number = |value: &Value<'_>| value.number(0..=u32::MAX);
    let limits = Threshold {
        free: table.or("free", default.free, number),
        count: table.or("count", default.count, number),
        share: table.or("share", default.share, percent),
    };
    if limits.count < limits.free {
        let message = format!("is less than free, which is {}", limits.free);
        let trouble = Trouble::new(message, "raise count, or lower free");
        table.report.problem(&table.place("count"), trouble);
    }
    limits
}

/// `"10%"`
fn percent(value: &Value<'_>) -> Result<u32, Trouble> {
    let text = value.text()?.trim();
    let digits = text.strip_suffix('%').map(str::trim_end);
    let share = digits.and_then(|digits| digits.parse().ok()).filter(|share| *share <= 100);
    share.ok_or_else(|| {
        let message = format!("{text:?} is not a share");
        Trouble::new(message, "write a whole number from \"0%\" to \"100%\"")
    })
}
