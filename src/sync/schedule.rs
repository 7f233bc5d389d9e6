//! When passes run: one at a time, as configured, soon again after a failure, and
//! whenever somebody asks.

use super::PassRecord;
use super::commit::Preview;
use super::engine::{Engine, Order, unix_ms};
use super::error::Again;
use super::status::Status;
use crate::config::settings::{ConnectionSettings, SyncSettings, When};
use crate::directory::ids::ObjectId;
use crate::graph::Graph;
use jiff::Timestamp;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What somebody asks of the schedule.
pub enum Command {
    /// Run a pass now; the answer is its record.
    Sync {
        /// Enumerate everything.
        full: bool,
        /// Where the record goes.
        reply: oneshot::Sender<PassRecord>,
    },
    /// Tell what a pass would do by these settings.
    Preview {
        /// The settings, as they are in the file now.
        settings: Box<ConnectionSettings>,
        /// Enumerate everything.
        full: bool,
        /// Where the answer goes.
        reply: oneshot::Sender<Result<Preview, String>>,
    },
    /// Do what a person wants.
    Press {
        /// What.
        button: Button,
        /// What became of it, in a sentence; an error where nothing did.
        reply: oneshot::Sender<Result<String, String>>,
    },
}

/// What a person may want of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Button {
    /// Let the held pass through.
    Approve,
    /// Do not believe the held pass.
    Reject,
    /// Let no pass run by itself.
    Pause,
    /// Go on, or connect again.
    Resume,
    /// Let an object keep its present state.
    PauseObject(ObjectId),
    /// Let it follow again.
    ResumeObject(ObjectId),
    /// Give the connection up.
    Disconnect {
        /// Remove its data.
        delete: bool,
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
        self.ask(|reply| Command::Sync { full, reply }).await
    }

    /// Tells what a pass would do by these settings; `None` when the daemon stops.
    pub async fn preview(
        &self,
        settings: ConnectionSettings,
        full: bool,
    ) -> Option<Result<Preview, String>> {
        let settings = Box::new(settings);
        self.ask(|reply| Command::Preview { settings, full, reply }).await
    }

    /// Does what a person wants; `None` when the daemon stops.
    pub async fn press(&self, button: Button) -> Option<Result<String, String>> {
        self.ask(|reply| Command::Press { button, reply }).await
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.ok()?;
        answer.await.ok()
    }
}

/// The first wait after a failure; it doubles with each further one.
const FIRST_RETRY: Duration = Duration::from_secs(5);
/// The longest wait after a failure that may pass by itself.
const LONGEST_RETRY: Duration = Duration::from_secs(15 * 60);
/// The clock on the wall is looked at so often: it may be set, and machines sleep.
const LOOK: Duration = Duration::from_secs(30);
/// So often the file of local entries is looked at.
const LOOK_AT_LOCAL: Duration = Duration::from_secs(2);

/// The schedule of one connection.
pub struct Schedule {
    runner: Runner,
    commands: mpsc::Receiver<Command>,
}

/// What runs passes and knows when.
struct Runner {
    engine: Engine,
    settings: SyncSettings,
    has_local: bool,
    reports: Option<mpsc::UnboundedSender<PassRecord>>,
}

/// When the next pass is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    /// By our own clock.
    At(Instant),
    /// By the clock on the wall.
    Wall(Timestamp),
    /// Not by itself.
    Never,
}

impl Schedule {
    /// The schedule, and the handle to it.
    pub fn new(name: &str, engine: Engine, settings: &SyncSettings) -> (Self, Handle) {
        let (sender, commands) = mpsc::channel(8);
        let handle = Handle { name: name.to_owned(), commands: sender, status: engine.status() };
        let runner = Runner {
            has_local: engine.has_local(),
            engine,
            settings: settings.clone(),
            reports: None,
        };
        (Schedule { runner, commands }, handle)
    }

    /// Sends the record of every pass there, too.
    pub fn report_to(&mut self, reports: mpsc::UnboundedSender<PassRecord>) {
        self.runner.reports = Some(reports);
    }

