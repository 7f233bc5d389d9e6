//! From a filter to the entries that may match it, by the indexes alone.
//! Pure: no clock; reads the snapshot.

use super::error::Error;
use super::ids::Ids;
use super::keys;
use super::reader::Snapshot;
use super::steps::{self, Known, Outcome, Step, Trace, Untried};
use crate::directory::attribute::{AttributeId, Syntax};
use crate::directory::filter::Substrings;
use crate::directory::predicate::Predicate;
use crate::directory::schema;
use std::cell::Cell;
use std::ops::Bound;

/// A set of entries: those listed, or all but those listed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found {
    ids: Ids,
    complement: bool,
    /// Whether all of them match; otherwise they must be tested, one by one.
    pub(crate) exact: bool,
}

/// What may look at more rows than so many, a few milliseconds, is not done on a thread that
/// serves others meanwhile.
pub(crate) const MANY_ROWS: u64 = 50_000;

/// With so few candidates left it is cheaper to test them than to look further.
const FEW: usize = 32;

impl Found {
    fn these(ids: Ids, exact: bool) -> Self {
        Found { ids, complement: false, exact }
    }

    fn none() -> Self {
        Self::these(Ids::default(), true)
    }

    fn all(exact: bool) -> Self {
        Found { ids: Ids::default(), complement: true, exact }
    }

    /// Whether this is every entry.
    pub(crate) fn is_all(&self) -> bool {
        self.complement && self.ids.is_empty()
    }

    /// Whether this is certainly no entry.
    pub(crate) fn is_none(&self) -> bool {
        !self.complement && self.ids.is_empty()
    }

    fn few(&self) -> bool {
        !self.complement && self.ids.len() <= FEW
    }

    fn and(self, other: Found) -> Found {
        let exact = self.exact && other.exact;
        let (ids, complement) = match (self.complement, other.complement) {
            (false, false) => (self.ids.and(&other.ids), false),
            (false, true) => (self.ids.minus(&other.ids), false),
            (true, false) => (other.ids.minus(&self.ids), false),
            (true, true) => (self.ids.or(other.ids), true),
        };
        Found { ids, complement, exact }
    }

    fn or(self, other: Found) -> Found {
        let exact = self.exact && other.exact;
        let (ids, complement) = match (self.complement, other.complement) {
            (false, false) => (self.ids.or(other.ids), false),
            (false, true) => (other.ids.minus(&self.ids), true),
            (true, false) => (self.ids.minus(&other.ids), true),
            (true, true) => (self.ids.and(&other.ids), true),
        };
        Found { ids, complement, exact }
    }

    /// Everything else; of an inexact set nothing is known about that.
    fn not(self) -> Found {
        if self.exact { Found { complement: !self.complement, ..self } } else { Found::all(false) }
    }

    /// How many there are.
    pub(crate) fn count(&self, snapshot: &Snapshot) -> Result<u64, Error> {
        let listed = self.ids.len() as u64;
        Ok(if self.complement { snapshot.len()?.saturating_sub(listed) } else { listed })
    }

    /// What is known of it.
    pub(crate) fn known(&self) -> Known {
        Known { listed: self.ids.len(), complement: self.complement, exact: self.exact }
    }

    /// The numbers.
    pub(crate) fn into_ids(self, snapshot: &Snapshot) -> Result<Ids, Error> {
        if self.complement { Ok(snapshot.all()?.minus(&self.ids)) } else { Ok(self.ids) }
    }
}

/// How much may be looked up for one search, in rows of an index. It is done in one go,
/// so a filter of thousands of ranges would keep a thread busy for minutes. When it is
/// spent, the rest of the filter is left to the test of each candidate, which pauses for
/// others and has limits.
pub(crate) struct Budget {
    left: Cell<u64>,
    entries: u64,
    enough: Option<usize>,
    /// How many rows may be looked at before the search is given up.
    patience: Cell<u64>,
}

impl Budget {
    /// Enough to look at every entry a few times.
    pub(crate) fn new(snapshot: &Snapshot) -> Result<Self, Error> {
        let entries = snapshot.len()?;
        let left = Cell::new(100_000 + 4 * entries);
        Ok(Budget { left, entries, enough: None, patience: Cell::new(u64::MAX) })
    }

