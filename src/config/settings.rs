//! The settings themselves, checked and complete.

pub use super::calendar::{Calendar, Cron};
pub use super::credential::{
    CertificateSource, Credential, Identity, IdentityHost, ManagedIdentity,
};
pub use super::guard::{GuardSettings, Threshold};
pub use super::include::IncludeSettings;
pub use super::local::{LocalEntry, LocalSettings, Prefer};
pub use super::mapping::{Case, From, Mapped, MappingSettings, Number, Piece, Preset, Shape};
use super::problem::Problems;
pub use super::property::PropertyPath;
pub use super::report::{MailSettings, On, ReportSettings, Security, Way, WebhookSettings};
pub use super::rule::{RuleAction, RuleSettings};
pub use super::scope::ScopeSettings;
pub use super::secret::SecretSource;
use super::secret::{ProxyUrl, Secret};
pub use super::user_binds::{SignInProof, UserBindSettings};
use crate::directory::attribute::AttributeId;
use crate::directory::dn::Dn;
use crate::directory::kind::Kind;
use ipnet::IpNet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Everything that the file says, with defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `[replica]`
    pub replica: ReplicaSettings,
    /// `[log]`
    pub log: LogSettings,
    /// `[admin]`
    pub admin: AdminSettings,
    /// `[ldap]`
    pub ldap: LdapSettings,
    /// `[[connection]]`, at least one, with distinct names and disjoint bases.
    pub connections: Vec<ConnectionSettings>,
    /// `[[report]]`, with distinct names.
    pub reports: Vec<ReportSettings>,
    /// What works but deserves a look: readable secrets, passwords in clear text ...
    pub warnings: Problems,
}

/// `[replica]`: the stored copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaSettings {
    /// The redb file.
    pub path: PathBuf,
    /// Page cache, in bytes.
    pub cache: usize,
    /// Whether entries are kept in memory as well, for searches.
    pub in_memory: bool,
    /// How many passes the history keeps.
    pub history: usize,
    /// How long it keeps the changes of single objects.
    pub changes: Duration,
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// For people or for machines.
    pub format: LogFormat,
    /// A `tracing-subscriber` filter: `info`, `entraldap=debug,warn` ...
    pub level: String,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One line of text per event.
    Human,
    /// One JSON object per event.
    Json,
}

/// `[admin]`: where commands reach the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminSettings {
    /// A unix socket (mode 0600) or a loopback address.
    pub listen: AdminListen,
    /// Needed on a loopback address; sent as `Authorization: Bearer`.
    pub token: Option<Secret>,
    /// `/readyz` says no when the last good pass is older.
    pub ready_age: Duration,
}

/// Where the admin HTTP server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminListen {
    /// Nowhere.
    Off,
    /// A unix socket.
    Unix(PathBuf),
    /// A loopback address.
    Tcp(SocketAddr),
}

/// `[ldap]`: the front door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LdapSettings {
    /// `[[ldap.listener]]`
    pub listeners: Vec<ListenerSettings>,
    /// `[ldap.tls]`; needed by LDAPS and StartTLS.
    pub tls: Option<TlsSettings>,
    /// `[[ldap.account]]`
    pub accounts: Vec<AccountSettings>,
    /// What clients that have not bound may see beside the root DSE and the schema;
    /// `None` for nothing.
    pub anonymous: Option<Arc<ProfileSettings>>,
    /// Whether the root DSE claims to be an Active Directory domain controller.
    pub active_directory: bool,
    /// `[ldap.limits]`
    pub limits: LimitSettings,
}

/// `[[ldap.listener]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerSettings {
    /// Address and port.
    pub address: SocketAddr,
    /// TLS from the first octet (LDAPS), or plain with StartTLS where `[ldap.tls]` is set.
    pub tls: bool,
}

/// `[ldap.tls]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    /// PEM: the server's certificate and its chain.
    pub certificate: PathBuf,
    /// PEM: the private key.
    pub key: PathBuf,
    /// PEM: who signs the certificates that clients may show; `None`: none are asked for.
    pub client_ca: Option<PathBuf>,
}

/// `[[ldap.account]]`: who may bind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountSettings {
    /// Binds as `name`, `name@domain-of-the-base`, `DOMAIN\name`, or
    /// `cn=name,<base>` / `uid=name,<base>` with any number of RDNs between.
    pub name: String,
    /// PHC string, `$argon2id$...`; there or `certificate` is.
    pub password_hash: Option<Secret>,
    /// The certificate that binds by SASL EXTERNAL.
    pub certificate: Option<ClientCertificate>,
    /// What it may see.
    pub profile: Arc<ProfileSettings>,
}

/// How a client certificate is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientCertificate {
    /// `sha256:...`: this one certificate.
    Fingerprint([u8; 32]),
    /// `dns:...`: any certificate with this DNS name among its alternative names.
    DnsName(String),
    /// Any certificate with this subject.
    Subject(Dn),
}

/// `[[ldap.profile]]`: what an account, or anonymous, may see, from where, and how much
/// of it. The default is everything, from everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProfileSettings {
    /// What accounts refer to; empty for the default profile.
    pub name: String,
    /// Where it holds; empty for everywhere.
    pub networks: Vec<IpNet>,
    /// What exists; empty for everything.
    pub bases: Vec<Dn>,
    /// What of an entry is readable; `objectClass` always is.
    pub attributes: Readable,
    /// Overrides [`LimitSettings::size`].
    pub size: Option<u32>,
    /// Overrides [`LimitSettings::page`].
    pub page: Option<u32>,
    /// Overrides [`LimitSettings::time`].
    pub time: Option<Duration>,
    /// Overrides [`LimitSettings::operations`].
    pub operations: Option<usize>,
}