    /// Runs passes until told to stop. A pass that is fetching is dropped at once: what
    /// it has staged stays. One that commits is finished.
    pub async fn run(self, stop: CancellationToken) {
        let Schedule { runner, mut commands } = self;
        let (mut due, mut trigger) = runner.first();
        let mut failures = 0;
        loop {
            runner.tell(due);
            let asked = tokio::select! {
                () = stop.cancelled() => return,
                command = commands.recv() => Some(command),
                () = runner.wait_for(due) => None,
                () = tokio::time::sleep(LOOK_AT_LOCAL), if runner.has_local => {
                    runner.look_at_local();
                    continue;
                }
            };
            let (order, reply) = match asked {
                None => (runner.due_order(trigger), None),
                Some(None) => return,
                Some(Some(Command::Sync { full, reply })) => {
                    (Order { trigger: "manual", full }, Some(reply))
                }
                Some(Some(Command::Preview { settings, full, reply })) => {
                    let answer = tokio::select! {
                        () = stop.cancelled() => return,
                        answer = runner.preview(&settings, full) => answer,
                    };
                    let _ = reply.send(answer);
                    continue;
                }
                Some(Some(Command::Press { button, reply })) => {
                    let (answer, again) = runner.press(button).await;
                    let _ = reply.send(answer);
                    if let Some(again) = again {
                        (due, trigger) = (Due::At(Instant::now()), again);
                    } else if matches!(button, Button::Resume) {
                        (due, trigger) = runner.first();
                    }
                    continue;
                }
            };
            let began = Instant::now();
            let outcome = tokio::select! {
                () = stop.cancelled() => return,
                outcome = runner.engine.pass(order) => outcome,
            };
            let record = match outcome {
                Ok(record) => {
                    failures = 0;
                    trigger = "interval";
                    report(&record);
                    due = runner.next(began);
                    record
                }
                Err((record, error)) => {
                    failures += 1;
                    trigger = "retry";
                    due = runner.retry(began, error.again(), failures);
                    let retry_in = runner.seconds_until(due);
                    tracing::error!(connection = %record.connection, pass = record.number, ?retry_in,
                        "pass failed, what is published stays: {error}");
                    record
                }
            };
            if let Some(reports) = &runner.reports {
                let _ = reports.send(record.clone());
            }
            runner.tell(due);
            if let Some(reply) = reply {
                // Nobody waits for the answer any more: no matter.
                let _ = reply.send(record);
            }
        }
    }
}

impl Runner {
    /// Brief, and as rare as changes of a file: it may keep this thread.
    fn look_at_local(&self) {
        if let Err(error) = tokio::task::block_in_place(|| self.engine.look_at_local()) {
            tracing::error!("the local entries were not published: {error}");
        }
    }

    async fn preview(&self, settings: &ConnectionSettings, full: bool) -> Result<Preview, String> {
        let graph = Graph::new(settings).map_err(|error| error.to_string())?;
        self.engine.preview(settings, graph, full).await.map_err(|error| error.to_string())
    }

    /// Does what a person wants. Gives what became of it, and why a pass should run now.
    async fn press(&self, button: Button) -> (Result<String, String>, Option<&'static str>) {
        let done = self.engine.press(button).await;
        let again = match (&done, button) {
            (Ok(_), Button::Approve) => Some("approve"),
            (Ok(_), Button::Reject) => Some("reject"),
            (Ok(_), Button::ResumeObject(_)) => Some("resume"),
            _ => None,
        };
        (done, again)
    }

    /// The first pass: at once, unless it is a matter of the clock and none was missed.
    fn first(&self) -> (Due, &'static str) {
        let now = Timestamp::now();
        let due = match (&self.settings.when, self.engine.last_success()) {
            (When::Manual, _) => return (Due::Never, "start"),
            (When::Interval(_), _) | (When::Calendar(_), None) => Due::At(Instant::now()),
            (When::Calendar(calendar), Some(last)) => {
                let last = Timestamp::from_second(last).unwrap_or(now);
                // What was missed is caught up once, however often it was.
                match calendar.next(last) {
                    Some(missed) if missed <= now => Due::At(Instant::now()),
                    Some(next) => Due::Wall(self.later(next)),
                    None => Due::Never,
                }
            }
        };
        (due, "start")
    }

