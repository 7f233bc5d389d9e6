//! Deriving entries from the source tables: those of the objects that changed, and of
//! those whose names or memberships changed with them. What comes out as it was costs
//! no write.

use super::apply::Touched;
use super::error::SyncError;
use super::names::Subject;
use crate::directory::attribute::AttributeId;
use crate::directory::dn::Dn;
use crate::directory::ids::ObjectId;
use crate::directory::kind::Kind;
use crate::directory::schema;
use crate::directory::text;
use crate::mapping::{Mapping, Object};
use crate::replica::connection::ConnectionState;
use crate::replica::encoding::{self, Encoded, Identity, View, values_of};
use crate::replica::log::{Action, Change};
use crate::replica::source::Space;
use crate::replica::{Error, Number, Transaction};
use roaring::RoaringBitmap;
use std::collections::HashMap;
use std::rc::Rc;

/// What deriving changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Derived {
    /// Entries that are new.
    pub added: u64,
    /// Entries that changed.
    pub changed: u64,
    /// Entries that are gone.
    pub removed: u64,
}

/// Whose entries, by what, and when.
pub struct Derivation<'a> {
    /// The connection.
    pub connection: u16,
    /// How objects become entries.
    pub mapping: &'a Mapping,
    /// Whether groups with hidden membership are served with their members.
    pub hidden_members: bool,
    /// The pass.
    pub pass: u64,
    /// Unix time.
    pub now: i64,
}

pub(super) struct Deriving<'a, 't> {
    pub(super) change: &'a mut Transaction<'t>,
    pub(super) connection: u16,
    pub(super) mapping: &'a Mapping,
    /// DNs known in this pass; `None` for objects without an entry.
    pub(super) names: HashMap<Number, Option<Rc<str>>>,
    /// Objects whose DN is new.
    pub(super) renamed: RoaringBitmap,
    hidden: HashMap<Number, bool>,
    derivation: &'a Derivation<'a>,
    containers: Vec<(Dn, Number)>,
    stamps: Stamps,
    derived: Derived,
}

/// The attributes that say when an entry changed: no change by themselves.
struct Stamps {
    created: AttributeId,
    changed: AttributeId,
    when_changed: AttributeId,
    account: AttributeId,
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
    let id = |name: &str| {
        schema::standard()
            .attribute(name.as_bytes())
            .map(|a| a.id)
            .ok_or(Error::Damaged("the schema"))
    };
    let stamps = Stamps {
        created: id("uSNCreated")?,
        changed: id("uSNChanged")?,
        when_changed: id("whenChanged")?,
        account: id("sAMAccountName")?,
    };
    let mut deriving = Deriving {
        change,
        connection: derivation.connection,
        mapping: derivation.mapping,
        names: HashMap::new(),
        renamed: RoaringBitmap::new(),
        hidden: HashMap::new(),
        derivation,
        containers: Vec::new(),
        stamps,
        derived: Derived::default(),
    };
    deriving.structure(&mut state, anew)?;
    if anew {
        let mut all = touched.objects.clone();
        for kind in Kind::ALL {
            all |= deriving.change.objects(derivation.connection, kind)?.into_bitmap();
        }
        deriving.objects(&all, &touched.neighbours)?;
        state.mapping = fingerprint;
    } else {
        deriving.objects(&touched.objects, &touched.neighbours)?;
    }
    let derived = deriving.derived;
    change.put_connection(derivation.connection, &state)?;
    Ok(derived)
}

