//! Names in several scripts, and users made of them. Pure: no I/O, no clock.

use serde_json::{Map, Value, json};

use super::rng::{Rng, hash};
use super::tenant::initial_domain;

/// Native spelling and what an address is made of.
type Names = &'static [(&'static str, &'static str)];

const SCRIPTS: &[(&str, Names, Names)] = &[
    (
        "en-US",
        &[
            ("Ada", "ada"),
            ("José", "jose"),
            ("Chloë", "chloe"),
            ("Bjørn", "bjorn"),
            ("Sean", "sean"),
            ("Grace", "grace"),
            ("Zoë", "zoe"),
            ("Łukasz", "lukasz"),
            ("Anna-Lena", "anna-lena"),
            ("Çağla", "cagla"),
            ("Tom", "tom"),
        ],
        &[
            ("Lind", "lind"),
            ("Müller", "mueller"),
            ("O'Neil", "oneil"),
            ("Ñandú", "nandu"),
            ("Øster", "oster"),
            ("van der Berg", "vanderberg"),
            ("Smith-Jones", "smith-jones"),
            ("Weiß", "weiss"),
            ("Dvořák", "dvorak"),
            ("İnan", "inan"),
            ("Brown", "brown"),
        ],
    ),
    (
        "ru-RU",
        &[("Иван", "ivan"), ("Ольга", "olga"), ("Фёдор", "fedor"), ("Наталия", "nataliya")],
        &[
            ("Петров", "petrov"),
            ("Щукина", "shchukina"),
            ("Ёлкин", "yolkin"),
            ("Соколова", "sokolova"),
        ],
    ),
    (
        "el-GR",
        &[("Γιώργος", "giorgos"), ("Ελένη", "eleni"), ("Νίκος", "nikos")],
        &[("Παπαδόπουλος", "papadopoulos"), ("Οικονόμου", "oikonomou"), ("Ιωάννου", "ioannou")],
    ),
    (
        "ja-JP",
        &[("太郎", "taro"), ("花子", "hanako"), ("伟", "wei"), ("민준", "minjun")],
        &[("山田", "yamada"), ("鈴木", "suzuki"), ("王", "wang"), ("김", "kim")],
    ),
    (
        "ar-SA",
        &[("محمد", "mohammed"), ("فاطمة", "fatima"), ("يوسف", "yusuf")],
        &[("العلي", "alali"), ("حداد", "haddad"), ("الشامي", "alshami")],
    ),
    (
        "he-IL",
        &[("דוד", "david"), ("רחל", "rachel"), ("נועה", "noa")],
        &[("כהן", "cohen"), ("לוי", "levi"), ("מזרחי", "mizrahi")],
    ),
];
const DEPARTMENTS: &[&str] = &[
    "Sales",
    "Finance",
    "Research & Development",
    "Legal",
    "IT",
    "Human Resources",
    "Vertrieb",
    "Производство",
];
const TITLES: &[&str] =
    &["Engineer", "Manager", "Analyst", "Director", "Assistant", "Clerk (part time)"];
const CITIES: &[(&str, &str, &str)] = &[
    ("Oslo", "NO", "Norway"),
    ("München", "DE", "Germany"),
    ("Austin", "US", "United States"),
    ("東京", "JP", "Japan"),
];

/// The kinds of accounts a tenant holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Account {
    /// A person with a mailbox, named in the script of this index.
    Member(usize),
    /// A person with this display name.
    Named(&'static str),
    Guest {
        accepted: bool,
    },
    /// Member by type, external by name.
    ExternalMember,
    Shared,
    Room,
    Equipment,
    Unlicensed,
    Disabled,
    Synced,
    /// An old synchronised account without a user type.
    Untyped,
    /// Addresses of every type.
    ManyAddresses,
}

/// One of each, in this order at the start of every tenant.
pub(super) const SPECIMENS: &[Account] = &[
    Account::Member(0),
    Account::Member(1),
    Account::Member(2),
    Account::Member(3),
    Account::Member(4),
    Account::Member(5),
    Account::Named("O'Neil, Sean \"Shay\""),
    Account::Named("  Ada + Bob "),
    Account::Named("Chris Miller"),
    Account::Named("Chris Miller"),
    Account::Named("#hash; <angle> = equals\\slash"),
    Account::Named(
        "Zoë 🎿 Ski-Club with a name that is rather long, because some people and most committees like it so",
    ),
    Account::Guest { accepted: true },
    Account::Guest { accepted: false },
    Account::ExternalMember,
    Account::Shared,
    Account::Room,
    Account::Equipment,
    Account::Unlicensed,
    Account::Disabled,
    Account::Synced,
    Account::Untyped,
    Account::ManyAddresses,
    Account::Member(0),
];

