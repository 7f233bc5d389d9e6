//! Controls that change what a search or a compare does.

use super::world::{Answer, BASE, Client, World};
use crate::directory::filter::Filter;
use crate::ldap::wire::samples::{control, filter_octets, message, search, tlv};

const ADA: &str = "uid=ada,ou=users,dc=contoso,dc=com";

fn filter(text: &str) -> Vec<u8> {
    filter_octets(&Filter::parse(text).unwrap())
}

async fn ask(client: &mut Client, op: &[u8], control: Vec<u8>) -> (Vec<Answer>, Answer) {
    client.entries(&message(b"\x02", op, &[control])).await
}

/// RFC 3876
#[tokio::test]
async fn matched_values_leave_the_others_out() {
    let world = World::small().await;
    let mut client = world.bound().await;
    let mut values = async |items: &[&str], list: &[&str]| {
        let items: Vec<u8> = items.iter().flat_map(|item| filter(item)).collect();
        let control = control("1.2.826.0.1.3344810.2.3", true, Some(&tlv(0x30, &items)));
        let op = search(BASE, 2, "(cn=eve*)", list);
        let (entries, done) = ask(&mut client, &op, control).await;
        assert_eq!((entries.len(), done.code()), (1, 0));
        entries[0].attributes()
    };
    let pair = |name: &str, value: &str| (name.to_owned(), vec![value.to_owned()]);
    let alias = pair("proxyAddresses", "smtp:e@contoso.com");
    let both = ["proxyAddresses", "mail"];
    assert_eq!(values(&["(proxyAddresses=SMTP:e@*)"], &both).await, std::slice::from_ref(&alias));
    assert_eq!(
        values(&["(proxyAddresses=smtp:e@contoso.com)", "(mail=*)"], &both).await,
        [pair("mail", "eve@contoso.com"), alias]
    );
    assert_eq!(values(&["(cn=nobody)"], &both).await, []);
    assert_eq!(values(&["(bogus=*)"], &[]).await, []);
    assert_eq!(values(&[], &both).await, []);
}

/// RFC 4528 4: the entry is the base of the search, or the one that is compared.
#[tokio::test]
async fn nothing_happens_unless_the_assertion_is_true() {
    let world = World::small().await;
    let mut client = world.bound().await;
    let assertion = |text| control("1.3.6.1.1.12", true, Some(&filter(text)));
    let below = search("ou=users,dc=contoso,dc=com", 2, "(cn=ada lind)", &["cn"]);
    let (_, dn) = (0, ADA.as_bytes());
    let pair = tlv(0x30, &[tlv(4, b"cn"), tlv(4, b"ada lind")].concat());
    let compare = tlv(0x6e, &[tlv(4, dn), pair].concat());
    for (text, holds) in [
        ("(objectClass=organizationalUnit)", true),
        ("(objectClass=user)", false),
        ("(bogus=x)", false),
        ("(!(bogus=x))", false),
    ] {
        let (entries, done) = ask(&mut client, &below, assertion(text)).await;
        let expected = if holds { (1, 0) } else { (0, 122) };
        assert_eq!((entries.len(), done.code()), expected, "{text}");
    }
    assert_eq!(ask(&mut client, &compare, assertion("(cn=ada*)")).await.1.code(), 6);
    assert_eq!(ask(&mut client, &compare, assertion("(cn=bob*)")).await.1.code(), 122);
    let root = search("", 0, "(objectClass=*)", &[]);
    let ours = assertion("(vendorName=entraldap)");
    assert_eq!(ask(&mut client, &root, ours).await.1.code(), 0);
    assert_eq!(ask(&mut client, &root, assertion("(vendorName=x)")).await.1.code(), 122);
    let missing = search("uid=no,dc=contoso,dc=com", 0, "(objectClass=*)", &[]);
    assert_eq!(ask(&mut client, &missing, assertion("(cn=*)")).await.1.code(), 32);
}

/// RFC 3672 3
#[tokio::test]
async fn subentries_alone_are_none_in_the_tree() {
    let world = World::small().await;
    let mut client = world.bound().await;
    let subentries = |value: &[u8]| control("1.3.6.1.4.1.4203.1.10.1", true, Some(value));
    for (scope, value, count) in [
        (2, b"\x01\x01\xff", 0),
        (1, b"\x01\x01\xff", 0),
        (0, b"\x01\x01\xff", 1),
        (2, b"\x01\x01\x00", 8),
    ] {
        let op = search(BASE, scope, "(objectClass=*)", &["1.1"]);
        let (entries, done) = ask(&mut client, &op, subentries(value)).await;
        assert_eq!((entries.len(), done.code()), (count, 0), "{scope} {value:?}");
    }
    let schema = search("cn=Subschema", 0, "(objectClass=subschema)", &["1.1"]);
    assert_eq!(ask(&mut client, &schema, subentries(b"\x01\x01\xff")).await.0.len(), 1);
}

/// draft-ietf-ldapext-ldapv3-vlv is not implemented: not listed, refused where it is
/// insisted on, and without effect else.
#[tokio::test]
async fn views_by_position_are_refused_where_they_are_critical() {
    let world = World::small().await;
    let mut client = world.bound().await;
    let op = search(BASE, 2, "(objectClass=user)", &["1.1"]);
    let view = |critical| control("2.16.840.1.113730.3.4.9", critical, Some(b"\x30\x00"));
    assert_eq!(ask(&mut client, &op, view(true)).await.1.code(), 12);
    let (entries, done) = ask(&mut client, &op, view(false)).await;
    assert_eq!((entries.len(), done.code()), (3, 0));
    let root = search("", 0, "(objectClass=*)", &["supportedControl"]);
    let (entries, _) = client.entries(&message(b"\x02", &root, &[])).await;
    let listed = &entries[0].attributes()[0].1;
    assert!(!listed.iter().any(|oid| oid.starts_with("2.16.840.1.113730.3.4.9")));
}
