//! Binds that fail again and again, binds by certificate, and accounts loaded anew.

use super::world::{BASE, Client, World, replica, settings, small};
use crate::config::settings::{AccountSettings, ClientCertificate, LdapSettings, TlsSettings};
use crate::directory::dn::Dn;
use crate::ldap::accounts::tests::{cheap_hash, settings as account};
use crate::ldap::wire::samples::{bind, control, message, search, tlv};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// The client of this test has failed so often to bind as `name`, so long ago.
fn fail(world: &World, name: &str, times: usize, ago: Duration) {
    let access = world.server.access();
    let attempt = access.accounts.attempt(name, &|_| false, "127.0.0.1".parse().unwrap());
    let then = Instant::now().checked_sub(ago).unwrap();
    (0..times).for_each(|_| access.accounts.failed(None, attempt, then));
}

#[tokio::test]
async fn failing_again_and_again_ends_in_busy_for_known_and_unknown_names() {
    let world = World::small().await;
    for name in ["gw", "nobody"] {
        let mut client = world.connect().await;
        for _ in 0..10 {
            assert_eq!(client.ask(&bind(3, name, "wrong")).await.code(), 49, "{name}");
        }
        // More of the same, so that the wait outlasts the slowest machine.
        fail(&world, name, 10, Duration::ZERO);
        // While it waits, a client that guesses learns nothing, from no connection.
        let mut client = world.connect().await;
        for (form, password) in [
            (name.to_owned(), "wrong"),
            (name.to_owned(), "pw"),
            (format!("{name}@contoso.com"), "pw"),
            (format!("cn={name},dc=contoso,dc=com"), "pw"),
        ] {
            assert_eq!(client.ask(&bind(3, &form, password)).await.code(), 51, "{form}");
        }
        assert_eq!(client.ask(&search(BASE, 2, "(cn=*)", &[])).await.code(), 1);
    }
}

/// A program that is right and one that is not may share an account and an address.
#[tokio::test]
async fn each_right_bind_forgives_the_wrong_ones_before() {
    let world = World::small().await;
    let mut client = world.connect().await;
    for _ in 0..3 {
        for _ in 0..9 {
            assert_eq!(client.ask(&bind(3, "gw", "wrong")).await.code(), 49);
        }
        assert_eq!(client.ask(&bind(3, "gw", "pw")).await.code(), 0);
    }
}

#[tokio::test]
async fn many_guesses_at_once_get_no_further_than_one_after_the_other() {
    let world = World::small().await;
    // One more failure, and the next may come in a minute.
    fail(&world, "gw", 15, Duration::from_secs(61));
    let mut clients = Vec::new();
    for _ in 0..10 {
        let mut client = world.connect().await;
        client.send(&message(b"\x01", &bind(3, "gw", "wrong"), &[])).await;
        clients.push(client);
    }
    let mut checked = 0;
    for client in &mut clients {
        let code = client.next().await.unwrap().code();
        assert!(matches!(code, 49 | 51), "{code}");
        checked += usize::from(code == 49);
    }
    // Two passwords are checked at once.
    assert!((1..=2).contains(&checked), "{checked}");
}

/// A server whose clients may show certificates, and what signs those.
struct Pki {
    folder: TempDir,
    authority: (CertificateParams, KeyPair),
    server: CertificateDer<'static>,
}

