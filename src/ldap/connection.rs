//! One connection: octets in, octets out, and what happens when either stops.

mod work;

use super::bind::PendingBind;
use super::end::End;
use super::operation::bound;
use super::search::cursor::Cursor;
use super::server::Server;
use super::session::Session;
use super::stream::Stream;
use super::watch::Watch;
use super::wire::response::{self, Outcome};
use bytes::BytesMut;
use ldap3_proto::LdapResultCode;
use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tracing::Instrument;

/// So many octets of requests may wait while others are carried out.
const PENDING: usize = 64 * 1024;
/// What is read at once, at least.
const READ: usize = 4096;
/// Buffers larger than this are given back when they are empty.
const KEPT: usize = 32 * 1024;
/// How long a parting word may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// What the connection waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Goal {
    /// More input.
    Input,
    /// More input, or all output sent.
    Room,
    /// All output sent; nothing is read meanwhile.
    Sent,
    /// Nothing: whatever is possible now is done.
    Now,
}

/// What is to be done before the next batch of requests.
enum Next {
    Wait(Goal),
    /// Others have their turn.
    Yield,
    Check(i32, PendingBind),
    /// Ask the indexes for a search.
    Plan,
    StartTls,
    End(End),
}

/// One connection.
pub(crate) struct Connection {
    server: Arc<Server>,
    stream: Stream,
    session: Session,
    input: BytesMut,
    /// So many octets of `input`, which start with a message, have been looked through
    /// for an abandon.
    scanned: usize,
    /// At least so many octets make the next message whole.
    needed: usize,
    output: Vec<u8>,
    /// So many octets of `output` have been sent.
    sent: usize,
    /// Octets may wait inside the stream.
    unflushed: bool,
    ended: bool,
    /// Searches under way; the first has its turn.
    running: VecDeque<Box<Cursor>>,
    /// Requests that wait and are not to be carried out any more.
    abandoned: Vec<i32>,
    requests: u64,
    in_background: bool,
    watch: Watch,
    shutdown: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Connection {
    /// A connection that has just been accepted.
    pub(crate) fn new(
        server: Arc<Server>,
        stream: Stream,
        peer: IpAddr,
        shutdown: CancellationToken,
    ) -> Self {
        let session = Session::new(&server, peer);
        let watch = Watch::new(&server.limits);
        Connection {
            server,
            stream,
            session,
            input: BytesMut::new(),
            scanned: 0,
            needed: 2,
            output: Vec::new(),
            sent: 0,
            unflushed: false,
            ended: false,
            running: VecDeque::new(),
            abandoned: Vec::new(),
            requests: 0,
            in_background: false,
            watch,
            shutdown: Box::pin(shutdown.cancelled_owned()),
        }
    }

    /// Serves the connection to its end, and says how many requests came. `tls` begins with a
    /// handshake.
    pub(crate) async fn serve(mut self: Box<Self>, tls: bool) -> (End, u64) {
        let mut end = if tls { self.start_tls().await.err() } else { None };
        let end = loop {
            end = match end {
                Some(end) => break end,
                None => self.serve_here().await,
            };
            if end.is_none() {
                let served = self.serve_in_background().await;
                let Some((connection, ended)) = served else { return (End::Shutdown, 0) };
                (self, end) = (connection, ended);
            }
        };
        self.running.clear();
        match &end {
            End::Malformed(malformed) => {
                self.server.counters.malformed();
                let message = malformed.to_string();
                self.part(Some(Outcome::new(LdapResultCode::ProtocolError, message))).await;
            }
            End::Shutdown => {
                let outcome = Outcome::new(LdapResultCode::Unavailable, "the server shuts down");
                self.part(Some(outcome)).await;
            }
            End::Sequence | End::Client | End::Idle | End::Unbind => self.part(None).await,
            End::Silent | End::Stalled | End::Handshake(_) | End::Io(_) => {}
        }
        (end, self.requests)
    }

    /// Serves until the searches under way are over, or the connection. `None` when the process
    /// ends.
    async fn serve_in_background(mut self: Box<Self>) -> Option<(Box<Self>, Option<End>)> {
        let server = Arc::clone(&self.server);
        let work = async move {
            self.in_background = true;
            let end = self.serve_here().await;
            self.in_background = false;
            (self, end)
        };
        server.background.run(work.in_current_span()).await
    }

    /// Whether the other place is the right one for what comes next: the background while there
    /// is a search that takes long, the front for everything else.
    fn is_misplaced(&self, next: &Next) -> bool {
        let can_wait = matches!(next, Next::Wait(_) | Next::Yield);
        let is_long = matches!(next, Next::Wait(Goal::Room) | Next::Yield | Next::Plan);
        match (self.in_background, self.running.is_empty()) {
            (false, false) => is_long,
            (true, true) => can_wait,
            _ => false,
        }
    }

    /// Serves until the end, or until it [`Self::is_misplaced`].
    async fn serve_here(&mut self) -> Option<End> {
        loop {
            let next = self.work();
            if self.is_misplaced(&next) {
                // What has been answered does not wait for the other threads.
                return self.exchange(Goal::Now).await.err();
            }
            let step = match next {
                Next::Wait(goal) => self.exchange(goal).await,
                Next::Yield => {
                    let step = self.exchange(Goal::Now).await;
                    tokio::task::yield_now().await;
                    step
                }
                Next::Check(id, pending) => self.check(id, pending).await,
                Next::Plan => self.plan().await,
                Next::StartTls => match self.exchange(Goal::Sent).await {
                    Ok(()) => self.start_tls().await,
                    Err(end) => Err(end),
                },
                Next::End(end) => Err(end),
            };
            if let Err(end) = step {
                return Some(end);
            }
        }
    }

    /// RFC 4511 4.2.1: nothing else is carried out while a bind is.
    async fn check(&mut self, id: i32, pending: PendingBind) -> Result<(), End> {
        self.exchange(Goal::Now).await?;
        let started = pending.started;
        let server = Arc::clone(&self.server);
        let check = Box::pin(pending.check(&server));
        // Entra may take its time; an end does not wait for it.
        let checked = tokio::select! {
            checked = check => checked,
            () = &mut self.shutdown => return Err(End::Shutdown),
        };
        bound(&server, &mut self.session, (id, started), checked, &mut self.output);
        Ok(())
    }

    /// Lets the indexes be asked on a thread of its own; this connection waits meanwhile.
    async fn plan(&mut self) -> Result<(), End> {
        self.exchange(Goal::Now).await?;
        let place = self.to_be_planned();
        let Some(cursor) = place.and_then(|at| self.running.remove(at)) else { return Ok(()) };
        let planned = self.server.background.plan(cursor);
        let planned = tokio::select! {
            planned = planned => planned,
            () = &mut self.shutdown => None,
        };
        self.running.push_back(planned.ok_or(End::Shutdown)?);
        Ok(())
    }

    async fn start_tls(&mut self) -> Result<(), End> {
        let Some(acceptor) = self.server.tls() else { return Err(End::Sequence) };
        let Stream::Plain(stream) = std::mem::replace(&mut self.stream, Stream::Gone) else {
            return Err(End::Sequence);
        };
        let limit = self.server.limits.tls_handshake;
        let limit = if limit.is_zero() { Duration::from_secs(3600) } else { limit };
        let accept = Box::pin(tokio::time::timeout(limit, acceptor.accept(stream)));
        let accepted = tokio::select! {
            accepted = accept => accepted,
            () = &mut self.shutdown => return Err(End::Shutdown),
        };
        match accepted {
            Ok(Ok(stream)) => self.stream = Stream::Tls(Box::new(stream)),
            Ok(Err(error)) => return Err(End::Handshake(error)),
            Err(_) => return Err(End::Silent),
        }
        self.session.secured(self.stream.peer_certificate());
        Ok(())
    }

    async fn exchange(&mut self, goal: Goal) -> Result<(), End> {
        std::future::poll_fn(|cx| self.poll_exchange(cx, goal)).await
    }

    /// Sends and receives at once, until the goal is reached.
    fn poll_exchange(&mut self, cx: &mut Context<'_>, goal: Goal) -> Poll<Result<(), End>> {
        if let Err(error) = self.poll_send(cx) {
            return Poll::Ready(Err(End::Io(error)));
        }
        let all_sent = self.output.is_empty() && !self.unflushed;
        let reading = goal != Goal::Sent && !self.ended && self.input.len() < self.input_limit();
        if reading && let Poll::Ready(received) = self.poll_receive(cx) {
            match received {
                // The client may only have no more to ask; one that has gone is noticed when
                // it is written to.
                Ok(0) => self.ended = true,
                Ok(_) => self.watch.received(),
                Err(error) if is_end(&error) && !self.running.is_empty() => {
                    return Poll::Ready(Err(End::Client));
                }
                Err(error) if is_end(&error) => self.ended = true,
                Err(error) => return Poll::Ready(Err(End::Io(error))),
            }
            if goal != Goal::Room || !self.running.is_empty() || all_sent {
                return Poll::Ready(Ok(()));
            }
        }
        // Not even a client that reads as fast as it is answered keeps the process from its end.
        if !self.running.is_empty() && self.shutdown.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(End::Shutdown));
        }
        match goal {
            Goal::Now => return Poll::Ready(Ok(())),
            Goal::Room | Goal::Sent if all_sent => return Poll::Ready(Ok(())),
            Goal::Input if self.ended && all_sent => return Poll::Ready(Err(End::Client)),
            _ => {}
        }
        if self.shutdown.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(End::Shutdown));
        }
        let busy = !self.running.is_empty() || goal == Goal::Room;
        if let Poll::Ready(end) = self.watch.poll(cx, !all_sent, busy, self.requests) {
            return Poll::Ready(Err(end));
        }
        if goal == Goal::Room && self.has_expired() {
            return Poll::Ready(Ok(()));
        }
        if self.watch.is_quiet() {
            self.release();
        }
        Poll::Pending
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        while self.sent < self.output.len() {
            let rest = self.output.get(self.sent..).unwrap_or_default();
            match Pin::new(&mut self.stream).poll_write(cx, rest) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => {
                    self.sent += count;
                    self.unflushed = matches!(self.stream, Stream::Tls(_));
                    self.watch.sent();
                }
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => return Ok(()),
            }
        }
        if self.sent > 0 {
            self.sent = 0;
            self.output.clear();
            if self.output.capacity() > KEPT && self.running.is_empty() {
                self.output = Vec::new();
            }
        }
        if self.unflushed
            && let Poll::Ready(flushed) = Pin::new(&mut self.stream).poll_flush(cx)
        {
            self.unflushed = false;
            return flushed;
        }
        Ok(())
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let spare = self.input.capacity() - self.input.len();
        let missing = self.needed.saturating_sub(self.input.len());
        if spare < missing.max(512) {
            self.input.reserve(missing.max(READ));
        }
        pin!(self.stream.read_buf(&mut self.input)).poll(cx)
    }

    /// How many octets of requests are taken in before some are carried out.
    fn input_limit(&self) -> usize {
        self.needed.max(PENDING)
    }

    /// Gives empty buffers back: most connections wait for hours.
    fn release(&mut self) {
        if self.input.is_empty() {
            self.input = BytesMut::new();
        }
        if self.output.is_empty() {
            self.output = Vec::new();
        }
    }

    /// Sends what is left, and a last word, and closes. What the client still sends is
    /// read for a moment: a close with unread octets would take the last word back.
    async fn part(&mut self, outcome: Option<Outcome>) {
        let Self { stream, output, sent, input, .. } = self;
        if let Some(outcome) = &outcome {
            response::disconnection(output, outcome);
        }
        let rest = output.get(*sent..).unwrap_or_default();
        let farewell = async {
            stream.write_all(rest).await?;
            stream.shutdown().await?;
            if outcome.is_some() {
                for _ in 0..64 {
                    input.clear();
                    if stream.read_buf(input).await? == 0 {
                        break;
                    }
                }
            }
            io::Result::Ok(())
        };
        let _ = tokio::time::timeout(FAREWELL, farewell).await;
    }
}

/// Many clients close without a goodbye of TLS.
fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset)
}
