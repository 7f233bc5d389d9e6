//! When what proves the application ends: of a certificate we know, of a client secret
//! Graph tells where it may.

use super::Graph;
use super::client::Fetch;
use super::error::{ErrorKind, GraphError};
use super::verdict::Purpose;
use crate::config::settings::Credential;
use serde::Deserialize;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long before its end people are told.
pub const AHEAD: Duration = Duration::from_secs(30 * 86_400);

#[derive(Deserialize)]
struct Application {
    #[serde(default, rename = "passwordCredentials")]
    secrets: Vec<Password>,
}

#[derive(Deserialize)]
struct Password {
    /// The first three characters of the secret.
    hint: Option<String>,
    #[serde(rename = "endDateTime")]
    end: Option<String>,
}

impl Graph {
    /// When the credential in use ends; `None` where nobody tells. Of a secret, Graph tells
    /// only those with `Application.Read.All` or `Directory.Read.All`; nobody needs to grant
    /// that.
    ///
    /// # Errors
    /// The credential cannot be read, or Graph cannot be asked.
    pub async fn credential_expiry(
        &self,
        credential: &Credential,
    ) -> Result<Option<SystemTime>, GraphError> {
        if let Some(end) = self.credential()?.expires {
            return Ok(Some(end));
        }
        let Credential::Secrets(sources) = credential else { return Ok(None) };
        let held = self.token().await?.permissions.unwrap_or_default();
        let may = ["Application.Read.All", "Directory.Read.All"];
        if !held.iter().any(|name| may.contains(&name.as_str())) {
            return Ok(None);
        }
        let hints: Vec<String> = sources
            .iter()
            .filter_map(|source| source.read().ok())
            .map(|secret| secret.reveal().chars().take(3).collect())
            .collect();
        let path = format!("applications(appId='{}')", self.client.tokens.client_id);
        let url = self.client.endpoint(&path, Some("$select=passwordCredentials"));
        let fetch = Fetch::new("applications", Purpose::Read, url);
        let read = |body: &bytes::Bytes| {
            serde_json::from_slice::<Application>(body).map_err(|error| error.to_string())
        };
        // Nothing depends on it: it is asked once.
        let asked = self.client.get_now(&fetch, read);
        let application = match self.client.soon("applications", asked).await {
            Ok((_, application)) => application,
            // An application of another tenant, or not told after all.
            Err(error)
                if matches!(
                    error.kind,
                    ErrorKind::NotFound | ErrorKind::Permission | ErrorKind::Refused
                ) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let ours = |one: &Password| one.hint.as_ref().is_some_and(|hint| hints.contains(hint));
        let ends = application.secrets.iter().filter(|one| ours(one)).filter_map(Password::end);
        // Of two that overlap, the later one counts.
        Ok(ends.max())
    }
}

impl Password {
    fn end(&self) -> Option<SystemTime> {
        let moment: jiff::Timestamp = self.end.as_ref()?.parse().ok()?;
        Some(UNIX_EPOCH + Duration::from_secs(u64::try_from(moment.as_second()).ok()?))
    }
}
