//! Groups of all kinds: distribution lists, Microsoft 365 groups, security groups with
//! and without mail. Pure: no I/O, no clock.

use super::addresses::Addresses;
use super::draft::Draft;
use super::{Object, Properties, json, person};

/// `groupType`: universal, with and without GROUP_TYPE_SECURITY_ENABLED (MS-ADTS 2.2.12).
const SECURITY_GROUP: &str = "-2147483640";
const DISTRIBUTION_GROUP: &str = "8";
/// `sAMAccountType`: SAM_GROUP_OBJECT and SAM_NON_SECURITY_GROUP_OBJECT.
const SAM_SECURITY: &str = "268435456";
const SAM_DISTRIBUTION: &str = "268435457";
/// `msExchRecipientTypeDetails` and `msExchRecipientDisplayType`.
const MAIL_UNIVERSAL_DISTRIBUTION_GROUP: (&str, &str) = ("256", "1");
const MAIL_UNIVERSAL_SECURITY_GROUP: (&str, &str) = ("1024", "1073741833");

pub(super) fn group(draft: &mut Draft, object: &Object<'_>) {
    let properties = object.properties;
    let addresses = Addresses::of(properties);
    draft.add("objectClass", "top");
    draft.add("objectClass", "group");
    if addresses.any() {
        draft.add("objectClass", "inetLocalMailRecipient");
    }
    draft.add("structuralObjectClass", "group");
    let word = |name| json::word(properties, name);
    let display = word("displayName");
    draft.text("cn", Some(display.as_deref().unwrap_or(object.name)));
    draft.text("displayName", display);
    draft.text("description", json::text(properties, "description"));
    draft.text("mailNickname", word("mailNickname"));
    addresses.write(draft);

    let security = json::is_true(properties, "securityEnabled");
    draft.add("groupType", if security { SECURITY_GROUP } else { DISTRIBUTION_GROUP });
    draft.text("sAMAccountName", object.account);
    draft.add("sAMAccountType", if security { SAM_SECURITY } else { SAM_DISTRIBUTION });
    let sid = person::sid(properties, object.id);
    draft.add("objectSid", sid.octets());
    draft.text("primaryGroupToken", token(&sid.to_string()));
    draft.add("msDS-ExternalDirectoryObjectId", format!("Group_{}", object.id));
    if let Some((details, display)) = recipient_type(properties, security) {
        draft.add("msExchRecipientTypeDetails", details);
        draft.add("msExchRecipientDisplayType", display);
    }
    // Whether the members are served or not: nobody else on the list is told about them.
    if word("visibility").is_some_and(|it| it.eq_ignore_ascii_case("HiddenMembership")) {
        draft.add("hideDLMembership", "TRUE");
    }
    draft.put("member", object.members);
}

/// The RID: the last part of the SID. Its 31 bits fit the INTEGER that clients expect.
fn token(sid: &str) -> Option<String> {
    let rid: u32 = sid.rsplit('-').next()?.parse().ok()?;
    Some((rid & 0x7fff_ffff).to_string())
}

/// Exchange's type of a mail-enabled group. Microsoft 365 groups have none that an
/// on-premises Exchange would know.
fn recipient_type(properties: &Properties, security: bool) -> Option<(&'static str, &'static str)> {
    let kinds = json::texts(properties, "groupTypes");
    if !json::is_true(properties, "mailEnabled") || kinds.iter().any(|kind| kind == "Unified") {
        None
    } else if security {
        Some(MAIL_UNIVERSAL_SECURITY_GROUP)
    } else {
        Some(MAIL_UNIVERSAL_DISTRIBUTION_GROUP)
    }
}
