//! The real program, killed at random instants of first loads, delta passes and a resync
//! while the tenant goes on changing: it always comes back with what was committed.
//!
//! `ENTRALDAP_KILLS` sets how often; `.ci/run` asks for 50.

use crate::world::daemon::{Daemon, Place, message};
use crate::world::index::Checker;
use crate::world::{compare, options};
use entraldap::config::settings::ReplicaSettings;
use entraldap::replica::{self, Writer};
use entraldap::simulator::{Rng, Simulator, StateLoss, Tenant, life};
use entraldap::sync::PassRecord;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

type Counts = BTreeMap<String, u64>;

/// What a killed process left behind.
#[derive(Default)]
struct Left {
    /// The last pass that was published.
    last: Option<PassRecord>,
    /// Streams of which a round was under way.
    rounds: usize,
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_instants_it_serves_what_was_committed() {
    let kills = std::env::var("ENTRALDAP_KILLS").map_or(20, |n| n.parse().unwrap());
    let simulator = Simulator::start(Tenant::generate(81, 200), options()).await.unwrap();
    let simulator = Arc::new(simulator);
    let place = Place::new(&simulator, "1s", &["127.0.0.1:0"]);
    let life = tokio::spawn(live(simulator.clone()));
    let mut rng = Rng::new(82);
    let mut indexes = Checker::default();
    // Who was seen at which restart: the number of the last pass known, and the counts.
    let mut seen: Vec<(u64, Counts)> = Vec::new();
    let (mut first, mut delta, mut halfway, mut slowest) = (0, 0, 0, Duration::ZERO);
    let mut told = 0;
    let resync = kills * 2 / 3..kills * 5 / 6;
    for round in 0..kills {
        if round == resync.start {
            simulator.faults().lose_state(StateLoss::Gone);
        }
        let left = left_behind(&place, &mut indexes);
        let last = left.last.as_ref().map_or(0, |pass| pass.number);
        assert!(last >= told, "pass {told} was told as committed, the file ends with {last}");
        halfway += usize::from(left.rounds > 0);
        // Enumerations are long, so that they are hit; passes of changes are short, so that
        // their commits are.
        let long = left.last.is_none() || resync.contains(&round);
        simulator.tune(|knobs| knobs.page_objects = if long { 2 } else { 100 });
        let began = Instant::now();
        let mut daemon = place.start().await;
        let (code, counts) = daemon.served(daemon.addresses[0]).await;
        slowest = slowest.max(began.elapsed());
        match (&left.last, code) {
            (None, 52) => assert!(counts.is_empty(), "{counts:?} before a first pass"),
            (_, 0) => seen.push((last, counts)),
            _ => panic!("restart {round} answers {code} after pass {last}"),
        }
        *(if left.last.is_none() { &mut first } else { &mut delta }) += 1;
        // A slow machine publishes nothing within the short lives here: some are longer.
        if left.last.is_none() && round % 10 == 9 {
            daemon.wait_for("pass committed").await;
        }
        let log = until_killed(daemon, &simulator, &mut rng, long).await;
        let committed = log.iter().filter(|line| message(line) == "pass committed");
        told = committed.filter_map(|line| line["fields"]["pass"].as_u64()).fold(told, u64::max);
    }
    life.abort();
    println!(
        "{kills} kills: {first} before anything was published, {delta} later; after {halfway} a \
         round was halfway; {} restarts served at once, the slowest after {slowest:?}",
        seen.len()
    );
    assert!(first > 1 && delta > kills / 4, "{first} {delta}");
    assert!(slowest < Duration::from_secs(30), "{slowest:?} is not at once");

    let daemon = place.start().await;
    let record = place.sync().await;
    assert_eq!(record["verdict"], "committed", "{record}");
    println!("{} passes were published", record["number"]);
    let (status, log) = daemon.stop().await;
    assert!(status.success(), "{log:#?}");
    let writer = open(&place.replica());
    let snapshot = writer.reader().snapshot();
    indexes.check(&snapshot);
    let differences =
        simulator.with_tenant(|tenant| compare::differences(tenant, &snapshot, false));
    assert!(differences.is_empty(), "{differences:#?}");
    // Whatever was seen is the whole outcome of one pass, and none that had been replaced.
    let passes = snapshot.passes(10_000).unwrap();
    for (last, counts) in seen {
        let whole = |pass: &&PassRecord| pass.number >= last && pass.entries == counts;
        let pass = passes.iter().find(whole);
        assert!(pass.is_some(), "{counts:?} after pass {last} is not what a pass published");
    }
}

/// The tenant changes every few milliseconds.
async fn live(simulator: Arc<Simulator>) {
    let mut rng = Rng::new(83);
    let mut pace = tokio::time::interval(Duration::from_millis(30));
    loop {
        pace.tick().await;
        simulator.with_tenant(|tenant| life::step(tenant, &mut rng));
    }
}

/// Kills the daemon a random while after a random request.
async fn until_killed(
    mut daemon: Daemon,
    simulator: &Simulator,
    rng: &mut Rng,
    long: bool,
) -> Vec<Value> {
    let request = simulator.tally().total + rng.below(if long { 30 } else { 12 });
    let pause = if long || rng.one_in(2) { rng.below(20) } else { rng.below(120) };
    // A daemon that has nothing more to ask is killed, too.
    let longest = Duration::from_millis(1200);
    let _ = tokio::time::timeout(longest, simulator.requested(request)).await;
    daemon.live(Duration::from_millis(pause as u64)).await;
    daemon.kill().await
}

fn open(path: &Path) -> Writer {
    replica::open(&ReplicaSettings { path: path.to_owned(), ..ReplicaSettings::default() }).unwrap()
}

/// Looks into a copy of the file, so that the program itself has to deal with the file
/// as it is.
fn left_behind(place: &Place, indexes: &mut Checker) -> Left {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.redb");
    if std::fs::copy(place.replica(), &copy).is_err() {
        return Left::default();
    }
    let writer = open(&copy);
    let snapshot = writer.reader().snapshot();
    indexes.check(&snapshot);
    let passes = snapshot.passes(10_000).unwrap();
    let last = passes.into_iter().find(|pass| pass.verdict == "committed");
    let rounds = snapshot.connections().first().map_or(0, |(_, state)| state.rounds.len());
    Left { last, rounds }
}
