//! Attributes that are worked out when somebody asks for them by name, and stored
//! nowhere: they say something about many entries. Pure: no clock; reads the snapshot.

use super::ReadError;
use crate::directory::attribute::{AttributeId, AttributeType, Key, Syntax};
use crate::directory::entry::Values;
use crate::directory::kind::Kind;
use crate::directory::schema;
use crate::ldap::schema_entry;
use crate::replica::ids::Number;
use crate::replica::reader::{Context, Snapshot, StoredEntry};
use roaring::RoaringBitmap;
use std::collections::HashSet;
use std::sync::OnceLock;

/// The bit of `groupType` that makes a group one that rights are given to (MS-ADTS 2.2.12).
const SECURITY_ENABLED: i64 = 0x8000_0000;

/// One such attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Constructed {
    /// `rfc822MailMember`: the primary addresses of everybody behind a group.
    MailMembers,
    /// `tokenGroups`: the SIDs of the security groups that somebody is in, nested ones
    /// too (MS-ADTS 3.1.1.4.5.19).
    TokenGroups,
    /// `subschemaSubentry`: where the schema is (RFC 4512 4.4).
    Subschema,
    /// `hasSubordinates`: whether entries may lie below (X.501 14.4.4).
    HasSubordinates,
}

impl Constructed {
    /// Those that `+` asks for: they cost nothing.
    pub(crate) const OPERATIONAL: [Constructed; 2] =
        [Constructed::Subschema, Constructed::HasSubordinates];

    /// The attribute, if it is one of them.
    pub(crate) fn of(attribute: &AttributeType) -> Option<Self> {
        match attribute.name {
            "rfc822MailMember" => Some(Constructed::MailMembers),
            "tokenGroups" => Some(Constructed::TokenGroups),
            "subschemaSubentry" => Some(Constructed::Subschema),
            "hasSubordinates" => Some(Constructed::HasSubordinates),
            _ => None,
        }
    }

    /// The attribute's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Constructed::MailMembers => "rfc822MailMember",
            Constructed::TokenGroups => "tokenGroups",
            Constructed::Subschema => "subschemaSubentry",
            Constructed::HasSubordinates => "hasSubordinates",
        }
    }

    /// The attributes that the values are made of: who may not read them may not read
    /// these either.
    pub(crate) fn made_of(self) -> impl Iterator<Item = AttributeId> {
        let ids = ids();
        let list = match self {
            Constructed::MailMembers => Some([ids.member, ids.mail]),
            Constructed::TokenGroups => Some([ids.member_of, ids.object_sid]),
            Constructed::Subschema | Constructed::HasSubordinates => None,
        };
        list.into_iter().flatten()
    }

    /// Whether other entries have a part in it.
    pub(crate) fn is_of_several(self) -> bool {
        matches!(self, Constructed::MailMembers | Constructed::TokenGroups)
    }

    /// The values for an entry; `counts` says which other entries may have a part in them.
    pub(crate) fn values(
        self,
        entry: &StoredEntry<'_>,
        snapshot: &Snapshot,
        counts: &dyn Fn(&StoredEntry<'_>) -> bool,
    ) -> Result<Vec<Vec<u8>>, ReadError> {
        match self {
            Constructed::MailMembers => mail_members(entry, snapshot, counts),
            Constructed::TokenGroups => token_groups(entry, snapshot, counts),
            Constructed::Subschema => Ok(vec![schema_entry::DN.as_bytes().to_vec()]),
            Constructed::HasSubordinates => {
                let number = entry.number();
                let is_base = |context: &Context| context.entry == Some(number);
                let has = snapshot.container_parent(number).is_some()
                    || snapshot.contexts().iter().any(is_base);
                Ok(vec![if has { b"TRUE".to_vec() } else { b"FALSE".to_vec() }])
            }
        }
    }
}

