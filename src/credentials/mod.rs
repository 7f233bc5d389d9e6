//! Passwords of users, checked against Entra; nothing of them is stored.
//!
//! [`Credentials`] decides: what is remembered (`memory`), whom to wait for (`flights`), what
//! Entra's answer means (`meaning`), what an administrator is told (`complaints`). The rest
//! of the program asks a [`Question`] and gets an [`Answer`].
//!
//! Guesses must not lock a user out. Entra counts distinct wrong passwords, so we do: after a
//! few Entra is not asked for a while, except from where the user has been right lately. Unknown
//! names take the same ways and the same time, so that nobody learns who there is.

mod complaints;
mod flights;
mod meaning;
mod memory;
#[cfg(test)]
mod tests;

use crate::config::settings::UserBindSettings;
use crate::graph::{ErrorKind, Graph, GraphError, SignIn};
use complaints::Complaints;
use flights::Flights;
use hmac::{Hmac, KeyInit, Mac};
use meaning::{Meaning, meaning};
use memory::{Book, Limits, Seal};
use sha2::Sha256;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

/// So many passwords are asked about at once.
const ASKED_AT_ONCE: usize = 32;
/// How long a check takes, as long as there has been none.
const FIRST_GUESS: Duration = Duration::from_millis(200);
/// Most users, and unknown names, that are remembered, in each of two halves.
const USERS: usize = 16_384;
const STRANGERS: usize = 4096;

/// A password, and whose it is said to be.
pub struct Question {
    /// Whose.
    pub who: Who,
    /// The password, as it came.
    pub password: Zeroizing<Vec<u8>>,
    /// The network that the client is in.
    pub network: IpAddr,
    /// Whether the client may still ask: looked at again when its turn has come.
    pub may_ask: Box<dyn Fn() -> bool + Send + Sync>,
}

/// Whose password it is said to be.
#[derive(Debug, Clone)]
pub enum Who {
    /// A user of the tenant.
    User {
        /// The same for as long as the user is known, and nobody else's.
        number: u32,
        /// The user principal name.
        username: String,
        /// Another one where the user's password or state has changed: what was
        /// remembered before does not count any more.
        version: u64,
    },
    /// A name that is nobody's, in a form that is the same for each way of writing it.
    Nobody(String),
}

/// What a question comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The password is right.
    Right,
    /// It is wrong, or there is no such user.
    Wrong,
    /// Too many wrong passwords, as Entra or we have it.
    Locked,
    /// The password has expired.
    Expired,
    /// The account is disabled.
    Disabled,
    /// Not at this hour.
    Hours,
    /// The password alone does not do: a second factor, a policy, an assignment.
    Barred,
    /// Nobody knows.
    Unavailable,
    /// It was not asked: [`Question::may_ask`] said no.
    Busy,
}

/// The passwords of one connection's users.
pub struct Credentials {
    connection: String,
    settings: UserBindSettings,
    graph: Graph,
    desk: Arc<Desk>,
}

/// What one configuration hands on to the next.
struct Desk {
    /// Salts the seals; differs in each process.
    key: [u8; 32],
    users: Book,
    strangers: Book,
    hasher: RandomState,
    flights: Flights,
    permits: Semaphore,
    complaints: Complaints,
    /// How long a check usually takes.
    usual: Mutex<Duration>,
}

impl Credentials {
    /// Nothing is asked yet. What was learnt `before` is kept, as far as it still counts.
    ///
    /// # Errors
    /// The system gives no random octets.
    pub fn new(
        connection: &str,
        settings: UserBindSettings,
        graph: Graph,
        before: Option<&Credentials>,
    ) -> Result<Self, String> {
        let desk = match before {
            Some(before) => {
                if before.settings != settings {
                    before.desk.users.forget_answers();
                }
                Arc::clone(&before.desk)
            }
            None => Arc::new(Desk::new().map_err(|error| error.to_string())?),
        };
        Ok(Credentials { connection: connection.to_owned(), settings, graph, desk })
    }

    /// Whether the password is the user's.
    pub async fn check(&self, question: Question) -> Answer {
        // Graph.md 1.8: no password begins or ends so; a printer's setup page may add it.
        let text = std::str::from_utf8(&question.password);
        let Some(password) = text.ok().filter(|text| text.trim() == *text && !text.is_empty())
        else {
            return Answer::Wrong;
        };
        let case = self.case(&question, password);
        if let Some(answer) = self.recall(&case) {
            return answer;
        }
        let flight = self.desk.flights.join(case.flight());
        let answer = *flight.get_or_init(|| self.ask(&case, password)).await;
        self.desk.flights.leave(&case.flight(), &flight);
        // Others that have waited for the same answer are right where they are, too.
        if answer == Answer::Right {
            self.book(&case).right_at(case.key, case.network, now());
        }
        answer
    }

