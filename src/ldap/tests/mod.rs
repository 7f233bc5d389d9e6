//! The LDAP server as a client sees it: real sockets, real octets.

mod filters;
mod protocol;
mod searches;
mod transport;
mod world;
