//! `entraldap report`: tries whether reports arrive.

use super::{Common, Exit, Failure, start};
use crate::notify;
use serde_json::json;
use std::io::Write;

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Only this [[report]].
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

impl Arguments {
    /// Sends a test to each target; prints what became of it.
    pub(super) fn run(&self, common: &Common, out: &mut impl Write) -> Result<Exit, Failure> {
        let settings = start::settings(common)?;
        let is_wanted = |name: &str| self.name.as_deref().is_none_or(|wanted| wanted == name);
        let targets: Vec<_> =
            settings.reports.iter().filter(|report| is_wanted(&report.name)).collect();
        if targets.is_empty() {
            let message = "the configuration has no such [[report]]";
            return Err(Failure::new(Exit::Usage, message));
        }
        let outcomes = start::block_on(async {
            let mut outcomes = Vec::new();
            for target in targets {
                outcomes.push((target.name.clone(), notify::send(target, &notify::test()).await));
            }
            Ok(outcomes)
        })?;
        let failed = outcomes.iter().any(|(_, outcome)| outcome.is_err());
        if common.json {
            let list: Vec<_> = outcomes
                .iter()
                .map(|(name, outcome)| json!({ "report": name, "error": outcome.as_ref().err() }))
                .collect();
            writeln!(out, "{:#}", json!(list))?;
        } else {
            for (name, outcome) in &outcomes {
                match outcome {
                    Ok(()) => writeln!(out, "{name}: sent")?,
                    Err(error) => writeln!(out, "{name}: {error}")?,
                }
            }
        }
        Ok(if failed { Exit::No } else { Exit::Done })
    }
}
