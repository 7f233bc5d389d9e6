//! Bytes to requests, and answers to bytes: a strict reading of the BER that RFC 4511
//! section 5.1 allows. Pure: no I/O, no clock.

pub(crate) mod ber;
pub(crate) mod controls;
pub(crate) mod filter;
pub(crate) mod frame;
pub(crate) mod request;
pub(crate) mod response;

#[cfg(any(test, fuzzing))]
pub(crate) mod samples;
