//! One of the two servers, and what it answers in a form that can be compared.

use entraldap::directory::attribute::Syntax;
use entraldap::directory::dn::Dn;
use entraldap::directory::schema;
use ldap3::controls::{ControlType, PagedResults, RawControl};
use ldap3::{Ldap, LdapConnAsync, LdapError, LdapResult, Scope, SearchEntry, SearchOptions};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A connection to a server.
pub(crate) struct Server {
    ldap: Ldap,
}

/// Base, scope and filter.
#[derive(Clone, Copy)]
pub(crate) struct Where<'q> {
    /// The base, as written.
    pub(crate) base: &'q str,
    /// The scope.
    pub(crate) scope: Scope,
    /// The filter, as written.
    pub(crate) filter: &'q str,
}

/// What a search found: which entries, each only once unless `double`.
#[derive(PartialEq, Eq, Clone, Default)]
pub(crate) struct Found {
    /// The result code.
    pub(crate) code: u32,
    /// The part of the base that exists, where the server says so.
    pub(crate) matched: Vec<u8>,
    /// The entries, by what their names compare as.
    pub(crate) entries: BTreeSet<Vec<u8>>,
    /// How many entries came more than once.
    pub(crate) double: usize,
}

/// Attributes by name in lower case; values in an order that does not matter.
pub(crate) type Attributes = BTreeMap<String, BTreeSet<Vec<u8>>>;

/// What a sorted search found: values in the order in which the entries came.
#[derive(PartialEq, Eq)]
pub(crate) struct InOrder {
    /// The result code of the search.
    pub(crate) code: u32,
    /// That of the sorting, if the server says.
    pub(crate) sorted: Option<u8>,
    /// Of each entry the values that it was sorted by.
    pub(crate) keys: Vec<Vec<Option<Vec<u8>>>>,
}

impl Server {
    /// Connects, and binds if there is a name to bind with.
    pub(crate) async fn connect(url: &str, who: Option<(&str, &str)>) -> Result<Self, LdapError> {
        let (connection, mut ldap) = LdapConnAsync::new(url).await?;
        ldap3::drive!(connection);
        if let Some((name, password)) = who {
            ldap.simple_bind(name, password).await?.success()?;
        }
        Ok(Server { ldap })
    }

    async fn ask(
        &mut self,
        what: Where<'_>,
        attributes: &[&str],
    ) -> Result<(Vec<SearchEntry>, LdapResult), LdapError> {
        let found = self.ldap.search(what.base, what.scope, what.filter, attributes).await?;
        let entries = found.0.into_iter().filter(|entry| !entry.is_ref());
        Ok((entries.map(SearchEntry::construct).collect(), found.1))
    }

    /// Which entries match.
    pub(crate) async fn find(&mut self, what: Where<'_>) -> Result<Found, LdapError> {
        let (entries, result) = self.ask(what, &["1.1"]).await?;
        Ok(found(&entries, &result))
    }

    /// Which entries match, `limit` of them at most.
    pub(crate) async fn find_some(
        &mut self,
        what: Where<'_>,
        limit: i32,
    ) -> Result<Found, LdapError> {
        self.ldap.with_search_options(SearchOptions::new().sizelimit(limit));
        self.find(what).await
    }

    /// Which entries match, asked for in pages; and how many pages there were.
    pub(crate) async fn find_paged(
        &mut self,
        what: Where<'_>,
        size: i32,
    ) -> Result<(Found, usize), LdapError> {
        let (mut all, mut cookie, mut pages) = (Vec::new(), Vec::new(), 0);
        loop {
            self.ldap.with_controls(RawControl::from(PagedResults { size, cookie }));
            let (entries, result) = self.ask(what, &["1.1"]).await?;
            all.extend(entries);
            pages += 1;
            let next = result.ctrls.iter().find_map(|control| match control.0 {
                Some(ControlType::PagedResults) => Some(control.1.parse::<PagedResults>().cookie),
                _ => None,
            });
            cookie = next.unwrap_or_default();
            if cookie.is_empty() {
                return Ok((found(&all, &result), pages));
            }
        }
    }

    /// Entries sorted by `keys`: attribute, rule, whether backwards.
    pub(crate) async fn find_sorted(
        &mut self,
        what: Where<'_>,
        keys: &[(&str, Option<&str>, bool)],
        critical: bool,
    ) -> Result<InOrder, LdapError> {
        self.ldap.with_controls(sort_control(keys, critical));
        let names: Vec<&str> = keys.iter().map(|(name, _, _)| *name).collect();
        let (entries, result) = self.ask(what, &names).await?;
        let sorted = result.ctrls.iter().find(|control| control.1.ctype == SORT_RESPONSE);
        let sorted = sorted.and_then(|control| control.1.val.as_deref()?.get(4).copied());
        let key_of = |entry: &SearchEntry, name: &str| {
            let attribute = schema::standard().attribute(name.as_bytes())?;
            let values = attributes(entry).remove(&attribute.name.to_ascii_lowercase())?;
            values
                .iter()
                .filter_map(|value| attribute.syntax.key(value))
                .min()
                .map(|key| key.into_vec())
        };
        let of = |entry| names.iter().map(|name| key_of(entry, name)).collect();
        Ok(InOrder { code: result.rc, sorted, keys: entries.iter().map(of).collect() })
    }

