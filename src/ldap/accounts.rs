//! Service accounts: their names, what proves them, and which passwords have been right
//! a moment ago.

use super::bind_name::bare_name;
use super::certificate::Shown;
use super::complaints::Complaints;
use super::profile::Profile;
use super::throttle::{Attempt, Throttle};
use crate::config::Secret;
use crate::config::settings::{AccountSettings, ClientCertificate, LimitSettings};
use crate::directory::dn::DnKey;
use crate::directory::text;
use argon2::password_hash::PasswordVerifier;
use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

/// How long a password that was right is known to be right.
const REMEMBERED: Duration = Duration::from_secs(300);
/// How many passwords are checked at once: each check takes memory and a core.
const CHECKS: usize = 2;

/// Why the accounts cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// The hash is no argon2id hash.
    #[error(
        "account {name:?}: password_hash is no argon2id hash ({why}); make one with `entraldap hash-password`"
    )]
    Hash {
        /// The account.
        name: String,
        /// What is wrong with its hash.
        why: String,
    },
    /// Two accounts answer to one name.
    #[error("account {name:?} is there twice; account names are compared without case")]
    Twice {
        /// The account.
        name: String,
    },
    /// The system gives no random octets.
    #[error("no random octets from the system: {0}")]
    Random(String),
}

/// The fast hash of a password, and until when it counts.
type Remembered = Option<([u8; 32], Instant)>;

/// One service account.
pub(crate) struct Account {
    name: String,
    folded: String,
    hash: Option<Secret>,
    certificate: Option<ClientCertificate>,
    profile: Arc<Profile>,
    /// Of the password that was right last.
    remembered: Mutex<Remembered>,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Account").field(&self.name).finish()
    }
}

impl Account {
    /// The name, as configured.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What it may see.
    pub(crate) fn profile(&self) -> &Arc<Profile> {
        &self.profile
    }

    /// Whether what proved the other account proves this one.
    fn succeeds(&self, other: &Account) -> bool {
        self.folded == other.folded
            && self.hash == other.hash
            && self.certificate == other.certificate
    }
}

/// What the check of a password came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Checked {
    /// It is right.
    Right,
    /// It is wrong, or the account is unknown.
    Wrong,
    /// It was not checked: others failed meanwhile.
    Throttled,
}

/// What all configurations after one another have in common.
struct Desk {
    /// Salts the fast hashes; differs in each process.
    key: [u8; 32],
    permits: Semaphore,
    throttle: Throttle,
    complaints: Complaints,
}

/// All accounts, and what checks their passwords.
pub(crate) struct Accounts {
    list: Vec<Arc<Account>>,
    /// Checked when the name is unknown, so that this takes as long.
    decoy: Secret,
    desk: Arc<Desk>,
}

impl Accounts {
    /// Checks the configured hashes. What was learnt `before` is kept.
    pub(crate) fn new(
        settings: &[AccountSettings],
        limits: &LimitSettings,
        before: Option<&Accounts>,
    ) -> Result<Self, AccountError> {
        let mut list: Vec<Arc<Account>> = Vec::with_capacity(settings.len());
        for account in settings {
            let name = account.name.clone();
            if let Some(hash) = &account.password_hash {
                check_hash(hash.reveal())
                    .map_err(|why| AccountError::Hash { name: name.clone(), why })?;
            }
            let folded = text::fold(&name);
            if list.iter().any(|other| other.folded == folded) {
                return Err(AccountError::Twice { name });
            }
            let account = Account {
                name,
                folded,
                hash: account.password_hash.clone(),
                certificate: account.certificate.clone(),
                profile: Arc::new(Profile::new(&account.profile, limits)),
                remembered: Mutex::new(None),
            };
            if let Some(known) = before.and_then(|before| before.current(&account)) {
                *lock(&account.remembered) = *lock(&known.remembered);
            }
            list.push(Arc::new(account));
        }
        let decoy = match list.iter().find_map(|account| account.hash.as_ref()) {
            Some(hash) => hash.clone(),
            None => Secret::new(decoy_hash().map_err(AccountError::Random)?),
        };
        let desk = match before {
            Some(before) => Arc::clone(&before.desk),
            None => Arc::new(Desk::new().map_err(AccountError::Random)?),
        };
        Ok(Accounts { list, decoy, desk })
    }

