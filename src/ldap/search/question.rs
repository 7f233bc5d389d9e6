//! What is asked of the indexes before the first entry of an answer can be looked at, and
//! whether that takes so long that it must not happen on a thread that serves others.

use super::ReadError;
use super::cursor::Feed;
use super::scope::{NoRegion, Region};
use super::sort::{FEW, Order, SortPosition, Sorted};
use super::test::{self, Test};
use crate::directory::predicate::Predicate;
use crate::directory::schema;
use crate::ldap::wire::response::SortResult;
use crate::replica::ids::{Ids, Number};
use crate::replica::plan::{self, Budget, Found, MANY_ROWS};
use crate::replica::reader::Snapshot;
use ldap3_proto::LdapResultCode;

/// To prepare a test, each membership that it asks for is followed; more than so many are
/// not followed in passing.
const MANY_MEMBERSHIPS: usize = 8;

/// A search of which no index has been asked yet.
pub(crate) struct Question {
    /// What entries must satisfy.
    pub(super) predicate: Predicate,
    /// Where they must lie.
    pub(super) region: Region,
    /// So many matching entries are as good as all.
    pub(super) enough: Option<usize>,
    /// So many entries of an order are looked for at first.
    pub(super) wanted: usize,
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
    /// Asks the indexes, unless that takes long: milliseconds, and in the worst case seconds.
    pub(super) fn settle_soon(self, snapshot: &Snapshot) -> Result<Settled, NoRegion> {
        let budget = self.budget(snapshot)?.patience(MANY_ROWS);
        let found = self.find(snapshot, &budget)?;
        // Those that are equal by the first of several keys are all read to be sorted by the others.
        let are_many_to_sort = match (&self.order, &found) {
            (Ordered::As(order, _), Some(found)) if !order.has_one_key() => {
                found.count(snapshot)? > FEW as u64
            }
            _ => false,
        };
        let memberships = test::memberships(&self.predicate);
        if budget.is_given_up() || memberships > MANY_MEMBERSHIPS || are_many_to_sort {
            return Ok(Settled::later(self));
        }
        self.conclude(found, snapshot)
    }

    /// Asks the indexes.
    pub(super) fn settle(self, snapshot: &Snapshot) -> Result<Settled, NoRegion> {
        let budget = self.budget(snapshot)?;
        let found = self.find(snapshot, &budget)?;
        self.conclude(found, snapshot)
    }

    fn budget(&self, snapshot: &Snapshot) -> Result<Budget, ReadError> {
        let budget = Budget::new(snapshot)?;
        Ok(match self.enough {
            Some(enough) => budget.enough(enough),
            None => budget,
        })
    }

    /// `None`: a search of named entries reads them; no index is asked.
    fn find(&self, snapshot: &Snapshot, budget: &Budget) -> Result<Option<Found>, ReadError> {
        match self.region {
            Region::These(_) => Ok(None),
            _ => plan::matching(&self.predicate, snapshot, budget).map(Some),
        }
    }

    fn conclude(self, found: Option<Found>, snapshot: &Snapshot) -> Result<Settled, NoRegion> {
        let (candidates, region, test) = candidates(self.predicate, self.region, found, snapshot)?;
        let too_many = SortResult { code: LdapResultCode::AdminLimitExceeded, attribute: None };
        let (feed, sorted) = match self.order {
            Ordered::As(order, _) if order.admits(&candidates) => {
                let from = self.position.map(|position| (self.next, position));
                // The end of a sequence of pages that the client gives up.
                let candidates = if self.next == u32::MAX { Ids::default() } else { candidates };
                let sorted = Sorted::new(order, candidates, from, self.wanted);
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
    found: Option<Found>,
    snapshot: &Snapshot,
) -> Result<(Ids, Region, Option<Test>), NoRegion> {
    let test = |predicate| Test::new(predicate, snapshot).map(Some);
    match (region, found) {
        (Region::These(ids), _) => {
            let test = if always_true(&predicate) { None } else { test(predicate)? };
            Ok((ids, Region::Everything, test))
        }
        (region, Some(found)) if !found.is_none() => {
            let test = if found.exact { None } else { test(predicate)? };
            Ok((found.into_ids(snapshot)?, region, test))
        }
        (region, _) => Ok((Ids::default(), region, None)),
    }
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
    let found = plan::matching(&predicate, snapshot, &budget).unwrap();
    let (ids, _, test) = candidates(predicate, Region::Everything, Some(found), snapshot).unwrap();
    let passes = |number: &u32| {
        let entry = snapshot.entry(*number).unwrap().unwrap();
        test.as_ref().is_none_or(|test| test.passes(&entry).unwrap())
    };
    ids.iter().filter(passes).collect()
}
