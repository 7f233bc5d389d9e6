//! What an answer that is not a success means. Pure: no I/O, no clock.
//!
//! The rule for positions (graph.md 3.9): only 410, or a 4xx other than 401, 403 and 429 that carries one of the
//! codes of a dead state, gives up a delta link, and only when the request used a link at all. Everything else
//! keeps it. Two decisions go beyond the letter:
//! - 400 `Request_UnsupportedQuery` on a delta link gives it up whatever the message says. Graph itself made the
//!   link, so a query it calls unsupported can never succeed again, and a full round with our own query would show
//!   a true fault of the query as a failure that keeps everything. The message wording has changed over the years.
//! - Any 400 that Graph words itself on a page link starts the round again, from the position before: nothing but
//!   half a round is lost, while a broken page link that is kept would stop an initial load for good.

use super::error::{ErrorKind, GraphError, Retry};
use super::retry::LATER;
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

/// What kind of request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The first request of a full round.
    Start,
    /// A page within a round (`$skiptoken`).
    Next,
    /// The first request of an incremental round (`$deltatoken`).
    Delta,
    /// A plain list.
    Read,
    /// A token.
    Token,
    /// A token, of the machine's own token service; whether one that is not there may come.
    Identity { waits: bool },
}

/// The parts of an answer that a verdict needs.
#[derive(Debug, Clone, Default)]
pub(super) struct Refusal<'a> {
    pub(super) status: u16,
    pub(super) body: &'a [u8],
    pub(super) content_type: Option<&'a str>,
    /// Where a redirect would lead, without query.
    pub(super) redirect: Option<String>,
    pub(super) request_id: Option<&'a str>,
}

/// A 404 or a refused fresh token: not worth another try at once, but it may pass.
const MUCH_LATER: Duration = Duration::from_secs(300);
const LONGEST_MESSAGE: usize = 600;

/// The state behind a delta link is gone.
const DEAD: [&str; 7] = [
    "syncStateNotFound",
    "syncStateInvalid",
    "resyncRequired",
    "resyncApplyDifferences",
    "resyncUploadDifferences",
    "resyncChangesApplyDifferences",
    "resyncChangesUploadDifferences",
];
/// The state behind a page link is gone.
const PAGE_DEAD: [&str; 2] = ["Directory_ExpiredPageToken", "DirectoryPageTokenNotFoundException"];
/// Entra is in trouble, or asks for patience (graph.md 1.8).
const PASSING: [u64; 8] = [50000, 90033, 90024, 90006, 50033, 90090, 90055, 50196];

/// Judges a refusal. `secrets` are texts that must not stand in the error.
pub(super) fn judge(
    operation: &str,
    purpose: Purpose,
    refusal: &Refusal<'_>,
    secrets: &[&str],
) -> GraphError {
    let said = Said::read(refusal.body, purpose);
    let token = purpose == Purpose::Token;
    let (kind, retry) = match purpose {
        Purpose::Token => token_verdict(refusal.status, &said),
        Purpose::Identity { waits } => identity_verdict(refusal.status, waits),
        _ => graph_verdict(refusal.status, purpose, &said),
    };
    let message = match (&said.message, &refusal.redirect) {
        (_, Some(place)) => format!("a redirect to {place}, which is not followed"),
        (Some(message), _) => redact(message, secrets),
        (None, _) if refusal.body.is_empty() => String::new(),
        (None, _) => format!(
            "an answer without an error text ({}, {} octets)",
            redact(refusal.content_type.unwrap_or("no content type"), secrets),
            refusal.body.len()
        ),
    };
    let id = said.request_id.as_deref().or(refusal.request_id);
    GraphError {
        status: Some(refusal.status),
        word: said.word.filter(|_| token).map(|word| redact(&word, secrets).into()),
        code: said.codes.first().map(|code| redact(code, secrets).into()),
        request_id: id.map(|id| redact(id, secrets).into()),
        ..GraphError::new(kind, operation, message, retry)
    }
}

