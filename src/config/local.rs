//! `[connection.local]`: entries of our own, beside those of the tenant, and the LDIF file
//! that they stand in.

use super::reader::Table;
use super::settings::TreeSettings;
use super::value::Trouble;
use crate::directory::dn::Dn;
use crate::directory::entry::{Entry, Values};
use crate::directory::ldif::{self, Mistake, Record};
use crate::directory::schema;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// `[connection.local]`: entries of our own, beside those of the tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalSettings {
    /// An LDIF file (RFC 2849) with entries below the connection's base.
    pub file: PathBuf,
    /// Who keeps an address or a name that both have.
    pub prefer: Prefer,
}

/// Who keeps what two have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Prefer {
    /// The local entry.
    Local,
    /// The tenant's object.
    #[default]
    Entra,
}

/// An entry of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalEntry {
    /// The line that it begins in.
    pub line: usize,
    /// The entry, with what the file says.
    pub entry: Entry,
}

/// Reads the section.
pub(super) fn read(
    table: &Table<'_>,
    base: Option<&Dn>,
    tree: &TreeSettings,
) -> Option<LocalSettings> {
    let file = table.required("file", "write file = \"path of an LDIF file\"", |v| v.path());
    let words = [("entra", Prefer::Entra), ("local", Prefer::Local)];
    let prefer = table.or("prefer", Prefer::default(), |value| value.word(&words));
    let file = file?;
    if let Some(base) = base
        && let Err(mistakes) = load(&file, base, tree)
    {
        for Mistake { line, text } in mistakes {
            let message = format!("{}:{line}: {text}", file.display());
            let trouble = Trouble::new(message, "correct the file");
            table.report.problem(&table.place("file"), trouble);
        }
    }
    Some(LocalSettings { file, prefer })
}

/// Reads the entries of a file.
///
/// # Errors
/// Every mistake, with its line; 0 where the file cannot be read.
pub fn load(file: &Path, base: &Dn, tree: &TreeSettings) -> Result<Vec<LocalEntry>, Vec<Mistake>> {
    let octets = std::fs::read(file).map_err(|error| vec![Mistake::new(0, error.to_string())])?;
    let text = String::from_utf8(octets).map_err(|_| {
        vec![Mistake::new(0, "is not UTF-8; values that are none belong in base64")]
    })?;
    let records = ldif::parse(&text)?;
    let (mut entries, mut mistakes) = (Vec::new(), Vec::new());
    let mut names = HashMap::new();
    for record in records {
        match entry(&record, base, tree) {
            Ok(entry) => {
                let key = entry.dn.key().as_bytes().to_vec();
                if let Some(first) = names.insert(key, record.line) {
                    let text = format!("{} stands in line {first} already", record.dn);
                    mistakes.push(Mistake::new(record.line, text));
                }
                entries.push(LocalEntry { line: record.line, entry });
            }
            Err(mut more) => mistakes.append(&mut more),
        }
    }
    if mistakes.is_empty() { Ok(entries) } else { Err(mistakes) }
}

/// Checks a record against the tree and the schema.
fn entry(record: &Record, base: &Dn, tree: &TreeSettings) -> Result<Entry, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let mut wrong = |line: usize, text: String| mistakes.push(Mistake::new(line, text));
    let dn = match Dn::parse(&record.dn) {
        Ok(dn) => dn,
        Err(error) => {
            wrong(record.line, format!("{:?} is not a DN ({error})", record.dn));
            return Err(mistakes);
        }
    };
    let branches = [&tree.users, &tree.groups, &tree.contacts, &tree.domains];
    let containers: Vec<Dn> = branches.iter().map(|branch| base.child("ou", &branch.ou)).collect();
    let parent = dn.parent().map(|parent| parent.key());
    let fits = |place: &Dn| parent.as_ref() == Some(&place.key());
    if !fits(base) && !containers.iter().any(fits) || containers.iter().any(|c| c.key() == dn.key())
    {
        let places: Vec<String> = containers.iter().map(Dn::to_string).collect();
        let text = format!(
            "{} stands in no container; put it directly below {base}, {}",
            record.dn,
            places.join(", ")
        );
        wrong(record.line, text);
    }
    let mut entry = Entry::new(dn.clone());
    for (line, name, value) in &record.values {
        let Some(attribute) = schema::standard().attribute(name.as_bytes()) else {
            wrong(*line, unknown(name));
            continue;
        };
        if attribute.operational || attribute.is_constructed() || MADE.contains(&attribute.name) {
            wrong(*line, format!("{} is made by entraldap; remove the line", attribute.name));
        } else if value.is_empty() {
            wrong(*line, format!("{} has an empty value; remove the line", attribute.name));
        } else if attribute.syntax.key(value).is_none() {
            wrong(*line, format!("the value of {} is not of its syntax", attribute.name));
        } else if attribute.single_value && entry.values(attribute.id).next().is_some() {
            wrong(*line, format!("{} can have one value only", attribute.name));
        } else {
            entry.add(attribute.id, value.clone());
        }
    }
    let class = schema::standard().attribute(b"objectClass");
    let classes: Vec<Vec<u8>> =
        class.map(|c| entry.values(c.id).map(<[u8]>::to_vec).collect()).unwrap_or_default();
    if classes.is_empty() {
        wrong(record.line, "has no objectClass".to_owned());
    }
    for class in classes {
        let class = String::from_utf8_lossy(&class);
        if schema::standard().class(&class).is_none() {
            let text = format!("{class} is not an object class");
            wrong(record.line, text);
        }
    }
    if let Some((name, value)) = dn.rdn().and_then(|rdn| rdn.first())
        && let Some(attribute) = schema::standard().attribute(name.as_bytes())
    {
        let key = attribute.syntax.key(value);
        let held = entry.values(attribute.id).any(|held| attribute.syntax.key(held) == key);
        if !held {
            wrong(record.line, format!("lacks the value of its name, {name}"));
        }
    }
    if mistakes.is_empty() { Ok(entry) } else { Err(mistakes) }
}

/// What follows from the name and the history of an entry.
const MADE: &[&str] = &[
    "memberOf",
    "objectGUID",
    "objectSid",
    "distinguishedName",
    "uSNCreated",
    "uSNChanged",
    "whenCreated",
    "whenChanged",
    "name",
    "directReports",
];

fn unknown(name: &str) -> String {
    match schema::standard().nearest(name) {
        Some(meant) => format!("{name} is not an attribute; did you mean {}?", meant.name),
        None => format!("{name} is not an attribute"),
    }
}
