//! `[log]`: how much is told, and in which form.

use super::reader::Table;
use super::settings::{LogFormat, LogSettings};
use super::value::{Trouble, Value};
use tracing::level_filters::LevelFilter;

const FORMATS: [(&str, LogFormat); 2] = [("human", LogFormat::Human), ("json", LogFormat::Json)];

/// Reads the section.
pub(super) fn read(table: &Table<'_>) -> LogSettings {
    let default = LogSettings::default();
    LogSettings {
        format: table.or("format", default.format, |value| value.word(&FORMATS)),
        level: table.or("level", default.level, level),
    }
}

/// Parts of the form `level` or `target=level`. The filter itself would take a
/// mistyped level for the name of a target, and then show nothing at all.
fn level(value: &Value<'_>) -> Result<String, Trouble> {
    let text = value.text()?;
    for part in text.split(',').map(str::trim) {
        let level = part.rsplit('=').next().unwrap_or(part).trim();
        if level.parse::<LevelFilter>().is_err() {
            let message = format!("{part:?} does not end in a level");
            let remedy = "write error, warn, info, debug, trace or off; or TARGET=LEVEL";
            return Err(Trouble::new(message, remedy));
        }
    }
    Ok(text.to_owned())
}
