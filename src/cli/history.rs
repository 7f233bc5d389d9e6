//! `entraldap history`: passes, one pass with its changes, the life of an object.

use super::client::{Client, Unanswered};
use super::{Common, Exit, Failure, preview, start, status};
use crate::config::Settings;
use crate::inspect::history::{self, Life, Pass};
use crate::replica::log::PassRecord;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use std::io::Write;

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A pass by its number, or an object by its address, name or id; without it, the
    /// latest passes.
    #[arg(value_name = "PASS|OBJECT")]
    what: Option<String>,
    /// How many passes are listed.
    #[arg(long, default_value_t = 20)]
    most: usize,
    /// Only passes of this connection.
    #[arg(long, value_name = "NAME")]
    connection: Option<String>,
}

impl Arguments {
    /// Prints what was. The exit code is 1 where nothing is known.
    pub(super) fn run(&self, common: &Common, out: &mut impl Write) -> Result<Exit, Failure> {
        let settings = start::settings(common)?;
        match &self.what {
            None => self.passes(&settings, common, out),
            Some(what) => match what.parse::<u64>() {
                Ok(number) => pass(number, &settings, common, out),
                Err(_) => lives(what, &settings, common, out),
            },
        }
    }

    fn passes(
        &self,
        settings: &Settings,
        common: &Common,
        out: &mut impl Write,
    ) -> Result<Exit, Failure> {
        // Of one connection there may be few among many.
        let most = if self.connection.is_some() { 1_000_000 } else { self.most };
        let text = most.to_string();
        let mut passes: Vec<PassRecord> =
            ask(settings, "/passes", &[("most", &text)], |snapshot| snapshot.passes(most))?;
        passes.retain(|pass| self.connection.as_ref().is_none_or(|name| *name == pass.connection));
        passes.truncate(self.most);
        if common.json {
            writeln!(out, "{:#}", json!(passes))?;
            return Ok(Exit::Done);
        }
        for pass in &passes {
            writeln!(
                out,
                "{:>6}  {}  {:<12} {:<10} {:<10} {:<9} +{} ~{} -{}  {}",
                pass.number,
                status::shown(pass.started / 1000),
                pass.connection,
                pass.kind,
                pass.trigger,
                pass.verdict,
                pass.added,
                pass.changed,
                pass.removed,
                pass.error
            )?;
        }
        if passes.is_empty() {
            writeln!(out, "no pass has run yet")?;
        }
        Ok(if passes.is_empty() { Exit::No } else { Exit::Done })
    }
}

fn pass(
    number: u64,
    settings: &Settings,
    common: &Common,
    out: &mut impl Write,
) -> Result<Exit, Failure> {
    let text = number.to_string();
    let most = 100_000;
    let limit = most.to_string();
    let query = [("number", text.as_str()), ("most", limit.as_str())];
    let found: Option<Pass> =
        ask(settings, "/pass", &query, |snapshot| history::pass(snapshot, number, most))?;
    let Some(found) = found else {
        return Err(Failure::new(Exit::No, format!("no pass {number} is remembered")));
    };
    if common.json {
        writeln!(out, "{:#}", json!(found))?;
        return Ok(Exit::Done);
    }
    writeln!(out, "connection  {}", found.record.connection)?;
    status::pass_lines(&found.record, out)?;
    for change in &found.changes {
        preview::change_lines(change, out)?;
    }
    let told = found.changes.len() as u64;
    if told < found.made {
        writeln!(out, "  {} more changes are not told or forgotten", found.made - told)?;
    }
    Ok(Exit::Done)
}

fn lives(
    what: &str,
    settings: &Settings,
    common: &Common,
    out: &mut impl Write,
) -> Result<Exit, Failure> {
    let lives: Vec<Life> = ask(settings, "/lives", &[("what", what)], |snapshot| {
        history::lives(snapshot, what, 1000)
    })?;
    if common.json {
        writeln!(out, "{:#}", json!(lives))?;
    } else {
        for life in &lives {
            let name = if life.dn.is_empty() { "not served" } else { &life.dn };
            writeln!(out, "object      {} of {}: {name}", life.object, life.connection)?;
            for change in &life.changes {
                preview::life_lines(change, out)?;
            }
        }
        if lives.is_empty() {
            writeln!(
                out,
                "{what}: no object with this address, name or id; one that is gone is found by its id"
            )?;
        }
    }
    Ok(if lives.is_empty() { Exit::No } else { Exit::Done })
}

/// Asks the daemon, or the file when none runs.
fn ask<T: DeserializeOwned + Serialize>(
    settings: &Settings,
    path: &str,
    query: &[(&str, &str)],
    here: impl FnOnce(&crate::replica::Snapshot) -> Result<T, crate::replica::Error>,
) -> Result<T, Failure> {
    start::block_on(async {
        let asked = match Client::new(&settings.admin) {
            Ok(client) => client.get::<T>(path, query).await,
            Err(unanswered) => Err(unanswered),
        };
        match asked {
            Ok(answer) => Ok(answer),
            Err(Unanswered::NotRunning(_)) => {
                let writer = start::replica(settings)?;
                let snapshot = writer.reader().snapshot();
                here(&snapshot).map_err(|error| Failure::new(Exit::No, error.to_string()))
            }
            Err(refused) => Err(refused.into()),
        }
    })
}
