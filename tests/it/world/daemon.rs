//! The program itself as a child process: configured, started, watched by its log,
//! asked over LDAP, killed.

use super::BASE;
use entraldap::simulator::Simulator;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::mpsc;

const BINARY: &str = env!("CARGO_BIN_EXE_entraldap");
/// What takes longer than this hangs.
const DEADLINE: Duration = Duration::from_secs(600);

/// A folder with a configuration file and, once a daemon ran, a replica.
pub struct Place {
    folder: TempDir,
    secret: String,
    listeners: usize,
    /// More variables of the environment.
    variables: Vec<(String, String)>,
}

impl Place {
    /// Anybody may search; passes follow one another after `interval`.
    pub fn new(simulator: &Simulator, interval: &str, listeners: &[&str]) -> Place {
        let place = Place {
            folder: TempDir::new().unwrap(),
            secret: simulator.options().client_secret.clone(),
            listeners: listeners.len(),
            variables: Vec::new(),
        };
        let listeners: String = listeners
            .iter()
            .map(|address| format!("[[ldap.listener]]\naddress = \"{address}\"\n"))
            .collect();
        let text = format!(
            "[replica]\npath = \"{replica}\"\n\
             [log]\nformat = \"json\"\n\
             [admin]\nlisten = \"unix:{socket}\"\n\
             [ldap]\nanonymous_search = true\n{listeners}\
             [[connection]]\nname = \"contoso\"\nbase = \"{BASE}\"\n\
             tenant = \"{tenant}\"\nclient_id = \"{client}\"\n\
             client_secret = {{ env = \"SIMULATED_SECRET\" }}\n\
             [connection.graph]\nauthority = \"{authority}\"\nendpoint = \"{endpoint}\"\n\
             requests_per_second = 1000\n\
             [connection.guard]\nenabled = false\n\
             [connection.sync]\ninterval = \"{interval}\"\n",
            replica = place.replica().display(),
            socket = place.folder.path().join("admin.sock").display(),
            tenant = simulator.options().tenant_id,
            client = simulator.options().client_id,
            authority = simulator.authority(),
            endpoint = simulator.base_url(),
        );
        std::fs::write(place.config(), text).unwrap();
        place
    }

    pub fn replica(&self) -> PathBuf {
        self.folder.path().join("replica.redb")
    }

    /// Sets a variable for all that is started from now on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// A file beside the configuration.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The first certificate in such a file (DER).
    pub fn certificate(&self, name: &str) -> Vec<u8> {
        use rustls::pki_types::{CertificateDer, pem::PemObject};
        CertificateDer::from_pem_file(self.path(name)).unwrap().to_vec()
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("entraldap.toml")
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env("SIMULATED_SECRET", &self.secret).env_remove("RUST_LOG");
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts the daemon and waits until it listens.
    pub async fn start(&self) -> Daemon {
        let mut command = self.command(BINARY);
        command.arg("serve").arg("--config").arg(self.config());
        Daemon::spawn(command, self.listeners).await
    }

    /// The same, with no file allowed to grow beyond so many octets: to the program
    /// this is a disk without room.
    pub async fn start_in(&self, octets: u64) -> Daemon {
        let mut command = self.command("sh");
        // POSIX counts blocks of 512 octets here. The signal is ignored, so that writes fail.
        let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$@\"", octets / 512);
        command.arg("-c").arg(script).arg("sh");
        command.arg(BINARY).arg("serve").arg("--config").arg(self.config());
        Daemon::spawn(command, self.listeners).await
    }

    /// Runs a verb; gives its exit code and what it printed.
    pub async fn verb(&self, arguments: &[&str]) -> (i32, String) {
        let mut command = self.command(BINARY);
        command.args(arguments).arg("--config").arg(self.config());
        let run = tokio::task::spawn_blocking(move || command.output().unwrap());
        let output = run.await.unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(text).unwrap())
    }

    /// Asks the side window of the running daemon; gives the status and the body.
    pub async fn admin(&self, path: &str) -> (u16, String) {
        let socket = self.folder.path().join("admin.sock");
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().unix_socket(socket).build().unwrap();
        let answer = client.get(format!("http://entraldap{path}")).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Changes the configuration file.
    pub fn configure(&self, change: impl FnOnce(String) -> String) {
        let text = std::fs::read_to_string(self.config()).unwrap();
        std::fs::write(self.config(), change(text)).unwrap();
    }

    /// Lets the running daemon do a pass; gives its record.
    pub async fn sync(&self) -> Value {
        let mut command = self.command(BINARY);
        command.args(["sync", "--json", "--config"]).arg(self.config());
        let run = tokio::task::spawn_blocking(move || command.output().unwrap());
        let output = run.await.unwrap();
        assert!(output.status.success(), "{output:?}");
        let passes: Value = serde_json::from_slice(&output.stdout).unwrap();
        passes[0].clone()
    }
}

