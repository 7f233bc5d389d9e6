//! The entry that a request names: by a distinguished name, or by one of the other forms
//! that Active Directory knows (MS-ADTS 3.1.1.3.1.2.4). Pure: no clock; reads the snapshot.

use super::search::scope::{self, NoRegion};
use super::server::Server;
use super::wire::response::Outcome;
use crate::directory::attribute::{AttributeId, Key, Syntax};
use crate::directory::dn::{Dn, DnKey};
use crate::directory::schema;
use crate::replica::reader::Snapshot;
use ldap3_proto::LdapResultCode;
use std::borrow::Cow;

/// A name, read and not yet looked for.
pub(crate) enum Target<'s> {
    /// A distinguished name.
    Name(Cow<'s, DnKey>),
    /// `<GUID=...>` or `<SID=...>`: the entry with this value.
    By(AttributeId, Key),
    /// It is none.
    No(Outcome),
}

impl<'s> Target<'s> {
    /// Reads a name.
    pub(crate) fn read(server: &'s Server, name: &[u8]) -> Self {
        match name {
            [b'<', inside @ .., b'>'] => other_form(inside),
            _ => server.key_of(name).map_or_else(Target::No, Target::Name),
        }
    }

    /// The key of a distinguished name.
    pub(crate) fn key(&self) -> Option<&DnKey> {
        match self {
            Target::Name(key) => Some(key),
            Target::By(..) | Target::No(_) => None,
        }
    }

    /// The key of the name, whichever form it had. The entry need not exist, except where
    /// only the entry tells its name.
    pub(crate) fn locate(self, snapshot: &Snapshot) -> Result<Cow<'s, DnKey>, NoRegion> {
        let (attribute, value) = match self {
            Target::Name(key) => return Ok(key),
            Target::No(outcome) => return Err(NoRegion::Answer(outcome)),
            Target::By(attribute, value) => (attribute, value),
        };
        // It might be in a context that is not there yet: unknown is not absent.
        if snapshot.contexts().iter().any(|context| context.entry.is_none()) {
            return Err(NoRegion::Answer(scope::not_ready()));
        }
        let number = snapshot.equal(attribute, &value)?.iter().next();
        let entry = match number {
            Some(number) => snapshot.entry(number)?,
            None => None,
        };
        let absent = || NoRegion::Answer(Outcome::new(LdapResultCode::NoSuchObject, ""));
        let entry = entry.ok_or_else(absent)?;
        let dn = Dn::parse(entry.view().dn()).map_err(|_| super::search::damaged("a name"))?;
        Ok(Cow::Owned(dn.key()))
    }
}

/// What stands between `<` and `>`. Well-known containers (`WKGUID`) are those of a domain
/// controller; there are none here.
fn other_form(inside: &[u8]) -> Target<'static> {
    let bad = || {
        let message = "expected <GUID=...> or <SID=...>";
        Target::No(Outcome::new(LdapResultCode::InvalidDNSyntax, message))
    };
    let mut parts = inside.splitn(2, |octet| *octet == b'=');
    let (Some(form), Some(value)) = (parts.next(), parts.next()) else { return bad() };
    let (name, syntax) = match form.trim_ascii().to_ascii_uppercase().as_slice() {
        b"GUID" => ("objectGUID", Syntax::Guid),
        b"SID" => ("objectSid", Syntax::Sid),
        b"WKGUID" => return Target::No(Outcome::new(LdapResultCode::NoSuchObject, "")),
        _ => return bad(),
    };
    let value = value.trim_ascii();
    // The octets as hexadecimal digits, or the text form.
    let key = octets(value).as_deref().and_then(|it| syntax.key(it)).or_else(|| syntax.key(value));
    match (schema::standard().attribute(name.as_bytes()), key) {
        (Some(attribute), Some(key)) => Target::By(attribute.id, key),
        _ => bad(),
    }
}

fn octets(digits: &[u8]) -> Option<Vec<u8>> {
    let digit = |octet: &u8| char::from(*octet).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect()
}
