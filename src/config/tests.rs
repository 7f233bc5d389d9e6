//! Claims about single files, problem by problem.

mod connections;
mod front;
mod passes;
mod secrets;
mod user_binds;

use super::settings::{
    AdminListen, ClientCertificate, Credential, LogFormat, ProfileSettings, Readable, SignInProof,
    UserBindSettings,
};
use super::{Environment, Problems, Secret, Settings, parse};
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

const CONNECTION: &str = "\
    [[connection]]\n\
    name = \"contoso\"\n\
    base = \"dc=contoso,dc=com\"\n\
    tenant = \"contoso.onmicrosoft.com\"\n\
    client_id = \"11111111-1111-1111-1111-111111111111\"\n\
    client_secret = { env = \"SECRET\" }\n";

const LISTENER: &str = "[[ldap.listener]]\naddress = \"127.0.0.1:389\"\n";

fn environment() -> Environment {
    let variables = [("SECRET", "geheim"), ("BLANK", " ")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Environment { variables: variables.into(), credentials_directory: None }
}

/// Reads `more` after a listener and before a connection.
fn read(more: &str) -> Result<Settings, Problems> {
    parse(&format!("{LISTENER}{more}\n{CONNECTION}"), "t", &environment())
}

/// Reads `more` after a listener and a connection.
fn read_after(more: &str) -> Result<Settings, Problems> {
    parse(&format!("{LISTENER}{CONNECTION}{more}\n"), "t", &environment())
}

#[track_caller]
fn refused(result: Result<Settings, Problems>, expected: &str) {
    let problems = result.unwrap_err();
    assert_eq!(problems.list.len(), 1, "{problems}");
    assert!(problems.to_string().contains(expected), "{problems}");
}

fn secret(settings: &Settings) -> Secret {
    match &settings.connections[0].credential {
        Credential::Secrets(sources) => sources[0].read().unwrap(),
        other => panic!("{other:?}"),
    }
}

fn secret_file(text: &str, mode: u32) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, text).unwrap();
    set_mode(&path, mode);
    let shown = path.display().to_string();
    (folder, shown)
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(not(unix))]
fn set_mode(_: &Path, _: u32) {}

#[test]
fn pages_get_more_memory_where_entries_have_none() {
    let cache = |text: &str| read(&format!("[replica]\n{text}")).unwrap().replica.cache;
    assert_eq!((cache(""), cache("in_memory = false")), (16 << 20, 64 << 20));
    assert_eq!(cache("in_memory = false\ncache = \"2MiB\""), 2 << 20);
}

#[test]
fn what_the_file_says_is_what_the_settings_hold() {
    let settings = read(
        "[replica]\npath = \"x.redb\"\ncache = \"24MiB\"\nhistory = 0x10\n\
         [log]\nformat = \"json\"\nlevel = \"warn,entraldap::ldap=debug\"\n\
         [admin]\nlisten = \"127.0.0.1:9389\"\ntoken = { env = \"SECRET\" }\n\
         [ldap]\nanonymous_search = true\nlimits = { size = 1_000, time = \"0s\" }",
    )
    .unwrap();
    assert_eq!(settings.replica.path, Path::new("x.redb"));
    assert_eq!((settings.replica.cache, settings.replica.history), (24 << 20, 16));
    assert_eq!(settings.log.format, LogFormat::Json);
    assert_eq!(settings.admin.listen, AdminListen::Tcp("127.0.0.1:9389".parse().unwrap()));
    assert_eq!(settings.admin.token.as_ref().unwrap().reveal(), "geheim");
    assert_eq!(settings.ldap.anonymous, Some(Default::default()));
    assert_eq!((settings.ldap.limits.size, settings.ldap.limits.time), (1000, Duration::ZERO));
    assert!(settings.warnings.is_empty(), "{}", settings.warnings);
    assert!(!format!("{settings:?}").contains("geheim"));
}

#[test]
fn file_without_listener_or_connection_is_refused() {
    let problems = parse("", "t", &environment()).unwrap_err().to_string();
    assert!(problems.contains("t: ldap.listener: is missing"), "{problems}");
    assert!(problems.contains("t: connection: is missing"), "{problems}");
}

