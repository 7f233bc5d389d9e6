//! The one place where requests are made: token, budget, attempts, verdict, span.

use super::auth::{Token, Tokens};
use super::counters::{Counters, Tally};
use super::delta::untrusted;
use super::error::{Access, ErrorKind, GraphError, Retry};
use super::links::Trusted;
use super::retry::{Decision, LATER, Policy};
use super::select::Selects;
use super::sign_in::Counter;
use super::throttle::Budget;
use super::transport::{Answer, Transport, client_request_id, exchange};
use super::verdict::{Purpose, Refusal, judge, redact};
use crate::config::settings::{ConnectionSettings, Credential};
use bytes::Bytes;
use reqwest::RequestBuilder;
use serde_json::Value;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tracing::Instrument;
use url::Url;

/// A 404 of a plain read is often a replica that lags; it is tried so often.
const NOT_FOUND_ATTEMPTS: u32 = 3;

/// For what can wait until the next time.
const SHORT: Duration = Duration::from_secs(10);

/// One attempt only.
pub(super) const NONE: Policy = Policy { attempts: 1, max_wait: Duration::ZERO };

/// What the clones of a [`super::Graph`] share.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) transport: Transport,
    pub(super) tokens: Tokens,
    pub(super) counter: Counter,
    endpoint: Url,
    trusted: Trusted,
    budget: Budget,
    tally: Tally,
    policy: Policy,
    selects: Selects,
    /// By what sort of permissions Graph is read.
    access: Access,
    /// How long something may take that can wait; `None` where requests have no limit at all.
    short: Option<Duration>,
}

/// A resource to get.
#[derive(Debug)]
pub(super) struct Fetch<'a> {
    pub(super) operation: &'a str,
    pub(super) purpose: Purpose,
    pub(super) url: Url,
    /// Sent by POST; such requests only read, too.
    pub(super) body: Option<&'a Value>,
    /// Whether an answer that lags behind a little will do: searches and counts need to
    /// be told so.
    pub(super) eventual: bool,
}

impl<'a> Fetch<'a> {
    /// A plain GET.
    pub(super) fn new(operation: &'a str, purpose: Purpose, url: Url) -> Self {
        Fetch { operation, purpose, url, body: None, eventual: false }
    }
}

/// One attempt at a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) operation: &'a str,
    pub(super) purpose: Purpose,
    /// From 1.
    pub(super) attempt: u32,
    /// Texts that must not stand in an error.
    pub(super) secrets: &'a [&'a str],
}

/// A failed attempt.
#[derive(Debug)]
pub(super) struct Failed {
    /// Boxed: it is much larger than most answers are.
    error: Box<GraphError>,
    /// The wait the server asked for.
    told: Option<Duration>,
    /// Whether another attempt may succeed.
    passing: bool,
}

impl Client {
    /// Nothing is sent yet.
    pub(super) fn new(settings: &ConnectionSettings) -> Result<Self, GraphError> {
        let graph = &settings.graph;
        Ok(Client {
            transport: Transport::new(settings)?,
            tokens: Tokens::new(settings),
            counter: Counter::new(settings),
            endpoint: graph.endpoint.clone(),
            trusted: Trusted::new(&graph.endpoint),
            budget: Budget::new(graph.concurrency, graph.requests_per_second),
            tally: Tally::default(),
            policy: Policy { attempts: graph.attempts, max_wait: graph.max_wait },
            selects: Selects::new(&settings.mapping),
            short: Some(SHORT.min(graph.request_timeout)).filter(|short| !short.is_zero()),
            access: match &settings.credential {
                Credential::Managed(_) => Access::Machine,
                Credential::Delegated(_) => Access::Person,
                Credential::Federated(_) => Access::Federated,
                _ => Access::Application,
            },
        })
    }

    /// What is asked of each kind of object.
    pub(super) fn selects(&self) -> &Selects {
        &self.selects
    }

