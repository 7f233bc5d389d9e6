//! Connections that end badly, binds that fail, TLS that does not come (items 21 to 32).

use super::octets::*;
use super::target::{Client, PATIENCE, Target, mail, settings, user};
use crate::world::BASE;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn dump() -> Vec<u8> {
    search(BASE, 2, &filter::present("objectClass"), &[])
}

async fn who(client: &mut Client) -> String {
    let answer = client.ask(&extended(WHO_AM_I, None)).await;
    assert_eq!(answer.code(), 0);
    let value = answer.parts().into_iter().find(|(tag, _)| *tag == 0x8b);
    String::from_utf8(value.unwrap().1).unwrap()
}

/// Items 7 and 21: unbind behind a search, behind many, alone, twice, with more behind it.
#[tokio::test]
async fn unbind_at_every_moment() {
    let target = Target::start().await;
    let unbind = message(9, UNBIND);
    for searches in [0, 1, 2, 50] {
        for behind in [vec![], unbind.clone(), message(10, &dump()), b"\x30\x84".to_vec()] {
            let mut client = target.bound().await;
            let mut octets = pipeline(searches, &dump());
            octets.extend(&unbind);
            octets.extend(behind);
            client.send(&octets).await;
            for answer in client.rest().await {
                assert!(answer.id > 1000);
            }
        }
    }
    // Item 25: an unbind with contents, or before a bind is through, is an unbind.
    let mut client = target.bound().await;
    client.send(&message(9, &tlv(0x42, &[0; 1000]))).await;
    assert_eq!(client.rest().await, []);
    let mut client = target.connect().await;
    client.send(&[message(1, &bind("gw", "wrong")), unbind].concat()).await;
    assert!(client.rest().await.len() <= 1);
    target.is_well().await;
}

/// Item 22: clients that are gone without a word, in the middle of anything.
#[tokio::test]
async fn clients_that_are_suddenly_gone() {
    let target = Target::start().await;
    let starts = [
        vec![],
        b"\x30".to_vec(),
        message(1, &bind("gw", "pw"))[..9].to_vec(),
        message(1, &bind("gw", "wrong")),
        [message(1, &bind("gw", "pw")), message(2, &dump())].concat(),
        [message(1, &bind("gw", "pw")), pipeline(100, &dump())].concat(),
        message(1, &extended(START_TLS, None)),
    ];
    for round in 0..20 {
        for start in &starts {
            let mut stream = TcpStream::connect(target.address).await.unwrap();
            stream.write_all(start).await.unwrap();
            if round % 2 == 0 {
                // The connection is reset, not closed.
                stream.set_zero_linger().unwrap();
            }
        }
    }
    target.is_well().await;
}

/// Item 24: a bind that fails leaves nothing of the identity before it.
#[tokio::test]
async fn failed_rebind_keeps_no_identity() {
    let target = Target::start().await;
    let critical = [control("9.9.9", true, None)];
    let failing: [(&str, Vec<u8>); 10] = [
        ("wrong password", message(2, &bind("gw", "wrong"))),
        ("unknown name", message(2, &bind("nobody", "pw"))),
        ("no password", message(2, &bind("gw", ""))),
        ("no name", message(2, &bind("", "pw"))),
        ("version", message(2, &tlv(0x60, &[integer(9), octets("gw"), tlv(0x80, b"pw")].concat()))),
        (
            "SASL",
            message(2, &tlv(0x60, &[integer(3), octets(""), tlv(0xa3, &octets("PLAIN"))].concat())),
        ),
        ("malformed", message(2, &tlv(0x60, &[integer(3), octets("gw")].concat()))),
        (
            "choice of no class",
            message(2, &tlv(0x60, &[integer(3), octets("gw"), octets("pw")].concat())),
        ),
        ("critical control", controlled(2, &bind("gw", "pw"), &critical)),
        (
            "controls cut off",
            sequence(&[integer(2), bind("gw", "pw"), b"\xa0\x09\x30\x00".to_vec()]),
        ),
    ];
    for (name, bind) in failing {
        let mut client = target.bound().await;
        assert_eq!(who(&mut client).await, "u:steady");
        let answer = client.answer(&bind).await;
        assert!(answer.tag == 0x61 && answer.code() != 0, "{name}");
        assert_eq!(who(&mut client).await, "", "{name}");
        let (entries, done) = client.entries(&message(3, &dump())).await;
        assert!(entries.is_empty() && done.code() == 1, "{name}: {done:?}");
        assert_eq!(client.ask(&compare(user(), "mail", mail())).await.code(), 1, "{name}");
    }
    // All at once: the search behind the bind is carried out behind it.
    let mut client = target.bound().await;
    client.send(&[message(2, &bind("gw", "wrong")), message(3, &dump())].concat()).await;
    assert_eq!(client.next().await.unwrap().code(), 49);
    assert_eq!(client.next().await.unwrap().code(), 1);
    // An anonymous bind that succeeds is one, too.
    client = target.bound().await;
    assert_eq!(client.ask(&bind("", "")).await.code(), 0);
    assert_eq!(who(&mut client).await, "");
    drop(client);
    target.is_well().await;
}

