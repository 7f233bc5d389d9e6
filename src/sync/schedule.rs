//! When passes run: one at a time, on an interval, soon again after a failure, and
//! whenever somebody asks.

use super::PassRecord;
use super::engine::{Engine, Order, unix_ms};
use super::error::Again;
use super::status::Status;
use crate::config::settings::SyncSettings;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What somebody asks of the schedule.
#[derive(Debug)]
pub enum Command {
    /// Run a pass now; the answer is its record.
    Sync {
        /// Enumerate everything.
        full: bool,
        /// Where the record goes.
        reply: oneshot::Sender<PassRecord>,
    },
}

/// A connection's schedule, seen from outside. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    name: String,
    commands: mpsc::Sender<Command>,
    status: watch::Receiver<Status>,
}

impl Handle {
    /// The connection's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is going on.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Runs a pass, after the one that may be running; `None` when the daemon stops.
    pub async fn sync(&self, full: bool) -> Option<PassRecord> {
        let (reply, record) = oneshot::channel();
        self.commands.send(Command::Sync { full, reply }).await.ok()?;
        record.await.ok()
    }
}

/// The first wait after a failure; it doubles with each further one.
const FIRST_RETRY: Duration = Duration::from_secs(5);

/// The schedule of one connection.
pub struct Schedule {
    engine: Engine,
    settings: SyncSettings,
    commands: mpsc::Receiver<Command>,
}

impl Schedule {
    /// The schedule, and the handle to it.
    pub fn new(name: &str, engine: Engine, settings: &SyncSettings) -> (Self, Handle) {
        let (sender, commands) = mpsc::channel(8);
        let handle = Handle { name: name.to_owned(), commands: sender, status: engine.status() };
        (Schedule { engine, settings: settings.clone(), commands }, handle)
    }

    /// Runs passes until told to stop. A pass that is fetching is dropped at once: what
    /// it has staged stays. One that commits is finished.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut due = Instant::now();
        let mut trigger = "start";
        let mut failures = 0;
        loop {
            let (order, reply) = tokio::select! {
                () = stop.cancelled() => return,
                command = self.commands.recv() => match command {
                    Some(Command::Sync { full, reply }) => (Order { trigger: "manual", full }, Some(reply)),
                    None => return,
                },
                () = tokio::time::sleep_until(due) => (self.due_order(trigger), None),
            };
            let began = Instant::now();
            let outcome = tokio::select! {
                () = stop.cancelled() => return,
                outcome = self.engine.pass(order) => outcome,
            };
            let (record, wait) = match outcome {
                Ok(record) => {
                    failures = 0;
                    trigger = "interval";
                    report(&record);
                    (record, self.settings.interval.saturating_sub(began.elapsed()))
                }
                Err((record, error)) => {
                    failures += 1;
                    trigger = "retry";
                    let wait = self.wait(error.again(), failures);
                    tracing::error!(connection = %record.connection, pass = record.number, retry_in = ?wait,
                        "pass failed, what is published stays: {error}");
                    (record, wait)
                }
            };
            due = Instant::now() + wait;
            let next = unix_ms() / 1000 + i64::try_from(wait.as_secs()).unwrap_or(0);
            self.engine.status_sender().send_modify(|status| status.next = Some(next));
            if let Some(reply) = reply {
                // Nobody waits for the answer any more: no matter.
                let _ = reply.send(record);
            }
        }
    }

    fn due_order(&self, trigger: &'static str) -> Order {
        let now = unix_ms() / 1000;
        let every = i64::try_from(self.settings.reconcile.as_secs()).unwrap_or(i64::MAX);
        let full = self.engine.last_full().is_some_and(|last| now.saturating_sub(last) >= every);
        Order { trigger: if full && trigger == "interval" { "reconcile" } else { trigger }, full }
    }

    fn wait(&self, again: Again, failures: u32) -> Duration {
        let growing = FIRST_RETRY.saturating_mul(1 << failures.min(10).saturating_sub(1));
        match again {
            Again::Soon => growing.min(self.settings.interval),
            Again::After(wait) => wait.max(growing.min(self.settings.interval)),
            Again::WhenDue => self.settings.interval,
        }
    }
}

fn report(record: &PassRecord) {
    tracing::info!(
        connection = %record.connection, pass = record.number, kind = %record.kind, trigger = %record.trigger,
        received = record.received, added = record.added, changed = record.changed, removed = record.removed,
        requests = record.requests, retries = record.retries, ms = record.ended - record.started,
        "pass committed"
    );
    for warning in &record.warnings {
        tracing::warn!(connection = %record.connection, pass = record.number, "{warning}");
    }
}
