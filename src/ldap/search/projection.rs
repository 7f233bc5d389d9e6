//! Which attributes of an entry are returned (RFC 4511 4.5.1.8), and how they are
//! copied from its stored form. Pure: no clock; reads the snapshot.

use super::ReadError;
use super::constructed::Constructed;
use crate::directory::attribute::{AttributeId, AttributeType, Syntax};
use crate::directory::entry::Values;
use crate::directory::predicate::Predicate;
use crate::directory::schema::{Described, Schema};
use crate::ldap::profile::Attributes;
use crate::ldap::wire::response::{EntryWriter, attribute};
use crate::replica::AttributeView;
use crate::replica::encoding::{push_attribute, push_known, values_in};
use crate::replica::reader::{Snapshot, StoredEntry};

/// A parsed list of attributes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Projection {
    user: bool,
    operational: bool,
    named: Vec<AttributeId>,
    /// Asked for with `;binary`, and returned under that name.
    binary: Vec<AttributeId>,
    ranges: Vec<Range>,
    constructed: Vec<Constructed>,
    types_only: bool,
    /// Of each attribute only values that one of these is true of (RFC 3876).
    matched: Option<Vec<Predicate>>,
    /// What may be returned at all; `None` for everything.
    readable: Option<Attributes>,
}

/// Some of an attribute's values: `member;range=0-499` (MS-ADTS 3.1.1.3.1.3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    attribute: AttributeId,
    low: usize,
    /// The last one asked for; `None` for `*`.
    high: Option<usize>,
}

