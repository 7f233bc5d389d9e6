//! Tests of the mapping as a whole: Graph objects in, entries out.

use super::*;
use crate::directory::attribute::AttributeId;
use crate::directory::entry::Values;
use crate::directory::schema::{self, ClassKind};
use serde_json::json;
use std::collections::HashSet;

const ADA: &str = "0b1f6a52-6c1e-4a07-9a55-3f1f5a9c0a01";
const STAFF: &str = "5d0e7c11-93b4-4c55-8a0f-1b2c3d4e0b01";
const PRINTER: &str = "9c77aa40-0d55-4a5e-b1c3-77e1aa900c01";

fn mapping() -> Mapping {
    let branch = |ou: &str, rdn: &str| Branch { ou: ou.into(), rdn: rdn.into() };
    let tree = TreeSettings {
        users: branch("users", "uid"),
        groups: branch("groups", "cn"),
        contacts: branch("contacts", "cn"),
        domains: branch("domains", "dc"),
    };
    ad(&Dn::parse("dc=fabrikam,dc=example").unwrap(), &tree)
}

fn ad(base: &Dn, tree: &TreeSettings) -> Mapping {
    Mapping::new(base, tree, &MappingSettings::default())
}

fn properties(value: Value) -> Properties {
    let Value::Object(mut map) = value else { panic!("not an object") };
    map.retain(|_, value| !value.is_null());
    map
}

fn id(text: &str) -> ObjectId {
    text.parse().unwrap()
}

/// The entry of an object that gets the name and account it wants.
fn entry(kind: Kind, object_id: &str, value: Value) -> Entry {
    entry_with(kind, object_id, value, &[], &[])
}

fn entry_with(
    kind: Kind,
    object_id: &str,
    value: Value,
    members: &[&str],
    member_of: &[&str],
) -> Entry {
    let mapping = mapping();
    let properties = properties(value);
    let name = mapping.wanted_name(kind, id(object_id), &properties);
    let account = mapping.wanted_account(kind, id(object_id), &properties);
    let entry = mapping.entry(&Object {
        kind,
        id: id(object_id),
        properties: &properties,
        name: &name,
        account: account.as_deref(),
        members,
        member_of,
        manager: (kind == Kind::User)
            .then_some("uid=boss@fabrikam.example,ou=users,dc=fabrikam,dc=example"),
        direct_reports: &[],
        created: 7,
        changed: 42,
        changed_at: 1_714_979_289,
    });
    conforms(&entry);
    entry
}

fn user(value: Value) -> Entry {
    entry(Kind::User, ADA, value)
}

fn group(value: Value) -> Entry {
    entry(Kind::Group, STAFF, value)
}

fn contact(value: Value) -> Entry {
    entry(Kind::Contact, PRINTER, value)
}

fn attribute(name: &str) -> AttributeId {
    schema::standard().attribute(name.as_bytes()).unwrap_or_else(|| panic!("{name}")).id
}

fn values(entry: &Entry, name: &str) -> Vec<String> {
    entry.values(attribute(name)).map(|v| String::from_utf8_lossy(v).into_owned()).collect()
}

fn one(entry: &Entry, name: &str) -> String {
    let values = values(entry, name);
    assert_eq!(values.len(), 1, "{name}: {values:?}");
    values[0].clone()
}

/// Whether the schema allows the entry: one chain of structural classes, mandatory
/// attributes there, no attribute that no class has, arity and syntax respected, and
/// the RDN among the values.
fn conforms(entry: &Entry) {
    let schema = schema::standard();
    let dn = entry.dn.to_string();
    let named: Vec<_> = values(entry, "objectClass")
        .iter()
        .map(|name| schema.class(name).unwrap_or_else(|| panic!("{dn}: class {name}")))
        .collect();
    let names: HashSet<&str> = named.iter().map(|class| class.name).collect();
    let structural = schema.class(&one(entry, "structuralObjectClass")).unwrap();
    let mut chain = vec![structural.name];
    while let Some(class) = schema.class(chain[chain.len() - 1]).filter(|c| c.name != "top") {
        chain.push(class.superior);
    }
    let (mut must, mut may) = (HashSet::<&str>::new(), HashSet::<&str>::new());
    for class in named {
        assert!(
            class.kind == ClassKind::Auxiliary || chain.contains(&class.name),
            "{dn}: {} is beside the structural class",
            class.name
        );
        assert!(class.name == "top" || names.contains(class.superior), "{dn}: {}", class.name);
        must.extend(class.must);
        may.extend(class.may);
    }
    assert!(chain.iter().all(|class| names.contains(class)), "{dn}: {chain:?}");
    for name in &must {
        assert!(!values(entry, name).is_empty(), "{dn} lacks {name}");
    }
    for (id, found) in entry.attributes() {
        let attribute = schema.get(id).unwrap();
        let name = attribute.name;
        assert!(
            attribute.operational || must.contains(name) || may.contains(name),
            "{dn}: {name} is in no class"
        );
        assert!(!attribute.single_value || found.len() == 1, "{dn}: {name} {found:?}");
        for value in found {
            assert!(attribute.syntax.key(value).is_some(), "{dn}: {name} {value:?}");
        }
        assert_eq!(found.iter().collect::<HashSet<_>>().len(), found.len(), "{dn}: {name}");
    }
    let (rdn, value) = entry.dn.rdn().unwrap().first().unwrap();
    assert!(entry.values(attribute(rdn)).any(|v| v == value), "{dn}: RDN not among values");
    assert_eq!(one(entry, "distinguishedName"), dn);
}

