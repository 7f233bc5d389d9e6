//! One request for all who ask the same at the same time.

use super::Answer;
use super::memory::Seal;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::sync::OnceCell;

/// Whose password, as of which version, and which.
type Name = (u64, u64, Seal);
/// Filled by the one who asks; if that one is gone before, by the next who waits.
pub(super) type Flight = Arc<OnceCell<Answer>>;

/// Questions under way. Those who asked and are gone leave an empty place, which is cleared
/// away when there are many.
#[derive(Debug, Default)]
pub(super) struct Flights(Mutex<HashMap<Name, Weak<OnceCell<Answer>>>>);

/// So many empty places are worth a clearance.
const MANY: usize = 256;

impl Flights {
    /// The question of this name that is under way, or a new one.
    pub(super) fn join(&self, name: Name) -> Flight {
        let mut open = self.lock();
        if let Some(flight) = open.get(&name).and_then(Weak::upgrade) {
            return flight;
        }
        if open.len() >= MANY && open.len().is_power_of_two() {
            open.retain(|_, flight| flight.strong_count() > 0);
        }
        let flight = Flight::default();
        open.insert(name, Arc::downgrade(&flight));
        flight
    }

    /// The question has its answer: whoever asks from now on asks anew.
    pub(super) fn leave(&self, name: &Name, flight: &Flight) {
        let mut open = self.lock();
        if open.get(name).is_some_and(|known| known.as_ptr() == Arc::as_ptr(flight)) {
            open.remove(name);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Name, Weak<OnceCell<Answer>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_ask_the_same_share_and_later_ones_do_not() {
        let flights = Flights::default();
        let name = (1, 2, Seal([3; 32]));
        let first = flights.join(name);
        assert!(Arc::ptr_eq(&first, &flights.join(name)));
        assert!(!Arc::ptr_eq(&first, &flights.join((1, 3, Seal([3; 32])))));
        flights.leave(&name, &first);
        let second = flights.join(name);
        assert!(!Arc::ptr_eq(&first, &second));
        flights.leave(&name, &first);
        assert!(Arc::ptr_eq(&second, &flights.join(name)));
    }

    #[test]
    fn those_who_go_leave_little_behind() {
        let flights = Flights::default();
        for n in 0..100_000 {
            drop(flights.join((n, 0, Seal([0; 32]))));
        }
        assert!(flights.lock().len() <= MANY);
    }
}
