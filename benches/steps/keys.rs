//! Values to the keys that they are compared and indexed by.

use criterion::Criterion;
use entraldap::directory::attribute::Syntax;
use entraldap::directory::dn::Dn;
use entraldap::directory::{schema, text};
use std::hint::black_box;

pub(crate) fn benches(c: &mut Criterion) {
    let mut group = c.benchmark_group("key");
    for (name, syntax, value) in [
        ("address", Syntax::DirectoryString, "SMTP:Ada.Lind@Contoso.com"),
        ("long ascii", Syntax::DirectoryString, &"Department of Research ".repeat(8)),
        ("latin name", Syntax::DirectoryString, "Zoë Özdemir"),
        ("telephone", Syntax::TelephoneNumber, "+47 22-00 00 00"),
        ("integer", Syntax::Integer, "512"),
        ("object class", Syntax::ObjectClass, "user"),
        ("time", Syntax::GeneralizedTime, "20240506070809.0Z"),
        ("dn", Syntax::Dn, "uid=user4711@contoso.com,ou=users,dc=contoso,dc=com"),
    ] {
        let value = value.as_bytes();
        assert!(syntax.key(value).is_some());
        group.bench_function(name, |b| b.iter(|| syntax.key(black_box(value))));
    }
    group.bench_function("piece", |b| b.iter(|| text::fold_piece(black_box("Lind"))));
    group.bench_function("attribute name", |b| {
        b.iter(|| schema::standard().described(black_box(b"proxyAddresses")));
    });
    let dn = "uid=user4711@contoso.com,ou=users,dc=contoso,dc=com";
    group.bench_function("dn parsed", |b| b.iter(|| Dn::parse(black_box(dn))));
}