    /// So many lookups.
    #[cfg(test)]
    pub(crate) fn of(lookups: u64) -> Self {
        let (left, patience) = (Cell::new(lookups), Cell::new(u64::MAX));
        Budget { left, entries: 0, enough: None, patience }
    }

    /// So many entries that certainly match are as good as all of them: no more can be
    /// returned, whichever they are.
    pub(crate) fn enough(self, entries: usize) -> Self {
        Budget { enough: Some(entries), ..self }
    }

    /// Gives the search up before a lookup that may look at more rows than are left of
    /// these: [`Budget::is_given_up`], and what was found is nothing.
    pub(crate) fn patience(self, rows: u64) -> Self {
        Budget { patience: Cell::new(rows), ..self }
    }

    /// Whether it was given up.
    pub(crate) fn is_given_up(&self) -> bool {
        self.patience.get() == 0
    }

    /// Whether a lookup is to be made.
    fn allows(&self, leaf: &Predicate, enough: Option<usize>) -> bool {
        let rows = rows_at_most(leaf, self.entries, enough);
        self.patience.set(self.patience.get().saturating_sub(rows));
        !self.is_spent() && !self.is_given_up()
    }

    /// How many rows may still be looked at.
    pub(crate) fn left(&self) -> u64 {
        self.left.get()
    }

    /// Whether nothing more should be looked up.
    pub(crate) fn is_spent(&self) -> bool {
        self.left.get() == 0
    }

    /// Roughly what a lookup has cost. Rows of a range are merged one by one; keys that a
    /// test does not pick are skipped, and whole sets copied, many times as fast.
    fn spend(&self, leaf: &Predicate, found: &Found) {
        let len = found.ids.len() as u64;
        let rows = match leaf {
            Predicate::GreaterOrEqual(..) | Predicate::LessOrEqual(..) => len,
            Predicate::Substrings(id, pieces) if by_grams(*id, pieces) => len / 128 + 8,
            Predicate::Substrings(..) | Predicate::AllBits(..) | Predicate::AnyBits(..) => {
                len + self.entries / 8
            }
            Predicate::InChain(..) => 4 * len,
            _ => len / 128,
        };
        self.left.set(self.left.get().saturating_sub(rows + 1));
    }
}

/// A superset of the entries that `predicate` is true of; all of them are where it is exact.
pub(crate) fn matching(
    predicate: &Predicate,
    snapshot: &Snapshot,
    budget: &Budget,
) -> Result<Found, Error> {
    Plan { snapshot, budget, trace: None }.find(predicate)
}

/// As [`matching`], with notes of what is done.
pub(crate) fn matching_noted<'p>(
    predicate: &'p Predicate,
    snapshot: &Snapshot,
    budget: &Budget,
    trace: &Trace<'p>,
) -> Result<Found, Error> {
    Plan { snapshot, budget, trace: Some(trace) }.decide(predicate, true)
}

struct Plan<'s, 'p> {
    snapshot: &'s Snapshot,
    budget: &'s Budget,
    /// Where somebody wants to know what is done.
    trace: Option<&'s Trace<'p>>,
}

