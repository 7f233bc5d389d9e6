//! Failed binds are slowed down: per account name and address, per address, and per
//! account name over all addresses. Bounded memory. Pure: no I/O, no clock.
//!
//! Nothing is locked. Whoever fails too often is answered `busy` for a while, which
//! gateways take for a passing fault, and their mail waits. A client that has not failed
//! itself is never slowed down by one that guesses at another address.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So many failures of one name at one address are mistakes.
const PAIR_FREE: u32 = 10;
/// So many failures at one address are mistakes of several clients behind it.
const ADDRESS_FREE: u32 = 40;
/// From so many failures of one name on, over all addresses, somebody guesses.
const NAME_HOT: u32 = 100;
/// The first wait; each further failure doubles it.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Failures so long ago are forgotten.
const FORGOTTEN: Duration = Duration::from_secs(600);
/// An address that has bound rightly so recently is known to be the account's.
const TRUSTED: Duration = Duration::from_secs(86_400);
/// Most names and addresses that are remembered at once, in each of two halves.
const HALF: usize = 8192;

/// What is remembered of a name, an address or both.
#[derive(Debug, Clone, Copy, Default)]
struct Record {
    failures: u32,
    /// When it last failed.
    failed: Option<Instant>,
    /// When it was last right.
    right: Option<Instant>,
}

/// All records: when one half is full, the older one is dropped.
#[derive(Debug, Default)]
struct Records {
    new: HashMap<u64, Record>,
    old: HashMap<u64, Record>,
}

/// What slows failed binds down.
pub(crate) struct Throttle {
    records: Mutex<Records>,
    /// Names may be as long as requests are: only a hash is kept, of a secret key.
    hasher: RandomState,
}

/// Who tries to bind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt {
    pair: u64,
    address: u64,
    name: u64,
    /// The client's address.
    pub(crate) peer: IpAddr,
}

impl Throttle {
    /// Nothing has failed yet.
    pub(crate) fn new() -> Self {
        Throttle { records: Mutex::default(), hasher: RandomState::new() }
    }

    /// An attempt to bind as `name`, folded, from an address.
    pub(crate) fn attempt(&self, name: &str, peer: IpAddr) -> Attempt {
        let address = network_of(peer);
        Attempt {
            pair: self.hasher.hash_one((0u8, name, address)),
            address: self.hasher.hash_one((1u8, address)),
            name: self.hasher.hash_one((2u8, name)),
            peer,
        }
    }

    /// How long the client has to wait before it may try; `None` where it may now.
    pub(crate) fn wait(&self, attempt: Attempt, now: Instant) -> Option<Duration> {
        let records = &mut *self.lock();
        let pair = records.get(attempt.pair, now);
        let mut until = match pair.failures {
            0 => None,
            // Somebody guesses this account's password, and this client guessed wrong.
            _ if records.get(attempt.name, now).failures >= NAME_HOT => pair.after(LONGEST_WAIT),
            failures => pair.after(wait_after(failures, PAIR_FREE)),
        };
        let trusted = pair.right.is_some_and(|right| now.duration_since(right) < TRUSTED);
        if !trusted {
            let address = records.get(attempt.address, now);
            until = until.max(address.after(wait_after(address.failures, ADDRESS_FREE)));
        }
        until.filter(|until| *until > now).map(|until| until - now)
    }

    /// The password was wrong. Says how often it has been, where the client has to wait now.
    pub(crate) fn failed(&self, attempt: Attempt, now: Instant) -> Option<u32> {
        let records = &mut *self.lock();
        let mut failures = 0;
        for key in [attempt.name, attempt.address, attempt.pair] {
            let mut record = records.get(key, now);
            record.failures = record.failures.saturating_add(1);
            record.failed = Some(now);
            failures = record.failures;
            records.put(key, record);
        }
        (failures >= PAIR_FREE).then_some(failures)
    }

    /// The password was right: what this client has failed before were its own mistakes.
    pub(crate) fn succeeded(&self, attempt: Attempt, now: Instant) {
        let records = &mut *self.lock();
        let mistakes = records.get(attempt.pair, now).failures;
        for key in [attempt.name, attempt.address] {
            let record = records.get(key, now);
            if mistakes > 0 && record.failures > 0 {
                let failures = record.failures.saturating_sub(mistakes);
                records.put(key, Record { failures, ..record });
            }
        }
        records.put(attempt.pair, Record { right: Some(now), ..Record::default() });
    }

