//! The mail addresses of an object. Pure: no I/O, no clock.

use super::draft::Draft;
use super::{Properties, json};
use std::collections::HashSet;

/// The mail addresses of an object.
pub(super) struct Addresses {
    /// `proxyAddresses` as Graph gives them, without the space that may follow a prefix.
    proxies: Vec<String>,
    /// The primary address, without prefix.
    primary: Option<String>,
    /// All SMTP addresses without prefix, the primary first, each once.
    all: Vec<String>,
}

impl Addresses {
    /// The first `SMTP:` entry is the primary address; where there is none, `mail` is.
    pub(super) fn of(properties: &Properties) -> Self {
        let (mut proxies, mut primary, mut found) = (Vec::new(), None, Vec::new());
        for proxy in json::texts(properties, "proxyAddresses") {
            let proxy = proxy.trim();
            let Some((prefix, address)) = proxy.split_once(':') else {
                proxies.push(proxy.to_owned());
                continue;
            };
            let address = address.trim_start();
            if address.is_empty() {
                continue;
            }
            proxies.push(format!("{prefix}:{address}"));
            if prefix == "SMTP" && primary.is_none() {
                primary = Some(address.to_owned());
            }
            if prefix.eq_ignore_ascii_case("smtp") {
                found.push(address.to_owned());
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
