//! Whole entries, to the last value.

use super::*;

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
