//! One request, one verdict: nothing here touches the socket.

use super::bind::{self, BindStep, PendingBind};
use super::counters::OperationKind;
use super::extended::{self, ExtendedStep};
use super::search::cursor::{Cursor, Step};
use super::search::{self, Begun};
use super::server::Server;
use super::session::{Bound, Session};
use super::slice::Slice;
use super::wire::ber::Malformed;
use super::wire::request::{
    self, BindRequest, ExtendedRequest, Operation, Refusal, Request, SearchRequest, tag,
};
use super::wire::response::{self, Outcome};
use super::{compare, controls, refused};
use crate::replica::reader::Snapshot;
use ldap3_proto::LdapResultCode;
use std::sync::Arc;
use std::time::Instant;

/// What the connection does next.
pub(crate) enum Verdict {
    /// The next request: this one is answered, or has no answer.
    Next,
    /// Go on with this search, for which the indexes may have to be asked first.
    Running(Box<Cursor>),
    /// Stop the operation with this number, without a word.
    Abandon(i32),
    /// Stop the second one, then [`Batch::canceled`] for the first.
    Cancel(i32, i32),
    /// Check a password, then [`bound`].
    Check(i32, PendingBind),
    /// Send what is written, then begin TLS.
    StartTls,
    /// Send what is written, then close.
    Close,
    /// Close: the client has gone.
    Unbound,
    /// Send a notice of disconnection, then close.
    Disconnect(Malformed),
}

/// One message, and what there is besides it.
pub(crate) struct Received<'a> {
    /// Octets of the frame before the contents.
    pub(crate) header: usize,
    /// The contents of the `LDAPMessage`.
    pub(crate) contents: &'a [u8],
    /// Whether octets wait behind it.
    pub(crate) octets_follow: bool,
    /// Whether searches are under way on the connection.
    pub(crate) searches_run: bool,
}

/// Requests that arrived together and are answered together, from one snapshot.
pub(crate) struct Batch<'s> {
    /// The server.
    pub(crate) server: &'s Server,
    /// How long this may take.
    pub(crate) slice: Slice,
    snapshot: Option<Arc<Snapshot>>,
}

impl<'s> Batch<'s> {
    /// Begins a batch.
    pub(crate) fn new(server: &'s Server, slice: Slice) -> Self {
        Batch { server, slice, snapshot: None }
    }

    fn snapshot(&mut self) -> Arc<Snapshot> {
        self.snapshot.get_or_insert_with(|| self.server.reader.snapshot()).clone()
    }

    /// Answers a message. A search may fill `out` up to `room` octets.
    pub(crate) fn answer(
        &mut self,
        session: &mut Session,
        received: &Received<'_>,
        out: &mut Vec<u8>,
        room: usize,
    ) -> Verdict {
        session.refresh(self.server);
        let limits = &self.server.limits;
        let request = match request::decode(received.contents, received.header, limits) {
            Ok(request) => request,
            Err(refusal) => return self.refuse(session, &refusal, out),
        };
        let Request { id, operation, controls } = request;
        let wishes = match (controls::sort(&controls, &operation, limits), &operation) {
            (_, Operation::Unbind) => return Verdict::Unbound,
            (_, Operation::Abandon(target)) => return Verdict::Abandon(*target),
            (Ok(wishes), _) => wishes,
            (Err(outcome), operation) => {
                if matches!(operation, Operation::Bind(_)) {
                    session.bound = None;
                }
                self.write(out, id, response_tag(operation), &outcome);
                return Verdict::Next;
            }
        };
        match operation {
            Operation::Search(request) => self.search(session, id, &request, &wishes, out, room),
            Operation::Bind(request) => self.bind(session, id, &request, out),
            Operation::Compare(request) => {
                let snapshot = self.snapshot();
                let asserted = wishes.assertion.as_ref();
                let outcome =
                    compare::answer(self.server, session, (&request, asserted), &snapshot);
                self.write(out, id, tag::COMPARE, &outcome);
                Verdict::Next
            }
            Operation::Extended(request) => self.extended(session, (id, &request), received, out),
            Operation::Write(tag) => {
                self.write(out, id, tag, &refused::write());
                Verdict::Next
            }
            Operation::Unbind | Operation::Abandon(_) => Verdict::Next,
        }
    }

    fn search(
        &mut self,
        session: &Session,
        id: i32,
        request: &SearchRequest<'_>,
        wishes: &controls::Wishes<'_>,
        out: &mut Vec<u8>,
        room: usize,
    ) -> Verdict {
        let snapshot = self.snapshot();
        let now = self.slice.start;
        let begun =
            search::begin(self.server, session, (id, request), wishes, &snapshot, (out, now));
        let mut cursor = match begun {
            Begun::Over(outcome, extras, entries) => {
                response::search_done(out, id, &outcome, &extras);
                let code = outcome.code;
                self.server.counters.searched(entries, code == LdapResultCode::Success);
                self.count(OperationKind::Search, code);
                return Verdict::Next;
            }
            Begun::Entries(cursor) if cursor.is_open() => {
                return Verdict::Running(Box::new(cursor));
            }
            Begun::Entries(cursor) => cursor,
        };
        match cursor.step(self.server, out, room, &mut self.slice) {
            Step::More => Verdict::Running(Box::new(cursor)),
            Step::Done(code) => {
                self.count(OperationKind::Search, code);
                Verdict::Next
            }
        }
    }

