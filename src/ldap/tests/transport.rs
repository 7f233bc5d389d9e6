//! Connections: many requests at once, abandon, TLS, shutdown, limits.

use super::world::{BASE, World, entry, replica, settings, small, tls_settings};
use crate::ldap::connection::Connection;
use crate::ldap::end::End;
use crate::ldap::server::Server;
use crate::ldap::stream::Stream;
use crate::ldap::wire::samples::{message, search, tlv};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

pub(super) fn who_am_i() -> Vec<u8> {
    tlv(0x77, &tlv(0x80, b"1.3.6.1.4.1.4203.1.11.3"))
}

#[tokio::test]
async fn requests_sent_together_are_answered_in_order() {
    let world = World::small().await;
    let mut client = world.bound().await;
    let requests: Vec<u8> = (1..=100u8)
        .flat_map(|id| message(&[id], &search(BASE, 2, "(mail=ada@contoso.com)", &["mail"]), &[]))
        .collect();
    client.send(&requests).await;
    for id in 1..=100 {
        let entry = client.next().await.unwrap();
        let done = client.next().await.unwrap();
        assert_eq!((entry.id, entry.tag, done.id, done.tag), (id, 0x64, id, 0x65));
    }
    let counts = world.server.counts();
    assert_eq!((counts.entries, counts.misses, counts.open), (100, 0, 1));
}

/// A directory whose dump is far larger than all buffers on the way.
pub(super) fn large() -> Vec<crate::directory::entry::Entry> {
    let mut entries = small();
    let text = "x".repeat(1900);
    for n in 0..8000 {
        let dn = format!("uid=n{n},ou=users,dc=contoso,dc=com");
        entries.push(entry(&dn, &[("objectClass", "user"), ("description", &text)]));
    }
    entries
}

#[tokio::test]
async fn an_abandoned_dump_stops_without_a_result() {
    let world = World::start(&settings(), replica(large()), false).await;
    let mut client = world.bound().await;
    client.send(&message(b"\x05", &search(BASE, 2, "(objectClass=*)", &[]), &[])).await;
    assert_eq!(client.next().await.unwrap().tag, 0x64);
    client.send(&message(b"\x06", b"\x50\x01\x05", &[])).await;
    client.send(&message(b"\x07", &who_am_i(), &[])).await;
    let mut entries = 1;
    let last = loop {
        let answer = client.next().await.unwrap();
        if answer.tag != 0x64 {
            break answer;
        }
        entries += 1;
    };
    assert_eq!((last.id, last.tag), (7, 0x78));
    assert!(entries < 8000, "{entries}");
}

#[tokio::test]
async fn an_unbind_ends_a_running_dump_and_the_connection() {
    let world = World::start(&settings(), replica(large()), false).await;
    let mut client = world.bound().await;
    client.send(&message(b"\x05", &search(BASE, 2, "(objectClass=*)", &[]), &[])).await;
    assert_eq!(client.next().await.unwrap().tag, 0x64);
    client.send(&message(b"\x06", b"\x42\x00", &[])).await;
    let mut rest = Vec::new();
    let _ = client.stream.read_to_end(&mut rest).await;
    assert!(rest.len() < 8000 * 1900);
}

#[tokio::test]
async fn a_large_dump_arrives_in_full() {
    let world = World::start(&settings(), replica(large()), false).await;
    let mut client = world.bound().await;
    let op = search(BASE, 2, "(objectClass=*)", &[]);
    let (entries, done) = client.entries(&message(b"\x05", &op, &[])).await;
    assert_eq!((entries.len(), done.code()), (8008, 0));
}

#[tokio::test]
async fn ldaps_and_start_tls_serve_a_client_library() {
    let (settings, _dir) = tls_settings();
    for ldaps in [true, false] {
        let world = World::start(&settings, replica(small()), ldaps).await;
        let scheme = if ldaps { "ldaps" } else { "ldap" };
        let url = format!("{scheme}://localhost:{}", world.address.port());
        let options = ldap3::LdapConnSettings::new().set_no_tls_verify(true).set_starttls(!ldaps);
        let (connection, mut ldap) =
            ldap3::LdapConnAsync::with_settings(options, &url).await.unwrap();
        ldap3::drive!(connection);
        ldap.simple_bind("gw", "pw").await.unwrap().success().unwrap();
        let found = ldap
            .search(BASE, ldap3::Scope::Subtree, "(mail=ada@contoso.com)", vec!["cn"])
            .await
            .unwrap();
        let (entries, _) = found.success().unwrap();
        let entry = ldap3::SearchEntry::construct(entries.into_iter().next().unwrap());
        assert_eq!(entry.attrs["cn"], ["Ada Lind"]);
        ldap.unbind().await.unwrap();
    }
}

