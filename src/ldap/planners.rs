//! Searches whose plan takes long: made beside the threads that serve, so few at once and at so
//! low a priority that lookups find a free core.

use super::search::cursor::Cursor;
use std::io;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;

/// Threads that plan: half as many as there are cores. They end with this.
pub(crate) struct Planners(Sender<Job>);

struct Job {
    cursor: Box<Cursor>,
    /// The cursor, or what the plan panicked with. Closed where nobody waits any more.
    planned: oneshot::Sender<std::thread::Result<Box<Cursor>>>,
}

impl Planners {
    /// Starts the threads, by the cores of this machine.
    pub(crate) fn new() -> io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let (jobs, queue) = channel();
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..(cores / 2).max(1) {
            let queue = Arc::clone(&queue);
            std::thread::Builder::new().name("planner".to_owned()).spawn(move || work(&queue))?;
        }
        Ok(Planners(jobs))
    }

    /// Asks the indexes for a search, when it is its turn. `None` when the process ends.
    pub(crate) async fn plan(&self, cursor: Box<Cursor>) -> Option<Box<Cursor>> {
        let (planned, wait) = oneshot::channel();
        self.0.send(Job { cursor, planned }).ok()?;
        match wait.await.ok()? {
            Ok(cursor) => Some(cursor),
            Err(panic) => resume_unwind(panic),
        }
    }
}

fn work(queue: &Mutex<Receiver<Job>>) {
    yield_to_others();
    loop {
        // The lock is held while waiting, not while planning.
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { mut cursor, planned }) = job else { return };
        if planned.is_closed() {
            continue;
        }
        let done = catch_unwind(AssertUnwindSafe(move || {
            cursor.plan();
            cursor
        }));
        // Whoever asked may have gone meanwhile.
        let _ = planned.send(done);
    }
}

/// Lets every other thread go first where there are fewer cores than work: else a lookup waits
/// for the scheduler, milliseconds. Linux has a priority for each thread; elsewhere it is that
/// of the whole process.
fn yield_to_others() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(19) {
        tracing::debug!(%error, "searches are planned at the priority of all others");
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// The nice value of this thread: proc(5), field 19 of `stat`, 17 behind the name.
    fn niceness() -> i32 {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        fields.split(' ').nth(16).unwrap().parse().unwrap()
    }

    #[test]
    fn planning_yields_to_all_other_threads() {
        let before = niceness();
        let planner = std::thread::spawn(|| {
            yield_to_others();
            niceness()
        });
        assert_eq!(planner.join().unwrap(), 19);
        assert_eq!(niceness(), before);
    }
}
