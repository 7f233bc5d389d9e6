//! The wire: HTTP clients with their TLS, proxy and timeouts, and one request on them.

use super::error::{ErrorKind, GraphError, Retry};
use super::links::{is_loopback, place};
use super::retry::retry_after;
use crate::config::settings::{ConnectionSettings, GraphSettings};
use crate::directory::ids::ObjectId;
use bytes::{Bytes, BytesMut};
use reqwest::header::{
    CONTENT_TYPE, DATE, HeaderMap, HeaderName, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE,
};
use reqwest::{Certificate, ClientBuilder, Proxy, RequestBuilder, StatusCode};
use std::error::Error;
use std::path::Path;
use std::time::{Duration, SystemTime};
use url::Url;
use url::form_urlencoded::Serializer;
use zeroize::Zeroizing;

/// Far above any page; a longer answer is none of Graph's.
const LARGEST_BODY: usize = 64 * 1024 * 1024;
const USER_AGENT: &str = concat!("entraldap/", env!("CARGO_PKG_VERSION"));
const CONTEXT: &str = "connection";

/// The two HTTP clients of a connection, which may differ in whether a proxy of the environment counts.
#[derive(Debug)]
pub(super) struct Transport {
    pub(super) graph: reqwest::Client,
    pub(super) authority: reqwest::Client,
    /// To this machine and its host: past every proxy.
    pub(super) local: reqwest::Client,
}

/// A complete answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) retry_after: Option<Duration>,
    pub(super) request_id: Option<String>,
    pub(super) content_type: Option<String>,
    /// Where a redirect would lead: the host only.
    pub(super) redirect: Option<String>,
    pub(super) body: Bytes,
    /// `WWW-Authenticate`
    pub(super) challenge: Option<String>,
    /// The server's clock.
    pub(super) date: Option<SystemTime>,
    /// Our id of the request.
    pub(super) client_request_id: String,
}

impl Transport {
    /// Builds both clients.
    pub(super) fn new(settings: &ConnectionSettings) -> Result<Self, GraphError> {
        let graph = &settings.graph;
        for (name, url) in [("authority", &graph.authority), ("endpoint", &graph.endpoint)] {
            check_root(name, url)?;
        }
        // Another provider may have been installed before; then that one serves.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let endpoint = client(graph, &graph.endpoint)?;
        let shared = is_loopback(&graph.endpoint) == is_loopback(&graph.authority)
            && graph.endpoint.scheme() == graph.authority.scheme();
        let authority = if shared { endpoint.clone() } else { client(graph, &graph.authority)? };
        let local = reqwest::Client::builder().user_agent(USER_AGENT).no_proxy();
        let local = limited(local, graph)
            .tls_certs_only([])
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| settings_error(explain(error)))?;
        Ok(Transport { graph: endpoint, authority, local })
    }
}

/// Sends a request and reads its answer to the end.
///
/// # Errors
/// There is no complete answer; the text says why, without the URL.
pub(super) async fn exchange(request: RequestBuilder) -> Result<Answer, String> {
    let mut response = request.send().await.map_err(explain)?;
    let status = response.status();
    let headers = response.headers();
    let text = |name: HeaderName| text(headers, &name);
    let date = text(DATE).and_then(|date| httpdate::parse_http_date(&date).ok());
    let now = date.unwrap_or_else(SystemTime::now);
    let mut answer = Answer {
        status,
        retry_after: text(RETRY_AFTER).and_then(|value| retry_after(&value, now)),
        request_id: text(HeaderName::from_static("request-id"))
            .or_else(|| text(HeaderName::from_static("x-ms-request-id"))),
        content_type: text(CONTENT_TYPE),
        redirect: text(LOCATION).filter(|_| status.is_redirection()).map(|to| redirect(&to)),
        body: Bytes::new(),
        challenge: text(WWW_AUTHENTICATE),
        date,
        client_request_id: String::new(),
    };
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(explain)? {
        if body.len() + chunk.len() > LARGEST_BODY {
            return Err(format!("the answer is longer than {LARGEST_BODY} octets"));
        }
        body.extend_from_slice(&chunk);
    }
    answer.body = body.freeze();
    Ok(answer)
}

