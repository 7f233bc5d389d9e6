//! `entraldap serve`: the daemon.

use super::{Common, Exit, Failure, start};
use crate::daemon::Daemon;
use crate::telemetry;

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {}

impl Arguments {
    /// Serves until told to end.
    pub(super) fn run(&self, common: &Common) -> Result<Exit, Failure> {
        let settings = start::settings(common)?;
        telemetry::start(&settings.log)
            .map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
        for warning in &settings.warnings.list {
            tracing::warn!("{}: {}; {}", warning.key, warning.message, warning.remedy);
        }
        start::block_on(async {
            let daemon = Daemon::start(&settings)
                .await
                .map_err(|error| Failure::new(Exit::No, error.to_string()))?;
            daemon.watch(&common.config, &settings).map_err(|error| {
                Failure::new(Exit::No, format!("SIGHUP cannot be waited for: {error}"))
            })?;
            start::ended().await?;
            tracing::info!("ending");
            daemon.stop().await;
            Ok(Exit::Done)
        })
    }
}
