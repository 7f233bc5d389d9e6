//! Promise 8: no secret in a log, an error, a metric, the replica, or `ps`.

use crate::credentials::{der, federated_token, federation, sample};
use crate::world::daemon::Place;
use crate::world::{hash, options};
use entraldap::simulator::{Action, Kind, Machine, Options, Rule, Simulator, Target, Tenant};
use std::path::Path;

/// Marks that are secret, or part of it.
const SECRET: &str = "MARK-client-secret-8f31";
const BIND: &str = "MARK-bind-password-c0de";
const MAIL: &str = "MARK-mail-password-55e1";
const HOOK: &str = "MARK-hook-secret-9b2d";
const REFRESH: &str = "MARK-refresh-token-31f0";
const HEADER: &str = "MARK-identity-header-4c4c";

/// All that must be found nowhere.
fn marks(simulator: &Simulator) -> Vec<String> {
    let fixed = [SECRET, BIND, MAIL, HOOK, REFRESH, HEADER];
    let mut marks: Vec<String> = fixed.into_iter().map(str::to_owned).collect();
    // Of tokens the payload: header and claims are the same in all of them to some length.
    marks.extend(simulator.access_tokens().iter().filter_map(|token| {
        token.rsplit('.').next().filter(|signature| signature.len() > 20).map(str::to_owned)
    }));
    marks.extend(simulator.refresh_tokens());
    marks
}

#[track_caller]
fn clean(what: &str, octets: &[u8], marks: &[String]) {
    for mark in marks {
        let found = memchr::memmem::find(octets, mark.as_bytes());
        let around = found.map(|at| {
            let start = at.saturating_sub(120);
            String::from_utf8_lossy(&octets[start..(at + 20).min(octets.len())]).into_owned()
        });
        assert_eq!(around, None, "{mark} in {what}");
    }
}

