//! Who gets which name. Names are unique and stable: an object keeps its name while it
//! still wants it; of two that want one, the one that was there first keeps it, and
//! of two newcomers the older (`createdDateTime`, then the smaller id) gets it.

use super::derive::Deriving;
use super::error::SyncError;
use crate::directory::ids::ObjectId;
use crate::directory::kind::Kind;
use crate::directory::text;
use crate::mapping::Properties;
use crate::mapping::{account_with_suffix, with_suffix};
use crate::replica::Number;
use crate::replica::source::SourceObject;
use serde_json::Value;
use std::rc::Rc;

/// A live object that is looked at in this pass, and what it is called.
pub(super) struct Subject {
    pub(super) number: Number,
    pub(super) kind: Kind,
    pub(super) id: ObjectId,
    pub(super) manager: Option<Number>,
    /// Left out where there are so many objects that they are read again instead.
    pub(super) properties: Option<Properties>,
    /// The RDN's value: the one wanted until one is assigned.
    pub(super) name: String,
    /// The `sAMAccountName`, for kinds that have one; likewise.
    pub(super) account: Option<String>,
    created: String,
}

impl Deriving<'_, '_> {
    /// An object with the name that it would like.
    pub(super) fn subject(&self, number: Number, object: SourceObject, keep: bool) -> Subject {
        let SourceObject { kind, id, manager, properties, .. } = object;
        let created = properties.get("createdDateTime").and_then(Value::as_str).unwrap_or("9");
        Subject {
            number,
            kind,
            id,
            manager,
            name: self.mapping.wanted_name(kind, id, &properties),
            account: self.mapping.wanted_account(kind, id, &properties),
            created: created.to_owned(),
            properties: keep.then_some(properties),
        }
    }

    /// Gives every subject its name and account, and notes those whose DN is new.
    pub(super) fn assign(&mut self, subjects: &mut [Subject]) -> Result<(), SyncError> {
        let mut nameless = Vec::new();
        let mut accountless = Vec::new();
        for (at, subject) in subjects.iter_mut().enumerate() {
            let old = self.change.name_of(subject.number)?;
            let wanted = &subject.name;
            let kept = old.as_ref().and_then(|old| {
                let mut fitting = [wanted.clone(), with_suffix(wanted, subject.id)].into_iter();
                fitting.find(|name| {
                    self.dn_text(subject.kind, name) == *old
                        && !self.is_reserved(&self.mapping.dn(subject.kind, name).key())
                })
            });
            match kept {
                Some(name) => subject.name = name,
                None => {
                    if let Some(old) = &old {
                        self.release_name(old, subject.number)?;
                    }
                    nameless.push(at);
                }
            }
            let held = if old.is_some() { self.old_account(subject.number)? } else { None };
            let fitting = subject.account.as_ref().and_then(|wanted| {
                let mut fitting =
                    [wanted.clone(), account_with_suffix(wanted, subject.id)].into_iter();
                fitting.find(|account| Some(text::fold(account)) == held)
            });
            if fitting.is_some() {
                subject.account = fitting;
            } else {
                if let Some(held) = &held {
                    self.change.release_account(self.connection, held, subject.number)?;
                }
                accountless.extend(subject.account.is_some().then_some(at));
            }
        }
        // By age: a first load is as if everybody had come one after the other.
        let age = |at: &usize| subjects.get(*at).map(|s| (s.created.clone(), s.id));
        nameless.sort_by_cached_key(age);
        accountless.sort_by_cached_key(age);
        for at in nameless {
            if let Some(subject) = subjects.get_mut(at) {
                self.assign_name(subject)?;
            }
        }
        for at in accountless {
            if let Some(subject) = subjects.get_mut(at) {
                self.assign_account(subject)?;
            }
        }
        Ok(())
    }

    fn assign_name(&mut self, subject: &mut Subject) -> Result<(), SyncError> {
        let (kind, id, wanted) = (subject.kind, subject.id, subject.name.clone());
        let last_resort = format!("{} ({id})", wanted.chars().take(64).collect::<String>());
        for name in [wanted.clone(), with_suffix(&wanted, id), last_resort] {
            let dn = self.mapping.dn(kind, &name);
            let key = dn.key();
            let holder = self.change.named(&key)?;
            if !self.is_reserved(&key) && holder.is_none_or(|holder| holder == subject.number) {
                self.change.claim_name(&key, subject.number)?;
                self.renamed.insert(subject.number);
                self.names.insert(subject.number, Some(Rc::from(dn.to_string())));
                subject.name = name;
                break;
            }
        }
        Ok(())
    }

    fn assign_account(&mut self, subject: &mut Subject) -> Result<(), SyncError> {
        let Some(wanted) = subject.account.take() else { return Ok(()) };
        for account in [wanted.clone(), account_with_suffix(&wanted, subject.id)] {
            let folded = text::fold(&account);
            let holder = self.change.account_holder(self.connection, &folded)?;
            if holder.is_none_or(|holder| holder == subject.number) {
                self.change.claim_account(self.connection, &folded, subject.number)?;
                subject.account = Some(account);
                break;
            }
        }
        Ok(())
    }

    /// The DN that an object of this kind has under this name.
    pub(super) fn dn_text(&self, kind: Kind, name: &str) -> String {
        self.mapping.dn(kind, name).to_string()
    }
}
