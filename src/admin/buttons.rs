//! What a person may want: a dry run, to approve, reject, pause, resume, disconnect.

use super::api::{Shared, refuse, stopping};
use crate::inspect::explain;
use crate::sync::{Button, Handle, Preview};
use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

/// The answer to `POST /press`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pressed {
    /// What became of it, a sentence per connection.
    pub done: Vec<String>,
    /// What did not work.
    pub failed: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct PreviewQuery {
    connection: Option<String>,
    #[serde(default)]
    full: bool,
}

/// A dry run by the configuration file as it is now.
pub(super) async fn preview(State(facts): Shared, Query(query): Query<PreviewQuery>) -> Response {
    let settings = match (facts.settings)() {
        Ok(settings) => settings,
        Err(problems) => return refuse(StatusCode::CONFLICT, problems),
    };
    let mut previews: Vec<Preview> = Vec::new();
    for connection in settings {
        if query.connection.as_ref().is_some_and(|name| *name != connection.name) {
            continue;
        }
        let name = connection.name.clone();
        let Some(handle) = facts.schedules.iter().find(|handle| handle.name() == name) else {
            let message =
                format!("{name}: the daemon does not know this connection yet; restart it");
            return refuse(StatusCode::CONFLICT, message);
        };
        match handle.preview(connection, query.full).await {
            Some(Ok(preview)) => previews.push(preview),
            Some(Err(error)) => {
                return refuse(StatusCode::BAD_GATEWAY, format!("{name}: {error}"));
            }
            None => return stopping(),
        }
    }
    if previews.is_empty() {
        return refuse(StatusCode::NOT_FOUND, "no such connection");
    }
    Json(previews).into_response()
}

#[derive(Deserialize)]
pub(super) struct PressQuery {
    button: String,
    /// A connection, or, for pause and resume, an object: its address, name or id. Empty
    /// for the connection of a daemon that has one.
    what: Option<String>,
    #[serde(default)]
    delete: bool,
}

pub(super) async fn press(State(facts): Shared, Query(query): Query<PressQuery>) -> Response {
    let asked = query.what.as_deref().unwrap_or_default();
    let named: Vec<Handle> = facts
        .schedules
        .iter()
        .filter(|handle| handle.name() == asked || (asked.is_empty() && facts.schedules.len() == 1))
        .cloned()
        .collect();
    let button = match query.button.as_str() {
        "approve" => Button::Approve,
        "reject" => Button::Reject,
        "pause" => Button::Pause,
        "resume" => Button::Resume,
        "disconnect" => Button::Disconnect { delete: query.delete },
        other => return refuse(StatusCode::BAD_REQUEST, format!("no such button: {other:?}")),
    };
    let mut wanted: Vec<(Handle, Button)> =
        named.into_iter().map(|handle| (handle, button)).collect();
    if wanted.is_empty() {
        wanted = match (button, asked) {
            (Button::Pause | Button::Resume, asked) if !asked.is_empty() => {
                match objects(&facts.reader.snapshot(), &facts.schedules, asked, button) {
                    Ok(wanted) => wanted,
                    Err(message) => return refuse(StatusCode::NOT_FOUND, message),
                }
            }
            (Button::Disconnect { delete: true }, asked) if !asked.is_empty() => {
                return forget(&facts, asked);
            }
            _ => Vec::new(),
        };
    }
    if wanted.is_empty() {
        let names: Vec<&str> = facts.schedules.iter().map(Handle::name).collect();
        let message = format!("name a connection; there is: {}", names.join(", "));
        return refuse(StatusCode::NOT_FOUND, message);
    }
    let mut pressed = Pressed { done: Vec::new(), failed: Vec::new() };
    for (handle, button) in wanted {
        match handle.press(button).await {
            Some(Ok(done)) => pressed.done.push(done),
            Some(Err(failed)) => pressed.failed.push(failed),
            None => return stopping(),
        }
    }
    Json(pressed).into_response()
}

/// The objects that are meant, each with the schedule of its connection.
fn objects(
    snapshot: &crate::replica::Snapshot,
    schedules: &[Handle],
    asked: &str,
    button: Button,
) -> Result<Vec<(Handle, Button)>, String> {
    let found = explain::objects(snapshot, asked).map_err(|error| error.to_string())?;
    let mut wanted = Vec::new();
    for (_, connection, object) in &found {
        let handle = schedules.iter().find(|handle| handle.name() == connection);
        if let (Some(handle), Ok(id)) = (handle, object.parse()) {
            let button = match button {
                Button::Pause => Button::PauseObject(id),
                _ => Button::ResumeObject(id),
            };
            wanted.push((handle.clone(), button));
        }
    }
    let ids: Vec<&str> = found.iter().map(|(_, _, object)| object.as_str()).collect();
    match wanted.len() {
        0 => Err(format!(
            "{asked}: no connection has this name, and no object this address, name or id"
        )),
        1 => Ok(wanted),
        _ => Err(format!("{asked} may mean {}; name one by its id", ids.join(" or "))),
    }
}

/// Data of a connection that the configuration no longer has.
fn forget(facts: &super::api::Facts, name: &str) -> Response {
    match (facts.forget)(name) {
        Ok(true) => {
            let done = vec![format!("{name}: all its data was removed")];
            Json(Pressed { done, failed: Vec::new() }).into_response()
        }
        Ok(false) => refuse(StatusCode::NOT_FOUND, format!("{name}: no such connection")),
        Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, error),
    }
}
