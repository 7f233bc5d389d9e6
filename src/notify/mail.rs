//! Reports by mail: plain text and HTML, over SMTP with STARTTLS or TLS and login.

use crate::config::settings::{MailSettings, Security};
use crate::sync::report::{Reason, Report};
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use std::fmt::Write;

/// Sends a report to all recipients.
///
/// # Errors
/// The mail server did not take it; the text says why.
pub(super) async fn send(settings: &MailSettings, report: &Report) -> Result<(), String> {
    let message = message(settings, report)?;
    let mut builder =
        AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(settings.host.as_str())
            .port(settings.port)
            .timeout(Some(settings.timeout))
            .tls(tls(settings)?);
    if let (Some(user), Some(password)) = (&settings.user, &settings.password) {
        // Read at each use: a rotated password is picked up.
        let password = password.read().map_err(|error| error.to_string())?;
        builder = builder.credentials(Credentials::new(user.clone(), password.reveal().to_owned()));
    }
    let sent = tokio::time::timeout(settings.timeout, builder.build().send(message)).await;
    match sent {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(chain(&error)),
        Err(_) => Err(format!("no answer within {:?}", settings.timeout)),
    }
}

fn tls(settings: &MailSettings) -> Result<Tls, String> {
    if settings.security == Security::None {
        return Ok(Tls::None);
    }
    let mut parameters = TlsParameters::builder(settings.host.clone());
    if let Some(path) = &settings.ca_file {
        let pem = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let certificate = Certificate::from_pem(&pem)
            .map_err(|error| format!("{}: {}", path.display(), chain(&error)))?;
        parameters = parameters.add_root_certificate(certificate);
    }
    let parameters = parameters.build_rustls().map_err(|error| chain(&error))?;
    Ok(match settings.security {
        Security::Tls => Tls::Wrapper(parameters),
        _ => Tls::Required(parameters),
    })
}

fn message(settings: &MailSettings, report: &Report) -> Result<Message, String> {
    let mailbox = |text: &str| -> Result<Mailbox, String> {
        text.parse().map_err(|error| format!("{text}: {error}"))
    };
    let mut builder = Message::builder()
        .from(mailbox(&settings.from)?)
        .subject(report.subject())
        .message_id(None)
        .date_now()
        // RFC 3834: nobody's absence note answers this.
        .raw_header(HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        ));
    for recipient in &settings.to {
        builder = builder.to(mailbox(recipient)?);
    }
    let parts = MultiPart::alternative_plain_html(plain(report), html(report));
    builder.multipart(parts).map_err(|error| chain(&error))
}

fn plain(report: &Report) -> String {
    let mut out = format!("{}\n\n", headline(report));
    for (name, text) in report.facts() {
        let _ = writeln!(out, "{name:<11} {text}");
    }
    if let Some(advice) = advice(report) {
        let _ = writeln!(out, "\n{advice}");
    }
    out
}

fn html(report: &Report) -> String {
    let colour = match report.reason {
        Reason::Trouble | Reason::Reminder | Reason::Expiry => "#b00020",
        Reason::Recovery => "#1b5e20",
        Reason::Pass | Reason::Change | Reason::Test => "#0d47a1",
    };
    let mut out = format!(
        "<!DOCTYPE html><html><body style=\"font-family:sans-serif\">\
         <h2 style=\"color:{colour}\">{}</h2><table cellpadding=\"4\">",
        escaped(headline(report))
    );
    for (name, text) in report.facts() {
        let _ = write!(
            out,
            "<tr><th align=\"left\" valign=\"top\">{}</th><td>{}</td></tr>",
            escaped(name),
            escaped(&text)
        );
    }
    out.push_str("</table>");
    if let Some(advice) = advice(report) {
        let _ = write!(out, "<p>{}</p>", escaped(&advice));
    }
    out.push_str("</body></html>");
    out
}

fn headline(report: &Report) -> &'static str {
    match report.reason {
        Reason::Test => "This is a test. Reports of entraldap arrive here.",
        Reason::Recovery => "The trouble has ended.",
        Reason::Reminder => "The trouble goes on. What is published stays as it was.",
        Reason::Trouble if report.record.verdict == "held" => {
            "A pass is held and waits for a person. What is published stays as it was."
        }
        Reason::Trouble => "A pass is in trouble. What is published stays as it was.",
        Reason::Expiry => {
            "What entraldap proves itself by ends soon. Nothing is synced after that; what is published stays."
        }
        Reason::Change => "A pass has changed something.",
        Reason::Pass => "A pass has run.",
    }
}

fn advice(report: &Report) -> Option<String> {
    let name = &report.record.connection;
    match report.record.verdict.as_str() {
        "held" => Some(format!(
            "entraldap sync --dry-run --connection {name} shows what would vanish; entraldap approve {name} lets it through; entraldap reject {name} asks Graph for everything anew."
        )),
        "failed" | "partial" => Some(format!(
            "entraldap status and entraldap history {} tell more.",
            report.record.number
        )),
        _ => None,
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let said = next.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = next.source();
    }
    text
}
