//! Compare (RFC 4511 4.10). Pure: no clock; reads the snapshot.

use super::generated::Generated;
use super::root_dse;
use super::search::constructed::Constructed;
use super::search::scope::{self, NoRegion};
use super::search::visible::Visible;
use super::search::{self, ReadError};
use super::server::Server;
use super::session::Session;
use super::target::Target;
use super::wire::request::CompareRequest;
use super::wire::response::Outcome;
use crate::directory::attribute::{AttributeType, Syntax};
use crate::directory::entry::Values;
use crate::directory::filter::Filter;
use crate::directory::schema::{self, Described};
use crate::replica::ids::Number;
use crate::replica::reader::{Snapshot, StoredEntry};
use ldap3_proto::LdapResultCode;
use std::borrow::Cow;

/// Answers a compare: true (6), false (5), or why that cannot be told.
pub(crate) fn answer(
    server: &Server,
    session: &Session,
    asked: (&CompareRequest<'_>, Option<&Filter<'_>>),
    snapshot: &Snapshot,
) -> Outcome {
    let outcome = match try_answer(server, session, asked, snapshot) {
        Ok(outcome) | Err(NoRegion::Answer(outcome)) => outcome,
        Err(NoRegion::Unreadable(error)) => server.unreadable(&error),
        Err(NoRegion::Unsortable(_)) => Outcome::new(LdapResultCode::Other, ""),
    };
    session.veiled(outcome)
}

/// The second part of what is asked is an assertion (RFC 4528), which must hold first.
fn try_answer(
    server: &Server,
    session: &Session,
    (request, assertion): (&CompareRequest<'_>, Option<&Filter<'_>>),
    snapshot: &Snapshot,
) -> Result<Outcome, NoRegion> {
    let target = Target::read(server, request.entry);
    let made: Option<Cow<'_, Generated>> = match target.key() {
        Some(key) if key.is_root() => Some(Cow::Owned(root_dse::make(server, session, snapshot))),
        Some(key) if *key == server.schema_key => Some(Cow::Borrowed(&server.schema_entry)),
        _ => None,
    };
    if let Some(made) = made {
        let holds = assertion.is_none_or(|filter| made.satisfies(filter));
        return Ok(if holds { compare_made(&made, request) } else { search::assertion_failed() });
    }
    session.may_read().map_err(NoRegion::Answer)?;
    let key = target.locate(snapshot)?;
    if !session.sees(&key) {
        return Ok(Outcome::new(LdapResultCode::NoSuchObject, ""));
    }
    let context = snapshot.contexts().iter().find(|context| key.is_within(&context.key));
    if context.is_some_and(|context| context.entry.is_none()) {
        return Ok(scope::not_ready());
    }
    let Some(number) = snapshot.number(&key)?.filter(|_| context.is_some()) else {
        return Ok(scope::no_such_object(snapshot, &key)?);
    };
    if let Some(filter) = assertion
        && !search::asserts(filter, &key, session, snapshot)?
    {
        return Ok(search::assertion_failed());
    }
    match schema::standard().described(request.attribute) {
        Described::Attribute(attribute) if session.may_test(attribute.id) => {
            match Constructed::of(attribute) {
                Some(made) if !made.made_of().all(|id| session.may_test(id)) => {
                    Ok(unknown_attribute())
                }
                Some(made) => constructed(session, snapshot, number, (made, attribute), request),
                None => Ok(stored(snapshot, number, attribute, request.value)?),
            }
        }
        Described::Subtype(attribute) if session.may_test(attribute.id) => Ok(no_such_attribute()),
        _ => Ok(unknown_attribute()),
    }
}

fn constructed(
    session: &Session,
    snapshot: &Snapshot,
    number: Number,
    (made, attribute): (Constructed, &AttributeType),
    request: &CompareRequest<'_>,
) -> Result<Outcome, NoRegion> {
    let entry = read(snapshot, number)?;
    let known = match made.is_of_several() {
        true => Visible::of(session, snapshot)?,
        false => Visible::Everywhere,
    };
    let counts =
        |other: &StoredEntry<'_>| known.holds(snapshot, other.number(), &other.view().identity());
    let values = made.values(&entry, snapshot, &counts)?;
    if values.is_empty() {
        return Ok(no_such_attribute());
    }
    let Some(key) = attribute.syntax.key(request.value) else { return Ok(bad_value()) };
    Ok(verdict(values.iter().any(|own| attribute.syntax.key(own).as_ref() == Some(&key))))
}

fn read(snapshot: &Snapshot, number: Number) -> Result<StoredEntry<'_>, ReadError> {
    snapshot.entry(number)?.ok_or_else(|| search::damaged("an entry that has a name"))
}

fn stored(
    snapshot: &Snapshot,
    number: Number,
    attribute: &AttributeType,
    value: &[u8],
) -> Result<Outcome, ReadError> {
    let entry = read(snapshot, number)?;
    if entry.view().attribute(attribute.id).is_none() {
        return Ok(no_such_attribute());
    }
    let Some(key) = attribute.syntax.key(value) else { return Ok(bad_value()) };
    // Members are asked for by index: a list may hold ten thousand of them.
    let holds = if attribute.syntax == Syntax::Dn {
        snapshot.equal(attribute.id, &key)?.contains(number)
    } else {
        entry.values(attribute.id).any(|own| attribute.syntax.key(own).as_ref() == Some(&key))
    };
    entry.sound()?;
    Ok(verdict(holds))
}

fn compare_made(entry: &Generated, request: &CompareRequest<'_>) -> Outcome {
    match entry.find(request.attribute) {
        Some([]) => no_such_attribute(),
        Some(values) => verdict(values.iter().any(|own| own.eq_ignore_ascii_case(request.value))),
        None => match schema::standard().described(request.attribute) {
            Described::Unknown => unknown_attribute(),
            Described::Attribute(_) | Described::Subtype(_) => no_such_attribute(),
        },
    }
}

fn verdict(holds: bool) -> Outcome {
    let code = if holds { LdapResultCode::CompareTrue } else { LdapResultCode::CompareFalse };
    Outcome::new(code, "")
}

fn no_such_attribute() -> Outcome {
    Outcome::new(LdapResultCode::NoSuchAttribute, "")
}

fn unknown_attribute() -> Outcome {
    Outcome::new(LdapResultCode::UndefinedAttributeType, "unknown attribute")
}

fn bad_value() -> Outcome {
    Outcome::new(
        LdapResultCode::InvalidAttributeSyntax,
        "the value is not of the attribute's syntax",
    )
}
