//! Passwords of users at the token endpoint (`grant_type=password`), with smart lockout and the
//! refusals of Entra.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde_json::{Value, json};

use super::call::{Answer, Call};
use super::desk::{Desk, lock};
use super::query::Params;
use super::rng::hash;
use super::token::stamp;

const GRAPH: &str = "00000003-0000-0000-c000-000000000000";
/// So many distinct wrong passwords lock a user out.
const LOCKS: usize = 10;
const LOCKED: Duration = Duration::from_secs(60);

/// What becomes of a user who signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignIn {
    /// The password is enough.
    Plain,
    /// 50076: a second factor is wanted; `invalid_grant` with a suberror.
    SecondFactor,
    /// 50076 in its other shape: `interaction_required` with claims.
    SecondFactorClaims,
    /// 50079: a second factor must be set up.
    MustEnrol,
    /// 53003: a policy of Conditional Access.
    ConditionalAccess,
    /// 50158: somebody else's second factor.
    External,
    /// 50105: not assigned to the application.
    Unassigned,
    /// 65001: nobody has consented.
    NoConsent,
    /// 50055: the password has expired.
    Expired,
    /// 50144: it has expired in Active Directory.
    ExpiredOnPremises,
    /// 50053: locked by somebody.
    Locked,
    /// 50057: the account is disabled.
    Disabled,
    /// 50056: another identity provider has the password.
    Federated,
    /// 80012: not at this hour.
    Hours,
    /// 80002: the pass-through agent does not answer.
    AgentTrouble,
    /// 50196: asked too often.
    Loop,
    /// Any other code, with `interaction_required` or without.
    Code(u32, bool),
}

/// Who has which password.
#[derive(Debug, Default)]
pub(super) struct Passwords {
    accounts: HashMap<String, Account>,
    /// Whether the application may go without a secret.
    pub(super) public_client: bool,
}

#[derive(Debug)]
struct Account {
    password: String,
    state: SignIn,
    /// Distinct wrong passwords since the last right one.
    wrong: HashSet<u64>,
    locked_until: u64,
}

impl Passwords {
    pub(super) fn set(&mut self, name: &str, password: &str, state: SignIn) {
        let password = password.to_owned();
        let account = Account { password, state, wrong: HashSet::new(), locked_until: 0 };
        self.accounts.insert(name.to_lowercase(), account);
    }
}

/// A refusal: status, error, code, text, and what stands beside it.
struct No(u16, &'static str, u32, String, Option<(&'static str, String)>);

impl No {
    fn new(error: &'static str, code: u32, text: &str) -> Self {
        No(400, error, code, text.to_owned(), None)
    }

    fn grant(code: u32, text: &str) -> Self {
        Self::new("invalid_grant", code, text)
    }

    fn with(mut self, key: &'static str, value: &str) -> Self {
        self.4 = Some((key, value.to_owned()));
        self
    }

    fn answer(self, desk: &Desk) -> Answer {
        let No(status, error, code, text, more) = self;
        let time = stamp(desk.now(), "%Y-%m-%d %H:%M:%SZ");
        let (trace, correlation) = (desk.guid(), desk.guid());
        let mut body = json!({
            "error": error,
            "error_description": format!(
                "AADSTS{code}: {text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {time}"),
            "error_codes": [code], "timestamp": time, "trace_id": trace, "correlation_id": correlation,
            "error_uri": format!("https://login.microsoftonline.com/error?code={code}")
        });
        if let (Some((key, value)), Some(body)) = (more, body.as_object_mut()) {
            body.insert(key.to_owned(), value.into());
        }
        plain(status, &body)
    }
}

fn plain(status: u16, body: &Value) -> Answer {
    let mut answer = Answer::new(status, "application/json; charset=utf-8", body.to_string());
    answer.headers.push(("cache-control".to_owned(), "no-store, no-cache".to_owned()));
    answer
}

/// Answers a password grant; `None`: the request is another one.
pub(super) fn grant(desk: &Desk, call: &Call, tenant: &str) -> Option<Answer> {
    let form = Params::parse(&String::from_utf8_lossy(&call.body));
    if form.get("grant_type") != Some("password") {
        return None;
    }
    lock(&desk.journal).count_sign_in();
    Some(match checked(desk, call, &form, tenant) {
        Ok(()) => plain(
            200,
            &json!({"token_type": "Bearer", "scope": form.get("scope"), "expires_in": 3600,
                    "ext_expires_in": 3600, "access_token": format!("eyJ0.{}", desk.guid()),
                    "id_token": format!("eyJ0.{}", desk.guid())}),
        ),
        Err(no) => no.answer(desk),
    })
}

