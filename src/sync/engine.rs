//! A pass: gather every stream, then merge, derive and record in one transaction.

use super::commit::{self, Commit, Preview, Stop};
use super::derive::{self, Derivation};
use super::error::SyncError;
use super::expiry::Asked;
use super::haul::{Haul, Manner};
use super::local::LocalEntries;
use super::status::{Phase, Status};
use super::{PassRecord, carrier};
use crate::config::settings::{ConnectionSettings, ReplicaSettings};
use crate::graph::Graph;
use crate::mapping::Mapping;
use crate::replica::Writer;
use crate::replica::connection::ConnectionState;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

/// What runs the passes of one connection.
pub struct Engine {
    pub(super) settings: Arc<ConnectionSettings>,
    /// How many passes are remembered, and for how many seconds changes are.
    history: (usize, i64),
    pub(super) graph: Graph,
    pub(super) writer: Writer,
    pub(super) connection: u16,
    mapping: Mapping,
    /// Entries of our own, and when and how long their file was when they were read.
    local: Mutex<(Option<LocalEntries>, Option<Stamp>)>,
    pub(super) status: watch::Sender<Status>,
    /// When the file was written anew.
    pub(super) rewritten: tokio::sync::Mutex<Option<Instant>>,
    /// Passes in a row that Graph refused as bad requests.
    refusals: AtomicU32,
    /// When the credential ends.
    pub(super) expiry: Asked,
}

/// When a file was changed, and its length.
type Stamp = (SystemTime, u64);

/// After so many refusals the stored links are suspected, and all is read anew.
const SUSPECT_LINKS: u32 = 3;
/// How often one pass asks for objects that entered the scope: each time, groups among
/// them may bring more.
const MAX_FETCHES: u32 = 64;

/// Why a pass runs, and what it must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// `start`, `interval`, `reconcile`, `retry`, `manual`, `approve`, `reject`.
    pub trigger: &'static str,
    /// Enumerate everything instead of asking for changes.
    pub full: bool,
}

impl Engine {
    /// Prepares the connection in the replica. Entries that were derived by another
    /// mapping or other rules are derived anew, without Graph.
    pub fn new(
        settings: &ConnectionSettings,
        replica: &ReplicaSettings,
        graph: Graph,
        writer: Writer,
    ) -> Result<Self, SyncError> {
        let base = settings.base.to_string();
        let name = settings.name.clone();
        let connection = writer.write(|change| -> Result<u16, SyncError> {
            let number = change.connection_number(&name)?;
            let mut state = change.connection(number)?;
            // Entries that are published keep their names until they are derived anew.
            if !state.is_published() {
                state.base = base;
            }
            state.configured = true;
            change.put_connection(number, &state)?;
            Ok(number)
        })?;
        let engine = Self::at(connection, settings, replica, graph, writer);
        engine.read_local();
        engine.derive_anew()?;
        engine.report_state();
        Ok(engine)
    }

    fn at(
        connection: u16,
        settings: &ConnectionSettings,
        replica: &ReplicaSettings,
        graph: Graph,
        writer: Writer,
    ) -> Self {
        let status = Status { connection: settings.name.clone(), ..Status::default() };
        let changes = i64::try_from(replica.changes.as_secs()).unwrap_or(i64::MAX);
        Engine {
            mapping: Mapping::new(&settings.base, &settings.tree, &settings.mapping),
            settings: Arc::new(settings.clone()),
            history: (replica.history, changes),
            graph,
            writer,
            connection,
            local: Mutex::new((None, None)),
            status: watch::Sender::new(status),
            rewritten: tokio::sync::Mutex::new(None),
            refusals: AtomicU32::new(0),
            expiry: Asked::default(),
        }
    }

