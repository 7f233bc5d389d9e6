//! Reports by webhook: JSON, posted and signed.
//!
//! `X-Entraldap-Timestamp` is Unix time; `X-Entraldap-Signature` is `sha256=` and the
//! HMAC-SHA256, in hexadecimal, of the timestamp, a dot and the body: who knows the secret
//! can tell that the report is ours, and new.

use crate::config::Secret;
use crate::config::settings::WebhookSettings;
use crate::sync::report::Report;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Certificate;
use sha2::Sha256;
use std::time::{SystemTime, UNIX_EPOCH};

/// Posts a report.
///
/// # Errors
/// It was not taken; the text says why, without the URL, which may hold a secret.
pub(super) async fn send(settings: &WebhookSettings, report: &Report) -> Result<(), String> {
    let body = report.to_json().to_string();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    // Another provider may have been installed before; then that one serves.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .timeout(settings.timeout)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("entraldap/", env!("CARGO_PKG_VERSION")));
    if let Some(path) = &settings.ca_file {
        let pem = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let certificates = Certificate::from_pem_bundle(&pem)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        builder = builder.tls_certs_merge(certificates);
    }
    let client = builder.build().map_err(|error| cause(&error))?;
    let mut request = client
        .post(settings.url.clone())
        .header("Content-Type", "application/json")
        .header("X-Entraldap-Timestamp", now.to_string());
    if let Some(secret) = &settings.secret {
        let secret = secret.read().map_err(|error| error.to_string())?;
        request = request.header("X-Entraldap-Signature", signature(&secret, now, &body));
    }
    let response = request.body(body).send().await;
    let response = response.map_err(|error| cause(&error.without_url()))?;
    match response.status() {
        status if status.is_success() => Ok(()),
        status => Err(format!("answered {status}")),
    }
}

fn signature(secret: &Secret, now: u64, body: &str) -> String {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes()) else {
        return String::new();
    };
    mac.update(format!("{now}.{body}").as_bytes());
    let digest = mac.finalize().into_bytes();
    let hex: String = digest.iter().map(|octet| format!("{octet:02x}")).collect();
    format!("sha256={hex}")
}

fn cause(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_what_openssl_says() {
        // printf '17.{}' | openssl dgst -sha256 -hmac geheim
        assert_eq!(
            signature(&Secret::new("geheim"), 17, "{}"),
            "sha256=30147ffc5509934e5d0b5944f03aa528396a22f6f40a537cdb8463f20085ec61"
        );
    }
}
