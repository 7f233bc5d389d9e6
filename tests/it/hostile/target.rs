//! A server on a replica of a simulated tenant, and clients that send octets.

use super::octets::{self, Answer, bind, filter, message, search};
use crate::world::{BASE, World};
use argon2::PasswordHasher;
use entraldap::config::Secret;
use entraldap::config::settings::{AccountSettings, LdapSettings, LimitSettings, TlsSettings};
use entraldap::ldap::{Server, serve};
use entraldap::replica::{Reader, Writer};
use entraldap::simulator::Tenant;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// Longer than anything takes on a slow machine that is busy.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The replica that all targets serve, and an address that it has once.
struct Shared {
    reader: Reader,
    mail: String,
    dn: String,
    _writer: Writer,
}

fn shared() -> &'static Shared {
    static SHARED: OnceLock<Shared> = OnceLock::new();
    let make = || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let world = runtime.block_on(async {
            let world = World::new(Tenant::generate(77, 120)).await;
            world.pass().await;
            world
        });
        let snapshot = world.snapshot();
        let texts = |entry: &_, name: &str| crate::world::compare::texts(entry, name);
        let with_mail = snapshot.all().unwrap().iter().find_map(|number| {
            let entry = snapshot.entry(number).unwrap().unwrap();
            let is_user = texts(&entry, "objectClass").contains("user");
            let mail = texts(&entry, "mail").into_iter().next().filter(|_| is_user)?;
            Some((mail, entry.view().dn().to_owned()))
        });
        let (mail, dn) = with_mail.unwrap();
        // The file goes with the world's folder when this function ends; the replica stays
        // open.
        Shared { reader: world.writer().reader(), mail, dn, _writer: world.writer().clone() }
    };
    // Tests call from inside a runtime, where another cannot be waited for.
    SHARED.get_or_init(|| std::thread::spawn(make).join().unwrap())
}

/// An address that one user has.
pub fn mail() -> &'static str {
    &shared().mail
}

/// The name of the user who has [`mail`].
pub fn user() -> &'static str {
    &shared().dn
}

pub fn reader() -> Reader {
    shared().reader.clone()
}

fn cheap_hash(password: &str) -> String {
    let params = argon2::Params::new(16, 1, 1, None).unwrap();
    let argon = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    argon.hash_password(password.as_bytes()).unwrap().to_string()
}

/// A running server.
pub struct Target {
    pub address: SocketAddr,
    pub server: Arc<Server>,
    stop: CancellationToken,
    certificate: Option<Vec<u8>>,
    _folder: Option<TempDir>,
}

impl Drop for Target {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub fn settings() -> LdapSettings {
    let account = |name: &str, password: &str| AccountSettings {
        name: name.to_owned(),
        password_hash: Some(Secret::new(cheap_hash(password))),
        certificate: None,
        profile: Default::default(),
    };
    LdapSettings {
        listeners: Vec::new(),
        tls: None,
        accounts: vec![account("steady", "ready"), account("gw", "pw"), account("other", "word")],
        anonymous: None,
        active_directory: false,
        limits: LimitSettings::default(),
    }
}

impl Target {
    /// Clients that fail to bind are slowed down, and here all come from one address. One
    /// account has bound rightly from it and never fails: it is served whatever others do.
    pub async fn start() -> Target {
        Self::with(settings()).await
    }

    pub async fn with(settings: LdapSettings) -> Target {
        Self::listen(settings, false, None).await
    }

    /// A server with a certificate: LDAPS, or StartTLS.
    pub async fn tls(mut settings: LdapSettings, ldaps: bool) -> Target {
        let folder = tempfile::tempdir().unwrap();
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let files = TlsSettings {
            certificate: folder.path().join("cert.pem"),
            key: folder.path().join("key.pem"),
            client_ca: None,
        };
        std::fs::write(&files.certificate, pair.cert.pem()).unwrap();
        std::fs::write(&files.key, pair.signing_key.serialize_pem()).unwrap();
        settings.tls = Some(files);
        Self::listen(settings, ldaps, Some((folder, pair.cert.der().to_vec()))).await
    }

