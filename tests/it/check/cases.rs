//! Ways to be wrong, and what `entraldap check` has to say of each.

use crate::credentials::{company, der, sample};
use crate::world::daemon::Place;
use entraldap::simulator::{
    Action, Options, RetryAfter, Rule, ServerCertificate, Simulator, Target, TokenFault,
};
use rcgen::{CertificateParams, KeyPair};
use std::time::Duration;

/// A way to be wrong.
pub struct Case {
    pub name: &'static str,
    pub options: fn(&mut Options),
    /// What is done to the tenant and to the configuration file.
    pub change: fn(&Simulator, &Place),
    pub step: &'static str,
    pub outcome: &'static str,
    /// Parts of what is told.
    pub cause: &'static str,
    pub remedy: &'static str,
}

fn nothing(_: &mut Options) {}

fn fault(simulator: &Simulator, target: Target, action: Action) {
    simulator.faults().add(Rule::new(action).on(target));
}

fn at_path(simulator: &Simulator, path: &str, action: Action) {
    simulator.faults().add(Rule::new(action).path(path));
}

fn refused(code: u32, error: &str) -> Action {
    let body = format!(
        r#"{{"error":"{error}","error_description":"AADSTS{code}: Words. Trace ID: t","error_codes":[{code}],"trace_id":"t"}}"#
    );
    Action::Raw(400, vec![("content-type".to_owned(), "application/json".to_owned())], body)
}

/// Replaces a line of the configuration that begins so.
pub fn line(place: &Place, begins: &str, new: &str) {
    place.configure(|text| {
        let lines = text.lines().map(|line| if line.starts_with(begins) { new } else { line });
        lines.collect::<Vec<_>>().join("\n")
    });
}

pub fn credential(place: &Place, new: &str) {
    line(place, "client_secret", new);
}

fn certificate(place: &Place, file: &str, more: &str) {
    let path = sample(file).display().to_string();
    credential(place, &format!("client_certificate = {{ file = \"{path}\"{more} }}"));
}

fn key(file: &str) -> String {
    format!(", key = \"{}\"", sample(file).display())
}

/// A certificate of the sample key that ends in so many days.
pub fn ending(place: &Place, days: i64) {
    let key = std::fs::read_to_string(sample("app.key")).unwrap();
    let pair = KeyPair::from_pem(&key).unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let end = now.as_secs().checked_add_signed(days * 86_400).unwrap();
    params.not_after = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(end);
    let file = place.path("ending.pem");
    std::fs::write(&file, params.self_signed(&pair).unwrap().pem() + &key).unwrap();
    credential(place, &format!("client_certificate = {{ file = \"{}\" }}", file.display()));
}

fn grant(simulator: &Simulator, roles: &[&str]) {
    simulator.grant(roles);
}

const ALL: [&str; 5] = [
    "User.Read.All",
    "GroupMember.Read.All",
    "OrgContact.Read.All",
    "Domain.Read.All",
    "Organization.Read.All",
];

fn without(role: &str) -> Vec<&'static str> {
    ALL.into_iter().filter(|known| *known != role).collect()
}

fn tls(options: &mut Options) {
    let (_, server) = company();
    options.tls = Some(server);
}

/// A certificate for another machine, whose authority is known.
fn other_name(options: &mut Options) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["other.example".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap().pem();
    options.tls = Some(ServerCertificate { certificate, key: key.serialize_pem() });
}

fn trust_it(simulator: &Simulator, place: &Place) {
    let file = place.path("ca.pem");
    let server = simulator.options().tls.clone().unwrap();
    std::fs::write(&file, server.certificate).unwrap();
    let new = format!("requests_per_second = 1000\nca_file = \"{}\"", file.display());
    line(place, "requests_per_second", &new);
}

fn signed_in(simulator: &Simulator, place: &Place) {
    let _ = simulator;
    let file = place.path("token");
    std::fs::write(&file, "dead-refresh-token").unwrap();
    credential(place, &format!("delegated = {{ token_file = \"{}\" }}", file.display()));
}