    /// The account of this configuration that an account of an earlier one has become;
    /// `None` where it is gone or its credentials are others.
    pub(crate) fn current(&self, earlier: &Account) -> Option<&Arc<Account>> {
        let same = |account: &&Arc<Account>| {
            std::ptr::eq(Arc::as_ptr(account), earlier) || account.succeeds(earlier)
        };
        self.list.iter().find(same)
    }

    /// Whether the accounts and what proves them are the same.
    pub(crate) fn same_credentials(&self, other: &Accounts) -> bool {
        self.list.len() == other.list.len()
            && self.list.iter().all(|account| other.current(account).is_some())
    }

    /// The account that a bind name means, see [`super::bind_name`].
    pub(crate) fn find(
        &self,
        bind_name: &str,
        is_ours: &dyn Fn(&DnKey) -> bool,
    ) -> Option<&Arc<Account>> {
        let folded = text::fold(&bare_name(bind_name, is_ours));
        self.list.iter().find(|account| account.folded == folded)
    }

    /// The account that a client certificate proves.
    pub(crate) fn of_certificate(&self, shown: &Shown) -> Option<&Arc<Account>> {
        let proves = |known: &ClientCertificate| shown.proves(known);
        self.list.iter().find(|account| account.certificate.as_ref().is_some_and(proves))
    }

    /// An attempt to bind with a password, for [`Self::wait`] and [`Self::verify`]. All
    /// forms of a name are one, whether there is such an account or not.
    pub(crate) fn attempt(
        &self,
        bind_name: &str,
        is_ours: &dyn Fn(&DnKey) -> bool,
        peer: IpAddr,
    ) -> Attempt {
        self.desk.throttle.attempt(&text::fold(&bare_name(bind_name, is_ours)), peer)
    }

    /// How long the client must wait before it may try again.
    pub(crate) fn wait(&self, attempt: Attempt, now: Instant) -> Option<Duration> {
        self.desk.throttle.wait(attempt, now)
    }

    /// Failures of other accounts than these do not count any more.
    pub(crate) fn forget_failures(&self) {
        self.desk.throttle.forget();
    }

    /// Whether this password was right for this account a moment ago. If so, it counts as
    /// right once more.
    pub(crate) fn still_right(
        &self,
        account: &Account,
        password: &[u8],
        attempt: Attempt,
        now: Instant,
    ) -> bool {
        let right = self.recalls(account, password, now);
        if right {
            self.desk.throttle.succeeded(attempt, now);
        }
        right
    }

    /// Whether this password was right for this account a moment ago.
    pub(crate) fn recalls(&self, account: &Account, password: &[u8], now: Instant) -> bool {
        let Some((expected, until)) = *lock(&account.remembered) else { return false };
        // `verify_slice` compares in constant time.
        now < until
            && self.mac(account, password).is_some_and(|mac| mac.verify_slice(&expected).is_ok())
    }

