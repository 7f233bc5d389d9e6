//! Delegated access: a person has signed in once (`entraldap authorize`), and what was
//! left is a refresh token in a file. Each use brings a new one (graph.md 1.7).

use super::proof::secret_error;
use super::{CredentialInfo, Held};
use crate::config::Secret;
use crate::config::secret::SecretError;
use crate::config::settings::SecretSource;
use crate::graph::client::Client;
use crate::graph::error::GraphError;
use crate::graph::retry::Policy;
use std::io::ErrorKind::PermissionDenied;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// A refresh token and its file.
#[derive(Debug)]
pub(in crate::graph) struct Refreshed {
    path: PathBuf,
    /// What could not be written: what the file holds, and what it should.
    unwritten: Mutex<Option<(Secret, Secret)>>,
}

impl Refreshed {
    /// Nothing is read yet.
    pub(super) fn new(path: PathBuf) -> Self {
        Refreshed { path, unwritten: Mutex::new(None) }
    }

    /// Where the token is kept.
    pub(in crate::graph) fn path(&self) -> &Path {
        &self.path
    }

    fn token(&self) -> Result<Secret, GraphError> {
        let read = SecretSource::File(self.path.clone()).read();
        let held = read.map_err(|error| {
            if matches!(&error, SecretError::Unreadable { error, .. } if error.kind() == PermissionDenied) {
                return secret_error(format!(
                    "{error}; give the file to the user that entraldap runs as (chown), or run `entraldap authorize` as that user"
                ));
            }
            secret_error(format!("nobody has signed in ({error}); run `entraldap authorize`"))
        })?;
        let unwritten = self.unwritten.lock().unwrap_or_else(PoisonError::into_inner);
        match &*unwritten {
            // The file is what it was when the newer token could not be written.
            Some((old, new)) if *old == held => Ok(new.clone()),
            _ => Ok(held),
        }
    }

    /// Keeps a new token. The old one is not revoked by its use, so that little is lost
    /// where this fails.
    fn keep(&self, old: &Secret, new: &Secret) {
        if old == new {
            return;
        }
        let mut unwritten = self.unwritten.lock().unwrap_or_else(PoisonError::into_inner);
        // Somebody may have signed in anew while this one was asked for.
        let held = SecretSource::File(self.path.clone()).read().ok();
        let known = match &*unwritten {
            Some((held, _)) => held,
            None => old,
        };
        if held.is_some_and(|held| held != *known) {
            *unwritten = None;
            return;
        }
        match write(&self.path, new) {
            Ok(()) => *unwritten = None,
            Err(error) => {
                let path = self.path.display();
                tracing::error!(
                    %error, %path,
                    "the new refresh token cannot be written and is lost at the next restart; make the folder writable"
                );
                let held = unwritten.take().map_or_else(|| old.clone(), |(held, _)| held);
                *unwritten = Some((held, new.clone()));
            }
        }
    }

    /// What it is.
    pub(super) fn info(&self) -> Result<CredentialInfo, GraphError> {
        self.token()?;
        Ok(CredentialInfo { kind: "delegated", thumbprint: None, expires: None })
    }
}

impl Client {
    /// Asks for a token in the name of the person.
    pub(super) async fn refresh(
        &self,
        person: &Refreshed,
        policy: &Policy,
    ) -> Result<Held, GraphError> {
        let token = person.token()?;
        let tokens = &self.tokens;
        let scope = format!("{} offline_access", tokens.scope());
        let form = |_: u32| {
            Ok(vec![
                ("client_id", Secret::new(&*tokens.client_id)),
                ("scope", Secret::new(&*scope)),
                ("grant_type", Secret::new("refresh_token")),
                ("refresh_token", token.clone()),
            ])
        };
        let (held, new) = self.ask(form, 3, policy).await?;
        if let Some(new) = new {
            person.keep(&token, &new);
        }
        Ok(held)
    }
}

/// Writes a refresh token so that nobody else can read it, and the old one stays until the
/// new one is whole. Where root does, the file belongs to whom the old one belonged to, or the
/// folder: the daemon most likely runs as that user.
pub(in crate::graph) fn write(path: &Path, token: &Secret) -> std::io::Result<()> {
    // A daemon and a command may write at the same time.
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let beside = path.with_file_name(name);
    // What a crash has left there may have other permissions.
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let written = write_to(&beside, path, token).and_then(|()| std::fs::rename(&beside, path));
    if written.is_err() {
        // It may not even be there.
        let _ = std::fs::remove_file(&beside);
    }
    written
}

fn write_to(beside: &Path, path: &Path, token: &Secret) -> std::io::Result<()> {
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(beside)?;
    file.write_all(token.reveal().as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let owner = std::fs::metadata(path);
    let owner = owner.or_else(|_| std::fs::metadata(folder.unwrap_or(Path::new("."))))?;
    if owner.uid() != file.metadata()?.uid() {
        // Only root may; whoever else writes here reads here.
        let _ = std::os::unix::fs::fchown(&file, Some(owner.uid()), Some(owner.gid()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_new_token_replaces_the_file_and_is_nobody_elses() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        write(&path, &Secret::new("one")).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let person = Refreshed::new(path.clone());
        person.keep(&Secret::new("one"), &Secret::new("two"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two\n");
        assert_eq!(person.token().unwrap().reveal(), "two");
    }

    #[test]
    fn a_sign_in_meanwhile_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "one\n").unwrap();
        let person = Refreshed::new(path.clone());
        let asked_with = person.token().unwrap();
        write(&path, &Secret::new("signed in anew")).unwrap();
        person.keep(&asked_with, &Secret::new("two"));
        assert_eq!(person.token().unwrap().reveal(), "signed in anew");
    }

    #[test]
    fn what_cannot_be_written_is_kept_in_memory_until_the_file_changes() {
        let folder = tempfile::tempdir().unwrap();
        // What is written first would have a longer name than there can be.
        let path = folder.path().join("t".repeat(250));
        std::fs::write(&path, "one\n").unwrap();
        let person = Refreshed::new(path.clone());
        person.keep(&Secret::new("one"), &Secret::new("two"));
        assert_eq!(person.token().unwrap().reveal(), "two");
        person.keep(&Secret::new("two"), &Secret::new("three"));
        assert_eq!(person.token().unwrap().reveal(), "three");
        // Somebody has signed in anew.
        std::fs::write(&path, "other\n").unwrap();
        assert_eq!(person.token().unwrap().reveal(), "other");
    }
}
