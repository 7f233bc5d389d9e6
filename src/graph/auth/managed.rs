//! Managed identities: a machine in Azure, or with Azure's agent, has a service that gives
//! it tokens (graph.md 1.5). No secret, and no proxy in between.

use super::{Held, Issued, OPERATION};
use crate::config::Secret;
use crate::config::settings::{Identity, IdentityHost, ManagedIdentity};
use crate::graph::client::{Call, Client, Failed};
use crate::graph::error::{ErrorKind, GraphError, Retry};
use crate::graph::retry::Policy;
use crate::graph::transport::Answer;
use crate::graph::verdict::Purpose;
use reqwest::StatusCode;
use reqwest::header::HeaderValue;
use std::path::{Component, Path, PathBuf};
use tokio::time::Instant;
use url::Url;

/// The agent's files are much shorter.
const LONGEST_KEY: u64 = 4096;

impl Client {
    /// Asks the machine's token service.
    pub(super) async fn ask_machine(
        &self,
        wanted: &ManagedIdentity,
        policy: &Policy,
    ) -> Result<Held, GraphError> {
        let url = url(wanted, &self.tokens.resource);
        self.persist_as(policy, |attempt| {
            let url = url.clone();
            async move {
                let asked = Instant::now();
                let secrets = match &wanted.host {
                    IdentityHost::AppService(_, header) => vec![header.reveal()],
                    _ => Vec::new(),
                };
                let waits = matches!(wanted.host, IdentityHost::Imds(_));
                let purpose = Purpose::Identity { waits };
                let call = Call { operation: OPERATION, purpose, attempt, secrets: &secrets };
                let request = self.transport.local.get(url.clone());
                let answer = match &wanted.host {
                    IdentityHost::Imds(_) => {
                        self.send(&call, request.header("Metadata", "true")).await?
                    }
                    IdentityHost::AppService(_, header) => {
                        let request = request
                            .header("X-IDENTITY-HEADER", hidden(header.reveal().to_owned())?);
                        self.send(&call, request).await?
                    }
                    IdentityHost::Arc(_, keys) => self.ask_arc(&call, &url, keys).await?,
                };
                match serde_json::from_slice::<Issued>(&answer.body) {
                    Ok(issued) if !issued.access_token.is_empty() => Ok(issued.held(asked).0),
                    _ => Err(Failed::garbled(&call, &answer, "an answer without access_token")),
                }
            }
        })
        .await
    }

    /// The agent of Azure Arc asks for the contents of a file that only those can read who
    /// may have tokens.
    async fn ask_arc(&self, call: &Call<'_>, url: &Url, keys: &Path) -> Result<Answer, Failed> {
        let request = || self.transport.local.get(url.clone()).header("Metadata", "true");
        let first = self.send_any(call, request()).await?;
        if first.status != StatusCode::UNAUTHORIZED {
            return Failed::unless_success(call, first).map_err(|failed| failed.of(self.access()));
        }
        let path = first.challenge.as_deref().and_then(realm);
        let path = path.ok_or_else(|| Failed::garbled(call, &first, "a challenge without file"))?;
        let key = key(&path, keys).map_err(|why| Failed::last(agent_error(&why)))?;
        let secrets = [key.reveal()];
        let call = Call { secrets: &secrets, ..*call };
        let value = hidden(format!("Basic {}", key.reveal()))?;
        let request = request().header("Authorization", value);
        self.send(&call, request).await
    }
}

/// A header that is printed nowhere.
fn hidden(text: String) -> Result<HeaderValue, Failed> {
    let mut value = HeaderValue::try_from(text)
        .map_err(|_| Failed::last(agent_error("what it gave cannot be sent; restart it")))?;
    value.set_sensitive(true);
    Ok(value)
}

/// What to ask for.
fn url(wanted: &ManagedIdentity, resource: &str) -> Url {
    let (endpoint, version) = match &wanted.host {
        IdentityHost::Imds(url) => (url, "2018-02-01"),
        IdentityHost::AppService(url, _) => (url, "2019-08-01"),
        IdentityHost::Arc(url, _) => (url, "2020-06-01"),
    };
    let selector = match (&wanted.identity, &wanted.host) {
        (None, _) => None,
        (Some(Identity::Client(id)), _) => Some(("client_id", id)),
        (Some(Identity::Object(id)), _) => Some(("object_id", id)),
        (Some(Identity::Resource(id)), IdentityHost::AppService(..)) => Some(("mi_res_id", id)),
        (Some(Identity::Resource(id)), _) => Some(("msi_res_id", id)),
    };
    let mut url = endpoint.clone();
    let mut query = url.query_pairs_mut();
    query.append_pair("api-version", version).append_pair("resource", resource);
    query.extend_pairs(selector);
    drop(query);
    url
}

/// `Basic realm=/var/opt/azcmagent/tokens/....key`
fn realm(challenge: &str) -> Option<PathBuf> {
    let (scheme, rest) = challenge.trim().split_once(' ')?;
    let path = rest.trim().strip_prefix("realm=")?.trim_matches('"');
    scheme.eq_ignore_ascii_case("Basic").then(|| PathBuf::from(path))
}

/// Reads the file, if it is one of the agent's: whoever answers on that port must not get
/// any file of this machine.
fn key(path: &Path, keys: &Path) -> Result<Secret, String> {
    let name = path.display();
    let direct = path.parent() == Some(keys)
        && path.extension().is_some_and(|extension| extension == "key")
        && path.components().all(|part| !matches!(part, Component::ParentDir));
    if !direct {
        return Err(format!(
            "it names {name}, which is no key file in {}; look what listens in place of Azure's agent",
            keys.display()
        ));
    }
    let unreadable = |error: std::io::Error| {
        format!("{name}: {error}; add the user that entraldap runs as to the group himds")
    };
    let found = std::fs::symlink_metadata(path).map_err(unreadable)?;
    if !found.is_file() || found.len() > LONGEST_KEY {
        return Err(format!("{name} is no key file; look what listens in place of Azure's agent"));
    }
    std::fs::read_to_string(path).map(Secret::new).map_err(unreadable)
}

fn agent_error(why: &str) -> GraphError {
    let message = format!("the machine's token service: {why}");
    GraphError::new(ErrorKind::Secret, OPERATION, message, Retry::Never)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_agents_own_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("tokens");
        std::fs::create_dir(&keys).unwrap();
        std::fs::write(keys.join("a.key"), "hush").unwrap();
        std::fs::write(keys.join("a.txt"), "hush").unwrap();
        std::fs::write(keys.join("long.key"), "x".repeat(5000)).unwrap();
        std::fs::write(folder.path().join("b.key"), "hush").unwrap();
        std::os::unix::fs::symlink(folder.path().join("b.key"), keys.join("link.key")).unwrap();
        assert_eq!(key(&keys.join("a.key"), &keys).unwrap().reveal(), "hush");
        for other in ["a.txt", "long.key", "../b.key", "link.key", "missing.key", "sub/a.key"] {
            assert!(key(&keys.join(other), &keys).is_err(), "{other}");
        }
        assert_eq!(realm("Basic realm=/x/a.key"), Some(PathBuf::from("/x/a.key")));
        assert_eq!(realm("basic realm=\"/x/a.key\""), Some(PathBuf::from("/x/a.key")));
        assert_eq!((realm("Bearer realm=/x"), realm("Basic")), (None, None));
    }
}
