//! Good messages of every operation, altered systematically: each tag, each length, each
//! value, each end (item 1; PROTOS c06-ldapv3 did so in 2001 and nearly no server stood).

use super::octets::*;
use super::target::{Client, Target, mail, settings, user};
use crate::world::BASE;

/// An element as a tree, so that lengths can be made to agree again.
#[derive(Clone)]
struct Node {
    tag: u8,
    /// What stands for the length, if that is a lie.
    length: Option<Vec<u8>>,
    value: Value,
}

#[derive(Clone)]
enum Value {
    Octets(Vec<u8>),
    List(Vec<Node>),
}

impl Node {
    fn read(octets: &[u8]) -> Node {
        let (tag, value) = parts(octets).remove(0);
        let value = match tag & 0x20 {
            0 => Value::Octets(value),
            _ => Value::List(
                parts(&value).iter().map(|(tag, value)| Node::read(&tlv(*tag, value))).collect(),
            ),
        };
        Node { tag, length: None, value }
    }

    fn contents(&self) -> Vec<u8> {
        match &self.value {
            Value::Octets(octets) => octets.clone(),
            Value::List(list) => list.iter().flat_map(Node::write).collect(),
        }
    }

    fn write(&self) -> Vec<u8> {
        let contents = self.contents();
        match &self.length {
            None => tlv(self.tag, &contents),
            Some(length) => [&[self.tag], length.as_slice(), &contents].concat(),
        }
    }

    fn count(&self) -> usize {
        match &self.value {
            Value::Octets(_) => 1,
            Value::List(list) => 1 + list.iter().map(Node::count).sum::<usize>(),
        }
    }

    /// The element with this number, in the order they are written.
    fn nth(&mut self, n: usize) -> Option<&mut Node> {
        if n == 0 {
            return Some(self);
        }
        let Value::List(list) = &mut self.value else { return None };
        let mut n = n - 1;
        for inner in list {
            let count = inner.count();
            if n < count {
                return inner.nth(n);
            }
            n -= count;
        }
        None
    }
}

