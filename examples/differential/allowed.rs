//! What may differ outside of filters, and why: definitions, compares, attributes returned.

use crate::intended::{Says, is_odd_name, leaves};
use crate::leaf::Leaf;
use entraldap::directory::attribute::AttributeType;
use entraldap::directory::schema;

/// The attributes that have an ordering rule here and none in slapd.
pub(crate) const NO_ORDERING_IN_SLAPD: &[&str] =
    &["cn", "name", "uid", "description", "userPassword"];

/// Attributes whose published definition differs from that of slapd, and what is done.
pub(crate) const DEFINITIONS: &[(&[&str], &str)] = &[
    (NO_ORDERING_IN_SLAPD, "no ORDERING rule in slapd; asked for, see the list above"),
    (&["distinguishedName"], "single-valued here, as in Active Directory; asked for"),
    (&EXCLUDED_LABELED_URI, "caseExactMatch in RFC 2079; a case-ignoring string in AD; left out"),
    (&EXCLUDED_ROOT_DSE, "of the root DSE or the subschema; no entry has them; left out"),
    (&EXCLUDED_HIDDEN, "slapd has them and publishes them nowhere; no entry has them; left out"),
    (&EXCLUDED_STAMPS, "slapd's syntaxes of these are not published here; left out"),
];

const EXCLUDED_LABELED_URI: [&str; 1] = ["labeledURI"];
const EXCLUDED_HIDDEN: [&str; 4] =
    ["dITStructureRules", "dITContentRules", "nameForms", "subtreeSpecification"];
const EXCLUDED_ROOT_DSE: [&str; 14] = [
    "namingContexts",
    "altServer",
    "attributeTypes",
    "ldapSyntaxes",
    "matchingRules",
    "matchingRuleUse",
    "objectClasses",
    "supportedControl",
    "supportedExtension",
    "supportedFeatures",
    "supportedLDAPVersion",
    "supportedSASLMechanisms",
    "vendorName",
    "vendorVersion",
];
const EXCLUDED_STAMPS: [&str; 3] = ["contextCSN", "entryCSN", "entryUUID"];

/// Whether no filter is made of an attribute.
pub(crate) fn is_excluded(attribute: &AttributeType) -> bool {
    let lists: [&[&str]; 4] =
        [&EXCLUDED_LABELED_URI, &EXCLUDED_HIDDEN, &EXCLUDED_ROOT_DSE, &EXCLUDED_STAMPS];
    lists.iter().any(|list| list.contains(&attribute.name))
}

/// Compares that end otherwise: which, why, our code and that of slapd.
pub(crate) type Compared =
    (&'static str, &'static str, fn(&Leaf<'_>, &str) -> bool, &'static [(u32, u32)]);

/// Compares that end otherwise. The second parameter is the entry's name.
pub(crate) const COMPARES: &[Compared] = &[
    (
        "compare: an unknown attribute or a malformed value, and no such attribute or entry",
        "RFC 4511 4.10 has a code for either and no order: we look at the entry first, slapd at \
         what it is asked about",
        |_, _| true,
        &[(16, 21), (32, 21), (32, 17)],
    ),
    (
        "compare: with what is Undefined in a filter for slapd only",
        "the same reasons as in filters",
        |leaf, _| leaves(leaf.filter).any(|known| known.says == Says::SlapdUndefined),
        &[(5, 21), (6, 21), (5, 17), (6, 17), (16, 17), (21, 17)],
    ),
    (
        "compare: with what is Undefined in a filter here only",
        "the same reasons as in filters",
        |leaf, _| leaves(leaf.filter).any(|known| known.says == Says::WeUndefined),
        &[(21, 5)],
    ),
    (
        "compare: with what finds other entries in a filter",
        "the same reasons as in filters",
        |leaf, _| {
            let others = [Says::WeMore, Says::SlapdMore, Says::Others];
            leaves(leaf.filter).any(|known| others.contains(&known.says))
        },
        &[(6, 5), (5, 6)],
    ),
    (
        "compare: entryDN, subschemaSubentry",
        "slapd makes them when they are read, and is unwilling to compare them",
        |leaf, _| leaf.is_of(&["entryDN", "subschemaSubentry"]),
        &[(5, 53), (6, 53), (16, 53)],
    ),
    (
        "compare: of entries whose names slapd refuses",
        "the same reasons as in filters",
        |_, dn| is_odd_name(dn) || dn.contains("=#"),
        &[(32, 34), (5, 34), (6, 34), (16, 34), (17, 34), (21, 34)],
    ),
];

/// Why an attribute may be returned by one and not by the other, given what was asked
/// for, and whether only we return it.
pub(crate) fn returned(name: &str, list: &[&str], only_we: bool) -> Option<&'static str> {
    let known = schema::standard().attribute(name.split(';').next()?.as_bytes())?;
    let above = schema::standard().class("top")?;
    let of_class = list.iter().any(|asked| asked.starts_with('@'));
    if only_we && of_class && above.may.contains(&known.name) {
        return Some("@class: slapd's top is that of RFC 4512, ours is Active Directory's");
    }
    if list.iter().any(|asked| asked.to_ascii_lowercase().ends_with(";binary")) {
        let asks = |asked: &&str| {
            let base = asked.split(';').next().unwrap_or_default();
            schema::standard().attribute(base.as_bytes()).is_some_and(|a| a.id == known.id)
        };
        if list.iter().filter(|asked| asked.contains(';')).any(asks) {
            return Some(";binary: see the list of assertions");
        }
    }
    let asks_for = |id: &str| list.iter().any(|asked| asked.eq_ignore_ascii_case(id));
    let by_extensible = list.iter().any(|asked| asked.eq_ignore_ascii_case("@extensibleObject"));
    if by_extensible && !only_we && known.operational {
        return Some("@extensibleObject: slapd returns operational attributes as well");
    }
    if known.name == "objectClass" && asks_for("@subschema") {
        return Some("@subschema: RFC 4512 4.2 gives it no superior, AD and we have `top`");
    }
    if known.name == "cn" && asks_for("name") {
        return Some("name: slapd's stands for cn, too; see the list of assertions");
    }
    if known.name == "name" && asks_for(known.oid) {
        return Some("name by its object identifier: see the list of assertions");
    }
    let by_default = list.is_empty() || list.contains(&"*");
    (by_default && known.name == "primaryGroupToken").then_some(
        "primaryGroupToken: constructed in Active Directory and returned when asked for; slapd \
         lets a schema that is loaded have no operational attributes",
    )
}