#[tokio::test]
async fn octets_behind_start_tls_end_the_connection() {
    let (settings, _dir) = tls_settings();
    let world = World::start(&settings, replica(small()), false).await;
    let mut client = world.connect().await;
    let start_tls = tlv(0x77, &tlv(0x80, b"1.3.6.1.4.1.1466.20037"));
    let injected = message(b"\x02", &who_am_i(), &[]);
    client.send(&[message(b"\x01", &start_tls, &[]), injected].concat()).await;
    assert_eq!(client.next().await.unwrap().code(), 1);
    assert_eq!(client.next().await, None);
    let mut client = world.connect().await;
    let with_value = tlv(0x77, &[tlv(0x80, b"1.3.6.1.4.1.1466.20037"), tlv(0x81, b"x")].concat());
    assert_eq!(client.ask(&with_value).await.code(), 2);
    assert_eq!(client.ask(&who_am_i()).await.code(), 0);
}

#[tokio::test]
async fn at_shutdown_every_connection_gets_a_notice() {
    let world = World::start(&settings(), replica(large()), false).await;
    let mut idle = world.bound().await;
    let mut busy = world.bound().await;
    busy.send(&message(b"\x05", &search(BASE, 2, "(objectClass=*)", &[]), &[])).await;
    assert_eq!(busy.next().await.unwrap().tag, 0x64);
    world.shutdown.cancel();
    for client in [&mut idle, &mut busy] {
        let mut last = None;
        while let Some(answer) = client.next().await {
            last = Some(answer);
        }
        let notice = last.unwrap();
        assert_eq!((notice.id, notice.tag, notice.code()), (0, 0x78, 52));
    }
    world.serving.await.unwrap();
    assert_eq!(world.server.counts().open, 0);
}

/// A client that reads as fast as it is answered is never waited for.
#[tokio::test]
async fn a_dump_ends_at_shutdown_though_nobody_waits_for_its_client() {
    let mut settings = settings();
    settings.anonymous = Some(Arc::default());
    settings.limits.output = 16 << 10;
    let writer = replica(large());
    let server = Arc::new(Server::new(&settings, writer.reader(), SystemTime::now).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stream, peer) = listener.accept().await.unwrap();
    let dump = message(b"\x05", &search(BASE, 2, "(objectClass=*)", &[]), &[]);
    client.write_all(&dump).await.unwrap();
    stream.readable().await.unwrap();
    let shutdown = CancellationToken::new();
    shutdown.cancel();
    let connection = Connection::new(server, Stream::Plain(stream), peer.ip(), shutdown);
    let (end, requests) = Box::new(connection).serve(false).await;
    assert!(matches!(end, End::Shutdown) && requests == 1, "{end}");
    let mut answered = Vec::new();
    client.read_to_end(&mut answered).await.unwrap();
    // One buffer, and the notice; the buffers of the system hold far more.
    assert!((16 << 10..64 << 10).contains(&answered.len()), "{}", answered.len());
}