/// Items 28 and 31: a bind tells nothing about names, and a name without a password is
/// nobody's.
#[tokio::test]
async fn binds_tell_nothing_about_names() {
    let target = Target::start().await;
    let unknown = target.connect().await.ask(&bind("nobody", "wrong")).await;
    assert_eq!(unknown.code(), 49);
    let deep = format!("uid=nobody,ou=nowhere,{BASE}");
    let under = format!("{},{}", "ou=a".repeat(3), user());
    for name in [
        "gw",
        "other",
        user(),
        mail(),
        &deep,
        &under,
        "*",
        "gw\0",
        "gw ",
        "CN=",
        "\u{ff}",
        "gw@contoso.com",
    ] {
        let mut client = target.connect().await;
        assert_eq!(client.ask(&bind(name, "wrong")).await, unknown, "{name}");
        // RFC 4513 5.1.2
        assert_eq!(client.ask(&bind(name, "")).await.code(), 53, "{name}");
        assert_eq!(who(&mut client).await, "");
    }
    let mut client = target.connect().await;
    let not_text = tlv(0x60, &[integer(3), octets(b"\xff\xfe"), tlv(0x80, b"pw")].concat());
    assert_eq!(client.ask(&not_text).await, unknown);
    // Item 28, CVE-2016-4992: what may not be read does not exist more or less.
    client = target.connect().await;
    let closed = client.ask(&search(user(), 0, &filter::present("cn"), &[])).await;
    for name in [&deep[..], "cn=a", "dc=elsewhere"] {
        let answer = client.ask(&search(name, 0, &filter::present("cn"), &[])).await;
        assert_eq!((answer.code(), answer.text()), (closed.code(), closed.text()));
        assert_eq!(client.ask(&compare(name, "cn", "a")).await.code(), closed.code());
    }
    drop(client);
    target.is_well().await;
}

/// Item 29: passwords that are no password but mean something elsewhere; hashes that are
/// none are not taken at all.
#[tokio::test]
async fn passwords_and_hashes_that_match_anything() {
    let long = "pw".repeat(20_000);
    for password in
        ["*", "{CLEAR}pw", "{CRYPT}*", "pw\0", "pw ", " pw", "PW", "p", "$argon2id$", &long]
    {
        // Each on a server of its own, where nobody has failed yet.
        let target = Target::start().await;
        let mut client = target.connect().await;
        assert_eq!(client.ask(&bind("gw", password)).await.code(), 49, "{password:.20}");
        drop(client);
        target.is_well().await;
    }
    for hash in ["*", "", "pw", "{CLEAR}pw", "$argon2id$v=19$m=16,t=1,p=1$$"] {
        let mut settings = settings();
        settings.accounts[0].password_hash = Some(entraldap::config::Secret::new(hash));
        let reader = super::target::reader();
        let server = entraldap::ldap::Server::new(&settings, reader, std::time::SystemTime::now);
        assert!(server.is_err(), "{hash:?} was taken for a hash");
    }
}

