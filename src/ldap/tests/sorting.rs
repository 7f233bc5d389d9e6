//! Server-side sorting (RFC 2891), alone and in pages.

use super::transport::large;
use super::world::{BASE, Client, World, entry, replica, settings, small};
use crate::directory::dn::Dn;
use crate::directory::entry::Entry;
use crate::directory::schema;
use crate::ldap::search::sort::{Order, SortPosition, Sorted};
use crate::ldap::wire::ber::Tlvs;
use crate::ldap::wire::samples::{control, message, search, tlv};

/// A sort control: attribute, rule, whether in reverse.
fn sort(critical: bool, keys: &[(&str, Option<&str>, bool)]) -> Vec<u8> {
    let key = |(name, rule, reverse): &(&str, Option<&str>, bool)| {
        let mut parts = tlv(4, name.as_bytes());
        parts.extend(rule.map(|rule| tlv(0x80, rule.as_bytes())).unwrap_or_default());
        parts.extend(if *reverse { tlv(0x81, b"\xff") } else { Vec::new() });
        tlv(0x30, &parts)
    };
    let list: Vec<u8> = keys.iter().flat_map(key).collect();
    control("1.2.840.113556.1.4.473", critical, Some(&tlv(0x30, &list)))
}

fn paged(size: u8, cookie: &[u8]) -> Vec<u8> {
    let value = tlv(0x30, &[tlv(2, &[size]), tlv(4, cookie)].concat());
    control("1.2.840.113556.1.4.319", true, Some(&value))
}

/// `sortResult` and `attributeType`.
type SortResult = (i64, Option<String>);

/// What the sort control says, and the cookie.
fn extras(controls: &[u8]) -> (Option<SortResult>, Option<Vec<u8>>) {
    let (mut sorted, mut cookie) = (None, None);
    let mut list = Tlvs::new(controls, 0);
    while !list.is_empty() {
        let mut parts = list.next().unwrap().inside();
        let oid = parts.next().unwrap().value;
        let mut value = parts.next().unwrap().inside().next().unwrap().inside();
        let first = value.next().unwrap();
        if oid == b"1.2.840.113556.1.4.474" {
            let name = value.take(0x80).unwrap();
            let name = name.map(|tlv| String::from_utf8(tlv.value.to_vec()).unwrap());
            sorted = Some((first.integer().unwrap(), name));
        } else {
            cookie = Some(value.next().unwrap().value.to_vec());
        }
    }
    (sorted, cookie)
}

fn rdn(dn: &str) -> String {
    dn.split(',').next().unwrap().to_owned()
}

async fn sorted(client: &mut Client, filter: &str, control: Vec<u8>) -> Vec<String> {
    let op = search(BASE, 2, filter, &["1.1"]);
    let (entries, done) = client.entries(&message(b"\x02", &op, &[control])).await;
    assert_eq!((done.code(), extras(&done.controls).0), (0, Some((0, None))), "{filter}");
    entries.iter().map(|entry| rdn(&entry.dn())).collect()
}

async fn in_pages(
    client: &mut Client,
    filter: &str,
    keys: &[(&str, Option<&str>, bool)],
    size: u8,
) -> Vec<String> {
    let op = search(BASE, 2, filter, &["1.1"]);
    let (mut names, mut cookie) = (Vec::new(), Vec::new());
    loop {
        let controls = [sort(true, keys), paged(size, &cookie)];
        let (entries, done) = client.entries(&message(b"\x02", &op, &controls)).await;
        let (sorted, next) = extras(&done.controls);
        assert_eq!((done.code(), sorted), (0, Some((0, None))));
        names.extend(entries.iter().map(|entry| rdn(&entry.dn())));
        assert!(names.len() <= 2000, "pages without end");
        cookie = next.unwrap();
        if cookie.is_empty() {
            return names;
        }
    }
}

