//! Whether a failed request is tried again, and after how long. Pure: no I/O, no clock.

use std::time::{Duration, SystemTime};

/// The first wait that is not told by the server; it doubles with each attempt.
const FIRST: Duration = Duration::from_secs(1);
/// The longest wait that is not told by the server.
const LONGEST: Duration = Duration::from_secs(60);
/// A wait beyond this is a mistake of the server, and would overflow clocks.
const ABSURD: Duration = Duration::from_secs(30 * 24 * 3600);
/// When to ask again after a request was given up without a hint.
pub(super) const LATER: Duration = Duration::from_secs(60);

/// The connection's patience.
#[derive(Debug, Clone, Copy)]
pub(super) struct Policy {
    /// How often one request is tried.
    pub(super) attempts: u32,
    /// The longest single wait within a pass.
    pub(super) max_wait: Duration,
}

/// What to do after a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// Try again after this long.
    Wait(Duration),
    /// Give the request up; it may be asked again after this long.
    GiveUp(Duration),
}

impl Policy {
    /// Decides after attempt number `attempt` (from 1) failed in a way that passes. `retry_after` is what the
    /// server asked for; `jitter` is a random number.
    pub(super) fn decide(
        &self,
        attempt: u32,
        retry_after: Option<Duration>,
        jitter: u32,
    ) -> Decision {
        // A wait of nothing is no hint: obeyed, it would use up all attempts at once.
        let told = retry_after.filter(|wait| !wait.is_zero());
        if attempt >= self.attempts.max(1) {
            return Decision::GiveUp(told.unwrap_or(LATER));
        }
        match told {
            Some(wait) if wait > self.max_wait => Decision::GiveUp(wait),
            Some(wait) => Decision::Wait(wait),
            None => Decision::Wait(backoff(attempt, jitter).min(self.max_wait)),
        }
    }
}

/// Exponential, and between half and all of it by chance, so that many clients do not come back together.
fn backoff(attempt: u32, jitter: u32) -> Duration {
    let doubled = FIRST.saturating_mul(1 << attempt.saturating_sub(1).min(16)).min(LONGEST);
    let half = doubled / 2;
    half + half.mul_f64(f64::from(jitter) / f64::from(u32::MAX))
}

/// `Retry-After` as a duration: seconds, a fraction of seconds (Graph sends `2.128`), or a date (RFC 9110
/// 10.2.3), which is seen from `now`, best the server's own `Date`. Anything else is no hint.
pub(super) fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    let wait = match value.parse::<f64>() {
        Ok(seconds) if seconds.is_sign_negative() || seconds.is_nan() => return None,
        Ok(seconds) => Duration::try_from_secs_f64(seconds).unwrap_or(ABSURD),
        Err(_) => {
            let date = httpdate::parse_http_date(value).ok()?;
            date.duration_since(now).unwrap_or(Duration::ZERO)
        }
    };
    Some(wait.min(ABSURD))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Decision::{GiveUp, Wait};

    const SECOND: Duration = Duration::from_secs(1);
    const POLICY: Policy = Policy { attempts: 4, max_wait: Duration::from_secs(300) };

    #[test]
    fn all_forms_of_retry_after_are_understood() {
        let now = httpdate::parse_http_date("Mon, 02 Mar 2026 08:00:00 GMT").unwrap();
        for (text, wait) in [
            ("7", Some(7.0)),
            (" 7 ", Some(7.0)),
            ("2.128", Some(2.128)),
            ("0", Some(0.0)),
            ("Mon, 02 Mar 2026 08:01:30 GMT", Some(90.0)),
            ("Monday, 02-Mar-26 08:01:30 GMT", Some(90.0)),
            ("Mon, 02 Mar 2026 07:00:00 GMT", Some(0.0)),
            ("1e300", Some(ABSURD.as_secs_f64())),
            ("inf", Some(ABSURD.as_secs_f64())),
            ("-3", None),
            ("NaN", None),
            ("soon", None),
            ("", None),
        ] {
            let parsed = retry_after(text, now);
            assert_eq!(parsed, wait.map(Duration::from_secs_f64), "{text}");
        }
    }

    #[test]
    fn without_a_hint_waits_double_with_jitter_up_to_a_minute() {
        for (attempt, least, most) in [(1, 0.5, 1.0), (2, 1.0, 2.0), (3, 2.0, 4.0)] {
            for jitter in [0, u32::MAX / 3, u32::MAX] {
                let Wait(wait) = POLICY.decide(attempt, None, jitter) else { panic!("{attempt}") };
                assert!(
                    (least..=most).contains(&wait.as_secs_f64()),
                    "{attempt} {jitter} {wait:?}"
                );
            }
        }
        assert_eq!(backoff(u32::MAX, u32::MAX), LONGEST);
        assert_ne!(POLICY.decide(1, None, 0), POLICY.decide(1, None, u32::MAX));
    }

    #[test]
    fn a_told_wait_is_obeyed_and_too_long_a_one_gives_up_until_then() {
        assert_eq!(POLICY.decide(1, Some(7 * SECOND), 0), Wait(7 * SECOND));
        assert_eq!(POLICY.decide(1, Some(300 * SECOND), 0), Wait(300 * SECOND));
        assert_eq!(POLICY.decide(1, Some(301 * SECOND), 0), GiveUp(301 * SECOND));
    }

    #[test]
    fn a_told_wait_of_nothing_is_no_hint() {
        assert_eq!(POLICY.decide(1, Some(Duration::ZERO), 0), POLICY.decide(1, None, 0));
    }

    #[test]
    fn attempts_end() {
        assert_eq!(POLICY.decide(4, None, 0), GiveUp(LATER));
        assert_eq!(POLICY.decide(4, Some(7 * SECOND), 0), GiveUp(7 * SECOND));
        let once = Policy { attempts: 0, ..POLICY };
        assert_eq!(once.decide(1, None, 0), GiveUp(LATER));
    }
}
