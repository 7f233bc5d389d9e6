//! Accounts, profiles, certificates and user binds are loaded anew on SIGHUP and when a file
//! changes they come from. A file that is wrong changes nothing.

use super::users::Doors;
use crate::config::settings::LdapSettings;
use crate::config::{self, Settings};
use crate::ldap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::signal::unix::Signal;
use tokio_util::sync::CancellationToken;

/// How often the files are looked at. Notices of the file system are lost on network
/// file systems and behind the links that some tools renew certificates by.
const LOOK: Duration = Duration::from_secs(5);

/// What tells one state of a file from another; `None` where it cannot be looked at.
type Stamp = Option<(u64, u64, u64, Option<SystemTime>)>;

/// The files that a running configuration comes from.
struct Files {
    paths: Vec<PathBuf>,
    /// As of the last load.
    loaded: Vec<Stamp>,
    /// As of the last look.
    seen: Vec<Stamp>,
}

impl Files {
    fn new(config: &Path, settings: &LdapSettings) -> Self {
        let mut files = Files { paths: Vec::new(), loaded: Vec::new(), seen: Vec::new() };
        files.load_begins(config, settings);
        files
    }

    /// Whether a file has changed since the last load and has stood still since the last
    /// look: certificate and key are rarely renewed in the same instant.
    fn due(&mut self) -> bool {
        let now: Vec<Stamp> = self.paths.iter().map(|path| stamp(path)).collect();
        let still = now == self.seen;
        self.seen = now;
        still && self.seen != self.loaded
    }

    /// The files are about to be loaded, whatever comes of it.
    fn load_begins(&mut self, config: &Path, settings: &LdapSettings) {
        self.paths = vec![config.to_owned()];
        if let Some(tls) = &settings.tls {
            self.paths.extend([tls.certificate.clone(), tls.key.clone()]);
            self.paths.extend(tls.client_ca.clone());
        }
        self.seen = self.paths.iter().map(|path| stamp(path)).collect();
        self.loaded = self.seen.clone();
    }
}

fn stamp(path: &Path) -> Stamp {
    let found = std::fs::metadata(path).ok()?;
    Some((found.dev(), found.ino(), found.len(), found.modified().ok()))
}

/// Watches until `stop`.
pub(super) async fn run(
    config: PathBuf,
    mut running: Settings,
    (server, users): (Arc<ldap::Server>, Arc<Doors>),
    mut hangup: Signal,
    stop: CancellationToken,
) {
    let mut files = Files::new(&config, &running.ldap);
    let mut looks = tokio::time::interval(LOOK);
    // What was wrong the last time. It may have been put right in a file that is not
    // watched, so it is tried again; it is told once.
    let mut trouble = None;
    loop {
        let due = tokio::select! {
            _ = hangup.recv() => true,
            _ = looks.tick() => files.due() || trouble.is_some(),
            () = stop.cancelled() => return,
        };
        if !due {
            continue;
        }
        files.load_begins(&config, &running.ldap);
        let (server, users, path) = (Arc::clone(&server), Arc::clone(&users), config.clone());
        let load = move || {
            let settings = config::load(&path).map_err(|problems| problems.to_string())?;
            let doors = users.open(&settings.connections)?;
            server.reload(&settings.ldap).map_err(|error| error.to_string())?;
            server.admit_users(doors);
            Ok::<Settings, String>(settings)
        };
        match tokio::task::spawn_blocking(load).await.map_err(|error| error.to_string()) {
            Ok(Ok(settings)) => {
                tracing::info!("accounts, profiles and certificates are loaded anew");
                tell_what_waits(&running, &settings);
                files.follow(&settings.ldap);
                adopt(&mut running, settings);
                trouble = None;
            }
            Ok(Err(why)) | Err(why) => {
                let why = why.replace('\n', "; ");
                if trouble.as_ref() != Some(&why) {
                    tracing::error!("nothing is loaded anew, all stays as it was: {why}");
                }
                trouble = Some(why);
            }
        }
    }
}

impl Files {
    /// The new configuration may name other files; they are as just loaded.
    fn follow(&mut self, settings: &LdapSettings) {
        let before = std::mem::take(&mut self.paths);
        let loaded = std::mem::take(&mut self.loaded);
        let config = before.first().cloned().unwrap_or_default();
        self.load_begins(&config, settings);
        // What changed while it was loaded is loaded once more.
        for (path, stamp) in self.paths.iter().zip(&mut self.loaded) {
            if let Some(known) = before.iter().position(|other| other == path) {
                *stamp = loaded.get(known).copied().unwrap_or_default();
            }
        }
    }
}

fn adopt(running: &mut Settings, settings: Settings) {
    let LdapSettings { accounts, anonymous, tls, .. } = settings.ldap;
    running.ldap = LdapSettings { accounts, anonymous, tls, ..running.ldap.clone() };
    for connection in &mut running.connections {
        let new = settings.connections.iter().find(|other| other.name == connection.name);
        connection.user_binds = new.and_then(|new| new.user_binds.clone());
    }
}

/// Settings that are not taken over are not passed over in silence.
fn tell_what_waits(running: &Settings, settings: &Settings) {
    let mut expected = running.clone();
    adopt(&mut expected, settings.clone());
    expected.warnings = settings.warnings.clone();
    if expected != *settings {
        tracing::warn!("other settings have changed, too; they hold from the next start on");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Environment;
    use crate::config::settings::TlsSettings;

    fn settings() -> Settings {
        let text = "[[ldap.listener]]\naddress = \"127.0.0.1:389\"\n[[connection]]\n\
                    name = \"a\"\nbase = \"dc=a\"\ntenant = \"a.example\"\n\
                    client_id = \"11111111-1111-1111-1111-111111111111\"\n\
                    client_secret = { env = \"S\" }";
        let variables = [("S".to_owned(), "x".to_owned())].into();
        let environment = Environment { variables, credentials_directory: None };
        config::parse(text, "t", &environment).unwrap()
    }

    #[test]
    fn a_change_is_due_when_it_has_stood_still_and_only_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["config", "cert", "key"] {
            std::fs::write(path(name), name).unwrap();
        }
        let tls = TlsSettings { certificate: path("cert"), key: path("key"), client_ca: None };
        let ldap = LdapSettings { tls: Some(tls), ..settings().ldap };
        let mut files = Files::new(&path("config"), &ldap);
        assert!(!files.due() && !files.due());
        std::fs::write(path("cert"), "renewed").unwrap();
        assert!(!files.due());
        std::fs::write(path("key"), "renewed").unwrap();
        assert!(!files.due(), "the key has just changed");
        assert!(files.due());
        files.load_begins(&path("config"), &ldap);
        assert!(!files.due() && !files.due());
        // Replaced by another file of the same size, or gone.
        std::fs::write(path("new"), "config").unwrap();
        std::fs::rename(path("new"), path("config")).unwrap();
        assert!(!files.due() && files.due());
        files.load_begins(&path("config"), &ldap);
        std::fs::remove_file(path("key")).unwrap();
        assert!(!files.due() && files.due());
    }

    #[test]
    fn a_change_during_the_load_is_not_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        std::fs::write(&path, "one").unwrap();
        let ldap = settings().ldap;
        let mut files = Files::new(&path, &ldap);
        files.load_begins(&path, &ldap);
        std::fs::write(&path, "three").unwrap();
        files.follow(&ldap);
        assert!(files.due());
    }
}
