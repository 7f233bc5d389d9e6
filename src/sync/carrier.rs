//! Carries blocking work away from the threads that serve searches.

use super::error::SyncError;
use crate::replica::{Transaction, Writer};

/// Runs `work` on a thread for blocking work.
pub(super) async fn carry<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, SyncError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| SyncError::Cut(error.to_string()))
}

/// Runs `change` in one transaction on a thread for blocking work.
pub(super) async fn write<
    T: Send + 'static,
    E: From<crate::replica::Error> + Into<SyncError> + Send + 'static,
>(
    writer: &Writer,
    change: impl FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
) -> Result<T, SyncError> {
    let writer = writer.clone();
    carry(move || writer.write(change)).await?.map_err(Into::into)
}
