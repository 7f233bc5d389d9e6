//! Deriving entries from the source tables: those of the objects that changed, and of
//! those whose names or memberships changed with them. What comes out as it was costs
//! no write. How one entry is written: [`super::put`].

use super::apply::Touched;
use super::error::SyncError;
use super::judge::{Judge, Verdict};
use super::local::LocalEntries;
use super::losses::{Losses, Totals};
use super::names::Subject;
use super::put::Stamps;
use crate::config::settings::ConnectionSettings;
use crate::directory::dn::Dn;
use crate::directory::ids::ObjectId;
use crate::directory::kind::Kind;
use crate::directory::schema;
use crate::mapping::{Mapping, NAMING, Object};
use crate::replica::connection::ConnectionState;
use crate::replica::encoding::{self, Identity};
use crate::replica::log::Change;
use crate::replica::source::{SourceObject, Space};
use crate::replica::{Number, Transaction};
use roaring::RoaringBitmap;
use rustc_hash::FxHashMap;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// More objects at once than so many are not kept in memory: of each, no more is read than
/// decides whether it is served and what it is called, and all of it when its turn comes.
const KEPT: u64 = 256;

/// What deriving changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Derived {
    /// Entries that are new.
    pub added: u64,
    /// Entries that changed.
    pub changed: u64,
    /// Entries that are gone.
    pub removed: u64,
    /// What is lost by that.
    pub losses: Losses,
    /// What was served before.
    pub before: Totals,
    /// What is served now.
    pub after: Totals,
    /// Every change, where that was asked for.
    pub changes: Vec<Change>,
    /// What the administrator should know.
    pub warnings: Vec<String>,
}

/// Whose entries, by what, and when.
pub struct Derivation<'a> {
    /// The connection's number.
    pub connection: u16,
    /// Its settings.
    pub settings: &'a ConnectionSettings,
    /// How objects become entries.
    pub mapping: &'a Mapping,
    /// Entries of our own; `None` where they are not known, and stay as they are.
    pub local: Option<&'a LocalEntries>,
    /// The pass.
    pub pass: u64,
    /// Unix time.
    pub now: i64,
    /// Whether [`Derived::changes`] is wanted.
    pub keep_changes: bool,
}

pub(super) struct Deriving<'a, 't> {
    pub(super) change: &'a mut Transaction<'t>,
    pub(super) connection: u16,
    pub(super) mapping: &'a Mapping,
    pub(super) judge: Judge<'a>,
    /// DNs known in this pass; `None` for objects without an entry.
    pub(super) names: FxHashMap<Number, Option<Rc<str>>>,
    /// Objects whose DN is new.
    pub(super) renamed: RoaringBitmap,
    pub(super) hidden: FxHashMap<Number, bool>,
    pub(super) derivation: &'a Derivation<'a>,
    pub(super) containers: Vec<(Dn, Number)>,
    pub(super) stamps: Stamps,
    pub(super) derived: Derived,
    /// What is served, as it will be.
    pub(super) totals: Totals,
    /// Addresses that an entry has lost, and that one has gained.
    pub(super) lost: HashSet<Vec<u8>>,
    pub(super) gained: HashSet<Vec<u8>>,
    /// Groups that rules have made, by folded name.
    pub(super) local_groups: HashMap<String, Number>,
    /// Of local groups that changed.
    pub(super) refilled: RoaringBitmap,
    /// Local entries, behind which no object stands.
    pub(super) local_numbers: RoaringBitmap,
    /// Objects that keep their present state.
    pub(super) paused: RoaringBitmap,
    /// Objects that this pass took out of the scope, and the names of those that were served.
    pub(super) cut: &'a RoaringBitmap,
    pub(super) cut_names: HashSet<String>,
}

/// Derives the entries that `touched` asks for; all of them when the mapping is new.
pub fn derive(
    change: &mut Transaction<'_>,
    derivation: &Derivation<'_>,
    touched: &Touched,
) -> Result<Derived, SyncError> {
    let mut state = change.connection(derivation.connection)?;
    let fingerprint = fingerprint(derivation);
    let anew = state.mapping != fingerprint || state.structure.is_empty();
    let mut deriving = Deriving {
        change,
        connection: derivation.connection,
        mapping: derivation.mapping,
        judge: Judge::new(derivation.settings),
        names: FxHashMap::default(),
        renamed: RoaringBitmap::new(),
        hidden: FxHashMap::default(),
        derivation,
        containers: Vec::new(),
        stamps: Stamps::new()?,
        derived: Derived { before: state.totals.clone(), ..Derived::default() },
        totals: std::mem::take(&mut state.totals),
        lost: HashSet::new(),
        gained: HashSet::new(),
        local_groups: HashMap::new(),
        refilled: RoaringBitmap::new(),
        local_numbers: RoaringBitmap::new(),
        paused: RoaringBitmap::new(),
        cut: &touched.cut,
        cut_names: HashSet::new(),
    };
    deriving.structure(&mut state, anew)?;
    deriving.pause(&state)?;
    deriving.know_local_entries(&state);
    let mut objects = touched.objects.clone();
    objects |= deriving.local_groups(&mut state)?;
    if deriving.judge.asks_chains {
        objects |= deriving.below(&objects)?;
    }
    if anew {
        for kind in Kind::ALL {
            objects |= deriving.change.objects(derivation.connection, kind)?.into_bitmap();
        }
        deriving.objects(&objects, None)?;
        state.mapping = fingerprint;
    } else {
        deriving.objects(&objects, Some(&touched.neighbours))?;
    }
    let moved = deriving.local_entries(&mut state)?;
    deriving.objects(&moved, Some(&RoaringBitmap::new()))?;
    if !deriving.cut_names.is_empty() {
        deriving.change.forget_names(&deriving.cut_names)?;
    }
    let lost = deriving.lost.difference(&deriving.gained).count();
    deriving.derived.losses.addresses = u64::try_from(lost).unwrap_or(u64::MAX);
    state.totals = deriving.totals;
    let mut derived = deriving.derived;
    derived.after.clone_from(&state.totals);
    change.put_connection(derivation.connection, &state)?;
    Ok(derived)
}

