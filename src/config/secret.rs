//! Texts that are never printed, and where they come from.

use std::fmt;
use std::path::PathBuf;
use url::Url;
use zeroize::Zeroizing;

/// A secret: prints as `***` and is wiped from memory when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

/// Where a secret comes from. Files are read at each use, so that a rotated secret
/// is picked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// `{ file = "..." }`, or `{ credential = "..." }` resolved against `$CREDENTIALS_DIRECTORY`.
    File(PathBuf),
    /// `{ env = "..." }`, read at start.
    Value(Secret),
}

/// Why a secret is not at hand. Never tells anything of the secret itself.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read, or is not text.
    #[error("{path}: {error}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// There is nothing in it.
    #[error("{path} is empty")]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

/// The URL of an HTTP proxy, whose user name and password are never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyUrl(Url);

impl Secret {
    /// Keeps `text` secret.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(Zeroizing::new(text.into()))
    }

    /// The text itself, for the one place that sends or checks it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl SecretSource {
    /// The secret as it is now, without the line break that editors leave at its end.
    pub fn read(&self) -> Result<Secret, SecretError> {
        let path = match self {
            SecretSource::Value(secret) => return Ok(secret.clone()),
            SecretSource::File(path) => path,
        };
        let text = std::fs::read_to_string(path).map(Zeroizing::new);
        let text = text.map_err(|error| SecretError::Unreadable { path: path.clone(), error })?;
        match text.trim_end_matches(['\r', '\n']) {
            blank if blank.trim().is_empty() => Err(SecretError::Empty { path: path.clone() }),
            secret => Ok(Secret::new(secret)),
        }
    }
}

impl ProxyUrl {
    /// Keeps user name and password of `url` from being printed.
    pub fn new(url: Url) -> Self {
        ProxyUrl(url)
    }

    /// The whole URL, for the one place that connects to it.
    pub fn url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.clone();
        // Both fail only for URLs that cannot hold a user name or password at all.
        let _ = shown.set_username("");
        let _ = shown.set_password(None);
        shown.fmt(f)
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_printed() {
        let proxy = ProxyUrl::new(Url::parse("http://ada:geheim@proxy.example:3128/").unwrap());
        assert_eq!(
            format!("{proxy} {proxy:?}"),
            "http://proxy.example:3128/ http://proxy.example:3128/"
        );
        assert_eq!(proxy.url().password(), Some("geheim"));
        let source = SecretSource::Value(Secret::new("geheim"));
        assert_eq!(format!("{source:?}"), "Value(***)");
    }

    #[test]
    fn a_rotated_file_is_read_again_and_loses_its_line_break() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let source = SecretSource::File(path.clone());
        assert!(matches!(source.read(), Err(SecretError::Unreadable { .. })));
        std::fs::write(&path, " \n").unwrap();
        assert!(matches!(source.read(), Err(SecretError::Empty { .. })));
        std::fs::write(&path, "one two \r\n").unwrap();
        assert_eq!(source.read().unwrap().reveal(), "one two ");
        std::fs::write(&path, "three").unwrap();
        assert_eq!(source.read().unwrap().reveal(), "three");
    }
}
