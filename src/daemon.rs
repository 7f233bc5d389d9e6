//! Builds the rooms from settings, spawns them, drains them: the only file that sees
//! everybody.

mod numbers;
mod reload;
mod users;

use crate::admin::{self, Facts, Listening};
use crate::config::settings::ListenerSettings;
use crate::config::{self, Settings};
use crate::graph::{Graph, GraphError};
use crate::ldap;
use crate::notify;
use crate::replica::{self, OpenError, Writer};
use crate::sync::schedule::Schedule;
use crate::sync::{self, Engine, Handle, SyncError};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Why the daemon does not start. Each text names the place and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// `[replica]`
    #[error("replica.path: {0}")]
    Replica(#[from] OpenError),
    /// The stored copy cannot be prepared.
    #[error("{0}")]
    Sync(#[from] SyncError),
    /// A connection's settings cannot work.
    #[error("connection: {0}")]
    Graph(#[from] GraphError),
    /// `[ldap]`
    #[error("ldap: {0}")]
    Ldap(#[from] ldap::StartError),
    /// `[connection.user_binds]`
    #[error("connection.user_binds: {0}")]
    UserBinds(String),
    /// `[admin]`
    #[error("{0}")]
    Admin(#[from] admin::ListenError),
    /// An LDAP address is taken or not ours.
    #[error("ldap.listener: {address}: {reason}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says, with a remedy.
        reason: String,
    },
}

/// A daemon that listens and syncs.
pub struct Daemon {
    stop: CancellationToken,
    tasks: TaskTracker,
    addresses: Vec<(SocketAddr, bool)>,
    schedules: Vec<Handle>,
    graphs: Vec<(String, Graph)>,
    users: Arc<users::Doors>,
    server: Arc<ldap::Server>,
    writer: Writer,
    /// Where the settings come from, once that is known.
    config: Arc<OnceLock<PathBuf>>,
}

/// How long a daemon may take to end.
const DRAIN: Duration = Duration::from_secs(15);

impl Daemon {
    /// Starts everything. Searches are answered from the stored copy at once; Graph is
    /// not needed for that.
    pub async fn start(settings: &Settings) -> Result<Daemon, StartError> {
        allow_open_files(settings.ldap.limits.connections);
        let writer = replica::open(&settings.replica)?;
        retire(&writer, settings)?;
        if settings.replica.in_memory {
            writer.keep_in_memory();
        }
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let mut schedules = Vec::new();
        let mut handles = Vec::new();
        let mut graphs = Vec::new();
        for connection in &settings.connections {
            let graph = Graph::new(connection)?;
            graphs.push((connection.name.clone(), graph.clone()));
            let engine = Engine::new(connection, &settings.replica, graph, writer.clone())?;
            let (schedule, handle) = Schedule::new(&connection.name, engine, &connection.sync);
            schedules.push(schedule);
            handles.push(handle);
        }
        let server = Arc::new(ldap::Server::new(&settings.ldap, writer.reader(), SystemTime::now)?);
        let users = Arc::new(users::Doors::new(graphs.clone()));
        server.admit_users(users.open(&settings.connections).map_err(StartError::UserBinds)?);
        let mut listeners = Vec::new();
        for listener in &settings.ldap.listeners {
            listeners.push((bind(listener)?, listener.tls));
        }
        let admin = admin::bind(&settings.admin).await?;
        // Everything that can fail has been done: from here on, nothing is half started.
        let mut addresses = Vec::new();
        for (listener, tls) in listeners {
            let address = listener.local_addr().unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0)));
            tracing::info!(%address, tls, "serving LDAP");
            addresses.push((address, tls));
            tasks.spawn(ldap::serve(listener, server.clone(), tls, stop.clone()));
        }
        let (reports, records) = mpsc::unbounded_channel();
        for mut schedule in schedules {
            schedule.report_to(reports.clone());
            tasks.spawn(schedule.run(stop.clone()));
        }
        tasks.spawn(notify::run(settings.reports.clone(), records, stop.clone()));
        let config = Arc::new(OnceLock::new());
        let schedules = handles;
        let daemon =
            Daemon { stop, tasks, addresses, schedules, graphs, users, server, writer, config };
        daemon.spawn_admin(admin, settings);
        Ok(daemon)
    }

    /// Loads accounts, profiles, certificates and user binds anew on SIGHUP, and when the file that
    /// `settings` come from changes or one that it names.
    pub fn watch(&self, config: &Path, settings: &Settings) -> std::io::Result<()> {
        let hangup = signal(SignalKind::hangup())?;
        // Watching twice is watching the first.
        let _ = self.config.set(config.to_owned());
        let (config, settings) = (config.to_owned(), settings.clone());
        let front = (Arc::clone(&self.server), Arc::clone(&self.users));
        self.tasks.spawn(reload::run(config, settings, front, hangup, self.stop.clone()));
        Ok(())
    }

    fn spawn_admin(&self, admin: Listening, settings: &Settings) {
        let server = Arc::clone(&self.server);
        let (config, running) = (Arc::clone(&self.config), settings.connections.clone());
        let writer = self.writer.clone();
        let facts = Facts {
            settings: Box::new(move || match config.get() {
                Some(path) => config::load(path)
                    .map(|settings| settings.connections)
                    .map_err(|problems| problems.to_string()),
                None => Ok(running.clone()),
            }),
            forget: Box::new(move |name| {
                sync::buttons::forget(&writer, name).map_err(|error| error.to_string())
            }),
            numbers: Box::new({
                let server = Arc::clone(&self.server);
                move || numbers::ldap(&server)
            }),
            graph: Box::new({
                let graphs = self.graphs.clone();
                move || numbers::graph(&graphs)
            }),
            replica: settings.replica.path.clone(),
            ready_age: settings.admin.ready_age,
            reader: self.writer.reader(),
            schedules: self.schedules.clone(),
            ldap: Box::new(move || numbers::counts(&server)),
            listeners: self
                .addresses
                .iter()
                .map(|(address, tls)| format!("{}://{address}", scheme(*tls)))
                .collect(),
            started: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_secs().cast_signed()),
        };
        let router = admin::router(facts, settings.admin.token.clone());
        self.tasks.spawn(admin.run(router, self.stop.clone()));
    }

    /// Where LDAP is served, and whether it begins with TLS there.
    pub fn addresses(&self) -> &[(SocketAddr, bool)] {
        &self.addresses
    }

    /// The schedules, one per connection.
    pub fn schedules(&self) -> &[Handle] {
        &self.schedules
    }

    /// A handle for reading the stored copy.
    pub fn reader(&self) -> replica::Reader {
        self.writer.reader()
    }

    /// Ends everything: clients get a notice, a commit under way is finished.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(DRAIN, self.tasks.wait()).await.is_err() {
            tracing::warn!("some tasks did not end in time");
        }
    }
}

