//! How a connection ends. Pure: no I/O, no clock.

use super::wire::ber::Malformed;
use std::fmt;
use std::io;

/// Why a connection ended.
#[derive(Debug)]
pub(crate) enum End {
    /// The client closed it, without a word or with an unbind.
    Client,
    /// An unbind.
    Unbind,
    /// Nothing came for too long.
    Idle,
    /// The first request, or the TLS handshake, did not come.
    Silent,
    /// The client does not read what it asked for.
    Stalled,
    /// The server goes.
    Shutdown,
    /// What came is no LDAP.
    Malformed(Malformed),
    /// StartTLS was asked for in a way that forbids to go on.
    Sequence,
    /// The TLS handshake failed.
    Handshake(io::Error),
    /// The socket failed.
    Io(io::Error),
}

impl End {
    /// Whether the client, or the way to it, did something wrong. Watchdogs that open a
    /// connection and close it again do not.
    pub(crate) fn is_trouble(&self) -> bool {
        match self {
            End::Client | End::Unbind | End::Idle | End::Shutdown | End::Io(_) => false,
            End::Silent | End::Stalled | End::Malformed(_) | End::Sequence => true,
            End::Handshake(error) => error.kind() != io::ErrorKind::UnexpectedEof,
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Client => f.write_str("closed by the client"),
            End::Unbind => f.write_str("unbind"),
            End::Idle => f.write_str("idle for too long"),
            End::Silent => f.write_str("no first request in time"),
            End::Stalled => f.write_str("the client does not read"),
            End::Shutdown => f.write_str("shutdown"),
            End::Malformed(malformed) => fmt::Display::fmt(malformed, f),
            End::Sequence => f.write_str("octets behind StartTLS"),
            End::Handshake(error) => write!(f, "TLS handshake: {error}"),
            End::Io(error) => fmt::Display::fmt(error, f),
        }
    }
}
