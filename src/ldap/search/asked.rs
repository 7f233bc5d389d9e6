//! A list of attributes that is asked for (RFC 4511 4.5.1.8), read once: a client sends the
//! same list with each of its searches. Pure: no I/O, no clock.

use super::constructed::Constructed;
use crate::directory::attribute::{AttributeId, AttributeType, Syntax};
use crate::directory::schema::{Described, Schema};
use crate::ldap::wire::request::AttributeList;
use std::cell::RefCell;
use std::sync::Arc;

/// A parsed list of attributes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(super) user: bool,
    pub(super) operational: bool,
    pub(super) named: Named,
    /// Asked for with `;binary`, and returned under that name.
    pub(super) binary: Vec<AttributeId>,
    pub(super) ranges: Vec<Range>,
    pub(super) constructed: Vec<Constructed>,
}

/// Some of an attribute's values: `member;range=0-499` (MS-ADTS 3.1.1.3.1.3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) attribute: AttributeId,
    pub(super) low: usize,
    /// The last one asked for; `None` for `*`.
    pub(super) high: Option<usize>,
}

/// How many lists a thread remembers, and how long they may be.
const REMEMBERED: usize = 4;
const LONGEST: usize = 1024;

/// A list as sent, and what it means.
type Remembered = (Box<[u8]>, Arc<Asked>);

thread_local! {
    /// Lists as sent, and what they mean where everything may be read. One that comes again
    /// moves to the front.
    static RECENT: RefCell<Vec<Remembered>> = const { RefCell::new(Vec::new()) };
}

impl Asked {
    /// As [`Asked::new`], where everything may be read.
    pub(crate) fn recall(list: AttributeList<'_>, schema: &Schema) -> Arc<Self> {
        let octets = list.octets();
        RECENT.with_borrow_mut(|recent| {
            if let Some(at) = recent.iter().position(|(known, _)| **known == *octets) {
                if at > 0 {
                    recent.swap(at, at - 1);
                }
                let known = recent.get(at.saturating_sub(1)).map(|(_, asked)| Arc::clone(asked));
                if let Some(asked) = known {
                    return asked;
                }
            }
            let asked = Arc::new(Self::new(list.iter(), schema, &|_| true));
            if octets.len() <= LONGEST {
                recent.truncate(REMEMBERED - 1);
                recent.push((octets.into(), Arc::clone(&asked)));
            }
            asked
        })
    }

    /// Reads a list of attribute descriptions. What may not be read is as good as unknown.
    pub(crate) fn new<'a>(
        list: impl Iterator<Item = &'a [u8]>,
        schema: &Schema,
        may_read: &dyn Fn(AttributeId) -> bool,
    ) -> Self {
        let mut asked = Self::default();
        let mut is_empty = true;
        for name in list {
            is_empty = false;
            match name {
                // RFC 4511 4.5.1.8: "an asterisk [...] requests the return of all user
                // attributes"; RFC 3673: `+` of all operational ones.
                b"*" => asked.user = true,
                b"+" => asked.operational = true,
                // RFC 4529 2: "@" and an object class: "all attributes allowed".
                [b'@', class @ ..] => asked.class(class, schema, may_read),
                name => asked.name(name, schema, may_read),
            }
        }
        // RFC 4511 4.5.1.8: "An empty list with no attributes requests the return of all
        // user attributes." A list of `1.1` alone asks for none; beside others it is one
        // more unknown name, and those "are ignored".
        asked.user |= is_empty;
        for made in Constructed::OPERATIONAL {
            if asked.operational && !asked.constructed.contains(&made) {
                asked.constructed.push(made);
            }
        }
        asked
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
            None => self.named.push(found.id),
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
                    self.named.push(found.id);
                }
            }
            next = schema.class(class.superior).filter(|above| above.name != class.name);
        }
    }
}

/// Attributes, each once.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    list: Vec<AttributeId>,
    bits: [u64; 16],
}

impl Named {
    pub(super) fn as_slice(&self) -> &[AttributeId] {
        &self.list
    }

    fn push(&mut self, id: AttributeId) {
        push(&mut self.list, id);
        if let Some(word) = self.bits.get_mut(usize::from(id.0 / 64)) {
            *word |= 1 << (id.0 % 64);
        }
    }

