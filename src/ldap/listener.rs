//! Accepting connections, and letting them go at shutdown.

use super::addresses::Guest;
use super::connection::Connection;
use super::server::Server;
use super::stream::Stream;
use super::wire::response::{self, Outcome};
use ldap3_proto::LdapResultCode;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

/// How long accepting pauses after an error: out of file descriptors, mostly.
const BACK_OFF: Duration = Duration::from_millis(100);
/// How long connections may take to end at shutdown.
const DRAIN: Duration = Duration::from_secs(10);

/// So many connections may wait to be accepted: those of all gateways come at once when
/// the server starts. The system may set a lower bound.
const BACKLOG: i32 = 4096;

/// Listens on an address; port 0 is any free port. A listener on an IPv6 address takes no
/// IPv4 connections, so that `0.0.0.0` and `[::]` can have one each.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Connections of a process that has just ended do not keep its successor waiting.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Serves a listener until `shutdown`, then ends its connections, each with a notice, and
/// returns when they are gone or after ten seconds. `tls`: each connection begins with a
/// TLS handshake (LDAPS), for which the settings must have a certificate.
pub async fn serve(
    listener: TcpListener,
    server: Arc<Server>,
    tls: bool,
    shutdown: CancellationToken,
) {
    let connections = TaskTracker::new();
    let mut complained = false;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                complained = false;
                accept(stream, peer, &server, tls, &shutdown, &connections);
            }
            Err(error) => {
                if !std::mem::replace(&mut complained, true) {
                    tracing::warn!(%error, "connections cannot be accepted");
                }
                tokio::time::sleep(BACK_OFF).await;
            }
        }
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(DRAIN, connections.wait()).await.is_err() {
        tracing::warn!(left = connections.len(), "connections did not end in time");
    }
}

fn accept(
    stream: TcpStream,
    peer: SocketAddr,
    server: &Arc<Server>,
    tls: bool,
    shutdown: &CancellationToken,
    connections: &TaskTracker,
) {
    let place = match Arc::clone(&server.permits).try_acquire_owned() {
        Err(_) => Err("too many connections"),
        Ok(permit) => match server.addresses.enter(peer.ip()) {
            None => Err("too many connections from this address"),
            Some(guest) => Ok((permit, guest)),
        },
    };
    let place = match place {
        Ok(place) => place,
        Err(reason) => {
            server.counters.refused();
            if let Some(passed_over) = server.complaints.admit(Instant::now()) {
                tracing::warn!(%peer, reason, passed_over, "turned away");
            }
            return turn_away(&stream, tls, reason);
        }
    };
    // Without this a bind and a search in a row wait for delayed acknowledgements.
    let _ = stream.set_nodelay(true);
    let id = server.next_connection();
    let span = tracing::debug_span!("ldap", id, %peer);
    let connection = Box::new(Connection::new(
        Arc::clone(server),
        Stream::Plain(stream),
        peer.ip(),
        shutdown.child_token(),
    ));
    let server = Arc::clone(server);
    connections.spawn(run(connection, server, tls, (id, peer), place).instrument(span));
}

async fn run(
    connection: Box<Connection>,
    server: Arc<Server>,
    tls: bool,
    (id, peer): (u64, SocketAddr),
    _place: (OwnedSemaphorePermit, Guest),
) {
    let _counted = server.counters.connected();
    let (end, requests) = connection.serve(tls).await;
    if end.is_trouble()
        && let Some(passed_over) = server.complaints.admit(Instant::now())
    {
        tracing::info!(id, %peer, reason = %end, passed_over, "disconnected");
    }
    tracing::debug!(id, %peer, requests, end = %end, "connection ended");
}

/// A word of explanation, if it can be said without waiting.
fn turn_away(stream: &TcpStream, tls: bool, reason: &'static str) {
    if !tls {
        let mut out = Vec::new();
        response::disconnection(&mut out, &Outcome::new(LdapResultCode::Busy, reason));
        let _ = stream.try_write(&out);
    }
}
