//! Filters: the indexes must never say anything else than a look at every entry would.

use super::world::{BASE, World, entry, on_disk, replica, settings, small};
use crate::directory::filter::{Filter, Substrings};
use crate::directory::predicate::Predicate;
use crate::directory::schema;
use crate::ldap::search::question::found_by_plan;
use crate::replica::{Snapshot, Writer};
use proptest::prelude::*;
use std::sync::{Arc, OnceLock};

#[tokio::test]
async fn filters_of_mail_gateways_find_what_they_should() {
    let world = World::small().await;
    let mut client = world.bound().await;
    for (filter, expected) in [
        ("(proxyAddresses=smtp:ADA@contoso.com)", &["uid=ada"][..]),
        ("(|(mail=e@contoso.com)(proxyAddresses=SMTP:e@contoso.com))", &["uid=eve"]),
        ("(|(proxyaddresses=smtp$ada@contoso.com)(mail=bob@contoso.com))", &["uid=bob"]),
        ("(&(mail=*)(!(userAccountControl:1.2.840.113556.1.4.803:=2)))", &["uid=ada", "uid=eve"]),
        ("(&(objectClass=user)(userAccountControl:1.2.840.113556.1.4.804:=3))", &["uid=bob"]),
        (
            "(member:1.2.840.113556.1.4.1941:=uid=ada,ou=users,dc=contoso,dc=com)",
            &["cn=all", "cn=team"],
        ),
        (
            "(memberOf:1.2.840.113556.1.4.1941:=CN=All,OU=Groups,DC=contoso,DC=com)",
            &["uid=ada", "uid=bob", "cn=team"],
        ),
        ("(&(objectClass=user)(memberOf=cn=all,ou=groups,dc=contoso,dc=com))", &["uid=bob"]),
        ("(manager=uid=ada,ou=users,dc=contoso,dc=com)", &["uid=bob"]),
        ("(!(mail=*))", &["dc=contoso", "ou=users", "ou=groups", "cn=all", "cn=team"]),
        (
            "(!(msExchHideFromAddressLists=TRUE))",
            &[
                "dc=contoso",
                "ou=users",
                "ou=groups",
                "uid=ada",
                "uid=bob",
                "uid=eve",
                "cn=all",
                "cn=team",
            ],
        ),
        ("(bogus=x)", &[]),
        ("(!(bogus=x))", &[]),
        ("(|(bogus=x)(cn=ada lind))", &["uid=ada"]),
        (
            "(!(&(bogus=x)(cn=ada lind)))",
            &["dc=contoso", "ou=users", "ou=groups", "uid=bob", "uid=eve", "cn=all", "cn=team"],
        ),
        (
            "(&)",
            &[
                "dc=contoso",
                "ou=users",
                "ou=groups",
                "uid=ada",
                "uid=bob",
                "uid=eve",
                "cn=all",
                "cn=team",
            ],
        ),
        ("(|)", &[]),
        ("(cn=*BERG)", &["uid=bob", "uid=eve"]),
        ("(cn=b*e*g)", &["uid=bob"]),
        ("(userAccountControl>=513)", &["uid=bob"]),
        ("(userAccountControl=abc)", &[]),
    ] {
        assert_eq!(
            client.find(filter).await,
            (expected.iter().map(|s| s.to_string()).collect(), 0),
            "{filter}"
        );
    }
}

/// More entries than the plan leaves to testing, so that sets are intersected; as searches
/// read them from the file, and from memory.
fn snapshots() -> [Arc<Snapshot>; 2] {
    static REPLICA: OnceLock<(Writer, [Arc<Snapshot>; 2])> = OnceLock::new();
    let fill = || {
        let mut entries = small();
        for n in 0..60 {
            let class = if n % 2 == 0 { "user" } else { "group" };
            let dn = format!("uid=n{n},ou=users,dc=contoso,dc=com");
            let control = (510 + n % 7).to_string();
            let pairs =
                [("objectClass", class), ("cn", "ada lind"), ("userAccountControl", &control)];
            entries.push(entry(&dn, &pairs));
        }
        let writer = on_disk(entries);
        let from_file = writer.reader().snapshot();
        writer.keep_in_memory();
        let snapshots = [from_file, writer.reader().snapshot()];
        assert_eq!(snapshots.each_ref().map(|snapshot| snapshot.is_in_memory()), [false, true]);
        (writer, snapshots)
    };
    REPLICA.get_or_init(fill).1.clone()
}

