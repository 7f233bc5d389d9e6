//! What has been done since the start, counted. Pure: no I/O, no clock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Kinds of operations that are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationKind {
    /// Binds.
    Bind,
    /// Searches.
    Search,
    /// Compares.
    Compare,
    /// Extended operations.
    Extended,
    /// Refused changes.
    Write,
}

impl OperationKind {
    const ALL: [OperationKind; 5] = [
        OperationKind::Bind,
        OperationKind::Search,
        OperationKind::Compare,
        OperationKind::Extended,
        OperationKind::Write,
    ];

    /// The kind as a word, for metrics.
    pub const fn word(self) -> &'static str {
        match self {
            OperationKind::Bind => "bind",
            OperationKind::Search => "search",
            OperationKind::Compare => "compare",
            OperationKind::Extended => "extended",
            OperationKind::Write => "write",
        }
    }
}

/// Result codes from here on are counted together.
const CODES: usize = 96;

/// Upper bounds of classes of latencies, in microseconds.
const BOUNDS: [u64; 14] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000,
    5_000_000, 30_000_000,
];

/// How long operations of a kind took.
#[derive(Debug, Clone, PartialEq)]
pub struct Latency {
    /// The kind.
    pub kind: OperationKind,
    /// Upper bounds in seconds, the last without end, and how many lay below each and above
    /// the one before.
    pub classes: Vec<(f64, u64)>,
    /// All of them together, in seconds.
    pub sum: f64,
}

/// Running counts.
#[derive(Debug)]
pub(crate) struct Counters {
    results: [[AtomicU64; CODES]; OperationKind::ALL.len()],
    latencies: [[AtomicU64; BOUNDS.len() + 1]; OperationKind::ALL.len()],
    /// Microseconds.
    sums: [AtomicU64; OperationKind::ALL.len()],
    connections: AtomicU64,
    open: AtomicU64,
    refused: AtomicU64,
    entries: AtomicU64,
    misses: AtomicU64,
    malformed: AtomicU64,
}

/// Counts at one instant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// How often an operation of a kind ended with a result code; only what occurred.
    pub operations: Vec<(OperationKind, u16, u64)>,
    /// Connections accepted so far.
    pub connections: u64,
    /// Connections open now.
    pub open: u64,
    /// Connections turned away because there were too many.
    pub refused: u64,
    /// Entries returned.
    pub entries: u64,
    /// Searches that succeeded without an entry.
    pub misses: u64,
    /// Connections ended because of what they sent.
    pub malformed: u64,
}

impl Default for Counters {
    fn default() -> Self {
        let zero = || AtomicU64::new(0);
        Counters {
            results: std::array::from_fn(|_| std::array::from_fn(|_| zero())),
            latencies: std::array::from_fn(|_| std::array::from_fn(|_| zero())),
            sums: std::array::from_fn(|_| zero()),
            connections: zero(),
            open: zero(),
            refused: zero(),
            entries: zero(),
            misses: zero(),
            malformed: zero(),
        }
    }
}

impl Counters {
    /// An operation ended with this result code.
    pub(crate) fn result(&self, kind: OperationKind, code: i64) {
        let slot = usize::try_from(code).unwrap_or(CODES).min(CODES - 1);
        if let Some(counter) = self.results.get(kind as usize).and_then(|codes| codes.get(slot)) {
            add(counter, 1);
        }
    }

    /// An operation took so long.
    pub(crate) fn took(&self, kind: OperationKind, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let class = BOUNDS.partition_point(|bound| micros > *bound);
        let of_kind = self.latencies.get(kind as usize).and_then(|classes| classes.get(class));
        if let (Some(counter), Some(sum)) = (of_kind, self.sums.get(kind as usize)) {
            add(counter, 1);
            add(sum, micros);
        }
    }

    /// How long operations took.
    pub(crate) fn latencies(&self) -> Vec<Latency> {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let bounds = || BOUNDS.iter().map(|bound| *bound as f64 / 1e6).chain([f64::INFINITY]);
        let of = |((kind, classes), sum): (
            (OperationKind, &[AtomicU64; BOUNDS.len() + 1]),
            &AtomicU64,
        )| {
            Latency {
                kind,
                classes: bounds().zip(classes.iter().map(read)).collect(),
                sum: read(sum) as f64 / 1e6,
            }
        };
        OperationKind::ALL.into_iter().zip(&self.latencies).zip(&self.sums).map(of).collect()
    }

    /// A search returned so many entries, without an error where `success`.
    pub(crate) fn searched(&self, entries: u64, success: bool) {
        if entries > 0 {
            add(&self.entries, entries);
        } else if success {
            add(&self.misses, 1);
        }
    }

    /// A connection was turned away.
    pub(crate) fn refused(&self) {
        add(&self.refused, 1);
    }

    /// A connection ends because of what it sent.
    pub(crate) fn malformed(&self) {
        add(&self.malformed, 1);
    }

    /// A connection is open until the returned value is dropped.
    pub(crate) fn connected(&self) -> Connected<'_> {
        add(&self.connections, 1);
        add(&self.open, 1);
        Connected(&self.open)
    }

    /// All counts now.
    pub(crate) fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let operations =
            OperationKind::ALL.into_iter().zip(&self.results).flat_map(|(kind, codes)| {
                codes
                    .iter()
                    .enumerate()
                    .map(move |(code, counter)| (kind, code as u16, read(counter)))
            });
        Counts {
            operations: operations.filter(|(_, _, count)| *count > 0).collect(),
            connections: read(&self.connections),
            open: read(&self.open),
            refused: read(&self.refused),
            entries: read(&self.entries),
            misses: read(&self.misses),
            malformed: read(&self.malformed),
        }
    }
}

fn add(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

/// Counts a connection as open while it lives.
pub(crate) struct Connected<'a>(&'a AtomicU64);

impl Drop for Connected<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
