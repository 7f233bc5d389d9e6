//! What can go wrong at the back door, and whether asking again can help. Pure: no I/O, no clock.
//!
//! No error holds a secret, a token, or the query of a link: texts from outside pass through `verdict::redact`.

use super::advice;
use std::fmt;
use std::time::Duration;

/// A request to Entra or Graph that brought nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphError {
    /// What sort of failure.
    pub kind: ErrorKind,
    /// What was asked: `users/delta`, `domains`, `token` ...
    pub operation: Box<str>,
    /// The HTTP status, where there was an answer.
    pub status: Option<u16>,
    /// Graph's error code, or `AADSTS...` from the token endpoint.
    pub code: Option<Box<str>>,
    /// The word of RFC 6749 5.2 or RFC 8628 3.5 that the token endpoint gave beside it.
    pub word: Option<Box<str>>,
    /// What was said, on one line, without secrets.
    pub message: Box<str>,
    /// Of a sign-in: whether Entra wants something of the person beside the password.
    pub interaction: bool,
    /// Microsoft's id of the request (`request-id`, or the token endpoint's trace id).
    pub request_id: Option<Box<str>>,
    /// Our id of the request, which Microsoft logs too.
    pub client_request_id: Option<Box<str>>,
    /// Whether and when to ask again.
    pub retry: Retry,
    /// By what sort of permissions it was asked.
    pub access: Access,
}

/// What sort of permissions Graph is read by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Access {
    /// Application permissions of an app registration.
    #[default]
    Application,
    /// The same, proved by a token of another issuer.
    Federated,
    /// Application permissions of a managed identity.
    Machine,
    /// Delegated permissions, and what the person who signed in may do.
    Person,
}

/// Whether and when to ask again. `Never` and `After` keep the position asked for: nothing is known to have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Asking again in this pass is pointless: a person has to change something.
    Never,
    /// The same request may succeed after this long.
    After(Duration),
    /// The token or link is dead: begin a new full round, to end in a mark and sweep.
    Restart,
    /// The chain of pages broke: begin this round again from the position it began with.
    RestartRound,
}

/// The sorts of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The configuration cannot work.
    Settings,
    /// What the application proves itself by could not be read, or cannot be used.
    Secret,
    /// Entra issues no token.
    Credential,
    /// Graph refuses a token that was just issued (401 twice).
    Unauthorized,
    /// The application lacks a permission (403 from Graph).
    Permission,
    /// Too many requests (429), or a wait that an earlier answer asked for.
    Throttled,
    /// Trouble on the server's side that passes (5xx, 408).
    Unavailable,
    /// No answer: connecting, TLS, a timeout, a cut body.
    Network,
    /// An answer that is not what Graph sends: not JSON, cut, without a link.
    Garbled,
    /// A delta link is dead.
    Expired,
    /// The chain of pages of a round broke.
    PageExpired,
    /// 404: the resource, or for a link perhaps the whole tenant.
    NotFound,
    /// A link leads to a host that must not see the token.
    ForeignLink,
    /// Any other refusal.
    Refused,
}

impl ErrorKind {
    /// Whether the same request may succeed a little later.
    pub(super) fn is_transient(self) -> bool {
        matches!(self, Self::Throttled | Self::Unavailable | Self::Network | Self::Garbled)
    }
}

impl GraphError {
    /// A failure without an answer.
    pub(super) fn new(
        kind: ErrorKind,
        operation: &str,
        message: impl Into<Box<str>>,
        retry: Retry,
    ) -> Self {
        GraphError {
            kind,
            operation: operation.into(),
            status: None,
            code: None,
            word: None,
            message: message.into(),
            interaction: false,
            request_id: None,
            client_request_id: None,
            retry,
            access: Access::default(),
        }
    }

    /// Whether a permission is missing, which an administrator grants.
    pub fn is_permission(&self) -> bool {
        self.kind == ErrorKind::Permission
    }

    /// What it means, for a person.
    pub fn cause(&self) -> &'static str {
        match advice::meaning(self) {
            Some(meaning) if self.kind == ErrorKind::Credential => meaning.cause,
            _ => self.kind.text(),
        }
    }

    /// An order that ends it, where one is known.
    pub fn remedy(&self) -> Option<String> {
        advice::remedy(self)
    }

    /// The number of `AADSTS...`, where the token endpoint gave one.
    pub fn aadsts(&self) -> Option<u32> {
        self.code.as_deref()?.strip_prefix("AADSTS")?.parse().ok()
    }

    /// What to do about it, for a person, where that is known.
    pub fn advice(&self) -> Option<String> {
        advice::advice(self)
    }
}

impl ErrorKind {
    /// What it means, in a few words.
    fn text(self) -> &'static str {
        match self {
            ErrorKind::Settings => "these settings cannot work",
            ErrorKind::Secret => "the credential cannot be used",
            ErrorKind::Credential => "Entra issued no token",
            ErrorKind::Unauthorized => "Graph refused a newly issued token",
            ErrorKind::Permission => "Graph refused: a permission is missing",
            ErrorKind::Throttled => "Graph asks to wait",
            ErrorKind::Unavailable => "the service is in trouble",
            ErrorKind::Network => "no complete answer",
            ErrorKind::Garbled => "the answer is not what Graph sends",
            ErrorKind::Expired => "Graph no longer knows the state of the last sync",
            ErrorKind::PageExpired => "the list of pages broke off",
            ErrorKind::NotFound => "not found",
            ErrorKind::ForeignLink => "a link leads to a foreign host",
            ErrorKind::Refused => "refused",
        }
    }
}

/// `users/delta: Graph refused: a permission is missing (403 Authorization_RequestDenied): Insufficient privileges
/// ... To do: ... [request-id ..., client-request-id ...]`
impl fmt::Display for GraphError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.operation)?;
        f.write_str(self.kind.text())?;
        match (self.status, &self.code) {
            (Some(status), Some(code)) => write!(f, " ({status} {code})")?,
            (Some(status), None) => write!(f, " ({status})")?,
            (None, Some(code)) => write!(f, " ({code})")?,
            (None, None) => {}
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        match self.retry {
            Retry::After(wait) if !wait.is_zero() => {
                write!(f, " (to be tried again in {} s)", wait.as_secs_f64().ceil())?;
            }
            Retry::Restart => {
                f.write_str(" (a full resync follows; nothing is removed meanwhile)")?
            }
            Retry::RestartRound => f.write_str(" (this round starts again)")?,
            Retry::Never | Retry::After(_) => {}
        }
        if let Some(advice) = self.advice() {
            write!(f, ". To do: {advice}")?;
        }
        match (&self.request_id, &self.client_request_id) {
            (Some(theirs), Some(ours)) => {
                write!(f, " [request-id {theirs}, client-request-id {ours}]")
            }
            (Some(theirs), None) => write!(f, " [request-id {theirs}]"),
            (None, Some(ours)) => write!(f, " [client-request-id {ours}]"),
            (None, None) => Ok(()),
        }
    }
}

impl std::error::Error for GraphError {}
