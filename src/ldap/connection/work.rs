//! Carrying out what a connection has received: several searches side by side, each in
//! its turn, and everything else at once.

use super::{Connection, Goal, Next};
use crate::ldap::counters::OperationKind;
use crate::ldap::end::End;
use crate::ldap::operation::{Batch, Received, Verdict};
use crate::ldap::search::cursor::Cursor;
use crate::ldap::slice::Slice;
use crate::ldap::wire::ber::Malformed;
use crate::ldap::wire::frame::{self, Framed};
use crate::ldap::wire::request::{self, tag};
use bytes::Buf;
use ldap3_proto::LdapResultCode;
use std::sync::Arc;
use tokio::time::Instant;

/// So many abandons of requests that wait are kept in mind, the latest ones.
const MOST_ABANDONED: usize = 256;
const TIME_LIMIT: i64 = LdapResultCode::TimeLimitExceeded as i64;

/// What stands next in the input.
enum Waiting {
    /// A whole message: the octets of its header, and of all of it.
    Message(usize, usize),
    /// A message that cannot be carried out while searches run.
    Blocked,
    /// No whole message.
    Nothing,
}

impl Connection {
    /// Carries out what has been received, as far as it goes without waiting.
    pub(super) fn work(&mut self) -> Next {
        if self.to_be_planned().is_some() {
            return Next::Plan;
        }
        let server = Arc::clone(&self.server);
        let now = Instant::now();
        let mut batch = Batch::new(&server, Slice::new(now.into_std()));
        self.watch.touched(now);
        loop {
            let room = self.room();
            if self.output.len() >= room {
                self.expire();
                return self.look_ahead().map_or(Next::Wait(Goal::Room), Next::End);
            }
            let waiting = match self.waiting() {
                Ok(waiting) => waiting,
                Err(malformed) => return Next::End(End::Malformed(malformed)),
            };
            match waiting {
                // In the background nothing is carried out but beside a search that takes long.
                Waiting::Message(..) if self.in_background && self.running.is_empty() => {
                    return Next::Yield;
                }
                Waiting::Message(header, len) => {
                    let verdict = self.next_request(&mut batch, header, len);
                    self.input.advance(len);
                    self.scanned = self.scanned.saturating_sub(len);
                    if let Some(next) = self.obey(verdict) {
                        return next;
                    }
                    if batch.slice.spent(1) {
                        // Not even its own client's lookups may keep a search from its end.
                        self.resume_first(&mut batch, room);
                        return Next::Yield;
                    }
                    continue;
                }
                Waiting::Nothing if self.running.is_empty() => {
                    return match (self.ended, self.output.is_empty()) {
                        (false, _) => Next::Wait(Goal::Input),
                        (true, false) => Next::Wait(Goal::Sent),
                        (true, true) => Next::End(End::Client),
                    };
                }
                Waiting::Nothing => {}
                Waiting::Blocked => {
                    if let Some(end) = self.look_ahead() {
                        return Next::End(end);
                    }
                }
            }
            if !self.resume_first(&mut batch, room) && self.output.len() < room {
                return Next::Yield;
            }
        }
    }

    /// The place of a search for which the indexes are still to be asked.
    pub(super) fn to_be_planned(&self) -> Option<usize> {
        self.running.iter().position(|cursor| cursor.is_open())
    }

    /// Goes on with the search whose turn it is. Says whether it is over.
    fn resume_first(&mut self, batch: &mut Batch<'_>, room: usize) -> bool {
        let Some(mut cursor) = self.running.pop_front() else { return true };
        let over = batch.resume(&mut cursor, &mut self.output, room);
        if !over {
            self.running.push_back(cursor);
        }
        over
    }

    /// Whether a search is beyond its time: a client that reads an octet now and then must
    /// not keep an old state of the replica alive for ever.
    pub(super) fn has_expired(&self) -> bool {
        self.running.iter().any(|cursor| cursor.is_late())
    }

    fn expire(&mut self) {
        let (server, output) = (&self.server, &mut self.output);
        self.running.retain_mut(|cursor| {
            let late = cursor.is_late();
            if late {
                cursor.expire(server, output);
                server.counters.result(OperationKind::Search, TIME_LIMIT);
            }
            !late
        });
    }

    /// How many octets of output may wait to be sent before searches pause.
    fn room(&self) -> usize {
        self.server.limits.output
    }

