//! Promise 3: a suspicious removal waits for a person.

use crate::members::{id, user};
use crate::world::World;
use entraldap::config::settings::GuardSettings;
use entraldap::simulator::{Kind, Knobs, Tenant};
use serde_json::json;

async fn world(users: usize) -> World {
    let mut world = World::hasty(Tenant::generate(3, users), Knobs::default()).await;
    world.connection.guard = GuardSettings::default();
    world.open();
    world
}

fn users(world: &World) -> Vec<String> {
    world
        .simulator
        .with_tenant(|tenant| tenant.live(Kind::User).map(str::to_owned).collect::<Vec<_>>())
}

fn held(world: &World) -> Option<entraldap::replica::connection::Held> {
    world.snapshot().connections()[0].1.held.clone()
}

#[tokio::test(start_paused = true)]
async fn promise_3_a_pass_that_would_delete_a_third_is_held() {
    let world = world(60).await;
    world.pass().await;
    let before = world.served();
    let people = users(&world);
    world.simulator.with_tenant(|tenant| {
        for id in &people[..20] {
            tenant.soft_delete(id).unwrap();
        }
    });
    let record = world.pass().await;
    assert_eq!(record.verdict, "held");
    assert!(record.error.contains("20 of "), "{}", record.error);
    assert!(record.error.contains("entraldap approve contoso"), "{}", record.error);
    assert_eq!(world.served(), before, "what is published stays");
    let first = held(&world).unwrap();
    assert_eq!((first.pass, first.losses.entries["users"]), (record.number, 20));

    // Later passes stay held, and bring nothing else either.
    world.simulator.with_tenant(|tenant| tenant.add_user(user(0, "ann")).unwrap());
    assert_eq!(world.pass().await.verdict, "held");
    assert_eq!(world.served(), before);
    assert_eq!(held(&world).unwrap().since, first.since);
    assert_eq!(world.try_pass(true).await.unwrap().verdict, "held", "a reconcile, too");

    assert!(world.engine().approve().await.unwrap());
    let record = world.pass().await;
    assert_eq!((record.verdict.as_str(), record.removed >= 20), ("committed", true));
    assert_eq!(held(&world), None);
    world.assert_equal();
}

#[tokio::test(start_paused = true)]
async fn a_held_pass_is_let_go_when_it_would_no_longer_trip() {
    let world = world(60).await;
    world.pass().await;
    let people = users(&world);
    let delete =
        |tenant: &mut Tenant| people[..20].iter().for_each(|id| tenant.soft_delete(id).unwrap());
    world.simulator.with_tenant(delete);
    assert_eq!(world.pass().await.verdict, "held");
    world.simulator.with_tenant(|tenant| {
        people[..18].iter().for_each(|id| tenant.restore(id).unwrap());
    });
    let record = world.pass().await;
    assert_eq!((record.verdict.as_str(), record.removed), ("committed", 2));
    assert_eq!(held(&world), None);
    world.assert_equal();
}

#[tokio::test(start_paused = true)]
async fn a_rejected_pass_asks_everything_anew_and_stays_held_while_it_must() {
    let world = world(60).await;
    world.pass().await;
    let before = world.served();
    let people = users(&world);
    world.simulator.with_tenant(|tenant| {
        people[..20].iter().for_each(|id| tenant.soft_delete(id).unwrap());
    });
    assert_eq!(world.pass().await.verdict, "held");
    assert!(world.engine().reject().await.unwrap());
    assert!(held(&world).unwrap().rejected);
    let record = world.pass().await;
    assert_eq!((record.kind.as_str(), record.verdict.as_str()), ("full", "held"));
    assert_eq!(world.served(), before);
    world.simulator.with_tenant(|tenant| {
        people[..20].iter().for_each(|id| tenant.restore(id).unwrap());
    });
    assert!(world.engine().reject().await.unwrap());
    assert_eq!(world.pass().await.verdict, "committed");
    assert_eq!(held(&world), None);
    world.assert_equal();
    assert!(!world.engine().approve().await.unwrap(), "nothing is held");
}

