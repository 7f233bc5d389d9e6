//! Tenant and cursor to page: the delta semantics. Pure: no I/O, no clock.
//!
//! A page shows objects as they are now, whatever moment of the log it has
//! come to: later changes stand later in the log and are sent again, so every
//! sequence of rounds ends in the state of the tenant. A page costs what it
//! holds, not what the tenant holds.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::cursor::{DeltaQuery, Phase};
use super::knobs::Knobs;
use super::object::{Kind, Object, Slot, State, What};
use super::render::{Selection, Touch, removed, scalars};
use super::rng::{guid_of, mix};
use super::tenant::Tenant;

/// One request for a page.
#[derive(Debug)]
pub(super) struct Ask<'a> {
    pub(super) query: &'a DeltaQuery,
    pub(super) phase: Phase,
    pub(super) page: u32,
    /// `Prefer: return=minimal`
    pub(super) minimal: bool,
    /// Hidden memberships may be told.
    pub(super) hidden: bool,
    /// The version replication has brought here.
    pub(super) horizon: u64,
}

/// A page and where the round goes on; a [`Phase::Rest`] ends it.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) items: Vec<Value>,
    pub(super) next: Phase,
}

/// Where a new enumeration starts.
pub(super) fn start(horizon: u64) -> Phase {
    Phase::Walk { slice: 0, place: 0, after: None, since: horizon }
}

/// Makes one page.
pub(super) fn page(tenant: &Tenant, knobs: &Knobs, ask: &Ask<'_>) -> Page {
    let phase = match ask.phase {
        Phase::Rest { at } => Phase::Log { at, upto: ask.horizon.max(at), after: None },
        other => other,
    };
    if every(knobs.empty_page_every, ask.page) {
        return Page { items: Vec::new(), next: phase };
    }
    let maker = Maker {
        tenant,
        knobs,
        ask,
        selection: Selection::of(ask.query, knobs),
        kind: ask.query.kind(),
    };
    let mut page = match phase {
        Phase::Walk { slice, place, after, since } => maker.walk(slice, place, after, since),
        Phase::Log { at, upto, after } => maker.log(at, upto, after),
        Phase::Rest { at } => Page { items: Vec::new(), next: Phase::Rest { at } },
    };
    if every(knobs.repeat_every, ask.page) {
        page.items.extend(maker.repeat(phase));
    }
    if knobs.copies > 1 {
        let items = std::mem::take(&mut page.items);
        page.items =
            items.iter().cycle().take(items.len().saturating_mul(knobs.copies)).cloned().collect();
    }
    if knobs.endless
        && let Phase::Rest { at } = page.next
    {
        page.next = match phase {
            Phase::Walk { since, .. } => start(since),
            _ => Phase::Log { at, upto: at, after: None },
        };
    }
    page
}

fn every(k: u32, page: u32) -> bool {
    k > 0 && page % k == k.saturating_sub(1)
}

/// Everything the making of one page looks at.
pub(super) struct Maker<'a> {
    pub(super) tenant: &'a Tenant,
    pub(super) knobs: &'a Knobs,
    pub(super) ask: &'a Ask<'a>,
    pub(super) selection: Selection<'a>,
    pub(super) kind: Kind,
}

impl<'a> Maker<'a> {
    fn walk(&self, mut slice: u32, mut place: usize, mut after: Option<Slot>, since: u64) -> Page {
        let order = self.order();
        let mut items = Vec::new();
        let mut objects = self.knobs.page_objects.max(1);
        if slice == 0 && place == 0 && after.is_none() && self.knobs.removed_in_initial {
            items.push(json!({"@removed": {"reason": "deleted"}, "id": guid_of(since, 0x5eed)}));
            objects = objects.saturating_add(1);
        }
        let mut links = self.knobs.page_links.max(1);
        // Long runs of objects that are gone must not make a page expensive.
        let mut patience = objects.saturating_mul(50);
        while items.len() < objects && links > 0 && patience > 0 {
            patience = patience.saturating_sub(1);
            let Some(slot) = order.get(place).copied() else {
                if self.has_slices() && slice.saturating_add(1) < self.knobs.member_slices {
                    (slice, place, after) = (slice.saturating_add(1), 0, None);
                    continue;
                }
                break;
            };
            let Some(object) = self.tenant.get(slot) else { break };
            if object.state != State::Live {
                // A group that went to the bin between two of its slices is owned up to: its restore may be silent.
                let halfway = object.state == State::Deleted && (slice > 0 || after.is_some());
                if halfway || (self.knobs.removed_in_initial && slice == 0) {
                    items.push(removed(object, self.knobs));
                }
            } else {
                let (members, more) = self.slice(object, Some(slice), after, links);
                if slice == 0 || !members.is_empty() {
                    links = links.saturating_sub(members.len());
                    items.push(self.whole(object, &members, after.is_none()));
                }
                if more {
                    after = members.last().copied();
                    break;
                }
            }
            place = place.saturating_add(1);
            after = None;
        }
        let last = !self.has_slices() || slice.saturating_add(1) >= self.knobs.member_slices;
        let next = if place < order.len() || !last {
            Phase::Walk { slice, place, after, since }
        } else if self.knobs.catch_up && since < self.ask.horizon {
            Phase::Log { at: since, upto: self.ask.horizon, after: None }
        } else {
            Phase::Rest { at: since }
        };
        Page { items, next }
    }