#[test]
fn required_keys_are_asked_for_by_the_header_they_belong_to() {
    let text =
        format!("{LISTENER}\n[[connection]]\nname = \"a\"\n[[ldap.account]]\nname = \"b\"\n");
    let problems = parse(&text, "t", &environment()).unwrap_err().to_string();
    for expected in [
        "t:4: connection[0].base: is missing; write for example",
        "t:4: connection[0].tenant: is missing",
        "t:4: connection[0].client_id: is missing",
        "t:4: connection[0].client_secret: is missing",
        "t:6: ldap.account[0].password_hash: is missing; run entraldap hash-password",
    ] {
        assert!(problems.contains(expected), "{expected} in\n{problems}");
    }
    assert_eq!(problems.lines().count(), 5, "{problems}");
}

#[test]
fn values_of_the_wrong_kind_are_told_with_an_example() {
    refused(read("[log]\nlevel = 3"), "t:4: log.level: is a number, not a text");
    refused(read("[log]\nlevel = \"inf\""), "\"inf\" does not end in a level");
    refused(read("[replica]\ncache = 64"), "64 has no unit; write for example cache = \"64KiB\"");
    refused(read("[replica]\ncache = \"64MB\""), "write a number and one of B, KiB, MiB, GiB");
    refused(read("[replica]\nhistory = -1"), "-1 is out of range; choose a number from 1");
    refused(read("[ldap.limits]\nidle = 300"), "write for example idle = \"300s\"");
    refused(read("[ldap.limits]\nidle = \"10ms\""), "choose a duration from \"1s\" to \"1d\"");
    refused(read("[ldap.limits]\nfilter_depth = 1000"), "choose a number from 4 to 256");
    refused(read("[ldap.limits]\noutput = \"1KiB\""), "choose a size from \"16KiB\" to \"16MiB\"");
    refused(read("[ldap.limits]\ntls_handshake = 10"), "write for example tls_handshake = \"10s\"");
    refused(read("[ldap]\nanonymous_search = \"yes\""), "is a text, not true or false");
    refused(read("log = 1\n[replica]"), "is not a known key");
    refused(read("[[log]]\nlevel = \"info\""), "write it once, in single brackets: [log]");
    let single = CONNECTION.replace("[[connection]]", "[connection]");
    refused(parse(&format!("{LISTENER}{single}"), "t", &environment()), "[[connection]]");
}

#[test]
fn addresses_need_an_ip_and_a_port() {
    let with = |address: &str| {
        let listener = LISTENER.replace("127.0.0.1:389", address);
        parse(&format!("{listener}{CONNECTION}"), "t", &environment())
    };
    refused(
        with("0.0.0.0"),
        "t:2: ldap.listener[0].address: \"0.0.0.0\" has no port; write for example \"0.0.0.0:389\"",
    );
    refused(with("*:389"), "names no address");
    let warnings = with("0.0.0.0:389").unwrap().warnings.to_string();
    assert!(warnings.contains("t:2: ldap.listener[0].address: passwords"), "{warnings}");
    refused(read(LISTENER), "\"127.0.0.1:389\" is also the listener in line 2");
    assert!(read(&format!("{0}{0}", LISTENER.replace(":389", ":0"))).is_ok());
}

#[test]
fn admin_server_is_not_for_the_network() {
    refused(read("[admin]\nlisten = \"0.0.0.0:9389\""), "can be reached from other machines");
    refused(read("[admin]\nlisten = \"127.0.0.1:9389\""), "admin.token: is missing");
    refused(read("[admin]\nlisten = \"/run/x.sock\""), "write \"unix:/run/x.sock\"");
    assert_eq!(read("[admin]\nlisten = \"off\"").unwrap().admin.listen, AdminListen::Off);
}

#[test]
fn doubled_key_is_told_among_the_other_problems() {
    let problems = read("[log]\nlevel = \"info\"\nlevel = \"warn\"\ncolour = 1").unwrap_err();
    let text = problems.to_string();
    assert!(text.contains("t:5: level stands here a second time"), "{text}");
    assert!(text.contains("t:6: log.colour: is not a known key"), "{text}");
    assert_eq!(problems.list.len(), 2, "{text}");
    let doubled = read("[log]\n[replica]\n[log]").unwrap_err();
    assert_eq!(doubled.list.len(), 1, "{doubled}");
    assert_eq!(doubled.list[0].line, 5, "{doubled}");
}

const USER_BINDS: &str = "[connection.user_binds]\nenabled = true\n";