impl<'p> Plan<'_, 'p> {
    /// The whole filter. What is found may be less than everything only here: nothing is
    /// taken away from it any more.
    fn find(&self, predicate: &'p Predicate) -> Result<Found, Error> {
        let Some(enough) = self.budget.enough else { return self.decide(predicate, true) };
        match predicate {
            Predicate::And(list) => match list.as_slice() {
                [only] => self.find(only),
                _ => self.decide(predicate, true),
            },
            Predicate::Or(list) => {
                let mut found = Found::none();
                for inner in list {
                    found = found.or(self.find(inner)?);
                    if found.exact && !found.complement && found.ids.len() >= enough {
                        break;
                    }
                }
                Ok(found)
            }
            leaf @ (Predicate::Substrings(..)
            | Predicate::GreaterOrEqual(..)
            | Predicate::LessOrEqual(..)) => self.lookup(leaf, Some(enough)),
            other => self.decide(other, true),
        }
    }

    fn decide(&self, predicate: &'p Predicate, truth: bool) -> Result<Found, Error> {
        let Some(trace) = self.trace else { return self.decided(predicate, truth) };
        let before = self.budget.left();
        trace.enter();
        let found = self.decided(predicate, truth)?;
        let outcome = match before == 0 && steps::Index::of(predicate).is_some() {
            true => Outcome::Untried(Untried::Spent),
            false => Outcome::Found(found.known()),
        };
        trace.leave(Step::new(predicate, truth, outcome, before - self.budget.left()));
        Ok(found)
    }

    /// Of parts that are not decided on.
    fn pass_over(&self, parts: impl Iterator<Item = &'p Predicate>, truth: bool, why: Untried) {
        if let Some(trace) = self.trace {
            parts.for_each(|part| trace.add(Step::new(part, truth, Outcome::Untried(why), 0)));
        }
    }

    /// A superset of the entries of which `predicate` is `truth`. Three values need both
    /// sides: an entry of which a part is Undefined is in neither set.
    fn decided(&self, predicate: &'p Predicate, truth: bool) -> Result<Found, Error> {
        match predicate {
            Predicate::Not(inner) => self.decide(inner, !truth),
            Predicate::Undefined => Ok(Found::none()),
            Predicate::And(list) if truth => self.all_of(list, truth),
            Predicate::Or(list) if !truth => self.all_of(list, truth),
            Predicate::And(list) | Predicate::Or(list) => self.any_of(list, truth),
            leaf if truth => self.lookup(leaf, None),
            leaf => Ok(self.lookup(leaf, None)?.not()),
        }
    }

    fn all_of(&self, list: &'p [Predicate], truth: bool) -> Result<Found, Error> {
        let mut order: Vec<(u8, &'p Predicate)> =
            list.iter().map(|p| (rank(p, truth), p)).collect();
        order.sort_by_key(|(rank, _)| *rank);
        let mut left = order.len();
        let mut found = Found::all(true);
        for (at, (_, inner)) in order.iter().enumerate() {
            let rest = || order.iter().skip(at).map(|(_, inner)| *inner);
            if found.is_none() {
                self.pass_over(rest(), truth, Untried::NothingLeft);
                break;
            }
            if found.few() {
                // The rest is left to the test of each candidate.
                found.exact = false;
                self.pass_over(rest(), truth, Untried::FewLeft);
                break;
            }
            found = found.and(self.decide(inner, truth)?);
            left -= 1;
        }
        // No entry at all is certain, whatever has not been looked at.
        found.exact |= found.is_none();
        debug_assert!(left == 0 || !found.exact || found.is_none());
        Ok(found)
    }

    fn any_of(&self, list: &'p [Predicate], truth: bool) -> Result<Found, Error> {
        let mut found = Found::none();
        for (at, inner) in list.iter().enumerate() {
            found = found.or(self.decide(inner, truth)?);
            if found.is_all() && !found.exact {
                self.pass_over(list.iter().skip(at + 1), truth, Untried::AllFound);
                break;
            }
        }
        Ok(found)
    }

    fn lookup(&self, leaf: &Predicate, enough: Option<usize>) -> Result<Found, Error> {
        if !self.budget.allows(leaf, enough) {
            return Ok(Found::all(false));
        }
        let found = lookup(leaf, self.snapshot, enough)?;
        self.budget.spend(leaf, &found);
        Ok(found)
    }
}

fn lookup(leaf: &Predicate, snapshot: &Snapshot, enough: Option<usize>) -> Result<Found, Error> {
    let exact = |ids: Ids| Found::these(ids, true);
    Ok(match leaf {
        // Every entry has an object class.
        Predicate::Present(id) if is_object_class(*id) => Found::all(true),
        Predicate::Present(id) => exact(snapshot.present(*id)?),
        Predicate::Equal(id, key) => exact(snapshot.equal(*id, key)?),
        Predicate::GreaterOrEqual(id, key) => {
            exact(snapshot.range(*id, Bound::Included(key), Bound::Unbounded, enough)?)
        }
        Predicate::LessOrEqual(id, key) => {
            exact(snapshot.range(*id, Bound::Unbounded, Bound::Included(key), enough)?)
        }
        Predicate::Substrings(id, pieces) => {
            let any = pieces.initial.is_some() || !pieces.any.is_empty() || pieces.last.is_some();
            if !any {
                return Ok(exact(snapshot.present(*id)?));
            }
            let (ids, all_match) = snapshot.substrings(*id, pieces, enough)?;
            Found::these(ids, all_match)
        }
        Predicate::AllBits(id, mask) => exact(bits(snapshot, *id, &|n| n & mask == *mask)?),
        Predicate::AnyBits(id, mask) => exact(bits(snapshot, *id, &|n| n & mask != 0)?),
        Predicate::InChain(id, key) => exact(snapshot.in_chain(*id, key)?),
        Predicate::And(_) | Predicate::Or(_) | Predicate::Not(_) | Predicate::Undefined => {
            Found::all(false)
        }
    })
}

