//! `entraldap groups`: groups of the tenant as one types, for `[connection.scope]`.

use super::{Common, Exit, Failure, start};
use crate::graph::{FoundGroup, Graph, GraphError, MemberCount};
use serde_json::{Value, json};
use std::io::Write;

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// How the name, a word of it, or the mail address begins.
    #[arg(long, value_name = "TEXT")]
    search: String,
    /// The connection; not needed where there is one.
    #[arg(long, value_name = "NAME")]
    connection: Option<String>,
}

impl Arguments {
    /// Asks Graph and prints what it finds. The exit code is 1 where that is nothing.
    pub(super) fn run(&self, common: &Common, out: &mut impl Write) -> Result<Exit, Failure> {
        let settings = start::settings(common)?;
        let names: Vec<&str> = settings.connections.iter().map(|c| c.name.as_str()).collect();
        let named = |name: &str| match &self.connection {
            Some(wanted) => wanted == name,
            None => settings.connections.len() == 1,
        };
        let connection = settings.connections.iter().find(|one| named(&one.name));
        let connection = connection.ok_or_else(|| {
            let message =
                format!("name a connection with --connection; there is: {}", names.join(", "));
            Failure::new(Exit::Usage, message)
        })?;
        let found = start::block_on(async {
            let fail = |error: GraphError| Failure::new(Exit::No, error.to_string());
            let graph = Graph::new(connection).map_err(fail)?;
            let mut found = Vec::new();
            for group in graph.search_groups(&self.search).await.map_err(fail)? {
                let count = graph.member_count(group.id).await.map_err(fail)?;
                found.push((group, count));
            }
            Ok(found)
        })?;
        if common.json {
            let list: Vec<Value> = found.iter().map(as_json).collect();
            writeln!(out, "{:#}", json!(list))?;
        } else {
            found.iter().try_for_each(|found| tell(found, out))?;
            if found.is_empty() {
                writeln!(
                    out,
                    "no group has a name or mail address that begins with {:?}",
                    self.search
                )?;
            }
        }
        Ok(if found.is_empty() { Exit::No } else { Exit::Done })
    }
}

fn as_json((group, count): &(FoundGroup, MemberCount)) -> Value {
    json!({
        "id": group.id.to_string(),
        "displayName": group.display_name,
        "mail": group.mail,
        "sort": group.sort(),
        "members": count.direct,
        "nestedMembers": count.nested,
    })
}

fn tell((group, count): &(FoundGroup, MemberCount), out: &mut impl Write) -> Result<(), Failure> {
    writeln!(out, "{}", group.display_name)?;
    writeln!(out, "  sort      {}", group.sort())?;
    writeln!(out, "  mail      {}", group.mail.as_deref().unwrap_or("none"))?;
    writeln!(out, "  id        {}", group.id)?;
    writeln!(out, "  members   {} direct, {} nested", count.direct, count.nested)?;
    Ok(())
}