    /// Goes on with a search. Says whether it is over.
    pub(crate) fn resume(&mut self, cursor: &mut Cursor, out: &mut Vec<u8>, room: usize) -> bool {
        match cursor.step(self.server, out, room, &mut self.slice) {
            Step::More => false,
            Step::Done(code) => {
                self.count_from(cursor.started, OperationKind::Search, code);
                true
            }
        }
    }

    /// RFC 4513 4: "Upon receipt of a Bind request, the LDAP session is moved to an
    /// anonymous authorization state".
    fn bind(
        &mut self,
        session: &mut Session,
        id: i32,
        request: &BindRequest<'_>,
        out: &mut Vec<u8>,
    ) -> Verdict {
        session.bound = None;
        let snapshot = self.snapshot();
        match bind::begin(self.server, session, request, &snapshot, self.slice.start) {
            BindStep::Check(pending) => Verdict::Check(id, pending),
            BindStep::Decided(outcome, bound) => {
                session.bound = bound;
                self.write(out, id, tag::BIND, &outcome);
                Verdict::Next
            }
        }
    }

    fn extended(
        &mut self,
        session: &Session,
        (id, request): (i32, &ExtendedRequest<'_>),
        received: &Received<'_>,
        out: &mut Vec<u8>,
    ) -> Verdict {
        let (outcome, name, value, verdict) =
            match extended::answer(self.server, session, request, received) {
                ExtendedStep::Cancel(target) => return Verdict::Cancel(id, target),
                ExtendedStep::Answer(outcome, name, value) => (outcome, name, value, Verdict::Next),
                ExtendedStep::Close(outcome) => {
                    (outcome, Some(extended::START_TLS), None, Verdict::Close)
                }
                ExtendedStep::StartTls => {
                    (Outcome::success(), Some(extended::START_TLS), None, Verdict::StartTls)
                }
            };
        response::extended(out, id, &outcome, name, value.as_deref());
        self.count(OperationKind::Extended, outcome.code);
        verdict
    }

    /// RFC 3909 2.2: "If the operation is canceled, [...] the canceled operation [...] is
    /// returned a response with [...] the canceled result code", and the cancel operation
    /// success. An operation that is not under way is either unknown or has been answered;
    /// nothing tells which.
    pub(crate) fn canceled(server: &Server, id: i32, stopped: Option<&Cursor>, out: &mut Vec<u8>) {
        let outcome = match stopped {
            Some(cursor) => {
                response::result(out, cursor.id, tag::SEARCH_DONE, &extended::canceled());
                server.counters.result(OperationKind::Search, LdapResultCode::Canceled as i64);
                Outcome::success()
            }
            None => extended::nothing_to_cancel(),
        };
        response::extended(out, id, &outcome, None, None);
        server.counters.result(OperationKind::Extended, outcome.code as i64);
    }

    /// RFC 4511 4.1.1: where the message cannot be told apart, "the server SHOULD return
    /// the Notice of Disconnection [...] with the resultCode set to protocolError, and MUST
    /// immediately terminate the LDAP session"; "in other cases" it "MUST return an
    /// appropriate response to the request, with the resultCode set to protocolError".
    fn refuse(&mut self, session: &mut Session, refusal: &Refusal, out: &mut Vec<u8>) -> Verdict {
        let (id, response, outcome) = match refusal {
            Refusal::Disconnect(problem) => return Verdict::Disconnect(*problem),
            Refusal::Nothing => return Verdict::Next,
            Refusal::Malformed { id, response, problem } => {
                let outcome = Outcome::new(LdapResultCode::ProtocolError, problem.to_string());
                (*id, *response, outcome)
            }
            Refusal::TooLarge { id, response, what } => {
                (*id, *response, Outcome::new(LdapResultCode::AdminLimitExceeded, *what))
            }
        };
        if response == tag::BIND {
            session.bound = None;
        }
        tracing::debug!(reason = %outcome.message, "a request was refused as malformed");
        self.write(out, id, response, &outcome);
        Verdict::Next
    }

    fn write(&self, out: &mut Vec<u8>, id: i32, response: u8, outcome: &Outcome) {
        response::result(out, id, response, outcome);
        self.count(kind_of(response), outcome.code.clone());
    }

    fn count(&self, kind: OperationKind, code: LdapResultCode) {
        self.count_from(self.slice.start, kind, code);
    }

    fn count_from(&self, start: Instant, kind: OperationKind, code: LdapResultCode) {
        self.server.counters.result(kind, code as i64);
        self.server.counters.took(kind, start.elapsed());
    }
}

/// Writes the answer to a bind whose password has been checked.
pub(crate) fn bound(
    server: &Server,
    session: &mut Session,
    (id, started): (i32, Instant),
    (outcome, bound): (Outcome, Option<Bound>),
    out: &mut Vec<u8>,
) {
    session.bound = bound;
    response::result(out, id, tag::BIND, &outcome);
    server.counters.result(OperationKind::Bind, outcome.code as i64);
    server.counters.took(OperationKind::Bind, started.elapsed());
}

fn response_tag(operation: &Operation<'_>) -> u8 {
    match operation {
        Operation::Bind(_) => tag::BIND,
        Operation::Search(_) | Operation::Unbind | Operation::Abandon(_) => tag::SEARCH_DONE,
        Operation::Write(tag) => *tag,
        Operation::Compare(_) => tag::COMPARE,
        Operation::Extended(_) => tag::EXTENDED,
    }
}

fn kind_of(response: u8) -> OperationKind {
    match response {
        tag::BIND => OperationKind::Bind,
        tag::SEARCH_DONE => OperationKind::Search,
        tag::COMPARE => OperationKind::Compare,
        tag::EXTENDED => OperationKind::Extended,
        _ => OperationKind::Write,
    }
}
