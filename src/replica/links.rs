//! Who is in which group and who reports to whom, over any number of steps.

use super::error::Error;
use super::ids::{Ids, Number};
use super::keys::linked;
use super::reader::Snapshot;
use super::source::{self, Space};
use crate::directory::attribute::AttributeId;
use crate::directory::dn::{Dn, DnKey};
use crate::directory::entry::Values;
use roaring::RoaringBitmap;

impl Snapshot {
    /// The entries from which the DN with this key is reached over `member` (groups
    /// that contain it, directly or nested) or `memberOf` (what it contains, likewise),
    /// `manager` (all below that manager) or `directReports`. Exact; ends on cycles.
    pub fn in_chain(&self, attribute: AttributeId, key: &[u8]) -> Result<Ids, Error> {
        let Some(start) = self.number(&DnKey::from_bytes(key))? else { return Ok(Ids::default()) };
        let linked = linked();
        if ![linked.member, linked.member_of, linked.manager, linked.direct_reports]
            .contains(&attribute)
        {
            return self.equal(attribute, key);
        }
        self.closure(attribute, start)
    }

    fn closure(&self, attribute: AttributeId, start: Number) -> Result<Ids, Error> {
        // Few of the many members of a group are groups.
        let leads_on = match attribute == linked().member_of {
            true => Some(self.present(linked().member)?),
            false => None,
        };
        let leads_on = |number| leads_on.as_ref().is_none_or(|set| set.contains(number));
        let mut seen = RoaringBitmap::new();
        let mut open = vec![start];
        while let Some(number) = open.pop() {
            match self.step(attribute, number)? {
                Ids::Few(list) => {
                    open.extend(
                        list.into_iter().filter(|next| seen.insert(*next) && leads_on(*next)),
                    );
                }
                Ids::Many(set) => {
                    let new = &*set - &seen;
                    open.extend(new.iter().filter(|next| leads_on(*next)));
                    seen |= new;
                }
            }
        }
        Ok(Ids::from(seen))
    }

    /// Members of a group, direct ones, as far as they are served.
    pub fn members(&self, group: Number) -> Result<Ids, Error> {
        self.step(linked().member_of, group)
    }

    /// Groups that an entry is a member of, directly or over other groups; ends on cycles.
    pub fn groups_above(&self, member: Number) -> Result<Ids, Error> {
        self.closure(linked().member, member)
    }

    /// One step against the arrow: `(member=n)` gives the groups of n, `(memberOf=n)`
    /// the members of n. Edges are what Graph said; an entry that is not published, or
    /// a group whose members are not served, has no part in them.
    pub(super) fn step(&self, attribute: AttributeId, number: Number) -> Result<Ids, Error> {
        let linked = linked();
        if attribute == linked.manager {
            return Ok(self.links(Space::Reports, number)?.and(&self.present(linked.manager)?));
        }
        if attribute == linked.direct_reports {
            let served = self.present(linked.direct_reports)?;
            return Ok(self.managers_of(number)?.and(&served));
        }
        if attribute == linked.member {
            return Ok(self.links(Space::Groups, number)?.and(&self.present(linked.member)?));
        }
        if attribute == linked.member_of {
            let serves_members = self
                .entry(number)?
                .is_some_and(|entry| entry.view().attribute(linked.member).is_some());
            if serves_members {
                return Ok(self
                    .links(Space::Members, number)?
                    .and(&self.present(linked.member_of)?));
            }
        }
        Ok(Ids::default())
    }

    fn managers_of(&self, number: Number) -> Result<Ids, Error> {
        let Some(entry) = self.entry(number)? else { return Ok(Ids::default()) };
        let dn = entry.values(linked().manager).next().map(<[u8]>::to_vec);
        let name = dn.and_then(|dn| String::from_utf8(dn).ok()).and_then(|dn| Dn::parse(&dn).ok());
        let manager = match name {
            Some(name) => self.number(&name.key())?,
            None => None,
        };
        Ok(manager.into_iter().collect())
    }

    fn links(&self, space: Space, number: Number) -> Result<Ids, Error> {
        self.tables.links.get(&source::link_key(space, number))
    }
}
