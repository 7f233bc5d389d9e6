//! What an access token says about itself. Read without checking its signature, which is for
//! Graph to check; for people only. Pure: no I/O, no clock.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;
use std::time::SystemTime;

/// What an access token says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenInfo {
    /// The granted application permissions, or where a person has signed in the delegated
    /// ones; `None` where the token cannot be read, which is not the same as none.
    pub permissions: Option<Vec<String>>,
    /// Who has signed in; `None` where the application itself has.
    pub person: Option<String>,
    /// The tenant's id.
    pub tenant: Option<String>,
    /// The application's id.
    pub application: Option<String>,
    /// What it is good for: the Graph root, or Graph's well-known id.
    pub audience: Option<String>,
    /// When it expires.
    pub expires: SystemTime,
}

impl TokenInfo {
    /// Reads a token. Application permissions stand in `roles`, delegated ones in `scp`,
    /// separated by spaces (graph.md 2).
    pub(super) fn read(token: &str, expires: SystemTime) -> TokenInfo {
        let claims = claims(token);
        let text = |names: &[&str]| {
            let claims = claims.as_ref()?;
            let found = names.iter().find_map(|name| claims.get(name)?.as_str());
            found.map(str::to_owned)
        };
        let scopes = text(&["scp"]);
        let permissions = claims.as_ref().map(|claims| match &scopes {
            Some(scopes) => scopes.split_whitespace().map(str::to_owned).collect(),
            None => {
                let roles = claims.get("roles").and_then(Value::as_array);
                let texts = roles.into_iter().flatten().filter_map(Value::as_str);
                texts.map(str::to_owned).collect()
            }
        });
        let person = text(&["upn", "preferred_username", "unique_name"]);
        TokenInfo {
            permissions,
            person: person.filter(|_| scopes.is_some()),
            tenant: text(&["tid"]),
            application: text(&["appid", "azp"]),
            audience: text(&["aud"]),
            expires,
        }
    }
}

/// The payload of a JWT (RFC 7519), if it is one.
fn claims(token: &str) -> Option<Value> {
    let payload = token.split('.').nth(1)?.trim_end_matches('=');
    let payload = BASE64_URL_SAFE_NO_PAD.decode(payload).ok()?;
    serde_json::from_slice(&payload).ok().filter(Value::is_object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn info(claims: &Value) -> TokenInfo {
        let payload = BASE64_URL_SAFE_NO_PAD.encode(claims.to_string());
        TokenInfo::read(&format!("e30.{payload}.x"), SystemTime::UNIX_EPOCH)
    }

    #[test]
    fn permissions_of_applications_and_of_people() {
        let application = info(&json!({ "roles": ["User.Read.All"], "tid": "t", "appid": "a" }));
        assert_eq!(application.permissions.unwrap(), ["User.Read.All"]);
        assert_eq!((application.tenant.as_deref(), application.person), (Some("t"), None));
        let person = info(&json!({ "scp": "User.Read.All openid", "upn": "ada@contoso.com" }));
        assert_eq!(person.permissions.unwrap(), ["User.Read.All", "openid"]);
        assert_eq!(person.person.as_deref(), Some("ada@contoso.com"));
        assert_eq!(info(&json!({})).permissions.unwrap(), [""; 0]);
        assert_eq!(TokenInfo::read("opaque", SystemTime::UNIX_EPOCH).permissions, None);
    }
}