    fn case<'q>(&self, question: &'q Question, password: &str) -> Case<'q> {
        let (key, user, version) = match &question.who {
            Who::User { number, username, version } => {
                (u64::from(*number), Some(username.as_str()), *version)
            }
            Who::Nobody(name) => (self.desk.hasher.hash_one(name), None, 0),
        };
        let seal = self.desk.seal(key, user.is_some(), password);
        Case { key, user, version, seal, network: question.network, may_ask: &question.may_ask }
    }

    fn book(&self, case: &Case<'_>) -> &Book {
        if case.user.is_some() { &self.desk.users } else { &self.desk.strangers }
    }

    fn limits(&self) -> Limits {
        let UserBindSettings { cache, failures, pause, .. } = self.settings;
        Limits { cache, failures, pause }
    }

    fn recall(&self, case: &Case<'_>) -> Option<Answer> {
        let Case { key, version, seal, network, .. } = case;
        self.book(case).recall((*key, *version), seal, *network, &self.limits(), now())
    }

    /// Asks, after others that ask about this user, and remembers the answer.
    async fn ask(&self, case: &Case<'_>, password: &str) -> Answer {
        let deadline = Instant::now() + self.settings.timeout;
        let book = self.book(case);
        let turn = book.turn(case.key);
        let Ok(_turn) = timeout_at(deadline, turn.lock()).await else {
            return Answer::Unavailable;
        };
        // Whoever was asked about before may have been right, or one too many.
        if let Some(answer) = self.recall(case) {
            return answer;
        }
        // Names that are nobody's wait for a permit, too: a wait would tell them apart.
        let Ok(Ok(_permit)) = timeout_at(deadline, self.desk.permits.acquire()).await else {
            return Answer::Unavailable;
        };
        if !(case.may_ask)() {
            return Answer::Busy;
        }
        let answer = match case.user {
            Some(username) => self.ask_entra(username, password, deadline).await,
            None => {
                tokio::time::sleep(self.desk.usual_wait().min(self.settings.timeout)).await;
                Answer::Wrong
            }
        };
        let Case { key, version, seal, network, .. } = case;
        let paused = book.record((*key, *version), seal, *network, answer, &self.limits(), now());
        if paused && let Some(user) = case.user {
            let (connection, pause) = (&self.connection, self.settings.pause);
            tracing::warn!(
                connection,
                user,
                network = %case.network,
                ?pause,
                "wrong passwords again and again: Entra is not asked about this user for a while"
            );
        }
        answer
    }

    async fn ask_entra(&self, username: &str, password: &str, deadline: Instant) -> Answer {
        let started = Instant::now();
        let asked = SignIn {
            username,
            password,
            client_id: self.settings.client_id.as_deref(),
            proof: &self.settings.proof,
            scope: &self.settings.scope,
            timeout: deadline.saturating_duration_since(started),
        };
        let error = match self.graph.sign_in(&asked).await {
            Ok(()) => {
                self.desk.took(started.elapsed());
                return Answer::Right;
            }
            Err(error) => error,
        };
        if error.kind == ErrorKind::Credential {
            self.desk.took(started.elapsed());
        }
        self.understand(&error)
    }

    fn understand(&self, error: &GraphError) -> Answer {
        let meaning = meaning(error);
        let code = error.aadsts();
        let accepted = code.is_some_and(|code| self.settings.accept_codes.contains(&code));
        let connection = &self.connection;
        match meaning {
            Meaning::Barred | Meaning::Unknown { .. } if accepted => return Answer::Right,
            Meaning::Unknown { .. } => {
                let (what, at) = (format!("{:?}", error.code), now());
                if let Some(passed_over) = self.desk.complaints.admit(&what, at) {
                    let code = error.code.as_deref().unwrap_or("none");
                    tracing::warn!(
                        connection,
                        code,
                        passed_over,
                        "Entra refused a user's password with a code that is not known here"
                    );
                }
            }
            Meaning::Unavailable => {
                let (what, at) = (format!("{:?} {:?}", error.kind, error.code), now());
                if let Some(passed_over) = self.desk.complaints.admit(&what, at) {
                    tracing::error!(
                        connection,
                        %error,
                        passed_over,
                        "passwords of users cannot be checked; their binds are answered unavailable"
                    );
                }
            }
            _ => {}
        }
        meaning.answer()
    }
}

impl Desk {
    fn new() -> Result<Self, getrandom::Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        Ok(Desk {
            key,
            users: Book::new(USERS),
            strangers: Book::new(STRANGERS),
            hasher: RandomState::new(),
            flights: Flights::default(),
            permits: Semaphore::new(ASKED_AT_ONCE),
            complaints: Complaints::default(),
            usual: Mutex::new(FIRST_GUESS),
        })
    }

    fn seal(&self, key: u64, is_user: bool, password: &str) -> Seal {
        let mut octets = [0; 32];
        // A key of 32 octets is one that HMAC takes.
        if let Ok(mut mac) = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.key) {
            mac.update(&[u8::from(is_user)]);
            mac.update(&key.to_be_bytes());
            mac.update(password.as_bytes());
            octets = mac.finalize().into_bytes().into();
        }
        Seal(octets)
    }

    /// A moving average over the last few checks.
    fn took(&self, time: Duration) {
        let mut usual = self.usual.lock().unwrap_or_else(PoisonError::into_inner);
        *usual = *usual * 7 / 8 + time / 8;
    }

    /// As long as a check usually takes, and by chance a little longer.
    fn usual_wait(&self) -> Duration {
        let usual = *self.usual.lock().unwrap_or_else(PoisonError::into_inner);
        let chance = f64::from(getrandom::u32().unwrap_or(u32::MAX)) / f64::from(u32::MAX);
        usual + usual.mul_f64(chance / 4.0)
    }
}

/// A question, made ready to look things up with.
struct Case<'q> {
    key: u64,
    /// The user principal name; `None` where the name is nobody's.
    user: Option<&'q str>,
    version: u64,
    seal: Seal,
    network: IpAddr,
    may_ask: &'q (dyn Fn() -> bool + Send + Sync),
}

impl Case<'_> {
    fn flight(&self) -> (u64, u64, Seal) {
        (self.key, self.version, self.seal)
    }
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}
