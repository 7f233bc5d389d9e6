//! Objects as Graph's delta queries send them. Pure: no I/O, no clock.
//!
//! One parser serves two purposes: with `KEEP` it builds the objects, without it checks a page to the last octet
//! and builds no properties. Because it is one parser, a page that was found good stays good when it is read again.

use crate::directory::ids::ObjectId;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::fmt;

/// One object of a page: new, changed or removed. The same object may come several times in a round; the later
/// one wins.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Its object id.
    pub id: ObjectId,
    /// It was removed; then nothing else is promised.
    pub removed: Option<Removal>,
    /// What was sent, without `id` and annotations. Null is cleared; absent is not the same (graph.md 0.3).
    pub properties: Map<String, Value>,
    /// A slice of the changes to a group's members, in order; never the whole list.
    pub members: Vec<MemberChange>,
    /// A change of a user's manager.
    pub manager: Option<ManagerChange>,
}

/// How an object left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// Into the recycle bin (`changed`): it may come back, with its memberships.
    SoftDeleted,
    /// For good (`deleted`), or for a reason that is not known.
    Deleted,
}

/// One entry of `members@delta`. A removal ends the membership and says nothing about the member itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberChange {
    /// The member, which may be unknown so far.
    pub id: ObjectId,
    /// The membership ended.
    pub removed: bool,
    /// The bare type name, as sent: `user`, `group`, `orgContact`, `device` ...
    pub kind: Option<String>,
}

/// What became of a user's manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManagerChange {
    /// It is this object now.
    Set(ObjectId),
    /// There is none any more.
    Cleared,
}

/// A page as it stands on the wire.
#[derive(Debug, Default)]
pub(super) struct WirePage<const KEEP: bool> {
    pub(super) items: Vec<Item>,
    /// Objects and members without a usable id.
    pub(super) skipped: usize,
    pub(super) next_link: Option<String>,
    pub(super) delta_link: Option<String>,
}

/// An object, or nothing where it has no usable id; and how many ids in it are unusable.
struct WireItem<const KEEP: bool>(Option<Item>, usize);

impl<'de, const KEEP: bool> Deserialize<'de> for WirePage<KEEP> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PageVisitor<const KEEP: bool>;

        impl<'de, const KEEP: bool> Visitor<'de> for PageVisitor<KEEP> {
            type Value = WirePage<KEEP>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a page of objects")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut page = WirePage::default();
                let mut complete = false;
                while let Some(Key(key)) = map.next_key()? {
                    match key.as_ref() {
                        "value" => {
                            map.next_value_seed(ItemsOf(&mut page))?;
                            complete = true;
                        }
                        "@odata.nextLink" => page.next_link = map.next_value()?,
                        "@odata.deltaLink" => page.delta_link = map.next_value()?,
                        _ => {
                            map.next_value::<Checked>()?;
                        }
                    }
                }
                if complete { Ok(page) } else { Err(A::Error::missing_field("value")) }
            }
        }

        deserializer.deserialize_map(PageVisitor)
    }
}

/// Reads the objects of a page into it.
struct ItemsOf<'a, const KEEP: bool>(&'a mut WirePage<KEEP>);

impl<'de, const KEEP: bool> DeserializeSeed<'de> for ItemsOf<'_, KEEP> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, const KEEP: bool> Visitor<'de> for ItemsOf<'_, KEEP> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(WireItem::<KEEP>(item, skipped)) = seq.next_element()? {
            self.0.items.extend(item);
            self.0.skipped += skipped;
        }
        Ok(())
    }
}

impl<'de, const KEEP: bool> Deserialize<'de> for WireItem<KEEP> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ItemVisitor<const KEEP: bool>;

        impl<'de, const KEEP: bool> Visitor<'de> for ItemVisitor<KEEP> {
            type Value = WireItem<KEEP>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut id = None;
                let mut skipped = 0;
                let (mut removed, mut properties) = (None, Map::new());
                let (mut members, mut manager) = (Vec::new(), None);
                while let Some(Key(key)) = map.next_key()? {
                    match key.as_ref() {
                        "id" => id = map.next_value::<Text<'de>>()?.id(),
                        "@removed" => removed = map.next_value::<Removed>()?.0,
                        "members@delta" => {
                            for reference in references(&mut map)? {
                                match reference.into_change() {
                                    Some(change) => members.push(change),
                                    None => skipped += 1,
                                }
                            }
                        }
                        "manager@delta" => manager = manager_change(references(&mut map)?),
                        // Annotations: `@odata.type`, `members@odata.context` ...
                        key if key.contains('@') => {
                            map.next_value::<Checked>()?;
                        }
                        _ if KEEP => {
                            properties.insert(key.into_owned(), map.next_value()?);
                        }
                        _ => {
                            map.next_value::<Checked>()?;
                        }
                    }
                }
                Ok(match id {
                    Some(id) => {
                        let item = Item { id, removed, properties, members, manager };
                        WireItem(Some(item), skipped)
                    }
                    None => WireItem(None, skipped + 1),
                })
            }
        }

        deserializer.deserialize_map(ItemVisitor)
    }
}

