//! `[connection.user_binds]`: whether passwords of users are checked against Entra, and how.

use super::connection::client_id;
use super::profile::Profiles;
use super::reader::{Place, Report, Table};
use super::settings::{ConnectionSettings, ProfileSettings};
use super::value::{Trouble, Value};
use super::{Environment, SecretSource, source};
use std::sync::Arc;
use std::time::Duration;
use toml::de::DeValue;
use url::Url;

/// The password is wrong, or there is no such user (graph.md 1.8).
const WRONG: [u32; 6] = [50126, 50034, 50056, 50064, 50020, 51004];
/// The account may not be used, whoever knows its password.
const CLOSED: [u32; 5] = [50053, 50055, 50144, 50057, 80012];
/// The application or the service is at fault: the password has not been looked at, or it
/// has and this setting does not put it right.
const FAULTS: [u32; 35] = [
    700016, 700038, 7000215, 7000222, 7000218, 7000112, 700027, 50012, 90002, 90013, 900023,
    500011, 65001, 9001023, 70001, 70002, 70003, 70011, 50000, 50033, 50196, 90006, 90024, 90033,
    90055, 90090, 50001, 50059, 80001, 80002, 80005, 80007, 80013, 80014, 50049,
];

/// How passwords of users are checked against Entra.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserBindSettings {
    /// What users may see.
    pub profile: Arc<ProfileSettings>,
    /// Another application than the connection's.
    pub client_id: Option<String>,
    /// How the application proves itself.
    pub proof: SignInProof,
    /// What is asked for: it decides nothing but which policies apply.
    pub scope: String,
    /// AADSTS numbers that count as a right password.
    pub accept_codes: Vec<u32>,
    /// How long a right password is remembered; zero for not at all.
    pub cache: Duration,
    /// How long one check may take.
    pub timeout: Duration,
    /// After so many wrong passwords of one user Entra is not asked for a while.
    pub failures: u32,
    /// How long it is not asked.
    pub pause: Duration,
}

/// How the application proves itself when it asks about a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignInProof {
    /// As the connection does.
    Connection,
    /// By this secret.
    Secret(SecretSource),
    /// Not at all: it is a public client.
    Public,
}

impl Default for UserBindSettings {
    fn default() -> Self {
        UserBindSettings {
            profile: Arc::default(),
            client_id: None,
            proof: SignInProof::Connection,
            scope: "openid profile".to_owned(),
            accept_codes: Vec::new(),
            cache: Duration::ZERO,
            timeout: Duration::from_secs(10),
            // Entra itself locks a user out after ten.
            failures: 5,
            pause: Duration::from_secs(600),
        }
    }
}

/// A profile that a connection names before profiles have been read.
pub(super) struct Wish {
    place: Place,
    connection: String,
    profile: String,
}

/// Reads the section. `connection` is its name, `own_client` its application.
pub(super) fn read(
    table: &Table<'_>,
    environment: &Environment,
    (connection, own_client): (Option<&str>, Option<&str>),
    cloud: Option<&Url>,
    wishes: &mut Vec<Wish>,
) -> Option<UserBindSettings> {
    let mut default = UserBindSettings::default();
    // There Entra locks a user out after three.
    if cloud.and_then(Url::host_str).is_some_and(|host| host.ends_with(".us")) {
        default.failures = 2;
    }
    let enabled = table.or("enabled", false, |value| value.boolean());
    if let Some(profile) = table.optional("profile", |value| value.string()) {
        let place = table.place("profile");
        let connection = connection.unwrap_or_default().to_owned();
        wishes.push(Wish { place, connection, profile });
    }
    let client_id = table.optional("client_id", client_id);
    let secret = source::read(table, "client_secret", environment);
    let public = table.or("public_client", false, |value| value.boolean());
    let is_other = client_id.as_deref().is_some_and(|id| own_client.is_some_and(|own| own != id));
    if public && table.has("client_secret") {
        let message = "contradicts client_secret: a public client has none";
        let trouble = Trouble::new(message, "remove one of them");
        table.report.problem(&table.place("public_client"), trouble);
    } else if is_other && !public && !table.has("client_secret") {
        let remedy = "write the secret of this client_id, or public_client = true";
        table.missing("client_secret", remedy);
    }
    if enabled && client_id.is_none() && own_client.is_none_or(str::is_empty) {
        let remedy = "name an app registration for it; a managed identity checks no passwords";
        table.missing("client_id", remedy);
    }
    let proof = match (secret, public) {
        (Some(secret), _) => SignInProof::Secret(secret),
        (None, true) => SignInProof::Public,
        (None, false) => SignInProof::Connection,
    };
    let longest_cache = Duration::from_secs(15 * 60);
    let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
    let day = Duration::from_secs(86_400);
    let settings = UserBindSettings {
        client_id,
        proof,
        scope: table.or("scope", default.scope, |value| value.string()),
        accept_codes: table.or("accept_codes", Vec::new(), codes),
        cache: table
            .or("cache", default.cache, |value| value.duration(Duration::ZERO..=longest_cache)),
        timeout: table.or("timeout", default.timeout, |value| value.duration(second..=minute)),
        failures: table.or("failures", default.failures, |value| value.number(1..=50)),
        pause: table.or("pause", default.pause, |value| value.duration(second..=day)),
        profile: default.profile,
    };
    enabled.then_some(settings)
}

/// Finds the profiles that connections have named.
pub(super) fn resolve(
    report: &Report<'_>,
    profiles: &Profiles,
    connections: &mut [ConnectionSettings],
    wishes: &[Wish],
) {
    for wish in wishes {
        let found = match profiles.named(&wish.profile) {
            Ok(found) => found,
            Err(trouble) => {
                report.problem(&wish.place, trouble);
                continue;
            }
        };
        let named = connections.iter_mut().find(|other| other.name == wish.connection);
        if let Some(settings) = named.and_then(|connection| connection.user_binds.as_mut()) {
            settings.profile = found;
        }
    }
}

fn codes(value: &Value<'_>) -> Result<Vec<u32>, Trouble> {
    match value.node {
        DeValue::Array(items) if items.is_empty() => Ok(Vec::new()),
        _ => value.list(code),
    }
}

/// A code after which a password may count as right: it has been looked at, was right, and
/// something else was missing.
fn code(value: &Value<'_>) -> Result<u32, Trouble> {
    let code = value.number(10_000..=99_999_999)?;
    let why = if WRONG.contains(&code) {
        "says that the password is wrong, or the user unknown"
    } else if CLOSED.contains(&code) {
        "says that the account is locked, disabled or expired"
    } else if FAULTS.contains(&code) {
        "says nothing about the password: with it any would be right"
    } else {
        return Ok(code);
    };
    let message = format!("holds {code}, which {why}");
    Err(Trouble::new(message, "remove it from the list"))
}