    async fn listen(
        settings: LdapSettings,
        ldaps: bool,
        tls: Option<(TempDir, Vec<u8>)>,
    ) -> Target {
        let reader = reader();
        let server = Arc::new(Server::new(&settings, reader, SystemTime::now).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(serve(listener, Arc::clone(&server), ldaps, stop.clone()));
        let (folder, certificate) = tls.unzip();
        let target = Target { address, server, stop, certificate, _folder: folder };
        let mut client = target.connect().await;
        if ldaps {
            client = target.handshake(client).await;
        }
        client.bind_steadily().await;
        target
    }

    pub async fn connect(&self) -> Client {
        Client::new(TcpStream::connect(self.address).await.unwrap())
    }

    /// A client that has bound as `steady`.
    pub async fn bound(&self) -> Client {
        let mut client = self.connect().await;
        client.bind_steadily().await;
        client
    }

    /// What turns a stream into one with TLS.
    pub fn connector(&self) -> tokio_rustls::TlsConnector {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.certificate.clone().unwrap().into()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Arc::new(config).into()
    }

    pub async fn handshake(&self, client: Client) -> Client {
        let name = "localhost".try_into().unwrap();
        Client::new(self.connector().connect(name, client.stream).await.unwrap())
    }

    /// A correct search on a fresh connection is answered correctly.
    pub async fn serves(&self) {
        self.finds_the_user(self.bound().await).await;
    }

    /// As [`Target::serves`], over LDAPS.
    pub async fn serves_tls(&self) {
        let mut client = self.handshake(self.connect().await).await;
        client.bind_steadily().await;
        self.finds_the_user(client).await;
    }

    async fn finds_the_user(&self, mut client: Client) {
        let wanted = filter::equal("proxyAddresses", format!("smtp:{}", mail()));
        let (entries, done) =
            client.entries(&message(7, &search(BASE, 2, &wanted, &["mail"]))).await;
        assert_eq!((done.id, done.code()), (7, 0));
        let names: Vec<String> = entries.iter().map(Answer::dn).collect();
        assert_eq!(names, [user()]);
    }

    /// All clients have gone: no connection is left behind.
    pub async fn is_empty(&self) {
        let wait = async {
            while self.server.counts().open > 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("connections end with their clients");
    }

    /// The end of a test: what was done to the server has left no trace.
    pub async fn is_well(&self) {
        self.serves().await;
        self.is_empty().await;
    }
}

/// What a client speaks over.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A client that sends octets.
pub struct Client {
    pub stream: Box<dyn Stream>,
    input: Vec<u8>,
}

impl Client {
    pub fn new(stream: impl Stream + 'static) -> Client {
        Client { stream: Box::new(stream), input: Vec::new() }
    }

    async fn bind_steadily(&mut self) {
        assert_eq!(self.ask(&bind("steady", "ready")).await.code(), 0);
    }

    /// Sends; that the server has closed already is no failure.
    pub async fn send(&mut self, octets: &[u8]) {
        let sent = async {
            self.stream.write_all(octets).await?;
            self.stream.flush().await
        };
        let _ = tokio::time::timeout(PATIENCE, sent).await.expect("the server reads");
    }

    /// The next message; `None` at the end of the connection.
    pub async fn next(&mut self) -> Option<Answer> {
        loop {
            if let Some(answer) = octets::take_answer(&mut self.input) {
                return Some(answer);
            }
            let read = self.stream.read_buf(&mut self.input);
            match tokio::time::timeout(PATIENCE, read).await.expect("an answer or an end") {
                Ok(1..) => {}
                _ => {
                    assert!(self.input.is_empty(), "ended inside a message: {:02x?}", self.input);
                    return None;
                }
            }
        }
    }

    /// Sends an operation as message 1 and reads one message.
    pub async fn ask(&mut self, op: &[u8]) -> Answer {
        self.answer(&message(1, op)).await
    }

    /// Sends a whole message and reads one.
    pub async fn answer(&mut self, message: &[u8]) -> Answer {
        self.send(message).await;
        self.next().await.expect("an answer")
    }

    /// Sends a message and reads entries and the result.
    pub async fn entries(&mut self, message: &[u8]) -> (Vec<Answer>, Answer) {
        self.send(message).await;
        let mut entries = Vec::new();
        loop {
            let answer = self.next().await.expect("a result");
            if answer.tag != 0x64 {
                return (entries, answer);
            }
            entries.push(answer);
        }
    }

    /// How many entries a subtree search finds, and the result code.
    pub async fn count(&mut self, filter: &[u8]) -> (usize, i64) {
        let (entries, done) = self.entries(&message(5, &search(BASE, 2, filter, &["1.1"]))).await;
        assert_eq!((done.id, done.tag), (5, 0x65));
        (entries.len(), done.code())
    }

    /// Nothing more is sent; reads what comes until the server closes.
    pub async fn finish(mut self) -> Vec<Answer> {
        let _ = self.stream.shutdown().await;
        self.rest().await
    }

    /// Reads until the server closes.
    pub async fn rest(&mut self) -> Vec<Answer> {
        let mut answers = Vec::new();
        while let Some(answer) = self.next().await {
            answers.push(answer);
        }
        answers
    }

    /// The server says that it disconnects (RFC 4511 4.4.1), and does.
    pub async fn is_disconnected(&mut self, code: i64) {
        let notice = self.next().await.expect("a notice");
        assert_eq!((notice.id, notice.tag, notice.code()), (0, 0x78, code), "{notice:?}");
        assert_eq!(self.next().await, None);
    }
}
