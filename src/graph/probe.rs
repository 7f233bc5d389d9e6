//! Whether a service can be reached at all, one thing after another: its name, a
//! connection, TLS and an answer. For `entraldap check`; nothing here proves anything to it.

use super::Graph;
use super::links::{KNOWN, is_loopback, place};
use super::transport::{Answer, exchange};
use crate::config::settings::ConnectionSettings;
use hyper_util::client::proxy::matcher::Matcher;
use serde_json::Value;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;
use url::Url;

/// So many addresses of a name are tried, each a little later than the one before.
const MOST_ADDRESSES: usize = 6;
const HEAD_START: Duration = Duration::from_millis(300);

/// Which service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Where tokens come from.
    Authority,
    /// Graph.
    Graph,
}

/// What was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The name, or that of the proxy, has addresses.
    Name,
    /// One of them accepts connections.
    Connection,
    /// TLS is established and the answer is the service's.
    Answer,
}

/// How one thing went.
#[derive(Debug, Clone)]
pub struct Probe {
    /// What was tried.
    pub stage: Stage,
    /// How long it took.
    pub took: Duration,
    /// What was found.
    pub outcome: Result<String, Unreached>,
}

/// Why a service cannot be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreached {
    /// What happened.
    pub what: String,
    /// What that means.
    pub cause: &'static str,
    /// What to do.
    pub remedy: String,
}

/// How far a service could be reached.
#[derive(Debug, Clone)]
pub struct Reached {
    /// One thing after another, up to the first that failed.
    pub probes: Vec<Probe>,
    /// The service's clock, and ours at that moment.
    pub clocks: Option<(SystemTime, SystemTime)>,
}

impl Graph {
    /// Tries whether a service can be reached with these settings.
    pub async fn probe(&self, service: Service, settings: &ConnectionSettings) -> Reached {
        let root = match service {
            Service::Authority => &settings.graph.authority,
            Service::Graph => &settings.graph.endpoint,
        };
        let proxy = proxy_of(settings, root);
        let mut reached = Reached { probes: Vec::new(), clocks: None };
        let gate = proxy.as_ref().unwrap_or(root);
        let limit = settings.graph.connect_timeout;
        let limit = if limit.is_zero() { Duration::from_secs(10) } else { limit };

        let started = Instant::now();
        let addresses = names(gate, proxy.is_some(), limit).await;
        let known = addresses.clone();
        reached.note(Stage::Name, started, addresses.map(|list| shown(gate, &list)));
        let Ok(addresses) = known else { return reached };

        let started = Instant::now();
        let connected = connect(&addresses, gate, proxy.is_some(), limit).await;
        let failed = connected.is_err();
        reached.note(Stage::Connection, started, connected);
        if failed {
            return reached;
        }

        let started = Instant::now();
        let url = match service {
            Service::Authority => metadata_url(settings),
            Service::Graph => self.client.endpoint("organization", None),
        };
        let transport = &self.client.transport;
        let client = match service {
            Service::Authority => &transport.authority,
            Service::Graph => &transport.graph,
        };
        let answered = match exchange(client.get(url)).await {
            Ok(answer) => {
                reached.clocks = answer.date.map(|date| (date, SystemTime::now()));
                match service {
                    Service::Authority => judge_metadata(&answer, settings),
                    Service::Graph => judge_graph(&answer, root),
                }
            }
            Err(text) => Err(unanswered(&text, root, proxy.is_some())),
        };
        reached.note(Stage::Answer, started, answered);
        reached
    }
}

impl Reached {
    fn note(&mut self, stage: Stage, started: Instant, outcome: Result<String, Unreached>) {
        self.probes.push(Probe { stage, took: started.elapsed(), outcome });
    }
}

