//! Which attributes of an entry are returned (RFC 4511 4.5.1.8), and how they are
//! copied from its stored form. Pure: no clock; reads the snapshot.

use super::ReadError;
use super::asked::{Asked, Range};
use crate::directory::attribute::AttributeId;
use crate::directory::entry::Values;
use crate::directory::predicate::Predicate;
use crate::directory::schema::Schema;
use crate::ldap::profile::Attributes;
use crate::ldap::wire::response::{EntryWriter, attribute};
use crate::replica::encoding::push_attribute;
use crate::replica::frames::{Frames, frames};
use crate::replica::reader::{Snapshot, StoredEntry};
use crate::replica::set::Set;
use crate::replica::{AttributeView, Visit};
use std::sync::Arc;

/// What is returned of an entry.
#[derive(Debug, Default)]
pub(crate) struct Projection {
    asked: Arc<Asked>,
    types_only: bool,
    /// Of each attribute only values that one of these is true of (RFC 3876).
    matched: Option<Vec<Predicate>>,
    /// What may be returned at all; `None` for everything.
    readable: Option<Attributes>,
}

impl Projection {
    /// Of all entries what is asked for; only types of attributes where that is wished.
    pub(crate) fn new(asked: Arc<Asked>, types_only: bool) -> Self {
        Projection { asked, types_only, ..Self::default() }
    }

    /// Only values that one of `items` is true of.
    pub(crate) fn matching(self, items: Option<Vec<Predicate>>) -> Self {
        Projection { matched: items, ..self }
    }

    /// Whether an attribute is asked for that is made of several entries.
    pub(crate) fn constructs(&self) -> bool {
        self.asked.constructed.iter().any(|made| made.is_of_several())
    }

    /// Returns nothing but these attributes, whatever has been asked for.
    pub(crate) fn restrict(&mut self, readable: &Attributes) {
        self.readable = Some(readable.clone());
    }

    fn may_return(&self, id: AttributeId) -> bool {
        self.readable.as_ref().is_none_or(|readable| readable.holds(id))
    }

    /// Writes an entry as a search result. On an error nothing is written. `counts` says
    /// which other entries may have a part in constructed attributes.
    pub(crate) fn write(
        &self,
        out: &mut Vec<u8>,
        id: i32,
        entry: &StoredEntry<'_>,
        (snapshot, schema): (&Snapshot, &Schema),
        counts: &dyn Fn(&StoredEntry<'_>) -> bool,
    ) -> Result<(), ReadError> {
        let writer = EntryWriter::begin(out, id, entry.view().dn_octets());
        let copied = if self.types_only {
            self.copy_types(out, entry, schema);
            Ok(())
        } else if self.matched.is_some() {
            self.sift(out, entry, schema)
        } else {
            self.copy(out, entry, schema)
        };
        let constructed = copied.and_then(|()| self.construct(out, entry, snapshot, counts));
        match constructed {
            Ok(()) => writer.finish(out),
            Err(_) => writer.undo(out),
        }
        constructed
    }

    fn copy(
        &self,
        out: &mut Vec<u8>,
        entry: &StoredEntry<'_>,
        schema: &Schema,
    ) -> Result<(), ReadError> {
        let view = entry.view();
        let asked = &*self.asked;
        let named = asked.named.as_slice();
        let are_many = named.len() > FEW;
        if asked.user || asked.operational || are_many {
            view.visit(&mut Copier { projection: self, entry, out, are_many, frames: frames() })?;
        }
        for attribute in if are_many { &[] } else { named } {
            if let Some(found) = view.attribute(*attribute)
                && !self.covers(found.operational)
            {
                frames().push(out, found.id, &entry.set(&found)?);
            }
        }
        for id in &asked.binary {
            if let (Some(found), Some(known)) = (view.attribute(*id), schema.get(*id)) {
                push_attribute(out, &format!("{};binary", known.name), &entry.set(&found)?);
            }
        }
        for range in &asked.ranges {
            if let Some(found) = view.attribute(range.attribute) {
                range.copy(out, &entry.set(&found)?, schema);
            }
        }
        Ok(())
    }

    /// RFC 3876 2: of each attribute the values that match an item; without one, nothing
    /// of the attribute.
    fn sift(
        &self,
        out: &mut Vec<u8>,
        entry: &StoredEntry<'_>,
        schema: &Schema,
    ) -> Result<(), ReadError> {
        let items = self.matched.as_deref().unwrap_or_default();
        for slot in entry.view().attributes() {
            let Some(found) = schema.get(slot.id).filter(|_| self.asks_for(&slot)) else {
                continue;
            };
            let set = entry.set(&slot)?;
            let matches = |value: &&[u8]| {
                let alone = OneValue { attribute: slot.id, value };
                items.iter().any(|item| item.evaluate(&alone, &|_, _| false) == Some(true))
            };
            let values: Vec<&[u8]> = set.values().filter(matches).collect();
            if !values.is_empty() {
                attribute(out, found.name, values.iter().copied());
            }
        }
        Ok(())
    }

    fn construct(
        &self,
        out: &mut Vec<u8>,
        entry: &StoredEntry<'_>,
        snapshot: &Snapshot,
        counts: &dyn Fn(&StoredEntry<'_>) -> bool,
    ) -> Result<(), ReadError> {
        for made in &self.asked.constructed {
            let values = made.values(entry, snapshot, counts)?;
            if !values.is_empty() {
                let shown = if self.types_only { &[] } else { values.as_slice() };
                attribute(out, made.name(), shown.iter().map(Vec::as_slice));
            }
        }
        Ok(())
    }

    /// RFC 4511 4.5.1: "typesOnly [...] TRUE causes only attribute descriptions".
    fn copy_types(&self, out: &mut Vec<u8>, entry: &StoredEntry<'_>, schema: &Schema) {
        for slot in entry.view().attributes().filter(|slot| self.asks_for(slot)) {
            if let Some(found) = schema.get(slot.id) {
                attribute(out, found.name, std::iter::empty());
            }
        }
    }

    fn asks_for(&self, slot: &AttributeView<'_>) -> bool {
        let named = self.asked.named.hold(slot.id) || self.asked.binary.contains(&slot.id);
        (named || self.covers(slot.operational)) && self.may_return(slot.id)
    }

    /// Whether `*` or `+` asks for an attribute already.
    fn covers(&self, operational: bool) -> bool {
        if operational { self.asked.operational } else { self.asked.user }
    }
}

/// Copies attributes of an entry into an answer.
struct Copier<'c, 'e> {
    projection: &'c Projection,
    entry: &'e StoredEntry<'e>,
    out: &'c mut Vec<u8>,
    /// Whether those that are named are looked for here.
    are_many: bool,
    frames: &'static Frames,
}

impl<'e> Visit<'e> for Copier<'_, 'e> {
    type Error = ReadError;

    #[inline]
    fn wants(&self, id: AttributeId, operational: bool) -> bool {
        let is_named = self.are_many && self.projection.asked.named.hold(id);
        (is_named || self.projection.covers(operational)) && self.projection.may_return(id)
    }

    #[inline]
    fn whole(&mut self, id: AttributeId, tlvs: &'e [u8]) {
        self.frames.push_whole(self.out, id, tlvs);
    }

    fn other(&mut self, found: AttributeView<'e>) -> Result<(), ReadError> {
        self.frames.push(self.out, found.id, &self.entry.set(&found)?);
        Ok(())
    }
}

/// So many attributes are looked for one by one; for more, all of an entry are looked at.
const FEW: usize = 4;

/// One value of an entry, as if it were all of it.
struct OneValue<'a> {
    attribute: AttributeId,
    value: &'a [u8],
}

impl Values for OneValue<'_> {
    fn values(&self, attribute: AttributeId) -> impl Iterator<Item = &[u8]> {
        (attribute == self.attribute).then_some(self.value).into_iter()
    }
}