fn file(place: &Place, name: &str, text: &str) -> String {
    let path = place.path(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// Everything that can be asked of a running daemon, and what its files hold.
async fn look_everywhere(place: &Place, process: u32, marks: &[String]) {
    for verb in [
        &["status"][..],
        &["status", "--json"],
        &["history"],
        &["check"],
        &["check", "--json"],
        &["check", "--offline"],
        &["explain", "nobody@contoso.com"],
        &["sync"],
        &["sync", "--dry-run"],
        &["report"],
    ] {
        let (_, text) = place.verb(verb).await;
        clean(&verb.join(" "), text.as_bytes(), marks);
    }
    for path in ["/metrics", "/readyz", "/status", "/healthz"] {
        let (_, text) = place.admin(path).await;
        clean(path, text.as_bytes(), marks);
    }
    let arguments = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    clean("the arguments of the process", &arguments, marks);
    clean("the replica", &std::fs::read(place.replica()).unwrap(), marks);
}

async fn bind(daemon: &crate::world::daemon::Daemon, name: &str, password: &str) -> u32 {
    let url = format!("ldap://{}", daemon.addresses[0]);
    let (connection, mut client) = ldap3::LdapConnAsync::new(&url).await.unwrap();
    let driver = tokio::spawn(async move { connection.drive().await });
    let code = client.simple_bind(name, password).await.unwrap().rc;
    client.unbind().await.unwrap();
    driver.await.unwrap().unwrap();
    code
}

fn more(place: &Place) -> String {
    let (mail, hook) = (file(place, "mail", MAIL), file(place, "hook", HOOK));
    format!(
        "\n[[report]]\nname = \"post\"\non = \"pass\"\n\
         mail = {{ server = \"127.0.0.1:9\", security = \"none\", from = \"a@contoso.com\", to = [\"b@contoso.com\"], user = \"ada\", password = {{ file = \"{mail}\" }} }}\n\
         [[report]]\nname = \"hook\"\non = \"pass\"\n\
         webhook = {{ url = \"http://127.0.0.1:9/\", secret = {{ file = \"{hook}\" }} }}\n"
    )
}

/// The program with everything logged and marked secrets everywhere.
fn placed(simulator: &Simulator, credential: &str) -> Place {
    let place = Place::new(simulator, "1h", &["127.0.0.1:0"]);
    let hash = hash(BIND);
    place.configure(|text| {
        let secret = "client_secret = { env = \"SIMULATED_SECRET\" }";
        let account = format!(
            "[[ldap.account]]\nname = \"gateway\"\npassword_hash = '{hash}'\n[[connection]]"
        );
        text.replace(secret, credential)
            .replace("[log]\n", "[log]\nlevel = \"trace\"\n")
            .replace("[[connection]]", &account)
            + &more(&place)
    });
    place
}

/// Runs it: a first load, a failure of every sort, binds right and wrong.
async fn run(simulator: &Simulator, place: &Place) {
    let mut daemon = place.start().await;
    daemon.wait_for("pass committed").await;
    assert_eq!(bind(&daemon, "gateway", BIND).await, 0);
    assert_eq!(bind(&daemon, "gateway", &format!("{BIND}-wrong")).await, 49);
    look_everywhere(place, daemon.id(), &marks(simulator)).await;
    for (target, action) in [
        (Target::Token, Action::Status(500, entraldap::simulator::RetryAfter::Missing)),
        (Target::DeltaOf(Kind::User), Action::TokenExpired),
        (Target::DeltaOf(Kind::User), Action::HtmlBody),
        (Target::DeltaOf(Kind::Group), Action::Forbidden),
        (Target::DeltaOf(Kind::User), Action::CutBody),
    ] {
        simulator.faults().add(Rule::new(action).on(target).times(1));
        simulator.faults().revoke_access_tokens();
        let _ = place.verb(&["sync"]).await;
    }
    simulator.change_secret("another");
    simulator.change_certificates(Vec::new());
    simulator.revoke_sign_ins(50_173);
    simulator.faults().revoke_access_tokens();
    let (_, text) = place.verb(&["sync"]).await;
    let marks = marks(simulator);
    clean("a failed pass", text.as_bytes(), &marks);
    look_everywhere(place, daemon.id(), &marks).await;
    let (_, log) = daemon.stop().await;
    assert!(log.iter().any(|line| line["level"] == "TRACE"), "nothing was traced");
    for line in &log {
        clean("the log", line.to_string().as_bytes(), &marks);
    }
    clean("the replica", &std::fs::read(place.replica()).unwrap(), &marks);
}

async fn tenant(change: impl FnOnce(&mut Options)) -> Simulator {
    let mut options = Options { client_secret: SECRET.to_owned(), ..options() };
    change(&mut options);
    Simulator::start(Tenant::generate(5, 20), options).await.unwrap()
}

#[tokio::test]
async fn promise_8_no_secret_with_a_client_secret() {
    let simulator = tenant(|_| {}).await;
    run(&simulator, &placed(&simulator, "client_secret = { env = \"SIMULATED_SECRET\" }")).await;
    // The tenant was really there.
    assert!(simulator.with_tenant(|tenant| tenant.live(Kind::User).count()) > 0);
    assert!(!simulator.access_tokens().is_empty());
}

#[tokio::test]
async fn promise_8_no_secret_with_a_certificate() {
    let simulator = tenant(|options| options.certificates = vec![der("app.pem")]).await;
    let key = std::fs::read_to_string(sample("app.key")).unwrap();
    let file = sample("both.pem").display().to_string();
    let place = placed(&simulator, &format!("client_certificate = {{ file = \"{file}\" }}"));
    run(&simulator, &place).await;
    // A line of the key, as text.
    let line = key.lines().nth(3).unwrap().to_owned();
    clean("the replica", &std::fs::read(place.replica()).unwrap(), &[line]);
}

#[tokio::test]
async fn promise_8_no_secret_with_a_sign_in() {
    let simulator = tenant(|options| options.public_client = true).await;
    simulator.add_refresh_token(REFRESH);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, REFRESH).unwrap();
    let delegated = format!("delegated = {{ token_file = \"{}\" }}", path.display());
    run(&simulator, &placed(&simulator, &delegated)).await;
    assert_ne!(std::fs::read_to_string(&path).unwrap().trim(), REFRESH, "it was rotated");
}

#[tokio::test]
async fn promise_8_no_secret_with_a_federated_token() {
    let simulator = tenant(|options| options.federations = vec![federation()]).await;
    let folder = tempfile::tempdir().unwrap();
    let path: &Path = &folder.path().join("token");
    let token = federated_token(&federation().subject, &federation().audience, 3600);
    std::fs::write(path, &token).unwrap();
    let place =
        placed(&simulator, &format!("federated_token = {{ file = \"{}\" }}", path.display()));
    run(&simulator, &place).await;
    let signature = token.rsplit('.').next().unwrap().to_owned();
    clean("the replica", &std::fs::read(place.replica()).unwrap(), &[signature]);
}

#[tokio::test]
async fn promise_8_no_secret_with_a_machine_identity() {
    let simulator =
        tenant(|options| options.machine = Some(Machine::AppService(HEADER.to_owned()))).await;
    let mut place = placed(&simulator, "managed_identity = { host = \"app-service\" }");
    place.set("IDENTITY_ENDPOINT", &format!("{}/msi/token", simulator.base_url()));
    place.set("IDENTITY_HEADER", HEADER);
    run(&simulator, &place).await;
}
