//! A request and an answer, free of any HTTP library: batches make them too. Pure: no I/O, no clock.

use std::time::Duration;

use serde_json::Value;

use super::errors::Refusal;
use super::faults::Facts;
use super::object::Kind;
use super::query::Params;

/// A request.
#[derive(Debug, Clone, Default)]
pub(super) struct Call {
    pub(super) method: String,
    /// As it came.
    pub(super) path: String,
    pub(super) query: String,
    /// Names in lower case.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// Scheme and host that were asked: `http://127.0.0.1:4711`.
    pub(super) root: String,
}

impl Call {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn params(&self) -> Params {
        Params::parse(&self.query)
    }

    pub(super) fn uri(&self) -> String {
        if self.query.is_empty() {
            self.path.clone()
        } else {
            format!("{}?{}", self.path, self.query)
        }
    }

    /// `v1.0` or `beta`, and the decoded segments after it.
    pub(super) fn route(&self) -> (String, Vec<String>) {
        let mut segments: Vec<String> =
            self.path.split('/').filter(|part| !part.is_empty()).map(percent_decode).collect();
        let versioned = segments.first().is_some_and(|first| first == "v1.0" || first == "beta");
        let version = if versioned { segments.remove(0) } else { String::new() };
        (version, segments)
    }

    /// The advanced query header.
    pub(super) fn eventual(&self) -> bool {
        self.header("consistencylevel").is_some_and(|level| level.eq_ignore_ascii_case("eventual"))
    }

    /// `Prefer: return=minimal`
    pub(super) fn minimal(&self) -> bool {
        self.headers.iter().filter(|(name, _)| name == "prefer").any(|(_, value)| {
            value.split([',', ';']).any(|part| part.trim().eq_ignore_ascii_case("return=minimal"))
        })
    }

    pub(super) fn facts<'a>(&self, uri: &'a str) -> Facts<'a> {
        let (_, segments) = self.route();
        let params = self.params();
        let token =
            |name| params.get(name).is_some_and(|text| !text.is_empty() && text != "latest");
        Facts {
            uri,
            token_endpoint: is_token_endpoint(&segments),
            batch: segments.first().is_some_and(|first| first == "$batch"),
            delta: delta_kind(&segments),
            skip_token: token("skiptoken"),
            delta_token: token("deltatoken"),
        }
    }
}

pub(super) fn is_token_endpoint(segments: &[String]) -> bool {
    matches!(segments, [_, oauth, version, token] if oauth == "oauth2" && version == "v2.0" && token == "token")
}

pub(super) fn is_device_endpoint(segments: &[String]) -> bool {
    matches!(segments, [_, oauth, version, code] if oauth == "oauth2" && version == "v2.0" && code == "devicecode")
}

/// The collection of a path segment.
pub(super) fn collection(segment: &str) -> Option<Kind> {
    Kind::STREAMS.into_iter().find(|kind| kind.segment().eq_ignore_ascii_case(segment))
}

/// The kind a delta path asks for, in any of its spellings.
pub(super) fn delta_kind(segments: &[String]) -> Option<Kind> {
    match segments {
        [collection_name, function] => {
            let name = function.strip_suffix("()").unwrap_or(function);
            let name = name.strip_prefix("microsoft.graph.").unwrap_or(name);
            name.eq_ignore_ascii_case("delta").then(|| collection(collection_name))?
        }
        _ => None,
    }
}

fn percent_decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let pair = (*first == b'%').then(|| tail.split_at_checked(2)).flatten();
        let byte = pair.filter(|(digits, _)| digits.iter().all(u8::is_ascii_hexdigit)).and_then(
            |(digits, tail)| {
                Some((u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?, tail))
            },
        );
        let (byte, next) = byte.unwrap_or((*first, tail));
        out.push(byte);
        rest = next;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The content of a successful answer.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    Json(Value),
    Text(String),
}

/// What a handler answers.
pub(super) type Outcome = Result<Reply, Refusal>;

/// What happens to an answer on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    None,
    CutBody,
    CutChunked,
    Hangup,
    Delay(Duration),
    Drip { piece: usize, pause: Duration },
}

/// An answer.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) trouble: Trouble,
}

impl Answer {
    pub(super) fn new(status: u16, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type".to_owned(), kind.to_owned())];
        Self { status, headers, body: body.into(), trouble: Trouble::None }
    }

    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self::new(status, JSON, body.to_string())
    }
}

pub(super) const JSON: &str = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8";
