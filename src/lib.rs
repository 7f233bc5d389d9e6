//! entraldap: a local replica of a Microsoft Entra ID tenant's recipients, served over LDAP.
//!
//! One corridor from the back door to the front door; data flows one way.
//!
//! | room | what it holds |
//! |---|---|
//! | [`config`] | text to settings: all problems at once, each with its key and line |
//! | [`directory`] | what an entry is: names, attributes, schema, filters, three-valued tests; pure |
//! | [`graph`] | the back door: tokens, delta rounds, links, retries, one budget for all requests |
//! | [`mapping`] | a Graph object to an entry, by a preset and the configuration; pure |
//! | [`replica`] | the stored copy in redb: source tables, entries ready to send, indexes, the planner, change log; and a copy of the entries in memory |
//! | [`mod@sync`] | one pass from change to commit: scope, rules, guard, and when passes run |
//! | [`ldap`] | the front door: listeners, binds, searches; [`ldap::serve`] |
//! | [`credentials`] | passwords of users, checked against Entra: lockout protection, what a refusal means |
//! | [`inspect`] | looking into the replica for a person: explain, history, export |
//! | [`admin`] | the side window: HTTP on a unix socket or loopback: commands, health, metrics |
//! | [`notify`] | tells people about passes: mail, webhook |
//! | `simulator` | a tenant that lives, changes and fails on command; a cargo feature, on by default |
//! | [`telemetry`] | log lines |
//! | [`daemon`], [`cli`] | build the rooms and run the verbs; nobody imports them |
//!
//! Who may import whom is a table in `tests/tidy.rs`. [`replica`] is the only room that
//! both sides enter, and the front door holds a [`replica::Reader`], which cannot write.
//!
//! A pass ([`sync::Engine`]): gather a round of every stream, staging pages durably; merge
//! into the source tables and cut them to the scope; judge who is served; derive the entries that
//! change with them; ask the guard; record; one commit. Empty indexes are filled in order, from
//! sorted runs beside the file. A held pass, and a dry run, is a commit
//! that is given up before its end.
//! A search: frame, decode, controls, what the account may see, base, plan over the indexes,
//! order, test where a plan is not exact, copy finished attributes into the answer; one
//! [`replica::Snapshot`] throughout. Searches of one connection take turns. One that takes longer
//! than a millisecond, writes more than fits into a buffer, or whose plan walks over an index goes
//! on in the background, on threads of a lower priority, and its connection with it until it is
//! over; so does one with several sort keys and many candidates. Entries, and who has an address
//! or an id, come out of memory ([`replica::Writer::keep_in_memory`]) as soon as they have been
//! read into it, and out of the file until then; both are of one commit.
//!
//! Unknown is never answered as absent: until a first complete sync is published, a
//! context has no base entry ([`replica::Context::entry`]), and searches in it answer
//! `unavailable`. A failure never removes data: only a deletion that Graph stated, or a
//! completed enumeration, removes an object.

pub mod admin;
pub mod cli;
pub mod config;
pub mod credentials;
pub mod daemon;
pub mod directory;
pub mod graph;
pub mod inspect;
pub mod ldap;
pub mod mapping;
pub mod notify;
pub mod replica;
#[cfg(feature = "simulator")]
pub mod simulator;
pub mod sync;
pub mod telemetry;
