//! How a connection's application proves itself to Entra: one of five keys of
//! `[[connection]]`.

use super::Environment;
use super::connection::client_id;
use super::reader::{Place, Report, Table};
use super::secret::{Secret, SecretSource};
use super::source::{read_some, warn_if_open};
use super::value::{Trouble, Value};
use std::path::{Path, PathBuf};
use url::Url;

/// Two secrets overlap while one is replaced by the other.
const MOST_SECRETS: usize = 2;
const KINDS: [&str; 5] =
    ["client_secret", "client_certificate", "federated_token", "managed_identity", "delegated"];
/// Where Azure gives tokens to its machines.
const IMDS: &str = "http://169.254.169.254/metadata/identity/oauth2/token";
/// Where the agent of Azure Arc does, unless its variable says otherwise.
const ARC: &str = "http://127.0.0.1:40342/metadata/identity/oauth2/token";
/// Where that agent puts the file that proves that the asker may read it.
const ARC_KEYS: &str = "/var/opt/azcmagent/tokens";

/// Where that agent lies, and its data.
const ARC_SIGNS: [&str; 2] = ["/opt/azcmagent/bin/himds", "/var/opt/azcmagent"];

/// How the application proves itself. Files are read at each use, so that what was renewed
/// is picked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// `client_secret`: the first that Entra takes; never empty.
    Secrets(Vec<SecretSource>),
    /// `client_certificate`
    Certificate(CertificateSource),
    /// `federated_token`: a file with a token of another issuer, which Entra trusts.
    Federated(PathBuf),
    /// `managed_identity`: the machine asks Azure.
    Managed(ManagedIdentity),
    /// `delegated`: a file with the refresh token of a person who has signed in.
    Delegated(PathBuf),
}

/// `client_certificate`: a certificate and its private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateSource {
    /// PEM or PFX (PKCS #12).
    pub file: PathBuf,
    /// PEM: the key, where `file` does not hold it.
    pub key: Option<PathBuf>,
    /// Of an encrypted key or PFX.
    pub password: Option<SecretSource>,
}

/// `managed_identity`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagedIdentity {
    /// Who is asked.
    pub host: IdentityHost,
    /// Which of several identities; `None`: the only one.
    pub identity: Option<Identity>,
}

/// Who gives tokens to a managed identity, at which URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdentityHost {
    /// A virtual machine.
    Imds(Url),
    /// App Service, Functions, Container Apps; with what `$IDENTITY_HEADER` holds.
    AppService(Url, Secret),
    /// A machine elsewhere with the agent of Azure Arc, and the folder where it answers its
    /// challenge.
    Arc(Url, PathBuf),
}

/// One of several identities of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// Its application (client) id.
    Client(String),
    /// Its object id.
    Object(String),
    /// Its Azure resource id.
    Resource(String),
}

impl Credential {
    /// Its kind, as the configuration calls it.
    pub fn key(&self) -> &'static str {
        match self {
            Credential::Secrets(_) => "client_secret",
            Credential::Certificate(_) => "client_certificate",
            Credential::Federated(_) => "federated_token",
            Credential::Managed(_) => "managed_identity",
            Credential::Delegated(_) => "delegated",
        }
    }

    /// Whether a person has signed in, instead of the application itself.
    pub fn is_delegated(&self) -> bool {
        matches!(self, Credential::Delegated(_))
    }
}

/// Reads the one that is there. `None`: it was reported.
pub(super) fn read(table: &Table<'_>, environment: &Environment) -> Option<Credential> {
    let given: Vec<&str> = KINDS.into_iter().filter(|key| table.has(key)).collect();
    match given.as_slice() {
        [] => {
            let remedy = "write client_secret = { file = \"...\" } (or env, credential), or one of \
                          client_certificate, federated_token, managed_identity, delegated";
            table.missing("client_secret", remedy);
            return None;
        }
        [_] => {}
        [first, rest @ ..] => {
            let message = format!("stands beside {}", rest.join(" and "));
            let remedy = "keep one of them: an application proves itself in one way";
            table.report.problem(&table.place(first), Trouble::new(message, remedy));
        }
    }
    let secrets = read_some(table, "client_secret", environment, MOST_SECRETS);
    let certificate = |table: &Table<'_>| certificate(table, environment);
    let certificate = table.section_if_present("client_certificate", certificate).flatten();
    let federated = |table: &Table<'_>| federated(table, environment);
    let federated = table.section_if_present("federated_token", federated).flatten();
    let managed = |table: &Table<'_>| managed(table, environment);
    let managed = table.section_if_present("managed_identity", managed).flatten();
    let delegated = table.section_if_present("delegated", delegated).flatten();
    secrets
        .map(Credential::Secrets)
        .or(certificate.map(Credential::Certificate))
        .or(federated.map(Credential::Federated))
        .or(managed.map(Credential::Managed))
        .or(delegated.map(Credential::Delegated))
}

fn certificate(table: &Table<'_>, environment: &Environment) -> Option<CertificateSource> {
    let remedy = "name the PEM or PFX file with the application's certificate";
    let file = table.required("file", remedy, |value| value.path());
    let key = table.optional("key", |value| value.path());
    let password = match table.has("password") {
        true => Some(super::source::read(table, "password", environment)?),
        false => None,
    };
    // What is in them is looked at when it is used, and by `check`: they may be renewed.
    let holds_key = if key.is_some() { "key" } else { "file" };
    for (name, path) in [("file", &file), ("key", &key)] {
        let Some(path) = path else { continue };
        let place = table.place(name);
        if let Err(error) = std::fs::File::open(path) {
            let remedy = "put the file there, readable by the user that entraldap runs as";
            let message = format!("{}: {error}", path.display());
            table.report.problem(&place, Trouble::new(message, remedy));
        } else if name == holds_key {
            warn_if_open(table.report, &place, path);
        }
    }
    Some(CertificateSource { file: file?, key, password })
}