#[tokio::test]
async fn few_entries_come_in_the_order_asked_for() {
    let world = World::small().await;
    let mut client = world.bound().await;
    let users = "(objectClass=user)";
    for (keys, expected) in [
        (&[("cn", None, false)][..], &["uid=ada", "uid=bob", "uid=eve"][..]),
        (&[("CN", None, true)], &["uid=eve", "uid=bob", "uid=ada"]),
        (&[("commonName", Some("2.5.13.3"), false)], &["uid=ada", "uid=bob", "uid=eve"]),
        (&[("cn", Some("caseIgnoreOrderingMatch"), true)], &["uid=eve", "uid=bob", "uid=ada"]),
        // RFC 2891 2: a missing value is larger than all others; in reverse it comes first.
        (&[("sn", None, false)], &["uid=ada", "uid=bob", "uid=eve"]),
        (&[("sn", None, true)], &["uid=bob", "uid=eve", "uid=ada"]),
        (&[("sn", None, true), ("cn", None, true)], &["uid=eve", "uid=bob", "uid=ada"]),
        (
            &[("userAccountControl", None, true), ("cn", None, false)],
            &["uid=eve", "uid=bob", "uid=ada"],
        ),
        // RFC 2891 2: of several values the least: eve's is smtp:e@...
        (&[("proxyAddresses", None, false)], &["uid=ada", "uid=bob", "uid=eve"]),
    ] {
        assert_eq!(sorted(&mut client, users, sort(true, keys)).await, expected, "{keys:?}");
        for size in [1, 2, 3] {
            assert_eq!(in_pages(&mut client, users, keys, size).await, expected, "{keys:?} {size}");
        }
    }
    assert_eq!(
        sorted(&mut client, "(cn=nobody)", sort(true, &[("cn", None, false)])).await,
        [""; 0]
    );
}

#[tokio::test]
async fn an_order_that_cannot_be_kept_is_told() {
    let world = World::small().await;
    let mut client = world.bound().await;
    let op = search(BASE, 2, "(objectClass=user)", &["1.1"]);
    let twice = [("cn", None, false), ("2.5.4.3", None, true)];
    for (keys, code) in [
        (&[("bogus", None, false)][..], 16),
        (&[("cn", None, false), ("x;y", None, false)], 16),
        (&[("member", None, false)], 18),
        (&[("objectClass", None, false)], 18),
        (&[("rfc822MailMember", None, false)], 18),
        (&[("cn", Some("2.5.13.15"), false)], 18),
        (&[("cn", Some("1.2.3.4"), false)], 18),
        (&twice, 53),
    ] {
        let name = keys.last().unwrap().0.to_owned();
        let result = Some((code, Some(name)));
        // RFC 2891 2: critical: no entries, unavailableCriticalExtension; else unsorted.
        for (critical, expected) in [(true, (0, 12)), (false, (3, 0))] {
            let controls = [sort(critical, keys)];
            let (entries, done) = client.entries(&message(b"\x02", &op, &controls)).await;
            assert_eq!((entries.len(), done.code()), expected, "{keys:?}");
            assert_eq!(extras(&done.controls).0, result, "{keys:?}");
        }
    }
    // RFC 2891 2: without the control where the search itself fails.
    let missing = search("uid=no,dc=contoso,dc=com", 2, "(cn=*)", &[]);
    let controls = [sort(true, &[("cn", None, false)])];
    let (_, done) = client.entries(&message(b"\x02", &missing, &controls)).await;
    assert_eq!((done.code(), extras(&done.controls).0), (32, None));
}

/// So many that they are not sorted on the spot.
fn many() -> Vec<Entry> {
    let mut entries = small();
    for n in 0..1500u32 {
        let surname = format!("Name{:04}", n.wrapping_mul(7919) % 700);
        let given = format!("Given{:04}", n.wrapping_mul(104_729) % 1500);
        let (high, low) = (format!("z{:04}", n), format!("d{:04}", (n * 31) % 1500));
        let shared = format!("Shared {}", n % 3);
        let mut pairs = vec![("objectClass", "user"), ("givenName", given.as_str())];
        if n % 4 != 0 {
            pairs.push(("displayName", &shared));
        }
        if n % 5 != 0 {
            pairs.push(("sn", &surname));
        }
        if n % 3 != 0 {
            pairs.extend([("description", high.as_str()), ("description", low.as_str())]);
        }
        entries.push(entry(&format!("uid=n{n:04},ou=users,{BASE}"), &pairs));
    }
    entries
}

