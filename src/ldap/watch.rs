//! How long a connection may be silent. One timer, moved only when it goes off: reading
//! and writing just note the time.

use super::end::End;
use crate::config::settings::LimitSettings;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// A connection that has been silent for so long gives its buffers back.
const QUIET: Duration = Duration::from_secs(5);
/// The timer goes off at least so often, in case the time to watch has become shorter.
const ROUND: Duration = Duration::from_secs(30);

/// The times of one connection, and its timer.
pub(crate) struct Watch {
    opened: Instant,
    /// When work last began.
    now: Instant,
    last_received: Instant,
    last_sent: Instant,
    idle: Duration,
    first_request: Duration,
    write_stall: Duration,
    timer: Pin<Box<Sleep>>,
    quiet: bool,
}

impl Watch {
    /// Begins to watch.
    pub(crate) fn new(limits: &LimitSettings) -> Self {
        let now = Instant::now();
        Watch {
            opened: now,
            now,
            last_received: now,
            last_sent: now,
            idle: limits.idle,
            first_request: limits.first_request,
            write_stall: limits.write_stall,
            timer: Box::pin(tokio::time::sleep_until(now + shortest(limits))),
            quiet: false,
        }
    }

    /// Notes the time.
    pub(crate) fn touched(&mut self, now: Instant) {
        self.now = now;
    }

    /// Something was received.
    pub(crate) fn received(&mut self) {
        self.last_received = Instant::now();
        self.quiet = false;
    }

    /// Something was sent.
    pub(crate) fn sent(&mut self) {
        self.last_sent = Instant::now();
    }

    /// Whether nothing has happened for a while, as of the timer's last turn.
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Waits until a limit is exceeded. `sending`: output waits to be sent; `busy`: a
    /// search runs; `requests`: how many have come.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        sending: bool,
        busy: bool,
        requests: u64,
    ) -> Poll<End> {
        while self.timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            let (since, limit, end) = if sending {
                (self.last_sent.max(self.now), self.write_stall, End::Stalled)
            } else if requests == 0 {
                (self.opened, self.first_request, End::Silent)
            } else {
                (self.last_received.max(self.last_sent), self.idle, End::Idle)
            };
            let due = since + limit;
            if !limit.is_zero() && now >= due && (sending || !busy) {
                return Poll::Ready(end);
            }
            self.quiet = now.duration_since(self.last_received) >= QUIET.min(limit);
            let soon = if self.quiet { ROUND } else { QUIET };
            let next = if limit.is_zero() { now + soon } else { due.min(now + soon) };
            self.timer.as_mut().reset(next.max(now + Duration::from_millis(1)));
        }
        Poll::Pending
    }
}

fn shortest(limits: &LimitSettings) -> Duration {
    let set = [limits.idle, limits.first_request, limits.write_stall, QUIET];
    set.into_iter().filter(|limit| !limit.is_zero()).min().unwrap_or(QUIET)
}
