//! Where messages begin and end, and lengths and numbers that lie (items 2 to 8).

use super::octets::*;
use super::target::{Client, Target, settings};
use crate::world::BASE;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// Items 2 and 8: every form of length that is none, at every depth.
#[tokio::test]
async fn ber_lengths_that_lie() {
    let target = Target::start().await;
    // The outermost length: the connection cannot go on.
    for start in [
        &b"\x30\x80\x02\x01\x01\x42\x00\x00\x00"[..],
        b"\x30\x85\x00\x00\x00\x00\x05\x02\x01\x01\x42\x00",
        b"\x30\x89\x01\x00\x00\x00\x00\x00\x00\x00\x05\x02\x01\x01\x42\x00",
        b"\x30\xff\x02\x01\x01\x42\x00",
        b"\x30\x84\xff\xff\xff\xff",
        b"\x30\x84\x80\x00\x00\x00",
        b"\x30\x83\x01\x00\x01",
    ] {
        let mut client = target.connect().await;
        client.send(start).await;
        client.is_disconnected(2).await;
    }
    // Inside: of the message id and of the operation the message cannot be told.
    for contents in [
        &b"\x02\x81\x81\x60\x00"[..],
        b"\x02\x80\x01\x00\x00",
        b"\x02\x01\x01\x60\x84\xff\xff\xff\xff",
        b"\x02\x01\x01\x60\x80\x00\x00",
        b"\x02\x01\x01\x60\x89\x01\x00\x00\x00\x00\x00\x00\x00\x05",
        b"\x02\x01\x01\x60\x7f\x02\x01\x03",
        b"\x02\x01",
        b"\x02",
        b"",
    ] {
        let mut client = target.connect().await;
        client.send(&tlv(0x30, contents)).await;
        client.is_disconnected(2).await;
    }
    // Deeper: the request is answered, and the next one is carried out.
    let mut client = target.bound().await;
    for op in [
        &b"\x60\x05\x02\x01\x03\x04\x7f"[..],
        b"\x60\x06\x02\x01\x03\x04\x80\x00",
        b"\x63\x04\x04\x84\xff\xff",
        b"\x63\x03\x04\x02a",
        b"\x6e\x02\x04\x09",
        b"\x77\x02\x80\x09",
        b"\x77\x00",
    ] {
        let answer = client.ask(op).await;
        assert_eq!((answer.id, answer.code()), (1, 2), "{op:02x?}");
    }
    // Lengths longer than they need be are lengths.
    let padded =
        b"\x30\x84\x00\x00\x00\x10\x02\x01\x09\x60\x84\x00\x00\x00\x07\x02\x01\x03\x04\x00\x80\x00";
    let answer = client.answer(padded).await;
    assert_eq!((answer.id, answer.tag, answer.code()), (9, 0x61, 0));
    drop(client);
    target.is_well().await;
}

/// Items 4 and 5: what is claimed and never sent is refused by its header, at once, and
/// what is sent behind it is not taken in.
#[tokio::test]
async fn sizes_that_are_only_claimed() {
    let target = Target::start().await;
    for claimed in
        [&b"\x30\x84\x7f\xff\xff\xff"[..], b"\x30\x84\x00\x01\x00\x01", b"\x30\x83\x10\x00\x00"]
    {
        let mut client = target.connect().await;
        client.send(claimed).await;
        client.is_disconnected(2).await;
    }
    // Endless octets behind such a header: they stop being taken.
    let client = target.connect().await;
    let (mut read, mut write) = tokio::io::split(client.stream);
    let pour = async {
        write.write_all(b"\x30\x84\x7f\xff\xff\xff").await?;
        let flood = vec![b'x'; 1 << 20];
        for _ in 0..1024 {
            write.write_all(&flood).await?;
        }
        std::io::Result::Ok(())
    };
    let drink = async {
        let mut sink = tokio::io::sink();
        let _ = tokio::io::copy(&mut read, &mut sink).await;
    };
    let (poured, ()) = tokio::join!(pour, drink);
    assert!(poured.is_err(), "a gigabyte was taken in");
    drop((read, write));
    // Inside a message an element may claim no more than there is.
    let mut client = target.bound().await;
    let claims =
        sequence(&[integer(3), b"\x63\x84\x00\x00\x00\x06\x04\x84\x7f\xff\xff\xff".to_vec()]);
    let answer = client.answer(&claims).await;
    assert_eq!((answer.id, answer.code()), (3, 2));
    drop(client);
    target.is_well().await;
}

