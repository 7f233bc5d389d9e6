//! The tables of the redb file. Their names and types are its format.

use super::large::LargeSets;
use redb::{ReadOnlyTable, ReadTransaction, Table, TableDefinition, TableError, WriteTransaction};

/// The format that this program writes.
pub(super) const FORMAT: u32 = 2;

type Octets = &'static [u8];

/// Small facts: `format`, `sequence` (commits), `next` (number), `secret`, `tight` (length of
/// the file when it was last written anew).
pub(super) const META: TableDefinition<&str, Octets> = TableDefinition::new("meta");
/// Connection number to its state (JSON).
pub(super) const CONNECTIONS: TableDefinition<u16, Octets> = TableDefinition::new("connections");

/// Connection (big-endian) and object id to the object's number.
pub(super) const NUMBERS: TableDefinition<Octets, u32> = TableDefinition::new("source.numbers");
/// Number to what Graph said of the object.
pub(super) const OBJECTS: TableDefinition<u32, Octets> = TableDefinition::new("source.objects");
/// Number to why an object is not served although it is known (text).
pub(super) const LEFT_OUT: TableDefinition<u32, Octets> = TableDefinition::new("source.left_out");
/// Staged pages of rounds under way: connection, kind, page.
pub(super) const PAGES: TableDefinition<(u16, u8, u32), Octets> =
    TableDefinition::new("source.pages");

/// Number to the stored entry.
pub(super) const ENTRIES: TableDefinition<u32, Octets> = TableDefinition::new("entry.entries");
/// Number and attribute to a TLV too long for the entry itself.
pub(super) const WIDE: TableDefinition<(u32, u16), Octets> = TableDefinition::new("entry.wide");
/// Key of a DN to the number of the entry that has it.
pub(super) const NAMES: TableDefinition<Octets, u32> = TableDefinition::new("entry.names");
/// Connection and folded account name to the number of the object that has it.
pub(super) const ACCOUNTS: TableDefinition<Octets, u32> = TableDefinition::new("entry.accounts");
/// Number to the folded account name that the object has: not every mapping serves it.
pub(super) const ACCOUNT_OF: TableDefinition<u32, &str> = TableDefinition::new("entry.account_of");

/// Sequence number to a change of an entry.
pub(super) const CHANGES: TableDefinition<u64, Octets> = TableDefinition::new("log.changes");
/// Number and sequence number: the changes of one object.
pub(super) const CHANGES_OF: TableDefinition<(u32, u64), ()> =
    TableDefinition::new("log.changes_of");
/// Pass number to its record (JSON).
pub(super) const PASSES: TableDefinition<u64, Octets> = TableDefinition::new("log.passes");

/// The two tables of a postings store: short lists, and chunks of long ones.
pub(super) struct PostingsTables {
    pub(super) heads: TableDefinition<'static, Octets, Octets>,
    pub(super) chunks: TableDefinition<'static, (Octets, u16), Octets>,
}

/// Attribute and key of a value to entries.
pub(super) const EQUAL: PostingsTables = PostingsTables {
    heads: TableDefinition::new("index.equal"),
    chunks: TableDefinition::new("index.equal.chunks"),
};
/// Attribute to entries.
pub(super) const PRESENT: PostingsTables = PostingsTables {
    heads: TableDefinition::new("index.present"),
    chunks: TableDefinition::new("index.present.chunks"),
};
/// Attribute and three octets of a key to entries.
pub(super) const GRAMS: PostingsTables = PostingsTables {
    heads: TableDefinition::new("index.grams"),
    chunks: TableDefinition::new("index.grams.chunks"),
};
/// Space (see [`super::source`]) and number to numbers: edges between objects.
pub(super) const LINKS: PostingsTables = PostingsTables {
    heads: TableDefinition::new("source.links"),
    chunks: TableDefinition::new("source.links.chunks"),
};

/// Creates all tables, so that a reader finds each of them.
pub(super) fn create(txn: &WriteTransaction) -> Result<(), TableError> {
    txn.open_table(META)?;
    txn.open_table(CONNECTIONS)?;
    txn.open_table(NUMBERS)?;
    txn.open_table(OBJECTS)?;
    txn.open_table(LEFT_OUT)?;
    txn.open_table(PAGES)?;
    txn.open_table(ENTRIES)?;
    txn.open_table(WIDE)?;
    txn.open_table(NAMES)?;
    txn.open_table(ACCOUNTS)?;
    txn.open_table(ACCOUNT_OF)?;
    txn.open_table(CHANGES)?;
    txn.open_table(CHANGES_OF)?;
    txn.open_table(PASSES)?;
    for store in [EQUAL, PRESENT, GRAMS, LINKS] {
        txn.open_table(store.heads)?;
        txn.open_table(store.chunks)?;
    }
    Ok(())
}