fn leaf() -> impl Strategy<Value = Filter<'static>> {
    let name = prop::sample::select(vec![
        "cn",
        "mail",
        "description",
        "proxyAddresses",
        "objectClass",
        "userAccountControl",
        "member",
        "memberOf",
        "manager",
        "sn",
        "bogus",
    ]);
    let value = prop::sample::select(vec![
        "ada lind",
        "Bob Berg",
        "ada@contoso.com",
        "user",
        "group",
        "top",
        "512",
        "514",
        "x",
        "a",
        "lind",
        "SMTP:bob@contoso.com",
        "cn=all,ou=groups,dc=contoso,dc=com",
        "uid=ada,ou=users,dc=contoso,dc=com",
    ]);
    (name, value, 0..8u8).prop_map(|(name, value, kind)| {
        let (name, value) = (name.as_bytes().into(), value.as_bytes().into());
        match kind {
            0 => Filter::Present(name),
            1 => Filter::GreaterOrEqual(name, value),
            2 => Filter::LessOrEqual(name, value),
            3 => Filter::Substrings(
                name,
                Substrings { initial: Some(value), ..Substrings::default() },
            ),
            4 => Filter::Substrings(name, Substrings { any: vec![value], ..Substrings::default() }),
            5 => Filter::Extensible(crate::directory::filter::Extensible {
                rule: Some(b"1.2.840.113556.1.4.1941".into()),
                attribute: Some(name),
                value,
                dn_attributes: false,
            }),
            6 => Filter::Extensible(crate::directory::filter::Extensible {
                rule: Some(b"1.2.840.113556.1.4.804".into()),
                attribute: Some(name),
                value,
                dn_attributes: false,
            }),
            _ => Filter::Equality(name, value),
        }
    })
}

fn filter() -> impl Strategy<Value = Filter<'static>> {
    leaf().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Filter::And),
            prop::collection::vec(inner.clone(), 0..4).prop_map(Filter::Or),
            inner.prop_map(|inner| Filter::Not(Box::new(inner))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn the_plan_finds_what_a_scan_finds(filter in filter()) {
        let [snapshot, in_memory] = snapshots();
        let predicate = Predicate::bind(&filter, schema::standard(), &|_| true);
        let all = snapshot.all().unwrap();
        let naive: Vec<u32> = all.iter().filter(|number| {
            let entry = snapshot.entry(*number).unwrap().unwrap();
            let in_chain = |id, key: &[u8]| snapshot.in_chain(id, key).unwrap().contains(*number);
            predicate.evaluate(&entry, &in_chain) == Some(true)
        }).collect();
        for lookups in [None, Some(0), Some(1), Some(4)] {
            for snapshot in [&snapshot, &in_memory] {
                let found = found_by_plan(predicate.clone(), snapshot, lookups, None);
                prop_assert_eq!(&found, &naive, "{} with {:?} lookups", filter, lookups);
                for enough in [1, 5, 30] {
                    let found = found_by_plan(predicate.clone(), snapshot, lookups, Some(enough));
                    prop_assert!(found.iter().all(|number| naive.contains(number)), "{}", filter);
                    prop_assert!(found.len() >= enough.min(naive.len()), "{}: {:?}", filter, found);
                }
            }
        }
    }
}

/// Groups whose members are too many for a list, one inside the other, and back.
#[tokio::test]
async fn chains_lead_over_groups_of_any_size() {
    let dn = |kind: &str, n: usize| format!("cn={kind}{n},ou=groups,{BASE}");
    let object_class = |class| [("objectClass", class)];
    let mut entries = small();
    for n in 0..900 {
        entries.push(entry(&dn("user", n), &object_class("user")));
    }
    let member = schema::standard().attribute(b"member").unwrap().id;
    let member_of = schema::standard().attribute(b"memberOf").unwrap().id;
    let contents = |n: usize| {
        let users = (n * 300..(n + 1) * 300).map(|user| dn("user", user));
        users.chain([dn("group", (n + 1) % 3)]).collect::<Vec<_>>()
    };
    for n in 0..3 {
        let mut group = entry(&dn("group", n), &object_class("group"));
        contents(n).into_iter().for_each(|dn| group.add(member, dn));
        entries.push(group);
    }
    for n in 0..3 {
        for name in contents(n) {
            let held = entries.iter_mut().find(|entry| entry.dn.to_string() == name);
            held.unwrap().add(member_of, dn("group", n));
        }
    }
    let world = World::start(&settings(), replica(entries), false).await;
    let mut client = world.bound().await;
    let chain = |attribute: &str, dn: &str| format!("({attribute}:1.2.840.113556.1.4.1941:={dn})");
    // Each is in each, itself included.
    let (found, code) = client.find(&chain("memberOf", &dn("group", 1))).await;
    assert_eq!((found.len(), code), (903, 0));
    let (found, code) = client.find(&chain("member", &dn("user", 700))).await;
    assert_eq!((found.len(), code), (3, 0));
    let (found, code) = client.find(&chain("memberOf", &dn("user", 700))).await;
    assert_eq!((found.len(), code), (0, 0));
}
