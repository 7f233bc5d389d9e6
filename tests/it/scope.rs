//! Whose data is copied: members of the groups of the scope, and nobody else's.

use crate::members::{id, user};
use crate::world::World;
use entraldap::simulator::{Action, Kind, Knobs, RetryAfter, Rule, Tenant};
use entraldap::sync::SyncError;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn group(number: u32, name: &str, members: &[u32]) -> Value {
    let members: Vec<String> = members.iter().map(|member| id(*member)).collect();
    let mail = format!("{}@contoso.com", name.to_lowercase());
    json!({"id": id(number), "displayName": name, "mail": mail, "mailEnabled": true,
           "securityEnabled": true, "groupTypes": [], "mailNickname": name.to_lowercase(),
           "proxyAddresses": [format!("SMTP:{mail}")],
           "createdDateTime": "2020-01-01T00:00:00Z", "members": members})
}

/// People 0 to 5, a contact 20, groups: 10 the scope, 11 nested in it, 12 nested in that,
/// 13 outside with people of its own.
fn tenant() -> Tenant {
    let mut tenant = Tenant::empty("contoso.com");
    for (number, name) in (0..).zip(["ann", "bob", "cyd", "dan", "eve", "fay"]) {
        tenant.add_user(user(number, name)).unwrap();
    }
    let contact = json!({"id": id(20), "displayName": "Printer", "mail": "p@printer.example"});
    tenant.add_contact(contact).unwrap();
    tenant.add_other(Kind::Device, &id(30)).unwrap();
    tenant.add_group(group(12, "Deep", &[2])).unwrap();
    tenant.add_group(group(11, "Inner", &[1, 12])).unwrap();
    tenant.add_group(group(10, "Scope", &[0, 11, 20, 30])).unwrap();
    tenant.add_group(group(13, "Outside", &[0, 3, 4])).unwrap();
    tenant
}

async fn world(groups: &[&str], nested: bool) -> World {
    let mut world = World::hasty(tenant(), Knobs::default()).await;
    world.connection.scope.groups = groups.iter().map(|group| (*group).to_owned()).collect();
    world.connection.scope.nested = nested;
    world.open();
    world
}

fn served(world: &World) -> BTreeSet<u32> {
    (0..=30).filter(|number| world.dn(&id(*number)).is_some()).collect()
}

#[track_caller]
fn assert_served(world: &World, numbers: &[u32]) {
    assert_eq!(served(world), numbers.iter().copied().collect());
}

#[tokio::test(start_paused = true)]
async fn members_of_the_scope_are_copied_and_nobody_else() {
    for named in ["Scope", "scope@contoso.com", &id(10)] {
        let world = world(&[named], true).await;
        world.pass().await;
        assert_served(&world, &[0, 1, 2, 10, 11, 12, 20]);
        let members = world.values(&id(10), "member");
        assert_eq!(members.len(), 3, "{members:?}");
        let member_of = world.values(&id(0), "memberOf");
        assert_eq!(member_of.len(), 1, "groups out of scope are not told of: {member_of:?}");
    }
    let direct = world(&["Scope"], false).await;
    direct.pass().await;
    assert_served(&direct, &[0, 10, 11, 20]);
}

