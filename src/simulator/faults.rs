//! Faults on command: rules that decide which request goes wrong, and how. Pure: no I/O, no clock.

use std::time::Duration;

use super::knobs::StateLoss;
use super::object::Kind;
use super::rng::Rng;

/// What kind of request a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Every request.
    Any,
    /// The token endpoint.
    Token,
    /// Everything but the token endpoint.
    Graph,
    /// Every delta query.
    Delta,
    /// The delta query of one kind.
    DeltaOf(Kind),
    /// `$batch` as a whole; its items match by their own path.
    Batch,
}

/// Which requests of a delta round a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// All.
    All,
    /// Only those without a token: the first of an enumeration.
    Initial,
    /// Only those that follow a next link.
    Next,
    /// Only those that follow a delta link.
    Delta,
    /// Those that follow either link.
    Following,
}

/// The `Retry-After` of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RetryAfter {
    /// No header.
    Missing,
    /// Whole seconds.
    Seconds(u64),
    /// Any text, such as `2.128`.
    Text(String),
    /// An HTTP date this many seconds from now.
    Date(u64),
}

/// What goes wrong at the token endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenFault {
    /// 401 `invalid_client`, AADSTS7000215.
    WrongSecret,
    /// 401 `invalid_client`, AADSTS7000222.
    ExpiredSecret,
    /// 400 `unauthorized_client`, AADSTS700016.
    UnknownClient,
    /// 400 `unauthorized_client`, AADSTS700038, without `error_uri`.
    InvalidClientId,
    /// 400 `invalid_resource`, AADSTS500011.
    UnknownResource,
    /// 400 `invalid_request`, AADSTS90002.
    UnknownTenant,
    /// 200 with text that is not JSON.
    NotJson,
    /// `expires_in` as a string.
    StringExpiry,
    /// A token that lives this many seconds.
    Lifetime(u64),
    /// A token that is dead when it arrives.
    DeadToken,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// 429 with the throttle headers.
    Throttle(RetryAfter),
    /// A server error with a JSON body: 500, 503, 504, 509 and others.
    Status(u16, RetryAfter),
    /// A status with an HTML body, as proxies send it.
    Html(u16),
    /// 401 `InvalidAuthenticationToken`: the token is expired.
    TokenExpired,
    /// 401 with a claims challenge.
    ClaimsChallenge,
    /// 403 `Authorization_RequestDenied`.
    Forbidden,
    /// 404 `Request_ResourceNotFound`.
    NotFound,
    /// 400 `Request_BadRequest`.
    BadRequest,
    /// 501 `NotImplemented`.
    NotImplemented,
    /// The death of a sync state; only requests with a token of the right sort are hit.
    StateLost(StateLoss),
    /// An answer written by the test: status, headers, body.
    Raw(u16, Vec<(String, String)>, String),
    /// The announced length is longer than what comes before the connection closes.
    CutBody,
    /// A chunked body without its end.
    CutChunked,
    /// A complete answer whose JSON is cut.
    CutJson,
    /// 200 with HTML.
    HtmlBody,
    /// 200 with nothing.
    EmptyBody,
    /// The connection closes without an answer.
    Hangup,
    /// The answer comes late.
    Delay(Duration),
    /// The body comes in small pieces with pauses.
    Drip {
        /// Octets per piece.
        piece: usize,
        /// Time between pieces.
        pause: Duration,
    },
    /// A fault of the token endpoint.
    Token(TokenFault),
}

/// When a request goes wrong, and how. Built up from [`Rule::new`].
#[derive(Debug, Clone)]
pub struct Rule {
    action: Action,
    target: Target,
    links: Links,
    path: Option<String>,
    skip: usize,
    times: usize,
    every: usize,
    chance: Option<(u32, Rng)>,
    seen: usize,
    hits: usize,
}

impl Rule {
    /// A rule that hits every request of the action's natural target, for ever.
    pub fn new(action: Action) -> Self {
        let target = match action {
            Action::Token(_) => Target::Token,
            Action::StateLost(_) => Target::Delta,
            _ => Target::Graph,
        };
        Self {
            action,
            target,
            links: Links::All,
            path: None,
            skip: 0,
            times: usize::MAX,
            every: 1,
            chance: None,
            seen: 0,
            hits: 0,
        }
    }

    /// Only requests of this kind.
    pub fn on(mut self, target: Target) -> Self {
        self.target = target;
        self
    }

    /// Only these requests of a delta round.
    pub fn links(mut self, links: Links) -> Self {
        self.links = links;
        self
    }

    /// Only requests whose path and query contain a text.
    pub fn path(mut self, part: &str) -> Self {
        self.path = Some(part.to_owned());
        self
    }

    /// Lets the first `n` matching requests pass.
    pub fn after(mut self, n: usize) -> Self {
        self.skip = n;
        self
    }

    /// Hits at most `n` requests.
    pub fn times(mut self, n: usize) -> Self {
        self.times = n;
        self
    }

    /// Hits one request only, the `n`th that matches, counted from 1.
    pub fn nth(self, n: usize) -> Self {
        self.after(n.saturating_sub(1)).times(1)
    }

    /// Hits every `k`th matching request.
    pub fn every(mut self, k: usize) -> Self {
        self.every = k.max(1);
        self
    }

