//! The application's certificate: read, checked, and what it signs.
//!
//! An assertion (RFC 7523) as Entra wants it (graph.md 1.3): PS256, the certificate's
//! thumbprint in the header, the token endpoint as audience, ten minutes of life.

use super::pfx;
use crate::config::Secret;
use crate::config::settings::CertificateSource;
use crate::directory::ids::ObjectId;
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use pkcs8::EncryptedPrivateKeyInfoRef;
use pkcs8::der::Decode;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{KeyPair, RSA_PSS_SHA256, RsaKeyPair};
use rustls::pki_types::pem::{PemObject, SectionKind};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::Zeroizing;

/// How long an assertion is valid: "keep 5-10 min" (graph.md 1.3).
const LIFE: Duration = Duration::from_secs(600);
/// Longer files are neither certificates nor keys.
const LARGEST: u64 = 1 << 20;

/// A certificate with its key.
pub(in crate::graph) struct Certificate {
    key: RsaKeyPair,
    sha256: Vec<u8>,
    sha1: Vec<u8>,
    pub(super) from: SystemTime,
    pub(super) until: SystemTime,
}

/// How the thumbprint is written. Microsoft documents base64url; its own library for Go
/// sends standard base64 (graph.md 1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::graph) enum Spelling {
    Documented,
    Standard,
}

/// Why a certificate cannot be used. Each names the place and the remedy.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("{0}: {1}")]
    Unreadable(String, String),
    #[error("{0} holds neither PEM nor PFX; export the certificate with its key as one of them")]
    Unknown(String),
    #[error("{0} holds no certificate; it needs a section BEGIN CERTIFICATE")]
    NoCertificate(String),
    #[error(
        "{0} holds no private key; put the key into it, or name its file as client_certificate.key: \
         a .cer or .crt from the portal has none"
    )]
    NoKey(String),
    #[error("the key in {0} is encrypted; name its password as client_certificate.password")]
    Locked(String),
    #[error("the password does not open {0}; correct client_certificate.password")]
    WrongPassword(String),
    #[error(
        "the key in {0} is in an old format or not of RSA; convert it (openssl pkcs8 -topk8 -in OLD -out NEW), or make an RSA key of 2048 bits"
    )]
    Format(String),
    #[error("the key in {0} cannot be used: {1}; Entra takes RSA keys of 2048 to 4096 bits")]
    Unusable(String, String),
    #[error(
        "the key in {1} does not belong to the certificate in {0}; take both from the same request or export"
    )]
    Mismatch(String, String),
    #[error("{0} is encrypted in a way that is not read; export it anew with AES-256 and SHA-256")]
    Encryption(String),
    #[error("the certificate in {0} cannot be read: {1}; export it anew")]
    Malformed(String, String),
    #[error("client_certificate.password: {0}")]
    Password(String),
}

impl Certificate {
    /// Reads certificate and key.
    pub(super) fn read(source: &CertificateSource) -> Result<Certificate, Fault> {
        let name = source.file.display().to_string();
        let octets = contents(&source.file)?;
        let octets = without_mark(&octets);
        let password = source.password.as_ref().map(|password| password.read()).transpose();
        let password = password.map_err(|error| Fault::Password(error.to_string()))?;
        let password = password.as_ref().map(Secret::reveal);
        if !is_pem(octets) {
            let (certificates, key) = pfx::open(octets, password, &name)?;
            return Certificate::fit(&certificates, &key, &name, &name);
        }
        if source.key.is_none() {
            check_format(octets, &name)?;
        }
        let sections = sections(octets, &name)?;
        let certificates: Vec<Vec<u8>> = of_kind(&sections, SectionKind::Certificate);
        let (key_name, key) = match &source.key {
            None => (name.clone(), private_key(octets, &sections, password, &name)?),
            Some(path) => {
                let key_name = path.display().to_string();
                let octets = contents(path)?;
                let octets = without_mark(&octets);
                check_format(octets, &key_name)?;
                let sections = self::sections(octets, &key_name)?;
                let key = private_key(octets, &sections, password, &key_name)?;
                (key_name, key)
            }
        };
        if certificates.is_empty() {
            return Err(Fault::NoCertificate(name));
        }
        Certificate::fit(&certificates, &key, &name, &key_name)
    }

