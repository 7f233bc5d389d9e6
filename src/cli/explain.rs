//! `entraldap explain`: is it known, from which object, since when, and if not, why not;
//! and how a filter is answered.

use super::client::{Client, Unanswered};
use super::{Common, Exit, Failure, start, status};
use crate::config::settings::Settings;
use crate::inspect::explain::{self, Explanation, Found};
use crate::inspect::plan::{self, Part, Planned, Question};
use crate::replica::{self, Snapshot};
use serde::de::DeserializeOwned;
use serde_json::json;
use std::io::Write;

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A mail address, a DN, an object id, or a name.
    #[arg(value_name = "ADDRESS|DN|ID", required_unless_present = "filter")]
    what: Option<String>,
    /// Instead: how this LDAP filter is answered, and at what cost.
    #[arg(long, conflicts_with = "what")]
    filter: Option<String>,
    /// Of a filter: only this entry and those below it.
    #[arg(long, value_name = "DN", requires = "filter")]
    base: Option<String>,
}

impl Arguments {
    /// Prints what is known. The exit code is 1 where nothing is.
    pub(super) fn run(&self, common: &Common, out: &mut impl Write) -> Result<Exit, Failure> {
        match (&self.filter, &self.what) {
            (Some(filter), _) => self.filter(filter, common, out),
            (None, what) => address(what.as_deref().unwrap_or_default(), common, out),
        }
    }

    fn filter(&self, filter: &str, common: &Common, out: &mut impl Write) -> Result<Exit, Failure> {
        let settings = start::settings(common)?;
        let base = self.base.as_deref();
        let question = Question::new(filter, base)
            .map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
        let mut query = vec![("filter", filter)];
        query.extend(base.map(|base| ("base", base)));
        let planned: Planned =
            ask(&settings, "/plan", &query, |snapshot| plan::plan(snapshot, &question))?;
        if common.json {
            writeln!(out, "{:#}", json!(planned))?;
        } else {
            tell_plan(&planned, settings.ldap.limits.candidates, out)?;
        }
        Ok(if planned.matches == 0 { Exit::No } else { Exit::Done })
    }
}

fn address(what: &str, common: &Common, out: &mut impl Write) -> Result<Exit, Failure> {
    let settings = start::settings(common)?;
    let answer: Explanation =
        ask(&settings, "/explain", &[("what", what)], |snapshot| explain::explain(snapshot, what))?;
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

/// Asks the daemon; where none runs, the file.
fn ask<T: DeserializeOwned>(
    settings: &Settings,
    path: &str,
    query: &[(&str, &str)],
    read: impl FnOnce(&Snapshot) -> Result<T, replica::Error>,
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
                Ok(read(&writer.reader().snapshot())?)
            }
            Err(refused) => Err(refused.into()),
        }
    })
}

/// `most`: how many candidates the LDAP side tests; 0 for any number.
fn tell_plan(planned: &Planned, most: u32, out: &mut impl Write) -> Result<(), Failure> {
    writeln!(out, "filter      {}", planned.filter)?;
    if !planned.base.is_empty() {
        writeln!(out, "base        {}", planned.base)?;
    }
    for undefined in &planned.undefined {
        writeln!(out, "undefined   {}: {}", undefined.part, undefined.reason)?;
    }
    if !planned.undefined.is_empty() {
        writeln!(out, "            what is undefined is true of no entry, and so is its negation")?;
    }
    for note in &planned.notes {
        writeln!(out, "note        {note}")?;
    }
    tell_part(&planned.plan, "plan        ", 0, out)?;
    let how = if planned.exact { "all of them match" } else { "each is tested" };
    writeln!(out, "candidates  {} of {} entries; {how}", planned.candidates, planned.entries)?;
    if !planned.exact && most > 0 && planned.candidates > u64::from(most) {
        writeln!(
            out,
            "            searches test {most} at most ([ldap.limits] candidates), then end with \
             adminLimitExceeded"
        )?;
    }
    let at_least = if planned.at_least { "at least " } else { "" };
    let within = if planned.base.is_empty() { "" } else { " below the base" };
    writeln!(out, "matches     {at_least}{}{within}", planned.matches)?;
    let cost = &planned.cost;
    writeln!(
        out,
        "cost        planned in {} us by about {} rows (at most {}); tested {} in {} us",
        cost.planning_us, cost.rows, cost.most_rows, cost.tested, cost.testing_us
    )?;
    Ok(())
}

fn tell_part(part: &Part, lead: &str, depth: usize, out: &mut impl Write) -> Result<(), Failure> {
    let mut said = vec![part.how.clone()];
    if let Some(found) = part.found {
        let inexact = if part.exact { "" } else { " at most" };
        said.push(format!("{found}{inexact}"));
    }
    said.retain(|text| !text.is_empty());
    let part_text = format!("{:indent$}{}", "", part.part, indent = 2 * depth);
    writeln!(out, "{lead}{}: {}", part_text.trim_end(), said.join(": "))?;
    for inner in &part.parts {
        tell_part(inner, "            ", depth + 1, out)?;
    }
    Ok(())
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