    /// How long to go on trying.
    pub(super) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// By what sort of permissions Graph is read.
    pub(super) fn access(&self) -> Access {
        self.access
    }

    /// Something that can wait until the next time, as far as it comes soon.
    pub(super) async fn soon<T>(
        &self,
        operation: &str,
        work: impl Future<Output = Result<T, GraphError>>,
    ) -> Result<T, GraphError> {
        let Some(short) = self.short else { return work.await };
        match tokio::time::timeout(short, work).await {
            Ok(done) => done,
            Err(_) => {
                let (text, retry) = ("no answer in time", Retry::After(LATER));
                Err(GraphError::new(ErrorKind::Network, operation, text, retry))
            }
        }
    }

    /// The numbers now.
    pub(super) fn counters(&self) -> Counters {
        self.tally.read()
    }

    /// The URL of a resource of version 1.0.
    pub(super) fn endpoint(&self, path: &str, query: Option<&str>) -> Url {
        let mut url = self.endpoint.clone();
        let path = format!("{}/v1.0/{path}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url.set_query(query);
        url
    }

    /// The URL of a link, if our token may go there.
    pub(super) fn trusted(&self, operation: &str, link: &str) -> Result<Url, GraphError> {
        self.trusted.check(link).map_err(|fault| untrusted(operation, fault))
    }

    /// Gets a resource whose body `read` accepts; a body it does not accept counts as a failed attempt.
    pub(super) async fn get<T>(
        &self,
        fetch: &Fetch<'_>,
        read: impl Fn(&Bytes) -> Result<T, String>,
    ) -> Result<(Bytes, T), GraphError> {
        let read = &read;
        self.persist(|attempt| self.get_once(fetch, attempt, read)).await
    }

    /// One attempt, for what is not worth waiting for.
    pub(super) async fn get_now<T>(
        &self,
        fetch: &Fetch<'_>,
        read: impl Fn(&Bytes) -> Result<T, String>,
    ) -> Result<(Bytes, T), GraphError> {
        let read = &read;
        self.persist_as(&NONE, |attempt| self.get_once(fetch, attempt, read)).await
    }

    async fn get_once<T>(
        &self,
        fetch: &Fetch<'_>,
        attempt: u32,
        read: &impl Fn(&Bytes) -> Result<T, String>,
    ) -> Result<(Bytes, T), Failed> {
        let token = self.token().await.map_err(Failed::last)?;
        let first = self.get_with(fetch, attempt, &token, read).await;
        match first {
            // Expired early, revoked, or a claims challenge: a new token answers all of these.
            Err(failed) if failed.error.kind == ErrorKind::Unauthorized => {
                let token = self.renew(&token).await.map_err(Failed::last)?;
                self.get_with(fetch, attempt, &token, read).await
            }
            // A token keeps the permissions that it was given with: what has been granted
            // since then comes with the next one.
            Err(failed) if failed.error.is_permission() => {
                self.distrust(&token).await;
                Err(failed)
            }
            done => done,
        }
    }

    async fn get_with<T>(
        &self,
        fetch: &Fetch<'_>,
        attempt: u32,
        token: &Arc<Token>,
        read: &impl Fn(&Bytes) -> Result<T, String>,
    ) -> Result<(Bytes, T), Failed> {
        let link = link_secrets(fetch);
        let mut secrets: Vec<&str> = link.iter().map(String::as_str).collect();
        secrets.push(token.reveal());
        let call =
            Call { operation: fetch.operation, purpose: fetch.purpose, attempt, secrets: &secrets };
        let request = match fetch.body {
            Some(body) => self.transport.graph.post(fetch.url.clone()).json(body),
            None => self.transport.graph.get(fetch.url.clone()),
        };
        let request = match fetch.eventual {
            true => request.header("ConsistencyLevel", "eventual"),
            false => request,
        };
        let request = request.bearer_auth(token.reveal());
        let answer = self.send(&call, request).await?;
        match read(&answer.body) {
            Ok(value) => Ok((answer.body, value)),
            Err(text) => Err(Failed::garbled(&call, &answer, &text)),
        }
    }

    /// Sends one request within the budget. The answer is a success with a complete body.
    pub(super) async fn send(
        &self,
        call: &Call<'_>,
        request: RequestBuilder,
    ) -> Result<Answer, Failed> {
        let answer = self.send_any(call, request).await?;
        Failed::unless_success(call, answer).map_err(|failed| failed.of(self.access))
    }

    /// The same; the answer may be a refusal.
    pub(super) async fn send_any(
        &self,
        call: &Call<'_>,
        request: RequestBuilder,
    ) -> Result<Answer, Failed> {
        let id = client_request_id();
        let request = request.header("client-request-id", &id);
        let span = tracing::debug_span!(
            "graph_request",
            operation = call.operation,
            attempt = call.attempt,
            client_request_id = %id
        );
        let sent = self.send_within_budget(call, request).instrument(span).await;
        sent.map(|answer| Answer { client_request_id: id.clone(), ..answer }).map_err(
            |mut failed| {
                failed.error.client_request_id = Some(id.into());
                failed.of(self.access)
            },
        )
    }

    async fn send_within_budget(
        &self,
        call: &Call<'_>,
        request: RequestBuilder,
    ) -> Result<Answer, Failed> {
        let permit = self.budget.acquire(self.policy.max_wait, &self.tally).await;
        let _permit = permit.map_err(|silence| {
            let text = "an earlier answer asked for a wait longer than max_wait";
            let retry = Retry::After(silence);
            Failed::last(GraphError::new(ErrorKind::Throttled, call.operation, text, retry))
        })?;
        self.tally.add(|counters| {
            counters.requests += 1;
            counters.retries += u64::from(call.attempt > 1);
        });
        let started = Instant::now();
        let answer = exchange(request).await.map_err(|text| Failed::network(call, &text))?;
        let octets = answer.body.len();
        self.tally.add(|counters| counters.bytes += octets as u64);
        let elapsed = started.elapsed();
        tracing::debug!(status = answer.status.as_u16(), octets, ?elapsed, "answered");
        Ok(answer)
    }

    /// Tries until it succeeds, cannot succeed, or patience ends.
    pub(super) async fn persist<T, F, A>(&self, once: F) -> Result<T, GraphError>
    where
        F: Fn(u32) -> A,
        A: Future<Output = Result<T, Failed>>,
    {
        self.persist_as(&self.policy, once).await
    }

    /// The same with another patience.
    pub(super) async fn persist_as<T, F, A>(
        &self,
        policy: &Policy,
        once: F,
    ) -> Result<T, GraphError>
    where
        F: Fn(u32) -> A,
        A: Future<Output = Result<T, Failed>>,
    {
        let mut attempt = 1;
        loop {
            let failed = match once(attempt).await {
                Ok(value) => return Ok(value),
                Err(failed) => failed,
            };
            if !failed.passing {
                return Err(*failed.error);
            }
            let jitter = getrandom::u32().unwrap_or(u32::MAX / 2);
            match policy.decide(attempt, failed.told, jitter) {
                Decision::Wait(wait) => self.pause(&failed, attempt, wait).await,
                Decision::GiveUp(wait) => return Err(self.give_up(failed, wait)),
            }
            attempt += 1;
        }
    }

    async fn pause(&self, failed: &Failed, attempt: u32, wait: Duration) {
        let error = GraphError { retry: Retry::After(wait), ..(*failed.error).clone() };
        tracing::warn!(%error, attempt, "a request failed");
        if failed.concerns_all() {
            // The wait itself takes place in the budget, where all requests pass.
            self.budget.hold(wait);
        } else {
            sleep(wait).await;
        }
    }

    fn give_up(&self, failed: Failed, wait: Duration) -> GraphError {
        if failed.concerns_all() && failed.told.is_some() {
            self.budget.hold(wait);
        }
        // A 404 keeps its own, longer time.
        match failed.error.kind {
            ErrorKind::NotFound => *failed.error,
            _ => GraphError { retry: Retry::After(wait), ..*failed.error },
        }
    }
}

impl Failed {
    /// No further attempt.
    pub(super) fn last(error: GraphError) -> Self {
        Failed { error: Box::new(error), told: None, passing: false }
    }

