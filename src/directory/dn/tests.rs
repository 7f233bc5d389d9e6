//! How names are read, written and compared.

use super::*;
use proptest::prelude::*;

fn key(text: &str) -> DnKey {
    Dn::parse(text).unwrap().key()
}

#[test]
fn spelling_does_not_matter_for_comparison() {
    let one = key("CN=Alice  Adams,OU=Users,DC=contoso,DC=com");
    assert_eq!(one, key("cn = alice adams ; ou=USERS, dc=contoso,dc=com"));
    assert_eq!(one, key("2.5.4.3=\\41lice Adams,ou=users,dc=contoso,dc=com"));
    assert_eq!(one, key("commonName=\"Alice Adams\",ou=users,dc=contoso,dc=com"));
    assert_eq!(key("cn=a+sn=b,dc=x"), key("SN=B+CN=A,dc=x"));
    assert_ne!(one, key("cn=alice,ou=users,dc=contoso,dc=com"));
}

#[test]
fn special_characters_are_written_as_rfc_4514_asks() {
    let dn = Dn::parse("dc=x").unwrap().child("cn", " #Lind, Ada + \"Bo\" <x>; \\ ");
    assert_eq!(dn.to_string(), "cn=\\ #Lind\\, Ada \\+ \\\"Bo\\\" \\<x\\>\\; \\\\\\ ,dc=x");
    assert_eq!(Dn::parse(&dn.to_string()).unwrap(), dn);
    assert_eq!(escape(b"#a"), "\\#a");
    assert_eq!(Dn::parse("cn=#04024869").unwrap().rdn().unwrap().first().unwrap().1, b"Hi");
    assert_eq!(
        Dn::parse("cn=Lu\\C4\\8Di\\C4\\87").unwrap().rdn().unwrap().first().unwrap().1,
        "Lučić".as_bytes()
    );
}

#[test]
fn bad_names_are_refused_with_a_place() {
    for bad in [
        "cn",
        "=x",
        "cn=a,",
        "cn=a,,dc=x",
        "cn=a\\",
        "cn=a\\z1",
        "cn=\"a",
        "cn=#0",
        "cn=a<b",
        ",",
        "cn=#04ff41",
    ] {
        assert!(Dn::parse(bad).is_err(), "{bad}");
    }
    assert!(Dn::parse("").unwrap().is_root());
    assert_eq!(Dn::parse("cn=a,dc").unwrap_err().to_string(), "expected '=' at octet 7");
}

#[test]
fn octets_that_are_no_text_equal_no_text() {
    assert_eq!(key("cn=\\FF\\0a,dc=x"), key("CN=\\ff\\0A,dc=x"));
    assert_ne!(key("cn=\\FF\\0a,dc=x"), key("cn=\\#ff0a,dc=x"));
}

#[test]
fn only_a_numeric_type_loses_its_prefix() {
    assert_eq!(key("OID.2.5.4.3=a,oid.2.5.4.11=b"), key("cn=a,ou=b"));
    for text in ["OID.OID.2.5.4.3=a", "oid.cn=a", "OID.=a"] {
        assert_eq!(Dn::parse(text).unwrap().to_string(), text);
    }
}

#[test]
fn a_key_tells_its_place_in_the_tree() {
    let base = key("dc=contoso,dc=com");
    let user = key("uid=a,ou=users,dc=contoso,dc=com");
    assert!(user.is_within(&base) && user.is_within(&user) && user.is_within(&DnKey::default()));
    assert!(!base.is_within(&user));
    assert!(!key("dc=contoso2,dc=com").is_within(&base));
    assert_eq!(user.parent().unwrap(), key("ou=users,dc=contoso,dc=com"));
    assert_eq!(key("dc=com").parent().unwrap(), DnKey::default());
    assert_eq!(DnKey::default().parent(), None);
    assert_eq!(key("ou=users,dc=contoso,dc=com").child(&rdn_key("uid", "A")), user);
}

proptest! {
    #[test]
    fn any_value_survives_writing_and_reading(value in "\\PC{0,24}", raw in prop::collection::vec(any::<u8>(), 0..16)) {
        let dn = Dn::parse("ou=users,dc=x").unwrap().child("cn", &value);
        prop_assert_eq!(&Dn::parse(&dn.to_string()).unwrap(), &dn);
        let _ = Dn::parse(&String::from_utf8_lossy(&raw));
        let folded = dn.key();
        prop_assert_eq!(folded.as_bytes().iter().filter(|b| **b == 0).count(), 3);
    }
}
