//! Search (RFC 4511 4.5): base and scope, candidates, test, projection, pages.

pub(crate) mod cursor;
pub(crate) mod paging;
mod plan;
mod projection;
pub(crate) mod scope;
mod test;
mod visible;

pub(crate) use crate::replica::Error as ReadError;

use super::controls::Wishes;
use super::root_dse;
use super::server::Server;
use super::session::Session;
use super::wire::request::SearchRequest;
use super::wire::response::Outcome;
use crate::directory::predicate::Predicate;
use crate::directory::schema;
use crate::replica::ids::Ids;
use crate::replica::reader::Snapshot;
use cursor::{Cursor, Page};
use ldap3_proto::LdapResultCode;
use ldap3_proto::proto::LdapSearchScope;
use scope::{NoRegion, Region};
use std::sync::Arc;
use std::time::{Duration, Instant};
use visible::Visible;

/// What a search comes to.
#[expect(
    clippy::large_enum_variant,
    reason = "it lives for one call; a box would be an allocation for each lookup"
)]
pub(crate) enum Begun {
    /// It is over; entries, if any, have been written. With a cookie where the client
    /// asked for pages.
    Over(Outcome, Option<Vec<u8>>, u64),
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
        // A refused search still answers the paging control, except with a cookie.
        Err(NoRegion::Answer(outcome)) => {
            Begun::Over(session.veiled(outcome), wishes.paged.map(|_| Vec::new()), 0)
        }
        Err(NoRegion::Unreadable(error)) => Begun::Over(server.unreadable(&error), None, 0),
    }
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
    let key = server.key_of(request.base);
    // RFC 4512 5.1: the root DSE is retrieved by "a base object search" of the empty name;
    // the subschema entry by one of its name. Both are open to everyone.
    let generated = match &key {
        Ok(key) if key.is_root() && is_base => {
            Some(root_dse::make(server, session, snapshot).answer(out, id, request))
        }
        Ok(key) if **key == server.schema_key => {
            let here = matches!(request.scope, LdapSearchScope::Base | LdapSearchScope::Subtree);
            Some(here && server.schema_entry.answer(out, id, request))
        }
        _ => None,
    };
    if let Some(found) = generated {
        let cookie = wishes.paged.map(|_| Vec::new());
        return Ok(Begun::Over(Outcome::success(), cookie, u64::from(found)));
    }
    session.may_read().map_err(NoRegion::Answer)?;
    let key = key.map_err(NoRegion::Answer)?;
    let visible = Visible::resolve(session, snapshot, &key, is_base)?;
    let region = Region::resolve(snapshot, &key, &request.scope)?;
    let may_test = |attribute| session.may_test(attribute);
    let predicate = Predicate::bind(&request.filter, schema::standard(), &may_test);
    let limits = Limits::of(server, session, request, wishes).map_err(NoRegion::Answer)?;
    let (candidates, region, test) = candidates(predicate, region, snapshot)?;
    let mut projection = projection::Projection::new(
        request.attributes.iter(),
        request.types_only,
        schema::standard(),
    );
    if let Some(readable) = session.readable() {
        projection.restrict(readable);
    }
    Ok(Begun::Entries(Cursor {
        id,
        snapshot: Arc::clone(snapshot),
        candidates,
        next: limits.next,
        region,
        visible,
        test,
        projection,
        size_left: limits.size,
        deadline: time_limit(session, request).map(|limit| now + limit),
        page: limits.page,
        returned: 0,
    }))
}

/// The candidates, what they must be checked against, and how.
fn candidates(
    predicate: Predicate,
    region: Region,
    snapshot: &Snapshot,
) -> Result<(Ids, Region, Option<test::Test>), ReadError> {
    let test = |predicate| test::Test::new(predicate, snapshot).map(Some);
    // A search of named entries reads them; no index is asked.
    if let Region::These(ids) = region {
        let test = if always_true(&predicate) { None } else { test(predicate)? };
        return Ok((ids, Region::Everything, test));
    }
    let found = plan::matching(&predicate, snapshot)?;
    if found.is_none() {
        return Ok((Ids::default(), region, None));
    }
    let test = if found.exact { None } else { test(predicate)? };
    Ok((found.into_ids(snapshot)?, region, test))
}

fn always_true(predicate: &Predicate) -> bool {
    let object_class = schema::standard().attribute(b"objectClass").map(|attribute| attribute.id);
    match predicate {
        Predicate::Present(id) => Some(*id) == object_class,
        Predicate::And(list) => list.iter().all(always_true),
        _ => false,
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
    page: Option<Page>,
}

impl Limits {
    /// The server's limit holds for each page, as Active Directory's MaxPageSize does; the
    /// client's own limit holds for all pages together.
    fn of(
        server: &Server,
        session: &Session,
        request: &SearchRequest<'_>,
        wishes: &Wishes<'_>,
    ) -> Result<Self, Outcome> {
        let limit = |size: u32| if size == 0 { u32::MAX } else { size };
        let (own, wish) = (limit(session.limits().size), limit(request.size_limit));
        let largest_page = own.min(limit(session.limits().page));
        let Some(paged) = wishes.paged else {
            return Ok(Limits { size: own.min(wish), next: 0, page: None });
        };
        let seal = server
            .cookies
            .seal(&request.fingerprint, session.name())
            .ok_or_else(|| Outcome::new(LdapResultCode::Other, "no cookie can be made"))?;
        let now = server.seconds();
        let unpaged = |seal| Page { left: None, sent: 0, seal, now };
        if paged.cookie.is_empty() {
            let size = paged.size.min(largest_page);
            // RFC 2696 3: "If the page size is greater than or equal to the sizeLimit
            // value, the server should ignore the control". No size is no page either.
            return Ok(if paged.size == 0 || size >= wish {
                Limits { size: own.min(wish), next: 0, page: Some(unpaged(seal)) }
            } else {
                let page = Page { left: Some(size), sent: 0, seal, now };
                Limits { size: wish, next: 0, page: Some(page) }
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
        Ok(Limits { size: wish.saturating_sub(position.sent), next, page: Some(page) })
    }
}

/// The numbers that a search of everything finds, for tests.
#[cfg(test)]
pub(crate) fn found_by_plan(predicate: Predicate, snapshot: &Snapshot) -> Vec<u32> {
    let (ids, _, test) = candidates(predicate, Region::Everything, snapshot).unwrap();
    let passes = |number: &u32| {
        let entry = snapshot.entry(*number).unwrap().unwrap();
        test.as_ref().is_none_or(|test| test.passes(&entry).unwrap())
    };
    ids.iter().filter(passes).collect()
}
