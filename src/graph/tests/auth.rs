//! Tokens: asked for, renewed, refused.

use super::server::{Reply, Server, TOKEN};
use super::*;
use crate::config::secret::ProxyUrl;
use crate::graph::{ErrorKind, Retry};

fn issued(token: &str, expires_in: &str) -> Reply {
    Reply::json(&format!(
        r#"{{"token_type":"Bearer","expires_in":{expires_in},"access_token":"{token}"}}"#
    ))
}

fn refused(number: u32) -> Reply {
    Reply::json(&format!(
        r#"{{"error":"invalid_client","error_description":"AADSTS{number}: What is wrong.\r\nTrace ID: t1 Correlation ID: c1","error_codes":[{number}],"trace_id":"t1","correlation_id":"c1"}}"#
    ))
    .status(401)
}

fn rejected() -> Reply {
    graph_error(401, "InvalidAuthenticationToken")
}

#[tokio::test(start_paused = true)]
async fn the_token_request_is_the_documented_form() {
    let (server, graph) = world([last_page()]).await;
    graph.page(&start()).await.unwrap();
    let asked = server.asked_tokens();
    assert_eq!(asked[0].line, "POST /contoso.example/oauth2/v2.0/token HTTP/1.1");
    let form: Vec<(String, String)> =
        url::form_urlencoded::parse(asked[0].body.as_bytes()).into_owned().collect();
    let scope = format!("http://127.0.0.1:{}/.default", server.port);
    let expected = [
        ("client_id", "11111111-2222-3333-4444-555555555555"),
        ("scope", scope.as_str()),
        ("grant_type", "client_credentials"),
        ("client_secret", SECRET),
    ];
    assert_eq!(form, expected.map(|(k, v)| (k.to_owned(), v.to_owned())));
    let page = &server.asked()[0];
    assert_eq!(page.header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
    assert_eq!(page.header("accept-encoding"), Some("gzip"));
    assert_eq!(page.header("user-agent"), Some(concat!("entraldap/", env!("CARGO_PKG_VERSION"))));
    assert_eq!(page.header("client-request-id").map(str::len), Some(36));
    assert_eq!(page.header("prefer"), None);
    assert_ne!(page.header("client-request-id"), asked[0].header("client-request-id"));
}

#[tokio::test(start_paused = true)]
async fn one_token_serves_until_shortly_before_its_end() {
    let (server, graph) = world(vec![last_page(); 3]).await;
    server.tokens([issued("a", "\"3600\"")]);
    graph.page(&start()).await.unwrap();
    tokio::time::advance(Duration::from_secs(3000)).await;
    graph.page(&start()).await.unwrap();
    assert_eq!(server.asked_tokens().len(), 1);
    tokio::time::advance(Duration::from_secs(301)).await;
    graph.page(&start()).await.unwrap();
    assert_eq!(server.asked_tokens().len(), 2);
    assert_eq!(server.asked()[2].header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
}

#[tokio::test(start_paused = true)]
async fn many_requests_at_once_ask_for_one_token() {
    let (server, graph) = world(vec![last_page(); 4]).await;
    let at = start();
    let pages = tokio::join!(graph.page(&at), graph.page(&at), graph.page(&at), graph.page(&at));
    assert!(pages.0.is_ok() && pages.1.is_ok() && pages.2.is_ok() && pages.3.is_ok());
    assert_eq!(server.asked_tokens().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_rejected_token_is_renewed_once() {
    let challenge = rejected()
        .header("WWW-Authenticate", r#"Bearer error="insufficient_claims", claims="eyJh""#);
    let (server, graph) = world([challenge, last_page()]).await;
    graph.page(&start()).await.unwrap();
    let asked = server.asked();
    assert_ne!(asked[0].header("authorization"), asked[1].header("authorization"));

    let (server, graph) = world(vec![rejected(); 9]).await;
    let error = graph.page(&delta(&server)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unauthorized);
    assert!(matches!(error.retry, Retry::After(_)));
    assert_eq!((server.asked().len(), server.asked_tokens().len()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn two_requests_with_the_same_rejected_token_renew_it_once() {
    let (server, graph) = world([rejected(), rejected(), last_page(), last_page()]).await;
    let at = start();
    let (a, b) = tokio::join!(graph.page(&at), graph.page(&at));
    assert!(a.is_ok() && b.is_ok());
    assert_eq!(server.asked_tokens().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_failed_early_renewal_leaves_the_old_token_in_use() {
    let (server, graph) = world(vec![last_page(); 2]).await;
    server.tokens([issued("old", "3600"), refused(7000222)]);
    graph.page(&start()).await.unwrap();
    tokio::time::advance(Duration::from_secs(3400)).await;
    graph.page(&start()).await.unwrap();
    assert_eq!(server.asked()[1].header("authorization"), Some("Bearer old"));
}

#[tokio::test(start_paused = true)]
async fn a_refused_credential_says_what_to_do() {
    for (number, advice) in [
        (7000215, "Value"),
        (7000222, "expired"),
        (700016, "client_id"),
        (700038, "client_id"),
        (90002, "cloud"),
        (500011, "endpoint"),
    ] {
        let (server, graph) = world([]).await;
        server.tokens([refused(number)]);
        let error = graph.page(&start()).await.unwrap_err();
        assert_eq!((error.kind, error.retry), (ErrorKind::Credential, Retry::Never));
        assert_eq!(error.code.as_deref(), Some(format!("AADSTS{number}").as_str()));
        assert_eq!(error.request_id.as_deref(), Some("t1"));
        assert!(error.advice().unwrap().contains(advice), "{error}");
        assert_eq!(server.asked_tokens().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn trouble_at_the_token_endpoint_is_tried_again() {
    for fault in [
        Reply::html("<html></html>").status(503),
        Reply::json("").status(429).header("Retry-After", "3"),
        refused(90033).status(400),
        Reply::json("{}"),
        Reply::html("<html>hotel</html>"),
        Reply::closed(),
    ] {
        let (server, graph) = world([]).await;
        server.tokens([fault]);
        graph.token().await.unwrap();
        assert_eq!(server.asked_tokens().len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn the_secret_file_is_read_at_each_renewal() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("secret");
    let server = Server::start([]).await;
    let mut settings = settings(server.port);
    settings.credential = Credential::Secrets(vec![SecretSource::File(path.clone())]);
    let graph = Graph::new(&settings).unwrap();

    for write in [None, Some("\n")] {
        if let Some(text) = write {
            std::fs::write(&path, text).unwrap();
        }
        let error = graph.token().await.unwrap_err();
        assert_eq!((error.kind, error.retry), (ErrorKind::Secret, Retry::Never));
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    }
    server.tokens([issued("a", "60"), issued("b", "60")]);
    for (secret, text) in [("one", "one\n"), ("two", "two\r\n")] {
        std::fs::write(&path, text).unwrap();
        graph.token().await.unwrap();
        let asked = server.asked_tokens();
        assert!(asked.last().unwrap().body.ends_with(&format!("client_secret={secret}")));
        tokio::time::advance(Duration::from_secs(31)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_token_tells_roles_and_tenant() {
    let (server, graph) = world([]).await;
    // {"tid":"t-1","appid":"a-1","aud":"https://graph","roles":["User.Read.All"]}
    let payload = "eyJ0aWQiOiJ0LTEiLCJhcHBpZCI6ImEtMSIsImF1ZCI6Imh0dHBzOi8vZ3JhcGgiLCJyb2xlcyI6WyJVc2VyLlJlYWQuQWxsIl19";
    server.tokens([issued(&format!("e30.{payload}.x"), "3600")]);
    let info = graph.token().await.unwrap();
    assert_eq!(info.permissions, Some(vec!["User.Read.All".to_owned()]));
    assert_eq!((info.tenant.as_deref(), info.application.as_deref()), (Some("t-1"), Some("a-1")));
    assert_eq!(info.audience.as_deref(), Some("https://graph"));
    let left = info.expires.duration_since(std::time::SystemTime::now()).unwrap();
    assert!((3000..=3600).contains(&left.as_secs()));

    server.tokens([issued("e30.e30.x", "3600")]);
    let info = Graph::new(&settings(server.port)).unwrap().token().await.unwrap();
    assert_eq!(info.permissions, Some(vec![]));
    server.tokens([issued("opaque", "3600")]);
    let info = Graph::new(&settings(server.port)).unwrap().token().await.unwrap();
    assert_eq!(info.permissions, None);
}

#[test]
fn plain_http_is_allowed_on_loopback_only() {
    for (url, good) in [
        ("http://127.0.0.1:80/", true),
        ("http://localhost/", true),
        ("http://[::1]:1/", true),
        ("https://graph.microsoft.com/", true),
        ("http://graph.microsoft.com/", false),
        ("http://10.0.0.1/", false),
        ("ftp://127.0.0.1/", false),
        ("https://user:hush@graph.microsoft.com/", false),
    ] {
        let mut with = settings(1);
        with.graph.endpoint = Url::parse(url).unwrap();
        // Without root certificates on this system, https fails for another reason.
        match Graph::new(&with) {
            Err(error) if good => assert!(error.message.contains("certificates"), "{url} {error}"),
            made => assert_eq!(made.is_ok(), good, "{url}"),
        }
        let mut with = settings(1);
        with.graph.authority = Url::parse(url).unwrap();
        if !good {
            let error = Graph::new(&with).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Settings);
            assert!(!error.to_string().contains("hush"), "{error}");
        }
    }
}

#[test]
fn a_ca_file_must_hold_certificates() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ca.pem");
    let mut with = settings(1);
    with.graph.ca_file = Some(path.clone());
    for write in [None, Some("nothing")] {
        if let Some(text) = write {
            std::fs::write(&path, text).unwrap();
        }
        let error = Graph::new(&with).unwrap_err();
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    }
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(&path, own.cert.pem()).unwrap();
    Graph::new(&with).unwrap();
    with.graph.endpoint = Url::parse("https://localhost:1/").unwrap();
    Graph::new(&with).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_configured_proxy_is_used_and_its_password_not_told() {
    let proxy = Server::start([last_page()]).await;
    let mut with = settings(9);
    let url = format!("http://user:hush-pw@127.0.0.1:{}/", proxy.port);
    with.graph.proxy = Some(ProxyUrl::new(Url::parse(&url).unwrap()));
    let graph = Graph::new(&with).unwrap();
    graph.page(&start()).await.unwrap();
    assert!(proxy.asked()[0].line.starts_with("GET http://127.0.0.1:9/v1.0/users/delta?"));
    assert!(proxy.asked()[0].header("proxy-authorization").is_some());

    with.graph.proxy =
        Some(ProxyUrl::new(Url::parse("socks5://user:hush-pw@127.0.0.1:1/").unwrap()));
    let error = Graph::new(&with).unwrap_err();
    assert!(error.message.contains("proxy") && !error.to_string().contains("hush"), "{error}");
}

#[tokio::test]
async fn a_server_with_an_own_certificate_is_trusted_through_ca_file_only() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let tls = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(tls));
    let server = Server::start_with([last_page()], Some(acceptor)).await;

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ca.pem");
    std::fs::write(&path, own.cert.pem()).unwrap();
    let mut with = settings(server.port);
    let root = Url::parse(&format!("https://localhost:{}/", server.port)).unwrap();
    (with.graph.authority, with.graph.endpoint) = (root.clone(), root);
    with.graph.ca_file = Some(path.clone());
    Graph::new(&with).unwrap().page(&start()).await.unwrap();

    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(&path, other.cert.pem()).unwrap();
    with.graph.attempts = 1;
    let error = Graph::new(&with).unwrap().token().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Network);
    assert!(error.message.contains("certificate"), "{error}");
}

#[test]
fn requests_can_be_made_from_any_thread() {
    fn sendable(_: impl Send) {}
    let graph = Graph::new(&settings(1)).unwrap();
    let at = start();
    sendable((graph.page(&at), graph.page_raw(&at), graph.domains(), graph.organization()));
    sendable(graph.token());
}