/// A random GUID (RFC 9562, version 4).
pub(super) fn client_request_id() -> String {
    let mut octets = [0; 16];
    // Without randomness the id is all zero: of less use in Microsoft's logs, and harmless.
    let _ = getrandom::fill(&mut octets);
    octets[6] = (octets[6] & 0x0f) | 0x40;
    octets[8] = (octets[8] & 0x3f) | 0x80;
    ObjectId::from_bytes(octets).to_string()
}

/// The content type of [`form`].
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

/// A body with secrets in it; wiped from memory when its last clone goes.
pub(super) fn form<'f>(fields: impl Iterator<Item = (&'f str, &'f str)> + Clone) -> Bytes {
    // A text that grows leaves copies behind; three octets are the most that one can become.
    let room = fields.clone().map(|(key, value)| key.len() + 3 * value.len() + 2).sum();
    let mut form = Zeroizing::new(String::with_capacity(room));
    Serializer::new(&mut *form).extend_pairs(fields);
    Bytes::from_owner(form)
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn redirect(location: &str) -> String {
    Url::parse(location).map_or_else(|_| "another path".to_owned(), |url| place(&url))
}

/// The whole chain of causes: `reqwest` itself says little more than that sending failed.
pub(super) fn explain(error: reqwest::Error) -> String {
    let timeout = if error.is_timeout() { "timed out: " } else { "" };
    let error = error.without_url();
    let mut text = format!("{timeout}{error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn settings_error(message: String) -> GraphError {
    GraphError::new(ErrorKind::Settings, CONTEXT, message, Retry::Never)
}

fn check_root(name: &str, url: &Url) -> Result<(), GraphError> {
    let fault = match url.scheme() {
        "https" => None,
        "http" if is_loopback(url) => None,
        "http" => Some("plain http is allowed to a loopback address only: use https"),
        _ => Some("it must be an https URL"),
    };
    let userinfo = !url.username().is_empty() || url.password().is_some();
    let fault = fault.or(userinfo.then_some("it must not hold a user or password"));
    match fault {
        Some(fault) => Err(settings_error(format!("{name} {}: {fault}", place(url)))),
        None => Ok(()),
    }
}

fn client(settings: &GraphSettings, root: &Url) -> Result<reqwest::Client, GraphError> {
    let builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .http1_only()
        .gzip(true)
        .referer(false)
        .redirect(reqwest::redirect::Policy::none());
    let mut builder = limited(builder, settings);
    if let Some(url) = &settings.proxy {
        builder = builder.proxy(proxy(url.url())?);
    } else if is_loopback(root) {
        builder = builder.no_proxy();
    }
    let own = settings.ca_file.as_deref().map(certificates).transpose()?.unwrap_or_default();
    let secure_proxy = settings.proxy.as_ref().is_some_and(|url| url.url().scheme() == "https");
    // Loading the system's roots fails where there are none, which does not matter to plain http.
    builder = if root.scheme() == "https" || secure_proxy {
        builder.tls_certs_merge(own)
    } else {
        builder.tls_certs_only(own)
    };
    builder.build().map_err(|error| {
        settings_error(format!(
            "no HTTP client ({}): if this system has no root certificates, install the package ca-certificates or \
             set ca_file",
            explain(error)
        ))
    })
}

fn limited(mut builder: ClientBuilder, settings: &GraphSettings) -> ClientBuilder {
    // Zero stands for no limit.
    for (limit, connect) in [(settings.connect_timeout, true), (settings.request_timeout, false)] {
        if !limit.is_zero() {
            builder = if connect { builder.connect_timeout(limit) } else { builder.timeout(limit) };
        }
    }
    builder
}

fn proxy(url: &Url) -> Result<Proxy, GraphError> {
    // Other schemes would be passed over in silence, and requests sent past the proxy.
    if !matches!(url.scheme(), "http" | "https") {
        return Err(settings_error(format!("proxy {}: it must be an http URL", place(url))));
    }
    Proxy::all(url.clone())
        .map_err(|error| settings_error(format!("proxy {}: {}", place(url), explain(error))))
}

fn certificates(path: &Path) -> Result<Vec<Certificate>, GraphError> {
    let name = path.display();
    let pem = std::fs::read(path)
        .map_err(|error| settings_error(format!("ca_file {name} cannot be read: {error}")))?;
    let certificates = Certificate::from_pem_bundle(&pem)
        .map_err(|error| settings_error(format!("ca_file {name}: {}", explain(error))))?;
    if certificates.is_empty() {
        return Err(settings_error(format!("ca_file {name} holds no PEM certificate")));
    }
    Ok(certificates)
}
