//! Search (RFC 4511 4.5): base and scope, candidates, test, projection, pages.

pub(crate) mod asked;
pub(crate) mod constructed;
pub(crate) mod cursor;
pub(crate) mod paging;
pub(crate) mod projection;
pub(crate) mod question;
pub(crate) mod scope;
pub(crate) mod sort;
pub(crate) mod test;
pub(crate) mod visible;

pub(crate) use crate::replica::Error as ReadError;

use super::controls::Wishes;
use super::generated::Generated;
use super::root_dse;
use super::server::Server;
use super::session::Session;
use super::target::Target;
use super::wire::request::SearchRequest;
use super::wire::response::{DoneExtras, Outcome, SortResult};
use crate::directory::dn::DnKey;
use crate::directory::filter::Filter;
use crate::directory::predicate::Predicate;
use crate::directory::schema;
use crate::replica::reader::Snapshot;
use asked::Asked;
use cursor::{Cursor, Page};
use ldap3_proto::LdapResultCode;
use ldap3_proto::proto::LdapSearchScope;
use projection::Projection;
use question::{Ordered, Question, in_order};
use scope::{NoRegion, Region};
use sort::{Order, SortPosition};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};
use visible::Visible;

/// What a search comes to.
#[expect(
    clippy::large_enum_variant,
    reason = "it lives for one call; a box would be an allocation for each lookup"
)]
pub(crate) enum Begun {
    /// It is over; so many entries have been written.
    Over(Outcome, DoneExtras, u64),
    /// Entries are to be written.
    Entries(Cursor),
}

/// Damage that a search finds.
pub(crate) fn damaged(what: &'static str) -> ReadError {
    ReadError::Damaged(what)
}