    /// Hits this share of the matching requests, decided by a seed.
    pub fn chance(mut self, percent: u32, seed: u64) -> Self {
        self.chance = Some((percent, Rng::new(seed)));
        self
    }

    fn hit(&mut self, request: &Facts<'_>) -> bool {
        if self.hits >= self.times || !self.matches(request) {
            return false;
        }
        self.seen = self.seen.saturating_add(1);
        let number = self.seen.saturating_sub(self.skip);
        if self.seen <= self.skip || !number.is_multiple_of(self.every) {
            return false;
        }
        if let Some((percent, rng)) = &mut self.chance
            && rng.below(100) >= usize::try_from(*percent).unwrap_or(100)
        {
            return false;
        }
        self.hits = self.hits.saturating_add(1);
        true
    }

    fn matches(&self, request: &Facts<'_>) -> bool {
        let target = match self.target {
            Target::Any => true,
            Target::Token => request.token_endpoint,
            Target::Graph => !request.token_endpoint,
            Target::Delta => request.delta.is_some(),
            Target::DeltaOf(kind) => request.delta == Some(kind),
            Target::Batch => request.batch,
        };
        let links = match self.links {
            Links::All => true,
            Links::Initial => !request.skip_token && !request.delta_token,
            Links::Next => request.skip_token,
            Links::Delta => request.delta_token,
            Links::Following => request.skip_token || request.delta_token,
        };
        let possible = match self.action {
            Action::StateLost(StateLoss::TooOld) => request.delta_token,
            Action::StateLost(StateLoss::PageExpired | StateLoss::PageNotFound) => {
                request.skip_token
            }
            Action::StateLost(_) => request.skip_token || request.delta_token,
            Action::Token(_) => request.token_endpoint,
            _ => true,
        };
        target
            && links
            && possible
            && self.path.as_ref().is_none_or(|part| request.uri.contains(part.as_str()))
    }
}

/// What a rule may look at.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts<'a> {
    pub(super) uri: &'a str,
    pub(super) token_endpoint: bool,
    pub(super) batch: bool,
    pub(super) delta: Option<Kind>,
    pub(super) skip_token: bool,
    /// A delta token that is neither empty nor `latest`.
    pub(super) delta_token: bool,
}

/// Names a rule that has been set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleId(u64);

/// The rules in force, in the order they were set; the first that hits decides.
#[derive(Debug, Default)]
pub(super) struct Book {
    rules: Vec<(RuleId, Rule)>,
    next: u64,
}

impl Book {
    pub(super) fn add(&mut self, rule: Rule) -> RuleId {
        let id = RuleId(self.next);
        self.next = self.next.saturating_add(1);
        self.rules.push((id, rule));
        id
    }

    pub(super) fn remove(&mut self, id: RuleId) {
        self.rules.retain(|(known, _)| *known != id);
    }

    pub(super) fn clear(&mut self) {
        self.rules.clear();
    }

    pub(super) fn hits(&self, id: RuleId) -> usize {
        self.rules.iter().find(|(known, _)| *known == id).map_or(0, |(_, rule)| rule.hits)
    }

    pub(super) fn decide(&mut self, request: &Facts<'_>) -> Option<Action> {
        self.rules.iter_mut().find_map(|(_, rule)| rule.hit(request).then(|| rule.action.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(rule: Rule, facts: &Facts<'_>, requests: usize) -> Vec<usize> {
        let mut book = Book::default();
        book.add(rule);
        (1..=requests).filter(|_| book.decide(facts).is_some()).collect()
    }

    #[test]
    fn a_rule_counts_only_what_it_matches() {
        let facts = Facts { uri: "/v1.0/users/delta", delta: Some(Kind::User), ..Facts::default() };
        assert_eq!(hits(Rule::new(Action::Forbidden).nth(2), &facts, 5), [2]);
        assert_eq!(hits(Rule::new(Action::Forbidden).every(3), &facts, 7), [3, 6]);
        assert_eq!(hits(Rule::new(Action::Forbidden).after(1).times(2), &facts, 7), [2, 3]);
        assert_eq!(hits(Rule::new(Action::Forbidden).path("/groups"), &facts, 3), [0; 0]);
        assert_eq!(
            hits(Rule::new(Action::Forbidden).on(Target::DeltaOf(Kind::Group)), &facts, 3),
            [0; 0]
        );
        assert_eq!(hits(Rule::new(Action::Forbidden).links(Links::Following), &facts, 3), [0; 0]);
    }

    #[test]
    fn a_chance_repeats_with_its_seed() {
        let facts = Facts::default();
        let rule = Rule::new(Action::Hangup).chance(30, 4);
        let first = hits(rule.clone(), &facts, 100);
        assert_eq!(first, hits(rule, &facts, 100));
        assert!((10..60).contains(&first.len()), "{}", first.len());
    }

    #[test]
    fn an_age_complaint_hits_delta_tokens_only() {
        let next = Facts { delta: Some(Kind::User), skip_token: true, ..Facts::default() };
        assert!(hits(Rule::new(Action::StateLost(StateLoss::TooOld)), &next, 1).is_empty());
        assert_eq!(hits(Rule::new(Action::StateLost(StateLoss::PageExpired)), &next, 1), [1]);
    }
}
