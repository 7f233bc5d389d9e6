//! Testing a candidate where the indexes alone did not decide. Pure: no clock; reads
//! the snapshot.

use super::ReadError;
use super::scope::NoRegion;
use crate::directory::attribute::{AttributeId, Key, Syntax};
use crate::directory::predicate::Predicate;
use crate::directory::schema;
use crate::ldap::wire::response::Outcome;
use crate::replica::ids::Ids;
use crate::replica::plan;
use crate::replica::reader::{Snapshot, StoredEntry};
use ldap3_proto::LdapResultCode;

/// A filter ready to be tested on many entries. What would mean walking long lists of
/// names in each of them has been looked up once: a part that asks for membership is
/// replaced by a reference to the set of entries it is true of.
pub(crate) struct Test {
    predicate: Predicate,
    sets: Vec<Ids>,
    parts: u32,
}

/// Stands in a [`Predicate::InChain`] for a reference to a set.
const SET: AttributeId = AttributeId(u16::MAX);

impl Test {
    /// Prepares the test.
    pub(crate) fn new(predicate: Predicate, snapshot: &Snapshot) -> Result<Self, NoRegion> {
        let parts = parts(&predicate);
        if memberships(&predicate) == 0 {
            return Ok(Test { predicate, sets: Vec::new(), parts });
        }
        let budget = plan::Budget::new(snapshot)?;
        let mut resolver = Resolver { snapshot, budget, sets: Vec::new() };
        let predicate = resolver.resolve(predicate)?;
        Ok(Test { predicate, sets: resolver.sets, parts })
    }

    /// How many parts the filter has: what testing an entry costs.
    pub(crate) fn parts(&self) -> u32 {
        self.parts
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

struct Resolver<'s> {
    snapshot: &'s Snapshot,
    budget: plan::Budget,
    sets: Vec<Ids>,
}

impl Resolver<'_> {
    fn all(&mut self, list: Vec<Predicate>) -> Result<Vec<Predicate>, NoRegion> {
        list.into_iter().map(|inner| self.resolve(inner)).collect()
    }

    fn resolve(&mut self, predicate: Predicate) -> Result<Predicate, NoRegion> {
        Ok(match predicate {
            Predicate::And(list) => Predicate::And(self.all(list)?),
            Predicate::Or(list) => Predicate::Or(self.all(list)?),
            Predicate::Not(inner) => Predicate::Not(Box::new(self.resolve(*inner)?)),
            leaf if is_membership(&leaf) => {
                // RFC 4511 4.1.9: adminLimitExceeded, "an operational limit".
                if self.budget.is_spent() {
                    let message = "too many memberships would have to be followed";
                    let outcome = Outcome::new(LdapResultCode::AdminLimitExceeded, message);
                    return Err(NoRegion::Answer(outcome));
                }
                let found = plan::matching(&leaf, self.snapshot, &self.budget)?;
                let at = u32::try_from(self.sets.len()).unwrap_or(u32::MAX);
                self.sets.push(found.into_ids(self.snapshot)?);
                Predicate::InChain(SET, Key::from_slice(&at.to_be_bytes()))
            }
            leaf => leaf,
        })
    }
}

fn parts(predicate: &Predicate) -> u32 {
    1 + match predicate {
        Predicate::And(list) | Predicate::Or(list) => list.iter().map(parts).sum(),
        Predicate::Not(inner) => parts(inner),
        _ => 0,
    }
}

/// How many memberships a filter asks for.
pub(super) fn memberships(predicate: &Predicate) -> usize {
    match predicate {
        Predicate::And(list) | Predicate::Or(list) => list.iter().map(memberships).sum(),
        Predicate::Not(inner) => memberships(inner),
        leaf => usize::from(is_membership(leaf)),
    }
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
