//! The files in `config/` are right: they load, the example states the true defaults,
//! nothing unknown slips through anywhere, and the recipes ask for what there is.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail as tests do"
)]

use entraldap::config::{Environment, Problems, Settings, parse};
use entraldap::directory::filter::Filter;
use entraldap::directory::schema::{Described, standard};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A folder that has everything the samples refer to below `/etc/entraldap`.
struct World {
    folder: TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("client-secret", "geheim\n"),
            ("admin-token", "geheim\n"),
            ("local.ldif", "version: 1\n"),
            ("smtp-password", "geheim\n"),
            ("webhook-secret", "geheim\n"),
            ("tls.crt", "-----BEGIN CERTIFICATE-----\n"),
            ("tls.key", "-----BEGIN PRIVATE KEY-----\n"),
            ("clients-ca.pem", "-----BEGIN CERTIFICATE-----\n"),
            ("proxy-ca.pem", "-----BEGIN CERTIFICATE-----\n"),
            ("app.pem", "-----BEGIN CERTIFICATE-----\n"),
            ("app.key", "-----BEGIN PRIVATE KEY-----\n"),
            ("app.password", "geheim\n"),
            ("token", "a.b.c\n"),
        ] {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            close(&path);
        }
        World { folder }
    }

    fn parse(&self, text: &str) -> Result<Settings, Problems> {
        let folder = self.folder.path().display().to_string().replace('\\', "/");
        let secret = ("ENTRALDAP_DEMO_SECRET".to_owned(), "geheim".to_owned());
        let environment = Environment { variables: [secret].into(), credentials_directory: None };
        parse(&text.replace("/etc/entraldap", &folder), "sample.toml", &environment)
    }
}

#[cfg(unix)]
fn close(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[cfg(not(unix))]
fn close(_: &Path) {}

fn samples() -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let toml = paths.filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
    toml.map(|path| (path.clone(), fs::read_to_string(&path).unwrap())).collect()
}

fn example() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/example.toml");
    fs::read_to_string(path).unwrap()
}

fn is_assignment(line: &str) -> bool {
    let key = line.split(" = ").next().unwrap_or_default();
    key != line && key.chars().all(|c| c.is_ascii_lowercase() || matches!(c, '_' | '0'..='9'))
}

fn is_header(line: &str) -> bool {
    line.starts_with('[') && line.ends_with(']')
}

/// `#key = value`: a default.
fn commented_default(line: &str) -> Option<&str> {
    line.strip_prefix('#').filter(|rest| is_assignment(rest))
}

/// `# key = value` or `# [header]`: an example.
fn commented_example(line: &str) -> Option<&str> {
    line.strip_prefix("# ").filter(|rest| is_assignment(rest) || is_header(rest))
}