fn base64(octets: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let encode = |chunk: &[u8]| {
        let number = chunk.iter().chain(&[0; 3]).take(3).fold(0, |n, b| n << 8 | u32::from(*b));
        let digit = |at: usize| DIGITS[(number >> (18 - 6 * at)) as usize & 63] as char;
        (0..4).map(|at| if at > chunk.len() { '=' } else { digit(at) }).collect::<String>()
    };
    octets.chunks(3).map(encode).collect()
}

fn ldif(entry: &Entry) -> String {
    let mut out = format!("dn: {}\n", entry.dn);
    for (id, values) in entry.attributes() {
        let name = schema::standard().get(id).unwrap().name;
        for value in values {
            match std::str::from_utf8(value).ok().filter(|v| v.bytes().all(|b| b >= b' ')) {
                Some(text) => out.push_str(&format!("{name}: {text}\n")),
                None => out.push_str(&format!("{name}:: {}\n", base64(value))),
            }
        }
    }
    out
}

fn full_user() -> Value {
    json!({
        "id": ADA, "userPrincipalName": "ada@fabrikam.example", "displayName": "Ada Lind",
        "givenName": "Ada", "surname": "Lind", "mail": "ada@fabrikam.example",
        "mailNickname": "ada", "accountEnabled": true, "userType": "Member",
        "proxyAddresses": [
            "SMTP:ada@fabrikam.example", "smtp:a.lind@fabrikam.example",
            "smtp:ada@fabrikam.onmicrosoft.com", "X500:/o=ExchangeLabs/ou=x/cn=Recipients/cn=ada",
            "SPO:SPO_11111111-2222-3333-4444-555555555555@SPO_66666666-7777-8888-9999-000000000000"],
        "otherMails": ["ada@home.example"], "jobTitle": "Engineer", "department": "R&D",
        "companyName": "Fabrikam", "officeLocation": "B 2", "mobilePhone": "+47 900 00 000",
        "businessPhones": ["+47 22 00 00 00", "+47 22 00 00 01"], "faxNumber": "+47 22 00 00 09",
        "streetAddress": "Kai 1", "city": "Oslo", "state": "Oslo", "postalCode": "0150",
        "country": "Norway", "usageLocation": "NO", "employeeId": "17", "employeeType": "Employee",
        "preferredLanguage": "nb-NO", "createdDateTime": "2021-02-03T04:05:06Z",
        "lastPasswordChangeDateTime": "2024-01-01T00:00:00Z",
        "imAddresses": ["ada@fabrikam.example"],
        "onPremisesImmutableId": "AAECAwQFBgcICQoLDA0ODw==",
        "onPremisesSamAccountName": "ADALIND",
        "onPremisesSecurityIdentifier": "S-1-5-21-397955417-626881126-188441444-1105",
        "onPremisesExtensionAttributes": {"extensionAttribute1": "blue", "extensionAttribute2": null,
            "extensionAttribute15": "last"},
    })
}

