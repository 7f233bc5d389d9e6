//! How long tokens live, and certificates in every state.

use super::certificate::{Certificate, Fault, Spelling};
use super::*;
use crate::config::settings::{CertificateSource, SecretSource};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use ring::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sha2::{Digest, Sha256};
use std::path::Path;
use x509_parser::prelude::{FromDer, X509Certificate};

#[test]
fn a_token_is_renewed_five_minutes_early_or_at_half_its_life() {
    let now = Instant::now();
    for (expires_in, renew) in [
        (Value::from(3600), 3300),
        (Value::from("3600"), 3300),
        (Value::from(100), 50),
        (Value::from(0), 0),
        (Value::Null, 300),
        (Value::from("soon"), 300),
        (Value::from(-5), 300),
    ] {
        let issued = Issued {
            access_token: "t".to_owned(),
            expires_in: expires_in.clone(),
            expires_on: Value::Null,
            refresh_token: None,
        };
        let (held, _) = issued.held(now);
        assert_eq!(held.renew - now, Duration::from_secs(renew), "{expires_in}");
    }
}

#[test]
fn an_answer_may_tell_the_end_instead_of_the_life() {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let text = format!(r#"{{"access_token":"t","expires_on":"{}"}}"#, since + 7200);
    let issued: Issued = serde_json::from_str(&text).unwrap();
    let now = Instant::now();
    let left = issued.held(now).0.token.expires - now;
    assert!((7190..=7200).contains(&left.as_secs()), "{left:?}");
}

/// Keys of RSA take long to make: there are two, made once, and nothing else uses them.
fn samples() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/certificates"))
}

fn source(file: &str, key: Option<&str>, password: Option<&str>) -> CertificateSource {
    CertificateSource {
        file: samples().join(file),
        key: key.map(|key| samples().join(key)),
        password: password.map(|text| SecretSource::Value(Secret::new(text))),
    }
}

fn fault(file: &str, key: Option<&str>, password: Option<&str>) -> Fault {
    Certificate::read(&source(file, key, password)).err().unwrap()
}

#[test]
fn certificates_are_read_in_every_format() {
    let plain = Certificate::read(&source("app.pem", Some("app.key"), None)).unwrap();
    for (file, key, password) in [
        ("both.pem", None, None),
        ("mark.pem", None, None),
        ("chain.pem", Some("app.key"), None),
        ("app.pem", Some("app-pkcs1.key"), None),
        ("app.pem", Some("app-encrypted.key"), Some("hush")),
        ("app.pfx", None, Some("hush")),
        ("app-legacy.pfx", None, Some("hush")),
        ("app-3des.pfx", None, Some("hush")),
        ("app-open.pfx", None, None),
    ] {
        let other = Certificate::read(&source(file, key, password))
            .unwrap_or_else(|fault| panic!("{file}: {fault}"));
        assert_eq!(other.thumbprint(), plain.thumbprint(), "{file}");
        assert_eq!(other.until, plain.until, "{file}");
    }
}

#[test]
fn what_is_wrong_with_a_certificate_is_told_with_file_and_remedy() {
    let name = |file: &str| samples().join(file).display().to_string();
    assert_eq!(fault("app.pem", None, None), Fault::NoKey(name("app.pem")));
    assert_eq!(fault("app.key", None, None), Fault::NoCertificate(name("app.key")));
    let locked = fault("app.pem", Some("app-encrypted.key"), None);
    assert_eq!(locked, Fault::Locked(name("app-encrypted.key")));
    let wrong = fault("app.pem", Some("app-encrypted.key"), Some("other"));
    assert_eq!(wrong, Fault::WrongPassword(name("app-encrypted.key")));
    for old in ["app-old.key", "app-pbes1.key", "app-md5.key"] {
        assert_eq!(fault("app.pem", Some(old), Some("hush")), Fault::Format(name(old)), "{old}");
    }
    let mismatch = fault("app.pem", Some("other.key"), None);
    assert_eq!(mismatch, Fault::Mismatch(name("app.pem"), name("other.key")));
    assert_eq!(fault("app.pfx", None, None), Fault::Locked(name("app.pfx")));
    for file in ["app.pfx", "app-legacy.pfx", "app-3des.pfx"] {
        assert_eq!(fault(file, None, Some("other")), Fault::WrongPassword(name(file)));
    }
    assert_eq!(fault("app.der", None, None), Fault::Unknown(name("app.der")));
    assert_eq!(fault("nokey.pfx", None, Some("hush")), Fault::NoKey(name("nokey.pfx")));
    let elliptic = fault("app.pem", Some("elliptic.key"), None);
    assert!(matches!(elliptic, Fault::Format(_) | Fault::Unusable(..)), "{elliptic}");
    assert!(matches!(fault("missing.pem", None, None), Fault::Unreadable(..)));
    for fault in [wrong, mismatch, elliptic] {
        assert!(fault.to_string().contains("certificates"), "{fault}");
    }
}

#[test]
fn an_assertion_is_signed_and_bound_to_certificate_audience_and_time() {
    let certificate = Certificate::read(&source("app.pem", Some("app.key"), None)).unwrap();
    let der = CertificateDer::from_pem_file(samples().join("app.pem")).unwrap();
    let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let mut ids = Vec::new();
    for spelling in [Spelling::Documented, Spelling::Standard] {
        let signed = certificate.assertion("app-id", "https://login/token", now, spelling).unwrap();
        let parts: Vec<&str> = signed.reveal().split('.').collect();
        let json = |part: &str| -> Value {
            serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
        };
        let (header, claims) = (json(parts[0]), json(parts[1]));
        assert_eq!((&header["alg"], &header["typ"]), (&"PS256".into(), &"JWT".into()));
        let sha = Sha256::digest(&der);
        let thumbprint = match spelling {
            Spelling::Documented => BASE64_URL_SAFE_NO_PAD.encode(sha),
            Spelling::Standard => BASE64_STANDARD.encode(sha),
        };
        assert_eq!(header["x5t#S256"], Value::from(thumbprint));
        assert_eq!(claims["aud"], "https://login/token");
        assert_eq!((&claims["iss"], &claims["sub"]), (&"app-id".into(), &"app-id".into()));
        assert_eq!(claims["nbf"], 1_800_000_000);
        assert_eq!(claims["exp"], 1_800_000_600);
        ids.push(claims["jti"].as_str().unwrap().to_owned());
        let (_, parsed) = X509Certificate::from_der(&der).unwrap();
        let public = parsed.public_key().subject_public_key.data.to_vec();
        let message = format!("{}.{}", parts[0], parts[1]);
        let signature = BASE64_URL_SAFE_NO_PAD.decode(parts[2]).unwrap();
        UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, public)
            .verify(message.as_bytes(), &signature)
            .unwrap();
    }
    assert_ne!(ids[0], ids[1]);
}
