//! What is asked of the indexes before the first entry of an answer can be looked at, and
//! whether that takes so long that it must not happen on a thread that serves others.

use super::ReadError;
use super::cursor::Feed;
use super::scope::{NoRegion, Region};
use super::sort::{Order, SortPosition, Sorted};
use super::test::Test;
use crate::directory::predicate::Predicate;
use crate::directory::schema;
use crate::ldap::wire::response::SortResult;
use crate::replica::ids::{Ids, Number};
use crate::replica::plan::{self, Budget};
use crate::replica::reader::Snapshot;
use ldap3_proto::LdapResultCode;

/// What costs more rows than so many, a few milliseconds, is costly.
pub(crate) const MANY_ROWS: u64 = 50_000;

/// A search of which no index has been asked yet.
pub(crate) struct Question {
    /// What entries must satisfy.
    pub(super) predicate: Predicate,
    /// Where they must lie.
    pub(super) region: Region,
    /// So many matching entries are as good as all.
    pub(super) enough: Option<usize>,
    /// In which order they are returned.
    pub(super) order: Ordered,
    /// The first number that has not been looked at.
    pub(super) next: Number,
    /// Where an order goes on.
    pub(super) position: Option<SortPosition>,
}

/// In which order entries are returned.
pub(super) enum Ordered {
    /// As the client wishes; the flag: or not at all.
    As(Order, bool),
    /// As they come; with the reason where the client wished for an order.
    No(Option<SortResult>),
}

/// What the indexes say.
pub(super) struct Settled {
    pub(super) feed: Feed,
    pub(super) region: Region,
    pub(super) test: Option<Test>,
    pub(super) sorted: Option<SortResult>,
}

impl Settled {
    /// Nothing so far.
    pub(super) fn later(question: Question) -> Self {
        let feed = Feed::Question(Box::new(question));
        Settled { feed, region: Region::Everything, test: None, sorted: None }
    }
}

impl Question {
    /// Whether the answer takes long: milliseconds, and in the worst case seconds.
    pub(super) fn is_costly(&self, snapshot: &Snapshot) -> Result<bool, ReadError> {
        if matches!(self.region, Region::These(_)) {
            return Ok(false);
        }
        Ok(plan::rows_at_most(&self.predicate, snapshot, self.enough)? > MANY_ROWS)
    }

    /// Asks the indexes.
    pub(super) fn settle(self, snapshot: &Snapshot) -> Result<Settled, NoRegion> {
        let mut budget = Budget::new(snapshot)?;
        if let Some(enough) = self.enough {
            budget = budget.enough(enough);
        }
        let (candidates, region, test) =
            candidates(self.predicate, self.region, snapshot, &budget)?;
        let too_many = SortResult { code: LdapResultCode::AdminLimitExceeded, attribute: None };
        let (feed, sorted) = match self.order {
            Ordered::As(order, _) if order.admits(&candidates) => {
                let from = self.position.map(|position| (self.next, position));
                // The end of a sequence of pages that the client gives up.
                let candidates = if self.next == u32::MAX { Ids::default() } else { candidates };
                let sorted = Sorted::new(order, candidates, from);
                (Feed::Sorted(Box::new(sorted)), Some(in_order()))
            }
            Ordered::As(_, true) => return Err(NoRegion::Unsortable(too_many)),
            Ordered::As(_, false) => (Feed::Numbers(candidates, self.next), Some(too_many)),
            Ordered::No(refused) => (Feed::Numbers(candidates, self.next), refused),
        };
        Ok(Settled { feed, region, test, sorted })
    }
}

/// The entries come as the client wishes.
pub(super) fn in_order() -> SortResult {
    SortResult { code: LdapResultCode::Success, attribute: None }
}

/// The candidates, what they must be checked against, and how.
fn candidates(
    predicate: Predicate,
    region: Region,
    snapshot: &Snapshot,
    budget: &Budget,
) -> Result<(Ids, Region, Option<Test>), NoRegion> {
    let test = |predicate| Test::new(predicate, snapshot).map(Some);
    // A search of named entries reads them; no index is asked.
    if let Region::These(ids) = region {
        let test = if always_true(&predicate) { None } else { test(predicate)? };
        return Ok((ids, Region::Everything, test));
    }
    let found = plan::matching(&predicate, snapshot, budget)?;
    if found.is_none() {
        return Ok((Ids::default(), region, None));
    }
    let test = if found.exact { None } else { test(predicate)? };
    Ok((found.into_ids(snapshot)?, region, test))
}

fn always_true(predicate: &Predicate) -> bool {
    let object_class = schema::standard().attribute(b"objectClass").map(|attribute| attribute.id);
    match predicate {
        Predicate::Present(id) => Some(*id) == object_class,
        Predicate::And(list) => list.iter().all(always_true),
        _ => false,
    }
}

/// The numbers that a search of everything finds, with so many lookups and no more than so
/// many of interest, for tests.
#[cfg(test)]
pub(crate) fn found_by_plan(
    predicate: Predicate,
    snapshot: &Snapshot,
    lookups: Option<u64>,
    enough: Option<usize>,
) -> Vec<u32> {
    let budget = lookups.map_or_else(|| Budget::new(snapshot).unwrap(), Budget::of);
    let budget = match enough {
        Some(enough) => budget.enough(enough),
        None => budget,
    };
    let (ids, _, test) = candidates(predicate, Region::Everything, snapshot, &budget).unwrap();
    let passes = |number: &u32| {
        let entry = snapshot.entry(*number).unwrap().unwrap();
        test.as_ref().is_none_or(|test| test.passes(&entry).unwrap())
    };
    ids.iter().filter(passes).collect()
}
