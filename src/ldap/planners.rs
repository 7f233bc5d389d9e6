//! Searches whose plan takes long: made beside the threads that serve, so few at once that
//! lookups find a free core.

use super::search::cursor::Cursor;
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// How many there may be at once: half of the cores.
pub(crate) struct Planners(Arc<Semaphore>);

impl Planners {
    /// By the cores of this machine.
    pub(crate) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Planners(Arc::new(Semaphore::new((cores / 2).max(1))))
    }

    /// Asks the indexes for a search, when it is its turn. `None` when the process ends.
    pub(crate) async fn plan(&self, mut cursor: Box<Cursor>) -> Option<Box<Cursor>> {
        let permit = Arc::clone(&self.0).acquire_owned().await.ok()?;
        let work = move || {
            cursor.plan();
            // Held to the end of the work, whoever still waits for it.
            drop(permit);
            cursor
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(cursor) => Some(cursor),
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            Err(_) => None,
        }
    }
}
