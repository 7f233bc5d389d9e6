//! The access token: how it is got, when it is renewed, what it says.

use super::client::{Call, Client, Failed};
use super::error::{ErrorKind, GraphError, Retry};
use super::verdict::Purpose;
use crate::config::Secret;
use crate::config::settings::{ConnectionSettings, SecretSource};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

const OPERATION: &str = "token";
/// A token is renewed this long before it expires, or at half its life if that is later.
const MARGIN: Duration = Duration::from_secs(300);
/// How long a renewal that failed is left alone while the old token still serves.
const PAUSE: Duration = Duration::from_secs(30);
/// Where the answer does not say how long a token lives.
const SHORT_LIFE: Duration = Duration::from_secs(600);

/// What an access token says about itself; read without checking its signature, for people only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenInfo {
    /// The granted application permissions; `None` where the token cannot be read, which is not the same as none.
    pub roles: Option<Vec<String>>,
    /// The tenant's id.
    pub tenant: Option<String>,
    /// The application's id.
    pub application: Option<String>,
    /// What it is good for: the Graph root, or Graph's well-known id.
    pub audience: Option<String>,
    /// When it expires.
    pub expires: SystemTime,
}

/// How the application proves itself. Certificates, federation and managed identities become further variants.
#[derive(Debug)]
enum Credential {
    Secret(SecretSource),
}

/// The token of a connection, and the way to the next one.
#[derive(Debug)]
pub(super) struct Tokens {
    credential: Credential,
    client_id: String,
    scope: String,
    url: Url,
    /// The lock is held over a renewal, so that there is one at a time.
    held: Mutex<Option<Held>>,
}

#[derive(Debug)]
struct Held {
    token: Arc<Token>,
    renew: Instant,
}

/// An access token.
#[derive(Debug)]
pub(super) struct Token {
    text: Secret,
    expires: Instant,
}

/// `expires_in` is a number, or a text with one.
#[derive(Deserialize)]
struct Issued {
    access_token: String,
    #[serde(default)]
    expires_in: Value,
}

impl Tokens {
    /// Nothing is asked for yet.
    pub(super) fn new(settings: &ConnectionSettings) -> Self {
        let mut url = settings.graph.authority.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend([settings.tenant.as_str(), "oauth2", "v2.0", "token"]);
        }
        let root = settings.graph.endpoint.as_str().trim_end_matches('/');
        Tokens {
            credential: Credential::Secret(settings.client_secret.clone()),
            client_id: settings.client_id.clone(),
            scope: format!("{root}/.default"),
            url,
            held: Mutex::new(None),
        }
    }

    /// The form fields that prove the application.
    pub(super) fn proof(&self) -> Result<Vec<(&'static str, Secret)>, GraphError> {
        self.credential.proof().map(|proof| vec![proof])
    }
}

impl Client {
    /// A token that is good for a while; renewed early, so that a short trouble of Entra is not noticed.
    pub(super) async fn token(&self) -> Result<Arc<Token>, GraphError> {
        let mut held = self.tokens.held.lock().await;
        if let Some(held) = held.as_ref().filter(|held| Instant::now() < held.renew) {
            return Ok(Arc::clone(&held.token));
        }
        match self.issue().await {
            Ok(new) => Ok(Arc::clone(&held.insert(new).token)),
            Err(error) => match held.as_mut() {
                Some(old) if Instant::now() + PAUSE < old.token.expires => {
                    tracing::warn!(%error, "the token could not be renewed; the old one serves on");
                    old.renew = Instant::now() + PAUSE;
                    Ok(Arc::clone(&old.token))
                }
                _ => Err(error),
            },
        }
    }

    /// A token other than `rejected`, which Graph has refused.
    pub(super) async fn renew(&self, rejected: &Arc<Token>) -> Result<Arc<Token>, GraphError> {
        let mut held = self.tokens.held.lock().await;
        match held.take() {
            // Another request has renewed it meanwhile.
            Some(other) if !Arc::ptr_eq(&other.token, rejected) => {
                Ok(Arc::clone(&held.insert(other).token))
            }
            _ => Ok(Arc::clone(&held.insert(self.issue().await?).token)),
        }
    }

