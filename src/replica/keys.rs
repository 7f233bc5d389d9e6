//! What an entry is indexed by. Pure: no I/O, no clock.

use crate::directory::attribute::{AttributeId, Key, Syntax};
use crate::directory::schema::{self, Schema};
use std::sync::OnceLock;

/// Longer keys are cut: no Graph property comes near.
const MAX_KEY: usize = 8192;

/// A value's key as far as the equality index has it.
pub fn cut(key: &[u8]) -> &[u8] {
    key.get(..MAX_KEY).unwrap_or(key)
}

/// So many rows of the substrings index are looked at for one assertion.
const MOST_GRAMS: usize = 128;

/// The attributes whose DNs are looked up through the edges between objects, not
/// through an index of texts that a renamed group would rewrite ten thousand times.
#[derive(Debug, Clone, Copy)]
pub(super) struct Linked {
    pub(super) member: AttributeId,
    pub(super) member_of: AttributeId,
    pub(super) manager: AttributeId,
    pub(super) direct_reports: AttributeId,
    pub(super) distinguished_name: AttributeId,
    pub(super) entry_dn: AttributeId,
    pub(super) object_class: AttributeId,
}

/// The linked attributes of the standard schema.
pub(super) fn linked() -> &'static Linked {
    static LINKED: OnceLock<Linked> = OnceLock::new();
    LINKED.get_or_init(|| {
        // A number that no attribute has, should the schema lack one of them.
        let id = |name: &str| {
            schema::standard().attribute(name.as_bytes()).map_or(AttributeId(u16::MAX), |a| a.id)
        };
        Linked {
            member: id("member"),
            member_of: id("memberOf"),
            manager: id("manager"),
            direct_reports: id("directReports"),
            distinguished_name: id("distinguishedName"),
            entry_dn: id("entryDN"),
            object_class: id("objectClass"),
        }
    })
}

impl Linked {
    /// Whether the attribute has no entries in the equality index.
    pub(super) fn is_linked(&self, id: AttributeId) -> bool {
        [
            self.member,
            self.member_of,
            self.manager,
            self.direct_reports,
            self.distinguished_name,
            self.entry_dn,
        ]
        .contains(&id)
    }
}

/// Attributes whose values hardly any two entries share: what gateways, mail programs and
/// logins ask for.
const NEARLY_UNIQUE: [&str; 14] = [
    "mail",
    "proxyAddresses",
    "userPrincipalName",
    "sAMAccountName",
    "uid",
    "mailNickname",
    "mailLocalAddress",
    "mailAlternateAddress",
    "otherMailbox",
    "objectGUID",
    "objectSid",
    "entryUUID",
    "employeeID",
    "legacyExchangeDN",
];

/// Those attributes.
pub(super) fn nearly_unique() -> &'static [AttributeId] {
    static IDS: OnceLock<Vec<AttributeId>> = OnceLock::new();
    IDS.get_or_init(|| {
        let known = |name: &&str| schema::standard().attribute(name.as_bytes());
        NEARLY_UNIQUE.iter().filter_map(known).map(|attribute| attribute.id).collect()
    })
}

/// Whether hardly any two entries share a value of the attribute.
pub(super) fn is_nearly_unique(id: AttributeId) -> bool {
    nearly_unique().contains(&id)
}

/// Whether a value is the entry's own name.
pub(super) fn is_own_name(id: AttributeId) -> bool {
    [linked().distinguished_name, linked().entry_dn].contains(&id)
}

/// The row of the equality index for a value's key.
pub(super) fn equal(id: AttributeId, key: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(2 + key.len());
    out.extend(id.0.to_be_bytes());
    out.extend(cut(key));
    out
}

/// The row of the presence index.
pub(super) fn present(id: AttributeId) -> [u8; 2] {
    id.0.to_be_bytes()
}

/// The rows of the substrings index for a value's key, or for a piece of an assertion.
pub(super) fn grams(id: AttributeId, key: &[u8]) -> Vec<[u8; 5]> {
    let mut grams: Vec<_> = every_gram(id, key).collect();
    grams.sort_unstable();
    grams.dedup();
    grams
}

/// As [`grams`], in the order of the key and with repeats.
pub(super) fn every_gram(id: AttributeId, key: &[u8]) -> impl Iterator<Item = [u8; 5]> {
    let [a, b] = id.0.to_be_bytes();
    key.array_windows::<3>().map(move |[x, y, z]| [a, b, *x, *y, *z])
}

/// As [`grams`], of all pieces of an assertion: no more than tell nearly all values
/// apart, however many a client sends.
pub(super) fn grams_of_pieces<'a>(
    id: AttributeId,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> Vec<[u8; 5]> {
    let mut all: Vec<[u8; 5]> = pieces.flat_map(|piece| grams(id, piece)).collect();
    all.sort_unstable();
    all.dedup();
    all.truncate(MOST_GRAMS);
    all
}

/// The smallest octets that are greater than everything starting with `prefix`.
pub(super) fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut out = prefix.to_vec();
    while let Some(last) = out.pop() {
        if last < u8::MAX {
            out.push(last + 1);
            return Some(out);
        }
    }
    None
}

/// The key of `value`, should the attribute be looked up by values at all.
pub(super) fn value_key(schema: &Schema, id: AttributeId, value: &[u8]) -> Option<(Key, bool)> {
    let attribute = schema.get(id).filter(|_| !linked().is_linked(id))?;
    let key = attribute.syntax.key(value)?;
    Some((key, attribute.substrings_index && attribute.syntax == Syntax::DirectoryString))
}
