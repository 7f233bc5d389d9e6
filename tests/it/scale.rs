//! A whole population through the real program, compared entry by entry: after the first
//! load, and after many changes. Figures are printed (`-- --nocapture`).
//!
//! Small by default; `ENTRALDAP_POPULATION=FOLDER` names a generated population.

use crate::world::daemon::{Daemon, Place};
use crate::world::index::Checker;
use crate::world::{compare, options};
use entraldap::config::settings::ReplicaSettings;
use entraldap::replica;
use entraldap::simulator::{Kind, Simulator, Tenant, life};
use serde_json::Value;
use std::time::{Duration, Instant};

const FOLDER: &str = "ENTRALDAP_POPULATION";

#[tokio::test(flavor = "multi_thread")]
async fn a_population_is_loaded_and_followed_to_the_last_entry() {
    let (tenant, changes) = match std::env::var_os(FOLDER) {
        Some(folder) => (Tenant::load(folder.as_ref()).unwrap(), 1000),
        None => (Tenant::generate(71, 600), 100),
    };
    println!("tenant: {:?}", tenant.counts());
    let simulator = Simulator::start(tenant, options()).await.unwrap();
    let place = Place::new(&simulator, "1h", &["127.0.0.1:0"]);

    let mut indexes = Checker::default();
    let mut daemon = place.start().await;
    let record = daemon.wait_for("pass committed").await;
    tell("first load", &daemon, Duration::ZERO, &simulator, &record["fields"]);
    end(daemon).await;
    compare(&place, &simulator, &mut indexes);

    let mut daemon = place.start().await;
    let record = daemon.wait_for("pass committed").await;
    tell("restart, nothing changed", &daemon, Duration::ZERO, &simulator, &record["fields"]);
    let before = simulator.with_tenant(|tenant| tenant.version());
    let told = simulator.with_tenant(|tenant| life::changes(tenant, 72, changes));
    assert_eq!(told.len(), changes);
    let steps = simulator.with_tenant(|tenant| tenant.version()) - before;
    println!("{changes} things happened in the tenant, {steps} changes of objects and edges");
    let used = daemon.cpu().unwrap_or_default();
    let record = place.sync().await;
    assert_eq!(record["verdict"], "committed", "{record}");
    assert_eq!(record["kind"], "delta", "{record}");
    tell("delta pass", &daemon, used, &simulator, &record);
    println!("commit, deriving included: {} ms", record["commit_ms"]);
    let counts = simulator.with_tenant(|tenant| tenant.counts());
    let (code, served) = daemon.served(daemon.addresses[0]).await;
    assert_eq!(code, 0);
    let served = [&served["users"], &served["groups"], &served["contacts"]].map(|n| *n as usize);
    assert_eq!(served, [counts.users, counts.groups, counts.contacts]);
    end(daemon).await;
    compare(&place, &simulator, &mut indexes);
}

async fn end(daemon: Daemon) {
    let (status, log) = daemon.stop().await;
    assert!(status.success(), "{log:#?}");
}

fn tell(what: &str, daemon: &Daemon, used: Duration, simulator: &Simulator, record: &Value) {
    let wall = record["ms"]
        .as_i64()
        .or_else(|| Some(record["ended"].as_i64()? - record["started"].as_i64()?));
    let cpu = daemon.cpu().unwrap_or_default().saturating_sub(used);
    println!(
        "{what}: {} requests, {} objects received, {} added, {} changed, {} removed; \
         {} ms, processor time of the daemon {cpu:?}, its memory at most {}",
        record["requests"],
        record["received"],
        record["added"],
        record["changed"],
        record["removed"],
        wall.unwrap_or_default(),
        daemon.memory().unwrap_or_default(),
    );
    println!("  the tenant was asked: {:?}", simulator.tally());
    simulator.forget_requests();
}

/// Opens what the daemon left behind.
fn compare(place: &Place, simulator: &Simulator, indexes: &mut Checker) {
    let began = Instant::now();
    let settings = ReplicaSettings { path: place.replica(), ..ReplicaSettings::default() };
    let writer = replica::open(&settings).unwrap();
    let snapshot = writer.reader().snapshot();
    let differences =
        simulator.with_tenant(|tenant| compare::differences(tenant, &snapshot, false));
    assert!(
        differences.is_empty(),
        "{} differences, first: {:#?}",
        differences.len(),
        &differences[..differences.len().min(5)]
    );
    println!("{} entries compared in {:?}", snapshot.len().unwrap(), began.elapsed());
    indexes.check(&snapshot);
    println!("indexes compared after {:?}; file {} MB", began.elapsed(), file_size(place) >> 20);
}

fn file_size(place: &Place) -> u64 {
    place.replica().metadata().unwrap().len()
}

/// A delta pass asks for what changed, whatever there is besides. Figures of larger tenants
/// by hand: `ENTRALDAP_GROWTH=10000,100000`.
#[tokio::test(flavor = "multi_thread")]
async fn a_delta_pass_does_not_grow_with_the_tenant() {
    let sizes = std::env::var("ENTRALDAP_GROWTH").unwrap_or("200,1000".to_owned());
    let mut requests = Vec::new();
    for users in sizes.split(',').map(|size| size.parse().unwrap()) {
        let simulator = Simulator::start(Tenant::generate(73, users), options()).await.unwrap();
        let place = Place::new(&simulator, "1h", &["127.0.0.1:0"]);
        let mut daemon = place.start().await;
        let record = daemon.wait_for("pass committed").await;
        tell(&format!("{users} users"), &daemon, Duration::ZERO, &simulator, &record["fields"]);
        place.sync().await;
        let before = received(&place).await;
        let used = daemon.cpu().unwrap_or_default();
        simulator.with_tenant(|tenant| {
            let ids: Vec<String> = tenant.live(Kind::User).take(10).map(str::to_owned).collect();
            for id in ids {
                tenant.set(Kind::User, &id, "department", "Elsewhere".into()).unwrap();
            }
        });
        let record = place.sync().await;
        assert_eq!((&record["received"], &record["changed"]), (&12.into(), &10.into()), "{record}");
        tell("10 changes", &daemon, used, &simulator, &record);
        let octets = received(&place).await - before;
        println!("  {octets} octets, commit {} ms", record["commit_ms"]);
        requests.push(record["requests"].as_u64().unwrap());
        end(daemon).await;
    }
    assert!(requests.iter().all(|count| *count == requests[0]), "{requests:?}");
}

/// Octets that Graph has sent, by the metrics.
async fn received(place: &Place) -> f64 {
    let (_, text) = place.admin("/metrics").await;
    let line = text.lines().find(|line| line.starts_with("entraldap_graph_received_bytes_total"));
    line.unwrap().rsplit(' ').next().unwrap().parse().unwrap()
}
