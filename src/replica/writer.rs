//! Writing: one transaction per pass, published at its commit.

use super::connection::ConnectionState;
use super::error::Error;
use super::ids::Number;
use super::postings::WritePostings;
use super::reader::{Reader, Snapshot};
use super::residency::Residency;
use super::resident::Pending;
use super::rewrite;
use super::tables::{self, WriteTables};
use crate::config::settings::ReplicaSettings;
use crate::directory::schema::{self, Schema};
use redb::{Database, ReadableTable, WriteTransaction};
use roaring::RoaringBitmap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The one handle that writes. Cheap to clone; transactions follow one another.
#[derive(Clone)]
pub struct Writer {
    /// Held from the begin of a transaction until its commit is published: of two
    /// commits, readers must not be left with the older one.
    pub(super) slot: Arc<Mutex<Slot>>,
    pub(super) reader: Reader,
    settings: ReplicaSettings,
    /// Files that another one took the place of, and when: searches under way read them.
    retired: Arc<Mutex<Vec<(Instant, Database)>>>,
}

/// What only one transaction at a time may use.
pub(super) struct Slot {
    /// `None` while the file cannot be opened again after an I/O error.
    pub(super) database: Option<Database>,
    pub(super) residency: Residency,
}

/// How long a file is kept open that another one took the place of.
const RETIRED: Duration = Duration::from_secs(60);
/// A shorter file is not written anew to get rid of free pages.
const WORTHWHILE: u64 = 128 << 20;

impl Writer {
    pub(super) fn new(database: Database, settings: &ReplicaSettings) -> Result<Self, Error> {
        let reader = Reader::new(&database)?;
        let slot = Slot { database: Some(database), residency: Residency::Off };
        let (slot, retired) = (Arc::new(Mutex::new(slot)), Arc::default());
        Ok(Writer { slot, reader, settings: settings.clone(), retired })
    }

    /// A handle for searches.
    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }

    /// Runs `change` in one transaction. When it succeeds, all it did is durable and
    /// visible to the next search; when it fails, nothing is. Blocks.
    pub fn write<T, E: From<Error>>(
        &self,
        change: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut slot = self.lock();
        self.retired().retain(|(since, _)| since.elapsed() < RETIRED);
        if slot.database.is_none() {
            self.reopen(&mut slot);
            return Err(Error::Storage("it could not be opened again yet".to_owned()).into());
        }
        let done = self.write_to(&mut slot, change);
        // After an I/O error redb refuses all work until the file is opened anew.
        let is_lost = |database: &Database| database.begin_write().is_err();
        if done.is_err() && slot.database.as_ref().is_some_and(is_lost) {
            self.reopen(&mut slot);
        }
        done
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_to<T, E: From<Error>>(
        &self,
        slot: &mut Slot,
        change: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let Slot { database: Some(database), residency } = &mut *slot else {
            return Err(Error::Storage("it is closed".to_owned()).into());
        };
        let mut txn = database.begin_write().map_err(Error::from)?;
        // Which pages are free is kept with every commit. Else, after a kill, nobody is served
        // until the whole file has been walked.
        txn.set_quick_repair(true);
        let (done, pending) = {
            let mut transaction = Transaction::open(&txn, residency.collector(), self.folder())?;
            let done = change(&mut transaction)?;
            transaction.finish()?;
            (done, transaction.pending)
        };
        txn.commit().map_err(Error::from)?;
        residency.follow(pending);
        let published = self.reader.refresh(database, residency.ready());
        if published.is_err() || residency.is_outdated() {
            self.build(slot);
        }
        published?;
        Ok(done)
    }

    /// Writes the file anew, so that nothing of what was removed is left on the disk, and
    /// hardly a free page. Blocks other writers; searches under way go on in the old file,
    /// which has no name any more and is gone a minute later.
    pub fn rewrite(&self) -> Result<(), Error> {
        let mut slot = self.lock();
        let Some(database) = slot.database.as_ref() else {
            return Err(Error::Storage("it could not be opened again yet".to_owned()));
        };
        let path = &self.settings.path;
        let draft = rewrite::draft(path);
        let storage = |error: std::io::Error| Error::Storage(error.to_string());
        if let Err(error) = rewrite::copy(database, &draft, self.settings.cache) {
            let _ = std::fs::remove_file(&draft);
            return Err(error);
        }
        // The same rights as before: the copy may have been made under another mask.
        let rights = std::fs::metadata(path).map_err(storage)?.permissions();
        std::fs::set_permissions(&draft, rights).map_err(storage)?;
        std::fs::rename(&draft, path).map_err(storage)?;
        if let Some(old) = slot.database.take() {
            self.retired().push((Instant::now(), old));
            self.let_go();
        }
        self.open_again(&mut slot);
        if slot.database.is_none() {
            return Ok(());
        }
        tracing::info!("the replica was written anew: nothing of what was removed is left in it");
        let len = std::fs::metadata(path).map_err(storage)?.len();
        self.write_to(&mut slot, |change| change.note_length(len))
    }

    /// Whether more than half of a large file may be free pages: what it takes of the disk is
    /// twice its length when it was last written anew, or first asked about. It grows by
    /// doubling, and is full of holes then.
    pub fn is_bloated(&self) -> Result<bool, Error> {
        let file = std::fs::metadata(&self.settings.path).map_err(Error::file)?;
        let size = Size::of(file.blocks() * 512, self.reader.snapshot().noted_length()?);
        if size == Size::Unknown {
            self.write(|change| change.note_length(file.len()))?;
        }
        Ok(size == Size::Bloated)
    }

    fn folder(&self) -> &Path {
        self.settings
            .path
            .parent()
            .filter(|folder| *folder != Path::new(""))
            .unwrap_or(Path::new("."))
    }

    /// Closes files that another one took the place of when their time is up, however long
    /// nothing is written: they hold what was removed.
    fn let_go(&self) {
        let retired = Arc::downgrade(&self.retired);
        let wait = move || {
            std::thread::sleep(RETIRED);
            if let Some(retired) = retired.upgrade() {
                let mut retired = retired.lock().unwrap_or_else(PoisonError::into_inner);
                retired.retain(|(since, _)| since.elapsed() < RETIRED);
            }
        };
        // Without a thread the next write does it.
        let _ = std::thread::Builder::new().name("old file".to_owned()).spawn(wait);
    }

    fn retired(&self) -> MutexGuard<'_, Vec<(Instant, Database)>> {
        self.retired.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the file and opens it again. Searches meanwhile, and until it succeeds,
    /// cannot be answered, and say so.
    fn reopen(&self, slot: &mut Slot) {
        drop(slot.database.take());
        // Whether the last commit is in the file is not known.
        slot.residency.forget();
        self.open_again(slot);
        if slot.database.is_some() {
            tracing::warn!(
                "the replica was opened again after an I/O error; the last committed state is served"
            );
        }
    }

    fn open_again(&self, slot: &mut Slot) {
        let opened = super::open::database(&self.settings).map_err(|error| error.to_string());
        let published = opened.and_then(|database| {
            let resident = slot.residency.ready();
            self.reader.refresh(&database, resident).map_err(|error| error.to_string())?;
            Ok(database)
        });
        match published {
            Ok(database) => {
                slot.database = Some(database);
                if slot.residency.is_outdated() {
                    self.build(slot);
                }
            }
            Err(error) => tracing::error!(
                "the replica cannot be opened again, searches answer `unavailable`: {error}"
            ),
        }
    }
}