/// An entry of a relation.
#[derive(Deserialize)]
struct Reference<'a> {
    #[serde(borrow, default)]
    id: Text<'a>,
    #[serde(borrow, default, rename = "@odata.type")]
    kind: Text<'a>,
    #[serde(default, rename = "@removed")]
    removed: Removed,
}

impl Reference<'_> {
    fn into_change(self) -> Option<MemberChange> {
        let id = self.id.id()?;
        let kind = self.kind.0.map(|kind| kind.rsplit(['.', '#']).next().unwrap_or("").to_owned());
        Some(MemberChange { id, removed: self.removed.0.is_some(), kind })
    }
}

/// A list of references; null is an empty one.
fn references<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Vec<Reference<'de>>, A::Error> {
    Ok(map.next_value::<Option<Vec<Reference<'de>>>>()?.unwrap_or_default())
}

/// `manager@delta` has one entry, or two where one manager follows another, in either order. Nothing usable in it
/// changes nothing.
fn manager_change(references: Vec<Reference<'_>>) -> Option<ManagerChange> {
    let mut change = None;
    for reference in references {
        let Some(id) = reference.id.id() else { continue };
        if reference.removed.0.is_none() {
            change = Some(ManagerChange::Set(id));
        } else if change.is_none() {
            change = Some(ManagerChange::Cleared);
        }
    }
    change
}

/// `@removed`: any value but null is a removal, and only the reason `changed` a soft one.
#[derive(Default)]
struct Removed(Option<Removal>);

impl<'de> Deserialize<'de> for Removed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let soft = |reason: &str| reason.eq_ignore_ascii_case("changed");
        Ok(Removed(match value {
            Value::Null => None,
            Value::Object(map) if map.get("reason").and_then(Value::as_str).is_some_and(soft) => {
                Some(Removal::SoftDeleted)
            }
            _ => Some(Removal::Deleted),
        }))
    }
}

/// A key, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// A text where one is expected, or nothing where something else stands.
#[derive(Default)]
struct Text<'a>(Option<Cow<'a, str>>);

impl Text<'_> {
    fn id(&self) -> Option<ObjectId> {
        self.0.as_deref()?.parse().ok()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Lenient::<true>).map(Text)
    }
}

/// Any JSON value, checked as strictly as `serde_json::Value` checks it (UTF-8, escapes, numbers), which
/// `IgnoredAny` does not, and not kept.
struct Checked;

impl<'de> Deserialize<'de> for Checked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Lenient::<false>).map(|_| Checked)
    }
}

/// Accepts any value; keeps a text if `TEXT`.
struct Lenient<const TEXT: bool>;

type MaybeText<'de> = Option<Cow<'de, str>>;

impl<'de, const TEXT: bool> Visitor<'de> for Lenient<TEXT> {
    type Value = MaybeText<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<MaybeText<'de>, E> {
        Ok(TEXT.then_some(Cow::Borrowed(text)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<MaybeText<'de>, E> {
        Ok(TEXT.then(|| Cow::Owned(text.to_owned())))
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<MaybeText<'de>, E> {
        Ok(None)
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<MaybeText<'de>, E> {
        Ok(None)
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<MaybeText<'de>, E> {
        Ok(None)
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<MaybeText<'de>, E> {
        Ok(None)
    }

    fn visit_unit<E: de::Error>(self) -> Result<MaybeText<'de>, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<MaybeText<'de>, A::Error> {
        while seq.next_element::<Checked>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<MaybeText<'de>, A::Error> {
        while map.next_entry::<Key<'de>, Checked>()?.is_some() {}
        Ok(None)
    }
}