fn graph_verdict(status: u16, purpose: Purpose, said: &Said) -> (ErrorKind, Retry) {
    let on_link = matches!(purpose, Purpose::Next | Purpose::Delta);
    match status {
        401 => (ErrorKind::Unauthorized, Retry::After(MUCH_LATER)),
        403 if said.by_graph() => (ErrorKind::Permission, Retry::Never),
        403 => (ErrorKind::Refused, Retry::Never),
        429 => (ErrorKind::Throttled, Retry::After(LATER)),
        410 if on_link => (ErrorKind::Expired, Retry::Restart),
        400..=499 if on_link && said.has(&DEAD) => (ErrorKind::Expired, Retry::Restart),
        400 if on_link && said.has(&["Request_UnsupportedQuery"]) => {
            if purpose == Purpose::Delta || said.tells_age() {
                (ErrorKind::Expired, Retry::Restart)
            } else {
                (ErrorKind::PageExpired, Retry::RestartRound)
            }
        }
        400 if on_link && said.has(&PAGE_DEAD) => match purpose {
            // The round starts with this very link: there is nothing before it to start from.
            Purpose::Delta => (ErrorKind::Expired, Retry::Restart),
            _ => (ErrorKind::PageExpired, Retry::RestartRound),
        },
        400 if purpose == Purpose::Next && said.by_graph() => {
            (ErrorKind::PageExpired, Retry::RestartRound)
        }
        404 => (ErrorKind::NotFound, Retry::After(MUCH_LATER)),
        501 => (ErrorKind::Refused, Retry::Never),
        408 | 424 | 425 | 500..=599 => (ErrorKind::Unavailable, Retry::After(LATER)),
        _ => (ErrorKind::Refused, Retry::Never),
    }
}

fn token_verdict(status: u16, said: &Said) -> (ErrorKind, Retry) {
    let passing = said.numbers.iter().any(|number| PASSING.contains(number))
        || said.has(&["temporarily_unavailable", "server_error"]);
    match status {
        429 => (ErrorKind::Throttled, Retry::After(LATER)),
        408 | 500..=599 => (ErrorKind::Unavailable, Retry::After(LATER)),
        _ if passing => (ErrorKind::Unavailable, Retry::After(LATER)),
        404 if !said.by_graph() => (ErrorKind::NotFound, Retry::After(MUCH_LATER)),
        _ if said.by_graph() => (ErrorKind::Credential, Retry::Never),
        _ => (ErrorKind::Refused, Retry::Never),
    }
}

/// That of a virtual machine answers 404 or 410 for a while when it starts or is updated
/// (graph.md 1.5).
fn identity_verdict(status: u16, waits: bool) -> (ErrorKind, Retry) {
    match status {
        429 => (ErrorKind::Throttled, Retry::After(LATER)),
        408 | 500..=599 => (ErrorKind::Unavailable, Retry::After(LATER)),
        404 | 410 if waits => (ErrorKind::Unavailable, Retry::After(LATER)),
        _ => (ErrorKind::Credential, Retry::Never),
    }
}

/// What the body of a refusal says.
#[derive(Debug, Default)]
struct Said {
    /// The outermost code first.
    codes: Vec<String>,
    /// `error_codes` of the token endpoint.
    numbers: Vec<u64>,
    message: Option<String>,
    request_id: Option<String>,
    /// `error` of the token endpoint.
    word: Option<String>,
}

/// The error of the token endpoint (graph.md 1.9).
#[derive(Deserialize)]
struct TokenError {
    error: String,
    #[serde(default)]
    error_description: Option<String>,
    #[serde(default)]
    error_codes: Vec<u64>,
    #[serde(default)]
    trace_id: Option<String>,
}

impl Said {
    fn read(body: &[u8], purpose: Purpose) -> Said {
        if matches!(purpose, Purpose::Token | Purpose::Identity { .. }) {
            if let Ok(error) = serde_json::from_slice(body) {
                return Said::token(error);
            }
            // As App Service words its refusals.
            let answer: Value = serde_json::from_slice(body).unwrap_or_default();
            let message = answer.get("message").and_then(Value::as_str).map(str::to_owned);
            return Said { message, ..Said::default() };
        }
        let mut said = Said::default();
        if let Ok(Value::Object(answer)) = serde_json::from_slice(body)
            && let Some(error) = answer.get("error")
        {
            said.message = error.get("message").and_then(Value::as_str).map(str::to_owned);
            said.graph(error);
        }
        said
    }

