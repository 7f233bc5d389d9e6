//! Distinguished names: parsing and writing (RFC 4514), comparison, and the key
//! they are indexed by. Pure: no I/O, no clock.

use super::{schema, text};
use std::fmt;
use std::sync::Arc;

/// A distinguished name, leaf first, as written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dn {
    /// Shared: the names of a tree's entries have all but their first in common.
    rdns: Vec<Arc<Rdn>>,
}

/// One relative distinguished name: usually one attribute and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rdn {
    avas: Vec<(String, Vec<u8>)>,
}

/// What a name is compared and indexed by. Root first: each RDN is
/// `type 01 value (02 type 01 value)* 00`, folded, so that a subtree is a range of
/// keys with one prefix. The root of the tree has the empty key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct DnKey(Vec<u8>);

/// Why a text is not a distinguished name, and at which octet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} at octet {at}")]
pub struct DnError {
    at: usize,
    what: &'static str,
}

impl Dn {
    /// The empty name: the root of the tree.
    pub fn root() -> Self {
        Self::default()
    }

    /// Reads the string form of RFC 4514, leniently where LDAPv2 clients need it
    /// (`;` as separator, spaces around separators, quoted values).
    pub fn parse(text: &str) -> Result<Self, DnError> {
        let mut parser = Parser { bytes: text.as_bytes(), at: 0 };
        parser.spaces();
        if parser.peek().is_none() {
            return Ok(Self::root());
        }
        let mut rdns = vec![Arc::new(parser.rdn()?)];
        while matches!(parser.peek(), Some(b',' | b';')) {
            parser.at += 1;
            rdns.push(Arc::new(parser.rdn()?));
        }
        match parser.peek() {
            None => Ok(Dn { rdns }),
            Some(_) => parser.fail("unexpected character"),
        }
    }

    /// The name of the entry `attribute=value` directly below `self`.
    pub fn child(&self, attribute: &str, value: &str) -> Self {
        let rdn = Rdn { avas: vec![(attribute.to_owned(), value.as_bytes().to_vec())] };
        Dn { rdns: std::iter::once(Arc::new(rdn)).chain(self.rdns.iter().cloned()).collect() }
    }

    /// The name one level up; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        let (_, rest) = self.rdns.split_first()?;
        Some(Dn { rdns: rest.to_vec() })
    }

    /// The leaf's RDN; `None` for the root.
    pub fn rdn(&self) -> Option<&Rdn> {
        self.rdns.first().map(Arc::as_ref)
    }

    /// Whether this is the root of the tree.
    pub fn is_root(&self) -> bool {
        self.rdns.is_empty()
    }

    /// What the name is compared and indexed by.
    pub fn key(&self) -> DnKey {
        let mut key = Vec::with_capacity(64);
        for rdn in self.rdns.iter().rev() {
            rdn.append_key(&mut key);
        }
        DnKey(key)
    }
}

impl Rdn {
    /// Type and value of the first pair.
    pub fn first(&self) -> Option<(&str, &[u8])> {
        self.avas.first().map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    fn append_key(&self, key: &mut Vec<u8>) {
        if let [(name, value)] = self.avas.as_slice() {
            append_pair(key, name, value);
            key.push(0);
            return;
        }
        let mut pairs: Vec<(String, Vec<u8>)> = self
            .avas
            .iter()
            .map(|(name, value)| (canonical_type(name), fold_value(value)))
            .collect();
        pairs.sort();
        for (at, (name, value)) in pairs.iter().enumerate() {
            if at > 0 {
                key.push(2);
            }
            key.extend(name.as_bytes());
            key.push(1);
            key.extend(value);
        }
        key.push(0);
    }
}

/// The folded RDN `type=value`, as it stands in a [`DnKey`].
pub fn rdn_key(attribute: &str, value: &str) -> Vec<u8> {
    let mut key = Vec::new();
    Rdn { avas: vec![(attribute.to_owned(), value.as_bytes().to_vec())] }.append_key(&mut key);
    key
}

fn append_pair(key: &mut Vec<u8>, name: &str, value: &[u8]) {
    let start = key.len();
    let known = schema::standard().attribute(name.as_bytes());
    key.extend(known.map_or(name, |attribute| attribute.name).as_bytes());
    key.iter_mut().skip(start).for_each(u8::make_ascii_lowercase);
    key.push(1);
    key.extend(fold_value(value));
}

fn canonical_type(name: &str) -> String {
    let known = schema::standard().attribute(name.as_bytes());
    known.map_or(name, |attribute| attribute.name).to_ascii_lowercase()
}

fn fold_value(value: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(value) {
        Ok(text) => text::fold(text).into_bytes(),
        // Hexadecimal keeps octets that are no text clear of the key's separators, and a
        // control character, which folded text never holds, keeps it clear of text.
        Err(_) => {
            let digits = value.iter().flat_map(|b| format!("{b:02x}").into_bytes());
            std::iter::once(3).chain(digits).collect()
        }
    }
}

impl DnKey {
    /// The key's octets.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// From octets that [`DnKey::as_bytes`] gave.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        DnKey(bytes.to_vec())
    }

    /// Whether this is the root of the tree.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the named entry is `base` or stands below it.
    pub fn is_within(&self, base: &DnKey) -> bool {
        self.0.starts_with(&base.0)
    }

    /// The key one level up; `None` for the root.
    pub fn parent(&self) -> Option<DnKey> {
        let inner = self.0.strip_suffix(&[0])?;
        let end = inner.iter().rposition(|b| *b == 0).map_or(0, |at| at + 1);
        Some(DnKey(self.0.get(..end)?.to_vec()))
    }

