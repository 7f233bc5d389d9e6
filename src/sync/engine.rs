//! A pass: gather every stream, then merge, derive and record in one transaction.

use super::apply::{self, Rereads, Touched};
use super::derive::{self, Derivation, Derived};
use super::error::SyncError;
use super::gather::{Gathered, Stream};
use super::status::{Phase, Status};
use super::{PassRecord, carrier, rereads};
use crate::config::settings::ConnectionSettings;
use crate::directory::kind::Kind;
use crate::graph::{Graph, GraphError};
use crate::mapping::Mapping;
use crate::replica::connection::{ConnectionState, Link};
use crate::replica::{Transaction, Writer};
use serde_json::{Map, Value};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

/// What runs the passes of one connection.
pub struct Engine {
    settings: ConnectionSettings,
    history: usize,
    graph: Graph,
    writer: Writer,
    connection: u16,
    mapping: Mapping,
    status: watch::Sender<Status>,
    /// Passes in a row that Graph refused as bad requests.
    refusals: AtomicU32,
}

/// After so many refusals the stored links are suspected, and all is read anew.
const SUSPECT_LINKS: u32 = 3;

/// Why a pass runs, and what it must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// `start`, `interval`, `reconcile`, `retry`, `manual`.
    pub trigger: &'static str,
    /// Enumerate everything instead of asking for changes.
    pub full: bool,
}

/// Everything a pass has received before it touches the source tables.
struct Haul {
    rounds: Vec<Gathered>,
    rereads: Rereads,
    domains: Option<Vec<Map<String, Value>>>,
    tenant: Option<String>,
    warnings: Vec<String>,
    /// Streams that may not be read, while the others go on.
    refused: Vec<(Kind, GraphError)>,
}

