//! A running simulator and the handle that tests and the demo hold.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::desk::{Desk, Options, Request, Tally, lock};
use super::faults::{Rule, RuleId};
use super::knobs::{Knobs, StateLoss};
use super::passwords::SignIn;
use super::rng::Rng;
use super::tenant::Tenant;
use super::wire::{Door, Line};
use super::{http, life};

/// How long open connections may finish after a stop.
const GRACE: Duration = Duration::from_secs(1);
const KEPT_NEWS: usize = 1000;

/// A simulated tenant that answers over HTTP until it is stopped or dropped.
#[derive(Debug)]
pub struct Simulator {
    desk: Arc<Desk>,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<io::Result<()>>,
    lives: Mutex<Vec<JoinHandle<()>>>,
    news: Arc<Mutex<VecDeque<String>>>,
}

impl Simulator {
    /// Listens and answers. Needs a tokio runtime.
    pub async fn start(tenant: Tenant, options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(options.listen).await?;
        let address = listener.local_addr()?;
        let desk = Arc::new(Desk::new(tenant, options));
        let door = Door::new(listener, desk.options.tls.as_ref())?;
        let service = http::skin(Arc::clone(&desk)).into_make_service_with_connect_info::<Line>();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = axum::serve(door, service).with_graceful_shutdown(async {
            // A dropped handle stops the server too.
            let _ = stopped.await;
        });
        let task = tokio::spawn(server.into_future());
        Ok(Self {
            desk,
            address,
            stop: Some(stop),
            task,
            lives: Mutex::default(),
            news: Arc::default(),
        })
    }

    /// The Graph root, without the version: `http://127.0.0.1:PORT`.
    pub fn base_url(&self) -> String {
        let scheme = if self.desk.options.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// The authority: the token endpoint is `{authority}/{tenant}/oauth2/v2.0/token`.
    pub fn authority(&self) -> String {
        self.base_url()
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it was started with.
    pub fn options(&self) -> &Options {
        &self.desk.options
    }

    /// Reads or changes the tenant. Do not await inside.
    pub fn with_tenant<T>(&self, work: impl FnOnce(&mut Tenant) -> T) -> T {
        work(&mut lock(&self.desk.tenant))
    }

    /// Changes the switches from the next request on.
    pub fn tune(&self, change: impl FnOnce(&mut Knobs)) {
        change(&mut lock(&self.desk.knobs));
    }

    /// The faults on command.
    pub fn faults(&self) -> Faults<'_> {
        Faults { desk: &self.desk }
    }

    /// The latest requests, oldest first.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.desk.journal).recent.iter().cloned().collect()
    }

    /// The counters of requests.
    pub fn tally(&self) -> Tally {
        lock(&self.desk.journal).tally
    }

    /// Waits until there have been so many requests since the counters were started.
    pub async fn requested(&self, total: usize) {
        let mut arrivals = self.desk.arrivals.subscribe();
        while self.tally().total < total {
            // The sender lives as long as this handle.
            let _ = arrivals.changed().await;
        }
    }

    /// Forgets the requests and starts the counters anew.
    pub fn forget_requests(&self) {
        *lock(&self.desk.journal) = super::desk::Journal::default();
    }

    /// Moves the simulator's clock forward: tokens age without waiting.
    pub fn advance(&self, by: Duration) {
        self.desk.advance(by);
    }

    /// Changes the granted application permissions; tokens issued later carry them, requests are judged by them at once.
    pub fn grant(&self, roles: &[&str]) {
        *lock(&self.desk.roles) = roles.iter().map(|role| (*role).to_owned()).collect();
    }

    /// Replaces the client secrets by this one.
    pub fn change_secret(&self, secret: &str) {
        *lock(&self.desk.secrets) = vec![secret.to_owned()];
    }

    /// Adds a client secret beside the others.
    pub fn add_secret(&self, secret: &str) {
        lock(&self.desk.secrets).push(secret.to_owned());
    }

    /// Replaces the registered certificates (DER).
    pub fn change_certificates(&self, certificates: Vec<Vec<u8>>) {
        *lock(&self.desk.certificates) = certificates;
    }

    /// The codes for signing in that wait for a person.
    pub fn open_codes(&self) -> Vec<String> {
        lock(&self.desk.sign_ins).open()
    }

