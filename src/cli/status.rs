//! `entraldap status`: what the daemon does, or what the file holds when none runs.

use super::client::{Client, Unanswered};
use super::{Common, Exit, Failure, start};
use crate::replica::log::PassRecord;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::io::Write;

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {}

impl Arguments {
    /// Prints the state. The exit code is 1 while a connection has never been synced or
    /// its last pass failed or is held.
    pub(super) fn run(&self, common: &Common, out: &mut impl Write) -> Result<Exit, Failure> {
        let settings = start::settings(common)?;
        let asked = start::block_on(async {
            let answer: Result<Value, Unanswered> = match Client::new(&settings.admin) {
                Ok(client) => client.get("/status", &[]).await,
                Err(unanswered) => Err(unanswered),
            };
            Ok(answer)
        })?;
        let (running, state) = match asked {
            Ok(state) => (true, state),
            Err(Unanswered::NotRunning(why)) => {
                let writer = start::replica(&settings).map_err(|failure| {
                    Failure::new(failure.exit, format!("{}\n{why}", failure.message))
                })?;
                (false, offline(&writer)?)
            }
            Err(refused) => return Err(refused.into()),
        };
        if common.json {
            writeln!(out, "{:#}", with(state.clone(), "running", running))?;
        } else {
            human(&state, running, out)?;
        }
        Ok(if is_good(&state) { Exit::Done } else { Exit::No })
    }
}

fn with(mut state: Value, name: &str, value: bool) -> Value {
    if let Some(object) = state.as_object_mut() {
        object.insert(name.to_owned(), value.into());
    }
    state
}

fn offline(writer: &crate::replica::Writer) -> Result<Value, Failure> {
    let fail = |error: crate::replica::Error| Failure::new(Exit::No, error.to_string());
    let snapshot = writer.reader().snapshot();
    let passes = snapshot.passes(100).map_err(fail)?;
    let connections: Vec<Value> = snapshot
        .connections()
        .iter()
        .map(|(_, state)| {
            json!({
                "connection": state.name,
                "phase": "idle",
                "published": state.is_published(),
                "last_success": state.last_success,
                "held": state.held,
                "paused": state.paused,
                "disconnected": state.disconnected,
                "paused_objects": state.paused_objects.keys().collect::<Vec<_>>(),
                "last": passes.iter().find(|pass| pass.connection == state.name),
            })
        })
        .collect();
    Ok(json!({ "entries": snapshot.len().map_err(fail)?, "connections": connections }))
}

fn is_good(state: &Value) -> bool {
    let connections = state.get("connections").and_then(Value::as_array);
    connections.is_some_and(|list| {
        list.iter().all(|one| {
            let verdict = one.pointer("/last/verdict").and_then(Value::as_str);
            let failed = matches!(verdict, Some("failed" | "held"));
            one.get("published").and_then(Value::as_bool) == Some(true) && !failed
        })
    })
}

fn human(state: &Value, running: bool, out: &mut impl Write) -> Result<(), Failure> {
    let version = state.get("version").and_then(Value::as_str).unwrap_or("");
    match running {
        true => writeln!(out, "daemon      running, entraldap {version}")?,
        false => writeln!(out, "daemon      not running; this is what the replica file holds")?,
    }
    for listener in state.get("listeners").and_then(Value::as_array).into_iter().flatten() {
        writeln!(out, "listener    {}", listener.as_str().unwrap_or(""))?;
    }
    writeln!(out, "entries     {}", state.get("entries").unwrap_or(&Value::Null))?;
    for connection in state.get("connections").and_then(Value::as_array).into_iter().flatten() {
        connection_lines(connection, out)?;
    }
    Ok(())
}

fn connection_lines(connection: &Value, out: &mut impl Write) -> Result<(), Failure> {
    let text = |name: &str| connection.get(name).and_then(Value::as_str).unwrap_or("");
    let time =
        |name: &str| connection.get(name).and_then(Value::as_i64).map_or("never".to_owned(), shown);
    writeln!(out, "\nconnection  {}: {}", text("connection"), text("phase"))?;
    match connection.get("published").and_then(Value::as_bool) {
        Some(true) => writeln!(out, "  served    yes, as of {}", time("last_success"))?,
        _ => writeln!(
            out,
            "  served    not yet: the first sync is not complete; LDAP answers `unavailable` (52)"
        )?,
    }
    for (kind, count) in connection.get("received").and_then(Value::as_object).into_iter().flatten()
    {
        if text("phase") != "idle" {
            writeln!(out, "  received  {count} {kind}")?;
        }
    }
    if connection.get("disconnected").and_then(Value::as_bool) == Some(true) {
        writeln!(
            out,
            "  state     disconnected: no pass runs; `entraldap resume {}` connects it again",
            text("connection")
        )?;
    } else if connection.get("paused").and_then(Value::as_bool) == Some(true) {
        writeln!(
            out,
            "  state     paused: no pass runs by itself; `entraldap resume {}` goes on",
            text("connection")
        )?;
    }
    if let Some(end) = connection.get("credential_end").and_then(Value::as_i64) {
        writeln!(out, "  proof     ends on {}", shown(end))?;
    }
    let objects = connection.get("paused_objects").and_then(Value::as_array);
    for object in objects.into_iter().flatten() {
        writeln!(out, "  paused    the object {}", object.as_str().unwrap_or(""))?;
    }
    if let Some(held) = connection.get("held").filter(|held| !held.is_null()) {
        let since = held.get("since").and_then(Value::as_i64).map(shown).unwrap_or_default();
        writeln!(
            out,
            "  HELD      since {since}, pass {}",
            held.get("pass").unwrap_or(&Value::Null)
        )?;
        for reason in held.get("reasons").and_then(Value::as_array).into_iter().flatten() {
            writeln!(out, "            {}", reason.as_str().unwrap_or(""))?;
        }
        writeln!(
            out,
            "            `entraldap sync --dry-run` shows it; `entraldap approve {0}` lets it through, `entraldap reject {0}` asks anew",
            text("connection")
        )?;
    }
    let last: Option<PassRecord> =
        connection.get("last").and_then(|last| serde_json::from_value(last.clone()).ok());
    if let Some(last) = last {
        pass_lines(&last, out)?;
    }
    if connection.get("next").is_some_and(Value::is_i64) {
        writeln!(out, "  next pass {}", time("next"))?;
    }
    Ok(())
}

/// The lines that tell of a pass.
pub(super) fn pass_lines(pass: &PassRecord, out: &mut impl Write) -> Result<(), Failure> {
    let PassRecord {
        number,
        kind,
        trigger,
        verdict,
        added,
        changed,
        removed,
        requests,
        retries,
        ..
    } = pass;
    writeln!(
        out,
        "  pass      {number} ({kind}, {trigger}): {verdict} at {}",
        shown(pass.ended / 1000)
    )?;
    writeln!(
        out,
        "            {added} added, {changed} changed, {removed} removed; {requests} requests, {retries} tried again, {} ms in all",
        pass.ended - pass.started
    )?;
    if !pass.entries.is_empty() {
        let counts: Vec<String> =
            pass.entries.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        writeln!(out, "            {}", counts.join(", "))?;
    }
    if !pass.error.is_empty() {
        writeln!(out, "  error     {}", pass.error)?;
    }
    for warning in &pass.warnings {
        writeln!(out, "  warning   {warning}")?;
    }
    Ok(())
}

/// A Unix time as people read it, in UTC.
pub(super) fn shown(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}
