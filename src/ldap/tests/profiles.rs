//! Access profiles: what is hidden is neither found, nor tested, nor named.

use super::world::{Answer, BASE, Client, World, replica, settings, small};
use crate::config::settings::{LdapSettings, ProfileSettings, Readable};
use crate::directory::attribute::AttributeId;
use crate::directory::dn::Dn;
use crate::directory::schema;
use crate::ldap::wire::samples::{control, message, search, tlv};
use std::sync::Arc;
use std::time::Duration;

fn ids(names: &[&str]) -> Vec<AttributeId> {
    names.iter().map(|name| schema::standard().attribute(name.as_bytes()).unwrap().id).collect()
}

fn bases(names: &[&str]) -> Vec<Dn> {
    names.iter().map(|name| Dn::parse(name).unwrap()).collect()
}

/// The account `gw` has this profile.
fn with(profile: ProfileSettings) -> LdapSettings {
    let mut settings = settings();
    settings.accounts[0].profile = Arc::new(profile);
    settings
}

async fn world(profile: ProfileSettings) -> World {
    World::start(&with(profile), replica(small()), false).await
}

async fn search_at(client: &mut Client, base: &str, scope: u8) -> (Vec<String>, Answer) {
    let op = search(base, scope, "(objectClass=*)", &["1.1"]);
    let (entries, done) = client.entries(&message(b"\x05", &op, &[])).await;
    (entries.iter().map(Answer::dn).collect(), done)
}

fn compare(dn: &str, attribute: &str, value: &str) -> Vec<u8> {
    let ava = [tlv(4, attribute.as_bytes()), tlv(4, value.as_bytes())].concat();
    tlv(0x6e, &[tlv(4, dn.as_bytes()), tlv(0x30, &ava)].concat())
}

#[tokio::test]
async fn unreadable_attributes_are_neither_tested_nor_returned() {
    let except = Readable::Except(ids(&["description", "memberOf"]));
    let only = Readable::Only(ids(&["cn", "mail", "proxyAddresses", "sn"]));
    for attributes in [except, only] {
        let world = world(ProfileSettings { attributes, ..ProfileSettings::default() }).await;
        let mut client = world.bound().await;
        // RFC 4511 4.5.1.7: a test that is Undefined finds nothing, nor does its opposite.
        for filter in [
            "(description=x)",
            "(!(description=x))",
            "(description=*)",
            "(!(description=*))",
            "(description=*x*)",
            "(memberOf:1.2.840.113556.1.4.1941:=cn=all,ou=groups,dc=contoso,dc=com)",
            "(&(mail=*)(memberOf=cn=all,ou=groups,dc=contoso,dc=com))",
        ] {
            assert_eq!(client.find(filter).await, (Vec::new(), 0), "{filter}");
        }
        let either = client.find("(|(description=x)(mail=ada@contoso.com))").await;
        assert_eq!(either, (vec!["uid=ada".to_owned()], 0));
        for list in [&[][..], &["*"], &["*", "+"], &["description", "memberOf", "cn"]] {
            for types_only in [false, true] {
                let mut op = search(BASE, 2, "(sn=lind)", list);
                if types_only {
                    let at = op.windows(3).position(|octets| octets == b"\x01\x01\x00").unwrap();
                    op[at + 2] = 0xff;
                }
                let (entries, done) = client.entries(&message(b"\x05", &op, &[])).await;
                assert_eq!((entries.len(), done.code()), (1, 0));
                let names: Vec<String> =
                    entries[0].attributes().into_iter().map(|(name, _)| name).collect();
                assert!(names.contains(&"cn".to_owned()), "{list:?}: {names:?}");
                let hidden = ["description", "memberOf"];
                assert!(names.iter().all(|name| !hidden.contains(&name.as_str())), "{names:?}");
                // Always readable: entries are told apart by it.
                let everything = !list.contains(&"cn");
                assert_eq!(names.contains(&"objectClass".to_owned()), everything, "{names:?}");
            }
        }
        let eve = "uid=eve,ou=users,dc=contoso,dc=com";
        let known = client.ask(&compare(eve, "description", "x")).await;
        let unknown = client.ask(&compare(eve, "bogus", "x")).await;
        assert_eq!((known.code(), &known.op), (17, &unknown.op));
        assert_eq!(client.ask(&compare(eve, "mail", "eve@contoso.com")).await.code(), 6);
    }
}

