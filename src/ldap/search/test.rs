//! Testing a candidate where the indexes alone did not decide. Pure: no clock; reads
//! the snapshot.

use super::{ReadError, plan};
use crate::directory::attribute::{AttributeId, Syntax};
use crate::directory::predicate::Predicate;
use crate::directory::schema;
use crate::replica::ids::Ids;
use crate::replica::reader::{Snapshot, StoredEntry};

/// A filter ready to be tested on many entries. What would mean walking long lists of
/// names in each of them has been looked up once: a part that asks for membership is
/// replaced by a reference to the set of entries it is true of.
pub(crate) struct Test {
    predicate: Predicate,
    sets: Vec<Ids>,
}

/// Stands in a [`Predicate::InChain`] for a reference to a set.
const SET: AttributeId = AttributeId(u16::MAX);

impl Test {
    /// Prepares the test.
    pub(crate) fn new(predicate: Predicate, snapshot: &Snapshot) -> Result<Self, ReadError> {
        let mut sets = Vec::new();
        let predicate = resolve(predicate, snapshot, &mut sets)?;
        Ok(Test { predicate, sets })
    }

    /// Whether the filter is true of an entry.
    pub(crate) fn passes(&self, entry: &StoredEntry<'_>) -> Result<bool, ReadError> {
        let in_set = |_: AttributeId, at: &[u8]| {
            let at = at.first_chunk().map_or(u32::MAX, |octets| u32::from_be_bytes(*octets));
            let set = usize::try_from(at).ok().and_then(|at| self.sets.get(at));
            set.is_some_and(|set| set.contains(entry.number()))
        };
        let passes = self.predicate.evaluate(entry, &in_set) == Some(true);
        entry.sound()?;
        Ok(passes)
    }
}

fn resolve(
    predicate: Predicate,
    snapshot: &Snapshot,
    sets: &mut Vec<Ids>,
) -> Result<Predicate, ReadError> {
    let mut all = |list: Vec<Predicate>| {
        list.into_iter().map(|inner| resolve(inner, snapshot, sets)).collect::<Result<_, _>>()
    };
    Ok(match predicate {
        Predicate::And(list) => Predicate::And(all(list)?),
        Predicate::Or(list) => Predicate::Or(all(list)?),
        Predicate::Not(inner) => Predicate::Not(Box::new(resolve(*inner, snapshot, sets)?)),
        leaf if is_membership(&leaf) => {
            let at = u32::try_from(sets.len()).unwrap_or(u32::MAX);
            sets.push(plan::matching(&leaf, snapshot)?.into_ids(snapshot)?);
            Predicate::InChain(SET, at.to_be_bytes().to_vec())
        }
        leaf => leaf,
    })
}

fn is_membership(leaf: &Predicate) -> bool {
    let is_dn = |id: &AttributeId| {
        schema::standard().get(*id).is_some_and(|attribute| attribute.syntax == Syntax::Dn)
    };
    match leaf {
        Predicate::InChain(..) => true,
        Predicate::Equal(id, _) | Predicate::Present(id) => is_dn(id),
        _ => false,
    }
}
