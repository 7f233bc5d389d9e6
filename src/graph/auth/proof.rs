//! How an application proves itself at the token endpoint (graph.md 1.2): by a secret, by
//! what its certificate signs, or by a token of an issuer that Entra trusts.

use super::OPERATION;
use super::certificate::{Certificate, Fault, Spelling};
use crate::config::Secret;
use crate::config::secret::SecretError;
use crate::config::settings::{CertificateSource, Credential, SecretSource};
use crate::graph::error::{ErrorKind, GraphError, Retry};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// RFC 7523 2.2
const BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

const FEDERATED: &str = "the federated token is empty";

/// What a credential is, as far as this machine can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialInfo {
    /// Its key in the configuration: `client_secret`, `client_certificate` ...
    pub kind: &'static str,
    /// The thumbprint of a certificate, as the portal shows it (SHA-1, hexadecimal).
    pub thumbprint: Option<String>,
    /// When a certificate ends.
    pub expires: Option<SystemTime>,
}

/// What an application has to prove itself by.
#[derive(Debug)]
pub(super) struct Proofs {
    kind: Kind,
    /// The place of the one that was taken last.
    last: AtomicUsize,
}

#[derive(Debug)]
enum Kind {
    Secrets(Vec<SecretSource>),
    Certificate(Kept),
    Federated(PathBuf),
}

/// A certificate is read anew when one of its files has changed: to open a PFX takes a
/// while on purpose.
struct Kept {
    source: CertificateSource,
    read: Mutex<Option<(Vec<Stamp>, Arc<Certificate>)>>,
}

/// What tells one state of a file from another.
type Stamp = Option<(u64, u64, Option<SystemTime>)>;

/// One proof.
pub(in crate::graph) enum Proof {
    Secret(Secret),
    Signed(Arc<Certificate>, Spelling),
    /// The file is read for each request: the token in it is short-lived.
    Federated(PathBuf),
}

impl Proofs {
    /// Nothing is read yet. Only what an application proves itself by is asked for here.
    pub(super) fn new(credential: &Credential) -> Self {
        let kind = match credential {
            Credential::Certificate(source) => {
                Kind::Certificate(Kept { source: source.clone(), read: Mutex::new(None) })
            }
            Credential::Federated(path) => Kind::Federated(path.clone()),
            Credential::Secrets(sources) => Kind::Secrets(sources.clone()),
            Credential::Managed(_) | Credential::Delegated(_) => Kind::Secrets(Vec::new()),
        };
        Proofs { kind, last: AtomicUsize::new(0) }
    }

    /// All proofs, each with its place, the one first that was taken last. A secret that
    /// cannot be read is passed over where there is another.
    pub(super) fn list(&self) -> Result<Vec<(usize, Proof)>, GraphError> {
        let mut list: Vec<(usize, Proof)> = Vec::new();
        let mut unreadable = None;
        match &self.kind {
            Kind::Secrets(sources) => {
                for (at, source) in sources.iter().enumerate() {
                    match read_secret(source, "the client secret is empty") {
                        Ok(secret) => list.push((at, Proof::Secret(secret))),
                        Err(error) => unreadable = unreadable.or(Some(error)),
                    }
                }
            }
            Kind::Certificate(kept) => {
                let certificate = kept.certificate().map_err(secret_error)?;
                for (at, spelling) in [Spelling::Documented, Spelling::Standard].iter().enumerate()
                {
                    list.push((at, Proof::Signed(Arc::clone(&certificate), *spelling)));
                }
            }
            Kind::Federated(path) => {
                read_secret(&SecretSource::File(path.clone()), FEDERATED)?;
                list.push((0, Proof::Federated(path.clone())));
            }
        }
        if let (true, Some(error)) = (list.is_empty(), unreadable) {
            return Err(error);
        }
        let last = self.last.load(Ordering::Relaxed);
        list.sort_by_key(|(at, _)| *at != last);
        Ok(list)
    }

    /// Entra has taken the proof at this place.
    pub(super) fn worked(&self, at: usize) {
        let before = self.last.swap(at, Ordering::Relaxed);
        if before != at && matches!(self.kind, Kind::Secrets(_)) {
            tracing::info!(secret = at + 1, "Entra takes another one of the client secrets now");
        }
    }

