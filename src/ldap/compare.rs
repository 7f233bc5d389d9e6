//! Compare (RFC 4511 4.10). Pure: no clock; reads the snapshot.

use super::search::ReadError;
use super::search::scope;
use super::server::Server;
use super::session::Session;
use super::wire::request::CompareRequest;
use super::wire::response::Outcome;
use super::{generated::Generated, root_dse};
use crate::directory::attribute::{AttributeType, Syntax};
use crate::directory::entry::Values;
use crate::directory::schema;
use crate::replica::ids::Number;
use crate::replica::reader::Snapshot;
use ldap3_proto::LdapResultCode;

/// Answers a compare: true (6), false (5), or why that cannot be told.
pub(crate) fn answer(
    server: &Server,
    session: &Session,
    request: &CompareRequest<'_>,
    snapshot: &Snapshot,
) -> Outcome {
    let outcome = try_answer(server, session, request, snapshot);
    session.veiled(outcome.unwrap_or_else(|error| server.unreadable(&error)))
}

fn try_answer(
    server: &Server,
    session: &Session,
    request: &CompareRequest<'_>,
    snapshot: &Snapshot,
) -> Result<Outcome, ReadError> {
    let key = match server.key_of(request.entry) {
        Ok(key) => key,
        Err(outcome) => return Ok(session.may_read().err().unwrap_or(outcome)),
    };
    if key.is_root() {
        return Ok(made(&root_dse::make(server, session, snapshot), request));
    }
    if *key == server.schema_key {
        return Ok(made(&server.schema_entry, request));
    }
    if let Err(refused) = session.may_read() {
        return Ok(refused);
    }
    if !session.sees(&key) {
        return Ok(Outcome::new(LdapResultCode::NoSuchObject, ""));
    }
    let context = snapshot.contexts().iter().find(|context| key.is_within(&context.key));
    if context.is_some_and(|context| context.entry.is_none()) {
        return Ok(scope::not_ready());
    }
    let Some(number) = snapshot.number(&key)?.filter(|_| context.is_some()) else {
        return scope::no_such_object(snapshot, &key);
    };
    let known = schema::standard().attribute_described(request.attribute);
    let Some(attribute) = known.filter(|attribute| session.may_test(attribute.id)) else {
        return Ok(unknown_attribute());
    };
    stored(snapshot, number, attribute, request.value)
}

fn stored(
    snapshot: &Snapshot,
    number: Number,
    attribute: &AttributeType,
    value: &[u8],
) -> Result<Outcome, ReadError> {
    let Some(entry) = snapshot.entry(number)? else {
        return Err(super::search::damaged("an entry that has a name"));
    };
    if entry.view().slot(attribute.id).is_none() {
        return Ok(Outcome::new(LdapResultCode::NoSuchAttribute, ""));
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

fn made(entry: &Generated, request: &CompareRequest<'_>) -> Outcome {
    match entry.find(request.attribute) {
        Some([]) => Outcome::new(LdapResultCode::NoSuchAttribute, ""),
        Some(values) => verdict(values.iter().any(|own| own.eq_ignore_ascii_case(request.value))),
        None if schema::standard().attribute_described(request.attribute).is_some() => {
            Outcome::new(LdapResultCode::NoSuchAttribute, "")
        }
        None => unknown_attribute(),
    }
}

fn verdict(holds: bool) -> Outcome {
    let code = if holds { LdapResultCode::CompareTrue } else { LdapResultCode::CompareFalse };
    Outcome::new(code, "")
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
