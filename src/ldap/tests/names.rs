//! Other ways to name entries and attributes, and attributes that are made when asked for.

use super::world::{BASE, Client, World, entry, replica, settings, small, unpublished};
use crate::directory::entry::Entry;
use crate::directory::ids::ObjectId;
use crate::directory::schema;
use crate::ldap::wire::samples::{message, search, tlv};

fn add(entries: &mut [Entry], rdn: &str, name: &str, value: impl Into<Vec<u8>>) {
    let id = schema::standard().attribute(name.as_bytes()).unwrap().id;
    let found = entries.iter_mut().find(|entry| entry.dn.to_string().starts_with(rdn)).unwrap();
    found.add(id, value);
}

fn guid() -> ObjectId {
    "0b1f6a52-6c1e-4a07-9a55-3f1f5a9c0a01".parse().unwrap()
}

/// The small directory, where Ada has identifiers and the groups have addresses.
fn identified() -> Vec<Entry> {
    let mut entries = small();
    add(&mut entries, "uid=ada", "objectGUID", guid().guid_octets());
    add(&mut entries, "uid=ada", "objectSid", guid().cloud_sid().octets());
    add(&mut entries, "cn=all", "mail", "all@contoso.com");
    add(&mut entries, "cn=team", "mail", "team@contoso.com");
    for (group, kind, id) in [("cn=all", "-2147483640", 1), ("cn=team", "8", 2)] {
        add(&mut entries, group, "groupType", kind);
        let sid = ObjectId::from_bytes([id; 16]).cloud_sid();
        add(&mut entries, group, "objectSid", sid.octets());
    }
    entries
}

