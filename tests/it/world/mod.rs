//! A simulated tenant, a replica in a temporary folder, and the engine between them.

pub mod compare;

use entraldap::config::Secret;
use entraldap::config::settings::{
    ConnectionSettings, GraphSettings, ReplicaSettings, SecretSource, SyncSettings, TreeSettings,
};
use entraldap::directory::dn::Dn;
use entraldap::graph::Graph;
use entraldap::replica::{self, Writer};
use entraldap::simulator::{Options, Simulator, Tenant};
use entraldap::sync::engine::Order;
use entraldap::sync::{Engine, PassRecord, SyncError};
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

/// The base that tests serve.
pub const BASE: &str = "dc=contoso,dc=com";

pub struct World {
    pub simulator: Simulator,
    pub folder: TempDir,
    pub connection: ConnectionSettings,
    engine: Option<(Engine, Writer)>,
}

pub fn options() -> Options {
    Options { client_secret: "right-secret".to_owned(), ..Options::default() }
}

/// How the simulated tenant is reached. Waits are short: the simulator's clock is ours.
pub fn connection(simulator: &Simulator) -> ConnectionSettings {
    let options = simulator.options();
    let url = |text: String| text.parse().unwrap();
    let graph = GraphSettings {
        requests_per_second: 100_000,
        max_wait: Duration::from_secs(3),
        request_timeout: Duration::from_secs(10),
        ..GraphSettings::at(url(simulator.authority()), url(simulator.base_url()))
    };
    ConnectionSettings {
        name: "contoso".to_owned(),
        base: Dn::parse(BASE).unwrap(),
        tenant: options.tenant_id.clone(),
        client_id: options.client_id.clone(),
        client_secret: SecretSource::Value(Secret::new(options.client_secret.clone())),
        graph,
        sync: SyncSettings::default(),
        tree: TreeSettings::default(),
    }
}

impl World {
    pub async fn new(tenant: Tenant) -> World {
        Self::with(tenant, options()).await
    }

    pub async fn with(tenant: Tenant, options: Options) -> World {
        let simulator = Simulator::start(tenant, options).await.unwrap();
        let connection = connection(&simulator);
        let mut world =
            World { simulator, folder: TempDir::new().unwrap(), connection, engine: None };
        world.open();
        world
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("replica.redb")
    }

    /// Opens the replica, as a starting daemon does.
    pub fn open(&mut self) {
        self.engine = None;
        let settings = ReplicaSettings { path: self.path(), ..ReplicaSettings::default() };
        let writer = replica::open(&settings).unwrap();
        let graph = Graph::new(&self.connection).unwrap();
        let engine = Engine::new(&self.connection, 100, graph, writer.clone()).unwrap();
        self.engine = Some((engine, writer));
    }

    pub fn writer(&self) -> &Writer {
        &self.engine.as_ref().unwrap().1
    }

    pub async fn try_pass(&self, full: bool) -> Result<PassRecord, (PassRecord, SyncError)> {
        self.engine.as_ref().unwrap().0.pass(Order { trigger: "manual", full }).await
    }

    pub async fn pass(&self) -> PassRecord {
        self.try_pass(false).await.map_err(|(_, error)| error).unwrap()
    }

    /// Runs passes until one goes well; panics when none of `most` does.
    pub async fn settle(&self, most: usize) -> PassRecord {
        for _ in 0..most {
            if let Ok(record) = self.try_pass(false).await {
                return record;
            }
        }
        panic!("no pass of {most} went well");
    }

    /// Every difference between what is served and what the tenant holds.
    pub fn differences(&self) -> Vec<String> {
        let snapshot = self.writer().reader().snapshot();
        self.simulator.with_tenant(|tenant| compare::differences(tenant, &snapshot))
    }

    #[track_caller]
    pub fn assert_equal(&self) {
        let differences = self.differences();
        assert!(
            differences.is_empty(),
            "{} differences, first: {:#?}",
            differences.len(),
            &differences[..differences.len().min(5)]
        );
    }
}
