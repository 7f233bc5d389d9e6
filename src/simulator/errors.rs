//! Refusals and their wire bodies (reference: documented codes and texts). Pure: no I/O, no clock.

use serde_json::{Value, json};

use super::knobs::StateLoss;

/// An answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: String,
    pub(super) message: String,
    /// A code that only the inner error has.
    pub(super) inner_code: Option<String>,
    pub(super) headers: Vec<(String, String)>,
}

impl Refusal {
    pub(super) fn new(status: u16, code: &str, message: &str) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
            inner_code: None,
            headers: Vec::new(),
        }
    }

    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn bad_request(message: &str) -> Self {
        Self::new(400, "Request_BadRequest", message)
    }

    pub(super) fn unsupported(message: &str) -> Self {
        Self::new(400, "Request_UnsupportedQuery", message)
    }

    pub(super) fn forbidden() -> Self {
        Self::new(
            403,
            "Authorization_RequestDenied",
            "Insufficient privileges to complete the operation.",
        )
    }

    pub(super) fn not_found(id: &str) -> Self {
        let text = format!(
            "Resource '{id}' does not exist or one of its queried reference-property objects are not present."
        );
        Self::new(404, "Request_ResourceNotFound", &text)
    }

    pub(super) fn not_implemented() -> Self {
        Self::new(501, "NotImplemented", "This operation target is not yet supported.")
    }

    pub(super) fn unauthorized(message: &str) -> Self {
        Self::new(401, "InvalidAuthenticationToken", message).with("www-authenticate", CHALLENGE)
    }

    /// Continuous access evaluation asks for a token with these claims.
    pub(super) fn claims_challenge() -> Self {
        let claims = super::cursor::base64url(
            br#"{"access_token":{"nbf":{"essential":true,"value":"1700000000"}}}"#,
        );
        let challenge = format!("{CHALLENGE}, error=\"insufficient_claims\", claims=\"{claims}\"");
        Self::new(
            401,
            "InvalidAuthenticationToken",
            "Continuous access evaluation resulted in challenge with result: InteractionRequired and code: TokenIssuedBeforeRevocationTimestamp",
        )
        .with("www-authenticate", &challenge)
    }

    pub(super) fn throttled(app: &str, tenant: &str) -> Self {
        Self::new(429, "TooManyRequests", "Please retry again later.")
            .with("x-ms-throttle-scope", &format!("Tenant_Application/ReadWrite/{app}/{tenant}"))
            .with("x-ms-throttle-information", "ResourceUnitLimitExceeded")
    }

    /// The general text of a server error.
    pub(super) fn server(status: u16) -> Self {
        let (code, message) = match status {
            500 => ("InternalServerError", "An internal server error occurred."),
            502 => ("BadGateway", "The upstream server answered wrongly."),
            503 => (
                "ServiceUnavailable",
                "The service is temporarily unavailable. Please retry later.",
            ),
            504 => ("GatewayTimeout", "The upstream server did not answer in time."),
            509 => ("BandwidthLimitExceeded", "The bandwidth cap has been exceeded."),
            _ => ("UnknownError", ""),
        };
        Self::new(status, code, message)
    }

    /// The death of a sync state; `restart` is where a new enumeration starts.
    pub(super) fn state_lost(loss: StateLoss, restart: &str) -> Self {
        const NOT_FOUND: &str = "The sync state generation is not found. The delta token is expired and data must be synchronized again.";
        const RESYNC: &str = "Resync required. Replace any local items with the server's version.";
        match loss {
            StateLoss::Gone => {
                Self::new(410, "syncStateNotFound", "The sync state generation is not found.")
                    .with("location", restart)
            }
            StateLoss::SyncStateNotFound(status) => {
                Self::new(status, "syncStateNotFound", NOT_FOUND)
            }
            StateLoss::ResyncRequired(status) => Self::new(status, "resyncRequired", RESYNC),
            StateLoss::ResyncNested(status) => {
                let mut refusal =
                    Self::new(status, "UnknownError", "The request could not be completed.");
                refusal.inner_code = Some("resyncRequired".to_owned());
                refusal
            }
            StateLoss::TooOld => {
                Self::unsupported("DeltaLink older than 30 days is not supported.")
            }
            StateLoss::PageExpired => Self::new(
                400,
                "Directory_ExpiredPageToken",
                "The specified page token value has expired and can no longer be included in your request.",
            ),
            StateLoss::PageNotFound => Self::new(
                400,
                "DirectoryPageTokenNotFoundException",
                "The specified page token was not found.",
            ),
            StateLoss::PascalNotFound(status) => Self::new(status, "SyncStateNotFound", NOT_FOUND),
            StateLoss::PascalInvalid(status) => {
                Self::new(status, "SyncStateInvalid", "The sync state is not valid.")
            }
        }
    }

    /// The wire body. `date` has no zone, as in the service.
    pub(super) fn body(&self, date: &str, request: &str, client: &str, lower: bool) -> Value {
        let mut inner = json!({"date": date, "request-id": request, "client-request-id": client});
        if let Some(fields) = inner.as_object_mut() {
            if self.status == 429 {
                fields.insert("code".into(), "429".into());
                fields.insert("status".into(), "429".into());
                fields.insert("message".into(), "Please retry after".into());
            }
            if let Some(code) = &self.inner_code {
                fields.insert("code".into(), code.as_str().into());
            }
        }
        let key = if lower { "innererror" } else { "innerError" };
        json!({"error": {"code": self.code, "message": self.message, key: inner}})
    }
}

const CHALLENGE: &str = "Bearer realm=\"\", authorization_uri=\"https://login.microsoftonline.com/common/oauth2/authorize\", client_id=\"00000003-0000-0000-c000-000000000000\"";
