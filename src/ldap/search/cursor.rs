//! A search that is under way: it can be stopped after any entry and goes on later.

use super::ReadError;
use super::paging::{Position, Seal};
use super::projection::Projection;
use super::scope::Region;
use super::test::Test;
use super::visible::Visible;
use crate::directory::schema;
use crate::ldap::server::Server;
use crate::ldap::slice::Slice;
use crate::ldap::wire::response::{self, Outcome};
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
    /// The candidates, ascending.
    pub(crate) candidates: Ids,
    /// The first candidate that has not been looked at.
    pub(crate) next: Number,
    /// Where candidates must lie.
    pub(crate) region: Region,
    /// Where they must lie to be seen by this client.
    pub(crate) visible: Visible,
    /// What candidates must pass; `None` where all match.
    pub(crate) test: Option<Test>,
    /// What is returned of them.
    pub(crate) projection: Projection,
    /// How many entries may be returned before the size limit is exceeded.
    pub(crate) size_left: u32,
    /// When the time limit is exceeded.
    pub(crate) deadline: Option<Instant>,
    /// Present where the client asked for pages.
    pub(crate) page: Option<Page>,
    /// Entries returned so far.
    pub(crate) returned: u32,
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

enum Pause {
    Slice,
    Full,
    End(Outcome, Option<Vec<u8>>),
}

impl Cursor {
    /// Writes entries, until `out` holds `room` octets, the slice is spent or the search
    /// is at its end, which writes the result as well.
    pub(crate) fn step(
        &mut self,
        server: &Server,
        out: &mut Vec<u8>,
        room: usize,
        slice: &mut Slice,
    ) -> Step {
        let candidates = std::mem::take(&mut self.candidates);
        let pause = match &candidates {
            Ids::Few(list) => {
                let from = list.partition_point(|number| *number < self.next);
                let rest = list.get(from..).unwrap_or_default();
                self.walk(rest.iter().copied(), out, room, slice)
            }
            Ids::Many(set) => self.walk(set.range(self.next..), out, room, slice),
        };
        self.candidates = candidates;
        match pause {
            Ok(Pause::Slice | Pause::Full) => Step::More,
            Ok(Pause::End(outcome, cookie)) => {
                let cookie = cookie.or(self.page.as_ref().map(|_| Vec::new()));
                response::search_done(out, self.id, &outcome, cookie.as_deref());
                let success = outcome.code == LdapResultCode::Success;
                server.counters.searched(u64::from(self.returned), success);
                Step::Done(outcome.code)
            }
            Err(error) => {
                let outcome = server.unreadable(&error);
                response::search_done(out, self.id, &outcome, None);
                Step::Done(outcome.code)
            }
        }
    }

    fn walk(
        &mut self,
        numbers: impl Iterator<Item = Number>,
        out: &mut Vec<u8>,
        room: usize,
        slice: &mut Slice,
    ) -> Result<Pause, ReadError> {
        let snapshot = Arc::clone(&self.snapshot);
        for (looked_at, number) in numbers.enumerate() {
            self.next = number;
            if out.len() >= room {
                return Ok(Pause::Full);
            }
            // At least one candidate is looked at in each step.
            if looked_at > 0 && slice.spent() {
                return Ok(Pause::Slice);
            }
            if looked_at.is_multiple_of(CANDIDATES_PER_CLOCK) && self.is_late() {
                let code = LdapResultCode::TimeLimitExceeded;
                return Ok(Pause::End(Outcome::new(code, "time limit exceeded"), None));
            }
            // An index that names an entry which is not there is damage, not absence.
            let entry =
                snapshot.entry(number)?.ok_or_else(|| super::damaged("an entry of an index"))?;
            if !self.wants(&entry)? {
                continue;
            }
            if let Some(page) = &self.page
                && page.left == Some(0)
            {
                let sent = page.sent.saturating_add(self.returned);
                let cookie = page.seal.cookie(Position { next: number, sent }, page.now);
                return Ok(Pause::End(Outcome::success(), Some(cookie)));
            }
            // RFC 4511 4.5.1.4: "the maximum number of entries to be returned"; those
            // found until then have been sent.
            if self.size_left == 0 {
                let code = LdapResultCode::SizeLimitExceeded;
                return Ok(Pause::End(Outcome::new(code, "size limit exceeded"), None));
            }
            self.projection.write(out, self.id, &entry, schema::standard())?;
            self.returned += 1;
            self.size_left -= 1;
            if let Some(Page { left: Some(left), .. }) = &mut self.page {
                *left -= 1;
            }
        }
        Ok(Pause::End(Outcome::success(), None))
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

    fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}