impl Range {
    fn copy(&self, out: &mut Vec<u8>, set: &Set<'_>, schema: &Schema) {
        let Some(found) = schema.get(self.attribute) else { return };
        let count = set.values().count();
        if self.low >= count || self.high.is_some_and(|high| high < self.low) {
            return;
        }
        let high = self.high.filter(|high| high + 1 < count);
        let wanted = high.map_or(usize::MAX, |high| high - self.low + 1);
        // `*` as the upper end says that there are no more.
        let end = high.map_or_else(|| "*".to_owned(), |high| high.to_string());
        let name = format!("{};range={}-{end}", found.name, self.low);
        let values: Vec<&[u8]> = set.values().skip(self.low).take(wanted).collect();
        attribute(out, &name, values.iter().copied());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::schema;
    use crate::replica::encoding::{set_of, split_tlv, values_of};

    fn id(name: &str) -> AttributeId {
        schema::standard().attribute(name.as_bytes()).unwrap().id
    }

    #[test]
    fn a_range_says_where_it_ends() {
        let values: [&[u8]; 3] = [b"a", b"b", b"c"];
        let mut tlv = Vec::new();
        attribute(&mut tlv, "member", values.into_iter());
        let text = |low, high| {
            let mut out = Vec::new();
            let range = Range { attribute: id("member"), low, high };
            range.copy(&mut out, &Set::Whole(set_of(&tlv).unwrap()), schema::standard());
            let (_, inside, _) = split_tlv(&out)?;
            let (_, name, _) = split_tlv(inside)?;
            Some((String::from_utf8_lossy(name).into_owned(), values_of(&out).count()))
        };
        let named = |name: &str, count| Some((format!("member;range={name}"), count));
        assert_eq!(text(0, None), named("0-*", 3));
        assert_eq!(text(0, Some(1)), named("0-1", 2));
        assert_eq!(text(1, Some(2)), named("1-*", 2));
        assert_eq!(text(2, Some(99)), named("2-*", 1));
        assert_eq!(text(3, None), None);
        assert_eq!(text(2, Some(1)), None);
    }
}