fn uncommented(text: &str, uncomment: impl Fn(&str) -> Option<&str>) -> String {
    let lines = text.lines().map(|line| uncomment(line).unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_sample_loads() {
    let world = World::new();
    let samples = samples();
    assert!(samples.len() >= 2);
    for (path, text) in samples {
        if let Err(problems) = world.parse(&text) {
            panic!("{}:\n{problems}", path.display());
        }
    }
}

#[test]
fn example_states_the_true_defaults() {
    let world = World::new();
    let example = example();
    let plain = world.parse(&example).unwrap();
    let lines: Vec<&str> = example.lines().collect();
    let mut defaults = 0;
    for (at, line) in lines.iter().enumerate() {
        let Some(default) = commented_default(line) else { continue };
        let mut changed = lines.clone();
        changed[at] = default;
        let mut settings = world.parse(&changed.join("\n")).unwrap();
        // Warnings name lines, not values; they are compared with the rest.
        settings.warnings = plain.warnings.clone();
        assert_eq!(settings, plain, "line {}: {line}", at + 1);
        defaults += 1;
    }
    assert!(defaults >= 35, "{defaults}");
    assert_eq!(world.parse(&uncommented(&example, commented_default)).unwrap(), plain);
}

#[test]
fn examples_in_the_example_load_too() {
    let world = World::new();
    let settings = world.parse(&uncommented(&example(), commented_example)).unwrap();
    assert!(settings.ldap.tls.is_some() && settings.admin.token.is_some());
    assert_eq!(settings.ldap.accounts[0].name, "postfix");
    assert_eq!(settings.ldap.accounts[0].profile.name, "gateway");
    assert_eq!(settings.ldap.anonymous.unwrap().name, "addressbook");
    assert!(settings.connections[0].graph.proxy.is_some());
    assert!(settings.warnings.is_empty(), "{}", settings.warnings);
}

/// `## key = value`: what stands instead of another key.
#[test]
fn every_way_to_prove_the_application_in_the_example_loads() {
    let world = World::new();
    let example = example();
    let secret = example.lines().find(|line| line.starts_with("client_secret = ")).unwrap();
    let mut kinds = Vec::new();
    for line in example.lines().filter_map(|line| line.strip_prefix("## ")) {
        let key = line.split(" = ").next().unwrap();
        let keys = ["client_certificate", "federated_token", "managed_identity", "delegated"];
        if !keys.contains(&key) {
            continue;
        }
        let token = world.folder.path().join("token").display().to_string();
        let line = line
            .replace("/var/run/secrets/azure/tokens/azure-identity-token", &token)
            .replace("/var/lib/entraldap/contoso.token", &token);
        let settings = world.parse(&example.replace(secret, &line)).unwrap();
        assert_eq!(settings.connections[0].credential.key(), key);
        assert!(!settings.warnings.to_string().contains("connection"), "{}", settings.warnings);
        kinds.push(key.to_owned());
    }
    assert_eq!(kinds.len(), 6);
}

#[test]
fn unknown_key_is_refused_in_every_table_of_every_sample() {
    let world = World::new();
    let mut texts: Vec<String> = samples().into_iter().map(|(_, text)| text).collect();
    texts.push(uncommented(&example(), commented_example));
    let mut tables = 0;
    for text in texts {
        let lines: Vec<&str> = text.lines().collect();
        let mut refuse = |changed: String, line: usize, header: &str| {
            let problems = world.parse(&changed).unwrap_err();
            let [problem] = problems.list.as_slice() else { panic!("{header}: {problems}") };
            let table = header.trim_matches(['[', ']']).replace(' ', "");
            let key = problem.key.replace("[0]", "").replace("[1]", "");
            let expected = format!("{table}.unheard_of");
            assert_eq!(key, expected.trim_start_matches('.'), "{problems}");
            assert_eq!(problem.line, line, "{problems}");
            assert_eq!(problem.message, "is not a known key", "{problems}");
            tables += 1;
        };
        refuse(format!("unheard_of = 1\n{text}"), 1, "");
        let mut header = "";
        for (at, line) in lines.iter().enumerate() {
            let mut changed = lines.clone();
            if is_header(line) {
                header = line;
                changed.insert(at + 1, "unheard_of = 1");
                refuse(changed.join("\n"), at + 2, header);
            } else if let Some((key, inside)) =
                line.split_once(" = { ").filter(|(key, _)| !key.starts_with('#'))
            {
                let inline = format!("{key} = {{ unheard_of = 1, {inside}");
                changed[at] = &inline;
                let inner = format!("{}.{key}", header.trim_matches(['[', ']']));
                refuse(changed.join("\n"), at + 1, &inner);
            }
        }
    }
    assert!(tables >= 30, "{tables}");
}

#[test]
fn three_mistakes_are_told_at_once_with_their_lines() {
    let world = World::new();
    let wrong = example()
        .replace("address = \"127.0.0.1:389\"", "address = \"127.0.0.1\"")
        .replace("tenant = ", "tennant = ")
        .replace("#interval = \"5m\"", "interval = 5");
    let problems = world.parse(&wrong).unwrap_err();
    let line = |start: &str| wrong.lines().position(|line| line.starts_with(start)).unwrap() + 1;
    let text = problems.to_string();
    // The mistyped key is not told as missing as well.
    assert_eq!(problems.list.len(), 3, "{text}");
    for expected in [
        format!(
            "sample.toml:{}: ldap.listener[0].address: \"127.0.0.1\" has no port; \
             write for example \"127.0.0.1:389\"",
            line("address")
        ),
        format!(
            "sample.toml:{}: connection[0].tennant: is not a known key; did you mean \"tenant\"?",
            line("tennant")
        ),
        format!(
            "sample.toml:{}: connection[0].sync.interval: 5 has no unit; \
             write for example interval = \"5s\"",
            line("interval")
        ),
    ] {
        assert!(text.contains(&expected), "{expected}\nin\n{text}");
    }
}

/// The files of `config/gateways/`, each with its path below it.
fn recipes() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/gateways");
    let mut folders = vec![root.clone()];
    let mut recipes = Vec::new();
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(&root).unwrap().display().to_string();
                recipes.push((name.replace('\\', "/"), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    recipes
}

/// What stands in a filter where the program puts an address.
const PLACEHOLDERS: [&str; 9] = [
    "${quote_ldap:$local_part@$domain}",
    "${quote_ldap:$domain}",
    "${recipient_email}",
    "%%EMAIL%%",
    "{a}",
    "{u}",
    "$m",
    "%s",
    "%u",
];

/// The filters in a line: whatever starts with `(&`, `(|`, `(!` or `(name=`.
fn filters(line: &str) -> Vec<String> {
    let mut line = line.replace("%0", "alice@contoso.com");
    for placeholder in PLACEHOLDERS {
        line = line.replace(placeholder, "alice@contoso.com");
    }
    let mut filters = Vec::new();
    let mut rest = line.as_str();
    while let Some(at) = rest.find('(') {
        rest = &rest[at..];
        let inside = rest[1..].trim_start();
        let name = inside.find(|c: char| !c.is_ascii_alphanumeric() && !"-.:".contains(c));
        let is_item = name.is_some_and(|end| end > 0 && inside[end..].starts_with('='));
        if !is_item && !inside.starts_with(['&', '|', '!']) {
            rest = &rest[1..];
            continue;
        }
        let mut depth = 0;
        let end = rest.find(|c| {
            depth += match c {
                '(' => 1,
                ')' => -1,
                _ => 0,
            };
            depth == 0
        });
        let end = end.unwrap_or_else(|| panic!("not closed: {rest}"));
        filters.push(rest[..=end].to_owned());
        rest = &rest[end..];
    }
    filters
}

/// All attributes that a filter asks for.
fn attributes<'a>(filter: &'a Filter, found: &mut Vec<&'a [u8]>) {
    match filter {
        Filter::And(list) | Filter::Or(list) => list.iter().for_each(|f| attributes(f, found)),
        Filter::Not(inner) => attributes(inner, found),
        Filter::Equality(name, _)
        | Filter::Substrings(name, _)
        | Filter::GreaterOrEqual(name, _)
        | Filter::LessOrEqual(name, _)
        | Filter::Present(name)
        | Filter::Approx(name, _) => found.push(name),
        Filter::Extensible(test) => found.extend(test.attribute.as_deref()),
    }
}

#[test]
fn filters_of_the_recipes_are_filters_on_known_attributes() {
    let mut count = 0;
    for (name, text) in recipes() {
        for line in text.lines() {
            for text in filters(line) {
                assert!(!text.contains(['{', '}', '%']), "{name}: a placeholder is left in {text}");
                let filter = Filter::parse(&text).unwrap_or_else(|e| panic!("{name}: {text}: {e}"));
                let mut asked = Vec::new();
                attributes(&filter, &mut asked);
                for attribute in asked {
                    let known = !matches!(standard().described(attribute), Described::Unknown);
                    assert!(known, "{name}: unknown attribute in {text}");
                }
                count += 1;
            }
        }
    }
    assert!(count >= 60, "{count}");
}

#[test]
fn every_recipe_proves_itself_and_is_in_the_index() {
    let recipes = recipes();
    let (_, index) = recipes.iter().find(|(name, _)| name == "README.md").unwrap();
    let mut pages = 0;
    for (name, text) in &recipes {
        let Some(_) = name.strip_suffix(".md") else { continue };
        assert!(name == "README.md" || index.contains(&format!("]({name})")), "{name}");
        let proofs: Vec<&str> =
            text.lines().map(str::trim).filter(|line| line.starts_with("ldapsearch ")).collect();
        assert!(!proofs.is_empty(), "{name} has no ldapsearch line");
        for line in proofs {
            // A password is never sent in clear text, nor typed where others can read it.
            let encrypted = line.contains(" -ZZ ") || line.contains(" ldaps://");
            let asks = line.contains(" -W ") || !line.contains(" -D ");
            let base = line.contains(",dc=com '") || line.contains(" -b '' ");
            assert!(encrypted && asks && base, "{name}: {line}");
            assert!(line.contains(" '("), "{name}: {line}");
        }
        pages += 1;
    }
    assert!(pages >= 14, "{pages}");
}
