//! The part of the tree that exists for a client, as numbers. Pure: no clock; reads the
//! snapshot.

use super::scope::{NoRegion, not_ready};
use crate::directory::dn::DnKey;
use crate::ldap::session::Session;
use crate::ldap::wire::response::Outcome;
use crate::replica::encoding::Identity;
use crate::replica::ids::Number;
use crate::replica::reader::Snapshot;
use ldap3_proto::LdapResultCode;

/// Where entries must lie to be seen.
#[derive(Debug, PartialEq)]
pub(crate) enum Visible {
    /// Anywhere.
    Everywhere,
    /// At or below one of these.
    Below(Vec<Number>),
}

impl Visible {
    /// What a search with this base may see. `only_base`: nothing below it is looked for.
    ///
    /// A base above what the client sees stands for that; any other it does not see is
    /// not there, and nothing tells how much of its name is.
    pub(crate) fn resolve(
        session: &Session,
        snapshot: &Snapshot,
        base: &DnKey,
        only_base: bool,
    ) -> Result<Self, NoRegion> {
        if session.sees(base) {
            return Ok(Visible::Everywhere);
        }
        if !session.sees_below(base) || (only_base && !base.is_root()) {
            return Err(NoRegion::Answer(Outcome::new(LdapResultCode::NoSuchObject, "")));
        }
        let mut numbers = Vec::new();
        for visible in session.bases().iter().filter(|visible| visible.is_within(base)) {
            let within = snapshot.contexts().iter().filter(|context| {
                context.key.is_within(visible) || visible.is_within(&context.key)
            });
            for context in within {
                // Unknown is not absent.
                let Some(top) = context.entry else { return Err(NoRegion::Answer(not_ready())) };
                let number = match context.key.is_within(visible) {
                    true => Some(top),
                    false => snapshot.number(visible)?,
                };
                numbers.extend(number);
            }
        }
        Ok(Visible::Below(numbers))
    }

    /// All that a client may see.
    pub(crate) fn of(session: &Session, snapshot: &Snapshot) -> Result<Self, NoRegion> {
        if session.bases().is_empty() {
            return Ok(Visible::Everywhere);
        }
        Self::resolve(session, snapshot, &DnKey::default(), false)
    }

    /// Whether an entry lies there.
    pub(crate) fn holds(&self, snapshot: &Snapshot, number: Number, identity: &Identity) -> bool {
        let Visible::Below(bases) = self else { return true };
        let mut above = Some(identity.parent);
        let mut found = bases.contains(&number);
        while let Some(at) = above.filter(|_| !found) {
            found = bases.contains(&at);
            above = snapshot.container_parent(at);
        }
        found
    }
}
