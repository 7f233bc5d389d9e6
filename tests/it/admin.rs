//! The side window: what monitoring asks.

use crate::members::{id, user};
use crate::world::BASE;
use crate::world::daemon::Place;
use crate::world::options;
use entraldap::simulator::{Action, RetryAfter, Rule, Simulator, Tenant};
use std::collections::BTreeMap;

async fn simulator() -> Simulator {
    let mut tenant = Tenant::empty("contoso.com");
    for number in 0..30 {
        tenant.add_user(user(number, &format!("user{number}"))).unwrap();
    }
    Simulator::start(tenant, options()).await.unwrap()
}

/// Name with labels to value. Every line has to be one that Prometheus reads.
async fn metrics(place: &Place) -> BTreeMap<String, f64> {
    let (status, text) = place.admin("/metrics").await;
    assert_eq!(status, 200, "{text}");
    assert!(text.ends_with("# EOF\n"), "{text}");
    let mut found = BTreeMap::new();
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let word = comment.split(' ').next().unwrap();
            assert!(["HELP", "TYPE", "EOF"].contains(&word), "{line}");
            continue;
        }
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("entraldap_"), "{line}");
        assert!(!line.contains('@'), "no person in a metric: {line}");
        found.insert(name.to_owned(), value.parse().unwrap());
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_tell_passes_requests_and_operations() {
    let simulator = simulator().await;
    let place = Place::new(&simulator, "1h", &["127.0.0.1:0"]);
    place.configure(|text| text.replace("[connection.guard]\nenabled = false\n", ""));
    let mut daemon = place.start().await;
    daemon.wait_for("pass committed").await;
    let url = format!("ldap://{}", daemon.addresses[0]);
    let (connection, mut client) = ldap3::LdapConnAsync::new(&url).await.unwrap();
    ldap3::drive!(connection);
    for name in ["user0", "user1", "nobody"] {
        let filter = format!("(mail={name}@contoso.com)");
        client.search(BASE, ldap3::Scope::Subtree, &filter, ["mail"]).await.unwrap();
    }
    let before = metrics(&place).await;
    let is = |metrics: &BTreeMap<String, f64>, name: &str, value: f64| {
        assert_eq!(metrics.get(name), Some(&value), "{name} in {metrics:#?}");
    };
    is(&before, "entraldap_passes_total{connection=\"contoso\",verdict=\"committed\"}", 1.0);
    is(&before, "entraldap_connection_entries{connection=\"contoso\",kind=\"users\"}", 30.0);
    is(&before, "entraldap_published{connection=\"contoso\"}", 1.0);
    is(&before, "entraldap_pass_held{connection=\"contoso\"}", 0.0);
    is(&before, "entraldap_ldap_operations_total{operation=\"search\",result=\"0\"}", 3.0);
    is(&before, "entraldap_ldap_entries_returned_total", 2.0);
    is(&before, "entraldap_ldap_searches_without_entry_total", 1.0);
    is(&before, "entraldap_ldap_connections_open", 1.0);
    is(&before, "entraldap_ldap_operation_seconds_count{operation=\"search\"}", 3.0);
    let all = before.iter().find(|(name, _)| {
        name.starts_with("entraldap_ldap_operation_seconds_bucket")
            && name.contains("\"search\"")
            && name.contains("le=\"+Inf\"")
    });
    assert_eq!(all.map(|(_, count)| *count), Some(3.0), "{before:#?}");
    assert!(before["entraldap_graph_requests_total{connection=\"contoso\"}"] >= 4.0);
    assert!(before["entraldap_replica_file_bytes"] > 0.0);

    simulator.with_tenant(|tenant| (0..20).for_each(|n| tenant.soft_delete(&id(n)).unwrap()));
    place.verb(&["sync"]).await;
    let held = metrics(&place).await;
    is(&held, "entraldap_pass_held{connection=\"contoso\"}", 1.0);
    is(&held, "entraldap_passes_total{connection=\"contoso\",verdict=\"held\"}", 1.0);
    simulator.faults().add(Rule::new(Action::Status(403, RetryAfter::Missing)).path("/delta"));
    place.verb(&["sync"]).await;
    let failed = metrics(&place).await;
    is(&failed, "entraldap_failures{connection=\"contoso\"}", 1.0);
    is(&failed, "entraldap_passes_total{connection=\"contoso\",verdict=\"failed\"}", 1.0);
    place.verb(&["pause"]).await;
    is(&metrics(&place).await, "entraldap_paused{connection=\"contoso\"}", 1.0);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readyz_says_no_until_everything_is_published_and_when_it_is_old() {
    let simulator = simulator().await;
    let place = Place::new(&simulator, "1h", &["127.0.0.1:0"]);
    let broken = Rule::new(Action::Status(403, RetryAfter::Missing)).path("/delta");
    let broken = simulator.faults().add(broken);
    let mut daemon = place.start().await;
    daemon.wait_for("pass failed").await;
    assert_eq!(place.admin("/healthz").await, (200, "ok\n".to_owned()));
    let (status, text) = place.admin("/readyz").await;
    assert_eq!((status, text.as_str()), (503, "contoso: the first sync is not complete\n"));
    simulator.faults().remove(broken);
    place.sync().await;
    assert_eq!(place.admin("/readyz").await, (200, "ready\n".to_owned()));
    daemon.stop().await;

    // A replica of yesterday, and a Graph that does not answer today.
    place.configure(|text| text.replace("[admin]\n", "[admin]\nready_age = \"1s\"\n"));
    simulator.faults().add(Rule::new(Action::Status(403, RetryAfter::Missing)).path("/delta"));
    let mut daemon = place.start().await;
    daemon.wait_for("pass failed").await;
    let old = loop {
        let (status, text) = place.admin("/readyz").await;
        if status == 503 {
            break text;
        }
    };
    assert!(old.starts_with("contoso: the last good pass is "), "{old}");
    place.verb(&["pause"]).await;
    assert_eq!(place.admin("/readyz").await.0, 200, "who is paused does not count");
    daemon.stop().await;
}
