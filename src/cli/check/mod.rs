//! `entraldap check`: whether the configuration is right, what it would run, and whether
//! each tenant can be read, one step after another.

mod reads;
mod step;
mod walk;

use super::{Common, Exit, Failure, start};
use crate::config::settings::{AdminListen, ConnectionSettings, ListenerSettings};
use crate::config::{self, Problem, Problems, Settings};
use serde_json::{Value, json};
use std::io::Write;
use step::Step;
use walk::{Walk, consent_url};

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Look at the files only; ask neither Entra nor Graph.
    #[arg(long)]
    offline: bool,
    /// One connection; not given: all of them.
    #[arg(long, value_name = "NAME")]
    connection: Option<String>,
}

impl Arguments {
    /// Checks the file; prints what it would run, or everything that is wrong with it.
    pub(super) fn run(&self, common: &Common, out: &mut impl Write) -> Result<Exit, Failure> {
        match config::load(&common.config) {
            Ok(settings) => self.check(&settings, common.json, out),
            Err(problems) if common.json => {
                writeln!(out, "{:#}", json!({ "ok": false, "problems": list(&problems) }))?;
                Ok(Exit::Usage)
            }
            Err(problems) => Err(Failure::new(Exit::Usage, problems.to_string())),
        }
    }
}

impl Arguments {
    /// Walks the way to each tenant. The exit code is 1 where a step fails.
    fn check(
        &self,
        settings: &Settings,
        as_json: bool,
        out: &mut impl Write,
    ) -> Result<Exit, Failure> {
        let wanted = |one: &&ConnectionSettings| {
            self.connection.as_ref().is_none_or(|name| *name == one.name)
        };
        let connections: Vec<&ConnectionSettings> =
            settings.connections.iter().filter(wanted).collect();
        if connections.is_empty() {
            let names: Vec<&str> = settings.connections.iter().map(|c| c.name.as_str()).collect();
            let message = format!("there is no such connection; there is: {}", names.join(", "));
            return Err(Failure::new(Exit::Usage, message));
        }
        if !as_json {
            summary(settings, out)?;
        }
        let mut walked = Vec::new();
        for connection in connections {
            if !as_json {
                writeln!(out, "\n{}", connection_line(connection))?;
            }
            // Told at once: some steps take long where something is wrong.
            let mut told = Ok(());
            let mut tell = |step: &Step| {
                if !as_json && told.is_ok() {
                    told = step.tell(out).and_then(|()| out.flush());
                }
            };
            let walk = start::block_on(async {
                Ok(Walk::new(connection, self.offline, &mut tell).await.steps)
            })?;
            told?;
            let consent = consent_url(connection);
            if let (false, false, Some(url)) = (as_json, self.offline, &consent) {
                writeln!(out, "  consent of an administrator: {url}")?;
            }
            walked.push((connection, walk, consent));
        }
        let failed = walked.iter().flat_map(|(_, steps, _)| steps).any(Step::failed);
        if as_json {
            let mut answer = summary_json(settings);
            let steps = walked.iter().map(|(connection, steps, consent)| {
                json!({
                    "name": connection.name,
                    "consent": consent,
                    "steps": steps.iter().map(Step::as_json).collect::<Vec<_>>(),
                })
            });
            if let Some(fields) = answer.as_object_mut() {
                fields.insert("ok".to_owned(), (!failed).into());
                fields.insert("checks".to_owned(), steps.collect());
            }
            writeln!(out, "{answer:#}")?;
        }
        Ok(if failed { Exit::No } else { Exit::Done })
    }
}

fn summary(settings: &Settings, out: &mut impl Write) -> std::io::Result<()> {
    writeln!(out, "configuration OK")?;
    writeln!(out, "replica     {}", settings.replica.path.display())?;
    writeln!(out, "admin       {}", admin(&settings.admin.listen))?;
    for listener in &settings.ldap.listeners {
        writeln!(out, "listener    {}", listener_line(settings, listener))?;
    }
    for account in &settings.ldap.accounts {
        writeln!(out, "account     {}", account.name)?;
    }
    for connection in &settings.connections {
        writeln!(out, "connection  {}", connection_line(connection))?;
    }
    for warning in &settings.warnings.list {
        let one = Problems { file: settings.warnings.file.clone(), list: vec![warning.clone()] };
        writeln!(out, "warning: {one}")?;
    }
    Ok(())
}