#[test]
fn a_full_user_is_exactly_so() {
    let all = "cn=All Staff,ou=groups,dc=fabrikam,dc=example";
    let entry = entry_with(Kind::User, ADA, full_user(), &[], &[all]);
    assert_eq!(
        ldif(&entry),
        "\
dn: uid=ada@fabrikam.example,ou=users,dc=fabrikam,dc=example
objectClass: top
objectClass: person
objectClass: organizationalPerson
objectClass: user
objectClass: inetOrgPerson
objectClass: inetLocalMailRecipient
cn: Ada Lind
sn: Lind
givenName: Ada
displayName: Ada Lind
name: Ada Lind
mail: ada@fabrikam.example
mailNickname: ada
proxyAddresses: SMTP:ada@fabrikam.example
proxyAddresses: smtp:a.lind@fabrikam.example
proxyAddresses: smtp:ada@fabrikam.onmicrosoft.com
proxyAddresses: X500:/o=ExchangeLabs/ou=x/cn=Recipients/cn=ada
proxyAddresses: SPO:SPO_11111111-2222-3333-4444-555555555555@SPO_66666666-7777-8888-9999-000000000000
userPrincipalName: ada@fabrikam.example
uid: ada@fabrikam.example
sAMAccountName: ADALIND
sAMAccountType: 805306368
userAccountControl: 512
objectCategory: CN=Person,CN=Schema,CN=Configuration,dc=fabrikam,dc=example
objectGUID:: UmofCx5sB0qaVT8fWpwKAQ==
objectSid:: AQUAAAAAAAUVAAAAWVG4F2ZyXSVkYzsLUQQAAA==
distinguishedName: uid=ada@fabrikam.example,ou=users,dc=fabrikam,dc=example
memberOf: cn=All Staff,ou=groups,dc=fabrikam,dc=example
title: Engineer
department: R&D
company: Fabrikam
telephoneNumber: +47 22 00 00 00
mobile: +47 900 00 000
physicalDeliveryOfficeName: B 2
streetAddress: Kai 1
street: Kai 1
l: Oslo
st: Oslo
postalCode: 0150
c: NO
co: Norway
otherMailbox: ada@home.example
otherTelephone: +47 22 00 00 01
facsimileTelephoneNumber: +47 22 00 00 09
employeeID: 17
employeeType: Employee
preferredLanguage: nb-NO
manager: uid=boss@fabrikam.example,ou=users,dc=fabrikam,dc=example
primaryGroupID: 513
accountExpires: 9223372036854775807
pwdLastSet: 133485408000000000
lockoutTime: 0
whenCreated: 20210203040506.0Z
whenChanged: 20240506070809.0Z
uSNCreated: 7
uSNChanged: 42
extensionAttribute1: blue
extensionAttribute15: last
msRTCSIP-PrimaryUserAddress: sip:ada@fabrikam.example
o: Fabrikam
msDS-ExternalDirectoryObjectId: User_0b1f6a52-6c1e-4a07-9a55-3f1f5a9c0a01
mS-DS-ConsistencyGuid:: AAECAwQFBgcICQoLDA0ODw==
mailLocalAddress: ada@fabrikam.example
mailLocalAddress: a.lind@fabrikam.example
mailLocalAddress: ada@fabrikam.onmicrosoft.com
mailAlternateAddress: a.lind@fabrikam.example
mailAlternateAddress: ada@fabrikam.onmicrosoft.com
createTimestamp: 20210203040506Z
modifyTimestamp: 20240506070809Z
entryUUID: 0b1f6a52-6c1e-4a07-9a55-3f1f5a9c0a01
entryDN: uid=ada@fabrikam.example,ou=users,dc=fabrikam,dc=example
structuralObjectClass: inetOrgPerson
"
    );
}