struct Ids {
    mail: AttributeId,
    member: AttributeId,
    member_of: AttributeId,
    object_sid: AttributeId,
    group_type: AttributeId,
    hides_members: AttributeId,
}

fn ids() -> &'static Ids {
    static IDS: OnceLock<Ids> = OnceLock::new();
    IDS.get_or_init(|| {
        // A number that no attribute has, should the schema lack one of them.
        let id = |name: &str| {
            schema::standard().attribute(name.as_bytes()).map_or(AttributeId(u16::MAX), |a| a.id)
        };
        Ids {
            mail: id("mail"),
            member: id("member"),
            member_of: id("memberOf"),
            object_sid: id("objectSid"),
            group_type: id("groupType"),
            hides_members: id("hideDLMembership"),
        }
    })
}

/// In the order of the entries' numbers, each address once. A group whose members are
/// not served stands for them with its own address: mail to it reaches them, and nobody
/// who is on the list is left out.
fn mail_members(
    list: &StoredEntry<'_>,
    snapshot: &Snapshot,
    counts: &dyn Fn(&StoredEntry<'_>) -> bool,
) -> Result<Vec<Vec<u8>>, ReadError> {
    let ids = ids();
    if list.view().identity().kind != Some(Kind::Group) {
        return Ok(Vec::new());
    }
    let mut seen: RoaringBitmap = std::iter::once(list.number()).collect();
    let mut open: Vec<Number> = vec![list.number()];
    let mut recipients = RoaringBitmap::new();
    while let Some(group) = open.pop() {
        for member in snapshot.members(group)?.iter().filter(|member| seen.insert(*member)) {
            let entry = read(snapshot, member)?;
            if !counts(&entry) {
                continue;
            }
            let is_group = entry.view().identity().kind == Some(Kind::Group);
            if is_group && entry.view().attribute(ids.member).is_some() {
                open.push(member);
            } else if !is_group || says_true(&entry, ids.hides_members) {
                recipients.insert(member);
            }
        }
    }
    let mut addresses = Vec::new();
    let mut known: HashSet<Key> = own_addresses(list)?;
    for number in recipients {
        let entry = read(snapshot, number)?;
        for mail in entry.values(ids.mail) {
            if Syntax::DirectoryString.key(mail).is_some_and(|key| known.insert(key)) {
                addresses.push(mail.to_vec());
            }
        }
        entry.sound()?;
    }
    Ok(addresses)
}

/// A list that mails itself would never end.
fn own_addresses(list: &StoredEntry<'_>) -> Result<HashSet<Key>, ReadError> {
    let own = list.values(ids().mail).filter_map(|mail| Syntax::DirectoryString.key(mail));
    let own = own.collect();
    list.sound()?;
    Ok(own)
}

fn token_groups(
    entry: &StoredEntry<'_>,
    snapshot: &Snapshot,
    counts: &dyn Fn(&StoredEntry<'_>) -> bool,
) -> Result<Vec<Vec<u8>>, ReadError> {
    let ids = ids();
    let mut sids = Vec::new();
    for number in snapshot.groups_above(entry.number())?.iter() {
        let group = read(snapshot, number)?;
        let is_security = group.values(ids.group_type).any(|value| {
            let number = std::str::from_utf8(value).ok().and_then(|text| text.parse::<i64>().ok());
            number.is_some_and(|number| number & SECURITY_ENABLED != 0)
        });
        if is_security && counts(&group) {
            sids.extend(group.values(ids.object_sid).map(<[u8]>::to_vec));
        }
        group.sound()?;
    }
    Ok(sids)
}

fn says_true(entry: &StoredEntry<'_>, attribute: AttributeId) -> bool {
    entry.values(attribute).any(|value| value.eq_ignore_ascii_case(b"TRUE"))
}

fn read(snapshot: &Snapshot, number: Number) -> Result<StoredEntry<'_>, ReadError> {
    snapshot.entry(number)?.ok_or_else(|| super::damaged("an entry that a group has"))
}
