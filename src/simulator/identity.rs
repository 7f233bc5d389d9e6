//! The token services of machines (graph.md 1.5): IMDS, App Service, the agent of Azure Arc.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::call::{Answer, Call};
use super::desk::Desk;
use super::token;

/// Where the simulated tenant's application runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Machine {
    /// A virtual machine.
    Imds,
    /// App Service, with the value of the header that proves the asker.
    AppService(String),
    /// With the agent of Azure Arc, and the folder it writes its challenges to.
    Arc(PathBuf),
}

/// An identity that can be asked for, in any of its three names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineIdentity {
    /// Client id.
    pub client: String,
    /// Object id.
    pub object: String,
    /// Azure resource id.
    pub resource: String,
}

/// Whether a path is one of a token service of machines.
pub(super) fn is_path(path: &str) -> bool {
    matches!(path, "/metadata/identity/oauth2/token" | "/msi/token")
}

/// Answers there.
pub(super) fn answer(desk: &Desk, call: &Call) -> Answer {
    let Some(machine) = &desk.options.machine else {
        return Answer::new(404, "text/html", "<html><body>Not found</body></html>");
    };
    let params = call.params();
    let metadata = call.header("metadata") == Some("true");
    let imds = call.path == "/metadata/identity/oauth2/token";
    let (version, selector) = match machine {
        Machine::Imds if !imds || !metadata || call.header("x-forwarded-for").is_some() => {
            return no("bad_request_102", "Required metadata header not specified");
        }
        Machine::Imds => ("2018-02-01", "msi_res_id"),
        Machine::AppService(header) => {
            if imds || call.header("x-identity-header") != Some(header) {
                let text = "The X-IDENTITY-HEADER header is missing or wrong";
                return token::plain(401, &json!({ "statusCode": 401, "message": text }));
            }
            ("2019-08-01", "mi_res_id")
        }
        Machine::Arc(keys) => {
            if !imds || !metadata {
                return no("invalid_request", "Required metadata header not specified");
            }
            if let Some(challenge) = challenge(desk, call, keys) {
                return challenge;
            }
            ("2020-06-01", "msi_res_id")
        }
    };
    if params.get("api-version") != Some(version) {
        return no("invalid_request", "The api-version is invalid");
    }
    let resource = params.get("resource").unwrap_or_default();
    if !token::is_graph(resource, call) {
        return no("invalid_resource", "AADSTS500011: The resource principal was not found");
    }
    let names = ["client_id", "object_id", "msi_res_id", "mi_res_id"];
    let asked: Vec<(&str, &str)> =
        names.into_iter().filter_map(|name| Some((name, params.get(name)?))).collect();
    let known = |(name, value): &(&str, &str)| {
        desk.options.machine_identities.iter().any(|identity| match *name {
            "client_id" => identity.client == *value,
            "object_id" => identity.object == *value,
            name => name == selector && identity.resource == *value,
        })
    };
    match asked.as_slice() {
        [] => {}
        [one] if known(one) => {}
        _ => return no("invalid_request", "Identity not found"),
    }
    let issued = token::access_token(desk, resource, None);
    let lifetime = desk.options.token_lifetime.as_secs();
    let mut body = json!({
        "access_token": issued.text, "expires_on": issued.expiry.to_string(),
        "resource": resource, "token_type": "Bearer",
    });
    // App Service tells the end alone.
    if let (false, Some(fields)) = (matches!(machine, Machine::AppService(_)), body.as_object_mut())
    {
        fields.insert("expires_in".to_owned(), Value::from(lifetime.to_string()));
        fields.insert("refresh_token".to_owned(), Value::from(""));
    }
    token::plain(200, &body)
}

/// The agent's challenge, unless the request answers it.
fn challenge(desk: &Desk, call: &Call, keys: &std::path::Path) -> Option<Answer> {
    let shown = call.header("authorization").and_then(|value| value.strip_prefix("Basic "));
    let path = keys.join("challenge.key");
    let held = std::fs::read_to_string(&path).unwrap_or_default();
    if shown.is_some_and(|shown| !held.is_empty() && shown == held) {
        return None;
    }
    // A tenant of tests: where it cannot be written, the challenge cannot be met.
    let _ = std::fs::write(&path, desk.guid());
    let mut answer = Answer::new(401, "application/json", "{}");
    let realm = format!("Basic realm={}", path.display());
    answer.headers.push(("www-authenticate".to_owned(), realm));
    Some(answer)
}

fn no(error: &str, text: &str) -> Answer {
    token::plain(400, &json!({ "error": error, "error_description": text }))
}
