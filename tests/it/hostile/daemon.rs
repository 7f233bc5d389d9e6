//! The program itself under attack: its memory, descriptors and log, seen from outside
//! (items 4 to 7, 34, 36 and 37).

use super::octets::*;
use super::target::Client;
use crate::world::BASE;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// The demo: an LDAP server that anyone may search.
struct Daemon {
    child: Child,
    address: SocketAddr,
    out: mpsc::Receiver<String>,
    log: mpsc::Receiver<String>,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lines as they come.
fn lines(source: impl std::io::Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(source).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

impl Daemon {
    /// Starts it, through a shell that first runs `limits`.
    fn start(limits: &str) -> Daemon {
        let demo = format!("{limits} exec \"$0\" demo --users 60 --changes 0 --listen 127.0.0.1:0");
        let mut child = Command::new("sh")
            .args(["-c", &demo, env!("CARGO_BIN_EXE_entraldap")])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = lines(child.stdout.take().unwrap());
        let log = lines(child.stderr.take().unwrap());
        let address = out.iter().find_map(|line| {
            let (_, rest) = line.split_once("ldap://")?;
            rest.split([' ', '/', '"', '\'']).next()?.parse().ok()
        });
        Daemon { child, address: address.expect("the demo says where it listens"), out, log }
    }

    async fn connect(&self) -> Client {
        Client::new(TcpStream::connect(self.address).await.unwrap())
    }

    async fn serves(&self) {
        let mut client = self.connect().await;
        let (found, code) = client.count(&filter::equal("objectClass", "user")).await;
        assert!(found >= 60 && code == 0, "{found} {code}");
    }

    /// Open descriptors.
    fn descriptors(&self) -> usize {
        let folder = format!("/proc/{}/fd", self.child.id());
        std::fs::read_dir(folder).map_or(0, Iterator::count)
    }

    /// Resident memory in octets.
    fn memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
    }

    /// As many descriptors as before.
    async fn returns_to(&self, descriptors: usize) {
        let wait = async {
            while self.descriptors() > descriptors {
                self.serves().await;
            }
        };
        let patience = super::target::PATIENCE;
        tokio::time::timeout(patience, wait).await.expect("descriptors are given back");
    }
}

fn has_proc() -> bool {
    Path::new("/proc/self/status").exists()
}

/// One round of attacks, each a kind that made another server's memory grow.
async fn attack(daemon: &Daemon, round: usize) {
    let dump = search(BASE, 2, &filter::present("objectClass"), &[]);
    let bad: &[u8] = b"\x30\x84\x7f\xff\xff\xff";
    let controls =
        |oid: &str| [control(oid, false, Some(bad)), control(PAGED, false, Some(b"\x30\x00"))];
    let big = vec![b'x'; 40_000];
    let one_shot = [
        bad.to_vec(),
        b"\x30\x82\xff\xff\x02\x01\x01".to_vec(),
        [b"\x30\x83\x00\xff\xf0\x02\x01\x01".to_vec(), big.clone()].concat(),
        message(1, &tlv(0x79, b"")),
        pipeline(20, &dump),
        message(1, &search(BASE, 2, &filter::or(&vec![filter::equal("cn", &big[..5]); 4000]), &[])),
        message(1, &search(BASE, 2, &filter::equal("cn", &big), &[])),
        message(1, &search(BASE, 2, &filter::and(&vec![b"\xa0\x00".to_vec(); 3000]), &[])),
        message(1, &bind("nobody", "x")),
        message(1, &tlv(0x60, &[integer(3), octets(""), tlv(0xa3, &octets(&big))].concat())),
        controlled(1, &dump, &controls("1.3.6.1.1.12")),
        controlled(1, &dump, &controls("1.3.6.1.1.13.1")),
        controlled(1, &dump, &controls("1.2.826.0.1.3344810.2.3")),
        controlled(1, &dump, &[control(PAGED, false, Some(&paged(1 + round as i64 % 7, b"")))]),
        message(1, &abandon(5)).repeat(2000),
        message(1, &extended("1.2.3", Some(&big))),
    ];
    for octets in &one_shot {
        let mut client = daemon.connect().await;
        client.send(octets).await;
        if round.is_multiple_of(2) {
            client.finish().await;
        }
    }
}

/// Items 4, 5, 7, 34 and 36: the same attacks again and again: after the first rounds
/// neither memory nor descriptors grow.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attacks_leave_no_memory_and_no_descriptors_behind() {
    if !has_proc() {
        return;
    }
    let daemon = Daemon::start("");
    daemon.serves().await;
    let descriptors = daemon.descriptors();
    for round in 0..20 {
        attack(&daemon, round).await;
    }
    daemon.returns_to(descriptors).await;
    let settled = daemon.memory();
    for round in 0..60 {
        attack(&daemon, round).await;
    }
    daemon.returns_to(descriptors).await;
    let grown = daemon.memory().saturating_sub(settled);
    // A password check takes 19 MiB, two are made at a time, and the allocator may keep both.
    assert!(
        grown < (2 * 19 + 10) << 20,
        "grown by {} KiB from {} KiB",
        grown / 1024,
        settled / 1024
    );
    daemon.serves().await;
}

