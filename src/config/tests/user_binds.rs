//! Claims about binds of users.

use super::*;

fn user_binds(lines: &str) -> Option<UserBindSettings> {
    let settings = read_after(&format!("[connection.user_binds]\n{lines}")).unwrap();
    settings.connections.into_iter().next().unwrap().user_binds
}

#[test]
fn user_binds_are_off_until_they_are_enabled() {
    assert_eq!(user_binds(""), None);
    assert_eq!(user_binds("enabled = false\nfailures = 3"), None);
    assert_eq!(user_binds("enabled = true"), Some(UserBindSettings::default()));
    let settings = user_binds(
        "enabled = true\naccept_codes = [50076, 99999]\ncache = \"15m\"\ntimeout = \"3s\"\n\
         failures = 50\npause = \"1h\"\nscope = \"openid\"\n\
         client_id = \"22222222-1111-1111-1111-111111111111\"\nclient_secret = { env = \"SECRET\" }",
    );
    let settings = settings.unwrap();
    assert_eq!(settings.accept_codes, [50076, 99999]);
    assert_eq!(
        (settings.cache, settings.timeout),
        (Duration::from_secs(900), Duration::from_secs(3))
    );
    assert!(matches!(settings.proof, SignInProof::Secret(_)));
    assert_eq!(
        user_binds("enabled = true\npublic_client = true").unwrap().proof,
        SignInProof::Public
    );
    let profile = "[[ldap.profile]]\nname = \"People\"\nsize = 5\n";
    let text = format!("{LISTENER}{profile}{CONNECTION}{USER_BINDS}profile = \"people\"\n");
    let settings = parse(&text, "t", &environment()).unwrap();
    let binds = settings.connections[0].user_binds.as_ref().unwrap();
    assert_eq!((binds.profile.name.as_str(), binds.profile.size), ("People", Some(5)));
    // Users can search then.
    assert!(settings.warnings.is_empty(), "{}", settings.warnings);
}

#[test]
fn example_states_the_defaults_of_user_binds() {
    let example = include_str!("../../../config/example.toml");
    let (_, section) = example.split_once("[connection.user_binds]\n").unwrap();
    let section = section.split("\n\n").next().unwrap();
    let defaults = section.lines().filter_map(|line| line.strip_prefix('#'));
    let defaults: Vec<&str> = defaults.filter(|line| !line.starts_with([' ', '#'])).collect();
    assert!(defaults.len() >= 7, "{defaults:?}");
    let lines = defaults.join("\n").replace("enabled = false", "enabled = true");
    assert_eq!(user_binds(&lines), Some(UserBindSettings::default()));
}

#[test]
fn user_binds_that_would_let_anybody_in_or_cannot_work_are_refused() {
    let with = |line: &str| read_after(&format!("{USER_BINDS}{line}"));
    for code in [50126, 50034, 50056, 50053, 50055, 50144, 50057, 7_000_215, 90002, 50196, 65001] {
        refused(with(&format!("accept_codes = [50076, {code}]")), &format!("holds {code}, which"));
    }
    refused(with("accept_codes = [76]"), "76 is out of range");
    refused(with("accept_codes = \"50076\""), "is a text, not a list");
    refused(with("cache = \"16m\""), "16m is out of range");
    refused(with("failures = 0"), "0 is out of range");
    refused(with("failures = 51"), "51 is out of range");
    refused(with("pasue = \"1m\""), "did you mean \"pause\"?");
    refused(with("profile = \"people\""), "\"people\" is not a profile");
    refused(with("client_secret = \"geheim\""), "secrets do not belong in this file");
    refused(
        with("client_id = \"22222222-1111-1111-1111-111111111111\""),
        "connection[0].user_binds.client_secret: is missing; write the secret of this client_id",
    );
    refused(
        with("public_client = true\nclient_secret = { env = \"SECRET\" }"),
        "contradicts client_secret",
    );
}
