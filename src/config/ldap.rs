//! `[ldap]`: the front door, its certificate and who may come in.

use super::distinct::Distinct;
use super::profile::{self, Profiles};
use super::reader::Table;
use super::settings::{
    ConnectionSettings, LdapSettings, ListenerSettings, ProfileSettings, TlsSettings,
};
use super::user_binds::{self, Wish};
use super::value::{Trouble, Value};
use super::{account, limits, source};
use std::path::Path;
use std::sync::Arc;

const MODES: [(&str, bool); 2] = [("ldap", false), ("ldaps", true)];

/// Reads the section.
pub(super) fn read(
    table: &Table<'_>,
    connections: &mut [ConnectionSettings],
    wishes: &[Wish],
) -> LdapSettings {
    let tls = table.section_if_present("tls", tls);
    let listeners = listeners(table, tls.is_some());
    let profiles = profile::read(table, connections);
    user_binds::resolve(table.report, &profiles, connections, wishes);
    let anonymous = anonymous(table, &profiles);
    let active_directory = table.or("active_directory", false, |value| value.boolean());
    let has_client_ca = tls.as_ref().is_some_and(|(_, has_client_ca)| *has_client_ca);
    let accounts = account::read(table, &profiles, has_client_ca);
    let limits = table.section("limits", limits::read);
    let users = connections.iter().any(|connection| connection.user_binds.is_some());
    if anonymous.is_none() && !table.has("account") && !users {
        let message = "nobody can search: there is no [[ldap.account]]";
        let remedy = "add one for each gateway, or set anonymous_search = true";
        table.report.warning(&table.own_place(), Trouble::new(message, remedy));
    }
    let tls = tls.and_then(|(tls, _)| tls);
    LdapSettings { listeners, tls, accounts, anonymous, active_directory, limits }
}

/// `anonymous_search = true` is the profile of everything, `anonymous` names another.
fn anonymous(table: &Table<'_>, profiles: &Profiles) -> Option<Arc<ProfileSettings>> {
    let everything = table.or("anonymous_search", false, |value| value.boolean());
    let named = table.optional("anonymous", |value| profiles.find(value));
    if everything && table.has("anonymous") {
        let message = "contradicts anonymous_search = true, which shows everything";
        let trouble = Trouble::new(message, "remove one of them");
        table.report.problem(&table.place("anonymous"), trouble);
    }
    named.or_else(|| everything.then(Arc::default))
}

fn listeners(table: &Table<'_>, tls: bool) -> Vec<ListenerSettings> {
    let mut addresses = Distinct::new("listener");
    let read = |listener: &Table<'_>| {
        let remedy = "write for example address = \"127.0.0.1:389\"";
        let address = listener.required("address", remedy, |value| value.address());
        let encrypted = listener.or("mode", false, |value| value.word(&MODES));
        if encrypted && !tls {
            let remedy = "add [ldap.tls] with certificate and key, or set mode = \"ldap\"";
            let trouble = Trouble::new("is \"ldaps\", but there is no [ldap.tls]", remedy);
            listener.report.problem(&listener.place("mode"), trouble);
        }
        let address = address?;
        if !encrypted && !tls && !address.ip().is_loopback() {
            let message = "passwords and answers cross the network in clear text";
            let remedy = "add [ldap.tls], which gives StartTLS here too";
            let place = listener.place("address");
            listener.report.warning(&place, Trouble::new(message, remedy));
        }
        // Port 0 is any free port, another one each time.
        if address.port() != 0 {
            addresses.check(listener.report, listener.place("address"), &address.to_string());
        }
        Some(ListenerSettings { address, tls: encrypted })
    };
    let listeners = table.sections("listener", read);
    if listeners.is_empty() && !table.has("listener") {
        table.missing("listener", "add [[ldap.listener]] with address = \"127.0.0.1:389\"");
    }
    listeners.into_iter().flatten().collect()
}

/// The section, and whether it names a CA for clients, sound or not.
fn tls(table: &Table<'_>) -> (Option<TlsSettings>, bool) {
    let certificate = table.required(
        "certificate",
        "write the path of a PEM file with the certificate and its chain",
        |value| pem(value, "CERTIFICATE-----"),
    );
    let key = table.required(
        "key",
        "write the path of a PEM file with the certificate's private key",
        |value| pem(value, "PRIVATE KEY-----"),
    );
    if let Some(key) = &key {
        source::warn_if_open(table.report, &table.place("key"), key);
    }
    let client_ca = table.optional("client_ca", |value| pem(value, "CERTIFICATE-----"));
    let files = certificate.zip(key);
    let tls = files.map(|(certificate, key)| TlsSettings { certificate, key, client_ca });
    (tls, table.has("client_ca"))
}

/// A PEM file with at least one block whose first line ends in `label`. Whether the
/// block is sound, and whether key and certificate belong together, TLS itself tells.
fn pem(value: &Value<'_>, label: &str) -> Result<std::path::PathBuf, Trouble> {
    let path = value.path()?;
    let shown = path.display();
    let remedy = "name a PEM file that the user that entraldap runs as may read";
    let octets =
        read_file(&path).map_err(|error| Trouble::new(format!("{shown}: {error}"), remedy))?;
    let text = String::from_utf8_lossy(&octets);
    let starts = |line: &str| line.starts_with("-----BEGIN ") && line.trim_end().ends_with(label);
    if text.lines().any(starts) {
        return Ok(path);
    }
    let message = format!("{shown} has no line -----BEGIN ...{label}");
    Err(Trouble::new(
        message,
        "convert it to PEM with openssl, or check whether the files are swapped",
    ))
}

fn read_file(path: &Path) -> std::io::Result<zeroize::Zeroizing<Vec<u8>>> {
    std::fs::read(path).map(zeroize::Zeroizing::new)
}
