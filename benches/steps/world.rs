//! A replica in a temporary file, as a pass would have made it, and requests.

use entraldap::config::settings::{MappingSettings, ReplicaSettings, TreeSettings};
use entraldap::directory::dn::Dn;
use entraldap::directory::entry::Entry;
use entraldap::directory::filter::Filter;
use entraldap::directory::ids::ObjectId;
use entraldap::directory::kind::Kind;
use entraldap::directory::schema;
use entraldap::mapping::{Mapping, Object, Properties};
use entraldap::replica::connection::ConnectionState;
use entraldap::replica::encoding::{Encoded, Identity, encode, push_header};
use entraldap::replica::{self, Error, Number, Transaction, Writer};
use serde_json::{Value, json};

pub(crate) const BASE: &str = "dc=contoso,dc=com";

/// How many people there are.
pub(crate) const PEOPLE: u32 = 10_000;

/// The attributes that Active Directory presets of mail gateways ask for.
pub(crate) const AD_PRESET: [&str; 20] = [
    "objectClass",
    "cn",
    "sn",
    "givenName",
    "displayName",
    "mail",
    "proxyAddresses",
    "userPrincipalName",
    "sAMAccountName",
    "mailNickname",
    "title",
    "department",
    "company",
    "physicalDeliveryOfficeName",
    "telephoneNumber",
    "mobile",
    "memberOf",
    "objectGUID",
    "userAccountControl",
    "whenChanged",
];

const GIVEN: [&str; 8] = ["Ada", "Bjørn", "Chloe", "David", "Eva", "Farid", "Grace", "Zoë"];
const SURNAMES: [&str; 8] =
    ["Lind", "Berg", "Martin", "Özdemir", "Smith", "Novak", "Rossi", "Weiß"];