/// The proxy that a request would go through. As the HTTP client decides it.
fn proxy_of(settings: &ConnectionSettings, root: &Url) -> Option<Url> {
    if let Some(proxy) = &settings.graph.proxy {
        return Some(proxy.url().clone());
    }
    if is_loopback(root) {
        return None;
    }
    let uri = root.as_str().parse().ok()?;
    let found = Matcher::from_system().intercept(&uri)?;
    Url::parse(&found.uri().to_string()).ok()
}

fn host_of(url: &Url) -> (String, u16) {
    let host = url.host_str().unwrap_or_default();
    // An IPv6 address stands in brackets in a URL.
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    (host, url.port_or_known_default().unwrap_or(443))
}

async fn names(gate: &Url, is_proxy: bool, limit: Duration) -> Result<Vec<SocketAddr>, Unreached> {
    let (host, port) = host_of(gate);
    let found = tokio::time::timeout(limit, tokio::net::lookup_host((host.as_str(), port))).await;
    let what = match found {
        Ok(Ok(found)) => {
            let found: Vec<SocketAddr> = found.collect();
            if !found.is_empty() {
                return Ok(found);
            }
            format!("{host}: no addresses")
        }
        Ok(Err(error)) => format!("{host}: {error}"),
        Err(_) => format!("{host}: no answer within {} s", limit.as_secs()),
    };
    let remedy = if is_proxy {
        "check the name in proxy (or HTTPS_PROXY) and this machine's name servers (/etc/resolv.conf)"
    } else {
        "check the name in authority or endpoint and this machine's name servers (/etc/resolv.conf); where only a \
         proxy reaches the internet, configure proxy"
    };
    Err(Unreached { what, cause: "the name cannot be resolved", remedy: remedy.to_owned() })
}

fn shown(gate: &Url, addresses: &[SocketAddr]) -> String {
    let list: Vec<String> = addresses.iter().take(3).map(|one| one.ip().to_string()).collect();
    let more = if addresses.len() > 3 { ", ..." } else { "" };
    format!("{} is {}{more}", host_of(gate).0, list.join(", "))
}

/// Tries the addresses as the HTTP client does: not one after the other, since a machine
/// may have addresses of a family that leads nowhere (RFC 8305).
async fn connect(
    addresses: &[SocketAddr],
    gate: &Url,
    is_proxy: bool,
    limit: Duration,
) -> Result<String, Unreached> {
    let (six, four): (Vec<SocketAddr>, Vec<SocketAddr>) =
        addresses.iter().partition(|address| address.is_ipv6());
    let longest = six.len().max(four.len());
    let mixed = (0..longest).flat_map(|n| [six.get(n), four.get(n)]).flatten();
    let mut tries = JoinSet::new();
    for (nth, address) in (0u32..).zip(mixed.take(MOST_ADDRESSES)) {
        let address = *address;
        tries.spawn(async move {
            tokio::time::sleep(HEAD_START * nth).await;
            match tokio::time::timeout(limit, TcpStream::connect(address)).await {
                Ok(Ok(_)) => Ok(address),
                Ok(Err(error)) => Err(format!("{address}: {error}")),
                Err(_) => Err(format!("{address}: no answer within {} s", limit.as_secs())),
            }
        });
    }
    let mut failed = Vec::new();
    while let Some(tried) = tries.join_next().await {
        match tried {
            Ok(Ok(address)) => {
                let via = if is_proxy { " (the proxy)" } else { "" };
                return Ok(format!("{address}{via}"));
            }
            Ok(Err(why)) => failed.push(why),
            Err(_) => {}
        }
    }
    let remedy = if is_proxy {
        "check address and port of the proxy".to_owned()
    } else {
        format!("let this machine out to {} through the firewall, or configure proxy", place(gate))
    };
    Err(Unreached { what: failed.join(", "), cause: "nothing accepts the connection", remedy })
}

/// A document that anybody may read (OpenID Connect Discovery 1.0, 4).
fn metadata_url(settings: &ConnectionSettings) -> Url {
    let mut url = settings.graph.authority.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        let tenant = settings.tenant.as_str();
        path.pop_if_empty().extend([tenant, "v2.0", ".well-known", "openid-configuration"]);
    }
    url
}