type Tls = Client<tokio_rustls::client::TlsStream<TcpStream>>;
type Identity = (CertificateDer<'static>, KeyPair);

impl Pki {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let own = params.self_signed(&key).unwrap();
        let server = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text);
        write("ca.pem", own.pem()).unwrap();
        write("cert.pem", server.cert.pem()).unwrap();
        write("key.pem", server.signing_key.serialize_pem()).unwrap();
        Pki { folder, authority: (params, key), server: server.cert.der().clone() }
    }

    fn tls(&self) -> TlsSettings {
        let path = |name: &str| self.folder.path().join(name);
        TlsSettings {
            certificate: path("cert.pem"),
            key: path("key.pem"),
            client_ca: Some(path("ca.pem")),
        }
    }

    fn identity(&self, common_name: &str, dns: &str) -> Identity {
        let mut params = CertificateParams::new(vec![dns.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, common_name);
        let key = KeyPair::generate().unwrap();
        let issuer = Issuer::from_params(&self.authority.0, &self.authority.1);
        let certificate = params.signed_by(&key, &issuer).unwrap();
        (certificate.der().clone(), key)
    }

    async fn connect(&self, world: &World, identity: Option<&Identity>) -> Tls {
        let mut roots = RootCertStore::empty();
        roots.add(self.server.clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match identity {
            Some((certificate, key)) => {
                let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
                builder.with_client_auth_cert(vec![certificate.clone()], key).unwrap()
            }
            None => builder.with_no_client_auth(),
        };
        let stream = TcpStream::connect(world.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        Client::over(stream)
    }
}

fn sasl(mechanism: &str, credentials: Option<&str>) -> Vec<u8> {
    let mut parts = tlv(4, mechanism.as_bytes());
    parts.extend(credentials.map(|text| tlv(4, text.as_bytes())).unwrap_or_default());
    tlv(0x60, &[b"\x02\x01\x03\x04\x00".to_vec(), tlv(0xa3, &parts)].concat())
}

fn by_certificate(name: &str, certificate: ClientCertificate) -> AccountSettings {
    AccountSettings { password_hash: None, certificate: Some(certificate), ..account(name, "") }
}

async fn mechanisms(client: &mut Tls) -> Vec<String> {
    let op = search("", 0, "(objectClass=*)", &["supportedSASLMechanisms"]);
    let (entries, _) = client.entries(&message(b"\x05", &op, &[])).await;
    entries[0].attributes().into_iter().flat_map(|(_, values)| values).collect()
}

async fn who_am_i(client: &mut Tls) -> String {
    let who = client.ask(&tlv(0x77, &tlv(0x80, b"1.3.6.1.4.1.4203.1.11.3"))).await;
    who.texts().get(2).cloned().unwrap_or_default()
}

#[tokio::test]
async fn a_client_certificate_binds_by_external() {
    let pki = Pki::new();
    let printer = pki.identity("printer", "printer.contoso.com");
    let fax = pki.identity("fax", "fax.contoso.com");
    let scanner = pki.identity("scanner", "scanner.contoso.com");
    let fingerprint: [u8; 32] = Sha256::digest(&printer.0).into();
    let mut settings = LdapSettings { tls: Some(pki.tls()), ..settings() };
    settings.accounts.extend([
        by_certificate("printer", ClientCertificate::Fingerprint(fingerprint)),
        by_certificate("fax", ClientCertificate::DnsName("fax.contoso.com".to_owned())),
        by_certificate("scan", ClientCertificate::Subject(Dn::parse("cn=Scanner").unwrap())),
    ]);
    let world = World::start(&settings, replica(small()), true).await;
    for (identity, name) in [(&printer, "printer"), (&fax, "fax"), (&scanner, "scan")] {
        let mut client = pki.connect(&world, Some(identity)).await;
        assert_eq!(mechanisms(&mut client).await, ["EXTERNAL"]);
        // RFC 4513 5.2.3: implicit, by no credentials or empty ones, or explicit.
        for credentials in [
            None,
            Some(String::new()),
            Some(format!("u:{name}")),
            Some(format!("dn:cn={name},dc=contoso,dc=com")),
        ] {
            let answer = client.ask(&sasl("EXTERNAL", credentials.as_deref())).await;
            assert_eq!((answer.code(), answer.tag), (0, 0x61), "{credentials:?}");
            assert_eq!(who_am_i(&mut client).await, format!("u:{name}"));
            assert_eq!(client.find("(cn=ada lind)").await.0, ["uid=ada"]);
        }
        for wrong in ["u:gw", "u:nobody", "dn:cn=gw,dc=contoso,dc=com", name] {
            assert_eq!(client.ask(&sasl("EXTERNAL", Some(wrong))).await.code(), 49, "{wrong}");
            assert_eq!(who_am_i(&mut client).await, "");
        }
        assert_eq!(client.ask(&sasl("GSSAPI", None)).await.code(), 7);
        let unknown = message(b"\x01", &sasl("EXTERNAL", None), &[control("1.2.3", true, None)]);
        client.send(&unknown).await;
        assert_eq!(client.next().await.unwrap().code(), 12);
        // A password works beside it; an account without one cannot bind by any.
        assert_eq!(client.ask(&bind(3, "gw", "pw")).await.code(), 0);
        assert_eq!(client.ask(&bind(3, name, "pw")).await.code(), 49);
    }
}

#[tokio::test]
async fn external_is_offered_only_where_it_can_work() {
    let pki = Pki::new();
    let stranger = pki.identity("stranger", "stranger.contoso.com");
    let settings = LdapSettings { tls: Some(pki.tls()), ..settings() };
    let world = World::start(&settings, replica(small()), true).await;
    let mut without = pki.connect(&world, None).await;
    assert!(mechanisms(&mut without).await.is_empty());
    assert_eq!(without.ask(&sasl("EXTERNAL", None)).await.code(), 7);
    assert_eq!(without.ask(&bind(3, "gw", "pw")).await.code(), 0);
    let mut unknown = pki.connect(&world, Some(&stranger)).await;
    assert!(mechanisms(&mut unknown).await.is_empty());
    assert_eq!(unknown.ask(&sasl("EXTERNAL", None)).await.code(), 49);
    // A certificate that nobody vouches for ends the connection.
    let own = rcgen::generate_simple_self_signed(["x".to_owned()]).unwrap();
    let identity = (own.cert.der().clone(), own.signing_key);
    let mut forged = pki.connect(&world, Some(&identity)).await;
    forged.try_send(&message(b"\x01", &sasl("EXTERNAL", None), &[])).await;
    assert_eq!(forged.next().await, None);
    let plain = World::start(&settings, replica(small()), false).await;
    assert_eq!(plain.connect().await.ask(&sasl("EXTERNAL", None)).await.code(), 7);
}

#[tokio::test]
async fn accounts_loaded_anew_keep_connections_and_end_what_is_gone() {
    let world = World::small().await;
    let mut client = world.bound().await;
    let everything = || LdapSettings { accounts: Vec::new(), ..settings() };
    let hash = world_hash(&world);
    // The same account with another profile: the next request sees it.
    let mut changed = AccountSettings { password_hash: hash.clone(), ..account("gw", "") };
    let bases = vec![Dn::parse("ou=groups,dc=contoso,dc=com").unwrap()];
    changed.profile =
        Arc::new(crate::config::settings::ProfileSettings { bases, ..Default::default() });
    world.server.reload(&LdapSettings { accounts: vec![changed], ..settings() }).unwrap();
    assert_eq!(client.find("(cn=ada lind)").await, (Vec::new(), 0));
    assert_eq!(client.find("(cn=team)").await.0, ["cn=team"]);
    // A broken hash changes nothing.
    let broken = vec![account("gw", "secret")];
    world.server.reload(&LdapSettings { accounts: broken, ..settings() }).unwrap_err();
    assert_eq!(client.find("(cn=team)").await.0, ["cn=team"]);
    // Gone, or proved otherwise: not anonymous, even where that may search.
    let other = vec![account("gw", &cheap_hash("new"))];
    for accounts in [Vec::new(), other.clone()] {
        let anonymous = Some(Arc::default());
        let gone = LdapSettings { accounts, anonymous, ..everything() };
        world.server.reload(&gone).unwrap();
        assert_eq!(client.find("(cn=team)").await, (Vec::new(), 1));
        assert_eq!(world.connect().await.find("(cn=team)").await.1, 0);
    }
    assert_eq!(client.ask(&bind(3, "gw", "pw")).await.code(), 49);
    assert_eq!(client.ask(&bind(3, "gw", "new")).await.code(), 0);
    assert_eq!(client.find("(cn=team)").await.0, ["cn=team"]);
}

/// The hash that `gw` has in this world.
fn world_hash(world: &World) -> Option<crate::config::Secret> {
    world.accounts.first().and_then(|account| account.password_hash.clone())
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_to_the_next_client() {
    let pki = Pki::new();
    let settings = LdapSettings { tls: Some(pki.tls()), ..settings() };
    let world = World::start(&settings, replica(small()), true).await;
    let mut before = pki.connect(&world, None).await;
    let renewed = Pki::new();
    let key = renewed.folder.path().join("key.pem");
    std::fs::copy(&key, pki.folder.path().join("key.pem")).unwrap();
    // Half of the pair is renewed: what is there stays.
    world.server.reload(&settings).unwrap_err();
    assert_eq!(pki.connect(&world, None).await.ask(&bind(3, "", "")).await.code(), 0);
    let certificate = renewed.folder.path().join("cert.pem");
    std::fs::copy(&certificate, pki.folder.path().join("cert.pem")).unwrap();
    world.server.reload(&settings).unwrap();
    assert_eq!(renewed.connect(&world, None).await.ask(&bind(3, "", "")).await.code(), 0);
    assert_eq!(before.ask(&bind(3, "", "")).await.code(), 0);
    let none = LdapSettings { tls: None, ..settings.clone() };
    assert!(world.server.reload(&none).unwrap_err().to_string().contains("restart"));
}
