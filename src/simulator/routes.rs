//! From a request to an answer: faults first, then the token, the permission, the resource.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use super::call::{
    Answer, Call, Outcome, Reply, Trouble, collection, delta_kind, is_device_endpoint,
    is_token_endpoint,
};
use super::desk::{Desk, Request, lock};
use super::errors::Refusal;
use super::faults::{Action, RetryAfter};
use super::object::Kind;
use super::{batch, device, identity, lists, rounds, token};

const DIRECTORY: &[&str] = &["Directory.Read.All", "Directory.ReadWrite.All"];

/// Answers a request and enters it in the journal.
pub(super) fn answer(desk: &Desk, call: &Call) -> Answer {
    let uri = call.uri();
    let facts = call.facts(&uri);
    let action = lock(&desk.faults).decide(&facts);
    let mut answer = match &action {
        Some(action) => faulted(desk, call, action),
        None => plain(desk, call, None),
    };
    dress(desk, call, &mut answer);
    let request = Request {
        method: call.method.clone(),
        uri: uri.clone(),
        status: if answer.trouble == Trouble::Hangup { 0 } else { answer.status },
        prefer: call.header("prefer").map(str::to_owned),
        client_request_id: call.header("client-request-id").map(str::to_owned),
        faulted: action.is_some(),
    };
    lock(&desk.journal).add(request, &facts);
    desk.arrivals.send_replace(());
    answer
}

/// The answer without interference.
fn plain(desk: &Desk, call: &Call, action: Option<&Action>) -> Answer {
    let (_, segments) = call.route();
    if is_token_endpoint(&segments) {
        let fault = action.and_then(|action| match action {
            Action::Token(fault) => Some(fault),
            _ => None,
        });
        let tenant = segments.first().map_or("", String::as_str);
        return token::issue(desk, call, tenant, fault);
    }
    if identity::is_path(&call.path) {
        return identity::answer(desk, call);
    }
    if is_device_endpoint(&segments) {
        return device::code(desk, call);
    }
    if let [tenant, "v2.0", ".well-known", "openid-configuration"] =
        segments.iter().map(String::as_str).collect::<Vec<_>>().as_slice()
    {
        return token::discovery(desk, call, tenant);
    }
    match graph(desk, call, &segments) {
        Ok(Reply::Json(body)) => Answer::json(200, &body),
        Ok(Reply::Text(text)) => Answer::new(200, "text/plain", text),
        Err(refusal) => refuse(desk, call, &refusal),
    }
}

fn graph(desk: &Desk, call: &Call, segments: &[String]) -> Outcome {
    token::check(desk, call)?;
    let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
    if parts == ["$batch"] && call.method == "POST" {
        return batch::answer(desk, call);
    }
    if call.method != "GET" {
        return Err(Refusal::new(
            405,
            "Request_BadRequest",
            "Specified HTTP method is not allowed for the request target.",
        ));
    }
    if let Some(kind) = delta_kind(segments) {
        permit(desk, call, reading(kind))?;
        return rounds::round(desk, call, kind);
    }
    match parts.as_slice() {
        ["organization"] => {
            permit(desk, call, &["Organization.Read.All"])?;
            let mut organization = lock(&desk.tenant).organization().clone();
            if let Some(fields) = organization.as_object_mut() {
                fields.insert("id".to_owned(), desk.options.tenant_id.as_str().into());
            }
            Ok(list(call, "organization", vec![organization]))
        }
        [application] if application.starts_with("applications(") => {
            permit(desk, call, &["Application.Read.All"])?;
            Ok(Reply::Json(token::application(desk, application)?))
        }
        ["domains"] => {
            permit(desk, call, &["Domain.Read.All"])?;
            Ok(list(call, "domains", lock(&desk.tenant).domains().to_vec()))
        }
        ["directory", "deletedItems", cast] => {
            permit(
                desk,
                call,
                if cast.ends_with("user") { reading(Kind::User) } else { &["Group.Read.All"] },
            )?;
            lists::deleted_items(desk, call, cast)
        }
        ["groups", id, relation @ ("members" | "transitiveMembers"), rest @ ..]
            if matches!(rest, [] | ["$count"]) =>
        {
            permit(desk, call, reading(Kind::Group))?;
            lists::members(desk, call, id, *relation != "members", !rest.is_empty())
        }
        [name] => {
            let kind = collection(name).ok_or_else(|| no_segment(name))?;
            permit(desk, call, reading(kind))?;
            lists::collection(desk, call, kind)
        }
        [name, "$count"] => {
            let kind = collection(name).ok_or_else(|| no_segment(name))?;
            permit(desk, call, reading(kind))?;
            lists::count(desk, call, kind)
        }
        [name, key] => {
            let kind = collection(name).ok_or_else(|| no_segment(name))?;
            permit(desk, call, reading(kind))?;
            lists::single(desk, call, kind, key)
        }
        other => Err(no_segment(other.first().copied().unwrap_or_default())),
    }
}

fn no_segment(name: &str) -> Refusal {
    Refusal::new(400, "BadRequest", &format!("Resource not found for the segment '{name}'."))
}

fn list(call: &Call, name: &str, items: Vec<Value>) -> Reply {
    let mut body = Map::new();
    body.insert("@odata.context".to_owned(), json!(format!("{}/v1.0/$metadata#{name}", call.root)));
    body.insert("value".to_owned(), items.into());
    Reply::Json(body.into())
}

fn reading(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::User => &["User.Read.All", "User.ReadWrite.All"],
        Kind::Group => &["GroupMember.Read.All", "Group.Read.All", "Group.ReadWrite.All"],
        _ => &["OrgContact.Read.All"],
    }
}