    fn token(error: TokenError) -> Said {
        let description = error.error_description.unwrap_or_default();
        // The ids stand in the error on their own.
        let message = description.split("Trace ID:").next().unwrap_or("").trim().to_owned();
        let first = error.error_codes.first().map(|number| format!("AADSTS{number}"));
        // Graph.md 1.9: codes are listed; should they be missing, the text starts with one.
        let told =
            || message.split(':').next().filter(|t| t.starts_with("AADSTS")).map(str::to_owned);
        Said {
            word: Some(error.error.clone()),
            codes: first.or_else(told).into_iter().chain([error.error]).collect(),
            numbers: error.error_codes,
            message: Some(message),
            request_id: error.trace_id,
        }
    }

    /// Codes stand in `code`, and again in the nested `innerError` or `innererror`.
    fn graph(&mut self, error: &Value) {
        match error {
            Value::String(code) => self.codes.push(code.clone()),
            Value::Object(error) => {
                self.codes.extend(error.get("code").and_then(Value::as_str).map(str::to_owned));
                let id = error.get("request-id").and_then(Value::as_str).map(str::to_owned);
                self.request_id = self.request_id.take().or(id);
                for (key, inner) in error {
                    if key.eq_ignore_ascii_case("innerError") {
                        self.graph(inner);
                    }
                }
            }
            _ => {}
        }
    }

    /// The answer has the shape of the service's own errors: it does not come from a proxy.
    fn by_graph(&self) -> bool {
        !self.codes.is_empty()
    }

    fn has(&self, codes: &[&str]) -> bool {
        self.codes.iter().any(|code| codes.iter().any(|known| known.eq_ignore_ascii_case(code)))
    }

    /// "DeltaLink older than 30 days is not supported."
    fn tells_age(&self) -> bool {
        let message = self.message.as_deref().unwrap_or("").to_ascii_lowercase();
        message.contains("older than") && message.contains("not supported")
    }
}

