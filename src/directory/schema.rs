//! The schema: attribute types and object classes, looked up by name, alias or OID.
//! Pure: no I/O, no clock.

use super::attribute::{AttributeId, AttributeType};
use super::definitions;
use super::nearest::nearest;
use rustc_hash::FxHashMap;
use std::sync::OnceLock;

/// An object class definition (RFC 4512 4.1.1).
#[derive(Debug)]
pub struct ObjectClass {
    /// Its object identifier.
    pub oid: &'static str,
    /// Its name.
    pub name: &'static str,
    /// The class it refines; empty for `top`.
    pub superior: &'static str,
    /// Structural, auxiliary or abstract.
    pub kind: ClassKind,
    /// Attributes an entry of the class has.
    pub must: &'static [&'static str],
    /// Attributes an entry of the class may have.
    pub may: &'static [&'static str],
}

/// The kinds of object classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClassKind {
    /// Entries are not made of it alone.
    Abstract,
    /// What an entry is.
    Structural,
    /// What is added to an entry.
    Auxiliary,
}

/// Attribute types and object classes.
#[derive(Debug)]
pub struct Schema {
    attributes: Vec<AttributeType>,
    classes: Vec<ObjectClass>,
    /// Clients choose the names that are looked up here, not those that are in it: a hash
    /// that they can foresee does them no good.
    attribute_names: FxHashMap<Vec<u8>, AttributeId>,
    class_names: FxHashMap<Vec<u8>, usize>,
}

/// What an attribute description means (RFC 4512 2.5).
#[derive(Debug, Clone, Copy)]
pub enum Described<'s> {
    /// An attribute type.
    Attribute(&'s AttributeType),
    /// A subtype of an attribute type, by a language tag. No value is stored with one, so
    /// it is known and absent everywhere.
    Subtype(&'s AttributeType),
    /// RFC 4512 2.5: "An attribute description with an unrecognized attribute description
    /// option is to be treated as an unrecognized attribute description."
    Unknown,
}

/// The schema that entraldap serves.
pub fn standard() -> &'static Schema {
    static SCHEMA: OnceLock<Schema> = OnceLock::new();
    SCHEMA.get_or_init(|| Schema::new(definitions::attributes(), definitions::classes()))
}

impl Schema {
    fn new(attributes: Vec<AttributeType>, classes: Vec<ObjectClass>) -> Self {
        let mut attribute_names = FxHashMap::default();
        for attribute in &attributes {
            for name in attribute.aliases.iter().chain([&attribute.name, &attribute.oid]) {
                attribute_names.insert(name.to_ascii_lowercase().into_bytes(), attribute.id);
            }
        }
        let mut class_names = FxHashMap::default();
        for (at, class) in classes.iter().enumerate() {
            class_names.insert(class.name.to_ascii_lowercase().into_bytes(), at);
            class_names.insert(class.oid.as_bytes().to_vec(), at);
        }
        Schema { attributes, classes, attribute_names, class_names }
    }

    /// All attribute types, by number.
    pub fn attributes(&self) -> &[AttributeType] {
        &self.attributes
    }

    /// All object classes.
    pub fn classes(&self) -> &[ObjectClass] {
        &self.classes
    }

    /// The attribute type with this number.
    pub fn get(&self, id: AttributeId) -> Option<&AttributeType> {
        self.attributes.get(usize::from(id.0))
    }

    /// The attribute type with this name, alias or OID, in any case.
    pub fn attribute(&self, name: &[u8]) -> Option<&AttributeType> {
        let id = find(&self.attribute_names, name)?;
        self.get(id)
    }

    /// The attribute type that a mistyped name was probably meant to be.
    pub fn nearest(&self, name: &str) -> Option<&AttributeType> {
        let named = |known: &AttributeType| {
            known
                .aliases
                .iter()
                .chain([&known.name])
                .map(|name| name.to_ascii_lowercase())
                .collect()
        };
        let lower: Vec<String> = self.attributes.iter().flat_map::<Vec<String>, _>(named).collect();
        let names: Vec<&str> = lower.iter().map(String::as_str).collect();
        self.attribute(nearest(name, &names)?.as_bytes())
    }

    /// What an attribute description means: an attribute type with options.
    pub fn described(&self, description: &[u8]) -> Described<'_> {
        let mut parts = description.split(|octet| *octet == b';');
        let Some(attribute) = parts.next().and_then(|name| self.attribute(name)) else {
            return Described::Unknown;
        };
        let mut described = Described::Attribute(attribute);
        for option in parts {
            // RFC 3866 2.1: `lang-` and a language tag. RFC 4522: `binary` says only how
            // values are transferred.
            let language = option.get(..5).is_some_and(|it| it.eq_ignore_ascii_case(b"lang-"));
            let is_tag = |o: &u8| o.is_ascii_alphanumeric() || *o == b'-';
            if language && option.len() > 5 && option.iter().all(is_tag) {
                described = Described::Subtype(attribute);
            } else if !option.eq_ignore_ascii_case(b"binary") {
                return Described::Unknown;
            }
        }
        described
    }

    /// The object class with this name, in any case, or OID.
    pub fn class(&self, name: &str) -> Option<&ObjectClass> {
        let at = find(&self.class_names, name.as_bytes())?;
        self.classes.get(at)
    }

    /// What a short name in `objectCategory=name` compares as: the folded first
    /// component of the category's DN (MS-ADTS 3.1.1.3.1.3.5).
    pub fn category(&self, name: &str) -> Option<&'static str> {
        Some(match name.to_ascii_lowercase().as_str() {
            "person" | "user" | "contact" | "inetorgperson" | "organizationalperson" => "person",
            "group" => "group",
            "computer" => "computer",
            "container" => "container",
            "organizationalunit" => "organizational-unit",
            "domain" | "domaindns" => "domain-dns",
            "publicfolder" => "ms-exch-public-folder",
            "msexchdynamicdistributionlist" => "ms-exch-dynamic-distribution-list",
            _ => return None,
        })
    }
}

/// What has this name, in any case. No name of the schema is longer than 64 octets.
fn find<T: Copy>(names: &FxHashMap<Vec<u8>, T>, name: &[u8]) -> Option<T> {
    let mut lower = [0u8; 64];
    let lower = lower.get_mut(..name.len())?;
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    names.get(&*lower).copied()
}
