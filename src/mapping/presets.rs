//! The presets beside `ad`: the same facts in the classes of RFC 2798, RFC 4519 and
//! RFC 2307. Pure: no I/O, no clock.

use super::Object;
use super::draft::Draft;
use crate::directory::ids::ObjectId;
use crate::directory::kind::Kind;

/// What clients of `inetOrgPerson` and `inetLocalMailRecipient` read of people.
const PERSON: &[&str] = &[
    "cn",
    "sn",
    "givenName",
    "displayName",
    "uid",
    "mail",
    "mailLocalAddress",
    "mailAlternateAddress",
    "telephoneNumber",
    "mobile",
    "facsimileTelephoneNumber",
    "title",
    "department",
    "departmentNumber",
    "o",
    "company",
    "l",
    "st",
    "street",
    "postalCode",
    "c",
    "co",
    "physicalDeliveryOfficeName",
    "employeeType",
    "preferredLanguage",
    "manager",
    "description",
    "memberOf",
];
const GROUP: &[&str] = &[
    "cn",
    "displayName",
    "description",
    "mail",
    "mailLocalAddress",
    "mailAlternateAddress",
    "member",
    "memberOf",
];
/// Numbers of users and groups lie from here on: above those of a system and of what
/// directories usually hand out, below the sign of 32 bits.
const FIRST_NUMBER: u32 = 0x1000_0000;
const NUMBERS: u32 = 0x6fff_0000;

/// Makes `inetOrgPerson` and `groupOfNames` of what the `ad` preset has made.
pub(super) fn inetorgperson(draft: &mut Draft, object: &Object<'_>) {
    let has_mail = draft.has("mail");
    let (classes, structural, kept): (&[&str], _, _) = match object.kind {
        Kind::User | Kind::Contact => {
            (&["top", "person", "organizationalPerson", "inetOrgPerson"], "inetOrgPerson", PERSON)
        }
        Kind::Group => (&["top", "groupOfNames"], "groupOfNames", GROUP),
        Kind::Domain => return,
    };
    let number = draft.first("employeeID");
    draft.keep_only(kept);
    draft.texts("objectClass", classes);
    if has_mail {
        draft.add("objectClass", "inetLocalMailRecipient");
        // `mail` of a group and `mailAlternateAddress` belong to no class of any standard.
        draft.add("objectClass", "extensibleObject");
    }
    draft.add("structuralObjectClass", structural);
    draft.text("employeeNumber", number);
}

/// Adds what RFC 2307 clients read. A group of Entra has members by name; `memberUid`
/// would need the accounts of all of them, and RFC 2307bis clients read `member`.
pub(super) fn posix(draft: &mut Draft, object: &Object<'_>) {
    let number = number_of(object.id).to_string();
    match object.kind {
        Kind::User => {
            let account = object.account.unwrap_or(object.name);
            draft.add("objectClass", "posixAccount");
            draft.add("uid", account);
            draft.add("uidNumber", number.as_str());
            draft.add("gidNumber", number);
            draft.add("homeDirectory", format!("/home/{account}"));
            draft.add("loginShell", "/bin/bash");
            let gecos = draft.first("cn").filter(|name| name.is_ascii());
            draft.text("gecos", gecos.map(|name| name.replace([':', ','], " ")));
        }
        Kind::Group => {
            draft.add("objectClass", "posixGroup");
            draft.add("gidNumber", number);
        }
        Kind::Contact | Kind::Domain => {}
    }
}

/// A number that an object always has, whoever else there is. Two of 10,000 share one with
/// a likelihood of three percent.
fn number_of(id: ObjectId) -> u32 {
    use sha2::Digest;
    let digest = sha2::Sha256::digest(id.as_bytes());
    let drawn = digest.first_chunk().map_or(0, |octets| u32::from_be_bytes(*octets));
    FIRST_NUMBER + drawn % NUMBERS
}
