//! The subschema entry: the schema as clients read it (RFC 4512 4.2).
//! Pure: no I/O, no clock.

use super::generated::Generated;
use crate::directory::dn::{Dn, DnKey};
use crate::directory::subschema;

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
    entry.add("attributeTypes", subschema::attribute_types());
    entry.add("objectClasses", subschema::object_classes());
    entry.add("matchingRules", subschema::matching_rules());
    entry.add("matchingRuleUse", subschema::matching_rule_use());
    entry.add("ldapSyntaxes", subschema::ldap_syntaxes());
    for name in ["dITContentRules", "dITStructureRules", "nameForms"] {
        entry.add(name, None::<String>);
    }
    entry.add("subschemaSubentry", [DN]);
    entry
}