    /// Of several certificates, a chain perhaps, that which the key belongs to.
    fn fit(
        certificates: &[Vec<u8>],
        key: &Key,
        name: &str,
        key_name: &str,
    ) -> Result<Certificate, Fault> {
        let unusable = |why: &str| Fault::Unusable(key_name.to_owned(), why.to_owned());
        let pair = match key {
            Key::Pkcs8(der) => RsaKeyPair::from_pkcs8(der),
            Key::Pkcs1(der) => RsaKeyPair::from_der(der),
        };
        let pair = pair.map_err(|rejected| unusable(&rejected.to_string()))?;
        let mut fitting: Option<(&Vec<u8>, SystemTime, SystemTime)> = None;
        for der in certificates {
            let (_, parsed) = X509Certificate::from_der(der)
                .map_err(|error| Fault::Malformed(name.to_owned(), error.to_string()))?;
            if *parsed.public_key().subject_public_key.data != *pair.public_key().as_ref() {
                continue;
            }
            let moment = |seconds: i64| {
                UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
            };
            let validity = parsed.validity();
            let (from, until) = (validity.not_before.timestamp(), validity.not_after.timestamp());
            // A certificate may have been renewed with the same key.
            if fitting.is_none_or(|(.., other)| other < moment(until)) {
                fitting = Some((der, moment(from), moment(until)));
            }
        }
        let mismatch = || Fault::Mismatch(name.to_owned(), key_name.to_owned());
        let (der, from, until) = fitting.ok_or_else(mismatch)?;
        Ok(Certificate {
            sha256: digest(&SHA256, der).as_ref().to_vec(),
            sha1: digest(&SHA1_FOR_LEGACY_USE_ONLY, der).as_ref().to_vec(),
            from,
            until,
            key: pair,
        })
    }

    /// The thumbprint as the portal shows it.
    pub(super) fn thumbprint(&self) -> String {
        self.sha1.iter().map(|octet| format!("{octet:02X}")).collect()
    }

    /// A signed assertion. `None` where the system gives no random octets.
    pub(super) fn assertion(
        &self,
        client_id: &str,
        audience: &str,
        now: SystemTime,
        spelling: Spelling,
    ) -> Option<Secret> {
        let encode = |octets: &[u8]| match spelling {
            Spelling::Documented => BASE64_URL_SAFE_NO_PAD.encode(octets),
            Spelling::Standard => BASE64_STANDARD.encode(octets),
        };
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut id = [0; 16];
        getrandom::fill(&mut id).ok()?;
        let header = json!({
            "alg": "PS256", "typ": "JWT",
            "x5t#S256": encode(&self.sha256), "x5t": encode(&self.sha1),
        });
        let claims = json!({
            "aud": audience, "iss": client_id, "sub": client_id,
            "jti": ObjectId::from_bytes(id).to_string(),
            "nbf": now.as_secs(), "iat": now.as_secs(), "exp": (now + LIFE).as_secs(),
        });
        let part = |value: &serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        let random = SystemRandom::new();
        self.key.sign(&RSA_PSS_SHA256, &random, signed.as_bytes(), &mut signature).ok()?;
        Some(Secret::new(format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))))
    }
}

/// A private key in DER.
pub(super) enum Key {
    /// RFC 5958
    Pkcs8(Zeroizing<Vec<u8>>),
    /// RFC 8017 A.1.2
    Pkcs1(Zeroizing<Vec<u8>>),
}

type Sections = Vec<(SectionKind, Zeroizing<Vec<u8>>)>;