/// Everything that decides what entries look like.
pub(super) fn fingerprint(derivation: &Derivation<'_>) -> String {
    let schema: Vec<_> = schema::standard().attributes().iter().map(|a| a.name).collect();
    let schema = text_digest(&schema.join(" "));
    let judge = text_digest(&Judge::new(derivation.settings).fingerprint());
    let mut text = format!(
        "{}\nhidden members {}\nschema {schema}\nrules {judge}",
        derivation.mapping.fingerprint(),
        derivation.settings.sync.hidden_members
    );
    if let Some(local) = derivation.local {
        text.push_str(&format!("\nlocal {}", local.fingerprint()));
    }
    text
}

fn text_digest(text: &str) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(text).iter().take(8).map(|b| format!("{b:02x}")).collect()
}

impl Deriving<'_, '_> {
    /// The base and its containers.
    fn structure(&mut self, state: &mut ConnectionState, anew: bool) -> Result<(), SyncError> {
        let entries = self.mapping.structure();
        if anew {
            let mut numbers = std::mem::take(&mut state.structure);
            for number in &numbers {
                self.change.remove_entry(*number)?;
            }
            numbers.truncate(entries.len());
            while numbers.len() < entries.len() {
                numbers.push(self.change.new_number()?);
            }
            let base = numbers.first().copied().unwrap_or(Number::MAX);
            for (entry, number) in entries.iter().zip(&numbers) {
                let parent = if *number == base { Number::MAX } else { base };
                let object = ObjectId::from_bytes([0; 16]);
                let identity = Identity { kind: None, connection: self.connection, parent, object };
                let encoded = encoding::encode(entry, &identity, schema::standard());
                self.change.put_entry(*number, &encoded)?;
            }
            state.structure = numbers;
        }
        self.containers = entries
            .into_iter()
            .map(|entry| entry.dn)
            .zip(state.structure.iter().copied())
            .collect();
        Ok(())
    }

    /// Everybody who is in one of these groups, over any number of steps.
    fn below(&mut self, groups: &RoaringBitmap) -> Result<RoaringBitmap, SyncError> {
        let mut seen = RoaringBitmap::new();
        let mut open: Vec<Number> = groups.iter().collect();
        while let Some(group) = open.pop() {
            for member in self.change.linked(Space::Members, group)?.iter() {
                if seen.insert(member) {
                    open.push(member);
                }
            }
        }
        Ok(seen)
    }

    /// Notes the objects that keep their present state, unless the tree no longer has the
    /// place they stand in.
    fn pause(&mut self, state: &ConnectionState) -> Result<(), SyncError> {
        let ids = state.paused_objects.keys().filter_map(|id| id.parse::<ObjectId>().ok());
        for id in ids {
            let Some(number) = self.change.find(self.connection, id)? else { continue };
            let place = self.change.name_of(number)?.and_then(|dn| Dn::parse(&dn).ok());
            let place = place.and_then(|dn| dn.parent()).map(|parent| parent.key());
            if place.is_some_and(|place| self.containers.iter().any(|(dn, _)| dn.key() == place)) {
                self.paused.insert(number);
            }
        }
        Ok(())
    }

