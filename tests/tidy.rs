//! The house rules that a compiler does not check: who may import whom, which crate
//! has which door, no dead or overlong files, no exceptions without a reason.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail as tests do"
)]

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

/// Which rooms a room may import; `room::part` allows that part only.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("directory", &[]),
    ("config", &["directory"]),
    ("graph", &["config", "directory::ids", "directory::kind"]),
    ("mapping", &["config", "directory", "graph::object"]),
    ("replica", &["config", "directory"]),
    ("sync", &["config", "directory", "graph", "mapping", "replica"]),
    ("ldap", &["config", "directory", "replica"]),
    ("credentials", &["config", "graph"]),
    ("inspect", &["directory", "replica"]),
    ("admin", &["config", "inspect", "replica", "sync"]),
    ("notify", &["config", "sync::report"]),
    ("simulator", &[]),
    ("telemetry", &["config"]),
    ("daemon", &EVERY_ROOM),
    ("cli", &EVERY_ROOM),
];

/// What `daemon` and `cli` may import; only `cli` has the daemon below it.
const EVERY_ROOM: [&str; 14] = [
    "directory",
    "config",
    "graph",
    "mapping",
    "replica",
    "sync",
    "ldap",
    "credentials",
    "inspect",
    "admin",
    "notify",
    "simulator",
    "telemetry",
    "daemon",
];

/// Which rooms a crate, or a part of it, may be used in.
const DOORS: &[(&str, &[&str])] = &[
    ("redb", &["replica"]),
    // The admin client of the commands is an HTTP client, too.
    ("reqwest", &["graph", "notify", "cli"]),
    ("ldap3_proto", &["ldap"]),
    ("tokio_rustls", &["ldap", "simulator"]),
    ("webpki", &["ldap"]),
    ("ipnet", &["config", "ldap"]),
    ("rlimit", &["daemon"]),
    ("socket2", &["ldap"]),
    ("rustls::server", &["ldap"]),
    ("rustls::ServerConfig", &["ldap", "simulator"]),
    ("ring::signature", &["graph", "simulator"]),
    ("ring::digest", &["graph", "simulator"]),
    ("p12_keystore", &["graph"]),
    ("pkcs8", &["graph"]),
    ("x509_parser", &["graph", "simulator"]),
    ("hyper_util", &["graph"]),
    ("toml", &["config"]),
    ("clap", &["cli", "main"]),
    ("clap_complete", &["cli"]),
    ("lettre", &["notify"]),
    ("prometheus_client", &["admin"]),
    ("axum", &["admin", "simulator"]),
    ("tracing_subscriber", &["telemetry"]),
];

/// Tables of data, which are as long as they are.
const DATA_TABLES: &[&str] =
    &["src/directory/definitions.rs", "src/directory/definitions/attributes.rs"];

const LONGEST_FILE: usize = 450;

/// A Rust file below `src`, `tests` or `examples`.
struct Source {
    /// From the package's root, with `/`.
    path: String,
    /// As it is.
    text: String,
    /// Without comments and test modules.
    code: String,
    /// Whether it is compiled for tests only.
    test: bool,
}

impl Source {
    /// The room it belongs to: the first part of its module path.
    fn room(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        inside.split('/').next().map(|first| first.trim_end_matches(".rs"))
    }

    /// How many modules deep its own module is: 1 for a room.
    fn depth(&self) -> usize {
        let parts = self.path.matches('/').count();
        if self.path.ends_with("/mod.rs") { parts - 1 } else { parts }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            // What `cargo fuzz` compiles lies there if it is not told otherwise.
            if !path.ends_with("fuzz/target") {
                files(&path, out);
            }
        } else {
            out.push(path);
        }
    }
}

fn sources() -> Vec<Source> {
    let mut paths = Vec::new();
    for folder in ["src", "tests", "examples"] {
        files(&root().join(folder), &mut paths);
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let path = path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
        let code = without_test_modules(&without_comments(&text));
        let test = !path.starts_with("src/");
        Source { path, text, code, test }
    };
    let mut sources: Vec<Source> = paths.into_iter().map(read).collect();
    let test_files: BTreeSet<String> = sources.iter().flat_map(test_modules).collect();
    for source in &mut sources {
        let below = |module: &String| source.path.starts_with(&format!("{module}/"));
        let module = source.path.trim_end_matches(".rs");
        source.test |= test_files.contains(module) || test_files.iter().any(below);
    }
    sources
}

/// Comment lines and comments at the end of lines; none of ours stand inside lines.
fn without_comments(text: &str) -> String {
    let cut = |line: &str| {
        let comment = match line.trim_start().starts_with("//") {
            true => Some(0),
            false => line.find(" // "),
        };
        line[..comment.unwrap_or(line.len())].to_owned()
    };
    text.lines().map(cut).collect::<Vec<_>>().join("\n")
}

