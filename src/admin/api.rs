//! The requests that commands send, and their answers in JSON.

use super::buttons;
use super::metrics::{self, GraphNumbers, LdapNumbers};
use crate::config::Secret;
use crate::config::settings::ConnectionSettings;
use crate::inspect::explain::{Explanation, explain};
use crate::inspect::export::{self, Format, Selection};
use crate::inspect::history;
use crate::inspect::plan::{self, Question};
use crate::replica::{self, Reader};
use crate::sync::{Handle, PassRecord, Status};
use axum::body::{Body, Bytes};
use axum::extract::{Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What the side window shows and reaches.
pub struct Facts {
    /// The stored copy.
    pub reader: Reader,
    /// The schedules, one per connection.
    pub schedules: Vec<Handle>,
    /// The connections as the configuration file has them now, or what is wrong with it.
    pub settings: Box<dyn Fn() -> Result<Vec<ConnectionSettings>, String> + Send + Sync>,
    /// Removes the data of a connection that the configuration no longer has; whether
    /// there was one.
    pub forget: Forget,
    /// What the LDAP side has counted.
    pub ldap: Box<dyn Fn() -> Value + Send + Sync>,
    /// The same, for metrics.
    pub numbers: Box<dyn Fn() -> LdapNumbers + Send + Sync>,
    /// What was asked of Graph, by connection.
    pub graph: Box<dyn Fn() -> Vec<GraphNumbers> + Send + Sync>,
    /// The replica's file.
    pub replica: PathBuf,
    /// How old the last good pass may be.
    pub ready_age: Duration,
    /// Addresses that LDAP is served on.
    pub listeners: Vec<String>,
    /// When the daemon started, Unix time.
    pub started: i64,
}

/// Removes the data of a connection by its name.
pub type Forget = Box<dyn Fn(&str) -> Result<bool, String> + Send + Sync>;

/// The answer to `POST /sync`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Replied {
    /// One record per connection that was asked.
    pub passes: Vec<PassRecord>,
}

pub(super) type Shared = State<Arc<Facts>>;

/// All requests. `token`: what callers must send, where the socket does not say who they are.
pub fn router(facts: Facts, token: Option<Secret>) -> Router {
    let routes = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(metrics::readyz))
        .route("/metrics", get(metrics::metrics))
        .route("/status", get(status))
        .route("/passes", get(passes))
        .route("/explain", get(explain_one))
        .route("/plan", get(plan_one))
        .route("/export", get(export_all))
        .route("/pass", get(pass))
        .route("/lives", get(lives))
        .route("/sync", post(sync))
        .route("/dry-run", post(buttons::preview))
        .route("/press", post(buttons::press))
        .with_state(Arc::new(facts));
    match token {
        Some(token) => routes.layer(middleware::from_fn(move |request: Request, next: Next| {
            let allowed = bears(&request, &token);
            async move {
                if allowed {
                    return next.run(request).await;
                }
                refuse(StatusCode::UNAUTHORIZED, "the admin token is missing or wrong")
            }
        })),
        None => routes,
    }
}

/// Compares in a time that does not tell how much of a guess was right.
fn bears(request: &Request, token: &Secret) -> bool {
    use sha2::{Digest, Sha256};
    let sent = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let sent = sent.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    Sha256::digest(sent) == Sha256::digest(token.reveal())
}

pub(super) fn refuse(status: StatusCode, message: impl std::fmt::Display) -> Response {
    (status, Json(json!({ "error": message.to_string() }))).into_response()
}

pub(super) fn stopping() -> Response {
    refuse(StatusCode::SERVICE_UNAVAILABLE, "the daemon is stopping")
}

fn broken(error: replica::Error) -> Response {
    refuse(StatusCode::INTERNAL_SERVER_ERROR, error)
}

async fn status(State(facts): Shared) -> Response {
    let statuses: Vec<Status> =
        facts.schedules.iter().map(|s| s.status().borrow().clone()).collect();
    let snapshot = facts.reader.snapshot();
    let entries = match snapshot.len() {
        Ok(entries) => entries,
        Err(error) => return broken(error),
    };
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "started": facts.started,
        "listeners": facts.listeners,
        "entries": entries,
        "sequence": snapshot.sequence(),
        "connections": statuses,
        "ldap": (facts.ldap)(),
    }))
    .into_response()
}

#[derive(Deserialize)]
struct PassesQuery {
    #[serde(default = "twenty")]
    most: usize,
}

fn twenty() -> usize {
    20
}

async fn passes(State(facts): Shared, Query(query): Query<PassesQuery>) -> Response {
    match facts.reader.snapshot().passes(query.most) {
        Ok(passes) => Json(passes).into_response(),
        Err(error) => broken(error),
    }
}

#[derive(Deserialize)]
struct PassQuery {
    number: u64,
    #[serde(default = "thousand")]
    most: usize,
}

