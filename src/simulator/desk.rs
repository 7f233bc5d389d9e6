//! What every request shares: the tenant, the switches, the tokens handed out, the journal of requests.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

use super::assertion::Federation;
use super::call::Call;
use super::device::SignIns;
use super::faults::Book;
use super::identity::{Machine, MachineIdentity};
use super::knobs::{Knobs, StateLoss};
use super::object::Kind;
use super::passwords::Passwords;
use super::rng::{guid_of, hash, mix};
use super::tenant::Tenant;

/// How a simulator is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// Address to listen on; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// The tenant's GUID.
    pub tenant_id: String,
    /// The application's client id.
    pub client_id: String,
    /// The application's secret.
    pub client_secret: String,
    /// When the secrets end, in seconds since 1970.
    pub secret_ends: u64,
    /// How long access tokens live.
    pub token_lifetime: Duration,
    /// The application permissions that have been granted.
    pub roles: Vec<String>,
    /// The switches to start with.
    pub knobs: Knobs,
    /// Certificates of the application (DER).
    pub certificates: Vec<Vec<u8>>,
    /// Its federated credentials.
    pub federations: Vec<Federation>,
    /// Whether people may sign in with it although it proves nothing ("Allow public client flows").
    pub public_client: bool,
    /// Where it runs, for managed identities.
    pub machine: Option<Machine>,
    /// The identities of that machine beside its own.
    pub machine_identities: Vec<MachineIdentity>,
    /// Serve HTTPS instead of HTTP.
    pub tls: Option<ServerCertificate>,
}

/// What the simulator shows of itself where it speaks TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerCertificate {
    /// PEM: the certificate and its chain.
    pub certificate: String,
    /// PEM: the key.
    pub key: String,
}

impl Default for Options {
    fn default() -> Self {
        let roles = [
            "User.Read.All",
            "Group.Read.All",
            "GroupMember.Read.All",
            "OrgContact.Read.All",
            "Domain.Read.All",
            "Organization.Read.All",
        ];
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tenant_id: "7f1c0000-1111-4222-8333-444444444444".to_owned(),
            client_id: "11111111-1111-4111-8111-111111111111".to_owned(),
            client_secret: "simulated-secret".to_owned(),
            // In the year 2100.
            secret_ends: 4_102_444_800,
            token_lifetime: Duration::from_secs(3599),
            roles: roles.map(str::to_owned).to_vec(),
            knobs: Knobs::default(),
            certificates: Vec::new(),
            federations: Vec::new(),
            public_client: false,
            machine: None,
            machine_identities: Vec::new(),
            tls: None,
        }
    }
}

/// One request as the journal keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST`
    pub method: String,
    /// Path and query as they came.
    pub uri: String,
    /// The status that was answered; 0 when the connection was closed instead.
    pub status: u16,
    /// The `Prefer` header.
    pub prefer: Option<String>,
    /// The `client-request-id` header.
    pub client_request_id: Option<String>,
    /// Whether a rule decided the answer.
    pub faulted: bool,
}

/// How many requests there were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// All requests, the items of batches too.
    pub total: usize,
    /// At the token endpoint.
    pub token: usize,
    /// Of those, passwords of users, as far as no rule decided the answer.
    pub sign_ins: usize,
    /// Delta queries on users.
    pub users_delta: usize,
    /// Delta queries on groups.
    pub groups_delta: usize,
    /// Delta queries on contacts.
    pub contacts_delta: usize,
    /// Batches.
    pub batches: usize,
    /// Everything else.
    pub other: usize,
    /// Answers that a rule decided.
    pub faulted: usize,
    /// Answers with a status of 400 or more.
    pub refused: usize,
}

/// The journal: the latest requests and the counters.
#[derive(Debug, Default)]
pub(super) struct Journal {
    pub(super) recent: VecDeque<Request>,
    pub(super) tally: Tally,
}

impl Journal {
    const KEPT: usize = 20_000;

    pub(super) fn count_sign_in(&mut self) {
        self.tally.sign_ins = self.tally.sign_ins.saturating_add(1);
    }

    pub(super) fn add(&mut self, request: Request, facts: &super::faults::Facts<'_>) {
        let tally = &mut self.tally;
        let counter = match facts.delta {
            Some(Kind::User) => &mut tally.users_delta,
            Some(Kind::Group) => &mut tally.groups_delta,
            Some(_) => &mut tally.contacts_delta,
            None if facts.token_endpoint => &mut tally.token,
            None if facts.batch => &mut tally.batches,
            None => &mut tally.other,
        };
        *counter = counter.saturating_add(1);
        tally.total = tally.total.saturating_add(1);
        tally.faulted = tally.faulted.saturating_add(usize::from(request.faulted));
        tally.refused = tally.refused.saturating_add(usize::from(request.status >= 400));
        if self.recent.len() >= Self::KEPT {
            self.recent.pop_front();
        }
        self.recent.push_back(request);
    }
}