fn judge_metadata(answer: &Answer, settings: &ConnectionSettings) -> Result<String, Unreached> {
    let root = &settings.graph.authority;
    // A stand-in for Entra need not have the document.
    if answer.status.as_u16() == 404 {
        return Ok(format!("{} has no discovery document; the token decides", place(root)));
    }
    not_html(answer, root)?;
    let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let text = |name: &str| said.get(name).and_then(Value::as_str);
    let what = text("error_description").unwrap_or_default();
    if let Some(code) = what.split(':').next().filter(|code| code.starts_with("AADSTS"))
        && let Some(meaning) = super::aadsts::meaning(code)
    {
        return Err(Unreached {
            what: what.split("Trace ID:").next().unwrap_or(what).trim().to_owned(),
            cause: meaning.cause,
            remedy: meaning.remedy.to_owned(),
        });
    }
    // Where each cloud tells which Graph is its own. An own endpoint may stand before any;
    // the two of the US Government are told from one another by the token alone.
    let endpoint = settings.graph.endpoint.host_str().unwrap_or_default();
    let american = |host: &str| host.ends_with("graph.microsoft.us");
    if let Some(host) = text("msgraph_host")
        && KNOWN.contains(&endpoint)
        && host != endpoint
        && !(american(host) && american(endpoint))
    {
        return Err(Unreached {
            what: format!("the tenant's Graph is {host}, and {endpoint} is configured"),
            cause: "the tenant lives in another cloud",
            remedy: format!("set cloud to the one with {host}, or authority and endpoint"),
        });
    }
    if answer.status.is_server_error() {
        return Err(in_trouble(answer, root));
    }
    let region = text("tenant_region_scope").map(|region| format!(", tenant in {region}"));
    Ok(format!("{} {}{}", place(root), answer.status, region.unwrap_or_default()))
}

/// Graph refuses requests without a token, with 401.
fn judge_graph(answer: &Answer, root: &Url) -> Result<String, Unreached> {
    not_html(answer, root)?;
    if answer.status.is_server_error() || answer.status.as_u16() == 429 {
        return Err(in_trouble(answer, root));
    }
    let what = format!("{} {} without a token", place(root), answer.status.as_u16());
    // Whether it is Graph all the same, the reads tell.
    Ok(match answer.status.as_u16() {
        401 => format!("{what}, as it should"),
        _ => format!("{what}, where Graph answers 401"),
    })
}

fn in_trouble(answer: &Answer, root: &Url) -> Unreached {
    Unreached {
        what: format!("{} {}", place(root), answer.status),
        cause: "the service is in trouble",
        remedy: "nothing: try again later; see status.cloud.microsoft if it stays".to_owned(),
    }
}

fn not_html(answer: &Answer, root: &Url) -> Result<(), Unreached> {
    let status = answer.status.as_u16();
    let start = answer.body.trim_ascii_start();
    let html = answer.content_type.as_deref().is_some_and(|kind| kind.contains("text/html"));
    let (what, cause, remedy) = match (&answer.redirect, status) {
        (Some(to), _) => (
            format!("{} sends us on to {to}", place(root)),
            "a login page or another service answers instead",
            "check the address, and whether a proxy or captive portal wants a login",
        ),
        (None, 407) => (
            "407 Proxy Authentication Required".to_owned(),
            "the proxy wants a user name and a password",
            "write them into the URL: proxy = \"http://user:password@host:port\"",
        ),
        _ if html || start.starts_with(b"<") => (
            format!("{} answers {status} with a web page", place(root)),
            "a proxy, captive portal or other web server answers in the service's place",
            "check authority and endpoint, and what the proxy or firewall does to this address",
        ),
        _ => return Ok(()),
    };
    Err(Unreached { what, cause, remedy: remedy.to_owned() })
}

