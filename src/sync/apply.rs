//! Merging a round into the source tables. Rules: reference to Graph's delta
//! semantics, that is: an item with `@removed` is gone; a property that is null is
//! cleared; one that is absent is unchanged in a delta round, and unset in a full one;
//! a page's members are a slice, never the whole; later items win.

use super::error::SyncError;
use super::gather::Gathered;
use crate::directory::ids::ObjectId;
use crate::directory::kind::Kind;
use crate::graph::{self, Item, ManagerChange, Removal};
use crate::replica::source::{SourceObject, Space};
use crate::replica::{Number, Transaction};
use roaring::RoaringBitmap;
use serde_json::{Map, Value};
use std::collections::{BTreeSet, HashMap};

/// What a pass changed in the source tables.
#[derive(Debug, Default)]
pub struct Touched {
    /// Objects whose own entry may change.
    pub objects: RoaringBitmap,
    /// Objects whose neighbours' entries may change with them.
    pub neighbours: RoaringBitmap,
    /// Objects that have left the scope.
    pub cut: RoaringBitmap,
    /// Ids of the members that this pass has named.
    pub ids: HashMap<Number, ObjectId>,
    /// Ids of objects that were passed over because nothing was known of them.
    pub seen: Vec<ObjectId>,
    /// Objects in the answers.
    pub received: u64,
}