fn permit(desk: &Desk, call: &Call, any: &[&str]) -> Result<(), Refusal> {
    if desk.granted(call, any) || desk.granted(call, DIRECTORY) {
        Ok(())
    } else {
        Err(Refusal::forbidden())
    }
}

fn refuse(desk: &Desk, call: &Call, refusal: &Refusal) -> Answer {
    let request = desk.guid();
    let client = call.header("client-request-id").unwrap_or(&request);
    let date = token::stamp(desk.now(), "%Y-%m-%dT%H:%M:%S");
    let body = refusal.body(&date, &request, client, desk.knobs().lower_inner_error);
    let mut answer = Answer::json(refusal.status, &body);
    answer.headers.push(("request-id".to_owned(), request.clone()));
    answer.headers.extend(refusal.headers.iter().cloned());
    answer
}

fn faulted(desk: &Desk, call: &Call, action: &Action) -> Answer {
    let (version, segments) = call.route();
    let at_token = is_token_endpoint(&segments);
    let no = |refusal: &Refusal| refuse(desk, call, refusal);
    let spoiled = |spoil: &dyn Fn(&mut Answer)| {
        let mut answer = plain(desk, call, None);
        spoil(&mut answer);
        answer
    };
    match action {
        Action::Throttle(retry) => {
            let mut answer = match at_token {
                true => token::trouble(desk, 429),
                false => no(&Refusal::throttled(&desk.options.client_id, &desk.options.tenant_id)),
            };
            answer.headers.extend(retry_after(desk, retry));
            answer
        }
        Action::Status(status, retry) => {
            let mut answer = if at_token {
                token::trouble(desk, *status)
            } else {
                no(&Refusal::server(*status))
            };
            answer.headers.extend(retry_after(desk, retry));
            answer
        }
        Action::Html(status) => Answer::new(*status, "text/html", html(&status.to_string())),
        Action::TokenExpired => {
            no(&Refusal::unauthorized("Lifetime validation failed, the token is expired."))
        }
        Action::ClaimsChallenge => no(&Refusal::claims_challenge()),
        Action::Forbidden => no(&Refusal::forbidden()),
        Action::NotFound => no(&Refusal::not_found("")),
        Action::BadRequest => no(&Refusal::bad_request("Invalid request.")),
        Action::NotImplemented => no(&Refusal::not_implemented()),
        Action::StateLost(loss) => {
            let segment = segments.first().map_or("users", String::as_str);
            let version = if version.is_empty() { "v1.0" } else { &version };
            no(&Refusal::state_lost(
                *loss,
                &format!("{}/{version}/{segment}/delta?$deltatoken=", call.root),
            ))
        }
        Action::Raw(status, headers, body) => Answer {
            status: *status,
            headers: headers
                .iter()
                .map(|(name, value)| (name.to_lowercase(), value.clone()))
                .collect(),
            body: body.clone().into_bytes(),
            trouble: Trouble::None,
        },
        Action::CutBody => spoiled(&|answer| answer.trouble = Trouble::CutBody),
        Action::CutChunked => spoiled(&|answer| answer.trouble = Trouble::CutChunked),
        Action::CutJson => spoiled(&|answer| answer.body.truncate(answer.body.len() / 2)),
        Action::HtmlBody => Answer::new(200, "text/html", html("Please sign in to the proxy")),
        Action::EmptyBody => spoiled(&|answer| answer.body.clear()),
        Action::Hangup => spoiled(&|answer| answer.trouble = Trouble::Hangup),
        Action::Delay(time) => spoiled(&|answer| answer.trouble = Trouble::Delay(*time)),
        Action::Drip { piece, pause } => spoiled(&|answer| {
            answer.trouble = Trouble::Drip { piece: (*piece).max(1), pause: *pause }
        }),
        Action::Token(_) => plain(desk, call, Some(action)),
    }
}

fn html(title: &str) -> String {
    format!(
        "<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    )
}

fn retry_after(desk: &Desk, retry: &RetryAfter) -> Option<(String, String)> {
    let value = match retry {
        RetryAfter::Missing => return None,
        RetryAfter::Seconds(seconds) => seconds.to_string(),
        RetryAfter::Text(text) => text.clone(),
        RetryAfter::Date(ahead) => http_date(desk.now().saturating_add(*ahead)),
    };
    Some(("retry-after".to_owned(), value))
}

fn http_date(seconds: u64) -> String {
    UNIX_EPOCH
        .checked_add(Duration::from_secs(seconds))
        .map(httpdate::fmt_http_date)
        .unwrap_or_default()
}

/// The headers every answer carries.
fn dress(desk: &Desk, call: &Call, answer: &mut Answer) {
    let request = answer
        .headers
        .iter()
        .find(|(name, _)| name == "request-id")
        .map(|(_, value)| value.clone());
    let request = request.unwrap_or_else(|| {
        let id = desk.guid();
        answer.headers.push(("request-id".to_owned(), id.clone()));
        id
    });
    let client = call.header("client-request-id").map_or(request, str::to_owned);
    answer.headers.push(("client-request-id".to_owned(), client));
    answer.headers.push(("date".to_owned(), http_date(desk.now())));
    answer.headers.push((
        "x-ms-ags-diagnostic".to_owned(),
        r#"{"ServerInfo":{"DataCenter":"Simulated","Slice":"E","Ring":"0","ScaleUnit":"000","RoleInstance":"SIM0"}}"#.to_owned(),
    ));
    if answer.status == 200 {
        answer.headers.push(("x-ms-resource-unit".to_owned(), "1".to_owned()));
    }
}