fn checked(desk: &Desk, call: &Call, form: &Params, tenant: &str) -> Result<(), No> {
    application(desk, call, form, tenant)?;
    let name = form.get("username").unwrap_or_default().to_lowercase();
    let given = form.get("password").unwrap_or_default();
    let disabled = lock(&desk.tenant).is_disabled(&name);
    let now = desk.now();
    let passwords = &mut *lock(&desk.passwords);
    let wrong = "Error validating credentials due to invalid username or password.";
    let Some(account) = passwords.accounts.get_mut(&name) else {
        let text = format!(
            "The user account {name} does not exist in the {tenant} directory. To sign into this application, the account must be added to the directory."
        );
        return Err(No::grant(50034, &text));
    };
    let locked = "The account is locked, you've tried to sign in too many times with an incorrect user ID or password.";
    if account.state == SignIn::Locked || account.locked_until > now {
        return Err(No::grant(50053, locked));
    }
    if account.state == SignIn::Federated {
        let text =
            "Invalid or null password: password does not exist in the directory for this user.";
        return Err(No::grant(50056, text));
    }
    if account.state == SignIn::Disabled || disabled {
        return Err(No::grant(50057, "The user account is disabled."));
    }
    if account.state == SignIn::AgentTrouble {
        let text = "The Authentication Agent's password validation request timed out.";
        return Err(No::grant(80002, text));
    }
    if account.state == SignIn::Loop {
        return Err(No::grant(
            50196,
            "The server terminated an operation because it encountered a client request loop. Please contact your app vendor.",
        ));
    }
    if account.password != given {
        account.wrong.insert(hash(given.as_bytes()));
        if account.wrong.len() >= LOCKS {
            account.wrong.clear();
            account.locked_until = now.saturating_add(LOCKED.as_secs());
        }
        return Err(No::grant(50126, wrong));
    }
    account.wrong.clear();
    further(account.state)
}

/// What is wrong though the password is right.
fn further(state: SignIn) -> Result<(), No> {
    let factor = format!(
        "Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication to access '{GRAPH}'."
    );
    let basic = |code, text: &str| No::grant(code, text).with("suberror", "basic_action");
    Err(match state {
        SignIn::SecondFactor => basic(50076, &factor),
        SignIn::SecondFactorClaims => No::new("interaction_required", 50076, &factor)
            .with("claims", r#"{"access_token":{"capolids":{"essential":true,"values":["8f0c"]}}}"#),
        SignIn::MustEnrol => basic(
            50079,
            "Due to a configuration change made by your administrator, or because you moved to a new location, you must enroll in multi-factor authentication to access the resource.",
        ),
        SignIn::ConditionalAccess => No::new(
            "interaction_required",
            53003,
            "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.",
        ),
        SignIn::External => basic(50158, "External security challenge was not satisfied."),
        SignIn::Unassigned => No::grant(
            50105,
            "Your administrator has configured the application to block users unless they are specifically granted ('assigned') access to the application.",
        ),
        SignIn::NoConsent => No::grant(
            65001,
            "The user or administrator has not consented to use the application. Send an interactive authorization request for this user and resource.",
        )
        .with("suberror", "consent_required"),
        SignIn::Expired => No::grant(50055, "The password is expired."),
        SignIn::ExpiredOnPremises => {
            No::grant(50144, "The user's Active Directory password has expired.")
        }
        SignIn::Hours => No::grant(
            80012,
            "The user attempted to log on outside of the allowed hours (this is specified in AD).",
        ),
        SignIn::Code(code, true) => No::new("interaction_required", code, "Something is wanted."),
        SignIn::Code(code, false) => No::grant(code, "Something is wrong."),
        SignIn::Plain
        | SignIn::Locked
        | SignIn::Disabled
        | SignIn::Federated
        | SignIn::AgentTrouble
        | SignIn::Loop => return Ok(()),
    })
}

/// The tenant and the application, before any user.
fn application(desk: &Desk, call: &Call, form: &Params, tenant: &str) -> Result<(), No> {
    if matches!(tenant, "common" | "consumers") {
        let text = format!(
            "The grant type is not supported over the /common or /consumers endpoints. Please use the /organizations or tenant-specific endpoint. ({tenant})"
        );
        return Err(No::new("invalid_request", 9_001_023, &text));
    }
    if tenant != "organizations" && !super::token::is_tenant(desk, tenant) {
        return Err(No::new("invalid_request", 90002, &format!("Tenant '{tenant}' not found.")));
    }
    let id = form.get("client_id").unwrap_or_default();
    if id != desk.options.client_id {
        let text = format!("Application with identifier '{id}' was not found in the directory.");
        return Err(No::new("unauthorized_client", 700_016, &text));
    }
    if form.get("client_assertion").is_some() {
        let proved = super::token::prove(desk, call, form, (id.to_owned(), String::new()), tenant);
        proved.map_err(|no| No(no.status, no.error, no.code, no.text, None))?;
    }
    let refused = |code, text: &str| No(401, "invalid_client", code, text.to_owned(), None);
    match form.get("client_secret") {
        None if form.get("client_assertion").is_some() => {}
        None if lock(&desk.passwords).public_client => {}
        None => {
            let text = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.";
            return Err(refused(7_000_218, text));
        }
        Some(secret) if !lock(&desk.secrets).iter().any(|known| known == secret) => {
            let text = format!(
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{id}'."
            );
            return Err(refused(7_000_215, &text));
        }
        Some(_) => {}
    }
    if form.get("scope").unwrap_or_default().is_empty() {
        let text = "The request body must contain the following parameter: 'scope'.";
        return Err(No::new("invalid_request", 900_144, text));
    }
    Ok(())
}
