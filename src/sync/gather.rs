//! Gathering one round of a stream: following links to the delta link, staging pages
//! so that a killed process resumes at the last durable one.

use super::error::SyncError;
use super::status::{Phase, Status};
use crate::directory::kind::Kind;
use crate::graph::{Graph, Next, Position, Retry};
use crate::replica::connection::Round;
use crate::replica::{Transaction, Writer};
use bytes::Bytes;
use rustc_hash::FxHashSet;
use std::collections::HashSet;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// A complete round of one stream.
#[derive(Debug)]
pub struct Gathered {
    /// The stream.
    pub kind: Kind,
    /// Whether it enumerates everything: what it does not name is gone.
    pub full: bool,
    /// How many of its pages belong to the enumeration; the others bring what changed
    /// after it.
    pub enumerated: u32,
    /// Where the next round starts.
    pub delta: String,
    /// What the stream selects.
    pub select: String,
    /// How many pages are staged in the replica.
    pub staged: u32,
    /// Pages behind the staged ones.
    pub pages: Vec<Bytes>,
    /// Items that were no objects.
    pub skipped: u64,
}

/// One stream of one connection.
pub struct Stream<'a> {
    /// Microsoft Graph.
    pub graph: &'a Graph,
    /// Where pages are staged.
    pub writer: &'a Writer,
    /// The connection.
    pub connection: u16,
    /// The stream.
    pub kind: Kind,
    /// Graph's root, as configured.
    pub endpoint: &'a str,
    /// Whether pages may be staged in the replica.
    pub durable: bool,
    /// Progress goes here.
    pub status: &'a watch::Sender<Status>,
}

/// A delta round stages its pages when there are more than so many.
const PAGES_IN_MEMORY: usize = 32;
/// A full round stages after so many pages, or after [`STAGE_EVERY`].
const PAGES_AT_ONCE: usize = 16;
/// The longest time that pages of a full round are not durable.
const STAGE_EVERY: Duration = Duration::from_millis(250);
/// More pages than any tenant has: a million users take 5,000, with long member lists
/// ten times as many.
const MAX_PAGES: u32 = 1_000_000;
/// How often one pass starts a stream over when its links die.
const MAX_RESTARTS: u32 = 5;
/// A round goes in circles when so many pages in a row have brought nothing new, and
/// more than twice as many as there were that did.
const PAGES_IN_VAIN: u32 = 1_000;

struct Gathering {
    full: bool,
    enumerated: Option<u32>,
    start: Position,
    next: Position,
    select: String,
    staged: u32,
    pages: Vec<Bytes>,
    seen: HashSet<Position>,
    /// Of the objects so far. They are hashes: spread too thin for a bitmap.
    marks: FxHashSet<u32>,
    fresh: u32,
    in_vain: u32,
    flushed: Instant,
    skipped: u64,
}

impl Gathering {
    fn new(start: Position, full: bool, select: String) -> Self {
        Gathering {
            full,
            enumerated: None,
            next: start.clone(),
            start,
            select,
            staged: 0,
            pages: Vec::new(),
            seen: HashSet::new(),
            marks: FxHashSet::default(),
            fresh: 0,
            in_vain: 0,
            flushed: Instant::now(),
            skipped: 0,
        }
    }

    fn page_count(&self) -> u32 {
        self.staged.saturating_add(u32::try_from(self.pages.len()).unwrap_or(u32::MAX))
    }

    /// Notes a page and the link behind it; tells when the chain has no end.
    fn goes_in_circles(&mut self, marks: &[u32], next: &Position) -> Option<String> {
        let before = self.marks.len();
        self.marks.extend(marks.iter().copied());
        if self.marks.len() > before {
            (self.fresh, self.in_vain) = (self.fresh + 1, 0);
        } else {
            self.in_vain += 1;
        }
        let count = self.page_count();
        if !self.seen.insert(self.next.clone()) || *next == self.next {
            Some("the same link came twice".to_owned())
        } else if self.in_vain >= PAGES_IN_VAIN.max(self.fresh.saturating_mul(2)) {
            Some(format!("the last {} pages brought nothing new", self.in_vain))
        } else if count >= MAX_PAGES {
            Some(format!("{count} pages"))
        } else {
            None
        }
    }

