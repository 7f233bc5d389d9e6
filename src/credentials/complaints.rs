//! Each trouble is told once a minute: clients decide how often it happens. Pure: no I/O, no
//! clock.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_secs(60);
/// So many troubles are told apart.
const KINDS: usize = 16;

/// Lines that were written, and how many were not.
#[derive(Debug, Default)]
pub(super) struct Complaints(Mutex<Vec<Told>>);

#[derive(Debug)]
struct Told {
    what: String,
    at: Instant,
    passed_over: u64,
}

impl Complaints {
    /// Whether a line about `what` may be written now, and how many have not been since the
    /// last one.
    pub(super) fn admit(&self, what: &str, now: Instant) -> Option<u64> {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = told.iter_mut().find(|known| known.what == what) {
            if now.saturating_duration_since(known.at) < EVERY {
                known.passed_over += 1;
                return None;
            }
            known.at = now;
            return Some(std::mem::take(&mut known.passed_over));
        }
        told.retain(|old| now.saturating_duration_since(old.at) < EVERY);
        if told.len() >= KINDS {
            return None;
        }
        told.push(Told { what: what.to_owned(), at: now, passed_over: 0 });
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_trouble_has_its_line_a_minute() {
        let complaints = Complaints::default();
        let now = Instant::now();
        assert_eq!(complaints.admit("a", now), Some(0));
        assert_eq!(complaints.admit("b", now), Some(0));
        assert_eq!((0..5).filter_map(|_| complaints.admit("a", now)).count(), 0);
        assert_eq!(complaints.admit("a", now + EVERY), Some(5));
        let admitted = (0..100).filter_map(|n| complaints.admit(&n.to_string(), now)).count();
        assert!(admitted < KINDS, "{admitted}");
    }
}
