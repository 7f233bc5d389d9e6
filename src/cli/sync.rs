//! `entraldap sync`: a pass now, by the daemon or, when none runs, by this process.

use super::client::{Client, Unanswered};
use super::{Common, Exit, Failure, progress, start, status};
use crate::admin::Replied;
use crate::config::Settings;
use crate::graph::Graph;
use crate::replica;
use crate::sync::engine::Order;
use crate::sync::{Engine, PassRecord};
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
}

impl Arguments {
    /// Runs a pass per connection; prints what it did.
    pub(super) fn run(&self, common: &Common, out: &mut impl Write) -> Result<Exit, Failure> {
        let settings = start::settings(common)?;
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

    async fn ask(&self, settings: &Settings) -> Result<Replied, Unanswered> {
        let mut query = vec![("full", if self.full { "true" } else { "false" })];
        query.extend(self.connection.as_deref().map(|name| ("connection", name)));
        Client::new(&settings.admin)?.post("/sync", &query).await
    }

    async fn run_here(&self, settings: &Settings) -> Result<Vec<PassRecord>, Failure> {
        telemetry::start(&settings.log)
            .map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
        let fail = |error: String| Failure::new(Exit::No, error);
        let writer = replica::open(&settings.replica)
            .map_err(|error| fail(format!("replica.path: {error}")))?;
        let mut passes = Vec::new();
        for connection in &settings.connections {
            if self.connection.as_ref().is_some_and(|name| *name != connection.name) {
                continue;
            }
            let graph = Graph::new(connection).map_err(|error| fail(error.to_string()))?;
            let engine = Engine::new(connection, &settings.replica, graph, writer.clone());
            let engine = engine.map_err(|error| fail(error.to_string()))?;
            let bar = progress::Bar::new(engine.status());
            let outcome = engine.pass(Order { trigger: "manual", full: self.full }).await;
            bar.finish().await;
            passes.push(outcome.unwrap_or_else(|(record, _)| record));
        }
        if passes.is_empty() {
            let names: Vec<&str> = settings.connections.iter().map(|c| c.name.as_str()).collect();
            return Err(Failure::new(
                Exit::Usage,
                format!("no such connection; there is: {}", names.join(", ")),
            ));
        }
        Ok(passes)
    }
}