/// TLS, or the proxy, or silence.
fn unanswered(text: &str, root: &Url, via_proxy: bool) -> Unreached {
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let (cause, remedy) = if has(&["UnknownIssuer", "CaUsedAsEndEntity", "BadSignature"]) {
        (
            "the certificate is of an authority that this machine does not know",
            "if a proxy or firewall opens TLS, configure its root certificate as ca_file; otherwise install the \
             package ca-certificates",
        )
    } else if has(&["NotValidForName", "not valid for name"]) {
        (
            "the certificate is for another name",
            "check the address; if a proxy or firewall answers instead, exclude this address there",
        )
    } else if has(&["Expired", "NotValidYet", "expired", "not valid yet"]) {
        (
            "the certificate is not valid at this time, or this machine's clock is wrong",
            "check this machine's clock; if that is right, tell who runs the server",
        )
    } else if has(&["proxy authorization required", "proxy authentication required", "407"]) {
        (
            "the proxy wants a user name and a password",
            "write them into the URL: proxy = \"http://user:password@host:port\"",
        )
    } else if has(&["tunnel", "unsuccessful"]) && via_proxy {
        ("the proxy does not let this address through", "allow it on the proxy")
    } else if has(&["timed out"]) {
        (
            "nothing answers in time",
            "look for a firewall that swallows packets, or configure proxy; raise request_timeout on a slow line",
        )
    } else if has(&["InvalidContentType", "corrupt message", "InvalidMessage"]) {
        (
            "what answers does not speak TLS",
            "check the port and the scheme (https) of authority and endpoint",
        )
    } else {
        (
            "the connection breaks before there is an answer",
            "look at the firewall or proxy in between",
        )
    };
    let what = format!("{}: {text}", place(root));
    Unreached { what, cause, remedy: remedy.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, parse};
    use bytes::Bytes;
    use reqwest::StatusCode;

    fn judged(cloud: &str, host: &str) -> Result<String, Unreached> {
        let text = format!(
            "[[ldap.listener]]\naddress = \"127.0.0.1:389\"\n[[connection]]\nname = \"a\"\nbase = \"dc=a\"\n\
             tenant = \"a.example\"\nclient_id = \"11111111-1111-1111-1111-111111111111\"\n\
             client_secret = {{ env = \"S\" }}\n[connection.graph]\n{cloud}"
        );
        let variables = [("S".to_owned(), "x".to_owned())].into();
        let environment = Environment { variables, credentials_directory: None };
        let settings = parse(&text, "t", &environment).unwrap();
        let body = format!(r#"{{"token_endpoint":"x","msgraph_host":"{host}"}}"#);
        let answer = Answer {
            status: StatusCode::OK,
            retry_after: None,
            request_id: None,
            content_type: Some("application/json".to_owned()),
            redirect: None,
            body: Bytes::from(body),
            challenge: None,
            date: None,
            client_request_id: String::new(),
        };
        judge_metadata(&answer, &settings.connections[0])
    }

    #[test]
    fn a_tenant_of_another_cloud_is_told_and_an_own_endpoint_is_not_doubted() {
        let own =
            "authority = \"https://login.lab.example/\"\nendpoint = \"https://graph.lab.example/\"";
        for (cloud, host, good) in [
            ("", "graph.microsoft.com", true),
            ("", "graph.microsoft.us", false),
            ("", "microsoftgraph.chinacloudapi.cn", false),
            ("cloud = \"us-gov-l4\"", "graph.microsoft.us", true),
            ("cloud = \"us-gov-l5\"", "graph.microsoft.us", true),
            ("cloud = \"us-gov-l4\"", "graph.microsoft.com", false),
            ("cloud = \"china\"", "microsoftgraph.chinacloudapi.cn", true),
            (own, "graph.microsoft.com", true),
        ] {
            let judged = judged(cloud, host);
            assert_eq!(judged.is_ok(), good, "{cloud} {host}: {judged:?}");
            if let Err(why) = judged {
                assert!(why.remedy.contains("cloud"), "{why:?}");
            }
        }
    }
}
