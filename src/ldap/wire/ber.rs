//! Tags, lengths and primitive values, read strictly. Pure: no I/O, no clock.

use std::fmt;

/// Universal BOOLEAN.
pub(crate) const BOOLEAN: u8 = 0x01;
/// Universal INTEGER.
pub(crate) const INTEGER: u8 = 0x02;
/// Universal OCTET STRING, primitive: RFC 4511 5.1 allows no other form.
pub(crate) const OCTET_STRING: u8 = 0x04;
/// Universal ENUMERATED.
pub(crate) const ENUMERATED: u8 = 0x0a;
/// Universal SEQUENCE, constructed.
pub(crate) const SEQUENCE: u8 = 0x30;

/// What is wrong with received octets, and where inside the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// What is wrong.
    pub(crate) what: &'static str,
    /// The octet, counted from the start of the message.
    pub(crate) at: usize,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at octet {}", self.what, self.at)
    }
}

/// A length, as it stands behind a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    /// The value's octets, and the octets that tag and length take.
    Known { header: usize, value: usize },
    /// More octets are needed to tell.
    Incomplete,
    /// Never a length of this protocol.
    Bad(&'static str),
}

/// Reads the length behind the tag that `bytes` starts with.
///
/// RFC 4511 5.1: "Only the definite form of length encoding is used."
pub(crate) fn length(bytes: &[u8]) -> Length {
    let Some((&first, more)) = bytes.get(1..).and_then(<[u8]>::split_first) else {
        return Length::Incomplete;
    };
    match first {
        0..=0x7f => Length::Known { header: 2, value: usize::from(first) },
        0x80 => Length::Bad("indefinite length"),
        0x81..=0x84 => {
            let count = usize::from(first & 0x7f);
            match more.get(..count) {
                None => Length::Incomplete,
                Some(octets) => Length::Known {
                    header: 2 + count,
                    value: octets.iter().fold(0, |sum, octet| (sum << 8) | usize::from(*octet)),
                },
            }
        }
        _ => Length::Bad("length of more than four octets"),
    }
}

/// One element: its tag and its value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tlv<'a> {
    /// Class, form and number, in one octet.
    pub(crate) tag: u8,
    /// The contents.
    pub(crate) value: &'a [u8],
    /// Where the contents start inside the message.
    pub(crate) at: usize,
}

impl<'a> Tlv<'a> {
    /// The elements inside a constructed one.
    pub(crate) fn inside(&self) -> Tlvs<'a> {
        Tlvs { rest: self.value, at: self.at }
    }

    /// The value as a signed integer, sign extended.
    pub(crate) fn integer(&self) -> Result<i64, Malformed> {
        match self.value.split_first() {
            Some((first, more)) if more.len() < 8 => {
                let start = i64::from(first.cast_signed());
                Ok(more.iter().fold(start, |sum, octet| (sum << 8) | i64::from(*octet)))
            }
            _ => Err(self.malformed("integer of no or too many octets")),
        }
    }

    /// The value as an integer from 0 to `maxInt` (RFC 4511 4.1.1).
    pub(crate) fn natural(&self, what: &'static str) -> Result<u32, Malformed> {
        let number = self.integer()?;
        u32::try_from(number)
            .ok()
            .filter(|number| *number <= i32::MAX.cast_unsigned())
            .ok_or(self.malformed(what))
    }

    /// The value as a boolean; any octet but zero is true (X.690 8.2.2).
    pub(crate) fn boolean(&self) -> Result<bool, Malformed> {
        match self.value {
            [octet] => Ok(*octet != 0),
            _ => Err(self.malformed("boolean that is not one octet")),
        }
    }

    /// Says that this element is wrong.
    pub(crate) fn malformed(&self, what: &'static str) -> Malformed {
        Malformed { what, at: self.at }
    }
}

/// Elements one after the other. Octets that are no whole element are an error, not an end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tlvs<'a> {
    rest: &'a [u8],
    at: usize,
}

impl<'a> Tlvs<'a> {
    /// The elements in `bytes`, which start at octet `at` of the message.
    pub(crate) fn new(bytes: &'a [u8], at: usize) -> Self {
        Tlvs { rest: bytes, at }
    }

