//! Binds, controls, odd requests: what the RFCs ask for, one by one.

use super::world::{BASE, World, settings};
use crate::config::settings::LdapSettings;
use crate::ldap::tests::world::{replica, small};
use crate::ldap::wire::samples::{bind, control, message, search, tlv};
use std::sync::Arc;

fn everything() -> Vec<u8> {
    search(BASE, 2, "(objectClass=*)", &["1.1"])
}

#[tokio::test]
async fn a_search_needs_a_bind_and_a_failed_bind_takes_it_away() {
    let world = World::small().await;
    let mut client = world.connect().await;
    let refused = client.ask(&everything()).await;
    assert_eq!(refused.code(), 1);
    assert!(refused.texts()[1].starts_with("000004DC"));
    assert_eq!(client.ask(&bind(3, "CONTOSO\\gw", "pw")).await.code(), 0);
    assert_eq!(client.find("(cn=ada lind)").await, (vec!["uid=ada".to_owned()], 0));
    let wrong = client.ask(&bind(3, "gw", "no")).await;
    assert_eq!((wrong.code(), wrong.tag), (49, 0x61));
    assert!(wrong.texts()[1].contains("data 52e"));
    assert_eq!(client.ask(&everything()).await.code(), 1);
    let unknown = client.ask(&bind(3, "nobody", "no")).await;
    assert_eq!(unknown.op, wrong.op);
}

#[tokio::test]
async fn binds_answer_as_the_rfc_and_clients_expect() {
    let world = World::small().await;
    let mut client = world.connect().await;
    let sasl = tlv(0x60, &[&b"\x02\x01\x03\x04\x00"[..], &tlv(0xa3, b"\x04\x06GSSAPI")].concat());
    let sicily = tlv(0x60, &[&b"\x02\x01\x03\x04\x00"[..], &tlv(0x89, b"")].concat());
    for (op, code) in [
        (bind(3, "", ""), 0),
        (bind(2, "gw", "pw"), 0),
        (bind(1, "gw", "pw"), 2),
        (bind(4, "gw", "pw"), 2),
        (bind(3, "gw", ""), 53),
        (bind(3, "", "pw"), 49),
        (bind(3, "cn=gw,dc=contoso,dc=com", "pw"), 0),
        (bind(3, "cn=gw,dc=elsewhere", "pw"), 49),
        (bind(3, "gw@contoso.com", "pw"), 0),
        (sasl, 7),
        (sicily, 7),
        (tlv(0x60, b"\x02\x01\x03"), 2),
    ] {
        let answer = client.ask(&op).await;
        assert_eq!((answer.code(), answer.tag), (code, 0x61), "{op:?}");
    }
}

#[tokio::test]
async fn anonymous_search_can_be_allowed() {
    let settings = LdapSettings { anonymous: Some(Arc::default()), ..settings() };
    let world = World::start(&settings, replica(small()), false).await;
    assert_eq!(world.connect().await.find("(cn=ada lind)").await.0, ["uid=ada"]);
}

/// Clients that find these expect a domain controller; others look for nothing else.
#[tokio::test]
async fn active_directory_is_claimed_only_where_the_switch_says_so() {
    let settings = LdapSettings { active_directory: true, ..settings() };
    let world = World::start(&settings, replica(small()), false).await;
    let mut client = world.connect().await;
    let op = search("", 0, "(objectClass=*)", &[]);
    let (entries, _) = client.entries(&message(b"\x02", &op, &[])).await;
    let attributes = entries[0].attributes();
    let values = |name: &str| {
        attributes.iter().find(|(own, _)| own == name).map(|(_, values)| values.clone())
    };
    let capabilities = values("supportedCapabilities").unwrap();
    assert!(capabilities.contains(&"1.2.840.113556.1.4.800".to_owned()));
    // LDAP signing and sealing (.1791) is not there.
    assert!(!capabilities.contains(&"1.2.840.113556.1.4.1791".to_owned()));
    assert_eq!(values("domainControllerFunctionality"), Some(vec!["7".to_owned()]));
}

#[tokio::test]
async fn the_root_dse_and_the_schema_are_open_and_complete_for_every_list() {
    let world = World::small().await;
    let mut client = world.connect().await;
    for list in [&[][..], &["*"], &["+"], &["*", "+"], &["NAMINGCONTEXTS", "supportedLDAPVersion"]]
    {
        let op = search("", 0, "(objectClass=*)", list);
        let (entries, done) = client.entries(&message(b"\x02", &op, &[])).await;
        assert_eq!((entries.len(), done.code()), (1, 0));
        let attributes = entries[0].attributes();
        let contexts = attributes.iter().find(|(name, _)| name == "namingContexts").unwrap();
        assert_eq!(contexts.1, [BASE]);
        assert!(attributes.iter().all(|(name, _)| name != "supportedCapabilities"));
        let tls = attributes.iter().find(|(name, _)| name == "supportedExtension");
        assert!(tls.is_none_or(|(_, list)| !list.iter().any(|oid| oid.ends_with("20037"))));
        let op = search("CN=subschema", 0, "(objectClass=subschema)", list);
        let (entries, done) = client.entries(&message(b"\x02", &op, &[])).await;
        assert_eq!((entries.len(), done.code()), (1, 0));
    }
    let op = search("", 0, "(objectClass=person)", &[]);
    assert_eq!(client.entries(&message(b"\x02", &op, &[])).await.0.len(), 0);
    let types = search("cn=Subschema", 0, "(objectClass=*)", &["attributetypes"]);
    let (entries, _) = client.entries(&message(b"\x02", &types, &[])).await;
    let attributes = entries[0].attributes();
    assert_eq!((attributes.len(), attributes[0].0.as_str()), (1, "attributeTypes"));
    assert!(attributes[0].1.iter().any(|line| line.contains("'proxyAddresses'")));
}

