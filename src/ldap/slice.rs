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

    /// Counts a unit of work, and says whether it was the last.
    pub(crate) fn spent(&mut self) -> bool {
        self.units += 1;
        self.units.is_multiple_of(UNITS_PER_CLOCK) && self.start.elapsed() >= LONGEST
    }
}