/// What later accounts are: mostly people.
pub(super) fn usual(rng: &mut Rng) -> Account {
    match rng.below(100) {
        0..=2 => Account::Guest { accepted: rng.below(4) > 0 },
        3..=5 => Account::Shared,
        6 => Account::Room,
        7 => Account::Unlicensed,
        8..=9 => Account::Disabled,
        10..=19 => Account::Synced,
        20 => Account::ManyAddresses,
        other => Account::Member(if other < 45 { rng.below(SCRIPTS.len()) } else { 0 }),
    }
}

/// Makes a user; `number` keeps its addresses apart from those of all others.
pub(super) fn user(rng: &mut Rng, account: Account, number: usize, domain: &str) -> Value {
    let initial = initial_domain(domain);
    let script = match account {
        Account::Member(script) => script,
        _ => 0,
    };
    let (language, given, surnames) = SCRIPTS.get(script).copied().unwrap_or(("en-US", &[], &[]));
    let (given, given_ascii) = rng.pick(given).copied().unwrap_or(("Ada", "ada"));
    let (surname, surname_ascii) = rng.pick(surnames).copied().unwrap_or(("Lind", "lind"));
    let local = format!("{given_ascii}.{surname_ascii}{number}");
    let (city, country_code, country) =
        rng.pick(CITIES).copied().unwrap_or(("Oslo", "NO", "Norway"));
    let mut map = Map::new();
    let mut put = |name: &str, value: Value| {
        map.insert(name.to_owned(), value);
    };
    put("id", rng.guid().into());
    put("userPrincipalName", format!("{local}@{domain}").into());
    put("displayName", format!("{given} {surname}").into());
    put("givenName", given.into());
    put("surname", surname.into());
    put("mail", format!("{local}@{domain}").into());
    put("mailNickname", local.clone().into());
    put("accountEnabled", true.into());
    put("userType", "Member".into());
    put("createdDateTime", created(number).into());
    put("usageLocation", country_code.into());
    put("businessPhones", json!([]));
    put("otherMails", json!([]));
    put(
        "assignedLicenses",
        json!([{"disabledPlans": [], "skuId": "6fd2c87f-b296-42f0-b197-1e91e994b900"}]),
    );
    let short = format!("{}{surname_ascii}{number}", given_ascii.chars().next().unwrap_or('x'));
    put(
        "proxyAddresses",
        json!([
            format!("SMTP:{local}@{domain}"),
            format!("smtp:{local}@{initial}"),
            format!("smtp:{short}@{domain}")
        ]),
    );
    put(
        "identities",
        json!([{"signInType": "userPrincipalName", "issuer": initial, "issuerAssignedId": format!("{local}@{domain}")}]),
    );
    // Properties that most people have, and some never had: those are absent, not null.
    if !rng.one_in(3) {
        put("department", rng.word(DEPARTMENTS).into());
        put("jobTitle", rng.word(TITLES).into());
        put("companyName", "Contoso Ltd".into());
        put("city", city.into());
        put("country", country.into());
        put("businessPhones", json!([format!("+47 22 {:06}", number % 1_000_000)]));
        put("officeLocation", format!("{}/{}", number % 7, number % 40).into());
        put("employeeId", format!("{:07}", 1_000_000 + number).into());
        put("preferredLanguage", language.into());
    }
    if rng.one_in(4) {
        put("mobilePhone", format!("+47 9{:07}", number % 10_000_000).into());
        put("streetAddress", "Kai 1".into());
        put("postalCode", "0150".into());
    }
    shape(rng, &mut map, account, number, &local, domain, &initial);
    map.into()
}