/// Items 4, 5 and 34: many connections at once that each make the server keep as much as
/// they can: half a message each, or an answer that is never read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_connections_keep_a_bounded_amount() {
    if !has_proc() {
        return;
    }
    let daemon = Daemon::start("");
    daemon.serves().await;
    let (descriptors, before) = (daemon.descriptors(), daemon.memory());
    let half = [b"\x30\x82\xff\xf0".to_vec(), vec![b'x'; 60_000]].concat();
    let dumps = pipeline(100, &search(BASE, 2, &filter::present("objectClass"), &[]));
    let mut clients = Vec::new();
    for n in 0..200 {
        let mut client = daemon.connect().await;
        let octets = if n % 2 == 0 { &half } else { &dumps };
        let _ = client.stream.write_all(octets).await;
        clients.push(client);
    }
    daemon.serves().await;
    let kept = daemon.memory().saturating_sub(before) / 200;
    // Input and output of a connection, and what the allocator makes of them.
    assert!(kept < 1 << 20, "{} KiB for each connection", kept / 1024);
    drop(clients);
    daemon.returns_to(descriptors).await;
    daemon.serves().await;
}

/// Item 34: no descriptors left: connections wait or are refused, the log does not fill,
/// and when there are some again all is well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_descriptors() {
    let daemon = Daemon::start("ulimit -n 64;");
    daemon.serves().await;
    let mut clients = Vec::new();
    for _ in 0..120 {
        // The kernel accepts for a listener that does not.
        clients.push(TcpStream::connect(daemon.address).await.unwrap());
    }
    let mut first = Client::new(clients.swap_remove(0));
    let (found, code) = first.count(&filter::equal("objectClass", "user")).await;
    assert!(found >= 60 && code == 0);
    drop((first, clients));
    daemon.serves().await;
    let complaints = daemon.log.try_iter().filter(|line| line.contains("cannot be accepted"));
    assert!(complaints.count() <= 10);
}

/// Items 6 and 37: nothing on standard output, and a line in the log for each connection
/// at most, however much of what it sends is wrong.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_does_not_flood() {
    let daemon = Daemon::start("");
    daemon.serves().await;
    let malformed = [
        message(1, &tlv(0x63, b"\x04\x7f")),
        message(1, &tlv(0x60, b"\x02\x01\x09\x04\x00\x80\x00")),
        controlled(1, &extended(WHO_AM_I, None), &[control("9.9", true, None)]),
        controlled(
            1,
            &extended(WHO_AM_I, None),
            &[control("9.9", false, Some(b"\xff\n\r\x1b[31m"))],
        ),
        message(1, &extended("1.2.3\n", None)),
        message(1, &search("cn=\n\x1b[31m", 2, &filter::present("\n"), &["\n"])),
        message(1, &bind("\n\x1b[31mroot", "x")),
    ];
    let connections = 20;
    for _ in 0..connections {
        let mut client = daemon.connect().await;
        client.send(&malformed.concat().repeat(20)).await;
        client.send(b"\x30\x80").await;
        client.finish().await;
    }
    daemon.serves().await;
    let ours = |line: &String| line.contains("entraldap::ldap");
    let lines: Vec<String> = daemon.log.try_iter().filter(ours).collect();
    assert!(lines.len() <= connections + 2, "{lines:#?}");
    assert!(lines.iter().all(|line| !line.contains("[31mroot")), "{lines:#?}");
    // What the demo has to say comes when its first sync is done, be it meanwhile.
    let told: Vec<String> = daemon.out.try_iter().collect();
    assert!(!told.iter().any(|line| line.contains("[31m") || ours(line)), "{told:#?}");
}
