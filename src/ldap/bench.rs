//! What the benches call: steps of a search that are nobody else's business.

use super::operation::{Batch, Received};
use super::search::asked::Asked;
use super::search::projection::Projection;
use super::search::test::Test;
use super::server::{Server, StartError};
use super::session::Session;
use super::slice::Slice;
use super::wire::frame::{self, Framed};
use super::wire::request::{self, Operation};
use crate::config::settings::{LdapSettings, LimitSettings, ProfileSettings};
use crate::directory::predicate::Predicate;
use crate::directory::schema;
use crate::replica::plan::{self, Budget};
use crate::replica::{Number, Reader, Snapshot, StoredEntry};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// Where a message lies in `octets`: its header and its contents.
fn framed(octets: &[u8]) -> Option<(usize, &[u8])> {
    let Ok(Framed::Whole { header, value }) = frame::next(octets, octets.len()) else {
        return None;
    };
    Some((header, octets.get(header..header + value)?))
}

/// Takes a search apart: how many attributes it asks for; `None` where it is none.
pub fn decode(octets: &[u8], limits: &LimitSettings) -> Option<usize> {
    let (header, contents) = framed(octets)?;
    match request::decode(contents, header, limits).ok()?.operation {
        Operation::Search(search) => Some(search.attributes.iter().count()),
        _ => None,
    }
}

/// Plans a filter: how many candidates there are, and whether all of them match.
pub fn candidates(predicate: &Predicate, snapshot: &Snapshot) -> Option<(usize, bool)> {
    let found = plan::matching(predicate, snapshot, &Budget::new(snapshot).ok()?).ok()?;
    let exact = found.exact;
    Some((found.into_ids(snapshot).ok()?.len(), exact))
}

/// A filter that is ready to be tested on many entries.
pub struct Prepared(Test);

impl Prepared {
    /// Prepares it.
    pub fn new(predicate: &Predicate, snapshot: &Snapshot) -> Option<Self> {
        Test::new(predicate.clone(), snapshot).ok().map(Prepared)
    }

    /// How many of these entries match.
    pub fn count(&self, snapshot: &Snapshot, entries: &[Number]) -> usize {
        let entry = |number: &Number| snapshot.entry(*number).ok().flatten();
        let matches = |entry: &StoredEntry<'_>| self.0.passes(entry).unwrap_or_default();
        entries.iter().filter_map(entry).filter(matches).count()
    }
}

/// What is returned of an entry.
pub struct Selection(Projection);

impl Selection {
    /// Reads a list of attributes.
    pub fn new(names: &[&str]) -> Self {
        let names = names.iter().map(|name| name.as_bytes());
        Selection(Projection::new(
            Arc::new(Asked::new(names, schema::standard(), &|_| true)),
            false,
        ))
    }

    /// Writes an entry of an answer.
    pub fn write(&self, snapshot: &Snapshot, entry: &StoredEntry<'_>, out: &mut Vec<u8>) {
        // What cannot be written is missing in `out`.
        let _ = self.0.write(out, 2, entry, (snapshot, schema::standard()), &|_| true);
    }
}

/// All of a search but the socket, for a client that has not bound and may see everything.
pub struct Front {
    server: Server,
    session: Session,
}

impl Front {
    /// A server that nobody can connect to.
    pub fn new(reader: Reader) -> Result<Self, StartError> {
        let settings = LdapSettings {
            listeners: Vec::new(),
            tls: None,
            accounts: Vec::new(),
            anonymous: Some(Arc::new(ProfileSettings::default())),
            active_directory: false,
            limits: LimitSettings::default(),
        };
        let server = Server::new(&settings, reader, SystemTime::now)?;
        let session = Session::new(&server, IpAddr::V4(Ipv4Addr::LOCALHOST));
        Ok(Front { server, session })
    }

    /// Answers one message, as far as it can be done in one turn.
    pub fn answer(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        if let Some((header, contents)) = framed(octets) {
            let received = Received { header, contents, octets_follow: false, searches_run: false };
            let mut batch = Batch::new(&self.server, Slice::new(Instant::now()));
            let _ = batch.answer(&mut self.session, &received, out, 1 << 20);
        }
    }
}
