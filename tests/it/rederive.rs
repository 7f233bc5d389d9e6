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

/// The mapping of a configuration with these lines.
fn mapping(lines: &str) -> entraldap::config::settings::MappingSettings {
    let secret = ("SECRET".to_owned(), "geheim".to_owned());
    let environment =
        entraldap::config::Environment { variables: [secret].into(), credentials_directory: None };
    let text = format!(
        "[[ldap.listener]]\naddress = \"127.0.0.1:389\"\n[[connection]]\nname = \"contoso\"\n\
         base = \"dc=contoso,dc=com\"\ntenant = \"contoso.com\"\n\
         client_id = \"11111111-1111-1111-1111-111111111111\"\nclient_secret = {{ env = \"SECRET\" }}\n\
         {lines}\n"
    );
    let mut settings = entraldap::config::parse(&text, "t", &environment).unwrap();
    settings.connections.remove(0).mapping
}

/// Users of the tenant; 100,000 by hand.
fn size() -> usize {
    std::env::var("ENTRALDAP_MANY").ok().and_then(|text| text.parse().ok()).unwrap_or(60)
}

#[tokio::test(start_paused = true)]
async fn a_mapping_change_makes_all_entries_anew_with_graph_down() {
    let mut world = World::hasty(Tenant::generate(4, size()), Knobs::default()).await;
    world.pass().await;
    let before = world.served();
    world.simulator.forget_requests();
    let posix = "[connection.mapping]\npreset = \"posix\"\n[connection.mapping.user]\n\
                 description = { template = \"{displayName} of {department?}\" }";
    world.connection.mapping = mapping(posix);
    world.open();
    let took = world.last_record().commit_ms;
    println!("{} entries made anew in {took} ms, without a request", before.len());
    let mut checker = Checker::default();
    if before.len() < 10_000 {
        checker.check(&world.snapshot());
    }
    let user = world.simulator.with_tenant(|tenant| {
        tenant.live(entraldap::simulator::Kind::User).next().unwrap().to_owned()
    });
    assert_eq!(world.values(&user, "uidNumber").len(), 1);
    assert_eq!(world.values(&user, "description").len(), 1);
    assert!(world.values(&user, "sAMAccountName").is_empty());
    let names = world.served();
    assert!(names.keys().eq(before.keys()), "names stay");
    assert_eq!(world.last_record().kind, "derivation");

    world.connection.mapping = Default::default();
    world.open();
    world.assert_equal();
    if before.len() < 10_000 {
        checker.check(&world.snapshot());
    }
    assert_eq!(world.simulator.tally().total, 0);
}

#[tokio::test(start_paused = true)]
async fn accounts_are_unique_and_come_free_again_where_no_attribute_tells_them() {
    let mut world = World::hasty(Tenant::empty("contoso.com"), Knobs::default()).await;
    world.connection.mapping = mapping(
        "[connection.mapping]\npreset = \"posix\"\n\
         [connection.mapping.user]\nuid = \"userPrincipalName\"",
    );
    world.open();
    let add = |world: &World, number: u32| {
        let user = serde_json::json!({
            "id": format!("{number:08}-0000-4000-8000-000000000000"), "mailNickname": "ann",
            "displayName": "Ann", "userPrincipalName": format!("ann{number}@contoso.com"),
            "createdDateTime": format!("200{number}-01-01T00:00:00Z")});
        world.simulator.with_tenant(|tenant| tenant.add_user(user).unwrap())
    };
    let home = |world: &World, id: &str| {
        world.values(id, "homeDirectory").into_iter().next().unwrap_or_default()
    };
    let (first, second) = (add(&world, 1), add(&world, 2));
    world.pass().await;
    assert_eq!(home(&world, &first), "/home/ann");
    assert_eq!(home(&world, &second), "/home/ann-00000002");
    // Who has one keeps it, whoever goes.
    world.simulator.with_tenant(|tenant| tenant.purge(&first).unwrap());
    world.pass().await;
    assert_eq!(home(&world, &second), "/home/ann-00000002");
    let third = add(&world, 3);
    world.pass().await;
    assert_eq!(home(&world, &third), "/home/ann");
    // And leaves it to others with another name.
    world.simulator.with_tenant(|tenant| {
        tenant.set(entraldap::simulator::Kind::User, &third, "mailNickname", "bea".into()).unwrap();
    });
    world.pass().await;
    let fourth = add(&world, 4);
    world.pass().await;
    assert_eq!([home(&world, &third), home(&world, &fourth)], ["/home/bea", "/home/ann"]);
    assert_eq!(home(&world, &second), "/home/ann-00000002");
}

#[tokio::test(start_paused = true)]
async fn the_select_of_graph_follows_the_mapping() {
    let mut world = World::hasty(Tenant::generate(4, 30), Knobs::default()).await;
    let user = world.simulator.with_tenant(|tenant| {
        let user = tenant.live(entraldap::simulator::Kind::User).next().unwrap().to_owned();
        let cost = serde_json::json!({"costCenter": "4711", "division": null});
        tenant.set(entraldap::simulator::Kind::User, &user, "employeeOrgData", cost).unwrap();
        user
    });
    world.pass().await;
    world.connection.mapping =
        mapping("[connection.mapping.user]\ncarLicense = \"employeeOrgData/costCenter\"");
    world.open();
    assert!(world.values(&user, "carLicense").is_empty(), "nothing is stored of it yet");
    world.simulator.forget_requests();
    world.pass().await;
    let asked = world.simulator.requests();
    let select =
        asked.iter().find(|request| request.uri.contains("/users/delta?$select=")).unwrap();
    assert!(select.uri.contains("employeeOrgData"), "{}", select.uri);
    assert_eq!(world.values(&user, "carLicense").into_iter().collect::<Vec<_>>(), ["4711"]);
    world.assert_equal();
}
