//! Service accounts: their names, their password hashes, and which passwords have been
//! right a moment ago.

use crate::config::Secret;
use crate::config::settings::AccountSettings;
use crate::directory::dn::{Dn, DnKey};
use crate::directory::text;
use argon2::password_hash::PasswordVerifier;
use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;
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

/// One service account.
pub(crate) struct Account {
    name: String,
    folded: String,
    hash: Secret,
    /// The fast hash of the password that was right last, and until when that counts.
    remembered: Mutex<Option<([u8; 32], Instant)>>,
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
}

/// All accounts, and what checks their passwords.
pub(crate) struct Accounts {
    list: Vec<Arc<Account>>,
    /// Checked when the name is unknown, so that this takes as long.
    decoy: Secret,
    /// Salts the fast hashes; differs in each process.
    key: [u8; 32],
    permits: Semaphore,
}

impl Accounts {
    /// Checks the configured hashes and draws a salt.
    pub(crate) fn new(settings: &[AccountSettings]) -> Result<Self, AccountError> {
        let mut list: Vec<Arc<Account>> = Vec::with_capacity(settings.len());
        for account in settings {
            let name = account.name.clone();
            check_hash(account.password_hash.reveal())
                .map_err(|why| AccountError::Hash { name: name.clone(), why })?;
            let folded = text::fold(&name);
            if list.iter().any(|other| other.folded == folded) {
                return Err(AccountError::Twice { name });
            }
            let hash = account.password_hash.clone();
            list.push(Arc::new(Account { name, folded, hash, remembered: Mutex::new(None) }));
        }
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|error| AccountError::Random(error.to_string()))?;
        let decoy = match list.first() {
            Some(account) => account.hash.clone(),
            None => Secret::new(decoy_hash().map_err(AccountError::Random)?),
        };
        Ok(Accounts { list, decoy, key, permits: Semaphore::new(CHECKS) })
    }

    /// The account that a bind name means: its name alone, before `@`, behind
    /// `DOMAIN\`, or as the first RDN of a DN whose rest `is_ours`.
    pub(crate) fn find(
        &self,
        bind_name: &str,
        is_ours: &dyn Fn(&DnKey) -> bool,
    ) -> Option<&Arc<Account>> {
        let named = |name: &str| {
            let folded = text::fold(name);
            self.list.iter().find(|account| account.folded == folded)
        };
        if let Some(account) = named(bind_name) {
            return Some(account);
        }
        if bind_name.contains('=') {
            let dn = Dn::parse(bind_name).ok()?;
            let above = dn.parent()?.key();
            let (attribute, value) = dn.rdn()?.first()?;
            let is_name = ["cn", "uid", "2.5.4.3", "0.9.2342.19200300.100.1.1"]
                .iter()
                .any(|known| attribute.eq_ignore_ascii_case(known));
            return if is_name && is_ours(&above) {
                named(std::str::from_utf8(value).ok()?)
            } else {
                None
            };
        }
        if let Some((_, name)) = bind_name.rsplit_once('\\') {
            return named(name);
        }
        bind_name.rsplit_once('@').and_then(|(name, _)| named(name))
    }

    /// Whether this password was right for this account a moment ago.
    pub(crate) fn recalls(&self, account: &Account, password: &[u8], now: Instant) -> bool {
        let Some((expected, until)) = *lock(&account.remembered) else { return false };
        // `verify_slice` compares in constant time.
        now < until
            && self.mac(account, password).is_some_and(|mac| mac.verify_slice(&expected).is_ok())
    }

    /// Checks a password against the stored hash, away from the threads that serve
    /// connections. An unknown account costs the same work.
    pub(crate) async fn verify(
        &self,
        account: Option<Arc<Account>>,
        password: Zeroizing<Vec<u8>>,
    ) -> bool {
        let Ok(_permit) = self.permits.acquire().await else { return false };
        let hash = account.as_ref().map_or(&self.decoy, |account| &account.hash).clone();
        let fast = account.as_ref().and_then(|account| self.mac(account, &password));
        let check = move || {
            let Ok(hash) = PasswordHash::new(hash.reveal()) else { return false };
            Argon2::default().verify_password(&password, &hash).is_ok()
        };
        let matches = tokio::task::spawn_blocking(check).await.unwrap_or(false);
        let Some(account) = account else { return false };
        let fast: Option<[u8; 32]> = fast.map(|mac| mac.finalize().into_bytes().into());
        *lock(&account.remembered) =
            fast.filter(|_| matches).map(|fast| (fast, Instant::now() + REMEMBERED));
        matches
    }

    fn mac(&self, account: &Account, password: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.key).ok()?;
        mac.update(&(account.name.len() as u64).to_be_bytes());
        mac.update(account.name.as_bytes());
        mac.update(password);
        Some(mac)
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

    /// A hash that is cheap to check.
    pub(crate) fn cheap_hash(password: &str) -> String {
        let params = argon2::Params::new(16, 1, 1, None).unwrap();
        Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params)
            .hash_password(password.as_bytes())
            .unwrap()
            .to_string()
    }

    fn settings(name: &str, hash: &str) -> AccountSettings {
        AccountSettings { name: name.to_owned(), password_hash: Secret::new(hash) }
    }

    #[test]
    fn every_form_of_the_name_is_the_same_account() {
        let hash = cheap_hash("pw");
        let accounts =
            Accounts::new(&[settings("Gateway", &hash), settings("svc@contoso.com", &hash)])
                .unwrap();
        let base = Dn::parse("dc=contoso,dc=com").unwrap().key();
        let is_ours = |key: &DnKey| key.is_within(&base);
        let find = |name: &str| accounts.find(name, &is_ours).map(|account| account.name());
        for name in [
            "gateway",
            "GATEWAY",
            "gateway@contoso.com",
            "gateway@any.where",
            "CONTOSO\\gateway",
            "cn=gateway,dc=contoso,dc=com",
            "CN=Gateway, OU=x, DC=Contoso, DC=com",
            "uid=gateway,ou=users,dc=contoso,dc=com",
        ] {
            assert_eq!(find(name), Some("Gateway"), "{name}");
        }
        assert_eq!(find("SVC@contoso.com"), Some("svc@contoso.com"));
        for name in [
            "",
            "other",
            "cn=gateway",
            "cn=gateway,dc=example,dc=com",
            "sn=gateway,dc=contoso,dc=com",
            "cn=gateway,,dc=contoso",
            "svc",
            "@contoso.com",
            "gateway\\",
        ] {
            assert_eq!(find(name), None, "{name}");
        }
    }

    #[test]
    fn hashes_that_prove_nothing_are_refused_with_the_account() {
        for hash in ["", "*", "secret", "$argon2id$v=19$m=16,t=1,p=1", "$pbkdf2$x"] {
            let error = Accounts::new(&[settings("gw", hash)]).err().unwrap().to_string();
            assert!(error.contains("\"gw\"") && !error.contains("secret"), "{error}");
        }
        let hash = cheap_hash("pw");
        let twice = Accounts::new(&[settings("gw", &hash), settings("GW", &hash)]);
        assert_eq!(twice.err(), Some(AccountError::Twice { name: "GW".to_owned() }));
    }

    #[tokio::test]
    async fn a_right_password_is_remembered_for_a_while_and_forgotten_on_failure() {
        let accounts = Accounts::new(&[settings("gw", &cheap_hash("pw"))]).unwrap();
        let account = accounts.find("gw", &|_| false).unwrap();
        let now = Instant::now();
        let verify = |password: &str| {
            accounts.verify(Some(account.clone()), Zeroizing::new(password.as_bytes().to_vec()))
        };
        assert!(!accounts.recalls(account, b"pw", now));
        assert!(verify("pw").await);
        assert!(accounts.recalls(account, b"pw", now));
        assert!(!accounts.recalls(account, b"other", now));
        assert!(!accounts.recalls(account, b"pw", now + REMEMBERED * 2));
        assert!(!verify("other").await);
        assert!(!accounts.recalls(account, b"pw", now));
        assert!(!accounts.verify(None, Zeroizing::new(b"pw".to_vec())).await);
    }
}