    fn log(&self, from: u64, upto: u64, after: Option<Slot>) -> Page {
        let objects = self.knobs.page_objects.max(1);
        let links = self.knobs.page_links.max(1);
        let mut found: Vec<Slot> = Vec::new();
        let mut touched: HashMap<Slot, Touch> = HashMap::new();
        let (mut at, mut sent, mut patience) = (from, 0_usize, objects.saturating_mul(50));
        while at < upto && sent < links && patience > 0 {
            patience = patience.saturating_sub(1);
            let change = usize::try_from(at).ok().and_then(|at| self.tenant.log.get(at));
            let Some(change) = change else { break };
            let object = self.tenant.get(change.object).filter(|object| self.asked(object));
            let Some(object) = object.filter(|object| self.tracks(object, change.what)) else {
                at = at.saturating_add(1);
                continue;
            };
            let known = touched.contains_key(&change.object);
            if !known && found.len() >= objects {
                break;
            }
            if change.what == What::Restored && self.resends(object) {
                if !found.is_empty() {
                    break;
                }
                return self.resend(object, at, upto, after);
            }
            if !known {
                found.push(change.object);
            }
            let touch = touched.entry(change.object).or_default();
            if touch.add(change.what, self.knobs.coalesce) {
                sent = sent.saturating_add(1);
            }
            at = at.saturating_add(1);
        }
        let items = found
            .iter()
            .filter_map(|slot| Some(self.changed(self.tenant.get(*slot)?, touched.get(slot)?)))
            .collect();
        Page {
            items,
            next: if at < upto {
                Phase::Log { at, upto, after: None }
            } else {
                Phase::Rest { at: upto }
            },
        }
    }

    /// A restored group whose members come again, as in an enumeration.
    fn resend(&self, object: &Object, at: u64, upto: u64, after: Option<Slot>) -> Page {
        let (members, more) = self.slice(object, None, after, self.knobs.page_links.max(1));
        let items = vec![self.whole(object, &members, false)];
        let done = at.saturating_add(1);
        let next = match (more, done < upto) {
            (true, _) => Phase::Log { at, upto, after: members.last().copied() },
            (false, true) => Phase::Log { at: done, upto, after: None },
            (false, false) => Phase::Rest { at: upto },
        };
        Page { items, next }
    }

    /// An object that an earlier page of the round has shown.
    fn repeat(&self, phase: Phase) -> Option<Value> {
        let slot = match phase {
            Phase::Walk { slice, place, .. } => {
                let order = self.order();
                let place = if slice > 0 { order.len() } else { place };
                let pick = mix(u64::from(self.ask.page)).checked_rem(u64::try_from(place).ok()?)?;
                order.get(usize::try_from(pick).ok()?).copied()?
            }
            Phase::Log { at, .. } => {
                let before = usize::try_from(at).ok()?.checked_sub(1)?;
                self.tenant.log.get(before)?.object
            }
            Phase::Rest { .. } => return None,
        };
        let object = self.tenant.get(slot).filter(|object| self.asked(object))?;
        match object.state {
            State::Live => Some(scalars(object, &self.selection).into()),
            _ => Some(removed(object, self.knobs)),
        }
    }

    /// Members after a cursor that fall into a slice, or all, and whether more of them follow.
    fn slice(
        &self,
        object: &Object,
        slice: Option<u32>,
        after: Option<Slot>,
        room: usize,
    ) -> (Vec<Slot>, bool) {
        if object.kind != Kind::Group || !self.tells_members(object) {
            return (Vec::new(), false);
        }
        let start =
            after.map_or(0, |after| object.members.partition_point(|member| *member <= after));
        let slices = u64::from(self.knobs.member_slices.max(1));
        let mut rest = object.members.iter().skip(start).copied().filter(|member| {
            slice.is_none_or(|slice| {
                mix(u64::from(*member)).checked_rem(slices) == Some(u64::from(slice))
            })
        });
        let members: Vec<Slot> = rest.by_ref().take(room).collect();
        (members, rest.next().is_some())
    }

    fn order(&self) -> std::borrow::Cow<'a, [Slot]> {
        if self.ask.query.ids.is_empty() {
            return self.tenant.walk(self.kind).into();
        }
        let found = self.ask.query.ids.iter().filter_map(|id| self.tenant.slot(id));
        found
            .filter(|slot| self.tenant.get(*slot).is_some_and(|object| object.kind == self.kind))
            .collect()
    }

    fn asked(&self, object: &Object) -> bool {
        object.kind == self.kind
            && (self.ask.query.ids.is_empty()
                || self.ask.query.ids.iter().any(|id| **id == *object.id))
    }

    fn has_slices(&self) -> bool {
        self.kind == Kind::Group && self.selection.relation("members")
    }

    fn resends(&self, object: &Object) -> bool {
        self.knobs.restored_group_sends_members
            && object.kind == Kind::Group
            && object.state == State::Live
            && self.selection.relation("members")
    }

    /// Only what is selected is tracked: a change elsewhere does not surface the object.
    fn tracks(&self, object: &Object, what: What) -> bool {
        match what {
            What::Property(number) => self.selection.has(self.tenant.name(number)),
            What::Joined(_) | What::Left(_) => self.tells_members(object),
            What::Manager(_) => self.selection.relation("manager"),
            What::Created | What::Deleted | What::Restored | What::Purged => true,
        }
    }
}
