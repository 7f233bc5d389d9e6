//! `[log]`: how much is told, and in which form.

use super::reader::Table;
use super::settings::{LogFormat, LogSettings};

const FORMATS: [(&str, LogFormat); 2] = [("human", LogFormat::Human), ("json", LogFormat::Json)];

/// Reads the section.
pub(super) fn read(table: &Table<'_>) -> LogSettings {
    let default = LogSettings::default();
    LogSettings {
        format: table.or("format", default.format, |value| value.word(&FORMATS)),
        level: table.or("level", default.level, |value| value.string()),
    }
}
