//! `entraldap check`: each way to be wrong, at its step, with cause and remedy.

mod cases;

use crate::credentials::proxy;
use crate::world::daemon::Place;
use crate::world::options;
use cases::{CASES, Case, credential, ending, line};
use entraldap::simulator::{Knobs, Options, Simulator, Tenant};
use serde_json::Value;

async fn checked(case: &Case) -> (i32, Value, Place) {
    let mut options = Options { knobs: Knobs::default(), ..options() };
    (case.options)(&mut options);
    let simulator = Simulator::start(Tenant::generate(3, 10), options).await.unwrap();
    let place = Place::new(&simulator, "5m", &["127.0.0.1:0"]);
    (case.change)(&simulator, &place);
    let (code, text) = place.verb(&["check", "--json"]).await;
    let answer = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{}: {text}", case.name));
    (code, answer, place)
}

#[tokio::test]
async fn check_names_step_cause_and_remedy_of_each_way_to_be_wrong() {
    assert!(CASES.len() >= 25);
    let mut wrong = Vec::new();
    for case in CASES {
        let (code, answer, _) = checked(case).await;
        let steps = answer["checks"][0]["steps"].as_array().unwrap();
        let step = steps.iter().find(|step| step["step"] == case.step).unwrap();
        let part = |key: &str| step[key].as_str().unwrap_or_default().to_owned();
        let good = part("outcome") == case.outcome
            && part("cause").contains(case.cause)
            && part("remedy").contains(case.remedy)
            && part("what").len() > 3;
        // Something that fails fails the whole; what comes before it is good.
        let failed = steps.iter().find(|step| step["outcome"] == "failed");
        let first = failed.is_none_or(|first| {
            first["step"] == case.step || ["contacts", "domains", "users"].contains(&case.step)
        });
        if !good || code != i32::from(failed.is_some()) || (case.outcome == "failed" && !first) {
            wrong.push(format!("{}: exit {code}, {step:#}, failed first: {failed:?}", case.name));
        }
        let text = answer.to_string();
        assert!(!text.contains("right-secret"), "{}: {text}", case.name);
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), CASES.len(), wrong.join("\n"));
}

#[tokio::test]
async fn a_good_configuration_passes_every_step_with_samples() {
    let simulator = Simulator::start(Tenant::generate(3, 10), options()).await.unwrap();
    let place = Place::new(&simulator, "5m", &["127.0.0.1:0"]);
    let (code, text) = place.verb(&["check"]).await;
    assert_eq!(code, 0, "{text}");
    for part in [
        "configuration OK",
        "  ok   token",
        "  ok   permissions",
        "  ok   users",
        "in the first page",
        "contoso.com",
        "/adminconsent?client_id=",
    ] {
        assert!(text.contains(part), "{part} not in\n{text}");
    }
    assert!(!text.contains("FAIL") && !text.contains("WARN"), "{text}");
    let one = simulator.with_tenant(|tenant| {
        use entraldap::simulator::Kind;
        let id = tenant.live(Kind::Contact).next().unwrap().to_owned();
        tenant.object(&id).unwrap()["mail"].as_str().unwrap().to_owned()
    });
    assert!(text.contains(&one), "{one} not in\n{text}");
    let asked = simulator.tally().total;
    let (code, _) = place.verb(&["check", "--offline"]).await;
    assert_eq!((code, simulator.tally().total), (0, asked));
    let (code, text) = place.verb(&["check", "--connection", "other"]).await;
    assert!(code == 2 && text.contains("contoso"), "{text}");
}

#[tokio::test]
async fn a_proxy_that_wants_a_login_is_named() {
    let simulator = Simulator::start(Tenant::generate(3, 10), options()).await.unwrap();
    let place = Place::new(&simulator, "5m", &["127.0.0.1:0"]);
    let (port, _) = proxy().await;
    let new =
        format!("requests_per_second = 1000\nproxy = \"http://ada:hush-hush@127.0.0.1:{port}\"");
    line(&place, "requests_per_second", &new);
    let (code, text) = place.verb(&["check"]).await;
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("the proxy wants a user name and a password"), "{text}");
    assert!(!text.contains("hush-hush"), "{text}");
}