    /// The pass after one that went well.
    fn next(&self, began: Instant) -> Due {
        match &self.settings.when {
            When::Interval(interval) => {
                Due::At((began + *interval).max(Instant::now()) + self.jitter())
            }
            When::Calendar(calendar) => calendar
                .next(Timestamp::now())
                .map_or(Due::Never, |next| Due::Wall(self.later(next))),
            When::Manual => Due::Never,
        }
    }

    fn retry(&self, began: Instant, again: Again, failures: u32) -> Due {
        let longest = match self.settings.when {
            When::Manual => return Due::Never,
            When::Interval(interval) => interval,
            When::Calendar(_) => LONGEST_RETRY,
        };
        let growing = FIRST_RETRY.saturating_mul(1 << failures.min(10).saturating_sub(1));
        let growing = growing.min(longest);
        match again {
            Again::Soon => Due::At(Instant::now() + growing),
            Again::After(wait) => Due::At(Instant::now() + wait.max(growing)),
            Again::WhenDue => match self.settings.when {
                When::Interval(interval) => Due::At(Instant::now() + interval),
                _ => self.next(began),
            },
        }
    }

    fn later(&self, at: Timestamp) -> Timestamp {
        let jitter = jiff::SignedDuration::try_from(self.jitter()).unwrap_or_default();
        at.checked_add(jitter).unwrap_or(at)
    }

    fn jitter(&self) -> Duration {
        let share = f64::from(getrandom::u32().unwrap_or_default()) / f64::from(u32::MAX);
        self.settings.jitter.mul_f64(share)
    }

    /// Returns when it is due, and no pass is forbidden by then.
    async fn wait_for(&self, due: Due) {
        let status = self.engine.status();
        if status.borrow().paused || status.borrow().disconnected {
            return std::future::pending().await;
        }
        match due {
            Due::At(at) => tokio::time::sleep_until(at).await,
            Due::Never => std::future::pending().await,
            Due::Wall(at) => loop {
                let left = at.duration_since(Timestamp::now());
                let Ok(left) = Duration::try_from(left) else { return };
                if left.is_zero() {
                    return;
                }
                tokio::time::sleep(left.min(LOOK)).await;
            },
        }
    }

    fn seconds_until(&self, due: Due) -> Option<i64> {
        match due {
            Due::At(at) => {
                i64::try_from(at.saturating_duration_since(Instant::now()).as_secs()).ok()
            }
            Due::Wall(at) => Some(at.duration_since(Timestamp::now()).as_secs()),
            Due::Never => None,
        }
    }

    fn tell(&self, due: Due) {
        let left = self.seconds_until(due);
        let next = left.map(|left| unix_ms() / 1000 + left);
        self.engine.status_sender().send_if_modified(|status| {
            let next = next.filter(|_| !status.paused && !status.disconnected);
            std::mem::replace(&mut status.next, next) != next
        });
    }

    fn due_order(&self, trigger: &'static str) -> Order {
        let now = unix_ms() / 1000;
        let every = i64::try_from(self.settings.reconcile.as_secs()).unwrap_or(i64::MAX);
        let full = self.engine.last_full().is_some_and(|last| now.saturating_sub(last) >= every);
        Order { trigger: if full && trigger == "interval" { "reconcile" } else { trigger }, full }
    }
}

fn report(record: &PassRecord) {
    if record.verdict == "held" {
        tracing::error!(
            connection = %record.connection, pass = record.number, trigger = %record.trigger,
            "pass held: {}", record.error
        );
    } else {
        tracing::info!(
            connection = %record.connection, pass = record.number, kind = %record.kind, trigger = %record.trigger,
            received = record.received, added = record.added, changed = record.changed, removed = record.removed,
            requests = record.requests, retries = record.retries, ms = record.ended - record.started,
            "pass committed"
        );
    }
    for warning in &record.warnings {
        tracing::warn!(connection = %record.connection, pass = record.number, "{warning}");
    }
}
