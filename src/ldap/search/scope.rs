//! From base and scope to a part of the tree. Pure: no I/O, no clock.

use super::ReadError;
use crate::directory::dn::DnKey;
use crate::ldap::wire::response::{Outcome, SortResult};
use crate::replica::encoding::Identity;
use crate::replica::ids::{Ids, Number};
use crate::replica::reader::Snapshot;
use ldap3_proto::LdapResultCode;
use ldap3_proto::proto::LdapSearchScope;

/// The part of the tree that a search is about.
#[derive(Debug, PartialEq)]
pub(crate) enum Region {
    /// All entries.
    Everything,
    /// These entries, and no others.
    These(Ids),
    /// Everything of a connection.
    Connection(u16),
    /// Entries directly below this one.
    Level(Number),
    /// Entries anywhere below this one, with or without it.
    Below { base: Number, itself: bool },
}

/// Why there is no such part.
#[derive(Debug)]
pub(crate) enum NoRegion {
    /// The search ends so.
    Answer(Outcome),
    /// The order that the client insists on cannot be kept.
    Unsortable(SortResult),
    /// The replica cannot be read.
    Unreadable(ReadError),
}

impl From<ReadError> for NoRegion {
    fn from(error: ReadError) -> Self {
        NoRegion::Unreadable(error)
    }
}

impl Region {
    /// Finds the part of the tree.
    pub(crate) fn resolve(
        snapshot: &Snapshot,
        base: &DnKey,
        scope: &LdapSearchScope,
    ) -> Result<Self, NoRegion> {
        let contexts = snapshot.contexts();
        if base.is_root() {
            return whole_tree(snapshot, scope);
        }
        let Some(context) = contexts.iter().find(|context| base.is_within(&context.key)) else {
            return Err(NoRegion::Answer(no_such_object(snapshot, base)?));
        };
        let Some(top) = context.entry else { return Err(NoRegion::Answer(not_ready())) };
        let number = if *base == context.key { Some(top) } else { snapshot.number(base)? };
        let Some(number) = number else {
            return Err(NoRegion::Answer(no_such_object(snapshot, base)?));
        };
        let is_leaf = number != top && snapshot.container_parent(number).is_none();
        let nothing = Region::These(Ids::default());
        let itself = || Region::These(Ids::from(number));
        Ok(match scope {
            LdapSearchScope::Base => itself(),
            LdapSearchScope::OneLevel | LdapSearchScope::Children if is_leaf => nothing,
            LdapSearchScope::OneLevel => Region::Level(number),
            LdapSearchScope::Children => Region::Below { base: number, itself: false },
            LdapSearchScope::Subtree if is_leaf => itself(),
            LdapSearchScope::Subtree if number != top => {
                Region::Below { base: number, itself: true }
            }
            LdapSearchScope::Subtree if contexts.len() == 1 => Region::Everything,
            LdapSearchScope::Subtree => Region::Connection(context.connection),
        })
    }

    /// Whether an entry lies in it.
    pub(crate) fn holds(&self, snapshot: &Snapshot, number: Number, identity: &Identity) -> bool {
        match self {
            Region::Everything => true,
            Region::These(ids) => ids.contains(number),
            Region::Connection(connection) => identity.connection == *connection,
            Region::Level(base) => identity.parent == *base,
            Region::Below { base, itself } if number == *base => *itself,
            Region::Below { base, .. } => {
                let mut above = Some(identity.parent);
                while let Some(at) = above {
                    if at == *base {
                        return true;
                    }
                    above = snapshot.container_parent(at);
                }
                false
            }
        }
    }
}

/// Searches from the root of the tree cover all contexts, as those of a global catalog
/// do: gateways that are given no base rely on it. Its "children" are taken to be the
/// contexts, so that browsers find them.
fn whole_tree(snapshot: &Snapshot, scope: &LdapSearchScope) -> Result<Region, NoRegion> {
    let tops: Option<Vec<Number>> = snapshot.contexts().iter().map(|c| c.entry).collect();
    // A context that is not there yet might hold what is looked for: unknown is not absent.
    let Some(tops) = tops.filter(|tops| !tops.is_empty()) else {
        return Err(NoRegion::Answer(not_ready()));
    };
    Ok(match scope {
        LdapSearchScope::Base => Region::These(Ids::default()),
        LdapSearchScope::OneLevel => Region::These(tops.into_iter().collect()),
        LdapSearchScope::Subtree | LdapSearchScope::Children => Region::Everything,
    })
}

/// The answer while a context has not been synced completely even once.
pub(crate) fn not_ready() -> Outcome {
    Outcome::new(LdapResultCode::Unavailable, "the first sync is not complete yet")
}

/// RFC 4511 4.1.9: for noSuchObject, matchedDN "is set to the name of the lowest entry
/// (object or alias) in the DIT that was matched".
pub(crate) fn no_such_object(snapshot: &Snapshot, name: &DnKey) -> Result<Outcome, ReadError> {
    let mut outcome = Outcome::new(LdapResultCode::NoSuchObject, "");
    let octets = name.as_bytes();
    let contexts = snapshot.contexts();
    let Some(context) = contexts.iter().find(|context| name.is_within(&context.key)) else {
        return Ok(outcome);
    };
    // From the context down: what stands above an entry exists, so the lookups end soon,
    // while a client may send a name of any depth.
    let top = context.key.as_bytes().len();
    let ends = octets.iter().enumerate().filter(|(_, octet)| **octet == 0);
    for end in ends.map(|(at, _)| at + 1).skip_while(|end| *end < top) {
        let key = DnKey::from_bytes(octets.get(..end).unwrap_or_default());
        let number = if end == top { context.entry } else { snapshot.number(&key)? };
        let Some(entry) = number.map(|number| snapshot.entry(number)).transpose()?.flatten() else {
            break;
        };
        outcome.matched = entry.view().dn().to_owned();
    }
    Ok(outcome)
}