    /// The key of the entry whose folded RDN is `rdn` (see [`rdn_key`]) below this one.
    pub fn child(&self, rdn: &[u8]) -> DnKey {
        DnKey([self.0.as_slice(), rdn].concat())
    }
}

impl fmt::Display for Dn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, rdn) in self.rdns.iter().enumerate() {
            if at > 0 {
                f.write_str(",")?;
            }
            fmt::Display::fmt(rdn, f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Rdn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, value)) in self.avas.iter().enumerate() {
            if at > 0 {
                f.write_str("+")?;
            }
            f.write_str(name)?;
            f.write_str("=")?;
            // Most values are written as they are.
            let plain =
                |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'@' | b'.' | b'-' | b'_');
            match std::str::from_utf8(value) {
                Ok(text) if value.iter().all(plain) => f.write_str(text)?,
                _ => f.write_str(&escape(value))?,
            }
        }
        Ok(())
    }
}

/// `value` as it is written inside a name (RFC 4514 2.4).
pub fn escape(value: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(value) else {
        return value.iter().map(|b| format!("\\{b:02X}")).collect();
    };
    let last = text.len().saturating_sub(1);
    let mut out = String::with_capacity(text.len() + 4);
    for (at, c) in text.char_indices() {
        match c {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => out.extend(['\\', c]),
            '#' if at == 0 => out.push_str("\\#"),
            ' ' if at == 0 || at == last => out.push_str("\\ "),
            '\0'..='\u{1f}' | '\u{7f}' => out.push_str(&format!("\\{:02X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Parser<'_> {
    fn fail<T>(&self, what: &'static str) -> Result<T, DnError> {
        Err(DnError { at: self.at, what })
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn spaces(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn rdn(&mut self) -> Result<Rdn, DnError> {
        let mut avas = vec![self.ava()?];
        while self.peek() == Some(b'+') {
            self.at += 1;
            avas.push(self.ava()?);
        }
        Ok(Rdn { avas })
    }

    fn ava(&mut self) -> Result<(String, Vec<u8>), DnError> {
        self.spaces();
        let start = self.at;
        while self
            .peek()
            .is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
        {
            self.at += 1;
        }
        let name = String::from_utf8_lossy(self.bytes.get(start..self.at).unwrap_or_default());
        // LDAPv2 clients write numeric types as `OID.2.5.4.3`.
        let oid = name.split_at_checked(4).filter(|(head, oid)| {
            head.eq_ignore_ascii_case("OID.") && oid.starts_with(char::is_numeric)
        });
        let name = oid.map_or(&*name, |(_, oid)| oid).to_owned();
        if name.is_empty() {
            return self.fail("expected an attribute type");
        }
        self.spaces();
        if self.peek() != Some(b'=') {
            return self.fail("expected '='");
        }
        self.at += 1;
        self.spaces();
        let value = match self.peek() {
            Some(b'#') => self.hexadecimal()?,
            Some(b'"') => self.quoted()?,
            _ => self.plain()?,
        };
        self.spaces();
        Ok((name, value))
    }

    fn plain(&mut self) -> Result<Vec<u8>, DnError> {
        let mut value = Vec::new();
        // Where the last character stood that trailing spaces are trimmed back to.
        let mut kept = 0;
        while let Some(byte) = self.peek() {
            match byte {
                b',' | b';' | b'+' => break,
                b'"' | b'<' | b'>' => return self.fail("unescaped special character"),
                b'\\' => {
                    value.push(self.escaped()?);
                    kept = value.len();
                }
                _ => {
                    value.push(byte);
                    self.at += 1;
                    if byte != b' ' {
                        kept = value.len();
                    }
                }
            }
        }
        value.truncate(kept);
        Ok(value)
    }

    fn escaped(&mut self) -> Result<u8, DnError> {
        let first = self.bytes.get(self.at + 1).copied();
        let second = self.bytes.get(self.at + 2).copied();
        let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
        if let (Some(high), Some(low)) = (digit(first), digit(second)) {
            self.at += 3;
            return Ok((high * 16 + low) as u8);
        }
        match first {
            Some(byte) if !byte.is_ascii_alphanumeric() => {
                self.at += 2;
                Ok(byte)
            }
            _ => self.fail("bad escape"),
        }
    }

    fn quoted(&mut self) -> Result<Vec<u8>, DnError> {
        self.at += 1;
        let mut value = Vec::new();
        loop {
            match self.peek() {
                None => return self.fail("unterminated quote"),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(value);
                }
                Some(b'\\') => value.push(self.escaped()?),
                Some(byte) => {
                    value.push(byte);
                    self.at += 1;
                }
            }
        }
    }

    /// `#` and the BER of the value; only primitive strings with short lengths occur.
    fn hexadecimal(&mut self) -> Result<Vec<u8>, DnError> {
        self.at += 1;
        let mut octets = Vec::new();
        while let Some(high) = self.peek().and_then(|b| char::from(b).to_digit(16)) {
            let low = self.bytes.get(self.at + 1).and_then(|b| char::from(*b).to_digit(16));
            let Some(low) = low else { return self.fail("odd number of hexadecimal digits") };
            octets.push((high * 16 + low) as u8);
            self.at += 2;
        }
        match octets.as_slice() {
            [_, len, value @ ..] if usize::from(*len) == value.len() && *len < 0x80 => {
                Ok(value.to_vec())
            }
            _ => self.fail("not a BER value"),
        }
    }
}

#[cfg(test)]
mod tests;
