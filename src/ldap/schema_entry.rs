//! The subschema entry: the schema as clients read it (RFC 4512 4.2).
//! Pure: no I/O, no clock.

use super::generated::Generated;
use crate::directory::dn::{Dn, DnKey};
use crate::directory::schema;

/// The entry's name.
pub(crate) const DN: &str = "cn=Subschema";

/// What the entry's name compares as.
pub(crate) fn key() -> DnKey {
    Dn::parse(DN).map(|dn| dn.key()).unwrap_or_default()
}

/// Makes the entry. It never changes while the process runs.
pub(crate) fn make() -> Generated {
    let mut entry = Generated { dn: DN, attributes: Vec::with_capacity(12) };
    entry.add("objectClass", ["top", "subentry", "subschema"]);
    entry.add("cn", ["Subschema"]);
    entry.add("attributeTypes", attribute_types());
    entry.add("objectClasses", object_classes());
    for name in [
        "matchingRules",
        "matchingRuleUse",
        "ldapSyntaxes",
        "dITContentRules",
        "dITStructureRules",
        "nameForms",
    ] {
        entry.add(name, None::<String>);
    }
    entry.add("subschemaSubentry", [DN]);
    entry
}

fn attribute_types() -> Vec<String> {
    let line =
        |a: &crate::directory::attribute::AttributeType| format!("( {} NAME '{}' )", a.oid, a.name);
    schema::standard().attributes().iter().map(line).collect()
}

fn object_classes() -> Vec<String> {
    let line = |c: &schema::ObjectClass| format!("( {} NAME '{}' )", c.oid, c.name);
    schema::standard().classes().iter().map(line).collect()
}
