//! How long one connection may keep a thread busy before others have their turn.

use std::time::{Duration, Instant};

/// The longest run.
const LONGEST: Duration = Duration::from_millis(1);
/// The clock is read once for so many units of work.
const UNITS_PER_CLOCK: u32 = 64;

/// One run of work: a few requests, or a few hundred entries of one.
pub(crate) struct Slice {
    /// When it began.
    pub(crate) start: Instant,
    units: u32,
}

impl Slice {
    /// Begins a run.
    pub(crate) fn new(now: Instant) -> Self {
        Slice { start: now, units: 0 }
    }

    /// So many units that the clock is read.
    pub(crate) const UNKNOWN: u32 = UNITS_PER_CLOCK;

    /// Counts units of work, and says whether they were the last.
    pub(crate) fn spent(&mut self, units: u32) -> bool {
        self.units = self.units.saturating_add(units);
        if self.units < UNITS_PER_CLOCK {
            return false;
        }
        self.units = 0;
        self.start.elapsed() >= LONGEST
    }
}
