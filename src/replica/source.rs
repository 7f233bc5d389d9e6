//! What Graph said: objects, and edges between them.

use super::error::Error;
use super::ids::{Ids, Number};
use super::writer::Transaction;
use crate::directory::ids::ObjectId;
use crate::directory::kind::Kind;
use redb::ReadableTable;
use roaring::RoaringBitmap;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::fmt;

/// A Graph object as last told.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceObject {
    /// The connection it came by.
    pub connection: u16,
    /// What it is.
    pub kind: Kind,
    /// Its id.
    pub id: ObjectId,
    /// Its manager, should it have one.
    pub manager: Option<Number>,
    /// Its properties; null ones are left out.
    pub properties: Map<String, Value>,
}

/// The kinds of edges. The octets are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Space {
    /// Group to its members.
    Members = b'm' as isize,
    /// Object to the groups it is a member of.
    Groups = b'g' as isize,
    /// Manager to those who report.
    Reports = b'r' as isize,
}

/// The row of an edge store.
pub(super) fn link_key(space: Space, number: Number) -> [u8; 5] {
    let [a, b, c, d] = number.to_be_bytes();
    [space as u8, a, b, c, d]
}

/// The row that lists the objects of a kind.
fn kind_key(connection: u16, kind: Kind) -> [u8; 4] {
    let [a, b] = connection.to_be_bytes();
    [b'k', a, b, kind as u8]
}

fn absent_key(connection: u16) -> String {
    format!("absent {connection}")
}

pub(super) fn number_key(connection: u16, id: ObjectId) -> [u8; 18] {
    let mut key = [0u8; 18];
    let (head, tail) = key.split_at_mut(2);
    head.copy_from_slice(&connection.to_be_bytes());
    tail.copy_from_slice(id.as_bytes());
    key
}

const NO_MANAGER: Number = Number::MAX;

impl SourceObject {
    fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(1024);
        out.push(self.kind as u8);
        out.extend(self.connection.to_le_bytes());
        out.extend(self.id.as_bytes());
        out.extend(self.manager.unwrap_or(NO_MANAGER).to_le_bytes());
        // A map of JSON values always serialises.
        let _ = serde_json::to_writer(&mut out, &self.properties);
        out
    }

    pub(super) fn read(octets: &[u8]) -> Result<Self, Error> {
        Self::read_parts(octets).ok_or(Error::Damaged("an object"))
    }

    fn read_parts(octets: &[u8]) -> Option<Self> {
        let (object, json) = Self::read_head(octets)?;
        Some(SourceObject { properties: serde_json::from_slice(json).ok()?, ..object })
    }

    /// With no more than these properties.
    fn read_some(octets: &[u8], wanted: &[&str]) -> Option<Self> {
        let (object, json) = Self::read_head(octets)?;
        let mut json = serde_json::Deserializer::from_slice(json);
        Some(SourceObject { properties: Wanted(wanted).deserialize(&mut json).ok()?, ..object })
    }

    fn read_head(octets: &[u8]) -> Option<(Self, &[u8])> {
        let (&kind, rest) = octets.split_first()?;
        let (connection, rest) = rest.split_first_chunk()?;
        let (id, rest) = rest.split_first_chunk()?;
        let (manager, json) = rest.split_first_chunk()?;
        let manager = Number::from_le_bytes(*manager);
        let object = SourceObject {
            kind: Kind::from_number(kind)?,
            connection: u16::from_le_bytes(*connection),
            id: ObjectId::from_bytes(*id),
            manager: Some(manager).filter(|number| *number != NO_MANAGER),
            properties: Map::new(),
        };
        Some((object, json))
    }
}