#[test]
fn a_distribution_list_is_exactly_so() {
    let entry = entry_with(
        Kind::Group,
        STAFF,
        json!({
            "id": STAFF, "displayName": "All Staff", "description": "Everybody, daily",
            "mail": "all@fabrikam.example", "mailNickname": "all", "mailEnabled": true,
            "securityEnabled": false, "groupTypes": [], "visibility": null,
            "proxyAddresses": ["SMTP:all@fabrikam.example", "smtp:everybody@fabrikam.example"],
            "createdDateTime": "2020-01-02T03:04:05Z"
        }),
        &[
            "uid=ada@fabrikam.example,ou=users,dc=fabrikam,dc=example",
            "cn=Printer Ltd,ou=contacts,dc=fabrikam,dc=example",
        ],
        &[],
    );
    assert_eq!(
        ldif(&entry),
        "\
dn: cn=All Staff,ou=groups,dc=fabrikam,dc=example
objectClass: top
objectClass: group
objectClass: inetLocalMailRecipient
cn: All Staff
displayName: All Staff
name: All Staff
mail: all@fabrikam.example
mailNickname: all
proxyAddresses: SMTP:all@fabrikam.example
proxyAddresses: smtp:everybody@fabrikam.example
sAMAccountName: all
sAMAccountType: 268435457
objectCategory: CN=Group,CN=Schema,CN=Configuration,dc=fabrikam,dc=example
objectGUID:: EXwOXbSTVUyKDxssPU4LAQ==
objectSid:: AQUAAAAAAAwBAAAAEXwOXbSTVUyKDxssPU4LAQ==
distinguishedName: cn=All Staff,ou=groups,dc=fabrikam,dc=example
member: uid=ada@fabrikam.example,ou=users,dc=fabrikam,dc=example
member: cn=Printer Ltd,ou=contacts,dc=fabrikam,dc=example
description: Everybody, daily
groupType: 8
primaryGroupToken: 17518141
whenCreated: 20200102030405.0Z
whenChanged: 20240506070809.0Z
uSNCreated: 7
uSNChanged: 42
msExchRecipientTypeDetails: 256
msExchRecipientDisplayType: 1
msDS-ExternalDirectoryObjectId: Group_5d0e7c11-93b4-4c55-8a0f-1b2c3d4e0b01
mailLocalAddress: all@fabrikam.example
mailLocalAddress: everybody@fabrikam.example
mailAlternateAddress: everybody@fabrikam.example
createTimestamp: 20200102030405Z
modifyTimestamp: 20240506070809Z
entryUUID: 5d0e7c11-93b4-4c55-8a0f-1b2c3d4e0b01
entryDN: cn=All Staff,ou=groups,dc=fabrikam,dc=example
structuralObjectClass: group
"
    );
}

#[test]
fn a_contact_is_exactly_so() {
    let entry = contact(json!({
        "id": PRINTER, "displayName": "Printer Ltd", "mail": "orders@printer.example",
        "mailNickname": "printerltd", "companyName": "Printer Ltd",
        "proxyAddresses": ["SMTP:orders@printer.example", "smtp:printerltd@fabrikam.example"],
        "addresses": [{"city": "Oslo", "countryOrRegion": "NO", "officeLocation": null,
            "postalCode": "0150", "state": null, "street": "Kai 1"}],
        "phones": [{"type": "business", "number": "+47 22000000"},
            {"type": "mobile", "number": "+47 90000000"}, {"type": "businessFax", "number": null}]
    }));
    assert_eq!(
        ldif(&entry),
        "\
dn: cn=Printer Ltd,ou=contacts,dc=fabrikam,dc=example
objectClass: top
objectClass: person
objectClass: organizationalPerson
objectClass: contact
objectClass: inetLocalMailRecipient
cn: Printer Ltd
sn: Printer Ltd
displayName: Printer Ltd
name: Printer Ltd
mail: orders@printer.example
mailNickname: printerltd
proxyAddresses: SMTP:orders@printer.example
proxyAddresses: smtp:printerltd@fabrikam.example
objectCategory: CN=Person,CN=Schema,CN=Configuration,dc=fabrikam,dc=example
objectGUID:: QKp3nFUNXkqxw3fhqpAMAQ==
distinguishedName: cn=Printer Ltd,ou=contacts,dc=fabrikam,dc=example
company: Printer Ltd
telephoneNumber: +47 22000000
mobile: +47 90000000
streetAddress: Kai 1
street: Kai 1
l: Oslo
postalCode: 0150
c: NO
co: NO
whenChanged: 20240506070809.0Z
uSNCreated: 7
uSNChanged: 42
targetAddress: SMTP:orders@printer.example
msExchRecipientTypeDetails: 64
msExchRecipientDisplayType: 6
o: Printer Ltd
mailLocalAddress: orders@printer.example
mailLocalAddress: printerltd@fabrikam.example
mailAlternateAddress: printerltd@fabrikam.example
modifyTimestamp: 20240506070809Z
entryUUID: 9c77aa40-0d55-4a5e-b1c3-77e1aa900c01
entryDN: cn=Printer Ltd,ou=contacts,dc=fabrikam,dc=example
structuralObjectClass: contact
"
    );
}

