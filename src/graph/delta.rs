//! Rounds of a delta query: where one starts, one page of it, where the next one starts.

use super::Graph;
use super::client::Fetch;
use super::error::{ErrorKind, GraphError, Retry};
use super::links::LinkFault;
use super::object::{Item, ManagerChange, WirePage};
use super::retry::LATER;
use super::verdict::Purpose;
use crate::directory::kind::Kind;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// What to request next of a stream. Prints without its link; [`Position::to_text`] is the form to store.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Position {
    kind: Kind,
    at: At,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum At {
    /// The first request of a full round.
    Start,
    /// A `@odata.nextLink`, as received.
    Next(String),
    /// A `@odata.deltaLink`, as received.
    Delta(String),
}

/// One page of a round.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The objects, in the order received. There may be none although the round goes on.
    pub items: Vec<Item>,
    /// How many objects and members were left out because their id is no GUID.
    pub skipped: usize,
    /// How to go on.
    pub next: Next,
}

/// One page as received, found to be good: [`items`] will not fail on it.
#[derive(Clone, PartialEq)]
pub struct RawPage {
    /// The JSON text.
    pub body: Bytes,
    /// How many objects it holds.
    pub objects: usize,
    /// A mark of each object and what is said of its removal, members and manager:
    /// a page whose marks have all been seen brings nothing new to a first look.
    pub marks: Vec<u32>,
    /// How many objects and members will be left out because their id is no GUID.
    pub skipped: usize,
    /// How to go on.
    pub next: Next,
}

/// How a round goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// With this page.
    More(Position),
    /// It is complete.
    Done {
        /// Where the next round starts. To be kept only once all of this round is.
        delta: Position,
    },
}

/// A stored position that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a stored position of a delta query")]
pub struct PositionError;

impl Position {
    /// The start of a full round.
    pub fn start(kind: Kind) -> Self {
        Position { kind, at: At::Start }
    }

    /// The stream it belongs to.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether it is the start of a full round, and not a link.
    pub fn is_start(&self) -> bool {
        self.at == At::Start
    }

    /// The text to store: it holds the link, and so the state token.
    pub fn to_text(&self) -> String {
        match &self.at {
            At::Start => format!("{} start", self.kind.plural()),
            At::Next(link) => format!("{} next {link}", self.kind.plural()),
            At::Delta(link) => format!("{} delta {link}", self.kind.plural()),
        }
    }

    fn purpose(&self) -> Purpose {
        match self.at {
            At::Start => Purpose::Start,
            At::Next(_) => Purpose::Next,
            At::Delta(_) => Purpose::Delta,
        }
    }
}

/// Reads what [`Position::to_text`] wrote.
impl FromStr for Position {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        let mut parts = text.splitn(3, ' ');
        let plural = parts.next().ok_or(PositionError)?;
        let kind = Kind::ALL.into_iter().find(|k| k.plural() == plural).ok_or(PositionError)?;
        let at = match (parts.next(), parts.next()) {
            (Some("start"), None) => At::Start,
            (Some("next"), Some(link)) if !link.is_empty() => At::Next(link.to_owned()),
            (Some("delta"), Some(link)) if !link.is_empty() => At::Delta(link.to_owned()),
            _ => return Err(PositionError),
        };
        Ok(Position { kind, at })
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = match self.at {
            At::Start => "start",
            At::Next(_) => "next ***",
            At::Delta(_) => "delta ***",
        };
        write!(f, "{} {at}", self.kind.plural())
    }
}

impl fmt::Debug for RawPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawPage")
            .field("octets", &self.body.len())
            .field("objects", &self.objects)
            .field("next", &self.next)
            .finish()
    }
}

impl Page {
    /// Reads a page from its JSON text.
    ///
    /// # Errors
    /// It is not a complete page of a delta query.
    pub fn parse(kind: Kind, body: &[u8]) -> Result<Page, GraphError> {
        let page = read::<true>(kind, body).map_err(|text| garbled(kind, text))?;
        Ok(Page { items: page.items, skipped: page.skipped, next: page.next })
    }
}

/// The objects of a page that was fetched with [`Graph::page_raw`].
///
/// # Errors
/// The text is not such a page.
pub fn items(kind: Kind, body: &[u8]) -> Result<Vec<Item>, GraphError> {
    Page::parse(kind, body).map(|page| page.items)
}

impl Graph {
    /// Where a full round of `kind` starts.
    pub fn start(&self, kind: Kind) -> Position {
        Position::start(kind)
    }

