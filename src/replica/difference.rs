//! What changes in an entry, attribute by attribute.

use super::encoding::{Encoded, View, values_of};
use super::error::Error;
use super::ids::Number;
use super::log::AttributeChange;
use super::writer::Transaction;
use crate::directory::attribute::AttributeId;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use redb::ReadableTable;
use std::collections::{BTreeMap, HashSet};

/// How many values of an attribute are told, each way.
const TOLD: usize = 20;
/// Longer values are cut.
const LONGEST: usize = 200;

type Tlvs = BTreeMap<AttributeId, Vec<u8>>;

impl Transaction<'_> {
    /// What changes in the stored entry with `encoded`, but for `bookkeeping`, which
    /// changes with everything.
    pub fn difference(
        &self,
        number: Number,
        encoded: &Encoded,
        bookkeeping: &[AttributeId],
    ) -> Result<Vec<AttributeChange>, Error> {
        let Some(stored) = self.stored(number)? else { return Ok(Vec::new()) };
        let mut old = inline(&stored)?;
        for row in self.tables.wide.range((number, 0)..=(number, u16::MAX))? {
            let (key, tlv) = row?;
            old.insert(AttributeId(key.value().1), tlv.value().to_vec());
        }
        let mut new = inline(&encoded.entry)?;
        new.extend(encoded.wide.iter().cloned());
        let ids: std::collections::BTreeSet<AttributeId> =
            old.keys().chain(new.keys()).copied().collect();
        let changed = ids.into_iter().filter(|id| !bookkeeping.contains(id));
        let changed = changed.filter(|id| old.get(id) != new.get(id));
        Ok(changed.filter_map(|id| self.attribute(id, old.get(&id), new.get(&id))).collect())
    }

    fn attribute(
        &self,
        id: AttributeId,
        old: Option<&Vec<u8>>,
        new: Option<&Vec<u8>>,
    ) -> Option<AttributeChange> {
        let values = |tlv: Option<&Vec<u8>>| -> Vec<Vec<u8>> {
            tlv.map(|tlv| values_of(tlv).map(<[u8]>::to_vec).collect()).unwrap_or_default()
        };
        let (old, new) = (values(old), values(new));
        let (before, after): (HashSet<_>, HashSet<_>) =
            (old.iter().collect(), new.iter().collect());
        let gone: Vec<_> = old.iter().filter(|value| !after.contains(value)).collect();
        let come: Vec<_> = new.iter().filter(|value| !before.contains(value)).collect();
        let tell = |values: &[&Vec<u8>]| values.iter().take(TOLD).map(|v| shown(v)).collect();
        Some(AttributeChange {
            name: self.schema.get(id)?.name.to_owned(),
            removed: tell(&gone),
            added: tell(&come),
            more: gone.len().saturating_sub(TOLD) + come.len().saturating_sub(TOLD),
        })
    }
}

fn inline(octets: &[u8]) -> Result<Tlvs, Error> {
    let view = View::new(octets).ok_or(Error::Damaged("an entry"))?;
    Ok(view.slots().filter_map(|slot| slot.tlv.map(|tlv| (slot.id, tlv.to_vec()))).collect())
}

fn shown(value: &[u8]) -> String {
    match std::str::from_utf8(value) {
        Ok(text) if !text.chars().any(char::is_control) => {
            let cut: String = text.chars().take(LONGEST).collect();
            if cut.len() < text.len() { format!("{cut}...") } else { cut }
        }
        _ => STANDARD.encode(value.get(..LONGEST).unwrap_or(value)),
    }
}