#[tokio::test]
async fn silent_clients_are_disconnected() {
    let mut settings = settings();
    settings.limits.first_request = Duration::from_millis(20);
    settings.limits.idle = Duration::from_millis(40);
    let world = World::start(&settings, replica(small()), false).await;
    let mut silent = world.connect().await;
    assert_eq!(silent.next().await, None);
    let mut idle = world.bound().await;
    assert_eq!(idle.next().await, None);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_disconnected() {
    let mut settings = settings();
    settings.limits.write_stall = Duration::from_millis(50);
    let world = World::start(&settings, replica(large()), false).await;
    let mut client = world.bound().await;
    client.send(&message(b"\x05", &search(BASE, 2, "(objectClass=*)", &[]), &[])).await;
    while world.server.counts().open > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn too_many_connections_are_turned_away() {
    let mut settings = settings();
    settings.limits.connections = 1;
    let world = World::start(&settings, replica(small()), false).await;
    let _first = world.bound().await;
    let mut second = world.connect().await;
    let notice = second.next().await.unwrap();
    assert_eq!((notice.id, notice.code()), (0, 51));
    assert_eq!(second.next().await, None);
    assert_eq!(world.server.counts().refused, 1);
}

#[tokio::test]
async fn one_address_has_its_share_of_the_connections() {
    let mut settings = settings();
    settings.limits.connections_per_address = 2;
    let world = World::start(&settings, replica(small()), false).await;
    let first = world.bound().await;
    let _second = world.bound().await;
    let mut third = world.connect().await;
    let notice = third.next().await.unwrap();
    assert_eq!((notice.id, notice.code()), (0, 51));
    assert!(notice.texts()[1].contains("this address"));
    assert_eq!(third.next().await, None);
    drop(first);
    while world.server.counts().open > 1 {
        tokio::task::yield_now().await;
    }
    let mut fourth = world.connect().await;
    assert_eq!(fourth.ask(&who_am_i()).await.code(), 0);
}

#[tokio::test]
async fn a_handshake_that_does_not_come_ends_the_connection() {
    let (mut settings, _dir) = tls_settings();
    settings.limits.tls_handshake = Duration::from_millis(20);
    let world = World::start(&settings, replica(small()), true).await;
    assert_eq!(world.connect().await.next().await, None);
}

#[tokio::test]
async fn a_request_may_be_larger_after_a_bind() {
    let world = World::small().await;
    let long = format!("(mail={})", "x".repeat(100_000));
    let request = message(b"\x05", &search(BASE, 2, &long, &[]), &[]);
    let mut client = world.bound().await;
    assert_eq!(client.entries(&request).await.1.code(), 0);
    let mut anonymous = world.connect().await;
    anonymous.send(&request[..1000]).await;
    let notice = anonymous.next().await.unwrap();
    assert_eq!((notice.id, notice.code()), (0, 2));
}

/// A reader that takes an octet now and then does not hold an old state for ever.
#[tokio::test]
async fn a_search_that_is_read_too_slowly_ends_at_its_time_limit() {
    let mut settings = settings();
    settings.limits.time = Duration::from_millis(30);
    settings.limits.write_stall = Duration::from_secs(600);
    let world = World::start(&settings, replica(large()), false).await;
    let mut client = world.bound().await;
    client.send(&message(b"\x05", &search(BASE, 2, "(objectClass=*)", &[]), &[])).await;
    let ended = |counts: &crate::ldap::Counts| {
        counts
            .operations
            .iter()
            .any(|(kind, code, _)| *kind == crate::ldap::OperationKind::Search && *code == 3)
    };
    while !ended(&world.server.counts()) {
        tokio::task::yield_now().await;
    }
}

/// `0.0.0.0` and `[::]` may both have a listener on one port.
#[tokio::test]
async fn a_listener_on_an_ipv6_address_takes_ipv6_only() {
    match crate::ldap::listen("[::1]:0".parse().unwrap()) {
        Ok(listener) => assert!(socket2::SockRef::from(&listener).only_v6().unwrap()),
        Err(error) => println!("no IPv6 here: {error}"),
    }
    let listener = crate::ldap::listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let taken = crate::ldap::listen(listener.local_addr().unwrap());
    assert_eq!(taken.unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
}

#[tokio::test]
async fn a_client_that_has_no_more_to_ask_gets_its_whole_answer() {
    let world = World::start(&settings(), replica(large()), false).await;
    let mut client = world.bound().await;
    client.send(&message(b"\x05", &search(BASE, 2, "(objectClass=*)", &[]), &[])).await;
    client.stream.shutdown().await.unwrap();
    let mut entries = 0;
    let done = loop {
        match client.next().await.unwrap() {
            answer if answer.tag == 0x64 => entries += 1,
            answer => break answer,
        }
    };
    assert_eq!((entries, done.tag, done.code()), (8008, 0x65, 0));
    assert_eq!(client.next().await, None);
}
