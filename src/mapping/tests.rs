//! Tests of the mapping as a whole: Graph objects in, entries out.

mod attributes;
mod names;
mod odd;
mod whole;

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

fn to_vec(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
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
