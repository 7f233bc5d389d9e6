//! The token endpoint: client credentials with a secret, and the refusals of Entra.

use serde_json::{Value, json};

use super::call::{Answer, Call};
use super::cursor::{base64url, from_base64url};
use super::desk::{Desk, lock};
use super::errors::Refusal;
use super::faults::TokenFault;
use super::passwords;
use super::query::Params;

const GRAPH: &str = "00000003-0000-0000-c000-000000000000";
const ROOTS: &[&str] = &[
    "https://graph.microsoft.com",
    "https://graph.microsoft.us",
    "https://dod-graph.microsoft.us",
    "https://microsoftgraph.chinacloudapi.cn",
    GRAPH,
];

/// A refusal of the token endpoint.
struct No {
    status: u16,
    error: &'static str,
    code: u32,
    text: String,
}

impl No {
    fn new(status: u16, error: &'static str, code: u32, text: impl Into<String>) -> Self {
        Self { status, error, code, text: text.into() }
    }

    fn answer(&self, desk: &Desk) -> Answer {
        let stamp = stamp(desk.now(), "%Y-%m-%d %H:%M:%SZ");
        let (trace, correlation) = (desk.guid(), desk.guid());
        let mut body = json!({
            "error": self.error,
            "error_description": format!(
                "AADSTS{}: {} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {stamp}", self.code, self.text),
            "error_codes": [self.code], "timestamp": stamp, "trace_id": trace, "correlation_id": correlation
        });
        // The two codes were seen without it.
        if !matches!(self.code, 700_038 | 70_003)
            && let Some(body) = body.as_object_mut()
        {
            let uri = format!("https://login.microsoftonline.com/error?code={}", self.code);
            body.insert("error_uri".to_owned(), uri.into());
        }
        plain(self.status, &body)
    }
}

/// Answers a request at the token endpoint.
pub(super) fn issue(desk: &Desk, call: &Call, tenant: &str, fault: Option<&TokenFault>) -> Answer {
    if call.method != "POST" {
        return No::new(
            405,
            "invalid_request",
            900_561,
            "The endpoint only accepts POST requests.",
        )
        .answer(desk);
    }
    if let Some(no) = fault.and_then(|fault| faulted(desk, fault)) {
        return no.answer(desk);
    }
    if let Some(answer) = passwords::grant(desk, call, tenant) {
        return answer;
    }
    match granted(desk, call, tenant) {
        Err(no) => no.answer(desk),
        Ok(resource) => success(desk, &resource, fault),
    }
}

/// The body of a trouble of the service at this endpoint.
pub(super) fn trouble(desk: &Desk, status: u16) -> Answer {
    let text = "A transient error has occurred. Please try again.";
    No::new(status, "temporarily_unavailable", 90_033, text).answer(desk)
}

fn faulted(desk: &Desk, fault: &TokenFault) -> Option<No> {
    let app = &desk.options.client_id;
    Some(match fault {
        TokenFault::WrongSecret => wrong_secret(app),
        TokenFault::ExpiredSecret => No::new(
            401,
            "invalid_client",
            7_000_222,
            format!("The provided client secret keys for app '{app}' are expired."),
        ),
        TokenFault::UnknownClient => unknown_client(app),
        TokenFault::InvalidClientId => No::new(
            400,
            "unauthorized_client",
            700_038,
            format!("{app} is not a valid application identifier."),
        ),
        TokenFault::UnknownResource => unknown_resource("https://graph.microsoft.com"),
        TokenFault::UnknownTenant => unknown_tenant(&desk.options.tenant_id),
        TokenFault::NotJson
        | TokenFault::StringExpiry
        | TokenFault::Lifetime(_)
        | TokenFault::DeadToken => return None,
    })
}

/// Checks a request; answers the resource the token is for.
fn granted(desk: &Desk, call: &Call, tenant: &str) -> Result<String, No> {
    let form = Params::parse(&String::from_utf8_lossy(&call.body));
    if !is_tenant(desk, tenant) {
        return Err(unknown_tenant(tenant));
    }
    if form.get("grant_type") != Some("client_credentials") {
        return Err(No::new(
            400,
            "unsupported_grant_type",
            70_003,
            "The app requested an unsupported grant type.",
        ));
    }
    let (id, secret) = match basic(call) {
        Some(pair) => pair,
        None => (
            form.get("client_id").unwrap_or_default().to_owned(),
            form.get("client_secret").map(str::to_owned).unwrap_or_default(),
        ),
    };
    if id != desk.options.client_id {
        return Err(unknown_client(&id));
    }
    let scope = form.get("scope").unwrap_or_default();
    let Some(resource) = scope.strip_suffix("/.default") else {
        return Err(No::new(
            400,
            "invalid_scope",
            70_011,
            format!(
                "The provided value for the input parameter 'scope' is not valid. The scope {scope} is not valid."
            ),
        ));
    };
    if !ROOTS.contains(&resource) && resource != call.root {
        return Err(unknown_resource(resource));
    }
    if secret.is_empty() {
        let text = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.";
        return Err(No::new(401, "invalid_client", 7_000_218, text));
    }
    if secret != *lock(&desk.secret) {
        return Err(wrong_secret(&id));
    }
    Ok(resource.to_owned())
}

