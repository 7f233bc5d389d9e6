//! Reports: mails and webhooks as they arrive, and targets that do not take them.

use crate::members::{id, user};
use crate::world::daemon::Place;
use crate::world::options;
use entraldap::config::Secret;
use entraldap::config::settings::{
    MailSettings, On, ReportSettings, SecretSource, Security, Way, WebhookSettings,
};
use entraldap::notify;
use entraldap::simulator::{Action, RetryAfter, Rule, Simulator, Tenant};
use entraldap::sync::PassRecord;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// A mail that a server took.
#[derive(Debug)]
struct Mail {
    login: Option<String>,
    encrypted: bool,
    recipients: Vec<String>,
    text: String,
}

trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// A mail server with STARTTLS and login; gives its address, its certificate's file, and
/// what it takes.
async fn mail_server() -> (SocketAddr, tempfile::NamedTempFile, mpsc::UnboundedReceiver<Mail>) {
    let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let mut ca = tempfile::NamedTempFile::new().unwrap();
    ca.write_all(key.cert.pem().as_bytes()).unwrap();
    let private =
        rustls::pki_types::PrivateKeyDer::try_from(key.signing_key.serialize_der()).unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let tls = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![key.cert.der().clone()], private)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, mails) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, sender) = (acceptor.clone(), sender.clone());
            tokio::spawn(async move {
                let mut stream: Box<dyn Wire> = Box::new(stream);
                stream.write_all(b"220 here\r\n").await.unwrap();
                if let Some(plain) = talk(stream, false, &sender).await {
                    let wrapped = acceptor.accept(plain).await.unwrap();
                    talk(Box::new(wrapped), true, &sender).await;
                }
            });
        }
    });
    (address, ca, mails)
}

/// Serves one side of STARTTLS; gives the stream back where it is to be wrapped.
async fn talk(
    stream: Box<dyn Wire>,
    encrypted: bool,
    mails: &mpsc::UnboundedSender<Mail>,
) -> Option<Box<dyn Wire>> {
    let mut stream = BufReader::new(stream);
    let (mut login, mut recipients) = (None, Vec::new());
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let word = line.split_whitespace().next().unwrap_or_default().to_uppercase();
        let answer = match word.as_str() {
            "EHLO" if encrypted => "250-here\r\n250 AUTH PLAIN\r\n",
            "EHLO" => "250-here\r\n250 STARTTLS\r\n",
            "STARTTLS" => {
                stream.write_all(b"220 go\r\n").await.ok()?;
                return Some(stream.into_inner());
            }
            "AUTH" => {
                login = line.split_whitespace().nth(2).map(str::to_owned);
                "235 welcome\r\n"
            }
            "RCPT" => {
                recipients.push(line.trim().to_owned());
                "250 ok\r\n"
            }
            "DATA" => {
                stream.write_all(b"354 go\r\n").await.ok()?;
                let mut text = String::new();
                while !text.ends_with("\r\n.\r\n") {
                    stream.read_line(&mut text).await.ok()?;
                }
                let recipients = std::mem::take(&mut recipients);
                let _ = mails.send(Mail { login: login.clone(), encrypted, recipients, text });
                "250 taken\r\n"
            }
            "QUIT" => "221 bye\r\n",
            _ => "250 ok\r\n",
        };
        stream.write_all(answer.as_bytes()).await.ok()?;
    }
}

fn mail_to(address: SocketAddr, ca: Option<&std::path::Path>) -> ReportSettings {
    ReportSettings {
        name: "admins".to_owned(),
        on: On::Trouble,
        connections: Vec::new(),
        way: Way::Mail(MailSettings {
            host: "localhost".to_owned(),
            port: address.port(),
            security: if ca.is_some() { Security::StartTls } else { Security::None },
            user: ca.map(|_| "robot".to_owned()),
            password: ca.map(|_| SecretSource::Value(Secret::new("geheim"))),
            from: "entraldap@contoso.com".to_owned(),
            to: vec!["ann@contoso.com".to_owned(), "bob@contoso.com".to_owned()],
            ca_file: ca.map(std::path::Path::to_owned),
            timeout: Duration::from_secs(20),
        }),
    }
}

