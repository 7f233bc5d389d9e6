//! What has been done since the start, counted. Pure: no I/O, no clock.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
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

/// As many as threads usually serve at once.
const SHARDS: usize = 16;

/// Running counts.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    shards: [Shard; SHARDS],
}

/// The counts of one thread, or a few: of a count that all threads write, each takes the
/// cache line from the others, with every request.
#[derive(Debug)]
#[repr(align(128))]
struct Shard {
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

impl Default for Shard {
    fn default() -> Self {
        let zero = || AtomicU64::new(0);
        Shard {
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
    /// That of the current thread.
    fn shard(&self) -> &Shard {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static MINE: usize = NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS;
        }
        let [first, ..] = &self.shards;
        self.shards.get(MINE.with(|mine| *mine)).unwrap_or(first)
    }

    /// A count over all threads. One may have been taken back on another thread than it was
    /// given.
    fn sum(&self, count: impl Fn(&Shard) -> Option<&AtomicU64>) -> u64 {
        let counts = self.shards.iter().filter_map(count);
        counts.fold(0, |sum, count| sum.wrapping_add(count.load(Ordering::Relaxed)))
    }

    /// An operation ended with this result code.
    pub(crate) fn result(&self, kind: OperationKind, code: i64) {
        let slot = usize::try_from(code).unwrap_or(CODES).min(CODES - 1);
        if let Some(counter) =
            self.shard().results.get(kind as usize).and_then(|codes| codes.get(slot))
        {
            add(counter, 1);
        }
    }

    /// An operation took so long.
    pub(crate) fn took(&self, kind: OperationKind, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let class = BOUNDS.partition_point(|bound| micros > *bound);
        let shard = self.shard();
        let of_kind = shard.latencies.get(kind as usize).and_then(|classes| classes.get(class));
        if let (Some(counter), Some(sum)) = (of_kind, shard.sums.get(kind as usize)) {
            add(counter, 1);
            add(sum, micros);
        }
    }

    /// How long operations took.
    pub(crate) fn latencies(&self) -> Vec<Latency> {
        let bounds = || BOUNDS.iter().map(|bound| *bound as f64 / 1e6).chain([f64::INFINITY]);
        let of = |kind: OperationKind| {
            let kind_at = kind as usize;
            let class = |at: usize| self.sum(|shard| shard.latencies.get(kind_at)?.get(at));
            let classes = bounds().enumerate().map(|(at, bound)| (bound, class(at))).collect();
            let sum = self.sum(|shard| shard.sums.get(kind_at)) as f64 / 1e6;
            Latency { kind, classes, sum }
        };
        OperationKind::ALL.into_iter().map(of).collect()
    }

    /// A search returned so many entries, without an error where `success`.
    pub(crate) fn searched(&self, entries: u64, success: bool) {
        if entries > 0 {
            add(&self.shard().entries, entries);
        } else if success {
            add(&self.shard().misses, 1);
        }
    }

    /// A connection was turned away.
    pub(crate) fn refused(&self) {
        add(&self.shard().refused, 1);
    }

    /// A connection ends because of what it sent.
    pub(crate) fn malformed(&self) {
        add(&self.shard().malformed, 1);
    }

    /// A connection is open until the returned value is dropped.
    pub(crate) fn connected(&self) -> Connected<'_> {
        let shard = self.shard();
        add(&shard.connections, 1);
        add(&shard.open, 1);
        Connected(&shard.open)
    }

    /// All counts now.
    pub(crate) fn counts(&self) -> Counts {
        let of_kind = |kind: OperationKind| {
            let count =
                move |code: usize| self.sum(|shard| shard.results.get(kind as usize)?.get(code));
            (0..CODES).map(move |code| (kind, code as u16, count(code)))
        };
        let operations = OperationKind::ALL.into_iter().flat_map(of_kind);
        Counts {
            operations: operations.filter(|(_, _, count)| *count > 0).collect(),
            connections: self.sum(|shard| Some(&shard.connections)),
            open: self.sum(|shard| Some(&shard.open)),
            refused: self.sum(|shard| Some(&shard.refused)),
            entries: self.sum(|shard| Some(&shard.entries)),
            misses: self.sum(|shard| Some(&shard.misses)),
            malformed: self.sum(|shard| Some(&shard.malformed)),
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