fn scheme(tls: bool) -> &'static str {
    if tls { "ldaps" } else { "ldap" }
}

fn bind(listener: &ListenerSettings) -> Result<TcpListener, StartError> {
    let address = listener.address;
    ldap::listen(address).map_err(|error| {
        let remedy = match error.kind() {
            std::io::ErrorKind::AddrInUse => "; another program listens there: stop it, or choose another port",
            std::io::ErrorKind::PermissionDenied => {
                "; ports below 1024 need the capability CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities=), or choose a higher port"
            }
            std::io::ErrorKind::AddrNotAvailable => "; this machine does not have that address",
            _ => "",
        };
        StartError::Listen { address, reason: format!("{error}{remedy}") }
    })
}

/// Connections that the configuration no longer has are no longer served; their data
/// stays in the file.
fn retire(writer: &Writer, settings: &Settings) -> Result<(), StartError> {
    let names: Vec<String> = settings.connections.iter().map(|c| c.name.clone()).collect();
    writer
        .write(|change| -> Result<(), replica::Error> {
            for number in change.connection_numbers()? {
                let mut state = change.connection(number)?;
                if state.configured && !names.contains(&state.name) {
                    state.configured = false;
                    change.put_connection(number, &state)?;
                }
            }
            Ok(())
        })
        .map_err(|error| StartError::Sync(error.into()))
}

/// Many systems start a process with leave for 1,024 open files, and with leave to ask for
/// more: a connection is one.
fn allow_open_files(connections: usize) {
    /// The replica, listeners, Graph.
    const OTHERS: u64 = 64;
    let wanted = u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(OTHERS);
    match rlimit::increase_nofile_limit(wanted) {
        Ok(allowed) if allowed < wanted => tracing::warn!(
            allowed,
            wanted,
            "ldap.limits.connections: the system allows fewer open files; raise LimitNOFILE, or lower the limit"
        ),
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "the limit of open files cannot be raised"),
    }
}