fn thousand() -> usize {
    1000
}

async fn pass(State(facts): Shared, Query(query): Query<PassQuery>) -> Response {
    match history::pass(&facts.reader.snapshot(), query.number, query.most) {
        Ok(Some(pass)) => Json(pass).into_response(),
        Ok(None) => {
            let message = format!("no pass {} is remembered", query.number);
            refuse(StatusCode::NOT_FOUND, message)
        }
        Err(error) => broken(error),
    }
}

async fn lives(State(facts): Shared, Query(query): Query<ExplainQuery>) -> Response {
    match history::lives(&facts.reader.snapshot(), &query.what, thousand()) {
        Ok(lives) => Json(lives).into_response(),
        Err(error) => broken(error),
    }
}

#[derive(Deserialize)]
struct ExplainQuery {
    what: String,
}

async fn explain_one(State(facts): Shared, Query(query): Query<ExplainQuery>) -> Response {
    let answer: Result<Explanation, replica::Error> =
        explain(&facts.reader.snapshot(), &query.what);
    match answer {
        Ok(explanation) => Json(explanation).into_response(),
        Err(error) => broken(error),
    }
}

#[derive(Deserialize)]
struct PlanQuery {
    filter: String,
    base: Option<String>,
}

/// Reads as many entries as a large search does, so it keeps no thread of others busy.
async fn plan_one(State(facts): Shared, Query(query): Query<PlanQuery>) -> Response {
    let question = match Question::new(&query.filter, query.base.as_deref()) {
        Ok(question) => question,
        Err(error) => return refuse(StatusCode::BAD_REQUEST, error),
    };
    let planning = move || plan::plan(&facts.reader.snapshot(), &question);
    match tokio::task::spawn_blocking(planning).await {
        Ok(Ok(planned)) => Json(planned).into_response(),
        Ok(Err(error)) => broken(error),
        Err(_) => stopping(),
    }
}

#[derive(Deserialize)]
struct ExportQuery {
    format: Option<String>,
    filter: Option<String>,
    base: Option<String>,
}

/// Streams; a reader that stops reading stops the export.
async fn export_all(State(facts): Shared, Query(query): Query<ExportQuery>) -> Response {
    let format = match query.format.as_deref() {
        None | Some("ldif") => Format::Ldif,
        Some("json") => Format::Json,
        Some(other) => {
            return refuse(
                StatusCode::BAD_REQUEST,
                format!("format {other:?}: write ldif or json"),
            );
        }
    };
    let selection = match Selection::new(query.filter.as_deref(), query.base.as_deref()) {
        Ok(selection) => selection,
        Err(error) => return refuse(StatusCode::BAD_REQUEST, error),
    };
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Bytes, std::io::Error>>(16);
    tokio::task::spawn_blocking(move || {
        let snapshot = facts.reader.snapshot();
        let write =
            |text: String| sender.blocking_send(Ok(Bytes::from(text))).map_err(|_| Stopped::Reader);
        match export::export(&snapshot, &selection, format, write) {
            Ok(()) | Err(Stopped::Reader) => {}
            // The body breaks off, so that the reader does not take a part for the whole.
            Err(Stopped::Replica(error)) => {
                let _ = sender.blocking_send(Err(std::io::Error::other(error.to_string())));
            }
        }
    });
    Body::new(Stream { receiver }).into_response()
}

enum Stopped {
    Reader,
    Replica(replica::Error),
}

impl From<replica::Error> for Stopped {
    fn from(error: replica::Error) -> Self {
        Stopped::Replica(error)
    }
}

/// A body that comes out of a channel.
struct Stream {
    receiver: tokio::sync::mpsc::Receiver<Result<Bytes, std::io::Error>>,
}

impl http_body::Body for Stream {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, std::io::Error>>> {
        let next = self.get_mut().receiver.poll_recv(context);
        next.map(|item| item.map(|bytes| bytes.map(http_body::Frame::data)))
    }
}

#[derive(Deserialize)]
struct SyncQuery {
    connection: Option<String>,
    #[serde(default)]
    full: bool,
}

async fn sync(State(facts): Shared, Query(query): Query<SyncQuery>) -> Response {
    let wanted = |name: &str| query.connection.as_deref().is_none_or(|asked| asked == name);
    let asked: Vec<&Handle> = facts.schedules.iter().filter(|s| wanted(s.name())).collect();
    if asked.is_empty() {
        let names: Vec<&str> = facts.schedules.iter().map(Handle::name).collect();
        return refuse(
            StatusCode::NOT_FOUND,
            format!("no such connection; there is: {}", names.join(", ")),
        );
    }
    let mut passes = Vec::new();
    for schedule in asked {
        match schedule.sync(query.full).await {
            Some(record) => passes.push(record),
            None => return stopping(),
        }
    }
    Json(Replied { passes }).into_response()
}
