//! Another tree or mapping: everything is derived anew, without a request.

use crate::world::World;
use crate::world::index::Checker;
use entraldap::directory::dn::Dn;
use entraldap::simulator::{Knobs, Tenant, life};

#[tokio::test(start_paused = true)]
async fn another_tree_moves_all_entries_without_asking_graph() {
    let mut world = World::hasty(Tenant::generate(4, 60), Knobs::default()).await;
    world.simulator.with_tenant(|tenant| life::changes(tenant, 4, 60));
    world.pass().await;
    let mut checker = Checker::default();
    checker.check(&world.snapshot());
    world.simulator.forget_requests();
    let before = world.served();

    world.connection.tree.users.ou = "people".to_owned();
    world.connection.tree.users.rdn = "cn".to_owned();
    world.connection.tree.contacts.ou = "people".to_owned();
    world.open();
    assert_eq!(world.served().len(), before.len() - 1, "one container less");
    assert!(!world.served().keys().any(|dn| dn.contains("ou=users") || dn.contains("ou=contacts")));
    world.assert_equal();
    checker.check(&world.snapshot());

    world.connection.base = Dn::parse("o=elsewhere").unwrap();
    world.open();
    assert!(world.served().keys().all(|dn| dn.ends_with("o=elsewhere")));
    assert_eq!(world.snapshot().contexts()[0].base.to_string(), "o=elsewhere");
    world.assert_equal();
    checker.check(&world.snapshot());

    // Users and groups change places.
    let tree = &mut world.connection.tree;
    std::mem::swap(&mut tree.users.ou, &mut tree.groups.ou);
    world.open();
    world.assert_equal();
    checker.check(&world.snapshot());
    assert_eq!(world.simulator.tally().total, 0);

    world.simulator.with_tenant(|tenant| life::changes(tenant, 5, 30));
    world.pass().await;
    world.assert_equal();
    checker.check(&world.snapshot());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_derived_anew_when_nothing_changed() {
    let mut world = World::hasty(Tenant::generate(4, 30), Knobs::default()).await;
    world.pass().await;
    let before = world.served();
    world.open();
    assert_eq!(world.served(), before);
}

#[tokio::test(start_paused = true)]
async fn hidden_members_are_served_once_the_configuration_says_so() {
    let knobs = Knobs { serve_hidden: true, ..Knobs::default() };
    let mut world = World::hasty(Tenant::generate(4, 60), knobs).await;
    world.simulator.with_tenant(|tenant| {
        let group = tenant.live(entraldap::simulator::Kind::Group).next().unwrap().to_owned();
        let hidden = "HiddenMembership".into();
        tenant.set(entraldap::simulator::Kind::Group, &group, "visibility", hidden).unwrap();
        let user = tenant.live(entraldap::simulator::Kind::User).next().unwrap().to_owned();
        tenant.add_member(&group, &user).unwrap();
    });
    world.pass().await;
    world.assert_equal();
    let mut checker = Checker::default();
    for hidden in [true, false] {
        world.connection.sync.hidden_members = hidden;
        world.open();
        world.assert_equal();
        checker.check(&world.snapshot());
    }
}