    pub(super) fn hold(&self, id: AttributeId) -> bool {
        match self.bits.get(usize::from(id.0 / 64)) {
            Some(word) => word & (1 << (id.0 % 64)) != 0,
            None => self.list.contains(&id),
        }
    }
}

#[cfg(test)]
impl FromIterator<AttributeId> for Named {
    fn from_iter<I: IntoIterator<Item = AttributeId>>(ids: I) -> Self {
        let mut named = Named::default();
        ids.into_iter().for_each(|id| named.push(id));
        named
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

    fn asked(names: &[&str]) -> Asked {
        Asked::new(names.iter().map(|name| name.as_bytes()), schema::standard(), &|_| true)
    }

    fn id(name: &str) -> AttributeId {
        schema::standard().attribute(name.as_bytes()).unwrap().id
    }

    #[test]
    fn lists_mean_what_the_rfc_says() {
        let user = Asked { user: true, ..Asked::default() };
        assert_eq!(asked(&[]), user);
        assert_eq!(asked(&["*"]), user);
        let constructed = Constructed::OPERATIONAL.to_vec();
        assert_eq!(
            asked(&["*", "+"]),
            Asked { user: true, operational: true, constructed, ..Asked::default() }
        );
        assert_eq!(asked(&["1.1"]), Asked::default());
        let mail = Asked { named: [id("mail")].into_iter().collect(), ..Asked::default() };
        assert_eq!(asked(&["1.1", "mail"]), mail);
        assert_eq!(asked(&["MAIL", "mail", "rfc822Mailbox"]), mail);
        assert_eq!(asked(&["0.9.2342.19200300.100.1.3", "dn", "bogus", ""]), mail);
    }

    #[test]
    fn of_options_binary_and_ranges_match_values() {
        assert_eq!(asked(&["cn;lang-en", "mail;x-old"]), Asked::default());
        let guid = Asked { binary: vec![id("objectGUID")], ..Asked::default() };
        assert_eq!(asked(&["objectGUID;binary", "OBJECTGUID;BINARY"]), guid);
        assert_eq!(asked(&["mail;binary"]), asked(&["mail"]));
        let range = |low, high| Range { attribute: id("member"), low, high };
        assert_eq!(asked(&["member;range=0-*"]).ranges, [range(0, None)]);
        assert_eq!(asked(&["MEMBER;RANGE=5-9"]).ranges, [range(5, Some(9))]);
        let twice = asked(&["member;range=0-4", "member;range=0-5", "mail;range=0-*"]);
        assert_eq!((twice.ranges.len(), twice.ranges[0]), (2, range(0, Some(4))));
        for bad in ["member;range=", "member;range=a-b", "member;range=-1-2"] {
            assert_eq!(asked(&[bad]), Asked::default(), "{bad}");
        }
    }

    #[test]
    fn a_class_stands_for_its_attributes_and_those_above() {
        let person = asked(&["@person"]);
        for name in ["sn", "cn", "telephoneNumber", "objectClass"] {
            assert!(person.named.hold(id(name)), "{name}");
        }
        assert!(!person.named.hold(id("mail")));
        assert!(asked(&["@USER"]).named.hold(id("mail")));
        assert_eq!(asked(&["@bogus", "@"]), Asked::default());
    }

    #[test]
    fn a_list_that_came_before_is_not_read_again_and_means_the_same() {
        let recall = |octets: &[u8]| Asked::recall(AttributeList::of(octets), schema::standard());
        let list = |name: &str| [&[0x04, name.len() as u8], name.as_bytes()].concat();
        let first = recall(&list("mail"));
        assert_eq!(*first, asked(&["mail"]));
        assert!(Arc::ptr_eq(&first, &recall(&list("mail"))));
        for name in ["cn", "sn", "*", "+", "uid", "mail", "1.1"] {
            assert_eq!(*recall(&list(name)), asked(&[name]), "{name}");
            assert_eq!(*recall(&list(name)), asked(&[name]), "{name}");
        }
        assert_eq!(*recall(&[]), asked(&[]));
        let long = list("mail").repeat(LONGEST);
        assert_eq!(*recall(&long), asked(&["mail"]));
        RECENT.with_borrow(|recent| {
            assert_eq!(recent.len(), REMEMBERED);
            assert!(recent.iter().all(|(octets, _)| octets.len() <= LONGEST));
        });
    }
}
