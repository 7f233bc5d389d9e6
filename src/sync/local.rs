//! Entries of our own, from an LDIF file, among those of the tenant: who keeps a name or an
//! address that both have, and whose members they are.

use super::derive::Deriving;
use super::error::SyncError;
use crate::config::settings::{ConnectionSettings, LocalEntry, Prefer};
use crate::directory::attribute::AttributeId;
use crate::directory::dn::{Dn, DnKey};
use crate::directory::entry::Values;
use crate::directory::ids::ObjectId;
use crate::directory::kind::Kind;
use crate::directory::schema;
use crate::mapping::local::{self, Local};
use crate::replica::connection::ConnectionState;
use crate::replica::encoding::{self, Identity};
use crate::replica::source::Space;
use crate::replica::{Error, Number};
use roaring::RoaringBitmap;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

/// The entries of the file, and what they keep to themselves.
#[derive(Debug, Clone, Default)]
pub struct LocalEntries {
    /// The entries.
    pub entries: Arc<Vec<LocalEntry>>,
    /// Addresses and keys of names that no object of the tenant may have beside them;
    /// empty where the tenant is preferred.
    pub(super) addresses: Arc<HashSet<String>>,
    pub(super) names: Arc<HashSet<Vec<u8>>>,
}

impl LocalEntries {
    /// The entries of a connection. `None`: the file cannot be used, and what is published
    /// of it stays. The text says why.
    pub fn load(settings: &ConnectionSettings) -> Result<Self, String> {
        let Some(local) = &settings.local else { return Ok(Self::default()) };
        let entries = crate::config::local_entries(&local.file, &settings.base, &settings.tree)
            .map_err(|mistakes| {
                let tell =
                    |m: &crate::directory::ldif::Mistake| format!("line {}: {}", m.line, m.text);
                let told: Vec<String> = mistakes.iter().take(5).map(tell).collect();
                format!(
                    "{}: {}; the local entries stay as they were",
                    local.file.display(),
                    told.join("; ")
                )
            })?;
        let (mut addresses, mut names) = (HashSet::new(), HashSet::new());
        if local.prefer == Prefer::Local {
            for one in &entries {
                addresses.extend(local::addresses(&one.entry));
                names.insert(one.entry.dn.key().as_bytes().to_vec());
            }
        }
        Ok(LocalEntries {
            entries: Arc::new(entries),
            addresses: Arc::new(addresses),
            names: Arc::new(names),
        })
    }

    /// A text that stands for all of it.
    pub(super) fn digest(&self) -> String {
        use sha2::Digest;
        let digest = sha2::Sha256::digest(format!("{:?}", self.entries));
        let digest: String = digest.iter().take(8).map(|b| format!("{b:02x}")).collect();
        if self.entries.is_empty() {
            String::new()
        } else {
            format!("{digest} {}", self.fingerprint())
        }
    }

    /// A text that stands for what objects of the tenant lose to them.
    pub(super) fn fingerprint(&self) -> String {
        use sha2::Digest;
        let sorted: BTreeSet<&String> = self.addresses.iter().collect();
        let names: BTreeSet<&Vec<u8>> = self.names.iter().collect();
        let digest = sha2::Sha256::digest(format!("{sorted:?} {names:?}"));
        digest.iter().take(8).map(|b| format!("{b:02x}")).collect()
    }
}

/// An id that stands for a local entry's name.
fn entry_id(key: &DnKey) -> ObjectId {
    use sha2::Digest;
    let digest = sha2::Sha256::new().chain_update("local entry ").chain_update(key.as_bytes());
    ObjectId::from_bytes(digest.finalize().first_chunk().copied().unwrap_or_default())
}

fn attribute(name: &str) -> Result<AttributeId, SyncError> {
    let found = schema::standard().attribute(name.as_bytes());
    found.map(|found| found.id).ok_or(Error::Damaged("the schema").into())
}

impl Deriving<'_, '_> {
    /// Notes which numbers belong to local entries: no object of Graph stands behind them.
    pub(super) fn know_local_entries(&mut self, state: &ConnectionState) {
        self.local_numbers = RoaringBitmap::from_iter(&state.local_entries);
    }

    /// Puts all local entries, removes those that the file no longer has. Gives the members
    /// of groups whose members are others now.
    pub(super) fn local_entries(
        &mut self,
        state: &mut ConnectionState,
    ) -> Result<RoaringBitmap, SyncError> {
        let mut touched = RoaringBitmap::new();
        let Some(local) = self.derivation.local else { return Ok(touched) };
        let mut wanted = Vec::new();
        for one in local.entries.iter() {
            let key = one.entry.dn.key();
            let number = self.change.number(self.connection, entry_id(&key))?;
            let holder = self.change.named(&key)?;
            if holder.is_some_and(|holder| holder != number) {
                self.derived.warnings.push(format!(
                    "local entry in line {}: {} is the name of an object of the tenant, which keeps it; the local entry is not served",
                    one.line, one.entry.dn
                ));
                continue;
            }
            wanted.push((number, one));
        }
        let numbers: BTreeSet<Number> = wanted.iter().map(|(number, _)| *number).collect();
        for number in std::mem::take(&mut state.local_entries) {
            if !numbers.contains(&number) {
                touched |= self.set_members(number, &BTreeSet::new())?;
                self.remove(number, "the local file no longer has it")?;
            }
        }
        self.local_numbers = RoaringBitmap::from_iter(&numbers);
        // Names first: one may be a member of another.
        for (number, one) in &wanted {
            self.change.claim_name(&one.entry.dn.key(), *number)?;
            self.names.insert(*number, Some(one.entry.dn.to_string().into()));
        }
        for (number, one) in &wanted {
            let members = self.members_by_name(one)?;
            touched |= self.set_members(*number, &members)?;
        }
        for (number, one) in &wanted {
            self.put_local(*number, one)?;
        }
        state.local_entries = numbers.into_iter().collect();
        state.local = local.digest();
        touched -= &self.local_numbers;
        Ok(touched)
    }

