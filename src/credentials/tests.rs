//! What refusals mean, and passwords that are never sent.

use super::*;
use crate::config::{Environment, parse};
use crate::graph::{Access, Retry};
use Answer::*;

fn refusal(code: &str, interaction: bool) -> GraphError {
    GraphError {
        kind: ErrorKind::Credential,
        operation: "sign-in".into(),
        status: Some(400),
        code: Some(code.into()),
        word: Some("invalid_grant".into()),
        message: "".into(),
        interaction,
        request_id: None,
        client_request_id: None,
        retry: Retry::Never,
        access: Access::default(),
    }
}

/// Credentials that ask where nobody is.
fn credentials(more: &str) -> Credentials {
    let text = format!(
        "[[ldap.listener]]\naddress = \"127.0.0.1:389\"\n[[connection]]\nname = \"a\"\n\
         base = \"dc=a\"\ntenant = \"a.example\"\nclient_secret = {{ env = \"S\" }}\n\
         client_id = \"11111111-1111-1111-1111-111111111111\"\n\
         [connection.graph]\nauthority = \"http://127.0.0.1:1/\"\nendpoint = \"http://127.0.0.1:1/\"\n\
         [connection.user_binds]\nenabled = true\n{more}\n"
    );
    let variables = [("S".to_owned(), "x".to_owned())].into();
    let environment = Environment { variables, credentials_directory: None };
    let settings = parse(&text, "t", &environment).unwrap();
    let connection = settings.connections.into_iter().next().unwrap();
    let graph = Graph::new(&connection).unwrap();
    Credentials::new("a", connection.user_binds.unwrap(), graph, None).unwrap()
}

fn question(who: Who, password: &[u8]) -> Question {
    Question {
        who,
        password: Zeroizing::new(password.to_vec()),
        network: "10.0.0.1".parse().unwrap(),
        may_ask: Box::new(|| true),
    }
}

fn ann() -> Who {
    Who::User { number: 7, username: "ann@contoso.com".to_owned(), version: 1 }
}

/// The table of graph.md 1.8.
#[test]
fn every_code_of_the_table_has_its_answer() {
    for (answer, codes) in [
        (Wrong, &[50126u32, 50034, 50056, 50064][..]),
        (Locked, &[50053]),
        (Expired, &[50055, 50144]),
        (Disabled, &[50057]),
        (Hours, &[80012]),
        (Barred, &[50076, 50079, 50074, 50072, 50158, 50105]),
        (Barred, &[53003, 53000, 53001, 53002, 53004, 530_032, 530_035]),
        (Unavailable, &[50196, 65001, 7_000_218, 7_000_215, 7_000_222, 700_016, 700_038]),
        (Unavailable, &[700_027, 50012, 90002, 500_011, 9_001_023]),
        (Unavailable, &[80001, 80002, 80005, 80007, 80013, 80014]),
        (Unavailable, &[50000, 90033, 90024, 90006, 50033, 90090, 90055]),
    ] {
        for code in codes {
            for interaction in [false, true] {
                let error = refusal(&format!("AADSTS{code}"), interaction);
                assert_eq!(meaning(&error).answer(), answer, "{code}");
            }
        }
    }
}

#[test]
fn what_is_not_in_the_table_is_no_yes() {
    for (code, interaction, answer) in [
        ("AADSTS99999", false, Wrong),
        ("AADSTS99999", true, Barred),
        ("invalid_grant", false, Wrong),
        ("interaction_required", true, Barred),
        ("invalid_client", false, Unavailable),
        ("invalid_scope", false, Unavailable),
        ("AADSTSx", false, Unavailable),
    ] {
        assert_eq!(meaning(&refusal(code, interaction)).answer(), answer, "{code}");
    }
    let application = GraphError { status: Some(401), ..refusal("AADSTS99999", true) };
    assert_eq!(meaning(&application).answer(), Unavailable);
    for kind in [ErrorKind::Throttled, ErrorKind::Network, ErrorKind::Garbled, ErrorKind::Refused] {
        let error = GraphError { kind, ..refusal("AADSTS50126", false) };
        assert_eq!(meaning(&error).answer(), Unavailable, "{kind:?}");
    }
}

#[test]
fn only_what_bars_a_right_password_can_be_accepted() {
    let credentials = credentials("accept_codes = [50076, 99999]");
    let understood = |code: &str| credentials.understand(&refusal(code, false));
    assert_eq!(understood("AADSTS50076"), Right);
    assert_eq!(understood("AADSTS99999"), Right);
    assert_eq!(understood("AADSTS50079"), Barred);
    // Should the file ever let one of these through.
    let mut settings = credentials.settings.clone();
    settings.accept_codes = vec![50126, 50057, 7_000_215];
    let credentials = Credentials { settings, ..credentials };
    let understood = |code: &str| credentials.understand(&refusal(code, false));
    assert_eq!(understood("AADSTS50126"), Wrong);
    assert_eq!(understood("AADSTS50057"), Disabled);
    assert_eq!(understood("AADSTS7000215"), Unavailable);
}

#[tokio::test]
async fn passwords_that_cannot_be_right_are_not_sent() {
    let credentials = credentials("");
    for password in [&b" x"[..], b"x ", b"x\n", b"\xff", b"", "x\u{a0}".as_bytes()] {
        assert_eq!(credentials.check(question(ann(), password)).await, Wrong, "{password:?}");
    }
    // Others are: here nobody answers.
    assert_eq!(credentials.check(question(ann(), b"x y")).await, Unavailable);
}

#[tokio::test(start_paused = true)]
async fn names_that_are_nobodys_take_as_long_as_a_check() {
    let credentials = credentials("");
    credentials.desk.took(Duration::from_secs(8));
    let usual = *credentials.desk.usual.lock().unwrap();
    assert!(usual > Duration::from_secs(1), "{usual:?}");
    let started = Instant::now();
    let nobody = || Who::Nobody("nobody".to_owned());
    assert_eq!(credentials.check(question(nobody(), b"x")).await, Wrong);
    assert!(started.elapsed() >= usual, "{:?}", started.elapsed());
    // And as for users, the same once more is known.
    let started = Instant::now();
    assert_eq!(credentials.check(question(nobody(), b"x")).await, Wrong);
    assert_eq!(started.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn who_may_not_ask_any_more_does_not() {
    let credentials = credentials("");
    let mut asked = question(ann(), b"x");
    asked.may_ask = Box::new(|| false);
    assert_eq!(credentials.check(asked).await, Busy);
}

#[tokio::test]
async fn what_was_learnt_goes_on_to_the_next_configuration() {
    let first = credentials("cache = \"15m\"");
    let asked = question(ann(), b"right");
    let case = first.case(&asked, "right");
    let limits = first.limits();
    let network = "10.0.0.1".parse().unwrap();
    first.desk.users.record((case.key, case.version), &case.seal, network, Right, &limits, now());
    assert_eq!(first.check(question(ann(), b"right")).await, Right);
    let next = |settings: UserBindSettings, before: &Credentials| {
        Credentials::new("a", settings, before.graph.clone(), Some(before)).unwrap()
    };
    let same = next(first.settings.clone(), &first);
    assert_eq!(same.check(question(ann(), b"right")).await, Right);
    // By other settings it may not be right any more.
    let other = UserBindSettings { scope: "openid".to_owned(), ..first.settings.clone() };
    assert_eq!(next(other, &first).check(question(ann(), b"right")).await, Unavailable);
}