    /// What of one entry is returned.
    pub(crate) async fn read(
        &mut self,
        dn: &str,
        list: &[&str],
        types_only: bool,
    ) -> Result<(u32, Attributes), LdapError> {
        self.ldap.with_search_options(SearchOptions::new().typesonly(types_only));
        let what = Where { base: dn, scope: Scope::Base, filter: "(objectClass=*)" };
        let (entries, result) = self.ask(what, list).await?;
        Ok((result.rc, entries.first().map(attributes).unwrap_or_default()))
    }

    /// The result code of a compare.
    pub(crate) async fn compare(
        &mut self,
        dn: &str,
        attribute: &str,
        value: &[u8],
    ) -> Result<u32, LdapError> {
        Ok(self.ldap.compare(dn, attribute, value).await?.0.rc)
    }
}

fn found(entries: &[SearchEntry], result: &LdapResult) -> Found {
    let names: BTreeSet<_> = entries.iter().map(|entry| key(&entry.dn)).collect();
    let double = entries.len() - names.len();
    Found { code: result.rc, matched: key(&result.matched), entries: names, double }
}

/// What a name compares as; a name that cannot be read is itself.
pub(crate) fn key(dn: &str) -> Vec<u8> {
    Dn::parse(dn).map_or_else(|_| dn.into(), |dn| dn.key().as_bytes().to_vec())
}

/// Names are compared, and everything else is taken as it is.
fn attributes(entry: &SearchEntry) -> Attributes {
    let mut out = Attributes::new();
    let text = entry.attrs.iter().map(|(name, values)| {
        (name, values.iter().map(|value| value.as_bytes()).collect::<Vec<_>>())
    });
    let binary = entry
        .bin_attrs
        .iter()
        .map(|(name, values)| (name, values.iter().map(Vec::as_slice).collect()));
    for (name, values) in text.chain(binary) {
        let base = name.split(';').next().unwrap_or_default();
        let known = schema::standard().attribute(base.as_bytes());
        let is_dn = known.is_some_and(|a| matches!(a.syntax, Syntax::Dn | Syntax::ObjectCategory));
        let same = |value: &[u8]| match std::str::from_utf8(value) {
            Ok(dn) if is_dn => key(dn),
            _ => value.to_vec(),
        };
        out.entry(name.to_ascii_lowercase()).or_default().extend(values.into_iter().map(same));
    }
    out
}

const SORT_RESPONSE: &str = "1.2.840.113556.1.4.474";

/// RFC 2891 1.1.
fn sort_control(keys: &[(&str, Option<&str>, bool)], crit: bool) -> RawControl {
    let key = |(name, rule, reverse): &(&str, Option<&str>, bool)| {
        let mut inside = tlv(0x04, name.as_bytes());
        inside.extend(rule.iter().flat_map(|rule| tlv(0x80, rule.as_bytes())));
        if *reverse {
            inside.extend(tlv(0x81, &[0xff]));
        }
        tlv(0x30, &inside)
    };
    let list: Vec<u8> = keys.iter().flat_map(key).collect();
    RawControl { ctype: "1.2.840.113556.1.4.473".into(), crit, val: Some(tlv(0x30, &list)) }
}

/// BER; in the long form where the short one does not do.
fn tlv(tag: u8, inside: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match u8::try_from(inside.len()) {
        Ok(len) if len < 0x80 => out.push(len),
        Ok(len) => out.extend([0x81, len]),
        Err(_) => {
            out.push(0x82);
            out.extend(u16::try_from(inside.len()).unwrap_or(u16::MAX).to_be_bytes());
        }
    }
    out.extend(inside);
    out
}

/// A key of a name as somebody can read it.
pub(crate) fn readable(key: &[u8]) -> String {
    let rdns: Vec<String> = key
        .split(|octet| *octet == 0)
        .filter(|rdn| !rdn.is_empty())
        .map(|rdn| String::from_utf8_lossy(rdn).replace('\u{1}', "=").replace('\u{2}', "+"))
        .collect();
    rdns.into_iter().rev().collect::<Vec<_>>().join(",")
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "code {}, {} entries", self.code, self.entries.len())?;
        if self.double > 0 {
            write!(f, ", {} of them twice", self.double)?;
        }
        if !self.matched.is_empty() {
            write!(f, ", matched {}", readable(&self.matched))?;
        }
        Ok(())
    }
}
