//! The mail addresses of an object. Pure: no I/O, no clock.

use super::draft::Draft;
use super::{Properties, json};
use std::borrow::Cow;
use std::collections::HashSet;

/// The mail addresses of an object.
pub(super) struct Addresses<'a> {
    /// `proxyAddresses` as Graph gives them, without the space that may follow a prefix.
    proxies: Vec<Cow<'a, str>>,
    /// The primary address, without prefix.
    primary: Option<Cow<'a, str>>,
    /// All SMTP addresses without prefix, the primary first, each once.
    all: Vec<Cow<'a, str>>,
}

impl<'a> Addresses<'a> {
    /// The first `SMTP:` entry is the primary address; where there is none, `mail` is.
    pub(super) fn of(properties: &'a Properties) -> Self {
        let (mut proxies, mut primary, mut found) = (Vec::new(), None, Vec::new());
        for proxy in json::texts(properties, "proxyAddresses") {
            let proxy = trimmed(proxy);
            let Some((prefix, rest)) = proxy.split_once(':') else {
                proxies.push(proxy);
                continue;
            };
            let address = rest.trim_start();
            if address.is_empty() {
                continue;
            }
            let whose = behind(&proxy, proxy.len() - address.len());
            let (is_primary, is_smtp) = (prefix == "SMTP", prefix.eq_ignore_ascii_case("smtp"));
            let spaced = address.len() < rest.len();
            let written = spaced.then(|| format!("{prefix}:{address}"));
            proxies.push(written.map_or(proxy, Cow::Owned));
            if is_primary && primary.is_none() {
                primary = Some(whose.clone());
            }
            if is_smtp {
                found.push(whose);
            }
        }
        let mail = json::word(properties, "mail");
        let primary = primary.or_else(|| mail.clone());
        let mut seen = HashSet::new();
        let all = primary
            .iter()
            .cloned()
            .chain(mail)
            .chain(found)
            .filter(|address| seen.insert(address.to_ascii_lowercase()))
            .collect();
        Addresses { proxies, primary, all }
    }

    /// Whether mail can be sent to the object.
    pub(super) fn any(&self) -> bool {
        !self.all.is_empty()
    }

    /// The primary address.
    pub(super) fn primary(&self) -> Option<&str> {
        self.primary.as_deref()
    }

    /// Writes them into an entry.
    pub(super) fn write(&self, draft: &mut Draft) {
        draft.text("mail", self.primary());
        draft.texts("proxyAddresses", &self.proxies);
        draft.texts("mailLocalAddress", &self.all);
        let others = if self.primary.is_some() { 1 } else { 0 };
        draft.texts("mailAlternateAddress", self.all.iter().skip(others));
    }
}

/// Without white space around it.
fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}

/// What stands behind the first octets.
fn behind<'a>(text: &Cow<'a, str>, octets: usize) -> Cow<'a, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.get(octets..).unwrap_or_default()),
        Cow::Owned(text) => Cow::Owned(text.get(octets..).unwrap_or_default().to_owned()),
    }
}
