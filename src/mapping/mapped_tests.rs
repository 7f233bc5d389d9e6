//! What a configured mapping makes of an object, from the text of the configuration on.

use super::{Mapping, Object, Properties};
use crate::config::settings::Settings;
use crate::config::{Environment, Problems, parse};
use crate::directory::entry::{Entry, Values};
use crate::directory::kind::Kind;
use crate::directory::schema;
use serde_json::{Value, json};

const ID: &str = "0b1f6a52-0000-4000-8000-000000000001";

fn read(section: &str) -> Result<Settings, Problems> {
    let environment = Environment {
        variables: [("SECRET".to_owned(), "geheim".to_owned())].into(),
        credentials_directory: None,
    };
    let text = format!(
        "[[ldap.listener]]\naddress = \"127.0.0.1:389\"\n[[connection]]\nname = \"contoso\"\n\
         base = \"dc=contoso,dc=com\"\ntenant = \"contoso.com\"\n\
         client_id = \"11111111-1111-1111-1111-111111111111\"\nclient_secret = {{ env = \"SECRET\" }}\n\
         {section}\n"
    );
    parse(&text, "t", &environment)
}

fn entry(section: &str, kind: Kind, object: Value) -> Entry {
    let settings = read(section).unwrap().connections.remove(0);
    let mapping = Mapping::new(&settings.base, &settings.tree, &settings.mapping);
    let Value::Object(properties) = object else { panic!("not an object") };
    let properties: Properties = properties;
    let id = ID.parse().unwrap();
    let name = mapping.wanted_name(kind, id, &properties);
    let account = mapping.wanted_account(kind, id, &properties);
    mapping.entry(&Object {
        kind,
        id,
        properties: &properties,
        name: &name,
        account: account.as_deref(),
        members: &["uid=ann@contoso.com,ou=users,dc=contoso,dc=com"],
        member_of: &[],
        manager: None,
        direct_reports: &[],
        created: 1,
        changed: 2,
        changed_at: 0,
    })
}

fn values(entry: &Entry, name: &str) -> Vec<String> {
    let id = schema::standard().attribute(name.as_bytes()).unwrap().id;
    entry.values(id).map(|value| String::from_utf8_lossy(value).into_owned()).collect()
}

fn ada() -> Value {
    json!({"displayName": "Ada Lind", "givenName": "Ada", "surname": "Lind",
        "userPrincipalName": "ada@contoso.com", "mail": "Ada@Contoso.com", "department": "Research",
        "proxyAddresses": ["SMTP:Ada@Contoso.com", "smtp:al@contoso.com"],
        "mailNickname": "ada", "businessPhones": ["+47 (22) 00-11"], "employeeId": "0042",
        "companyName": "Contoso; Fabrikam", "employeeOrgData": {"costCenter": "4711"},
        "onPremisesExtensionAttributes": {"extensionAttribute3": "red"},
        "extension_0123_skills": ["one", "two"], "isResourceAccount": true,
        "createdDateTime": "2020-01-01T00:00:00Z", "employeeLeaveDateTime": "2024-05-06T07:08:09Z",
        "onPremisesSecurityIdentifier": "S-1-5-21-1-2-3-1105"})
}

