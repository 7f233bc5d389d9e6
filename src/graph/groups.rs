//! Finding groups as people name them: by id, by mail address, by name, by a part of it.

use super::Graph;
use super::client::Fetch;
use super::delta::place;
use super::error::{ErrorKind, GraphError};
use super::verdict::Purpose;
use crate::directory::ids::ObjectId;
use serde_json::{Map, Value};

const SELECT: &str = "$select=id,displayName,mail,mailEnabled,securityEnabled,groupTypes";

/// A group that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundGroup {
    /// Its object id.
    pub id: ObjectId,
    /// Its name.
    pub display_name: String,
    /// Its mail address.
    pub mail: Option<String>,
    /// Whether it receives mail.
    pub mail_enabled: bool,
    /// Whether it grants access.
    pub security_enabled: bool,
    /// `Unified`, `DynamicMembership`.
    pub group_types: Vec<String>,
}

/// How many members a group has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemberCount {
    /// Members of its own.
    pub direct: u64,
    /// Those, and the members of member groups.
    pub nested: u64,
}

impl FoundGroup {
    /// The sort of group, in the words of the admin centre.
    pub fn sort(&self) -> &'static str {
        let is_unified = self.group_types.iter().any(|kind| kind == "Unified");
        match (is_unified, self.mail_enabled, self.security_enabled) {
            (true, _, _) => "Microsoft 365 group",
            (false, true, true) => "mail-enabled security group",
            (false, true, false) => "distribution list",
            (false, false, _) => "security group",
        }
    }

    fn read(object: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
        let is = |name: &str| object.get(name) == Some(&Value::Bool(true));
        let kinds = object.get("groupTypes").and_then(Value::as_array);
        let kinds = kinds.into_iter().flatten().filter_map(Value::as_str);
        Some(FoundGroup {
            id: text("id")?.parse().ok()?,
            display_name: text("displayName").unwrap_or_default(),
            mail: text("mail"),
            mail_enabled: is("mailEnabled"),
            security_enabled: is("securityEnabled"),
            group_types: kinds.map(str::to_owned).collect(),
        })
    }
}

impl Graph {
    /// Groups with exactly this id, mail address (any of theirs) or display name.
    ///
    /// # Errors
    /// Graph could not be asked. That there is none is no error.
    pub async fn find_groups(&self, named: &str) -> Result<Vec<FoundGroup>, GraphError> {
        if let Ok(id) = named.parse::<ObjectId>() {
            return self.group(id).await;
        }
        let quoted = named.replace('\'', "''");
        let filters = if named.contains('@') {
            vec![
                format!("mail eq '{quoted}'"),
                format!("proxyAddresses/any(p:p eq 'smtp:{quoted}')"),
                format!("displayName eq '{quoted}'"),
            ]
        } else {
            vec![format!("displayName eq '{quoted}'")]
        };
        for filter in filters {
            let query = format!("$filter={}&{SELECT}", encoded(&filter));
            let found = self.groups_by(&query, false).await?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }

    /// Groups whose name or mail address holds a word that begins like this.
    ///
    /// # Errors
    /// Graph could not be asked.
    pub async fn search_groups(&self, text: &str) -> Result<Vec<FoundGroup>, GraphError> {
        let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
        let search = format!("\"displayName:{escaped}\" OR \"mail:{escaped}\"");
        let query = format!("$search={}&{SELECT}&$count=true&$top=100", encoded(&search));
        self.groups_by(&query, true).await
    }

    /// How many members a group has.
    ///
    /// # Errors
    /// Graph could not be asked.
    pub async fn member_count(&self, group: ObjectId) -> Result<MemberCount, GraphError> {
        Ok(MemberCount {
            direct: self.count(&format!("groups/{group}/members/$count")).await?,
            nested: self.count(&format!("groups/{group}/transitiveMembers/$count")).await?,
        })
    }

    async fn group(&self, id: ObjectId) -> Result<Vec<FoundGroup>, GraphError> {
        let url = self.client.endpoint(&format!("groups/{id}"), Some(SELECT));
        let read = |body: &bytes::Bytes| -> Result<Option<FoundGroup>, String> {
            let object: Map<String, Value> =
                serde_json::from_slice(body).map_err(|error| place(&error))?;
            Ok(FoundGroup::read(&object))
        };
        match self.client.get(&Fetch::new("groups", Purpose::Read, url), read).await {
            Ok((_, found)) => Ok(found.into_iter().collect()),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    async fn groups_by(&self, query: &str, eventual: bool) -> Result<Vec<FoundGroup>, GraphError> {
        let listed = self.list("groups", "groups", Some(query), eventual).await?;
        Ok(listed.iter().filter_map(FoundGroup::read).collect())
    }

    async fn count(&self, path: &str) -> Result<u64, GraphError> {
        let url = self.client.endpoint(path, None);
        let fetch =
            Fetch { eventual: true, ..Fetch::new("groups/members/$count", Purpose::Read, url) };
        let read = |body: &bytes::Bytes| -> Result<u64, String> {
            let text = String::from_utf8_lossy(body);
            // The service begins this text with a byte order mark.
            let digits = text.trim_start_matches('\u{feff}').trim();
            digits.parse().map_err(|_| "a count that is no number".to_owned())
        };
        Ok(self.client.get(&fetch, read).await?.1)
    }
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}
