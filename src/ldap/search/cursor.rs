//! A search that is under way: it can be stopped after any entry and goes on later.

use super::ReadError;
use super::paging::{Position, Seal};
use super::projection::Projection;
use super::question::Question;
use super::scope::{NoRegion, Region};
use super::sort::{SortPosition, Sorted};
use super::test::Test;
use super::visible::Visible;
use crate::directory::schema;
use crate::ldap::server::Server;
use crate::ldap::slice::Slice;
use crate::ldap::wire::response::{self, DoneExtras, Outcome, SortResult};
use crate::replica::ids::{Ids, Number};
use crate::replica::reader::{Snapshot, StoredEntry};
use ldap3_proto::LdapResultCode;
use std::sync::Arc;
use std::time::Instant;

/// After so many candidates the time limit is looked at.
const CANDIDATES_PER_CLOCK: usize = 256;

/// One running search and everything it needs.
pub(crate) struct Cursor {
    /// The request's number.
    pub(crate) id: i32,
    /// The state that is searched, from the first entry to the last.
    pub(crate) snapshot: Arc<Snapshot>,
    /// The candidates.
    pub(crate) feed: Feed,
    /// Where candidates must lie.
    pub(crate) region: Region,
    /// Where they must lie to be seen by this client.
    pub(crate) visible: Visible,
    /// Where entries must lie to have a part in what is made of several.
    pub(crate) known: Visible,
    /// What candidates must pass; `None` where all match.
    pub(crate) test: Option<Test>,
    /// What is returned of them.
    pub(crate) projection: Projection,
    /// How many candidates may be looked at that the indexes have not decided.
    pub(crate) candidates_left: u32,
    /// How many entries may be returned before the size limit is exceeded.
    pub(crate) size_left: u32,
    /// When the request was looked at.
    pub(crate) started: Instant,
    /// When the time limit is exceeded.
    pub(crate) deadline: Option<Instant>,
    /// Present where the client asked for pages.
    pub(crate) page: Option<Page>,
    /// Present where the client asked for an order.
    pub(crate) sorted: Option<SortResult>,
    /// Entries returned so far.
    pub(crate) returned: u32,
}

/// Where candidates come from.
pub(crate) enum Feed {
    /// That is not known yet.
    Question(Box<Question>),
    /// There are none: this is the result.
    Over(Outcome),
    /// What is asked for cannot be read.
    Unreadable(ReadError),
    /// By their numbers; the second one is the first that has not been looked at.
    Numbers(Ids, Number),
    /// In an order.
    Sorted(Box<Sorted>),
}

/// The page that is being filled.
pub(crate) struct Page {
    /// How many entries it may still hold; `None` where all of the answer fits into it.
    pub(crate) left: Option<u32>,
    /// Entries of the pages before.
    pub(crate) sent: u32,
    /// Makes the cookie.
    pub(crate) seal: Seal,
    /// The time, in seconds since 1970.
    pub(crate) now: u64,
}

/// How far a step came.
pub(crate) enum Step {
    /// There is more to do.
    More,
    /// All has been written, with this result.
    Done(LdapResultCode),
}

/// How far a walk came.
struct Walked {
    /// Why it stopped before all candidates had been looked at.
    pause: Option<Pause>,
    /// How many have been.
    count: usize,
    /// The first that has not been.
    stopped_at: Number,
}

enum Pause {
    Slice,
    Full,
    End(Outcome, Option<Vec<u8>>),
}