#[tokio::test(start_paused = true)]
async fn an_approval_covers_what_was_told_and_no_more() {
    let world = world(100).await;
    world.pass().await;
    let people = users(&world);
    world.simulator.with_tenant(|tenant| {
        people[..20].iter().for_each(|id| tenant.soft_delete(id).unwrap());
    });
    assert_eq!(world.pass().await.verdict, "held");
    world.engine().approve().await.unwrap();
    world.simulator.with_tenant(|tenant| {
        people[20..50].iter().for_each(|id| tenant.soft_delete(id).unwrap());
    });
    assert_eq!(world.pass().await.verdict, "held");
    assert!(held(&world).unwrap().losses.entries["users"] >= 50);
}

#[tokio::test(start_paused = true)]
async fn a_tenant_that_answers_empty_for_one_pass_loses_nobody() {
    let world = world(30).await;
    world.pass().await;
    let before = world.served();
    let people = users(&world);
    world.simulator.with_tenant(|tenant| {
        people.iter().for_each(|id| tenant.soft_delete(id).unwrap());
    });
    let record = world.try_pass(true).await.unwrap();
    assert_eq!(record.verdict, "held");
    assert!(record.error.contains("users would be removed"), "{}", record.error);
    assert_eq!(world.served(), before);
    world.simulator.with_tenant(|tenant| {
        people.iter().for_each(|id| tenant.restore(id).unwrap());
    });
    assert_eq!(world.pass().await.verdict, "committed");
    world.assert_equal();
}

#[tokio::test(start_paused = true)]
async fn a_first_load_without_a_user_is_not_published() {
    let mut world = World::hasty(Tenant::empty("contoso.com"), Knobs::default()).await;
    world.connection.guard = GuardSettings::default();
    world.open();
    let record = world.pass().await;
    assert_eq!(record.verdict, "held");
    assert!(record.error.contains("no user"), "{}", record.error);
    assert!(!world.is_published(), "searches go on to answer unavailable");
    world.simulator.with_tenant(|tenant| tenant.add_user(user(0, "ann")).unwrap());
    assert_eq!(world.pass().await.verdict, "committed");
    assert!(world.is_published());

    let mut empty = World::hasty(Tenant::empty("contoso.com"), Knobs::default()).await;
    empty.connection.guard = GuardSettings::default();
    empty.open();
    empty.pass().await;
    empty.engine().approve().await.unwrap();
    assert_eq!(empty.pass().await.verdict, "committed");
    assert!(empty.is_published(), "somebody said so");
}

#[tokio::test(start_paused = true)]
async fn lost_addresses_and_emptied_groups_are_held_and_moved_addresses_are_not() {
    let mut tenant = Tenant::empty("contoso.com");
    for number in 0..40 {
        tenant.add_user(user(number, &format!("user{number}"))).unwrap();
    }
    for number in 0..20 {
        let group = json!({"id": id(100 + number), "displayName": format!("List {number}"),
            "mailEnabled": true, "securityEnabled": false, "groupTypes": [],
            "mail": format!("list{number}@contoso.com"), "members": [id(number)]});
        tenant.add_group(group).unwrap();
    }
    let mut world = World::hasty(tenant, Knobs::default()).await;
    world.connection.guard = GuardSettings::default();
    world.open();
    world.pass().await;

    // Everybody takes over the address of the next one: nobody's address is lost.
    let aliases = |shift: u32| {
        move |tenant: &mut Tenant| {
            for number in 0..40 {
                let name = format!("user{}@contoso.com", (number + shift) % 40);
                let proxies = json!([format!("SMTP:{name}")]);
                tenant.set(Kind::User, &id(number), "proxyAddresses", proxies).unwrap();
                tenant.set(Kind::User, &id(number), "mail", name.into()).unwrap();
            }
        }
    };
    world.simulator.with_tenant(aliases(1));
    assert_eq!(world.pass().await.verdict, "committed");
    world.assert_equal();

    world.simulator.with_tenant(|tenant| {
        for number in 0..30 {
            tenant.set(Kind::User, &id(number), "proxyAddresses", json!([])).unwrap();
            tenant.set(Kind::User, &id(number), "mail", json!(null)).unwrap();
        }
    });
    let record = world.pass().await;
    assert_eq!(record.verdict, "held");
    assert!(record.error.contains("addresses would be nobody's"), "{}", record.error);
    world.simulator.with_tenant(aliases(1));
    assert_eq!(world.pass().await.verdict, "committed");

    world.simulator.with_tenant(|tenant| {
        for number in 0..10 {
            tenant.remove_member(&id(100 + number), &id(number)).unwrap();
        }
    });
    let record = world.pass().await;
    assert_eq!(record.verdict, "held");
    assert!(record.error.contains("10 of 20 groups with members"), "{}", record.error);
}

