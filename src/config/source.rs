//! Secrets: read from a file, an environment variable or a systemd credential, never
//! from the configuration itself, which is copied around and shown to others.

use super::Environment;
use super::reader::{Place, Report, Table};
use super::secret::{Secret, SecretSource};
use super::value::Trouble;
use std::path::Path;

/// Reads `key = { file = ... }`, `{ env = ... }` or `{ credential = ... }`, and tries
/// whether the secret is there. `None`: there is no such key, or it was reported.
pub(super) fn read(
    table: &Table<'_>,
    key: &'static str,
    environment: &Environment,
) -> Option<SecretSource> {
    if table.is_text(key) {
        // The text may be the secret: it is not repeated.
        let trouble = Trouble::new(
            "holds a text, but secrets do not belong in this file",
            format!(
                "put it into a file and write {key} = {{ file = \"...\" }} (or env, credential)"
            ),
        );
        table.report.problem(&table.place(key), trouble);
        return None;
    }
    let source = table.section_if_present(key, |source| one_of_three(source, environment))??;
    check(table.report, &table.place(key), &source);
    Some(source)
}

/// Reads `key` as [`read`] does, or a list of at most `most` such tables.
pub(super) fn read_some(
    table: &Table<'_>,
    key: &'static str,
    environment: &Environment,
    most: usize,
) -> Option<Vec<SecretSource>> {
    if !table.is_list(key) {
        return read(table, key, environment).map(|source| vec![source]);
    }
    let read = |table: &Table<'_>| {
        let source = one_of_three(table, environment)?;
        check(table.report, &table.own_place(), &source);
        Some(source)
    };
    let sources = table.sections(key, read);
    if sources.is_empty() || sources.len() > most {
        let message = format!("lists {} secrets", sources.len());
        let remedy = format!("write one, or a list of at most {most}");
        table.report.problem(&table.place(key), Trouble::new(message, remedy));
        return None;
    }
    sources.into_iter().collect()
}

fn one_of_three(table: &Table<'_>, environment: &Environment) -> Option<SecretSource> {
    let file = table.optional("file", |value| value.path());
    let variable = table.optional("env", |value| value.text());
    let credential = table.optional("credential", |value| value.text());
    let keys = ["file", "env", "credential"];
    if keys.into_iter().filter(|key| table.has(key)).count() != 1 {
        let trouble =
            Trouble::new("needs exactly one of file, env, credential", "keep one of them");
        table.report.problem(&table.own_place(), trouble);
        return None;
    }
    let resolved = match (file, variable, credential) {
        (Some(path), _, _) => Ok(SecretSource::File(path)),
        (_, Some(name), _) => from_variable(name, environment).map_err(|trouble| ("env", trouble)),
        (_, _, Some(name)) => {
            from_credential(name, environment).map_err(|trouble| ("credential", trouble))
        }
        // The value was of the wrong kind, which has been reported.
        (None, None, None) => return None,
    };
    resolved.map_err(|(key, trouble)| table.report.problem(&table.place(key), trouble)).ok()
}

fn from_variable(name: &str, environment: &Environment) -> Result<SecretSource, Trouble> {
    let value = environment.variables.get(name).map(|value| value.trim_end_matches(['\r', '\n']));
    match value {
        Some(value) if !value.trim().is_empty() => Ok(SecretSource::Value(Secret::new(value))),
        Some(_) => Err(Trouble::new(format!("the variable {name} is empty"), "give it a value")),
        None => {
            let remedy = format!("set {name} in the environment that entraldap is started in");
            Err(Trouble::new(format!("the variable {name} is not set"), remedy))
        }
    }
}

fn from_credential(name: &str, environment: &Environment) -> Result<SecretSource, Trouble> {
    // systemd allows file names only; anything else would leave the directory.
    if name.contains('/') || name.starts_with('.') {
        let remedy = "write the name that stands after LoadCredential= in the unit";
        return Err(Trouble::new(format!("{name:?} is not the name of a credential"), remedy));
    }
    match &environment.credentials_directory {
        Some(directory) => Ok(SecretSource::File(directory.join(name))),
        None => Err(Trouble::new(
            "there is no $CREDENTIALS_DIRECTORY: systemd handed no credentials over",
            format!("add LoadCredential={name}:/path to the unit, or use {{ file = \"...\" }}"),
        )),
    }
}

fn check(report: &Report<'_>, place: &Place, source: &SecretSource) {
    match source.read() {
        Ok(_) => {
            if let SecretSource::File(path) = source {
                warn_if_open(report, place, path);
            }
        }
        Err(error) => {
            let remedy = "put the secret there, readable by the user that entraldap runs as";
            report.problem(place, Trouble::new(error.to_string(), remedy));
        }
    }
}

/// Warns of a secret that every user of the machine can read.
pub(super) fn warn_if_open(report: &Report<'_>, place: &Place, path: &Path) {
    if is_open(path) {
        let message = format!("{} can be read by every user of this machine", path.display());
        let remedy = format!("run chmod o= {}", path.display());
        report.warning(place, Trouble::new(message, remedy));
    }
}

#[cfg(unix)]
fn is_open(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
}

#[cfg(not(unix))]
fn is_open(_: &Path) -> bool {
    false
}
