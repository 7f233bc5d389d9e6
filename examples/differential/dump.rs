//! The entries that both servers hold, read from LDIF: what questions are made of.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use entraldap::directory::attribute::{AttributeType, Syntax};
use entraldap::directory::schema;
use entraldap::simulator::Rng;
use std::collections::BTreeMap;
use std::error::Error;

/// One entry.
pub(crate) struct Entry {
    /// Its name, as written.
    pub(crate) dn: String,
    /// Attributes, by number, and their values.
    pub(crate) values: Vec<(&'static AttributeType, Vec<u8>)>,
}

/// All entries.
pub(crate) struct Dump {
    /// In the order of the file.
    pub(crate) entries: Vec<Entry>,
    used: Vec<(&'static AttributeType, Vec<Vec<u8>>)>,
}

impl Dump {
    /// Reads what `entraldap export` wrote: lines are not folded.
    pub(crate) fn read(text: &str) -> Result<Self, Box<dyn Error>> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut used: BTreeMap<u16, Vec<Vec<u8>>> = BTreeMap::new();
        for line in text.lines().filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':').ok_or("a line without a colon")?;
            let value = match value.strip_prefix(':') {
                Some(coded) => STANDARD.decode(coded.trim())?,
                None => value.trim_start().as_bytes().to_vec(),
            };
            if name == "dn" {
                let dn = String::from_utf8(value)?;
                entries.push(Entry { dn, values: Vec::new() });
            } else if let Some(entry) = entries.last_mut() {
                let attribute = schema::standard().attribute(name.as_bytes());
                let attribute = attribute.ok_or("an attribute that is not in the schema")?;
                used.entry(attribute.id.0).or_default().push(value.clone());
                entry.values.push((attribute, value));
            }
        }
        let all = schema::standard().attributes().iter();
        let used = all.filter_map(|a| Some((a, used.remove(&a.id.0)?))).collect();
        Ok(Dump { entries, used })
    }

    /// An attribute that some entry has.
    pub(crate) fn used(&self, rng: &mut Rng) -> Option<&'static AttributeType> {
        rng.pick(&self.used).map(|(attribute, _)| *attribute)
    }

    /// All attributes that some entry has.
    pub(crate) fn all_used(&self) -> impl Iterator<Item = &'static AttributeType> + '_ {
        self.used.iter().map(|(attribute, _)| *attribute)
    }

    /// A value of the attribute, or of another one with its syntax.
    pub(crate) fn value(&self, attribute: &AttributeType, rng: &mut Rng) -> Vec<u8> {
        let own = self.used.iter().find(|(used, _)| used.id == attribute.id);
        if let Some((_, values)) = own
            && let Some(value) = rng.pick(values)
        {
            return value.clone();
        }
        self.of_syntax(attribute.syntax, rng)
    }

    /// A value of any attribute with the syntax.
    pub(crate) fn of_syntax(&self, syntax: Syntax, rng: &mut Rng) -> Vec<u8> {
        let with: Vec<_> = self.used.iter().filter(|(a, _)| a.syntax == syntax).collect();
        let values = rng.pick(&with).map(|(_, values)| values.as_slice()).unwrap_or_default();
        rng.pick(values).cloned().unwrap_or_else(|| b"TRUE".to_vec())
    }

    /// The name of an entry.
    pub(crate) fn dn(&self, rng: &mut Rng) -> &str {
        rng.pick(&self.entries).map_or("", |entry| entry.dn.as_str())
    }
}
