//! Many objects by their ids, twenty requests in one (`$batch`). An id that Graph does not
//! know under any kind is left out; everything else that goes wrong fails the whole, because
//! unknown is not absent.

use super::Graph;
use super::client::Fetch;
use super::delta::{self, place};
use super::error::{ErrorKind, GraphError, Retry};
use super::object::{Item, ManagerChange};
use super::retry::{Decision, LATER, retry_after};
use super::verdict::{Purpose, Refusal, judge};
use crate::directory::ids::ObjectId;
use crate::directory::kind::Kind;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::time::{Duration, SystemTime};

const OPERATION: &str = "$batch";
/// Graph takes no more in one (graph.md 4.3).
const AT_ONCE: usize = 20;
/// In this order an id is looked for: most are users.
const KINDS: [Kind; 3] = [Kind::User, Kind::Group, Kind::Contact];

/// An object that was read by its id.
#[derive(Debug, Clone, PartialEq)]
pub struct Fetched {
    /// What it is.
    pub kind: Kind,
    /// The object, whole but for a group's members.
    pub item: Item,
}

/// One request of a batch.
struct Wanted {
    id: ObjectId,
    /// Position in [`KINDS`].
    at: usize,
    /// Whether the manager is asked for in the same request.
    expand: bool,
}

#[derive(Deserialize)]
struct Batch {
    responses: Vec<Response>,
}

#[derive(Deserialize)]
struct Response {
    id: String,
    status: u16,
    #[serde(default)]
    headers: Map<String, Value>,
    #[serde(default)]
    body: Value,
}

/// What became of one request.
enum Outcome {
    Found(Box<Fetched>),
    /// Ask differently: as another kind, without the manager.
    Next(Wanted),
    /// It is nothing that is copied, or not there.
    Nothing,
    /// Ask again, not before this has passed.
    Again(Wanted, Option<Duration>, Box<GraphError>),
}

impl Graph {
    /// Reads objects by their ids; those that are no live user, group or contact are left
    /// out.
    ///
    /// # Errors
    /// One of them could not be read, for another reason than that it is not there.
    pub async fn objects(&self, ids: &[ObjectId]) -> Result<Vec<Fetched>, GraphError> {
        let wanted = |id: &ObjectId| Wanted { id: *id, at: 0, expand: true };
        let mut open: Vec<Wanted> = ids.iter().map(wanted).collect();
        let mut found = Vec::with_capacity(ids.len());
        let mut attempt = 1;
        while !open.is_empty() {
            let rest = open.split_off(open.len().min(AT_ONCE));
            let mut again: Vec<Wanted> = Vec::new();
            let (mut wait, mut failed) = (None, None);
            for outcome in self.batch(open).await? {
                match outcome {
                    Outcome::Found(object) => found.push(*object),
                    Outcome::Next(wanted) => again.push(wanted),
                    Outcome::Nothing => {}
                    Outcome::Again(wanted, told, error) => {
                        again.push(wanted);
                        wait = wait.max(told);
                        failed = Some(error);
                    }
                }
            }
            match failed {
                Some(error) => {
                    self.pause(*error, attempt, wait).await?;
                    attempt += 1;
                }
                None => attempt = 1,
            }
            again.extend(rest);
            open = again;
        }
        Ok(found)
    }

    /// Waits before some requests of a batch are sent again, unless patience ends.
    async fn pause(
        &self,
        error: GraphError,
        attempt: u32,
        told: Option<Duration>,
    ) -> Result<(), GraphError> {
        let jitter = getrandom::u32().unwrap_or(u32::MAX / 2);
        match self.client.policy().decide(attempt, told, jitter) {
            Decision::Wait(wait) => {
                tracing::warn!(%error, attempt, ?wait, "requests of a batch failed");
                tokio::time::sleep(wait).await;
                Ok(())
            }
            Decision::GiveUp(wait) => Err(GraphError { retry: Retry::After(wait), ..error }),
        }
    }

