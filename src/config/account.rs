//! `[[ldap.account]]`: who may come in, and how it is known.

use super::Secret;
use super::distinct::Distinct;
use super::profile::Profiles;
use super::reader::Table;
use super::settings::{AccountSettings, ClientCertificate};
use super::value::{Trouble, Value};
use crate::directory::dn::Dn;
use argon2::password_hash::phc::PasswordHash;

/// Reads all accounts. `has_client_ca`: whether client certificates can be checked.
pub(super) fn read(
    table: &Table<'_>,
    profiles: &Profiles,
    has_client_ca: bool,
) -> Vec<AccountSettings> {
    let mut names = Distinct::new("account");
    let mut certificates = Distinct::new("certificate");
    let read = |account: &Table<'_>| {
        let name = account.required("name", "write for example name = \"postfix\"", account_name);
        let password_hash = account.optional("password_hash", argon2id);
        let certificate = account.optional("certificate", certificate);
        let profile = account.optional("profile", |value| profiles.find(value));
        if !account.has("password_hash") && !account.has("certificate") {
            let remedy = "run entraldap hash-password and write what it prints";
            account.missing("password_hash", remedy);
        }
        if account.has("certificate") && !has_client_ca {
            let remedy = "add client_ca to [ldap.tls]: who signs the certificates of clients";
            let trouble = Trouble::new("cannot be checked: there is no ldap.tls.client_ca", remedy);
            account.report.problem(&account.place("certificate"), trouble);
        }
        if let Some(name) = &name {
            names.check(account.report, account.place("name"), name);
        }
        if let Some(certificate) = &certificate {
            let place = account.place("certificate");
            certificates.check(account.report, place, &shown(certificate));
        }
        Some(AccountSettings {
            name: name?,
            password_hash,
            certificate,
            profile: profile.unwrap_or_default(),
        })
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

/// A fingerprint pins one certificate, whatever the CA signs; names survive a renewal.
fn certificate(value: &Value<'_>) -> Result<ClientCertificate, Trouble> {
    let text = value.text()?;
    let remedy = "write \"sha256:...\" (openssl x509 -noout -fingerprint -sha256), \
                  \"dns:gateway.contoso.com\" or a subject such as \"CN=gateway,O=Contoso\"";
    if let Some(digits) = text.strip_prefix("sha256:") {
        let octets = fingerprint(digits).ok_or_else(|| {
            Trouble::new(format!("{digits:?} is not a SHA-256 fingerprint"), remedy)
        })?;
        return Ok(ClientCertificate::Fingerprint(octets));
    }
    if let Some(name) = text.strip_prefix("dns:") {
        let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        if name.is_empty() || !name.chars().all(sound) {
            return Err(Trouble::new(format!("{name:?} is not a DNS name"), remedy));
        }
        return Ok(ClientCertificate::DnsName(name.to_ascii_lowercase()));
    }
    match Dn::parse(text) {
        Ok(dn) if !dn.is_root() => Ok(ClientCertificate::Subject(dn)),
        _ => Err(Trouble::new(format!("{text:?} names no certificate"), remedy)),
    }
}

/// 32 octets in hexadecimal digits, as openssl writes them or without the colons.
fn fingerprint(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|c| !matches!(c, ':' | ' '))
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    let octets: Vec<u8> = pairs.iter().map(|[high, low]| high << 4 | low).collect();
    if rest.is_empty() { octets.try_into().ok() } else { None }
}

/// Equal for equal certificates.
fn shown(certificate: &ClientCertificate) -> String {
    match certificate {
        ClientCertificate::Fingerprint(octets) => {
            let digits: Vec<String> = octets.iter().map(|octet| format!("{octet:02x}")).collect();
            format!("sha256:{}", digits.concat())
        }
        ClientCertificate::DnsName(name) => format!("dns:{name}"),
        ClientCertificate::Subject(dn) => dn.to_string(),
    }
}
