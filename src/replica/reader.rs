//! Reading: a handle that cannot write, and the snapshots it opens.

use super::connection::ConnectionState;
use super::encoding::{View, set_of};
use super::error::Error;
use super::ids::{Few, Ids, Number};
use super::keys::{self, linked};
use super::postings::read::Rows;
use super::resident::{Packed, Resident};
use super::set::Set;
use super::tables::ReadTables;
use super::view::{AttributeView, EntryView};
use crate::directory::attribute::AttributeId;
use crate::directory::dn::{Dn, DnKey};
use crate::directory::entry::Values;
use crate::directory::schema;
use arc_swap::ArcSwap;
use redb::{AccessGuard, Database, ReadableDatabase, ReadableTable, ReadableTableMetadata};
use std::cell::{Cell, OnceCell};
use std::ops::Bound;
use std::sync::Arc;

/// A handle that opens snapshots. Cheap to clone; it has no way to write.
#[derive(Clone)]
pub struct Reader {
    current: Arc<ArcSwap<Snapshot>>,
}

/// A tenant's part of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// The connection's number.
    pub connection: u16,
    /// Its base.
    pub base: Dn,
    /// The base's key.
    pub key: DnKey,
    /// The base entry's number; `None` until a first complete sync is published.
    /// Until then searches in the context answer `unavailable`.
    pub entry: Option<Number>,
}

/// The published state at one instant: all of a pass or nothing of it.
pub struct Snapshot {
    pub(super) tables: ReadTables,
    contexts: Vec<Context>,
    connections: Vec<(u16, ConnectionState)>,
    /// Containers and the base each stands below.
    containers: Vec<(Number, Number)>,
    sequence: u64,
    /// The entries in memory, unless they are being read into it.
    resident: Option<Arc<Resident>>,
}

impl Reader {
    pub(super) fn new(database: &Database) -> Result<Self, Error> {
        Ok(Reader { current: Arc::new(ArcSwap::from_pointee(Snapshot::open(database, None)?)) })
    }

    /// The newest published state. Held for one search, and while its client reads the
    /// answer; pages that later passes free are not reused meanwhile.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Publishes what has been committed; `resident` is the same state in memory.
    pub(super) fn refresh(
        &self,
        database: &Database,
        resident: Option<Arc<Resident>>,
    ) -> Result<(), Error> {
        self.current.store(Arc::new(Snapshot::open(database, resident)?));
        Ok(())
    }
}

impl Snapshot {
    pub(super) fn open(
        database: &Database,
        resident: Option<Arc<Resident>>,
    ) -> Result<Self, Error> {
        let txn = database.begin_read()?;
        let tables = ReadTables::open(&txn)?;
        let mut contexts = Vec::new();
        let mut connections = Vec::new();
        let mut containers = Vec::new();
        for row in tables.connections.iter()? {
            let (number, state) = row?;
            let state = ConnectionState::read(state.value())?;
            if state.configured {
                let base =
                    Dn::parse(&state.base).map_err(|_| Error::Damaged("a connection's base"))?;
                let entry = state.structure.first().copied();
                contexts.push(Context { connection: number.value(), key: base.key(), base, entry });
                if let Some((base, rest)) = state.structure.split_first() {
                    containers.extend(rest.iter().map(|container| (*container, *base)));
                }
            }
            connections.push((number.value(), state));
        }
        let sequence = match tables.meta.get("sequence")? {
            Some(octets) => octets.value().first_chunk().map_or(0, |b| u64::from_le_bytes(*b)),
            None => 0,
        };
        Ok(Snapshot { tables, contexts, connections, containers, sequence, resident })
    }

    /// The configured connections' parts of the tree.
    pub fn contexts(&self) -> &[Context] {
        &self.contexts
    }

    /// The state of every connection that the file knows, by number.
    pub fn connections(&self) -> &[(u16, ConnectionState)] {
        &self.connections
    }

    /// Counts commits: answers from snapshots with the same number are equal.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Whether entries are read from memory.
    pub fn is_in_memory(&self) -> bool {
        self.resident.is_some()
    }

    /// How many entries there are.
    pub fn len(&self) -> Result<u64, Error> {
        Ok(self.tables.entries.len()?)
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> Result<bool, Error> {
        Ok(self.len()? == 0)
    }

    /// The published entry with this name.
    pub fn number(&self, name: &DnKey) -> Result<Option<Number>, Error> {
        Ok(self.tables.names.get(name.as_bytes())?.map(|number| number.value()))
    }

    /// An entry.
    pub fn entry(&self, number: Number) -> Result<Option<StoredEntry<'_>>, Error> {
        let resident = self.resident.as_ref().and_then(|resident| resident.entry(number));
        let octets = match resident {
            Some(packed) => Octets::Resident(packed),
            None => {
                let Some(octets) = self.tables.entries.get(number)? else { return Ok(None) };
                if View::new(octets.value()).is_none() {
                    return Err(Error::Damaged("an entry"));
                }
                Octets::Stored(octets)
            }
        };
        Ok(Some(StoredEntry {
            snapshot: self,
            number,
            octets,
            wide: OnceCell::new(),
            unread: Cell::new(false),
        }))
    }

