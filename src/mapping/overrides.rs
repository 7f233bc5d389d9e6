//! Attributes that the configuration makes otherwise than the preset. Pure: no I/O, no clock.

use super::Properties;
use super::draft::{self, Draft};
use super::moment;
use crate::config::settings::{Case, From, Mapped, Number, Piece, PropertyPath, Shape};
use crate::directory::attribute::{Key, Syntax};
use crate::directory::ids::{ObjectId, Sid};
use serde_json::Value;
use std::collections::HashSet;

/// Makes them.
pub(super) fn apply(draft: &mut Draft, properties: &Properties, mapped: &[Mapped]) {
    for one in mapped {
        let Some(attribute) = draft::known(one.attribute) else { continue };
        let syntax = attribute.syntax;
        if !one.keep {
            draft.put(one.attribute, &[]);
        }
        // RFC 4512 2.2: no two values of an attribute are equal.
        let mut keys: HashSet<Key> =
            draft.values(attribute.id).filter_map(|value| syntax.key(value)).collect();
        let texts = match &one.from {
            Some(from) => values(from, &one.shape, properties),
            None => Vec::new(),
        };
        let mut values: Vec<Vec<u8>> = texts
            .iter()
            .filter_map(|text| octets(syntax, text))
            .filter(|value| syntax.key(value).is_some_and(|key| keys.insert(key)))
            .collect();
        if one.single {
            values.truncate(1);
        }
        values.into_iter().for_each(|value| draft.add(one.attribute, value));
    }
}

/// A text as a value of this syntax: Graph writes identifiers and times as JSON does.
fn octets(syntax: Syntax, text: &str) -> Option<Vec<u8>> {
    let trimmed = text.trim();
    Some(match syntax {
        Syntax::Guid => trimmed.parse::<ObjectId>().ok()?.guid_octets().to_vec(),
        Syntax::Sid => Sid::parse(trimmed)?.octets(),
        Syntax::Integer => trimmed.as_bytes().to_vec(),
        Syntax::Boolean => syntax.key(trimmed.as_bytes())?.into_vec(),
        Syntax::GeneralizedTime => match moment::parse(trimmed) {
            Some(time) => moment::ldap_time(time).into_bytes(),
            None => trimmed.as_bytes().to_vec(),
        },
        _ => text.as_bytes().to_vec(),
    })
}

fn values(from: &From, shape: &Shape, properties: &Properties) -> Vec<String> {
    let raw = match from {
        From::Constant(values) => values.clone(),
        From::First(paths) => {
            let found = paths.iter().map(|path| at(properties, path));
            found.into_iter().find(|values| !values.is_empty()).unwrap_or_default()
        }
        From::Template(pieces) => template(pieces, properties).into_iter().collect(),
    };
    raw.iter().flat_map(|value| shaped(value, shape)).collect()
}

/// The texts at the end of a path. A list on the way is gone through.
fn at(properties: &Properties, path: &PropertyPath) -> Vec<String> {
    let mut steps = path.steps().iter();
    let first = steps.next().and_then(|name| properties.get(name));
    let mut open: Vec<&Value> = first.into_iter().collect();
    for step in steps {
        open = open
            .iter()
            .flat_map(|value| match value {
                Value::Array(list) => list.iter().filter_map(|item| item.get(step)).collect(),
                value => value.get(step).into_iter().collect::<Vec<_>>(),
            })
            .collect();
    }
    open.into_iter().flat_map(texts).filter(|text| !text.trim().is_empty()).collect()
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Number(number) => vec![number.to_string()],
        // RFC 4517 3.3.3
        Value::Bool(truth) => vec![if *truth { "TRUE" } else { "FALSE" }.to_owned()],
        Value::Array(list) => list.iter().flat_map(texts).collect(),
        Value::Null | Value::Object(_) => Vec::new(),
    }
}

fn template(pieces: &[Piece], properties: &Properties) -> Option<String> {
    let (mut out, mut found) = (String::new(), false);
    for piece in pieces {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Property { path, optional } => match at(properties, path).into_iter().next() {
                Some(text) => {
                    out.push_str(text.trim());
                    found = true;
                }
                None if *optional => {}
                None => return None,
            },
        }
    }
    // Of nothing but what might have been there, nothing is made.
    found.then(|| out.trim().to_owned())
}

fn shaped(value: &str, shape: &Shape) -> Vec<String> {
    let pieces: Vec<&str> = match &shape.split {
        Some(at) => value.split(at.as_str()).map(str::trim).collect(),
        None => vec![value],
    };
    pieces.into_iter().filter_map(|piece| shaped_piece(piece, shape)).collect()
}

fn shaped_piece(piece: &str, shape: &Shape) -> Option<String> {
    let text = match shape.number {
        Some(Number::Digits) => piece.chars().filter(char::is_ascii_digit).collect(),
        Some(Number::Integer) => piece.trim().parse::<i64>().ok()?.to_string(),
        Some(Number::FileTime) => moment::filetime(moment::parse(piece)?)?.to_string(),
        None => piece.to_owned(),
    };
    let text = match shape.case {
        Some(Case::Lower) => text.to_lowercase(),
        Some(Case::Upper) => text.to_uppercase(),
        None => text,
    };
    if text.trim().is_empty() {
        return None;
    }
    Some(format!("{}{text}{}", shape.prefix, shape.suffix))
}
