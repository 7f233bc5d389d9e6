//! The whole program, tried at its boundaries: a simulated tenant behind it, real
//! LDAP clients before it.

#![allow(unreachable_pub, reason = "the modules of a test binary are its own")]

mod world;

mod sync;