/// Reads some properties of an object and passes over the others.
struct Wanted<'w>(&'w [&'w str]);

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> DeserializeSeed<'de> for Wanted<'_> {
    type Value = Map<String, Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Wanted<'_> {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the properties of an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut properties = Map::new();
        while let Some(Key(key)) = map.next_key()? {
            if self.0.contains(&&*key) {
                properties.insert(key.into_owned(), map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(properties)
    }
}

impl Transaction<'_> {
    /// The number of an object, should it have one.
    pub fn find(&self, connection: u16, id: ObjectId) -> Result<Option<Number>, Error> {
        let key = number_key(connection, id);
        Ok(self.tables.numbers.get(key.as_slice())?.map(|number| number.value()))
    }

    /// The number of an object; a new one where it has none yet. Objects that are only
    /// referred to get one too.
    pub fn number(&mut self, connection: u16, id: ObjectId) -> Result<Number, Error> {
        if let Some(number) = self.find(connection, id)? {
            return Ok(number);
        }
        let number = self.new_number()?;
        self.tables.numbers.insert(number_key(connection, id).as_slice(), number)?;
        Ok(number)
    }

    /// What Graph last said of an object; `None` where it is deleted, or only referred to.
    pub fn object(&self, number: Number) -> Result<Option<SourceObject>, Error> {
        match self.tables.objects.get(number)? {
            Some(octets) => SourceObject::read(octets.value()).map(Some),
            None => Ok(None),
        }
    }

    /// The same, with no more than these properties.
    pub fn object_with(
        &self,
        number: Number,
        properties: &[&str],
    ) -> Result<Option<SourceObject>, Error> {
        let octets = self.tables.objects.get(number)?;
        let read = octets.map(|octets| SourceObject::read_some(octets.value(), properties));
        read.map(|read| read.ok_or(Error::Damaged("an object"))).transpose()
    }

    /// Whether there is anything but references to the object.
    pub fn has_object(&self, number: Number) -> Result<bool, Error> {
        Ok(self.tables.objects.get(number)?.is_some())
    }

    /// Keeps what Graph said; the flag tells whether it differs from what was kept.
    pub fn put_object(&mut self, number: Number, object: &SourceObject) -> Result<bool, Error> {
        let octets = object.write();
        let before = match self.tables.objects.insert(number, octets.as_slice())? {
            Some(before) if before.value() == octets.as_slice() => return Ok(false),
            Some(before) => Some(SourceObject::read(before.value())?),
            None => None,
        };
        let kind = kind_key(object.connection, object.kind);
        let before_kind = before.as_ref().map(|before| kind_key(before.connection, before.kind));
        if before_kind != Some(kind) {
            if let Some(before) = before_kind {
                self.links.change(&before, number, false)?;
            }
            self.links.change(&kind, number, true)?;
        }
        self.set_reports(number, before.and_then(|before| before.manager), object.manager)?;
        Ok(true)
    }

    /// Forgets what Graph said of an object. Edges stay: a restored object may come back
    /// without them.
    pub fn remove_object(&mut self, number: Number) -> Result<bool, Error> {
        let before = match self.tables.objects.remove(number)? {
            Some(before) => SourceObject::read(before.value())?,
            None => return Ok(false),
        };
        self.links.change(&kind_key(before.connection, before.kind), number, false)?;
        self.set_reports(number, before.manager, None)?;
        Ok(true)
    }

    /// Keeps why an object is not served; `None`: it is.
    pub fn set_left_out(&mut self, number: Number, why: Option<&str>) -> Result<(), Error> {
        match why {
            Some(why) => {
                let known = self.tables.left_out.get(number)?;
                if known.is_some_and(|known| known.value() == why.as_bytes()) {
                    return Ok(());
                }
                self.tables.left_out.insert(number, why.as_bytes())?;
            }
            None => {
                self.tables.left_out.remove(number)?;
            }
        }
        Ok(())
    }

    /// Objects that were asked for and that Graph does not have, or that are nothing to
    /// serve: devices, service principals. Cheaper to remember than to ask again.
    pub fn absent(&self, connection: u16) -> Result<RoaringBitmap, Error> {
        let octets = self.tables.meta.get(absent_key(connection).as_str())?;
        let read = octets.map(|octets| RoaringBitmap::deserialize_from(octets.value()));
        read.transpose()
            .map_err(|_| Error::Damaged("a set of objects"))
            .map(Option::unwrap_or_default)
    }

    /// Remembers them.
    pub fn set_absent(&mut self, connection: u16, absent: &RoaringBitmap) -> Result<(), Error> {
        let mut octets = Vec::with_capacity(absent.serialized_size());
        absent.serialize_into(&mut octets).map_err(|_| Error::Damaged("a set of objects"))?;
        self.tables.meta.insert(absent_key(connection).as_str(), octets.as_slice())?;
        Ok(())
    }

    fn set_reports(
        &mut self,
        number: Number,
        old: Option<Number>,
        new: Option<Number>,
    ) -> Result<(), Error> {
        if old != new {
            if let Some(old) = old {
                self.links.change(&link_key(Space::Reports, old), number, false)?;
            }
            if let Some(new) = new {
                self.links.change(&link_key(Space::Reports, new), number, true)?;
            }
        }
        Ok(())
    }

    /// The objects of a kind.
    pub fn objects(&mut self, connection: u16, kind: Kind) -> Result<Ids, Error> {
        self.links.flush()?;
        self.links.get(&kind_key(connection, kind))
    }

    /// Adds or removes a membership.
    pub fn set_member(
        &mut self,
        group: Number,
        member: Number,
        present: bool,
    ) -> Result<(), Error> {
        self.links.change(&link_key(Space::Members, group), member, present)?;
        self.links.change(&link_key(Space::Groups, member), group, present)
    }

    /// What an object is linked to. Includes objects that are not live.
    pub fn linked(&mut self, space: Space, number: Number) -> Result<Ids, Error> {
        self.links.flush()?;
        self.links.get(&link_key(space, number))
    }
}

impl super::reader::Snapshot {
    /// What an object is linked to. Includes objects that are not live.
    pub fn linked(&self, space: Space, number: Number) -> Result<Ids, Error> {
        self.tables.links.get(&link_key(space, number))
    }

    /// Every object that is not served although it is known, and why.
    pub fn all_left_out(&self) -> Result<Vec<(Number, String)>, Error> {
        let rows = self.tables.left_out.iter()?;
        rows.map(|row| {
            let (number, why) = row?;
            Ok((number.value(), String::from_utf8_lossy(why.value()).into_owned()))
        })
        .collect()
    }

    /// Why an object is not served although it is known.
    pub fn left_out(&self, number: Number) -> Result<Option<String>, Error> {
        let why = self.tables.left_out.get(number)?;
        Ok(why.map(|why| String::from_utf8_lossy(why.value()).into_owned()))
    }
}