#[tokio::test]
async fn critical_controls_that_are_unknown_stop_an_operation_others_do_not() {
    let world = World::small().await;
    let mut client = world.bound().await;
    let refused = message(b"\x02", &everything(), &[control("1.2.3", true, None)]);
    assert_eq!(client.entries(&refused).await.1.code(), 12);
    let ignored = message(b"\x03", &everything(), &[control("1.2.3", false, None)]);
    assert_eq!(client.entries(&ignored).await.0.len(), 8);
    for oid in ["2.16.840.1.113730.3.4.2", "1.2.840.113556.1.4.1339", "1.2.840.113556.1.4.417"] {
        let accepted = message(b"\x04", &everything(), &[control(oid, true, None)]);
        assert_eq!(client.entries(&accepted).await.1.code(), 0, "{oid}");
    }
    let twice = [control("1.2.3", false, None), control("1.2.3", false, None)];
    assert_eq!(client.entries(&message(b"\x05", &everything(), &twice)).await.1.code(), 2);
    let paged_bind =
        message(b"\x06", &bind(3, "gw", "pw"), &[control("1.2.840.113556.1.4.319", true, None)]);
    client.send(&paged_bind).await;
    assert_eq!(client.next().await.unwrap().code(), 12);
    let vlv = message(b"\x07", &everything(), &[control("2.16.840.1.113730.3.4.9", true, None)]);
    assert_eq!(client.entries(&vlv).await.1.code(), 12);
    assert_eq!(client.ask(&everything()).await.code(), 1, "the bind has failed");
}

#[tokio::test]
async fn writes_are_refused_with_the_tag_of_their_response() {
    let world = World::small().await;
    let mut client = world.bound().await;
    for (request, response) in [(0x66, 0x67), (0x68, 0x69), (0x4a, 0x6b), (0x6c, 0x6d)] {
        let answer = client.ask(&tlv(request, b"\x04\x00")).await;
        assert_eq!((answer.tag, answer.code()), (response, 53));
    }
}

#[tokio::test]
async fn extended_operations_answer_and_the_connection_stays() {
    let world = World::small().await;
    let mut client = world.connect().await;
    let who = tlv(0x77, &tlv(0x80, b"1.3.6.1.4.1.4203.1.11.3"));
    let anonymous = client.ask(&who).await;
    assert_eq!((anonymous.code(), anonymous.texts()), (0, vec![String::new(); 3]));
    client.ask(&bind(3, "GW", "pw")).await;
    assert_eq!(client.ask(&who).await.texts()[2], "u:gw");
    let unknown = client.ask(&tlv(0x77, &tlv(0x80, b"1.2.3"))).await;
    assert_eq!((unknown.code(), unknown.texts().len()), (2, 2));
    let start_tls = client.ask(&tlv(0x77, &tlv(0x80, b"1.3.6.1.4.1.1466.20037"))).await;
    assert_eq!(start_tls.code(), 2);
    assert_eq!(client.ask(&who).await.code(), 0);
}

#[tokio::test]
async fn compare_has_a_result_for_every_case() {
    let world = World::small().await;
    let mut client = world.bound().await;
    let compare = |dn: &str, attribute: &str, value: &str| {
        let ava = [tlv(4, attribute.as_bytes()), tlv(4, value.as_bytes())].concat();
        tlv(0x6e, &[tlv(4, dn.as_bytes()), tlv(0x30, &ava)].concat())
    };
    let ada = "UID=ADA, ou=users,dc=contoso,dc=com";
    let team = "cn=team,ou=groups,dc=contoso,dc=com";
    for (op, code) in [
        (compare(ada, "mail", "ADA@contoso.com"), 6),
        (compare(ada, "mail", "x"), 5),
        (compare(team, "member", "uid=ada,OU=users,dc=contoso,dc=com"), 6),
        (compare(team, "member", "uid=bob,ou=users,dc=contoso,dc=com"), 5),
        (compare(ada, "description", "x"), 16),
        (compare(ada, "bogus", "x"), 17),
        (compare(ada, "userAccountControl", "x"), 21),
        (compare("uid=no,ou=users,dc=contoso,dc=com", "mail", "x"), 32),
        (compare("no dn", "mail", "x"), 34),
        (compare("", "supportedLDAPVersion", "3"), 6),
    ] {
        let answer = client.ask(&op).await;
        assert_eq!((answer.tag, answer.code()), (0x6f, code), "{op:?}");
    }
}

#[tokio::test]
async fn what_can_be_answered_is_and_what_cannot_ends_with_a_notice() {
    let world = World::small().await;
    let mut client = world.bound().await;
    assert_eq!(client.ask(&tlv(0x63, b"\x04\x00")).await.code(), 2);
    assert_eq!(client.ask(&everything()).await.tag, 0x64);
    for garbage in [
        &b"GET / HTTP/1.0\r\n\r\n"[..],
        b"\x30\x80\x02\x01\x01\x42\x00\x00\x00",
        b"\x30\x05\x02\x01\x00\x42\x00",
        b"\x30\x05\x02\x01\x01\x64\x00",
        b"\x30\x84\x7f\xff\xff\xff",
    ] {
        let mut client = world.connect().await;
        client.send(garbage).await;
        let notice = client.next().await.unwrap();
        assert_eq!((notice.id, notice.tag, notice.code()), (0, 0x78, 2), "{garbage:?}");
        assert_eq!(notice.texts()[2], "1.3.6.1.4.1.1466.20036");
        assert_eq!(client.next().await, None);
    }
    assert_eq!(world.server.counts().malformed, 5);
}
