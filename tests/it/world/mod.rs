//! A simulated tenant, a replica in a temporary folder, and the engine between them.

pub mod compare;
pub mod daemon;
pub mod index;

use entraldap::config::Secret;
use entraldap::config::settings::{
    ConnectionSettings, Credential, GraphSettings, GuardSettings, IncludeSettings, MappingSettings,
    ReplicaSettings, ScopeSettings, SecretSource, SyncSettings, TreeSettings,
};
use entraldap::directory::dn::Dn;
use entraldap::graph::Graph;
use entraldap::replica::{self, Snapshot, Writer};
use entraldap::simulator::{Knobs, Options, Simulator, Tenant};
use entraldap::sync::engine::Order;
use entraldap::sync::{Engine, PassRecord, SyncError};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
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

/// A hash of a password that is cheap to check.
pub fn hash(password: &str) -> String {
    use argon2::PasswordHasher;
    let params = argon2::Params::new(16, 1, 1, None).unwrap();
    argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params)
        .hash_password(password.as_bytes())
        .unwrap()
        .to_string()
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
        credential: Credential::Secrets(vec![SecretSource::Value(Secret::new(
            options.client_secret.clone(),
        ))]),
        graph,
        sync: SyncSettings::default(),
        mapping: MappingSettings::default(),
        include: IncludeSettings::default(),
        scope: ScopeSettings::default(),
        rules: Vec::new(),
        // Tests of other things may lose as much as they like.
        guard: GuardSettings { enabled: false, ..GuardSettings::default() },
        local: None,
        user_binds: None,
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

    /// A world for tests with a paused clock: no timeouts, which would run off while a
    /// socket is waited for, and one attempt for each request.
    pub async fn hasty(tenant: Tenant, knobs: Knobs) -> World {
        let mut world = World::with(tenant, Options { knobs, ..options() }).await;
        let graph = &mut world.connection.graph;
        graph.attempts = 1;
        graph.max_wait = Duration::from_secs(3600);
        (graph.request_timeout, graph.connect_timeout) = (Duration::ZERO, Duration::ZERO);
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
        writer.keep_in_memory();
        let graph = Graph::new(&self.connection).unwrap();
        let engine = Engine::new(&self.connection, &settings, graph, writer.clone()).unwrap();
        self.engine = Some((engine, writer));
    }

    pub fn writer(&self) -> &Writer {
        &self.engine.as_ref().unwrap().1
    }

    pub fn engine(&self) -> &Engine {
        &self.engine.as_ref().unwrap().0
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
        let snapshot = self.snapshot();
        self.simulator.with_tenant(|tenant| {
            compare::differences(tenant, &snapshot, self.connection.sync.hidden_members)
        })
    }

    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.writer().reader().snapshot()
    }

    pub fn is_published(&self) -> bool {
        self.snapshot().contexts()[0].entry.is_some()
    }

    /// Everything that is served, to the last octet: DN to attributes.
    pub fn served(&self) -> BTreeMap<String, Vec<Vec<u8>>> {
        let snapshot = self.snapshot();
        let mut out = BTreeMap::new();
        for number in snapshot.all().unwrap().iter() {
            let entry = snapshot.entry(number).unwrap().unwrap();
            let view = entry.view();
            let octets = |found| {
                let mut octets = Vec::new();
                entry.set(&found).unwrap().push_to(&mut octets);
                octets
            };
            let attributes = view.attributes().map(octets).collect();
            out.insert(view.dn().to_owned(), attributes);
        }
        out
    }

    /// The DN of an object's entry.
    pub fn dn(&self, id: &str) -> Option<String> {
        compare::by_id(&self.snapshot()).get(id).map(|(dn, _)| dn.clone())
    }

    /// The values of an attribute of an object's entry.
    pub fn values(&self, id: &str, attribute: &str) -> BTreeSet<String> {
        let snapshot = self.snapshot();
        match compare::by_id(&snapshot).get(id) {
            Some((_, number)) => {
                compare::texts(&snapshot.entry(*number).unwrap().unwrap(), attribute)
            }
            None => BTreeSet::new(),
        }
    }

    /// The record of the latest pass.
    pub fn last_record(&self) -> PassRecord {
        self.snapshot().passes(1).unwrap().remove(0)
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
