//! `[[report]]`: who is told about passes, and how.

use super::distinct::Distinct;
use super::reader::Table;
use super::secret::SecretSource;
use super::settings::ConnectionSettings;
use super::value::{Trouble, Value};
use super::{Environment, source};
use std::path::PathBuf;
use std::time::Duration;
use url::{Host, Url};

/// `[[report]]`: somebody who is told about passes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportSettings {
    /// Its name in logs and commands.
    pub name: String,
    /// What is told.
    pub on: On,
    /// Connections that are told of; empty for all.
    pub connections: Vec<String>,
    /// How.
    pub way: Way,
}

/// What is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// Every pass.
    Pass,
    /// Passes that changed something, and trouble.
    Change,
    /// Trouble, and its end.
    Trouble,
}

/// How somebody is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// `[report.mail]`
    Mail(MailSettings),
    /// `[report.webhook]`
    Webhook(WebhookSettings),
}

/// `[report.mail]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailSettings {
    /// The mail server's name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the way there is protected.
    pub security: Security,
    /// The name to log in with; `None` for no login.
    pub user: Option<String>,
    /// The password.
    pub password: Option<SecretSource>,
    /// The sender.
    pub from: String,
    /// The recipients, at least one.
    pub to: Vec<String>,
    /// Additional PEM root certificates.
    pub ca_file: Option<PathBuf>,
    /// Time for one message.
    pub timeout: Duration,
}

/// How the way to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// STARTTLS, and no mail without it.
    StartTls,
    /// TLS from the first octet.
    Tls,
    /// Not at all.
    None,
}

/// `[report.webhook]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookSettings {
    /// Where reports are posted.
    pub url: Url,
    /// What they are signed with; `None` for no signature.
    pub secret: Option<SecretSource>,
    /// Additional PEM root certificates.
    pub ca_file: Option<PathBuf>,
    /// Time for one report.
    pub timeout: Duration,
}

const LONGEST: Duration = Duration::from_secs(600);
const TIMEOUT: Duration = Duration::from_secs(30);

/// Reads all reports of the file.
pub(super) fn read(
    table: &Table<'_>,
    environment: &Environment,
    connections: &[ConnectionSettings],
) -> Vec<ReportSettings> {
    let mut names = Distinct::new("report");
    let read = |report: &Table<'_>| one(report, environment, connections, &mut names);
    table.sections("report", read).into_iter().flatten().collect()
}

fn one(
    table: &Table<'_>,
    environment: &Environment,
    connections: &[ConnectionSettings],
    names: &mut Distinct,
) -> Option<ReportSettings> {
    let name = table.required("name", "write for example name = \"admins\"", |v| v.string());
    let on = table.or("on", On::Trouble, |value| {
        value.word(&[("pass", On::Pass), ("change", On::Change), ("trouble", On::Trouble)])
    });
    let told =
        table.optional("connections", |value| value.list(|item| connection(item, connections)));
    let mail = table.section_if_present("mail", |mail| self::mail(mail, environment));
    let webhook = table.section_if_present("webhook", |hook| self::webhook(hook, environment));
    if let Some(name) = &name {
        names.check(table.report, table.place("name"), name);
    }
    let way = match (mail, webhook) {
        (Some(mail), None) => Way::Mail(mail?),
        (None, Some(webhook)) => Way::Webhook(webhook?),
        _ => {
            let trouble = Trouble::new(
                "needs exactly one of [report.mail] and [report.webhook]",
                "write one of them below it; for both, write [[report]] twice",
            );
            table.report.problem(&table.own_place(), trouble);
            return None;
        }
    };
    Some(ReportSettings { name: name?, on, connections: told.unwrap_or_default(), way })
}

fn connection(value: &Value<'_>, known: &[ConnectionSettings]) -> Result<String, Trouble> {
    let name = value.text()?;
    if known.is_empty() || known.iter().any(|one| one.name == name) {
        return Ok(name.to_owned());
    }
    let names: Vec<String> = known.iter().map(|one| format!("\"{}\"", one.name)).collect();
    let message = format!("{name:?} is not a connection");
    Err(Trouble::new(message, format!("choose {}", names.join(" or "))))
}

