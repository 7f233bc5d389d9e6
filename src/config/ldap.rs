//! `[ldap]`: the front door, its certificate and who may come in.

use super::distinct::Distinct;
use super::reader::Table;
use super::settings::{AccountSettings, LdapSettings, ListenerSettings, TlsSettings};
use super::value::{Trouble, Value};
use super::{Secret, limits, source};
use argon2::password_hash::phc::PasswordHash;
use std::path::Path;

const MODES: [(&str, bool); 2] = [("ldap", false), ("ldaps", true)];

/// Reads the section.
pub(super) fn read(table: &Table<'_>) -> LdapSettings {
    let anonymous_search = table.or("anonymous_search", false, |value| value.boolean());
    let tls = table.section_if_present("tls", tls);
    let listeners = listeners(table, tls.is_some());
    let accounts = accounts(table);
    let limits = table.section("limits", limits::read);
    if !anonymous_search && !table.has("account") {
        let message = "nobody can search: there is no [[ldap.account]]";
        let remedy = "add one for each gateway, or set anonymous_search = true";
        table.report.warning(&table.own_place(), Trouble::new(message, remedy));
    }
    LdapSettings { listeners, tls: tls.flatten(), accounts, anonymous_search, limits }
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

fn tls(table: &Table<'_>) -> Option<TlsSettings> {
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
    Some(TlsSettings { certificate: certificate?, key: key? })
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

fn accounts(table: &Table<'_>) -> Vec<AccountSettings> {
    let mut names = Distinct::new("account");
    let read = |account: &Table<'_>| {
        let name = account.required("name", "write for example name = \"postfix\"", account_name);
        let remedy = "run entraldap hash-password and write what it prints";
        let password_hash = account.required("password_hash", remedy, argon2id);
        if let Some(name) = &name {
            names.check(account.report, account.place("name"), name);
        }
        Some(AccountSettings { name: name?, password_hash: password_hash? })
    };
    table.sections("account", read).into_iter().flatten().collect()
}

/// A name that is told from a DN, from `name@domain` and from `DOMAIN\name`.
fn account_name(value: &Value<'_>) -> Result<String, Trouble> {
    let text = value.text()?;
    if let Some(sign) = text.chars().find(|c| matches!(c, '\\' | '@' | ',' | '=')) {
        let remedy = "write the bare name; clients may bind as name@domain, DOMAIN\\name or a DN";
        return Err(Trouble::new(format!("{text:?} contains {sign:?}"), remedy));
    }
    if text.trim() != text {
        let message = format!("{text:?} begins or ends with a space");
        return Err(Trouble::new(message, "remove the spaces"));
    }
    Ok(text.to_owned())
}

/// A PHC string of argon2id. What stands there instead may be the password itself,
/// so it is not repeated.
fn argon2id(value: &Value<'_>) -> Result<Secret, Trouble> {
    let remedy = "run entraldap hash-password and write what it prints";
    let text = value.text()?;
    let hash = PasswordHash::new(text)
        .map_err(|_| Trouble::new("is not a PHC string ($argon2id$v=19$...)", remedy))?;
    if hash.algorithm.as_str() != "argon2id" {
        let message = format!("is made with {}, not argon2id", hash.algorithm);
        return Err(Trouble::new(message, remedy));
    }
    let sound = argon2::Params::try_from(&hash).is_ok();
    if !sound || hash.salt.is_none() || hash.hash.is_none() {
        return Err(Trouble::new("lacks its parameters, salt or hash", remedy));
    }
    Ok(Secret::new(text))
}
