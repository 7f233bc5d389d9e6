//! The promises of the product, each by its name.

use crate::world::{World, connection, options};
use entraldap::config::settings::{LdapSettings, LimitSettings, SyncSettings};
use entraldap::replica::{self, OpenError};
use entraldap::simulator::{
    Action, Kind, Knobs, Links, Options, Rule, Simulator, Target, Tenant, life,
};
use std::time::Duration;

fn small_pages() -> Options {
    Options { knobs: Knobs { page_objects: 5, ..Knobs::default() }, ..options() }
}

/// Promise 1 and 4: a first load that is cut off publishes nothing, and what follows
/// asks only for the pages that were not durable yet.
#[tokio::test(flavor = "multi_thread")]
async fn a_first_load_resumes_at_the_last_durable_page() {
    let mut world = World::with(Tenant::generate(11, 200), small_pages()).await;
    world.connection.graph.attempts = 1;
    world.open();
    let rule = Rule::new(Action::NotImplemented)
        .on(Target::DeltaOf(Kind::User))
        .links(Links::Next)
        .after(20);
    let rule = world.simulator.faults().add(rule);
    world.try_pass(false).await.unwrap_err();
    assert!(!world.is_published());
    assert_eq!(world.snapshot().len().unwrap(), 0);
    world.simulator.faults().remove(rule);
    let before = world.simulator.tally().users_delta;
    // The process dies and starts again.
    world.open();
    world.pass().await;
    let asked = world.simulator.tally().users_delta - before;
    assert!(
        (15..30).contains(&asked),
        "{asked} pages of about 40 were asked for after the restart"
    );
    world.assert_equal();
}

/// Promise 2: a full reconcile that breaks off removes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_reconcile_that_breaks_off_removes_nothing() {
    let mut world = World::with(Tenant::generate(12, 100), small_pages()).await;
    world.connection.graph.attempts = 1;
    world.open();
    world.pass().await;
    let served = world.served();
    let rule = Rule::new(Action::NotImplemented)
        .on(Target::DeltaOf(Kind::Group))
        .links(Links::Next)
        .after(2);
    let rule = world.simulator.faults().add(rule);
    world.try_pass(true).await.unwrap_err();
    assert_eq!(world.served(), served);
    world.simulator.faults().remove(rule);
    world.pass().await;
    world.assert_equal();
}

/// Promise 4: opening again needs no Graph.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_published_is_served_after_a_restart_without_graph() {
    let mut world = World::new(Tenant::generate(13, 100)).await;
    world.pass().await;
    let (served, requests) = (world.served(), world.simulator.tally().total);
    world.open();
    assert!(world.is_published());
    assert_eq!(world.served(), served);
    assert_eq!(world.simulator.tally().total, requests);
}

/// Promise 5: a snapshot that is held sees nothing of later passes.
#[tokio::test(flavor = "multi_thread")]
async fn a_search_never_sees_half_of_a_pass() {
    let world = World::new(Tenant::generate(14, 100)).await;
    world.pass().await;
    let held = world.snapshot();
    let read = |snapshot: &entraldap::replica::Snapshot| -> Vec<String> {
        let numbers = snapshot.all().unwrap();
        numbers.iter().map(|n| snapshot.entry(n).unwrap().unwrap().view().dn().to_owned()).collect()
    };
    let before = read(&held);
    world.simulator.with_tenant(|tenant| life::changes(tenant, 5, 60));
    world.pass().await;
    assert_eq!(read(&held), before);
    world.assert_equal();
}

/// Another container is another derivation, without a download.
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_tree_is_derived_anew_without_graph() {
    let mut world = World::new(Tenant::generate(15, 100)).await;
    world.pass().await;
    let requests = world.simulator.tally().total;
    world.connection.tree.users.ou = "people".to_owned();
    world.open();
    assert_eq!(world.simulator.tally().total, requests);
    let served = world.served();
    assert!(!served.keys().any(|dn| dn.contains("ou=users")));
    assert!(served.keys().filter(|dn| dn.ends_with(",ou=people,dc=contoso,dc=com")).count() >= 100);
    world.assert_equal();
    crate::world::index::Checker::default().check(&world.snapshot());
}

/// A delta pass works in proportion to what changed.
#[tokio::test(flavor = "multi_thread")]
async fn a_delta_pass_asks_and_writes_for_what_changed_only() {
    let world = World::new(Tenant::generate(16, 800)).await;
    world.pass().await;
    let user = world.simulator.with_tenant(|tenant| {
        let user = tenant.live(Kind::User).nth(5).unwrap().to_owned();
        tenant.set(Kind::User, &user, "department", "Somewhere else".into()).unwrap();
        user
    });
    let record = world.pass().await;
    assert_eq!((record.added, record.changed, record.removed), (0, 1, 0));
    assert!(record.requests <= 4, "{} requests", record.requests);
    assert!(world.values(&user, "department").contains("Somewhere else"));
}

/// Every pass is recorded, failed ones too.
#[tokio::test(flavor = "multi_thread")]
async fn every_pass_is_recorded_with_counts_and_errors() {
    let mut world = World::new(Tenant::generate(17, 60)).await;
    world.connection.graph.attempts = 1;
    world.open();
    let rule = world
        .simulator
        .faults()
        .add(Rule::new(Action::Forbidden).on(Target::DeltaOf(Kind::Contact)));
    let (record, _) = world.try_pass(false).await.unwrap_err();
    assert!(record.error.contains("OrgContact.Read.All"), "{}", record.error);
    world.simulator.faults().remove(rule);
    world.pass().await;
    let passes = world.snapshot().passes(10).unwrap();
    let verdicts: Vec<&str> = passes.iter().map(|pass| pass.verdict.as_str()).collect();
    assert_eq!(verdicts, ["committed", "failed"]);
    assert!(passes[0].requests > 0 && passes[0].added > 60 && passes[0].entries["users"] == 60);
    assert_eq!(world.last_record(), passes[0]);
}

