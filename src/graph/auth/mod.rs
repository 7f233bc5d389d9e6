//! The access token: how it is got and when it is renewed.
//!
//! `proof` says how the application proves itself, with a `certificate` (PEM or `pfx`)
//! perhaps; `managed` asks the machine's own token service, `refreshed` uses what a person
//! has left behind by signing in. `info` reads a token for people.

mod certificate;
mod info;
mod managed;
mod pfx;
mod proof;
mod refreshed;

#[cfg(test)]
mod tests;

pub use info::TokenInfo;
pub use proof::CredentialInfo;
pub(super) use proof::is_refused;
pub(super) use refreshed::{Refreshed, write as write_refresh_token};

use super::client::{Call, Client, Failed, NONE};
use super::error::GraphError;
use super::retry::Policy;
use super::transport::{FORM, form as form_body};
use super::verdict::Purpose;
use crate::config::Secret;
use crate::config::settings::{ConnectionSettings, Credential, ManagedIdentity};
use proof::{Proof, Proofs};
use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

pub(super) const OPERATION: &str = "token";
/// A token is renewed this long before it expires, or at half its life if that is later.
const MARGIN: Duration = Duration::from_secs(300);
/// How long a renewal that failed is left alone while the old token still serves.
const PAUSE: Duration = Duration::from_secs(30);
/// A token that lacks a permission is not asked for anew before this.
const QUITE_NEW: Duration = Duration::from_secs(600);
/// Where the answer does not say how long a token lives.
const SHORT_LIFE: Duration = Duration::from_secs(600);

/// Where tokens come from.
#[derive(Debug)]
enum Source {
    /// Entra, by a proof that the application gives.
    Application(Proofs),
    /// The machine's own token service.
    Machine(ManagedIdentity),
    /// Entra, by a refresh token of a person.
    Person(Refreshed),
}

/// The token of a connection, and the way to the next one.
#[derive(Debug)]
pub(super) struct Tokens {
    source: Source,
    pub(super) client_id: String,
    /// The Graph root without a slash at its end.
    pub(super) resource: String,
    /// The token endpoint.
    pub(super) url: Url,
    /// The lock is held over a renewal, so that there is one at a time.
    held: Mutex<Option<Held>>,
}

#[derive(Debug)]
struct Held {
    token: Arc<Token>,
    asked: Instant,
    renew: Instant,
}

/// Fields of a form.
pub(super) type Fields = Vec<(&'static str, Secret)>;

/// An access token.
#[derive(Debug)]
pub(super) struct Token {
    text: Secret,
    expires: Instant,
}

/// What the token endpoint answers. Numbers may be texts.
#[derive(Deserialize)]
pub(super) struct Issued {
    access_token: String,
    #[serde(default)]
    expires_in: Value,
    /// Seconds since 1970; where it is the only one, as App Service answers.
    #[serde(default)]
    expires_on: Value,
    #[serde(default)]
    refresh_token: Option<String>,
}

impl Tokens {
    /// Nothing is asked for yet.
    pub(super) fn new(settings: &ConnectionSettings) -> Self {
        let mut url = settings.graph.authority.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend([settings.tenant.as_str(), "oauth2", "v2.0", "token"]);
        }
        let root = settings.graph.endpoint.as_str().trim_end_matches('/');
        let source = match &settings.credential {
            Credential::Managed(identity) => Source::Machine(identity.clone()),
            Credential::Delegated(path) => Source::Person(Refreshed::new(path.clone())),
            proof => Source::Application(Proofs::new(proof)),
        };
        Tokens {
            source,
            client_id: settings.client_id.clone(),
            resource: root.to_owned(),
            url,
            held: Mutex::new(None),
        }
    }

    /// All that has been granted to the application.
    pub(super) fn scope(&self) -> String {
        format!("{}/.default", self.resource)
    }

    /// What it is that proves the application.
    pub(super) fn credential(&self) -> Result<CredentialInfo, GraphError> {
        match &self.source {
            Source::Application(proofs) => proofs.info(),
            Source::Person(person) => person.info(),
            Source::Machine(_) => {
                Ok(CredentialInfo { kind: "managed_identity", thumbprint: None, expires: None })
            }
        }
    }

    /// The file with the refresh token, where a person signs in.
    pub(super) fn refreshed(&self) -> Option<&Refreshed> {
        match &self.source {
            Source::Person(person) => Some(person),
            _ => None,
        }
    }

    /// The ways in which the application can prove itself, each with its place, the one first
    /// that was taken last; none where it has no proof of its own.
    ///
    /// # Errors
    /// What it proves itself by cannot be read.
    pub(super) fn proofs(&self) -> Result<Vec<(usize, Proof)>, GraphError> {
        match &self.source {
            Source::Application(proofs) => proofs.list(),
            Source::Machine(_) | Source::Person(_) => Ok(Vec::new()),
        }
    }

    /// The form fields of a proof, for one request: an assertion's id must not come twice.
    pub(super) fn fields(&self, proof: &Proof) -> Result<Fields, GraphError> {
        proof.fields(&self.client_id, self.url.as_str(), SystemTime::now())
    }

    /// Entra has taken the proof at this place.
    pub(super) fn took(&self, at: usize) {
        if let Source::Application(proofs) = &self.source {
            proofs.worked(at);
        }
    }
}