/// Which objects of a round are kept at all.
#[derive(Debug, Clone, Copy)]
pub(super) enum Admission<'a> {
    /// All of them.
    All,
    /// Those that were known before: of others, a delta round tells only what changed.
    Known,
    /// Those in scope.
    Among(&'a RoaringBitmap),
    /// Those in scope that were known before.
    KnownAmong(&'a RoaringBitmap),
}

/// Complete member lists that were read beside a round; `None`: it could not be read, and
/// what is stored stays.
pub type Rereads = HashMap<ObjectId, Option<Vec<ObjectId>>>;

/// Merges one stream's round.
pub(super) fn apply(
    change: &mut Transaction<'_>,
    connection: u16,
    round: &Gathered,
    rereads: &Rereads,
    admission: Admission<'_>,
    touched: &mut Touched,
) -> Result<(), SyncError> {
    let mut merge = Merge {
        change,
        connection,
        kind: round.kind,
        full: round.full,
        admission,
        seen: RoaringBitmap::new(),
        members: HashMap::new(),
        interrupted: RoaringBitmap::new(),
        reread: rereads
            .iter()
            .filter(|(_, members)| members.is_some())
            .map(|(id, _)| (*id, BTreeSet::new()))
            .collect(),
        touched,
    };
    for page in 0..round.staged {
        let body = merge.change.staged(connection, round.kind, page)?;
        let body = body.ok_or(crate::replica::Error::Damaged("a staged page is missing"))?;
        merge.page(&body)?;
    }
    for body in &round.pages {
        merge.page(body)?;
    }
    for (group, members) in rereads {
        match members {
            Some(members) => merge.reread_members(*group, members)?,
            None => merge.keep_members(*group)?,
        }
    }
    if round.full {
        merge.sweep()?;
    }
    merge.write_members()
}

/// Replaces all domains by those of a complete list.
pub(super) fn apply_domains(
    change: &mut Transaction<'_>,
    connection: u16,
    domains: &[Map<String, Value>],
    touched: &mut Touched,
) -> Result<(), SyncError> {
    let mut merge = Merge {
        change,
        connection,
        kind: Kind::Domain,
        full: true,
        admission: Admission::All,
        seen: RoaringBitmap::new(),
        members: HashMap::new(),
        interrupted: RoaringBitmap::new(),
        reread: HashMap::new(),
        touched,
    };
    for properties in domains {
        let verified = properties.get("isVerified").and_then(Value::as_bool).unwrap_or(true);
        let Some(name) = properties.get("id").and_then(Value::as_str).filter(|_| verified) else {
            continue;
        };
        let (id, manager, properties) = (domain_id(name), None, properties.clone());
        merge.item(Item { id, removed: None, properties, members: Vec::new(), manager })?;
    }
    merge.sweep()
}

/// Merges objects that were read by their ids, each whole; groups with all members.
pub(super) fn apply_fetched(
    change: &mut Transaction<'_>,
    connection: u16,
    fetched: &[(Kind, Item)],
    touched: &mut Touched,
) -> Result<(), SyncError> {
    for kind in [Kind::Group, Kind::User, Kind::Contact] {
        let mut merge = Merge {
            change: &mut *change,
            connection,
            kind,
            full: true,
            admission: Admission::All,
            seen: RoaringBitmap::new(),
            members: HashMap::new(),
            interrupted: RoaringBitmap::new(),
            reread: HashMap::new(),
            touched: &mut *touched,
        };
        for (_, item) in fetched.iter().filter(|(of, _)| *of == kind) {
            merge.item(item.clone())?;
        }
        merge.write_members()?;
    }
    Ok(())
}

/// An id that stands for a domain's name: Graph gives domains none.
pub fn domain_id(name: &str) -> ObjectId {
    use sha2::Digest;
    let digest = sha2::Sha256::digest(format!("domain {}", name.to_ascii_lowercase()));
    ObjectId::from_bytes(digest.first_chunk().copied().unwrap_or_default())
}

struct Merge<'a, 't> {
    change: &'a mut Transaction<'t>,
    connection: u16,
    kind: Kind,
    full: bool,
    admission: Admission<'a>,
    /// Objects that this round has named.
    seen: RoaringBitmap,
    /// Member lists as they will be; in a full round they start empty.
    members: HashMap<Number, BTreeSet<Number>>,
    /// Groups that went to the bin in the middle of a full round: nothing promises that
    /// their members come a second time, so what was stored stays. And those whose members
    /// could not be read.
    interrupted: RoaringBitmap,
    /// Of each group whose members were read beside the round, those that the round
    /// itself has added: the list may come from a server that lags behind.
    reread: HashMap<ObjectId, BTreeSet<Number>>,
    touched: &'a mut Touched,
}

impl Merge<'_, '_> {
    fn page(&mut self, body: &[u8]) -> Result<(), SyncError> {
        graph::items(self.kind, body)?.into_iter().try_for_each(|item| self.item(item))
    }

    fn item(&mut self, item: Item) -> Result<(), SyncError> {
        self.touched.received += 1;
        if !self.admits(item.id)? {
            self.touched.seen.extend(item.removed.is_none().then_some(item.id));
            return Ok(());
        }
        match item.removed {
            Some(removal) => self.remove(item.id, removal),
            None => self.upsert(item),
        }
    }

    fn admits(&mut self, id: ObjectId) -> Result<bool, SyncError> {
        if matches!(self.admission, Admission::All) {
            return Ok(true);
        }
        let Some(number) = self.change.find(self.connection, id)? else { return Ok(false) };
        let known = matches!(self.admission, Admission::Among(_))
            || self.seen.contains(number)
            || self.change.has_object(number)?;
        Ok(known
            && match self.admission {
                Admission::All | Admission::Known => true,
                Admission::Among(scope) | Admission::KnownAmong(scope) => scope.contains(number),
            })
    }

    fn upsert(&mut self, item: Item) -> Result<(), SyncError> {
        let number = self.change.number(self.connection, item.id)?;
        // A page may bring an object again: in a full round only its first appearance
        // replaces what earlier passes said.
        let first = self.seen.insert(number);
        let before = self.change.object(number)?;
        let anew = self.full && first;
        // Ids are unique over kinds; should an object change its kind, it starts anew.
        let base = before.clone().filter(|before| !anew && before.kind == self.kind);
        let mut object = base.unwrap_or_else(|| SourceObject {
            connection: self.connection,
            kind: self.kind,
            id: item.id,
            manager: None,
            properties: Map::new(),
        });
        for (name, value) in item.properties {
            if value.is_null() {
                object.properties.remove(&name);
            } else {
                object.properties.insert(name, value);
            }
        }
        match item.manager {
            Some(ManagerChange::Set(manager)) => {
                object.manager = Some(self.change.number(self.connection, manager)?);
            }
            Some(ManagerChange::Cleared) => object.manager = None,
            None => {}
        }
        if self.change.put_object(number, &object)? {
            self.touched.objects.insert(number);
            self.touch_manager(before.as_ref().and_then(|b| b.manager), object.manager);
            let visibility =
                |o: Option<&SourceObject>| o.and_then(|o| o.properties.get("visibility").cloned());
            if before.is_none() || visibility(before.as_ref()) != visibility(Some(&object)) {
                self.touched.neighbours.insert(number);
            }
        }
        if self.kind == Kind::Group && (self.full || !item.members.is_empty()) {
            self.load_members(number)?;
        }
        for member in item.members {
            let member_number = self.change.number(self.connection, member.id)?;
            if !member.removed {
                self.touched.ids.insert(member_number, member.id);
            }
            let list = self.members.entry(number).or_default();
            for list in self.reread.get_mut(&item.id).into_iter().chain([list]) {
                if member.removed {
                    list.remove(&member_number)
                } else {
                    list.insert(member_number)
                };
            }
        }
        Ok(())
    }

    fn touch_manager(&mut self, old: Option<Number>, new: Option<Number>) {
        if old != new {
            self.touched.objects.extend(old.into_iter().chain(new));
        }
    }

    fn load_members(&mut self, group: Number) -> Result<(), SyncError> {
        if !self.members.contains_key(&group) {
            let list = match self.full {
                true => BTreeSet::new(),
                false => self.change.linked(Space::Members, group)?.iter().collect(),
            };
            self.members.insert(group, list);
        }
        Ok(())
    }

    fn remove(&mut self, id: ObjectId, removal: Removal) -> Result<(), SyncError> {
        // An object that was deleted before it was ever seen.
        let Some(number) = self.change.find(self.connection, id)? else { return Ok(()) };
        self.seen.remove(number);
        self.forget(number)?;
        if self.kind != Kind::Group {
            return Ok(());
        }
        if let Some(added) = self.reread.get_mut(&id) {
            added.clear();
        }
        match removal {
            // What may be restored keeps its edges, with the changes that came before.
            Removal::SoftDeleted => {
                self.interrupted.insert(number);
            }
            Removal::Deleted => {
                self.interrupted.remove(number);
                self.members.insert(number, BTreeSet::new());
            }
        }
        Ok(())
    }

    fn forget(&mut self, number: Number) -> Result<(), SyncError> {
        let Some(before) = self.change.object(number)? else { return Ok(()) };
        // Ids are unique over kinds; should that ever fail, a stream only removes its own.
        if before.kind != self.kind {
            return Ok(());
        }
        self.change.remove_object(number)?;
        self.touched.objects.insert(number);
        self.touched.neighbours.insert(number);
        self.touch_manager(before.manager, None);
        Ok(())
    }

    /// At the end of a full enumeration, what it did not name is gone.
    fn sweep(&mut self) -> Result<(), SyncError> {
        let mut known = self.change.objects(self.connection, self.kind)?.into_bitmap();
        // Groups of our own are none that Graph could name.
        known -= RoaringBitmap::from_iter(self.change.connection(self.connection)?.local_groups);
        (known - &self.seen).into_iter().try_for_each(|number| self.forget(number))
    }

    /// A list that was read names no members in the recycle bin, and their memberships
    /// come back with them without a word: edges to what is not live stay.
    fn reread_members(&mut self, id: ObjectId, members: &[ObjectId]) -> Result<(), SyncError> {
        let Some(group) = self.change.find(self.connection, id)? else { return Ok(()) };
        if !self.change.has_object(group)? {
            return Ok(());
        }
        let mut list = self.reread.remove(&id).unwrap_or_default();
        for member in members {
            let number = self.change.number(self.connection, *member)?;
            self.touched.ids.insert(number, *member);
            list.insert(number);
        }
        for member in self.change.linked(Space::Members, group)?.iter() {
            if !self.change.has_object(member)? {
                list.insert(member);
            }
        }
        self.interrupted.remove(group);
        self.members.insert(group, list);
        Ok(())
    }

    /// Nobody knows whether the members that a full round does not name are gone.
    fn keep_members(&mut self, id: ObjectId) -> Result<(), SyncError> {
        if let Some(group) = self.change.find(self.connection, id)? {
            self.interrupted.insert(group);
        }
        Ok(())
    }

    fn write_members(&mut self) -> Result<(), SyncError> {
        let mut members: Vec<_> = std::mem::take(&mut self.members).into_iter().collect();
        members.sort_by_key(|(group, _)| *group);
        let mut edges = Vec::new();
        for (group, mut wanted) in members {
            let stored = self.change.linked(Space::Members, group)?;
            if self.full && self.interrupted.contains(group) {
                wanted.extend(stored.iter());
            }
            let gone = stored
                .iter()
                .filter(|member| !wanted.contains(member))
                .map(|member| (group, member, false));
            let new = wanted
                .iter()
                .filter(|member| !stored.contains(**member))
                .map(|member| (group, *member, true));
            let before = edges.len();
            edges.extend(gone.chain(new));
            if edges.len() > before {
                self.touched.objects.insert(group);
            }
        }
        for (group, member, present) in edges {
            self.touched.objects.insert(member);
            self.change.set_member(group, member, present)?;
        }
        Ok(())
    }
}