/// What the order must be, worked out from the entries themselves.
fn expected(keys: &[(&str, Option<&str>, bool)]) -> Vec<String> {
    use crate::directory::entry::Values;
    let least = |entry: &Entry, name: &str| -> Option<Vec<u8>> {
        let id = schema::standard().attribute(name.as_bytes()).unwrap().id;
        entry.values(id).map(|value| value.to_ascii_lowercase()).min()
    };
    let mut all: Vec<Entry> =
        many().into_iter().filter(|entry| entry.dn.to_string().starts_with("uid=n")).collect();
    all.sort_by(|a, b| {
        for (name, _, reverse) in keys {
            let (a, b) = (least(a, name), least(b, name));
            let order = (a.is_none(), a).cmp(&(b.is_none(), b));
            let order = if *reverse { order.reverse() } else { order };
            if order.is_ne() {
                return order;
            }
        }
        std::cmp::Ordering::Equal
    });
    all.iter().map(|entry| rdn(&entry.dn.to_string())).collect()
}

#[tokio::test]
async fn many_entries_come_in_the_order_of_the_index_in_pages_too() {
    let world = World::start(&settings(), replica(many()), false).await;
    let mut client = world.bound().await;
    let all = sorted(&mut client, "(givenName=given*)", sort(true, &[("givenName", None, false)]));
    assert_eq!(all.await.len(), 1500);
    for keys in [
        &[("sn", None, false)][..],
        &[("sn", None, true)],
        &[("sn", None, false), ("givenName", None, true)],
        &[("sn", None, true), ("givenName", None, false)],
        &[("description", None, false)],
        &[("description", None, true)],
        // Hundreds have the same one.
        &[("displayName", None, false)],
        &[("displayName", None, true)],
        &[("displayName", None, false), ("givenName", None, true)],
    ] {
        let expected = expected(keys);
        let filter = "(givenName=*)";
        assert_eq!(sorted(&mut client, filter, sort(true, keys)).await, expected, "{keys:?}");
        assert_eq!(in_pages(&mut client, filter, keys, 99).await, expected, "{keys:?}");
        let op = search(BASE, 2, filter, &["1.1"]);
        for size in [1, 40] {
            let limited = [sort(true, keys), paged(size, b"")];
            let (entries, _) = client.entries(&message(b"\x02", &op, &limited)).await;
            let names: Vec<String> = entries.iter().map(|entry| rdn(&entry.dn())).collect();
            assert_eq!(names, expected[..usize::from(size)], "{keys:?}");
        }
    }
}

/// The second page of 50, where something has changed since the first.
async fn second_page(
    filter: &str,
    keys: &[(&str, Option<&str>, bool)],
    change: impl FnOnce(&World),
) -> Vec<String> {
    let world = World::start(&settings(), replica(many()), false).await;
    let mut client = world.bound().await;
    let op = search(BASE, 2, filter, &["1.1"]);
    let first = [sort(true, keys), paged(50, b"")];
    let (_, done) = client.entries(&message(b"\x02", &op, &first)).await;
    let cookie = extras(&done.controls).1.unwrap();
    change(&world);
    let second = [sort(true, keys), paged(50, &cookie)];
    let (entries, _) = client.entries(&message(b"\x02", &op, &second)).await;
    entries.iter().map(|entry| rdn(&entry.dn())).collect()
}

/// All, and so few that they are sorted on the spot.
const ALL_AND_FEW: [&str; 2] = ["(givenName=*)", "(givenName<=given0900)"];

async fn first_hundred(filter: &str, keys: &[(&str, Option<&str>, bool)]) -> Vec<String> {
    let world = World::start(&settings(), replica(many()), false).await;
    let mut all = sorted(&mut world.bound().await, filter, sort(true, keys)).await;
    all.truncate(101);
    all
}

fn named(rdn: &str) -> Entry {
    many().into_iter().find(|entry| entry.dn.to_string().starts_with(rdn)).unwrap()
}

#[tokio::test]
async fn a_page_goes_on_among_equals_although_the_one_that_was_next_has_gone() {
    for filter in ALL_AND_FEW {
        for by in ["displayName", "description"] {
            let by = [(by, None, false)];
            let before = first_hundred(filter, &by).await;
            let gone = named(&before[50]);
            let found = second_page(filter, &by, |world| world.remove(&gone.dn)).await;
            assert_eq!(found, before[51..], "{filter} {by:?}");
        }
    }
}

