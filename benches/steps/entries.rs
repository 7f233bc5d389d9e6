//! Objects to entries, entries to octets, and what changes in them.

use crate::world::{AD_PRESET, encoded, entry, mapping, number, person, replica};
use criterion::Criterion;
use entraldap::ldap::bench::Selection;
use entraldap::replica::{Error, Transaction};
use std::hint::black_box;

const PERSON: u32 = 4711;

/// A stored entry to a part of an answer.
pub(crate) fn answered(c: &mut Criterion) {
    let writer = replica();
    let number = writer.write(|change| number(change, PERSON)).unwrap();
    let snapshot = writer.reader().snapshot();
    let mut group = c.benchmark_group("encode");
    for (name, list) in
        [("1 attribute", &["mail"][..]), ("20 attributes", &AD_PRESET), ("*", &["*"])]
    {
        let selection = Selection::new(list);
        let mut out = Vec::with_capacity(1 << 16);
        group.bench_function(name, |b| {
            let entry = snapshot.entry(number).unwrap().unwrap();
            b.iter(|| {
                out.clear();
                selection.write(&snapshot, black_box(&entry), &mut out);
            });
        });
        assert!(out.is_empty() || out.len() > 50);
    }
    group.bench_function("entry found", |b| {
        b.iter(|| snapshot.entry(black_box(number)).unwrap().is_some());
    });
    group.bench_function("20 attributes read", |b| {
        b.iter(|| Selection::new(black_box(&AD_PRESET)));
    });
}

/// An object of Graph to what is stored, and that to a change.
pub(crate) fn derived(c: &mut Criterion) {
    let mapping = mapping();
    let properties = person(PERSON);
    let mut group = c.benchmark_group("derive");
    group.bench_function("object to entry", |b| {
        b.iter(|| entry(&mapping, PERSON, black_box(&properties)));
    });
    let made = entry(&mapping, PERSON, &properties);
    group.bench_function("entry to octets", |b| {
        b.iter(|| encoded(black_box(&made), PERSON, 1));
    });
    group.finish();
    let mut moved = properties.clone();
    moved.insert("department".to_owned(), "Sales".into());
    let same = encoded(&made, PERSON, 1);
    let moved = encoded(&entry(&mapping, PERSON, &moved), PERSON, 1);
    let writer = replica();
    let diff = |change: &mut Transaction<'_>| -> Result<(), Error> {
        let number = number(change, PERSON)?;
        let mut group = c.benchmark_group("diff");
        for (name, new, changes) in [("same", &same, 0), ("department", &moved, 1)] {
            assert_eq!(change.difference(number, new, &[])?.len(), changes, "{name}");
            group.bench_function(name, |b| {
                b.iter(|| change.difference(number, black_box(new), &[]).unwrap());
            });
        }
        Ok(())
    };
    writer.write(diff).unwrap();
}
