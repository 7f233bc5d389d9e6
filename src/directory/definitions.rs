//! The attribute types and object classes themselves. Pure: no I/O, no clock.

use super::attribute::{AttributeId, AttributeType, Syntax};
use super::schema::{ClassKind, ObjectClass};

type Row = (&'static str, &'static str, &'static [&'static str], Syntax, bool, bool, bool);

const ROWS: &[Row] = &[
    ("2.5.4.0", "objectClass", &[], Syntax::ObjectClass, false, false, false),
    ("2.5.4.3", "cn", &["commonName"], Syntax::DirectoryString, true, false, true),
    ("2.5.4.4", "sn", &["surname"], Syntax::DirectoryString, true, false, true),
    (
        "0.9.2342.19200300.100.1.3",
        "mail",
        &["rfc822Mailbox"],
        Syntax::DirectoryString,
        true,
        false,
        true,
    ),
    ("1.2.840.113556.1.2.210", "proxyAddresses", &[], Syntax::DirectoryString, false, false, true),
    ("1.2.840.113556.1.4.8", "userAccountControl", &[], Syntax::Integer, true, false, false),
    ("1.2.840.113556.1.2.3", "whenChanged", &[], Syntax::GeneralizedTime, true, false, false),
    ("1.2.840.113556.1.4.2", "objectGUID", &[], Syntax::Guid, true, false, false),
    ("1.2.840.113556.1.2.102", "memberOf", &[], Syntax::Dn, false, false, false),
    ("2.5.4.31", "member", &[], Syntax::Dn, false, false, false),
    (
        "1.2.840.113556.1.4.1739",
        "msExchHideFromAddressLists",
        &[],
        Syntax::Boolean,
        true,
        false,
        false,
    ),
    ("2.5.4.13", "description", &[], Syntax::DirectoryString, false, false, false),
    ("0.9.2342.19200300.100.1.10", "manager", &[], Syntax::Dn, true, false, false),
];

/// All attribute types, by number.
pub(super) fn attributes() -> Vec<AttributeType> {
    let row = |(at, row): (usize, &Row)| {
        let (oid, name, aliases, syntax, single_value, operational, substrings_index) = *row;
        let id = AttributeId(u16::try_from(at).unwrap_or(u16::MAX));
        AttributeType {
            id,
            oid,
            name,
            aliases,
            syntax,
            single_value,
            operational,
            substrings_index,
        }
    };
    ROWS.iter().enumerate().map(row).collect()
}

/// All object classes.
pub(super) fn classes() -> Vec<ObjectClass> {
    vec![ObjectClass {
        oid: "2.5.6.0",
        name: "top",
        superior: "",
        kind: ClassKind::Abstract,
        must: &["objectClass"],
        may: &[],
    }]
}