impl Cursor {
    /// Whether the indexes have to be asked first, see [`Cursor::plan`].
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.feed, Feed::Question(_))
    }

    /// Asks the indexes, where that has not been done. Takes up to seconds.
    pub(crate) fn plan(&mut self) {
        let feed = std::mem::replace(&mut self.feed, Feed::Numbers(Ids::default(), 0));
        let Feed::Question(question) = feed else {
            self.feed = feed;
            return;
        };
        if self.is_late() {
            self.feed = Feed::Over(late_outcome());
            return;
        }
        self.feed = match question.settle(&self.snapshot) {
            Ok(settled) => {
                (self.region, self.test) = (settled.region, settled.test);
                self.sorted = settled.sorted;
                settled.feed
            }
            Err(NoRegion::Unreadable(error)) => Feed::Unreadable(error),
            Err(NoRegion::Answer(outcome)) => Feed::Over(outcome),
            Err(NoRegion::Unsortable(refused)) => {
                self.sorted = Some(refused);
                Feed::Over(super::unsortable())
            }
        };
    }

    /// Writes entries, until `out` holds `room` octets, the slice is spent or the search
    /// is at its end, which writes the result as well.
    pub(crate) fn step(
        &mut self,
        server: &Server,
        out: &mut Vec<u8>,
        room: usize,
        slice: &mut Slice,
    ) -> Step {
        self.plan();
        let mut feed = std::mem::replace(&mut self.feed, Feed::Numbers(Ids::default(), 0));
        let pause = self.feed_on(&mut feed, out, room, slice);
        self.feed = feed;
        match pause {
            Ok(pause) => self.finish(server, out, pause),
            Err(error) => {
                let outcome = server.unreadable(&error);
                response::search_done(out, self.id, &outcome, &DoneExtras::default());
                Step::Done(outcome.code)
            }
        }
    }

    /// Writes the result, if this is the end.
    fn finish(&mut self, server: &Server, out: &mut Vec<u8>, pause: Pause) -> Step {
        let Pause::End(outcome, cookie) = pause else { return Step::More };
        let cookie = cookie.or(self.page.as_ref().map(|_| Vec::new()));
        let extras = DoneExtras { cookie, sorted: self.sorted.take() };
        response::search_done(out, self.id, &outcome, &extras);
        let success = outcome.code == LdapResultCode::Success;
        server.counters.searched(u64::from(self.returned), success);
        Step::Done(outcome.code)
    }

    /// Walks on from where the last step stopped.
    fn feed_on(
        &mut self,
        feed: &mut Feed,
        out: &mut Vec<u8>,
        room: usize,
        slice: &mut Slice,
    ) -> Result<Pause, ReadError> {
        let unsorted = |_: usize| None;
        let walked = match feed {
            // [`Cursor::plan`] leaves no question.
            Feed::Question(_) => return Ok(Pause::Slice),
            Feed::Over(outcome) => {
                let nothing = Outcome::success();
                return Ok(Pause::End(std::mem::replace(outcome, nothing), None));
            }
            Feed::Unreadable(error) => {
                return Err(std::mem::replace(error, super::damaged("an index")));
            }
            Feed::Numbers(Ids::Few(list), next) => {
                let from = list.partition_point(|number| *number < *next);
                let rest = list.get(from..).unwrap_or_default();
                let walked = self.walk(rest.iter().copied(), &unsorted, out, room, slice)?;
                *next = walked.stopped_at;
                walked
            }
            Feed::Numbers(Ids::Many(set), next) => {
                let walked = self.walk(set.range(*next..), &unsorted, out, room, slice)?;
                *next = walked.stopped_at;
                walked
            }
            Feed::Sorted(sorted) => loop {
                let place = |ahead: usize| Some(sorted.position(ahead));
                let walked = self.walk(sorted.ready(), &place, out, room, slice)?;
                sorted.advance(walked.count);
                if walked.pause.is_some() || !sorted.refill(&self.snapshot)? {
                    break walked;
                }
                if self.is_late() {
                    return Ok(late());
                }
                if slice.spent(Slice::UNKNOWN) {
                    return Ok(Pause::Slice);
                }
            },
        };
        Ok(walked.pause.unwrap_or(Pause::End(Outcome::success(), None)))
    }

    /// Looks at candidates, one after the other; `place` tells where in a sorted answer
    /// the one after so many others stands.
    fn walk(
        &mut self,
        numbers: impl Iterator<Item = Number>,
        place: &dyn Fn(usize) -> Option<SortPosition>,
        out: &mut Vec<u8>,
        room: usize,
        slice: &mut Slice,
    ) -> Result<Walked, ReadError> {
        let snapshot = Arc::clone(&self.snapshot);
        let parts = self.test.as_ref().map_or(1, Test::parts);
        let mut count = 0;
        for number in numbers {
            let stop = |pause| Ok(Walked { pause: Some(pause), count, stopped_at: number });
            if out.len() >= room {
                return stop(Pause::Full);
            }
            // At least one candidate is looked at in each step.
            if count > 0 && slice.spent(parts) {
                return stop(Pause::Slice);
            }
            if count.is_multiple_of(CANDIDATES_PER_CLOCK) && self.is_late() {
                return stop(late());
            }
            // An index that names an entry which is not there is damage, not absence.
            let entry =
                snapshot.entry(number)?.ok_or_else(|| super::damaged("an entry of an index"))?;
            if self.test.is_some() {
                // RFC 4511 4.1.9: adminLimitExceeded, "an operational limit".
                let Some(left) = self.candidates_left.checked_sub(1) else {
                    let code = LdapResultCode::AdminLimitExceeded;
                    let message = "too many entries would have to be looked at";
                    return stop(Pause::End(Outcome::new(code, message), None));
                };
                self.candidates_left = left;
            }
            if self.wants(&entry)? {
                if let Some(page) = &self.page
                    && page.left == Some(0)
                {
                    let sent = page.sent.saturating_add(self.returned);
                    let position = Position { next: number, sent, sorted: place(count) };
                    let cookie = page.seal.cookie(&position, page.now);
                    return stop(Pause::End(Outcome::success(), Some(cookie)));
                }
                // RFC 4511 4.5.1.4: "the maximum number of entries to be returned"; those
                // found until then have been sent.
                if self.size_left == 0 {
                    let code = LdapResultCode::SizeLimitExceeded;
                    return stop(Pause::End(Outcome::new(code, "size limit exceeded"), None));
                }
                let around = (&*snapshot, schema::standard());
                let counts = |other: &StoredEntry<'_>| {
                    let identity = other.view().identity();
                    self.known.holds(&snapshot, other.number(), &identity)
                };
                self.projection.write(out, self.id, &entry, around, &counts)?;
                self.returned += 1;
                self.size_left -= 1;
                if let Some(Page { left: Some(left), .. }) = &mut self.page {
                    *left -= 1;
                }
            }
            count += 1;
        }
        Ok(Walked { pause: None, count, stopped_at: Number::MAX })
    }

    fn wants(&self, entry: &StoredEntry<'_>) -> Result<bool, ReadError> {
        let identity = match (&self.region, &self.visible) {
            (Region::Everything, Visible::Everywhere) => None,
            _ => Some(entry.view().identity()),
        };
        let holds = |identity| {
            self.region.holds(&self.snapshot, entry.number(), &identity)
                && self.visible.holds(&self.snapshot, entry.number(), &identity)
        };
        if !identity.is_none_or(holds) {
            return Ok(false);
        }
        self.test.as_ref().map_or(Ok(true), |test| test.passes(entry))
    }

    /// Ends the search because its time is over.
    pub(crate) fn expire(&mut self, server: &Server, out: &mut Vec<u8>) {
        self.finish(server, out, late());
    }

    /// Whether the time limit is exceeded.
    pub(crate) fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}

fn late() -> Pause {
    Pause::End(late_outcome(), None)
}

fn late_outcome() -> Outcome {
    Outcome::new(LdapResultCode::TimeLimitExceeded, "time limit exceeded")
}