/// Item 25: mechanisms and choices that are not supported, whatever their contents.
#[tokio::test]
async fn other_ways_to_bind() {
    let target = Target::start().await;
    let mut client = target.connect().await;
    for mechanism in ["", "PLAIN", "GSSAPI", "GSS-SPNEGO", "DIGEST-MD5", "NTLM", "X\0"] {
        for credentials in [None, Some(&b""[..]), Some(b"\0gw\0pw"), Some(&[0xff; 5000])] {
            let mut sasl = octets(mechanism);
            sasl.extend(credentials.map(octets).unwrap_or_default());
            let op = tlv(0x60, &[integer(3), octets(""), tlv(0xa3, &sasl)].concat());
            let code = client.ask(&op).await.code();
            // authMethodNotSupported, or of a mechanism that is known: what it says.
            assert!(matches!(code, 7 | 2 | 48 | 49), "{mechanism}: {code}");
            assert_eq!(who(&mut client).await, "");
        }
    }
    for choice in [0x81, 0x89, 0x8a, 0x8b, 0xa9, 0xbf & 0xbe] {
        let op = tlv(0x60, &[integer(3), octets(""), tlv(choice, b"NTLMSSP\0")].concat());
        assert_eq!(client.ask(&op).await.code(), 7, "{choice:02x}");
    }
    drop(client);
    target.is_well().await;
}

/// Item 27: what is sent in the clear behind StartTLS is never taken for protected.
#[tokio::test]
async fn octets_injected_behind_start_tls() {
    let target = Target::tls(settings(), false).await;
    let start = message(1, &extended(START_TLS, None));
    let injected = message(2, &bind("gw", "pw"));
    for behind in [&injected[..], &injected[..5], b"\x16\x03\x01", b"\x30", &dump()] {
        let mut client = target.connect().await;
        client.send(&[start.clone(), behind.to_vec()].concat()).await;
        let answer = client.next().await.unwrap();
        assert_eq!((answer.id, answer.tag, answer.code()), (1, 0x78, 1));
        assert_eq!(client.next().await, None);
    }
    // Behind the answer, instead of a handshake: it is no TLS, and nothing is answered.
    let mut client = target.connect().await;
    assert_eq!(client.answer(&start).await.code(), 0);
    client.send(&injected).await;
    let mut rest = Vec::new();
    let read = client.stream.read_to_end(&mut rest);
    let _ = tokio::time::timeout(PATIENCE, read).await.expect("the connection ends");
    assert!(!rest.starts_with(b"\x30"), "{rest:02x?}");
    // Who bound before is nobody behind the handshake (RFC 4513 3.1.5 allows it; nothing
    // that an attacker sent before may stay). Twice is once too often.
    let mut client = target.bound().await;
    assert_eq!(client.answer(&start).await.code(), 0);
    let mut client = target.handshake(client).await;
    assert_eq!(who(&mut client).await, "");
    assert_eq!(client.answer(&start).await.code(), 1);
    assert_eq!(client.ask(&bind("gw", "pw")).await.code(), 0);
    assert_eq!(who(&mut client).await, "u:gw");
    drop(client);
    target.is_well().await;
}

/// Item 23: handshakes that stop half way, records that do; others are served meanwhile.
#[tokio::test]
async fn silence_inside_tls() {
    let mut settings = settings();
    settings.limits.first_request = Duration::from_millis(300);
    settings.limits.idle = Duration::from_millis(300);
    let target = Target::tls(settings, true).await;
    let hello = client_hello(&target).await;
    let mut silent = Vec::new();
    for at in (0..hello.len()).step_by(hello.len() / 40 + 1) {
        let mut stream = TcpStream::connect(target.address).await.unwrap();
        stream.write_all(&hello[..at]).await.unwrap();
        silent.push(stream);
    }
    // A handshake that is through, and then a record that never ends.
    for _ in 0..20 {
        let tcp = TcpStream::connect(target.address).await.unwrap();
        let name = "localhost".try_into().unwrap();
        let tls = target.connector().connect(name, tcp).await.unwrap();
        let (mut tcp, _) = tls.into_inner();
        tcp.write_all(b"\x17\x03\x03\x40\x00").await.unwrap();
        silent.push(tcp);
    }
    target.serves_tls().await;
    for mut stream in silent {
        let mut rest = Vec::new();
        let read = stream.read_to_end(&mut rest);
        let _ = tokio::time::timeout(PATIENCE, read).await.expect("the server hangs up");
    }
    target.serves_tls().await;
    target.is_empty().await;
}

