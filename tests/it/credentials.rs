//! Each way to prove oneself to Entra, against a token service that checks for real.

mod certificates;
mod lives;
mod machines;

use crate::world::{World, options};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use entraldap::config::Secret;
use entraldap::config::secret::ProxyUrl;
use entraldap::config::settings::{
    CertificateSource, Credential, Identity, IdentityHost, ManagedIdentity, SecretSource,
    SignInProof,
};
use entraldap::graph::{Access, ErrorKind, Graph, GraphError, SignIn};
use entraldap::simulator::{Action, RetryAfter, SignIn as PasswordState};
use entraldap::simulator::{
    Federation, Kind, Knobs, Machine, MachineIdentity, Options, Rule, ServerCertificate, Simulator,
    Target, Tenant, Thumbprint,
};
use entraldap::sync::SyncError;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use ring::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

pub fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/certificates").join(name)
}

pub fn der(name: &str) -> Vec<u8> {
    CertificateDer::from_pem_file(sample(name)).unwrap().to_vec()
}

fn certificate(file: &str, key: Option<&str>, password: Option<&str>) -> Credential {
    Credential::Certificate(CertificateSource {
        file: sample(file),
        key: key.map(sample),
        password: password.map(|text| SecretSource::Value(Secret::new(text))),
    })
}

/// A small tenant whose application proves itself so.
async fn world(options: Options, credential: Credential) -> World {
    let mut world = World::with(Tenant::generate(5, 30), options).await;
    world.connection.credential = credential;
    world.connection.graph.attempts = 1;
    world.open();
    world
}

async fn refusal(world: &World) -> GraphError {
    match world.try_pass(false).await {
        Err((_, SyncError::Graph(error))) => error,
        other => panic!("{other:?}"),
    }
}

/// Anybody else's token, as Kubernetes or GitHub issue them.
pub fn federated_token(subject: &str, audience: &str, life: i64) -> String {
    let key = PrivatePkcs8KeyDer::from_pem_file(sample("other.key")).unwrap();
    let key = RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    let claims = json!({ "iss": "https://issuer.example", "sub": subject, "aud": audience,
                         "iat": now, "exp": now + life });
    let part = |value: &serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&json!({ "alg": "RS256", "kid": "k" })), part(&claims));
    let mut signature = vec![0; key.public().modulus_len()];
    let random = ring::rand::SystemRandom::new();
    key.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature).unwrap();
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

pub fn federation() -> Federation {
    let key = PrivatePkcs8KeyDer::from_pem_file(sample("other.key")).unwrap();
    let key = RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).unwrap();
    Federation {
        issuer: "https://issuer.example".to_owned(),
        subject: "system:serviceaccount:mail:entraldap".to_owned(),
        audience: "api://AzureADTokenExchange".to_owned(),
        public_key: key.public_key().as_ref().to_vec(),
    }
}

#[tokio::test]
async fn two_secrets_overlap_while_one_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let files = ["one", "two"].map(|name| folder.path().join(name));
    std::fs::write(&files[0], "right-secret").unwrap();
    std::fs::write(&files[1], "coming-secret").unwrap();
    let sources = files.clone().map(SecretSource::File).to_vec();
    let world = world(options(), Credential::Secrets(sources)).await;
    world.pass().await;
    let asked = world.simulator.tally().token;
    assert_eq!(asked, 1);
    let next = async |expected: usize| {
        world.simulator.advance(Duration::from_secs(7200));
        world.simulator.forget_requests();
        world.pass().await;
        world.assert_equal();
        assert_eq!(world.simulator.tally().token, expected);
    };
    // The first one ends: the second is tried in the same pass, and first from then on.
    world.simulator.change_secret("coming-secret");
    next(2).await;
    next(1).await;
    // The first file is rotated: nothing restarts.
    std::fs::write(&files[0], "third-secret").unwrap();
    world.simulator.change_secret("third-secret");
    next(2).await;
    // One of two files may be missing, and neither may be all.
    std::fs::remove_file(&files[1]).unwrap();
    next(1).await;
    world.simulator.change_secret("unknown");
    world.simulator.advance(Duration::from_secs(7200));
    let error = refusal(&world).await;
    assert_eq!(error.code.as_deref(), Some("AADSTS7000215"));
    assert!(!error.to_string().contains("third-secret"));
    std::fs::remove_file(&files[0]).unwrap();
    let error = refusal(&world).await;
    assert_eq!(error.kind, ErrorKind::Secret);
}

#[tokio::test]
async fn a_users_password_is_checked_with_the_secret_that_is_good() {
    let sources = ["old-secret", "right-secret"].map(|text| SecretSource::Value(Secret::new(text)));
    let world = world(options(), Credential::Secrets(sources.to_vec())).await;
    let graph = Graph::new(&world.connection).unwrap();
    let user = "ada@contoso.com";
    world.simulator.set_password(user, "hush", PasswordState::Plain);
    for asked in [2, 3] {
        let sign_in = SignIn {
            username: user,
            password: "hush",
            client_id: None,
            proof: &SignInProof::Connection,
            scope: "openid",
            timeout: Duration::from_secs(60),
        };
        graph.sign_in(&sign_in).await.unwrap();
        assert_eq!(world.simulator.tally().sign_ins, asked);
    }
}

