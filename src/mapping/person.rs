//! Users (members, guests, shared and room mailboxes) and mail contacts. Pure: no I/O, no clock.

use super::addresses::Addresses;
use super::draft::Draft;
use super::{Object, Properties, json, moment};
use crate::directory::ids::{ObjectId, Sid};
use std::borrow::Cow;

/// NORMAL_ACCOUNT, and with ACCOUNTDISABLE (MS-ADTS 2.2.16).
const ENABLED: &str = "512";
const DISABLED: &str = "514";
/// SAM_USER_OBJECT.
const USER_OBJECT: &str = "805306368";
/// The account never expires.
const NEVER: &str = "9223372036854775807";
/// RID of "Domain Users".
const DOMAIN_USERS: &str = "513";
/// 1970 as a FILETIME: `pwdLastSet` of an account whose password's age is unknown.
/// 0 would mean that it must be changed.
const UNKNOWN_AGE: i128 = 116_444_736_000_000_000;
/// `msExchRecipientTypeDetails` and `msExchRecipientDisplayType` of a mail contact.
const MAIL_CONTACT: (&str, &str) = ("64", "6");

pub(super) fn user(draft: &mut Draft, object: &Object<'_>) {
    let properties = object.properties;
    let addresses = Addresses::of(properties);
    for class in ["top", "person", "organizationalPerson", "user", "inetOrgPerson"] {
        draft.add("objectClass", class);
    }
    draft.add("structuralObjectClass", "inetOrgPerson");
    person(draft, object, &addresses);
    let word = |name| json::word(properties, name);
    draft.text("userPrincipalName", word("userPrincipalName"));
    draft.text("uid", word("userPrincipalName"));
    draft.texts("otherMailbox", json::texts(properties, "otherMails"));
    account(draft, object);

    let phones = json::texts(properties, "businessPhones");
    let phones: Vec<_> = phones.iter().filter(|phone| !phone.trim().is_empty()).collect();
    draft.text("telephoneNumber", phones.first());
    draft.texts("otherTelephone", phones.iter().skip(1));
    draft.text("mobile", word("mobilePhone"));
    draft.text("facsimileTelephoneNumber", word("faxNumber"));
    draft.text("physicalDeliveryOfficeName", word("officeLocation"));
    let country = word("country");
    postal_address(draft, properties, "streetAddress", country, word("usageLocation"));

    draft.text("employeeID", word("employeeId"));
    draft.text("employeeType", word("employeeType"));
    draft.text("preferredLanguage", word("preferredLanguage"));
    draft.text("msRTCSIP-PrimaryUserAddress", sip(properties));
    draft.add("msDS-ExternalDirectoryObjectId", format!("User_{}", object.id));
    if let Some(anchor) = word("onPremisesImmutableId").and_then(|text| sixteen_octets(&text)) {
        draft.add("mS-DS-ConsistencyGuid", anchor);
    }
    if let Some(extensions) = json::object(properties, "onPremisesExtensionAttributes") {
        for number in 1..=15 {
            let name = format!("extensionAttribute{number}");
            draft.text(&name, json::text(extensions, &name));
        }
    }
}

pub(super) fn contact(draft: &mut Draft, object: &Object<'_>) {
    let properties = object.properties;
    let addresses = Addresses::of(properties);
    for class in ["top", "person", "organizationalPerson", "contact"] {
        draft.add("objectClass", class);
    }
    draft.add("structuralObjectClass", "contact");
    person(draft, object, &addresses);
    for phone in json::objects(properties, "phones") {
        let number = json::word(phone, "number");
        match json::word(phone, "type").as_deref() {
            Some("mobile") => draft.text("mobile", number),
            Some("businessFax") => draft.text("facsimileTelephoneNumber", number),
            _ => draft.text("telephoneNumber", number),
        }
    }
    if let Some(address) = json::objects(properties, "addresses").next() {
        draft.text("physicalDeliveryOfficeName", json::word(address, "officeLocation"));
        postal_address(draft, address, "street", json::word(address, "countryOrRegion"), None);
    }
    if let Some(primary) = addresses.primary() {
        draft.add("targetAddress", format!("SMTP:{primary}"));
        draft.add("msExchRecipientTypeDetails", MAIL_CONTACT.0);
        draft.add("msExchRecipientDisplayType", MAIL_CONTACT.1);
    }
}