pub const CASES: &[Case] = &[
    // What proves the application.
    Case {
        name: "a certificate without its key",
        options: nothing,
        change: |_, place| certificate(place, "app.pem", ""),
        step: "credential",
        outcome: "failed",
        cause: "the credential cannot be used",
        remedy: "put the key into it, or name its file as client_certificate.key",
    },
    Case {
        name: "an encrypted key without password",
        options: nothing,
        change: |_, place| certificate(place, "app.pem", &key("app-encrypted.key")),
        step: "credential",
        outcome: "failed",
        cause: "the credential cannot be used",
        remedy: "name its password as client_certificate.password",
    },
    Case {
        name: "a wrong password of a PFX file",
        options: nothing,
        change: |_, place| {
            certificate(place, "app.pfx", ", password = { env = \"SIMULATED_SECRET\" }");
        },
        step: "credential",
        outcome: "failed",
        cause: "the credential cannot be used",
        remedy: "correct client_certificate.password",
    },
    Case {
        name: "a key of another certificate",
        options: nothing,
        change: |_, place| certificate(place, "app.pem", &key("other.key")),
        step: "credential",
        outcome: "failed",
        cause: "the credential cannot be used",
        remedy: "take both from the same request or export",
    },
    Case {
        name: "a key that is not of RSA",
        options: nothing,
        change: |_, place| certificate(place, "app.pem", &key("elliptic.key")),
        step: "credential",
        outcome: "failed",
        cause: "the credential cannot be used",
        remedy: "RSA",
    },
    Case {
        name: "a certificate as the portal offers it for download",
        options: nothing,
        change: |_, place| certificate(place, "app.der", ""),
        step: "credential",
        outcome: "failed",
        cause: "the credential cannot be used",
        remedy: "export the certificate with its key",
    },
    Case {
        name: "a certificate that has expired",
        options: nothing,
        change: |_, place| ending(place, -3),
        step: "credential",
        outcome: "failed",
        cause: "has expired",
        remedy: "Certificates & secrets",
    },
    Case {
        name: "a certificate that ends soon",
        options: nothing,
        change: |_, place| ending(place, 12),
        step: "credential",
        outcome: "warning",
        cause: "it ends soon",
        remedy: "Certificates & secrets",
    },
    Case {
        name: "nobody has signed in",
        options: nothing,
        change: |_, place| {
            let file = place.path("none").display().to_string();
            credential(place, &format!("delegated = {{ token_file = \"{file}\" }}"));
        },
        step: "credential",
        outcome: "failed",
        cause: "the credential cannot be used",
        remedy: "run `entraldap authorize`",
    },
    // The way there.
    Case {
        name: "a name that nobody knows",
        options: nothing,
        change: |_, place| line(place, "authority", "authority = \"https://login.invalid/\""),
        step: "sign-in name",
        outcome: "failed",
        cause: "the name cannot be resolved",
        remedy: "name servers",
    },
    Case {
        name: "nothing listens there",
        options: nothing,
        change: |_, place| line(place, "endpoint", "endpoint = \"http://127.0.0.1:9/\""),
        step: "graph connection",
        outcome: "failed",
        cause: "nothing accepts the connection",
        remedy: "firewall",
    },
    Case {
        name: "a web page instead of the sign-in service",
        options: nothing,
        change: |simulator, _| at_path(simulator, "openid-configuration", Action::Html(200)),
        step: "sign-in answer",
        outcome: "failed",
        cause: "answers in the service's place",
        remedy: "check authority and endpoint",
    },
    Case {
        name: "a login page instead of Graph",
        options: nothing,
        change: |simulator, _| {
            let to = vec![("location".to_owned(), "https://portal.example/login".to_owned())];
            at_path(simulator, "organization", Action::Raw(302, to, String::new()));
        },
        step: "graph answer",
        outcome: "failed",
        cause: "a login page",
        remedy: "captive portal",
    },
    Case {
        name: "Graph in trouble",
        options: nothing,
        change: |simulator, _| {
            at_path(simulator, "organization", Action::Status(503, RetryAfter::Missing));
        },
        step: "graph answer",
        outcome: "failed",
        cause: "the service is in trouble",
        remedy: "try again later",
    },
    Case {
        name: "a certificate authority that this machine does not know",
        options: tls,
        change: |_, _| {},
        step: "sign-in answer",
        outcome: "failed",
        cause: "an authority that this machine does not know",
        remedy: "ca_file",
    },
    Case {
        name: "a certificate for another name",
        options: other_name,
        change: trust_it,
        step: "sign-in answer",
        outcome: "failed",
        cause: "the certificate is for another name",
        remedy: "check the address",
    },
    Case {
        name: "https where http is spoken",
        options: nothing,
        change: |_, place| place.configure(|text| text.replace("http://127", "https://127")),
        step: "sign-in answer",
        outcome: "failed",
        cause: "does not speak TLS",
        remedy: "port and the scheme",
    },
    Case {
        name: "a proxy that is not there",
        options: nothing,
        change: |_, place| {
            let new = "requests_per_second = 1000\nproxy = \"http://127.0.0.1:9\"";
            line(place, "requests_per_second", new);
        },
        step: "sign-in connection",
        outcome: "failed",
        cause: "nothing accepts the connection",
        remedy: "address and port of the proxy",
    },
    Case {
        name: "a tenant that is not there",
        options: nothing,
        change: |_, place| line(place, "tenant", "tenant = \"other.example\""),
        step: "sign-in answer",
        outcome: "failed",
        cause: "the tenant is not known here",
        remedy: "check the tenant's id or domain",
    },
    Case {
        name: "a clock that is an hour behind",
        options: nothing,
        change: |simulator, _| simulator.advance(Duration::from_secs(3600)),
        step: "clock",
        outcome: "failed",
        cause: "this machine's clock is wrong",
        remedy: "chrony",
    },
    Case {
        name: "a clock that is two minutes behind",
        options: nothing,
        change: |simulator, _| simulator.advance(Duration::from_secs(120)),
        step: "clock",
        outcome: "warning",
        cause: "this machine's clock is wrong",
        remedy: "chrony",
    },
    // The token.
    Case {
        name: "a wrong secret",
        options: nothing,
        change: |simulator, _| simulator.change_secret("another"),
        step: "token",
        outcome: "failed",
        cause: "the client secret is wrong",
        remedy: "configure its Value",
    },
    Case {
        name: "a secret that has expired",
        options: nothing,
        change: |simulator, _| {
            fault(simulator, Target::Token, Action::Token(TokenFault::ExpiredSecret));
        },
        step: "token",
        outcome: "failed",
        cause: "the client secret has expired",
        remedy: "create a new one",
    },
    Case {
        name: "another application's id",
        options: nothing,
        change: |_, place| {
            line(place, "client_id", "client_id = \"99999999-1111-4111-8111-111111111111\"");
        },
        step: "token",
        outcome: "failed",
        cause: "the application is not known in this tenant",
        remedy: "Application (client) ID",
    },
    Case {
        name: "a certificate that is not registered",
        options: |options| options.certificates = vec![der("other.pem")],
        change: |_, place| certificate(place, "both.pem", ""),
        step: "token",
        outcome: "failed",
        cause: "the certificate is not one of those registered",
        remedy: "upload the certificate",
    },
    Case {
        name: "an application without any proof",
        options: nothing,
        change: |simulator, _| {
            fault(simulator, Target::Token, refused(7_000_218, "invalid_client"));
        },
        step: "token",
        outcome: "failed",
        cause: "the application proves nothing",
        remedy: "configure client_secret or client_certificate",
    },
    Case {
        name: "an application that is disabled",
        options: nothing,
        change: |simulator, _| {
            fault(simulator, Target::Token, refused(7_000_112, "unauthorized_client"));
        },
        step: "token",
        outcome: "failed",
        cause: "the application is disabled",
        remedy: "Enabled for users to sign-in",
    },
    Case {
        name: "Conditional Access for applications",
        options: nothing,
        change: |simulator, _| fault(simulator, Target::Token, refused(53_003, "access_denied")),
        step: "token",
        outcome: "failed",
        cause: "Conditional Access blocks the sign-in",
        remedy: "exclude the application",
    },
    Case {
        name: "Graph of another cloud",
        options: nothing,
        change: |simulator, _| {
            fault(simulator, Target::Token, refused(500_011, "invalid_resource"));
        },
        step: "token",
        outcome: "failed",
        cause: "not one that this tenant's cloud knows",
        remedy: "belong to the same cloud",
    },
    Case {
        name: "a federated token that no credential fits",
        options: nothing,
        change: |simulator, _| {
            fault(simulator, Target::Token, refused(700_213, "invalid_client"));
        },
        step: "token",
        outcome: "failed",
        cause: "no federated credential of the application fits",
        remedy: "compare issuer, subject and audience",
    },
    Case {
        name: "a sign-in that was revoked",
        options: |options| options.public_client = true,
        change: |simulator, place| {
            simulator.revoke_sign_ins(50_173);
            signed_in(simulator, place);
        },
        step: "token",
        outcome: "failed",
        cause: "the person's password was changed",
        remedy: "run `entraldap authorize`",
    },
    Case {
        name: "public client flows that are not allowed",
        options: nothing,
        change: signed_in,
        step: "token",
        outcome: "failed",
        cause: "the application proves nothing",
        remedy: "Allow public client flows: Yes",
    },
    // Permissions.
    Case {
        name: "no permission at all",
        options: nothing,
        change: |simulator, _| grant(simulator, &[]),
        step: "permissions",
        outcome: "failed",
        cause: "without User.Read.All nothing is copied",
        remedy: "grant admin consent",
    },
    Case {
        name: "no permission for contacts",
        options: nothing,
        change: |simulator, _| grant(simulator, &without("OrgContact.Read.All")),
        step: "permissions",
        outcome: "warning",
        cause: "mail contacts are not copied",
        remedy: "add the application permissions OrgContact.Read.All",
    },
    Case {
        name: "no permission for contacts, which are required",
        options: nothing,
        change: |simulator, place| {
            line(place, "interval", "interval = \"5m\"\nrequired = [\"contacts\"]");
            grant(simulator, &without("OrgContact.Read.All"));
        },
        step: "contacts",
        outcome: "failed",
        cause: "a permission is missing",
        remedy: "OrgContact.Read.All",
    },
    Case {
        name: "more permissions than needed",
        options: nothing,
        change: |simulator, _| {
            grant(simulator, &[&ALL[..], &["Directory.ReadWrite.All"]].concat());
        },
        step: "permissions",
        outcome: "warning",
        cause: "Directory.ReadWrite.All allow writing",
        remedy: "remove them",
    },
    Case {
        name: "a consent that has not arrived everywhere",
        options: nothing,
        change: |simulator, _| at_path(simulator, "users/delta", Action::Forbidden),
        step: "users",
        outcome: "failed",
        cause: "a permission is missing",
        remedy: "User.Read.All",
    },
    Case {
        name: "no permission for domains",
        options: nothing,
        change: |simulator, _| grant(simulator, &without("Domain.Read.All")),
        step: "domains",
        outcome: "warning",
        cause: "a permission is missing",
        remedy: "Domain.Read.All",
    },
    Case {
        name: "pages that somebody changes on the way",
        options: nothing,
        change: |simulator, _| at_path(simulator, "groups/delta", Action::HtmlBody),
        step: "groups",
        outcome: "warning",
        cause: "the answer is not what Graph sends",
        remedy: "proxy or a captive portal",
    },
    Case {
        name: "a secret that ends soon",
        options: |options| {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            options.secret_ends = now.unwrap().as_secs() + 10 * 86_400;
            options.roles.push("Application.Read.All".to_owned());
        },
        change: |_, _| {},
        step: "expiry",
        outcome: "warning",
        cause: "it ends soon",
        remedy: "Certificates & secrets",
    },
];