#[tokio::test(start_paused = true)]
async fn a_person_signs_in_by_code_and_the_refresh_token_is_rotated() {
    let options = Options { public_client: true, ..options() };
    let mut world = World::with(Tenant::generate(5, 20), options).await;
    world.connection.graph.attempts = 1;
    world.connection.graph.request_timeout = Duration::ZERO;
    world.connection.graph.connect_timeout = Duration::ZERO;
    let file = world.folder.path().join("token");
    world.connection.credential = Credential::Delegated(file.clone());
    world.open();
    let graph = Graph::new(&world.connection).unwrap();
    // Nobody has signed in yet.
    let error = refusal(&world).await;
    assert!(error.to_string().contains("entraldap authorize"), "{error}");
    let code = graph.begin_sign_in(true).await.unwrap();
    let (signed_in, ()) = tokio::join!(graph.finish_sign_in(&code), async {
        let shown = world.simulator.code_wanted().await;
        assert_eq!(shown, code.user_code);
        // Asked at least once before the person gets there.
        world.simulator.requested(3).await;
        assert!(world.simulator.enter_code(&shown, true));
    });
    let info = signed_in.unwrap();
    assert_eq!(info.person.as_deref(), Some("admin@contoso.com"));
    assert!(info.permissions.unwrap().contains(&"User.Read.All".to_owned()));
    let first = std::fs::read_to_string(&file).unwrap();
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    world.pass().await;
    world.assert_equal();
    let second = std::fs::read_to_string(&file).unwrap();
    assert_ne!(first, second, "each use brings a new one");
    // The person's password is changed: told in words, nothing is lost, and mended by signing in.
    for (number, word) in [(50_173, "revoked"), (700_082, "too long"), (70_043, "frequency")] {
        world.simulator.revoke_sign_ins(number);
        world.simulator.faults().revoke_access_tokens();
        let error = refusal(&world).await;
        assert_eq!(error.code.as_deref(), Some(format!("AADSTS{number}").as_str()));
        let text = error.to_string();
        assert!(text.contains(word) && text.contains("entraldap authorize"), "{text}");
        assert!(!text.contains(second.trim()), "{text}");
        world.assert_equal();
    }
    let code = graph.begin_sign_in(false).await.unwrap();
    assert!(world.simulator.enter_code(&code.user_code, false));
    let error = graph.finish_sign_in(&code).await.unwrap_err();
    assert!(error.to_string().contains("declined"), "{error}");
    let code = graph.begin_sign_in(false).await.unwrap();
    assert!(world.simulator.enter_code(&code.user_code, true));
    graph.finish_sign_in(&code).await.unwrap();
    world.pass().await;
}

/// A certificate authority of a company's own, and a certificate for this machine.
pub fn company() -> (String, ServerCertificate) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
    let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
    let server = ServerCertificate { certificate: certificate.pem(), key: key.serialize_pem() };
    (authority, server)
}

/// An HTTP proxy that wants a login; says how many tunnels it has made.
pub async fn proxy() -> (u16, std::sync::Arc<std::sync::atomic::AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let tunnels = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = tunnels.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let count = count.clone();
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                let (mut first, mut known) = (String::new(), false);
                stream.read_line(&mut first).await.unwrap();
                loop {
                    let mut line = String::new();
                    stream.read_line(&mut line).await.unwrap();
                    // ada:geheim
                    known |= line.trim().ends_with("Basic YWRhOmdlaGVpbQ==");
                    if line.trim().is_empty() {
                        break;
                    }
                }
                if !known {
                    let answer =
                        "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n";
                    let _ = stream.write_all(answer.as_bytes()).await;
                    return;
                }
                let target = first.split(' ').nth(1).unwrap().to_owned();
                let mut upstream = TcpStream::connect(target).await.unwrap();
                count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut upstream).await;
            });
        }
    });
    (port, tunnels)
}

#[tokio::test]
async fn an_own_cloud_with_an_own_authority_through_a_proxy_with_a_login() {
    let (authority, server) = company();
    let options = Options { tls: Some(server), certificates: vec![der("app.pem")], ..options() };
    let mut world = world(options, certificate("both.pem", None, None)).await;
    assert!(world.connection.graph.endpoint.as_str().starts_with("https://"));
    // Nobody knows this authority.
    let error = refusal(&world).await;
    assert_eq!(error.kind, ErrorKind::Network);
    assert!(error.to_string().contains("ca_file"), "{error}");
    let file = world.folder.path().join("ca.pem");
    std::fs::write(&file, authority).unwrap();
    world.connection.graph.ca_file = Some(file);
    world.open();
    world.pass().await;
    world.assert_equal();
    // The same through the proxy, first without the password that it wants.
    let (port, tunnels) = proxy().await;
    let through =
        |login: &str| ProxyUrl::new(format!("http://{login}127.0.0.1:{port}").parse().unwrap());
    world.connection.graph.proxy = Some(through("ada:wrong@"));
    world.open();
    let error = refusal(&world).await;
    assert!(!error.to_string().contains("wrong"), "{error}");
    world.connection.graph.proxy = Some(through("ada:geheim@"));
    world.open();
    world.pass().await;
    assert!(tunnels.load(std::sync::atomic::Ordering::Relaxed) > 0);
}

#[tokio::test]
async fn a_tenant_is_known_by_its_domain_too() {
    let mut world = World::with(Tenant::generate(5, 20), options()).await;
    let domain = world.simulator.with_tenant(|tenant| {
        let verified = |domain: &&serde_json::Value| domain["isVerified"] == true;
        tenant.domains().iter().find(verified).unwrap()["id"].as_str().unwrap().to_owned()
    });
    world.connection.tenant = domain;
    world.open();
    world.pass().await;
    world.assert_equal();
}

#[tokio::test(start_paused = true)]
async fn a_token_service_that_throttles_is_waited_for() {
    let world = World::hasty(Tenant::generate(5, 20), Knobs::default()).await;
    let throttle = Action::Throttle(RetryAfter::Seconds(1));
    world.simulator.faults().add(Rule::new(throttle).on(Target::Token).times(1));
    let error = refusal(&world).await;
    assert_eq!(error.kind, ErrorKind::Throttled);
    world.pass().await;
    world.assert_equal();
}
