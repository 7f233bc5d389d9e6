//! Object ids of Entra and the binary forms Active Directory clients know them by.
//! Pure: no I/O, no clock.

use std::fmt;
use std::str::FromStr;

/// An Entra object id: a GUID, kept in the order of its text form (big-endian).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId([u8; 16]);

/// Why a text is not an object id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a GUID (expected 8-4-4-4-12 hexadecimal digits)")]
pub struct ObjectIdError(String);

impl ObjectId {
    /// From the 16 octets in text order.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        ObjectId(bytes)
    }

    /// The 16 octets in text order.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The octets of `objectGUID`: the first three fields little-endian (MS-DTYP 2.3.4.2).
    pub fn guid_octets(&self) -> [u8; 16] {
        swap_guid_fields(self.0)
    }

    /// From the octets of `objectGUID`.
    pub fn from_guid_octets(octets: [u8; 16]) -> Self {
        ObjectId(swap_guid_fields(octets))
    }

    /// The first eight hexadecimal digits, which tell namesakes apart.
    pub fn short(&self) -> String {
        let [a, b, c, d, ..] = self.0;
        format!("{a:02x}{b:02x}{c:02x}{d:02x}")
    }

    /// The SID that Entra gives a cloud object: `S-1-12-1-` and the GUID's four
    /// 32-bit words as they lie in `objectGUID`, each little-endian.
    pub fn cloud_sid(&self) -> Sid {
        let guid = self.guid_octets();
        let (words, _) = guid.as_chunks::<4>();
        let mut sub_authorities = vec![1];
        sub_authorities.extend(words.iter().map(|word| u32::from_le_bytes(*word)));
        Sid { authority: 12, sub_authorities }
    }
}

const fn swap_guid_fields(b: [u8; 16]) -> [u8; 16] {
    [
        b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6], b[8], b[9], b[10], b[11], b[12], b[13],
        b[14], b[15],
    ]
}

impl FromStr for ObjectId {
    type Err = ObjectIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ObjectIdError(text.chars().take(64).collect());
        let mut out = [0u8; 16];
        let mut digits = 0usize;
        for (at, byte) in text.bytes().enumerate() {
            if matches!(at, 8 | 13 | 18 | 23) {
                if byte != b'-' {
                    return Err(error());
                }
                continue;
            }
            let digit = char::from(byte).to_digit(16).ok_or_else(error)?;
            let slot = out.get_mut(digits / 2).ok_or_else(error)?;
            *slot = (*slot << 4) | u8::try_from(digit).map_err(|_| error())?;
            digits += 1;
        }
        if digits == 32 && text.len() == 36 { Ok(ObjectId(out)) } else { Err(error()) }
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [b'-'; 36];
        let places = (0..36).filter(|at| !matches!(at, 8 | 13 | 18 | 23));
        let digits = self.0.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        for (at, digit) in places.zip(digits) {
            if let (Some(place), Some(digit)) = (text.get_mut(at), DIGITS.get(usize::from(digit))) {
                *place = *digit;
            }
        }
        // ASCII is always UTF-8.
        f.pad(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A security identifier (MS-DTYP 2.4.2).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Sid {
    authority: u64,
    sub_authorities: Vec<u32>,
}

impl Sid {
    /// From the text form `S-1-authority-sub-sub...`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        if !parts.next()?.eq_ignore_ascii_case("s") || parts.next()? != "1" {
            return None;
        }
        let authority = parts.next()?.parse::<u64>().ok().filter(|a| *a < 1 << 48)?;
        let sub_authorities = parts.map(|p| p.parse().ok()).collect::<Option<Vec<u32>>>()?;
        (sub_authorities.len() <= 15).then_some(Sid { authority, sub_authorities })
    }

    /// From the binary form, as in `objectSid`.
    pub fn from_octets(octets: &[u8]) -> Option<Self> {
        let [1, count, a, b, c, d, e, f, rest @ ..] = octets else { return None };
        let (words, []) = rest.as_chunks::<4>() else { return None };
        if words.len() != usize::from(*count) || *count > 15 {
            return None;
        }
        let authority = u64::from_be_bytes([0, 0, *a, *b, *c, *d, *e, *f]);
        Some(Sid {
            authority,
            sub_authorities: words.iter().map(|w| u32::from_le_bytes(*w)).collect(),
        })
    }

    /// The binary form, as in `objectSid`.
    pub fn octets(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(8 + 4 * self.sub_authorities.len());
        out.push(1);
        out.push(u8::try_from(self.sub_authorities.len()).unwrap_or(u8::MAX));
        out.extend(self.authority.to_be_bytes().iter().skip(2));
        for word in &self.sub_authorities {
            out.extend(word.to_le_bytes());
        }
        out
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S-1-{}", self.authority)?;
        self.sub_authorities.iter().try_for_each(|word| write!(f, "-{word}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_ids_round_trip_and_refuse_other_texts() {
        let text = "0b1f6a52-6c1e-4a07-9a55-3f1f5a9c0a01";
        let id: ObjectId = text.parse().unwrap();
        assert_eq!(id.to_string(), text);
        assert_eq!(text.to_uppercase().parse::<ObjectId>().unwrap(), id);
        assert_eq!(ObjectId::from_guid_octets(id.guid_octets()), id);
        assert_eq!(id.short(), "0b1f6a52");
        for bad in [
            "",
            "0b1f6a52",
            "0b1f6a52-6c1e-4a07-9a55-3f1f5a9c0a0",
            "zb1f6a52-6c1e-4a07-9a55-3f1f5a9c0a01",
            "0b1f6a5206c1e04a0709a5503f1f5a9c0a01",
            "0b1f6a52-6c1e-4a07-9a55-3f1f5a9c0a011",
        ] {
            assert!(bad.parse::<ObjectId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn object_guid_has_its_first_fields_little_endian() {
        let id: ObjectId = "00112233-4455-6677-8899-aabbccddeeff".parse().unwrap();
        assert_eq!(
            id.guid_octets(),
            [
                0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd,
                0xee, 0xff
            ]
        );
    }

    #[test]
    fn the_cloud_sid_is_derived_from_the_object_id() {
        // The worked example that Microsoft's community gives for this conversion.
        let id: ObjectId = "73d664e4-0886-4a73-b745-c694da45ddb4".parse().unwrap();
        assert_eq!(
            id.cloud_sid().to_string(),
            "S-1-12-1-1943430372-1249052806-2496021943-3034400218"
        );
    }

    #[test]
    fn sids_round_trip_between_text_and_octets() {
        let text = "S-1-5-21-397955417-626881126-188441444-513";
        let sid = Sid::parse(text).unwrap();
        assert_eq!(sid.to_string(), text);
        assert_eq!(Sid::from_octets(&sid.octets()).unwrap(), sid);
        for bad in ["", "S-1", "S-2-5-1", "S-1-x", "S-1-5-4294967296", "S-1-281474976710656-1"] {
            assert!(Sid::parse(bad).is_none(), "{bad}");
        }
        assert!(Sid::from_octets(&[1, 2, 0, 0, 0, 0, 0, 5, 1, 0, 0, 0]).is_none());
    }
}