#[test]
fn the_base_and_its_containers_conform() {
    let entries = mapping().structure();
    entries.iter().for_each(conforms);
    let names: Vec<_> = entries.iter().map(|entry| entry.dn.to_string()).collect();
    let base = "dc=fabrikam,dc=example";
    let below = ["users", "groups", "contacts", "domains"].map(|ou| format!("ou={ou},{base}"));
    assert_eq!(names, [&[base.to_owned()][..], &below].concat());
    assert_eq!(values(&entries[0], "objectClass"), ["top", "domain", "domainDNS", "dcObject"]);
    assert_eq!(values(&entries[0], "dc"), ["fabrikam"]);
    let category = "CN=Domain-DNS,CN=Schema,CN=Configuration,dc=fabrikam,dc=example";
    assert_eq!(one(&entries[0], "objectCategory"), category);
    assert_eq!(values(&entries[1], "ou"), ["users"]);
}

#[test]
fn other_bases_and_shared_containers_conform_too() {
    let branch = |rdn: &str| Branch { ou: "People, all".into(), rdn: rdn.into() };
    let tree = TreeSettings {
        users: branch("cn"),
        groups: branch("cn"),
        contacts: branch("cn"),
        domains: branch("dc"),
    };
    for base in ["o=Fabrikam", "ou=entra,dc=example", "cn=mail,dc=example"] {
        let mapping = ad(&Dn::parse(base).unwrap(), &tree);
        let entries = mapping.structure();
        entries.iter().for_each(conforms);
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[1].dn.to_string(), format!("ou=People\\, all,{base}"));
    }
}

#[test]
fn a_domain_is_no_base_for_clients_that_look_for_one() {
    let entry = entry(
        Kind::Domain,
        STAFF,
        json!({"id": "fabrikam.example", "isDefault": true, "isInitial": false, "isVerified": true}),
    );
    assert_eq!(entry.dn.to_string(), "dc=fabrikam.example,ou=domains,dc=fabrikam,dc=example");
    assert_eq!(values(&entry, "objectClass"), ["top", "domain", "domainRelatedObject"]);
    assert_eq!(values(&entry, "associatedDomain"), ["fabrikam.example"]);
    assert_eq!(values(&entry, "description"), ["default", "verified"]);
    assert_eq!(one(&entry, "name"), "fabrikam.example");
}

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