/// What is to be said of the size of a file.
#[derive(Debug, PartialEq, Eq)]
enum Size {
    /// It is worth nothing to make it smaller.
    Fine,
    /// Nobody has noted yet how large it is without free pages.
    Unknown,
    /// More than half may be free pages.
    Bloated,
}

impl Size {
    /// Of a file that takes so much, and was so long when it was tight; 0: not known.
    fn of(taken: u64, tight: u64) -> Self {
        match taken > WORTHWHILE {
            true if tight == 0 => Size::Unknown,
            true if taken / 2 > tight => Size::Bloated,
            _ => Size::Fine,
        }
    }
}

/// A transaction: everything a pass changes.
pub struct Transaction<'t> {
    pub(super) tables: WriteTables<'t>,
    pub(super) equal: WritePostings<'t>,
    pub(super) present: WritePostings<'t>,
    pub(super) grams: WritePostings<'t>,
    pub(super) links: WritePostings<'t>,
    pub(super) schema: &'static Schema,
    /// What becomes of the entries in memory.
    pub(super) pending: Pending,
    /// Objects for which a name was claimed that no entry has yet.
    pub(super) claimed: RoaringBitmap,
    next_number: Number,
    pub(super) next_change: u64,
}

impl<'t> Transaction<'t> {
    fn open(txn: &'t WriteTransaction, pending: Pending, folder: &Path) -> Result<Self, Error> {
        let tables = WriteTables::open(txn)?;
        let next_number = match tables.meta.get("next")? {
            Some(octets) => octets.value().first_chunk().map_or(0, |b| Number::from_le_bytes(*b)),
            None => 0,
        };
        let next_change = tables.changes.last()?.map_or(1, |(number, _)| number.value() + 1);
        Ok(Transaction {
            equal: WritePostings::open(txn, tables::EQUAL, folder)?,
            present: WritePostings::open(txn, tables::PRESENT, folder)?,
            grams: WritePostings::open(txn, tables::GRAMS, folder)?,
            links: WritePostings::open(txn, tables::LINKS, folder)?,
            schema: schema::standard(),
            pending,
            claimed: RoaringBitmap::new(),
            next_number,
            next_change,
            tables,
        })
    }

