//! `entraldap sync`: a pass now, by the daemon or, when none runs, by this process.

use super::client::{Client, Unanswered};
use super::{Common, Exit, Failure, preview, progress, start, status};
use crate::admin::Replied;
use crate::config::Settings;
use crate::config::settings::ConnectionSettings;
use crate::graph::Graph;
use crate::replica;
use crate::sync::engine::Order;
use crate::sync::{Engine, PassRecord, Preview};
use crate::telemetry;
use serde_json::json;
use std::io::Write;

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Enumerate everything instead of asking for changes only.
    #[arg(long)]
    full: bool,
    /// Only this connection.
    #[arg(long, value_name = "NAME")]
    connection: Option<String>,
    /// Tell what a pass by the configuration file as it is now would add, change and
    /// remove; change nothing.
    #[arg(long)]
    dry_run: bool,
}

impl Arguments {
    /// Runs a pass per connection; prints what it did.
    pub(super) fn run(&self, common: &Common, out: &mut impl Write) -> Result<Exit, Failure> {
        let settings = start::settings(common)?;
        if self.dry_run {
            return self.preview(&settings, common, out);
        }
        let passes = start::block_on(async {
            match self.ask(&settings).await {
                Ok(replied) => Ok(replied.passes),
                Err(Unanswered::NotRunning(_)) => self.run_here(&settings).await,
                Err(refused) => Err(refused.into()),
            }
        })?;
        if common.json {
            writeln!(out, "{:#}", json!(passes))?;
        } else {
            for pass in &passes {
                writeln!(out, "connection  {}", pass.connection)?;
                status::pass_lines(pass, out)?;
            }
        }
        let failed = passes.iter().any(|pass| pass.verdict != "committed");
        Ok(if failed { Exit::No } else { Exit::Done })
    }

    fn preview(
        &self,
        settings: &Settings,
        common: &Common,
        out: &mut impl Write,
    ) -> Result<Exit, Failure> {
        let previews: Vec<Preview> = start::block_on(async {
            let asked = match Client::new(&settings.admin) {
                Ok(client) => client.post("/dry-run", &self.query()).await,
                Err(unanswered) => Err(unanswered),
            };
            match asked {
                Ok(previews) => Ok(previews),
                Err(Unanswered::NotRunning(_)) => self.preview_here(settings).await,
                Err(refused) => Err(refused.into()),
            }
        })?;
        if common.json {
            writeln!(out, "{:#}", json!(previews))?;
        } else {
            previews.iter().try_for_each(|preview| preview::tell(preview, out))?;
        }
        let held = previews.iter().any(|preview| !preview.held.is_empty());
        Ok(if held { Exit::No } else { Exit::Done })
    }

    async fn preview_here(&self, settings: &Settings) -> Result<Vec<Preview>, Failure> {
        let fail = |error: String| Failure::new(Exit::No, error);
        let writer = replica::open(&settings.replica)
            .map_err(|error| fail(format!("replica.path: {error}")))?;
        let mut previews = Vec::new();
        for connection in self.wanted(settings)? {
            let graph = Graph::new(connection).map_err(|error| fail(error.to_string()))?;
            let preview =
                Engine::preview_by(connection, &settings.replica, graph, writer.clone(), self.full);
            previews.push(preview.await.map_err(|error| fail(error.to_string()))?);
        }
        Ok(previews)
    }

    fn wanted<'s>(&self, settings: &'s Settings) -> Result<Vec<&'s ConnectionSettings>, Failure> {
        let is_wanted = |name: &str| self.connection.as_ref().is_none_or(|asked| asked == name);
        let wanted: Vec<_> = settings.connections.iter().filter(|c| is_wanted(&c.name)).collect();
        if wanted.is_empty() {
            let names: Vec<&str> = settings.connections.iter().map(|c| c.name.as_str()).collect();
            return Err(Failure::new(
                Exit::Usage,
                format!("no such connection; there is: {}", names.join(", ")),
            ));
        }
        Ok(wanted)
    }

    fn query(&self) -> Vec<(&str, &str)> {
        let mut query = vec![("full", if self.full { "true" } else { "false" })];
        query.extend(self.connection.as_deref().map(|name| ("connection", name)));
        query
    }

    async fn ask(&self, settings: &Settings) -> Result<Replied, Unanswered> {
        Client::new(&settings.admin)?.post("/sync", &self.query()).await
    }

    async fn run_here(&self, settings: &Settings) -> Result<Vec<PassRecord>, Failure> {
        telemetry::start(&settings.log)
            .map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
        let fail = |error: String| Failure::new(Exit::No, error);
        let writer = replica::open(&settings.replica)
            .map_err(|error| fail(format!("replica.path: {error}")))?;
        let mut passes = Vec::new();
        for connection in self.wanted(settings)? {
            let graph = Graph::new(connection).map_err(|error| fail(error.to_string()))?;
            let engine = Engine::new(connection, &settings.replica, graph, writer.clone());
            let engine = engine.map_err(|error| fail(error.to_string()))?;
            let bar = progress::Bar::new(engine.status());
            let outcome = engine.pass(Order { trigger: "manual", full: self.full }).await;
            bar.finish().await;
            passes.push(outcome.unwrap_or_else(|(record, _)| record));
        }
        Ok(passes)
    }
}