/// The pick of a list for a number: people with neighbouring numbers have little in common.
fn pick(list: &[&'static str; 8], number: u32) -> &'static str {
    list[(number.wrapping_mul(2_654_435_761) >> 29) as usize]
}

pub(crate) fn mapping() -> Mapping {
    Mapping::new(&Dn::parse(BASE).unwrap(), &TreeSettings::default(), &MappingSettings::default())
}

/// Graph's properties of a person.
pub(crate) fn person(number: u32) -> Properties {
    let (given, surname) = (pick(&GIVEN, number), pick(&SURNAMES, number.rotate_left(7)));
    let properties = json!({
        "displayName": format!("{given} {surname} {number}"), "givenName": given,
        "surname": surname, "userPrincipalName": format!("user{number}@contoso.com"),
        "mail": format!("user{number}@contoso.com"), "mailNickname": format!("user{number}"),
        "proxyAddresses": [format!("SMTP:user{number}@contoso.com"),
            format!("smtp:alias{number}@contoso.com"), format!("smtp:u{number}@contoso.net")],
        "accountEnabled": !number.is_multiple_of(10), "userType": "Member", "jobTitle": "Engineer",
        "department": format!("Department {}", number % 40), "companyName": "Contoso",
        "businessPhones": [format!("+47 22 {number:06}")], "mobilePhone": "+47 900 00 000",
        "officeLocation": format!("Building {}", number % 12), "city": "Oslo", "country": "Norway",
        "employeeId": format!("{number:06}"), "createdDateTime": "2024-05-06T07:08:09Z",
    });
    let Value::Object(properties) = properties else { unreachable!() };
    properties
}

pub(crate) fn object(number: u32) -> ObjectId {
    ObjectId::from_bytes((u128::from(number) + 1).to_be_bytes())
}

/// The entry of a person.
pub(crate) fn entry(mapping: &Mapping, number: u32, properties: &Properties) -> Entry {
    let id = object(number);
    let name = mapping.wanted_name(Kind::User, id, properties);
    let account = mapping.wanted_account(Kind::User, id, properties);
    mapping.entry(&Object {
        kind: Kind::User,
        id,
        properties,
        name: &name,
        account: account.as_deref(),
        members: &[],
        member_of: &["cn=Sales,ou=groups,dc=contoso,dc=com", "cn=All,ou=groups,dc=contoso,dc=com"],
        manager: Some("uid=user1@contoso.com,ou=users,dc=contoso,dc=com"),
        direct_reports: &[],
        created: 1,
        changed: 2,
        changed_at: 1_700_000_000,
    })
}

pub(crate) fn encoded(entry: &Entry, number: u32, parent: Number) -> Encoded {
    let identity =
        Identity { kind: Some(Kind::User), connection: 0, parent, object: object(number) };
    encode(entry, &identity, schema::standard())
}

/// A published replica.
pub(crate) fn replica() -> Writer {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("replica.redb");
    let settings = ReplicaSettings { path, cache: 256 << 20, ..ReplicaSettings::default() };
    let writer = replica::open(&settings).unwrap();
    writer.write(publish).unwrap();
    // As a daemon that has been up for a moment.
    writer.keep_in_memory();
    while !writer.reader().snapshot().is_in_memory() {
        std::thread::yield_now();
    }
    writer
}

fn publish(change: &mut Transaction<'_>) -> Result<(), Error> {
    let mapping = mapping();
    let connection = change.connection_number("contoso")?;
    let mut structure = Vec::new();
    for (at, entry) in (0u32..).zip(mapping.structure()) {
        let object = ObjectId::from_bytes((u128::MAX - u128::from(at)).to_be_bytes());
        let number = change.number(connection, object)?;
        let parent = structure.first().copied().unwrap_or(Number::MAX);
        let identity = Identity { kind: None, connection, parent, object };
        change.put_entry(number, &encode(&entry, &identity, schema::standard()))?;
        structure.push(number);
    }
    let users = change.named(&mapping.container(Kind::User).key())?.unwrap();
    for at in 0..PEOPLE {
        let number = change.number(connection, object(at))?;
        let entry = entry(&mapping, at, &person(at));
        change.put_entry(number, &encoded(&entry, at, users))?;
    }
    let base = BASE.to_owned();
    let state = change.connection(connection)?;
    change
        .put_connection(connection, &ConnectionState { base, configured: true, structure, ..state })
}

/// The number of a person's entry.
pub(crate) fn number(change: &mut Transaction<'_>, person: u32) -> Result<Number, Error> {
    change.number(0, object(person))
}

/// A search as a client sends it.
pub(crate) fn request(filter: &str, attributes: &[&str]) -> Vec<u8> {
    let list: Vec<u8> = attributes.iter().flat_map(|name| octets(name.as_bytes())).collect();
    let head = [octets(BASE.as_bytes()), tlv(0x0a, &[2]), tlv(0x0a, &[0])].concat();
    let limits = [tlv(0x02, &[0]), tlv(0x02, &[0]), tlv(0x01, &[0])].concat();
    let filter = filter_octets(&Filter::parse(filter).unwrap());
    let search = tlv(0x63, &[head, limits, filter, tlv(0x30, &list)].concat());
    tlv(0x30, &[tlv(0x02, &[2]), search].concat())
}

fn filter_octets(filter: &Filter<'_>) -> Vec<u8> {
    let list = |list: &[Filter<'_>]| list.iter().flat_map(filter_octets).collect::<Vec<u8>>();
    match filter {
        Filter::And(inner) => tlv(0xa0, &list(inner)),
        Filter::Or(inner) => tlv(0xa1, &list(inner)),
        Filter::Equality(name, value) => tlv(0xa3, &[octets(name), octets(value)].concat()),
        other => panic!("no bench sends {other}"),
    }
}

fn octets(value: &[u8]) -> Vec<u8> {
    tlv(0x04, value)
}

fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    push_header(&mut out, tag, value.len());
    out.extend(value);
    out
}
