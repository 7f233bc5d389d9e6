//! The controls of a request (RFC 4511 4.1.11), and the values of those that are known.
//! Pure: no I/O, no clock.

use super::ber::{BOOLEAN, INTEGER, Malformed, OCTET_STRING, SEQUENCE, Tlv, Tlvs};

/// One control, as sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Control<'a> {
    /// `controlType`: an OID.
    pub(crate) oid: &'a [u8],
    /// `criticality`
    pub(crate) critical: bool,
    /// `controlValue`
    pub(crate) value: Option<&'a [u8]>,
}

/// Reads `Controls ::= SEQUENCE OF control Control`, at most so many.
pub(crate) fn decode<'a>(list: &Tlv<'a>, most: usize) -> Result<Vec<Control<'a>>, Malformed> {
    let mut inside = list.inside();
    let mut controls: Vec<Control<'a>> = Vec::new();
    while !inside.is_empty() {
        let mut parts = inside.expect(SEQUENCE, "expected a control")?.inside();
        let oid = parts.expect(OCTET_STRING, "expected the type of a control")?;
        if !is_oid(oid.value) {
            return Err(oid.malformed("type of a control that is no OID"));
        }
        let critical = parts.take(BOOLEAN)?.map_or(Ok(false), |tlv| tlv.boolean())?;
        let value = parts.take(OCTET_STRING)?.map(|tlv| tlv.value);
        parts.ignore_unrecognised(&[BOOLEAN, OCTET_STRING])?;
        if controls.iter().any(|control| control.oid == oid.value) {
            return Err(oid.malformed("the same control twice"));
        }
        if controls.len() >= most {
            return Err(oid.malformed("too many controls"));
        }
        controls.push(Control { oid: oid.value, critical, value });
    }
    Ok(controls)
}

fn is_oid(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|octet| octet.is_ascii_digit() || *octet == b'.')
}

/// The value of a paged results request (RFC 2696 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PagedRequest<'a> {
    /// How many entries the page may hold.
    pub(crate) size: u32,
    /// What the last page came with; empty for the first.
    pub(crate) cookie: &'a [u8],
}

/// Reads `realSearchControlValue ::= SEQUENCE { size, cookie }`.
pub(crate) fn paged(value: Option<&[u8]>) -> Result<PagedRequest<'_>, Malformed> {
    let value = value.ok_or(Malformed { what: "paged results control without value", at: 0 })?;
    let mut outside = Tlvs::new(value, 0);
    let mut parts = outside.expect(SEQUENCE, "expected size and cookie")?.inside();
    outside.end()?;
    let size = parts.expect(INTEGER, "expected a page size")?.natural("negative page size")?;
    let cookie = parts.expect(OCTET_STRING, "expected a cookie")?.value;
    parts.ignore_unrecognised(&[INTEGER, OCTET_STRING])?;
    Ok(PagedRequest { size, cookie })
}

/// One key of a sort request (RFC 2891 1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SortKey<'a> {
    /// `attributeType`
    pub(crate) attribute: &'a [u8],
    /// `orderingRule`
    pub(crate) rule: Option<&'a [u8]>,
    /// `reverseOrder`
    pub(crate) reverse: bool,
}

/// Reads `SortKeyList ::= SEQUENCE OF SEQUENCE { attributeType, orderingRule [0],
/// reverseOrder [1] }`.
pub(crate) fn sort_keys(value: Option<&[u8]>) -> Result<Vec<SortKey<'_>>, Malformed> {
    let value = value.ok_or(Malformed { what: "no sort keys", at: 0 })?;
    let mut outside = Tlvs::new(value, 0);
    let mut list = outside.expect(SEQUENCE, "expected sort keys")?.inside();
    outside.end()?;
    let mut keys = Vec::new();
    while !list.is_empty() {
        let mut parts = list.expect(SEQUENCE, "expected a sort key")?.inside();
        let attribute = parts.expect(OCTET_STRING, "expected the attribute of a sort key")?.value;
        let rule = parts.take(0x80)?.map(|tlv| tlv.value);
        let reverse = parts.take(0x81)?.map_or(Ok(false), |tlv| tlv.boolean())?;
        parts.ignore_unrecognised(&[OCTET_STRING, 0x80, 0x81])?;
        keys.push(SortKey { attribute, rule, reverse });
    }
    // RFC 2891 1.1: "at least one key".
    if keys.is_empty() { Err(list.malformed("no sort keys")) } else { Ok(keys) }
}

