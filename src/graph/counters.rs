//! What was sent and waited for, as numbers that only grow.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Work done since the connection was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// HTTP requests sent, for tokens too.
    pub requests: u64,
    /// How many of them repeated a failed one.
    pub retries: u64,
    /// How often a request waited because the service had asked for it (429, 503).
    pub throttle_waits: u64,
    /// The length of these waits, added up over all requests.
    pub throttle_time: Duration,
    /// Octets of answers, after decompression.
    pub bytes: u64,
}

impl Counters {
    /// What was done since `earlier`.
    pub fn since(&self, earlier: &Counters) -> Counters {
        Counters {
            requests: self.requests.saturating_sub(earlier.requests),
            retries: self.retries.saturating_sub(earlier.retries),
            throttle_waits: self.throttle_waits.saturating_sub(earlier.throttle_waits),
            throttle_time: self.throttle_time.saturating_sub(earlier.throttle_time),
            bytes: self.bytes.saturating_sub(earlier.bytes),
        }
    }
}

/// Where the counting is done.
#[derive(Debug, Default)]
pub(super) struct Tally(Mutex<Counters>);

impl Tally {
    /// Counts.
    pub(super) fn add(&self, change: impl FnOnce(&mut Counters)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The numbers now.
    pub(super) fn read(&self) -> Counters {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
