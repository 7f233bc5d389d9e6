//! `[connection.graph]`: which cloud, and with what manners.

use super::reader::Table;
use super::secret::ProxyUrl;
use super::settings::GraphSettings;
use super::value::{Trouble, Value};
use std::time::Duration;
use url::Url;

/// A Microsoft cloud: where it authenticates and where its Graph is.
#[derive(Debug, Clone, Copy)]
struct Cloud {
    authority: &'static str,
    endpoint: &'static str,
}

/// <https://learn.microsoft.com/en-us/graph/deployments>
const CLOUDS: [(&str, Cloud); 4] = [
    ("global", GLOBAL),
    (
        "us-gov-l4",
        Cloud {
            authority: "https://login.microsoftonline.us/",
            endpoint: "https://graph.microsoft.us/",
        },
    ),
    (
        "us-gov-l5",
        Cloud {
            authority: "https://login.microsoftonline.us/",
            endpoint: "https://dod-graph.microsoft.us/",
        },
    ),
    (
        "china",
        Cloud {
            authority: "https://login.partner.microsoftonline.cn/",
            endpoint: "https://microsoftgraph.chinacloudapi.cn/",
        },
    ),
];

const GLOBAL: Cloud = Cloud {
    authority: "https://login.microsoftonline.com/",
    endpoint: "https://graph.microsoft.com/",
};

/// Reads the section.
pub(super) fn read(table: &Table<'_>) -> Option<GraphSettings> {
    let (authority, endpoint) = roots(table).unzip();
    let proxy = table.optional("proxy", proxy);
    let ca_file = table.optional("ca_file", ca_file);
    let wait =
        |value: &Value<'_>| value.duration(Duration::from_millis(100)..=Duration::from_secs(3600));
    let connect_timeout = table.optional("connect_timeout", wait);
    let request_timeout = table.optional("request_timeout", wait);
    let concurrency = table.optional("concurrency", |value| value.number(1..=64));
    let requests_per_second = table.optional("requests_per_second", |value| value.number(1..=1000));
    let attempts = table.optional("attempts", |value| value.number(1..=100));
    let max_wait = table.optional("max_wait", wait);

    let default = GraphSettings::at(authority?, endpoint?);
    Some(GraphSettings {
        proxy,
        ca_file,
        connect_timeout: connect_timeout.unwrap_or(default.connect_timeout),
        request_timeout: request_timeout.unwrap_or(default.request_timeout),
        concurrency: concurrency.unwrap_or(default.concurrency),
        requests_per_second: requests_per_second.unwrap_or(default.requests_per_second),
        attempts: attempts.unwrap_or(default.attempts),
        max_wait: max_wait.unwrap_or(default.max_wait),
        ..default
    })
}

/// Authority and Graph root: of a cloud, or both given. `None` where that failed and
/// was reported.
fn roots(table: &Table<'_>) -> Option<(Url, Url)> {
    let cloud = table.or("cloud", GLOBAL, |value| value.word(&CLOUDS));
    let authority = table.optional("authority", |value| value.service());
    let endpoint = table.optional("endpoint", |value| value.service());
    match (table.has("authority"), table.has("endpoint")) {
        (false, false) => {
            Some((Url::parse(cloud.authority).ok()?, Url::parse(cloud.endpoint).ok()?))
        }
        (true, true) => {
            if table.has("cloud") {
                let trouble = Trouble::new(
                    "contradicts authority and endpoint",
                    "keep either cloud, or authority and endpoint",
                );
                table.report.problem(&table.place("cloud"), trouble);
            }
            authority.zip(endpoint)
        }
        (true, false) => {
            table.missing("endpoint", "write it beside authority, or write cloud instead of both");
            None
        }
        (false, true) => {
            table.missing("authority", "write it beside endpoint, or write cloud instead of both");
            None
        }
    }
}

/// An HTTP proxy. The URL may hold a password, so it is not repeated.
fn proxy(value: &Value<'_>) -> Result<ProxyUrl, Trouble> {
    let remedy = "write for example \"http://proxy.contoso.com:3128\"";
    let url = Url::parse(value.text()?)
        .map_err(|error| Trouble::new(format!("is not a URL ({error})"), remedy))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(Trouble::new("is not an http:// or https:// URL", remedy));
    }
    Ok(ProxyUrl::new(url))
}

fn ca_file(value: &Value<'_>) -> Result<std::path::PathBuf, Trouble> {
    let path = value.path()?;
    let remedy = "name a PEM file with the root certificates to trust in addition";
    match std::fs::read_to_string(&path) {
        Ok(text) if text.contains("-----BEGIN CERTIFICATE-----") => Ok(path),
        Ok(_) => {
            let message = format!("{} holds no PEM certificate", path.display());
            Err(Trouble::new(message, remedy))
        }
        Err(error) => Err(Trouble::new(format!("{}: {error}", path.display()), remedy)),
    }
}
