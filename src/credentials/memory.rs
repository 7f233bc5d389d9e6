//! What is remembered of users and of names that are nobody's: seals of passwords, how often
//! they were wrong, and where they were right. Bounded. Pure: no I/O, no clock.

use super::Answer;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A wrong password that comes again so soon is wrong without Entra, as long as nothing is
/// known to have changed: a program with an old one asks again and again. Entra counts its
/// last three wrong ones once, Active Directory behind a pass-through agent counts all.
const STILL_WRONG: Duration = Duration::from_secs(1800);
/// A network that a user has been right in so lately is the user's.
const TRUSTED: Duration = Duration::from_secs(86_400);
/// Of each user: how many wrong passwords are told from new ones, and how many networks.
const WRONGS: usize = 16;
const PLACES: usize = 8;

/// A keyed hash of a password and whose it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Seal(pub(super) [u8; 32]);

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal")
    }
}

impl Seal {
    /// In a time that does not tell where they differ.
    fn is(&self, other: &Seal) -> bool {
        self.0.iter().zip(&other.0).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
    }
}

/// How much is remembered and allowed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// How long a right password is remembered.
    pub(super) cache: Duration,
    /// How many wrong ones there may be.
    pub(super) failures: u32,
    /// How long Entra is not asked then.
    pub(super) pause: Duration,
}

/// Everybody that is remembered: when one half is full, the older one is dropped.
pub(super) struct Book {
    half: usize,
    pages: Mutex<Pages>,
}

#[derive(Default)]
struct Pages {
    new: HashMap<u64, Record>,
    old: HashMap<u64, Record>,
}

/// What is remembered of one.
#[derive(Default)]
struct Record {
    version: u64,
    right: Option<(Seal, Instant)>,
    wrongs: VecDeque<Wrong>,
    tally: Tally,
    /// Wherever they came from.
    all: Tally,
    places: Vec<Place>,
    turn: Arc<tokio::sync::Mutex<()>>,
}

struct Wrong {
    seal: Seal,
    network: IpAddr,
    asked: Instant,
    /// Whether it is in the tally: not if the user was right behind it.
    counted: bool,
}

/// Where the user has been right.
struct Place {
    network: IpAddr,
    right: Instant,
    tally: Tally,
}

/// Wrong passwords one after the other.
#[derive(Default)]
struct Tally {
    failures: u32,
    last: Option<Instant>,
    until: Option<Instant>,
}

impl Tally {
    /// Says whether a pause begins.
    fn count(&mut self, limits: &Limits, now: Instant) -> bool {
        if self.last.is_some_and(|last| now.saturating_duration_since(last) >= limits.pause) {
            self.failures = 0;
        }
        self.failures += 1;
        self.last = Some(now);
        let full = self.failures >= limits.failures;
        if full {
            self.failures = 0;
            self.until = Some(now + limits.pause);
        }
        full
    }

    fn pauses(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }
}

impl Book {
    /// Of twice so many at most.
    pub(super) fn new(half: usize) -> Self {
        Book { half, pages: Mutex::default() }
    }

    /// The answer, as far as it is known without asking.
    pub(super) fn recall(
        &self,
        (key, version): (u64, u64),
        seal: &Seal,
        network: IpAddr,
        limits: &Limits,
        now: Instant,
    ) -> Option<Answer> {
        let pages = &mut *self.lock();
        let record = pages.find(key, self.half);
        record.renew(version);
        let paused = match record.place(network, now) {
            // Guesses elsewhere do not keep the user out at home.
            Some(place) => place.tally.pauses(now),
            None => record.tally.pauses(now),
        } || record.all.pauses(now);
        let same = |wrong: &&Wrong| wrong.seal.is(seal);
        let still = |wrong: &Wrong| {
            now.saturating_duration_since(wrong.asked) < STILL_WRONG.max(limits.pause)
        };
        if record.wrongs.iter().find(same).is_some_and(still) {
            return Some(Answer::Wrong);
        }
        // Before the cache is looked at: it must not answer the guesses that Entra is spared.
        if paused {
            return Some(Answer::Locked);
        }
        let is_right = |(right, until): &(Seal, Instant)| now < *until && right.is(seal);
        let right = !limits.cache.is_zero() && record.right.as_ref().is_some_and(is_right);
        right.then_some(Answer::Right)
    }