/// Test modules written in the file end, as rustfmt has it, with a brace below `mod`.
fn without_test_modules(code: &str) -> String {
    let mut out = Vec::new();
    let mut lines = code.lines().peekable();
    while let Some(line) = lines.next() {
        let opens = |next: &&str| next.trim_start().starts_with("mod ") && next.ends_with('{');
        if line.trim() == "#[cfg(test)]" && lines.peek().is_some_and(opens) {
            let indent = &line[..line.len() - line.trim_start().len()];
            let end = format!("{indent}}}");
            for skipped in lines.by_ref() {
                if skipped == end {
                    break;
                }
            }
        } else {
            out.push(line);
        }
    }
    out.join("\n")
}

/// Files, without `.rs`, that `source` declares as modules for tests.
fn test_modules(source: &Source) -> Vec<String> {
    let lines: Vec<&str> = source.code.lines().map(str::trim).collect();
    let declared = lines.windows(2).filter(|pair| pair[0] == "#[cfg(test)]");
    let names = declared.filter_map(|pair| pair[1].strip_prefix("mod ")?.strip_suffix(';'));
    names.map(|name| format!("{}/{name}", module_folder(&source.path))).collect()
}

/// Where the modules that a file declares are looked for.
fn module_folder(path: &str) -> String {
    let (folder, file) = path.rsplit_once('/').unwrap();
    match file {
        "mod.rs" | "lib.rs" | "main.rs" => folder.to_owned(),
        file => format!("{folder}/{}", file.trim_end_matches(".rs")),
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// All paths that start with `head`, groups in braces taken apart.
fn paths_after<'t>(code: &'t str, head: &str) -> Vec<Vec<&'t str>> {
    let starts = code
        .match_indices(head)
        .filter(|(at, _)| !code[..*at].ends_with(|c: char| is_word(c) || c == ':' || c == '$'));
    let mut out = Vec::new();
    for (at, _) in starts {
        expand(&code[at + head.len()..], &mut Vec::new(), &mut out);
    }
    out
}

/// Reads one `a::b` or `a::{b, c::d}` behind `prefix`; gives what follows it.
fn expand<'t>(text: &'t str, prefix: &mut Vec<&'t str>, out: &mut Vec<Vec<&'t str>>) -> &'t str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = expand(rest, &mut prefix.clone(), out).trim_start();
            // `as name` follows a path at times.
            rest = rest.trim_start_matches(|c: char| is_word(c) || c.is_whitespace());
            match rest.strip_prefix(',') {
                Some(next) if next.trim_start().starts_with('}') => rest = next.trim_start(),
                Some(next) => {
                    rest = next;
                    continue;
                }
                None => {}
            }
            return rest.strip_prefix('}').unwrap_or(rest);
        }
    }
    let end = text.find(|c: char| !is_word(c)).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    prefix.push(word);
    match rest.strip_prefix("::") {
        Some(next) if next.starts_with(|c: char| is_word(c) || c == '{') => {
            expand(next, prefix, out)
        }
        _ => {
            out.push(prefix.clone());
            rest
        }
    }
}

#[track_caller]
fn assert_none(found: Vec<String>) {
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn rooms_import_only_what_the_table_allows() {
    let table: HashMap<&str, &[&str]> = MAY_IMPORT.iter().copied().collect();
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| !source.test) {
        let Some(room) = source.room().filter(|room| !matches!(*room, "lib" | "main")) else {
            continue;
        };
        let Some(allowed) = table.get(room) else {
            found.push(format!("{}: the room {room} is not in the table", source.path));
            continue;
        };
        let up = "super::".repeat(source.depth());
        let mut paths = paths_after(&source.code, "crate::");
        paths.extend(paths_after(&source.code, &up).into_iter().filter(|path| path[0] != "super"));
        for path in paths {
            let path = path.join("::");
            let within = |part: &&str| {
                path == *part || path.strip_prefix(*part).is_some_and(|rest| rest.starts_with("::"))
            };
            if !within(&room) && !allowed.iter().any(within) {
                found.push(format!("{}: imports {path}", source.path));
            }
        }
    }
    assert_none(found);
}

#[test]
fn crates_have_their_doors() {
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| !source.test) {
        let room = source.room().unwrap_or_default();
        for (name, rooms) in DOORS.iter().filter(|(_, rooms)| !rooms.contains(&room)) {
            let (first, part) = name.split_once("::").unwrap_or((*name, ""));
            let mut paths = paths_after(&source.code, &format!("{first}::"));
            if source.code.contains(&format!("use {first};")) {
                paths.push(vec![""]);
            }
            if paths.iter().any(|path| part.is_empty() || path[0] == part) {
                found.push(format!("{}: {name} belongs to {rooms:?}", source.path));
            }
        }
    }
    assert_none(found);
}

#[test]
fn every_file_says_what_it_is() {
    let silent = sources().into_iter().filter(|source| !source.text.starts_with("//!"));
    assert_none(silent.map(|source| format!("{}: does not start with //!", source.path)).collect());
}

