//! The token endpoint: who proves what, the tokens given out, and the refusals of Entra.

use serde_json::{Value, json};

use super::assertion::{Bench, judge};
use super::call::{Answer, Call};
use super::cursor::{base64url, from_base64url};
use super::desk::{Desk, lock};
use super::device::PERSON;
use super::errors::Refusal;
use super::faults::TokenFault;
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
pub(super) struct No {
    status: u16,
    error: &'static str,
    code: u32,
    text: String,
}

impl No {
    pub(super) fn new(status: u16, error: &'static str, code: u32, text: impl Into<String>) -> Self {
        Self { status, error, code, text: text.into() }
    }

    pub(super) fn answer(&self, desk: &Desk) -> Answer {
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
    match granted(desk, call, tenant) {
        Err(no) => no.answer(desk),
        Ok(grant) => success(desk, &grant, fault),
    }
}

/// What a token is given out for.
struct Grant {
    resource: String,
    /// Who has signed in, where the application does not act for itself.
    person: Option<String>,
}

/// An access token that has been given out.
pub(super) struct AccessToken {
    pub(super) text: String,
    /// Seconds since 1970.
    pub(super) expiry: u64,
    lifetime: u64,
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

/// Checks a request; answers what the token is for.
fn granted(desk: &Desk, call: &Call, tenant: &str) -> Result<Grant, No> {
    let form = Params::parse(&String::from_utf8_lossy(&call.body));
    if !is_tenant(desk, tenant) {
        return Err(unknown_tenant(tenant));
    }
    let now = desk.now();
    match form.get("grant_type").unwrap_or_default() {
        "client_credentials" => {
            let client = client(desk, call, &form)?;
            let resource = resource(call, &form)?;
            prove(desk, call, &form, client, tenant)?;
            Ok(Grant { resource, person: None })
        }
        "refresh_token" => {
            client(desk, call, &form)?;
            check_public(desk)?;
            let resource = resource(call, &form)?;
            let token = form.get("refresh_token").unwrap_or_default();
            lock(&desk.sign_ins).redeem(token, now)?;
            Ok(Grant { resource, person: Some(PERSON.to_owned()) })
        }
        "urn:ietf:params:oauth:grant-type:device_code" => {
            client(desk, call, &form)?;
            check_public(desk)?;
            let code = form.get("device_code").unwrap_or_default();
            lock(&desk.sign_ins).redeem_code(code, now)?;
            Ok(Grant { resource: call.root.clone(), person: Some(PERSON.to_owned()) })
        }
        _ => {
            let text = "The app requested an unsupported grant type.";
            Err(No::new(400, "unsupported_grant_type", 70_003, text))
        }
    }
}

/// Id and secret of the application, as far as they are told.
fn client(desk: &Desk, call: &Call, form: &Params) -> Result<(String, String), No> {
    let (id, secret) = match basic(call) {
        Some(pair) => pair,
        None => (
            form.get("client_id").unwrap_or_default().to_owned(),
            form.get("client_secret").map(str::to_owned).unwrap_or_default(),
        ),
    };
    if id == desk.options.client_id { Ok((id, secret)) } else { Err(unknown_client(&id)) }
}

/// An application that people sign in with proves nothing, if that is allowed.
fn check_public(desk: &Desk) -> Result<(), No> {
    if desk.options.public_client { Ok(()) } else { Err(nothing_proved()) }
}

fn resource(call: &Call, form: &Params) -> Result<String, No> {
    let scope = form.get("scope").unwrap_or_default();
    let scope = scope.split(' ').find(|one| *one != "offline_access").unwrap_or_default();
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
    match is_graph(resource, call) {
        true => Ok(resource.to_owned()),
        false => Err(unknown_resource(resource)),
    }
}

/// Whether a resource is a Graph root, this one among them.
pub(super) fn is_graph(resource: &str, call: &Call) -> bool {
    ROOTS.contains(&resource) || resource == call.root
}

fn nothing_proved() -> No {
    let text = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.";
    No::new(401, "invalid_client", 7_000_218, text)
}

/// Whether the application has proved itself.
fn prove(
    desk: &Desk,
    call: &Call,
    form: &Params,
    (id, secret): (String, String),
    tenant: &str,
) -> Result<(), No> {
    if let Some(assertion) = form.get("client_assertion") {
        let kind = form.get("client_assertion_type");
        if kind != Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer") {
            let text = "The client assertion type is not supported.";
            return Err(No::new(400, "invalid_request", 900_144, text));
        }
        let audience = |tenant: &str| format!("{}/{tenant}/oauth2/v2.0/token", call.root);
        let certificates = lock(&desk.certificates).clone();
        let bench = Bench {
            client_id: &id,
            audiences: &[audience(tenant), audience(&desk.options.tenant_id)],
            now: desk.now(),
            certificates: &certificates,
            thumbprint: desk.knobs().thumbprint,
            federations: &desk.options.federations,
        };
        return judge(&bench, assertion);
    }
    if secret.is_empty() {
        return Err(nothing_proved());
    }
    if lock(&desk.secrets).contains(&secret) { Ok(()) } else { Err(wrong_secret(&id)) }
}

fn is_tenant(desk: &Desk, name: &str) -> bool {
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

/// Gives out a token for an application, or where a person is named for that person.
pub(super) fn access_token(desk: &Desk, resource: &str, person: Option<&str>) -> AccessToken {
    make(desk, resource, person, None)
}

fn make(
    desk: &Desk,
    resource: &str,
    person: Option<&str>,
    fault: Option<&TokenFault>,
) -> AccessToken {
    let lifetime = match fault {
        Some(TokenFault::Lifetime(seconds)) => *seconds,
        _ => desk.options.token_lifetime.as_secs(),
    };
    let now = desk.now();
    let expiry = now.saturating_add(lifetime);
    let text = jwt(desk, resource, person, now, expiry);
    if fault != Some(&TokenFault::DeadToken) {
        desk.remember_token(text.clone(), expiry);
    }
    AccessToken { text, expiry, lifetime }
}

fn success(desk: &Desk, grant: &Grant, fault: Option<&TokenFault>) -> Answer {
    let made = make(desk, &grant.resource, grant.person.as_deref(), fault);
    let AccessToken { text: token, expiry, lifetime } = made;
    if grant.person.is_some() {
        let refresh = format!("refresh-{}", desk.guid());
        lock(&desk.sign_ins).give(refresh.clone(), desk.now());
        let body = json!({"token_type": "Bearer", "scope": lock(&desk.roles).join(" "), "expires_in": lifetime,
                          "ext_expires_in": lifetime, "access_token": token, "refresh_token": refresh});
        return plain(200, &body);
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
fn jwt(desk: &Desk, resource: &str, person: Option<&str>, now: u64, expiry: u64) -> String {
    let roles = lock(&desk.roles).clone();
    let tenant = &desk.options.tenant_id;
    let header = json!({"typ": "JWT", "alg": "RS256", "kid": "simulated"});
    let mut claims = json!({
        "aud": resource, "iss": format!("https://sts.windows.net/{tenant}/"), "iat": now, "nbf": now, "exp": expiry,
        "appid": desk.options.client_id, "idtyp": "app", "tid": tenant, "ver": "1.0", "uti": desk.guid()
    });
    if let Some(claims) = claims.as_object_mut() {
        match person {
            Some(person) => {
                claims.insert("idtyp".to_owned(), "user".into());
                claims.insert("scp".to_owned(), roles.join(" ").into());
                claims.insert("upn".to_owned(), person.into());
            }
            // Without a grant the claim is absent, not empty.
            None if roles.is_empty() => {}
            None => drop(claims.insert("roles".to_owned(), roles.into())),
        }
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

/// What anybody may know of a tenant (OpenID Connect Discovery 1.0, 4).
pub(super) fn discovery(desk: &Desk, call: &Call, tenant: &str) -> Answer {
    if !is_tenant(desk, tenant) {
        return unknown_tenant(tenant).answer(desk);
    }
    let host = call.root.split("://").nth(1).and_then(|rest| rest.split(':').next());
    let knobs = desk.knobs();
    let graph = knobs.graph_host.as_deref().or(host);
    plain(
        200,
        &json!({
            "token_endpoint": format!("{}/{tenant}/oauth2/v2.0/token", call.root),
            "issuer": format!("{}/{}/v2.0", call.root, desk.options.tenant_id),
            "tenant_region_scope": "EU", "cloud_instance_name": "microsoftonline.com",
            "msgraph_host": graph,
        }),
    )
}

/// The application itself: when its secrets end.
pub(super) fn application(desk: &Desk, segment: &str) -> Result<Value, Refusal> {
    if !segment.contains(&desk.options.client_id) {
        return Err(Refusal::not_found(segment));
    }
    let ends = stamp(desk.options.secret_ends, "%Y-%m-%dT%H:%M:%SZ");
    let secrets: Vec<Value> = lock(&desk.secrets)
        .iter()
        .map(|secret| {
            let hint: String = secret.chars().take(3).collect();
            json!({ "hint": hint, "endDateTime": ends, "secretText": null })
        })
        .collect();
    Ok(json!({ "passwordCredentials": secrets }))
}

/// A moment in seconds since 1970 as text.
pub(super) fn stamp(seconds: u64, format: &str) -> String {
    let moment =
        i64::try_from(seconds).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    moment.map(|moment| moment.strftime(format).to_string()).unwrap_or_default()
}

pub(super) fn plain(status: u16, body: &Value) -> Answer {
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

pub(super) fn unknown_client(app: &str) -> No {
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