    async fn issue(&self) -> Result<Held, GraphError> {
        let tokens = &self.tokens;
        let (field, secret) = tokens.credential.proof()?;
        let (field, secret) = (field, &secret);
        self.persist(|attempt| async move {
            let asked = Instant::now();
            let form = [
                ("client_id", tokens.client_id.as_str()),
                ("scope", tokens.scope.as_str()),
                ("grant_type", "client_credentials"),
                (field, secret.reveal()),
            ];
            let request = self.transport.authority.post(tokens.url.clone()).form(&form);
            let hidden = [secret.reveal()];
            let call =
                Call { operation: OPERATION, purpose: Purpose::Token, attempt, secrets: &hidden };
            let answer = self.send(&call, request).await?;
            match serde_json::from_slice::<Issued>(&answer.body) {
                Ok(issued) if !issued.access_token.is_empty() => Ok(issued.held(asked)),
                _ => Err(Failed::garbled(&call, &answer, "an answer without access_token")),
            }
        })
        .await
    }
}

impl Issued {
    /// Life is counted from before the request was sent: never too long.
    fn held(self, asked: Instant) -> Held {
        let seconds = match &self.expires_in {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let life = seconds.and_then(|s| Duration::try_from_secs_f64(s).ok()).unwrap_or(SHORT_LIFE);
        let life = life.min(Duration::from_secs(7 * 24 * 3600));
        let renew = asked + (life - MARGIN.min(life / 2));
        let token = Token { text: Secret::new(self.access_token), expires: asked + life };
        Held { token: Arc::new(token), renew }
    }
}

impl Credential {
    /// The form field that proves who we are, read anew each time.
    fn proof(&self) -> Result<(&'static str, Secret), GraphError> {
        let Credential::Secret(source) = self;
        // A small local file, read about once an hour.
        let secret = source.read().map_err(|error| secret_error(error.to_string()))?;
        if secret.reveal().is_empty() {
            return Err(secret_error("the client secret is empty".to_owned()));
        }
        Ok(("client_secret", secret))
    }
}

fn secret_error(message: String) -> GraphError {
    GraphError::new(ErrorKind::Secret, OPERATION, message, Retry::Never)
}

impl Token {
    /// The token itself, for the one place that sends it.
    pub(super) fn reveal(&self) -> &str {
        self.text.reveal()
    }

    /// What it says.
    pub(super) fn info(&self) -> TokenInfo {
        let claims = claims(self.reveal());
        let text = |names: &[&str]| {
            let claims = claims.as_ref()?;
            let found = names.iter().find_map(|name| claims.get(name)?.as_str());
            found.map(str::to_owned)
        };
        let roles = claims.as_ref().map(|claims| {
            let roles = claims.get("roles").and_then(Value::as_array);
            let texts = roles.into_iter().flatten().filter_map(Value::as_str);
            texts.map(str::to_owned).collect()
        });
        TokenInfo {
            roles,
            tenant: text(&["tid"]),
            application: text(&["appid", "azp"]),
            audience: text(&["aud"]),
            expires: SystemTime::now() + self.expires.saturating_duration_since(Instant::now()),
        }
    }
}

/// The payload of a JWT (RFC 7519), if it is one.
fn claims(token: &str) -> Option<Value> {
    let payload = base64url(token.split('.').nth(1)?)?;
    serde_json::from_slice(&payload).ok().filter(Value::is_object)
}

/// RFC 4648 5, without padding.
fn base64url(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 2);
    let (mut bits, mut count) = (0u32, 0u8);
    for byte in text.trim_end_matches('=').bytes() {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' | b'+' => 62,
            b'_' | b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(digit);
        count += 6;
        if count >= 8 {
            count -= 8;
            let [.., octet] = (bits >> count).to_be_bytes();
            out.push(octet);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64url_is_read() {
        for (text, octets) in
            [("", &b""[..]), ("Zg", b"f"), ("Zm8", b"fo"), ("Zm9v", b"foo"), ("-_8", &[0xfb, 0xff])]
        {
            assert_eq!(base64url(text).unwrap(), octets, "{text}");
        }
        assert!(base64url("a b").is_none());
    }

    #[test]
    fn a_token_is_renewed_five_minutes_early_or_at_half_its_life() {
        let now = Instant::now();
        for (expires_in, renew) in [
            (Value::from(3600), 3300),
            (Value::from("3600"), 3300),
            (Value::from(100), 50),
            (Value::from(0), 0),
            (Value::Null, 300),
            (Value::from("soon"), 300),
            (Value::from(-5), 300),
        ] {
            let issued = Issued { access_token: "t".to_owned(), expires_in: expires_in.clone() };
            let held = issued.held(now);
            assert_eq!(held.renew - now, Duration::from_secs(renew), "{expires_in}");
        }
    }
}
