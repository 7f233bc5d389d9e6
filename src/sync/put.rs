//! Writing one derived entry, or removing one, and counting what is lost by that.

use super::derive::Deriving;
use super::error::SyncError;
use super::names::Subject;
use crate::directory::attribute::AttributeId;
use crate::directory::dn::Dn;
use crate::directory::ids::ObjectId;
use crate::directory::kind::Kind;
use crate::directory::schema;
use crate::directory::text;
use crate::mapping::{Object, local};
use crate::replica::encoding::{self, Encoded, Identity, View, values_of};
use crate::replica::log::{Action, AttributeChange, Change};
use crate::replica::source::Space;
use crate::replica::{Error, Number};
use std::rc::Rc;
use std::sync::Arc;

/// Attributes that deriving looks at.
pub(super) struct Stamps {
    created: AttributeId,
    changed: AttributeId,
    when_changed: AttributeId,
    modified: AttributeId,
    account: AttributeId,
    member: AttributeId,
    addresses: [AttributeId; 2],
}

impl Stamps {
    pub(super) fn new() -> Result<Self, SyncError> {
        let id = |name: &str| {
            let found = schema::standard().attribute(name.as_bytes());
            found.map(|found| found.id).ok_or(Error::Damaged("the schema"))
        };
        Ok(Stamps {
            created: id("uSNCreated")?,
            changed: id("uSNChanged")?,
            when_changed: id("whenChanged")?,
            modified: id("modifyTimestamp")?,
            account: id("sAMAccountName")?,
            member: id("member")?,
            addresses: [id("mail")?, id("mailLocalAddress")?],
        })
    }

    /// The attributes that say when an entry changed: no change by themselves.
    fn bookkeeping(&self) -> [AttributeId; 4] {
        [self.created, self.changed, self.when_changed, self.modified]
    }
}

/// Why an entry is gone whose object Graph still has.
const LEFT_SCOPE: &str = "out of scope: in none of the groups of [connection.scope]";

/// What of a stored entry is counted.
#[derive(Default)]
struct Counted {
    kind: Option<Kind>,
    /// Each once.
    addresses: Vec<Vec<u8>>,
    has_members: bool,
}

impl Deriving<'_, '_> {
    /// Removes the entry of an object; the flag tells whether there was one.
    pub(super) fn remove(&mut self, number: Number, why: &str) -> Result<bool, SyncError> {
        let Some(stored) = self.change.stored(number)? else {
            // Nothing of whom is not in scope is kept, nor was before.
            if self.cut.contains(number) {
                self.change.anonymise_changes_of(number)?;
            }
            return Ok(false);
        };
        let (dn, identity) = match View::new(&stored) {
            Some(view) => (view.dn().to_owned(), view.identity()),
            None => return Err(Error::Damaged("an entry").into()),
        };
        if let Some(account) = self.old_account(number)? {
            self.change.release_account(self.connection, &account, number)?;
        }
        let counted = counted(&stored, &self.stamps);
        self.count(Some(&counted), None);
        self.change.remove_entry(number)?;
        self.names.insert(number, None);
        self.derived.removed += 1;
        if let Some(kind) = identity.kind {
            *self.derived.losses.entries.entry(kind.plural().to_owned()).or_default() += 1;
        }
        let is_cut = self.cut.contains(number);
        let why = if is_cut && why.is_empty() { LEFT_SCOPE } else { why };
        if is_cut {
            self.cut_names.insert(dn.clone());
            self.change.set_left_out(number, Some(LEFT_SCOPE))?;
        }
        self.log(number, identity.object, Action::Removed, dn, Vec::new(), why)?;
        // A dry run may name who would be removed; what stays behind may not.
        if is_cut {
            self.change.anonymise_changes_of(number)?;
        }
        Ok(true)
    }

