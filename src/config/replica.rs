//! `[replica]`: the stored copy.

use super::reader::Table;
use super::settings::ReplicaSettings;
use std::time::Duration;

/// Smallest and largest page cache. redb takes any; below a mebibyte nothing fits.
const CACHE: std::ops::RangeInclusive<usize> = (1 << 20)..=(64 << 30);

/// The page cache where nothing says how large it is and entries are not in memory as well.
const CACHE_ALONE: usize = 64 << 20;

/// Reads the section.
pub(super) fn read(table: &Table<'_>) -> ReplicaSettings {
    let default = ReplicaSettings::default();
    let in_memory = table.or("in_memory", default.in_memory, |value| value.boolean());
    let cache = if in_memory { default.cache } else { CACHE_ALONE };
    ReplicaSettings {
        path: table.or("path", default.path, |value| value.path()),
        cache: table.or("cache", cache, |value| value.size(CACHE)),
        in_memory,
        history: table.or("history", default.history, |value| value.number(1..=1_000_000)),
        changes: table.or("changes", default.changes, |value| {
            value.duration(Duration::from_secs(3600)..=Duration::from_secs(3650 * 86_400))
        }),
    }
}
