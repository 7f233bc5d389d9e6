//! Server-side sorting (RFC 2891): entries in the order of an index, or, where there are
//! few, sorted on the spot. Nothing is kept between pages: a cookie names the place to go
//! on from. Pure: no clock; reads the snapshot.

use super::ReadError;
use crate::directory::attribute::AttributeType;
use crate::directory::entry::Values;
use crate::directory::schema::{Described, Schema};
use crate::ldap::controls::Sort;
use crate::ldap::session::Session;
use crate::ldap::wire::response::SortResult;
use crate::replica::cut_key;
use crate::replica::ids::{Ids, Number};
use crate::replica::reader::{Snapshot, StoredEntry};
use ldap3_proto::LdapResultCode;
use std::cmp::Ordering;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// So many entries are sorted on the spot.
pub(super) const FEW: usize = 1000;
/// So many rows of an index are read, and so many entries looked at, in the first step: as many
/// as are asked for, within these bounds. Each step is twice as long as the one before.
const FIRST_STEP: RangeInclusive<usize> = 16..=128;
const LONGEST_STEP: usize = 1024;
/// What a row counts for whose numbers are too many for a list.
const LARGE_ROW: usize = 16;
/// With more than one key, groups that are equal in the first one are sorted on the spot:
/// not of more entries than these.
const MANY_KEYS: usize = 50_000;

/// What an entry is sorted by: its least value, or that it has none.
type Place = Option<Arc<[u8]>>;

/// One key.
#[derive(Debug, Clone, Copy)]
struct Key {
    attribute: &'static AttributeType,
    reverse: bool,
}

/// The order that a client wants.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    first: Key,
    more: Vec<Key>,
}

/// Where a sorted answer goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SortPosition {
    /// The key of the entry that comes next; `None` where it has none.
    pub(crate) key: Option<Vec<u8>>,
}

/// Candidates in an order.
pub(crate) struct Sorted {
    order: Order,
    candidates: Ids,
    stage: Stage,
    /// How long the next step is.
    step: usize,
    /// Those that come next.
    ready: Vec<(Number, Place)>,
    at: usize,
    /// Where a cookie says that the answer goes on: only what comes from there on is wanted of
    /// the first step. The entry may have gone, or have another value by now.
    resume: Option<(Number, Place)>,
}

enum Stage {
    /// All at once.
    OnTheSpot,
    /// By the index of the first key, from this value on.
    Rows(Option<Vec<u8>>, Start),
    /// Those without a value, from this one on.
    Missing(Number),
    Over,
}

/// Where, in the group of entries that have the same first value, a step begins.
#[derive(Clone, Copy)]
enum Start {
    Beginning,
    Number(Number),
    Behind,
}

impl Order {
    /// Reads the keys against the schema.
    pub(crate) fn new(
        sort: &Sort<'_>,
        session: &Session,
        schema: &'static Schema,
    ) -> Result<Self, SortResult> {
        let mut keys: Vec<Key> = Vec::with_capacity(sort.keys.len());
        for key in &sort.keys {
            let refuse = |code| SortResult { code, attribute: Some(key.attribute.to_vec()) };
            let attribute = match schema.described(key.attribute) {
                Described::Attribute(found) if session.may_test(found.id) => found,
                _ => return Err(refuse(LdapResultCode::NoSuchAttribute)),
            };
            // RFC 2891 1.1: an orderingRule that does not fit: "inappropriateMatching".
            let rule = key.rule.map(|rule| std::str::from_utf8(rule).unwrap_or_default());
            let fits = attribute.syntax.ordering_rule().is_some_and(|(name, oid)| {
                rule.is_none_or(|rule| rule == oid || rule.eq_ignore_ascii_case(name))
            });
            if !fits || attribute.is_constructed() {
                return Err(refuse(LdapResultCode::InappropriateMatching));
            }
            // RFC 2891 1.1: "If an attributeType is included in the sort key list multiple
            // times, the server should return [...] unwillingToPerform."
            if keys.iter().any(|known| known.attribute.id == attribute.id) {
                return Err(refuse(LdapResultCode::UnwillingToPerform));
            }
            keys.push(Key { attribute, reverse: key.reverse });
        }
        let mut keys = keys.into_iter();
        match keys.next() {
            Some(first) => Ok(Order { first, more: keys.collect() }),
            None => Err(SortResult { code: LdapResultCode::ProtocolError, attribute: None }),
        }
    }

    /// By one attribute.
    #[cfg(test)]
    pub(crate) fn by(attribute: &'static AttributeType) -> Self {
        Order { first: Key { attribute, reverse: false }, more: Vec::new() }
    }

