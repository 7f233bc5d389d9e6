//! `entraldap approve`, `reject`, `pause`, `resume`, `disconnect`: what a person may want.

use super::client::{Client, Unanswered};
use super::{Common, Exit, Failure, start};
use crate::admin::Pressed;
use crate::config::Settings;
use crate::graph::Graph;
use crate::inspect::explain;
use crate::sync::{Button, Engine, buttons};
use serde_json::json;
use std::io::Write;

/// Arguments of the verbs.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A connection; to pause or resume one object, its address, name or id. Not needed
    /// where there is one connection.
    #[arg(value_name = "CONNECTION|OBJECT")]
    what: Option<String>,
}

/// Arguments of `disconnect`.
#[derive(Debug, clap::Args)]
pub(super) struct DisconnectArguments {
    /// The connection; with --delete also one that the configuration no longer has.
    #[arg(value_name = "CONNECTION")]
    connection: String,
    /// Serve its data as it is.
    #[arg(long)]
    keep: bool,
    /// Remove its data; searches below its base answer `unavailable` (52) then.
    #[arg(long, conflicts_with = "keep")]
    delete: bool,
}

impl Arguments {
    /// Does it; prints what became of it.
    pub(super) fn run(
        &self,
        button: &str,
        common: &Common,
        out: &mut impl Write,
    ) -> Result<Exit, Failure> {
        press(button, self.what.as_deref(), false, common, out)
    }
}

impl DisconnectArguments {
    /// Does it; prints what became of it.
    pub(super) fn run(&self, common: &Common, out: &mut impl Write) -> Result<Exit, Failure> {
        if self.keep == self.delete {
            let message = "say --keep (serve the data as it is) or --delete (remove it)";
            return Err(Failure::new(Exit::Usage, message));
        }
        press("disconnect", Some(&self.connection), self.delete, common, out)
    }
}

fn press(
    button: &str,
    what: Option<&str>,
    delete: bool,
    common: &Common,
    out: &mut impl Write,
) -> Result<Exit, Failure> {
    let settings = start::settings(common)?;
    let pressed = start::block_on(async {
        let mut query = vec![("button", button), ("delete", if delete { "true" } else { "false" })];
        query.extend(what.map(|what| ("what", what)));
        let asked = match Client::new(&settings.admin) {
            Ok(client) => client.post::<Pressed>("/press", &query).await,
            Err(unanswered) => Err(unanswered),
        };
        match asked {
            Ok(pressed) => Ok(pressed),
            Err(Unanswered::NotRunning(_)) => press_here(&settings, button, what, delete).await,
            Err(refused) => Err(refused.into()),
        }
    })?;
    if common.json {
        writeln!(out, "{:#}", json!(pressed))?;
    } else {
        for line in pressed.done.iter().chain(&pressed.failed) {
            writeln!(out, "{line}")?;
        }
    }
    Ok(if pressed.failed.is_empty() { Exit::Done } else { Exit::No })
}

/// Without a daemon: on the file itself.
async fn press_here(
    settings: &Settings,
    button: &str,
    what: Option<&str>,
    delete: bool,
) -> Result<Pressed, Failure> {
    let fail = |error: String| Failure::new(Exit::No, error);
    let writer = start::replica(settings)?;
    let only = what.is_none() && settings.connections.len() == 1;
    let named = settings.connections.iter().find(|one| only || Some(one.name.as_str()) == what);
    let (name, button) = match (named, button, what) {
        (Some(one), button, _) => {
            let button = match button {
                "approve" => Button::Approve,
                "reject" => Button::Reject,
                "pause" => Button::Pause,
                "resume" => Button::Resume,
                _ => Button::Disconnect { delete },
            };
            (one.name.clone(), button)
        }
        (None, "pause" | "resume", Some(what)) => {
            let found = explain::objects(&writer.reader().snapshot(), what)
                .map_err(|error| fail(error.to_string()))?;
            let [(_, connection, object)] = found.as_slice() else {
                return Err(fail(format!(
                    "{what}: {} objects have this address, name or id",
                    found.len()
                )));
            };
            let id = object.parse().map_err(|_| fail(format!("{object}: no object id")))?;
            let button = match button {
                "pause" => Button::PauseObject(id),
                _ => Button::ResumeObject(id),
            };
            (connection.clone(), button)
        }
        (None, "disconnect", Some(what)) if delete => {
            let known = buttons::forget(&writer, what).map_err(|error| fail(error.to_string()))?;
            return match known {
                true => Ok(Pressed {
                    done: vec![format!("{what}: all its data was removed")],
                    failed: Vec::new(),
                }),
                false => Err(fail(format!("{what}: no such connection"))),
            };
        }
        _ => {
            let names: Vec<&str> = settings.connections.iter().map(|c| c.name.as_str()).collect();
            let message = format!("name a connection; there is: {}", names.join(", "));
            return Err(Failure::new(Exit::Usage, message));
        }
    };
    let connection = settings.connections.iter().find(|one| one.name == name);
    let connection = connection
        .ok_or_else(|| fail(format!("{name}: the configuration has no such connection")))?;
    let graph = Graph::new(connection).map_err(|error| fail(error.to_string()))?;
    let engine = Engine::new(connection, &settings.replica, graph, writer)
        .map_err(|error| fail(error.to_string()))?;
    Ok(match engine.press(button).await {
        Ok(done) => Pressed { done: vec![done], failed: Vec::new() },
        Err(failed) => Pressed { done: Vec::new(), failed: vec![failed] },
    })
}
