//! When what proves the application ends: people are told in time, since nothing is synced
//! after that.

use super::engine::{Engine, unix_ms};
use crate::graph::expiry::AHEAD;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long an answer of Graph counts, or that there was none. What a file says is looked at
/// in each pass.
const KNOWN: Duration = Duration::from_secs(3600);

/// What Graph has answered, and when.
#[derive(Debug, Default)]
pub(super) struct Asked(tokio::sync::Mutex<Option<(Instant, Option<SystemTime>)>>);

impl Engine {
    /// The end as Unix time, where it is known; told to whoever watches the status.
    pub(super) async fn credential_end(&self) -> Option<i64> {
        let told = self.graph.credential().ok().and_then(|info| info.expires);
        let end = match told {
            Some(end) => Some(end),
            None => self.ask_for_end().await,
        };
        let since = end.and_then(|end| end.duration_since(UNIX_EPOCH).ok());
        let end = since.map(|since| since.as_secs().cast_signed());
        self.status.send_modify(|status| status.credential_end = end);
        end
    }

    async fn ask_for_end(&self) -> Option<SystemTime> {
        let mut asked = self.expiry.0.lock().await;
        if let Some((at, end)) = *asked
            && at.elapsed() < KNOWN
        {
            return end;
        }
        // A question that may go unanswered: the pass itself tells what is wrong.
        let answer = self.graph.credential_expiry(&self.settings.credential).await;
        let end = answer.unwrap_or_else(|error| {
            tracing::debug!(%error, "when the client secret ends is not known");
            None
        });
        *asked = Some((Instant::now(), end));
        end
    }
}

/// What people are told of an end that is near.
pub(super) fn warning(end: i64) -> Option<String> {
    let left = end.saturating_sub(unix_ms() / 1000);
    if left > AHEAD.as_secs().cast_signed() {
        return None;
    }
    let day = jiff::Timestamp::from_second(end).ok()?.strftime("%Y-%m-%d").to_string();
    Some(format!(
        "what the application proves itself by ends on {day}, in {} days: create a new one under App registrations > \
         Certificates & secrets; nothing is synced after that",
        (left / 86_400).max(0)
    ))
}
