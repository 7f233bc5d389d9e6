//! Loads a population written as JSON lines: `users.jsonl`, `groups.jsonl`, `contacts.jsonl`, `meta.json`.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde_json::Value;
use thiserror::Error;

use super::object::Kind;
use super::tenant::{Tenant, TenantError};

/// Why a population could not be loaded.
#[derive(Debug, Error)]
pub enum LoadError {
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line is not JSON.
    #[error("{}, line {line}: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A line is not an object the tenant can hold.
    #[error("{}, line {line}: {source}", path.display())]
    Object {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        source: TenantError,
    },
}

impl Tenant {
    /// Loads a population from a folder. `meta.json` may name the `domain`; a missing file of objects is none of them.
    pub fn load(folder: &Path) -> Result<Self, LoadError> {
        let meta = folder.join("meta.json");
        let domain = match std::fs::read(&meta) {
            Err(source) if source.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(LoadError::Read { path: meta, source }),
            Ok(text) => {
                let meta: Value = serde_json::from_slice(&text)
                    .map_err(|source| LoadError::Json { path: meta, line: 1, source })?;
                meta.get("domain").and_then(Value::as_str).map(str::to_owned)
            }
        };
        let mut tenant = Self::empty(domain.as_deref().unwrap_or("contoso.com"));
        tenant.loading = true;
        for (kind, file) in [
            (Kind::User, "users.jsonl"),
            (Kind::Contact, "contacts.jsonl"),
            (Kind::Group, "groups.jsonl"),
        ] {
            lines(&mut tenant, kind, &folder.join(file))?;
        }
        tenant.loading = false;
        Ok(tenant)
    }
}

fn lines(tenant: &mut Tenant, kind: Kind, path: &Path) -> Result<(), LoadError> {
    let read = |source| LoadError::Read { path: path.to_owned(), source };
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(read)?,
    };
    let mut reader = BufReader::with_capacity(1 << 18, file);
    let mut text = String::new();
    let mut line = 0_usize;
    loop {
        text.clear();
        if reader.read_line(&mut text).map_err(read)? == 0 {
            return Ok(());
        }
        line = line.saturating_add(1);
        if text.trim().is_empty() {
            continue;
        }
        let value = serde_json::from_str(&text).map_err(|source| LoadError::Json {
            path: path.to_owned(),
            line,
            source,
        })?;
        tenant.add(kind, value).map_err(|source| LoadError::Object {
            path: path.to_owned(),
            line,
            source,
        })?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_population_is_loaded_with_members_named_before_they_come() {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("meta.json", r#"{"domain": "fabrikam.example"}"#);
        write(
            "users.jsonl",
            "{\"id\":\"u1\",\"displayName\":\"Ada\",\"faxNumber\":null}\n{\"id\":\"u2\"}\n",
        );
        write(
            "groups.jsonl",
            "{\"id\":\"g1\",\"members\":[\"g2\",\"u2\",\"u1\"]}\n\n{\"id\":\"g2\",\"members\":[]}\n",
        );
        write("contacts.jsonl", "{\"id\":\"c1\"}\n");
        let tenant = Tenant::load(folder.path()).unwrap();
        assert_eq!(tenant.domain(), "fabrikam.example");
        let counts = tenant.counts();
        assert_eq!((counts.users, counts.groups, counts.contacts, counts.edges), (2, 2, 1, 3));
        assert_eq!(tenant.version(), 0);
        assert_eq!(tenant.kind("g2"), Some(Kind::Group));
        assert!(tenant.members("g1").contains(&"g2"));
        assert!(tenant.object("u1").unwrap()["faxNumber"].is_null());
    }

    #[test]
    fn a_broken_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("users.jsonl"), "{\"id\":\"u1\"}\n{\"id\":\n").unwrap();
        let error = Tenant::load(folder.path()).unwrap_err().to_string();
        assert!(error.contains("users.jsonl, line 2"), "{error}");
    }
}