    async fn batch(&self, mut wanted: Vec<Wanted>) -> Result<Vec<Outcome>, GraphError> {
        let requests: Vec<Value> = wanted
            .iter()
            .enumerate()
            .map(
                |(at, one)| json!({ "id": at.to_string(), "method": "GET", "url": self.path(one) }),
            )
            .collect();
        let body = json!({ "requests": requests });
        let fetch = Fetch {
            body: Some(&body),
            ..Fetch::new(OPERATION, Purpose::Read, self.client.endpoint(OPERATION, None))
        };
        let count = wanted.len();
        let read = |body: &bytes::Bytes| -> Result<Batch, String> {
            let batch: Batch = serde_json::from_slice(body).map_err(|error| place(&error))?;
            let mut answered = vec![false; count];
            for response in &batch.responses {
                let slot = response.id.parse().ok().and_then(|at: usize| answered.get_mut(at));
                *slot.ok_or("an answer to a request that was not sent")? = true;
            }
            match answered.iter().all(|answered| *answered) {
                true => Ok(batch),
                false => Err("a batch with an answer missing".to_owned()),
            }
        };
        let (_, mut batch) = self.client.get(&fetch, read).await?;
        let order = |response: &Response| response.id.parse().unwrap_or(usize::MAX);
        batch.responses.sort_by_key(order);
        batch.responses.dedup_by_key(|response| order(response));
        batch
            .responses
            .into_iter()
            .zip(wanted.drain(..))
            .map(|(response, wanted)| outcome(wanted, response))
            .collect()
    }

    fn path(&self, wanted: &Wanted) -> String {
        let kind = kind(wanted);
        let select = self.client.selects().of_objects(kind);
        let expand =
            if kind == Kind::User && wanted.expand { "&$expand=manager($select=id)" } else { "" };
        format!("/{}/{}?$select={select}{expand}", kind.plural(), wanted.id)
    }
}

fn kind(wanted: &Wanted) -> Kind {
    KINDS.get(wanted.at).copied().unwrap_or(Kind::User)
}

fn outcome(wanted: Wanted, response: Response) -> Result<Outcome, GraphError> {
    let kind = kind(&wanted);
    if (200..300).contains(&response.status) {
        let object = object(kind, wanted.expand, response.body);
        let object = object.filter(|object| object.item.id == wanted.id);
        return object.map(|object| Outcome::Found(Box::new(object))).ok_or_else(|| {
            let text = "an answer in a batch that is not the object asked for";
            GraphError::new(ErrorKind::Garbled, OPERATION, text, Retry::After(LATER))
        });
    }
    let is_other = response.status == 404;
    if is_other && wanted.at + 1 < KINDS.len() {
        return Ok(Outcome::Next(Wanted { at: wanted.at + 1, expand: true, ..wanted }));
    }
    if is_other {
        return Ok(Outcome::Nothing);
    }
    // A service that does not expand here still has the object.
    if response.status == 400 && kind == Kind::User && wanted.expand {
        return Ok(Outcome::Next(Wanted { expand: false, ..wanted }));
    }
    let body = serde_json::to_vec(&response.body).unwrap_or_default();
    let operation = format!("{OPERATION} {}", kind.plural());
    let refusal = Refusal {
        status: response.status,
        body: &body,
        content_type: Some("application/json"),
        ..Refusal::default()
    };
    let error = judge(&operation, Purpose::Read, &refusal, &[]);
    let passing = error.kind.is_transient() || error.kind == ErrorKind::Unauthorized;
    if !passing {
        return Err(error);
    }
    let told = response
        .headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("retry-after"))
        .and_then(|(_, value)| match value {
            Value::String(text) => retry_after(text, SystemTime::now()),
            other => retry_after(&other.to_string(), SystemTime::now()),
        });
    Ok(Outcome::Again(wanted, told, Box::new(error)))
}

/// A single object, read by the parser of delta pages.
fn object(kind: Kind, expanded: bool, body: Value) -> Option<Fetched> {
    let Value::Object(mut properties) = body else { return None };
    let manager = properties.remove("manager").unwrap_or_default();
    let manager = manager.get("id").and_then(Value::as_str).and_then(|id| id.parse().ok());
    let page = json!({ "value": [properties], "@odata.deltaLink": "none" });
    let octets = serde_json::to_vec(&page).ok()?;
    let mut item = delta::items(kind, &octets).ok()?.into_iter().next()?;
    if kind == Kind::User && expanded {
        item.manager = Some(manager.map_or(ManagerChange::Cleared, ManagerChange::Set));
    }
    Some(Fetched { kind, item })
}
