//! The base, its containers, and the tenant's domains. Pure: no I/O, no clock.

use super::draft::Draft;
use super::{Object, json};
use crate::directory::dn::Dn;
use crate::directory::entry::Entry;

/// The base entry. What it is follows from what it is named by.
pub(super) fn base(dn: &Dn) -> Entry {
    let mut draft = Draft::new(dn.clone());
    let (attribute, value) = named(dn);
    let (classes, category): (&[&str], _) = match attribute.to_ascii_lowercase().as_str() {
        "dc" => (&["top", "domain", "domainDNS", "dcObject"], "Domain-DNS"),
        "o" => (&["top", "organization"], "Organization"),
        "ou" => (&["top", "organizationalUnit"], "Organizational-Unit"),
        _ => (&["top", "container"], "Container"),
    };
    draft.texts("objectClass", classes);
    let structural = classes.iter().rev().find(|class| **class != "dcObject");
    draft.text("structuralObjectClass", structural);
    finish(draft, dn, dn, &attribute, &value, category)
}

/// A container of the tree.
pub(super) fn container(base: &Dn, dn: &Dn, ou: &str) -> Entry {
    let mut draft = Draft::new(dn.clone());
    draft.texts("objectClass", ["top", "organizationalUnit"]);
    draft.add("structuralObjectClass", "organizationalUnit");
    finish(draft, base, dn, "ou", ou, "Organizational-Unit")
}

/// A domain of the tenant. It is no `domainDNS`: clients look for their base by that.
pub(super) fn domain(draft: &mut Draft, object: &Object<'_>) {
    draft.texts("objectClass", ["top", "domain", "domainRelatedObject"]);
    draft.add("structuralObjectClass", "domain");
    let name = json::word(object.properties, "id");
    let name = name.as_deref().unwrap_or(object.name);
    draft.text("dc", Some(name));
    draft.text("associatedDomain", Some(name));
    for (property, description) in
        [("isDefault", "default"), ("isInitial", "initial"), ("isVerified", "verified")]
    {
        if json::is_true(object.properties, property) {
            draft.add("description", description);
        }
    }
}

/// The DN of an object category.
pub(super) fn category(base: &Dn, name: &str) -> String {
    base.child("CN", "Configuration").child("CN", "Schema").child("CN", name).to_string()
}

fn finish(
    mut draft: Draft,
    base: &Dn,
    dn: &Dn,
    attribute: &str,
    value: &str,
    category_name: &str,
) -> Entry {
    draft.name_by(attribute, value);
    draft.text("cn", (category_name == "Container").then_some(value));
    draft.text("name", Some(value));
    draft.add("objectCategory", category(base, category_name));
    draft.add("distinguishedName", dn.to_string());
    draft.add("entryDN", dn.to_string());
    draft.entry()
}

fn named(dn: &Dn) -> (String, String) {
    let pair = dn.rdn().and_then(|rdn| rdn.first());
    let (attribute, value) = pair.unwrap_or(("cn", b"root"));
    (attribute.to_owned(), String::from_utf8_lossy(value).into_owned())
}