impl Client {
    /// A token that is good for a while; renewed early, so that a short trouble of Entra is not noticed.
    pub(super) async fn token(&self) -> Result<Arc<Token>, GraphError> {
        let mut held = self.tokens.held.lock().await;
        if let Some(held) = held.as_ref().filter(|held| Instant::now() < held.renew) {
            return Ok(Arc::clone(&held.token));
        }
        // Everybody waits for this: while the old token serves, there is no patience.
        let serves = held.as_ref().is_some_and(|old| Instant::now() + PAUSE < old.token.expires);
        let issued = match (serves, &self.tokens.source) {
            (false, _) => self.issue(self.policy()).await,
            // Half an exchange could lose the refresh token that it brings.
            (true, Source::Person(_)) => self.issue(&NONE).await,
            (true, _) => self.soon(OPERATION, self.issue(&NONE)).await,
        };
        match issued {
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
            _ => Ok(Arc::clone(&held.insert(self.issue(self.policy()).await?).token)),
        }
    }

    /// The next request gets a new token, unless this one is quite new.
    pub(super) async fn distrust(&self, token: &Arc<Token>) {
        let mut held = self.tokens.held.lock().await;
        let held = held.as_mut().filter(|held| Arc::ptr_eq(&held.token, token));
        if let Some(held) = held.filter(|held| held.asked.elapsed() >= QUITE_NEW) {
            held.renew = Instant::now();
        }
    }

    async fn issue(&self, policy: &Policy) -> Result<Held, GraphError> {
        let tokens = &self.tokens;
        match &tokens.source {
            Source::Application(proofs) => self.prove(proofs, policy).await,
            Source::Machine(identity) => self.ask_machine(identity, policy).await,
            Source::Person(person) => self.refresh(person, policy).await,
        }
    }

    /// Tries one proof after the other, beginning with the one that Entra took last.
    async fn prove(&self, proofs: &Proofs, policy: &Policy) -> Result<Held, GraphError> {
        let tokens = &self.tokens;
        let list = proofs.list()?;
        let mut refused = None;
        for (at, proof) in list {
            let scope = tokens.scope();
            let form = |_: u32| {
                let mut form = vec![
                    ("client_id", Secret::new(&*tokens.client_id)),
                    ("scope", Secret::new(&*scope)),
                    ("grant_type", Secret::new("client_credentials")),
                ];
                form.extend(tokens.fields(&proof)?);
                Ok(form)
            };
            match self.ask(form, 3, policy).await {
                Ok((held, _)) => {
                    proofs.worked(at);
                    return Ok(held);
                }
                Err(error) if proof::is_refused(&error) => {
                    tracing::debug!(%error, at, "a proof of the application is refused");
                    // What stands first in the configuration is told of.
                    refused = match refused {
                        Some((first, other)) if first < at => Some((first, other)),
                        _ => Some((at, error)),
                    };
                }
                Err(error) => return Err(error),
            }
        }
        Err(refused.map_or_else(
            || proof::secret_error("there is no proof; configure one"),
            |(_, error)| error,
        ))
    }

    /// Asks the token endpoint. `form` is made anew for each attempt; its fields from
    /// `hidden` on are secrets that must not stand in an error.
    async fn ask(
        &self,
        form: impl Fn(u32) -> Result<Fields, GraphError>,
        hidden: usize,
        policy: &Policy,
    ) -> Result<(Held, Option<Secret>), GraphError> {
        let form = &form;
        self.persist_as(policy, |attempt| async move {
            let asked = Instant::now();
            let form = form(attempt).map_err(Failed::last)?;
            let fields: Vec<(&str, &str)> =
                form.iter().map(|(name, value)| (*name, value.reveal())).collect();
            let request = self.transport.authority.post(self.tokens.url.clone());
            let body = form_body(fields.iter().copied());
            let request = request.header(CONTENT_TYPE, FORM).body(body);
            let secrets: Vec<&str> =
                fields.get(hidden..).unwrap_or_default().iter().map(|(_, value)| *value).collect();
            let call =
                Call { operation: OPERATION, purpose: Purpose::Token, attempt, secrets: &secrets };
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
    /// Life is counted from before the request was sent: never too long. The refresh
    /// token, where there is one, comes along.
    fn held(self, asked: Instant) -> (Held, Option<Secret>) {
        let number = |value: &Value| match value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let left = || number(&self.expires_on).map(|on| on - since.as_secs_f64());
        let life = number(&self.expires_in).or_else(left);
        let life = life.and_then(|s| Duration::try_from_secs_f64(s).ok()).unwrap_or(SHORT_LIFE);
        let life = life.min(Duration::from_secs(7 * 24 * 3600));
        let renew = asked + (life - MARGIN.min(life / 2));
        let token = Token { text: Secret::new(self.access_token), expires: asked + life };
        let refresh = self.refresh_token.filter(|text| !text.is_empty()).map(Secret::new);
        (Held { token: Arc::new(token), asked, renew }, refresh)
    }
}

impl Issued {
    /// What the access token says, and the refresh token.
    pub(super) fn read(self, asked: Instant) -> (TokenInfo, Option<Secret>) {
        let (held, refresh) = self.held(asked);
        (held.token.info(), refresh)
    }
}

impl Token {
    /// The token itself, for the one place that sends it.
    pub(super) fn reveal(&self) -> &str {
        self.text.reveal()
    }

    /// What it says.
    pub(super) fn info(&self) -> TokenInfo {
        let left = self.expires.saturating_duration_since(Instant::now());
        TokenInfo::read(self.reveal(), SystemTime::now() + left)
    }
}