    /// The error alone, where nothing is tried again.
    pub(super) fn into_error(self) -> GraphError {
        *self.error
    }

    /// The answer, if it is a success.
    pub(super) fn unless_success(call: &Call<'_>, answer: Answer) -> Result<Answer, Failed> {
        if answer.status.is_success() { Ok(answer) } else { Err(Failed::refused(call, answer)) }
    }

    pub(super) fn of(mut self, access: Access) -> Self {
        self.error.access = access;
        self
    }

    fn passing(error: GraphError) -> Self {
        Failed { error: Box::new(error), told: None, passing: true }
    }

    fn network(call: &Call<'_>, text: &str) -> Self {
        let text = redact(text, call.secrets);
        let retry = Retry::After(LATER);
        Failed::passing(GraphError::new(ErrorKind::Network, call.operation, text, retry))
    }

    /// A success whose body is not what was asked for.
    pub(super) fn garbled(call: &Call<'_>, answer: &Answer, text: &str) -> Self {
        let kind = answer.content_type.as_deref().unwrap_or("no content type");
        let text = format!("{text} ({kind}, {} octets)", answer.body.len());
        let text = redact(&text, call.secrets);
        let retry = Retry::After(LATER);
        let id = answer.request_id.as_deref().map(|id| redact(id, call.secrets).into());
        Failed::passing(GraphError {
            status: Some(answer.status.as_u16()),
            request_id: id,
            ..GraphError::new(ErrorKind::Garbled, call.operation, text, retry)
        })
    }