    /// The entry directly above one of the few entries that have others below them
    /// (bases and containers); `None` for bases and for numbers of other entries.
    pub fn container_parent(&self, number: Number) -> Option<Number> {
        self.containers.iter().find(|(container, _)| *container == number).map(|(_, base)| *base)
    }

    /// All entries.
    pub fn all(&self) -> Result<Ids, Error> {
        self.present(linked().object_class)
    }

    /// Entries that have the attribute.
    pub fn present(&self, attribute: AttributeId) -> Result<Ids, Error> {
        self.tables.present.get(&keys::present(attribute))
    }

    /// How many entries [`Snapshot::equal`] would give, at most; cheap.
    pub fn count_equal(&self, attribute: AttributeId, key: &[u8]) -> Result<usize, Error> {
        if linked().is_linked(attribute) {
            return Ok(self.equal(attribute, key)?.len());
        }
        self.tables.equal.count(&keys::equal(attribute, key))
    }

    /// Entries with a value that has this key. Exact. For `member`, `memberOf`,
    /// `manager` and `directReports` the key is that of the DN.
    pub fn equal(&self, attribute: AttributeId, key: &[u8]) -> Result<Ids, Error> {
        let linked = linked();
        if !linked.is_linked(attribute) {
            return match self.equal_in_memory(attribute, key)? {
                Some(found) => Ok(found),
                None => self.tables.equal.get(&keys::equal(attribute, key)),
            };
        }
        let Some(number) = self.number(&DnKey::from_bytes(key))? else { return Ok(Ids::default()) };
        if attribute == linked.distinguished_name || attribute == linked.entry_dn {
            return Ok(Ids::from(number));
        }
        self.step(attribute, number)
    }

    /// The same, where memory knows; of other values some have the same hash.
    fn equal_in_memory(&self, attribute: AttributeId, key: &[u8]) -> Result<Option<Ids>, Error> {
        let candidates = self.resident.as_ref().and_then(|r| r.candidates(attribute, key));
        let Some(candidates) = candidates else { return Ok(None) };
        let Some(known) = schema::standard().get(attribute) else { return Ok(None) };
        let mut found = Few::new();
        for number in candidates {
            let entry = self.entry(number)?.ok_or(Error::Damaged("an entry of an index"))?;
            let holds = entry.values(attribute).any(|value| known.syntax.equals(value, key));
            entry.sound()?;
            if holds {
                found.push(number);
            }
        }
        Ok(Some(Ids::Few(found)))
    }

    /// Entries with a value whose key lies in the range; no more than about `enough`, where
    /// that is given. Exact. Not for linked DNs.
    pub fn range(
        &self,
        attribute: AttributeId,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        enough: Option<usize>,
    ) -> Result<Ids, Error> {
        let row = |key: &[u8]| keys::equal(attribute, key);
        let (first, behind) = (row(&[]), keys::after_prefix(&row(&[])));
        let from = from.map(row);
        let to = to.map(row);
        let from = match &from {
            Bound::Unbounded => Bound::Included(first.as_slice()),
            Bound::Included(key) => Bound::Included(key.as_slice()),
            Bound::Excluded(key) => Bound::Excluded(key.as_slice()),
        };
        let to = match (&to, &behind) {
            (Bound::Included(key), _) => Bound::Included(key.as_slice()),
            (Bound::Excluded(key), _) => Bound::Excluded(key.as_slice()),
            (Bound::Unbounded, Some(behind)) => Bound::Excluded(behind.as_slice()),
            (Bound::Unbounded, None) => Bound::Unbounded,
        };
        match enough {
            Some(enough) => self.tables.equal.some(from, to, enough, &|_| true),
            None => self.tables.equal.union(from, to, &|_| true),
        }
    }

    /// Distinct keys of the attribute with the entries that have them, in ascending order
    /// or, where `reverse`, in descending order, from the key `from` on (itself included).
    /// Not for linked DNs.
    pub(crate) fn rows(
        &self,
        attribute: AttributeId,
        from: Option<&[u8]>,
        reverse: bool,
    ) -> Result<Rows<'_>, Error> {
        let first = keys::equal(attribute, &[]);
        let behind = keys::after_prefix(&first);
        let from = from.map(|key| keys::equal(attribute, key));
        let end = behind.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let from = from.as_deref().map(Bound::Included);
        let (low, high) = match (from, reverse) {
            (None, _) => (Bound::Included(first.as_slice()), end),
            (Some(from), false) => (from, end),
            (Some(from), true) => (Bound::Included(first.as_slice()), from),
        };
        self.tables.equal.rows(low, high, reverse)
    }

    /// Entries with a value whose key starts so, as [`Snapshot::range`].
    pub fn prefix(
        &self,
        attribute: AttributeId,
        prefix: &[u8],
        enough: Option<usize>,
    ) -> Result<Ids, Error> {
        let behind = keys::after_prefix(prefix);
        let to = behind.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        self.range(attribute, Bound::Included(prefix), to, enough)
    }
}

