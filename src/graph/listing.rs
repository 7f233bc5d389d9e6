//! Plain lists, page by page: the domains and the organization of a tenant.

use super::Graph;
use super::client::Fetch;
use super::delta::place;
use super::error::{ErrorKind, GraphError, Retry};
use super::retry::LATER;
use super::verdict::Purpose;
use crate::directory::ids::ObjectId;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::HashSet;

/// A page of a plain list.
#[derive(Deserialize)]
struct ListPage {
    value: Vec<Map<String, Value>>,
    #[serde(default, rename = "@odata.nextLink")]
    next: Option<String>,
}

impl Graph {
    /// The domains of the tenant.
    ///
    /// # Errors
    /// The list did not come completely.
    pub async fn domains(&self) -> Result<Vec<Map<String, Value>>, GraphError> {
        self.list("domains", "domains", None, false).await
    }

    /// The tenant itself.
    ///
    /// # Errors
    /// It did not come.
    pub async fn organization(&self) -> Result<Map<String, Value>, GraphError> {
        let operation = "organization";
        self.list(operation, operation, None, false).await?.into_iter().next().ok_or_else(|| {
            let text = "an empty list, where the tenant itself should stand";
            GraphError::new(ErrorKind::Garbled, operation, text, Retry::After(LATER))
        })
    }

    /// The ids of a group's direct members, whatever they are.
    ///
    /// # Errors
    /// The list did not come completely.
    pub async fn members(&self, group: ObjectId) -> Result<Vec<ObjectId>, GraphError> {
        let path = format!("groups/{group}/members");
        let operation = "groups/members";
        let listed = self.list(operation, &path, Some("$select=id&$top=999"), false).await?;
        // What the application may not read comes with its id and nothing else (graph.md 2);
        // one without an id would be a member that is taken for none.
        let id = |member: &Map<String, Value>| Some(member.get("id")?.as_str()?.to_owned());
        let ids: Option<Vec<String>> = listed.iter().map(id).collect();
        let ids = ids.ok_or_else(|| {
            let text = "a member without an id";
            GraphError::new(ErrorKind::Garbled, operation, text, Retry::After(LATER))
        })?;
        Ok(ids.iter().filter_map(|id| id.parse().ok()).collect())
    }

    pub(super) async fn list(
        &self,
        operation: &str,
        path: &str,
        query: Option<&str>,
        eventual: bool,
    ) -> Result<Vec<Map<String, Value>>, GraphError> {
        let mut all = Vec::new();
        let mut followed = HashSet::new();
        let mut url = self.client.endpoint(path, query);
        loop {
            let fetch = Fetch { eventual, ..Fetch::new(operation, Purpose::Read, url) };
            let (_, page): (_, ListPage) = self
                .client
                .get(&fetch, |body| serde_json::from_slice(body).map_err(|error| place(&error)))
                .await?;
            all.extend(page.value);
            let Some(link) = page.next else { return Ok(all) };
            url = self.client.trusted(operation, &link)?;
            if !followed.insert(link) {
                let text = "the list of pages runs in a circle";
                return Err(GraphError::new(
                    ErrorKind::Garbled,
                    operation,
                    text,
                    Retry::After(LATER),
                ));
            }
        }
    }
}
