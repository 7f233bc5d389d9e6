//! Entries that are made, not stored: the root DSE and the subschema entry.
//! Pure: no I/O, no clock.

use super::wire::request::{AttributeList, SearchRequest};
use super::wire::response::{EntryWriter, attribute};
use crate::directory::attribute::AttributeId;
use crate::directory::entry::Values;
use crate::directory::filter::Filter;
use crate::directory::predicate::Predicate;
use crate::directory::schema;

/// An entry made on the spot.
#[derive(Debug, Clone)]
pub(crate) struct Generated {
    /// Its name.
    pub(crate) dn: &'static str,
    /// Names and values. An attribute may be there without a value: then it is named
    /// when asked for by name, and clients see that it is known.
    pub(crate) attributes: Vec<(&'static str, Vec<Vec<u8>>)>,
}

impl Generated {
    /// Adds an attribute with text values.
    pub(crate) fn add(
        &mut self,
        name: &'static str,
        values: impl IntoIterator<Item = impl Into<String>>,
    ) {
        let values = values.into_iter().map(|value| value.into().into_bytes()).collect();
        self.attributes.push((name, values));
    }

    /// Writes the entry, if the request's filter is true of it. Says whether.
    ///
    /// Some clients ask for these entries with an empty list, some with `*`, some with
    /// `+`, and expect everything each time; Active Directory gives it.
    pub(crate) fn answer(&self, out: &mut Vec<u8>, id: i32, request: &SearchRequest<'_>) -> bool {
        if !self.satisfies(&request.filter) {
            return false;
        }
        let writer = EntryWriter::begin(out, id, self.dn.as_bytes());
        let wanted = Wanted::of(&request.attributes);
        for (name, values) in &self.attributes {
            let by_name = wanted.names(name);
            if by_name || (wanted.everything && !values.is_empty()) {
                let values = if request.types_only { &[][..] } else { values.as_slice() };
                attribute(out, name, values.iter().map(Vec::as_slice));
            }
        }
        writer.finish(out);
        true
    }

    /// Whether a filter is true of the entry. Root DSE and schema are open to everyone, all
    /// of them.
    pub(crate) fn satisfies(&self, filter: &Filter<'_>) -> bool {
        let predicate = Predicate::bind(filter, schema::standard(), &|_| true);
        predicate.evaluate(self, &|_, _| false) == Some(true)
    }

    /// The values of an attribute, by any of its names; `None` where it is not there.
    pub(crate) fn find(&self, name: &[u8]) -> Option<&[Vec<u8>]> {
        self.attributes
            .iter()
            .find(|(own, _)| is_name_of(name, own))
            .map(|(_, values)| values.as_slice())
    }
}

impl Values for Generated {
    fn values(&self, attribute: AttributeId) -> impl Iterator<Item = &[u8]> {
        let name = schema::standard().get(attribute).map(|attribute| attribute.name);
        let found = name.and_then(|name| self.find(name.as_bytes()));
        found.into_iter().flatten().map(Vec::as_slice)
    }
}

struct Wanted<'a> {
    everything: bool,
    list: AttributeList<'a>,
}

impl<'a> Wanted<'a> {
    fn of(list: &AttributeList<'a>) -> Self {
        let mut names = list.iter();
        let everything =
            names.next().is_none() || list.iter().any(|name| matches!(name, b"*" | b"+"));
        Wanted { everything, list: *list }
    }

    fn names(&self, own: &str) -> bool {
        self.list.iter().any(|name| is_name_of(name, own))
    }
}

fn is_name_of(name: &[u8], own: &str) -> bool {
    name.eq_ignore_ascii_case(own.as_bytes())
        || schema::standard().attribute(name).is_some_and(|found| found.name == own)
}