pub(super) fn is_tenant(desk: &Desk, name: &str) -> bool {
    let known = |domain: &Value| {
        domain.get("isVerified") == Some(&Value::Bool(true))
            && domain.get("id").and_then(Value::as_str) == Some(name)
    };
    name.eq_ignore_ascii_case(&desk.options.tenant_id)
        || lock(&desk.tenant).domains().iter().any(known)
}

/// HTTP Basic (RFC 6749 section 2.3.1): both parts are form-encoded.
fn basic(call: &Call) -> Option<(String, String)> {
    let text = call.header("authorization")?.strip_prefix("Basic ")?;
    let url_safe = text.trim_end_matches('=').replace('+', "-").replace('/', "_");
    let plain = String::from_utf8(from_base64url(&url_safe)?).ok()?;
    let (id, secret) = plain.split_once(':')?;
    let decode = |part: &str| {
        url::form_urlencoded::parse(part.as_bytes())
            .next()
            .map(|(name, _)| name.into_owned())
            .unwrap_or_default()
    };
    Some((decode(id), decode(secret)))
}

fn success(desk: &Desk, resource: &str, fault: Option<&TokenFault>) -> Answer {
    let lifetime = match fault {
        Some(TokenFault::Lifetime(seconds)) => *seconds,
        _ => desk.options.token_lifetime.as_secs(),
    };
    let now = desk.now();
    let expiry = now.saturating_add(lifetime);
    let token = jwt(desk, resource, now, expiry);
    if fault != Some(&TokenFault::DeadToken) {
        desk.remember_token(token.clone(), expiry);
    }
    match fault {
        Some(TokenFault::NotJson) => {
            Answer::new(200, "text/html", "<html><body>Sign in to your account</body></html>")
        }
        Some(TokenFault::StringExpiry) => plain(
            200,
            &json!({"token_type": "Bearer", "expires_in": lifetime.to_string(), "ext_expires_in": lifetime.to_string(),
                    "expires_on": expiry.to_string(), "access_token": token}),
        ),
        _ => plain(
            200,
            &json!({"token_type": "Bearer", "expires_in": lifetime, "ext_expires_in": lifetime, "access_token": token}),
        ),
    }
}

/// A token with the claims clients read; the signature is noise.
fn jwt(desk: &Desk, resource: &str, now: u64, expiry: u64) -> String {
    let roles = lock(&desk.roles).clone();
    let tenant = &desk.options.tenant_id;
    let header = json!({"typ": "JWT", "alg": "RS256", "kid": "simulated"});
    let mut claims = json!({
        "aud": resource, "iss": format!("https://sts.windows.net/{tenant}/"), "iat": now, "nbf": now, "exp": expiry,
        "appid": desk.options.client_id, "idtyp": "app", "tid": tenant, "ver": "1.0", "uti": desk.guid()
    });
    // Without a grant the claim is absent, not empty.
    if !roles.is_empty()
        && let Some(claims) = claims.as_object_mut()
    {
        claims.insert("roles".to_owned(), roles.into());
    }
    let noise: Vec<u8> = (0..32).flat_map(|_| desk.nonce().to_be_bytes()).collect();
    [header.to_string().as_bytes(), claims.to_string().as_bytes(), &noise].map(base64url).join(".")
}

/// Checks the bearer token of a Graph request.
pub(super) fn check(desk: &Desk, call: &Call) -> Result<(), Refusal> {
    let token =
        call.header("authorization").and_then(|value| value.strip_prefix("Bearer ")).map(str::trim);
    match token {
        None | Some("") => Err(Refusal::unauthorized("Access token is empty.")),
        Some(token) => match desk.token_expiry(token) {
            None => Err(Refusal::unauthorized("Access token validation failure. Invalid token.")),
            Some(expiry) if expiry <= desk.now() => {
                Err(Refusal::unauthorized("Lifetime validation failed, the token is expired."))
            }
            Some(_) => Ok(()),
        },
    }
}

/// A moment in seconds since 1970 as text.
pub(super) fn stamp(seconds: u64, format: &str) -> String {
    let moment =
        i64::try_from(seconds).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    moment.map(|moment| moment.strftime(format).to_string()).unwrap_or_default()
}

fn plain(status: u16, body: &Value) -> Answer {
    let mut answer = Answer::new(status, "application/json; charset=utf-8", body.to_string());
    answer.headers.push(("cache-control".to_owned(), "no-store, no-cache".to_owned()));
    answer
}

fn wrong_secret(app: &str) -> No {
    No::new(
        401,
        "invalid_client",
        7_000_215,
        format!(
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{app}'."
        ),
    )
}

fn unknown_client(app: &str) -> No {
    No::new(
        400,
        "unauthorized_client",
        700_016,
        format!(
            "Application with identifier '{app}' was not found in the directory. This can happen if the application has not been installed by the administrator of the tenant."
        ),
    )
}

fn unknown_resource(resource: &str) -> No {
    No::new(
        400,
        "invalid_resource",
        500_011,
        format!("The resource principal named {resource} was not found in the tenant."),
    )
}

fn unknown_tenant(tenant: &str) -> No {
    No::new(
        400,
        "invalid_request",
        90_002,
        format!(
            "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud."
        ),
    )
}