#[tokio::test(start_paused = true)]
async fn a_member_leaves_the_scope_group_and_comes_back() {
    let world = world(&["Scope"], true).await;
    world.pass().await;
    let before = world.served();
    let change = |work: &dyn Fn(&mut Tenant)| world.simulator.with_tenant(|tenant| work(tenant));
    change(&|tenant| {
        tenant.remove_member(&id(10), &id(0)).unwrap();
    });
    world.pass().await;
    assert_served(&world, &[1, 2, 10, 11, 12, 20]);

    // While away, the person changes, and nothing of it is heard.
    change(&|tenant| tenant.set(Kind::User, &id(0), "department", "Sales".into()).unwrap());
    world.pass().await;
    assert_served(&world, &[1, 2, 10, 11, 12, 20]);
    world.simulator.forget_requests();
    change(&|tenant| {
        tenant.add_member(&id(10), &id(0)).unwrap();
    });
    let record = world.pass().await;
    assert_served(&world, &[0, 1, 2, 10, 11, 12, 20]);
    assert_eq!((record.added, record.kind.as_str()), (1, "delta"));
    assert_eq!(world.values(&id(0), "department"), BTreeSet::from(["Sales".to_owned()]));
    assert_eq!(world.served().keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    let batches = world.simulator.requests();
    assert!(batches.iter().any(|request| request.uri.contains("$batch")), "{batches:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_nested_group_is_removed_from_the_scope_group_and_comes_back() {
    let world = world(&["Scope"], true).await;
    world.pass().await;
    let change = |work: &dyn Fn(&mut Tenant)| world.simulator.with_tenant(|tenant| work(tenant));
    change(&|tenant| {
        tenant.remove_member(&id(10), &id(11)).unwrap();
    });
    world.pass().await;
    assert_served(&world, &[0, 10, 20]);
    // Changes within groups out of scope are passed over, and read when they come back.
    change(&|tenant| {
        tenant.add_member(&id(12), &id(5)).unwrap();
        tenant.remove_member(&id(11), &id(1)).unwrap();
    });
    world.pass().await;
    assert_served(&world, &[0, 10, 20]);
    change(&|tenant| {
        tenant.add_member(&id(10), &id(11)).unwrap();
    });
    world.pass().await;
    assert_served(&world, &[0, 2, 5, 10, 11, 12, 20]);
    assert_eq!(world.values(&id(12), "member").len(), 2);
    assert_eq!(world.values(&id(11), "memberOf").len(), 1);

    // A group that was never in scope brings all it has.
    change(&|tenant| {
        tenant.add_member(&id(12), &id(13)).unwrap();
    });
    world.pass().await;
    assert_served(&world, &[0, 2, 3, 4, 5, 10, 11, 12, 13, 20]);
    let record = world.try_pass(true).await.unwrap();
    assert_eq!((record.added, record.changed, record.removed), (0, 0, 0), "a reconcile agrees");
}

#[tokio::test(start_paused = true)]
async fn changes_deletions_and_restores_within_the_scope_are_followed() {
    let world = world(&["Scope"], true).await;
    world.pass().await;
    let change = |work: &dyn Fn(&mut Tenant)| world.simulator.with_tenant(|tenant| work(tenant));
    change(&|tenant| tenant.set(Kind::User, &id(2), "department", "Sales".into()).unwrap());
    world.pass().await;
    assert_eq!(world.values(&id(2), "department").len(), 1);
    change(&|tenant| tenant.soft_delete(&id(2)).unwrap());
    world.pass().await;
    assert_served(&world, &[0, 1, 10, 11, 12, 20]);
    change(&|tenant| tenant.restore(&id(2)).unwrap());
    world.pass().await;
    assert_served(&world, &[0, 1, 2, 10, 11, 12, 20]);
    assert_eq!(world.values(&id(2), "memberOf").len(), 1);
    change(&|tenant| {
        tenant.soft_delete(&id(2)).unwrap();
        tenant.purge(&id(2)).unwrap();
    });
    world.pass().await;
    assert_served(&world, &[0, 1, 10, 11, 12, 20]);
    // Somebody who is new in the tenant and in the group at once.
    change(&|tenant| {
        tenant.add_user(user(6, "gus")).unwrap();
        tenant.add_member(&id(12), &id(6)).unwrap();
    });
    world.pass().await;
    assert_served(&world, &[0, 1, 6, 10, 11, 12, 20]);
}

#[tokio::test(start_paused = true)]
async fn narrowing_the_scope_takes_everybody_else_out() {
    let mut world = world(&[], true).await;
    world.pass().await;
    assert_served(&world, &[0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 20]);
    world.connection.scope.groups = vec!["Scope".to_owned()];
    world.open();
    let record = world.pass().await;
    assert_served(&world, &[0, 1, 2, 10, 11, 12, 20]);
    assert_eq!((record.removed, record.kind.as_str()), (4, "delta"));
    let snapshot = world.snapshot();
    for number in [3, 4, 5, 13] {
        let number = snapshot.find(0, id(number).parse().unwrap()).unwrap();
        let Some(number) = number else { continue };
        assert_eq!(snapshot.source(number).unwrap(), None);
        for (_, change) in snapshot.changes_of(number, 10).unwrap() {
            assert_eq!((change.dn.as_str(), change.attributes.len()), ("", 0));
        }
    }
    // And widening brings them back.
    world.connection.scope.groups.clear();
    world.open();
    world.pass().await;
    world.assert_equal();
}

#[tokio::test(start_paused = true)]
async fn groups_that_nobody_can_tell_apart_are_an_error_that_lists_them() {
    let world = world(&["Twin"], true).await;
    world.simulator.with_tenant(|tenant| {
        tenant.add_group(group(14, "Twin", &[0])).unwrap();
        let mut other = group(15, "Twin", &[0]);
        other["mail"] = Value::Null;
        other["mailEnabled"] = false.into();
        tenant.add_group(other).unwrap();
    });
    let (record, error) = world.try_pass(false).await.unwrap_err();
    assert!(matches!(error, SyncError::Scope(_)));
    for expected in [&id(14), &id(15), "mail-enabled security group", "by its id"] {
        assert!(record.error.contains(expected), "{expected} in {}", record.error);
    }
    let unknown = self::world(&["Nobody"], true).await;
    let (record, _) = unknown.try_pass(false).await.unwrap_err();
    assert!(record.error.contains("there is no group \"Nobody\""), "{}", record.error);
    assert!(record.error.contains("entraldap groups --search"), "{}", record.error);
}

#[tokio::test(start_paused = true)]
async fn a_group_that_was_found_once_may_be_renamed() {
    let world = world(&["Scope"], true).await;
    world.pass().await;
    world.simulator.with_tenant(|tenant| {
        tenant.set(Kind::Group, &id(10), "displayName", "Renamed".into()).unwrap();
    });
    world.pass().await;
    world.pass().await;
    assert_served(&world, &[0, 1, 2, 10, 11, 12, 20]);
    assert!(world.dn(&id(10)).unwrap().starts_with("cn=Renamed,"));
}

#[tokio::test(start_paused = true)]
async fn a_failure_while_fetching_members_removes_and_adds_nothing() {
    let world = world(&["Scope"], true).await;
    world.pass().await;
    let before = world.served();
    world.simulator.with_tenant(|tenant| {
        tenant.add_member(&id(10), &id(3)).unwrap();
        tenant.remove_member(&id(10), &id(0)).unwrap();
    });
    let broken = world
        .simulator
        .faults()
        .add(Rule::new(Action::Status(503, RetryAfter::Missing)).path("/users/").times(50));
    world.try_pass(false).await.unwrap_err();
    assert_eq!(world.served(), before);
    world.simulator.faults().remove(broken);
    world.pass().await;
    assert_served(&world, &[1, 2, 3, 10, 11, 12, 20]);
}

/// Promise 7: out of scope is off the disk, down to the last octet of the file.
#[tokio::test(start_paused = true)]
async fn promise_7_narrowing_the_scope_removes_everybody_else_from_the_file() {
    let mut world = world(&[], true).await;
    world.simulator.with_tenant(|tenant| {
        let secret = "Unmistakable Eccentric".into();
        tenant.set(Kind::User, &id(3), "displayName", secret).unwrap();
        tenant.set(Kind::User, &id(0), "displayName", "Respectable Member".into()).unwrap();
    });
    world.pass().await;
    let holds = |world: &World, text: &str| {
        let octets = std::fs::read(world.path()).unwrap();
        octets.windows(text.len()).any(|piece| piece.eq_ignore_ascii_case(text.as_bytes()))
    };
    assert!(holds(&world, "Unmistakable Eccentric") && holds(&world, "dan@contoso.com"));
    world.connection.scope.groups = vec!["Scope".to_owned()];
    world.open();
    world.pass().await;
    assert_served(&world, &[0, 1, 2, 10, 11, 12, 20]);
    assert!(holds(&world, "Respectable Member") && holds(&world, "ann@contoso.com"));
    for gone in ["Unmistakable Eccentric", "dan@contoso.com", "eve@contoso.com", "Outside"] {
        assert!(!holds(&world, gone), "{gone}");
    }
    // The new file is as good as the old one.
    let before = world.served();
    world.open();
    assert_eq!(world.served(), before);
    let record = world.pass().await;
    assert_eq!((record.verdict.as_str(), record.changed), ("committed", 0));
}