/// A file of a newer program is refused, and left as it is.
#[test]
fn a_replica_of_a_newer_version_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("replica.redb");
    let settings =
        entraldap::config::settings::ReplicaSettings { path: path.clone(), ..Default::default() };
    drop(replica::open(&settings).unwrap());
    assert!(replica::open(&settings).is_ok());
    std::fs::write(&path, b"this is no database, but a text of some length").unwrap();
    let error = replica::open(&settings).map(|_| ()).unwrap_err();
    assert!(matches!(error, OpenError::Foreign(_) | OpenError::Unusable { .. }), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), b"this is no database, but a text of some length");
}

/// Promise 1, at the wire: until a first sync is complete, searches answer
/// `unavailable`; afterwards an absent address is an empty success.
#[tokio::test(flavor = "multi_thread")]
async fn unknown_is_not_absent() {
    let world = World::new(Tenant::generate(18, 60)).await;
    let settings = LdapSettings {
        listeners: Vec::new(),
        tls: None,
        accounts: Vec::new(),
        anonymous: Some(Default::default()),
        active_directory: false,
        limits: LimitSettings::default(),
    };
    let server = entraldap::ldap::Server::new(
        &settings,
        world.writer().reader(),
        std::time::SystemTime::now,
    )
    .unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = tokio_util::sync::CancellationToken::new();
    let serving =
        tokio::spawn(entraldap::ldap::serve(listener, server.into(), false, stop.clone()));
    let (connection, mut client) =
        ldap3::LdapConnAsync::new(&format!("ldap://{address}")).await.unwrap();
    tokio::spawn(async move { connection.drive().await });
    let filter = "(proxyAddresses=smtp:nobody@contoso.com)";
    let mut ask = async || {
        let found = client
            .search("dc=contoso,dc=com", ldap3::Scope::Subtree, filter, ["mail"])
            .await
            .unwrap();
        (found.1.rc, found.0.len())
    };
    assert_eq!(ask().await, (52, 0));
    let rule = world
        .simulator
        .faults()
        .add(Rule::new(Action::NotImplemented).on(Target::DeltaOf(Kind::Group)));
    world.try_pass(false).await.unwrap_err();
    assert_eq!(ask().await, (52, 0), "a pass that failed publishes nothing");
    world.simulator.faults().remove(rule);
    world.pass().await;
    assert_eq!(ask().await, (0, 0));
    stop.cancel();
    serving.await.unwrap();
}

/// The schedule retries by itself, and a manual pass is answered with its record.
#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_runs_passes_and_answers_who_asks() {
    use entraldap::sync::schedule::Schedule;
    let world = World::new(Tenant::generate(19, 40)).await;
    let graph = entraldap::graph::Graph::new(&world.connection).unwrap();
    let settings = entraldap::config::settings::ReplicaSettings::default();
    let engine =
        entraldap::sync::Engine::new(&world.connection, &settings, graph, world.writer().clone())
            .unwrap();
    let sync = SyncSettings {
        when: entraldap::config::settings::When::Interval(Duration::from_secs(3600)),
        ..SyncSettings::default()
    };
    let (schedule, handle) = Schedule::new("contoso", engine, &sync);
    let stop = tokio_util::sync::CancellationToken::new();
    let running = tokio::spawn(schedule.run(stop.clone()));
    handle.status().wait_for(|status| status.published).await.unwrap();
    world.simulator.with_tenant(|tenant| life::changes(tenant, 1, 10));
    let record = handle.sync(false).await.unwrap();
    assert_eq!((record.trigger.as_str(), record.verdict.as_str()), ("manual", "committed"));
    world.assert_equal();
    stop.cancel();
    running.await.unwrap();
}

/// Links of another endpoint are left, and nothing is lost by it.
#[tokio::test(flavor = "multi_thread")]
async fn another_endpoint_is_enumerated_anew() {
    let mut world = World::new(Tenant::generate(20, 60)).await;
    world.pass().await;
    // The same tenant, behind another address.
    world.simulator = Simulator::start(Tenant::generate(20, 60), options()).await.unwrap();
    world.connection = connection(&world.simulator);
    world.open();
    let record = world.pass().await;
    assert_eq!((record.kind.as_str(), record.added, record.removed), ("full", 0, 0));
    world.assert_equal();
}

/// A delta link that is refused in a way nobody documents does not stop the sync for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_refused_again_and_again_is_given_up() {
    let mut world = World::new(Tenant::generate(21, 60)).await;
    world.connection.graph.attempts = 1;
    world.open();
    world.pass().await;
    let served = world.served();
    let rule = Rule::new(Action::BadRequest).on(Target::DeltaOf(Kind::User)).links(Links::Delta);
    world.simulator.faults().add(rule.times(3));
    for _ in 0..3 {
        world.try_pass(false).await.unwrap_err();
        assert_eq!(world.served(), served);
    }
    assert_eq!(world.pass().await.kind, "full");
    assert_eq!(world.pass().await.kind, "delta");
    world.assert_equal();
}