impl Projection {
    /// Reads a list of attribute descriptions. What may not be read is as good as unknown.
    pub(crate) fn new<'a>(
        list: impl Iterator<Item = &'a [u8]>,
        types_only: bool,
        schema: &Schema,
        may_read: &dyn Fn(AttributeId) -> bool,
    ) -> Self {
        let mut projection = Projection { types_only, ..Self::default() };
        let mut is_empty = true;
        for name in list {
            is_empty = false;
            match name {
                // RFC 4511 4.5.1.8: "an asterisk [...] requests the return of all user
                // attributes"; RFC 3673: `+` of all operational ones.
                b"*" => projection.user = true,
                b"+" => projection.operational = true,
                // RFC 4529 2: "@" and an object class: "all attributes allowed".
                [b'@', class @ ..] => projection.class(class, schema, may_read),
                name => projection.name(name, schema, may_read),
            }
        }
        // RFC 4511 4.5.1.8: "An empty list with no attributes requests the return of all
        // user attributes." A list of `1.1` alone asks for none; beside others it is one
        // more unknown name, and those "are ignored".
        projection.user |= is_empty;
        for made in Constructed::OPERATIONAL {
            if projection.operational && !projection.constructed.contains(&made) {
                projection.constructed.push(made);
            }
        }
        projection
    }

    /// Only values that one of `items` is true of.
    pub(crate) fn matching(self, items: Option<Vec<Predicate>>) -> Self {
        Projection { matched: items, ..self }
    }

    /// Whether an attribute is asked for that is made of several entries.
    pub(crate) fn constructs(&self) -> bool {
        self.constructed.iter().any(|made| made.is_of_several())
    }

    fn name(
        &mut self,
        description: &[u8],
        schema: &Schema,
        may_read: &dyn Fn(AttributeId) -> bool,
    ) {
        if let Some((found, low, high)) = ranged(description, schema) {
            // One range of an attribute is enough: a thousand of them would make a group of
            // ten thousand members a thousand times as large.
            let is_known = self.ranges.iter().any(|other| other.attribute == found.id);
            if may_read(found.id) && !is_known {
                self.ranges.push(Range { attribute: found.id, low, high });
            }
            return;
        }
        // RFC 4511 4.5.1.8: an attribute with a language tag is a subtype that no value
        // is stored with, and what is not known "is ignored".
        let Described::Attribute(found) = schema.described(description) else { return };
        let is_binary = description.contains(&b';');
        let made = Constructed::of(found);
        let sources = made.iter().flat_map(|made| made.made_of());
        if !sources.chain([found.id]).all(may_read) {
            return;
        }
        match made {
            Some(made) if !self.constructed.contains(&made) => self.constructed.push(made),
            Some(_) => {}
            None if is_binary && is_octets(found) => push(&mut self.binary, found.id),
            None => push(&mut self.named, found.id),
        }
    }

    /// RFC 4529 2: an unknown class, like an unknown attribute, is ignored.
    fn class(&mut self, name: &[u8], schema: &Schema, may_read: &dyn Fn(AttributeId) -> bool) {
        let mut next = std::str::from_utf8(name).ok().and_then(|name| schema.class(name));
        while let Some(class) = next {
            // RFC 4512 4.3: of extensibleObject, "all user attributes" are allowed.
            self.user |= class.name == "extensibleObject";
            for name in class.must.iter().chain(class.may) {
                if let Some(found) = schema.attribute(name.as_bytes())
                    && may_read(found.id)
                    && Constructed::of(found).is_none()
                {
                    push(&mut self.named, found.id);
                }
            }
            next = schema.class(class.superior).filter(|above| above.name != class.name);
        }
    }

    /// Returns nothing but these attributes, whatever has been asked for.
    pub(crate) fn restrict(&mut self, readable: &Attributes) {
        self.readable = Some(readable.clone());
    }

    fn may_return(&self, slot: &AttributeView<'_>) -> bool {
        self.readable.as_ref().is_none_or(|readable| readable.holds(slot.id))
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
        let writer = EntryWriter::begin(out, id, entry.view().dn());
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
        let put = |out: &mut Vec<u8>, found: &AttributeView<'_>| {
            if let Some(known) = schema.get(found.id) {
                push_known(out, known, entry.set(found)?);
            }
            Ok::<(), ReadError>(())
        };
        let many = if self.named.len() > FEW { self.named.as_slice() } else { &[] };
        if self.user || self.operational || !many.is_empty() {
            let named = Marks::of(many);
            view.each(|found| match named.hold(found.id) || self.covers(&found) {
                true if self.may_return(&found) => put(out, &found),
                _ => Ok(()),
            })?;
        }
        let few = if many.is_empty() { self.named.as_slice() } else { &[] };
        for attribute in few {
            if let Some(found) = view.attribute(*attribute)
                && !self.covers(&found)
            {
                put(out, &found)?;
            }
        }
        for id in &self.binary {
            if let (Some(found), Some(known)) = (view.attribute(*id), schema.get(*id)) {
                push_attribute(out, &format!("{};binary", known.name), entry.set(&found)?);
            }
        }
        for range in &self.ranges {
            if let Some(found) = view.attribute(range.attribute) {
                range.copy(out, entry.set(&found)?, schema);
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
            let values: Vec<&[u8]> = values_in(set).filter(matches).collect();
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
        for made in &self.constructed {
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
        let asked =
            self.covers(slot) || self.named.contains(&slot.id) || self.binary.contains(&slot.id);
        asked && self.may_return(slot)
    }

    /// Whether `*` or `+` asks for an attribute already.
    fn covers(&self, slot: &AttributeView<'_>) -> bool {
        if slot.operational { self.operational } else { self.user }
    }
}

/// So many attributes are looked for one by one; for more, all of an entry are looked at.
const FEW: usize = 4;

/// A set of attributes.
struct Marks<'l> {
    bits: [u64; 16],
    list: &'l [AttributeId],
}

impl<'l> Marks<'l> {
    fn of(list: &'l [AttributeId]) -> Self {
        let mut bits = [0; 16];
        for id in list {
            if let Some(word) = bits.get_mut(usize::from(id.0 / 64)) {
                *word |= 1 << (id.0 % 64);
            }
        }
        Marks { bits, list }
    }

    fn hold(&self, id: AttributeId) -> bool {
        match self.bits.get(usize::from(id.0 / 64)) {
            Some(word) => word & (1 << (id.0 % 64)) != 0,
            None => self.list.contains(&id),
        }
    }
}

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

fn push(list: &mut Vec<AttributeId>, id: AttributeId) {
    if !list.contains(&id) {
        list.push(id);
    }
}

/// RFC 4522 3: the option is for values that are transferred in binary form.
fn is_octets(attribute: &AttributeType) -> bool {
    matches!(attribute.syntax, Syntax::OctetString | Syntax::Guid | Syntax::Sid)
}