    fn refused(call: &Call<'_>, answer: Answer) -> Self {
        let refusal = Refusal {
            status: answer.status.as_u16(),
            body: &answer.body,
            content_type: answer.content_type.as_deref(),
            redirect: answer.redirect,
            request_id: answer.request_id.as_deref(),
        };
        let mut error = judge(call.operation, call.purpose, &refusal, call.secrets);
        error.client_request_id = Some(answer.client_request_id.into());
        let lagging = error.kind == ErrorKind::NotFound
            && call.purpose == Purpose::Read
            && call.attempt < NOT_FOUND_ATTEMPTS;
        let passing = error.kind.is_transient() || lagging;
        Failed { error: Box::new(error), told: answer.retry_after, passing }
    }

    /// Whether every request of the connection should wait, not only this one.
    fn concerns_all(&self) -> bool {
        self.error.kind == ErrorKind::Throttled || self.error.status == Some(503)
    }
}

/// The state tokens in a link, in all the forms in which an answer might repeat them. Our own first requests have
/// none.
fn link_secrets(fetch: &Fetch<'_>) -> Vec<String> {
    if fetch.purpose == Purpose::Start {
        return Vec::new();
    }
    let is_token = |key: &str| key.to_ascii_lowercase().contains("token");
    let decoded = fetch.url.query_pairs().filter(|(key, _)| is_token(key));
    let mut secrets: Vec<String> = decoded.map(|(_, value)| value.into_owned()).collect();
    let raw = fetch.url.query().unwrap_or("");
    let pairs = raw.split('&').filter_map(|pair| pair.split_once('='));
    secrets.extend(pairs.filter(|(key, _)| is_token(key)).map(|(_, value)| value.to_owned()));
    secrets.push(raw.to_owned());
    // A value of a letter or two would blacken whole sentences, and guards nothing.
    secrets.retain(|secret| secret.len() > 3);
    secrets
}