    fn waiting(&mut self) -> Result<Waiting, Malformed> {
        let largest = self.session.largest_request(&self.server);
        let (header, len) = match frame::next(&self.input, largest)? {
            Framed::Whole { header, value } => (header, header + value),
            Framed::Partial { needed } => {
                self.needed = needed;
                return Ok(Waiting::Nothing);
            }
        };
        if self.running.is_empty() {
            return Ok(Waiting::Message(header, len));
        }
        let contents = self.input.get(header..len).unwrap_or_default();
        let (id, op, _) = request::envelope(contents, header)?;
        // RFC 4511 4.1.1.1: a client "MUST NOT send a request with the same messageID as
        // an earlier request in the same LDAP session unless it can be determined that
        // the server is no longer servicing the earlier request."
        if self.running.iter().any(|cursor| cursor.id == id) {
            return Err(op.malformed("message id of a request under way"));
        }
        let full = self.running.len() >= self.session.limits().operations;
        Ok(match op.tag {
            // RFC 4511 4.2.1: "Before processing a BindRequest, all uncompleted operations
            // MUST either complete or be abandoned."
            tag::BIND_REQUEST => Waiting::Blocked,
            tag::SEARCH_REQUEST if full => Waiting::Blocked,
            _ => Waiting::Message(header, len),
        })
    }

    fn next_request(&mut self, batch: &mut Batch<'_>, header: usize, len: usize) -> Verdict {
        self.requests += 1;
        if !self.abandoned.is_empty() && self.is_abandoned(header, len) {
            return Verdict::Next;
        }
        let room = self.room();
        let contents = self.input.get(header..len).unwrap_or_default();
        let received = Received {
            header,
            contents,
            octets_follow: self.input.len() > len,
            searches_run: !self.running.is_empty(),
        };
        batch.answer(&mut self.session, &received, &mut self.output, room)
    }

    fn obey(&mut self, verdict: Verdict) -> Option<Next> {
        match verdict {
            Verdict::Next => {}
            Verdict::Running(cursor) => {
                self.running.push_back(cursor);
                return self.to_be_planned().map(|_| Next::Plan);
            }
            // RFC 4511 4.11: "the server MUST NOT send a response" to either.
            Verdict::Abandon(id) => drop(self.stop(id)),
            Verdict::Cancel(id, target) => {
                let stopped = self.stop(target);
                Batch::canceled(&self.server, id, stopped.as_deref(), &mut self.output);
            }
            Verdict::Check(id, pending) => return Some(Next::Check(id, pending)),
            Verdict::StartTls => return Some(Next::StartTls),
            Verdict::Close => return Some(Next::End(End::Sequence)),
            Verdict::Unbound => return Some(Next::End(End::Unbind)),
            Verdict::Disconnect(malformed) => return Some(Next::End(End::Malformed(malformed))),
        }
        None
    }

    /// Takes a search out of those that run.
    fn stop(&mut self, id: i32) -> Option<Box<Cursor>> {
        let at = self.running.iter().position(|cursor| cursor.id == id)?;
        self.running.remove(at)
    }

    /// RFC 4511 4.11: the server "abandons the operation identified by the messageID".
    /// Looks for that, and for an unbind, in requests that wait for room or for their turn.
    fn look_ahead(&mut self) -> Option<End> {
        let largest = self.session.largest_request(&self.server);
        loop {
            let rest = self.input.get(self.scanned..).unwrap_or_default();
            let Ok(Framed::Whole { header, value }) = frame::next(rest, largest) else {
                return None;
            };
            let contents = rest.get(header..header + value).unwrap_or_default();
            let (_, op, _) = request::envelope(contents, header).ok()?;
            let number = op.natural("").map(u32::cast_signed);
            let tag = op.tag;
            self.scanned += header + value;
            match (tag, number) {
                (tag::UNBIND_REQUEST, _) => return Some(End::Unbind),
                (tag::ABANDON_REQUEST, Ok(id)) if self.stop(id).is_none() => {
                    // What a client abandons that it never asked for would pile up.
                    if self.abandoned.len() == MOST_ABANDONED {
                        self.abandoned.remove(0);
                    }
                    self.abandoned.push(id);
                }
                _ => {}
            }
        }
    }

    /// Whether the next request has been abandoned before its turn came. Binds and
    /// StartTLS cannot be (RFC 4511 4.11); nor can what came behind the abandon.
    fn is_abandoned(&mut self, header: usize, len: usize) -> bool {
        if self.scanned == 0 {
            self.abandoned.clear();
            return false;
        }
        let contents = self.input.get(header..len).unwrap_or_default();
        let Ok((id, op, _)) = request::envelope(contents, header) else { return false };
        if !matches!(op.tag, tag::SEARCH_REQUEST | tag::COMPARE_REQUEST) {
            return false;
        }
        let at = self.abandoned.iter().position(|abandoned| *abandoned == id);
        at.map(|at| self.abandoned.remove(at)).is_some()
    }
}
