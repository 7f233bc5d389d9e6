//! The LDAP server as a client sees it: real sockets, real octets.

mod binds;
mod concurrency;
mod controls;
mod filters;
mod names;
mod profiles;
mod protocol;
mod searches;
mod sorting;
mod transport;
mod world;