#[test]
fn no_file_is_dead() {
    let sources = sources();
    let known: HashMap<&str, &Source> = sources.iter().map(|s| (s.path.as_str(), s)).collect();
    let mut alive = BTreeSet::new();
    let mut open = vec!["src/lib.rs".to_owned(), "src/main.rs".to_owned()];
    while let Some(path) = open.pop() {
        let Some(source) = known.get(path.as_str()).filter(|_| alive.insert(path.clone())) else {
            continue;
        };
        let folder = module_folder(&path);
        for line in without_comments(&source.text).lines() {
            let Some(declared) = line.trim().strip_suffix(';') else { continue };
            let mut words = declared.rsplit(' ');
            if let (Some(name), Some("mod")) = (words.next(), words.next()) {
                open.push(format!("{folder}/{name}.rs"));
                open.push(format!("{folder}/{name}/mod.rs"));
            }
        }
    }
    let src = sources.iter().map(|source| &source.path).filter(|path| path.starts_with("src/"));
    let dead = src.filter(|path| !alive.contains(*path));
    assert_none(dead.map(|path| format!("{path}: no mod leads there")).collect());
}

#[test]
fn lints_are_silenced_with_a_reason_only() {
    let mut found = Vec::new();
    for source in sources() {
        let code = without_comments(&source.text);
        for lint in ["allow", "expect"] {
            for start in ["#[", "#!["] {
                let opening = format!("{start}{lint}(");
                for (at, _) in code.match_indices(&opening) {
                    let attribute = code[at..].split(")]").next().unwrap();
                    if !attribute.contains("reason") {
                        let line = code[..at].matches('\n').count() + 1;
                        found.push(format!("{}:{line}: {opening}...", source.path));
                    }
                }
            }
        }
    }
    assert_none(found);
}

#[test]
fn files_can_be_read_in_one_go() {
    let long = |source: &Source| {
        let lines = source.text.lines().count();
        let exempt = source.test || DATA_TABLES.contains(&source.path.as_str());
        let message = format!("{}: {lines} lines, more than {LONGEST_FILE}", source.path);
        (!exempt && lines > LONGEST_FILE).then_some(message)
    };
    assert_none(sources().iter().filter_map(long).collect());
}

#[test]
fn no_path_of_a_machine_is_written_down() {
    // Put together here, so that this file does not hold them itself.
    let machine = ["work", "root", "tmp"].map(|folder| format!("/{folder}/"));
    let mut paths = vec![root().join("README.md")];
    for folder in ["src", "config", ".ci"] {
        files(&root().join(folder), &mut paths);
    }
    let mut found = Vec::new();
    for path in paths {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for (at, line) in text.lines().enumerate() {
            if machine.iter().any(|folder| line.contains(folder.as_str())) {
                found.push(format!("{}:{}: {line}", path.display(), at + 1));
            }
        }
    }
    assert_none(found);
}

/// The fuzz targets are a package of their own, and its lock file is written when they are
/// built: a dependency that is new here has to be locked there, too.
#[test]
fn fuzz_targets_are_locked_with_our_dependencies() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let lock = fs::read_to_string(root().join("tests/fuzz/Cargo.lock")).unwrap();
    let sections = manifest.split("\n[").find_map(|part| part.strip_prefix("dependencies]"));
    let wanted = sections.unwrap().lines().filter(|line| !line.contains("optional = true"));
    let wanted = wanted.filter_map(|line| line.split_once(" = ")).map(|(name, _)| name);
    let ours = lock.split("[[package]]").find(|p| p.contains("name = \"entraldap\"\n")).unwrap();
    let has = |name: &str| {
        let row = format!("\n \"{name}");
        ours.match_indices(&row).any(|(at, _)| ours[at + row.len()..].starts_with(['"', ' ']))
    };
    let missing = wanted.filter(|name| !has(name));
    assert_none(
        missing.map(|name| format!("{name}: run cargo update --workspace in tests/fuzz")).collect(),
    );
}

#[test]
fn tests_do_not_sleep() {
    let sleep = ["thread", "time"].map(|module| format!("{module}::sleep{}", '('));
    let mut found = Vec::new();
    for source in sources() {
        // Of a file that is compiled for more than tests, its test modules.
        let kept: BTreeSet<&str> = match source.test {
            true => BTreeSet::new(),
            false => source.code.lines().collect(),
        };
        for line in without_comments(&source.text).lines().filter(|line| !kept.contains(line)) {
            if sleep.iter().any(|call| line.contains(call.as_str())) {
                found.push(format!("{}: {}", source.path, line.trim()));
            }
        }
    }
    assert_none(found);
}

#[test]
fn paths_are_found_in_all_their_forms() {
    let code = "use crate::config::{Secret, settings::{A, B as C}, d};\n\
                let x = crate::graph::delta::run(crate::sync);\nuse crate::{ldap, replica::R,};\n\
                mycrate::x(); $crate::y();";
    let found: Vec<String> =
        paths_after(code, "crate::").iter().map(|path| path.join("::")).collect();
    let expected = [
        "config::Secret",
        "config::settings::A",
        "config::settings::B",
        "config::d",
        "graph::delta::run",
        "sync",
        "ldap",
        "replica::R",
    ];
    assert_eq!(found, expected);
    let code =
        without_test_modules("a\n#[cfg(test)]\nmod tests {\n    x\n}\nb\n#[cfg(test)]\nmod c;");
    assert_eq!(code, "a\nb\n#[cfg(test)]\nmod c;");
}