    /// Forgets all failures: what failed before may be right with other accounts.
    pub(crate) fn forget(&self) {
        *self.lock() = Records::default();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Records {
    fn get(&self, key: u64, now: Instant) -> Record {
        let found = self.new.get(&key).or_else(|| self.old.get(&key));
        let mut record = found.copied().unwrap_or_default();
        if record.failed.is_some_and(|failed| now.duration_since(failed) >= FORGOTTEN) {
            record.failures = 0;
        }
        record
    }

    fn put(&mut self, key: u64, record: Record) {
        if self.new.len() >= HALF && !self.new.contains_key(&key) {
            self.old = std::mem::take(&mut self.new);
        }
        self.new.insert(key, record);
    }
}

impl Record {
    fn after(&self, wait: Duration) -> Option<Instant> {
        self.failed.filter(|_| !wait.is_zero()).map(|failed| failed + wait)
    }
}

fn wait_after(failures: u32, free: u32) -> Duration {
    match failures.checked_sub(free) {
        None => Duration::ZERO,
        Some(more) => FIRST_WAIT.saturating_mul(1 << more.min(16)).min(LONGEST_WAIT),
    }
}

/// What counts as one address: of IPv6, a network of 64 bits, since a client has as many
/// addresses in it as it likes.
pub(crate) fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// Tries and fails as often as that is allowed, up to `times`.
    fn fail(throttle: &Throttle, attempt: Attempt, now: Instant, times: u32) -> u32 {
        let mut failed = 0;
        while failed < times && throttle.wait(attempt, now).is_none() {
            throttle.failed(attempt, now);
            failed += 1;
        }
        failed
    }

    #[test]
    fn waits_double_up_to_a_minute_and_are_forgotten() {
        let throttle = Throttle::new();
        let attempt = throttle.attempt("gw", address("10.0.0.1"));
        let mut now = Instant::now();
        assert_eq!(fail(&throttle, attempt, now, 1000), PAIR_FREE);
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
            assert_eq!(throttle.wait(attempt, now), Some(Duration::from_secs(seconds)));
            now += Duration::from_secs(seconds);
            assert_eq!(fail(&throttle, attempt, now, 1000), 1);
        }
        now += FORGOTTEN;
        assert_eq!(fail(&throttle, attempt, now, 1000), PAIR_FREE);
    }

    #[test]
    fn a_right_password_ends_the_wait_for_its_client_only() {
        let throttle = Throttle::new();
        let now = Instant::now();
        let (here, there) = (address("10.0.0.1"), address("10.0.0.2"));
        let attempt = throttle.attempt("gw", here);
        fail(&throttle, attempt, now, PAIR_FREE);
        fail(&throttle, throttle.attempt("gw", there), now, PAIR_FREE);
        let later = now + FIRST_WAIT;
        throttle.succeeded(attempt, later);
        assert_eq!(fail(&throttle, attempt, later, 1000), PAIR_FREE);
        assert!(throttle.wait(throttle.attempt("gw", there), now).is_some());
    }

    #[test]
    fn who_guesses_elsewhere_slows_nobody_down_who_has_not_failed() {
        let throttle = Throttle::new();
        let now = Instant::now();
        for n in 0..NAME_HOT {
            let guesser = address(&format!("10.1.{}.{}", n / 250, n % 250));
            assert_eq!(fail(&throttle, throttle.attempt("gw", guesser), now, 1), 1);
        }
        // Whoever guesses has one guess, then waits for a minute.
        let guesser = throttle.attempt("gw", address("10.2.0.1"));
        assert_eq!(fail(&throttle, guesser, now, 1000), 1);
        assert_eq!(throttle.wait(guesser, now), Some(LONGEST_WAIT));
        let gateway = throttle.attempt("gw", address("10.0.0.1"));
        assert_eq!(throttle.wait(gateway, now), None);
        // Other names are not affected.
        assert_eq!(throttle.wait(throttle.attempt("other", address("10.2.0.1")), now), None);
    }

    #[test]
    fn many_names_from_one_address_are_slowed_down_but_not_its_gateway() {
        let throttle = Throttle::new();
        let now = Instant::now();
        let here = address("10.0.0.1");
        throttle.succeeded(throttle.attempt("gw", here), now);
        let tried = (0..1000).map(|n| throttle.attempt(&format!("name{n}"), here));
        let failed: u32 = tried.map(|attempt| fail(&throttle, attempt, now, 1)).sum();
        assert_eq!(failed, ADDRESS_FREE);
        assert!(throttle.wait(throttle.attempt("new", here), now).is_some());
        assert_eq!(throttle.wait(throttle.attempt("gw", here), now), None);
        assert!(throttle.wait(throttle.attempt("gw", address("10.0.0.2")), now).is_none());
    }

    #[test]
    fn an_ipv6_client_is_its_network() {
        assert_eq!(network_of(address("2001:db8::1:2:3:4")), address("2001:db8::"));
        assert_eq!(network_of(address("::ffff:10.1.2.3")), address("10.1.2.3"));
    }

    #[test]
    fn memory_is_bounded() {
        let throttle = Throttle::new();
        let now = Instant::now();
        for n in 0..100_000u32 {
            let from = IpAddr::V4(std::net::Ipv4Addr::from_bits(n));
            throttle.failed(throttle.attempt(&n.to_string(), from), now);
        }
        let records = throttle.lock();
        assert!(records.new.len() <= HALF && records.old.len() <= HALF);
    }
}