#[test]
fn an_attribute_is_what_the_configuration_makes_of_it() {
    for (line, attribute, expected) in [
        ("department = \"companyName\"", "department", vec!["Contoso; Fabrikam"]),
        (
            "department = \"onPremisesExtensionAttributes/extensionAttribute3\"",
            "department",
            vec!["red"],
        ),
        ("department = \"employeeOrgData/costCenter\"", "department", vec!["4711"]),
        ("carLicense = \"extension_0123_skills\"", "carLicense", vec!["one", "two"]),
        ("title = \"extension_0123_skills\"", "title", vec!["one"]),
        (
            "carLicense = { property = \"extension_0123_skills\", multi = false }",
            "carLicense",
            vec!["one"],
        ),
        ("title = { first = [\"jobTitle\", \"department\"] }", "title", vec!["Research"]),
        (
            "description = { template = \"{surname}, {givenName} {{{department}}}\" }",
            "description",
            vec!["Lind, Ada {Research}"],
        ),
        ("description = { template = \"{givenName} {jobTitle}\" }", "description", vec![]),
        ("description = { template = \"{givenName} {jobTitle?}\" }", "description", vec!["Ada"]),
        ("description = { template = \"at {jobTitle?}\" }", "description", vec![]),
        ("description = { value = \"ours\" }", "description", vec!["ours"]),
        ("description = { value = [\"a\", \"b\"] }", "description", vec!["a", "b"]),
        (
            "mailNickname = { property = \"mailNickname\", case = \"upper\" }",
            "mailNickname",
            vec!["ADA"],
        ),
        ("mail = { property = \"mail\", case = \"lower\" }", "mail", vec!["ada@contoso.com"]),
        (
            "pager = { property = \"businessPhones\", number = \"digits\", prefix = \"tel:\" }",
            "pager",
            vec!["tel:47220011"],
        ),
        (
            "employeeNumber = { property = \"employeeId\", number = \"integer\" }",
            "employeeNumber",
            vec!["42"],
        ),
        (
            "employeeNumber = { property = \"surname\", number = \"integer\" }",
            "employeeNumber",
            vec![],
        ),
        (
            "carLicense = { property = \"companyName\", split = \";\", suffix = \".\" }",
            "carLicense",
            vec!["Contoso.", "Fabrikam."],
        ),
        ("carLicense = \"isResourceAccount\"", "carLicense", vec!["TRUE"]),
        ("department = false", "department", vec![]),
        (
            "otherMailbox = { property = \"mail\", keep = true }",
            "otherMailbox",
            vec!["Ada@Contoso.com"],
        ),
        // What is not of the attribute's syntax is left out.
        ("uidNumber = \"surname\"", "uidNumber", vec![]),
        ("secretary = \"displayName\"", "secretary", vec![]),
        (
            "accountExpires = { property = \"employeeLeaveDateTime\", number = \"filetime\" }",
            "accountExpires",
            vec!["133594528890000000"],
        ),
        (
            "krbPrincipalExpiration = \"employeeLeaveDateTime\"",
            "krbPrincipalExpiration",
            vec!["20240506070809Z"],
        ),
        ("mAPIRecipient = \"isResourceAccount\"", "mAPIRecipient", vec!["TRUE"]),
        // Equal values are one.
        (
            "proxyAddresses = { property = \"mail\", prefix = \"smtp:\", keep = true }",
            "proxyAddresses",
            vec!["SMTP:Ada@Contoso.com", "smtp:al@contoso.com"],
        ),
    ] {
        let entry = entry(&format!("[connection.mapping.user]\n{line}"), Kind::User, ada());
        assert_eq!(values(&entry, attribute), expected, "{line}");
        assert_eq!(values(&entry, "givenName"), ["Ada"], "{line}: others stay");
    }
    let classes = "[connection.mapping.user]\nobjectClass = { value = [\"posixAccount\"] }";
    let classes = values(&entry(classes, Kind::User, ada()), "objectClass");
    assert!(classes.contains(&"user".to_owned()) && classes.contains(&"posixAccount".to_owned()));
}

#[test]
fn identifiers_are_served_as_octets() {
    let lines = "[connection.mapping.user]\nmsExchMailboxGuid = \"extension_0123_guid\"\n\
        msExchMasterAccountSid = \"onPremisesSecurityIdentifier\"";
    let mut object = ada();
    object["extension_0123_guid"] = json!(ID);
    let entry = entry(lines, Kind::User, object);
    let octets = |name: &str| {
        let id = schema::standard().attribute(name.as_bytes()).unwrap().id;
        entry.values(id).map(<[u8]>::to_vec).collect::<Vec<_>>()
    };
    let id: crate::directory::ids::ObjectId = ID.parse().unwrap();
    assert_eq!(octets("msExchMailboxGuid"), [id.guid_octets().to_vec()]);
    let sid = crate::directory::ids::Sid::parse("S-1-5-21-1-2-3-1105").unwrap();
    assert_eq!(octets("msExchMasterAccountSid"), [sid.octets()]);
}