    /// Progress and outcome, as they change.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    pub(super) fn status_sender(&self) -> &watch::Sender<Status> {
        &self.status
    }

    /// Unix time of the last full enumeration.
    pub fn last_full(&self) -> Option<i64> {
        self.state().and_then(|state| state.last_full)
    }

    /// Unix time of the end of the last pass that was committed.
    pub fn last_success(&self) -> Option<i64> {
        self.state().and_then(|state| state.last_success)
    }

    pub(super) fn is_published(&self) -> bool {
        self.state().is_some_and(|state| state.is_published())
    }

    pub(super) fn state(&self) -> Option<ConnectionState> {
        let snapshot = self.writer.reader().snapshot();
        let state = snapshot.connections().iter().find(|(number, _)| *number == self.connection);
        state.map(|(_, state)| state.clone())
    }

    pub(super) fn report_state(&self) {
        if let Some(state) = self.state() {
            self.status.send_modify(|status| {
                status.published = state.is_published();
                status.last_success = state.last_success;
                status.held = state.held;
                status.paused = state.paused;
                status.disconnected = state.disconnected;
                status.paused_objects = state.paused_objects.into_keys().collect();
            });
        }
    }

    fn record(&self, order: Order) -> PassRecord {
        PassRecord {
            connection: self.settings.name.clone(),
            trigger: order.trigger.to_owned(),
            kind: if order.full { "full" } else { "delta" }.to_owned(),
            started: unix_ms(),
            verdict: "committed".to_owned(),
            ..PassRecord::default()
        }
    }

    fn local(&self) -> Option<LocalEntries> {
        self.local.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// Reads the file of local entries, should it have changed; gives whether it has.
    fn read_local(&self) -> bool {
        let stamp = self.settings.local.as_ref().and_then(|local| {
            let found = std::fs::metadata(&local.file).ok()?;
            Some((found.modified().ok()?, found.len()))
        });
        let mut slot = self.local.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.0.is_some() && slot.1 == stamp {
            return false;
        }
        match LocalEntries::load(&self.settings) {
            Ok(entries) => {
                *slot = (Some(entries), stamp);
                true
            }
            Err(error) => {
                // Once per state of the file.
                if slot.1 != stamp || stamp.is_none() {
                    tracing::error!(connection = %self.settings.name, "{error}");
                }
                slot.1 = stamp;
                false
            }
        }
    }

    /// Whether there is a file of local entries.
    pub fn has_local(&self) -> bool {
        self.settings.local.is_some()
    }

    /// Looks whether the file of local entries has changed, and publishes what it has now.
    pub fn look_at_local(&self) -> Result<(), SyncError> {
        if self.settings.local.is_some() && self.is_published() && self.read_local() {
            self.derive_by("local file")?;
            self.report_state();
        }
        Ok(())
    }

    fn to_commit(&self, dry: bool) -> Commit {
        Commit {
            connection: self.connection,
            settings: Arc::clone(&self.settings),
            mapping: self.mapping.clone(),
            local: self.local(),
            history: self.history,
            dry,
        }
    }

    fn derive_anew(&self) -> Result<(), SyncError> {
        let local = self.local();
        let derivation = Derivation {
            connection: self.connection,
            settings: &self.settings,
            mapping: &self.mapping,
            local: local.as_ref(),
            pass: 0,
            now: 0,
            keep_changes: false,
        };
        let stale = self
            .state()
            .is_some_and(|s| s.is_published() && s.mapping != derive::fingerprint(&derivation));
        let is_new = local.as_ref().is_some_and(|local| {
            self.state().is_some_and(|s| s.is_published() && s.local != local.digest())
        });
        if !stale && !is_new {
            return Ok(());
        }
        self.derive_by("configuration")
    }

    fn derive_by(&self, trigger: &'static str) -> Result<(), SyncError> {
        let name = &self.settings.name;
        tracing::info!(connection = %name, "the {trigger} has changed: deriving what changes with it, without Graph");
        let began = Instant::now();
        let mut record = self.record(Order { trigger, full: false });
        record.kind = "derivation".to_owned();
        let commit = self.to_commit(false);
        match self.writer.write(|change| commit.rederive(change, record.clone(), began)) {
            Ok(_) => Ok(()),
            Err(Stop::Held(losses, reasons)) => {
                let (connection, history) = (self.connection, self.history.0);
                let record = self.writer.write(|change| {
                    commit::hold(change, connection, record.clone(), losses, reasons, history)
                })?;
                tracing::error!(connection = %name, pass = record.number, "held, what is published stays as it was: {}", record.error);
                Ok(())
            }
            Err(Stop::Failed(error)) => Err(error),
            Err(Stop::Missing(_) | Stop::Dry(_)) => Ok(()),
        }
    }

    /// Runs a pass and records it. What is published changes all at once, or not at all.
    pub async fn pass(&self, mut order: Order) -> Result<PassRecord, (PassRecord, SyncError)> {
        order.full |= self.refusals.load(Ordering::Relaxed) >= SUSPECT_LINKS;
        order.full |= self.state().and_then(|state| state.held).is_some_and(|held| held.rejected);
        self.status.send_modify(|status| {
            status.phase = Phase::Fetching;
            status.received.clear();
            status.next = None;
        });
        let mut record = self.record(order);
        let manner = Manner { full: order.full, dry: false };
        let outcome = match self.refuse_disconnected() {
            Ok(()) => self.attempt(manner, &mut record).await,
            Err(error) => Err(Stop::Failed(error)),
        };
        let error = match outcome {
            Ok(done) => {
                self.refusals.store(0, Ordering::Relaxed);
                self.tidy().await;
                self.ended(&done, true);
                return Ok(done);
            }
            Err(Stop::Held(losses, reasons)) => {
                let (connection, history) = (self.connection, self.history.0);
                let held = record.clone();
                let held = carrier::write(&self.writer, move |change| {
                    commit::hold(change, connection, held, losses, reasons, history)
                });
                match held.await {
                    Ok(held) => {
                        self.ended(&held, true);
                        return Ok(held);
                    }
                    Err(error) => error,
                }
            }
            Err(Stop::Failed(error)) => error,
            Err(Stop::Missing(_) | Stop::Dry(_)) => {
                SyncError::Cut("the pass did not come to its end".to_owned())
            }
        };
        match &error {
            SyncError::Graph(graph) if graph.status == Some(400) => {
                self.refusals.fetch_add(1, Ordering::Relaxed);
            }
            _ => self.refusals.store(0, Ordering::Relaxed),
        }
        record.ended = unix_ms();
        record.verdict = "failed".to_owned();
        record.error = error.to_string();
        record.number = self.record_failure(&record).await.unwrap_or(0);
        self.ended(&record, false);
        Err((record, error))
    }

    fn refuse_disconnected(&self) -> Result<(), SyncError> {
        match self.state().is_some_and(|state| state.disconnected) {
            true => Err(SyncError::Disconnected(self.settings.name.clone())),
            false => Ok(()),
        }
    }

    /// Tells what a pass would do by `settings`, which may be others than those that hold.
    pub async fn preview(
        &self,
        settings: &ConnectionSettings,
        graph: Graph,
        full: bool,
    ) -> Result<Preview, SyncError> {
        let replica = ReplicaSettings { history: self.history.0, ..ReplicaSettings::default() };
        let writer = self.writer.clone();
        Self::at(self.connection, settings, &replica, graph, writer).try_out(full).await
    }

    /// The same, where no engine runs. The file stays as it is, but for a connection that
    /// it does not know yet.
    pub async fn preview_by(
        settings: &ConnectionSettings,
        replica: &ReplicaSettings,
        graph: Graph,
        writer: Writer,
        full: bool,
    ) -> Result<Preview, SyncError> {
        let name = settings.name.clone();
        let base = settings.base.to_string();
        let number = writer.write(|change| -> Result<u16, SyncError> {
            let number = change.connection_number(&name)?;
            let mut state = change.connection(number)?;
            if state.base.is_empty() {
                state.base = base;
                change.put_connection(number, &state)?;
            }
            Ok(number)
        })?;
        Self::at(number, settings, replica, graph, writer).try_out(full).await
    }

    async fn try_out(&self, full: bool) -> Result<Preview, SyncError> {
        self.read_local();
        let mut record = self.record(Order { trigger: "dry-run", full });
        match self.attempt(Manner { full, dry: true }, &mut record).await {
            Err(Stop::Dry(preview)) => {
                let mut preview = *preview;
                preview.record.verdict =
                    if preview.held.is_empty() { "dry-run" } else { "held" }.to_owned();
                Ok(preview)
            }
            Err(Stop::Failed(error)) => Err(error),
            _ => Err(SyncError::Cut("the dry run did not come to its end".to_owned())),
        }
    }

    /// Receives everything and commits it; reads more where objects entered the scope.
    /// `record` learns what was sent for that.
    async fn attempt(&self, manner: Manner, record: &mut PassRecord) -> Result<PassRecord, Stop> {
        let before = self.graph.requests();
        let count = |graph: &Graph, record: &mut PassRecord| {
            let sent = graph.requests().since(&before);
            (record.requests, record.retries) = (sent.requests, sent.retries);
            record.throttled_ms = u64::try_from(sent.throttle_time.as_millis()).unwrap_or(u64::MAX);
        };
        let haul = self.haul(manner).await;
        count(&self.graph, record);
        let mut haul = Arc::new(haul?);
        for _ in 0..MAX_FETCHES {
            match self.commit(&haul, record.clone(), manner.dry).await {
                Err(Stop::Missing(ids)) => {
                    self.status.send_modify(|status| status.phase = Phase::Fetching);
                    let fetched = self.fetch(&mut haul, ids).await;
                    count(&self.graph, record);
                    fetched?;
                }
                done => return done,
            }
        }
        let what = format!("groups within groups of the scope, {MAX_FETCHES} deep");
        Err(SyncError::Endless { stream: "groups", what }.into())
    }

    async fn commit(
        &self,
        haul: &Arc<Haul>,
        record: PassRecord,
        dry: bool,
    ) -> Result<PassRecord, Stop> {
        self.status.send_modify(|status| status.phase = Phase::Committing);
        let began = Instant::now();
        let (commit, haul, writer) = (self.to_commit(dry), Arc::clone(haul), self.writer.clone());
        let work = move || writer.write(|change| commit.run(change, &haul, record, began));
        carrier::carry(work).await.map_err(Stop::Failed)?
    }

    fn ended(&self, record: &PassRecord, good: bool) {
        self.report_state();
        self.status.send_modify(|status| {
            status.phase = Phase::Idle;
            status.failures = if good { 0 } else { status.failures + 1 };
            *status.passes.entry(record.verdict.clone()).or_default() += 1;
            status.last = Some(record.clone());
        });
    }

    async fn record_failure(&self, record: &PassRecord) -> Result<u64, SyncError> {
        let (mut record, history) = (record.clone(), self.history.0);
        carrier::write(&self.writer, move |change| -> Result<u64, SyncError> {
            record.number = change.next_pass()?;
            change.record_pass(&record, history)?;
            Ok(record.number)
        })
        .await
    }
}

/// Milliseconds since 1970.
pub(super) fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