impl Engine {
    /// Prepares the connection in the replica. Entries that were derived by another
    /// mapping are derived anew, without Graph.
    pub fn new(
        settings: &ConnectionSettings,
        history: usize,
        graph: Graph,
        writer: Writer,
    ) -> Result<Self, SyncError> {
        let mapping = Mapping::ad(&settings.base, &settings.tree);
        let name = settings.name.clone();
        let connection = writer.write(|change| -> Result<u16, SyncError> {
            let number = change.connection_number(&name)?;
            let mut state = change.connection(number)?;
            state.base = settings.base.to_string();
            state.configured = true;
            change.put_connection(number, &state)?;
            Ok(number)
        })?;
        let status = watch::Sender::new(Status { connection: name, ..Status::default() });
        let (settings, mapping) = (settings.clone(), mapping);
        let engine = Engine {
            settings,
            history,
            graph,
            writer,
            connection,
            mapping,
            status,
            refusals: AtomicU32::new(0),
        };
        engine.derive_anew()?;
        engine.report_state();
        Ok(engine)
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

    fn is_published(&self) -> bool {
        self.state().is_some_and(|state| state.is_published())
    }

    fn state(&self) -> Option<ConnectionState> {
        let snapshot = self.writer.reader().snapshot();
        let state = snapshot.connections().iter().find(|(number, _)| *number == self.connection);
        state.map(|(_, state)| state.clone())
    }

    fn report_state(&self) {
        if let Some(state) = self.state() {
            self.status.send_modify(|status| {
                status.published = state.is_published();
                status.last_success = state.last_success;
            });
        }
    }

    fn derivation<'a>(&'a self, pass: u64, now: i64) -> Derivation<'a> {
        Derivation {
            connection: self.connection,
            mapping: &self.mapping,
            hidden_members: self.settings.sync.hidden_members,
            pass,
            now,
        }
    }

    fn derive_anew(&self) -> Result<(), SyncError> {
        let derivation = self.derivation(0, unix_ms() / 1000);
        let stale = self
            .state()
            .is_some_and(|s| s.is_published() && s.mapping != derive::fingerprint(&derivation));
        if stale {
            tracing::info!(connection = %self.settings.name, "the mapping or the tree has changed: deriving all entries anew");
            self.writer.write(|change| derive::derive(change, &derivation, &Touched::default()))?;
        }
        Ok(())
    }

    /// Runs a pass and records it. What is published changes all at once, or not at all.
    pub async fn pass(&self, mut order: Order) -> Result<PassRecord, (PassRecord, SyncError)> {
        order.full |= self.refusals.load(Ordering::Relaxed) >= SUSPECT_LINKS;
        let started = unix_ms();
        let before = self.graph.requests();
        self.status.send_modify(|status| {
            status.phase = Phase::Fetching;
            status.received.clear();
            status.next = None;
        });
        let mut record = PassRecord {
            connection: self.settings.name.clone(),
            trigger: order.trigger.to_owned(),
            kind: if order.full { "full" } else { "delta" }.to_owned(),
            started,
            verdict: "committed".to_owned(),
            ..PassRecord::default()
        };
        let haul = self.haul(order).await;
        let sent = self.graph.requests().since(&before);
        record.requests = sent.requests;
        record.retries = sent.retries;
        record.throttled_ms = u64::try_from(sent.throttle_time.as_millis()).unwrap_or(u64::MAX);
        let outcome = match haul {
            Ok(haul) => self.commit(haul, record.clone()).await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(record) => {
                self.refusals.store(0, Ordering::Relaxed);
                self.ended(&record, true);
                Ok(record)
            }
            Err(error) => {
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
        }
    }

    fn ended(&self, record: &PassRecord, good: bool) {
        self.report_state();
        self.status.send_modify(|status| {
            status.phase = Phase::Idle;
            status.failures = if good { 0 } else { status.failures + 1 };
            status.last = Some(record.clone());
        });
    }

    async fn record_failure(&self, record: &PassRecord) -> Result<u64, SyncError> {
        let (mut record, history) = (record.clone(), self.history);
        carrier::write(&self.writer, move |change| -> Result<u64, SyncError> {
            record.number = change.next_pass()?;
            change.record_pass(&record, history)?;
            Ok(record.number)
        })
        .await
    }

    async fn haul(&self, order: Order) -> Result<Haul, SyncError> {
        let tenant = self.graph.token().await?.tenant;
        self.check_tenant(tenant.as_deref()).await?;
        let mut haul = Haul {
            rounds: Vec::new(),
            rereads: Rereads::new(),
            domains: None,
            tenant,
            warnings: Vec::new(),
            refused: Vec::new(),
        };
        let kinds = [Kind::User, Kind::Group, Kind::Contact];
        self.streams(&kinds, order.full, &mut haul).await?;
        // An enumeration takes long, and one that was resumed is older still. What
        // changed meanwhile is read before anything is published: somebody who came in
        // this time must not be answered as unknown.
        let full = haul.rounds.iter().filter(|round| round.full);
        let full: Vec<Kind> = full.map(|round| round.kind).collect();
        haul.rounds.retain(|round| !round.full);
        self.streams(&full, true, &mut haul).await?;
        if let (true, Some((_, error))) = (haul.rounds.is_empty(), haul.refused.first()) {
            return Err(error.clone().into());
        }
        self.reread_members(&mut haul).await?;
        self.domains(&mut haul).await;
        Ok(haul)
    }

    /// Gathers a round of each of these streams at once.
    async fn streams(&self, kinds: &[Kind], full: bool, haul: &mut Haul) -> Result<(), SyncError> {
        let gather = async |kind| {
            let is_on = kind != Kind::Contact || self.settings.sync.contacts;
            if !is_on || !kinds.contains(&kind) {
                return None;
            }
            let stream = Stream {
                graph: &self.graph,
                writer: &self.writer,
                connection: self.connection,
                kind,
                endpoint: self.settings.graph.endpoint.as_str(),
                status: &self.status,
            };
            Some((kind, stream.gather(full).await))
        };
        let (users, groups, contacts) =
            tokio::join!(gather(Kind::User), gather(Kind::Group), gather(Kind::Contact));
        for (kind, outcome) in [users, groups, contacts].into_iter().flatten() {
            match outcome {
                Ok(round) => haul.take(round),
                // What was published stays; the other streams go on.
                Err(SyncError::Graph(error)) if error.is_permission() && self.is_published() => {
                    haul.warnings.push(error.to_string());
                    haul.refused.push((kind, error));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Refuses another tenant's credentials. Before anything is published they may be
    /// a correction: then what was staged from the other tenant is dropped.
    async fn check_tenant(&self, found: Option<&str>) -> Result<(), SyncError> {
        let known = self.state().and_then(|state| state.tenant);
        let Some(found) = found.filter(|found| known.as_deref() != Some(found)) else {
            return Ok(());
        };
        let (found, connection) = (found.to_owned(), self.connection);
        match known {
            Some(known) if self.is_published() => Err(SyncError::OtherTenant { known, found }),
            _ => {
                carrier::write(&self.writer, move |change| {
                    let mut state = change.connection(connection)?;
                    state.tenant = Some(found);
                    state.links.clear();
                    state.rounds.clear();
                    for kind in Kind::ALL {
                        change.unstage(connection, kind)?;
                    }
                    change.put_connection(connection, &state)
                })
                .await
            }
        }
    }

    async fn reread_members(&self, haul: &mut Haul) -> Result<(), SyncError> {
        let Some(at) = haul.rounds.iter().position(|round| round.kind == Kind::Group) else {
            return Ok(());
        };
        // Reading the pages once more takes its time, away from the threads that serve.
        let (round, reader) = (haul.rounds.swap_remove(at), self.writer.reader());
        let (connection, hidden) = (self.connection, self.settings.sync.hidden_members);
        let (round, wanted) = carrier::carry(move || {
            let wanted = rereads::wanted(&reader.snapshot(), connection, &round, hidden);
            (round, wanted)
        })
        .await?;
        haul.rounds.push(round);
        for id in wanted? {
            match self.graph.members(id).await {
                Ok(members) => {
                    haul.rereads.insert(id, members);
                }
                Err(error) if rereads::is_final(&error) => {
                    haul.warnings
                        .push(format!("the members of the group {id} were not read: {error}"));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Domains are an extra: where they may not be read, those known stay.
    async fn domains(&self, haul: &mut Haul) {
        match self.graph.domains().await {
            Ok(domains) if domains.is_empty() => {
                haul.warnings
                    .push("Graph names no domain of the tenant; the known ones stay".to_owned());
            }
            Ok(domains) => haul.domains = Some(domains),
            Err(error) => haul.warnings.push(domains_advice(&error)),
        }
    }

    async fn commit(&self, haul: Haul, mut record: PassRecord) -> Result<PassRecord, SyncError> {
        self.status.send_modify(|status| status.phase = Phase::Committing);
        let began = Instant::now();
        let commit = Commit {
            connection: self.connection,
            mapping: self.mapping.clone(),
            hidden_members: self.settings.sync.hidden_members,
            history: self.history,
        };
        record.warnings = haul.warnings.clone();
        if let Some((_, refused)) = haul.refused.first() {
            record.verdict = "partial".to_owned();
            record.error = refused.to_string();
        }
        carrier::write(&self.writer, move |change| commit.run(change, haul, record, began)).await
    }
}

impl Haul {
    fn take(&mut self, round: Gathered) {
        if round.skipped > 0 {
            let what = format!(
                "{} items of {} had no usable id and were passed over",
                round.skipped,
                round.kind.plural()
            );
            self.warnings.push(what);
        }
        self.rounds.push(round);
    }
}

fn domains_advice(error: &GraphError) -> String {
    format!("the tenant's domains were not read, those known stay: {error}")
}

/// The part of a pass that runs inside the transaction.
struct Commit {
    connection: u16,
    mapping: Mapping,
    hidden_members: bool,
    history: usize,
}

impl Commit {
    fn run(
        &self,
        change: &mut Transaction<'_>,
        haul: Haul,
        mut record: PassRecord,
        began: Instant,
    ) -> Result<PassRecord, SyncError> {
        let now = unix_ms() / 1000;
        let mut touched = Touched::default();
        let none = Rereads::new();
        for round in &haul.rounds {
            let rereads = if round.kind == Kind::Group { &haul.rereads } else { &none };
            apply::apply(change, self.connection, round, rereads, &mut touched)?;
        }
        if let Some(domains) = haul.domains {
            apply::apply_domains(change, self.connection, domains, &mut touched)?;
        }
        record.number = change.next_pass()?;
        let derivation = Derivation {
            connection: self.connection,
            mapping: &self.mapping,
            hidden_members: self.hidden_members,
            pass: record.number,
            now,
        };
        let Derived { added, changed, removed } = derive::derive(change, &derivation, &touched)?;
        let mut state = change.connection(self.connection)?;
        let full = haul.refused.is_empty() && haul.rounds.iter().all(|round| round.full);
        for round in haul.rounds {
            change.unstage(self.connection, round.kind)?;
            state.rounds.remove(round.kind.plural());
            let link = Link { position: round.delta, select: round.select };
            state.links.insert(round.kind.plural().to_owned(), link);
        }
        state.tenant = haul.tenant.or(state.tenant);
        // The age of the data is that of the users: they are most of the mail.
        if haul.refused.iter().all(|(kind, _)| *kind != Kind::User) {
            state.last_success = Some(now);
        }
        if full {
            record.kind = "full".to_owned();
            state.last_full = Some(now);
        }
        change.put_connection(self.connection, &state)?;
        for kind in Kind::ALL {
            let count = change.objects(self.connection, kind)?.len() as u64;
            record.entries.insert(kind.plural().to_owned(), count);
        }
        record.received = touched.received;
        (record.added, record.changed, record.removed) = (added, changed, removed);
        record.ended = unix_ms();
        record.commit_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        change.record_pass(&record, self.history)?;
        Ok(record)
    }
}

/// Milliseconds since 1970.
pub(super) fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