fn to_vec(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn an_object_without_properties_still_makes_an_entry() {
    for kind in Kind::ALL {
        let entry = entry(kind, ADA, json!({}));
        let (_, name) = entry.dn.rdn().unwrap().first().unwrap();
        assert_eq!(name, ADA.as_bytes());
        assert!(!values(&entry, "whenChanged").is_empty());
        assert!(values(&entry, "whenCreated").is_empty());
    }
}

#[test]
fn odd_json_never_panics_and_never_breaks_an_entry() {
    let odd = [
        json!(17),
        json!(true),
        json!({"a": [1, {}]}),
        json!([1, "two", null, {"x": 1}, ["y"]]),
        json!([]),
        json!(" "),
        json!("\u{0}\u{1f} long ".repeat(5_000)),
        json!("Ünïcode,+\"\\<>;#="),
    ];
    for kind in Kind::ALL {
        for value in &odd {
            let mapping = mapping();
            let selected = mapping.properties(kind);
            let all = selected.iter().map(|name| (name.to_string(), value.clone()));
            entry(kind, ADA, Value::Object(all.collect()));
        }
    }
    let entry =
        user(json!({"employeeId": 17, "jobTitle": true, "businessPhones": [47, "", {}, "48"]}));
    assert_eq!(one(&entry, "employeeID"), "17");
    assert_eq!((values(&entry, "title"), one(&entry, "telephoneNumber")), (vec![], "47".into()));
    assert_eq!(one(&entry, "otherTelephone"), "48");
}

#[test]
fn values_survive_unharmed_and_blank_ones_are_dropped() {
    let long = "x\u{7}y".repeat(9_999);
    let entry = group(json!({"displayName": "G", "description": long, "mailNickname": " \t"}));
    assert_eq!(one(&entry, "description"), long);
    assert!(values(&entry, "mailNickname").is_empty());
}

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
fn the_fingerprint_changes_with_everything_that_entries_depend_on() {
    let base = Dn::parse("dc=x").unwrap();
    let branch = |ou: &str, rdn: &str| Branch { ou: ou.into(), rdn: rdn.into() };
    let tree = |users, groups| TreeSettings {
        users,
        groups,
        contacts: branch("contacts", "cn"),
        domains: branch("domains", "dc"),
    };
    let normal = tree(branch("users", "uid"), branch("groups", "cn"));
    let print = |base: &Dn, tree: &TreeSettings| ad(base, tree).fingerprint();
    let prints = HashSet::from([
        print(&base, &normal),
        print(&Dn::parse("dc=y").unwrap(), &normal),
        print(&base, &tree(branch("people", "uid"), branch("groups", "cn"))),
        print(&base, &tree(branch("users", "cn"), branch("groups", "cn"))),
        print(&base, &tree(branch("users", "uid"), branch("groups\" \"cn", "cn"))),
    ]);
    assert_eq!(prints.len(), 5);
    assert_eq!(print(&base, &normal), print(&base, &normal.clone()));
}

#[test]
fn properties_are_selected_once_each() {
    for kind in Kind::ALL {
        let mapping = mapping();
        let selected = mapping.properties(kind);
        assert_eq!(selected.iter().collect::<HashSet<_>>().len(), selected.len());
        assert!(selected.contains(&"id"));
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

/// Filters as clients send them, with the answer that Active Directory would give.
#[test]
fn entries_are_found_by_the_filters_of_known_clients() {
    use crate::directory::filter::Filter;
    use crate::directory::predicate::Predicate;
    let shared = json!({"userPrincipalName": "info@fabrikam.example", "displayName": "Info",
        "mailNickname": "info", "proxyAddresses": ["SMTP:info@fabrikam.example"],
        "accountEnabled": false});
    let list = json!({"displayName": "All", "mailNickname": "all", "mailEnabled": true,
        "proxyAddresses": ["SMTP:all@fabrikam.example"]});
    let partner = json!({"displayName": "Al", "mailNickname": "al", "mail": "al@partner.example",
        "proxyAddresses": ["SMTP:al@partner.example"]});
    let entries = [user(full_user()), user(shared), group(list), contact(partner)];
    let gal = "(&(|(cn=a*)(sn=a*)(gn=a*)(mail=a*))(!(msExchHideFromAddressLists=TRUE))\
        (mailnickname=*)(|(&(objectCategory=person)(objectClass=user)(!(homeMDB=*))\
        (!(msExchHomeServerName=*)))(&(objectCategory=person)(objectClass=contact))\
        (objectCategory=group)(objectCategory=publicFolder)\
        (objectCategory=msExchDynamicDistributionList)))";
    let authelia = "(&(|(sAMAccountName=adalind)(mail=adalind))(sAMAccountType=805306368)\
        (!(userAccountControl:1.2.840.113556.1.4.803:=2))(!(pwdLastSet=0))\
        (|(!(accountExpires=*))(accountExpires=0)(accountExpires>=133700000000000000)))";
    let enabled = "(&(proxyAddresses=smtp:*)(!(userAccountControl:1.2.840.113556.1.4.803:=2)))";
    for (filter, expected) in [
        ("(proxyAddresses=SMTP:A.Lind@fabrikam.example)", [true, false, false, false]),
        ("(proxyAddresses=smtp:all@fabrikam.example)", [false, false, true, false]),
        ("(mail=smtp:ada@fabrikam.example)", [false; 4]),
        (enabled, [true, false, true, true]),
        (gal, [true, false, true, true]),
        (authelia, [true, false, false, false]),
        (
            "(&(objectClass=inetLocalMailRecipient)(mailLocalAddress=al@partner.example))",
            [false, false, false, true],
        ),
        (
            "(&(sAMAccountName=adalind)(objectclass=user)(sAMAccountName=*)(objectSID=*))",
            [true, false, false, false],
        ),
        (
            "(&(|(objectClass=group)(objectClass=person)(objectClass=publicFolder))(mail=*))",
            [true; 4],
        ),
        (
            "(|(mail=*)(userPrincipalName=*)(proxyAddresses=*)(othermailbox=*)\
          (mailAlternativeAddress=*)(sAMAccountName=*)(uid=*)(memberOf=*))",
            [true; 4],
        ),
        ("(&(objectSid=*)(!(objectClass=computer)))", [true, true, true, false]),
        ("(objectSid=S-1-5-21-397955417-626881126-188441444-1105)", [true, false, false, false]),
        ("(objectGUID=0b1f6a52-6c1e-4a07-9a55-3f1f5a9c0a01)", [true, true, false, false]),
        ("(telephoneNumber=*2200-0000)", [true, false, false, false]),
        (
            "(&(objectCategory=group)(groupType:1.2.840.113556.1.4.803:=8))",
            [false, false, true, false],
        ),
    ] {
        let bound = Predicate::bind(&Filter::parse(filter).unwrap(), schema::standard(), &|_| true);
        let found = entries.each_ref().map(|e| bound.evaluate(e, &|_, _| false) == Some(true));
        assert_eq!(found, expected, "{filter}");
    }
}
