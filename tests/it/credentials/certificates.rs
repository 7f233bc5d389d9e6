//! Certificates.

use super::*;

#[tokio::test]
async fn a_certificate_proves_the_application_in_every_format() {
    for (file, key, password) in [
        ("app.pem", Some("app.key"), None),
        ("both.pem", None, None),
        ("app.pem", Some("app-encrypted.key"), Some("hush")),
        ("app.pfx", None, Some("hush")),
        ("app-legacy.pfx", None, Some("hush")),
    ] {
        let options = Options { certificates: vec![der("app.pem")], ..options() };
        let world = world(options, certificate(file, key, password)).await;
        world.pass().await;
        world.assert_equal();
    }
}

#[tokio::test]
async fn both_spellings_of_a_thumbprint_get_a_token() {
    for thumbprint in [Thumbprint::Url, Thumbprint::Standard] {
        let knobs = Knobs { thumbprint, ..Knobs::default() };
        let options = Options { certificates: vec![der("app.pem")], knobs, ..options() };
        let world = world(options, certificate("both.pem", None, None)).await;
        world.pass().await;
        let first = world.simulator.tally().token;
        assert_eq!(first, if thumbprint == Thumbprint::Url { 1 } else { 2 });
        // The next token is asked for in the spelling that was taken.
        world.simulator.faults().revoke_access_tokens();
        world.pass().await;
        assert_eq!(world.simulator.tally().token, first + 1);
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_registered_is_refused_with_a_remedy() {
    let options = Options { certificates: vec![der("other.pem")], ..options() };
    let world = world(options, certificate("both.pem", None, None)).await;
    let error = refusal(&world).await;
    assert_eq!(error.code.as_deref(), Some("AADSTS700027"));
    assert!(error.to_string().contains("Certificates & secrets > Certificates"), "{error}");
    // Registered while the program runs: the next pass goes well.
    world.simulator.change_certificates(vec![der("other.pem"), der("app.pem")]);
    world.pass().await;
    world.assert_equal();
}

#[tokio::test]
async fn a_renewed_certificate_file_is_used_without_a_restart() {
    let options = Options { certificates: vec![der("app.pem")], ..options() };
    let mut world = World::with(Tenant::generate(5, 30), options).await;
    let file = world.folder.path().join("app.pem");
    std::fs::copy(sample("both.pem"), &file).unwrap();
    let source = CertificateSource { file: file.clone(), key: None, password: None };
    world.connection.credential = Credential::Certificate(source);
    world.open();
    world.pass().await;
    world.simulator.change_certificates(vec![der("other.pem")]);
    let text = |name: &str| std::fs::read_to_string(sample(name)).unwrap();
    std::fs::write(&file, text("other.pem") + &text("other.key")).unwrap();
    world.simulator.faults().revoke_access_tokens();
    world.pass().await;
    world.assert_equal();
}

#[tokio::test]
async fn an_assertion_of_a_clock_that_is_an_hour_off_is_refused_and_the_clock_is_named() {
    let options = Options { certificates: vec![der("app.pem")], ..options() };
    let world = world(options, certificate("both.pem", None, None)).await;
    world.simulator.advance(Duration::from_secs(3600));
    let error = refusal(&world).await;
    assert_eq!(error.code.as_deref(), Some("AADSTS700024"));
    assert!(error.to_string().contains("clock"), "{error}");
}