#[tokio::test]
async fn files_with_tokens_are_looked_at_before_anything_starts() {
    use std::os::unix::fs::PermissionsExt;
    let simulator = Simulator::start(Tenant::generate(3, 10), options()).await.unwrap();
    let place = Place::new(&simulator, "5m", &["127.0.0.1:0"]);
    let file = place.path("federated");
    let path = file.display();
    credential(&place, &format!("federated_token = {{ file = \"{path}\" }}"));
    std::fs::write(&file, " \n").unwrap();
    let (code, text) = place.verb(&["check", "--offline"]).await;
    assert!(code == 2 && text.contains("is empty") && text.contains("mounted"), "{text}");
    std::fs::write(&file, "a.b.c").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let (code, text) = place.verb(&["check", "--offline"]).await;
    assert!(code == 0 && text.contains("every user of this machine"), "{text}");
    line(&place, "federated_token", "managed_identity = { host = \"app-service\" }");
    let (code, text) = place.verb(&["check", "--offline"]).await;
    assert!(code == 2 && text.contains("IDENTITY_HEADER"), "{text}");
    line(
        &place,
        "managed_identity",
        "managed_identity = {}\nclient_certificate = { file = \"x\" }",
    );
    let (code, text) = place.verb(&["check", "--offline"]).await;
    assert!(code == 2 && text.contains("stands beside"), "{text}");
}

#[tokio::test]
async fn authorize_signs_a_person_in_and_the_next_pass_goes_well() {
    let options = Options { public_client: true, ..options() };
    let simulator = Simulator::start(Tenant::generate(3, 10), options).await.unwrap();
    let place = Place::new(&simulator, "5m", &["127.0.0.1:0"]);
    let (code, text) = place.verb(&["authorize"]).await;
    assert!(code == 2 && text.contains("delegated = {"), "{text}");
    let file = place.path("token");
    credential(&place, &format!("delegated = {{ token_file = \"{}\" }}", file.display()));
    let enter = async {
        let code = simulator.code_wanted().await;
        assert!(simulator.enter_code(&code, true));
    };
    let ((code, text), ()) = tokio::join!(place.verb(&["authorize"]), enter);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("microsoft.com/devicelogin"), "{text}");
    assert!(text.contains("Signed in as admin@contoso.com"), "{text}");
    let (code, text) = place.verb(&["check"]).await;
    assert!(code == 0 && text.contains("in the name of admin@contoso.com"), "{text}");
    let (code, text) = place.verb(&["sync"]).await;
    assert_eq!(code, 0, "{text}");
}

/// A certificate that ends in twelve days: the check warns (above), and so does everything
/// that people look at.
#[tokio::test]
async fn an_end_that_is_near_is_told_by_metric_status_history_and_report() {
    let certificates = vec![crate::credentials::der("app.pem")];
    let options = Options { certificates, ..options() };
    let simulator = Simulator::start(Tenant::generate(3, 10), options).await.unwrap();
    let place = Place::new(&simulator, "1h", &["127.0.0.1:0"]);
    ending(&place, 12);
    simulator.change_certificates(vec![place.certificate("ending.pem")]);
    let mut daemon = place.start().await;
    daemon.wait_for("pass committed").await;
    let warning = daemon.wait_for("what the application proves itself by ends on").await;
    assert_eq!(warning["level"], "WARN");
    let (_, metrics) = place.admin("/metrics").await;
    let line = metrics.lines().find(|line| line.starts_with("entraldap_credential_end_seconds{"));
    let end: f64 = line.unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let days = (end - now.as_secs_f64()) / 86_400.0;
    assert!((11.0..12.1).contains(&days), "{days}");
    let (_, status) = place.verb(&["status"]).await;
    assert!(status.contains("proof     ends on"), "{status}");
    let record = place.sync().await;
    assert!(record["credential_end"].as_f64().is_some(), "{record}");
    assert!(record["warnings"].to_string().contains("ends on"), "{record}");
}
