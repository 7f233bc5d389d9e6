//! `entraldap export`: entries as LDIF or JSON lines.

use super::client::{Client, Unanswered};
use super::{Common, Exit, Failure, start};
use crate::inspect::export::{self, Format, Selection};
use crate::replica;
use serde_json::Value;
use std::io::Write;

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// How entries are written.
    #[arg(long, value_enum, default_value = "ldif")]
    format: Written,
    /// Only entries that match this LDAP filter.
    #[arg(long)]
    filter: Option<String>,
    /// Only this entry and those below it.
    #[arg(long, value_name = "DN")]
    base: Option<String>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Written {
    /// LDIF (RFC 2849).
    Ldif,
    /// One JSON object a line.
    Json,
}

impl Arguments {
    /// Prints the entries.
    pub(super) fn run(&self, common: &Common, out: &mut impl Write) -> Result<Exit, Failure> {
        let settings = start::settings(common)?;
        let selection = Selection::new(self.filter.as_deref(), self.base.as_deref())
            .map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
        let (format, name) = match self.format {
            Written::Ldif if !common.json => (Format::Ldif, "ldif"),
            _ => (Format::Json, "json"),
        };
        let mut query = vec![("format", name)];
        query.extend(self.filter.as_deref().map(|filter| ("filter", filter)));
        query.extend(self.base.as_deref().map(|base| ("base", base)));
        start::block_on(async {
            let client = match Client::new(&settings.admin) {
                // A small question first: whether a daemon runs.
                Ok(client) => client.get::<Value>("/status", &[]).await.map(|_| client),
                Err(unanswered) => Err(unanswered),
            };
            match client {
                Ok(client) => {
                    client.stream("/export", &query, |piece| Ok(out.write_all(piece)?)).await
                }
                Err(Unanswered::NotRunning(_)) => {
                    let writer = start::replica(&settings)?;
                    let snapshot = writer.reader().snapshot();
                    export::export(&snapshot, &selection, format, |text| {
                        Ok(out.write_all(text.as_bytes())?)
                    })
                }
                Err(refused) => Err(refused.into()),
            }
        })?;
        Ok(Exit::Done)
    }
}

impl From<replica::Error> for Failure {
    fn from(error: replica::Error) -> Self {
        Failure::new(Exit::No, error.to_string())
    }
}
