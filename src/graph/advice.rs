//! What an administrator should do about a failure. Pure: no I/O, no clock.

use super::aadsts::{self, Meaning};
use super::auth::OPERATION;
use super::error::{Access, ErrorKind, GraphError};
use super::sign_in;

/// A sentence for a person at 3 a.m., where the cause is known well enough to give one.
pub(super) fn advice(error: &GraphError) -> Option<String> {
    let text = match error.kind {
        ErrorKind::Permission => return Some(permission(&error.operation, error.access)),
        ErrorKind::Credential if error.operation.as_ref() == sign_in::OPERATION => {
            let told = error.aadsts().and_then(user_sign_in).map(str::to_owned);
            return told.or_else(|| explained(error));
        }
        ErrorKind::Credential if error.access == Access::Machine => {
            "give this machine an identity (portal: Identity > Status: On, or User assigned > Add) and check that \
             managed_identity names it"
        }
        ErrorKind::Network | ErrorKind::Unavailable | ErrorKind::NotFound
            if error.access == Access::Machine && &*error.operation == OPERATION =>
        {
            "the token service of this machine does not answer: check managed_identity.host, and that this machine is in \
             Azure or runs Azure's agent"
        }
        ErrorKind::Credential => return explained(error),
        // The message says what to do, behind a semicolon.
        ErrorKind::Secret => return None,
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

/// What the code means. A machine's own token service has words of its own.
pub(super) fn meaning(error: &GraphError) -> Option<Meaning> {
    let code = error.code.as_deref().filter(|_| error.access != Access::Machine)?;
    aadsts::meaning_for(code, error.access)
}

/// What the code means, and what to do.
fn explained(error: &GraphError) -> Option<String> {
    let meaning = meaning(error)?;
    Some(format!("{}: {}", meaning.cause, meaning.remedy))
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
        _ => None,
    }
}

/// The same without what it means.
pub(super) fn remedy(error: &GraphError) -> Option<String> {
    match error.kind {
        ErrorKind::Credential if error.access != Access::Machine => {
            meaning(error).map(|meaning| meaning.remedy.to_owned())
        }
        ErrorKind::Secret => error.message.split_once("; ").map(|(_, remedy)| remedy.to_owned()),
        _ => advice(error),
    }
}

/// The least application permission of each operation (graph.md 2).
fn permission_of(operation: &str) -> Option<&'static str> {
    match operation {
        "users/delta" => Some("User.Read.All"),
        "groups/delta" | "groups/members" => Some("GroupMember.Read.All"),
        "contacts/delta" => Some("OrgContact.Read.All"),
        "domains" => Some("Domain.Read.All"),
        "organization" => Some("Organization.Read.All"),
        _ => None,
    }
}

fn permission(operation: &str, access: Access) -> String {
    let name = permission_of(operation).unwrap_or("Directory.Read.All");
    match access {
        Access::Application | Access::Federated => format!(
            "in the Entra portal, App registrations, API permissions: add the Microsoft Graph application permission \
             {name} (not the delegated one) and grant admin consent; a new grant can take some minutes to work"
        ),
        Access::Machine => format!(
            "assign the app role {name} of Microsoft Graph to the managed identity (the portal cannot: use New-MgServicePrincipalAppRoleAssignment \
             or az rest); tokens that the machine holds keep their old rights for up to a day"
        ),
        Access::Person => format!(
            "in the Entra portal, App registrations, API permissions: add the Microsoft Graph delegated permission \
             {name} and grant consent; and the person who signed in needs a role that may read the directory, such as Directory Readers"
        ),
    }
}