/// The first octets of a client with TLS.
async fn client_hello(target: &Target) -> Vec<u8> {
    let (near, mut far) = tokio::io::duplex(1 << 16);
    let name = "localhost".try_into().unwrap();
    let connecting = target.connector().connect(name, near);
    let mut hello = vec![0; 1 << 16];
    let len = tokio::select! {
        _ = connecting => panic!("nobody answers"),
        len = far.read(&mut hello) => len.unwrap(),
    };
    hello.truncate(len);
    hello
}

/// Item 26: alerts, ends and other records in the middle of a handshake.
#[tokio::test]
async fn handshakes_that_end_early() {
    let target = Target::tls(settings(), true).await;
    let hello = client_hello(&target).await;
    let close_notify = b"\x15\x03\x03\x00\x02\x01\x00";
    let mut altered = hello.clone();
    altered[40] ^= 0xff;
    let two = &hello[..hello.len() / 2];
    for octets in [
        close_notify.to_vec(),
        close_notify.repeat(100),
        [&hello[..], close_notify].concat(),
        [two, &close_notify[..]].concat(),
        [&hello[..], &hello[..]].concat(),
        [&hello[..], b"\x14\x03\x03\x00\x01\x01"].concat(),
        [&hello[..], b"\x17\x03\x03\x00\x05xxxxx"].concat(),
        [&hello[..], b"\x17\x03\x03\xff\xff"].concat(),
        altered,
        b"\x16\x03\x01\x00\x00".repeat(100),
        b"\x16\x03\x01\x00\x04\x01\xff\xff\xff".to_vec(),
        vec![0; 20_000],
        message(1, &bind("", "")),
    ] {
        let mut stream = TcpStream::connect(target.address).await.unwrap();
        stream.write_all(&octets).await.unwrap();
        let _ = stream.shutdown().await;
        let mut rest = Vec::new();
        let read = stream.read_to_end(&mut rest);
        let _ = tokio::time::timeout(PATIENCE, read).await.expect("the server hangs up");
        // An alert or the first flight, never an answer.
        assert!(!rest.starts_with(b"\x30"));
    }
    // Every octet of a good start, then the end.
    for at in 0..hello.len() {
        let mut stream = TcpStream::connect(target.address).await.unwrap();
        stream.write_all(&hello[..at]).await.unwrap();
    }
    target.serves_tls().await;
    target.is_empty().await;
}

/// Abandons of what is not there, and of the abandon itself; more than anyone keeps.
#[tokio::test]
async fn abandons_of_nothing() {
    let target = Target::start().await;
    let mut client = target.bound().await;
    for id in [0, -1, 1, 5, i64::from(i32::MAX)] {
        client.send(&message(5, &abandon(id))).await;
    }
    client.send(&message(5, b"\x50\x00")).await;
    client.send(&message(5, b"\x50\x09\x01\x00\x00\x00\x00\x00\x00\x00\x05")).await;
    assert_eq!(who(&mut client).await, "u:steady");
    let mut octets = Vec::new();
    for round in 0..40 {
        octets.extend(message(10 + round, &dump()));
        for id in 0..5000 {
            octets.extend(message(100, &abandon(10_000 + id)));
        }
    }
    octets.extend(message(99, &extended(WHO_AM_I, None)));
    let (read, mut write) = tokio::io::split(client.stream);
    let send = async { write.write_all(&octets).await.unwrap() };
    let receive = async {
        let mut client = Client::new(tokio::io::join(read, tokio::io::sink()));
        let mut results = Vec::new();
        while results.len() < 41 {
            let answer = client.next().await.expect("a result");
            if answer.tag != 0x64 {
                assert_eq!(answer.code(), 0, "{answer:?}");
                results.push(answer.id);
            }
        }
        results
    };
    let both = async { tokio::join!(send, receive) };
    let mut results = tokio::time::timeout(PATIENCE, both).await.expect("all is answered").1;
    results.sort_unstable();
    let expected: Vec<i64> = (10..50).chain([99]).collect();
    assert_eq!(results, expected);
    drop(write);
    target.is_well().await;
}
