//! Controls: malformed, too many, not known, in combinations that broke other servers
//! (items 6, 7, 14 to 20 and 36).

use super::octets::*;
use super::target::{Client, Target, mail, settings};
use crate::world::BASE;

const PROTOCOL_ERROR: i64 = 2;
const UNAVAILABLE_CRITICAL_EXTENSION: i64 = 12;
const UNWILLING: i64 = 53;

fn dump() -> Vec<u8> {
    search(BASE, 2, &filter::present("objectClass"), &["1.1"])
}

fn one() -> Vec<u8> {
    search(BASE, 2, &filter::equal("mail", mail()), &["1.1"])
}

/// Entries and result code of the search for one user under these controls.
async fn under(client: &mut Client, controls: &[Vec<u8>]) -> (usize, i64) {
    let (entries, done) = client.entries(&controlled(4, &one(), controls)).await;
    assert_eq!((done.id, done.tag), (4, 0x65));
    (entries.len(), done.code())
}

/// Items 6 and 8: lists of controls that are none. A critical control can never be lost
/// among octets that were not understood.
#[tokio::test]
async fn malformed_lists_of_controls() {
    let target = Target::start().await;
    let mut client = target.bound().await;
    let lists: [(&str, Vec<u8>); 14] = [
        ("integer as type", tlv(0xa0, b"\x30\x03\x02\x01\x01")),
        ("empty control", tlv(0xa0, b"\x30\x00")),
        ("empty type", tlv(0xa0, b"\x30\x02\x04\x00")),
        ("type that is no OID", tlv(0xa0, &control("paged", true, None))),
        ("type of octets", tlv(0xa0, b"\x30\x04\x04\x02\xff\xfe")),
        ("truncated control", tlv(0xa0, b"\x30\x09\x04\x031.2")),
        ("truncated list", b"\xa0\x09\x30\x05\x04\x031.2".to_vec()),
        ("truncated length", tlv(0xa0, b"\x30\x84\x00")),
        ("indefinite length", tlv(0xa0, b"\x30\x80\x04\x031.2\x00\x00")),
        ("no sequence", tlv(0xa0, b"\x04\x031.2")),
        ("boolean of two", tlv(0xa0, b"\x30\x09\x04\x031.2\x01\x02\x00\x00")),
        ("late criticality", tlv(0xa0, b"\x30\x0a\x04\x031.2\x04\x00\x01\x01\xff")),
        ("two values", tlv(0xa0, b"\x30\x09\x04\x031.2\x04\x00\x04\x00")),
        ("two lists", tlv(0xa0, b"").repeat(2)),
    ];
    for (name, list) in lists {
        for op in [one(), bind("", ""), compare(BASE, "dc", "contoso"), extended(WHO_AM_I, None)] {
            let answer = client.answer(&sequence(&[integer(6), op, list.clone()])).await;
            assert_eq!((answer.id, answer.code()), (6, PROTOCOL_ERROR), "{name}");
        }
        assert_eq!(client.ask(&bind("gw", "pw")).await.code(), 0);
    }
    // A criticality in any other form is true or an error, never dropped.
    let loud = tlv(0xa0, b"\x30\x09\x04\x049.99\x01\x01\x01");
    let answer = client.answer(&sequence(&[integer(6), one(), loud])).await;
    assert_eq!(answer.code(), UNAVAILABLE_CRITICAL_EXTENSION);
    // A list of none is a list.
    assert_eq!(under(&mut client, &[]).await, (1, 0));
    drop(client);
    target.is_well().await;
}

/// Item 14: more controls than anyone needs, and the same one twice.
#[tokio::test]
async fn too_many_controls() {
    let target = Target::start().await;
    let mut client = target.bound().await;
    let many = |count: usize| -> Vec<Vec<u8>> {
        (0..count).map(|n| control(&format!("1.2.{n}"), false, Some(b"x"))).collect()
    };
    assert_eq!(under(&mut client, &many(5)).await, (1, 0));
    for count in [100, 1000, 30_000] {
        let code = under(&mut client, &many(count)).await;
        assert!(matches!(code, (0, PROTOCOL_ERROR | 11)), "{count}: {code:?}");
    }
    let twice = vec![control(PAGED, false, Some(&paged(5, b""))); 2];
    assert_eq!(under(&mut client, &twice).await, (0, PROTOCOL_ERROR));
    drop(client);
    target.is_well().await;
}

