//! Octets as a client may send them, good and bad, and a reader of answers that shares
//! nothing with the server's.

/// An element with a length in its shortest form.
pub fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let len = value.len();
    let mut out = vec![tag];
    match len {
        0..=0x7f => out.push(len as u8),
        0x80..=0xff => out.extend([0x81, len as u8]),
        0x100..=0xffff => out.extend([0x82, (len >> 8) as u8, len as u8]),
        _ => out.extend([0x83, (len >> 16) as u8, (len >> 8) as u8, len as u8]),
    }
    out.extend(value);
    out
}

pub fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

pub fn octets(value: impl AsRef<[u8]>) -> Vec<u8> {
    tlv(0x04, value.as_ref())
}

pub fn integer(number: i64) -> Vec<u8> {
    let octets = number.to_be_bytes();
    let is_spare = |at: usize| {
        let (this, next) = (octets[at], octets[at + 1]);
        (this == 0 && next < 0x80) || (this == 0xff && next >= 0x80)
    };
    let start = (0..7).find(|at| !is_spare(*at)).unwrap_or(7);
    tlv(0x02, &octets[start..])
}

pub fn message(id: i64, op: &[u8]) -> Vec<u8> {
    sequence(&[integer(id), op.to_vec()])
}

/// So many requests at once, numbered from 1001 on.
pub fn pipeline(count: i64, op: &[u8]) -> Vec<u8> {
    (1001..1001 + count).flat_map(|id| message(id, op)).collect()
}

pub fn controlled(id: i64, op: &[u8], controls: &[Vec<u8>]) -> Vec<u8> {
    sequence(&[integer(id), op.to_vec(), tlv(0xa0, &controls.concat())])
}

pub fn control(oid: &str, critical: bool, value: Option<&[u8]>) -> Vec<u8> {
    let mut parts = vec![octets(oid)];
    parts.extend(critical.then(|| tlv(0x01, b"\xff")));
    parts.extend(value.map(octets));
    sequence(&parts)
}

pub fn bind(name: &str, password: &str) -> Vec<u8> {
    let parts = [integer(3), octets(name), tlv(0x80, password.as_bytes())];
    tlv(0x60, &parts.concat())
}

pub const UNBIND: &[u8] = b"\x42\x00";

pub fn abandon(id: i64) -> Vec<u8> {
    let mut op = integer(id);
    op[0] = 0x50;
    op
}

pub fn extended(oid: &str, value: Option<&[u8]>) -> Vec<u8> {
    let value = value.map(|value| tlv(0x81, value)).unwrap_or_default();
    tlv(0x77, &[tlv(0x80, oid.as_bytes()), value].concat())
}

pub const START_TLS: &str = "1.3.6.1.4.1.1466.20037";
pub const WHO_AM_I: &str = "1.3.6.1.4.1.4203.1.11.3";
pub const PAGED: &str = "1.2.840.113556.1.4.319";

pub fn paged(size: i64, cookie: &[u8]) -> Vec<u8> {
    sequence(&[integer(size), octets(cookie)])
}

/// A search with a filter in BER.
pub fn search(base: impl AsRef<[u8]>, scope: u8, filter: &[u8], attributes: &[&str]) -> Vec<u8> {
    let list: Vec<Vec<u8>> = attributes.iter().map(octets).collect();
    let parts = [
        octets(base),
        tlv(0x0a, &[scope]),
        tlv(0x0a, &[0]),
        integer(0),
        integer(0),
        tlv(0x01, &[0]),
        filter.to_vec(),
        sequence(&list),
    ];
    tlv(0x63, &parts.concat())
}

pub fn compare(entry: &str, attribute: &str, value: impl AsRef<[u8]>) -> Vec<u8> {
    tlv(0x6e, &[octets(entry), sequence(&[octets(attribute), octets(value)])].concat())
}

/// Filters in BER.
pub mod filter {
    use super::{octets, sequence, tlv};

    pub fn and(list: &[Vec<u8>]) -> Vec<u8> {
        tlv(0xa0, &list.concat())
    }

    pub fn or(list: &[Vec<u8>]) -> Vec<u8> {
        tlv(0xa1, &list.concat())
    }

    pub fn not(inner: &[u8]) -> Vec<u8> {
        tlv(0xa2, inner)
    }