#[tokio::test]
async fn nothing_outside_of_the_bases_exists() {
    let bases = bases(&["ou=users,dc=contoso,dc=com", "cn=team,ou=groups,dc=contoso,dc=com"]);
    let world = world(ProfileSettings { bases, ..ProfileSettings::default() }).await;
    let mut client = world.bound().await;
    let seen = ["ou=users", "uid=ada", "uid=bob", "uid=eve", "cn=team"];
    for base in [BASE, ""] {
        let (found, done) = search_at(&mut client, base, 2).await;
        let first: Vec<&str> = found.iter().map(|dn| dn.split(',').next().unwrap()).collect();
        assert_eq!((first, done.code()), (seen.to_vec(), 0), "{base:?}");
    }
    let groups = "ou=groups,dc=contoso,dc=com";
    assert_eq!(search_at(&mut client, BASE, 1).await.0, ["ou=users,dc=contoso,dc=com"]);
    assert_eq!(search_at(&mut client, groups, 2).await.0, [format!("cn=team,{groups}")]);
    let team = format!("cn=team,{groups}");
    assert_eq!(search_at(&mut client, &team, 0).await.0, [team.as_str()]);
    // What is hidden, and what is not there at all, is told in the same words.
    let hidden = search_at(&mut client, &format!("cn=all,{groups}"), 0).await.1;
    let absent = search_at(&mut client, &format!("cn=none,{groups}"), 0).await.1;
    assert_eq!((hidden.code(), hidden.texts()[0].as_str()), (32, ""));
    assert_eq!(hidden.op, absent.op);
    for (base, scope) in [(BASE, 0), (groups, 0), ("dc=elsewhere", 2), ("uid=x,cn=all", 2)] {
        let (found, done) = search_at(&mut client, base, scope).await;
        assert_eq!((found.len(), done.code()), (0, 32), "{base}");
        assert_eq!(done.texts()[0], "", "{base}");
    }
    // RFC 4511 4.1.9: matchedDN, as far as it may be seen.
    let below = search_at(&mut client, "uid=no,ou=users,dc=contoso,dc=com", 0).await.1;
    assert_eq!((below.code(), below.texts()[0].as_str()), (32, "ou=users,dc=contoso,dc=com"));
    let compared = client.ask(&compare(&format!("cn=all,{groups}"), "cn", "all")).await;
    assert_eq!((compared.code(), compared.texts()[0].as_str()), (32, ""));
    assert_eq!(client.ask(&compare(&team, "cn", "team")).await.code(), 6);
    assert_eq!(client.find("(cn=all)").await, (Vec::new(), 0));
}

#[tokio::test]
async fn a_base_that_is_not_known_yet_is_unavailable_and_not_empty() {
    let bases = bases(&["ou=users,dc=contoso,dc=com"]);
    let settings = with(ProfileSettings { bases, ..ProfileSettings::default() });
    let world = World::start(&settings, super::world::unpublished(), false).await;
    let mut client = world.bound().await;
    for base in ["", BASE, "ou=users,dc=contoso,dc=com"] {
        assert_eq!(search_at(&mut client, base, 2).await.1.code(), 52, "{base:?}");
    }
}