/// Items 15, 17, 18 and 20: controls that are not implemented. Critical ones stop the
/// operation, whatever their value; others are ignored, whatever their value.
#[tokio::test]
async fn controls_that_are_not_implemented() {
    let target = Target::start().await;
    let mut client = target.bound().await;
    for (name, oid) in NOT_IMPLEMENTED {
        for value in [
            None,
            Some(&b""[..]),
            Some(b"\x30\x00"),
            Some(b"\x30\x80"),
            Some(b"\x30\x84\xff\xff\xff\xff"),
            Some(b"\xff"),
        ] {
            let result = under(&mut client, &[control(oid, true, value)]).await;
            assert_eq!(result, (0, UNAVAILABLE_CRITICAL_EXTENSION), "{name}");
            assert_eq!(under(&mut client, &[control(oid, false, value)]).await, (1, 0), "{name}");
            for op in [bind("gw", "pw"), compare(BASE, "dc", "contoso"), extended(WHO_AM_I, None)] {
                let answer = client.answer(&controlled(2, &op, &[control(oid, true, value)])).await;
                assert_eq!(answer.code(), UNAVAILABLE_CRITICAL_EXTENSION, "{name}");
                let answer =
                    client.answer(&controlled(2, &op, &[control(oid, false, value)])).await;
                assert!(matches!(answer.code(), 0 | 6), "{name}");
            }
            assert_eq!(client.ask(&bind("gw", "pw")).await.code(), 0);
        }
    }
    drop(client);
    target.is_well().await;
}

/// Controls without an implementation here, by the items that name them.
const NOT_IMPLEMENTED: [(&str, &str); 12] = [
    ("dereference (item 15)", "1.3.6.1.4.1.4203.666.5.16"),
    ("virtual list view (item 17)", "2.16.840.1.113730.3.4.9"),
    ("attribute scoped query (item 17)", "1.2.840.113556.1.4.1504"),
    ("DirSync (item 18)", "1.2.840.113556.1.4.841"),
    ("sync request (item 20)", "1.3.6.1.4.1.4203.1.9.1.1"),
    ("persistent search (item 20)", "2.16.840.1.113730.3.4.3"),
    ("notification", "1.2.840.113556.1.4.528"),
    ("proxied authorization", "2.16.840.1.113730.3.4.18"),
    ("pre-read (item 7)", "1.3.6.1.1.13.1"),
    ("post-read (item 7)", "1.3.6.1.1.13.2"),
    ("get effective rights", "1.3.6.1.4.1.42.2.27.9.5.2"),
    ("tree delete", "1.2.840.113556.1.4.805"),
];

/// Items 7, 15 and 17: values of controls that are, or may become, implemented: malformed
/// ones are refused where the control is critical, and never harm.
#[tokio::test]
async fn malformed_values_of_known_controls() {
    let target = Target::start().await;
    let mut client = target.bound().await;
    let known = [
        ("paged results", PAGED),
        ("server side sort", "1.2.840.113556.1.4.473"),
        ("matched values", "1.2.826.0.1.3344810.2.3"),
        ("assertion", "1.3.6.1.1.12"),
        ("subentries", "1.3.6.1.4.1.4203.1.10.1"),
    ];
    for (name, oid) in known {
        for value in [
            None,
            Some(&b""[..]),
            Some(b"\x30\x80\x02\x01\x05\x04\x00\x00\x00"),
            Some(b"\x30\x84\x7f\xff\xff\xff"),
            Some(b"\x30\x05\x02\x01\x05\x04\x7f"),
            Some(b"\x31\x00"),
            Some(b"\xa4\x05\x04\x01a\x30\x00"),
            Some(b"\x30\x06\x30\x04\x04\x02\xff\xfe\x00"),
        ] {
            let (entries, code) = under(&mut client, &[control(oid, true, value)]).await;
            let refused = matches!(code, PROTOCOL_ERROR | UNAVAILABLE_CRITICAL_EXTENSION);
            assert!(refused && entries == 0, "{name} {value:02x?}: {code}");
            let (_, code) = under(&mut client, &[control(oid, false, value)]).await;
            assert!(matches!(code, 0 | PROTOCOL_ERROR), "{name} {value:02x?}: {code}");
        }
    }
    // Page sizes and cookies.
    for (value, code) in [
        (paged(-1, b""), PROTOCOL_ERROR),
        (paged(i64::from(i32::MAX) + 1, b""), PROTOCOL_ERROR),
        (sequence(&[tlv(0x02, b""), octets("")]), PROTOCOL_ERROR),
        (sequence(&[tlv(0x02, &[1; 9]), octets("")]), PROTOCOL_ERROR),
        (sequence(&[integer(5)]), PROTOCOL_ERROR),
        (sequence(&[octets(""), integer(5)]), PROTOCOL_ERROR),
        ([paged(5, b""), b"x".to_vec()].concat(), PROTOCOL_ERROR),
        (paged(i64::from(i32::MAX), b""), 0),
    ] {
        let (_, result) = under(&mut client, &[control(PAGED, true, Some(&value))]).await;
        assert_eq!(result, code, "{value:02x?}");
    }
    drop(client);
    target.is_well().await;
}

