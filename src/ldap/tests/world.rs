//! A small directory, a server on a port that the system picks, and a client that sends
//! octets and reads messages.

use crate::config::settings::{
    AccountSettings, LdapSettings, LimitSettings, ReplicaSettings, TlsSettings,
};
use crate::directory::dn::{Dn, DnKey};
use crate::directory::entry::{Entry, Values};
use crate::directory::ids::ObjectId;
use crate::directory::kind::Kind;
use crate::directory::schema;
use crate::ldap::accounts::tests::{cheap_hash, settings as account};
use crate::ldap::wire::ber::Tlvs;
use crate::ldap::wire::frame::{self, Framed};
use crate::ldap::wire::samples::{bind, message, search};
use crate::ldap::{Server, serve};
use crate::replica::connection::ConnectionState;
use crate::replica::encoding::{Identity, encode, values_of};
use crate::replica::source::SourceObject;
use crate::replica::{self, Number, Transaction, Writer};
use bytes::{Buf, BytesMut};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

pub(super) const BASE: &str = "dc=contoso,dc=com";

/// An entry from pairs of name and value.
pub(super) fn entry(dn: &str, pairs: &[(&str, &str)]) -> Entry {
    let mut entry = Entry::new(Dn::parse(dn).unwrap());
    for (name, value) in pairs {
        entry.add(schema::standard().attribute(name.as_bytes()).unwrap().id, *value);
    }
    entry
}

/// The entries of the small directory.
pub(super) fn small() -> Vec<Entry> {
    let user = |uid: &str, cn: &str, extra: &[(&str, &str)]| {
        let dn = format!("uid={uid},ou=users,{BASE}");
        let mail = format!("{uid}@contoso.com");
        let proxy = format!("SMTP:{mail}");
        let mut pairs = vec![
            ("objectClass", "top"),
            ("objectClass", "user"),
            ("cn", cn),
            ("mail", mail.as_str()),
            ("proxyAddresses", proxy.as_str()),
        ];
        pairs.extend(extra);
        entry(&dn, &pairs)
    };
    let group = |cn: &str, members: &[&str], of: &[&str]| {
        let mut made =
            entry(&format!("cn={cn},ou=groups,{BASE}"), &[("objectClass", "group"), ("cn", cn)]);
        let id = |name: &str| schema::standard().attribute(name.as_bytes()).unwrap().id;
        members.iter().for_each(|dn| made.add(id("member"), *dn));
        of.iter().for_each(|dn| made.add(id("memberOf"), *dn));
        made
    };
    let all = "cn=all,ou=groups,dc=contoso,dc=com";
    let team = "cn=team,ou=groups,dc=contoso,dc=com";
    let ada = "uid=ada,ou=users,dc=contoso,dc=com";
    let bob = "uid=bob,ou=users,dc=contoso,dc=com";
    vec![
        entry(BASE, &[("objectClass", "domain"), ("description", "the base")]),
        entry(&format!("ou=users,{BASE}"), &[("objectClass", "organizationalUnit")]),
        entry(&format!("ou=groups,{BASE}"), &[("objectClass", "organizationalUnit")]),
        user(
            "ada",
            "Ada Lind",
            &[("userAccountControl", "512"), ("memberOf", team), ("sn", "Lind")],
        ),
        user(
            "bob",
            "Bob Berg",
            &[("userAccountControl", "514"), ("memberOf", all), ("manager", ada)],
        ),
        user("eve", "Eve Åberg", &[("proxyAddresses", "smtp:e@contoso.com"), ("description", "x")]),
        group("all", &[bob, team], &[]),
        group("team", &[ada], &[all]),
    ]
}

/// The replica behind the tests: these entries, below [`BASE`], each behind the one above.
pub(super) fn replica(entries: Vec<Entry>) -> Writer {
    let writer = on_disk(entries);
    writer.keep_in_memory();
    writer
}

/// The same, without a copy in memory.
pub(super) fn on_disk(entries: Vec<Entry>) -> Writer {
    let writer = empty();
    writer.write(|t| publish(t, &entries)).unwrap();
    writer
}

/// A replica whose first sync is not complete.
pub(super) fn unpublished() -> Writer {
    let writer = empty();
    writer.write(|t| configure(t, Vec::new())).unwrap();
    writer
}

fn empty() -> Writer {
    // The file stays as long as it is open; its name need not.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("replica.redb");
    replica::open(&ReplicaSettings {
        path,
        cache: 1 << 24,
        history: 1,
        ..ReplicaSettings::default()
    })
    .unwrap()
}

fn configure(t: &mut Transaction<'_>, structure: Vec<Number>) -> Result<(), replica::Error> {
    let connection = t.connection_number("main")?;
    let base = BASE.to_owned();
    let state = ConnectionState { base, configured: true, structure, ..t.connection(connection)? };
    t.put_connection(connection, &state)
}

