//! Certificate and key for LDAPS and StartTLS.

use crate::config::settings::TlsSettings;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{Error as PemError, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::server::{ServerConfig, WebPkiClientVerifier};

/// Why TLS cannot be offered.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or holds something else.
    #[error("{key} {path}: {why}; {remedy}")]
    File {
        /// The setting.
        key: &'static str,
        /// The file it names.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// The CA of clients is no CA.
    #[error("ldap.tls.client_ca {path}: {why}; it must hold the certificates of CAs")]
    ClientCa {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Certificate and key are readable but of no use together.
    #[error(
        "ldap.tls: certificate {certificate} and key {key}: {why}; the first certificate must be the one that belongs to the key"
    )]
    Pair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong.
        why: String,
    },
}

/// Loads certificate and key. TLS 1.2 stays on: many appliances know nothing newer.
pub(crate) fn acceptor(settings: &TlsSettings) -> Result<TlsAcceptor, TlsError> {
    let remedy = "it must be a PEM file with the server's certificate and its chain";
    let chain = certificates("ldap.tls.certificate", &settings.certificate, remedy)?;
    let key = PrivateKeyDer::from_pem_file(&settings.key).map_err(|error| {
        let remedy = "it must be a PEM file with an unencrypted private key, readable by this user";
        file_error("ldap.tls.key", &settings.key, error, remedy)
    })?;
    let pair_error = |error: tokio_rustls::rustls::Error| TlsError::Pair {
        certificate: settings.certificate.clone(),
        key: settings.key.clone(),
        why: error.to_string(),
    };
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(pair_error)?;
    let builder = match &settings.client_ca {
        Some(path) => builder.with_client_cert_verifier(client_verifier(path)?),
        None => builder.with_no_client_auth(),
    };
    let config = builder.with_single_cert(chain, key).map_err(pair_error)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Clients may show a certificate. One that cannot be verified ends the handshake, and
/// clients without any may bind by password.
fn client_verifier(path: &Path) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let remedy =
        "it must be a PEM file with the certificates of the CAs that sign those of clients";
    let client_ca = |why: String| TlsError::ClientCa { path: path.to_owned(), why };
    let mut roots = RootCertStore::empty();
    for certificate in certificates("ldap.tls.client_ca", path, remedy)? {
        roots.add(certificate).map_err(|error| client_ca(error.to_string()))?;
    }
    let provider = Arc::new(ring::default_provider());
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .allow_unauthenticated()
        .build()
        .map_err(|error| client_ca(error.to_string()))
}

fn certificates(
    key: &'static str,
    path: &Path,
    remedy: &'static str,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let fail = |error| file_error(key, path, error, remedy);
    let chain: Vec<_> = CertificateDer::pem_file_iter(path)
        .map_err(fail)?
        .collect::<Result<_, _>>()
        .map_err(fail)?;
    if chain.is_empty() { Err(fail(PemError::NoItemsFound)) } else { Ok(chain) }
}

fn file_error(key: &'static str, path: &Path, error: PemError, remedy: &'static str) -> TlsError {
    let why = match error {
        PemError::Io(error) => error.to_string(),
        PemError::NoItemsFound => "nothing of that kind in it".to_owned(),
        other => other.to_string(),
    };
    TlsError::File { key, path: path.to_owned(), why, remedy }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn try_with(certificate: &str, key: &str) -> Result<(), String> {
        let dir = tempfile::tempdir().unwrap();
        let settings = TlsSettings {
            certificate: dir.path().join("cert.pem"),
            key: dir.path().join("key.pem"),
            client_ca: None,
        };
        std::fs::write(&settings.certificate, certificate).unwrap();
        if !key.is_empty() {
            std::fs::write(&settings.key, key).unwrap();
        }
        acceptor(&settings).map(drop).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_wrong_is_said_with_the_file_and_a_remedy() {
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (certificate, key) = (pair.cert.pem(), pair.signing_key.serialize_pem());
        assert_eq!(try_with(&certificate, &key), Ok(()));
        for (certificate, key, expected) in [
            ("", key.as_str(), "cert.pem: nothing of that kind in it"),
            (&certificate, "", "key.pem: No such file"),
            (&certificate, &certificate, "key.pem: nothing of that kind"),
            (&certificate, &other.signing_key.serialize_pem(), "belongs to the key"),
        ] {
            let error = try_with(certificate, key).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