async fn page(client: &mut Client, op: &[u8], size: i64, cookie: &[u8]) -> (usize, i64, Vec<u8>) {
    let control = control(PAGED, true, Some(&paged(size, cookie)));
    let (entries, done) = client.entries(&controlled(4, op, &[control])).await;
    (entries.len(), done.code(), if done.code() == 0 { done.cookie() } else { Vec::new() })
}

/// Item 16: a page of no entries, at every place in a sequence of pages.
#[tokio::test]
async fn pages_of_size_zero() {
    let target = Target::start().await;
    let mut client = target.bound().await;
    let (count, code, cookie) = page(&mut client, &dump(), 0, b"").await;
    assert!(count > 100 && code == 0 && cookie.is_empty());
    let (_, _, cookie) = page(&mut client, &dump(), 10, b"").await;
    for _ in 0..3 {
        // RFC 2696 3: the client gives the sequence up.
        assert_eq!(page(&mut client, &dump(), 0, &cookie).await, (0, 0, Vec::new()));
    }
    let (next, code, _) = page(&mut client, &dump(), 10, &cookie).await;
    assert!(code == UNWILLING || next == 10, "given up, or without state: {code}");
    drop(client);
    target.is_well().await;
}

/// Items 20 and 36: cookies that were never given, or for something else.
#[tokio::test]
async fn cookies_that_were_never_given() {
    let target = Target::start().await;
    let mut client = target.bound().await;
    let (_, _, good) = page(&mut client, &dump(), 10, b"").await;
    assert!(!good.is_empty());
    let mut forged = vec![vec![0], vec![0; 16], vec![0xff; 32], vec![b'x'; 60_000], good.repeat(2)];
    forged.extend((0..good.len()).map(|at| good[..at].to_vec()).filter(|short| !short.is_empty()));
    for at in 0..good.len() {
        let mut altered = good.clone();
        altered[at] ^= 0x80;
        forged.push(altered);
    }
    for cookie in &forged {
        let result = page(&mut client, &dump(), 10, cookie).await;
        assert_eq!((result.0, result.1), (0, UNWILLING), "{cookie:02x?}");
    }
    // For another search, base, scope, list; of another account; of another process.
    for op in [
        search(BASE, 2, &filter::present("mail"), &["1.1"]),
        search(BASE, 1, &filter::present("objectClass"), &["1.1"]),
        search(format!("ou=users,{BASE}"), 2, &filter::present("objectClass"), &["1.1"]),
        search(BASE, 2, &filter::present("objectClass"), &["mail"]),
    ] {
        assert_eq!(page(&mut client, &op, 10, &good).await.1, UNWILLING);
    }
    let mut other = target.connect().await;
    assert_eq!(other.ask(&bind("other", "word")).await.code(), 0);
    assert_eq!(page(&mut other, &dump(), 10, &good).await.1, UNWILLING);
    let elsewhere = Target::start().await;
    assert_eq!(page(&mut elsewhere.bound().await, &dump(), 10, &good).await.1, UNWILLING);
    // And it still is what it was.
    assert_eq!(page(&mut client, &dump(), 10, &good).await.0, 10);
    drop((client, other));
    target.is_well().await;
}

/// Item 36: sequences of pages begun and never ended, more than any server would keep.
#[tokio::test]
async fn pages_begun_and_never_ended() {
    let target = Target::start().await;
    let mut client = target.bound().await;
    let (_, _, first) = page(&mut client, &dump(), 1, b"").await;
    for n in 0..2000i64 {
        let (count, code, cookie) = page(&mut client, &dump(), 1 + n % 5, b"").await;
        assert_eq!((count as i64, code, cookie.is_empty()), (1 + n % 5, 0, false));
    }
    // A sequence may be held over as many others as a client likes, or be refused.
    let (count, code, _) = page(&mut client, &dump(), 1, &first).await;
    assert!((count, code) == (1, 0) || code == UNWILLING);
    drop(client);
    target.is_well().await;
}

