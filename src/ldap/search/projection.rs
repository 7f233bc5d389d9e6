//! Which attributes of an entry are returned (RFC 4511 4.5.1.8), and how they are
//! copied from its stored form. Pure: no I/O, no clock.

use super::ReadError;
use crate::directory::attribute::AttributeId;
use crate::directory::schema::Schema;
use crate::ldap::profile::Attributes;
use crate::ldap::wire::response::{EntryWriter, attribute};
use crate::replica::encoding::{Slot, values_of};
use crate::replica::reader::StoredEntry;

/// A parsed list of attributes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Projection {
    user: bool,
    operational: bool,
    named: Vec<AttributeId>,
    ranges: Vec<Range>,
    types_only: bool,
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
    /// Reads a list of attribute descriptions.
    pub(crate) fn new<'a>(
        list: impl Iterator<Item = &'a [u8]>,
        types_only: bool,
        schema: &Schema,
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
                name => projection.name(name, schema),
            }
        }
        // RFC 4511 4.5.1.8: "An empty list with no attributes requests the return of all
        // user attributes." A list of `1.1` alone asks for none; beside others it is one
        // more unknown name, and those "are ignored".
        projection.user |= is_empty;
        projection
    }

    fn name(&mut self, description: &[u8], schema: &Schema) {
        let Some(found) = schema.attribute_described(description) else { return };
        let attribute = found.id;
        match options(description) {
            None if self.named.contains(&attribute) => {}
            None => self.named.push(attribute),
            // RFC 4511 4.5.1.8: only subtypes of what is asked for are returned, and no
            // value is stored with an option: `;binary` and `;lang-en` match nothing.
            Some(option) => {
                if let Some((low, high)) = range(option) {
                    self.ranges.push(Range { attribute, low, high });
                }
            }
        }
    }

    /// Returns nothing but these attributes, whatever has been asked for.
    pub(crate) fn restrict(&mut self, readable: &Attributes) {
        self.named.retain(|attribute| readable.holds(*attribute));
        self.ranges.retain(|range| readable.holds(range.attribute));
        self.readable = Some(readable.clone());
    }

    fn may_return(&self, slot: &Slot<'_>) -> bool {
        self.readable.as_ref().is_none_or(|readable| readable.holds(slot.id))
    }

    /// Writes an entry as a search result. On an error nothing is written.
    pub(crate) fn write(
        &self,
        out: &mut Vec<u8>,
        id: i32,
        entry: &StoredEntry<'_>,
        schema: &Schema,
    ) -> Result<(), ReadError> {
        let writer = EntryWriter::begin(out, id, entry.view().dn());
        let copied = if self.types_only {
            self.copy_types(out, entry, schema);
            Ok(())
        } else {
            self.copy(out, entry, schema)
        };
        match copied {
            Ok(()) => writer.finish(out),
            Err(_) => writer.undo(out),
        }
        copied
    }

    fn copy(
        &self,
        out: &mut Vec<u8>,
        entry: &StoredEntry<'_>,
        schema: &Schema,
    ) -> Result<(), ReadError> {
        let view = entry.view();
        if self.user && self.readable.is_some() {
            for slot in view.slots().filter(|slot| !slot.operational && self.may_return(slot)) {
                out.extend_from_slice(entry.tlv(&slot)?);
            }
        } else if self.user {
            out.extend_from_slice(view.user_tlvs());
            if view.has_wide() {
                for slot in view.slots().filter(|slot| !slot.operational && slot.tlv.is_none()) {
                    out.extend_from_slice(entry.tlv(&slot)?);
                }
            }
        }
        if self.operational {
            for slot in view.slots().filter(|slot| slot.operational && self.may_return(slot)) {
                out.extend_from_slice(entry.tlv(&slot)?);
            }
        }
        for attribute in &self.named {
            if let Some(slot) = view.slot(*attribute)
                && !self.covers(&slot)
            {
                out.extend_from_slice(entry.tlv(&slot)?);
            }
        }
        for range in &self.ranges {
            if let Some(slot) = view.slot(range.attribute) {
                range.copy(out, entry.tlv(&slot)?, schema);
            }
        }
        Ok(())
    }

    /// RFC 4511 4.5.1: "typesOnly [...] TRUE causes only attribute descriptions".
    fn copy_types(&self, out: &mut Vec<u8>, entry: &StoredEntry<'_>, schema: &Schema) {
        for slot in entry.view().slots().filter(|slot| self.may_return(slot)) {
            if (self.covers(&slot) || self.named.contains(&slot.id))
                && let Some(found) = schema.get(slot.id)
            {
                attribute(out, found.name, std::iter::empty());
            }
        }
    }

    /// Whether `*` or `+` asks for an attribute already.
    fn covers(&self, slot: &Slot<'_>) -> bool {
        if slot.operational { self.operational } else { self.user }
    }
}

