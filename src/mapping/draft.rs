//! An entry under construction, by attribute names. Pure: no I/O, no clock.

use crate::directory::attribute::{AttributeId, AttributeType, Syntax};
use crate::directory::dn::Dn;
use crate::directory::entry::{Entry, Values};
use crate::directory::schema;
use crate::directory::text;

/// An entry under construction.
pub(super) struct Draft {
    entry: Entry,
}

impl Draft {
    pub(super) fn new(dn: Dn) -> Self {
        Draft { entry: Entry::new(dn) }
    }

    /// Goes on from what there is.
    pub(super) fn of(entry: Entry) -> Self {
        Draft { entry }
    }

    pub(super) fn entry(self) -> Entry {
        self.entry
    }

    /// Adds a value. A single-valued attribute keeps its first. A value that is not of the
    /// attribute's syntax is left out: no index would find the entry by it.
    pub(super) fn add(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        let Some(attribute) = known(name) else { return };
        let value = value.into();
        let checked = matches!(
            attribute.syntax,
            Syntax::Integer
                | Syntax::GeneralizedTime
                | Syntax::Boolean
                | Syntax::Guid
                | Syntax::Sid
        );
        if checked && attribute.syntax.key(&value).is_none() {
            return;
        }
        if !attribute.single_value || self.values(attribute.id).next().is_none() {
            self.entry.add(attribute.id, value);
        }
    }

    /// Adds a text, unless it has nothing but white space.
    pub(super) fn text(&mut self, name: &str, value: Option<impl AsRef<str>>) {
        let Some(value) = value else { return };
        if !value.as_ref().trim().is_empty() {
            self.add(name, value.as_ref());
        }
    }

    /// Adds texts, as [`Draft::text`] does.
    pub(super) fn texts<T: AsRef<str>>(&mut self, name: &str, values: impl IntoIterator<Item = T>) {
        values.into_iter().for_each(|value| self.text(name, Some(value)));
    }

    /// Sets all values at once, distinct ones: a list may be long.
    pub(super) fn put(&mut self, name: &str, values: &[&str]) {
        let Some(attribute) = known(name) else { return };
        self.entry.set(attribute.id, values.iter().map(|v| v.as_bytes().to_vec()).collect());
    }

    /// Sees to it that `name` is among the values of the RDN's attribute, and the only
    /// one where there can be only one (RFC 4511 4.7, RFC 4512 2.3).
    pub(super) fn name_by(&mut self, attribute: &str, name: &str) {
        let Some(attribute) = known(attribute) else { return };
        let mut values = vec![name.as_bytes().to_vec()];
        if !attribute.single_value {
            let folded = text::fold(name);
            let other = |value: &&[u8]| match std::str::from_utf8(value) {
                Ok(value) => text::fold(value) != folded,
                Err(_) => true,
            };
            values.extend(self.values(attribute.id).filter(other).map(<[u8]>::to_vec));
        }
        self.entry.set(attribute.id, values);
    }

    /// Whether the attribute has a value.
    pub(super) fn has(&self, name: &str) -> bool {
        known(name).is_some_and(|attribute| self.values(attribute.id).next().is_some())
    }

    /// The first value of an attribute, where it is a text.
    pub(super) fn first(&self, name: &str) -> Option<String> {
        let first = self.values(known(name)?.id).next()?;
        String::from_utf8(first.to_vec()).ok()
    }

    /// Takes all attributes away but these.
    pub(super) fn keep_only(&mut self, names: &[&str]) {
        let kept: Vec<AttributeId> =
            names.iter().filter_map(|name| known(name)).map(|attribute| attribute.id).collect();
        let gone: Vec<AttributeId> =
            self.entry.attributes().map(|(id, _)| id).filter(|id| !kept.contains(id)).collect();
        gone.into_iter().for_each(|id| self.entry.set(id, Vec::new()));
    }

    /// Gives `name` the first value of `attribute`.
    pub(super) fn name_from(&mut self, attribute: &str) {
        let Some(attribute) = known(attribute) else { return };
        let first = self.values(attribute.id).next().map(<[u8]>::to_vec);
        first.into_iter().for_each(|value| self.add("name", value));
    }

    /// The values of an attribute.
    pub(super) fn values(&self, id: AttributeId) -> impl Iterator<Item = &[u8]> {
        self.entry.values(id)
    }
}

/// The attribute type; the configuration may name an RDN attribute that nobody defines.
pub(super) fn known(name: &str) -> Option<&'static AttributeType> {
    schema::standard().attribute(name.as_bytes())
}