/// The one element that the value of a control consists of: the filter of an assertion
/// (RFC 4528), the list of matched values (RFC 3876), the boolean of subentries (RFC 3672).
pub(crate) fn only_element(value: Option<&[u8]>) -> Result<Tlv<'_>, Malformed> {
    let value = value.ok_or(Malformed { what: "control without value", at: 0 })?;
    let mut outside = Tlvs::new(value, 0);
    let element = outside.next()?;
    outside.end()?;
    Ok(element)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ldap::wire::samples::{control, tlv};

    fn read(bytes: &[u8]) -> Result<Vec<Control<'_>>, Malformed> {
        decode(&Tlvs::new(bytes, 0).next()?, 16)
    }

    #[test]
    fn criticality_and_value_are_kept() {
        let list = [control("1.2", true, None), control("1.3", false, Some(b"\xff"))].concat();
        let bytes = tlv(0xa0, &list);
        assert_eq!(
            read(&bytes).unwrap(),
            [
                Control { oid: b"1.2", critical: true, value: None },
                Control { oid: b"1.3", critical: false, value: Some(b"\xff") },
            ]
        );
    }

    #[test]
    fn malformed_controls_are_errors_and_never_vanish() {
        let twice = [control("1.2", true, None), control("1.2", true, None)].concat();
        let many: Vec<u8> = (0..17).flat_map(|n| control(&format!("1.{n}"), false, None)).collect();
        for (name, bytes) in [
            ("truncated inside", tlv(0xa0, b"\x30\x09\x04\x031.2")),
            ("not a sequence", tlv(0xa0, b"\x31\x05\x04\x031.2")),
            ("integer as type", tlv(0xa0, b"\x30\x03\x02\x01\x01")),
            ("empty type", tlv(0xa0, b"\x30\x02\x04\x00")),
            ("no OID", tlv(0xa0, b"\x30\x04\x04\x02ab")),
            ("empty", tlv(0xa0, b"\x30\x00")),
            ("long boolean", tlv(0xa0, b"\x30\x09\x04\x031.2\x01\x02\x00\x00")),
            ("value before criticality", tlv(0xa0, b"\x30\x0a\x04\x031.2\x04\x00\x01\x01\xff")),
            ("twice", tlv(0xa0, &twice)),
            ("too many", tlv(0xa0, &many)),
        ] {
            assert!(read(&bytes).is_err(), "{name}");
        }
    }

    #[test]
    fn the_paged_value_is_read_strictly() {
        assert_eq!(
            paged(Some(b"\x30\x06\x02\x01\x64\x04\x01c")),
            Ok(PagedRequest { size: 100, cookie: b"c" })
        );
        for bad in [
            None,
            Some(&b""[..]),
            Some(b"\x30\x05\x02\x01\xff\x04\x00"),
            Some(b"\x30\x03\x02\x01\x05"),
            Some(b"\x30\x05\x02\x01\x05\x04\x00x"),
            Some(b"\x30\x07\x02\x01\x05\x04\x05"),
        ] {
            assert!(paged(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn sort_keys_are_read_strictly() {
        let key = |attribute, rule, reverse| SortKey { attribute, rule, reverse };
        assert_eq!(
            sort_keys(Some(b"\x30\x06\x30\x04\x04\x02sn")),
            Ok(vec![key(b"sn", None, false)])
        );
        let both = b"\x30\x13\x30\x0b\x04\x02sn\x80\x02ab\x81\x01\xff\x30\x04\x04\x02cn";
        assert_eq!(
            sort_keys(Some(both)),
            Ok(vec![key(b"sn", Some(b"ab"), true), key(b"cn", None, false)])
        );
        for bad in [
            None,
            Some(&b""[..]),
            Some(b"\x30\x00"),
            Some(b"\x30\x02\x30\x00"),
            Some(b"\x30\x06\x30\x04\x02\x02sn"),
            Some(b"\x30\x06\x30\x04\x04\x03sn"),
            Some(b"\x30\x06\x30\x04\x04\x02sn\x00"),
            Some(b"\x30\x08\x30\x06\x04\x02sn\x04\x00"),
        ] {
            assert!(sort_keys(bad).is_err(), "{bad:?}");
        }
    }
}