/// The tables that searches read, opened once per snapshot.
pub(super) struct ReadTables {
    pub(super) meta: ReadOnlyTable<&'static str, Octets>,
    pub(super) connections: ReadOnlyTable<u16, Octets>,
    pub(super) numbers: ReadOnlyTable<Octets, u32>,
    pub(super) objects: ReadOnlyTable<u32, Octets>,
    pub(super) left_out: ReadOnlyTable<u32, Octets>,
    pub(super) pages: ReadOnlyTable<(u16, u8, u32), Octets>,
    pub(super) entries: ReadOnlyTable<u32, Octets>,
    pub(super) wide: ReadOnlyTable<(u32, u16), Octets>,
    pub(super) names: ReadOnlyTable<Octets, u32>,
    pub(super) changes: ReadOnlyTable<u64, Octets>,
    pub(super) changes_of: ReadOnlyTable<(u32, u64), ()>,
    pub(super) passes: ReadOnlyTable<u64, Octets>,
    pub(super) equal: ReadPostings,
    pub(super) present: ReadPostings,
    pub(super) grams: ReadPostings,
    pub(super) links: ReadPostings,
}

/// A postings store inside a snapshot.
pub(super) struct ReadPostings {
    pub(super) heads: ReadOnlyTable<Octets, Octets>,
    pub(super) chunks: ReadOnlyTable<(Octets, u16), Octets>,
    pub(super) large: LargeSets,
}

impl ReadTables {
    pub(super) fn open(txn: &ReadTransaction) -> Result<Self, TableError> {
        let postings = |store: PostingsTables| -> Result<ReadPostings, TableError> {
            Ok(ReadPostings {
                heads: txn.open_table(store.heads)?,
                chunks: txn.open_table(store.chunks)?,
                large: LargeSets::default(),
            })
        };
        Ok(ReadTables {
            meta: txn.open_table(META)?,
            connections: txn.open_table(CONNECTIONS)?,
            numbers: txn.open_table(NUMBERS)?,
            objects: txn.open_table(OBJECTS)?,
            left_out: txn.open_table(LEFT_OUT)?,
            pages: txn.open_table(PAGES)?,
            entries: txn.open_table(ENTRIES)?,
            wide: txn.open_table(WIDE)?,
            names: txn.open_table(NAMES)?,
            changes: txn.open_table(CHANGES)?,
            changes_of: txn.open_table(CHANGES_OF)?,
            passes: txn.open_table(PASSES)?,
            equal: postings(EQUAL)?,
            present: postings(PRESENT)?,
            grams: postings(GRAMS)?,
            links: postings(LINKS)?,
        })
    }
}

/// The tables inside a write transaction.
pub(super) struct WriteTables<'t> {
    pub(super) meta: Table<'t, &'static str, Octets>,
    pub(super) connections: Table<'t, u16, Octets>,
    pub(super) numbers: Table<'t, Octets, u32>,
    pub(super) objects: Table<'t, u32, Octets>,
    pub(super) left_out: Table<'t, u32, Octets>,
    pub(super) pages: Table<'t, (u16, u8, u32), Octets>,
    pub(super) entries: Table<'t, u32, Octets>,
    pub(super) wide: Table<'t, (u32, u16), Octets>,
    pub(super) names: Table<'t, Octets, u32>,
    pub(super) accounts: Table<'t, Octets, u32>,
    pub(super) account_of: Table<'t, u32, &'static str>,
    pub(super) changes: Table<'t, u64, Octets>,
    pub(super) changes_of: Table<'t, (u32, u64), ()>,
    pub(super) passes: Table<'t, u64, Octets>,
}

impl<'t> WriteTables<'t> {
    pub(super) fn open(txn: &'t WriteTransaction) -> Result<Self, TableError> {
        Ok(WriteTables {
            meta: txn.open_table(META)?,
            connections: txn.open_table(CONNECTIONS)?,
            numbers: txn.open_table(NUMBERS)?,
            objects: txn.open_table(OBJECTS)?,
            left_out: txn.open_table(LEFT_OUT)?,
            pages: txn.open_table(PAGES)?,
            entries: txn.open_table(ENTRIES)?,
            wide: txn.open_table(WIDE)?,
            names: txn.open_table(NAMES)?,
            accounts: txn.open_table(ACCOUNTS)?,
            account_of: txn.open_table(ACCOUNT_OF)?,
            changes: txn.open_table(CHANGES)?,
            changes_of: txn.open_table(CHANGES_OF)?,
            passes: txn.open_table(PASSES)?,
        })
    }
}
