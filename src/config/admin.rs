//! `[admin]`: where commands reach the daemon.

use super::reader::Table;
use super::settings::{AdminListen, AdminSettings};
use super::value::{Trouble, Value};
use super::{Environment, source};
use std::time::Duration;

/// Reads the section.
pub(super) fn read(table: &Table<'_>, environment: &Environment) -> AdminSettings {
    let listen = table.or("listen", AdminSettings::default().listen, listen);
    let token_given = table.has("token");
    let token = source::read(table, "token", environment).and_then(|source| source.read().ok());
    // Any user of the machine reaches a loopback port; a socket has an owner and a mode.
    if matches!(listen, AdminListen::Tcp(_)) && !token_given {
        table.missing(
            "token",
            "write token = { file = \"...\" }, or listen on a unix: socket, which needs none",
        );
    }
    let ready_age = table.or("ready_age", AdminSettings::default().ready_age, |value| {
        value.duration(Duration::from_secs(1)..=Duration::from_secs(366 * 86_400))
    });
    AdminSettings { listen, token, ready_age }
}

fn listen(value: &Value<'_>) -> Result<AdminListen, Trouble> {
    let text = value.text()?;
    if text == "off" {
        return Ok(AdminListen::Off);
    }
    if let Some(path) = text.strip_prefix("unix:") {
        if path.is_empty() {
            let remedy = "write for example \"unix:/run/entraldap/admin.sock\"";
            return Err(Trouble::new(format!("{text:?} names no path"), remedy));
        }
        return Ok(AdminListen::Unix(path.into()));
    }
    if text.starts_with('/') {
        let remedy = format!("write \"unix:{text}\"");
        return Err(Trouble::new(format!("{text:?} does not say what it is"), remedy));
    }
    let address = value.address()?;
    if address.ip().is_loopback() {
        return Ok(AdminListen::Tcp(address));
    }
    let remedy = format!("write \"127.0.0.1:{}\" or a unix: socket", address.port());
    Err(Trouble::new(format!("{text:?} can be reached from other machines"), remedy))
}