#[tokio::test]
async fn a_page_goes_on_where_it_was_although_the_one_that_was_next_stands_elsewhere_now() {
    let display_name = schema::standard().attribute(b"displayName").unwrap().id;
    let first = ("displayName", None, false);
    for filter in ALL_AND_FEW {
        for (by, expected) in [
            (&[first][..], 51..101),
            // Where it stood by further keys is not known: those that are equal come again.
            (&[first, ("sn", None, false)], 0..50),
        ] {
            let before = first_hundred(filter, by).await;
            let mut renamed = named(&before[50]);
            renamed.set(display_name, vec![b"Shared 9".to_vec()]);
            let found = second_page(filter, by, |world| world.replace(&renamed)).await;
            assert_eq!(found, before[expected], "{filter} {by:?}");
        }
    }
}

#[tokio::test]
async fn a_page_goes_on_when_so_few_are_left_that_they_are_sorted_on_the_spot() {
    let filter = "(givenName<=given1000)";
    for by in ["displayName", "description", "sn"] {
        let by = [(by, None, false)];
        let before = first_hundred(filter, &by).await;
        let gone = named(&before[0]);
        let found = second_page(filter, &by, |world| world.remove(&gone.dn)).await;
        assert_eq!(found, before[50..100], "{by:?}");
    }
}

/// Else somebody's order by an attribute of which nobody has his place would keep a thread busy.
#[test]
fn a_step_looks_at_no_more_entries_than_it_is_long() {
    let person = |n: usize| {
        let (least, shared) = (format!("a{n:04}"), format!("z{:04}", n / 10));
        let values = [("description", shared.as_str()), ("description", least.as_str())];
        entry(&format!("uid=n{n:04},ou=users,{BASE}"), &values)
    };
    let writer = replica(small().into_iter().chain((0..1500).map(person)).collect());
    let snapshot = writer.reader().snapshot();
    let description = schema::standard().attribute(b"description").unwrap();
    let position = SortPosition { key: Some(b"z".to_vec()) };
    let all = snapshot.present(description.id).unwrap();
    let mut sorted = Sorted::new(Order::by(description), all, Some((0, position)), 1);
    let (mut steps, mut found) = (0, 0);
    while sorted.refill(&snapshot).unwrap() {
        steps += 1;
        found += sorted.ready().count();
    }
    // 16, 32, 64 and so on: six are 1,008. Those without a value are one more step.
    assert_eq!((steps, found), (8, 0));
}

#[tokio::test]
async fn what_an_order_needs_of_a_class_is_of_the_state_that_is_searched() {
    let world = World::start(&settings(), replica(large()), false).await;
    let mut client = world.bound().await;
    let control = || sort(true, &[("cn", None, false)]);
    let before = sorted(&mut client, "(objectClass=user)", control()).await;
    world.remove(&Dn::parse(&format!("uid=n77,ou=users,{BASE}")).unwrap());
    let after = sorted(&mut client, "(objectClass=user)", control()).await;
    let expected: Vec<String> = before.into_iter().filter(|name| name != "uid=n77").collect();
    assert!(after == expected && after.len() == 8002);
}

#[tokio::test]
async fn a_cookie_holds_for_its_order_only() {
    let world = World::small().await;
    let mut client = world.bound().await;
    let op = search(BASE, 2, "(objectClass=user)", &["1.1"]);
    let by = |name| sort(true, &[(name, None, false)]);
    let controls = [by("cn"), paged(1, b"")];
    let (_, done) = client.entries(&message(b"\x02", &op, &controls)).await;
    let cookie = extras(&done.controls).1.unwrap();
    let other = [by("sn"), paged(1, &cookie)];
    assert_eq!(client.entries(&message(b"\x02", &op, &other)).await.1.code(), 53);
    let none = [paged(1, &cookie)];
    assert_eq!(client.entries(&message(b"\x02", &op, &none)).await.1.code(), 53);
    let given_up = [by("cn"), paged(0, &cookie)];
    let (entries, done) = client.entries(&message(b"\x02", &op, &given_up)).await;
    assert_eq!((entries.len(), done.code()), (0, 0));
}
