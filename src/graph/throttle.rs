//! The budget that all requests of a connection share: how many at once, how many a second, and not before when.

use super::counters::Tally;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until};

/// One budget per connection.
#[derive(Debug)]
pub(super) struct Budget {
    slots: Semaphore,
    /// Between two requests, on average.
    interval: Duration,
    times: Mutex<Times>,
}

#[derive(Debug, Default)]
struct Times {
    /// The service asked all of us to be silent until then.
    not_before: Option<Instant>,
    /// When the bucket will be full again: each request moves it on by one interval.
    full_at: Option<Instant>,
}

/// The right to send one request; give it back by dropping it.
pub(super) type Permit<'a> = SemaphorePermit<'a>;

impl Budget {
    /// A budget of `concurrency` requests at once and `per_second` a second, of which one second's worth may be
    /// sent in a burst.
    pub(super) fn new(concurrency: usize, per_second: u32) -> Self {
        Budget {
            slots: Semaphore::new(concurrency.clamp(1, Semaphore::MAX_PERMITS)),
            interval: Duration::from_secs(1) / per_second.max(1),
            times: Mutex::default(),
        }
    }

    /// Nobody sends anything for `wait` from now. A longer silence that was asked for earlier stays.
    pub(super) fn hold(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        times.not_before = times.not_before.max(Some(until));
    }

    /// Waits for the right to send.
    ///
    /// # Errors
    /// The silence that was asked for lasts longer than `max_wait`; how long is returned.
    pub(super) async fn acquire(
        &self,
        max_wait: Duration,
        tally: &Tally,
    ) -> Result<Permit<'_>, Duration> {
        // Nobody closes the semaphore, so this error does not come.
        let permit = self.slots.acquire().await.map_err(|_| Duration::ZERO)?;
        loop {
            if let Some(silence) = self.silence() {
                if silence > max_wait {
                    return Err(silence);
                }
                tally.add(|counters| {
                    counters.throttle_waits += 1;
                    counters.throttle_time += silence;
                });
                sleep_until(Instant::now() + silence).await;
                continue;
            }
            sleep_until(self.reserve()).await;
            if self.silence().is_none() {
                return Ok(permit);
            }
        }
    }

    fn silence(&self) -> Option<Duration> {
        let times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        let left = times.not_before?.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    /// Takes a drop out of the bucket; returns when it may be used.
    fn reserve(&self) -> Instant {
        let now = Instant::now();
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        let full_at = times.full_at.map_or(now, |at| at.max(now));
        times.full_at = Some(full_at + self.interval);
        let burst = Duration::from_secs(1).saturating_sub(self.interval);
        full_at.checked_sub(burst).map_or(now, |at| at.max(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    const LONG: Duration = Duration::from_secs(600);
    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn one_seconds_worth_goes_at_once_and_then_the_rate_holds() {
        let (budget, tally, start) = (Budget::new(8, 10), Tally::default(), Instant::now());
        for _ in 0..10 {
            drop(budget.acquire(LONG, &tally).await.unwrap());
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        for _ in 0..20 {
            drop(budget.acquire(LONG, &tally).await.unwrap());
        }
        let elapsed = start.elapsed();
        assert!((2 * SECOND..2 * SECOND + SECOND / 10).contains(&elapsed), "{elapsed:?}");
        assert_eq!(tally.read().throttle_waits, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_than_the_allowed_number_is_under_way() {
        let (budget, tally) = (Arc::new(Budget::new(2, 1000)), Tally::default());
        let first = budget.acquire(LONG, &tally).await.unwrap();
        let _second = budget.acquire(LONG, &tally).await.unwrap();
        assert!(tokio::time::timeout(LONG, budget.acquire(LONG, &tally)).await.is_err());
        drop(first);
        assert!(budget.acquire(LONG, &tally).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_hold_stops_everybody_and_is_counted() {
        let (budget, tally, start) = (Budget::new(4, 100), Tally::default(), Instant::now());
        budget.hold(7 * SECOND);
        budget.hold(SECOND);
        let (a, b) = tokio::join!(budget.acquire(LONG, &tally), budget.acquire(LONG, &tally));
        assert!(a.is_ok() && b.is_ok());
        assert!(start.elapsed() >= 7 * SECOND);
        assert_eq!((tally.read().throttle_waits, tally.read().throttle_time), (2, 14 * SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn a_hold_beyond_the_longest_wait_is_refused_at_once() {
        let (budget, tally, start) = (Budget::new(4, 100), Tally::default(), Instant::now());
        budget.hold(LONG + SECOND);
        assert_eq!(budget.acquire(LONG, &tally).await.err(), Some(LONG + SECOND));
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
}
