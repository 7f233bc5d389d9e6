//! The verbs of an administrator, as one types them, with a daemon and without.

use crate::members::{id, user};
use crate::world::daemon::Place;
use crate::world::options;
use entraldap::simulator::{Action, Kind, RetryAfter, Rule, Simulator, Tenant};
use serde_json::{Value, json};

async fn simulator() -> Simulator {
    let mut tenant = Tenant::empty("contoso.com");
    for number in 0..30 {
        tenant.add_user(user(number, &format!("user{number}"))).unwrap();
    }
    let group = json!({"id": id(100), "displayName": "Sales North", "mail": "sales@contoso.com",
        "mailEnabled": true, "securityEnabled": true, "groupTypes": [],
        "members": [id(0), id(1), id(101)]});
    tenant.add_group(group).unwrap();
    let inner = json!({"id": id(101), "displayName": "Inner", "mailEnabled": false,
        "securityEnabled": true, "groupTypes": [], "members": [id(2), id(1)]});
    tenant.add_group(inner).unwrap();
    Simulator::start(tenant, options()).await.unwrap()
}

#[track_caller]
fn says((code, text): &(i32, String), expected: i32, parts: &[&str]) {
    assert_eq!(*code, expected, "{text}");
    for part in parts {
        assert!(text.contains(part), "{part:?} not in:\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_pass_is_seen_tried_rejected_and_approved_by_verbs() {
    let simulator = simulator().await;
    let place = Place::new(&simulator, "1h", &["127.0.0.1:0"]);
    place.configure(|text| text.replace("[connection.guard]\nenabled = false\n", ""));
    let mut daemon = place.start().await;
    daemon.wait_for("pass committed").await;
    simulator.with_tenant(|tenant| {
        (0..20).for_each(|number| tenant.soft_delete(&id(number)).unwrap());
        tenant.set(Kind::User, &id(25), "department", "Sales".into()).unwrap();
    });
    let dry = place.verb(&["sync", "--dry-run"]).await;
    let shown = [
        "remove    uid=user0@contoso.com,ou=users,dc=contoso,dc=com",
        "change    uid=user25@contoso.com,ou=users,dc=contoso,dc=com",
        "+ department: Sales",
        "20 removed",
        "20 of 30 users would be removed",
        "entraldap approve contoso",
    ];
    says(&dry, 1, &shown);
    let dry = place.verb(&["sync", "--dry-run", "--json"]).await;
    let previews: Value = serde_json::from_str(&dry.1).unwrap();
    assert_eq!(previews[0]["record"]["removed"], 20);
    assert_eq!(previews[0]["changes"].as_array().unwrap().len(), 23);

    says(&place.verb(&["sync"]).await, 1, &["held"]);
    let held = ["HELD", "20 of 30 users", "entraldap reject contoso"];
    says(&place.verb(&["status"]).await, 1, &held);
    let found = place.verb(&["explain", "user0@contoso.com"]).await;
    says(&found, 0, &["note        pass 2 is held", "by          mail"]);
    says(&place.verb(&["reject"]).await, 0, &["contoso: rejected"]);
    daemon.wait_for("pass held").await;
    says(&place.verb(&["approve", "contoso"]).await, 0, &["what is held may go"]);
    daemon.wait_for("pass committed").await;
    says(&place.verb(&["status"]).await, 0, &["10 users"]);
    says(&place.verb(&["approve"]).await, 1, &["no pass is held"]);

    let history = place.verb(&["history"]).await;
    says(&history, 0, &["approve", "reject", "held", "-20"]);
    let last: Value = serde_json::from_str(&place.verb(&["history", "--json"]).await.1).unwrap();
    let number = last[0]["number"].to_string();
    let pass = place.verb(&["history", &number]).await;
    says(&pass, 0, &["remove    uid=user0@", "+ department: Sales", "20 removed"]);
    let life = place.verb(&["history", "user25@contoso.com"]).await;
    says(&life, 0, &["+ department: Sales", "add       uid=user25@"]);
    let gone = place.verb(&["explain", &id(0)]).await;
    says(&gone, 1, &["the object was uid=user0@contoso.com", "Removed in pass"]);
    says(&place.verb(&["history", "9999"]).await, 1, &["no pass 9999"]);
    assert!(daemon.stop().await.0.success());

    let asked = ["explain", "--filter", "(&(objectClass=user)(MAIL=user25@contoso.com)(mial=x))"];
    let shown = [
        "filter      (&(objectClass=user)(mail=user25@contoso.com)(mial=x))",
        "undefined   (mial=x): there is no attribute mial; did you mean mail?",
        "plan        all of: 0",
        "matches     0",
    ];
    says(&place.verb(&asked).await, 1, &shown);
    let asked = ["explain", "--filter", "mail=user2*", "--base", "ou=users,dc=contoso,dc=com"];
    let shown = ["(mail=user2*): equality index, a prefix: 10", "matches     10 below the base"];
    says(&place.verb(&asked).await, 0, &shown);
    let planned = place.verb(&["explain", "--json", "--filter", "(uid=*)"]).await;
    let planned: Value = serde_json::from_str(&planned.1).unwrap();
    assert_eq!(
        (&planned["matches"], &planned["plan"]["how"]),
        (&10.into(), &"presence index".into())
    );
    let wrong = place.verb(&["explain", "--filter", "(mail=a"]).await;
    says(&wrong, 2, &["at octet 7", "write for example \"(mail=ada@contoso.com)\""]);

    // The same without a daemon.
    says(&place.verb(&["explain", "--filter", "(uid=user25*)"]).await, 0, &["matches     1"]);
    says(&place.verb(&["history", &number]).await, 0, &["remove    uid=user0@"]);
    says(&place.verb(&["status"]).await, 0, &["not running", "served    yes"]);
    says(&place.verb(&["explain", "user25@contoso.com"]).await, 0, &["by          mail"]);
    says(&place.verb(&["export", "--filter", "(uid=user25*)"]).await, 0, &["department: Sales"]);
    says(&place.verb(&["pause", "user25@contoso.com"]).await, 0, &["keeps its present state"]);
    says(&place.verb(&["sync", "--dry-run"]).await, 0, &["nothing would change"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_and_objects_are_paused_resumed_and_given_up_by_verbs() {
    let simulator = simulator().await;
    let place = Place::new(&simulator, "1s", &["127.0.0.1:0"]);
    let mut daemon = place.start().await;
    daemon.wait_for("pass committed").await;
    let paused = place.verb(&["pause", "user5@contoso.com"]).await;
    says(&paused, 0, &["keeps its present state"]);
    says(&place.verb(&["status"]).await, 0, &[&format!("paused    the object {}", id(5))]);
    says(&place.verb(&["pause", "nobody@contoso.com"]).await, 1, &["no object"]);
    simulator.with_tenant(|tenant| tenant.soft_delete(&id(5)).unwrap());
    place.sync().await;
    let kept = place.verb(&["explain", "user5@contoso.com"]).await;
    says(&kept, 0, &["note        paused"]);
    says(&place.verb(&["resume", &id(5)]).await, 0, &["follows Graph again"]);
    place.sync().await;
    says(&place.verb(&["explain", "user5@contoso.com"]).await, 1, &[]);

    says(&place.verb(&["pause"]).await, 0, &["entraldap resume contoso"]);
    says(&place.verb(&["status"]).await, 0, &["state     paused"]);
    let requests = simulator.tally().total;
    says(&place.verb(&["resume", "contoso"]).await, 0, &["passes run again"]);
    simulator.requested(requests + 3).await;

    says(&place.verb(&["disconnect", "contoso"]).await, 2, &["--keep", "--delete"]);
    says(&place.verb(&["disconnect", "contoso", "--keep"]).await, 0, &["stays as it is"]);
    says(&place.verb(&["sync"]).await, 1, &["is disconnected"]);
    assert_eq!(daemon.served(daemon.addresses[0]).await.1["users"], 29);
    let gone = place.verb(&["disconnect", "contoso", "--delete"]).await;
    says(&gone, 0, &["all its data was removed"]);
    assert_eq!(daemon.served(daemon.addresses[0]).await.0, 52);
    says(&place.verb(&["resume"]).await, 0, &[]);
    place.sync().await;
    assert_eq!(daemon.served(daemon.addresses[0]).await.1["users"], 29);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_found_as_one_types_and_a_scope_is_tried_before_it_holds() {
    let simulator = simulator().await;
    let place = Place::new(&simulator, "1h", &["127.0.0.1:0"]);
    let found = place.verb(&["groups", "--search", "sales"]).await;
    let shown = [
        "Sales North",
        "mail-enabled security group",
        "sales@contoso.com",
        &id(100),
        "3 direct, 4 nested",
    ];
    says(&found, 0, &shown);
    says(&place.verb(&["groups", "--search", "nothing"]).await, 1, &["no group"]);

    let mut daemon = place.start().await;
    daemon.wait_for("pass committed").await;
    let scope = "[connection.scope]\ngroups = [\"sales@contoso.com\"]\n";
    place.configure(|text| format!("{text}{scope}"));
    // The daemon runs with what it was started with, and tries what the file says now.
    let dry = place.verb(&["sync", "--dry-run"]).await;
    says(&dry, 0, &["27 removed", "remove    uid=user29@contoso.com"]);
    assert_eq!(daemon.served(daemon.addresses[0]).await.1["users"], 30);
    place.configure(|text| text.replace("sales@contoso.com", "slaes@contoso.com"));
    let dry = place.verb(&["sync", "--dry-run"]).await;
    says(&dry, 1, &["there is no group \"slaes@contoso.com\""]);
    place.configure(|text| text.replace("slaes@contoso.com", "sales@contoso.com"));
    daemon.stop().await;

    let mut daemon = place.start().await;
    daemon.wait_for("pass committed").await;
    assert_eq!(daemon.served(daemon.addresses[0]).await.1["users"], 3);
    let found = place.verb(&["explain", "user2@contoso.com"]).await;
    says(&found, 0, &["in scope    by sales@contoso.com > Inner"]);
    let out = place.verb(&["explain", "user9@contoso.com"]).await;
    says(&out, 1, &["only members of sales@contoso.com are copied"]);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_names_the_rule_that_leaves_somebody_out() {
    let simulator = simulator().await;
    let place = Place::new(&simulator, "1h", &["127.0.0.1:0"]);
    let rule = "[[connection.rule]]\ntext = \"robots\"\nfilter = \"(uid=user3@*)\"\n\
                action = \"exclude\"\n";
    place.configure(|text| format!("{text}{rule}"));
    let mut daemon = place.start().await;
    daemon.wait_for("pass committed").await;
    let out = place.verb(&["explain", "USER3@contoso.com"]).await;
    says(&out, 1, &["not served: rule 1, \"robots\": (uid=user3@*)", &id(3)]);
    says(&place.verb(&["explain", &id(3)]).await, 1, &["not served: rule 1"]);
    daemon.stop().await;
}

/// Else the command would have the replica while the daemon is to start again, and nobody would
/// be answered until Graph is.
#[tokio::test(flavor = "multi_thread")]
async fn a_sync_does_not_take_the_place_of_a_daemon_that_is_killed_meanwhile() {
    let simulator = simulator().await;
    let place = Place::new(&simulator, "1h", &["127.0.0.1:0"]);
    let mut daemon = place.start().await;
    daemon.wait_for("pass committed").await;
    simulator.faults().add(Rule::new(Action::Throttle(RetryAfter::Seconds(3600))));
    let requests = simulator.tally().total;
    let (verb, _) = tokio::join!(place.verb(&["sync"]), async {
        simulator.requested(requests + 1).await;
        daemon.kill().await
    });
    says(&verb, 3, &["the daemon", "went away before it answered", "entraldap status"]);
    let daemon = place.start().await;
    assert_eq!(daemon.served(daemon.addresses[0]).await.1["users"], 30);
}
