//! The way to a tenant's data, one step after another. A step that needs another one which
//! has failed is not tried.

use super::reads;
use super::step::{Outcome, Step};
use crate::config::settings::{ConnectionSettings, Credential};
use crate::graph::expiry::AHEAD;
use crate::graph::permissions::{NEEDS, Need, Part, needless};
use crate::graph::probe::{Reached, Service, Stage};
use crate::graph::{CredentialInfo, Graph, TokenInfo};
use std::time::{Duration, Instant, SystemTime};

/// A person waits: patience is for the daemon.
const PATIENCE: Duration = Duration::from_secs(30);
/// A certificate signs for ten minutes, and servers allow for five.
const FAR_OFF: Duration = Duration::from_secs(300);
/// Worth a look.
const OFF: Duration = Duration::from_secs(60);

const CREDENTIAL: &str = "credential";
const AUTHORITY: [&str; 3] = ["sign-in name", "sign-in connection", "sign-in answer"];
const GRAPH: [&str; 3] = ["graph name", "graph connection", "graph answer"];
const CLOCK: &str = "clock";
const TOKEN: &str = "token";
const PERMISSIONS: &str = "permissions";
const EXPIRY: &str = "expiry";

/// The steps of one connection; each is told as soon as it is taken.
pub(super) struct Walk<'a> {
    pub(super) steps: Vec<Step>,
    tell: &'a mut dyn FnMut(&Step),
}