fn shape(
    rng: &mut Rng,
    map: &mut Map<String, Value>,
    account: Account,
    number: usize,
    local: &str,
    domain: &str,
    initial: &str,
) {
    let name = map.get("displayName").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut put = |name: &str, value: Value| {
        map.insert(name.to_owned(), value);
    };
    match account {
        Account::Member(_) => {}
        Account::Named(name) => put("displayName", name.into()),
        Account::Guest { .. } | Account::ExternalMember => {
            let mail = format!("{local}@partner.example");
            put("userPrincipalName", format!("{local}_partner.example#EXT#@{initial}").into());
            put("mail", mail.clone().into());
            put("mailNickname", format!("{local}_partner.example#EXT#").into());
            put("proxyAddresses", json!([format!("SMTP:{mail}")]));
            put("otherMails", json!([mail]));
            put("assignedLicenses", json!([]));
            put(
                "identities",
                json!([{"signInType": "federated", "issuer": "ExternalAzureAD", "issuerAssignedId": null}]),
            );
            let state = if account == (Account::Guest { accepted: false }) {
                "PendingAcceptance"
            } else {
                "Accepted"
            };
            put("externalUserState", state.into());
            if account != Account::ExternalMember {
                put("userType", "Guest".into());
                put("showInAddressList", false.into());
                put("displayName", format!("{name} (Partner)").into());
            }
        }
        Account::Shared | Account::Room | Account::Equipment => {
            let (word, nick) = match account {
                Account::Shared => ("Info", "info"),
                Account::Room => ("Room", "room"),
                _ => ("Projector", "projector"),
            };
            let mail = format!("{nick}{number}@{domain}");
            put("userPrincipalName", mail.clone().into());
            put("mail", mail.clone().into());
            put("mailNickname", format!("{nick}{number}").into());
            put("displayName", format!("{word} {number}").into());
            put(
                "proxyAddresses",
                json!([format!("SMTP:{mail}"), format!("smtp:{nick}{number}@{initial}")]),
            );
            put("accountEnabled", false.into());
            put("assignedLicenses", json!([]));
            for gone in ["givenName", "surname", "employeeId", "jobTitle"] {
                map.remove(gone);
            }
        }
        Account::Unlicensed => {
            put("assignedLicenses", json!([]));
            put("mail", Value::Null);
            put("proxyAddresses", json!([]));
        }
        Account::Disabled => put("accountEnabled", false.into()),
        Account::Synced | Account::Untyped => {
            let account_name = format!("u{number}");
            let mut extensions = Map::new();
            for i in 1..=15 {
                let value =
                    if i == 1 { format!("CC-{}", number % 100).into() } else { Value::Null };
                extensions.insert(format!("extensionAttribute{i}"), value);
            }
            put("onPremisesSyncEnabled", true.into());
            put("onPremisesSamAccountName", account_name.clone().into());
            put("onPremisesDomainName", format!("corp.{domain}").into());
            put("onPremisesUserPrincipalName", format!("{local}@{domain}").into());
            put(
                "onPremisesDistinguishedName",
                format!("CN={account_name},OU=Staff,DC=corp").into(),
            );
            put("onPremisesImmutableId", format!("{:022x}==", hash(local.as_bytes())).into());
            put(
                "onPremisesSecurityIdentifier",
                format!("S-1-5-21-1004336348-1177238915-682003330-{}", 1000 + number).into(),
            );
            put("onPremisesLastSyncDateTime", "2026-03-01T04:00:00Z".into());
            put("onPremisesExtensionAttributes", extensions.into());
            if account == Account::Untyped {
                put("userType", Value::Null);
            }
        }
        Account::ManyAddresses => {
            let mut list = vec![
                format!("SMTP:{local}@{domain}"),
                format!("smtp:{local}@{initial}"),
                format!("smtp: spaced{number}@{domain}"),
                format!(
                    "X500:/o=ExchangeLabs/ou=Exchange Administrative Group/cn=Recipients/cn={local}"
                ),
                format!("SIP:{local}@{domain}"),
                format!("SPO:SPO_{}@SPO_{}", rng.guid(), rng.guid()),
            ];
            list.extend((0..6).map(|i| format!("smtp:{local}+{i}@{domain}")));
            put("proxyAddresses", list.into());
        }
    }
}

/// A contact outside the tenant.
pub(super) fn contact(rng: &mut Rng, number: usize, domain: &str) -> Value {
    let (_, given, surnames) =
        SCRIPTS.get(number % SCRIPTS.len()).copied().unwrap_or(("", &[], &[]));
    let (given, given_ascii) = rng.pick(given).copied().unwrap_or(("Ada", "ada"));
    let (surname, surname_ascii) = rng.pick(surnames).copied().unwrap_or(("Lind", "lind"));
    let partner = format!("partner{}.example", number % 40);
    let local = format!("{given_ascii}.{surname_ascii}{number}");
    let mut contact = json!({
        "id": rng.guid(), "displayName": format!("{given} {surname} (Partner)"), "givenName": given, "surname": surname,
        "mail": format!("{local}@{partner}"), "mailNickname": format!("{local}-contact"),
        "companyName": format!("Partner {}", number % 40),
        "proxyAddresses": [format!("SMTP:{local}@{partner}"), format!("smtp:{local}-contact@{domain}")]
    });
    if number.is_multiple_of(2)
        && let Some(map) = contact.as_object_mut()
    {
        map.insert(
            "phones".into(),
            json!([{"type": "business", "number": format!("+47 22 {number:06}")},
                                          {"type": "mobile", "number": null}]),
        );
        map.insert("addresses".into(), json!([{"city": "Oslo", "countryOrRegion": "NO", "officeLocation": null,
                                              "postalCode": "0150", "state": null, "street": "Kai 1"}]));
    }
    contact
}

/// Creation times spread over years, without a clock.
pub(super) fn created(number: usize) -> String {
    let spread = |step: usize, size: usize| number.wrapping_mul(step) % size;
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        2015 + spread(7, 10),
        1 + spread(5, 12),
        1 + spread(11, 28),
        spread(13, 24),
        spread(17, 60),
        spread(19, 60)
    )
}