fn pass(verdict: &str, error: &str) -> PassRecord {
    PassRecord {
        number: 7,
        connection: "contoso".to_owned(),
        verdict: verdict.to_owned(),
        error: error.to_owned(),
        warnings: vec!["a <b>bold</b> warning & more".to_owned(), ".".to_owned()],
        removed: 3,
        ..PassRecord::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_is_mailed_once_to_all_and_so_is_its_end() {
    let (address, ca, mut mails) = mail_server().await;
    let (records, receiver) = mpsc::unbounded_channel();
    let stop = CancellationToken::new();
    let target = mail_to(address, Some(ca.path()));
    let running = tokio::spawn(notify::run(vec![target], receiver, stop.clone()));
    for _ in 0..3 {
        records.send(pass("held", "20 of 30 users would be removed")).unwrap();
    }
    records.send(pass("committed", "")).unwrap();
    records.send(pass("committed", "")).unwrap();
    let trouble = mails.recv().await.unwrap();
    assert!(trouble.encrypted, "no word, and no password, in clear text");
    // base64 of "\0robot\0geheim"
    assert_eq!(trouble.login.as_deref(), Some("AHJvYm90AGdlaGVpbQ=="));
    assert_eq!(trouble.recipients, ["RCPT TO:<ann@contoso.com>", "RCPT TO:<bob@contoso.com>"]);
    for part in [
        "Subject: [entraldap] contoso: pass 7 held: 20 of 30 users would be removed",
        "Auto-Submitted: auto-generated",
        "Message-ID: <",
        "Content-Type: text/plain",
        "Content-Type: text/html",
        "entraldap approve contoso",
        "a &lt;b&gt;bold&lt;/b&gt; warning &amp; more",
    ] {
        let unfolded = trouble.text.replace("=\r\n", "").replace("\r\n ", " ");
        assert!(unfolded.contains(part), "{part:?} not in:\n{unfolded}");
    }
    assert!(!trouble.text.contains("geheim"));
    let recovery = mails.recv().await.unwrap();
    assert!(recovery.text.contains("pass 7 went well again"), "{}", recovery.text);
    drop(records);
    running.await.unwrap();
    assert!(mails.try_recv().is_err(), "nothing is told twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_that_hangs_keeps_nobody_waiting() {
    // It takes connections, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, ca, mut mails) = mail_server().await;
    let mut hanging = mail_to(silent.local_addr().unwrap(), None);
    hanging.name = "hanging".to_owned();
    let targets = vec![hanging, mail_to(address, Some(ca.path()))];
    let (records, receiver) = mpsc::unbounded_channel();
    let stop = CancellationToken::new();
    let running = tokio::spawn(notify::run(targets, receiver, stop.clone()));
    records.send(pass("failed", "no token")).unwrap();
    records.send(pass("committed", "")).unwrap();
    assert!(mails.recv().await.unwrap().text.contains("pass 7 failed"));
    assert!(mails.recv().await.unwrap().text.contains("went well again"));
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_signed_json() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let target = ReportSettings {
        name: "chat".to_owned(),
        on: On::Pass,
        connections: vec!["contoso".to_owned()],
        way: Way::Webhook(WebhookSettings {
            url: url.parse().unwrap(),
            secret: Some(SecretSource::Value(Secret::new("geheim"))),
            ca_file: None,
            timeout: Duration::from_secs(20),
        }),
    };
    let taking = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut text = Vec::new();
        loop {
            let mut piece = [0; 4096];
            let n = stream.read(&mut piece).await.unwrap();
            text.extend(&piece[..n]);
            let so_far = String::from_utf8_lossy(&text).into_owned();
            if let Some((head, body)) = so_far.split_once("\r\n\r\n") {
                let length = head.lines().find_map(|line| {
                    line.to_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok()
                });
                if body.len() >= length.unwrap() {
                    stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
                    return so_far;
                }
            }
        }
    });
    let (records, receiver) = mpsc::unbounded_channel();
    let running = tokio::spawn(notify::run(vec![target], receiver, CancellationToken::new()));
    let other = PassRecord { connection: "fabrikam".to_owned(), ..pass("failed", "x") };
    records.send(other).unwrap();
    records.send(pass("committed", "")).unwrap();
    let request = taking.await.unwrap();
    drop(records);
    running.await.unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let header = |name: &str| {
        let line = head.lines().find(|line| line.to_lowercase().starts_with(name)).unwrap();
        line.split_once(": ").unwrap().1.to_owned()
    };
    let signed = format!("{}.{body}", header("x-entraldap-timestamp"));
    assert_eq!(header("x-entraldap-signature"), hmac_of("geheim", &signed));
    let json: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!((&json["version"], &json["reason"]), (&1.into(), &"change".into()));
    assert_eq!((&json["connection"], &json["pass"]["removed"]), (&"contoso".into(), &3.into()));
}

/// HMAC as RFC 2104 has it, written out.
fn hmac_of(key: &str, text: &str) -> String {
    use sha2::{Digest, Sha256};
    let mut block = [0u8; 64];
    block[..key.len()].copy_from_slice(key.as_bytes());
    let pad = |octet: u8| block.map(|b| b ^ octet);
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(text).finalize();
    let outer = Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize();
    let hex: String = outer.iter().map(|octet| format!("{octet:02x}")).collect();
    format!("sha256={hex}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_reports_what_its_passes_do() {
    let (address, ca, mut mails) = mail_server().await;
    let mut tenant = Tenant::empty("contoso.com");
    tenant.add_user(user(0, "ann")).unwrap();
    let simulator = Simulator::start(tenant, options()).await.unwrap();
    let place = Place::new(&simulator, "1h", &["127.0.0.1:0"]);
    let report = format!(
        "[[report]]\nname = \"admins\"\non = \"change\"\n[report.mail]\n\
         server = \"localhost:{}\"\nfrom = \"e@contoso.com\"\nto = [\"a@contoso.com\"]\n\
         ca_file = \"{}\"\n",
        address.port(),
        ca.path().display()
    );
    place.configure(|text| format!("{text}{report}"));
    let (code, text) = place.verb(&["report"]).await;
    assert_eq!((code, text.as_str()), (0, "admins: sent\n"));
    assert!(mails.recv().await.unwrap().text.contains("Subject: [entraldap] test"));

    let mut daemon = place.start().await;
    daemon.wait_for("pass committed").await;
    let first = mails.recv().await.unwrap();
    assert!(first.text.contains("contoso: pass 1:"), "{}", first.text);
    let broken = Rule::new(Action::Status(403, RetryAfter::Missing)).path("/users");
    let broken = simulator.faults().add(broken);
    place.verb(&["sync"]).await;
    let trouble = mails.recv().await.unwrap();
    assert!(trouble.text.contains("Subject: [entraldap] contoso: pass 2"), "{}", trouble.text);
    simulator.faults().remove(broken);
    simulator.with_tenant(|tenant| tenant.soft_delete(&id(0)).unwrap());
    place.verb(&["sync"]).await;
    let held = mails.recv().await.unwrap();
    assert!(held.text.contains("held"), "the last user: {}", held.text);
    daemon.stop().await;
}
