//! Single attributes: addresses, states, identifiers.

use super::*;

#[test]
fn mail_is_the_primary_address_without_prefix() {
    for (mail, proxies, primary, others) in [
        (
            json!("x@a"),
            json!(["smtp:b@a", "SMTP:A@a", "smtp:c@a"]),
            "A@a",
            &["x@a", "b@a", "c@a"][..],
        ),
        (json!("b@a"), json!(["SMTP: b@a"]), "b@a", &[]),
        (json!("b@a"), json!(["SMTP:b@a", "SMTP:c@a"]), "b@a", &["c@a"]),
        (json!("B@a"), json!(["SMTP:b@a", "smtp:B@A"]), "b@a", &[]),
        (json!("only@a"), json!([]), "only@a", &[]),
        (json!("only@a"), json!(null), "only@a", &[]),
        (json!(null), json!(["SMTP:b@a", "X500:/o=x", "SIP:s@a"]), "b@a", &[]),
        (json!(" b@a "), json!("smtp:c@a"), "b@a", &["c@a"]),
        (json!(null), json!(["Smtp:c@a", "SMTP:b@a", "SMTP:", "plain"]), "b@a", &["c@a"]),
    ] {
        let object = json!({"displayName": "X", "mail": mail, "proxyAddresses": proxies});
        for entry in [user(object.clone()), group(object.clone()), contact(object.clone())] {
            assert_eq!(one(&entry, "mail"), primary, "{object}");
            assert_eq!(values(&entry, "mailAlternateAddress"), others, "{object}");
            assert_eq!(values(&entry, "mailLocalAddress"), [&[primary], others].concat());
            assert!(values(&entry, "objectClass").contains(&"inetLocalMailRecipient".into()));
        }
    }
}

#[test]
fn proxy_addresses_are_verbatim_except_for_the_space_after_the_prefix() {
    let entry = user(json!({"proxyAddresses":
        ["SMTP: Bob@A.example", "smtp:b@a", "X500:/o=A B/cn=x", "sip:b@a", "EUM:1;phone-context=x", ""]}));
    assert_eq!(
        values(&entry, "proxyAddresses"),
        ["SMTP:Bob@A.example", "smtp:b@a", "X500:/o=A B/cn=x", "sip:b@a", "EUM:1;phone-context=x"]
    );
}

#[test]
fn who_has_no_address_is_no_mail_recipient() {
    for entry in [
        user(json!({"userPrincipalName": "svc@fabrikam.example"})),
        group(json!({"displayName": "Admins", "securityEnabled": true, "mailEnabled": false})),
        contact(json!({"displayName": "Nobody", "mail": " "})),
    ] {
        for name in ["mail", "mailLocalAddress", "mailAlternateAddress", "targetAddress"] {
            assert!(values(&entry, name).is_empty(), "{name}");
        }
        assert!(!values(&entry, "objectClass").contains(&"inetLocalMailRecipient".into()));
    }
}

#[test]
fn a_shared_mailbox_is_disabled_but_keeps_its_mail() {
    let entry = user(json!({
        "userPrincipalName": "info@fabrikam.example", "displayName": "Info (shared)",
        "mail": "info@fabrikam.example", "accountEnabled": false, "assignedLicenses": [],
        "proxyAddresses": ["SMTP:info@fabrikam.example", "smtp:info@fabrikam.onmicrosoft.com"]
    }));
    assert_eq!(one(&entry, "userAccountControl"), "514");
    assert_eq!(one(&entry, "mail"), "info@fabrikam.example");
    assert_eq!(values(&entry, "mailAlternateAddress"), ["info@fabrikam.onmicrosoft.com"]);
    assert_eq!(one(&entry, "sn"), "Info (shared)");
}

#[test]
fn accounts_are_enabled_unless_graph_says_otherwise() {
    for (value, control) in [(json!(true), "512"), (json!(null), "512"), (json!(false), "514")] {
        let entry = user(json!({"accountEnabled": value}));
        assert_eq!(one(&entry, "userAccountControl"), control);
    }
}

#[test]
fn a_guest_has_the_external_address_and_a_usable_account() {
    let entry = user(json!({
        "userPrincipalName": "sam_partner.example#EXT#@fabrikam.onmicrosoft.com",
        "displayName": "Sam Partner", "mail": "sam@partner.example", "userType": "Guest",
        "mailNickname": "sam_partner.example#EXT#", "proxyAddresses": ["SMTP:sam@partner.example"]
    }));
    assert_eq!(one(&entry, "mail"), "sam@partner.example");
    assert_eq!(one(&entry, "sAMAccountName"), "sam_partner.example");
    assert_eq!(
        entry.dn.to_string(),
        "uid=sam_partner.example#EXT#@fabrikam.onmicrosoft.com,ou=users,dc=fabrikam,dc=example"
    );
}

