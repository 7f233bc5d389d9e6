//! stub

#[cfg(feature = "simulator")]
pub mod simulator;
