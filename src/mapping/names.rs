//! The names that objects would like to have. Pure: no I/O, no clock.

use super::{Properties, json};
use crate::directory::ids::ObjectId;
use crate::directory::kind::Kind;
use crate::directory::text;

/// All properties that names and accounts are made of.
pub const NAMING: [&str; 6] =
    ["id", "displayName", "mail", "mailNickname", "onPremisesSamAccountName", "userPrincipalName"];

/// Octets of an RDN value without suffix; 255 with it.
const LONGEST_NAME: usize = 244;
/// Characters of a `sAMAccountName` that all clients of AD accept.
const LONGEST_ACCOUNT: usize = 20;
/// Characters of a name that was given by a real AD, and is kept.
const LONGEST_GIVEN_ACCOUNT: usize = 256;
/// What Entra appends to the local part of a guest's user principal name.
const GUEST: &str = "#EXT#";

/// `name (0b1f6a52)`: the name of the later of two that want the same.
pub fn with_suffix(name: &str, id: ObjectId) -> String {
    format!("{} ({})", shortened(name, LONGEST_NAME), id.short())
}

/// `name-0b1f6a52`, with 20 characters at most: the account of the later of two that
/// want the same.
pub fn account_with_suffix(name: &str, id: ObjectId) -> String {
    let suffix = id.short();
    let room = LONGEST_ACCOUNT.saturating_sub(suffix.len() + 1);
    let kept: String = name.chars().take(room).collect();
    format!("{}-{suffix}", kept.trim_end_matches(['.', ' ']))
}

pub(super) fn wanted_name(kind: Kind, rdn: &str, id: ObjectId, properties: &Properties) -> String {
    let best = match kind {
        Kind::User if rdn.eq_ignore_ascii_case("cn") => "displayName",
        Kind::User if rdn.eq_ignore_ascii_case("mail") => "mail",
        Kind::User => "userPrincipalName",
        Kind::Group | Kind::Contact => "displayName",
        Kind::Domain => "id",
    };
    let name = [best, "mail", "mailNickname"].iter().find_map(|property| {
        let name = json::word(properties, property)?;
        let name = shortened(&name, LONGEST_NAME).to_owned();
        // A name of invisible characters alone would be none in comparisons.
        (!text::fold(&name).is_empty()).then_some(name)
    });
    name.unwrap_or_else(|| id.to_string())
}

pub(super) fn wanted_account(kind: Kind, id: ObjectId, properties: &Properties) -> Option<String> {
    if !matches!(kind, Kind::User | Kind::Group) {
        return None;
    }
    if let Some(given) = json::word(properties, "onPremisesSamAccountName") {
        return Some(given.chars().take(LONGEST_GIVEN_ACCOUNT).collect());
    }
    let mut candidates =
        ["mailNickname", "userPrincipalName", "displayName"].iter().filter_map(|property| {
            let name = json::word(properties, property)?;
            let is_principal = *property == "userPrincipalName";
            let local_part = name.split('@').next().filter(|_| is_principal);
            let account = account(local_part.unwrap_or(&name));
            (!account.is_empty()).then_some(account)
        });
    Some(candidates.next().unwrap_or_else(|| id.short()))
}

/// `name` as an account name; empty where nothing usable is left.
fn account(name: &str) -> String {
    let name = name.strip_suffix(GUEST).unwrap_or(name);
    let replaced = name.trim().chars().take(LONGEST_ACCOUNT).map(|c| match c {
        '"' | '/' | '\\' | '[' | ']' | ':' | ';' | '|' | '=' | ',' | '+' | '*' | '?' | '<'
        | '>' | '@' => '_',
        c if c.is_control() => '_',
        c => c,
    });
    // AD allows neither a name of dots and spaces nor a dot at the end.
    replaced.collect::<String>().trim_matches(['.', ' ']).to_owned()
}

/// The longest beginning of `name` that has `octets` octets at most.
fn shortened(name: &str, octets: usize) -> &str {
    let mut end = name.len().min(octets);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.get(..end).unwrap_or(name).trim_end()
}
