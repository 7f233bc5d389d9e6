//! The steps that searches and passes consist of, each by itself. See `benches/README.md`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a bench that fails has nothing to tell"
)]

mod decode;
mod entries;
mod keys;
mod search;
mod world;

use criterion::{criterion_group, criterion_main};

criterion_group!(
    benches,
    keys::benches,
    decode::benches,
    search::benches,
    entries::answered,
    entries::derived
);
criterion_main!(benches);
