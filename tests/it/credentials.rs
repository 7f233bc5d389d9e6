//! Each way to prove oneself to Entra, against a token service that checks for real.

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
async fn a_certificate_proves_the_application_in_every_format() {
    for (file, key, password) in [
        ("app.pem", Some("app.key"), None),
        ("both.pem", None, None),
        ("app.pem", Some("app-encrypted.key"), Some("hush")),
        ("app.pfx", None, Some("hush")),
        ("app-legacy.pfx", None, Some("hush")),
    ] {
        let options = Options { certificates: vec![der("app.pem")], ..options() };
        let world = world(options, certificate(file, key, password)).await;
        world.pass().await;
        world.assert_equal();
    }
}

#[tokio::test]
async fn both_spellings_of_a_thumbprint_get_a_token() {
    for thumbprint in [Thumbprint::Url, Thumbprint::Standard] {
        let knobs = Knobs { thumbprint, ..Knobs::default() };
        let options = Options { certificates: vec![der("app.pem")], knobs, ..options() };
        let world = world(options, certificate("both.pem", None, None)).await;
        world.pass().await;
        let first = world.simulator.tally().token;
        assert_eq!(first, if thumbprint == Thumbprint::Url { 1 } else { 2 });
        // The next token is asked for in the spelling that was taken.
        world.simulator.faults().revoke_access_tokens();
        world.pass().await;
        assert_eq!(world.simulator.tally().token, first + 1);
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_registered_is_refused_with_a_remedy() {
    let options = Options { certificates: vec![der("other.pem")], ..options() };
    let world = world(options, certificate("both.pem", None, None)).await;
    let error = refusal(&world).await;
    assert_eq!(error.code.as_deref(), Some("AADSTS700027"));
    assert!(error.to_string().contains("Certificates & secrets > Certificates"), "{error}");
    // Registered while the program runs: the next pass goes well.
    world.simulator.change_certificates(vec![der("other.pem"), der("app.pem")]);
    world.pass().await;
    world.assert_equal();
}

#[tokio::test]
async fn a_renewed_certificate_file_is_used_without_a_restart() {
    let options = Options { certificates: vec![der("app.pem")], ..options() };
    let mut world = World::with(Tenant::generate(5, 30), options).await;
    let file = world.folder.path().join("app.pem");
    std::fs::copy(sample("both.pem"), &file).unwrap();
    let source = CertificateSource { file: file.clone(), key: None, password: None };
    world.connection.credential = Credential::Certificate(source);
    world.open();
    world.pass().await;
    world.simulator.change_certificates(vec![der("other.pem")]);
    let text = |name: &str| std::fs::read_to_string(sample(name)).unwrap();
    std::fs::write(&file, text("other.pem") + &text("other.key")).unwrap();
    world.simulator.faults().revoke_access_tokens();
    world.pass().await;
    world.assert_equal();
}

#[tokio::test]
async fn an_assertion_of_a_clock_that_is_an_hour_off_is_refused_and_the_clock_is_named() {
    let options = Options { certificates: vec![der("app.pem")], ..options() };
    let world = world(options, certificate("both.pem", None, None)).await;
    world.simulator.advance(Duration::from_secs(3600));
    let error = refusal(&world).await;
    assert_eq!(error.code.as_deref(), Some("AADSTS700024"));
    assert!(error.to_string().contains("clock"), "{error}");
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

#[tokio::test]
async fn a_federated_token_is_read_anew_for_each_token() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let write = |subject: &str, audience: &str, life: i64| {
        std::fs::write(&file, federated_token(subject, audience, life)).unwrap();
    };
    let Federation { subject, audience, .. } = federation();
    write(&subject, &audience, 3600);
    let options = Options { federations: vec![federation()], ..options() };
    let world = world(options, Credential::Federated(file.clone())).await;
    world.pass().await;
    world.assert_equal();
    world.simulator.advance(Duration::from_secs(7200));
    let error = refusal(&world).await;
    assert_eq!(error.code.as_deref(), Some("AADSTS700024"), "{error}");
    write(&subject, &audience, 3 * 3600);
    world.pass().await;
    for (subject, audience, code) in [
        ("other", audience.as_str(), "AADSTS700213"),
        (subject.as_str(), "api://other", "AADSTS700212"),
    ] {
        write(subject, audience, 24 * 3600);
        world.simulator.advance(Duration::from_secs(7200));
        let error = refusal(&world).await;
        assert_eq!(error.code.as_deref(), Some(code));
        assert!(error.to_string().contains("Federated credentials"), "{error}");
    }
    std::fs::write(&file, "\n").unwrap();
    let error = refusal(&world).await;
    assert!(error.kind == ErrorKind::Secret && error.to_string().contains("is empty"), "{error}");
}

fn machine(simulator: &Simulator, machine: &Machine, identity: Option<Identity>) -> Credential {
    let url = |path: &str| format!("{}{path}", simulator.base_url()).parse().unwrap();
    let imds = "/metadata/identity/oauth2/token";
    let host = match machine {
        Machine::Imds => IdentityHost::Imds(url(imds)),
        Machine::AppService(header) => {
            IdentityHost::AppService(url("/msi/token"), Secret::new(header))
        }
        Machine::Arc(keys) => IdentityHost::Arc(url(imds), keys.clone()),
    };
    Credential::Managed(ManagedIdentity { host, identity })
}

#[tokio::test]
async fn a_machine_gets_tokens_for_its_identities() {
    let keys = tempfile::tempdir().unwrap();
    let named = MachineIdentity {
        client: "22222222-0000-4000-8000-000000000001".to_owned(),
        object: "22222222-0000-4000-8000-000000000002".to_owned(),
        resource: "/subscriptions/s/resourceGroups/g/providers/p/userAssignedIdentities/i"
            .to_owned(),
    };
    for host in [
        Machine::Imds,
        Machine::AppService("hush-header".to_owned()),
        Machine::Arc(keys.path().to_owned()),
    ] {
        let options = Options {
            machine: Some(host.clone()),
            machine_identities: vec![named.clone()],
            ..options()
        };
        let mut world = World::with(Tenant::generate(5, 20), options).await;
        world.connection.graph.attempts = 1;
        for identity in [
            None,
            Some(Identity::Client(named.client.clone())),
            Some(Identity::Object(named.object.clone())),
            Some(Identity::Resource(named.resource.clone())),
        ] {
            world.connection.credential = machine(&world.simulator, &host, identity);
            world.open();
            world.pass().await;
            world.assert_equal();
        }
        let unknown = Some(Identity::Client("other".to_owned()));
        world.connection.credential = machine(&world.simulator, &host, unknown);
        world.open();
        let error = refusal(&world).await;
        assert_eq!((error.kind, error.access), (ErrorKind::Credential, Access::Machine));
        assert!(error.to_string().contains("managed_identity"), "{error}");
    }
}

#[tokio::test]
async fn a_machine_without_the_right_header_gets_nothing() {
    let host = Machine::AppService("right".to_owned());
    let options = Options { machine: Some(host), ..options() };
    let mut world = World::with(Tenant::generate(5, 20), options).await;
    world.connection.graph.attempts = 1;
    let other = Machine::AppService("hush-wrong".to_owned());
    world.connection.credential = machine(&world.simulator, &other, None);
    world.open();
    let error = refusal(&world).await;
    assert_eq!(error.status, Some(401));
    assert!(!error.to_string().contains("hush-wrong"), "{error}");
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

#[tokio::test]
async fn tokens_that_live_for_seconds_carry_a_long_first_load() {
    let knobs = Knobs { page_objects: 4, ..Knobs::default() };
    let options = Options { token_lifetime: Duration::from_secs(2), knobs, ..options() };
    let world = World::with(Tenant::generate(7, 200), options).await;
    let simulator = &world.simulator;
    // One that dies twice at the same request ends a pass, and the next one goes on.
    let load = world.settle(50);
    // Every few requests the token in use dies, in the middle of a round.
    let time = async {
        for request in (5..).step_by(5) {
            simulator.requested(request).await;
            simulator.advance(Duration::from_secs(3));
        }
    };
    tokio::select! {
        _ = load => {}
        () = time => unreachable!("time does not end"),
    }
    world.assert_equal();
    let tally = world.simulator.tally();
    assert!(tally.token > 5 && tally.refused > 5, "{tally:?}");
}

#[tokio::test(start_paused = true)]
async fn consent_that_is_withdrawn_and_granted_again_costs_nothing() {
    let world = World::hasty(Tenant::generate(5, 30), Knobs::default()).await;
    world.pass().await;
    let served = world.served();
    let user = world.simulator.with_tenant(|tenant| {
        let user = tenant.live(Kind::User).next().unwrap().to_owned();
        tenant.set(Kind::User, &user, "displayName", "Renamed".into()).unwrap();
        user
    });
    world.simulator.grant(&[]);
    for _ in 0..3 {
        world.simulator.faults().revoke_access_tokens();
        let (record, _) = world.try_pass(false).await.unwrap_err();
        assert!(record.error.contains("User.Read.All"), "{}", record.error);
        assert_eq!(world.served(), served);
    }
    let all = options().roles;
    world.simulator.grant(&all.iter().map(String::as_str).collect::<Vec<_>>());
    world.pass().await;
    assert!(world.values(&user, "displayName").contains("Renamed"));
    world.assert_equal();
}

#[tokio::test(start_paused = true)]
async fn a_permission_granted_while_a_token_lives_is_noticed_before_its_end() {
    let knobs = Knobs { roles_in_token: true, ..Knobs::default() };
    let world = World::hasty(Tenant::generate(5, 30), knobs).await;
    world.simulator.grant(&[]);
    let (record, _) = world.try_pass(false).await.unwrap_err();
    assert!(record.error.contains("User.Read.All"), "{}", record.error);
    let all = options().roles;
    world.simulator.grant(&all.iter().map(String::as_str).collect::<Vec<_>>());
    // The token was given a moment ago; many passes in a row do not ask for many.
    for _ in 0..5 {
        world.try_pass(false).await.unwrap_err();
    }
    assert_eq!(world.simulator.tally().token, 1);
    tokio::time::advance(Duration::from_secs(601)).await;
    world.try_pass(false).await.unwrap_err();
    world.pass().await;
    world.assert_equal();
    assert_eq!(world.simulator.tally().token, 2);
    // Withdrawn: Graph goes by the token, too, until it ends.
    world.simulator.grant(&[]);
    world.pass().await;
    tokio::time::advance(Duration::from_secs(3600)).await;
    world.try_pass(false).await.unwrap_err();
    world.assert_equal();
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