    /// Checks a password against the stored hash, away from the threads that serve
    /// connections. An unknown account, or one without a password, costs the same work.
    pub(crate) async fn verify(
        &self,
        account: Option<Arc<Account>>,
        password: Zeroizing<Vec<u8>>,
        attempt: Attempt,
    ) -> Checked {
        let Ok(_permit) = self.desk.permits.acquire().await else { return Checked::Wrong };
        // Others that waited here, too, may have failed, or been right, meanwhile.
        let now = Instant::now();
        if self.wait(attempt, now).is_some() {
            return Checked::Throttled;
        }
        let account = account.filter(|account| account.hash.is_some());
        let still_right =
            |account: &Arc<Account>| self.still_right(account, &password, attempt, now);
        if account.as_ref().is_some_and(still_right) {
            return Checked::Right;
        }
        let hash = account.as_ref().and_then(|account| account.hash.as_ref());
        let hash = hash.unwrap_or(&self.decoy).clone();
        let fast = account.as_ref().and_then(|account| self.mac(account, &password));
        let check = move || {
            let Ok(hash) = PasswordHash::new(hash.reveal()) else { return false };
            Argon2::default().verify_password(&password, &hash).is_ok()
        };
        let matches = tokio::task::spawn_blocking(check).await.unwrap_or(false);
        let now = Instant::now();
        let Some(account) = account.as_ref().filter(|_| matches) else {
            self.failed(account.as_deref().map(Account::name), attempt, now);
            return Checked::Wrong;
        };
        self.desk.throttle.succeeded(attempt, now);
        let fast: Option<[u8; 32]> = fast.map(|mac| mac.finalize().into_bytes().into());
        *lock(&account.remembered) = fast.map(|fast| (fast, now + REMEMBERED));
        Checked::Right
    }

    /// Counts a right password.
    pub(crate) fn succeeded(&self, attempt: Attempt, now: Instant) {
        self.desk.throttle.succeeded(attempt, now);
    }

    /// Counts a wrong password. Unknown names are not told: people type their password there.
    pub(crate) fn failed(&self, account: Option<&str>, attempt: Attempt, now: Instant) {
        let Some(failures) = self.desk.throttle.failed(attempt, now) else { return };
        let Some(passed_over) = self.desk.complaints.admit(now) else { return };
        let account = account.unwrap_or("(unknown)");
        let peer = attempt.peer;
        tracing::warn!(account, %peer, failures, passed_over, "binds fail again and again");
    }

    fn mac(&self, account: &Account, password: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.desk.key).ok()?;
        mac.update(&(account.folded.len() as u64).to_be_bytes());
        mac.update(account.folded.as_bytes());
        mac.update(password);
        Some(mac)
    }
}