    /// Whether nothing is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// How many octets are left.
    pub(crate) fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The octets of those elements.
    pub(crate) fn octets(&self) -> &'a [u8] {
        self.rest
    }

    /// The tag of the next element.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The next element.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Tlv<'a>, Malformed> {
        // Nearly every element is as short as this.
        if let [tag, len @ ..0x80, rest @ ..] = self.rest
            && tag & 0x1f != 0x1f
            && let Some((value, rest)) = rest.split_at_checked(usize::from(*len))
        {
            let tlv = Tlv { tag: *tag, value, at: self.at + 2 };
            self.at += 2 + value.len();
            self.rest = rest;
            return Ok(tlv);
        }
        self.next_of_any_length()
    }

    #[inline(never)]
    fn next_of_any_length(&mut self) -> Result<Tlv<'a>, Malformed> {
        let Some(tag) = self.peek() else { return Err(self.malformed("missing element")) };
        if tag & 0x1f == 0x1f {
            return Err(self.malformed("tag of more than one octet"));
        }
        let (header, len) = match length(self.rest) {
            Length::Known { header, value } => (header, value),
            Length::Incomplete => return Err(self.malformed("truncated length")),
            Length::Bad(what) => return Err(self.malformed(what)),
        };
        let value = self.rest.get(header..).and_then(|rest| rest.split_at_checked(len));
        let Some((value, rest)) = value else {
            return Err(self.malformed("element longer than what holds it"));
        };
        let tlv = Tlv { tag, value, at: self.at + header };
        self.at += header + len;
        self.rest = rest;
        Ok(tlv)
    }

    /// The next element, which must have this tag.
    #[inline]
    pub(crate) fn expect(&mut self, tag: u8, what: &'static str) -> Result<Tlv<'a>, Malformed> {
        if self.peek() == Some(tag) { self.next() } else { Err(self.malformed(what)) }
    }

    /// The next element, if it has this tag.
    pub(crate) fn take(&mut self, tag: u8) -> Result<Option<Tlv<'a>>, Malformed> {
        if self.peek() == Some(tag) { self.next().map(Some) } else { Ok(None) }
    }

    /// RFC 4511 4: servers "MUST (unless otherwise specified) ignore trailing SEQUENCE
    /// components whose tags they do not recognize."
    pub(crate) fn ignore_unrecognised(&mut self, recognised: &[u8]) -> Result<(), Malformed> {
        while let Some(tag) = self.peek() {
            if recognised.contains(&tag) {
                return Err(self.malformed("repeated or misplaced element"));
            }
            self.next()?;
        }
        Ok(())
    }

    /// Nothing more may follow.
    pub(crate) fn end(&self) -> Result<(), Malformed> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.malformed("unexpected octets")) }
    }

    /// Says that something is wrong here.
    pub(crate) fn malformed(&self, what: &'static str) -> Malformed {
        Malformed { what, at: self.at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_all_forms() {
        assert_eq!(length(b"\x30"), Length::Incomplete);
        assert_eq!(length(b"\x30\x05"), Length::Known { header: 2, value: 5 });
        assert_eq!(length(b"\x30\x81\xff"), Length::Known { header: 3, value: 255 });
        assert_eq!(length(b"\x30\x82\x01"), Length::Incomplete);
        assert_eq!(length(b"\x30\x84\0\0\0\x05"), Length::Known { header: 6, value: 5 });
        assert!(matches!(length(b"\x30\x80"), Length::Bad(_)));
        assert!(matches!(length(b"\x30\x85\0\0\0\0\x05"), Length::Bad(_)));
        assert!(matches!(length(b"\x30\xff"), Length::Bad(_)));
    }

    #[test]
    fn integers_are_signed_and_bounded() {
        let integer = |value: &'static [u8]| Tlv { tag: INTEGER, value, at: 0 }.integer();
        assert_eq!(integer(b"\xff"), Ok(-1));
        assert_eq!(integer(b"\x00\xff"), Ok(255));
        assert_eq!(integer(b"\xff\x7f"), Ok(-129));
        assert_eq!(integer(b"\x7f\xff\xff\xff\xff\xff\xff\xff"), Ok(i64::MAX));
        assert!(integer(b"").is_err() && integer(&[1; 9]).is_err());
        let natural = |value| Tlv { tag: INTEGER, value, at: 0 }.natural("bad");
        assert_eq!(natural(b"\x7f\xff\xff\xff"), Ok(i32::MAX.cast_unsigned()));
        assert!(natural(b"\xff").is_err() && natural(b"\x00\x80\x00\x00\x00").is_err());
    }

    #[test]
    fn truncated_children_are_errors_with_a_place() {
        let mut tlvs = Tlvs::new(b"\x04\x01a\x04\x05b", 10);
        assert_eq!(tlvs.next().map(|tlv| (tlv.value, tlv.at)), Ok((&b"a"[..], 12)));
        let error = tlvs.next().map(|tlv| tlv.tag);
        assert_eq!(error, Err(Malformed { what: "element longer than what holds it", at: 13 }));
    }
}
