//! A person signs in on a page of Entra with a code that is shown here (RFC 8628,
//! graph.md 1.6). What is left is a refresh token in a file.

use super::Graph;
use super::auth::{Issued, OPERATION, TokenInfo, write_refresh_token};
use super::client::{Call, Failed};
use super::error::{ErrorKind, GraphError, Retry};
use super::transport::{self, FORM};
use super::verdict::Purpose;
use crate::config::Secret;
use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// RFC 8628 3.4
const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// RFC 8628 3.2: "If no value is provided, clients MUST use 5 as the default."
const INTERVAL: u64 = 5;
/// Documented, should an answer not say it.
const LIFE: u64 = 900;
/// What is read in the name of a person (graph.md 2), besides the contacts.
const PERMISSIONS: [&str; 4] =
    ["User.Read", "User.Read.All", "GroupMember.Read.All", "Domain.Read.All"];
const CONTACTS: &str = "OrgContact.Read.All";

/// A code for a person to enter.
#[derive(Debug, Deserialize)]
pub struct DeviceCode {
    /// What to enter.
    pub user_code: String,
    /// Where.
    #[serde(alias = "verification_url")]
    pub verification_uri: String,
    /// The same as a sentence, in the language of the tenant.
    #[serde(default)]
    pub message: Option<String>,
    device_code: Held,
    #[serde(default)]
    expires_in: Option<Value>,
    #[serde(default)]
    interval: Option<Value>,
}

/// A number, or a text with one.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// Whether a file can be written there.
fn try_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let chance = getrandom::u32().unwrap_or_else(|_| std::process::id());
    let probe = folder.unwrap_or(Path::new(".")).join(format!(".entraldap-{chance:08x}"));
    std::fs::File::create_new(&probe)?;
    std::fs::remove_file(&probe)
}

/// Never printed.
#[derive(Debug)]
struct Held(Secret);

impl<'de> Deserialize<'de> for Held {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Held(Secret::new(text)))
    }
}

impl DeviceCode {
    /// How long the code can be entered.
    pub fn life(&self) -> Duration {
        let told = self.expires_in.as_ref().and_then(number);
        Duration::from_secs(told.unwrap_or(LIFE).min(24 * 3600))
    }
}

impl Graph {
    /// Asks for a code. `contacts`: whether mail contacts are to be read.
    ///
    /// # Errors
    /// The connection is not one of `delegated`, or Entra gives no code.
    pub async fn begin_sign_in(&self, contacts: bool) -> Result<DeviceCode, GraphError> {
        let tokens = &self.client.tokens;
        if tokens.refreshed().is_none() {
            let message = "nobody signs in for this connection: it has no `delegated`";
            return Err(GraphError::new(ErrorKind::Settings, OPERATION, message, Retry::Never));
        }
        // Nobody should sign in for nothing.
        if let Some(path) = tokens.refreshed().map(super::auth::Refreshed::path) {
            try_folder(path).map_err(|error| {
                let message = format!("{}: {error}; make the folder writable", path.display());
                GraphError::new(ErrorKind::Secret, OPERATION, message, Retry::Never)
            })?;
        }
        let root = &tokens.resource;
        let wanted = PERMISSIONS.into_iter().chain(contacts.then_some(CONTACTS));
        let mut scope: Vec<String> = wanted.map(|name| format!("{root}/{name}")).collect();
        scope.push("offline_access".to_owned());
        let scope = scope.join(" ");
        let mut url = tokens.url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop().push("devicecode");
        }
        let call = Call { operation: OPERATION, purpose: Purpose::Token, attempt: 1, secrets: &[] };
        let form = [("client_id", tokens.client_id.as_str()), ("scope", scope.as_str())];
        let request = self.client.transport.authority.post(url).form(&form);
        let answer = self.client.send(&call, request).await.map_err(Failed::into_error)?;
        serde_json::from_slice(&answer.body).map_err(|error| {
            Failed::garbled(&call, &answer, &format!("no device code: {error}")).into_error()
        })
    }

    /// Waits until the code has been entered, and keeps what comes of it.
    ///
    /// # Errors
    /// The code was declined or not entered in time, or the file cannot be written.
    pub async fn finish_sign_in(&self, code: &DeviceCode) -> Result<TokenInfo, GraphError> {
        let end = Instant::now() + code.life();
        let asked = code.interval.as_ref().and_then(number).unwrap_or(INTERVAL);
        let mut interval = Duration::from_secs(asked.max(1));
        loop {
            sleep(interval).await;
            let error = match self.poll(code).await {
                Ok(info) => return Ok(info),
                Err(error) => error,
            };
            let said = [error.word.as_deref(), error.code.as_deref()];
            let says = |words: &[&str]| said.iter().flatten().any(|word| words.contains(word));
            if says(&["slow_down"]) {
                // RFC 8628 3.5: "the interval MUST be increased by 5 seconds".
                interval += Duration::from_secs(INTERVAL);
            } else if !says(&["authorization_pending", "AADSTS70016"]) {
                if !error.kind.is_transient() || error.kind == ErrorKind::Garbled {
                    return Err(error);
                }
                // The same section asks for an exponential backoff where the connection fails.
                tracing::debug!(%error, "asking whether somebody has signed in failed");
                interval = (interval * 2).min(Duration::from_secs(60));
            }
            if Instant::now() >= end {
                let message = "the code was not entered in time; run `entraldap authorize` again";
                return Err(GraphError::new(ErrorKind::Secret, OPERATION, message, Retry::Never));
            }
        }
    }

    async fn poll(&self, code: &DeviceCode) -> Result<TokenInfo, GraphError> {
        let tokens = &self.client.tokens;
        let secret = code.device_code.0.reveal();
        let form = [
            ("client_id", tokens.client_id.as_str()),
            ("grant_type", GRANT),
            ("device_code", secret),
        ];
        let hidden = [secret];
        let call =
            Call { operation: OPERATION, purpose: Purpose::Token, attempt: 1, secrets: &hidden };
        let request = self.client.transport.authority.post(tokens.url.clone());
        let request = request.header(CONTENT_TYPE, FORM).body(transport::form(form.into_iter()));
        let asked = Instant::now();
        let answer = self.client.send(&call, request).await.map_err(Failed::into_error)?;
        let garbled = |text: &str| Failed::garbled(&call, &answer, text).into_error();
        let issued: Issued =
            serde_json::from_slice(&answer.body).map_err(|_| garbled("no token"))?;
        let (info, refresh) = issued.read(asked);
        let refresh = refresh.ok_or_else(|| {
            garbled(
                "an answer without refresh_token: the application must be allowed offline_access",
            )
        })?;
        let path = tokens.refreshed().map(super::auth::Refreshed::path);
        if let Some(path) = path {
            write_refresh_token(path, &refresh).map_err(|error| {
                let message = format!("{}: {error}; make the folder writable", path.display());
                GraphError::new(ErrorKind::Secret, OPERATION, message, Retry::Never)
            })?;
        }
        Ok(info)
    }
}
