//! Whether a user's password is right: a token is asked for with it (ROPC, graph.md 1.8).
//!
//! Such requests pass by the budget of the sync: a tenant that is throttled for its delta queries
//! must not keep people from their mail. They are not counted with its requests either. Nothing that Entra writes in prose goes on into an
//! error: it names the user, and blackening a password in it would tell which word that was.

use super::Graph;
use super::auth::is_refused;
use super::error::{ErrorKind, GraphError, Retry};
use super::retry::LATER;
use super::transport::{self, Answer, FORM, client_request_id, exchange};
use super::verdict::{Purpose, Refusal, judge};
use crate::config::Secret;
use crate::config::settings::{ConnectionSettings, SignInProof};
use bytes::Bytes;
use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::Value;
use std::fmt;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use tracing::Instrument;
use url::Url;

/// What such a request is called in errors.
pub(super) const OPERATION: &str = "sign-in";
/// A request that brought no answer at all is sent once more, in the time there is.
const ATTEMPTS: u32 = 2;
/// Ids and codes of an answer are shorter.
const LONGEST_WORD: usize = 64;

/// A name and a password to be checked.
pub struct SignIn<'a> {
    /// The user principal name.
    pub username: &'a str,
    /// The password.
    pub password: &'a str,
    /// The application, where it is not the connection's.
    pub client_id: Option<&'a str>,
    /// How the application proves itself.
    pub proof: &'a SignInProof,
    /// What a token is asked for.
    pub scope: &'a str,
    /// How long all of it may take.
    pub timeout: Duration,
}

impl fmt::Debug for SignIn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignIn").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// Where passwords of a connection are checked.
#[derive(Debug)]
pub(super) struct Counter {
    url: Url,
    client_id: String,
}

impl Counter {
    /// The token endpoint of the connection's tenant.
    pub(super) fn new(settings: &ConnectionSettings) -> Self {
        let mut url = settings.graph.authority.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend([settings.tenant.as_str(), "oauth2", "v2.0", "token"]);
        }
        Counter { url, client_id: settings.client_id.clone() }
    }
}

impl Graph {
    /// Asks Entra whether a password is right. `Ok`: a token was issued, and thrown away.
    ///
    /// # Errors
    /// Any other answer, or none. [`GraphError::aadsts`] says what Entra has against it; the
    /// password may be right all the same.
    pub async fn sign_in(&self, asked: &SignIn<'_>) -> Result<(), GraphError> {
        let deadline = Instant::now() + asked.timeout;
        match asked.proof {
            SignInProof::Connection => self.sign_in_as_connection(asked, deadline).await,
            SignInProof::Secret(source) => {
                let secret = source.read().map_err(|error| {
                    let text = format!("{error}; correct client_secret of [connection.user_binds]");
                    failure(ErrorKind::Secret, &text, Retry::Never)
                })?;
                self.sign_in_with(asked, &[("client_secret", secret)], deadline).await
            }
            SignInProof::Public => self.sign_in_with(asked, &[], deadline).await,
        }
    }

    /// In each way that the connection has to prove itself: a secret may just have been
    /// replaced by the other one.
    async fn sign_in_as_connection(
        &self,
        asked: &SignIn<'_>,
        deadline: Instant,
    ) -> Result<(), GraphError> {
        let tokens = &self.client.tokens;
        let mut refused = None;
        for (at, proof) in tokens.proofs()? {
            let fields = tokens.fields(&proof)?;
            let outcome = self.sign_in_with(asked, &fields, deadline).await;
            match outcome {
                Err(error) if is_refused(&error) => refused = refused.or(Some(error)),
                outcome => {
                    let judged = match &outcome {
                        Ok(()) => true,
                        Err(error) => error.kind == ErrorKind::Credential,
                    };
                    if judged {
                        tokens.took(at);
                    }
                    return outcome;
                }
            }
        }
        match refused {
            Some(error) => Err(error),
            // A managed identity, or a person: nothing that could be shown.
            None => self.sign_in_with(asked, &[], deadline).await,
        }
    }

    async fn sign_in_with(
        &self,
        asked: &SignIn<'_>,
        proof: &[(&'static str, Secret)],
        deadline: Instant,
    ) -> Result<(), GraphError> {
        let form = form(&self.client.counter, asked, proof);
        let mut attempt = 1;
        loop {
            let id = client_request_id();
            let span = tracing::debug_span!("sign_in", attempt, client_request_id = %id);
            let sent = self.send(form.clone(), &id, deadline).instrument(span).await;
            match sent {
                Ok(answer) => {
                    return read(&answer).map_err(|mut error| {
                        error.client_request_id = Some(id.into());
                        error
                    });
                }
                Err(_) if attempt < ATTEMPTS && Instant::now() < deadline => attempt += 1,
                Err(text) => {
                    let mut error = failure(ErrorKind::Network, &text, Retry::After(LATER));
                    error.client_request_id = Some(id.into());
                    return Err(error);
                }
            }
        }
    }

    /// One attempt. The text says why there is no answer.
    async fn send(&self, form: Bytes, id: &str, deadline: Instant) -> Result<Answer, String> {
        let request = self.client.transport.authority.post(self.client.counter.url.clone());
        let request = request.header(CONTENT_TYPE, FORM).header("client-request-id", id).body(form);
        let answer = match timeout_at(deadline, exchange(request)).await {
            Ok(answer) => answer?,
            Err(_) => return Err("no answer in time".to_owned()),
        };
        tracing::debug!(status = answer.status.as_u16(), "answered");
        Ok(answer)
    }
}

/// The body of the request.
fn form(counter: &Counter, asked: &SignIn<'_>, proof: &[(&'static str, Secret)]) -> Bytes {
    let client_id = asked.client_id.unwrap_or(&counter.client_id);
    let fields = [
        ("grant_type", "password"),
        ("client_id", client_id),
        ("username", asked.username),
        ("password", asked.password),
        ("scope", asked.scope),
    ];
    transport::form(
        fields.into_iter().chain(proof.iter().map(|(key, value)| (*key, value.reveal()))),
    )
}