fn federated(table: &Table<'_>, environment: &Environment) -> Option<PathBuf> {
    const VARIABLE: &str = "AZURE_FEDERATED_TOKEN_FILE";
    let given = table.optional("file", |value| value.path());
    let told = || environment.variables.get(VARIABLE).map(PathBuf::from);
    let place = table.place("file");
    let Some(path) = given.or_else(|| if table.has("file") { None } else { told() }) else {
        let remedy = "name the file that the workload's platform writes its token to";
        let message = format!("names no file, and ${VARIABLE} is not set");
        table.report.problem(&table.own_place(), Trouble::new(message, remedy));
        return None;
    };
    check_text(table.report, &place, &path);
    Some(path)
}

/// A file with a token in it.
fn check_text(report: &Report<'_>, place: &Place, path: &Path) {
    match SecretSource::File(path.to_owned()).read() {
        Ok(_) => warn_if_open(report, place, path),
        Err(error) => {
            let remedy = "look whether the platform has mounted the token there, readable by the \
                          user that entraldap runs as";
            report.problem(place, Trouble::new(error.to_string(), remedy));
        }
    }
}

fn delegated(table: &Table<'_>) -> Option<PathBuf> {
    let remedy = "name a file that `entraldap authorize` may write, for example \
                  \"/var/lib/entraldap/contoso.token\"";
    let path = table.required("token_file", remedy, |value| value.path())?;
    let place = table.place("token_file");
    match SecretSource::File(path.clone()).read() {
        Ok(_) => warn_if_open(table.report, &place, &path),
        Err(error) => {
            let remedy = "run `entraldap authorize` to sign in";
            table.report.warning(&place, Trouble::new(error.to_string(), remedy));
        }
    }
    Some(path)
}

/// Whom to ask, as the configuration calls them.
#[derive(Debug, Clone, Copy)]
enum Host {
    Auto,
    Imds,
    AppService,
    Arc,
}

const HOSTS: [(&str, Host); 4] = [
    ("auto", Host::Auto),
    ("imds", Host::Imds),
    ("app-service", Host::AppService),
    ("azure-arc", Host::Arc),
];

fn managed(table: &Table<'_>, environment: &Environment) -> Option<ManagedIdentity> {
    let variable = |name: &str| environment.variables.get(name).filter(|text| !text.is_empty());
    let endpoint = variable("IDENTITY_ENDPOINT");
    let host = table.or("host", Host::Auto, |value| value.word(&HOSTS));
    let host = match host {
        Host::Auto if endpoint.is_some() && variable("IDENTITY_HEADER").is_some() => {
            Host::AppService
        }
        Host::Auto if endpoint.is_some() && variable("IMDS_ENDPOINT").is_some() => Host::Arc,
        // The variables are those of sessions; for a service only the agent itself is there.
        Host::Auto if ARC_SIGNS.iter().any(|path| Path::new(path).exists()) => Host::Arc,
        Host::Auto => Host::Imds,
        host => host,
    };
    let place = table.place("host");
    let url = |text: &str| {
        Url::parse(text).map_err(|error| {
            let remedy = "correct the variable, or name another host";
            Trouble::new(format!("{text:?}, of the environment, is no URL ({error})"), remedy)
        })
    };
    let host = match host {
        Host::AppService => match (endpoint, variable("IDENTITY_HEADER")) {
            (Some(endpoint), Some(header)) => {
                url(endpoint).map(|url| IdentityHost::AppService(url, Secret::new(header)))
            }
            _ => Err(Trouble::new(
                "needs $IDENTITY_ENDPOINT and $IDENTITY_HEADER, which are not set",
                "switch the identity on in the portal (Identity, Status: On) and restart the app",
            )),
        },
        Host::Arc => url(endpoint.map_or(ARC, String::as_str))
            .map(|url| IdentityHost::Arc(url, PathBuf::from(ARC_KEYS))),
        Host::Imds | Host::Auto => {
            let root = variable("AZURE_POD_IDENTITY_AUTHORITY_HOST");
            let text = root.map(|root| {
                format!("{}/metadata/identity/oauth2/token", root.trim_end_matches('/'))
            });
            url(text.as_deref().unwrap_or(IMDS)).map(IdentityHost::Imds)
        }
    };
    let host = host.map_err(|trouble| table.report.problem(&place, trouble)).ok();
    let identity = identity(table);
    Some(ManagedIdentity { host: host?, identity: identity? })
}

/// Which identity; the outer `None`: it was reported.
fn identity(table: &Table<'_>) -> Option<Option<Identity>> {
    let client = table.optional("client_id", client_id).map(Identity::Client);
    let object = table.optional("object_id", client_id).map(Identity::Object);
    let resource = table.optional("resource_id", resource).map(Identity::Resource);
    let given = ["client_id", "object_id", "resource_id"].into_iter().filter(|key| table.has(key));
    if given.count() > 1 {
        let remedy = "keep one of client_id, object_id, resource_id";
        let trouble = Trouble::new("names an identity in several ways", remedy);
        table.report.problem(&table.own_place(), trouble);
        return None;
    }
    Some(client.or(object).or(resource))
}

fn resource(value: &Value<'_>) -> Result<String, Trouble> {
    let text = value.text()?;
    if text.starts_with("/subscriptions/") {
        return Ok(text.to_owned());
    }
    let remedy = "copy the resource id of the identity: /subscriptions/.../resourceGroups/...";
    Err(Trouble::new(format!("{text:?} is not an Azure resource id"), remedy))
}
