//! `entraldap authorize`: a person signs in, for connections with `delegated`.

use super::{Common, Exit, Failure, start};
use crate::config::settings::ConnectionSettings;
use crate::graph::{DeviceCode, Graph, GraphError, TokenInfo};
use serde_json::json;
use std::io::Write;

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The connection; not needed where there is one with `delegated`.
    connection: Option<String>,
}

impl Arguments {
    /// Shows a code, waits until it has been entered, and keeps the refresh token. A daemon
    /// that runs uses it from its next token on.
    pub(super) fn run(&self, common: &Common, out: &mut impl Write) -> Result<Exit, Failure> {
        let settings = start::settings(common)?;
        let connection = self.choose(&settings.connections)?;
        let info = start::block_on(async {
            let fail = |error: GraphError| Failure::new(Exit::No, error.to_string());
            let graph = Graph::new(connection).map_err(fail)?;
            let code = graph.begin_sign_in(connection.sync.contacts).await.map_err(fail)?;
            show(&code, common.json, out)?;
            graph.finish_sign_in(&code).await.map_err(fail)
        })?;
        done(&info, connection, common.json, out)?;
        Ok(Exit::Done)
    }

    fn choose<'a>(
        &self,
        connections: &'a [ConnectionSettings],
    ) -> Result<&'a ConnectionSettings, Failure> {
        let usage = |message: String| Failure::new(Exit::Usage, message);
        let with: Vec<&ConnectionSettings> =
            connections.iter().filter(|one| one.credential.is_delegated()).collect();
        let names: Vec<&str> = with.iter().map(|one| one.name.as_str()).collect();
        match (&self.connection, with.as_slice()) {
            (_, []) => Err(usage(
                "no connection signs a person in: write delegated = { token_file = \"...\" } into [[connection]] \
                 instead of its other credential"
                    .to_owned(),
            )),
            (None, [one]) => Ok(one),
            (None, _) => Err(usage(format!("name one of the connections: {}", names.join(", ")))),
            (Some(name), _) => with.iter().find(|one| one.name == *name).copied().ok_or_else(|| {
                usage(format!("{name:?} is no connection with delegated; there is: {}", names.join(", ")))
            }),
        }
    }
}

fn show(code: &DeviceCode, as_json: bool, out: &mut impl Write) -> std::io::Result<()> {
    let DeviceCode { user_code, verification_uri, message, .. } = code;
    let minutes = code.life().as_secs() / 60;
    if as_json {
        let shown = json!({ "url": verification_uri, "code": user_code, "minutes": minutes });
        writeln!(out, "{shown}")?;
    } else {
        writeln!(out, "Open {verification_uri} within {minutes} minutes and enter the code {user_code}")?;
        writeln!(out, "Sign in as a person who may read the directory (role Directory Readers or more).")?;
        if let Some(message) = message.as_deref().filter(|text| !text.contains(&**user_code)) {
            writeln!(out, "{message}")?;
        }
        writeln!(out, "Waiting ...")?;
    }
    out.flush()
}

fn done(
    info: &TokenInfo,
    connection: &ConnectionSettings,
    as_json: bool,
    out: &mut impl Write,
) -> std::io::Result<()> {
    let permissions = info.permissions.as_deref().unwrap_or_default();
    if as_json {
        let told = json!({
            "connection": connection.name,
            "person": info.person,
            "tenant": info.tenant,
            "permissions": permissions,
        });
        return writeln!(out, "{told}");
    }
    writeln!(out, "Signed in as {}.", info.person.as_deref().unwrap_or("somebody"))?;
    if !permissions.is_empty() {
        writeln!(out, "Permissions: {}", permissions.join(" "))?;
    }
    writeln!(out, "`entraldap check --connection {}` tells whether they suffice.", connection.name)
}