/// Begins a search.
pub(crate) fn begin(
    server: &Server,
    session: &Session,
    (id, request): (i32, &SearchRequest<'_>),
    wishes: &Wishes<'_>,
    snapshot: &Arc<Snapshot>,
    (out, now): (&mut Vec<u8>, Instant),
) -> Begun {
    match try_begin(server, session, (id, request), wishes, snapshot, (out, now)) {
        Ok(begun) => begun,
        Err(NoRegion::Answer(outcome)) => {
            Begun::Over(session.veiled(outcome), extras(wishes, None), 0)
        }
        Err(NoRegion::Unsortable(refused)) => {
            Begun::Over(unsortable(), extras(wishes, Some(refused)), 0)
        }
        Err(NoRegion::Unreadable(error)) => {
            Begun::Over(server.unreadable(&error), DoneExtras::default(), 0)
        }
    }
}

fn unsortable() -> Outcome {
    let code = LdapResultCode::UnavailableCriticalExtension;
    Outcome::new(code, "the answer cannot be sorted as asked")
}

/// What an answer without another page carries. A refused search still answers the paging
/// control. RFC 2891 2: the sort control is left out where "the search request failed".
fn extras(wishes: &Wishes<'_>, sorted: Option<SortResult>) -> DoneExtras {
    DoneExtras { cookie: wishes.paged.map(|_| Vec::new()), sorted }
}

fn try_begin(
    server: &Server,
    session: &Session,
    (id, request): (i32, &SearchRequest<'_>),
    wishes: &Wishes<'_>,
    snapshot: &Arc<Snapshot>,
    (out, now): (&mut Vec<u8>, Instant),
) -> Result<Begun, NoRegion> {
    let is_base = request.scope == LdapSearchScope::Base;
    let target = Target::read(server, request.base);
    // RFC 4512 5.1: the root DSE is retrieved by "a base object search" of the empty name;
    // the subschema entry by one of its name. Both are open to everyone.
    let made: Option<Cow<'_, Generated>> = match target.key() {
        Some(key) if key.is_root() && is_base => {
            Some(Cow::Owned(root_dse::make(server, session, snapshot)))
        }
        Some(key) if *key == server.schema_key => Some(Cow::Borrowed(&server.schema_entry)),
        _ => None,
    };
    if let Some(made) = made {
        if wishes.assertion.as_ref().is_some_and(|filter| !made.satisfies(filter)) {
            return Err(NoRegion::Answer(assertion_failed()));
        }
        let here = matches!(request.scope, LdapSearchScope::Base | LdapSearchScope::Subtree);
        let found = here && made.answer(out, id, request);
        let sorted = match order(wishes, session)? {
            Ordered::As(..) => Some(in_order()),
            Ordered::No(refused) => refused,
        };
        return Ok(Begun::Over(Outcome::success(), extras(wishes, sorted), u64::from(found)));
    }
    session.may_read().map_err(NoRegion::Answer)?;
    let key = target.locate(snapshot)?;
    let visible = Visible::resolve(session, snapshot, &key, is_base)?;
    let region = Region::resolve(snapshot, &key, &request.scope)?;
    if let Some(filter) = &wishes.assertion
        && !asserts(filter, &key, session, snapshot)?
    {
        return Err(NoRegion::Answer(assertion_failed()));
    }
    let may_test = |attribute| session.may_test(attribute);
    let bind = |filter: &Filter<'_>| Predicate::bind(filter, schema::standard(), &may_test);
    // RFC 3672 3: with the control's value TRUE, "subentries are visible and normal entries
    // are not"; there are none in the tree.
    let predicate = match is_base || !wishes.subentries_only {
        true => bind(&request.filter),
        false => Predicate::Undefined,
    };
    let limits = Limits::of(server, session, request, wishes).map_err(NoRegion::Answer)?;
    // Without pages and without an order it does not matter which entries the size limit
    // leaves.
    let everywhere = region == Region::Everything && visible == Visible::Everywhere;
    let enough =
        (everywhere && wishes.paged.is_none() && wishes.sort.is_none()).then(|| limits.enough());
    let question = Question {
        predicate,
        region,
        enough,
        wanted: limits.enough(),
        order: order(wishes, session)?,
        next: limits.next,
        position: limits.sorted,
    };
    let settled = question.settle_soon(snapshot)?;
    let (list, schema) = (request.attributes, schema::standard());
    let projection = match session.readable() {
        None => Projection::new(Asked::recall(list, schema), request.types_only),
        Some(readable) => {
            let asked = Arc::new(Asked::new(list.iter(), schema, &may_test));
            let mut projection = Projection::new(asked, request.types_only);
            projection.restrict(readable);
            projection
        }
    };
    let items = wishes.matched_values.as_ref();
    let most = server.limits.candidates;
    Ok(Begun::Entries(Cursor {
        id,
        snapshot: Arc::clone(snapshot),
        feed: settled.feed,
        region: settled.region,
        visible,
        known: match projection.constructs() {
            true => Visible::of(session, snapshot)?,
            false => Visible::Everywhere,
        },
        test: settled.test,
        projection: projection.matching(items.map(|items| items.iter().map(bind).collect())),
        candidates_left: if most == 0 { u32::MAX } else { most },
        size_left: limits.size,
        started: now,
        deadline: time_limit(session, request).map(|limit| now + limit),
        page: limits.page,
        sorted: settled.sorted,
        returned: 0,
    }))
}

/// RFC 4528 4: "If the assertion is evaluated as FALSE or Undefined [...] return the result
/// code assertionFailed". In a search the target is the base, and "no [...] entries" are
/// returned.
pub(crate) fn assertion_failed() -> Outcome {
    Outcome::new(LdapResultCode::AssertionFailed, "the assertion is not true")
}

/// Whether a filter is true of the entry with this name.
pub(crate) fn asserts(
    filter: &Filter<'_>,
    key: &DnKey,
    session: &Session,
    snapshot: &Snapshot,
) -> Result<bool, NoRegion> {
    let Some(number) = snapshot.number(key)? else { return Ok(false) };
    let entry = snapshot.entry(number)?.ok_or_else(|| damaged("an entry that has a name"))?;
    let may_test = |attribute| session.may_test(attribute);
    let predicate = Predicate::bind(filter, schema::standard(), &may_test);
    Ok(test::Test::new(predicate, snapshot)?.passes(&entry)?)
}

/// RFC 2891 2: where the order cannot be kept, and "criticality is TRUE, then the server
/// MUST return unavailableCriticalExtension" with the reason; else the entries unsorted.
fn order(wishes: &Wishes<'_>, session: &Session) -> Result<Ordered, NoRegion> {
    let Some(sort) = &wishes.sort else { return Ok(Ordered::No(None)) };
    match Order::new(sort, session, schema::standard()) {
        Ok(order) => Ok(Ordered::As(order, sort.critical)),
        Err(refused) if sort.critical => Err(NoRegion::Unsortable(refused)),
        Err(refused) => Ok(Ordered::No(Some(refused))),
    }
}

/// RFC 4511 4.5.1.5: "A value of zero [...] indicates that no client-requested time
/// limit restrictions are in effect"; the server's own is the upper bound.
fn time_limit(session: &Session, request: &SearchRequest<'_>) -> Option<Duration> {
    let own = Some(session.limits().time).filter(|time| !time.is_zero());
    let wish = Some(Duration::from_secs(request.time_limit.into())).filter(|time| !time.is_zero());
    match (own, wish) {
        (Some(own), Some(wish)) => Some(own.min(wish)),
        (own, wish) => own.or(wish),
    }
}

/// How many entries are returned, and from where on.
struct Limits {
    size: u32,
    next: u32,
    sorted: Option<SortPosition>,
    page: Option<Page>,
}

impl Limits {
    /// So many matching entries fill the page, and tell that there are more.
    fn enough(&self) -> usize {
        let page = self.page.as_ref().and_then(|page| page.left).unwrap_or(u32::MAX);
        usize::try_from(self.size.min(page)).unwrap_or(usize::MAX).saturating_add(1)
    }

    /// The server's limit holds for each page, as Active Directory's MaxPageSize does; the
    /// client's own limit holds for all pages together.
    fn of(
        server: &Server,
        session: &Session,
        request: &SearchRequest<'_>,
        wishes: &Wishes<'_>,
    ) -> Result<Self, Outcome> {
        let limit = |size: u32| if size == 0 { u32::MAX } else { size };
        let limits = session.limits();
        let (own, wish) = (limit(limits.size), limit(request.size_limit));
        let Some(paged) = wishes.paged else {
            return Ok(Limits { size: own.min(wish), next: 0, sorted: None, page: None });
        };
        let largest_page = own.min(limit(limits.page));
        let order = wishes.sort.as_ref().map_or(&b""[..], |sort| sort.value);
        let seal = server
            .cookies
            .seal(&request.fingerprint, order, session.name())
            .ok_or_else(|| Outcome::new(LdapResultCode::Other, "no cookie can be made"))?;
        let now = server.seconds();
        let unpaged = |seal| Page { left: None, sent: 0, seal, now };
        if paged.cookie.is_empty() {
            let size = paged.size.min(largest_page);
            // RFC 2696 3: "If the page size is greater than or equal to the sizeLimit
            // value, the server should ignore the control". No size is no page either.
            return Ok(if paged.size == 0 || size >= wish {
                Limits { size: own.min(wish), next: 0, sorted: None, page: Some(unpaged(seal)) }
            } else {
                let page = Page { left: Some(size), sent: 0, seal, now };
                Limits { size: wish, next: 0, sorted: None, page: Some(page) }
            });
        }
        let position = seal.open(paged.cookie, now).ok_or_else(|| {
            let message = "the cookie is not of this search, or too old; start again without one";
            Outcome::new(LdapResultCode::UnwillingToPerform, message)
        })?;
        // RFC 2696 3: "the client may [...] abandon the paged search" by "a size of 0".
        let (left, next) = match paged.size.min(largest_page) {
            _ if paged.size == 0 => (None, u32::MAX),
            size => (Some(size), position.next),
        };
        let page = Page { left, sent: position.sent, seal, now };
        let size = wish.saturating_sub(position.sent);
        Ok(Limits { size, next, sorted: position.sorted, page: Some(page) })
    }
}