fn contents(path: &Path) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let fault = |why: String| Fault::Unreadable(path.display().to_string(), why);
    let length = fs::metadata(path).map_err(|error| fault(error.to_string()))?.len();
    if length > LARGEST {
        return Err(fault("is too long for a certificate".to_owned()));
    }
    fs::read(path).map(Zeroizing::new).map_err(|error| fault(error.to_string()))
}

/// Editors of Windows put a mark before the text.
fn without_mark(octets: &[u8]) -> &[u8] {
    octets.strip_prefix(b"\xef\xbb\xbf").unwrap_or(octets)
}

/// The encryption of OpenSSL before PKCS #8, by MD5.
fn check_format(octets: &[u8], name: &str) -> Result<(), Fault> {
    match memchr::memmem::find(octets, b"Proc-Type: 4,ENCRYPTED") {
        Some(_) => Err(Fault::Format(name.to_owned())),
        None => Ok(()),
    }
}

fn is_pem(octets: &[u8]) -> bool {
    memchr::memmem::find(octets, b"-----BEGIN ").is_some()
}

fn sections(octets: &[u8], name: &str) -> Result<Sections, Fault> {
    if !is_pem(octets) {
        return Err(Fault::Unknown(name.to_owned()));
    }
    let read = <(SectionKind, Vec<u8>)>::pem_slice_iter(octets);
    read.map(|section| match section {
        Ok((kind, der)) => Ok((kind, Zeroizing::new(der))),
        Err(error) => Err(Fault::Malformed(name.to_owned(), error.to_string())),
    })
    .collect()
}

fn of_kind(sections: &Sections, wanted: SectionKind) -> Vec<Vec<u8>> {
    let found = sections.iter().filter(|(kind, _)| *kind == wanted);
    found.map(|(_, der)| der.to_vec()).collect()
}

fn private_key(
    octets: &[u8],
    sections: &Sections,
    password: Option<&str>,
    name: &str,
) -> Result<Key, Fault> {
    let has = |text: &str| memchr::memmem::find(octets, text.as_bytes()).is_some();
    if has("-----BEGIN ENCRYPTED PRIVATE KEY-----") {
        let password = password.ok_or_else(|| Fault::Locked(name.to_owned()))?;
        return decrypted(octets, password, name);
    }
    let key = sections.iter().find_map(|(kind, der)| match kind {
        SectionKind::PrivateKey => Some(Key::Pkcs8(der.clone())),
        SectionKind::RsaPrivateKey => Some(Key::Pkcs1(der.clone())),
        _ => None,
    });
    match key {
        Some(key) => Ok(key),
        None if has("PRIVATE KEY-----") => Err(Fault::Format(name.to_owned())),
        None => Err(Fault::NoKey(name.to_owned())),
    }
}

/// RFC 5958 3: EncryptedPrivateKeyInfo.
fn decrypted(octets: &[u8], password: &str, name: &str) -> Result<Key, Fault> {
    const BEGIN: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
    // Encryption by PBES1 is not even read.
    let old = || Fault::Format(name.to_owned());
    let text = String::from_utf8_lossy(octets);
    let body = text.split(BEGIN).nth(1).and_then(|rest| rest.split("-----END").next());
    let body: Zeroizing<String> = Zeroizing::new(body.unwrap_or("").split_whitespace().collect());
    let der = BASE64_STANDARD.decode(body.as_bytes()).map_err(|_| old())?;
    let sealed = EncryptedPrivateKeyInfoRef::from_der(&der).map_err(|_| old())?;
    // A wrong password shows as a padding or a structure that is none.
    let open = sealed.decrypt(password).map_err(|error| match error {
        pkcs8::Error::EncryptedPrivateKey(
            pkcs8::pkcs5::Error::UnsupportedAlgorithm { .. }
            | pkcs8::pkcs5::Error::NoPbes1CryptSupport,
        ) => old(),
        _ => Fault::WrongPassword(name.to_owned()),
    })?;
    Ok(Key::Pkcs8(Zeroizing::new(open.as_bytes().to_vec())))
}
