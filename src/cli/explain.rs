//! `entraldap explain`: is it known, from which object, since when, and if not, why not.

use super::client::{Client, Unanswered};
use super::{Common, Exit, Failure, start, status};
use crate::inspect::explain::{self, Explanation, Found};
use serde_json::json;
use std::io::Write;

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A mail address, a DN, an object id, or a name.
    #[arg(value_name = "ADDRESS|DN|ID")]
    what: String,
}

impl Arguments {
    /// Prints what is known. The exit code is 1 where nothing is.
    pub(super) fn run(&self, common: &Common, out: &mut impl Write) -> Result<Exit, Failure> {
        let settings = start::settings(common)?;
        let answer = start::block_on(async {
            let asked = match Client::new(&settings.admin) {
                Ok(client) => client.get::<Explanation>("/explain", &[("what", &self.what)]).await,
                Err(unanswered) => Err(unanswered),
            };
            match asked {
                Ok(answer) => Ok(answer),
                Err(Unanswered::NotRunning(_)) => {
                    let writer = start::replica(&settings)?;
                    let snapshot = writer.reader().snapshot();
                    explain::explain(&snapshot, &self.what)
                        .map_err(|error| Failure::new(Exit::No, error.to_string()))
                }
                Err(refused) => Err(refused.into()),
            }
        })?;
        if common.json {
            writeln!(out, "{:#}", json!(answer))?;
        } else if answer.found.is_empty() {
            writeln!(out, "{}: {}", answer.asked, answer.reason)?;
        } else {
            for found in &answer.found {
                tell(found, out)?;
            }
        }
        Ok(if answer.found.is_empty() { Exit::No } else { Exit::Done })
    }
}

fn tell(found: &Found, out: &mut impl Write) -> Result<(), Failure> {
    writeln!(out, "found       {}", found.dn)?;
    writeln!(out, "by          {}", found.by.join(", "))?;
    writeln!(
        out,
        "object      {} {} of connection {}",
        found.kind, found.object, found.connection
    )?;
    for way in &found.scope {
        writeln!(out, "in scope    by {way}")?;
    }
    for note in &found.notes {
        writeln!(out, "note        {note}")?;
    }
    for change in &found.changes {
        let names: Vec<&str> = change.attributes.iter().map(|a| a.name.as_str()).collect();
        let what = if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) };
        writeln!(
            out,
            "{:<11} {} by pass {}{what}",
            format!("{:?}", change.action).to_lowercase(),
            status::shown(change.time),
            change.pass
        )?;
    }
    let (base, filter) = &found.search;
    writeln!(
        out,
        "search      ldapsearch -x -H ldap://SERVER -D ACCOUNT -W -b '{base}' '{filter}'"
    )?;
    writeln!(out, "\n{}", found.ldif)?;
    Ok(())
}