    /// Stands for the query of a stream. Another text than the one stored beside a delta link means that the link
    /// belongs to another query: start a full round.
    pub fn select_fingerprint(&self, kind: Kind) -> String {
        let select = self.client.selects().of_rounds(kind);
        let digest = Sha256::digest(format!("{}?{select}", kind.plural()));
        digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Fetches one page.
    ///
    /// # Errors
    /// There is no complete, well formed page; the error says what to do with the position.
    pub async fn page(&self, at: &Position) -> Result<Page, GraphError> {
        let (_, page) = self.fetch::<true>(at).await?;
        Ok(Page { items: page.items, skipped: page.skipped, next: page.next })
    }

    /// Fetches one page as it stands on the wire, checked to the last octet.
    ///
    /// # Errors
    /// As [`Graph::page`].
    pub async fn page_raw(&self, at: &Position) -> Result<RawPage, GraphError> {
        let (body, page) = self.fetch::<false>(at).await?;
        let objects = page.items.len();
        let marks = page.items.iter().map(mark).collect();
        Ok(RawPage { body, objects, marks, skipped: page.skipped, next: page.next })
    }

    async fn fetch<const KEEP: bool>(&self, at: &Position) -> Result<(Bytes, Read), GraphError> {
        let operation = operation(at.kind);
        if at.kind == Kind::Domain {
            let text = "domains have no delta query";
            return Err(GraphError::new(ErrorKind::Settings, operation, text, Retry::Never));
        }
        let url = match &at.at {
            At::Start => {
                let query = format!("$select={}", self.client.selects().of_rounds(at.kind));
                self.client.endpoint(operation, Some(&query))
            }
            At::Next(link) | At::Delta(link) => self.client.trusted(operation, link)?,
        };
        let fetch = Fetch::new(operation, at.purpose(), url);
        let (body, page) = self.client.get(&fetch, |body| read::<KEEP>(at.kind, body)).await?;
        // A page whose link cannot be followed is refused now, before anything of it is kept.
        let (Next::More(next) | Next::Done { delta: next }) = &page.next;
        if let At::Next(link) | At::Delta(link) = &next.at {
            self.client.trusted(operation, link)?;
        }
        if page.skipped > 0 {
            tracing::warn!(
                operation,
                skipped = page.skipped,
                "ids that are no GUIDs were left out"
            );
        }
        Ok((body, page))
    }
}

fn mark(item: &Item) -> u32 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    (item.id, item.removed.is_some()).hash(&mut hasher);
    for member in &item.members {
        (member.id, member.removed).hash(&mut hasher);
    }
    match item.manager {
        None => 0u8.hash(&mut hasher),
        Some(ManagerChange::Cleared) => 1u8.hash(&mut hasher),
        Some(ManagerChange::Set(id)) => (2u8, id).hash(&mut hasher),
    }
    hasher.finish() as u32
}

/// A page, read.
struct Read {
    items: Vec<Item>,
    skipped: usize,
    next: Next,
}

/// A page has exactly one of the two links (graph.md 0.4); anything else is cut or garbled.
fn read<const KEEP: bool>(kind: Kind, body: &[u8]) -> Result<Read, String> {
    let page: WirePage<KEEP> = serde_json::from_slice(body).map_err(|error| place(&error))?;
    let next = match (page.next_link, page.delta_link) {
        (Some(link), None) if !link.is_empty() => Next::More(Position { kind, at: At::Next(link) }),
        (None, Some(link)) if !link.is_empty() => {
            Next::Done { delta: Position { kind, at: At::Delta(link) } }
        }
        (None, None) => return Err("a page without nextLink and deltaLink".to_owned()),
        (Some(_), Some(_)) => return Err("a page with both nextLink and deltaLink".to_owned()),
        _ => return Err("a page with an empty link".to_owned()),
    };
    Ok(Read { items: page.items, skipped: page.skipped, next })
}

/// What is wrong with a JSON text. `serde_json` quotes values in data errors, and a value may be anything; so only
/// the sort of error and its place are told.
pub(super) fn place(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Eof => "the JSON text ends too early",
        serde_json::error::Category::Data => "JSON of another shape",
        _ => "not JSON",
    };
    format!("{what} (line {} column {})", error.line(), error.column())
}

fn garbled(kind: Kind, text: String) -> GraphError {
    GraphError::new(ErrorKind::Garbled, operation(kind), text, Retry::After(LATER))
}

fn operation(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "users/delta",
        Kind::Group => "groups/delta",
        Kind::Contact => "contacts/delta",
        Kind::Domain => "domains",
    }
}

/// The error for a link that is not followed.
pub(super) fn untrusted(operation: &str, fault: LinkFault) -> GraphError {
    match fault {
        LinkFault::Unreadable => {
            let text = "a link that is no absolute URL";
            GraphError::new(ErrorKind::Garbled, operation, text, Retry::After(LATER))
        }
        LinkFault::Foreign(host) => {
            let text =
                format!("{host} is not the configured Graph endpoint, so no token is sent there");
            GraphError::new(ErrorKind::ForeignLink, operation, text, Retry::Never)
        }
    }
}
