//! What takes long is done beside the threads that serve, at so low a priority that lookups find
//! a free core: else they wait for the scheduler, milliseconds, while others read the directory.

use super::search::cursor::Cursor;
use std::io;
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinError;
use tokio_util::task::AbortOnDropHandle;

/// How much lower the priority is, in nice values. Where all cores are busy, ten leave a thread a
/// tenth of what the others get: enough that what takes long comes to an end.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// Threads of a lower priority: as many as there are cores for connections with a search that
/// takes long, and half as many for plans.
pub(crate) struct Background(Option<Runtime>);

impl Background {
    /// Starts the threads, by the cores of this machine.
    pub(crate) fn new() -> io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let runtime = Builder::new_multi_thread()
            .worker_threads(cores)
            .max_blocking_threads((cores / 2).max(1))
            .thread_name("background")
            .on_thread_start(yield_to_others)
            .enable_all()
            .build()?;
        Ok(Background(Some(runtime)))
    }

    /// Asks the indexes for a search, when it is its turn. `None` when the process ends.
    pub(crate) async fn plan(&self, mut cursor: Box<Cursor>) -> Option<Box<Cursor>> {
        let work = move || {
            cursor.plan();
            cursor
        };
        // A plan that nobody waits for any more is not begun.
        let planned = AbortOnDropHandle::new(self.0.as_ref()?.spawn_blocking(work));
        done(planned.await)
    }

    /// Does some work of a connection. `None` when the process ends.
    pub(crate) async fn run<W>(&self, work: W) -> Option<W::Output>
    where
        W: Future<Output: Send> + Send + 'static,
    {
        done(self.0.as_ref()?.spawn(work).await)
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // Nobody waits here: this may be a thread that must not block.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// What a task has come to. A panic goes on in the connection that it happened to.
fn done<T>(joined: Result<T, JoinError>) -> Option<T> {
    match joined {
        Ok(done) => Some(done),
        Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
        Err(_) => None,
    }
}

/// Lets other threads go first. Linux has a priority for each thread, which cannot be raised
/// again without a privilege; elsewhere it is that of the whole process.
fn yield_to_others() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(NICE) {
        tracing::debug!(%error, "what takes long has the priority of everything else");
    }
}

#[cfg(test)]
impl Background {
    /// How many connections are served here.
    pub(crate) fn connections(&self) -> usize {
        self.0.as_ref().map_or(0, |runtime| runtime.metrics().num_alive_tasks())
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn what_takes_long_lets_other_threads_go_first() {
        // The nice value of this thread: proc(5), field 19 of `stat`, 17 behind the name.
        let niceness = || -> i32 {
            let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
            let (_, fields) = stat.rsplit_once(") ").unwrap();
            fields.split(' ').nth(16).unwrap().parse().unwrap()
        };
        let before = niceness();
        let background = super::Background::new().unwrap();
        let lower = (before + super::NICE).min(19);
        assert_eq!(background.run(async move { niceness() }).await, Some(lower));
        let planning = background.0.as_ref().unwrap().spawn_blocking(niceness);
        assert_eq!(planning.await.unwrap(), lower);
        assert_eq!(niceness(), before);
    }
}