async fn at(client: &mut Client, base: &str, filter: &str, list: &[&str]) -> (Vec<String>, i64) {
    let (entries, done) =
        client.entries(&message(b"\x02", &search(base, 0, filter, list), &[])).await;
    (entries.iter().map(|entry| entry.dn()).collect(), done.code())
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// MS-ADTS 3.1.1.3.1.2.4
#[tokio::test]
async fn bases_by_guid_and_sid_name_the_entry() {
    let world = World::start(&settings(), replica(identified()), false).await;
    let mut client = world.bound().await;
    let ada = (vec![format!("uid=ada,ou=users,{BASE}")], 0);
    for base in [
        format!("<GUID={}>", guid()),
        format!("<guid={}>", hexadecimal(&guid().guid_octets()).to_uppercase()),
        format!("<SID={}>", guid().cloud_sid()),
        format!("<SID={}>", hexadecimal(&guid().cloud_sid().octets())),
    ] {
        assert_eq!(at(&mut client, &base, "(objectClass=*)", &["1.1"]).await, ada, "{base}");
        let compare = |value: &[u8]| {
            let pair = tlv(0x30, &[tlv(4, b"cn"), tlv(4, value)].concat());
            tlv(0x6e, &[tlv(4, base.as_bytes()), pair].concat())
        };
        assert_eq!(client.ask(&compare(b"ADA LIND")).await.code(), 6);
        assert_eq!(client.ask(&compare(b"other")).await.code(), 5);
    }
    for (base, code) in [
        ("<GUID=00000000-0000-0000-0000-000000000001>", 32),
        ("<SID=S-1-5-32-544>", 32),
        ("<WKGUID=a9d1ca15768811d1aded00c04fd8d5cd,dc=contoso,dc=com>", 32),
        ("<GUID=zz>", 34),
        ("<SID=>", 34),
        ("<>", 34),
        ("<cn=x>", 34),
    ] {
        assert_eq!(at(&mut client, base, "(objectClass=*)", &[]).await, (vec![], code), "{base}");
    }
    let world = World::start(&settings(), unpublished(), false).await;
    let mut client = world.bound().await;
    let base = format!("<GUID={}>", guid());
    assert_eq!(at(&mut client, &base, "(objectClass=*)", &[]).await, (vec![], 52));
    let mut anonymous = world.connect().await;
    assert_eq!(at(&mut anonymous, &base, "(objectClass=*)", &[]).await, (vec![], 1));
}

#[tokio::test]
async fn names_resolve_and_options_mean_what_the_rfc_says() {
    let world = World::start(&settings(), replica(identified()), false).await;
    let mut client = world.bound().await;
    for (filter, expected) in [
        ("(anr=ada)", &["uid=ada"][..]),
        ("(anr=LIN)", &["uid=ada"]),
        ("(&(objectClass=user)(!(anr=ada)))", &["uid=bob", "uid=eve"]),
        ("(anr=smtp:e@)", &["uid=eve"]),
        ("(cn;lang-en=ada lind)", &[]),
        ("(&(objectClass=user)(!(cn;lang-en=ada lind)))", &["uid=ada", "uid=bob", "uid=eve"]),
        ("(!(cn;x-unknown=ada lind))", &[]),
        ("(objectGUID;binary=*)", &["uid=ada"]),
        ("(member;range=0-*=*)", &[]),
        ("(2.5.4.3=ada lind)", &["uid=ada"]),
        ("(surname=lind)", &["uid=ada"]),
        ("(distinguishedName=UID=Ada, OU=users, DC=contoso,DC=com)", &["uid=ada"]),
        ("(entryDN=uid=ada,ou=users,dc=contoso,dc=com)", &["uid=ada"]),
        // What is made when asked for cannot be told in a filter.
        ("(rfc822MailMember=*)", &[]),
        ("(!(rfc822MailMember=*))", &[]),
    ] {
        let expected = expected.iter().map(|rdn| rdn.to_string()).collect();
        assert_eq!(client.find(filter).await, (expected, 0), "{filter}");
    }
}

async fn values(client: &mut Client, filter: &str, list: &[&str]) -> Vec<(String, Vec<String>)> {
    let op = search(BASE, 2, filter, list);
    let (entries, done) = client.entries(&message(b"\x02", &op, &[])).await;
    assert_eq!((entries.len(), done.code()), (1, 0));
    entries[0].attributes()
}

fn pair(name: &str, values: &[&str]) -> (String, Vec<String>) {
    (name.to_owned(), values.iter().map(|value| value.to_string()).collect())
}

#[tokio::test]
async fn a_list_expands_to_the_addresses_behind_it_when_asked_by_name() {
    let mut entries = identified();
    // A cycle, somebody who is in twice, a member without an address, and a group whose
    // members are not told.
    let all = "cn=all,ou=groups,dc=contoso,dc=com";
    add(&mut entries, "cn=team", "member", all);
    add(&mut entries, "cn=all", "memberOf", "cn=team,ou=groups,dc=contoso,dc=com");
    add(&mut entries, "cn=all", "member", "uid=ada,ou=users,dc=contoso,dc=com");
    let group = |cn: &str, extra: &[(&str, &str)]| {
        let mail = format!("{cn}@contoso.com");
        let mut pairs =
            vec![("objectClass", "group"), ("cn", cn), ("mail", mail.as_str()), ("memberOf", all)];
        pairs.extend(extra);
        entry(&format!("cn={cn},ou=groups,{BASE}"), &pairs)
    };
    entries.push(group("secret", &[("hideDLMembership", "TRUE")]));
    entries.push(group("empty", &[]));
    entries.push(entry(
        "uid=none,ou=users,dc=contoso,dc=com",
        &[("objectClass", "user"), ("memberOf", all)],
    ));
    for dn in ["cn=secret,ou=groups", "cn=empty,ou=groups", "uid=none,ou=users"] {
        add(&mut entries, "cn=all", "member", format!("{dn},{BASE}"));
    }
    let world = World::start(&settings(), replica(entries), false).await;
    let mut client = world.bound().await;
    let expanded = values(&mut client, "(cn=all)", &["RFC822mailMember", "mail"]).await;
    assert_eq!(
        expanded,
        [
            pair("mail", &["all@contoso.com"]),
            pair("rfc822MailMember", &["ada@contoso.com", "bob@contoso.com", "secret@contoso.com"]),
        ]
    );
    for list in [&["*"][..], &["+"], &["*", "+"], &[], &["@group"]] {
        let found = values(&mut client, "(cn=all)", list).await;
        assert!(found.iter().all(|(name, _)| name != "rfc822MailMember"), "{list:?}");
    }
    assert_eq!(values(&mut client, "(cn=secret)", &["rfc822MailMember"]).await, []);
    assert_eq!(values(&mut client, "(cn=ada lind)", &["rfc822MailMember"]).await, []);
}

/// RFC 4511 4.10, of attributes that are stored nowhere.
#[tokio::test]
async fn what_is_made_when_asked_for_can_be_compared() {
    let world = World::start(&settings(), replica(identified()), false).await;
    let mut client = world.bound().await;
    let mut compare = async |dn: &str, name: &str, value: &str| {
        let pair = tlv(0x30, &[tlv(4, name.as_bytes()), tlv(4, value.as_bytes())].concat());
        client.ask(&tlv(0x6e, &[tlv(4, dn.as_bytes()), pair].concat())).await.code()
    };
    let all = "cn=all,ou=groups,dc=contoso,dc=com";
    assert_eq!(compare(all, "rfc822MailMember", "ADA@contoso.com").await, 6);
    assert_eq!(compare(all, "rfc822MailMember", "eve@contoso.com").await, 5);
    assert_eq!(compare(all, "hasSubordinates", "FALSE").await, 6);
    assert_eq!(compare(BASE, "subschemaSubentry", "CN=Subschema").await, 6);
    assert_eq!(compare(BASE, "rfc822MailMember", "ada@contoso.com").await, 16);
}

/// MS-ADTS 3.1.1.4.5.19: security groups only, nested ones too.
#[tokio::test]
async fn token_groups_are_the_security_groups_above() {
    let world = World::start(&settings(), replica(identified()), false).await;
    let mut client = world.bound().await;
    let found = values(&mut client, "(cn=ada lind)", &["tokenGroups"]).await;
    let sid = ObjectId::from_bytes([1; 16]).cloud_sid().octets();
    assert_eq!(found, [pair("tokenGroups", &[&String::from_utf8_lossy(&sid)])]);
}

/// RFC 4512 4.4; X.501 14.4.4.
#[tokio::test]
async fn entries_say_where_their_schema_is_and_whether_others_lie_below() {
    let world = World::small().await;
    let mut client = world.bound().await;
    let list = ["subschemaSubentry", "hasSubordinates"];
    for (filter, below) in [("(objectClass=domain)", "TRUE"), ("(cn=ada lind)", "FALSE")] {
        let expected =
            [pair("subschemaSubentry", &["cn=Subschema"]), pair("hasSubordinates", &[below])];
        assert_eq!(values(&mut client, filter, &list).await, expected);
        let all = values(&mut client, filter, &["+"]).await;
        assert!(expected.iter().all(|pair| all.contains(pair)), "{all:?}");
        assert!(!values(&mut client, filter, &["*"]).await.contains(&expected[0]));
    }
}

#[tokio::test]
async fn attributes_by_class_and_with_options_are_returned() {
    let world = World::start(&settings(), replica(identified()), false).await;
    let mut client = world.bound().await;
    let person = values(&mut client, "(cn=ada lind)", &["@person"]).await;
    let has = |wanted: &str| person.iter().any(|(name, _)| name == wanted);
    assert!(has("cn") && has("sn") && has("objectClass") && !has("mail"), "{person:?}");
    let binary = values(&mut client, "(cn=ada lind)", &["objectGUID;binary"]).await;
    assert_eq!(binary[0].0, "objectGUID;binary");
    assert_eq!(values(&mut client, "(cn=ada lind)", &["cn;lang-en"]).await, []);
    let plain = values(&mut client, "(cn=ada lind)", &["cn;binary"]).await;
    assert_eq!(plain, [pair("cn", &["Ada Lind"])]);
}