    /// Whoever asks about this one waits for it.
    pub(super) fn turn(&self, key: u64) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(&self.lock().find(key, self.half).turn)
    }

    /// Remembers an answer. Says whether Entra is not asked any more for a while.
    pub(super) fn record(
        &self,
        (key, version): (u64, u64),
        seal: &Seal,
        network: IpAddr,
        answer: Answer,
        limits: &Limits,
        now: Instant,
    ) -> bool {
        let pages = &mut *self.lock();
        let record = pages.find(key, self.half);
        record.renew(version);
        match answer {
            Answer::Right => {
                record.right = (!limits.cache.is_zero()).then_some((*seal, now + limits.cache));
                record.wrongs.retain(|wrong| !wrong.seal.is(seal));
                record.right_at(network, now);
                false
            }
            Answer::Wrong => record.wrong(seal, network, limits, now),
            // The service is in trouble: what was right is right.
            Answer::Unavailable | Answer::Busy => false,
            _ => {
                record.right = record.right.take().filter(|(right, _)| !right.is(seal));
                false
            }
        }
    }

    /// This one was right, there.
    pub(super) fn right_at(&self, key: u64, network: IpAddr, now: Instant) {
        self.lock().find(key, self.half).right_at(network, now);
    }

    /// Forgets which passwords were right or wrong; other settings may see that otherwise.
    pub(super) fn forget_answers(&self) {
        let pages = &mut *self.lock();
        for record in pages.new.values_mut().chain(pages.old.values_mut()) {
            record.right = None;
            record.wrongs.clear();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    fn find(&mut self, key: u64, half: usize) -> &mut Record {
        if !self.new.contains_key(&key) {
            let known = self.old.remove(&key);
            if self.new.len() >= half {
                self.old = std::mem::take(&mut self.new);
            }
            self.new.insert(key, known.unwrap_or_default());
        }
        self.new.entry(key).or_default()
    }
}

impl Record {
    /// Another version is another password or another state: nothing but the places where the
    /// user was right says anything any more.
    fn renew(&mut self, version: u64) {
        if self.version == version {
            return;
        }
        self.version = version;
        self.right = None;
        self.wrongs.clear();
        (self.tally, self.all) = (Tally::default(), Tally::default());
        self.places.iter_mut().for_each(|place| place.tally = Tally::default());
    }

    /// The network, if the user is known to be in it.
    fn place(&self, network: IpAddr, now: Instant) -> Option<&Place> {
        let trusted = |place: &&Place| now.saturating_duration_since(place.right) < TRUSTED;
        self.places.iter().find(|place| place.network == network).filter(trusted)
    }

    /// Wrong ones before it, from there, were slips of the user.
    fn right_at(&mut self, network: IpAddr, now: Instant) {
        let mut forgiven = 0;
        for slip in self.wrongs.iter_mut().filter(|w| w.network == network && w.counted) {
            slip.counted = false;
            forgiven += 1;
        }
        self.tally.failures = self.tally.failures.saturating_sub(forgiven);
        self.all.failures = self.all.failures.saturating_sub(forgiven);
        self.places.retain(|place| place.network != network);
        if self.places.len() >= PLACES {
            let oldest = self.places.iter().enumerate().min_by_key(|(_, place)| place.right);
            if let Some(oldest) = oldest.map(|(at, _)| at) {
                self.places.swap_remove(oldest);
            }
        }
        self.places.push(Place { network, right: now, tally: Tally::default() });
    }

    fn wrong(&mut self, seal: &Seal, network: IpAddr, limits: &Limits, now: Instant) -> bool {
        self.right = self.right.take().filter(|(right, _)| !right.is(seal));
        if let Some(known) = self.wrongs.iter_mut().find(|wrong| wrong.seal.is(seal)) {
            (known.asked, known.counted) = (now, true);
        } else {
            if self.wrongs.len() >= WRONGS {
                self.wrongs.pop_front();
            }
            self.wrongs.push_back(Wrong { seal: *seal, network, asked: now, counted: true });
        }
        let at_home = |place: &&mut Place| {
            place.network == network && now.saturating_duration_since(place.right) < TRUSTED
        };
        let here = self.places.iter_mut().find(at_home);
        let here = here.is_some_and(|place| place.tally.count(limits, now));
        // Slips at home and guesses elsewhere add up, for Entra.
        let most = Limits { failures: limits.failures + limits.failures / 2, ..*limits };
        let all = self.all.count(&most, now);
        self.tally.count(limits, now) || here || all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits =
        Limits { cache: Duration::from_secs(60), failures: 3, pause: Duration::from_secs(600) };

    fn seal(n: u8) -> Seal {
        Seal([n; 32])
    }

    fn at(n: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, n])
    }

    struct World {
        book: Book,
        now: Instant,
    }

    impl World {
        fn new() -> Self {
            World { book: Book::new(8), now: Instant::now() }
        }

        /// Asks; what is not known is answered `truth`, and remembered.
        fn ask(&self, key: u64, n: u8, network: IpAddr, truth: Answer) -> (Answer, bool) {
            self.ask_as(key, 0, n, network, truth)
        }

        fn ask_as(
            &self,
            key: u64,
            version: u64,
            n: u8,
            network: IpAddr,
            truth: Answer,
        ) -> (Answer, bool) {
            let (seal, now) = (seal(n), self.now);
            match self.book.recall((key, version), &seal, network, &LIMITS, now) {
                Some(known) => (known, false),
                None => {
                    self.book.record((key, version), &seal, network, truth, &LIMITS, now);
                    (truth, true)
                }
            }
        }

        fn wait(&mut self, time: Duration) {
            self.now += time;
        }
    }

    const ASKED: bool = true;
    use Answer::{Locked, Right, Wrong};

    #[test]
    fn an_old_password_locks_nobody_out_however_often_it_comes() {
        let mut world = World::new();
        let mut asked = 0;
        for _ in 0..200 {
            let (answer, was_asked) = world.ask(1, 9, at(1), Wrong);
            assert_eq!(answer, Wrong);
            asked += u32::from(was_asked);
            world.wait(Duration::from_secs(30));
        }
        // Once in half an hour.
        assert_eq!(asked, 4);
        assert_eq!(world.ask(1, 1, at(1), Right), (Right, ASKED));
    }

    #[test]
    fn guesses_end_in_a_pause_everywhere_but_at_home() {
        let mut world = World::new();
        assert_eq!(world.ask(1, 1, at(1), Right), (Right, ASKED));
        for n in 10..13 {
            assert_eq!(world.ask(1, n, at(n), Wrong), (Wrong, ASKED));
        }
        assert_eq!(world.ask(1, 13, at(13), Wrong), (Locked, false));
        // Not even the right one, which is remembered, is told there.
        assert_eq!(world.ask(1, 1, at(13), Right), (Locked, false));
        assert_eq!(world.ask(1, 1, at(1), Right), (Right, false));
        world.wait(Duration::from_secs(61));
        assert_eq!(world.ask(1, 1, at(1), Right), (Right, ASKED));
        // Other users are not concerned.
        assert_eq!(world.ask(2, 1, at(13), Right), (Right, ASKED));
        world.wait(LIMITS.pause);
        assert_eq!(world.ask(1, 14, at(13), Wrong), (Wrong, ASKED));
    }

    #[test]
    fn guesses_from_everywhere_add_up() {
        let mut world = World::new();
        assert_eq!(world.ask(1, 1, at(1), Right), (Right, ASKED));
        for (n, network) in [(20, 2), (21, 3), (22, 1), (23, 1)] {
            assert_eq!(world.ask(1, n, at(network), Wrong), (Wrong, ASKED), "{n}");
        }
        assert_eq!(world.ask(1, 1, at(1), Right), (Locked, false));
        world.wait(LIMITS.pause);
        assert_eq!(world.ask(1, 1, at(1), Right), (Right, ASKED));
    }

    #[test]
    fn guesses_at_home_end_there_too() {
        let world = World::new();
        assert_eq!(world.ask(1, 1, at(1), Right), (Right, ASKED));
        for n in 10..13 {
            assert_eq!(world.ask(1, n, at(1), Wrong), (Wrong, ASKED));
        }
        assert_eq!(world.ask(1, 13, at(1), Wrong), (Locked, false));
    }

    #[test]
    fn slips_before_a_right_password_do_not_add_up() {
        let world = World::new();
        for round in 0..10 {
            for n in 0..2 {
                assert_eq!(world.ask(1, 50 + 2 * round + n, at(1), Wrong), (Wrong, ASKED));
            }
            assert!(world.ask(1, 1, at(1), Right).0 == Right);
            world.book.right_at(1, at(1), world.now);
        }
    }

    #[test]
    fn another_version_is_another_password() {
        let world = World::new();
        assert_eq!(world.ask(1, 1, at(1), Right), (Right, ASKED));
        assert_eq!(world.ask(1, 2, at(1), Wrong), (Wrong, ASKED));
        assert_eq!(world.ask(1, 2, at(1), Right), (Wrong, false));
        assert_eq!(world.ask_as(1, 7, 2, at(1), Right), (Right, ASKED));
        assert_eq!(world.ask_as(1, 7, 1, at(1), Wrong), (Wrong, ASKED));
    }

    #[test]
    fn what_is_right_is_remembered_for_its_time_and_only_if_wanted() {
        let mut world = World::new();
        assert_eq!(world.ask(1, 1, at(1), Right), (Right, ASKED));
        assert_eq!(world.ask(1, 1, at(2), Right), (Right, false));
        let off = Limits { cache: Duration::ZERO, ..LIMITS };
        assert_eq!(world.book.recall((1, 0), &seal(1), at(1), &off, world.now), None);
        world.wait(LIMITS.cache);
        assert_eq!(world.ask(1, 1, at(1), Answer::Disabled), (Answer::Disabled, ASKED));
        assert_eq!(world.ask(1, 1, at(1), Right), (Right, ASKED));
        world.book.forget_answers();
        assert_eq!(world.ask(1, 1, at(1), Right), (Right, ASKED));
    }

    #[test]
    fn memory_is_bounded() {
        let world = World::new();
        for key in 0..10_000 {
            world.ask(key, 1, at(1), Wrong);
        }
        for n in 0..200 {
            world.ask(1, n, at(n), if n % 2 == 0 { Right } else { Wrong });
        }
        let pages = world.book.lock();
        assert!(pages.new.len() <= 8 && pages.old.len() <= 8);
        let record = pages.new.get(&1).unwrap();
        assert!(record.wrongs.len() <= WRONGS && record.places.len() <= PLACES);
    }
}
