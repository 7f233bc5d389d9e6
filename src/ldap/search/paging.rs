//! Simple paged results (RFC 2696) without any state on the server: the cookie says
//! where to go on, and a code that only this process can make proves that it gave it,
//! to this client, for this search. Pure: no I/O, no clock.
//!
//! ```text
//! position u32 | entries sent so far u32 | seconds since 1970 u64 | place | code 16
//! place: nothing, or 0 for a place behind all values of a sort, or 1 and a value's key
//! ```

use super::sort::SortPosition;
use crate::ldap::wire::request::Fingerprint;
use crate::replica::ids::Number;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// How long a cookie is good for, in seconds.
const LIFETIME: u64 = 3600;
const PLAIN: usize = 16;
const CODE: usize = 16;

/// What makes cookies and knows them again.
pub(crate) struct CookieKey([u8; 32]);

/// The key for one search of one client.
#[derive(Clone)]
pub(crate) struct Seal(Hmac<Sha256>);

/// What a cookie says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position {
    /// The first number that has not been looked at.
    pub(crate) next: Number,
    /// How many entries the pages before have held.
    pub(crate) sent: u32,
    /// Where a sorted answer goes on.
    pub(crate) sorted: Option<SortPosition>,
}

impl CookieKey {
    /// Draws a key.
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        Ok(CookieKey(key))
    }

    /// The key for a search by the named account: base, scope, filter, attributes and order
    /// may not change from page to page.
    pub(crate) fn seal(
        &self,
        search: &Fingerprint<'_>,
        order: &[u8],
        account: &str,
    ) -> Option<Seal> {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.0).ok()?;
        for part in [search.target, search.question, order, account.as_bytes()] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        Some(Seal(mac))
    }
}

impl Seal {
    /// Makes a cookie.
    pub(crate) fn cookie(&self, position: &Position, now: u64) -> Vec<u8> {
        let mut cookie = Vec::with_capacity(PLAIN + CODE);
        cookie.extend(position.next.to_be_bytes());
        cookie.extend(position.sent.to_be_bytes());
        cookie.extend(now.to_be_bytes());
        if let Some(SortPosition { key }) = &position.sorted {
            cookie.push(u8::from(key.is_some()));
            cookie.extend(key.iter().flatten());
        }
        let mut mac = self.0.clone();
        mac.update(&cookie);
        cookie.extend(mac.finalize().into_bytes().iter().take(CODE));
        cookie
    }

    /// Reads a cookie; `None` where it is foreign, altered or too old.
    pub(crate) fn open(&self, cookie: &[u8], now: u64) -> Option<Position> {
        let (content, code) = cookie.split_at_checked(cookie.len().checked_sub(CODE)?)?;
        let mut mac = self.0.clone();
        mac.update(content);
        mac.verify_truncated_left(code).ok()?;
        let (plain, place) = content.split_at_checked(PLAIN)?;
        let issued = u64::from_be_bytes(*plain.get(8..)?.first_chunk()?);
        if now.saturating_sub(issued) > LIFETIME {
            return None;
        }
        Some(Position {
            next: Number::from_be_bytes(*plain.first_chunk()?),
            sent: u32::from_be_bytes(*plain.get(4..)?.first_chunk()?),
            sorted: match place.split_first() {
                None => None,
                Some((0, _)) => Some(SortPosition { key: None }),
                Some((_, key)) => Some(SortPosition { key: Some(key.to_vec()) }),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEARCH: Fingerprint<'_> = Fingerprint { target: b"dc=x", question: b"(mail=*)" };
    const POSITION: Position = Position { next: 77, sent: 1000, sorted: None };

    #[test]
    fn a_cookie_is_read_back_until_it_is_too_old() {
        let seal = CookieKey::new().unwrap().seal(&SEARCH, b"", "gw").unwrap();
        let cookie = seal.cookie(&POSITION, 5000);
        assert_eq!(seal.open(&cookie, 5001), Some(POSITION));
        assert_eq!(seal.open(&cookie, 5000 + LIFETIME + 1), None);
        for key in [None, Some(Vec::new()), Some(b"lind".to_vec())] {
            let position = Position { sorted: Some(SortPosition { key }), ..POSITION };
            let cookie = seal.cookie(&position, 5000);
            assert_eq!(seal.open(&cookie, 5001), Some(position));
        }
    }

    #[test]
    fn an_altered_cookie_is_refused_whatever_octet_was_changed() {
        let seal = CookieKey::new().unwrap().seal(&SEARCH, b"", "gw").unwrap();
        let cookie = seal.cookie(&POSITION, 5000);
        for at in 0..cookie.len() {
            let mut bad = cookie.clone();
            bad[at] ^= 1;
            assert_eq!(seal.open(&bad, 5000), None, "{at}");
            assert_eq!(seal.open(&cookie[..at], 5000), None, "{at}");
        }
        assert_eq!(seal.open(&[cookie.as_slice(), b"x"].concat(), 5000), None);
    }

    #[test]
    fn a_cookie_serves_only_its_search_its_account_and_its_process() {
        let key = CookieKey::new().unwrap();
        let cookie = key.seal(&SEARCH, b"", "gw").unwrap().cookie(&POSITION, 5000);
        let other = Fingerprint { target: b"dc=y", ..SEARCH };
        let moved = Fingerprint { target: b"dc=x(", question: b"mail=*)" };
        for seal in [
            key.seal(&other, b"", "gw"),
            key.seal(&moved, b"", "gw"),
            key.seal(&SEARCH, b"sn", "gw"),
            key.seal(&SEARCH, b"", "other"),
            CookieKey::new().unwrap().seal(&SEARCH, b"", "gw"),
        ] {
            assert_eq!(seal.unwrap().open(&cookie, 5000), None);
        }
    }
}