/// The state behind the HTTP skin.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) options: Options,
    pub(super) tenant: Mutex<Tenant>,
    pub(super) knobs: Mutex<Knobs>,
    pub(super) faults: Mutex<Book>,
    pub(super) journal: Mutex<Journal>,
    /// Marked at each entry in the journal.
    pub(super) arrivals: watch::Sender<()>,
    pub(super) roles: Mutex<Vec<String>>,
    pub(super) secrets: Mutex<Vec<String>>,
    pub(super) certificates: Mutex<Vec<Vec<u8>>>,
    pub(super) sign_ins: Mutex<SignIns>,
    pub(super) passwords: Mutex<Passwords>,
    pub(super) generation: AtomicU64,
    /// How the loss of the present generation is reported, when not by the knobs.
    pub(super) loss: Mutex<Option<StateLoss>>,
    /// Each with its end and its permissions.
    tokens: Mutex<HashMap<String, (u64, Vec<String>)>>,
    /// All tokens given out, the latest ones.
    given: Mutex<VecDeque<String>>,
    skew: AtomicU64,
    counter: AtomicU64,
    /// The tenant's version at recent delta requests, oldest first.
    versions: Mutex<VecDeque<u64>>,
    /// Skip tokens that have been asked for.
    asked: Mutex<HashSet<u64>>,
}

/// Takes a lock; a test that failed while holding it must not fail the others.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Desk {
    pub(super) fn new(tenant: Tenant, options: Options) -> Self {
        Self {
            tenant: Mutex::new(tenant),
            knobs: Mutex::new(options.knobs.clone()),
            faults: Mutex::default(),
            journal: Mutex::default(),
            arrivals: watch::Sender::default(),
            roles: Mutex::new(options.roles.clone()),
            secrets: Mutex::new(vec![options.client_secret.clone()]),
            certificates: Mutex::new(options.certificates.clone()),
            sign_ins: Mutex::default(),
            passwords: Mutex::default(),
            generation: AtomicU64::new(0),
            loss: Mutex::default(),
            tokens: Mutex::default(),
            given: Mutex::default(),
            skew: AtomicU64::new(0),
            counter: AtomicU64::new(0),
            versions: Mutex::default(),
            asked: Mutex::default(),
            options,
        }
    }

    pub(super) fn knobs(&self) -> Knobs {
        lock(&self.knobs).clone()
    }

    /// Seconds since 1970, with what tests have added.
    pub(super) fn now(&self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        now.saturating_add(self.skew.load(Ordering::Relaxed))
    }

    pub(super) fn advance(&self, by: Duration) {
        self.skew.fetch_add(by.as_secs(), Ordering::Relaxed);
    }

    /// A number that no other call of this simulator gets.
    pub(super) fn nonce(&self) -> u64 {
        mix(self.counter.fetch_add(1, Ordering::Relaxed).wrapping_add(0x1234_5678))
    }

    pub(super) fn guid(&self) -> String {
        guid_of(self.nonce(), self.nonce())
    }

    /// Whether a request has one of these permissions: of those granted now, or where the
    /// switch says so of those that its token was given with.
    pub(super) fn granted(&self, call: &Call, any: &[&str]) -> bool {
        let token = call.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        if let Some(token) = token.filter(|_| lock(&self.knobs).roles_in_token)
            && let Some((_, roles)) = lock(&self.tokens).get(token.trim())
        {
            return roles.iter().any(|role| any.contains(&role.as_str()));
        }
        lock(&self.roles).iter().any(|role| any.contains(&role.as_str()))
    }

    pub(super) fn remember_token(&self, token: String, expiry: u64) {
        let now = self.now();
        let mut given = lock(&self.given);
        if given.len() >= Journal::KEPT {
            given.pop_front();
        }
        given.push_back(token.clone());
        let mut tokens = lock(&self.tokens);
        tokens.retain(|_, (expiry, _)| expiry.saturating_add(3600) > now);
        tokens.insert(token, (expiry, lock(&self.roles).clone()));
    }

    /// When a token that this simulator issued expires.
    pub(super) fn token_expiry(&self, token: &str) -> Option<u64> {
        lock(&self.tokens).get(token).map(|(expiry, _)| *expiry)
    }

    pub(super) fn tokens(&self) -> Vec<String> {
        lock(&self.given).iter().cloned().collect()
    }

    pub(super) fn revoke_tokens(&self) {
        lock(&self.tokens).clear();
    }

    /// Counts a delta request; answers the version that replication shows to it.
    pub(super) fn horizon(&self, kind: Kind, version: u64, knobs: &Knobs) -> u64 {
        let mut versions = lock(&self.versions);
        versions.push_back(version);
        while versions.len() > knobs.late.longest().saturating_add(1) {
            versions.pop_front();
        }
        let late = knobs.late.of(kind);
        if late == 0 {
            return version;
        }
        let place = versions.len().checked_sub(late.saturating_add(1));
        place.and_then(|place| versions.get(place)).copied().unwrap_or(0)
    }

    /// Notes a skip token; answers whether it has been asked for before.
    pub(super) fn asks_again(&self, token: &str) -> bool {
        let mut asked = lock(&self.asked);
        if asked.len() > 100_000 {
            asked.clear();
        }
        !asked.insert(hash(token.as_bytes()))
    }
}
