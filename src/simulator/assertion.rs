//! Client assertions (RFC 7523): of a registered certificate, or of a federated issuer.
//! Signature, thumbprint, audience, names and time are checked for real. Pure: no I/O, no clock.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use ring::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};
use serde_json::Value;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::cursor::{base64url, from_base64url};
use super::token::No;

/// How far clocks may differ, in seconds.
const SKEW: u64 = 300;

/// An issuer whose tokens prove the application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Federation {
    /// `iss`
    pub issuer: String,
    /// `sub`
    pub subject: String,
    /// `aud`, normally `api://AzureADTokenExchange`.
    pub audience: String,
    /// The issuer's RSA key (RFC 8017 RSAPublicKey, DER).
    pub public_key: Vec<u8>,
}

/// How the service wants the thumbprint in `x5t#S256` written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Thumbprint {
    /// base64url as documented, and standard base64 as a library of Microsoft sends it.
    #[default]
    Any,
    /// base64url only.
    Url,
    /// Standard base64 only.
    Standard,
}

/// What an assertion is judged by.
pub(super) struct Bench<'a> {
    pub(super) client_id: &'a str,
    /// Any of these is the token endpoint.
    pub(super) audiences: &'a [String],
    /// Seconds since 1970.
    pub(super) now: u64,
    /// Registered certificates, DER.
    pub(super) certificates: &'a [Vec<u8>],
    pub(super) thumbprint: Thumbprint,
    pub(super) federations: &'a [Federation],
}

struct Jwt {
    signed: String,
    header: Value,
    claims: Value,
    signature: Vec<u8>,
}

impl Jwt {
    fn read(text: &str) -> Option<Jwt> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let json = |part: &str| serde_json::from_slice(&from_base64url(part)?).ok();
        Some(Jwt {
            signed: signed.to_owned(),
            header: json(header)?,
            claims: json(claims)?,
            signature: from_base64url(signature)?,
        })
    }

    fn text(&self, claim: &str) -> &str {
        self.claims.get(claim).and_then(Value::as_str).unwrap_or_default()
    }

    fn verify(&self, key: &[u8]) -> bool {
        let algorithm: &dyn VerificationAlgorithm = match self.header.get("alg") {
            Some(Value::String(name)) if name == "PS256" => &RSA_PSS_2048_8192_SHA256,
            Some(Value::String(name)) if name == "RS256" => &RSA_PKCS1_2048_8192_SHA256,
            _ => return false,
        };
        UnparsedPublicKey::new(algorithm, key)
            .verify(self.signed.as_bytes(), &self.signature)
            .is_ok()
    }

    /// RFC 7523 3: `exp` has to be there, `nbf` may.
    fn is_of_this_time(&self, now: u64) -> bool {
        let number = |claim: &str| self.claims.get(claim).and_then(Value::as_u64);
        number("exp").is_some_and(|end| end.saturating_add(SKEW) > now)
            && number("nbf").is_none_or(|begin| begin <= now.saturating_add(SKEW))
    }
}

/// Whether an assertion proves the application.
pub(super) fn judge(bench: &Bench<'_>, assertion: &str) -> Result<(), No> {
    let Some(jwt) = Jwt::read(assertion) else {
        return Err(No::new(400, "invalid_request", 50_027, "JWT token is invalid or malformed."));
    };
    if jwt.text("iss") == bench.client_id { own(bench, &jwt) } else { foreign(bench, &jwt) }
}

fn own(bench: &Bench<'_>, jwt: &Jwt) -> Result<(), No> {
    let refuse = |code, text: &str| Err(No::new(401, "invalid_client", code, text));
    if jwt.text("sub") != bench.client_id {
        let text = "Client assertion application identifier doesn't match 'client_id' parameter.";
        return refuse(700_021, text);
    }
    let named = bench.certificates.iter().find(|der| names(jwt, der, bench.thumbprint));
    let proved = named.is_some_and(|der| {
        X509Certificate::from_der(der)
            .is_ok_and(|(_, parsed)| jwt.verify(&parsed.public_key().subject_public_key.data))
    });
    if !proved {
        let reason = if named.is_some() {
            "The key was found, but the signature could not be verified with it."
        } else {
            "The key was not found."
        };
        let text = format!(
            "The certificate with identifier used to sign the client assertion is not registered on application. [Reason - {reason}]"
        );
        return refuse(700_027, &text);
    }
    if !bench.audiences.iter().any(|audience| audience == jwt.text("aud")) {
        return refuse(700_023, "Client assertion audience claim does not match Realm issuer.");
    }
    if !jwt.is_of_this_time(bench.now) {
        return refuse(700_024, "Client assertion is not within its valid time range.");
    }
    if jwt.text("jti").is_empty() {
        return refuse(50_027, "JWT token is invalid or malformed.");
    }
    Ok(())
}

fn names(jwt: &Jwt, der: &[u8], wanted: Thumbprint) -> bool {
    let shown = |name: &str| jwt.header.get(name).and_then(Value::as_str).unwrap_or_default();
    let sha256 = digest(&SHA256, der);
    let url = base64url(sha256.as_ref());
    let standard = BASE64_STANDARD.encode(sha256.as_ref());
    let shown_256 = shown("x5t#S256");
    if shown_256.is_empty() {
        let sha1 = digest(&SHA1_FOR_LEGACY_USE_ONLY, der);
        return shown("x5t") == base64url(sha1.as_ref());
    }
    match wanted {
        Thumbprint::Any => shown_256 == url || shown_256 == standard,
        Thumbprint::Url => shown_256 == url,
        Thumbprint::Standard => shown_256 == standard,
    }
}

fn foreign(bench: &Bench<'_>, jwt: &Jwt) -> Result<(), No> {
    let refuse = |code, text: &str| Err(No::new(401, "invalid_client", code, text));
    if bench.federations.is_empty() {
        return refuse(70_025, "The client has no configured federated identity credentials.");
    }
    let same_issuer = |one: &&Federation| one.issuer == jwt.text("iss");
    let mut known = bench.federations.iter().filter(same_issuer).peekable();
    if known.peek().is_none() {
        let text = "No matching federated identity record found for presented assertion issuer.";
        return refuse(700_211, text);
    }
    let same_subject = |one: &&Federation| one.subject == jwt.text("sub");
    let Some(found) = known.find(same_subject) else {
        let text = "No matching federated identity record found for presented assertion subject.";
        return refuse(700_213, text);
    };
    if found.audience != jwt.text("aud") {
        let text = "No matching federated identity record found for presented assertion audience.";
        return refuse(700_212, text);
    }
    if !jwt.verify(&found.public_key) {
        return refuse(50_013, "Assertion failed signature validation.");
    }
    if !jwt.is_of_this_time(bench.now) {
        return refuse(700_024, "Client assertion is not within its valid time range.");
    }
    Ok(())
}
