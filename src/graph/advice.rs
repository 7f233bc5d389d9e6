//! What an administrator should do about a failure. Pure: no I/O, no clock.

use super::error::{ErrorKind, GraphError};
use super::sign_in;

/// A sentence for a person at 3 a.m., where the cause is known well enough to give one.
pub(super) fn advice(error: &GraphError) -> Option<String> {
    let text = match error.kind {
        ErrorKind::Permission => return Some(permission(&error.operation)),
        ErrorKind::Credential if &*error.operation == sign_in::OPERATION => {
            return error
                .aadsts()
                .and_then(user_sign_in)
                .or_else(|| error.code.as_deref().and_then(credential))
                .map(str::to_owned);
        }
        ErrorKind::Credential => {
            return error.code.as_deref().and_then(credential).map(str::to_owned);
        }
        ErrorKind::Secret => {
            "make the file readable for the user entraldap runs as, or correct its path"
        }
        ErrorKind::Unauthorized => {
            "check that authority and Graph endpoint belong to the same cloud and that this machine's clock is right"
        }
        ErrorKind::NotFound => {
            "check the tenant and that the Graph endpoint is the one of its cloud; the data in the replica is kept"
        }
        ErrorKind::ForeignLink => {
            "if the Graph endpoint was changed, set it back or start a full resync; otherwise tell who runs that host"
        }
        ErrorKind::Network => {
            "check name resolution, firewall, proxy and, if TLS is inspected on the way, ca_file"
        }
        ErrorKind::Garbled => "check whether a proxy or a captive portal answers in Graph's place",
        ErrorKind::Refused => match error.status? {
            501 => "this cloud does not offer this query or one of the selected properties",
            407 => "the proxy wants a user and a password: put them into the proxy URL",
            403 => {
                "this refusal does not come from Graph: look at the proxy or firewall in between"
            }
            300..=399 => {
                "something answers in Graph's place with a redirect: check endpoint and proxy"
            }
            400 => {
                "if this stays, start a full resync; if that fails the same way, report it with the request-id"
            }
            _ => return None,
        },
        ErrorKind::Settings
        | ErrorKind::Throttled
        | ErrorKind::Unavailable
        | ErrorKind::Expired
        | ErrorKind::PageExpired => return None,
    };
    Some(text.to_owned())
}

/// The least application permission of each operation (graph.md 2).
pub(super) fn permission_of(operation: &str) -> Option<&'static str> {
    match operation {
        "users/delta" => Some("User.Read.All"),
        "groups/delta" | "groups/members" => Some("GroupMember.Read.All"),
        "contacts/delta" => Some("OrgContact.Read.All"),
        "domains" => Some("Domain.Read.All"),
        "organization" => Some("Organization.Read.All"),
        _ => None,
    }
}

fn permission(operation: &str) -> String {
    let name = permission_of(operation).unwrap_or("Directory.Read.All");
    format!(
        "in the Entra portal, App registrations, API permissions: add the Microsoft Graph application permission \
         {name} (not the delegated one) and grant admin consent; a new grant can take some minutes to work"
    )
}

/// Codes of the token endpoint that mean something else where a user's password is checked
/// (graph.md 1.8).
fn user_sign_in(code: u32) -> Option<&'static str> {
    match code {
        65001 => Some(
            "grant admin consent to the application of user_binds for the delegated permissions openid and profile",
        ),
        7_000_218 => Some(
            "configure client_secret in [connection.user_binds], or with public_client = true set \"Allow public client flows\" of the application to yes",
        ),
        9_001_023 => Some(
            "the tenant must be its id or one of its verified domains, not common or consumers",
        ),
        70011 | 500_011 => Some("scope in [connection.user_binds] is none that Entra knows"),
        7_000_215 | 7_000_222 => Some(
            "the client secret is wrong or has expired: create a new one under Certificates & secrets and configure its Value",
        ),
        _ => None,
    }
}

/// Codes of the token endpoint (graph.md 1.8, 1.9).
fn credential(code: &str) -> Option<&'static str> {
    match code.strip_prefix("AADSTS").unwrap_or(code) {
        "7000215" => Some(
            "the client secret is wrong: configure the secret's Value as shown once at its creation, not its Secret ID",
        ),
        "7000222" => Some(
            "the client secret has expired: create a new one under Certificates & secrets and configure its Value",
        ),
        "700016" | "700038" => Some(
            "the application is not known in this tenant: check client_id (Application ID) and tenant",
        ),
        "90002" => Some(
            "the tenant is not known here: check the tenant id or domain, and that the authority is the one of its cloud",
        ),
        "900023" | "90013" => {
            Some("the tenant must be its id (GUID) or one of its verified domains")
        }
        "500011" => {
            Some("the Graph endpoint is not the one of this cloud: check endpoint and authority")
        }
        "700027" | "50012" => {
            Some("the application's certificate is not the one registered in Entra")
        }
        "7000218" => Some("the application got no client secret: configure client_secret"),
        "7000112" => Some(
            "the application is disabled in this tenant: enable its sign-in under Enterprise applications",
        ),
        "70011" => Some("the Graph endpoint is not a resource Entra knows: check endpoint"),
        "53003" => {
            Some("a Conditional Access policy for workload identities blocks the application")
        }
        "invalid_client" => Some("check client_id and client_secret"),
        _ => None,
    }
}