impl Range {
    fn copy(&self, out: &mut Vec<u8>, set: &[u8], schema: &Schema) {
        let Some(found) = schema.get(self.attribute) else { return };
        let count = values_in(set).count();
        if self.low >= count || self.high.is_some_and(|high| high < self.low) {
            return;
        }
        let high = self.high.filter(|high| high + 1 < count);
        let wanted = high.map_or(usize::MAX, |high| high - self.low + 1);
        // `*` as the upper end says that there are no more.
        let end = high.map_or_else(|| "*".to_owned(), |high| high.to_string());
        let name = format!("{};range={}-{end}", found.name, self.low);
        let values: Vec<&[u8]> = values_in(set).skip(self.low).take(wanted).collect();
        attribute(out, &name, values.iter().copied());
    }
}

/// An attribute with a `range` option, and that range.
fn ranged<'s>(
    description: &[u8],
    schema: &'s Schema,
) -> Option<(&'s AttributeType, usize, Option<usize>)> {
    let at = description.iter().position(|octet| *octet == b';')?;
    let (name, option) = description.split_at_checked(at)?;
    let option = std::str::from_utf8(option).ok()?.to_ascii_lowercase();
    let (low, high) = option.strip_prefix(";range=")?.split_once('-')?;
    let high = if high == "*" { None } else { Some(high.parse().ok()?) };
    Some((schema.attribute(name)?, low.parse().ok()?, high))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::schema;
    use crate::replica::encoding::{set_of, split_tlv, values_of};

    fn projection(names: &[&str]) -> Projection {
        Projection::new(
            names.iter().map(|name| name.as_bytes()),
            false,
            schema::standard(),
            &|_| true,
        )
    }

    fn id(name: &str) -> AttributeId {
        schema::standard().attribute(name.as_bytes()).unwrap().id
    }

    #[test]
    fn lists_mean_what_the_rfc_says() {
        let user = Projection { user: true, ..Projection::default() };
        assert_eq!(projection(&[]), user);
        assert_eq!(projection(&["*"]), user);
        let constructed = Constructed::OPERATIONAL.to_vec();
        assert_eq!(
            projection(&["*", "+"]),
            Projection { user: true, operational: true, constructed, ..Projection::default() }
        );
        assert_eq!(projection(&["1.1"]), Projection::default());
        let mail = Projection { named: vec![id("mail")], ..Projection::default() };
        assert_eq!(projection(&["1.1", "mail"]), mail);
        assert_eq!(projection(&["MAIL", "mail", "rfc822Mailbox"]), mail);
        assert_eq!(projection(&["0.9.2342.19200300.100.1.3", "dn", "bogus", ""]), mail);
    }

    #[test]
    fn of_options_binary_and_ranges_match_values() {
        assert_eq!(projection(&["cn;lang-en", "mail;x-old"]), Projection::default());
        let guid = Projection { binary: vec![id("objectGUID")], ..Projection::default() };
        assert_eq!(projection(&["objectGUID;binary", "OBJECTGUID;BINARY"]), guid);
        assert_eq!(projection(&["mail;binary"]), projection(&["mail"]));
        let range = |low, high| Range { attribute: id("member"), low, high };
        assert_eq!(projection(&["member;range=0-*"]).ranges, [range(0, None)]);
        assert_eq!(projection(&["MEMBER;RANGE=5-9"]).ranges, [range(5, Some(9))]);
        let twice = projection(&["member;range=0-4", "member;range=0-5", "mail;range=0-*"]);
        assert_eq!((twice.ranges.len(), twice.ranges[0]), (2, range(0, Some(4))));
        for bad in ["member;range=", "member;range=a-b", "member;range=-1-2"] {
            assert_eq!(projection(&[bad]), Projection::default(), "{bad}");
        }
    }

    #[test]
    fn a_class_stands_for_its_attributes_and_those_above() {
        let person = projection(&["@person"]);
        for name in ["sn", "cn", "telephoneNumber", "objectClass"] {
            assert!(person.named.contains(&id(name)), "{name}");
        }
        assert!(!person.named.contains(&id("mail")));
        assert!(projection(&["@USER"]).named.contains(&id("mail")));
        assert_eq!(projection(&["@bogus", "@"]), Projection::default());
    }

    #[test]
    fn a_range_says_where_it_ends() {
        let values: [&[u8]; 3] = [b"a", b"b", b"c"];
        let mut tlv = Vec::new();
        attribute(&mut tlv, "member", values.into_iter());
        let text = |low, high| {
            let mut out = Vec::new();
            let range = Range { attribute: id("member"), low, high };
            range.copy(&mut out, set_of(&tlv).unwrap(), schema::standard());
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
