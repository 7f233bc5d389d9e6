//! Searches: base and scope, attributes, limits, pages.

use super::world::{BASE, Client, World, entry, replica, settings, small, unpublished};
use crate::config::settings::LdapSettings;
use crate::ldap::wire::samples::{control, message, search, tlv};
use std::time::Duration;

async fn names(client: &mut Client, base: &str, scope: u8) -> (Vec<String>, i64, String) {
    let op = search(base, scope, "(objectClass=*)", &["1.1"]);
    let (entries, done) = client.entries(&message(b"\x02", &op, &[])).await;
    let names = entries.iter().map(|e| e.dn().split(',').next().unwrap().to_owned()).collect();
    (names, done.code(), done.texts()[0].clone())
}

#[tokio::test]
async fn every_scope_finds_what_it_names() {
    let world = World::small().await;
    let mut client = world.bound().await;
    let users = "OU=Users,DC=contoso,DC=com";
    let found = |list: &[&str]| (list.iter().map(|s| s.to_string()).collect(), 0, String::new());
    assert_eq!(names(&mut client, BASE, 0).await, found(&["dc=contoso"]));
    assert_eq!(names(&mut client, BASE, 1).await, found(&["ou=users", "ou=groups"]));
    assert_eq!(names(&mut client, BASE, 2).await.0.len(), 8);
    assert_eq!(names(&mut client, BASE, 3).await.0.len(), 7);
    assert_eq!(names(&mut client, users, 1).await, found(&["uid=ada", "uid=bob", "uid=eve"]));
    assert_eq!(names(&mut client, users, 2).await.0.len(), 4);
    assert_eq!(names(&mut client, users, 3).await.0.len(), 3);
    let ada = "uid=ada, ou=users, dc=contoso, dc=com";
    assert_eq!(names(&mut client, ada, 0).await, found(&["uid=ada"]));
    assert_eq!(names(&mut client, ada, 1).await, found(&[]));
    assert_eq!(names(&mut client, ada, 2).await, found(&["uid=ada"]));
    assert_eq!(names(&mut client, "", 2).await.0.len(), 8);
    assert_eq!(names(&mut client, "", 1).await, found(&["dc=contoso"]));
}

#[tokio::test]
async fn a_base_that_is_not_there_is_told_with_the_part_that_is() {
    let world = World::small().await;
    let mut client = world.bound().await;
    let missing = "uid=no,ou=users,dc=contoso,dc=com";
    assert_eq!(names(&mut client, missing, 2).await.1, 32);
    assert_eq!(names(&mut client, missing, 0).await.2, "ou=users,dc=contoso,dc=com");
    assert_eq!(names(&mut client, "dc=com", 2).await.1, 32);
    assert_eq!(names(&mut client, "dc=example", 2).await.2, "");
    assert_eq!(names(&mut client, "nonsense", 2).await.1, 34);
    assert_eq!(names(&mut client, "cn=\u{0}", 2).await.1, 32);
}

#[tokio::test]
async fn before_the_first_sync_nothing_is_absent() {
    let world = World::start(&settings(), unpublished(), false).await;
    let mut client = world.bound().await;
    for (base, scope) in [(BASE, 0), (BASE, 2), ("ou=users,dc=contoso,dc=com", 1), ("", 2), ("", 1)]
    {
        assert_eq!(names(&mut client, base, scope).await.1, 52, "{base} {scope}");
    }
    let (entries, _) = client
        .entries(&message(b"\x02", &search("", 0, "(objectClass=*)", &["namingContexts"]), &[]))
        .await;
    assert_eq!(entries[0].attributes()[0].1, [BASE]);
}