    pub fn equal(attribute: &str, value: impl AsRef<[u8]>) -> Vec<u8> {
        tlv(0xa3, &[octets(attribute), octets(value)].concat())
    }

    /// `>=` with 5, `<=` with 6, `~=` with 8.
    pub fn ordered(kind: u8, attribute: &str, value: impl AsRef<[u8]>) -> Vec<u8> {
        tlv(0xa0 | kind, &[octets(attribute), octets(value)].concat())
    }

    pub fn present(attribute: &str) -> Vec<u8> {
        tlv(0x87, attribute.as_bytes())
    }

    /// Pieces with their tags: 0 initial, 1 any, 2 final.
    pub fn substrings(attribute: &str, pieces: &[(u8, &[u8])]) -> Vec<u8> {
        let pieces: Vec<Vec<u8>> =
            pieces.iter().map(|(kind, piece)| tlv(0x80 | kind, piece)).collect();
        tlv(0xa4, &[octets(attribute), sequence(&pieces)].concat())
    }

    pub fn extensible(rule: &str, attribute: &str, value: impl AsRef<[u8]>) -> Vec<u8> {
        let part = |tag, text: &str| match text {
            "" => Vec::new(),
            text => tlv(tag, text.as_bytes()),
        };
        tlv(0xa9, &[part(0x81, rule), part(0x82, attribute), tlv(0x83, value.as_ref())].concat())
    }
}

/// One message of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub id: i64,
    pub tag: u8,
    pub op: Vec<u8>,
    pub controls: Vec<u8>,
}

impl Answer {
    /// `resultCode`; of an entry -1.
    pub fn code(&self) -> i64 {
        match self.tag {
            0x64 => -1,
            _ => i64::from(self.parts()[0].1[0]),
        }
    }

    /// Elements of the operation.
    pub fn parts(&self) -> Vec<(u8, Vec<u8>)> {
        parts(&self.op)
    }

    /// `diagnosticMessage`
    pub fn text(&self) -> String {
        String::from_utf8(self.parts()[2].1.clone()).unwrap()
    }

    /// The name of an entry.
    pub fn dn(&self) -> String {
        String::from_utf8(self.parts()[0].1.clone()).unwrap()
    }

    /// The cookie of a paged results control.
    pub fn cookie(&self) -> Vec<u8> {
        let control = parts(&self.controls).remove(0).1;
        let value = parts(&control).remove(1).1;
        parts(&parts(&value).remove(0).1).remove(1).1
    }
}

/// Splits whole elements; panics at anything that is not whole and definite.
pub fn parts(mut octets: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut out = Vec::new();
    while !octets.is_empty() {
        let (tag, header, len) = head(octets).expect("a whole header");
        out.push((tag, octets[header..header + len].to_vec()));
        octets = &octets[header + len..];
    }
    out
}

/// Tag, octets of tag and length, and length, of the first element.
pub fn head(octets: &[u8]) -> Option<(u8, usize, usize)> {
    let (tag, first) = (*octets.first()?, *octets.get(1)?);
    if first < 0x80 {
        return Some((tag, 2, first.into()));
    }
    let count = usize::from(first & 0x7f);
    assert!((1..=4).contains(&count), "a length of {count} octets");
    let len = octets.get(2..2 + count)?.iter().fold(0, |sum, octet| sum << 8 | usize::from(*octet));
    Some((tag, 2 + count, len))
}

/// Takes the first message off `input`, if it is there as a whole.
pub fn take_answer(input: &mut Vec<u8>) -> Option<Answer> {
    let (tag, header, len) = head(input)?;
    assert_eq!(tag, 0x30, "an answer is a SEQUENCE: {input:02x?}");
    let contents = input.get(header..header + len)?.to_vec();
    input.drain(..header + len);
    let mut parts = parts(&contents).into_iter();
    let (tag, number) = parts.next().unwrap();
    assert_eq!(tag, 0x02);
    let start = if number[0] < 0x80 { 0 } else { -1 };
    let id = number.iter().fold(start, |sum, octet| sum << 8 | i64::from(*octet));
    let (tag, op) = parts.next().unwrap();
    let controls = parts.next().map(|(tag, controls)| {
        assert_eq!(tag, 0xa0);
        controls
    });
    assert_eq!(parts.next(), None);
    Some(Answer { id, tag, op, controls: controls.unwrap_or_default() })
}
