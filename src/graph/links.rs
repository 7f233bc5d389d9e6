//! Where a token may be sent. Pure: no I/O, no clock.

use url::{Host, Url};

/// The Graph roots of Microsoft's clouds (graph.md 1.1).
pub(super) const KNOWN: [&str; 4] = [
    "graph.microsoft.com",
    "graph.microsoft.us",
    "dod-graph.microsoft.us",
    "microsoftgraph.chinacloudapi.cn",
];

/// The hosts of one connection that may see its token.
#[derive(Debug, Clone)]
pub(super) struct Trusted {
    endpoint: Url,
}

/// Why a link is not followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LinkFault {
    /// Not an absolute http(s) URL.
    Unreadable,
    /// It leads to this host, which must not see the token.
    Foreign(String),
}

impl Trusted {
    /// The hosts that belong to the configured Graph root.
    pub(super) fn new(endpoint: &Url) -> Self {
        Trusted { endpoint: endpoint.clone() }
    }

    /// The link as a URL, if the token may go there. `Url` escapes characters that no URL may hold and changes
    /// nothing else.
    pub(super) fn check(&self, link: &str) -> Result<Url, LinkFault> {
        let url = Url::parse(link).map_err(|_| LinkFault::Unreadable)?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(LinkFault::Unreadable);
        }
        // A user name in front of the host would also replace our authorization.
        let plain = url.username().is_empty() && url.password().is_none();
        if plain && self.trusts(&url) { Ok(url) } else { Err(LinkFault::Foreign(place(&url))) }
    }

    fn trusts(&self, url: &Url) -> bool {
        if is_loopback(&self.endpoint) {
            return is_loopback(url);
        }
        same_origin(&self.endpoint, url) || (is_known(&self.endpoint) && is_known(url))
    }
}

/// Whether the URL leads to this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        None => false,
    }
}

/// Host and port, without anything that could hold a secret.
pub(super) fn place(url: &Url) -> String {
    let host = url.host_str().unwrap_or("(no host)");
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{host}{port}", url.scheme())
}

fn same_origin(a: &Url, b: &Url) -> bool {
    a.scheme() == b.scheme()
        && a.host() == b.host()
        && a.port_or_known_default() == b.port_or_known_default()
}

fn is_known(url: &Url) -> bool {
    url.scheme() == "https"
        && url.port().is_none()
        && url.host_str().is_some_and(|host| KNOWN.contains(&host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trusts(endpoint: &str, link: &str) -> bool {
        Trusted::new(&Url::parse(endpoint).unwrap()).check(link).is_ok()
    }

    #[test]
    fn only_graph_itself_sees_the_token() {
        let graph = "https://graph.microsoft.com/";
        for link in [
            "https://graph.microsoft.com/v1.0/users/delta?$skiptoken=a",
            "https://GRAPH.microsoft.com:443/v1.0/users/delta?$skiptoken=a",
            "https://graph.microsoft.us/v1.0/users/delta?$skiptoken=a",
        ] {
            assert!(trusts(graph, link), "{link}");
        }
        for link in [
            "http://graph.microsoft.com/v1.0/users/delta",
            "https://graph.microsoft.com:8443/v1.0/users/delta",
            "https://graph.microsoft.com.example/v1.0/users/delta",
            "https://graph.microsoft.com@evil.example/v1.0/users/delta",
            "https://user:pass@graph.microsoft.com/v1.0/users/delta",
            "https://evil.example/graph.microsoft.com",
            "http://127.0.0.1/v1.0/users/delta",
            "/v1.0/users/delta",
            "file:///etc/passwd",
            "",
        ] {
            assert!(!trusts(graph, link), "{link}");
        }
    }

    #[test]
    fn an_own_endpoint_trusts_itself_and_not_microsoft() {
        assert!(trusts("https://graph.lab.example:8443/", "https://graph.lab.example:8443/x"));
        assert!(!trusts("https://graph.lab.example:8443/", "https://graph.lab.example/x"));
        assert!(!trusts("https://graph.lab.example/", "https://graph.microsoft.com/x"));
    }

    #[test]
    fn a_loopback_endpoint_trusts_loopback_on_any_port() {
        for link in [
            "http://127.0.0.1:9/x",
            "http://127.9.9.9/x",
            "http://[::1]:7/x",
            "http://localhost:1/x",
        ] {
            assert!(trusts("http://127.0.0.1:8080/", link), "{link}");
        }
        for link in [
            "http://192.0.2.1/x",
            "https://graph.microsoft.com/x",
            "http://localhost.evil.example/",
        ] {
            assert!(!trusts("http://127.0.0.1:8080/", link), "{link}");
        }
    }

    #[test]
    fn a_foreign_host_is_named_without_the_rest_of_the_link() {
        let trusted = Trusted::new(&Url::parse("https://graph.microsoft.com").unwrap());
        let fault = trusted.check("https://u:p@evil.example:1/v1.0?$skiptoken=hush").unwrap_err();
        assert_eq!(fault, LinkFault::Foreign("https://evil.example:1".to_owned()));
    }
}