    /// `neighbours`: whose neighbours change with them; `None` where all are touched.
    ///
    /// In rounds: a name or a verdict that changes concerns members, groups, managers and
    /// reports, and theirs may change with it.
    fn objects(
        &mut self,
        touched: &RoaringBitmap,
        neighbours: Option<&RoaringBitmap>,
    ) -> Result<(), SyncError> {
        let mut subjects: Vec<Subject> = Vec::new();
        let mut done = &self.paused | &self.local_numbers;
        let mut open = touched - &done;
        let mut around = neighbours.cloned().unwrap_or_default();
        while !open.is_empty() {
            done |= &open;
            let keep = open.len() <= KEPT;
            let (mut round, removed) = self.round(&open, keep)?;
            around |= &removed;
            around |= std::mem::take(&mut self.renamed);
            let refilled = std::mem::take(&mut self.refilled);
            let mut next = RoaringBitmap::new();
            if neighbours.is_some() {
                for number in &around {
                    for space in [Space::Members, Space::Groups, Space::Reports] {
                        next.extend(self.change.linked(space, number)?.iter());
                    }
                }
                let changed = round.iter().filter(|subject| around.contains(subject.number));
                next.extend(changed.filter_map(|subject| subject.manager));
            }
            next |= refilled;
            next -= &done;
            around.clear();
            subjects.append(&mut round);
            open = next;
        }
        subjects.sort_by_key(|subject| subject.number);
        subjects.iter().try_for_each(|subject| self.put(subject))
    }

    /// Decides who of these is served and gives those their names; removes the others.
    /// Gives the subjects, and who was removed.
    fn round(
        &mut self,
        numbers: &RoaringBitmap,
        keep: bool,
    ) -> Result<(Vec<Subject>, RoaringBitmap), SyncError> {
        let mut removed = RoaringBitmap::new();
        let (mut subjects, mut later) = (Vec::new(), Vec::new());
        let some = self.judge.properties().filter(|_| !keep).map(|decide| {
            let named = decide.iter().chain(&NAMING).chain(&["createdDateTime"]);
            named.copied().collect::<Vec<&str>>()
        });
        for number in numbers {
            let object = match &some {
                Some(properties) => self.change.object_with(number, properties)?,
                None => self.change.object(number)?,
            };
            match object {
                Some(object) if object.connection == self.connection => {
                    // Rules that ask for groups need the names of these.
                    if self.judge.asks_groups && object.kind != Kind::Group {
                        later.push(number);
                    } else {
                        self.look_at(number, object, keep, &mut subjects, &mut removed)?;
                    }
                }
                Some(_) => {}
                None => {
                    if self.remove(number, "")? {
                        removed.insert(number);
                    }
                }
            }
        }
        self.assign(&mut subjects)?;
        if !later.is_empty() {
            let mut others = Vec::new();
            for number in later {
                if let Some(object) = self.change.object(number)? {
                    self.look_at(number, object, keep, &mut others, &mut removed)?;
                }
            }
            self.assign(&mut others)?;
            subjects.append(&mut others);
        }
        Ok((subjects, removed))
    }

    fn look_at(
        &mut self,
        number: Number,
        object: SourceObject,
        keep: bool,
        subjects: &mut Vec<Subject>,
        removed: &mut RoaringBitmap,
    ) -> Result<(), SyncError> {
        let verdict = self.verdict(number, &object)?;
        self.fill_local_groups(number, &verdict)?;
        self.change.set_left_out(number, verdict.left_out.as_deref())?;
        match verdict.left_out {
            None => subjects.push(self.subject(number, object, keep)),
            Some(why) => {
                if self.remove(number, &why)? {
                    removed.insert(number);
                }
                self.names.insert(number, None);
            }
        }
        Ok(())
    }

    fn verdict(&mut self, number: Number, object: &SourceObject) -> Result<Verdict, SyncError> {
        if self.local_groups.values().any(|group| *group == number) {
            return Ok(Verdict::default());
        }
        if let Some(switch) = self.judge.switched_off(object.kind, &object.properties) {
            return Ok(Verdict { left_out: Some(switch), groups: Vec::new() });
        }
        if object.kind == Kind::Domain || !self.judge.has_rules() {
            return Ok(Verdict::default());
        }
        let member_of =
            if self.judge.asks_groups { self.served_groups(number)? } else { Vec::new() };
        let above = if self.judge.asks_chains { self.above(number)? } else { HashSet::new() };
        let name = self.mapping.wanted_name(object.kind, object.id, &object.properties);
        let account = self.mapping.wanted_account(object.kind, object.id, &object.properties);
        let entry = self.mapping.entry(&Object {
            kind: object.kind,
            id: object.id,
            properties: &object.properties,
            name: &name,
            account: account.as_deref(),
            members: &[],
            member_of: &member_of.iter().map(|dn| &**dn).collect::<Vec<_>>(),
            manager: None,
            direct_reports: &[],
            created: 0,
            changed: 0,
            changed_at: 0,
        });
        Ok(self.judge.verdict(&entry, &|key| above.contains(key)))
    }

    /// The keys of the names of all groups over an object.
    fn above(&mut self, number: Number) -> Result<HashSet<Vec<u8>>, SyncError> {
        let (mut keys, mut seen, mut open) = (HashSet::new(), RoaringBitmap::new(), vec![number]);
        while let Some(number) = open.pop() {
            for group in self.change.linked(Space::Groups, number)?.iter() {
                if !seen.insert(group) {
                    continue;
                }
                if let Some(dn) = self.dn_of(group)?
                    && let Ok(dn) = Dn::parse(&dn)
                {
                    keys.insert(dn.key().as_bytes().to_vec());
                    open.push(group);
                }
            }
        }
        Ok(keys)
    }
}