/// One line of limited length, without the given secrets and without the value of anything called a token.
pub(super) fn redact(text: &str, secrets: &[&str]) -> String {
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        line = line.replace(secret, "***");
    }
    let mut out = String::new();
    let mut rest = line.as_str();
    // Lower-casing ASCII keeps every position where it is.
    while let Some(at) = rest.to_ascii_lowercase().find("token=") {
        let (before, after) = rest.split_at(at + "token=".len());
        out.push_str(before);
        out.push_str("***");
        let end = after.find(|c: char| c.is_whitespace() || "&\"'<>,;)]}".contains(c));
        rest = after.get(end.unwrap_or(after.len())..).unwrap_or("");
    }
    out.push_str(rest);
    if out.len() > LONGEST_MESSAGE {
        out = out.chars().take(LONGEST_MESSAGE).chain("...".chars()).collect();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use Purpose::{Delta, Next, Read, Start};

    fn verdict(purpose: Purpose, status: u16, code: &str, message: &str) -> (ErrorKind, Retry) {
        let body = format!(r#"{{"error":{{"code":"{code}","message":"{message}"}}}}"#);
        let refusal = Refusal { status, body: body.as_bytes(), ..Refusal::default() };
        let error = judge("users/delta", purpose, &refusal, &[]);
        (error.kind, error.retry)
    }

    #[test]
    fn every_shape_of_a_dead_delta_link_asks_for_a_full_resync() {
        for (status, code, message) in [
            (410, "syncStateNotFound", "The sync state generation is not found."),
            (410, "", ""),
            (400, "SyncStateNotFound", "The delta token is expired"),
            (404, "syncstatenotfound", ""),
            (400, "SyncStateInvalid", ""),
            (409, "resyncRequired", ""),
            (400, "resyncApplyDifferences", ""),
            (400, "Request_UnsupportedQuery", "DeltaLink older than 30 days is not supported."),
            (400, "Request_UnsupportedQuery", "another wording"),
            (400, "Directory_ExpiredPageToken", ""),
        ] {
            let verdict = verdict(Delta, status, code, message);
            assert_eq!(verdict, (ErrorKind::Expired, Retry::Restart), "{status} {code}");
        }
    }

    #[test]
    fn nested_codes_are_found_under_both_spellings() {
        for key in ["innerError", "innererror"] {
            let body = format!(
                r#"{{"error":{{"code":"badRequest","message":"m","{key}":{{"code":"x","{key}":{{"code":"ResyncRequired"}},"request-id":"r1"}}}}}}"#
            );
            let refusal = Refusal { status: 400, body: body.as_bytes(), ..Refusal::default() };
            let error = judge("users/delta", Delta, &refusal, &[]);
            assert_eq!(error.retry, Retry::Restart, "{key}");
            assert_eq!(error.request_id.as_deref(), Some("r1"));
            assert_eq!(error.code.as_deref(), Some("badRequest"));
        }
    }

    #[test]
    fn nothing_else_gives_up_a_delta_link() {
        for (status, code) in [
            (400, "Request_BadRequest"),
            (401, "syncStateNotFound"),
            (403, "syncStateNotFound"),
            (403, "Authorization_RequestDenied"),
            (404, "Request_ResourceNotFound"),
            (429, "syncStateNotFound"),
            (500, "syncStateNotFound"),
            (501, "NotImplemented"),
            (503, "serviceNotAvailable"),
            (302, "x"),
        ] {
            let (_, retry) = verdict(Delta, status, code, "");
            assert!(matches!(retry, Retry::Never | Retry::After(_)), "{status} {code} {retry:?}");
        }
    }

    #[test]
    fn a_request_without_a_link_has_no_state_to_give_up() {
        for purpose in [Start, Read] {
            for (status, code) in [
                (410, "syncStateNotFound"),
                (400, "resyncRequired"),
                (400, "Request_UnsupportedQuery"),
                (400, "Directory_ExpiredPageToken"),
            ] {
                let (kind, retry) =
                    verdict(purpose, status, code, "older than 30 days is not supported");
                assert_eq!((kind, retry), (ErrorKind::Refused, Retry::Never), "{status} {code}");
            }
        }
    }

    #[test]
    fn a_dead_page_link_starts_the_round_again() {
        for code in [
            "Directory_ExpiredPageToken",
            "directorypagetokennotfoundexception",
            "Request_UnsupportedQuery",
            "Request_BadRequest",
        ] {
            let verdict = verdict(Next, 400, code, "");
            assert_eq!(verdict, (ErrorKind::PageExpired, Retry::RestartRound), "{code}");
        }
        assert_eq!(verdict(Next, 410, "syncStateNotFound", "").1, Retry::Restart);
        assert_eq!(verdict(Next, 400, "syncStateNotFound", "").1, Retry::Restart);
        let age = "DeltaLink older than 30 days is not supported.";
        assert_eq!(verdict(Next, 400, "Request_UnsupportedQuery", age).1, Retry::Restart);
    }

    #[test]
    fn an_answer_of_a_proxy_is_not_taken_for_graphs() {
        for status in [400, 403, 404] {
            let body = b"<html>blocked</html>";
            let refusal =
                Refusal { status, body, content_type: Some("text/html"), ..Refusal::default() };
            let error = judge("users/delta", Next, &refusal, &[]);
            assert!(!error.is_permission(), "{status}");
            assert!(matches!(error.retry, Retry::Never | Retry::After(_)), "{status}");
            assert!(error.message.contains("text/html"), "{error}");
        }
    }

    #[test]
    fn texts_from_outside_lose_secrets_tokens_and_line_breaks() {
        let text = "bad secret hush1 in\r\nhttps://g/v1.0/users/delta?$skiptoken=AAA&$deltaToken=BBB) and eyJ0";
        let line = redact(text, &["hush1", "eyJ0"]);
        assert_eq!(
            line,
            "bad secret *** in https://g/v1.0/users/delta?$skiptoken=***&$deltaToken=***) and ***"
        );
        assert!(redact(&"x".repeat(5000), &[]).len() < 700);
    }
}