/// Item 17 and 18: pages together with other controls, and DirSync with a range.
#[tokio::test]
async fn pages_with_other_controls() {
    let target = Target::start().await;
    let mut client = target.bound().await;
    let pages = control(PAGED, true, Some(&paged(3, b"")));
    for (_, oid) in NOT_IMPLEMENTED {
        let list = [pages.clone(), control(oid, true, Some(b"\x30\x00"))];
        let (entries, done) = client.entries(&controlled(4, &dump(), &list)).await;
        assert_eq!((entries.len(), done.code()), (0, UNAVAILABLE_CRITICAL_EXTENSION));
        let list = [control(oid, false, Some(b"\x30\x00")), pages.clone()];
        let (entries, done) = client.entries(&controlled(4, &dump(), &list)).await;
        assert_eq!((entries.len(), done.code()), (3, 0));
    }
    let ranges = search(
        BASE,
        2,
        &filter::equal("objectClass", "group"),
        &["member;range=0-1", "member;range=99-1"],
    );
    let dirsync = control(
        "1.2.840.113556.1.4.841",
        false,
        Some(b"\x30\x09\x02\x01\x01\x02\x01\x00\x04\x01x"),
    );
    let (entries, done) = client.entries(&controlled(4, &ranges, &[dirsync])).await;
    assert!(!entries.is_empty() && done.code() == 0);
    drop(client);
    target.is_well().await;
}

/// Extended operations that are not known, and values of those that are.
#[tokio::test]
async fn extended_operations_with_anything() {
    let target = Target::with(settings()).await;
    let mut client = target.bound().await;
    for oid in ["1.2.3", "", "x", "2.16.840.1.113730.3.5.3", "1.3.6.1.4.1.1466.101.119.1"] {
        for value in [None, Some(&b""[..]), Some(b"\x30\x80"), Some(&[0xff; 1000])] {
            assert_eq!(client.ask(&extended(oid, value)).await.code(), PROTOCOL_ERROR, "{oid}");
        }
    }
    // A password is not changed here, whether the operation is known or not.
    for value in [None, Some(&b"\x30\x00"[..]), Some(b"\x30\x80")] {
        let answer = client.ask(&extended("1.3.6.1.4.1.4203.1.11.1", value)).await;
        assert!(matches!(answer.code(), PROTOCOL_ERROR | UNWILLING), "{answer:?}");
    }
    assert_eq!(client.ask(&extended(WHO_AM_I, Some(b"x"))).await.code(), PROTOCOL_ERROR);
    assert_eq!(client.ask(&tlv(0x77, b"\x81\x00")).await.code(), PROTOCOL_ERROR);
    assert_eq!(client.ask(&tlv(0x77, &tlv(0x80, b"\xff\xfe"))).await.code(), PROTOCOL_ERROR);
    drop(client);
    target.is_well().await;
}

/// Item 19: Cancel (RFC 3909) of nothing, of itself, of one that cannot be, without end.
/// Where Cancel is not known the code is protocolError, else one of RFC 3909 3.
#[tokio::test]
async fn cancelling_nothing_and_oneself() {
    let target = Target::start().await;
    let mut client = target.bound().await;
    let cancel = |id: i64| extended("1.3.6.1.1.8", Some(&sequence(&[integer(id)])));
    for round in 0..300 {
        for id in [0, -1, 1, 2, 99, i64::from(i32::MAX), i64::MAX] {
            let answer = client.ask(&cancel(id)).await;
            assert!(
                matches!(answer.code(), PROTOCOL_ERROR | 119 | 120 | 121),
                "{round}: {answer:?}"
            );
        }
    }
    for value in [None, Some(&b""[..]), Some(b"\x30\x00"), Some(b"\x30\x80"), Some(b"\x02\x01\x05")]
    {
        assert_eq!(client.ask(&extended("1.3.6.1.1.8", value)).await.code(), PROTOCOL_ERROR);
    }
    // A pipeline of searches and cancels of them, of each other and of themselves.
    let mut pipeline = Vec::new();
    for id in 1..200 {
        pipeline.extend(message(1000 + id, &dump()));
        pipeline.extend(message(2000 + id, &cancel(1000 + id)));
        pipeline.extend(message(3000 + id, &cancel(3000 + id)));
        pipeline.extend(message(4000 + id, &cancel(2000 + id)));
    }
    pipeline.extend(message(9999, UNBIND));
    client.send(&pipeline).await;
    client.rest().await;
    target.is_well().await;
}