/// What clients may expect of an entry by the classes that it names.
#[test]
fn every_attribute_of_a_preset_belongs_to_a_class_of_the_entry() {
    let group = json!({"displayName": "Team", "mail": "team@contoso.com", "mailEnabled": true,
        "description": "All", "proxyAddresses": ["smtp:other@contoso.com"]});
    let contact = json!({"displayName": "Bo", "mail": "bo@partner.example", "companyName": "P",
        "phones": [{"type": "mobile", "number": "1"}], "addresses": [{"city": "Oslo"}]});
    let mut mailless = ada();
    for name in ["mail", "proxyAddresses"] {
        mailless.as_object_mut().unwrap().remove(name);
    }
    for preset in ["ad", "inetorgperson", "posix"] {
        for (kind, object) in [
            (Kind::User, ada()),
            (Kind::User, mailless.clone()),
            (Kind::Group, group.clone()),
            (Kind::Group, json!({"displayName": "Bare", "securityEnabled": true})),
            (Kind::Contact, contact.clone()),
        ] {
            let section = format!("[connection.mapping]\npreset = \"{preset}\"");
            let entry = entry(&section, kind, object);
            let classes = values(&entry, "objectClass");
            let classes: Vec<_> =
                classes.iter().map(|name| schema::standard().class(name).unwrap()).collect();
            for must in classes.iter().flat_map(|class| class.must) {
                assert!(!values(&entry, must).is_empty(), "{preset} {kind}: lacks {must}");
            }
            let any = classes.iter().any(|class| class.name == "extensibleObject");
            for (id, _) in entry.attributes() {
                let attribute = schema::standard().get(id).unwrap();
                let name = &attribute.name;
                let named = |class: &&_| matches(class, name);
                assert!(
                    any || attribute.operational || classes.iter().any(named),
                    "{preset} {kind}: {name} is in no class"
                );
            }
        }
    }
}

fn matches(class: &schema::ObjectClass, name: &&str) -> bool {
    class.must.contains(name) || class.may.contains(name)
}

#[test]
fn select_follows_the_mapping() {
    let section = "[connection.mapping.user]\ndepartment = \"employeeOrgData/costCenter\"\n\
        title = { first = [\"extension_0123_a\", \"jobTitle\"] }\n\
        description = { template = \"{ageGroup?}{surname}\" }";
    let settings = read(section).unwrap().connections.remove(0);
    let more = settings.mapping.properties(Kind::User);
    assert_eq!(
        more.into_iter().collect::<Vec<_>>(),
        ["ageGroup", "employeeOrgData", "extension_0123_a"]
    );
    assert!(settings.mapping.properties(Kind::Group).is_empty());
}

#[test]
fn presets_serve_the_classes_that_they_are_named_after() {
    let inet = entry("[connection.mapping]\npreset = \"inetorgperson\"", Kind::User, ada());
    assert_eq!(
        values(&inet, "objectClass"),
        [
            "top",
            "person",
            "organizationalPerson",
            "inetOrgPerson",
            "inetLocalMailRecipient",
            "extensibleObject"
        ]
    );
    for (attribute, expected) in [
        ("uid", vec!["ada@contoso.com"]),
        ("cn", vec!["Ada Lind"]),
        ("mail", vec!["Ada@Contoso.com"]),
        ("mailLocalAddress", vec!["Ada@Contoso.com", "al@contoso.com"]),
        ("employeeNumber", vec!["0042"]),
        ("sAMAccountName", vec![]),
        ("proxyAddresses", vec![]),
        ("userAccountControl", vec![]),
        ("entryUUID", vec![ID]),
    ] {
        assert_eq!(values(&inet, attribute), expected, "{attribute}");
    }
    let group = json!({"displayName": "Team", "mail": "team@contoso.com", "mailEnabled": true});
    let inet =
        entry("[connection.mapping]\npreset = \"inetorgperson\"", Kind::Group, group.clone());
    assert_eq!(
        values(&inet, "objectClass"),
        ["top", "groupOfNames", "inetLocalMailRecipient", "extensibleObject"]
    );
    assert_eq!(values(&inet, "member").len(), 1);
    assert!(values(&inet, "groupType").is_empty());

    let posix = entry("[connection.mapping]\npreset = \"posix\"", Kind::User, ada());
    let number: u32 = values(&posix, "uidNumber")[0].parse().unwrap();
    assert!((0x1000_0000..0x7fff_0000).contains(&number), "{number}");
    assert_eq!(values(&posix, "homeDirectory"), ["/home/ada"]);
    assert_eq!(values(&posix, "uid"), ["ada@contoso.com", "ada"]);
    assert!(values(&posix, "objectClass").contains(&"posixAccount".to_owned()));
    let posix = entry("[connection.mapping]\npreset = \"posix\"", Kind::Group, group);
    assert!(values(&posix, "objectClass").contains(&"posixGroup".to_owned()));
    assert_eq!(values(&posix, "gidNumber").len(), 1);
}