/// A running daemon; killed when dropped.
pub struct Daemon {
    child: Child,
    lines: mpsc::UnboundedReceiver<Value>,
    /// What it has logged so far, as far as it was waited for.
    pub log: Vec<Value>,
    pub addresses: Vec<SocketAddr>,
}

/// The message of a log line.
pub fn message(line: &Value) -> &str {
    line["fields"]["message"].as_str().or(line.as_str()).unwrap_or_default()
}

impl Daemon {
    async fn spawn(mut command: Command, listeners: usize) -> Daemon {
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let errors = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or(Value::String(line));
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut daemon = Daemon { child, lines, log: Vec::new(), addresses: Vec::new() };
        for _ in 0..listeners {
            let line = daemon.wait_for("serving LDAP").await;
            let address = line["fields"]["address"].as_str().unwrap();
            daemon.addresses.push(address.parse().unwrap());
        }
        daemon
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a log line whose message begins like this.
    pub async fn wait_for(&mut self, start: &str) -> Value {
        let found = async {
            while let Some(line) = self.lines.recv().await {
                self.log.push(line.clone());
                if message(&line).starts_with(start) {
                    return Some(line);
                }
            }
            None
        };
        match tokio::time::timeout(DEADLINE, found).await {
            Ok(Some(line)) => line,
            Ok(None) => panic!("it ended before {start:?}: {:#?}", self.log),
            Err(_) => panic!("no {start:?} in time: {:#?}", self.log),
        }
    }

    /// Lets it live for a while; that it ends by itself is a failure.
    pub async fn live(&mut self, time: Duration) {
        let ended = tokio::time::timeout(time, self.end()).await.is_ok();
        assert!(!ended, "it ended by itself: {:#?}", self.log);
    }

    /// What a search for everything below the base answers: the result code, and how
    /// many entries there are in each container.
    pub async fn served(&self, address: SocketAddr) -> (u32, BTreeMap<String, u64>) {
        let url = format!("ldap://{address}");
        let ask = async {
            let (connection, mut client) = ldap3::LdapConnAsync::new(&url).await.unwrap();
            let driver = tokio::spawn(async move { connection.drive().await });
            let scope = ldap3::Scope::Subtree;
            let found = client.search(BASE, scope, "(objectClass=*)", ["1.1"]).await.unwrap();
            client.unbind().await.unwrap();
            driver.await.unwrap().unwrap();
            found
        };
        let found = tokio::time::timeout(DEADLINE, ask).await.expect("an answer in time");
        let mut counts = BTreeMap::new();
        for entry in found.0 {
            let dn = ldap3::SearchEntry::construct(entry).dn;
            // Containers themselves, and the base, are not counted.
            if let Some((container, _)) = dn.rsplit_once(&format!(",{BASE}"))
                && let Some((_, container)) = container.rsplit_once(",ou=")
            {
                *counts.entry(container.to_owned()).or_default() += 1;
            }
        }
        (found.1.rc, counts)
    }

    /// The processor time it has used so far, where the system tells.
    pub fn cpu(&self) -> Option<Duration> {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).ok()?;
        let (_, fields) = text.rsplit_once(')')?;
        let ticks = fields.split_whitespace().skip(11).take(2).map(|n| n.parse::<u64>().ok());
        // The kernel counts here in hundredths of a second on every architecture.
        Some(Duration::from_millis(10 * ticks.sum::<Option<u64>>()?))
    }

    /// The most memory it has had so far, where the system tells.
    pub fn memory(&self) -> Option<String> {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        Some(line.trim().to_owned())
    }

    /// SIGKILL: it has no say in it. Gives all it has logged.
    pub async fn kill(mut self) -> Vec<Value> {
        self.child.kill().unwrap();
        self.end().await;
        self.child.wait().unwrap();
        std::mem::take(&mut self.log)
    }

    /// SIGTERM: it ends by itself.
    pub async fn stop(mut self) -> (ExitStatus, Vec<Value>) {
        let kill = format!("kill -TERM {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        tokio::time::timeout(DEADLINE, self.end()).await.expect("it ends in time");
        (self.child.wait().unwrap(), std::mem::take(&mut self.log))
    }

    /// Reads the log to its end, which is that of the process.
    async fn end(&mut self) {
        while let Some(line) = self.lines.recv().await {
            self.log.push(line);
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