    /// Whether pages should become durable now.
    fn is_due(&self) -> bool {
        if self.full {
            self.pages.len() >= PAGES_AT_ONCE || self.flushed.elapsed() >= STAGE_EVERY
        } else {
            self.pages.len() > PAGES_IN_MEMORY || self.staged > 0
        }
    }

    fn round(&self, next: Option<String>, delta: Option<String>) -> Round {
        Round {
            full: self.full,
            start: self.start.to_text(),
            next,
            delta,
            select: self.select.clone(),
            pages: self.page_count(),
            enumerated: self.enumerated,
        }
    }
}

impl Stream<'_> {
    /// Gathers a round: the one under way, else one from the delta link, else a full one.
    /// A round that is complete already goes on with what changed since.
    pub async fn gather(&self, full: bool) -> Result<Gathered, SyncError> {
        // Links of another endpoint lead elsewhere: they are left, and all is read anew.
        let select = format!("{} {}", self.graph.select_fingerprint(self.kind), self.endpoint);
        let gathering = self.resume(&select, full)?;
        self.follow(gathering).await
    }

    /// Goes on with what changed since a complete round that is in memory.
    pub async fn go_on(&self, round: Gathered) -> Result<Gathered, SyncError> {
        let Ok(next) = round.delta.parse::<Position>() else { return Ok(round) };
        let mut gathering = Gathering::new(self.graph.start(self.kind), round.full, round.select);
        gathering.enumerated = Some(round.enumerated);
        (gathering.pages, gathering.skipped, gathering.next) = (round.pages, round.skipped, next);
        self.follow(gathering).await
    }

    async fn follow(&self, mut gathering: Gathering) -> Result<Gathered, SyncError> {
        let mut restarts = 0;
        loop {
            let page = match self.graph.page_raw(&gathering.next).await {
                Ok(page) => page,
                Err(error) => {
                    let restart = match error.retry {
                        // The round's own start is dead as well: there is no other way in.
                        Retry::Restart => Some(true),
                        Retry::RestartRound => {
                            Some(gathering.full || gathering.next == gathering.start)
                        }
                        Retry::After(_) | Retry::Never => None,
                    };
                    let Some(full) = restart else {
                        self.stage(&mut gathering, None).await?;
                        return Err(error.into());
                    };
                    restarts += 1;
                    if restarts > MAX_RESTARTS {
                        return Err(SyncError::Restless(self.kind.plural()));
                    }
                    tracing::warn!(stream = self.kind.plural(), full, %error, "starting the round over; nothing is removed before it is complete");
                    gathering = self.restart(gathering, full).await?;
                    continue;
                }
            };
            gathering.skipped += page.skipped as u64;
            self.status.send_modify(|status| {
                status.phase = Phase::Fetching;
                *status.received.entry(self.kind.plural()).or_default() += page.objects as u64;
            });
            gathering.pages.push(page.body);
            match page.next {
                Next::Done { delta } => {
                    let delta = delta.to_text();
                    gathering.enumerated = gathering.enumerated.or(Some(gathering.page_count()));
                    if gathering.full || gathering.staged > 0 {
                        self.stage(&mut gathering, Some(delta.clone())).await?;
                    }
                    return Ok(gathering.done(self.kind, delta));
                }
                Next::More(next) => {
                    if let Some(what) = gathering.goes_in_circles(&page.marks, &next) {
                        return self.endless(gathering, what).await;
                    }
                    gathering.next = next;
                    if gathering.is_due() {
                        self.stage(&mut gathering, None).await?;
                    }
                }
            }
        }
    }

    /// A chain without end is not resumed: the next pass starts the round over.
    async fn endless(&self, gathering: Gathering, what: String) -> Result<Gathered, SyncError> {
        let full = gathering.full;
        self.restart(gathering, full).await?;
        Err(SyncError::Endless { stream: self.kind.plural(), what })
    }

    fn resume(&self, select: &str, full: bool) -> Result<Gathering, SyncError> {
        let snapshot = self.writer.reader().snapshot();
        let state = snapshot.connections().iter().find(|(number, _)| *number == self.connection);
        let fresh = || Gathering::new(self.graph.start(self.kind), true, select.to_owned());
        let Some((_, state)) = state else { return Ok(fresh()) };
        let read = |text: &str| text.parse::<Position>().ok().filter(|at| at.kind() == self.kind);
        if let Some(round) = state.round(self.kind)
            && self.durable
            && round.select == select
            && (round.full || !full)
            && let Some(start) = read(&round.start)
        {
            let mut gathering = Gathering::new(start, round.full, select.to_owned());
            gathering.staged = round.pages;
            let complete = round.next.is_none().then_some(round.pages);
            gathering.enumerated = round.enumerated.or(complete);
            // A complete round may be old, and would show what was true then.
            let next = round.next.as_deref().or(round.delta.as_deref());
            if let Some(next) = next.and_then(read) {
                if round.next.is_some() {
                    tracing::info!(
                        stream = self.kind.plural(),
                        pages = round.pages,
                        "resuming at the last durable page"
                    );
                }
                gathering.next = next;
                return Ok(gathering);
            }
        }
        let link =
            state.links.get(self.kind.plural()).filter(|link| !full && link.select == select);
        Ok(match link.and_then(|link| read(&link.position)) {
            Some(start) => Gathering::new(start, false, select.to_owned()),
            None => fresh(),
        })
    }

    async fn restart(&self, old: Gathering, full: bool) -> Result<Gathering, SyncError> {
        let (connection, kind) = (self.connection, self.kind);
        if self.durable {
            self.write(move |change| {
                let mut state = change.connection(connection)?;
                if state.rounds.remove(kind.plural()).is_some() {
                    change.unstage(connection, kind)?;
                    change.put_connection(connection, &state)?;
                }
                Ok(())
            })
            .await?;
        }
        self.status.send_modify(|status| {
            status.received.remove(kind.plural());
        });
        let start = if full { self.graph.start(kind) } else { old.start };
        Ok(Gathering::new(start, full, old.select))
    }

    /// Makes the pages in memory durable, with the place to go on from.
    async fn stage(
        &self,
        gathering: &mut Gathering,
        delta: Option<String>,
    ) -> Result<(), SyncError> {
        let is_due = self.durable && (gathering.full || gathering.is_due());
        if gathering.pages.is_empty() || !is_due {
            return Ok(());
        }
        let next = if delta.is_some() { None } else { Some(gathering.next.to_text()) };
        let round = gathering.round(next, delta);
        let (connection, kind, first) = (self.connection, self.kind, gathering.staged);
        let pages = std::mem::take(&mut gathering.pages);
        gathering.staged = round.pages;
        self.write(move |change| {
            if first == 0 {
                change.unstage(connection, kind)?;
            }
            for (page, body) in (first..).zip(&pages) {
                change.stage(connection, kind, page, body)?;
            }
            let mut state = change.connection(connection)?;
            state.rounds.insert(kind.plural().to_owned(), round);
            change.put_connection(connection, &state)
        })
        .await?;
        gathering.flushed = Instant::now();
        Ok(())
    }

    async fn write(
        &self,
        change: impl FnOnce(&mut Transaction<'_>) -> Result<(), crate::replica::Error> + Send + 'static,
    ) -> Result<(), SyncError> {
        super::carrier::write(self.writer, change).await
    }
}

impl Gathering {
    fn done(self, kind: Kind, delta: String) -> Gathered {
        let enumerated = self.enumerated.unwrap_or_else(|| self.page_count());
        let Gathering { full, select, staged, pages, skipped, .. } = self;
        Gathered { kind, full, enumerated, delta, select, staged, pages, skipped }
    }
}
