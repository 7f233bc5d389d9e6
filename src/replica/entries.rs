//! Writing entries and everything that finds them.

use super::encoding::{Encoded, View, values_of};
use super::error::Error;
use super::ids::{Ids, Number};
use super::keys;
use super::writer::Transaction;
use crate::directory::attribute::AttributeId;
use crate::directory::dn::{Dn, DnKey};
use redb::ReadableTable;
use std::collections::BTreeMap;

type Tlvs<'a> = BTreeMap<AttributeId, &'a [u8]>;

impl Transaction<'_> {
    /// The stored form of a published entry.
    pub fn stored(&self, number: Number) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.tables.entries.get(number)?.map(|octets| octets.value().to_vec()))
    }

    /// The name of a published entry, as text.
    pub fn name_of(&self, number: Number) -> Result<Option<String>, Error> {
        let octets = self.tables.entries.get(number)?;
        Ok(octets.and_then(|octets| View::new(octets.value()).map(|view| view.dn().to_owned())))
    }

    /// The entry that has a name.
    pub fn named(&self, name: &DnKey) -> Result<Option<Number>, Error> {
        Ok(self.tables.names.get(name.as_bytes())?.map(|number| number.value()))
    }

    /// Reserves a name for an entry that is put later in this pass.
    pub fn claim_name(&mut self, name: &DnKey, number: Number) -> Result<(), Error> {
        self.tables.names.insert(name.as_bytes(), number)?;
        self.claimed.insert(number);
        Ok(())
    }

    /// Frees a name, should the entry have it.
    pub fn release_name(&mut self, name: &DnKey, number: Number) -> Result<(), Error> {
        if self.named(name)? == Some(number) {
            self.tables.names.remove(name.as_bytes())?;
        }
        Ok(())
    }

    /// The object that has an account name (folded).
    pub fn account_holder(&self, connection: u16, account: &str) -> Result<Option<Number>, Error> {
        let key = account_key(connection, account);
        Ok(self.tables.accounts.get(key.as_slice())?.map(|number| number.value()))
    }

    /// The account name (folded) that an object has.
    pub fn account_of(&self, number: Number) -> Result<Option<String>, Error> {
        Ok(self.tables.account_of.get(number)?.map(|account| account.value().to_owned()))
    }

    /// Gives an account name (folded) to an object.
    pub fn claim_account(
        &mut self,
        connection: u16,
        account: &str,
        number: Number,
    ) -> Result<(), Error> {
        self.tables.accounts.insert(account_key(connection, account).as_slice(), number)?;
        self.tables.account_of.insert(number, account)?;
        Ok(())
    }

    /// Frees an account name, should the object have it.
    pub fn release_account(
        &mut self,
        connection: u16,
        account: &str,
        number: Number,
    ) -> Result<(), Error> {
        if self.account_holder(connection, account)? == Some(number) {
            self.tables.accounts.remove(account_key(connection, account).as_slice())?;
            self.tables.account_of.remove(number)?;
        }
        Ok(())
    }

    /// Entries with a value that has this key, as far as they are put. Not for linked DNs.
    pub fn equal(&mut self, attribute: AttributeId, key: &[u8]) -> Result<Ids, Error> {
        self.equal.flush()?;
        self.equal.get(&keys::equal(attribute, key))
    }

    /// The connection of a published entry.
    pub fn connection_of(&self, number: Number) -> Result<Option<u16>, Error> {
        let octets = self.tables.entries.get(number)?;
        let view = |octets: &[u8]| View::new(octets).map(|view| view.identity().connection);
        Ok(octets.and_then(|octets| view(octets.value())))
    }

    /// Frees all account names of a connection.
    pub fn release_accounts(&mut self, connection: u16) -> Result<(), Error> {
        let first = account_key(connection, "");
        let behind = connection.checked_add(1).map(|next| account_key(next, ""));
        let mut holders = Vec::new();
        let keep = |_: &[u8], holder: u32| {
            holders.push(holder);
            false
        };
        match &behind {
            Some(behind) => {
                self.tables
                    .accounts
                    .retain_in::<&[u8], _>(first.as_slice()..behind.as_slice(), keep)?;
            }
            None => self.tables.accounts.retain_in::<&[u8], _>(first.as_slice().., keep)?,
        }
        for holder in holders {
            self.tables.account_of.remove(holder)?;
        }
        Ok(())
    }

    /// Every published entry of a connection. Walks over all entries.
    pub fn entries_of(&self, connection: u16) -> Result<Vec<Number>, Error> {
        let mut found = Vec::new();
        for row in self.tables.entries.iter()? {
            let (number, octets) = row?;
            let view = View::new(octets.value()).ok_or(Error::Damaged("an entry"))?;
            if view.identity().connection == connection {
                found.push(number.value());
            }
        }
        Ok(found)
    }

    /// Whether the entry is stored otherwise than encoded here.
    pub fn differs(&self, number: Number, encoded: &Encoded) -> Result<bool, Error> {
        match self.tables.entries.get(number)? {
            Some(octets) if octets.value() == encoded.entry.as_slice() => {}
            _ => return Ok(true),
        }
        for (id, tlv) in &encoded.wide {
            match self.tables.wide.get((number, id.0))? {
                Some(stored) if stored.value() == tlv.as_slice() => {}
                _ => return Ok(true),
            }
        }
        Ok(false)
    }

    /// Stores an entry, new or changed, with its name and its index rows.
    pub fn put_entry(&mut self, number: Number, encoded: &Encoded) -> Result<(), Error> {
        let view = View::new(&encoded.entry).ok_or(Error::Damaged("an entry being written"))?;
        let old = self.tables.entries.insert(number, encoded.entry.as_slice())?;
        let old = old.map(|octets| octets.value().to_vec());
        let mut old_dn = None;
        match &old {
            Some(octets) => {
                let old = View::new(octets).ok_or(Error::Damaged("an entry"))?;
                let old_wide = self.take_wide(number, &old)?;
                self.index(
                    number,
                    &tlvs(&old, &old_wide).collect(),
                    &tlvs(&view, &encoded.wide).collect(),
                )?;
                old_dn = Some(old.dn());
            }
            None => {
                for (id, tlv) in tlvs(&view, &encoded.wide) {
                    self.index_values(number, id, tlv, true)?;
                    self.present.change(&keys::present(id), number, true)?;
                }
            }
        }
        if let Some(old_dn) = old_dn.filter(|old_dn| *old_dn != view.dn()) {
            self.release_name(&key_of(old_dn)?, number)?;
        }
        // Whoever gives names has claimed this one, unless the entry keeps the one it had.
        if old_dn != Some(view.dn()) && !self.claimed.remove(number) {
            self.claim_name(&key_of(view.dn())?, number)?;
        }
        self.pending.entry(number, Some(&encoded.entry));
        for (id, tlv) in &encoded.wide {
            self.tables.wide.insert((number, id.0), tlv.as_slice())?;
        }
        Ok(())
    }

    /// Removes an entry; the flag tells whether there was one.
    pub fn remove_entry(&mut self, number: Number) -> Result<bool, Error> {
        let old = self.tables.entries.remove(number)?.map(|octets| octets.value().to_vec());
        let Some(octets) = old else { return Ok(false) };
        let old = View::new(&octets).ok_or(Error::Damaged("an entry"))?;
        let old_wide = self.take_wide(number, &old)?;
        self.index(number, &tlvs(&old, &old_wide).collect(), &Tlvs::new())?;
        self.release_name(&key_of(old.dn())?, number)?;
        self.pending.entry(number, None);
        Ok(true)
    }

    /// Takes the attributes that lie beside an entry.
    fn take_wide(
        &mut self,
        number: Number,
        entry: &View<'_>,
    ) -> Result<Vec<(AttributeId, Vec<u8>)>, Error> {
        if !entry.has_wide() {
            return Ok(Vec::new());
        }
        let rows =
            self.tables.wide.extract_from_if((number, 0)..=(number, u16::MAX), |_, _| true)?;
        rows.map(|row| {
            let (key, tlv) = row?;
            Ok((AttributeId(key.value().1), tlv.value().to_vec()))
        })
        .collect()
    }

    /// Changes the index from one set of attributes to another; equal ones cost nothing.
    fn index(&mut self, number: Number, old: &Tlvs<'_>, new: &Tlvs<'_>) -> Result<(), Error> {
        for (from, to, add) in [(old, new, false), (new, old, true)] {
            for (id, tlv) in from {
                let other = to.get(id);
                if other == Some(tlv) {
                    continue;
                }
                self.index_values(number, *id, tlv, add)?;
                if other.is_none() {
                    self.present.change(&keys::present(*id), number, add)?;
                }
            }
        }
        Ok(())
    }

    fn index_values(
        &mut self,
        number: Number,
        id: AttributeId,
        tlv: &[u8],
        add: bool,
    ) -> Result<(), Error> {
        for value in values_of(tlv) {
            let Some((key, grams)) = keys::value_key(self.schema, id, value) else { continue };
            self.equal.change(&keys::equal(id, &key), number, add)?;
            self.pending.value(id, &key, number, add);
            if grams {
                for gram in keys::every_gram(id, &key) {
                    self.grams.change(&gram, number, add)?;
                }
            }
        }
        Ok(())
    }
}

fn tlvs<'a>(
    view: &View<'a>,
    wide: &'a [(AttributeId, Vec<u8>)],
) -> impl Iterator<Item = (AttributeId, &'a [u8])> + use<'a> {
    let inline = view.slots().filter_map(|slot| slot.tlv.map(|tlv| (slot.id, tlv)));
    inline.chain(wide.iter().map(|(id, tlv)| (*id, tlv.as_slice())))
}

fn key_of(dn: &str) -> Result<DnKey, Error> {
    Dn::parse(dn).map(|dn| dn.key()).map_err(|_| Error::Damaged("an entry's name"))
}

fn account_key(connection: u16, account: &str) -> Vec<u8> {
    [connection.to_be_bytes().as_slice(), account.as_bytes()].concat()
}