/// Every alteration of one element.
fn altered(node: &Node) -> Vec<Node> {
    let mut out = Vec::new();
    let mut tags =
        vec![0x00, 0x1f, 0x3f, 0x5f, 0x9f, 0xbf, 0xff, node.tag ^ 0x20, node.tag.wrapping_add(1)];
    tags.extend([0x40, 0x80, 0xc0].map(|class| node.tag ^ class));
    tags.extend([0x01, 0x02, 0x04, 0x05, 0x0a, 0x30, 0x31]);
    out.extend(tags.into_iter().map(|tag| Node { tag, ..node.clone() }));
    let len = node.contents().len();
    let [.., a, b, c, d] = len.to_be_bytes();
    let mut lengths = vec![
        vec![0x80],
        vec![0x81],
        vec![0x82, 0],
        vec![0x81, d],
        vec![0x82, c, d],
        vec![0x84, a, b, c, d],
        vec![0x85, 0, a, b, c, d],
        vec![0x88, 0, 0, 0, 0, a, b, c, d],
        vec![0x89, 1, 0, 0, 0, 0, a, b, c, d],
        vec![0x84, 0xff, 0xff, 0xff, 0xff],
        vec![0x84, 0x7f, 0xff, 0xff, 0xff],
        vec![0x84, 0x80, 0, 0, 0],
        vec![0x83, 0xff, 0xff, 0xff],
        vec![0x82, 0xff, 0xff],
        vec![0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        vec![0xff],
        vec![0x7f],
        vec![0x00],
    ];
    lengths.extend([d.wrapping_sub(1), d.wrapping_add(1)].map(|d| vec![0x82, c, d]));
    out.extend(lengths.into_iter().map(|length| Node { length: Some(length), ..node.clone() }));
    let mut values: Vec<Value> = Vec::new();
    match &node.value {
        Value::Octets(octets) => {
            let with = |octets: &[u8]| Value::Octets(octets.to_vec());
            values.extend([&b""[..], b"\0", b"\xff", b"\x80", b"\x7f\xff\xff\xff"].map(with));
            values.extend([&b"\xff\xff\xff\xff"[..], b"\0\x80\0\0\0", b"\xff\xfe\0"].map(with));
            values.extend(
                [&b"\x7f\xff\xff\xff\xff\xff\xff\xff"[..], &[1; 9], &[b'%'; 300]].map(with),
            );
            values.push(with(&octets.repeat(2)));
            values.push(with(&vec![b'A'; 40_000]));
            values.push(with(octets.get(1..).unwrap_or_default()));
        }
        Value::List(list) => {
            values.extend([Value::List(Vec::new()), Value::Octets(vec![0xff; 5])]);
            values.push(Value::List([list.as_slice(), list.as_slice()].concat()));
            values.push(Value::List(list.iter().rev().cloned().collect()));
            values.push(Value::List(vec![node.clone()]));
            for at in 0..list.len() {
                let mut less = list.clone();
                less.remove(at);
                values.push(Value::List(less));
                let mut more = list.clone();
                more.insert(at, list[at].clone());
                values.push(Value::List(more));
                let mut half = list.clone();
                half[at] =
                    Node { tag: 0x00, length: Some(Vec::new()), value: Value::Octets(Vec::new()) };
                values.push(Value::List(half));
            }
        }
    }
    out.extend(values.into_iter().map(|value| Node { value, ..node.clone() }));
    out
}

/// Every alteration of a good message.
fn cases(good: &[u8]) -> Vec<Vec<u8>> {
    let tree = Node::read(good);
    let mut out: Vec<Vec<u8>> = (0..good.len()).map(|at| good[..at].to_vec()).collect();
    // Each octet by itself, lengths around it as they were.
    for at in 0..good.len() {
        for by in [0x01, 0x20, 0x80, 0xff] {
            let mut octets = good.to_vec();
            octets[at] ^= by;
            out.push(octets);
        }
    }
    for n in 0..tree.count() {
        let mut changed = tree.clone();
        for other in altered(tree.clone().nth(n).unwrap()) {
            *changed.nth(n).unwrap() = other;
            out.push(changed.write());
        }
    }
    out
}

/// A good message of every operation.
fn messages() -> Vec<Vec<u8>> {
    let filter = filter::and(&[
        filter::or(&[filter::equal("mail", mail()), filter::present("cn")]),
        filter::not(&filter::substrings("sn", &[(0, b"a"), (1, b"b"), (2, b"c")])),
        filter::extensible("1.2.840.113556.1.4.803", "userAccountControl", "2"),
        filter::ordered(5, "whenChanged", "20260102030405.0Z"),
    ]);
    let change = |tag, parts: &[Vec<u8>]| tlv(tag, &parts.concat());
    let attribute = sequence(&[octets("cn"), tlv(0x31, &octets("a"))]);
    let sort = sequence(&[sequence(&[octets("cn"), tlv(0x81, b"\xff")])]);
    let controls = [
        control(PAGED, true, Some(&paged(5, b"cookie"))),
        control("1.2.840.113556.1.4.473", false, Some(&sort)),
        control(
            "1.2.826.0.1.3344810.2.3",
            false,
            Some(&sequence(&[filter::equal("mail", mail())])),
        ),
        control("1.3.6.1.1.12", false, Some(&filter::equal("mail", mail()))),
    ];
    vec![
        message(1, &bind("gw", "pw")),
        message(
            1,
            &tlv(
                0x60,
                &[integer(3), octets(""), tlv(0xa3, &[octets("EXTERNAL"), octets("")].concat())]
                    .concat(),
            ),
        ),
        message(1, UNBIND),
        message(1, &search(BASE, 2, &filter, &["mail", "member;range=0-*"])),
        controlled(1, &search(user(), 0, &filter::present("objectClass"), &["1.1"]), &controls),
        message(1, &search("", 0, &filter::present("objectClass"), &["+"])),
        message(1, &compare(user(), "mail", mail())),
        message(1, &abandon(7)),
        message(1, &extended(WHO_AM_I, None)),
        message(1, &extended(START_TLS, None)),
        message(1, &extended("1.3.6.1.1.8", Some(&sequence(&[integer(7)])))),
        message(
            1,
            &change(
                0x66,
                &[octets(user()), sequence(&[sequence(&[tlv(0x0a, &[2]), attribute.clone()])])],
            ),
        ),
        message(1, &change(0x68, &[octets(user()), sequence(&[attribute])])),
        message(1, &tlv(0x4a, user().as_bytes())),
        message(
            1,
            &change(
                0x6c,
                &[octets(user()), octets("cn=b"), tlv(0x01, &[0xff]), tlv(0x80, BASE.as_bytes())],
            ),
        ),
    ]
}

/// What is answered to an altered message is well-formed, belongs to it, and in time.
async fn suffer(target: &Target, bound: bool, case: &[u8]) {
    let mut client: Client = if bound { target.bound().await } else { target.connect().await };
    client.send(case).await;
    for answer in client.finish().await {
        let is_notice = answer.id == 0 && answer.tag == 0x78 && answer.code() == 2;
        let is_answer = answer.id > 0 && answer.tag & 0xc0 == 0x40;
        assert!(is_notice || is_answer, "{case:02x?}\n{answer:?}");
    }
}

async fn suffer_all(bound: bool) {
    let target = Target::tls(settings(), false).await;
    let mut steady = target.bound().await;
    let mut count = 0;
    for good in messages() {
        for batch in cases(&good).chunks(64) {
            let mut running = Vec::new();
            for case in batch {
                running.push(suffer(&target, bound, case));
            }
            futures(running).await;
            count += batch.len();
            // The same server still answers those who were there before.
            let found = steady.count(&filter::equal("mail", mail())).await;
            assert_eq!(found, (1, 0));
        }
        target.serves().await;
    }
    assert!(count > 10_000, "{count} cases");
    drop(steady);
    target.is_well().await;
}

/// Polls all of them to their ends.
async fn futures(list: Vec<impl Future<Output = ()>>) {
    let mut list: Vec<_> = list.into_iter().map(Box::pin).collect();
    std::future::poll_fn(|cx| {
        list.retain_mut(|one| one.as_mut().poll(cx).is_pending());
        if list.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

#[tokio::test]
async fn altered_messages_before_a_bind() {
    suffer_all(false).await;
}

#[tokio::test]
async fn altered_messages_behind_a_bind() {
    suffer_all(true).await;
}