#[tokio::test]
async fn attribute_lists_select() {
    let world = World::small().await;
    let mut client = world.bound().await;
    let mut select = async |list: &[&str], types_only: bool| {
        let mut op = search(BASE, 2, "(mail=eve@contoso.com)", list);
        if types_only {
            // typesOnly stands behind base, scope, aliases and the two limits.
            let at = 2 + 2 + BASE.len() + 3 + 3 + 3 + 3 + 2;
            op[at] = 0xff;
        }
        let (entries, _) = client.entries(&message(b"\x02", &op, &[])).await;
        entries[0].attributes()
    };
    let pair = |name: &str, values: &[&str]| {
        (name.to_owned(), values.iter().map(|v| v.to_string()).collect::<Vec<_>>())
    };
    let mail = pair("mail", &["eve@contoso.com"]);
    assert_eq!(
        select(&["MAIL", "rfc822mailbox", "mail", "dn", "bogus"], false).await,
        std::slice::from_ref(&mail)
    );
    assert_eq!(select(&["1.1"], false).await, []);
    assert_eq!(select(&["1.1", "mail"], false).await, [mail]);
    assert_eq!(select(&["mail"], true).await, [pair("mail", &[])]);
    assert_eq!(select(&[], false).await.len(), 5);
    assert_eq!(select(&["*"], false).await, select(&[], false).await);
    let range = select(&["proxyAddresses;range=1-*"], false).await;
    assert_eq!(range, [pair("proxyAddresses;range=1-*", &["smtp:e@contoso.com"])]);
}

fn limited(base: &str, size: u8, time: u8) -> Vec<u8> {
    let mut op = search(base, 2, "(objectClass=*)", &["1.1"]);
    let at = 2 + 2 + base.len() + 3 + 3 + 2;
    op[at] = size;
    op[at + 3] = time;
    op
}

#[tokio::test]
async fn limits_end_a_search_behind_the_entries_found() {
    let world = World::small().await;
    let mut client = world.bound().await;
    let (entries, done) = client.entries(&message(b"\x02", &limited(BASE, 3, 0), &[])).await;
    assert_eq!((entries.len(), done.code()), (3, 4));
    let (entries, done) = client.entries(&message(b"\x02", &limited(BASE, 8, 9), &[])).await;
    assert_eq!((entries.len(), done.code()), (8, 0));

    let mut settings = settings();
    settings.limits.size = 5;
    let world = World::start(&settings, replica(small()), false).await;
    let mut client = world.bound().await;
    let (entries, done) = client.entries(&message(b"\x02", &limited(BASE, 100, 0), &[])).await;
    assert_eq!((entries.len(), done.code()), (5, 4));

    settings.limits.time = Duration::from_nanos(1);
    let world = World::start(&settings, replica(small()), false).await;
    let mut client = world.bound().await;
    assert_eq!(client.entries(&message(b"\x02", &limited(BASE, 0, 0), &[])).await.1.code(), 3);
}

fn paged(size: u8, cookie: &[u8]) -> Vec<u8> {
    let value = tlv(0x30, &[tlv(2, &[size]), tlv(4, cookie)].concat());
    control("1.2.840.113556.1.4.319", true, Some(&value))
}

async fn dump(client: &mut Client, op: &[u8], size: u8) -> (Vec<String>, usize) {
    let (mut names, mut cookie, mut pages) = (Vec::new(), Vec::new(), 0);
    loop {
        let request = message(b"\x02", op, &[paged(size, &cookie)]);
        let (entries, done) = client.entries(&request).await;
        assert_eq!(done.code(), 0);
        assert!(entries.len() <= usize::from(size));
        names.extend(entries.iter().map(|entry| entry.dn()));
        pages += 1;
        cookie = done.cookie().unwrap();
        if cookie.is_empty() {
            return (names, pages);
        }
    }
}

#[tokio::test]
async fn a_dump_in_pages_equals_one_without() {
    let world = World::small().await;
    let mut client = world.bound().await;
    for filter in ["(objectClass=*)", "(cn=*a*)", "(mail=*)", "(cn=nobody)"] {
        let op = search(BASE, 2, filter, &["1.1"]);
        let (entries, done) = client.entries(&message(b"\x02", &op, &[])).await;
        assert_eq!(done.cookie(), None);
        let whole: Vec<String> = entries.iter().map(|entry| entry.dn()).collect();
        for size in [1, 2, 3, 7, 8, 100] {
            let (names, pages) = dump(&mut client, &op, size).await;
            assert_eq!(names, whole);
            assert_eq!(pages, whole.len().div_ceil(usize::from(size)).max(1), "{filter} {size}");
        }
    }
}

