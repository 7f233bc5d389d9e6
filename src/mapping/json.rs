//! Reading properties whose JSON types are not always what Graph documents: a number
//! is taken as its text, anything else of the wrong type as absent. Pure: no I/O, no clock.

use super::Properties;
use super::moment;
use jiff::Timestamp;
use serde_json::Value;
use std::borrow::Cow;

/// A text, trimmed; absent where nothing is left of it.
pub(super) fn word<'a>(properties: &'a Properties, name: &str) -> Option<Cow<'a, str>> {
    let text = match text(properties, name)? {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        // A number, which has no white space.
        Cow::Owned(text) => Cow::Owned(text),
    };
    (!text.is_empty()).then_some(text)
}

/// A text as it is.
pub(super) fn text<'a>(properties: &'a Properties, name: &str) -> Option<Cow<'a, str>> {
    as_text(properties.get(name)?)
}

/// The texts of a list; a text alone is a list of one.
pub(super) fn texts<'a>(properties: &'a Properties, name: &str) -> Vec<Cow<'a, str>> {
    match properties.get(name) {
        Some(Value::Array(values)) => values.iter().filter_map(as_text).collect(),
        Some(value) => as_text(value).into_iter().collect(),
        None => Vec::new(),
    }
}

/// The objects of a list.
pub(super) fn objects<'a>(
    properties: &'a Properties,
    name: &str,
) -> impl Iterator<Item = &'a Properties> {
    let values = properties.get(name).and_then(Value::as_array);
    values.into_iter().flatten().filter_map(Value::as_object)
}

/// An object.
pub(super) fn object<'a>(properties: &'a Properties, name: &str) -> Option<&'a Properties> {
    properties.get(name)?.as_object()
}

/// Whether the property is `true`.
pub(super) fn is_true(properties: &Properties, name: &str) -> bool {
    properties.get(name) == Some(&Value::Bool(true))
}

/// Whether the property is `false`, and not merely absent.
pub(super) fn is_false(properties: &Properties, name: &str) -> bool {
    properties.get(name) == Some(&Value::Bool(false))
}

/// A point in time.
pub(super) fn time(properties: &Properties, name: &str) -> Option<Timestamp> {
    moment::parse(properties.get(name)?.as_str()?)
}

fn as_text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        _ => None,
    }
}