    /// Whether so many entries can be sorted.
    pub(crate) fn admits(&self, candidates: &Ids) -> bool {
        self.has_one_key() || candidates.len() <= MANY_KEYS
    }

    /// Whether entries that have the same value are in the order of their numbers, so that a step
    /// may end among them. Else they have to be read first, however many.
    pub(super) fn has_one_key(&self) -> bool {
        self.more.is_empty()
    }

    fn compare(&self, a: &[Place], b: &[Place]) -> Ordering {
        let keys = std::iter::once(&self.first).chain(&self.more);
        for ((a, b), key) in a.iter().zip(b).zip(keys) {
            let order = key.compare(a.as_deref(), b.as_deref());
            if order.is_ne() {
                return order;
            }
        }
        Ordering::Equal
    }
}

impl Key {
    /// RFC 2891 2: a missing value "is considered to be larger than all other valid
    /// values".
    fn compare(&self, a: Option<&[u8]>, b: Option<&[u8]>) -> Ordering {
        let order = match (a, b) {
            (Some(a), Some(b)) => a.cmp(b),
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
        };
        if self.reverse { order.reverse() } else { order }
    }

    /// RFC 2891 2: of several values, "the least value".
    fn place(&self, entry: &StoredEntry<'_>) -> Result<Place, ReadError> {
        let keys = entry.values(self.attribute.id).filter_map(|v| self.attribute.syntax.key(v));
        let least = keys.min().map(|key| Arc::from(cut_key(&key)));
        entry.sound()?;
        Ok(least)
    }
}

impl Sorted {
    /// Candidates in an order, from the start or from where a cookie says. So many are wanted.
    pub(crate) fn new(
        order: Order,
        candidates: Ids,
        from: Option<(Number, SortPosition)>,
        wanted: usize,
    ) -> Self {
        let resume: Option<(Number, Place)> =
            from.map(|(number, position)| (number, position.key.map(Arc::from)));
        let stage = match (&resume, order.first.reverse) {
            _ if candidates.len() <= FEW => Stage::OnTheSpot,
            (None, false) => Stage::Rows(None, Start::Beginning),
            (None, true) => Stage::Missing(0),
            (Some((number, None)), _) if order.has_one_key() => Stage::Missing(*number),
            (Some((_, None)), _) => Stage::Missing(0),
            (Some((number, Some(key))), _) if order.has_one_key() => {
                Stage::Rows(Some(key.to_vec()), Start::Number(*number))
            }
            (Some((_, Some(key))), _) => Stage::Rows(Some(key.to_vec()), Start::Beginning),
        };
        let step = wanted.clamp(*FIRST_STEP.start(), *FIRST_STEP.end());
        Sorted { order, candidates, stage, step, ready: Vec::new(), at: 0, resume }
    }

