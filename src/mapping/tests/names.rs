//! What objects are called.

use super::*;

#[test]
fn names_are_what_people_call_the_object_by() {
    let mapping = mapping();
    let name = |kind, value| mapping.wanted_name(kind, id(ADA), &properties(value));
    assert_eq!(name(Kind::User, json!({"userPrincipalName": " a@b "})), "a@b");
    assert_eq!(name(Kind::User, json!({"userPrincipalName": "", "mail": "m@b"})), "m@b");
    assert_eq!(name(Kind::Group, json!({"displayName": "  ", "mailNickname": "nick"})), "nick");
    assert_eq!(name(Kind::Group, json!({"displayName": "\u{200b}\u{200b}"})), ADA);
    assert_eq!(name(Kind::Contact, json!({"displayName": ["x"]})), ADA);
    assert_eq!(name(Kind::Domain, json!({"id": "fabrikam.example"})), "fabrikam.example");
    for long in ["é".repeat(400), "a".repeat(400), format!("{} b", "a".repeat(243))] {
        let name = name(Kind::Group, json!({"displayName": long}));
        let suffixed = with_suffix(&name, id(ADA));
        assert!(name.len() <= 244 && suffixed.len() <= 255, "{suffixed}");
        assert!(suffixed.ends_with(" (0b1f6a52)") && name == name.trim());
    }
}

#[test]
fn the_later_of_two_namesakes_gets_its_id_appended() {
    let properties = properties(json!({"displayName": "Sales, EMEA"}));
    let mapping = mapping();
    let name = with_suffix(&mapping.wanted_name(Kind::Group, id(STAFF), &properties), id(STAFF));
    let object = Object {
        kind: Kind::Group,
        id: id(STAFF),
        properties: &properties,
        name: &name,
        account: Some("sales"),
        members: &[],
        member_of: &[],
        manager: None,
        direct_reports: &[],
        created: 1,
        changed: 1,
        changed_at: 0,
    };
    let entry = mapping.entry(&object);
    conforms(&entry);
    let dn = "cn=Sales\\, EMEA (5d0e7c11),ou=groups,dc=fabrikam,dc=example";
    assert_eq!(entry.dn.to_string(), dn);
    assert_eq!(mapping.dn(Kind::Group, &name).to_string(), dn);
    assert_eq!(one(&entry, "cn"), "Sales, EMEA (5d0e7c11)");
    assert_eq!(one(&entry, "name"), "Sales, EMEA (5d0e7c11)");
    assert_eq!(one(&entry, "displayName"), "Sales, EMEA");
}

#[test]
fn accounts_are_short_and_have_only_what_active_directory_allows() {
    let mapping = mapping();
    let account = |kind, value| mapping.wanted_account(kind, id(ADA), &properties(value)).unwrap();
    for (value, expected) in [
        (json!({"onPremisesSamAccountName": "A.Lind", "mailNickname": "x"}), "A.Lind"),
        (json!({"mailNickname": "ada", "userPrincipalName": "b@c"}), "ada"),
        (json!({"userPrincipalName": "first.last@fabrikam.example"}), "first.last"),
        (json!({"mailNickname": "a+b/c[d]:;|=,*?<>\"\\"}), "a_b_c_d____________"),
        (json!({"mailNickname": "a.very.long.name.indeed"}), "a.very.long.name.ind"),
        (json!({"mailNickname": "..", "displayName": "R&D Team"}), "R&D Team"),
        (json!({}), "0b1f6a52"),
    ] {
        assert_eq!(account(Kind::User, value.clone()), expected);
        assert_eq!(account(Kind::Group, value), expected);
    }
    assert_eq!(account_with_suffix("a.very.long.name.ind", id(ADA)), "a.very.long-0b1f6a52");
    assert_eq!(account_with_suffix("abcdefghij.klm", id(ADA)), "abcdefghij-0b1f6a52");
    for kind in [Kind::Contact, Kind::Domain] {
        assert_eq!(mapping.wanted_account(kind, id(ADA), &Properties::new()), None);
    }
}
