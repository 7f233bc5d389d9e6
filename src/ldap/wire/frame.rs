//! Where one message ends and the next begins. Pure: no I/O, no clock.

use super::ber::{self, Length, Malformed};

/// What the start of the received octets is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framed {
    /// A whole message of `header + value` octets.
    Whole { header: usize, value: usize },
    /// The start of a message; at least so many octets are needed to go on.
    Partial { needed: usize },
}

/// Looks at the start of `input` for a message of at most `largest` octets. The size is
/// judged by the header alone, before the contents have arrived.
///
/// RFC 4511 4.1.1: "If the server receives an LDAPMessage from the client in which the
/// LDAPMessage SEQUENCE tag cannot be recognized [...] the server SHOULD return the
/// Notice of Disconnection".
pub(crate) fn next(input: &[u8], largest: usize) -> Result<Framed, Malformed> {
    match input.first() {
        None => return Ok(Framed::Partial { needed: 2 }),
        Some(&ber::SEQUENCE) => {}
        Some(_) => return Err(Malformed { what: "not an LDAP message", at: 0 }),
    }
    match ber::length(input) {
        Length::Bad(what) => Err(Malformed { what, at: 1 }),
        Length::Incomplete => Ok(Framed::Partial { needed: input.len() + 1 }),
        Length::Known { header, value } if header + value > largest => {
            Err(Malformed { what: "message longer than allowed", at: 1 })
        }
        Length::Known { header, value } if input.len() < header + value => {
            Ok(Framed::Partial { needed: header + value })
        }
        Length::Known { header, value } => Ok(Framed::Whole { header, value }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_found_and_awaited() {
        assert_eq!(next(b"", 64), Ok(Framed::Partial { needed: 2 }));
        assert_eq!(next(b"\x30", 64), Ok(Framed::Partial { needed: 2 }));
        assert_eq!(next(b"\x30\x05\x02", 64), Ok(Framed::Partial { needed: 7 }));
        assert_eq!(
            next(b"\x30\x05\x02\x01\x01\x42\x00rest", 64),
            Ok(Framed::Whole { header: 2, value: 5 })
        );
        assert_eq!(next(b"\x30\x82\x01", 999), Ok(Framed::Partial { needed: 4 }));
    }

    #[test]
    fn other_protocols_are_told_at_the_first_octet() {
        for start in [&b"GET / HTTP/1.1"[..], b"\x16\x03\x01\x02\x00", b"\x70\x05", b"\xf0\x05"] {
            assert!(next(start, 64).is_err(), "{start:?}");
        }
    }

    #[test]
    fn an_endless_message_is_refused_by_its_header() {
        assert!(next(b"\x30\x84\x7f\xff\xff\xff", 65536).is_err());
        assert!(next(b"\x30\x41", 64).is_err());
        assert!(next(b"\x30\x80", 64).is_err());
        assert!(next(b"\x30\x89\x01\0\0\0\0\0\0\0\x05", 64).is_err());
    }
}