    /// Those that are known to come next.
    pub(crate) fn ready(&self) -> impl Iterator<Item = Number> + '_ {
        self.ready.get(self.at..).unwrap_or_default().iter().map(|(number, _)| *number)
    }

    /// So many of them have been dealt with.
    pub(crate) fn advance(&mut self, count: usize) {
        self.at += count;
    }

    /// The place of the one that comes after so many others.
    pub(crate) fn position(&self, ahead: usize) -> SortPosition {
        let place = self.ready.get(self.at + ahead).and_then(|(_, place)| place.as_ref());
        SortPosition { key: place.map(|key| key.to_vec()) }
    }

    /// Finds out who comes next, as far as one step goes. `false` at the end.
    pub(crate) fn refill(&mut self, snapshot: &Snapshot) -> Result<bool, ReadError> {
        self.ready.clear();
        self.at = 0;
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Over => return Ok(false),
            Stage::OnTheSpot => {
                let all = std::mem::take(&mut self.candidates);
                self.ready = self.in_order(snapshot, &all)?;
            }
            Stage::Missing(from) => self.read_missing(snapshot, from)?,
            Stage::Rows(from, start) => self.read_rows(snapshot, from, start)?,
        }
        self.step = LONGEST_STEP.min(self.step * 2);
        if let Some((number, place)) = self.resume.take() {
            self.at = self.place_of(number, &place);
        }
        Ok(true)
    }

    /// Where in `ready` the answer goes on.
    fn place_of(&self, number: Number, place: &Place) -> usize {
        let first = &self.order.first;
        let before = |(_, other): &(Number, Place)| {
            first.compare(other.as_deref(), place.as_deref()).is_lt()
        };
        let start = self.ready.partition_point(before);
        let equal = self.ready.iter().skip(start).take_while(|(_, other)| other == place);
        if self.order.has_one_key() {
            return start + equal.take_while(|(other, _)| *other < number).count();
        }
        // By further keys the one that comes next may stand anywhere among its equals, and where
        // it stood is not known once it has gone: some come twice then, and none is lost.
        start + equal.map(|(other, _)| *other).position(|other| other == number).unwrap_or(0)
    }

    fn read_missing(&mut self, snapshot: &Snapshot, from: Number) -> Result<(), ReadError> {
        let first = self.order.first;
        let present = snapshot.present(first.attribute.id)?;
        let missing = self.candidates.clone().minus(&present);
        if !self.order.more.is_empty() {
            self.ready = self.in_order(snapshot, &missing)?;
        } else {
            let mut next = from;
            while let Some(number) = missing.next_from(next) {
                next = number.saturating_add(1);
                if self.ready.len() == self.step {
                    self.stage = Stage::Missing(number);
                    return Ok(());
                }
                self.ready.push((number, None));
            }
        }
        if first.reverse {
            self.stage = Stage::Rows(None, Start::Beginning);
        }
        Ok(())
    }

    fn read_rows(
        &mut self,
        snapshot: &Snapshot,
        from: Option<Vec<u8>>,
        start: Start,
    ) -> Result<(), ReadError> {
        let first = self.order.first;
        let mut last = from.clone();
        let (mut rows, mut looked_at) = (0, 0);
        for row in snapshot.rows(first.attribute.id, from.as_deref(), first.reverse)? {
            let (key, ids) = row?;
            let start = if from.as_ref() == Some(&key) { start } else { Start::Beginning };
            let from = match start {
                Start::Behind => continue,
                Start::Beginning => 0,
                Start::Number(number) => number,
            };
            if rows >= self.step || looked_at >= self.step {
                self.stage = Stage::Rows(last, Start::Behind);
                return Ok(());
            }
            rows += if matches!(ids, Ids::Many(_)) { LARGE_ROW } else { 1 };
            let group = ids.and(&self.candidates);
            let place: Arc<[u8]> = Arc::from(key.as_slice());
            if self.order.has_one_key() {
                if let Some(number) = self.take(snapshot, (&group, from), &place, &mut looked_at)? {
                    self.stage = Stage::Rows(Some(key), Start::Number(number));
                    return Ok(());
                }
            } else {
                // A group is taken whole: a cookie finds its place in it again.
                looked_at += group.len();
                let group = self.in_order(snapshot, &group)?;
                let begins_here = |(_, least): &(Number, Place)| least.as_ref() == Some(&place);
                self.ready.extend(group.into_iter().filter(begins_here));
            }
            last = Some(key);
        }
        if !first.reverse {
            self.stage = Stage::Missing(0);
        }
        Ok(())
    }

    /// Takes the entries of a group as far as the step goes, from a number on. Counts those that
    /// it looks at, and says which one comes next.
    fn take(
        &mut self,
        snapshot: &Snapshot,
        (group, from): (&Ids, Number),
        place: &Arc<[u8]>,
        looked_at: &mut usize,
    ) -> Result<Option<Number>, ReadError> {
        let first = self.order.first;
        let mut next = group.next_from(from);
        while let Some(number) = next {
            if *looked_at >= self.step {
                return Ok(Some(number));
            }
            *looked_at += 1;
            // One with several values has its place at the least of them.
            let is_here = first.attribute.single_value
                || first.place(&entry(snapshot, number)?)?.as_ref() == Some(place);
            if is_here {
                self.ready.push((number, Some(Arc::clone(place))));
            }
            next = number.checked_add(1).and_then(|from| group.next_from(from));
        }
        Ok(None)
    }

    /// Sorts on the spot.
    fn in_order(&self, snapshot: &Snapshot, ids: &Ids) -> Result<Vec<(Number, Place)>, ReadError> {
        let keys = || std::iter::once(&self.order.first).chain(&self.order.more);
        let mut all: Vec<(Number, Vec<Place>)> = Vec::with_capacity(ids.len());
        for number in ids.iter() {
            let entry = entry(snapshot, number)?;
            let places = keys().map(|key| key.place(&entry)).collect::<Result<_, _>>()?;
            all.push((number, places));
        }
        // Stable: entries with equal keys stay in the order of their numbers.
        all.sort_by(|(_, a), (_, b)| self.order.compare(a, b));
        let first = |places: Vec<Place>| places.into_iter().next().flatten();
        Ok(all.into_iter().map(|(number, places)| (number, first(places))).collect())
    }
}

fn entry(snapshot: &Snapshot, number: Number) -> Result<StoredEntry<'_>, ReadError> {
    snapshot.entry(number)?.ok_or_else(|| super::damaged("an entry of an index"))
}