fn failure(kind: ErrorKind, text: &str, retry: Retry) -> GraphError {
    GraphError::new(kind, OPERATION, text, retry)
}

/// The parts of an answer that count.
#[derive(Default, Deserialize)]
struct Said {
    #[serde(default)]
    access_token: Value,
    #[serde(default)]
    error: Value,
    #[serde(default)]
    suberror: Value,
    #[serde(default)]
    claims: Value,
}

/// What the answer says of the password. A success without a token is the page of some
/// portal in between.
fn read(answer: &Answer) -> Result<(), GraphError> {
    let said: Said = serde_json::from_slice(&answer.body).unwrap_or_default();
    let is_there = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    if answer.status.is_success() {
        if is_there(&said.access_token) {
            return Ok(());
        }
        let text = "an answer without access_token";
        let error = failure(ErrorKind::Garbled, text, Retry::After(LATER));
        return Err(GraphError { status: Some(answer.status.as_u16()), ..error });
    }
    let refusal = Refusal {
        status: answer.status.as_u16(),
        body: &answer.body,
        content_type: answer.content_type.as_deref(),
        redirect: None,
        request_id: answer.request_id.as_deref(),
    };
    let judged = judge(OPERATION, Purpose::Token, &refusal, &[]);
    let wants_more = said.error == "interaction_required" || is_there(&said.suberror);
    Err(GraphError {
        message: "".into(),
        code: judged.code.filter(|code| is_word(code)),
        word: judged.word.filter(|word| is_word(word)),
        request_id: judged.request_id.filter(|id| is_word(id)),
        interaction: wants_more || is_there(&said.claims),
        ..judged
    })
}

/// Whether a text can be an id or a code, and hides nothing else.
fn is_word(text: &str) -> bool {
    text.len() <= LONGEST_WORD
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::StatusCode;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: None,
            request_id: None,
            content_type: None,
            redirect: None,
            body: Bytes::copy_from_slice(body.as_bytes()),
            challenge: None,
            date: None,
            client_request_id: String::new(),
        }
    }

    fn refused(body: &str) -> GraphError {
        read(&answer(400, body)).unwrap_err()
    }

    #[test]
    fn only_a_token_is_a_yes() {
        assert_eq!(read(&answer(200, r#"{"access_token":"x","token_type":"Bearer"}"#)), Ok(()));
        for body in ["", "{}", "<html>", "[]", r#"{"access_token":""}"#, r#"{"access_token":1}"#] {
            assert_eq!(read(&answer(200, body)).unwrap_err().kind, ErrorKind::Garbled, "{body}");
        }
        assert!(read(&answer(302, r#"{"access_token":"x"}"#)).is_err());
    }

    #[test]
    fn prose_does_not_get_into_errors() {
        let error = refused(
            r#"{"error":"invalid_grant","error_codes":[50126],"trace_id":"t-1",
                "error_description":"AADSTS50126: bob@contoso.com hush Trace ID: t-1"}"#,
        );
        assert_eq!((error.aadsts(), error.interaction), (Some(50126), false));
        assert_eq!(error.kind, ErrorKind::Credential);
        let text = format!("{error} {error:?}");
        assert!(!text.contains("bob") && !text.contains("hush"), "{text}");
        assert!(text.contains("t-1"), "{text}");
        let error = refused(r#"{"error":"hush hush","trace_id":"of bob"}"#);
        assert_eq!((error.code, error.request_id), (None, None));
    }

    #[test]
    fn every_form_of_a_wish_for_more_is_known() {
        for body in [
            r#"{"error":"interaction_required","error_codes":[99999]}"#,
            r#"{"error":"invalid_grant","error_codes":[99999],"suberror":"basic_action"}"#,
            r#"{"error":"invalid_grant","error_codes":[99999],"claims":"{\"access_token\":{}}"}"#,
        ] {
            let error = refused(body);
            assert_eq!((error.aadsts(), error.interaction), (Some(99999), true), "{body}");
        }
        // Without a list of codes the text starts with one.
        let error =
            refused(r#"{"error":"invalid_grant","error_description":"AADSTS50076: Due to"}"#);
        assert_eq!((error.aadsts(), error.interaction), (Some(50076), false));
    }

    #[test]
    fn the_form_is_encoded_and_holds_the_proof() {
        let counter = Counter { url: "https://a.example/".parse().unwrap(), client_id: "c".into() };
        let asked = SignIn {
            username: "bob@contoso.com",
            password: "p&=+ \u{e9}",
            client_id: None,
            proof: &SignInProof::Public,
            scope: "openid profile",
            timeout: Duration::from_secs(1),
        };
        let form = form(&counter, &asked, &[("client_secret", Secret::new("s/1"))]);
        assert_eq!(
            std::str::from_utf8(&form).unwrap(),
            "grant_type=password&client_id=c&username=bob%40contoso.com&password=p%26%3D%2B+%C3%A9\
             &scope=openid+profile&client_secret=s%2F1"
        );
        assert!(!format!("{asked:?}").contains("bob"));
    }
}