/// Item 8: message ids that are none, or of more than 31 bits, or of a search that still
/// runs (RFC 4511 4.1.1.1).
#[tokio::test]
async fn message_ids_out_of_range() {
    let target = Target::start().await;
    for id in [
        &b"\x00"[..],
        b"\xff",
        b"\x80\x00\x00\x00",
        b"\x00\x80\x00\x00\x00",
        b"\x01\x00\x00\x00\x05",
        b"\x01\x00\x00\x00\x00\x00\x00\x00\x05",
        b"",
    ] {
        let mut client = target.connect().await;
        client.send(&sequence(&[tlv(0x02, id), bind("", "")])).await;
        client.is_disconnected(2).await;
    }
    let mut client = target.connect().await;
    for id in [1, 127, 128, 255, 256, 0x7fff_ffff] {
        let answer = client.answer(&message(id, &bind("", ""))).await;
        assert_eq!((answer.id, answer.code()), (id, 0));
    }
    drop(client);
    let mut client = target.bound().await;
    let all = search(BASE, 2, &filter::present("objectClass"), &[]);
    client.send(&message(5, &all).repeat(100)).await;
    let mut results = 0;
    let notice = loop {
        // All of them, if each has ended before the next one is read.
        match client.next().await {
            Some(answer) if answer.id == 0 => break Some(answer),
            Some(answer) => results += usize::from(answer.tag == 0x65),
            None => panic!("no notice"),
        }
        if results == 100 {
            break None;
        }
    };
    assert!(notice.is_none_or(|notice| notice.code() == 2));
    drop(client);
    target.is_well().await;
}

/// Item 8: another tag, class or form of the outermost element, other protocols, and
/// operations that are none of a client's.
#[tokio::test]
async fn messages_of_another_kind() {
    let target = Target::start().await;
    for start in [
        &b"\x70\x05\x02\x01\x01\x42\x00"[..],
        b"\xf0\x05\x02\x01\x01\x42\x00",
        b"\x10\x05\x02\x01\x01\x42\x00",
        b"\x31\x05\x02\x01\x01\x42\x00",
        b"\x3f\x10\x05\x02\x01\x01\x42\x00",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x00\x00\x00\x00",
    ] {
        let mut client = target.connect().await;
        client.send(start).await;
        client.is_disconnected(2).await;
    }
    // Item 6: operations that are not known, and those that only a server sends.
    for op in [0x61, 0x64, 0x65, 0x73, 0x78, 0x79, 0x7e, 0x40, 0x62, 0x43, 0x30, 0xa0, 0x7f, 0x04] {
        let mut client = target.connect().await;
        client.send(&message(1, &tlv(op, b"\x0a\x01\x00\x04\x00\x04\x00"))).await;
        client.is_disconnected(2).await;
    }
    target.is_well().await;
}

/// Item 8: RFC 4511 4: trailing elements whose tags are not known are ignored; others are
/// not, and what is no element at all is an error.
#[tokio::test]
async fn trailing_octets_in_a_message() {
    let target = Target::start().await;
    let mut client = target.connect().await;
    let with = |behind: &[u8]| sequence(&[integer(1), bind("", ""), behind.to_vec()]);
    for (behind, code) in [
        (&b"\xa1\x02\x04\x00"[..], 0),
        (b"\x85\x00", 0),
        (b"\xa0\x00\xa0\x00", 2),
        (b"\xa0\x00\x04\x00", 0),
        (b"\xa0\x05", 2),
        (b"x", 2),
        (b"\x00", 2),
    ] {
        let answer = client.answer(&with(behind)).await;
        assert_eq!((answer.tag, answer.code()), (0x61, code), "{behind:02x?}");
    }
    drop(client);
    target.is_well().await;
}

/// Item 3: one message, or half of one, before anything else; then the client is gone.
#[tokio::test]
async fn one_message_and_away() {
    let target = Target::start().await;
    let search = message(1, &search("", 0, &filter::present("objectClass"), &[]));
    for len in 0..search.len() {
        let mut client = target.connect().await;
        client.send(&search[..len]).await;
        assert_eq!(client.finish().await, [], "{len}");
    }
    let mut client = target.connect().await;
    client.send(&search).await;
    assert_eq!(client.finish().await.len(), 2);
    target.is_well().await;
}

/// Octet after octet is as good as all at once, and as cheap.
#[tokio::test]
async fn a_message_in_drips() {
    let target = Target::start().await;
    let (near, far) = (target.bound().await, target.bound().await);
    let request = message(3, &search("", 0, &filter::equal("cn", [b'x'; 1000]), &["1.1"]));
    for mut client in [near, far] {
        for octet in &request {
            client.send(&[*octet]).await;
        }
        assert_eq!(client.next().await.unwrap().id, 3);
    }
    target.is_well().await;
}

/// Messages that never become whole cost a connection no more than its first request may
/// take.
#[tokio::test]
async fn a_message_that_never_becomes_whole() {
    let mut settings = settings();
    settings.limits.first_request = Duration::from_millis(50);
    let target = Target::with(settings).await;
    let mut clients: Vec<Client> = Vec::new();
    for _ in 0..50 {
        let mut client = target.connect().await;
        client.send(b"\x30\x82\x10\x00\x02\x01\x01").await;
        clients.push(client);
    }
    for client in &mut clients {
        assert_eq!(client.next().await, None);
    }
    target.is_well().await;
}
