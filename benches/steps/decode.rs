//! Octets to a request.

use crate::world::{AD_PRESET, request};
use criterion::Criterion;
use entraldap::config::settings::LimitSettings;
use entraldap::ldap::bench::decode;
use std::hint::black_box;

pub(crate) fn benches(c: &mut Criterion) {
    let limits = LimitSettings::default();
    let mut group = c.benchmark_group("decode");
    let address = "user4711@contoso.com";
    let either = format!("(|(mail={address})(proxyAddresses=smtp:{address}))");
    let lookup = request(&either, &["mail"]);
    let preset = request(&format!("(&(objectClass=user){either})"), &AD_PRESET);
    for (name, octets, asked) in [("lookup", lookup, 1), ("ad-preset", preset, AD_PRESET.len())] {
        assert_eq!(decode(&octets, &limits), Some(asked));
        group.bench_function(name, |b| b.iter(|| decode(black_box(&octets), &limits)));
    }
}