    pub(super) fn put(&mut self, subject: &Subject) -> Result<(), SyncError> {
        let number = subject.number;
        let links = Links {
            members: self.served_members(number, subject)?,
            member_of: self.served_groups(number)?,
            manager: match subject.manager {
                Some(manager) => self.dn_of(manager)?,
                None => None,
            },
            reports: self.dns_of(Space::Reports, number)?,
        };
        let again;
        let properties = match &subject.properties {
            Some(properties) => properties,
            None => {
                let object = self.change.object(number)?;
                again = object.ok_or(Error::Damaged("an object is missing"))?.properties;
                &again
            }
        };
        let mapping = self.mapping;
        let container = mapping.container(subject.kind);
        let parent = self.containers.iter().find(|(dn, _)| *dn == container);
        let identity = Identity {
            kind: Some(subject.kind),
            connection: self.connection,
            parent: parent.map_or(Number::MAX, |(_, number)| *number),
            object: subject.id,
        };
        let kept_elsewhere = self.derivation.local.map(|local| Arc::clone(&local.addresses));
        let encode = |created, changed, changed_at| {
            let mut entry = mapping.entry(&Object {
                kind: subject.kind,
                id: subject.id,
                properties,
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
            let mut lost = Vec::new();
            if let Some(kept) = kept_elsewhere.as_ref().filter(|kept| !kept.is_empty()) {
                lost = local::without(&mut entry, kept);
            }
            (encoding::encode(&entry, &identity, schema::standard()), lost)
        };
        let lost =
            self.write(number, subject.id, self.dn_text(subject.kind, &subject.name), &encode)?;
        let dn = &subject.name;
        let tell = |address| format!("{address} of {dn} belongs to a local entry, which keeps it");
        self.derived.warnings.extend(lost.into_iter().map(tell));
        Ok(())
    }

    /// Writes an entry where it is new or differs from the stored one. `encode` makes it,
    /// by the numbers of its first and its latest change and the time of that; gives the
    /// addresses that it had to leave to others, where it was written.
    pub(super) fn write(
        &mut self,
        number: Number,
        object: ObjectId,
        dn: String,
        encode: &dyn Fn(u64, u64, i64) -> (Encoded, Vec<String>),
    ) -> Result<Vec<String>, SyncError> {
        let before = self.change.stored(number)?;
        let stamps = before.as_deref().and_then(|octets| self.old_stamps(octets));
        let next = self.change.next_change();
        let (created, changed, changed_at) = stamps.unwrap_or((next, next, self.derivation.now));
        let (mut encoded, mut lost) = encode(created, changed, changed_at);
        let action = if before.is_none() { Action::Added } else { Action::Changed };
        let mut attributes = Vec::new();
        if action == Action::Changed {
            if !self.change.differs(number, &encoded)? {
                return Ok(Vec::new());
            }
            (encoded, lost) = encode(created, next, self.derivation.now);
            attributes = self.change.difference(number, &encoded, &self.stamps.bookkeeping())?;
        }
        let old = before.as_ref().map(|stored| counted(stored, &self.stamps));
        let new = counted(&encoded.entry, &self.stamps);
        self.count(old.as_ref(), Some(&new));
        self.change.put_entry(number, &encoded)?;
        match action {
            Action::Added => self.derived.added += 1,
            _ => self.derived.changed += 1,
        }
        self.log(number, object, action, dn, attributes, "")?;
        Ok(lost)
    }

    /// Keeps count of what is served, and of what is lost.
    fn count(&mut self, old: Option<&Counted>, new: Option<&Counted>) {
        let stays = new.is_some();
        if let Some(kind) = old.and_then(|old| old.kind) {
            let served = self.totals.entries.entry(kind.plural().to_owned()).or_default();
            *served = served.saturating_sub(1);
        }
        if let Some(kind) = new.and_then(|new| new.kind) {
            *self.totals.entries.entry(kind.plural().to_owned()).or_default() += 1;
        }
        let none = Counted::default();
        let (old, new) = (old.unwrap_or(&none), new.unwrap_or(&none));
        for gone in old.addresses.iter().filter(|gone| !new.addresses.contains(gone)) {
            self.totals.addresses = self.totals.addresses.saturating_sub(1);
            self.lost.insert(gone.clone());
        }
        for come in new.addresses.iter().filter(|come| !old.addresses.contains(come)) {
            self.totals.addresses += 1;
            // Where there was none, none can have come from somebody else.
            if self.derived.before.addresses > 0 {
                self.gained.insert(come.clone());
            }
        }
        match (old.has_members, new.has_members) {
            (true, false) => {
                self.totals.filled_groups = self.totals.filled_groups.saturating_sub(1);
                self.derived.losses.emptied_groups += u64::from(stays);
            }
            (false, true) => self.totals.filled_groups += 1,
            _ => {}
        }
    }

    fn served_members(
        &mut self,
        number: Number,
        subject: &Subject,
    ) -> Result<Vec<Rc<str>>, SyncError> {
        if subject.kind != Kind::Group || self.hides_members(number)? {
            return Ok(Vec::new());
        }
        self.dns_of(Space::Members, number)
    }

    pub(super) fn served_groups(&mut self, number: Number) -> Result<Vec<Rc<str>>, SyncError> {
        let mut out = Vec::new();
        for group in self.change.linked(Space::Groups, number)?.iter() {
            if !self.hides_members(group)? {
                out.extend(self.dn_of(group)?);
            }
        }
        Ok(out)
    }

    fn hides_members(&mut self, group: Number) -> Result<bool, SyncError> {
        if self.derivation.settings.sync.hidden_members {
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

    pub(super) fn dns_of(
        &mut self,
        space: Space,
        number: Number,
    ) -> Result<Vec<Rc<str>>, SyncError> {
        let mut out = Vec::new();
        for other in self.change.linked(space, number)?.iter() {
            out.extend(self.dn_of(other)?);
        }
        Ok(out)
    }

    /// The DN of an object that is live and in scope.
    pub(super) fn dn_of(&mut self, number: Number) -> Result<Option<Rc<str>>, SyncError> {
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

    /// The account name that an object has, folded.
    pub(super) fn old_account(&self, number: Number) -> Result<Option<String>, SyncError> {
        if let Some(account) = self.change.account_of(number)? {
            return Ok(Some(account));
        }
        // Where it was given before anybody noted whose it is.
        let stored = self.change.stored(number)?;
        let served = stored.as_deref().and_then(|octets| first_value(octets, self.stamps.account));
        Ok(served.map(|account| text::fold(&account)))
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
        attributes: Vec<AttributeChange>,
        why: &str,
    ) -> Result<(), SyncError> {
        let change = Change {
            number,
            object: object.to_string(),
            action,
            dn,
            pass: self.derivation.pass,
            time: self.derivation.now,
            attributes,
            why: why.to_owned(),
        };
        self.change.log_change(&change)?;
        if self.derivation.keep_changes {
            self.derived.changes.push(change);
        }
        Ok(())
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

/// Both attributes are short, or lie beside the entry only where somebody has more
/// addresses than anybody could count.
fn counted(octets: &[u8], stamps: &Stamps) -> Counted {
    let Some(view) = View::new(octets) else { return Counted::default() };
    let tlvs = stamps.addresses.iter().filter_map(|id| view.slot(*id)?.tlv);
    let mut addresses = Vec::new();
    for address in tlvs.flat_map(values_of).map(<[u8]>::to_ascii_lowercase) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    let has_members = view.slot(stamps.member).is_some();
    Counted { kind: view.identity().kind, addresses, has_members }
}
