//! Several operations on one connection (RFC 4511 3.1, 4.11; RFC 3909).

use super::transport::{large, who_am_i};
use super::world::{BASE, Client, World, replica, settings, tls_settings};
use crate::directory::filter::Filter;
use crate::directory::predicate::Predicate;
use crate::directory::schema;
use crate::ldap::wire::samples::{bind, control, message, search, tlv};
use crate::replica::Writer;
use crate::replica::plan::MANY_ROWS;
use crate::replica::plan::{self, Budget};

fn dump(id: u8) -> Vec<u8> {
    message(&[id], &search(BASE, 2, "(objectClass=*)", &[]), &[])
}

fn lookup(id: u8) -> Vec<u8> {
    message(&[id], &search(BASE, 2, "(cn=ada lind)", &["cn"]), &[])
}

fn cancel(value: Option<&[u8]>) -> Vec<u8> {
    let mut parts = tlv(0x80, b"1.3.6.1.1.8");
    parts.extend(value.map(|value| tlv(0x81, value)).unwrap_or_default());
    tlv(0x77, &parts)
}

/// The ends of operations, in the order in which they come: number, tag, result code.
async fn ends(client: &mut Client, count: usize) -> Vec<(i64, u8, i64)> {
    let mut ends = Vec::new();
    while ends.len() < count {
        let answer = client.next().await.unwrap();
        if answer.tag != 0x64 {
            ends.push((answer.id, answer.tag, answer.code()));
        }
    }
    ends
}

#[tokio::test]
async fn a_lookup_does_not_wait_for_the_end_of_a_dump() {
    let world = World::start(&settings(), replica(large()), false).await;
    let mut client = world.bound().await;
    client.send(&[dump(5), lookup(6), message(b"\x07", &who_am_i(), &[]), dump(8)].concat()).await;
    let ends = ends(&mut client, 4).await;
    assert_eq!(ends[..2], [(6, 0x65, 0), (7, 0x78, 0)]);
    let mut dumps = vec![ends[2], ends[3]];
    dumps.sort_unstable();
    assert_eq!(dumps, [(5, 0x65, 0), (8, 0x65, 0)]);
}

#[tokio::test]
async fn only_a_search_that_takes_long_is_served_in_the_background() {
    let world = World::start(&settings(), replica(large()), false).await;
    let background = &world.server.background;
    let mut client = world.bound().await;
    client.send(&lookup(4)).await;
    assert_eq!(ends(&mut client, 1).await, [(4, 0x65, 0)]);
    assert_eq!(background.connections(), 0);
    client.send(&dump(5)).await;
    // The rest fits into no buffer on the way.
    assert_eq!(client.next().await.unwrap().tag, 0x64);
    assert_eq!(background.connections(), 1);
    // Others are served meanwhile, and so are its own lookups.
    let mut other = world.bound().await;
    other.send(&lookup(6)).await;
    assert_eq!(ends(&mut other, 1).await, [(6, 0x65, 0)]);
    client.send(&lookup(7)).await;
    assert_eq!(ends(&mut client, 1).await, [(7, 0x65, 0)]);
    client.send(&[message(&[8], b"\x50\x01\x05", &[]), lookup(9)].concat()).await;
    // The dump may have come to its end before.
    while ends(&mut client, 1).await != [(9, 0x65, 0)] {}
    // A task that has said what it came to may be there for a moment.
    let gone = async {
        while background.connections() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), gone).await.unwrap();
}

/// Whether the plan of a filter is given up when it may look at more than so many rows.
fn is_given_up(writer: &Writer, filter: &str, rows: u64, enough: Option<usize>) -> bool {
    let snapshot = writer.reader().snapshot();
    let parsed = Filter::parse(filter).unwrap();
    let predicate = Predicate::bind(&parsed, schema::standard(), &|_| true);
    let mut budget = Budget::new(&snapshot).unwrap().patience(rows);
    if let Some(enough) = enough {
        budget = budget.enough(enough);
    }
    plan::matching(&predicate, &snapshot, &budget).unwrap();
    budget.is_given_up()
}

/// Of which the plan looks at more rows than a thread that serves others should.
fn costly(writer: &Writer, filter: &str) -> String {
    let parts = 2 * MANY_ROWS / writer.reader().snapshot().len().unwrap();
    let filter = format!("(|{})", filter.repeat(parts as usize));
    assert!(is_given_up(writer, &filter, MANY_ROWS, None));
    filter
}