impl Walk<'_> {
    /// Goes all the way.
    pub(super) async fn new<'a>(
        connection: &ConnectionSettings,
        offline: bool,
        tell: &'a mut dyn FnMut(&Step),
    ) -> Walk<'a> {
        let mut walk = Walk { steps: Vec::new(), tell };
        let mut settings = connection.clone();
        settings.graph.attempts = 1;
        settings.graph.max_wait = Duration::from_secs(5);
        settings.graph.request_timeout = settings.graph.request_timeout.min(PATIENCE);
        walk.go(&settings, offline).await;
        walk
    }

    fn step(&mut self, step: Step) -> bool {
        (self.tell)(&step);
        let good = !step.failed() && step.outcome != Outcome::Skipped;
        self.steps.push(step);
        good
    }

    fn skip(&mut self, names: &[&'static str], needs: &str) {
        for name in names {
            self.step(Step::skipped(name, needs));
        }
    }

    async fn go(&mut self, settings: &ConnectionSettings, offline: bool) {
        let started = Instant::now();
        let graph = match Graph::new(settings) {
            Ok(graph) => graph,
            Err(error) => {
                self.step(Step::refused(CREDENTIAL, started.elapsed(), &error));
                return;
            }
        };
        let proved = match graph.credential() {
            Ok(info) => self.step(credential(started.elapsed(), &info)),
            Err(error) => self.step(Step::refused(CREDENTIAL, started.elapsed(), &error)),
        };
        if offline {
            return;
        }
        let machine = matches!(settings.credential, Credential::Managed(_));
        let mut clocks = None;
        let authority = if machine {
            // The machine's own service gives the token.
            true
        } else {
            let reached = graph.probe(Service::Authority, settings).await;
            clocks = reached.clocks;
            self.reach(&AUTHORITY, &reached)
        };
        let reached = graph.probe(Service::Graph, settings).await;
        clocks = clocks.or(reached.clocks);
        let answers = self.reach(&GRAPH, &reached);
        match clocks {
            Some((theirs, ours)) => self.step(clock(theirs, ours)),
            None => self.step(Step::skipped(CLOCK, "an answer with the server's time")),
        };
        let needs = match (proved, authority) {
            (false, _) => Some("the credential"),
            (true, false) => Some("the sign-in service"),
            (true, true) => None,
        };
        if let Some(needs) = needs {
            self.skip(&[TOKEN, PERMISSIONS], needs);
            self.skip(&reads::NAMES, "a token");
            return;
        }
        let started = Instant::now();
        let token = match graph.token().await {
            Ok(token) => {
                self.step(Step::ok(TOKEN, started.elapsed(), granted(&token)));
                token
            }
            Err(error) => {
                self.step(Step::refused(TOKEN, started.elapsed(), &error));
                self.skip(&[PERMISSIONS], "a token");
                self.skip(&reads::NAMES, "a token");
                return;
            }
        };
        self.step(permissions(&token, settings));
        if !answers {
            self.skip(&reads::NAMES, "Graph");
            return;
        }
        for step in reads::all(&graph, settings, &token).await {
            self.step(step);
        }
        self.expiry(&graph, settings).await;
    }

    /// Says whether there was an answer.
    fn reach(&mut self, names: &[&'static str; 3], reached: &Reached) -> bool {
        let mut good = true;
        for (name, stage) in names.iter().zip([Stage::Name, Stage::Connection, Stage::Answer]) {
            let probe = reached.probes.iter().find(|probe| probe.stage == stage);
            good &= self.step(match probe {
                Some(probe) => match &probe.outcome {
                    Ok(what) => Step::ok(name, probe.took, &**what),
                    Err(why) => Step::unreached(name, probe.took, why),
                },
                None => Step::skipped(name, "the step before"),
            });
        }
        good
    }

    /// Of a certificate it has been told already.
    async fn expiry(&mut self, graph: &Graph, settings: &ConnectionSettings) {
        if !matches!(settings.credential, Credential::Secrets(_)) {
            return;
        }
        let started = Instant::now();
        let step = match graph.credential_expiry(&settings.credential).await {
            Ok(Some(end)) => ending(EXPIRY, started.elapsed(), "the client secret", end),
            Ok(None) => Step::ok(
                EXPIRY,
                started.elapsed(),
                "not told to this application (it would need Application.Read.All): see App registrations > \
                 Certificates & secrets",
            ),
            Err(error) => Step::refused(EXPIRY, started.elapsed(), &error),
        };
        self.step(step);
    }
}

fn credential(took: Duration, info: &CredentialInfo) -> Step {
    let CredentialInfo { kind, thumbprint, expires } = info;
    match (thumbprint, expires) {
        (Some(thumbprint), Some(end)) => {
            ending(CREDENTIAL, took, &format!("{kind} {thumbprint}"), *end)
        }
        _ => Step::ok(CREDENTIAL, took, *kind),
    }
}

/// Something that ends, with a warning ahead of time.
fn ending(name: &'static str, took: Duration, what: &str, end: SystemTime) -> Step {
    let remedy = "create a new one under App registrations > Certificates & secrets, and configure it beside the old \
                  one or in its place";
    match end.duration_since(SystemTime::now()) {
        Err(_) => Step::ok(name, took, format!("{what} ended on {}", day(end))).but(
            Outcome::Failed,
            "what the application proves itself by has expired",
            remedy,
        ),
        Ok(left) => {
            let days = left.as_secs() / 86_400;
            let step = Step::ok(name, took, format!("{what} ends on {} ({days} days)", day(end)));
            match left < AHEAD {
                true => step.but(Outcome::Warning, "it ends soon; then nothing is synced", remedy),
                false => step,
            }
        }
    }
}

pub(super) fn day(moment: SystemTime) -> String {
    let moment = jiff::Timestamp::try_from(moment);
    moment.map(|moment| moment.strftime("%Y-%m-%d").to_string()).unwrap_or_default()
}

fn clock(theirs: SystemTime, ours: SystemTime) -> Step {
    let (off, which) = match ours.duration_since(theirs) {
        Ok(ahead) => (ahead, "ahead of"),
        Err(error) => (error.duration(), "behind"),
    };
    // The header has whole seconds.
    let seconds = off.as_secs();
    let step = |what: String| Step::ok(CLOCK, Duration::ZERO, what);
    if seconds <= 2 {
        return step("right".to_owned());
    }
    let step = step(format!("this machine is {seconds} s {which} the server"));
    if off < OFF {
        return step;
    }
    let outcome = if off >= FAR_OFF { Outcome::Failed } else { Outcome::Warning };
    step.but(
        outcome,
        "this machine's clock is wrong: certificates and what they sign are then not valid",
        "let chrony or systemd-timesyncd set the clock",
    )
}

fn granted(token: &TokenInfo) -> String {
    let minutes =
        token.expires.duration_since(SystemTime::now()).unwrap_or_default().as_secs() / 60;
    let who = match (&token.person, &token.application) {
        (Some(person), _) => format!(" in the name of {person}"),
        (None, Some(application)) => format!(" for application {application}"),
        (None, None) => String::new(),
    };
    let tenant = token.tenant.as_ref().map(|tenant| format!(", tenant {tenant}"));
    format!("given for {minutes} minutes{who}{}", tenant.unwrap_or_default())
}

/// What the token says it may, against what is needed.
fn permissions(token: &TokenInfo, settings: &ConnectionSettings) -> Step {
    let Some(held) = &token.permissions else {
        return Step::ok(
            PERMISSIONS,
            Duration::ZERO,
            "the token does not say; see the steps below",
        );
    };
    let wanted = |need: &&Need| match need.part {
        Part::Contacts => settings.sync.contacts,
        Part::HiddenMembers => settings.sync.hidden_members,
        // The tenant's name is for people only: nobody needs to grant that.
        Part::Organization => false,
        _ => true,
    };
    let missing: Vec<&Need> =
        NEEDS.iter().filter(wanted).filter(|need| need.is_met(token) == Some(false)).collect();
    let mut list = if held.is_empty() { "none".to_owned() } else { held.join(" ") };
    let needless = needless(token);
    if !missing.is_empty() && !needless.is_empty() {
        list.push_str(&format!("\nmore than needed: {}", needless.join(" ")));
    }
    let step = Step::ok(PERMISSIONS, Duration::ZERO, list);
    if !missing.is_empty() {
        let names: Vec<&str> = missing.iter().map(|need| need.least).collect();
        let without: Vec<String> =
            missing.iter().map(|need| format!("without {} {}", need.least, need.without)).collect();
        let needed = |part: Part| settings.sync.requires(kind_of(part));
        let fatal = missing.iter().any(|need| needed(need.part));
        let outcome = if fatal { Outcome::Failed } else { Outcome::Warning };
        return step.but(outcome, without.join("; "), grant(settings, &names));
    }
    if needless.is_empty() {
        return step;
    }
    step.but(
        Outcome::Warning,
        format!("{} allow writing, which entraldap never does", needless.join(" and ")),
        "remove them under App registrations > API permissions",
    )
}

fn kind_of(part: Part) -> Option<crate::directory::kind::Kind> {
    use crate::directory::kind::Kind;
    match part {
        Part::Users => Some(Kind::User),
        Part::Groups => Some(Kind::Group),
        Part::Contacts => Some(Kind::Contact),
        Part::Domains | Part::Organization | Part::HiddenMembers => None,
    }
}

fn grant(settings: &ConnectionSettings, names: &[&str]) -> String {
    let names = names.join(" and ");
    if settings.credential.is_delegated() {
        return format!(
            "App registrations > API permissions: add the delegated permissions {names} of Microsoft Graph, grant \
             consent, and run `entraldap authorize`"
        );
    }
    match settings.credential {
        Credential::Managed(_) => format!(
            "assign the app roles {names} of Microsoft Graph to the identity (New-MgServicePrincipalAppRoleAssignment); \
             the machine keeps an old token for up to a day"
        ),
        _ => format!(
            "App registrations > API permissions: add the application permissions {names} of Microsoft Graph (not the \
             delegated ones) and grant admin consent; it takes some minutes to work"
        ),
    }
}

/// Where an administrator consents to all that the app registration asks for (graph.md 1.10).
pub(super) fn consent_url(connection: &ConnectionSettings) -> Option<String> {
    if connection.client_id.is_empty() {
        return None;
    }
    let mut url = connection.graph.authority.clone();
    url.path_segments_mut().ok()?.pop_if_empty().extend([&*connection.tenant, "adminconsent"]);
    url.query_pairs_mut().append_pair("client_id", &connection.client_id);
    Some(url.to_string())
}