    fn members_by_name(&mut self, one: &LocalEntry) -> Result<BTreeSet<Number>, SyncError> {
        let mut members = BTreeSet::new();
        for name in ["member", "uniqueMember"] {
            for value in one.entry.values(attribute(name)?) {
                let text = String::from_utf8_lossy(value).into_owned();
                let number = match Dn::parse(&text) {
                    Ok(dn) => self.change.named(&dn.key())?,
                    Err(_) => None,
                };
                match number {
                    Some(number) => {
                        members.insert(number);
                    }
                    None => self.derived.warnings.push(format!(
                        "local entry in line {}: its member {text} is not served",
                        one.line
                    )),
                }
            }
        }
        Ok(members)
    }

    fn set_members(
        &mut self,
        group: Number,
        wanted: &BTreeSet<Number>,
    ) -> Result<RoaringBitmap, SyncError> {
        let mut touched = RoaringBitmap::new();
        let present: BTreeSet<Number> = self.change.linked(Space::Members, group)?.iter().collect();
        for member in present.symmetric_difference(wanted) {
            self.change.set_member(group, *member, wanted.contains(member))?;
            touched.insert(*member);
        }
        Ok(touched)
    }

    fn put_local(&mut self, number: Number, one: &LocalEntry) -> Result<(), SyncError> {
        let mut entry = one.entry.clone();
        if let Some(settings) = &self.derivation.settings.local
            && settings.prefer == Prefer::Entra
        {
            let kept = self.kept_by_the_tenant(number, &local::addresses(&entry))?;
            for address in local::without(&mut entry, &kept) {
                self.derived.warnings.push(format!(
                    "local entry in line {}: {address} belongs to an object of the tenant, which keeps it",
                    one.line
                ));
            }
        }
        let key = one.entry.dn.key();
        let id = entry_id(&key);
        let members = self.dns_of(Space::Members, number)?;
        let member_of = self.served_groups(number)?;
        let base = self.containers.first().map_or(Number::MAX, |(_, number)| *number);
        let parent = one.entry.dn.parent();
        let parent = self
            .containers
            .iter()
            .find(|(dn, _)| parent.as_ref().is_some_and(|parent| parent.key() == dn.key()))
            .map_or(base, |(_, number)| *number);
        let kind = if local::is_group(&entry) { Kind::Group } else { Kind::Contact };
        let identity =
            Identity { kind: Some(kind), connection: self.connection, parent, object: id };
        let mapping = self.mapping;
        let (members, member_of): (Vec<&str>, Vec<&str>) =
            (members.iter().map(|dn| &**dn).collect(), member_of.iter().map(|dn| &**dn).collect());
        let encode = |created, changed, changed_at| {
            let (members, member_of) = (members.as_slice(), member_of.as_slice());
            let made = mapping.local(&Local {
                entry: &entry,
                id,
                members,
                member_of,
                created,
                changed,
                changed_at,
            });
            (encoding::encode(&made, &identity, schema::standard()), Vec::new())
        };
        self.write(number, id, one.entry.dn.to_string(), &encode)?;
        Ok(())
    }

    fn kept_by_the_tenant(
        &mut self,
        number: Number,
        addresses: &[String],
    ) -> Result<HashSet<String>, SyncError> {
        let all = attribute("mailLocalAddress")?;
        let mut kept = HashSet::new();
        for address in addresses {
            let Some(syntax) = schema::standard().get(all).map(|found| found.syntax) else {
                continue;
            };
            let Some(key) = syntax.key(address.as_bytes()) else { continue };
            let holders = self.change.equal(all, &key)?;
            let is_tenants =
                |holder: &Number| *holder != number && !self.local_numbers.contains(*holder);
            let mut tenants = Vec::new();
            for holder in holders.iter().filter(is_tenants) {
                // Another connection's people are none of ours.
                if self.change.connection_of(holder)? == Some(self.connection) {
                    tenants.push(holder);
                }
            }
            if !tenants.is_empty() {
                kept.insert(address.clone());
            }
        }
        Ok(kept)
    }

    /// Whether a name is a local entry's, whatever objects of the tenant want.
    pub(super) fn is_reserved(&self, key: &DnKey) -> bool {
        self.derivation.local.is_some_and(|local| local.names.contains(key.as_bytes()))
    }
}