#[tokio::test]
async fn limits_of_a_profile_take_the_place_of_the_common_ones() {
    let profile = ProfileSettings { size: Some(2), page: Some(3), ..ProfileSettings::default() };
    let mut settings = with(profile);
    settings.limits.size = 1;
    settings.anonymous = Some(Arc::default());
    let world = World::start(&settings, replica(small()), false).await;
    let mut client = world.bound().await;
    let (found, done) = search_at(&mut client, BASE, 2).await;
    assert_eq!((found.len(), done.code()), (2, 4));
    let (found, done) = search_at(&mut world.connect().await, BASE, 2).await;
    assert_eq!((found.len(), done.code()), (1, 4));
    let mut settings = with(ProfileSettings {
        page: Some(3),
        time: Some(Duration::from_secs(60)),
        ..ProfileSettings::default()
    });
    settings.limits.page = 1;
    let world = World::start(&settings, replica(small()), false).await;
    let paged = control("1.2.840.113556.1.4.319", true, Some(b"\x30\x05\x02\x01\x64\x04\x00"));
    let op = search(BASE, 2, "(objectClass=*)", &["1.1"]);
    let (entries, done) = world.bound().await.entries(&message(b"\x05", &op, &[paged])).await;
    assert_eq!((entries.len(), done.code()), (3, 0));
    assert!(!done.cookie().unwrap().is_empty());
}

#[tokio::test]
async fn an_account_of_another_network_is_as_unknown() {
    let elsewhere = vec!["10.0.0.0/8".parse().unwrap()];
    let world = world(ProfileSettings { networks: elsewhere, ..ProfileSettings::default() }).await;
    let mut client = world.connect().await;
    let right = client.ask(&crate::ldap::wire::samples::bind(3, "gw", "pw")).await;
    let unknown = client.ask(&crate::ldap::wire::samples::bind(3, "nobody", "pw")).await;
    assert_eq!((right.code(), &right.op), (49, &unknown.op));
    let here = vec!["127.0.0.0/8".parse().unwrap()];
    let world = self::world(ProfileSettings { networks: here, ..ProfileSettings::default() }).await;
    assert_eq!(world.bound().await.find("(cn=ada lind)").await.0, ["uid=ada"]);
}

#[tokio::test]
async fn anonymous_has_a_profile_too() {
    let attributes = Readable::Only(ids(&["mail"]));
    for (networks, code) in [(Vec::new(), 0), (vec!["10.0.0.0/8".parse().unwrap()], 1)] {
        let profile =
            ProfileSettings { networks, attributes: attributes.clone(), ..Default::default() };
        let settings = LdapSettings { anonymous: Some(Arc::new(profile)), ..settings() };
        let world = World::start(&settings, replica(small()), false).await;
        let mut client = world.connect().await;
        let found = client.find("(mail=ada@contoso.com)").await;
        assert_eq!((found.0.len(), found.1), (usize::from(code == 0), code));
        let root = search("", 0, "(objectClass=*)", &["namingContexts"]);
        assert_eq!(client.entries(&message(b"\x05", &root, &[])).await.0.len(), 1);
        if code == 0 {
            assert_eq!(client.find("(cn=ada lind)").await.0.len(), 0);
        }
    }
}

#[tokio::test]
async fn a_cookie_serves_no_other_account() {
    let mut settings = settings();
    let other = crate::ldap::accounts::tests::cheap_hash("pw");
    settings.accounts.push(crate::ldap::accounts::tests::settings("other", &other));
    let world = World::start(&settings, replica(small()), false).await;
    let op = search(BASE, 2, "(objectClass=*)", &["1.1"]);
    let paged = |cookie: &[u8]| {
        let value = tlv(0x30, &[&b"\x02\x01\x02"[..], &tlv(4, cookie)].concat());
        message(b"\x05", &op, &[control("1.2.840.113556.1.4.319", true, Some(&value))])
    };
    let mut client = world.bound().await;
    let cookie = client.entries(&paged(b"")).await.1.cookie().unwrap();
    client.ask(&crate::ldap::wire::samples::bind(3, "other", "pw")).await;
    assert_eq!(client.entries(&paged(&cookie)).await.1.code(), 53);
}