fn publish(t: &mut Transaction<'_>, entries: &[Entry]) -> Result<(), replica::Error> {
    let connection = t.connection_number("main")?;
    let mut numbers: HashMap<DnKey, Number> = HashMap::new();
    let mut structure = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        let object = ObjectId::from_bytes((at as u128).to_be_bytes());
        let number = t.number(connection, object)?;
        let key = entry.dn.key();
        let parent = key.parent().and_then(|key| numbers.get(&key).copied());
        if at == 0 || entry.dn.to_string().starts_with("ou=") {
            structure.push(number);
        }
        let parent = parent.unwrap_or(Number::MAX);
        let identity = Identity { kind: kind_of(entry), connection, parent, object };
        t.put_entry(number, &encode(entry, &identity, schema::standard()))?;
        numbers.insert(key, number);
    }
    link(t, connection, entries, &numbers)?;
    configure(t, structure)
}

fn kind_of(entry: &Entry) -> Option<Kind> {
    let class = schema::standard().attribute(b"objectClass").unwrap().id;
    let is = |name: &[u8]| entry.values(class).any(|value| value == name);
    match (is(b"user"), is(b"group")) {
        (true, _) => Some(Kind::User),
        (_, true) => Some(Kind::Group),
        _ => None,
    }
}

/// Members and managers are found by the edges between objects.
fn link(
    t: &mut Transaction<'_>,
    connection: u16,
    entries: &[Entry],
    numbers: &HashMap<DnKey, Number>,
) -> Result<(), replica::Error> {
    let named = |entry: &Entry, name: &str| -> Vec<Number> {
        let id = schema::standard().attribute(name.as_bytes()).unwrap().id;
        let text = |value: &[u8]| Dn::parse(std::str::from_utf8(value).unwrap()).unwrap();
        entry.values(id).filter_map(|dn| numbers.get(&text(dn).key()).copied()).collect()
    };
    for (at, entry) in entries.iter().enumerate() {
        let number = numbers[&entry.dn.key()];
        for member in named(entry, "member") {
            t.set_member(number, member, true)?;
        }
        if let Some(manager) = named(entry, "manager").pop() {
            let object = SourceObject {
                connection,
                kind: Kind::User,
                id: ObjectId::from_bytes((at as u128).to_be_bytes()),
                manager: Some(manager),
                properties: serde_json::Map::new(),
            };
            t.put_object(number, &object)?;
        }
    }
    Ok(())
}

/// Settings with one account, `gw` with password `pw`.
pub(super) fn settings() -> LdapSettings {
    LdapSettings {
        listeners: Vec::new(),
        tls: None,
        accounts: vec![account("gw", &cheap_hash("pw"))],
        anonymous: None,
        active_directory: false,
        limits: LimitSettings {
            pdu_before_bind: 64 * 1024,
            pdu_after_bind: 1024 * 1024,
            size: 0,
            time: Duration::ZERO,
            connections: 100,
            idle: Duration::from_secs(900),
            first_request: Duration::from_secs(30),
            write_stall: Duration::from_secs(30),
            ..LimitSettings::default()
        },
    }
}

/// Settings with a certificate for `localhost`, in a directory that must be kept.
pub(super) fn tls_settings() -> (LdapSettings, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let files = TlsSettings {
        certificate: dir.path().join("cert.pem"),
        key: dir.path().join("key.pem"),
        client_ca: None,
    };
    std::fs::write(&files.certificate, pair.cert.pem()).unwrap();
    std::fs::write(&files.key, pair.signing_key.serialize_pem()).unwrap();
    (LdapSettings { tls: Some(files), ..settings() }, dir)
}

/// A running server.
pub(super) struct World {
    pub(super) address: SocketAddr,
    pub(super) server: Arc<Server>,
    pub(super) shutdown: CancellationToken,
    pub(super) serving: tokio::task::JoinHandle<()>,
    pub(super) accounts: Vec<AccountSettings>,
    writer: Writer,
}

impl World {
    pub(super) async fn start(settings: &LdapSettings, writer: Writer, tls: bool) -> Self {
        let server = Arc::new(Server::new(settings, writer.reader(), SystemTime::now).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let serving = tokio::spawn(serve(listener, Arc::clone(&server), tls, shutdown.clone()));
        let accounts = settings.accounts.clone();
        World { address, server, shutdown, serving, accounts, writer }
    }

    /// The small directory with the usual settings.
    pub(super) async fn small() -> Self {
        Self::start(&settings(), replica(small()), false).await
    }

    /// Takes an entry out of the directory.
    pub(super) fn remove(&self, dn: &Dn) {
        let number = self.writer.reader().snapshot().number(&dn.key()).unwrap().unwrap();
        assert!(self.writer.write(|t| t.remove_entry(number)).unwrap());
    }

    /// Puts an entry in the place of the one with its name.
    pub(super) fn replace(&self, entry: &Entry) {
        let snapshot = self.writer.reader().snapshot();
        let number = snapshot.number(&entry.dn.key()).unwrap().unwrap();
        let identity = snapshot.entry(number).unwrap().unwrap().view().identity();
        let encoded = encode(entry, &identity, schema::standard());
        self.writer.write(|t| t.put_entry(number, &encoded)).unwrap();
    }

    pub(super) async fn connect(&self) -> Client {
        Client::over(TcpStream::connect(self.address).await.unwrap())
    }

    /// A client that has bound as `gw`.
    pub(super) async fn bound(&self) -> Client {
        let mut client = self.connect().await;
        assert_eq!(client.ask(&bind(3, "gw", "pw")).await.code(), 0);
        client
    }
}

/// A client that sends octets.
pub(super) struct Client<S = TcpStream> {
    pub(super) stream: S,
    input: BytesMut,
}

/// A message of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) id: i64,
    pub(super) tag: u8,
    pub(super) op: Vec<u8>,
    pub(super) controls: Vec<u8>,
}