#[tokio::test]
async fn odd_pages_have_their_answers() {
    let world = World::small().await;
    let mut client = world.bound().await;
    let op = search(BASE, 2, "(objectClass=*)", &["1.1"]);
    let mut ask = async |op: &[u8], control: Vec<u8>| {
        let (entries, done) = client.entries(&message(b"\x02", op, &[control])).await;
        (entries.len(), done.code(), done.cookie())
    };
    let none = Some(Vec::new());
    let (_, _, cookie) = ask(&op, paged(3, b"")).await;
    let cookie = cookie.unwrap();
    assert_eq!(ask(&op, paged(0, b"")).await, (8, 0, none.clone()));
    assert_eq!(ask(&op, paged(0, &cookie)).await, (0, 0, none.clone()));
    assert_eq!(ask(&op, paged(0xff, b"")).await.1, 2);
    assert_eq!(ask(&op, paged(3, b"foreign")).await.1, 53);
    let other = search(BASE, 2, "(mail=*)", &["1.1"]);
    assert_eq!(ask(&other, paged(3, &cookie)).await.1, 53);
    assert_eq!(ask(&op, paged(100, &cookie)).await, (5, 0, none.clone()));
    // A page that holds the size limit is no page.
    assert_eq!(ask(&limited(BASE, 5, 0), paged(5, b"")).await, (5, 4, none.clone()));
    let (count, code, cookie) = ask(&limited(BASE, 5, 0), paged(4, b"")).await;
    assert_eq!((count, code), (4, 0));
    assert_eq!(ask(&limited(BASE, 5, 0), paged(4, &cookie.unwrap())).await, (1, 4, none.clone()));
    assert_eq!(
        ask(&search("", 0, "(objectClass=*)", &[]), paged(5, b"")).await,
        (1, 0, none.clone())
    );
    assert_eq!(
        ask(&search("cn=no,dc=contoso,dc=com", 0, "(cn=a)", &[]), paged(5, b"")).await,
        (0, 32, none)
    );
}

#[tokio::test]
async fn the_servers_limit_holds_for_each_page() {
    let mut limited = settings();
    limited.limits.size = 3;
    let settings = LdapSettings { ..limited };
    let world = World::start(&settings, replica(small()), false).await;
    let mut client = world.bound().await;
    let op = search(BASE, 2, "(objectClass=*)", &["1.1"]);
    assert_eq!(dump(&mut client, &op, 100).await.1, 3);
    assert_eq!(client.entries(&message(b"\x02", &op, &[])).await.1.code(), 4);
}

#[tokio::test]
async fn a_long_list_is_returned_in_full() {
    let mut entries = small();
    let members: Vec<String> =
        (0..3000).map(|n| format!("uid=user{n},ou=users,dc=contoso,dc=com")).collect();
    let pairs: Vec<(&str, &str)> = members.iter().map(|dn| ("member", dn.as_str())).collect();
    let mut big =
        entry("cn=big,ou=groups,dc=contoso,dc=com", &[("objectClass", "group"), ("cn", "big")]);
    pairs.iter().for_each(|(name, value)| {
        big.add(
            crate::directory::schema::standard().attribute(name.as_bytes()).unwrap().id,
            *value,
        );
    });
    entries.push(big);
    let world = World::start(&settings(), replica(entries), false).await;
    let mut client = world.bound().await;
    for list in [&["member"][..], &["*"], &[]] {
        let op = search(BASE, 2, "(cn=big)", list);
        let (entries, _) = client.entries(&message(b"\x02", &op, &[])).await;
        let found = entries[0].attributes();
        let values = &found.iter().find(|(name, _)| name == "member").unwrap().1;
        assert_eq!(values, &members);
    }
}

/// What is looked up of a name that nobody has ends with the part that nobody has.
#[tokio::test]
async fn a_name_of_very_many_parts_is_refused_as_fast_as_it_is_read() {
    let world = World::small().await;
    let mut client = world.bound().await;
    for (name, matched) in [
        (format!("{}ou=users,{BASE}", "a=,".repeat(300_000)), format!("ou=users,{BASE}")),
        (format!("{}uid=nobody,{BASE}", "a=,".repeat(300_000)), BASE.to_owned()),
        (format!("{}dc=nowhere", "a=,".repeat(300_000)), String::new()),
    ] {
        let begun = std::time::Instant::now();
        let answer = client.ask(&search(&name, 2, "(cn=a)", &[])).await;
        assert_eq!((answer.code(), answer.texts()[0].clone()), (32, matched));
        // One lookup for each of the names above takes far longer.
        assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    }
}