/// What users and contacts have in common.
fn person(draft: &mut Draft, object: &Object<'_>, addresses: &Addresses<'_>) {
    let properties = object.properties;
    if addresses.any() {
        draft.add("objectClass", "inetLocalMailRecipient");
    }
    let word = |name| json::word(properties, name);
    let display = word("displayName");
    let cn = display.as_deref().unwrap_or(object.name);
    draft.text("displayName", display.as_ref());
    let given_name = word("givenName");
    let is_person = given_name.is_some();
    draft.text("givenName", given_name);
    let surname = word("surname");
    draft.text("sn", Some(surname.as_deref().unwrap_or(family_name(cn, is_person))));
    draft.add("cn", cn);
    draft.text("mailNickname", word("mailNickname"));
    addresses.write(draft);
    draft.text("title", word("jobTitle"));
    draft.text("department", word("department"));
    draft.text("company", word("companyName"));
    draft.text("o", word("companyName"));
    draft.text("manager", object.manager);
    draft.put("directReports", object.direct_reports);
}

/// What a user has as a security principal.
fn account(draft: &mut Draft, object: &Object<'_>) {
    let properties = object.properties;
    draft.text("sAMAccountName", object.account);
    draft.add("sAMAccountType", USER_OBJECT);
    let disabled = json::is_false(properties, "accountEnabled");
    draft.add("userAccountControl", if disabled { DISABLED } else { ENABLED });
    draft.add("objectSid", sid(properties, object.id).octets());
    draft.add("primaryGroupID", DOMAIN_USERS);
    draft.add("accountExpires", NEVER);
    draft.add("lockoutTime", "0");
    let set = ["lastPasswordChangeDateTime", "createdDateTime"]
        .iter()
        .find_map(|name| moment::filetime(json::time(properties, name)?));
    draft.add("pwdLastSet", set.unwrap_or(UNKNOWN_AGE).to_string());
}

/// The SID of a user or group: the one it has in Active Directory, else the one that
/// Entra derives from its object id.
pub(super) fn sid(properties: &Properties, id: ObjectId) -> Sid {
    let given = json::word(properties, "onPremisesSecurityIdentifier");
    given.and_then(|text| Sid::parse(&text)).unwrap_or_else(|| id.cloud_sid())
}

/// `c` holds an ISO 3166 code: the country itself where it is given as one, else the
/// place that licences are used in.
fn postal_address(
    draft: &mut Draft,
    properties: &Properties,
    street: &str,
    country: Option<Cow<'_, str>>,
    usage_location: Option<Cow<'_, str>>,
) {
    let street = json::word(properties, street);
    draft.text("streetAddress", street.as_ref());
    draft.text("street", street);
    draft.text("l", json::word(properties, "city"));
    draft.text("st", json::word(properties, "state"));
    draft.text("postalCode", json::word(properties, "postalCode"));
    let is_code =
        |text: &&Cow<'_, str>| text.len() == 2 && text.bytes().all(|b| b.is_ascii_alphabetic());
    let code = [country.as_ref(), usage_location.as_ref()].into_iter().flatten().find(is_code);
    draft.text("c", code.map(|code| code.to_ascii_uppercase()));
    draft.text("co", country);
}

/// `sn` is mandatory: where it is not given, the last word of a person's name, else
/// (a room, a shared mailbox, a firm) the whole name.
fn family_name(name: &str, is_person: bool) -> &str {
    let last = name.split_whitespace().next_back().filter(|_| is_person);
    last.unwrap_or(name)
}

fn sip(properties: &Properties) -> Option<String> {
    let address = json::texts(properties, "imAddresses").into_iter().next()?;
    let address = address.trim();
    let prefixed = address.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("sip:"));
    (!address.is_empty())
        .then(|| if prefixed { address.to_owned() } else { format!("sip:{address}") })
}

/// Base64 (RFC 4648) of 16 octets; `None` for anything else.
fn sixteen_octets(text: &str) -> Option<[u8; 16]> {
    let digits = text.strip_suffix("==").filter(|digits| digits.len() == 22)?;
    let mut bits = 0u128;
    for (at, digit) in digits.bytes().enumerate() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        // 22 digits are 132 bits; the last four say nothing.
        bits = if at == 21 {
            (bits << 2) | u128::from(value >> 4)
        } else {
            (bits << 6) | u128::from(value)
        };
    }
    Some(bits.to_be_bytes())
}