#[test]
fn security_identifiers_come_from_active_directory_or_from_the_object_id() {
    let sid = |entry: &Entry| {
        let octets: Vec<_> = entry.values(attribute("objectSid")).collect();
        crate::directory::ids::Sid::from_octets(octets[0]).unwrap().to_string()
    };
    let synced = json!({"onPremisesSecurityIdentifier": "S-1-5-21-1-2-3-1105"});
    assert_eq!(sid(&user(synced.clone())), "S-1-5-21-1-2-3-1105");
    assert_eq!(one(&group(synced), "primaryGroupToken"), "1105");
    for odd in [json!(null), json!("S-1-5-x"), json!(5)] {
        let entry = user(json!({"onPremisesSecurityIdentifier": odd}));
        assert_eq!(sid(&entry), id(ADA).cloud_sid().to_string());
    }
    assert!(values(&contact(json!({"displayName": "X"})), "objectSid").is_empty());
    let token: i64 = one(&group(json!({"displayName": "X"})), "primaryGroupToken").parse().unwrap();
    assert!((0..1 << 31).contains(&token));
}

#[test]
fn kinds_of_groups_are_told_apart() {
    for (types, mail, security, group_type, sam, exchange) in [
        (json!([]), true, false, "8", "268435457", &["256"][..]),
        (json!([]), true, true, "-2147483640", "268435456", &["1024"]),
        (json!([]), false, true, "-2147483640", "268435456", &[]),
        (json!(["Unified"]), true, false, "8", "268435457", &[]),
        (json!(["Unified", "DynamicMembership"]), true, true, "-2147483640", "268435456", &[]),
        (json!(["DynamicMembership"]), false, true, "-2147483640", "268435456", &[]),
    ] {
        let entry = group(json!({"displayName": "G", "groupTypes": types, "mailEnabled": mail,
            "securityEnabled": security}));
        assert_eq!(one(&entry, "groupType"), group_type, "{types}");
        assert_eq!(one(&entry, "sAMAccountType"), sam, "{types}");
        assert_eq!(values(&entry, "msExchRecipientTypeDetails"), exchange, "{types}");
    }
}

#[test]
fn passwords_have_an_age_that_is_never_zero() {
    for (changed, created, set) in [
        (json!("2024-01-01T00:00:00Z"), json!("2021-01-01T00:00:00Z"), "133485408000000000"),
        (json!(null), json!("2021-01-01T00:00:00Z"), "132539328000000000"),
        (json!(null), json!(null), "116444736000000000"),
        (json!("0001-01-01T00:00:00Z"), json!("soon"), "116444736000000000"),
    ] {
        let entry =
            user(json!({"lastPasswordChangeDateTime": changed, "createdDateTime": created}));
        assert_eq!(one(&entry, "pwdLastSet"), set);
    }
}

#[test]
fn the_country_code_has_two_letters() {
    for (country, usage, c, co) in [
        (json!("Norway"), json!("no"), &["NO"][..], &["Norway"][..]),
        (json!("se"), json!("NO"), &["SE"], &["se"]),
        (json!("Norway"), json!(null), &[], &["Norway"]),
        (json!(null), json!("NO"), &["NO"], &[]),
        (json!("47"), json!("  "), &[], &["47"]),
    ] {
        let entry = user(json!({"country": country, "usageLocation": usage}));
        assert_eq!((values(&entry, "c"), values(&entry, "co")), (to_vec(c), to_vec(co)));
    }
}

#[test]
fn an_unreadable_immutable_id_is_no_consistency_guid() {
    for (text, octets) in [
        ("AAECAwQFBgcICQoLDA0ODw==", Some((0..16).collect::<Vec<u8>>())),
        ("/////////////////////w==", Some(vec![0xff; 16])),
        ("AAECAwQFBgcICQoLDA0ODxA=", None),
        ("ada@fabrikam.example", None),
        ("AAECAwQFBgcICQoLDA0ODé==", None),
    ] {
        let entry = user(json!({"onPremisesImmutableId": text}));
        let found: Vec<_> =
            entry.values(attribute("mS-DS-ConsistencyGuid")).map(<[u8]>::to_vec).collect();
        assert_eq!(found, octets.into_iter().collect::<Vec<_>>(), "{text}");
    }
}

#[test]
fn family_names_of_people_are_guessed_and_those_of_rooms_are_not() {
    for (object, sn) in [
        (json!({"displayName": "Ada B. Lind", "givenName": "Ada"}), "Lind"),
        (json!({"displayName": "Meeting room 5"}), "Meeting room 5"),
        (json!({"displayName": "Ada Lind", "givenName": "Ada", "surname": "B. Lind"}), "B. Lind"),
        (json!({"userPrincipalName": "svc@fabrikam.example"}), "svc@fabrikam.example"),
    ] {
        assert_eq!(one(&user(object), "sn"), sn);
    }
}
