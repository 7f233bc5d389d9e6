//! The LDAP server as a client sees it: real sockets, real octets.

mod binds;
mod filters;
mod profiles;
mod protocol;
mod searches;
mod transport;
mod world;
