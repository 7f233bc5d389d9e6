//! A file that must not grow: what a full disk is to the program.

use crate::world::daemon::{Place, message};
use crate::world::index::Checker;
use crate::world::{World, compare, options};
use entraldap::config::settings::ReplicaSettings;
use entraldap::directory::kind::Kind;
use entraldap::replica;
use entraldap::simulator::{Simulator, Tenant, life};

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_loses_nothing_and_is_told() {
    let simulator = Simulator::start(Tenant::generate(91, 100), options()).await.unwrap();
    let place = Place::new(&simulator, "1s", &["127.0.0.1:0"]);
    let mut daemon = place.start().await;
    daemon.wait_for("pass committed").await;
    let served = daemon.served(daemon.addresses[0]).await;
    assert!(served.0 == 0 && served.1["users"] >= 100, "{served:?}");
    assert!(daemon.stop().await.0.success());

    // More comes than there is room for.
    simulator.with_tenant(|tenant| life::changes(tenant, 92, 6000));
    let room = place.replica().metadata().unwrap().len();
    let mut daemon = place.start_in(room).await;
    assert_eq!(daemon.served(daemon.addresses[0]).await, served);
    // Twice: the file was opened again in between.
    for _ in 0..2 {
        let failed = daemon.wait_for("pass failed, what is published stays").await;
        let told = message(&failed);
        assert!(told.contains("the replica file cannot grow"), "{told}");
        assert!(told.contains("make room"), "{told}");
        assert_eq!(daemon.served(daemon.addresses[0]).await, served);
    }
    let log = daemon.kill().await;
    assert!(!log.iter().any(|line| message(line).contains("pass committed")), "{log:#?}");
    assert_eq!(place.replica().metadata().unwrap().len(), room);

    // Room was made.
    let mut daemon = place.start().await;
    assert_eq!(daemon.served(daemon.addresses[0]).await.0, 0);
    daemon.wait_for("pass committed").await;
    assert!(daemon.stop().await.0.success());
    let settings = ReplicaSettings { path: place.replica(), ..ReplicaSettings::default() };
    let writer = replica::open(&settings).unwrap();
    let snapshot = writer.reader().snapshot();
    let differences =
        simulator.with_tenant(|tenant| compare::differences(tenant, &snapshot, false));
    assert!(differences.is_empty(), "{differences:#?}");
    Checker::default().check(&snapshot);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_mostly_free_pages_is_written_anew_after_a_pass() {
    let world = World::new(Tenant::generate(16, 50)).await;
    world.pass().await;
    world.writer().rewrite().unwrap();
    let length = || std::fs::metadata(world.path()).unwrap().len();
    let tight = length();
    // A large round of another connection, staged and done with. Nothing of it can be compressed.
    let mut state = 1u64;
    let mut page = vec![0; 1 << 20];
    world
        .writer()
        .write(|change| -> Result<(), entraldap::replica::Error> {
            for number in 0..140 {
                for word in page.as_chunks_mut::<8>().0 {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    *word = state.to_le_bytes();
                }
                change.stage(99, Kind::User, number, &page)?;
            }
            Ok(())
        })
        .unwrap();
    world.writer().write(|change| change.unstage(99, Kind::User)).unwrap();
    assert!(length() > 140 << 20);
    let served = world.served();
    world.simulator.with_tenant(|tenant| life::changes(tenant, 6, 5));
    world.pass().await;
    assert!(length() < 4 * tight, "{} octets, {tight} before", length());
    assert_ne!(world.served(), served);
    world.assert_equal();
}