#[tokio::test(start_paused = true)]
async fn a_licence_that_is_removed_moves_the_address_and_is_no_loss_of_a_person() {
    let world = world(30).await;
    world.pass().await;
    let people = users(&world);
    world.simulator.with_tenant(|tenant| {
        let fallback = "somebody@contoso.onmicrosoft.com";
        tenant.set(Kind::User, &people[0], "assignedLicenses", json!([])).unwrap();
        tenant.set(Kind::User, &people[0], "mail", fallback.into()).unwrap();
        let proxies = json!([format!("SMTP:{fallback}")]);
        tenant.set(Kind::User, &people[0], "proxyAddresses", proxies).unwrap();
    });
    assert_eq!(world.pass().await.verdict, "committed");
    world.assert_equal();
    let mail = world.values(&people[0], "mail");
    assert_eq!(mail.into_iter().collect::<Vec<_>>(), ["somebody@contoso.onmicrosoft.com"]);
}

#[tokio::test(start_paused = true)]
async fn a_narrower_scope_is_held_unless_told_otherwise() {
    let mut world = world(60).await;
    let people = users(&world);
    world.simulator.with_tenant(|tenant| {
        let group = json!({"id": id(1), "displayName": "Few", "securityEnabled": true,
            "mailEnabled": false, "groupTypes": [], "members": people[..3].to_vec()});
        tenant.add_group(group).unwrap();
    });
    world.pass().await;
    let before = world.served();
    world.connection.scope.groups = vec!["Few".to_owned()];
    world.open();
    assert_eq!(world.pass().await.verdict, "held");
    assert_eq!(world.served(), before);
    world.connection.guard.configuration = false;
    world.open();
    let record = world.pass().await;
    assert_eq!((record.verdict.as_str(), record.removed > 50), ("committed", true));
}

#[tokio::test(start_paused = true)]
async fn a_paused_object_keeps_its_state_until_it_is_resumed() {
    let world = world(30).await;
    world.pass().await;
    let people = users(&world);
    let paused = people[0].parse().unwrap();
    assert!(world.engine().set_object_paused(paused, true).await.unwrap());
    let before = world.values(&people[0], "department");
    world.simulator.with_tenant(|tenant| {
        tenant.set(Kind::User, &people[0], "department", "Elsewhere".into()).unwrap();
        tenant.set(Kind::User, &people[1], "department", "Elsewhere".into()).unwrap();
    });
    world.pass().await;
    assert_eq!(world.values(&people[0], "department"), before);
    assert!(world.values(&people[1], "department").contains("Elsewhere"));
    world.simulator.with_tenant(|tenant| tenant.soft_delete(&people[0]).unwrap());
    world.pass().await;
    assert!(world.dn(&people[0]).is_some(), "not even a deletion");
    assert!(world.engine().set_object_paused(paused, false).await.unwrap());
    world.pass().await;
    assert_eq!(world.dn(&people[0]), None);
    world.assert_equal();
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_given_up_keeps_its_data_or_loses_it_all() {
    let world = world(30).await;
    world.pass().await;
    let before = world.served();
    world.engine().disconnect(false).await.unwrap();
    assert_eq!(world.served(), before);
    let (record, _) = world.try_pass(false).await.unwrap_err();
    assert!(record.error.contains("entraldap resume contoso"), "{}", record.error);
    world.engine().set_paused(false).await.unwrap();
    world.pass().await;
    world.assert_equal();

    world.engine().disconnect(true).await.unwrap();
    assert!(world.served().is_empty());
    assert!(!world.is_published(), "searches answer unavailable, not that nobody is there");
    world.engine().set_paused(false).await.unwrap();
    world.pass().await;
    world.assert_equal();
}
