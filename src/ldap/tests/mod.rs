//! The LDAP server as a client sees it: real sockets, real octets.

mod concurrency;
mod controls;
mod filters;
mod names;
mod protocol;
mod searches;
mod sorting;
mod transport;
mod world;