    /// Waits until there is such a code.
    pub async fn code_wanted(&self) -> String {
        let mut arrivals = self.desk.arrivals.subscribe();
        loop {
            if let Some(code) = self.open_codes().pop() {
                return code;
            }
            // The sender lives as long as this handle.
            let _ = arrivals.changed().await;
        }
    }

    /// Enters a code and signs in, or declines. Says whether there was such a code.
    pub fn enter_code(&self, code: &str, yes: bool) -> bool {
        lock(&self.desk.sign_ins).enter(code, yes)
    }

    /// A refresh token as if somebody had signed in.
    pub fn add_refresh_token(&self, token: &str) {
        lock(&self.desk.sign_ins).give(token.to_owned(), self.desk.now());
    }

    /// The refresh tokens that are good.
    pub fn refresh_tokens(&self) -> Vec<String> {
        lock(&self.desk.sign_ins).tokens()
    }

    /// The access tokens given out, those that were revoked too.
    pub fn access_tokens(&self) -> Vec<String> {
        self.desk.tokens()
    }

    /// Ends what came of signing in so far; refresh tokens are refused with this AADSTS code.
    pub fn revoke_sign_ins(&self, code: u32) {
        lock(&self.desk.sign_ins).revoke(code);
    }

    /// Gives a user, by the user principal name, a password and what becomes of signing in. A
    /// user without one is unknown there.
    pub fn set_password(&self, name: &str, password: &str, state: SignIn) {
        lock(&self.desk.passwords).set(name, password, state);
    }

    /// Whether passwords may be asked about without the client secret.
    pub fn allow_public_client(&self, allow: bool) {
        lock(&self.desk.passwords).public_client = allow;
    }

    /// Lets the tenant change by itself, once per interval. [`Simulator::news`] tells what happened.
    pub fn live(&self, interval: Duration, seed: u64) {
        let desk = Arc::clone(&self.desk);
        let news = Arc::clone(&self.news);
        let life = async move {
            let mut rng = Rng::new(seed);
            loop {
                tokio::time::sleep(interval).await;
                let event = life::step(&mut lock(&desk.tenant), &mut rng);
                tracing::debug!(event, "the simulated tenant changed");
                let mut news = lock(&news);
                if news.len() >= KEPT_NEWS {
                    news.pop_front();
                }
                news.push_back(event);
            }
        };
        lock(&self.lives).push(tokio::spawn(life));
    }

    /// What has happened in the tenant by itself since the last call.
    pub fn news(&self) -> Vec<String> {
        lock(&self.news).drain(..).collect()
    }

    /// Stops listening, lets open requests finish for a moment, and answers the tenant's last version.
    pub async fn stop(mut self) -> u64 {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if tokio::time::timeout(GRACE, &mut self.task).await.is_err() {
            self.task.abort();
        }
        self.with_tenant(|tenant| tenant.version())
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        for life in lock(&self.lives).drain(..) {
            life.abort();
        }
    }
}

/// Sets and removes faults while the simulator runs.
#[derive(Debug, Clone, Copy)]
pub struct Faults<'a> {
    desk: &'a Desk,
}

impl Faults<'_> {
    /// Adds a rule; of several that match, the one set first decides.
    pub fn add(&self, rule: Rule) -> RuleId {
        lock(&self.desk.faults).add(rule)
    }

    /// Removes a rule.
    pub fn remove(&self, rule: RuleId) {
        lock(&self.desk.faults).remove(rule);
    }

    /// Removes all rules.
    pub fn clear(&self) {
        lock(&self.desk.faults).clear();
    }

    /// How many requests a rule has hit.
    pub fn hits(&self, rule: RuleId) -> usize {
        lock(&self.desk.faults).hits(rule)
    }

    /// Access tokens issued so far stop working.
    pub fn revoke_access_tokens(&self) {
        self.desk.revoke_tokens();
    }

    /// Delta and skip tokens issued so far are dead, reported in this shape where it
    /// fits the token, else as the knobs say.
    pub fn lose_state(&self, shape: StateLoss) {
        *lock(&self.desk.loss) = Some(shape);
        self.desk.generation.fetch_add(1, Ordering::Relaxed);
    }
}