impl Answer {
    /// `resultCode`
    pub(super) fn code(&self) -> i64 {
        Tlvs::new(&self.op, 0).next().unwrap().integer().unwrap()
    }

    /// `matchedDN` and `diagnosticMessage`, or name and value of an extended response.
    pub(super) fn texts(&self) -> Vec<String> {
        let mut parts = Tlvs::new(&self.op, 0);
        let mut texts = Vec::new();
        while !parts.is_empty() {
            texts.push(String::from_utf8_lossy(parts.next().unwrap().value).into_owned());
        }
        texts.split_off(1)
    }

    /// The name of an entry.
    pub(super) fn dn(&self) -> String {
        String::from_utf8(Tlvs::new(&self.op, 0).next().unwrap().value.to_vec()).unwrap()
    }

    /// Names and values of an entry.
    pub(super) fn attributes(&self) -> Vec<(String, Vec<String>)> {
        let mut parts = Tlvs::new(&self.op, 0);
        parts.next().unwrap();
        let mut list = parts.next().unwrap().inside();
        let mut found = Vec::new();
        while !list.is_empty() {
            let attribute = list.next().unwrap();
            let name = attribute.inside().next().unwrap().value.to_vec();
            let whole = crate::ldap::wire::samples::tlv(0x30, attribute.value);
            let values = values_of(&whole).map(|v| String::from_utf8_lossy(v).into_owned());
            found.push((String::from_utf8(name).unwrap(), values.collect()));
        }
        found
    }

    /// The cookie of a paged results control.
    pub(super) fn cookie(&self) -> Option<Vec<u8>> {
        let mut control = Tlvs::new(&self.controls, 0).next().ok()?.inside();
        control.next().unwrap();
        let mut value = control.next().unwrap().inside().next().unwrap().inside();
        value.next().unwrap();
        Some(value.next().unwrap().value.to_vec())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub(super) fn over(stream: S) -> Self {
        Client { stream, input: BytesMut::new() }
    }

    /// Sends as far as the server lets it.
    pub(super) async fn try_send(&mut self, octets: &[u8]) {
        let _ = self.stream.write_all(octets).await;
    }

    pub(super) async fn send(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).await.unwrap();
    }

    /// The next message; `None` at the end of the connection.
    pub(super) async fn next(&mut self) -> Option<Answer> {
        loop {
            if let Framed::Whole { header, value } = frame::next(&self.input, 1 << 26).unwrap() {
                let frame = self.input.split_to(header + value);
                let mut parts = Tlvs::new(&frame[header..], 0);
                let id = parts.next().unwrap().integer().unwrap();
                let op = parts.next().unwrap();
                let controls = parts.take(0xa0).unwrap().map(|tlv| tlv.value.to_vec());
                parts.end().unwrap();
                let controls = controls.unwrap_or_default();
                return Some(Answer { id, tag: op.tag, op: op.value.to_vec(), controls });
            }
            if !matches!(self.stream.read_buf(&mut self.input).await, Ok(n) if n > 0) {
                assert!(!self.input.has_remaining(), "the connection ended inside a message");
                return None;
            }
        }
    }

    /// Sends an operation as message 1 and reads one message.
    pub(super) async fn ask(&mut self, op: &[u8]) -> Answer {
        self.send(&message(b"\x01", op, &[])).await;
        self.next().await.unwrap()
    }

    /// Sends a message and reads entries and the result.
    pub(super) async fn entries(&mut self, message: &[u8]) -> (Vec<Answer>, Answer) {
        self.send(message).await;
        let mut entries = Vec::new();
        loop {
            let answer = self.next().await.unwrap();
            if answer.tag != 0x64 {
                return (entries, answer);
            }
            entries.push(answer);
        }
    }

    /// The names that a subtree search finds, and the result code.
    pub(super) async fn find(&mut self, filter: &str) -> (Vec<String>, i64) {
        let op = search(BASE, 2, filter, &["1.1"]);
        let (entries, done) = self.entries(&message(b"\x05", &op, &[])).await;
        let first_rdn = |answer: &Answer| answer.dn().split(',').next().unwrap().to_owned();
        (entries.iter().map(first_rdn).collect(), done.code())
    }
}
