//! Carries blocking work away from the threads that serve searches.

use super::error::SyncError;
use crate::replica::{Transaction, Writer};

/// Runs `change` in one transaction on a thread for blocking work.
pub(super) async fn write<
    T: Send + 'static,
    E: From<crate::replica::Error> + Into<SyncError> + Send + 'static,
>(
    writer: &Writer,
    change: impl FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
) -> Result<T, SyncError> {
    let writer = writer.clone();
    match tokio::task::spawn_blocking(move || writer.write(change)).await {
        Ok(done) => done.map_err(Into::into),
        Err(error) => Err(SyncError::Cut(error.to_string())),
    }
}
