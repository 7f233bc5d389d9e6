//! From a filter to the entries that match it.

use crate::world::{AD_PRESET, PEOPLE, replica, request};
use criterion::Criterion;
use entraldap::directory::filter::Filter;
use entraldap::directory::predicate::Predicate;
use entraldap::directory::schema;
use entraldap::ldap::bench::{Front, Prepared, candidates};
use entraldap::replica::Number;
use std::hint::black_box;

const ADDRESS: &str = "user4711@contoso.com";

/// Name, filter, candidates, and whether all of them match.
const FILTERS: [(&str, &str, usize, bool); 6] = [
    (
        "lookup hit",
        "(|(mail=user4711@contoso.com)(proxyAddresses=smtp:user4711@contoso.com))",
        1,
        true,
    ),
    (
        "lookup miss",
        "(|(mail=nobody@contoso.com)(proxyAddresses=smtp:nobody@contoso.com))",
        0,
        true,
    ),
    (
        "ad-preset",
        "(&(objectClass=user)(|(mail=user4711@contoso.com)(proxyAddresses=smtp:user4711@contoso.com)))",
        1,
        false,
    ),
    ("prefix", "(|(cn=user47*)(sn=user47*)(mail=user47*))", 111, true),
    ("contains", "(displayName=*471*)", 30, false),
    (
        "all but disabled",
        "(&(objectClass=user)(!(userAccountControl:1.2.840.113556.1.4.803:=2)))",
        9_000,
        true,
    ),
];

fn bind(filter: &Filter<'_>) -> Predicate {
    Predicate::bind(filter, schema::standard(), &|_| true)
}

pub(crate) fn benches(c: &mut Criterion) {
    let writer = replica();
    let snapshot = writer.reader().snapshot();
    let mut group = c.benchmark_group("bind");
    for (name, text, ..) in FILTERS {
        let filter = Filter::parse(text).unwrap();
        group.bench_function(name, |b| b.iter(|| bind(black_box(&filter))));
    }
    group.finish();
    let mut group = c.benchmark_group("plan");
    for (name, text, count, exact) in FILTERS {
        let predicate = bind(&Filter::parse(text).unwrap());
        let found = candidates(&predicate, &snapshot).unwrap();
        assert!(found.0.abs_diff(count) <= count / 2, "{name}: {found:?}");
        assert_eq!(found.1, exact, "{name}");
        group.bench_function(name, |b| b.iter(|| candidates(black_box(&predicate), &snapshot)));
    }
    group.finish();
    let mut group = c.benchmark_group("test of 100 entries");
    let entries: Vec<Number> = snapshot.all().unwrap().iter().skip(100).take(100).collect();
    for (name, text, ..) in FILTERS {
        let test = Prepared::new(&bind(&Filter::parse(text).unwrap()), &snapshot).unwrap();
        group.bench_function(name, |b| b.iter(|| test.count(&snapshot, black_box(&entries))));
    }
    group.finish();
    let mut front = Front::new(writer.reader()).unwrap();
    let mut group = c.benchmark_group("request to answer");
    let hit = format!("(|(mail={ADDRESS})(proxyAddresses=smtp:{ADDRESS}))");
    let miss = hit.replace("4711", &PEOPLE.to_string());
    let preset = format!("(&(objectClass=user){hit})");
    for (name, octets, shortest) in [
        ("lookup hit", request(&hit, &["mail"]), 100),
        ("lookup miss", request(&miss, &["mail"]), 14),
        ("ad-preset", request(&preset, &AD_PRESET), 800),
    ] {
        let mut out = Vec::with_capacity(1 << 16);
        front.answer(&octets, &mut out);
        assert!(out.len() >= shortest, "{name}: {} octets", out.len());
        group.bench_function(name, |b| {
            b.iter(|| {
                out.clear();
                front.answer(black_box(&octets), &mut out);
            });
        });
    }
}
