//! Several connections in one daemon: each fails in its own way, the others go on.

use crate::members::user;
use crate::world::{connection, options};
use entraldap::config::settings::{ConnectionSettings, ReplicaSettings};
use entraldap::directory::dn::Dn;
use entraldap::graph::Graph;
use entraldap::replica::{self, Writer};
use entraldap::simulator::{Action, Kind, RetryAfter, Rule, Simulator, StateLoss, Target, Tenant};
use entraldap::sync::Engine;
use entraldap::sync::engine::Order;
use std::time::Duration;

/// One of several connections.
struct One {
    simulator: Simulator,
    settings: ConnectionSettings,
    engine: Engine,
}

/// Users of each tenant; 10,000 by hand.
fn size() -> usize {
    std::env::var("ENTRALDAP_MANY").ok().and_then(|text| text.parse().ok()).unwrap_or(150)
}

async fn several(writer: &Writer, count: u64) -> Vec<One> {
    let mut all = Vec::new();
    for number in 0..count {
        let options = entraldap::simulator::Options {
            tenant_id: format!("0a000000-0000-4000-8000-{number:012}"),
            ..options()
        };
        let tenant = Tenant::generate(number + 50, size());
        let simulator = Simulator::start(tenant, options).await.unwrap();
        let mut settings = connection(&simulator);
        settings.name = format!("tenant{number}");
        settings.base = Dn::parse(&format!("dc=tenant{number},dc=com")).unwrap();
        settings.graph.attempts = 2;
        settings.graph.max_wait = Duration::from_millis(100);
        let graph = Graph::new(&settings).unwrap();
        let engine =
            Engine::new(&settings, &ReplicaSettings::default(), graph, writer.clone()).unwrap();
        all.push(One { simulator, settings, engine });
    }
    all
}

const PASS: Order = Order { trigger: "manual", full: false };

/// Entries of a connection, from what is served.
fn served(writer: &Writer, one: &One) -> usize {
    let snapshot = writer.reader().snapshot();
    let base = one.settings.base.key();
    let mut count = 0;
    for number in snapshot.all().unwrap().iter() {
        let entry = snapshot.entry(number).unwrap().unwrap();
        count += usize::from(Dn::parse(entry.view().dn()).unwrap().key().is_within(&base));
    }
    count
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_connections_fail_each_in_its_own_way_and_do_not_touch_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("replica.redb");
    let writer = replica::open(&ReplicaSettings { path, ..ReplicaSettings::default() }).unwrap();
    let all = several(&writer, 10).await;
    let loads = all.iter().map(|one| one.engine.pass(PASS));
    for done in futures(loads).await {
        done.map_err(|(_, error)| error).unwrap();
    }
    let before: Vec<usize> = all.iter().map(|one| served(&writer, one)).collect();
    assert!(before.iter().all(|count| *count > size()), "{before:?}");

    // What goes wrong; `None`: nothing does.
    let wrongs = [
        None,
        Some(Action::Status(503, RetryAfter::Missing)),
        Some(Action::Forbidden),
        Some(Action::TokenExpired),
        Some(Action::Throttle(RetryAfter::Seconds(3600))),
        Some(Action::Hangup),
        Some(Action::NotFound),
        Some(Action::BadRequest),
        None,
        None,
    ];
    for (number, (one, wrong)) in (0..).zip(all.iter().zip(wrongs)) {
        if let Some(action) = wrong {
            one.simulator.faults().add(Rule::new(action).on(Target::Graph));
        }
        match number {
            8 => one.simulator.faults().lose_state(StateLoss::Gone),
            9 => one.simulator.change_secret("another one"),
            _ => {}
        }
        one.simulator.with_tenant(|tenant| tenant.add_user(user(77, "newcomer")).unwrap());
    }
    all[9].simulator.faults().revoke_access_tokens();
    let passes = futures(all.iter().map(|one| one.engine.pass(PASS))).await;
    for (number, (one, pass)) in all.iter().zip(passes).enumerate() {
        let goes_well = matches!(number, 0 | 8);
        assert_eq!(pass.is_ok(), goes_well, "tenant{number}: {pass:?}");
        let expected = before[number] + usize::from(goes_well);
        assert_eq!(served(&writer, one), expected, "tenant{number}");
        let snapshot = writer.reader().snapshot();
        let state = snapshot.connections().iter().find(|(_, s)| s.name == one.settings.name);
        assert!(state.unwrap().1.is_published());
    }

    // All is well again, and everybody catches up.
    for one in &all {
        one.simulator.faults().clear();
    }
    all[9].simulator.change_secret(&options().client_secret);
    for one in &all {
        // The wait that Graph has asked for is obeyed by those who asked; ask anew.
        let graph = Graph::new(&one.settings).unwrap();
        let engine =
            Engine::new(&one.settings, &ReplicaSettings::default(), graph, writer.clone()).unwrap();
        engine.pass(PASS).await.map_err(|(_, error)| error).unwrap();
    }
    for (one, before) in all.iter().zip(&before) {
        assert_eq!(served(&writer, one), before + 1, "{}", one.settings.name);
    }

    // One is given up with all its data: the others do not notice.
    all[3].engine.disconnect(true).await.unwrap();
    for (number, one) in all.iter().enumerate() {
        let expected = if number == 3 { 0 } else { before[number] + 1 };
        assert_eq!(served(&writer, one), expected, "tenant{number}");
    }
    crate::world::index::Checker::default().check(&writer.reader().snapshot());
}

/// One tenant twice, with different scopes.
#[tokio::test(flavor = "multi_thread")]
async fn one_tenant_may_be_served_twice_with_different_scopes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("replica.redb");
    let writer = replica::open(&ReplicaSettings { path, ..ReplicaSettings::default() }).unwrap();
    let simulator = Simulator::start(Tenant::generate(5, 60), options()).await.unwrap();
    let (group, members) = simulator.with_tenant(|tenant| {
        let groups = tenant.live(Kind::Group);
        let found = groups.map(|g| (g.to_owned(), tenant.members(g).len())).find(|(_, n)| *n > 2);
        found.unwrap()
    });
    let mut served_by = Vec::new();
    for (name, scope) in [("all", Vec::new()), ("some", vec![group])] {
        let mut settings = connection(&simulator);
        settings.name = name.to_owned();
        settings.base = Dn::parse(&format!("dc={name}")).unwrap();
        settings.scope.groups = scope;
        let graph = Graph::new(&settings).unwrap();
        let engine =
            Engine::new(&settings, &ReplicaSettings::default(), graph, writer.clone()).unwrap();
        engine.pass(PASS).await.map_err(|(_, error)| error).unwrap();
        let record = engine.status().borrow().last.clone().unwrap();
        served_by.push(record.entries.values().sum::<u64>());
    }
    assert!(served_by[1] < served_by[0] && served_by[1] as usize >= members, "{served_by:?}");
    crate::world::index::Checker::default().check(&writer.reader().snapshot());
}

/// All of them at once.
async fn futures<F: Future>(all: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut open: Vec<_> = all.into_iter().map(Box::pin).map(Some).collect();
    let mut done: Vec<Option<F::Output>> = open.iter().map(|_| None).collect();
    std::future::poll_fn(move |context| {
        for (slot, out) in open.iter_mut().zip(&mut done) {
            if let Some(future) = slot
                && let std::task::Poll::Ready(output) = future.as_mut().poll(context)
            {
                (*slot, *out) = (None, Some(output));
            }
        }
        match done.iter().all(Option::is_some) {
            true => std::task::Poll::Ready(done.drain(..).flatten().collect()),
            false => std::task::Poll::Pending,
        }
    })
    .await
}