    /// What it is.
    pub(super) fn info(&self) -> Result<CredentialInfo, GraphError> {
        let plain = |kind| CredentialInfo { kind, thumbprint: None, expires: None };
        Ok(match &self.kind {
            Kind::Secrets(_) => self.list().map(|_| plain("client_secret"))?,
            Kind::Federated(_) => self.list().map(|_| plain("federated_token"))?,
            Kind::Certificate(kept) => {
                let certificate = kept.certificate().map_err(secret_error)?;
                CredentialInfo {
                    thumbprint: Some(certificate.thumbprint()),
                    expires: Some(certificate.until),
                    ..plain("client_certificate")
                }
            }
        })
    }
}

impl Proof {
    /// The form fields that prove it, for one request.
    pub(super) fn fields(
        &self,
        client_id: &str,
        audience: &str,
        now: SystemTime,
    ) -> Result<Vec<(&'static str, Secret)>, GraphError> {
        let assertion = match self {
            Proof::Secret(secret) => return Ok(vec![("client_secret", secret.clone())]),
            Proof::Signed(certificate, spelling) => {
                check_time(certificate, now)?;
                let signed = certificate.assertion(client_id, audience, now, *spelling);
                signed.ok_or_else(|| {
                    secret_error("the certificate's key does not sign; make a new one")
                })?
            }
            Proof::Federated(path) => read_secret(&SecretSource::File(path.clone()), FEDERATED)?,
        };
        Ok(vec![("client_assertion_type", Secret::new(BEARER)), ("client_assertion", assertion)])
    }
}

/// Entra would say so, too, but not which file is meant.
fn check_time(certificate: &Certificate, now: SystemTime) -> Result<(), GraphError> {
    let day = |moment| httpdate::fmt_http_date(moment);
    if now > certificate.until {
        return Err(secret_error(format!(
            "the certificate {} has expired ({}); upload a new one to the app registration and configure it",
            certificate.thumbprint(),
            day(certificate.until)
        )));
    }
    if now < certificate.from {
        return Err(secret_error(format!(
            "the certificate {} is valid from {} on only; check this machine's clock",
            certificate.thumbprint(),
            day(certificate.from)
        )));
    }
    Ok(())
}

impl Kept {
    fn certificate(&self) -> Result<Arc<Certificate>, Fault> {
        let now = self.stamps();
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, certificate)) = read.as_ref().filter(|(stamps, _)| *stamps == now) {
            return Ok(Arc::clone(certificate));
        }
        let certificate = Arc::new(Certificate::read(&self.source)?);
        *read = Some((now, Arc::clone(&certificate)));
        Ok(certificate)
    }

    fn stamps(&self) -> Vec<Stamp> {
        let password = match &self.source.password {
            Some(SecretSource::File(path)) => Some(path.as_path()),
            _ => None,
        };
        let key = self.source.key.as_deref();
        let paths = [Some(self.source.file.as_path()), key, password];
        paths.into_iter().flatten().map(stamp).collect()
    }
}

fn stamp(path: &Path) -> Stamp {
    let found = std::fs::metadata(path).ok()?;
    Some((found.ino(), found.len(), found.modified().ok()))
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Kept").field(&self.source).finish()
    }
}

/// Small local files, read about once an hour.
fn read_secret(source: &SecretSource, empty: &str) -> Result<Secret, GraphError> {
    let secret = source.read().map_err(|error| {
        let remedy = match &error {
            SecretError::Empty { .. } => "put it there",
            SecretError::Unreadable { .. } => {
                "make the file readable for the user that entraldap runs as, or correct its path"
            }
        };
        secret_error(format!("{error}; {remedy}"))
    })?;
    if secret.reveal().is_empty() {
        return Err(secret_error(format!("{empty}; put it there")));
    }
    Ok(secret)
}

/// What an application proves itself by is not at hand.
pub(super) fn secret_error(message: impl ToString) -> GraphError {
    GraphError::new(ErrorKind::Secret, OPERATION, message.to_string(), Retry::Never)
}

/// Whether Entra does not take this proof, and might take another one (graph.md 1.8).
pub(in crate::graph) fn is_refused(error: &GraphError) -> bool {
    let code = error.code.as_deref().unwrap_or("");
    matches!(
        code,
        "AADSTS7000215" | "AADSTS7000222" | "AADSTS700027" | "AADSTS50012" | "invalid_client"
    )
}
