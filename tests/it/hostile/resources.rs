//! Clients that take, keep or ask for more than their share (items 34, 36 and 38).

use super::octets::*;
use super::target::{Client, PATIENCE, Target, settings, user};
use crate::world::BASE;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;

fn dump() -> Vec<u8> {
    search(BASE, 2, &filter::present("objectClass"), &[])
}

/// Item 34: clients that ask for much and read nothing are let go, and others are served
/// meanwhile.
#[tokio::test]
async fn readers_that_never_read() {
    let mut settings = settings();
    settings.limits.write_stall = Duration::from_millis(300);
    let target = Target::with(settings).await;
    let mut clients: Vec<Client> = Vec::new();
    for _ in 0..20 {
        let mut client = target.bound().await;
        client.send(&pipeline(200, &dump())).await;
        clients.push(client);
    }
    target.serves().await;
    target.is_empty().await;
    drop(clients);
    target.is_well().await;
}

/// Item 34: a client that writes and writes and never reads is not listened to for ever:
/// what waits for it is bounded on both sides.
#[tokio::test]
async fn writers_that_never_read() {
    let mut settings = settings();
    settings.limits.write_stall = Duration::from_millis(300);
    let target = Target::with(settings).await;
    let mut client = target.bound().await;
    let pipeline = pipeline(1000, &dump());
    let pour = async {
        for _ in 0..10_000 {
            client.stream.write_all(&pipeline).await?;
        }
        std::io::Result::Ok(())
    };
    let poured = tokio::time::timeout(PATIENCE, pour).await.expect("the server hangs up");
    assert!(poured.is_err(), "hundreds of megabytes of requests were taken in");
    drop(client);
    target.is_well().await;
}

/// A pipeline of very many requests is answered in full and in order.
#[tokio::test]
async fn a_pipeline_of_very_many_requests() {
    let target = Target::start().await;
    let client = target.bound().await;
    let requests: Vec<u8> =
        (1..=20_000).flat_map(|id| message(id, &extended(WHO_AM_I, None))).collect();
    let (read, mut write) = tokio::io::split(client.stream);
    let send = async { write.write_all(&requests).await.unwrap() };
    let receive = async {
        let mut client = Client::new(tokio::io::join(read, tokio::io::sink()));
        for id in 1..=20_000 {
            assert_eq!(client.next().await.expect("an answer").id, id);
        }
    };
    tokio::time::timeout(PATIENCE, async { tokio::join!(send, receive) }).await.unwrap();
    drop(write);
    target.is_well().await;
}

/// More connections than there may be: each is told so, and none is left behind.
#[tokio::test]
async fn more_connections_than_there_may_be() {
    let mut settings = settings();
    settings.limits.connections = 5;
    let target = Target::with(settings).await;
    let mut kept = Vec::new();
    for _ in 0..5 {
        kept.push(target.bound().await);
    }
    for _ in 0..100 {
        let mut client = target.connect().await;
        // busy
        client.is_disconnected(51).await;
    }
    for client in &mut kept {
        assert_eq!(client.ask(&extended(WHO_AM_I, None)).await.code(), 0);
    }
    drop(kept);
    target.is_empty().await;
    target.is_well().await;
}

/// Connections come and go, with and without a word.
#[tokio::test]
async fn connections_that_come_and_go() {
    let target = Target::start().await;
    for round in 0..500 {
        let mut client = target.connect().await;
        match round % 4 {
            0 => {}
            1 => client.send(&message(1, UNBIND)).await,
            2 => client.send(&message(1, &bind("gw", "pw"))).await,
            _ => assert_eq!(client.ask(&bind("", "")).await.code(), 0),
        }
    }
    target.is_well().await;
}

/// Item 38: passwords that are checked keep nobody else waiting: not those who have bound
/// before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_of_wrong_passwords() {
    let target = Target::start().await;
    let mut honest = target.bound().await;
    let mut guessing = Vec::new();
    for _ in 0..40 {
        let mut client = target.connect().await;
        client.send(&message(1, &bind("other", "wrong")).repeat(20)).await;
        guessing.push(client);
    }
    for _ in 0..50 {
        let (entries, code) = honest.count(&filter::present("objectClass")).await;
        assert!(entries > 100 && code == 0);
    }
    for client in guessing {
        for answer in client.finish().await {
            assert!(answer.tag == 0x61 && answer.code() != 0);
        }
    }
    drop(honest);
    target.is_well().await;
}

/// Filters whose every part has to look at all values: however many, one connection's
/// search keeps the others waiting for a moment only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn searches_that_look_at_everything() {
    let target = Target::start().await;
    let piece = |n: usize| filter::substrings("title", &[(1, format!("{n:x}").as_bytes())]);
    let all = filter::or(&(0..2000).map(piece).collect::<Vec<_>>());
    let mut busy = target.bound().await;
    busy.send(&message(3, &search(BASE, 2, &all, &["1.1"]))).await;
    target.serves().await;
    while busy.next().await.expect("a result").tag == 0x64 {}
    drop(busy);
    target.is_well().await;
}

/// As many memberships as a request can name, each of which is followed over all groups:
/// answered, or refused as too much, in time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memberships_without_end() {
    let target = Target::start().await;
    let mut client = target.bound().await;
    let groups = search(BASE, 2, &filter::equal("objectClass", "group"), &["1.1"]);
    let (groups, _) = client.entries(&message(2, &groups)).await;
    let chain = "1.2.840.113556.1.4.1941";
    let follow = |dn: String| {
        let over = |attribute| filter::extensible(chain, attribute, &dn);
        filter::and(&[over("memberOf"), filter::not(&over("member"))])
    };
    let names = groups.iter().map(Answer::dn).cycle().take(1300);
    let all = filter::or(&names.map(follow).collect::<Vec<_>>());
    let begun = Instant::now();
    for base in [BASE, user()] {
        let done = client.entries(&message(3, &search(base, 2, &all, &["1.1"]))).await.1;
        assert!(matches!(done.code(), 0 | 11), "{done:?}");
    }
    assert!(begun.elapsed() < Duration::from_secs(40), "{:?}", begun.elapsed());
    drop(client);
    target.is_well().await;
}