fn bits(snapshot: &Snapshot, id: AttributeId, test: &dyn Fn(i64) -> bool) -> Result<Ids, Error> {
    snapshot.keys_matching(id, None, &|key| Syntax::number_of_key(key).is_some_and(test))
}

/// Roughly how many rows a lookup among so many entries looks at, at most, merged one by one,
/// or as much work as that. What it has cost is known only behind it: [`Budget::spend`].
fn rows_at_most(leaf: &Predicate, entries: u64, enough: Option<usize>) -> u64 {
    let enough = enough.map_or(entries, |enough| entries.min(enough as u64));
    1 + match leaf {
        Predicate::Equal(id, _) if rank_of_equality(*id) == RANK_OF_UNIQUE => 0,
        Predicate::Substrings(id, pieces) if by_grams(*id, pieces) => entries / 512,
        Predicate::Substrings(_, pieces) if pieces.any.is_empty() && pieces.last.is_none() => {
            enough
        }
        Predicate::GreaterOrEqual(..) | Predicate::LessOrEqual(..) => enough,
        Predicate::Substrings(..)
        | Predicate::AllBits(..)
        | Predicate::AnyBits(..)
        | Predicate::InChain(..) => entries,
        // Sets are copied many times as fast as rows are merged.
        _ => entries / 2048,
    }
}

/// How much a part of an And costs to look up and how little it narrows, roughly.
fn rank(predicate: &Predicate, truth: bool) -> u8 {
    match predicate {
        Predicate::Undefined => 0,
        Predicate::Not(inner) => rank(inner, !truth),
        Predicate::And(list) | Predicate::Or(list) => {
            let ranks = list.iter().map(|inner| rank(inner, truth));
            let narrows = matches!(predicate, Predicate::And(_)) == truth;
            let best = if narrows { ranks.min() } else { ranks.max() };
            best.unwrap_or(0).saturating_add(1)
        }
        _ if !truth => 90,
        Predicate::Equal(id, _) => rank_of_equality(*id),
        Predicate::Substrings(_, pieces) if pieces.any.is_empty() && pieces.last.is_none() => 20,
        Predicate::InChain(..) => 30,
        Predicate::Substrings(..) => 40,
        Predicate::GreaterOrEqual(..) | Predicate::LessOrEqual(..) => 60,
        Predicate::AllBits(..) | Predicate::AnyBits(..) => 65,
        Predicate::Present(_) => 70,
    }
}

const RANK_OF_UNIQUE: u8 = 5;

fn rank_of_equality(id: AttributeId) -> u8 {
    match schema::standard().get(id) {
        Some(a) if matches!(a.syntax, Syntax::ObjectClass | Syntax::ObjectCategory) => 80,
        Some(a) if matches!(a.syntax, Syntax::Boolean | Syntax::Integer) => 50,
        _ if keys::is_nearly_unique(id) || keys::is_own_name(id) => RANK_OF_UNIQUE,
        _ => 10,
    }
}

/// Whether an index knows which entries hold such pieces.
pub(super) fn by_grams(id: AttributeId, pieces: &Substrings) -> bool {
    let mut all = pieces.initial.iter().chain(&pieces.any).chain(&pieces.last);
    let has_index = || schema::standard().get(id).is_some_and(|found| found.substrings_index);
    all.any(|piece| piece.len() >= 3) && has_index()
}

pub(super) fn is_object_class(id: AttributeId) -> bool {
    schema::standard().get(id).is_some_and(|attribute| {
        attribute.syntax == Syntax::ObjectClass && attribute.name == "objectClass"
    })
}
