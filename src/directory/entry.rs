//! An entry as a value: what a mapping makes and a filter tests. Pure: no I/O, no clock.

use super::attribute::AttributeId;
use super::dn::Dn;
use std::collections::BTreeMap;

/// A name and its attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The entry's name.
    pub dn: Dn,
    attributes: BTreeMap<AttributeId, Vec<Vec<u8>>>,
}

/// Something that has attribute values: an [`Entry`] or its stored form.
pub trait Values {
    /// The values of `attribute`; none where the entry lacks it.
    fn values(&self, attribute: AttributeId) -> impl Iterator<Item = &[u8]>;
}

impl Entry {
    /// An entry without attributes.
    pub fn new(dn: Dn) -> Self {
        Entry { dn, attributes: BTreeMap::new() }
    }

    /// Adds a value, unless it is empty or there already.
    pub fn add(&mut self, attribute: AttributeId, value: impl Into<Vec<u8>>) {
        let value = value.into();
        let values = self.attributes.entry(attribute).or_default();
        if !value.is_empty() && !values.contains(&value) {
            values.push(value);
        }
    }

    /// Replaces all values of an attribute, as they are. No value removes it.
    pub fn set(&mut self, attribute: AttributeId, values: Vec<Vec<u8>>) {
        if values.is_empty() {
            self.attributes.remove(&attribute);
        } else {
            self.attributes.insert(attribute, values);
        }
    }

    /// The attributes that have values, in the schema's order.
    pub fn attributes(&self) -> impl Iterator<Item = (AttributeId, &[Vec<u8>])> {
        self.attributes
            .iter()
            .filter(|(_, v)| !v.is_empty())
            .map(|(id, values)| (*id, values.as_slice()))
    }
}

impl Values for Entry {
    fn values(&self, attribute: AttributeId) -> impl Iterator<Item = &[u8]> {
        self.attributes.get(&attribute).into_iter().flatten().map(Vec::as_slice)
    }
}
