//! The state tokens: what a link remembers, and its opaque text. Pure: no I/O, no clock.

use serde::{Deserialize, Serialize};

use super::object::{Kind, Slot};
use super::rng::{hash, mix};

/// What a delta query asks for; a token carries it, because links repeat no options.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DeltaQuery {
    /// Index into [`Kind::STREAMS`].
    pub(super) stream: usize,
    /// The selected properties, without `id`; nothing for the default set.
    pub(super) select: Option<Vec<String>>,
    /// The ids of `$filter`; empty for all.
    pub(super) ids: Vec<String>,
}

impl DeltaQuery {
    pub(super) fn kind(&self) -> Kind {
        Kind::STREAMS.get(self.stream).copied().unwrap_or(Kind::Unknown)
    }
}

/// How far a round has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Phase {
    /// Walking all objects: slice of the members, place in the walk, last member sent of the group there.
    Walk { slice: u32, place: usize, after: Option<Slot>, since: u64 },
    /// Reading the change log up to a version.
    Log { at: u64, upto: u64, after: Option<Slot> },
    /// A finished round; what a delta link carries.
    Rest { at: u64 },
}

/// What a token holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cursor {
    pub(super) query: DeltaQuery,
    pub(super) phase: Phase,
    /// Number of the page in its round.
    pub(super) page: u32,
    /// Seconds since 1970 when the token was issued.
    pub(super) issued: u64,
    /// Tokens of an earlier generation are dead.
    pub(super) generation: u64,
    /// Issued by an answer to a repeated request.
    pub(super) retried: bool,
}

impl Cursor {
    /// Writes the token; another nonce gives another text.
    pub(super) fn seal(&self, nonce: u64) -> String {
        let plain = serde_json::to_vec(self).unwrap_or_default();
        let mut bytes = nonce.to_be_bytes().to_vec();
        bytes.extend(hash(&plain).to_be_bytes());
        bytes.extend(scramble(&plain, nonce));
        base64url(&bytes)
    }

    /// Reads a token; nothing when it is not one of ours.
    pub(super) fn open(token: &str) -> Option<Self> {
        let bytes = from_base64url(token)?;
        let (nonce, rest) = bytes.split_first_chunk::<8>()?;
        let (check, body) = rest.split_first_chunk::<8>()?;
        let plain = scramble(body, u64::from_be_bytes(*nonce));
        if hash(&plain) != u64::from_be_bytes(*check) {
            return None;
        }
        serde_json::from_slice(&plain).ok()
    }
}

/// The skip token of a plain list: a place in it.
pub(super) fn seal_place(place: usize, nonce: u64) -> String {
    let mut bytes = nonce.to_be_bytes().to_vec();
    let plain = u64::try_from(place).unwrap_or(u64::MAX).to_be_bytes();
    bytes.extend(hash(&plain).to_be_bytes());
    bytes.extend(scramble(&plain, nonce));
    base64url(&bytes)
}

/// The place a skip token of a plain list stands for.
pub(super) fn open_place(token: &str) -> Option<usize> {
    let bytes = from_base64url(token)?;
    let (nonce, rest) = bytes.split_first_chunk::<8>()?;
    let (check, body) = rest.split_first_chunk::<8>()?;
    let plain = scramble(body, u64::from_be_bytes(*nonce));
    let place = u64::from_be_bytes(*plain.first_chunk::<8>()?);
    (plain.len() == 8 && hash(&plain) == u64::from_be_bytes(*check))
        .then(|| usize::try_from(place).ok())?
}

/// Hides the fields, so that no client is tempted to read them; its own inverse.
fn scramble(bytes: &[u8], nonce: u64) -> Vec<u8> {
    let mut stream = nonce;
    let mut out = Vec::with_capacity(bytes.len());
    for chunk in bytes.chunks(8) {
        stream = stream.wrapping_add(0x9e37_79b9_7f4a_7c15);
        out.extend(chunk.iter().zip(mix(stream).to_be_bytes()).map(|(byte, key)| byte ^ key));
    }
    out
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Base64 with the URL alphabet and without padding (RFC 4648 section 5).
pub(super) fn base64url(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3).saturating_mul(4));
    for chunk in bytes.chunks(3) {
        let word = (0..3)
            .fold(0_u32, |word, i| (word << 8) | u32::from(chunk.get(i).copied().unwrap_or(0)));
        for i in 0..=chunk.len() {
            let digit = (word >> (18_usize.saturating_sub(i.saturating_mul(6)))) & 63;
            out.push(
                usize::try_from(digit)
                    .ok()
                    .and_then(|digit| DIGITS.get(digit))
                    .map_or('A', |d| char::from(*d)),
            );
        }
    }
    out
}

/// The inverse of [`base64url`]; nothing for any other text.
pub(super) fn from_base64url(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    for chunk in text.as_bytes().chunks(4) {
        if chunk.len() == 1 {
            return None;
        }
        let mut word = 0_u32;
        for i in 0..4 {
            let digit = match chunk.get(i) {
                Some(byte) => DIGITS.iter().position(|digit| digit == byte)?,
                None => 0,
            };
            word = (word << 6) | u32::try_from(digit).ok()?;
        }
        out.extend(word.to_be_bytes().iter().skip(1).take(chunk.len().saturating_sub(1)));
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor() -> Cursor {
        Cursor {
            query: DeltaQuery {
                stream: 1,
                select: Some(vec!["mail".into()]),
                ids: vec!["a".into()],
            },
            phase: Phase::Walk { slice: 0, place: 17, after: Some(3), since: 9 },
            page: 4,
            issued: 1,
            generation: 0,
            retried: false,
        }
    }

    #[test]
    fn a_token_differs_on_every_call_and_opens_to_the_same() {
        let (a, b) = (cursor().seal(1), cursor().seal(2));
        assert_ne!(a, b);
        assert_eq!(Cursor::open(&a), Some(cursor()));
        assert_eq!(Cursor::open(&b), Some(cursor()));
    }

    #[test]
    fn a_damaged_token_does_not_open() {
        let text = cursor().seal(5);
        for cut in 0..text.len() {
            assert_eq!(Cursor::open(&text[..cut]), None);
        }
        assert_eq!(Cursor::open("AAA-page2"), None);
        assert_eq!(Cursor::open("ä€"), None);
    }

    #[test]
    fn base64url_is_that_of_the_rfc() {
        for (plain, text) in
            [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg")]
        {
            assert_eq!(base64url(plain.as_bytes()), text);
            assert_eq!(from_base64url(text).as_deref(), Some(plain.as_bytes()));
        }
    }
}