fn admin(listen: &AdminListen) -> String {
    match listen {
        AdminListen::Off => "off".to_owned(),
        AdminListen::Unix(path) => format!("unix:{}", path.display()),
        AdminListen::Tcp(address) => address.to_string(),
    }
}

fn scheme(listener: &ListenerSettings) -> &'static str {
    if listener.tls { "ldaps" } else { "ldap" }
}

fn listener_line(settings: &Settings, listener: &ListenerSettings) -> String {
    let start_tls = !listener.tls && settings.ldap.tls.is_some();
    let note = if start_tls { " with StartTLS" } else { "" };
    format!("{}://{}{note}", scheme(listener), listener.address)
}

fn connection_line(connection: &ConnectionSettings) -> String {
    let ConnectionSettings { name, base, tenant, graph, .. } = connection;
    format!("{name}: tenant {tenant} from {} as {base}", graph.endpoint)
}

fn summary_json(settings: &Settings) -> Value {
    let listeners = settings.ldap.listeners.iter().map(|listener| {
        json!({
            "address": listener.address.to_string(),
            "mode": scheme(listener),
            "start_tls": !listener.tls && settings.ldap.tls.is_some(),
        })
    });
    let connections = settings.connections.iter().map(|connection| {
        json!({
            "name": connection.name,
            "base": connection.base.to_string(),
            "tenant": connection.tenant,
            "endpoint": connection.graph.endpoint.as_str(),
        })
    });
    json!({
        "ok": true,
        "replica": settings.replica.path.display().to_string(),
        "admin": admin(&settings.admin.listen),
        "listeners": listeners.collect::<Vec<_>>(),
        "accounts": settings.ldap.accounts.iter().map(|a| a.name.as_str()).collect::<Vec<_>>(),
        "connections": connections.collect::<Vec<_>>(),
        "warnings": list(&settings.warnings),
    })
}

fn list(problems: &Problems) -> Vec<Value> {
    let one = |problem: &Problem| {
        json!({
            "key": problem.key,
            "line": problem.line,
            "column": problem.column,
            "message": problem.message,
            "remedy": problem.remedy,
        })
    };
    problems.list.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, json: bool) -> (Result<Exit, Failure>, String) {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret");
        std::fs::write(&secret, "geheim").unwrap();
        let config = folder.path().join("entraldap.toml");
        std::fs::write(&config, text.replace("SECRET", &secret.display().to_string())).unwrap();
        let mut out = Vec::new();
        let ended = Arguments { offline: true, connection: None }.run(&Common { config, json }, &mut out);
        (ended, String::from_utf8(out).unwrap())
    }

    const GOOD: &str = "\
        [[ldap.listener]]\naddress = \"127.0.0.1:389\"\n\
        [[connection]]\nname = \"contoso\"\nbase = \"dc=contoso,dc=com\"\ntenant = \"contoso.com\"\n\
        client_id = \"11111111-1111-1111-1111-111111111111\"\nclient_secret = { file = \"SECRET\" }\n";

    #[test]
    fn good_file_is_summarised_with_its_warnings() {
        let (ended, out) = check(GOOD, false);
        assert_eq!(ended, Ok(Exit::Done));
        assert!(out.starts_with("configuration OK\nreplica     /var/lib/entraldap/replica.redb\n"), "{out}");
        assert!(out.contains("listener    ldap://127.0.0.1:389\n"), "{out}");
        assert!(
            out.contains("contoso: tenant contoso.com from https://graph.microsoft.com/"),
            "{out}"
        );
        assert!(out.contains("warning: ") && out.contains("nobody can search"), "{out}");
        assert!(!out.contains("geheim"), "{out}");
        let (_, out) = check(GOOD, true);
        let answer: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(answer["listeners"][0]["mode"], "ldap");
    }

    #[test]
    fn bad_file_is_told_with_every_problem() {
        let bad = GOOD.replace("127.0.0.1:389", "127.0.0.1").replace("tenant =", "tennant =");
        let (ended, out) = check(&bad, false);
        let failure = ended.unwrap_err();
        assert_eq!((failure.exit, out.as_str()), (Exit::Usage, ""));
        assert_eq!(failure.message.lines().count(), 2, "{}", failure.message);
        let (ended, out) = check(&bad, true);
        assert_eq!(ended, Ok(Exit::Usage));
        let answer: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(answer["problems"][0]["line"], 2);
    }
}