impl Desk {
    fn new() -> Result<Self, String> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|error| error.to_string())?;
        Ok(Desk {
            key,
            permits: Semaphore::new(CHECKS),
            throttle: Throttle::new(),
            complaints: Complaints::default(),
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn check_hash(text: &str) -> Result<(), String> {
    let hash = PasswordHash::new(text).map_err(|error| error.to_string())?;
    if hash.algorithm.as_str() != "argon2id" {
        return Err(format!("it says {:?}", hash.algorithm.as_str()));
    }
    // A string with parameters alone would be no secret at all.
    if hash.hash.is_none() || hash.salt.is_none() {
        return Err("it has no salt or no hash".to_owned());
    }
    Ok(())
}

fn decoy_hash() -> Result<String, String> {
    let mut password = [0; 16];
    getrandom::fill(&mut password).map_err(|error| error.to_string())?;
    Argon2::default()
        .hash_password(&password)
        .map(|hash| hash.to_string())
        .map_err(|error| error.to_string())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::directory::dn::Dn;

    /// A hash that is cheap to check.
    pub(crate) fn cheap_hash(password: &str) -> String {
        let params = argon2::Params::new(16, 1, 1, None).unwrap();
        Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params)
            .hash_password(password.as_bytes())
            .unwrap()
            .to_string()
    }

    /// An account with a password and the default profile.
    pub(crate) fn settings(name: &str, hash: &str) -> AccountSettings {
        AccountSettings {
            name: name.to_owned(),
            password_hash: Some(Secret::new(hash)),
            certificate: None,
            profile: Arc::default(),
        }
    }

    fn accounts(settings: &[AccountSettings]) -> Result<Accounts, AccountError> {
        Accounts::new(settings, &LimitSettings::default(), None)
    }

    #[test]
    fn hashes_that_prove_nothing_are_refused_with_the_account() {
        for hash in ["", "*", "secret", "$argon2id$v=19$m=16,t=1,p=1", "$pbkdf2$x"] {
            let error = accounts(&[settings("gw", hash)]).err().unwrap().to_string();
            assert!(error.contains("\"gw\"") && !error.contains("secret"), "{error}");
        }
        let hash = cheap_hash("pw");
        let twice = accounts(&[settings("gw", &hash), settings("GW", &hash)]);
        assert_eq!(twice.err(), Some(AccountError::Twice { name: "GW".to_owned() }));
    }

    #[test]
    fn all_forms_of_a_name_wait_together_whether_known_or_not() {
        let accounts = accounts(&[settings("gw", &cheap_hash("pw"))]).unwrap();
        let base = Dn::parse("dc=contoso,dc=com").unwrap().key();
        let is_ours = |key: &DnKey| key.is_within(&base);
        let peer = "10.0.0.1".parse().unwrap();
        let now = Instant::now();
        for name in ["gw", "nobody"] {
            while accounts.wait(accounts.attempt(name, &is_ours, peer), now).is_none() {
                accounts.desk.throttle.failed(accounts.attempt(name, &is_ours, peer), now);
            }
            for form in [
                name.to_uppercase(),
                format!("{name}@contoso.com"),
                format!("C\\{name}"),
                format!("cn={name},dc=contoso,dc=com"),
            ] {
                let attempt = accounts.attempt(&form, &is_ours, peer);
                assert!(accounts.wait(attempt, now).is_some(), "{form}");
            }
        }
    }

    #[tokio::test]
    async fn a_right_password_is_remembered_for_a_while_whatever_others_try() {
        let accounts = accounts(&[settings("gw", &cheap_hash("pw"))]).unwrap();
        let account = accounts.find("gw", &|_| false).unwrap();
        let attempt = accounts.attempt("gw", &|_| false, "10.0.0.1".parse().unwrap());
        let now = Instant::now();
        let password = |text: &str| Zeroizing::new(text.as_bytes().to_vec());
        let verify = |text: &str| accounts.verify(Some(account.clone()), password(text), attempt);
        assert!(!accounts.recalls(account, b"pw", now));
        assert_eq!(verify("pw").await, Checked::Right);
        assert!(accounts.recalls(account, b"pw", now));
        assert!(!accounts.recalls(account, b"other", now));
        assert!(!accounts.recalls(account, b"pw", now + REMEMBERED * 2));
        assert_eq!(verify("other").await, Checked::Wrong);
        // Otherwise a guesser could make each bind of a gateway wait for a slow check.
        assert!(accounts.recalls(account, b"pw", now));
        assert_eq!(accounts.verify(None, password("pw"), attempt).await, Checked::Wrong);
    }

    #[tokio::test]
    async fn new_accounts_know_what_the_old_ones_have_learnt() {
        let (hash, other) = (cheap_hash("pw"), cheap_hash("other"));
        let limits = LimitSettings::default();
        let old = accounts(&[settings("gw", &hash), settings("b", &hash)]).unwrap();
        let gateway = old.find("gw", &|_| false).unwrap().clone();
        let attempt = old.attempt("gw", &|_| false, "10.0.0.1".parse().unwrap());
        let password = Zeroizing::new(b"pw".to_vec());
        old.verify(Some(gateway.clone()), password, attempt).await;
        let list = [settings("GW", &hash), settings("b", &other)];
        let new = Accounts::new(&list, &limits, Some(&old)).unwrap();
        let current = new.current(&gateway).unwrap();
        assert!(new.recalls(current, b"pw", Instant::now()));
        let b = old.find("b", &|_| false).unwrap();
        assert!(new.current(b).is_none(), "its password is another one now");
        assert!(!new.same_credentials(&old));
    }
}
