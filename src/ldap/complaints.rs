//! Keeps the log from being flooded: clients decide how often something is wrong.
//! Pure: no I/O, no clock.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So many lines in one second are written.
const LINES: u32 = 10;

/// Lines written and passed over.
#[derive(Debug, Default)]
pub(crate) struct Complaints(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// When the current second began.
    second: Option<Instant>,
    written: u32,
    passed_over: u64,
}

impl Complaints {
    /// Whether a line may be written now, and how many have not been since the last one.
    pub(crate) fn admit(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let over = |second| now.saturating_duration_since(second) >= Duration::from_secs(1);
        if state.second.is_none_or(over) {
            state.second = Some(now);
            state.written = 0;
        }
        if state.written >= LINES {
            state.passed_over += 1;
            return None;
        }
        state.written += 1;
        Some(std::mem::take(&mut state.passed_over))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_its_lines_and_the_next_tells_what_was_passed_over() {
        let complaints = Complaints::default();
        let now = Instant::now();
        let written = (0..100).filter(|_| complaints.admit(now).is_some()).count();
        assert_eq!(written, 10);
        assert_eq!(complaints.admit(now + Duration::from_millis(999)), None);
        let next = now + Duration::from_secs(1);
        assert_eq!(complaints.admit(next), Some(91));
        assert_eq!(complaints.admit(next), Some(0));
    }
}