fn mail(table: &Table<'_>, environment: &Environment) -> Option<MailSettings> {
    let server = table.required("server", "write server = \"smtp.contoso.com:587\"", server);
    let security = table.or("security", Security::StartTls, |value| {
        value.word(&[
            ("starttls", Security::StartTls),
            ("tls", Security::Tls),
            ("none", Security::None),
        ])
    });
    let user = table.optional("user", |value| value.string());
    let password = source::read(table, "password", environment);
    let from = table.required("from", "write from = \"entraldap@contoso.com\"", address);
    let to = table.required("to", "write to = [\"admins@contoso.com\"]", |v| v.list(address));
    let ca_file = table.optional("ca_file", |value| value.path());
    let timeout = timeout(table);
    for (key, other) in [("user", "password"), ("password", "user")] {
        if table.has(key) && !table.has(other) {
            table.missing(other, "a login needs both; or remove the other");
        }
    }
    let (host, port) = server?;
    let is_here = matches!(host.as_str(), "localhost" | "127.0.0.1" | "::1");
    if security == Security::None && !is_here {
        let message = "sends reports, and the password, in clear text";
        let trouble = Trouble::new(message, "choose \"starttls\" or \"tls\"");
        table.report.warning(&table.place("security"), trouble);
    }
    Some(MailSettings {
        host,
        port,
        security,
        user,
        password,
        from: from?,
        to: to?,
        ca_file,
        timeout,
    })
}

fn webhook(table: &Table<'_>, environment: &Environment) -> Option<WebhookSettings> {
    let url = table.required("url", "write url = \"https://hooks.contoso.com/entraldap\"", url);
    let secret = source::read(table, "secret", environment);
    let ca_file = table.optional("ca_file", |value| value.path());
    let timeout = timeout(table);
    Some(WebhookSettings { url: url?, secret, ca_file, timeout })
}

fn timeout(table: &Table<'_>) -> Duration {
    table.or("timeout", TIMEOUT, |value| value.duration(Duration::from_secs(1)..=LONGEST))
}

/// `smtp.contoso.com:587`
fn server(value: &Value<'_>) -> Result<(String, u16), Trouble> {
    let text = value.text()?.trim();
    let example = "write for example \"smtp.contoso.com:587\"";
    let parts = text.rsplit_once(':').filter(|(host, _)| !host.is_empty());
    let (host, port) =
        parts.ok_or_else(|| Trouble::new(format!("{text:?} has no port"), example))?;
    let port = port.parse().ok().filter(|port| *port > 0);
    let port = port.ok_or_else(|| Trouble::new(format!("{text:?} has no port"), example))?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.chars().any(|c| c.is_whitespace() || matches!(c, '/' | '@')) {
        return Err(Trouble::new(format!("{text:?} is not a server and port"), example));
    }
    Ok((host.to_owned(), port))
}

fn address(value: &Value<'_>) -> Result<String, Trouble> {
    let text = value.text()?.trim();
    let fits = text.rsplit_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && !domain.is_empty()
            && text.is_ascii()
            && !text.chars().any(|c| c.is_whitespace() || matches!(c, '<' | '>' | ',' | ';'))
    });
    if fits {
        return Ok(text.to_owned());
    }
    let message = format!("{text:?} is not a mail address");
    Err(Trouble::new(message, "write for example \"admins@contoso.com\""))
}

/// The URL may hold a secret, so it is not repeated.
fn url(value: &Value<'_>) -> Result<Url, Trouble> {
    let example = "write for example \"https://hooks.contoso.com/entraldap\"";
    let url = Url::parse(value.text()?)
        .map_err(|error| Trouble::new(format!("is not a URL ({error})"), example))?;
    let is_here = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_here => Ok(url),
        "http" => {
            let message = "would send reports in clear text";
            Err(Trouble::new(message, "write https://; http:// is for loopback only"))
        }
        _ => Err(Trouble::new("is not an https:// URL", example)),
    }
}
