//! Claims about secrets, and where they come from.

use super::*;

#[test]
fn secrets_in_the_file_itself_are_refused_and_not_repeated() {
    let text = format!("{LISTENER}{}", CONNECTION.replace("{ env = \"SECRET\" }", "\"geheim\""));
    let problems = parse(&text, "t", &environment()).unwrap_err();
    assert!(problems.to_string().contains("secrets do not belong in this file"), "{problems}");
    assert!(!problems.to_string().contains("geheim"), "{problems}");
}

#[test]
fn secrets_have_to_be_there() {
    let with = |source: &str, environment: &Environment| {
        let connection = CONNECTION.replace("{ env = \"SECRET\" }", source);
        parse(&format!("{LISTENER}{connection}"), "t", environment)
    };
    let plain = environment();
    refused(with("{ env = \"NONE\" }", &plain), "the variable NONE is not set");
    refused(with("{ env = \"BLANK\" }", &plain), "the variable BLANK is empty");
    refused(with("{ file = \"no-such-file\" }", &plain), "client_secret: no-such-file: ");
    refused(with("{ credential = \"a\" }", &plain), "add LoadCredential=a:/path");
    refused(with("{}", &plain), "needs exactly one of file, env, credential");
    refused(with("{ env = \"SECRET\", file = \"x\" }", &plain), "needs exactly one");
    refused(with("{ file = 1 }", &plain), "client_secret.file: is a number");

    let (folder, path) = secret_file("\n", 0o600);
    refused(with(&format!("{{ file = \"{path}\" }}"), &plain), "secret is empty");
    std::fs::write(&path, "geheim\n").unwrap();
    let with_credentials =
        Environment { credentials_directory: Some(folder.path().to_owned()), ..environment() };
    let settings = with("{ credential = \"secret\" }", &with_credentials).unwrap();
    assert_eq!(secret(&settings).reveal(), "geheim");
    refused(
        with("{ credential = \"../secret\" }", &with_credentials),
        "not the name of a credential",
    );
}

#[cfg(unix)]
#[test]
fn secret_that_everybody_can_read_is_a_warning() {
    let (_folder, path) = secret_file("geheim\n", 0o644);
    let connection =
        CONNECTION.replace("{ env = \"SECRET\" }", &format!("{{ file = \"{path}\" }}"));
    let text = format!("{LISTENER}{connection}");
    let warnings = parse(&text, "t", &environment()).unwrap().warnings.to_string();
    assert!(warnings.contains("can be read by every user"), "{warnings}");
    set_mode(Path::new(&path), 0o640);
    let warnings = parse(&text, "t", &environment()).unwrap().warnings.to_string();
    assert!(!warnings.contains("can be read by every user"), "{warnings}");
}

#[test]
fn password_of_a_proxy_is_never_shown() {
    let graph = |text: &str| read_after(&format!("[connection.graph]\n{text}"));
    let settings = graph("proxy = \"http://ada:geheim@proxy:3128\"").unwrap();
    assert!(!format!("{settings:?}").contains("geheim"));
    let proxy = settings.connections[0].graph.proxy.as_ref().unwrap();
    assert_eq!(proxy.url().password(), Some("geheim"));
    for bad in ["proxy = \"http://ada:geheim@:x\"", "proxy = \"socks5://ada:geheim@proxy\""] {
        let problems = graph(bad).unwrap_err().to_string();
        assert!(problems.contains("connection[0].graph.proxy: is not"), "{problems}");
        assert!(!problems.contains("geheim"), "{problems}");
    }
}
