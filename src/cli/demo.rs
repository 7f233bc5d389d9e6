//! `entraldap demo`: a simulated tenant that lives, a first sync, an LDAP server, and
//! searches to try. Needs nothing but this program.

use super::{Common, Exit, Failure, progress, start};
use crate::config::{self, Environment, Settings};
use crate::daemon::Daemon;
use crate::directory::dn::Dn;
use crate::simulator::{Options, Simulator, Tenant};
use crate::sync::Status;
use crate::telemetry;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::watch;

mod samples;

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// How many users the tenant has.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    users: u32,
    /// Another number makes other people.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Take the tenant from the JSON lines in this folder (users, groups, contacts) instead.
    #[arg(long, value_name = "DIR")]
    population: Option<PathBuf>,
    /// Serve LDAP here; by default on port 3389 of this machine, or any free one.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Keep the replica in this file; by default it is temporary.
    #[arg(long, value_name = "FILE")]
    replica: Option<PathBuf>,
    /// Seconds between two changes of the tenant; 0 for none.
    #[arg(long, value_name = "SECONDS", default_value_t = 15)]
    changes: u64,
}

const SETTINGS: &str = include_str!("../../config/demo.toml");
/// The variable that the demo's settings take the client secret from.
const SECRET: (&str, &str) = ("ENTRALDAP_DEMO_SECRET", "demo-client-secret");
/// Where remote desktops listen, and few servers do: easy to remember for LDAP's 389.
const PORT: u16 = 3389;

impl Arguments {
    /// Runs until interrupted.
    pub(super) fn run(&self, common: &Common, out: &mut impl Write) -> Result<Exit, Failure> {
        let fail = |error: String| Failure::new(Exit::No, error);
        let tenant = match &self.population {
            Some(folder) => Tenant::load(folder)
                .map_err(|error| Failure::new(Exit::Usage, error.to_string()))?,
            None => Tenant::generate(self.seed, self.users as usize),
        };
        start::block_on(async {
            let options = Options { client_secret: SECRET.1.to_owned(), ..Options::default() };
            let samples = samples::choose(&tenant);
            let base = base_of(tenant.domain());
            let simulator =
                Simulator::start(tenant, options).await.map_err(|error| fail(error.to_string()))?;
            let folder = TemporaryFolder::new()
                .map_err(|error| fail(format!("no temporary folder: {error}")))?;
            let settings = self.settings(&simulator, &base, &folder)?;
            telemetry::start(&settings.log).map_err(|error| fail(error.to_string()))?;
            let daemon = Daemon::start(&settings).await.map_err(|error| fail(error.to_string()))?;
            let schedule =
                daemon.schedules().first().ok_or_else(|| fail("no connection".to_owned()))?;
            let bar = progress::Bar::new(schedule.status());
            let first = first_sync(schedule.status()).await;
            bar.finish().await;
            let address = daemon.addresses().first().map(|(address, _)| *address);
            let address = address.ok_or_else(|| fail("no listener".to_owned()))?;
            samples::print(out, &first, &samples, &base, address, self.changes > 0, common.json)?;
            out.flush()?;
            if self.changes > 0 {
                simulator.live(Duration::from_secs(self.changes), self.seed);
            }
            start::ended().await?;
            daemon.stop().await;
            simulator.stop().await;
            Ok(Exit::Done)
        })
    }

    fn settings(
        &self,
        simulator: &Simulator,
        base: &str,
        folder: &TemporaryFolder,
    ) -> Result<Settings, Failure> {
        let fail = |error: String| Failure::new(Exit::No, error);
        let environment = Environment {
            variables: [(SECRET.0.to_owned(), SECRET.1.to_owned())].into(),
            credentials_directory: None,
        };
        let mut settings =
            config::parse(SETTINGS, "demo.toml", &environment).map_err(|p| fail(p.to_string()))?;
        settings.replica.path =
            self.replica.clone().unwrap_or_else(|| folder.path.join("demo.redb"));
        if let Some(listener) = settings.ldap.listeners.first_mut() {
            listener.address = self.listen.unwrap_or_else(free_address);
        }
        let options = simulator.options();
        if let Some(connection) = settings.connections.first_mut() {
            let url = |text: String| text.parse().map_err(|_| fail(format!("{text} is no URL")));
            connection.base = Dn::parse(base).map_err(|error| fail(error.to_string()))?;
            connection.tenant = options.tenant_id.clone();
            connection.client_id = options.client_id.clone();
            connection.graph.authority = url(simulator.authority())?;
            connection.graph.endpoint = url(simulator.base_url())?;
            connection.graph.requests_per_second = 100_000;
        }
        Ok(settings)
    }
}

/// `contoso.com` is served as `dc=contoso,dc=com`.
fn base_of(domain: &str) -> String {
    domain.split('.').map(|label| format!("dc={label}")).collect::<Vec<_>>().join(",")
}

fn free_address() -> SocketAddr {
    let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
    match TcpListener::bind(wanted) {
        Ok(_) => wanted,
        Err(_) => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
    }
}

async fn first_sync(mut status: watch::Receiver<Status>) -> Status {
    // Ends early only when the daemon is gone, which the next step notices.
    match status.wait_for(|status| status.published && status.last.is_some()).await {
        Ok(status) => status.clone(),
        Err(_) => Status::default(),
    }
}

/// A folder that goes when the demo does.
struct TemporaryFolder {
    path: PathBuf,
}

impl TemporaryFolder {
    fn new() -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("entraldap-demo-{}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(TemporaryFolder { path })
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        // What cannot be removed is left to whoever clears temporary files.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}
