//! What verbs begin with: the settings, a runtime, the stored copy.

use super::{Common, Exit, Failure};
use crate::config::{self, Settings};
use crate::replica::{self, Writer};
use std::future::Future;

/// Reads the configuration file.
pub(super) fn settings(common: &Common) -> Result<Settings, Failure> {
    config::load(&common.config).map_err(|problems| Failure::new(Exit::Usage, problems.to_string()))
}

/// Runs `work` on a runtime of all cores.
pub(super) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    // Only the first call has an effect; each verb starts one runtime.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::No, format!("the runtime cannot start: {error}")))?;
    runtime.block_on(work)
}

/// Opens the stored copy, for a verb that runs without a daemon.
pub(super) fn replica(settings: &Settings) -> Result<Writer, Failure> {
    if !settings.replica.path.exists() {
        let path = settings.replica.path.display();
        return Err(Failure::new(
            Exit::Unreachable,
            format!(
                "no daemon runs, and there is no replica at {path} yet; start `entraldap serve`, or run `entraldap sync`"
            ),
        ));
    }
    replica::open(&settings.replica)
        .map_err(|error| Failure::new(Exit::No, format!("replica.path: {error}")))
}

/// Waits for the signal to end: Ctrl-C, or SIGTERM.
pub(super) async fn ended() -> Result<(), Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let fail = |error: std::io::Error| {
        Failure::new(Exit::No, format!("signals cannot be waited for: {error}"))
    };
    let mut interrupt = signal(SignalKind::interrupt()).map_err(fail)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(fail)?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