    fn finish(&mut self) -> Result<(), Error> {
        for store in [&mut self.equal, &mut self.present, &mut self.grams, &mut self.links] {
            store.flush()?;
        }
        let sequence = self.sequence()? + 1;
        self.tables.meta.insert("next", self.next_number.to_le_bytes().as_slice())?;
        self.tables.meta.insert("sequence", sequence.to_le_bytes().as_slice())?;
        Ok(())
    }

    /// How many commits there were before this one.
    pub fn sequence(&self) -> Result<u64, Error> {
        let octets = self.tables.meta.get("sequence")?;
        Ok(octets
            .and_then(|o| o.value().first_chunk().map(|b| u64::from_le_bytes(*b)))
            .unwrap_or(0))
    }

    /// Notes how long the file is when few of its pages are free. Not what it takes: some file
    /// systems tell that only seconds later.
    fn note_length(&mut self, len: u64) -> Result<(), Error> {
        self.tables.meta.insert("tight", len.to_le_bytes().as_slice())?;
        Ok(())
    }

    /// A number that was never used.
    pub fn new_number(&mut self) -> Result<Number, Error> {
        let number = self.next_number;
        self.next_number = number
            .checked_add(1)
            .filter(|n| *n < Number::MAX)
            .ok_or(Error::Damaged("out of numbers"))?;
        Ok(number)
    }

    /// The number of the connection with this name; a new one where there is none.
    pub fn connection_number(&mut self, name: &str) -> Result<u16, Error> {
        let mut next = 0;
        for row in self.tables.connections.iter()? {
            let (number, state) = row?;
            if ConnectionState::read(state.value())?.name == name {
                return Ok(number.value());
            }
            next = number.value() + 1;
        }
        let state = ConnectionState { name: name.to_owned(), ..ConnectionState::default() };
        self.put_connection(next, &state)?;
        Ok(next)
    }

    /// The state of a connection.
    pub fn connection(&self, number: u16) -> Result<ConnectionState, Error> {
        match self.tables.connections.get(number)? {
            Some(octets) => ConnectionState::read(octets.value()),
            None => Err(Error::Damaged("a connection is missing")),
        }
    }

    /// All connections that the file knows.
    pub fn connection_numbers(&self) -> Result<Vec<u16>, Error> {
        self.tables.connections.iter()?.map(|row| Ok(row?.0.value())).collect()
    }

    /// Keeps the state of a connection.
    pub fn put_connection(&mut self, number: u16, state: &ConnectionState) -> Result<(), Error> {
        self.tables.connections.insert(number, state.write().as_slice())?;
        Ok(())
    }
}

impl Snapshot {
    /// How long the file was when it was last written anew; 0 where that is not known.
    fn noted_length(&self) -> Result<u64, Error> {
        let octets = self.tables.meta.get("tight")?;
        Ok(octets
            .and_then(|o| o.value().first_chunk().map(|b| u64::from_le_bytes(*b)))
            .unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::{Size, WORTHWHILE};
    use crate::config::settings::ReplicaSettings;
    use crate::directory::kind::Kind;
    use crate::replica::{Error, open};

    #[test]
    fn of_two_commits_the_newer_one_stays_published() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("replica.redb");
        let writer = open(&ReplicaSettings { path, ..ReplicaSettings::default() }).unwrap();
        for _ in 0..100 {
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| writer.write(|_| Ok::<(), Error>(())).unwrap());
                }
            });
            let committed = writer.write(|change| change.sequence()).unwrap() + 1;
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| writer.write(|_| Ok::<(), Error>(())).unwrap());
                }
            });
            assert_eq!(writer.reader().snapshot().sequence(), committed + 4);
        }
    }

    #[test]
    fn a_file_is_bloated_when_it_has_doubled() {
        assert_eq!(Size::of(WORTHWHILE, 1), Size::Fine);
        assert_eq!(Size::of(WORTHWHILE + 2, 0), Size::Unknown);
        assert_eq!(Size::of(2 * WORTHWHILE, WORTHWHILE), Size::Fine);
        assert_eq!(Size::of(2 * WORTHWHILE + 2, WORTHWHILE), Size::Bloated);
    }

    #[test]
    fn searches_under_way_go_on_while_the_file_is_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("replica.redb");
        let writer = open(&ReplicaSettings { path, ..ReplicaSettings::default() }).unwrap();
        writer.write(|change| change.stage(0, Kind::User, 0, &[7; 100_000])).unwrap();
        let before = writer.reader().snapshot();
        writer.write(|change| change.unstage(0, Kind::User)).unwrap();
        writer.rewrite().unwrap();
        writer.write(|_| Ok::<(), Error>(())).unwrap();
        assert_eq!(before.staged(0, Kind::User, 0).unwrap().unwrap(), [7; 100_000]);
        assert!(writer.reader().snapshot().staged(0, Kind::User, 0).unwrap().is_none());
        assert!(writer.reader().snapshot().sequence() > before.sequence());
        assert!(!writer.is_bloated().unwrap());
    }
}
