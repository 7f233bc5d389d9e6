//! `$batch`: up to twenty requests in one, each with its own status and its own faults.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::call::{Call, Outcome, Reply};
use super::desk::Desk;
use super::errors::Refusal;
use super::routes;

const MOST: usize = 20;

/// Answers a batch.
pub(super) fn answer(desk: &Desk, call: &Call) -> Outcome {
    let malformed = |text: &str| Refusal::new(400, "BadRequest", text);
    let body: Value = serde_json::from_slice(&call.body)
        .map_err(|_| malformed("Invalid batch payload format."))?;
    let requests = body.get("requests").and_then(Value::as_array).filter(|list| !list.is_empty());
    let requests = requests.ok_or_else(|| malformed("Invalid batch payload format."))?;
    if requests.len() > MOST {
        return Err(malformed("Number of batch request steps exceeds the maximum value of 20."));
    }
    let mut ids = HashSet::new();
    for request in requests {
        let id = request
            .get("id")
            .and_then(Value::as_str)
            .ok_or_else(|| malformed("A request id is missing."))?;
        if !ids.insert(id) {
            return Err(malformed("The request ids of a batch must be unique."));
        }
    }
    let mut failed = HashSet::new();
    let mut responses = Vec::new();
    let mut throttled = false;
    for request in requests {
        let id = request.get("id").and_then(Value::as_str).unwrap_or_default();
        let needs = request.get("dependsOn").and_then(Value::as_array).into_iter().flatten();
        let mut response = match needs.filter_map(Value::as_str).any(|need| failed.contains(need)) {
            true => json!({"status": 424, "body": {"error": {"code": "FailedDependency",
                "message": "A request this one depends on has failed."}}}),
            false => item(desk, call, request),
        };
        let status = response.get("status").and_then(Value::as_u64).unwrap_or(0);
        throttled |= status == 429;
        if status >= 400 {
            failed.insert(id);
        }
        if let Some(response) = response.as_object_mut() {
            response.insert("id".to_owned(), id.into());
        }
        responses.push(response);
    }
    let knobs = desk.knobs();
    if throttled && knobs.batch_fails_whole {
        return Err(Refusal::new(424, "FailedDependency", "A request of the batch was throttled."));
    }
    if knobs.batch_reversed {
        responses.reverse();
    }
    Ok(Reply::Json(json!({"responses": responses})))
}

fn item(desk: &Desk, batch: &Call, request: &Value) -> Value {
    let text = |key: &str| request.get(key).and_then(Value::as_str).unwrap_or_default();
    let (version, _) = batch.route();
    let url = text("url");
    if url.contains("://") || url.is_empty() {
        return json!({"status": 400, "body": {"error": {"code": "BadRequest", "message": "The url must be relative."}}});
    }
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let mut headers: Vec<(String, String)> = request
        .get("headers")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name.to_lowercase(), value.as_str()?.to_owned())))
        .collect();
    headers.extend(batch.headers.iter().filter(|(name, _)| name == "authorization").cloned());
    let call = Call {
        method: text("method").to_uppercase(),
        path: format!("/{version}/{}", path.trim_start_matches('/')),
        query: query.to_owned(),
        headers,
        body: Vec::new(),
        root: batch.root.clone(),
    };
    if call.facts("").batch {
        return json!({"status": 400, "body": {"error": {"code": "BadRequest", "message": "Batches do not nest."}}});
    }
    let answer = routes::answer(desk, &call);
    let headers: Map<String, Value> =
        answer.headers.into_iter().map(|(name, value)| (canonical(&name), value.into())).collect();
    let body: Value = serde_json::from_slice(&answer.body)
        .unwrap_or_else(|_| String::from_utf8_lossy(&answer.body).into_owned().into());
    json!({"status": answer.status, "headers": headers, "body": body})
}

/// `retry-after` is `Retry-After` in a batch: JSON keys are not matched without case.
fn canonical(name: &str) -> String {
    match name {
        "retry-after" => "Retry-After".to_owned(),
        "content-type" => "Content-Type".to_owned(),
        "location" => "Location".to_owned(),
        other => other.to_owned(),
    }
}
