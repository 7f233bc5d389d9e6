//! Signing in by code (RFC 8628), and the refresh tokens that come of it.

use std::collections::HashMap;

use serde_json::json;

use super::call::{Answer, Call};
use super::desk::{Desk, lock};
use super::query::Params;
use super::token::{No, plain, unknown_client};

/// How long a code can be entered.
const CODE_LIFE: u64 = 900;
/// How long a refresh token is good.
const REFRESH_LIFE: u64 = 90 * 86_400;
/// How often may be asked.
const INTERVAL: u64 = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answered {
    NotYet,
    Yes,
    No,
}

#[derive(Debug)]
struct Code {
    user_code: String,
    expires: u64,
    answered: Answered,
}

/// Codes and refresh tokens that have been given out.
#[derive(Debug, Default)]
pub(super) struct SignIns {
    codes: HashMap<String, Code>,
    /// Each with its end.
    refresh: HashMap<String, u64>,
    /// The code of the refusal that all earlier refresh tokens meet.
    revoked: Option<u32>,
}

/// Who signs in.
pub(super) const PERSON: &str = "admin@contoso.com";

/// Answers at the endpoint for codes.
pub(super) fn code(desk: &Desk, call: &Call) -> Answer {
    let form = Params::parse(&String::from_utf8_lossy(&call.body));
    let client = form.get("client_id").unwrap_or_default();
    if client != desk.options.client_id {
        return unknown_client(client).answer(desk);
    }
    if form.get("scope").is_none_or(str::is_empty) {
        let text = "The request body must contain the following parameter: 'scope'.";
        return No::new(400, "invalid_request", 900_144, text).answer(desk);
    }
    let device_code = desk.guid();
    let user_code: String = desk.guid().chars().filter(char::is_ascii_alphanumeric).take(9).collect();
    let user_code = user_code.to_uppercase();
    let expires = desk.now().saturating_add(CODE_LIFE);
    let entry = Code { user_code: user_code.clone(), expires, answered: Answered::NotYet };
    lock(&desk.sign_ins).codes.insert(device_code.clone(), entry);
    desk.arrivals.send_replace(());
    let page = "https://microsoft.com/devicelogin";
    plain(
        200,
        &json!({
            "user_code": user_code, "device_code": device_code, "verification_uri": page,
            "expires_in": CODE_LIFE, "interval": INTERVAL,
            "message": format!(
                "To sign in, use a web browser to open the page {page} and enter the code {user_code} to authenticate."),
        }),
    )
}

impl SignIns {
    /// Enters a code, or declines it. Says whether there was such a code.
    pub(super) fn enter(&mut self, user_code: &str, yes: bool) -> bool {
        let found = self.codes.values_mut().find(|code| code.user_code == user_code);
        found.is_some_and(|code| {
            code.answered = if yes { Answered::Yes } else { Answered::No };
            true
        })
    }

    /// The codes that nobody has answered.
    pub(super) fn open(&self) -> Vec<String> {
        let open = self.codes.values().filter(|code| code.answered == Answered::NotYet);
        open.map(|code| code.user_code.clone()).collect()
    }

    /// Refresh tokens given out so far are refused with this code.
    pub(super) fn revoke(&mut self, code: u32) {
        self.refresh.clear();
        self.revoked = Some(code);
    }

    /// Redeems a device code.
    pub(super) fn redeem_code(&mut self, device_code: &str, now: u64) -> Result<(), No> {
        let invalid = |error, code, text: &str| Err(No::new(400, error, code, text));
        let Some(code) = self.codes.get(device_code) else {
            let text = "Invalid verification code due to User typing in wrong user code.";
            return invalid("bad_verification_code", 70_018, text);
        };
        if code.expires <= now {
            return invalid("expired_token", 70_019, "Verification code expired.");
        }
        match code.answered {
            Answered::Yes => {
                self.codes.remove(device_code);
                Ok(())
            }
            Answered::No => {
                invalid("authorization_declined", 70_000, "The user declined the authorization.")
            }
            Answered::NotYet => {
                let text = "OAuth 2.0 device flow error. Authorization is pending. Continue polling.";
                invalid("authorization_pending", 70_016, text)
            }
        }
    }

    /// Redeems a refresh token, which stays good.
    pub(super) fn redeem(&self, token: &str, now: u64) -> Result<(), No> {
        let invalid = |code, text: &str| Err(No::new(400, "invalid_grant", code, text));
        match (self.refresh.get(token), self.revoked) {
            (Some(end), _) if *end > now => Ok(()),
            (Some(_), _) => {
                invalid(700_082, "The refresh token has expired due to inactivity.")
            }
            (None, Some(50_173)) => {
                let text = "The provided grant has expired due to it being revoked, a fresh auth token is needed.";
                invalid(50_173, text)
            }
            (None, Some(code)) => invalid(code, "The refresh token is not valid any more."),
            (None, None) => invalid(9_002_313, "Invalid request. Request is malformed or invalid."),
        }
    }

    /// The refresh tokens that are good.
    pub(super) fn tokens(&self) -> Vec<String> {
        self.refresh.keys().cloned().collect()
    }

    /// Gives out a refresh token.
    pub(super) fn give(&mut self, token: String, now: u64) {
        self.refresh.insert(token, now.saturating_add(REFRESH_LIFE));
    }
}
