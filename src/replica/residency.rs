//! Keeping the entries in memory beside the file: made at the start and whenever a commit
//! changes most of it, on a thread of its own, and followed by each commit.
//! Searches read the file meanwhile.

use super::error::Error;
use super::reader::{Reader, Snapshot};
use super::resident::{self, Pending, Resident};
use super::writer::{Slot, Writer};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;

/// So few entries are read at once: a thread for them would be no faster.
const FEW: u64 = 2000;

/// Where a writer stands with it.
pub(super) enum Residency {
    /// Nothing is kept in memory.
    Off,
    /// It has to be made anew.
    Outdated,
    /// It is being made from an older state, and these commits came since.
    Building {
        /// Tells apart what has been begun and given up.
        attempt: Arc<()>,
        commits: Vec<Pending>,
    },
    /// It is the published state.
    Ready(Arc<Resident>),
}

impl Residency {
    /// What a transaction collects its changes in.
    pub(super) fn collector(&self) -> Pending {
        match self {
            Residency::Off | Residency::Outdated => Pending::off(),
            Residency::Building { .. } | Residency::Ready(_) => Pending::default(),
        }
    }

    /// Goes on to the state after a commit.
    pub(super) fn follow(&mut self, pending: Pending) {
        match self {
            Residency::Off | Residency::Outdated => {}
            _ if pending.is_too_large() => *self = Residency::Outdated,
            Residency::Building { commits, .. } => commits.push(pending),
            Residency::Ready(resident) => {
                if !pending.is_empty() {
                    *resident = Arc::new(resident.after(&pending));
                }
            }
        }
    }

    /// Gives up what is known.
    pub(super) fn forget(&mut self) {
        if !matches!(self, Residency::Off) {
            *self = Residency::Outdated;
        }
    }

    pub(super) fn is_outdated(&self) -> bool {
        matches!(self, Residency::Outdated)
    }

    /// The published state, where it is known.
    pub(super) fn ready(&self) -> Option<Arc<Resident>> {
        match self {
            Residency::Ready(resident) => Some(Arc::clone(resident)),
            _ => None,
        }
    }
}

impl Writer {
    /// From now on keeps the entries in memory, too, for searches: some 1.2 KiB for each.
    pub fn keep_in_memory(&self) {
        let mut slot = self.lock();
        slot.residency = Residency::Outdated;
        self.build(&mut slot);
    }

    /// Begins to read the entries into memory.
    pub(super) fn build(&self, slot: &mut Slot) {
        if matches!(slot.residency, Residency::Off) {
            return;
        }
        slot.residency = Residency::Outdated;
        let Some(database) = slot.database.as_ref() else { return };
        let snapshot = match Snapshot::open(database, None) {
            Ok(snapshot) => snapshot,
            Err(error) => return give_up(slot, &error),
        };
        let attempt = Arc::new(());
        let commits = Vec::new();
        slot.residency = Residency::Building { attempt: Arc::clone(&attempt), commits };
        let build = Build { slot: Arc::downgrade(&self.slot), reader: self.reader(), attempt };
        if snapshot.len().is_ok_and(|len| len <= FEW) {
            return build.finish(slot, resident::build(&snapshot, &|| true), None);
        }
        let thread = std::thread::Builder::new().name("into memory".to_owned());
        // A process that cannot start a thread has other worries; it goes on with the file.
        if let Err(error) = thread.spawn(move || build.run(snapshot)) {
            give_up(slot, &error);
        }
    }
}

fn give_up(slot: &mut Slot, error: &dyn std::error::Error) {
    tracing::error!("the entries cannot be kept in memory, searches read the file: {error}");
    slot.residency = Residency::Off;
}

/// One reading of a whole snapshot into memory.
struct Build {
    slot: Weak<Mutex<Slot>>,
    reader: Reader,
    attempt: Arc<()>,
}

impl Build {
    fn run(self, snapshot: Snapshot) {
        let began = Instant::now();
        let built = resident::build(&snapshot, &|| Arc::strong_count(&self.attempt) > 1);
        // Pages that the commits since have freed are not used again while it lives.
        drop(snapshot);
        let Some(slot) = self.slot.upgrade() else { return };
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        self.finish(&mut slot, built, Some(began));
    }

