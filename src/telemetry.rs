//! What the program tells about its work: log lines on standard error.

use crate::config::settings::{LogFormat, LogSettings};
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// Takes the place of `[log] level` where it is set.
const VARIABLE: &str = "RUST_LOG";

/// Why nothing is logged.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter cannot be read.
    #[error("{origin}: {filter:?} is no log filter ({error}); write for example \"info\"")]
    Filter {
        /// The key or variable it comes from.
        origin: &'static str,
        /// The filter as written.
        filter: String,
        /// What is wrong with it.
        error: ParseError,
    },
    /// This process logs already.
    #[error("the log was started before ({0})")]
    Started(#[from] TryInitError),
}

/// Starts logging for the whole process, once.
pub fn start(settings: &LogSettings) -> Result<(), TelemetryError> {
    let filter = filter(settings, std::env::var(VARIABLE).ok())?;
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match settings.format {
        LogFormat::Human => lines.with_ansi(colours).finish().try_init()?,
        LogFormat::Json => lines.json().finish().try_init()?,
    }
    Ok(())
}

/// The filter of `variable`, or else of the settings. The protocol crate traces whole
/// requests, passwords included, so that its target stays off whatever the filter says.
fn filter(settings: &LogSettings, variable: Option<String>) -> Result<EnvFilter, TelemetryError> {
    let (origin, filter) = match variable.filter(|text| !text.trim().is_empty()) {
        Some(text) => (VARIABLE, text),
        None => ("log.level", settings.level.clone()),
    };
    let muted = format!("{filter},ldap3_proto=off");
    EnvFilter::try_new(muted).map_err(|error| TelemetryError::Filter { origin, filter, error })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(level: &str, variable: Option<&str>) -> Result<String, String> {
        let settings = LogSettings { level: level.to_owned(), ..LogSettings::default() };
        let filter = filter(&settings, variable.map(str::to_owned));
        filter.map(|filter| filter.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn protocol_crate_stays_off_whatever_the_filter_says() {
        for filter in ["info", "trace", "ldap3_proto=trace", "ldap3_proto=trace,debug"] {
            let text = text(filter, None).unwrap();
            assert!(text.contains("ldap3_proto=off"), "{filter}: {text}");
            assert!(!text.contains("ldap3_proto=trace"), "{filter}: {text}");
        }
    }

    #[test]
    fn variable_takes_precedence_unless_empty() {
        assert!(text("info", Some("entraldap=trace")).unwrap().contains("entraldap=trace"));
        assert!(text("warn", Some(" ")).unwrap().contains("warn"));
    }

    #[test]
    fn bad_filter_is_told_with_its_origin() {
        assert!(
            text("entraldap=loud", None).unwrap_err().starts_with("log.level: \"entraldap=loud\"")
        );
        assert!(text("info", Some("a=b=c")).unwrap_err().starts_with("RUST_LOG: "));
    }
}