/// Which attributes are readable.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Readable {
    /// All of them.
    #[default]
    All,
    /// These.
    Only(Vec<AttributeId>),
    /// All others.
    Except(Vec<AttributeId>),
}

/// `[ldap.limits]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitSettings {
    /// Largest request before a bind, octets.
    pub pdu_before_bind: usize,
    /// Largest request after a bind, octets.
    pub pdu_after_bind: usize,
    /// How deep a filter may be nested.
    pub filter_depth: usize,
    /// How many parts a filter may have.
    pub filter_nodes: usize,
    /// How many controls a request may have.
    pub controls: usize,
    /// How many attributes a search may ask for by name.
    pub attributes: usize,
    /// How many requests of one connection may be under way or wait.
    pub operations: usize,
    /// A search pauses when so many octets of its connection wait to be sent.
    pub output: usize,
    /// Most entries one search returns; 0 for no limit.
    pub size: u32,
    /// Most entries of one page; 0 for no limit.
    pub page: u32,
    /// Longest time one search takes; zero for no limit.
    pub time: Duration,
    /// How many entries one search may look at that no index has decided; 0 for no limit.
    pub candidates: u32,
    /// Connections in all.
    pub connections: usize,
    /// Connections from one address.
    pub connections_per_address: usize,
    /// A connection that sends nothing for so long is closed.
    pub idle: Duration,
    /// A client must send its first request within this.
    pub first_request: Duration,
    /// A client must finish the TLS handshake within this.
    pub tls_handshake: Duration,
    /// A client that reads nothing for so long is disconnected.
    pub write_stall: Duration,
}

/// `[[connection]]`: a tenant and where it is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionSettings {
    /// Its name in commands and reports.
    pub name: String,
    /// Everything of the tenant is served below this.
    pub base: Dn,
    /// The tenant's id or a verified domain.
    pub tenant: String,
    /// The application's (client) id; empty for a managed identity, which has its own.
    pub client_id: String,
    /// How the application proves itself.
    pub credential: Credential,
    /// Where and how Graph is reached.
    pub graph: GraphSettings,
    /// `[connection.sync]`
    pub sync: SyncSettings,
    /// `[connection.mapping]`
    pub mapping: MappingSettings,
    /// `[connection.sync]`, the switches.
    pub include: IncludeSettings,
    /// `[connection.scope]`
    pub scope: ScopeSettings,
    /// `[[connection.rule]]`, in their order.
    pub rules: Vec<RuleSettings>,
    /// `[connection.guard]`
    pub guard: GuardSettings,
    /// `[connection.local]`
    pub local: Option<LocalSettings>,
    /// `[connection.user_binds]`; `None`: users cannot bind.
    pub user_binds: Option<UserBindSettings>,
    /// `[connection.tree]`: container and RDN names.
    pub tree: TreeSettings,
}

/// `[connection.graph]`: endpoints and manners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphSettings {
    /// Authority root, as `https://login.microsoftonline.com/`.
    pub authority: Url,
    /// Graph root, as `https://graph.microsoft.com/`.
    pub endpoint: Url,
    /// HTTP proxy; `None`: as the environment says.
    pub proxy: Option<ProxyUrl>,
    /// Additional PEM root certificates.
    pub ca_file: Option<PathBuf>,
    /// Time to connect.
    pub connect_timeout: Duration,
    /// Time for one whole request.
    pub request_timeout: Duration,
    /// Most requests under way at once.
    pub concurrency: usize,
    /// Most requests per second, over all.
    pub requests_per_second: u32,
    /// How often one request is tried before the pass is given up.
    pub attempts: u32,
    /// The longest single wait that a `Retry-After` may ask for within a pass.
    pub max_wait: Duration,
}

/// `[connection.sync]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncSettings {
    /// When delta passes run.
    pub when: When,
    /// A pass starts later by chance, by so much at most.
    pub jitter: Duration,
    /// From one full reconcile to the next.
    pub reconcile: Duration,
    /// Whether mail contacts are synced.
    pub contacts: bool,
    /// Whether groups with hidden membership are served with their members.
    pub hidden_members: bool,
    /// What has to be readable besides users. What is neither readable nor required is left
    /// out of a first load.
    pub required: Vec<Kind>,
}

impl SyncSettings {
    /// Whether nothing may be published without this kind.
    pub fn requires(&self, kind: Option<Kind>) -> bool {
        kind.is_some_and(|kind| kind == Kind::User || self.required.contains(&kind))
    }
}

/// When delta passes run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// So long after the start of the one before.
    Interval(Duration),
    /// By the clock on the wall.
    Calendar(Calendar),
    /// When somebody asks.
    Manual,
}

/// `[connection.tree]`: names of containers and RDN attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeSettings {
    /// Users.
    pub users: Branch,
    /// Groups.
    pub groups: Branch,
    /// Contacts.
    pub contacts: Branch,
    /// Domains.
    pub domains: Branch,
}

/// One container of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// Its `ou`.
    pub ou: String,
    /// The RDN attribute of the entries in it.
    pub rdn: String,
}