/// A recipient lookup must never wait behind somebody's search for a letter.
#[test]
fn what_programs_ask_all_day_is_planned_at_once() {
    let writer = replica(large());
    let one = "proxyAddresses=smtp:ada@contoso.com";
    let two = format!("(|(mail=ada@contoso.com)({one}))");
    let disabled = "userAccountControl:1.2.840.113556.1.4.803:=2";
    let all_day = [
        format!("({one})"),
        format!("(&(objectClass=user){two})"),
        format!("(&({one})(!({disabled})))"),
        format!("(&(!({disabled})){two}(objectClass=user))"),
        format!("(&(mail=*){two}(displayName=*e*))"),
        format!("(!(|({disabled})(!({one}))))"),
        "(&(uid=ada)(memberOf:1.2.840.113556.1.4.1941:=cn=all,ou=groups,dc=contoso,dc=com))".into(),
        "(|(displayName=*lind*)(cn=*lind*))".into(),
    ];
    for filter in all_day {
        assert!(!is_given_up(&writer, &filter, 200, None), "{filter}");
    }
    assert!(!is_given_up(&writer, "(|(cn=a*)(sn=a*)(mail=a*))", 200, Some(20)));
    let costly = [
        "(description=*x*)".to_owned(),
        "(!(description=*x*))".to_owned(),
        "(&(objectClass=user)(cn=a*))".to_owned(),
        "(&(objectClass=user)(uSNChanged>=7))".to_owned(),
        format!("(&(objectClass=user)({disabled}))"),
        format!("(|({one})({disabled}))"),
        format!("(|{})", "(objectClass=user)".repeat(500)),
    ];
    for filter in costly {
        assert!(is_given_up(&writer, &filter, 200, None), "{filter}");
    }
}

#[tokio::test]
async fn a_costly_search_that_is_late_says_so() {
    let writer = replica(large());
    let filter = costly(&writer, "(description=*x*)");
    let mut settings = settings();
    settings.limits.time = std::time::Duration::from_nanos(1);
    let world = World::start(&settings, writer, false).await;
    let (found, code) = world.bound().await.find(&filter).await;
    assert_eq!((found.len(), code), (0, 3));
}

#[tokio::test]
async fn a_search_that_is_planned_beside_the_others_finds_the_same() {
    let writer = replica(large());
    let filter = costly(&writer, "(description=*x*)");
    let world = World::start(&settings(), writer, false).await;
    let mut client = world.bound().await;
    let (mut expected, code) = client.find("(description=*x*)").await;
    assert!(code == 0 && expected.len() > 10);
    expected.sort();
    let (mut found, code) = client.find(&filter).await;
    found.sort();
    assert_eq!((found, code), (expected, 0));
}

#[tokio::test]
async fn what_comes_behind_a_costly_search_is_answered_and_so_is_everybody_else() {
    let writer = replica(large());
    let filter = costly(&writer, "(description=*x*)");
    let world = World::start(&settings(), writer, false).await;
    let (mut client, mut other) = (world.bound().await, world.bound().await);
    let slow = |id: u8| message(&[id], &search(BASE, 2, &filter, &["cn"]), &[]);
    let abandon = message(b"\x09", b"\x50\x01\x08", &[]);
    client.send(&[slow(5), lookup(6), slow(7), slow(8), abandon, lookup(10)].concat()).await;
    other.send(&lookup(5)).await;
    assert_eq!(ends(&mut other, 1).await, [(5, 0x65, 0)]);
    let mut numbers: Vec<i64> = ends(&mut client, 4)
        .await
        .iter()
        .map(|(id, tag, code)| id * i64::from(*tag == 0x65) + code)
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [5, 6, 7, 10]);
}

#[tokio::test]
async fn searches_beyond_the_limit_wait_for_their_turn() {
    let mut settings = settings();
    settings.limits.operations = 1;
    let world = World::start(&settings, replica(large()), false).await;
    let mut client = world.bound().await;
    client.send(&[dump(5), lookup(6), message(b"\x07", &who_am_i(), &[])].concat()).await;
    assert_eq!(ends(&mut client, 3).await, [(5, 0x65, 0), (6, 0x65, 0), (7, 0x78, 0)]);
}

