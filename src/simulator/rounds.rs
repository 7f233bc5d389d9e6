//! The delta endpoints: from a request to a page with its link.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Map, Value};

use super::call::{Call, Outcome, Reply};
use super::cursor::{Cursor, DeltaQuery, Phase};
use super::delta::{self, Ask};
use super::desk::{Desk, lock};
use super::errors::Refusal;
use super::knobs::{Knobs, SelectOnLink, Spelling, StateLoss};
use super::object::Kind;
use super::query::{self, Params, Token};

/// Answers one delta request.
pub(super) fn round(desk: &Desk, call: &Call, kind: Kind) -> Outcome {
    let params = call.params();
    let knobs = desk.knobs();
    let link = Link::new(call, kind, &knobs);
    let tenant = lock(&desk.tenant);
    let version = tenant.version();
    let horizon = desk.horizon(kind, version, &knobs);
    let mut retried = false;
    let cursor = match query::token(&params)? {
        Token::None => {
            fresh(query::delta(kind, &params, knobs.outside_is_400)?, delta::start(horizon))
        }
        Token::Latest => {
            let cursor = fresh(
                query::delta(kind, &params, knobs.outside_is_400)?,
                Phase::Rest { at: version },
            );
            return Ok(link.envelope(desk, &cursor, Vec::new(), cursor.phase, false));
        }
        Token::Skip(token) => {
            retried = desk.asks_again(token);
            opened(desk, token, kind, true, &link, &knobs, version)?
        }
        Token::Delta(token) => {
            let mut cursor = opened(desk, token, kind, false, &link, &knobs, version)?;
            cursor.query.select = select_on_link(&params, cursor.query.select, kind, &knobs)?;
            cursor.page = 0;
            cursor
        }
    };
    let hidden = knobs.serve_hidden || desk.granted(call, &["Member.Read.Hidden"]);
    let ask = Ask {
        query: &cursor.query,
        phase: cursor.phase,
        page: cursor.page,
        minimal: call.minimal(),
        hidden,
        horizon,
    };
    let page = delta::page(&tenant, &knobs, &ask);
    drop(tenant);
    Ok(link.envelope(desk, &cursor, page.items, page.next, retried))
}

fn fresh(query: DeltaQuery, phase: Phase) -> Cursor {
    Cursor { query, phase, page: 0, issued: 0, generation: 0, retried: false }
}

/// Reads a token and refuses a dead or foreign one.
fn opened(
    desk: &Desk,
    token: &str,
    kind: Kind,
    skip: bool,
    link: &Link<'_>,
    knobs: &Knobs,
    version: u64,
) -> Result<Cursor, Refusal> {
    let cursor = Cursor::open(token).ok_or_else(|| Refusal::bad_request("Badly formed token."))?;
    if matches!(cursor.phase, Phase::Rest { .. }) == skip {
        return Err(Refusal::bad_request("The token is not of the kind this parameter takes."));
    }
    if cursor.query.kind() != kind {
        return Err(Refusal::bad_request("The token was issued for another resource."));
    }
    let lose = |loss| Err(Refusal::state_lost(loss, &link.restart()));
    let age = Duration::from_secs(desk.now().saturating_sub(cursor.issued));
    let (death, lifetime) = if skip {
        (knobs.skip_death, knobs.skip_lifetime)
    } else {
        (knobs.delta_death, knobs.delta_lifetime)
    };
    if cursor.generation < desk.generation.load(Ordering::Relaxed) {
        let loss = lock(&desk.loss).filter(|loss| fits(*loss, skip));
        return lose(loss.unwrap_or(death));
    }
    if lifetime.is_some_and(|lifetime| age > lifetime) {
        return lose(death);
    }
    if let (Phase::Rest { at }, Some(versions)) = (cursor.phase, knobs.delta_versions)
        && version.saturating_sub(at) > versions
    {
        return lose(death);
    }
    if cursor.retried && knobs.retried_links_die {
        return lose(StateLoss::PageNotFound);
    }
    Ok(cursor)
}

/// Some shapes are known for one sort of token only.
fn fits(loss: StateLoss, skip: bool) -> bool {
    match loss {
        StateLoss::TooOld => !skip,
        StateLoss::PageExpired | StateLoss::PageNotFound => skip,
        _ => true,
    }
}

fn select_on_link(
    params: &Params,
    stored: Option<Vec<String>>,
    kind: Kind,
    knobs: &Knobs,
) -> Result<Option<Vec<String>>, Refusal> {
    let Some(names) = params.select() else { return Ok(stored) };
    let names = query::selected(kind, names, knobs.outside_is_400)?;
    match knobs.select_on_link {
        SelectOnLink::Ignored => Ok(stored),
        SelectOnLink::Honoured => Ok(Some(names)),
        SelectOnLink::Refused => {
            let sorted = |mut names: Vec<String>| {
                names.sort();
                names
            };
            if stored.clone().map(sorted) == Some(sorted(names)) {
                Ok(stored)
            } else {
                Err(Refusal::bad_request(
                    "The query does not match the one the token was issued for.",
                ))
            }
        }
    }
}

/// Where links of this request point to.
struct Link<'a> {
    call: &'a Call,
    kind: Kind,
    knobs: &'a Knobs,
}

impl<'a> Link<'a> {
    fn new(call: &'a Call, kind: Kind, knobs: &'a Knobs) -> Self {
        Self { call, kind, knobs }
    }

    fn root(&self) -> String {
        let (version, _) = self.call.route();
        let root = match &self.knobs.link_host {
            Some(host) => format!("http://{host}"),
            None => self.call.root.clone(),
        };
        if version.is_empty() { root } else { format!("{root}/{version}") }
    }

    fn base(&self) -> String {
        let function = match self.knobs.spelling {
            Spelling::Short => "delta",
            Spelling::Call => "delta()",
            Spelling::Qualified => "microsoft.graph.delta",
            Spelling::QualifiedCall => "microsoft.graph.delta()",
        };
        format!("{}/{}/{function}", self.root(), self.kind.segment())
    }

    fn restart(&self) -> String {
        format!("{}?$deltatoken=", self.base())
    }

    fn envelope(
        &self,
        desk: &Desk,
        asked: &Cursor,
        items: Vec<Value>,
        next: Phase,
        retried: bool,
    ) -> Reply {
        let done = matches!(next, Phase::Rest { .. });
        let cursor = Cursor {
            query: asked.query.clone(),
            phase: next,
            page: asked.page.saturating_add(1),
            issued: desk.now(),
            generation: desk.generation.load(Ordering::Relaxed),
            retried,
        };
        let token = cursor.seal(desk.nonce());
        let (key, option) = if done {
            ("@odata.deltaLink", "$deltatoken")
        } else {
            ("@odata.nextLink", "$skiptoken")
        };
        let mut body = Map::new();
        body.insert("@odata.context".to_owned(), self.context(&asked.query).into());
        body.insert(key.to_owned(), format!("{}?{option}={token}", self.base()).into());
        body.insert("value".to_owned(), items.into());
        Reply::Json(body.into())
    }

    fn context(&self, query: &DeltaQuery) -> String {
        let name = if self.knobs.wrong_context { "directoryObjects" } else { self.kind.segment() };
        let properties = query
            .select
            .as_ref()
            .map(|select| format!("({})", select.join(",")))
            .unwrap_or_default();
        format!("{}/$metadata#{name}{properties}", self.root())
    }
}
