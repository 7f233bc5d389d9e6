//! Sets of entry numbers. Pure: no I/O, no clock.

use roaring::RoaringBitmap;
use smallvec::SmallVec;
use std::sync::Arc;

/// The number of an entry inside one replica; never reused.
pub type Number = u32;

/// A short list. Nobody but the one who is looked for has an address, so nearly all lists of a
/// lookup need no memory of their own.
pub type Few = SmallVec<[Number; 4]>;

/// A set of entry numbers: a sorted list while it is small.
#[derive(Debug, Clone, PartialEq)]
pub enum Ids {
    /// Ascending, without repeats.
    Few(Few),
    /// Any number. Large ones are read once for many searches.
    Many(Arc<RoaringBitmap>),
}

impl Default for Ids {
    fn default() -> Self {
        Ids::Few(Few::new())
    }
}

impl Ids {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Ids::Few(list) => list.len(),
            Ids::Many(set) => usize::try_from(set.len()).unwrap_or(usize::MAX),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether `number` is one of them.
    pub fn contains(&self, number: Number) -> bool {
        match self {
            Ids::Few(list) => list.binary_search(&number).is_ok(),
            Ids::Many(set) => set.contains(number),
        }
    }

    /// The numbers, ascending.
    pub fn iter(&self) -> Box<dyn Iterator<Item = Number> + '_> {
        match self {
            Ids::Few(list) => Box::new(list.iter().copied()),
            Ids::Many(set) => Box::new(set.iter()),
        }
    }

    /// The smallest number that is at least `from`.
    pub fn next_from(&self, from: Number) -> Option<Number> {
        match self {
            Ids::Few(list) => list.get(list.partition_point(|n| *n < from)).copied(),
            Ids::Many(set) => set.range(from..).next(),
        }
    }

    /// Those in both sets.
    pub fn and(self, other: &Ids) -> Ids {
        match (self, other) {
            (Ids::Few(mut list), other) => {
                list.retain(|n| other.contains(*n));
                Ids::Few(list)
            }
            (Ids::Many(set), Ids::Few(list)) => {
                Ids::Few(list.iter().copied().filter(|n| set.contains(*n)).collect())
            }
            (Ids::Many(set), Ids::Many(other)) => Ids::from(&*set & &**other),
        }
    }

    /// Those in either set.
    pub fn or(self, other: Ids) -> Ids {
        match (self, other) {
            (Ids::Few(list), other) if list.is_empty() => other,
            (this, Ids::Few(list)) if list.is_empty() => this,
            (Ids::Few(mut list), Ids::Few(more)) if list.len() + more.len() <= 64 => {
                list.extend(more);
                list.sort_unstable();
                list.dedup();
                Ids::Few(list)
            }
            (this, other) => Ids::from(this.into_bitmap() | other.into_bitmap()),
        }
    }

    /// Those of `self` that are not in `other`.
    pub fn minus(self, other: &Ids) -> Ids {
        match self {
            this if other.is_empty() => this,
            Ids::Few(mut list) => {
                list.retain(|n| !other.contains(*n));
                Ids::Few(list)
            }
            Ids::Many(set) => Ids::from(match other {
                Ids::Few(list) => {
                    let list = RoaringBitmap::from_sorted_iter(list.iter().copied());
                    Arc::unwrap_or_clone(set) - list.unwrap_or_default()
                }
                Ids::Many(other) => &*set - &**other,
            }),
        }
    }

    /// As a bitmap.
    pub fn into_bitmap(self) -> RoaringBitmap {
        match self {
            Ids::Few(list) => list.into_iter().collect(),
            Ids::Many(set) => Arc::unwrap_or_clone(set),
        }
    }
}

impl From<Number> for Ids {
    fn from(number: Number) -> Self {
        Ids::Few(Few::from_slice(&[number]))
    }
}

impl From<RoaringBitmap> for Ids {
    fn from(set: RoaringBitmap) -> Self {
        Ids::Many(Arc::new(set))
    }
}

impl FromIterator<Number> for Ids {
    fn from_iter<I: IntoIterator<Item = Number>>(numbers: I) -> Self {
        let mut list: Few = numbers.into_iter().collect();
        list.sort_unstable();
        list.dedup();
        Ids::Few(list)
    }
}