#[tokio::test]
async fn a_request_abandoned_before_its_turn_is_not_carried_out() {
    let mut settings = settings();
    settings.limits.operations = 1;
    let world = World::start(&settings, replica(large()), false).await;
    let mut client = world.bound().await;
    let abandon = message(b"\x07", b"\x50\x01\x06", &[]);
    let last = message(b"\x08", &who_am_i(), &[]);
    client.send(&[dump(5), lookup(6), abandon, last].concat()).await;
    assert_eq!(ends(&mut client, 2).await, [(5, 0x65, 0), (8, 0x78, 0)]);
}

/// RFC 4511 4.2.1: "Before processing a BindRequest, all uncompleted operations MUST
/// either complete or be abandoned."
#[tokio::test]
async fn a_bind_waits_for_what_is_under_way() {
    let world = World::start(&settings(), replica(large()), false).await;
    let mut client = world.bound().await;
    let wrong = message(b"\x06", &bind(3, "gw", "wrong"), &[]);
    client.send(&[dump(5), wrong, lookup(7)].concat()).await;
    assert_eq!(ends(&mut client, 3).await, [(5, 0x65, 0), (6, 0x61, 49), (7, 0x65, 1)]);
}

/// RFC 4511 4.1.1.1: the number of a request under way may not be used again.
#[tokio::test]
async fn a_number_in_use_ends_the_connection() {
    let world = World::start(&settings(), replica(large()), false).await;
    let mut client = world.bound().await;
    client.send(&[dump(5), lookup(5)].concat()).await;
    let mut last = None;
    while let Some(answer) = client.next().await {
        last = Some(answer);
    }
    let notice = last.unwrap();
    assert_eq!((notice.id, notice.tag, notice.code()), (0, 0x78, 2));
    let mut client = world.bound().await;
    client.send(&[lookup(5), lookup(5)].concat()).await;
    assert_eq!(ends(&mut client, 2).await, [(5, 0x65, 0), (5, 0x65, 0)]);
}

/// RFC 4511 4.14.1: no StartTLS while "there are any LDAP operations outstanding".
#[tokio::test]
async fn start_tls_beside_a_running_search_is_out_of_sequence() {
    let (settings, _dir) = tls_settings();
    let world = World::start(&settings, replica(large()), false).await;
    let mut client = world.bound().await;
    let start_tls = message(b"\x06", &tlv(0x77, &tlv(0x80, b"1.3.6.1.4.1.1466.20037")), &[]);
    client.send(&[dump(5), start_tls].concat()).await;
    assert_eq!(ends(&mut client, 2).await, [(6, 0x78, 1), (5, 0x65, 0)]);
}

#[tokio::test]
async fn a_cancelled_search_ends_with_canceled_and_the_cancel_with_success() {
    let world = World::start(&settings(), replica(large()), false).await;
    let mut client = world.bound().await;
    let of_five = message(b"\x06", &cancel(Some(&tlv(0x30, &tlv(2, b"\x05")))), &[]);
    client.send(&[dump(5), of_five.clone()].concat()).await;
    assert_eq!(ends(&mut client, 2).await, [(5, 0x65, 118), (6, 0x78, 0)]);
    client.send(&of_five).await;
    assert_eq!(ends(&mut client, 1).await, [(6, 0x78, 119)]);
    for bad in [None, Some(&b""[..]), Some(b"\x30\x00"), Some(b"\x30\x03\x02\x01\xff")] {
        assert_eq!(client.ask(&cancel(bad)).await.code(), 2, "{bad:?}");
    }
    // CVE-2020-36227: a server that cancelled itself went round without end.
    let itself = message(b"\x06", &cancel(Some(&tlv(0x30, &tlv(2, b"\x06")))), &[]);
    client.send(&itself).await;
    assert_eq!(ends(&mut client, 1).await, [(6, 0x78, 119)]);
}

#[tokio::test]
async fn a_password_modify_is_refused_like_every_write() {
    let world = World::start(&settings(), replica(large()), false).await;
    let mut client = world.bound().await;
    let op = tlv(0x77, &tlv(0x80, b"1.3.6.1.4.1.4203.1.11.1"));
    assert_eq!(client.ask(&op).await.code(), 53);
    let unknown = control("1.2.3.4", true, None);
    client.send(&message(b"\x02", &op, &[unknown])).await;
    assert_eq!(client.next().await.unwrap().code(), 12);
}
