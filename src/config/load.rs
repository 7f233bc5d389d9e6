//! A file, or its text, to settings or to the list of everything that is wrong with it.

use super::problem::{Problem, Problems};
use super::reader::{Report, Table};
use super::settings::Settings;
use super::{Environment, admin, connection, ldap, log, replica, report};
use std::io::ErrorKind;
use std::path::Path;
use toml::de::DeTable;

/// Reads the settings in the file at `path`, with this process's environment.
pub fn load(path: &Path) -> Result<Settings, Problems> {
    let name = path.display().to_string();
    let text = match std::fs::read(path) {
        Ok(octets) => String::from_utf8(octets).map_err(|_| {
            Problems::whole_file(&name, "is not UTF-8 text".into(), "save it as UTF-8")
        })?,
        Err(error) => {
            let remedy = match error.kind() {
                ErrorKind::NotFound => {
                    "write one after config/example.toml, or name it with --config"
                }
                ErrorKind::PermissionDenied => "run as the user that may read it",
                _ => "",
            };
            return Err(Problems::whole_file(&name, format!("cannot be read: {error}"), remedy));
        }
    };
    parse(&text, &name, &Environment::of_this_process())
}

/// Reads the settings in `text`; problems call the file `name`.
pub fn parse(text: &str, name: &str, environment: &Environment) -> Result<Settings, Problems> {
    let report = Report::new(text);
    let settings = read(text, &report, environment);
    let (problems, warnings) = report.into_lists();
    let list = |list| Problems { file: name.to_owned(), list };
    match settings {
        Ok(settings) if problems.is_empty() => {
            Ok(Settings { warnings: list(warnings), ..settings })
        }
        Ok(_) => Err(list(problems)),
        Err(syntax) => Err(list(vec![syntax])),
    }
}

/// Reports everything to `report`, except that an error of syntax leaves nothing to read.
fn read(text: &str, report: &Report<'_>, environment: &Environment) -> Result<Settings, Problem> {
    let (document, errors) = DeTable::parse_recoverable(text);
    let doubled = |error: &&toml::de::Error| is_doubled_key(error, text);
    if let Some(error) = errors.iter().find(|error| !doubled(error)) {
        return Err(syntax(error, text, report));
    }
    for error in &errors {
        report.push(syntax(error, text, report));
    }
    Ok(Table::document(report, document.get_ref(), |table| {
        let (mut connections, wishes) = connection::read(table, environment);
        Settings {
            replica: table.section("replica", replica::read),
            log: table.section("log", log::read),
            admin: table.section("admin", |table| admin::read(table, environment)),
            ldap: table.section("ldap", |table| ldap::read(table, &mut connections, &wishes)),
            reports: report::read(table, environment, &connections),
            connections,
            warnings: Problems::default(),
        }
    }))
}

/// Whether the document can be read on after this error: a key that stands twice in
/// one table keeps its first value. (Of a doubled `[header]` nothing can be said.)
fn is_doubled_key(error: &toml::de::Error, text: &str) -> bool {
    let at = error.span().map_or(0, |span| span.start);
    let line = text.get(..at).and_then(|before| before.rsplit('\n').next()).unwrap_or_default();
    error.message().starts_with("duplicate key") && !line.trim_start().starts_with('[')
}

fn syntax(error: &toml::de::Error, text: &str, report: &Report<'_>) -> Problem {
    let span = error.span().unwrap_or(text.len()..text.len());
    let found = text.get(span.clone()).unwrap_or_default();
    // The text at the place is repeated only where it is a key: values may be secrets.
    if error.message().starts_with("duplicate key") {
        let message = format!("{found} stands here a second time");
        return report.at(span.start, message, "keep one of the two");
    }
    let remedy = "see https://toml.io for how to write it";
    report.at(span.start, format!("not TOML: {}", error.message()), remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys that this process knows, as `ldap.listener[].address`.
    fn known_keys() -> Vec<String> {
        let text = "[ldap.tls]\n[[ldap.listener]]\n[[ldap.account]]\n[[ldap.profile]]\n[admin.token]\n[[connection]]\nclient_secret = {}\n[connection.local]\n[connection.user_binds]\n[[connection.rule]]\n[[report]]\n[report.mail.password]\n[report.webhook.secret]";
        let report = Report::new(text);
        read(text, &report, &Environment::default()).unwrap();
        report.known().into_iter().collect()
    }

    #[test]
    fn example_has_every_key_and_section() {
        let example = include_str!("../../config/example.toml");
        let mut section = String::new();
        let mut found = Vec::new();
        for line in example.lines() {
            let line = line.trim_start_matches('#').trim();
            if let Some(header) = line.strip_prefix('[').filter(|_| line.ends_with(']')) {
                section = header.trim_matches(['[', ']']).to_owned();
                found.push(section.clone());
            } else if let Some((key, _)) = line.split_once(" = ") {
                found.push(format!("{section}.{key}"));
            }
        }
        let missing: Vec<String> = known_keys()
            .into_iter()
            .map(|key| key.replace("[]", ""))
            .filter(|key| !found.iter().any(|f| f == key || f.starts_with(&format!("{key}."))))
            .filter(|key| {
                let sources =
                    ["connection.client_secret.", "admin.token.", "report.mail.password."];
                !sources.iter().chain(&["report.webhook.secret."]).any(|s| key.starts_with(s))
            })
            .collect();
        assert!(missing.is_empty(), "{missing:?} not in {found:?}");
    }

    #[test]
    fn file_that_is_not_there_is_named() {
        let problems = load(Path::new("no-such.toml")).unwrap_err().to_string();
        assert!(problems.starts_with("no-such.toml: cannot be read: "), "{problems}");
        assert!(problems.contains("--config"), "{problems}");
    }

    #[test]
    fn syntax_error_is_one_problem_with_its_line() {
        let problems = parse("[log]\nlevel = info\n", "x", &Environment::default()).unwrap_err();
        assert_eq!(problems.list.len(), 1, "{problems}");
        assert!(problems.to_string().starts_with("x:2: not TOML: "), "{problems}");
    }
}
