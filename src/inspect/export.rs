//! Entries as text: LDIF (RFC 2849) and JSON lines.

use crate::directory::dn::Dn;
use crate::directory::entry::Values;
use crate::directory::filter::{Filter, FilterError};
use crate::directory::predicate::Predicate;
use crate::directory::schema;
use crate::replica::{Error, Number, Snapshot, StoredEntry};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use std::fmt::Write;

/// How entries are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// LDIF, readable by `ldapadd`; `slapadd` knows no `version: 1` and wants the rest.
    Ldif,
    /// One JSON object a line.
    Json,
}

/// Which entries.
#[derive(Debug)]
pub struct Selection {
    predicate: Option<Predicate>,
    base: Option<Dn>,
}

/// Why entries cannot be selected.
#[derive(Debug, thiserror::Error)]
pub enum SelectionError {
    /// The filter is none.
    #[error("--filter: {0}; write for example \"(mail=ada@contoso.com)\"")]
    Filter(#[from] FilterError),
    /// The base is none.
    #[error("--base: {0}; write for example \"ou=users,dc=contoso,dc=com\"")]
    Base(#[from] crate::directory::dn::DnError),
}

impl Selection {
    /// All entries, or those below `base` that match `filter`.
    pub fn new(filter: Option<&str>, base: Option<&str>) -> Result<Self, SelectionError> {
        let predicate = match filter {
            Some(text) => {
                Some(Predicate::bind(&Filter::parse(text)?, schema::standard(), &|_| true))
            }
            None => None,
        };
        Ok(Selection { predicate, base: base.map(Dn::parse).transpose()? })
    }

    fn takes(&self, snapshot: &Snapshot, entry: &StoredEntry<'_>) -> bool {
        if let Some(base) = &self.base {
            let inside =
                Dn::parse(entry.view().dn()).is_ok_and(|dn| dn.key().is_within(&base.key()));
            if !inside {
                return false;
            }
        }
        let number = entry.number();
        let in_chain = |attribute, key: &[u8]| {
            snapshot.in_chain(attribute, key).is_ok_and(|ids| ids.contains(number))
        };
        self.predicate
            .as_ref()
            .is_none_or(|predicate| predicate.evaluate(entry, &in_chain) == Some(true))
    }
}

/// Calls `write` with the text of each selected entry, by number, until it says no.
pub fn export<E: From<Error>>(
    snapshot: &Snapshot,
    selection: &Selection,
    format: Format,
    mut write: impl FnMut(String) -> Result<(), E>,
) -> Result<(), E> {
    if format == Format::Ldif {
        write("version: 1\n\n".to_owned())?;
    }
    for number in snapshot.all()?.iter() {
        if let Some(text) = one(snapshot, selection, format, number)? {
            write(text)?;
        }
    }
    Ok(())
}

fn one(
    snapshot: &Snapshot,
    selection: &Selection,
    format: Format,
    number: Number,
) -> Result<Option<String>, Error> {
    let Some(entry) = snapshot.entry(number)? else { return Ok(None) };
    if !selection.takes(snapshot, &entry) {
        return Ok(None);
    }
    let text = match format {
        Format::Ldif => ldif(&entry),
        Format::Json => json_line(&entry),
    };
    // A list that could not be read must not look empty.
    entry.sound()?;
    Ok(Some(text))
}

/// One entry as LDIF, with an empty line behind.
pub fn ldif(entry: &StoredEntry<'_>) -> String {
    let mut out = String::new();
    ldif_line(&mut out, "dn", entry.view().dn().as_bytes());
    for slot in entry.view().attributes() {
        let Some(attribute) = schema::standard().get(slot.id) else { continue };
        for value in entry.values(slot.id) {
            ldif_line(&mut out, attribute.name, value);
        }
    }
    out.push('\n');
    out
}

/// Appends one line of LDIF. RFC 2849: a value that is no SAFE-STRING is written in base64.
pub fn ldif_line(out: &mut String, name: &str, value: &[u8]) {
    let unsafe_start = matches!(value.first(), Some(b' ' | b':' | b'<'));
    let is_safe = value.iter().all(|b| (1..=127).contains(b) && !matches!(b, b'\n' | b'\r'));
    let text = std::str::from_utf8(value)
        .ok()
        .filter(|_| is_safe && !unsafe_start && !value.ends_with(b" "));
    // Writing to a String cannot fail.
    let _ = match text {
        Some(text) => writeln!(out, "{name}: {text}"),
        None => writeln!(out, "{name}:: {}", STANDARD.encode(value)),
    };
}

/// One entry as a line of JSON: `dn` and each attribute's values. Octets that are no
/// text are written as `{"base64": "..."}`.
pub fn json_line(entry: &StoredEntry<'_>) -> String {
    let mut out = Map::new();
    out.insert("dn".to_owned(), entry.view().dn().into());
    for slot in entry.view().attributes() {
        let Some(attribute) = schema::standard().get(slot.id) else { continue };
        let values = entry.values(slot.id).map(|value| match std::str::from_utf8(value) {
            Ok(text) if !text.contains('\0') => Value::from(text),
            _ => json!({ "base64": STANDARD.encode(value) }),
        });
        out.insert(attribute.name.to_owned(), values.collect());
    }
    format!("{}\n", Value::Object(out))
}