/// Everything that decides what entries look like.
pub(super) fn fingerprint(derivation: &Derivation<'_>) -> String {
    let schema: Vec<_> = schema::standard().attributes().iter().map(|a| a.name).collect();
    let schema = text_digest(&schema.join(" "));
    format!(
        "{}\nhidden members {}\nschema {schema}",
        derivation.mapping.fingerprint(),
        derivation.hidden_members
    )
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

    fn objects(
        &mut self,
        touched: &RoaringBitmap,
        neighbours: &RoaringBitmap,
    ) -> Result<(), SyncError> {
        let mut subjects = Vec::new();
        let mut around = neighbours.clone();
        for number in touched {
            match self.change.object(number)? {
                Some(object) if object.connection == self.connection => {
                    subjects.push(Subject { number, object, name: String::new(), account: None });
                }
                Some(_) => {}
                None => {
                    if self.remove(number)? {
                        around.insert(number);
                    }
                }
            }
        }
        self.assign(&mut subjects)?;
        around |= &self.renamed;
        let mut also = RoaringBitmap::new();
        for number in &around {
            for space in [Space::Members, Space::Groups, Space::Reports] {
                also.extend(self.change.linked(space, number)?.iter());
            }
            if let Some(manager) = self.change.object(number)?.and_then(|object| object.manager) {
                also.insert(manager);
            }
        }
        also -= touched;
        let mut more = Vec::new();
        for number in &also {
            if let Some(object) = self.change.object(number)? {
                more.push(Subject { number, object, name: String::new(), account: None });
            }
        }
        self.assign(&mut more)?;
        subjects.append(&mut more);
        subjects.sort_by_key(|subject| subject.number);
        subjects.iter().try_for_each(|subject| self.put(subject))
    }

    fn remove(&mut self, number: Number) -> Result<bool, SyncError> {
        let Some(stored) = self.change.stored(number)? else { return Ok(false) };
        let (dn, object) = match View::new(&stored) {
            Some(view) => (view.dn().to_owned(), view.identity().object),
            None => return Err(Error::Damaged("an entry").into()),
        };
        if let Some(account) = self.old_account(number)? {
            self.change.release_account(self.connection, &text::fold(&account), number)?;
        }
        self.change.remove_entry(number)?;
        self.names.insert(number, None);
        self.derived.removed += 1;
        self.log(number, object, Action::Removed, dn)?;
        Ok(true)
    }

    fn put(&mut self, subject: &Subject) -> Result<(), SyncError> {
        let number = subject.number;
        let before = self.change.stored(number)?;
        let stamps = before.as_deref().and_then(|octets| self.old_stamps(octets));
        let next = self.change.next_change();
        let (created, changed, changed_at) = stamps.unwrap_or((next, next, self.derivation.now));
        let links = Links {
            members: self.served_members(number, subject)?,
            member_of: self.served_groups(number)?,
            manager: match subject.object.manager {
                Some(manager) => self.dn_of(manager)?,
                None => None,
            },
            reports: self.dns_of(Space::Reports, number)?,
        };
        let mut encoded = self.encode(subject, &links, created, changed, changed_at);
        let action = if before.is_none() { Action::Added } else { Action::Changed };
        if action == Action::Changed {
            if !self.change.differs(number, &encoded)? {
                return Ok(());
            }
            encoded = self.encode(subject, &links, created, next, self.derivation.now);
        }
        self.change.put_entry(number, &encoded)?;
        match action {
            Action::Added => self.derived.added += 1,
            _ => self.derived.changed += 1,
        }
        let dn = self.dn_text(subject.object.kind, &subject.name);
        self.log(number, subject.object.id, action, dn)
    }

    fn encode(
        &self,
        subject: &Subject,
        links: &Links,
        created: u64,
        changed: u64,
        changed_at: i64,
    ) -> Encoded {
        let object = &subject.object;
        let entry = self.mapping.entry(&Object {
            kind: object.kind,
            id: object.id,
            properties: &object.properties,
            name: &subject.name,
            account: subject.account.as_deref(),
            members: &links.members.iter().map(|dn| &**dn).collect::<Vec<_>>(),
            member_of: &links.member_of.iter().map(|dn| &**dn).collect::<Vec<_>>(),
            manager: links.manager.as_deref(),
            direct_reports: &links.reports.iter().map(|dn| &**dn).collect::<Vec<_>>(),
            created,
            changed,
            changed_at,
        });
        let container = self.mapping.container(object.kind);
        let parent = self
            .containers
            .iter()
            .find(|(dn, _)| *dn == container)
            .map_or(Number::MAX, |(_, n)| *n);
        let identity = Identity {
            kind: Some(object.kind),
            connection: self.connection,
            parent,
            object: object.id,
        };
        encoding::encode(&entry, &identity, schema::standard())
    }

    fn served_members(
        &mut self,
        number: Number,
        subject: &Subject,
    ) -> Result<Vec<Rc<str>>, SyncError> {
        if subject.object.kind != Kind::Group || self.hides_members(number)? {
            return Ok(Vec::new());
        }
        self.dns_of(Space::Members, number)
    }

    fn served_groups(&mut self, number: Number) -> Result<Vec<Rc<str>>, SyncError> {
        let mut out = Vec::new();
        for group in self.change.linked(Space::Groups, number)?.iter() {
            if !self.hides_members(group)? {
                out.extend(self.dn_of(group)?);
            }
        }
        Ok(out)
    }

    fn hides_members(&mut self, group: Number) -> Result<bool, SyncError> {
        if self.derivation.hidden_members {
            return Ok(false);
        }
        if let Some(hides) = self.hidden.get(&group) {
            return Ok(*hides);
        }
        let object = self.change.object(group)?;
        let visibility =
            object.as_ref().and_then(|o| o.properties.get("visibility")).and_then(|v| v.as_str());
        let hides = visibility.is_some_and(|v| v.eq_ignore_ascii_case("HiddenMembership"));
        self.hidden.insert(group, hides);
        Ok(hides)
    }

    fn dns_of(&mut self, space: Space, number: Number) -> Result<Vec<Rc<str>>, SyncError> {
        let mut out = Vec::new();
        for other in self.change.linked(space, number)?.iter() {
            out.extend(self.dn_of(other)?);
        }
        Ok(out)
    }

    /// The DN of an object that is live and in scope.
    fn dn_of(&mut self, number: Number) -> Result<Option<Rc<str>>, SyncError> {
        if let Some(known) = self.names.get(&number) {
            return Ok(known.clone());
        }
        let found: Option<Rc<str>> = self.change.name_of(number)?.map(Rc::from);
        self.names.insert(number, found.clone());
        Ok(found)
    }

    pub(super) fn release_name(&mut self, dn: &str, number: Number) -> Result<(), SyncError> {
        let key = Dn::parse(dn).map_err(|_| Error::Damaged("an entry's name"))?.key();
        Ok(self.change.release_name(&key, number)?)
    }

    pub(super) fn old_account(&self, number: Number) -> Result<Option<String>, SyncError> {
        let stored = self.change.stored(number)?;
        Ok(stored.as_deref().and_then(|octets| first_value(octets, self.stamps.account)))
    }

    fn old_stamps(&self, octets: &[u8]) -> Option<(u64, u64, i64)> {
        let number = |id| first_value(octets, id)?.parse().ok();
        let when = first_value(octets, self.stamps.when_changed)?;
        let micros = crate::directory::attribute::generalized_time(when.as_bytes())?;
        Some((number(self.stamps.created)?, number(self.stamps.changed)?, micros / 1_000_000))
    }

    fn log(
        &mut self,
        number: Number,
        object: ObjectId,
        action: Action,
        dn: String,
    ) -> Result<(), SyncError> {
        let (pass, time) = (self.derivation.pass, self.derivation.now);
        Ok(self.change.log_change(&Change {
            number,
            object: object.to_string(),
            action,
            dn,
            pass,
            time,
        })?)
    }
}

struct Links {
    members: Vec<Rc<str>>,
    member_of: Vec<Rc<str>>,
    manager: Option<Rc<str>>,
    reports: Vec<Rc<str>>,
}

fn first_value(octets: &[u8], id: AttributeId) -> Option<String> {
    let tlv = View::new(octets)?.slot(id)?.tlv?;
    let value = values_of(tlv).next()?;
    String::from_utf8(value.to_vec()).ok()
}