impl Range {
    fn copy(&self, out: &mut Vec<u8>, tlv: &[u8], schema: &Schema) {
        let Some(found) = schema.get(self.attribute) else { return };
        let count = values_of(tlv).count();
        if self.low >= count || self.high.is_some_and(|high| high < self.low) {
            return;
        }
        let high = self.high.filter(|high| high + 1 < count);
        let wanted = high.map_or(usize::MAX, |high| high - self.low + 1);
        // `*` as the upper end says that there are no more.
        let end = high.map_or_else(|| "*".to_owned(), |high| high.to_string());
        let name = format!("{};range={}-{end}", found.name, self.low);
        let values: Vec<&[u8]> = values_of(tlv).skip(self.low).take(wanted).collect();
        attribute(out, &name, values.iter().copied());
    }
}

/// What stands behind the first `;`.
fn options(description: &[u8]) -> Option<&[u8]> {
    let at = description.iter().position(|octet| *octet == b';')?;
    description.get(at + 1..)
}

fn range(option: &[u8]) -> Option<(usize, Option<usize>)> {
    let option = std::str::from_utf8(option).ok()?.to_ascii_lowercase();
    let (low, high) = option.strip_prefix("range=")?.split_once('-')?;
    let high = if high == "*" { None } else { Some(high.parse().ok()?) };
    Some((low.parse().ok()?, high))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::schema;
    use crate::replica::encoding::split_tlv;

    fn projection(names: &[&str]) -> Projection {
        Projection::new(names.iter().map(|name| name.as_bytes()), false, schema::standard())
    }

    fn id(name: &str) -> AttributeId {
        schema::standard().attribute(name.as_bytes()).unwrap().id
    }

    #[test]
    fn lists_mean_what_the_rfc_says() {
        let user = Projection { user: true, ..Projection::default() };
        assert_eq!(projection(&[]), user);
        assert_eq!(projection(&["*"]), user);
        assert_eq!(projection(&["*", "+"]), Projection { operational: true, ..user });
        assert_eq!(projection(&["1.1"]), Projection::default());
        let mail = Projection { named: vec![id("mail")], ..Projection::default() };
        assert_eq!(projection(&["1.1", "mail"]), mail);
        assert_eq!(projection(&["MAIL", "mail", "rfc822Mailbox"]), mail);
        assert_eq!(projection(&["0.9.2342.19200300.100.1.3", "dn", "bogus", ""]), mail);
    }

    #[test]
    fn options_match_nothing_but_ranges_do() {
        assert_eq!(projection(&["mail;binary", "cn;lang-en"]), Projection::default());
        let range = |low, high| Range { attribute: id("member"), low, high };
        assert_eq!(projection(&["member;range=0-*"]).ranges, [range(0, None)]);
        assert_eq!(projection(&["MEMBER;RANGE=5-9"]).ranges, [range(5, Some(9))]);
        for bad in ["member;range=", "member;range=a-b", "member;range=-1-2"] {
            assert_eq!(projection(&[bad]), Projection::default(), "{bad}");
        }
    }

    #[test]
    fn a_range_says_where_it_ends() {
        let values: [&[u8]; 3] = [b"a", b"b", b"c"];
        let mut tlv = Vec::new();
        attribute(&mut tlv, "member", values.into_iter());
        let text = |low, high| {
            let mut out = Vec::new();
            let range = Range { attribute: id("member"), low, high };
            range.copy(&mut out, &tlv, schema::standard());
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
