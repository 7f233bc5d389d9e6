//! What a plan has done for each part of a filter, for a person who wonders why a search
//! is slow or finds nothing. Pure: no I/O, no clock.

use super::keys::linked;
use super::plan::{by_grams, is_object_class};
use crate::directory::predicate::Predicate;
use std::cell::RefCell;

/// What was done for a part of a filter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step<'p> {
    /// The part.
    pub(crate) part: &'p Predicate,
    /// Whether entries were looked for that it is true of, or false of.
    pub(crate) truth: bool,
    /// What came out.
    pub(crate) outcome: Outcome,
    /// Roughly how many rows of indexes were looked at, for inner parts, too.
    pub(crate) rows: u64,
    /// What was done for the parts of this part, in the order in which it was done.
    pub(crate) inner: Vec<Step<'p>>,
}

/// What came out for a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A set of entries.
    Found(Known),
    /// The indexes were not asked, which leaves the part to the test of each candidate.
    Untried(Untried),
}

/// What is known of a set of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    /// How many entries are listed.
    pub(crate) listed: usize,
    /// Whether the set is all entries but those.
    pub(crate) complement: bool,
    /// Whether all of the set match; others must be tested.
    pub(crate) exact: bool,
}

/// Why indexes were not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Untried {
    /// No candidate is left.
    NothingLeft,
    /// It is cheaper to test the few candidates that are left.
    FewLeft,
    /// Every entry is a candidate already.
    AllFound,
    /// So many rows have been looked at that no more may be.
    Spent,
}

/// What answers a part by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Index {
    /// Nothing needs to be looked up: it is so of every entry.
    Every,
    /// Which entries have an attribute.
    Presence,
    /// Which entries have a value.
    Equality,
    /// Names of entries, and the edges between them.
    Links,
    /// Neighbouring values in their order.
    Range,
    /// Neighbouring values that begin alike.
    Prefix,
    /// Three octets in a row: a superset of the entries.
    Grams,
    /// Edges between entries, over any number of entries.
    Chain,
    /// Every distinct value of the attribute is looked at.
    Walk,
}

impl Index {
    /// What answers `part`; `None` where it is made of others, or Undefined.
    pub(crate) fn of(part: &Predicate) -> Option<Index> {
        Some(match part {
            Predicate::And(_) | Predicate::Or(_) | Predicate::Not(_) | Predicate::Undefined => {
                return None;
            }
            Predicate::Present(id) if is_object_class(*id) => Index::Every,
            Predicate::Present(_) => Index::Presence,
            Predicate::Equal(id, _) if linked().is_linked(*id) => Index::Links,
            Predicate::Equal(..) => Index::Equality,
            Predicate::GreaterOrEqual(..) | Predicate::LessOrEqual(..) => Index::Range,
            Predicate::Substrings(_, pieces) if pieces.only_initial().is_some() => Index::Prefix,
            Predicate::Substrings(id, pieces) if by_grams(*id, pieces) => Index::Grams,
            Predicate::Substrings(_, pieces) if pieces.any.is_empty() && pieces.last.is_none() => {
                Index::Presence
            }
            Predicate::Substrings(..) | Predicate::AllBits(..) | Predicate::AnyBits(..) => {
                Index::Walk
            }
            Predicate::InChain(..) => Index::Chain,
        })
    }
}

impl<'p> Step<'p> {
    pub(super) fn new(part: &'p Predicate, truth: bool, outcome: Outcome, rows: u64) -> Self {
        Step { part, truth, outcome, rows, inner: Vec::new() }
    }
}

/// Notes of a planner, while it plans.
#[derive(Debug, Default)]
pub(crate) struct Trace<'p> {
    /// Of each part that is being decided on, from the whole filter inwards, what has been
    /// done for its parts.
    open: RefCell<Vec<Vec<Step<'p>>>>,
    done: RefCell<Option<Step<'p>>>,
}

impl<'p> Trace<'p> {
    /// What was done for the whole filter.
    pub(crate) fn into_step(self) -> Option<Step<'p>> {
        self.done.into_inner()
    }

    /// A part is being decided on.
    pub(super) fn enter(&self) {
        self.open.borrow_mut().push(Vec::new());
    }

    /// It has been.
    pub(super) fn leave(&self, step: Step<'p>) {
        let inner = self.open.borrow_mut().pop().unwrap_or_default();
        self.add(Step { inner, ..step });
    }

    /// A part that needed no deciding on.
    pub(super) fn add(&self, step: Step<'p>) {
        match self.open.borrow_mut().last_mut() {
            Some(siblings) => siblings.push(step),
            None => *self.done.borrow_mut() = Some(step),
        }
    }
}
