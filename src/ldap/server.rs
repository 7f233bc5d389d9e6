//! What all connections share: settings, accounts, the replica's reader, keys, counters.

use super::access::Access;
use super::accounts::AccountError;
use super::addresses::Addresses;
use super::background::Background;
use super::complaints::Complaints;
use super::counters::{Counters, Counts};
use super::generated::Generated;
use super::schema_entry;
use super::search::ReadError;
use super::search::paging::CookieKey;
use super::tls::TlsError;
use super::users::{UserBinds, Users};
use super::wire::response::Outcome;
use crate::config::settings::{LdapSettings, LimitSettings};
use crate::directory::dn::{Dn, DnKey};
use crate::replica::reader::Reader;
use arc_swap::ArcSwap;
use ldap3_proto::LdapResultCode;
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

/// Gives the time of day.
pub type Clock = fn() -> SystemTime;

/// Why the LDAP server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// `[[ldap.account]]`
    #[error(transparent)]
    Account(#[from] AccountError),
    /// `[ldap.tls]`
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// `[ldap.tls]` was there and is not any more.
    #[error("[ldap.tls] cannot be removed while entraldap runs; restart it")]
    TlsGone,
    /// The system gives no random octets.
    #[error("no random octets from the system: {0}")]
    Random(#[from] getrandom::Error),
    /// The system gives nothing to wait with.
    #[error("searches that take long cannot be served: {0}")]
    Background(std::io::Error),
}

/// The LDAP server behind all listeners.
pub struct Server {
    pub(crate) reader: Reader,
    access: ArcSwap<Access>,
    users: ArcSwap<Users>,
    pub(crate) limits: LimitSettings,
    /// Whether the root DSE claims to be a domain controller's.
    pub(crate) active_directory: bool,
    pub(crate) clock: Clock,
    /// The machine's name, for the root DSE; may be empty.
    pub(crate) host: String,
    pub(crate) schema_entry: Generated,
    pub(crate) schema_key: DnKey,
    pub(crate) cookies: CookieKey,
    pub(crate) counters: Counters,
    pub(crate) permits: Arc<Semaphore>,
    pub(crate) background: Background,
    pub(crate) addresses: Arc<Addresses>,
    pub(crate) complaints: Complaints,
    /// Names that nearly all searches have as their base, as clients write them, and
    /// their keys: a shortcut past the parser.
    bases: Vec<(String, DnKey)>,
    connection: AtomicU64,
    complained: AtomicBool,
}

impl Server {
    /// Checks the accounts and loads certificate and key. The host name in the root DSE
    /// is the machine's.
    pub fn new(settings: &LdapSettings, reader: Reader, clock: Clock) -> Result<Self, StartError> {
        let snapshot = reader.snapshot();
        let contexts = snapshot.contexts().iter();
        let bases = contexts.map(|context| (context.base.to_string(), context.key.clone()));
        Ok(Server {
            bases: bases.collect(),
            access: ArcSwap::from_pointee(Access::new(settings, &settings.limits, None)?),
            users: ArcSwap::default(),
            limits: settings.limits.clone(),
            active_directory: settings.active_directory,
            clock,
            host: host_name(),
            schema_entry: schema_entry::make(),
            schema_key: schema_entry::key(),
            cookies: CookieKey::new()?,
            counters: Counters::default(),
            permits: Arc::new(Semaphore::new(
                settings.limits.connections.min(Semaphore::MAX_PERMITS),
            )),
            background: Background::new().map_err(StartError::Background)?,
            addresses: Addresses::new(settings.limits.connections_per_address),
            complaints: Complaints::default(),
            connection: AtomicU64::new(0),
            complained: AtomicBool::new(false),
            reader,
        })
    }

    /// Takes over accounts, profiles and certificates; limits stay as they are until the
    /// next start. On an error everything stays as it is. Connections stay: what they may
    /// see changes with their next request, see [`super::session::Session::refresh`].
    pub fn reload(&self, settings: &LdapSettings) -> Result<(), StartError> {
        let before = self.access.load_full();
        let access = Access::new(settings, &self.limits, Some(&before))?;
        // LDAPS listeners cannot do without.
        if access.tls.is_none() && before.tls.is_some() {
            return Err(StartError::TlsGone);
        }
        if !access.accounts.same_credentials(&before.accounts) {
            access.accounts.forget_failures();
        }
        self.access.store(Arc::new(access));
        Ok(())
    }

    /// Lets users of these connections bind, and no others. Those of other connections that
    /// have bound before must bind again.
    pub fn admit_users(&self, binds: Vec<UserBinds>) {
        self.users.store(Arc::new(Users::new(binds, &self.limits)));
    }

    /// The doors for users, as of now.
    pub(crate) fn users(&self) -> Arc<Users> {
        self.users.load_full()
    }

    /// Who may come in, as of now.
    pub(crate) fn access(&self) -> Arc<Access> {
        self.access.load_full()
    }

    /// The same, for a look: nothing is counted that other threads count as well.
    pub(crate) fn access_now(&self) -> arc_swap::Guard<Arc<Access>> {
        self.access.load()
    }

    /// What begins TLS, where there is a certificate.
    pub(crate) fn tls(&self) -> Option<TlsAcceptor> {
        self.access.load().tls.clone()
    }

    /// What has been counted since the start.
    pub fn counts(&self) -> Counts {
        self.counters.counts()
    }

    /// How long operations took.
    pub fn latencies(&self) -> Vec<super::counters::Latency> {
        self.counters.latencies()
    }

    /// A number for the next connection, for the log.
    pub(crate) fn next_connection(&self) -> u64 {
        self.connection.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The key of a name in a request.
    pub(crate) fn key_of(&self, name: &[u8]) -> Result<Cow<'_, DnKey>, Outcome> {
        if name.is_empty() {
            return Ok(Cow::Owned(DnKey::default()));
        }
        let known = self.bases.iter().find(|(text, _)| name.eq_ignore_ascii_case(text.as_bytes()));
        if let Some((_, key)) = known {
            return Ok(Cow::Borrowed(key));
        }
        let refuse = |why: String| Outcome::new(LdapResultCode::InvalidDNSyntax, why);
        let text =
            std::str::from_utf8(name).map_err(|_| refuse("the name is not UTF-8".to_owned()))?;
        Dn::parse(text).map(|dn| Cow::Owned(dn.key())).map_err(|error| refuse(error.to_string()))
    }

    /// Seconds since 1970.
    pub(crate) fn seconds(&self) -> u64 {
        (self.clock)().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }

    /// The answer where the replica cannot be read: unknown is not absent. The reason
    /// goes to the log, the first time.
    pub(crate) fn unreadable(&self, error: &ReadError) -> Outcome {
        if self.complained.swap(true, Ordering::Relaxed) {
            tracing::debug!(%error, "a search could not read the replica");
        } else {
            tracing::error!(%error, "searches cannot read the replica and answer unavailable");
        }
        Outcome::new(LdapResultCode::Unavailable, "the replica cannot be read")
    }
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}