/// An entry inside a snapshot.
pub struct StoredEntry<'s> {
    snapshot: &'s Snapshot,
    number: Number,
    octets: Octets<'s>,
    wide: OnceCell<Vec<(AttributeId, Vec<u8>)>>,
    unread: Cell<bool>,
}

enum Octets<'s> {
    Stored(AccessGuard<'static, &'static [u8]>),
    Resident(Packed<'s>),
}

impl StoredEntry<'_> {
    /// The entry's number.
    pub fn number(&self) -> Number {
        self.number
    }

    /// The entry in place.
    pub fn view(&self) -> EntryView<'_> {
        match &self.octets {
            // Checked when the entry was opened.
            Octets::Stored(octets) => {
                EntryView::Stored(View::new(octets.value()).unwrap_or_else(View::empty))
            }
            Octets::Resident(packed) => EntryView::Packed(*packed),
        }
    }

    /// An attribute's values, wherever they lie.
    #[inline]
    pub fn set<'a>(&'a self, attribute: &AttributeView<'a>) -> Result<Set<'a>, Error> {
        match attribute.set {
            Some(set) => Ok(set),
            None => self.wide_set(attribute.id),
        }
    }

    fn wide_set(&self, attribute: AttributeId) -> Result<Set<'_>, Error> {
        let mut wide = self.wide()?.iter();
        let tlv = wide.find(|(id, _)| *id == attribute).and_then(|(_, tlv)| set_of(tlv));
        tlv.map(Set::Whole).ok_or(Error::Damaged("a wide attribute"))
    }

    /// Whether all values that were asked for have been read. An error where not all
    /// were: what was concluded from them is worth nothing, unknown is not absent.
    pub fn sound(&self) -> Result<(), Error> {
        if self.unread.get() { Err(Error::Damaged("a wide attribute")) } else { Ok(()) }
    }

    fn wide(&self) -> Result<&[(AttributeId, Vec<u8>)], Error> {
        if let Some(wide) = self.wide.get() {
            return Ok(wide);
        }
        let mut all = Vec::new();
        for row in self.snapshot.tables.wide.range((self.number, 0u16)..=(self.number, u16::MAX))? {
            let (key, tlv) = row?;
            all.push((AttributeId(key.value().1), tlv.value().to_vec()));
        }
        Ok(self.wide.get_or_init(|| all))
    }
}

impl Values for StoredEntry<'_> {
    fn values(&self, attribute: AttributeId) -> impl Iterator<Item = &[u8]> {
        let set = self.view().attribute(attribute);
        let set =
            set.and_then(|found| self.set(&found).inspect_err(|_| self.unread.set(true)).ok());
        set.into_iter().flat_map(|set| set.values())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::ReplicaSettings;
    use crate::directory::entry::Entry;
    use crate::directory::ids::ObjectId;
    use crate::replica::encoding::{self, Identity};

    #[test]
    fn a_list_that_cannot_be_read_is_not_taken_for_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("replica.redb");
        let settings = ReplicaSettings { path, ..ReplicaSettings::default() };
        let writer = crate::replica::open(&settings).unwrap();
        let member = linked().member;
        let mut entry = Entry::new(Dn::parse("cn=all,dc=x").unwrap());
        entry.set(member, (0..200).map(|n| format!("cn=user{n},dc=x").into_bytes()).collect());
        let object = ObjectId::from_bytes([1; 16]);
        let identity = Identity { kind: None, connection: 0, parent: Number::MAX, object };
        let encoded = encoding::encode(&entry, &identity, schema::standard());
        writer.write(|change| change.put_entry(7, &encoded)).unwrap();
        let snapshot = writer.reader().snapshot();
        let stored = snapshot.entry(7).unwrap().unwrap();
        assert_eq!(stored.values(member).count(), 200);
        stored.sound().unwrap();
        writer
            .write(|change| -> Result<(), Error> {
                change.tables.wide.remove((7, member.0))?;
                Ok(())
            })
            .unwrap();
        let snapshot = writer.reader().snapshot();
        let stored = snapshot.entry(7).unwrap().unwrap();
        assert_eq!(stored.values(member).count(), 0);
        assert!(stored.sound().is_err());
    }
}