    /// Publishes what was built, brought up to the last commit; unless it was given up.
    /// `began`: when, if that is worth a line in the log.
    fn finish(
        &self,
        slot: &mut Slot,
        built: Result<Option<Resident>, Error>,
        began: Option<Instant>,
    ) {
        let commits = match &mut slot.residency {
            Residency::Building { attempt, commits } if Arc::ptr_eq(attempt, &self.attempt) => {
                std::mem::take(commits)
            }
            _ => return,
        };
        let resident = match built {
            Ok(Some(resident)) => resident,
            Ok(None) => return,
            Err(error) => return give_up(slot, &error),
        };
        let resident = Arc::new(commits.iter().fold(resident, |state, commit| state.after(commit)));
        let (took, octets) = (began.map(|began| began.elapsed().as_millis()), resident.size());
        slot.residency = Residency::Ready(Arc::clone(&resident));
        let Some(database) = slot.database.as_ref() else { return };
        match self.reader.refresh(database, Some(resident)) {
            Ok(()) => {
                if let Some(ms) = took {
                    tracing::info!(octets, ms, "the entries are in memory");
                }
            }
            Err(error) => give_up(slot, &error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::ReplicaSettings;
    use crate::directory::attribute::AttributeId;
    use crate::directory::dn::Dn;
    use crate::directory::entry::Entry;
    use crate::directory::ids::ObjectId;
    use crate::directory::schema;
    use crate::replica::encoding::{Identity, encode};
    use crate::replica::{self, Number};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn id(name: &str) -> AttributeId {
        schema::standard().attribute(name.as_bytes()).unwrap().id
    }

    fn writer() -> Writer {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("replica.redb");
        replica::open(&ReplicaSettings { path, ..ReplicaSettings::default() }).unwrap()
    }

    /// A number and its entry: which of a few addresses it has; `None`: none at all.
    type Change = (Number, Option<Vec<u8>>);

    fn apply(writer: &Writer, changes: &[Change]) {
        let put = |change: &mut replica::Transaction<'_>| {
            for (number, addresses) in changes {
                let Some(addresses) = addresses else {
                    change.remove_entry(*number)?;
                    continue;
                };
                let mut entry = Entry::new(Dn::parse(&format!("cn=n{number},dc=x")).unwrap());
                entry.add(id("objectClass"), "user");
                for address in addresses {
                    entry.add(id("proxyAddresses"), format!("smtp:A{address}@x"));
                    entry.add(id("mail"), format!("a{address}@x"));
                }
                // One that lies beside the entry.
                if addresses.len() > 2 {
                    let many = (0..200).map(|n| format!("cn=n{n},dc=x").into_bytes()).collect();
                    entry.set(id("member"), many);
                }
                let object = ObjectId::from_bytes(u128::from(*number).to_be_bytes());
                let identity = Identity { kind: None, connection: 0, parent: Number::MAX, object };
                change.put_entry(*number, &encode(&entry, &identity, schema::standard()))?;
            }
            Ok::<(), Error>(())
        };
        writer.write(put).unwrap();
    }

    /// What a snapshot says of every entry, and of every address.
    fn told(snapshot: &Snapshot) -> (BTreeMap<Number, String>, Vec<Vec<Number>>) {
        let mut entries = BTreeMap::new();
        for number in 0..4000 {
            if let Some(entry) = snapshot.entry(number).unwrap() {
                let slots = entry
                    .view()
                    .attributes()
                    .map(|slot| format!("{:?} {:?}", slot.id, entry.set(&slot).unwrap()));
                let text = format!("{} {}", entry.view().dn(), slots.collect::<Vec<_>>().join(" "));
                entries.insert(number, text);
            }
        }
        let holders = (0..=u8::MAX).flat_map(|address| {
            [("proxyAddresses", format!("smtp:a{address}@x")), ("mail", format!("a{address}@x"))]
        });
        let holders = holders.map(|(name, key)| {
            let found = snapshot.equal(id(name), key.as_bytes()).unwrap();
            found.iter().collect()
        });
        (entries, holders.collect())
    }

    fn from_file(writer: &Writer) -> Snapshot {
        Snapshot::open(writer.lock().database.as_ref().unwrap(), None).unwrap()
    }

    fn changes(numbers: std::ops::Range<u32>) -> impl Strategy<Value = Vec<Change>> {
        let addresses = prop::option::of(prop::collection::vec(any::<u8>(), 0..4));
        prop::collection::vec((numbers, addresses), 0..60)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn memory_says_what_the_file_says_after_any_commits(
            before in prop::collection::vec(changes(0..100), 0..3),
            after in prop::collection::vec(changes(0..150), 0..5),
        ) {
            let writer = writer();
            before.iter().for_each(|commit| apply(&writer, commit));
            writer.keep_in_memory();
            let reader = writer.reader();
            prop_assert!(reader.snapshot().is_in_memory());
            prop_assert_eq!(told(&reader.snapshot()), told(&from_file(&writer)));
            for commit in &after {
                let held = reader.snapshot();
                let of_held = told(&held);
                apply(&writer, commit);
                prop_assert_eq!(told(&held), of_held, "a state that is held has changed");
                prop_assert!(reader.snapshot().is_in_memory());
                prop_assert_eq!(told(&reader.snapshot()), told(&from_file(&writer)));
            }
        }
    }

    #[test]
    fn commits_while_it_is_made_are_not_lost() {
        let writer = writer();
        let all: Vec<Change> =
            (0..FEW as u32 + 500).map(|number| (number, Some(vec![number as u8]))).collect();
        apply(&writer, &all);
        writer.keep_in_memory();
        let reader = writer.reader();
        for round in 0u32.. {
            let number = round % 3000;
            apply(&writer, &[(number, Some(vec![1, 2, 3])), (number + 7, None)]);
            if reader.snapshot().is_in_memory() {
                break;
            }
        }
        apply(&writer, &[(3500, Some(vec![9]))]);
        assert!(reader.snapshot().is_in_memory());
        assert_eq!(told(&reader.snapshot()), told(&from_file(&writer)));
    }

    #[test]
    fn a_commit_of_everything_is_read_anew() {
        let writer = writer();
        writer.keep_in_memory();
        let everything: Vec<Change> = (0..25_000).map(|n| (n, Some(vec![n as u8]))).collect();
        apply(&writer, &everything);
        while !writer.reader().snapshot().is_in_memory() {
            std::thread::yield_now();
        }
        assert_eq!(told(&writer.reader().snapshot()), told(&from_file(&writer)));
    }
}