#[test]
fn mistakes_in_a_mapping_are_told_with_their_place_and_remedy() {
    for (line, expected) in [
        (
            "departmint = \"jobTitle\"",
            "mapping.user.departmint: is not a known key; did you mean \"department\"?",
        ),
        (
            "department = \"jobTitel\"",
            "\"jobTitel\" is not a property of a user; did you mean \"jobTitle\"?",
        ),
        (
            "department = \"extensionAttribute3\"",
            "write \"onPremisesExtensionAttributes/extensionAttribute3\"",
        ),
        ("department = \"mailboxSettings\"", "mailboxSettings is not told by delta queries"),
        ("department = \"a b\"", "\"a b\" is not a property"),
        ("department = 3", "is a number, not a property"),
        ("department = true", "is true or false, not a property"),
        ("department = { template = \"{givenNam}\" }", "did you mean \"givenName\"?"),
        ("department = { template = \"{givenName\" }", "has a { without }"),
        ("department = { template = \"x}\" }", "has a } without {"),
        ("department = { template = \"plain\" }", "names no property"),
        ("department = { first = [] }", "is empty"),
        (
            "department = { case = \"lower\" }",
            "needs exactly one of property, first, template, value",
        ),
        ("department = { property = \"mail\", value = \"x\" }", "needs exactly one of"),
        ("department = { property = \"mail\", cas = \"lower\" }", "did you mean \"case\"?"),
        ("department = { property = \"mail\", multi = true }", "can have one value only"),
        ("department = { value = [\"a\", \"b\"] }", "can have one value only; keep one"),
        ("uidNumber = { value = \"many\" }", "\"many\" is no value of uidNumber; write a whole"),
        ("secretary = { value = \"Ann\" }", "\"Ann\" is no value of secretary; write a DN"),
        (
            "objectClass = { value = \"posixAcount\" }",
            "\"posixAcount\" is not a known class; did you mean \"posixAccount\"?",
        ),
        (
            "department = \"onPremisesExtensionAttributes/extensionAttribute33\"",
            "\"extensionAttribute33\" is not a part of onPremisesExtensionAttributes; did you mean",
        ),
        ("department = \"employeeOrgData\"", "has parts; write one of them, for example"),
        ("department = \"jobTitle/en\"", "jobTitle has no parts; write \"jobTitle\""),
        ("department = \"employeeOrgData/division/en\"", "employeeOrgData/division has no parts"),
        ("department = { property = \"mail\", number = \"roman\" }", "\"roman\" is not known"),
        ("objectGUID = \"mail\"", "is not a matter of mapping"),
        ("memberOf = false", "is not a matter of mapping"),
        ("objectClass = \"mail\"", "add classes"),
        ("cn = \"mail\"\ncommonName = \"mail\"", "stands for cn, which is mapped already"),
    ] {
        let problems = read(&format!("[connection.mapping.user]\n{line}")).unwrap_err();
        assert_eq!(problems.list.len(), 1, "{line}: {problems}");
        let text = problems.to_string();
        assert!(text.contains(expected), "{line}: {text}");
        assert!(text.starts_with("t:10:") || text.starts_with("t:11:"), "{line}: {text}");
    }
}

#[test]
fn what_names_an_entry_is_not_mapped_where_it_has_one_value() {
    let refused = |section: &str| read(section).unwrap_err().to_string();
    let expected = "cn: names these entries, so its value is the name; map another attribute";
    let by_cn = "[connection.tree.users]\nrdn = \"cn\"\n[connection.mapping.user]\ncn = \"mail\"";
    for section in [
        by_cn,
        "[connection.mapping.group]\ncn = \"mailNickname\"",
        "[connection.mapping.contact]\ncn = \"mail\"",
    ] {
        assert!(refused(section).contains(expected), "{section}: {}", refused(section));
    }
    let user = entry("[connection.mapping.user]\nuid = \"mailNickname\"", Kind::User, ada());
    assert_eq!(values(&user, "uid"), ["ada@contoso.com", "ada"]);
}
