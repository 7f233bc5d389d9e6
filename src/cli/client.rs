//! Asking the running daemon.

use super::{Exit, Failure};
use crate::config::settings::{AdminListen, AdminSettings};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The daemon behind its admin socket.
pub(super) struct Client {
    http: reqwest::Client,
    root: String,
    token: Option<crate::config::Secret>,
    place: String,
}

/// Why the daemon gives no answer.
pub(super) enum Unanswered {
    /// No daemon runs, as far as can be told.
    NotRunning(String),
    /// It has been asked, and has gone since: perhaps it starts again this moment, so nothing
    /// may be done in its place.
    Lost(String),
    /// It runs, and says no.
    Refused(String),
}

impl From<Unanswered> for Failure {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::NotRunning(why) | Unanswered::Lost(why) => {
                Failure::new(Exit::Unreachable, why)
            }
            Unanswered::Refused(why) => Failure::new(Exit::No, why),
        }
    }
}

impl Client {
    /// A client for the socket of `[admin]`; nothing is sent yet.
    pub(super) fn new(settings: &AdminSettings) -> Result<Client, Unanswered> {
        let builder = reqwest::Client::builder().no_proxy();
        let (builder, root, place) = match &settings.listen {
            AdminListen::Off => {
                return Err(Unanswered::NotRunning(
                    "the admin socket is switched off ([admin] listen = \"off\")".to_owned(),
                ));
            }
            AdminListen::Unix(path) => (
                builder.unix_socket(path.as_path()),
                "http://entraldap".to_owned(),
                format!("unix:{}", path.display()),
            ),
            AdminListen::Tcp(address) => {
                (builder, format!("http://{address}"), address.to_string())
            }
        };
        let http = builder.build().map_err(|error| Unanswered::NotRunning(chain(&error)))?;
        Ok(Client { http, root, token: settings.token.clone(), place })
    }

    /// Asks for JSON.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, Unanswered> {
        self.json(self.http.get(self.url(path, query))).await
    }

    /// Tells to do something; the answer is JSON.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, Unanswered> {
        self.json(self.http.post(self.url(path, query))).await
    }

    /// Asks for text, piece by piece.
    pub(super) async fn stream(
        &self,
        path: &str,
        query: &[(&str, &str)],
        mut write: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut response = self.send(self.http.get(self.url(path, query))).await?;
        loop {
            match response.chunk().await {
                Ok(Some(piece)) => write(&piece)?,
                Ok(None) => return Ok(()),
                Err(error) => {
                    return Err(Failure::new(
                        Exit::No,
                        format!("the answer broke off: {}", chain(&error)),
                    ));
                }
            }
        }
    }

    fn url(&self, path: &str, query: &[(&str, &str)]) -> String {
        let mut text = url::form_urlencoded::Serializer::new(String::new());
        query.iter().for_each(|(name, value)| {
            text.append_pair(name, value);
        });
        format!("{}{path}?{}", self.root, text.finish())
    }

    async fn json<T: DeserializeOwned>(
        &self,
        request: reqwest::RequestBuilder,
    ) -> Result<T, Unanswered> {
        let response = self.send(request).await?;
        response.json().await.map_err(|error| {
            Unanswered::Refused(format!(
                "{}: no answer of entraldap: {}",
                self.place,
                chain(&error)
            ))
        })
    }

    async fn send(
        &self,
        mut request: reqwest::RequestBuilder,
    ) -> Result<reqwest::Response, Unanswered> {
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.reveal());
        }
        let response = request.send().await.map_err(|error| {
            let (place, why) = (&self.place, chain(&error));
            if error.is_connect() {
                Unanswered::NotRunning(format!(
                    "no daemon answers on {place} ({why}); is `entraldap serve` running, and may this user reach its socket?"
                ))
            } else {
                Unanswered::Lost(format!(
                    "the daemon on {place} went away before it answered ({why}); `entraldap status` tells what it has done once it runs again"
                ))
            }
        })?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let said: Option<Value> = response.json().await.ok();
        let said = said.as_ref().and_then(|body| body.get("error")).and_then(Value::as_str);
        Err(Unanswered::Refused(
            said.map_or_else(|| format!("{}: {status}", self.place), str::to_owned),
        ))
    }
}

/// An error with its causes: the last one says most.
fn chain(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}
