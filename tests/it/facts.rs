//! How Graph tells of changes, end to end: the facts that shape the engine.

use crate::world::World;
use crate::world::index::Checker;
use entraldap::simulator::{Kind, Knobs, Options, Tenant, life};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A group with two members, its id and theirs.
fn group_of_two(tenant: &mut Tenant) -> (String, String, String) {
    let users: Vec<String> = tenant.live(Kind::User).take(2).map(str::to_owned).collect();
    let group = json!({ "displayName": "Two", "mail": "two@contoso.com", "mailEnabled": true,
        "securityEnabled": false, "groupTypes": ["Unified"], "proxyAddresses": ["SMTP:two@contoso.com"],
        "members": users });
    let id = tenant.add_group(group).unwrap();
    (id, users[0].clone(), users[1].clone())
}

fn rename(tenant: &mut Tenant, id: &str, name: &str) {
    tenant.set(Kind::Group, id, "displayName", json!(name)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_user_is_a_member_again() {
    let mut tenant = Tenant::generate(3, 60);
    let (group, user, _) = group_of_two(&mut tenant);
    let world = World::new(tenant).await;
    world.pass().await;
    let before = world.values(&group, "member");
    assert_eq!(before.len(), 2);
    world.simulator.with_tenant(|tenant| tenant.soft_delete(&user).unwrap());
    world.pass().await;
    assert_eq!(world.dn(&user), None);
    assert_eq!(world.values(&group, "member").len(), 1);
    world.simulator.with_tenant(|tenant| tenant.restore(&user).unwrap());
    world.pass().await;
    assert_eq!(world.values(&group, "member"), before);
    assert!(world.values(&user, "memberOf").contains(&world.dn(&group).unwrap()));
    world.simulator.with_tenant(|tenant| {
        tenant.soft_delete(&user).unwrap();
        tenant.purge(&user).unwrap();
    });
    world.pass().await;
    assert_eq!(world.values(&group, "member").len(), 1);
    world.assert_equal();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_group_has_the_members_that_the_tenant_says() {
    for told in [true, false] {
        let mut tenant = Tenant::generate(4, 60);
        let (group, user, _) = group_of_two(&mut tenant);
        let knobs = Knobs { restored_group_sends_members: told, ..Knobs::default() };
        let world = World::with(tenant, Options { knobs, ..crate::world::options() }).await;
        world.pass().await;
        world.simulator.with_tenant(|tenant| {
            tenant.remove_member(&group, &user).unwrap();
            tenant.soft_delete(&group).unwrap();
        });
        world.pass().await;
        assert_eq!(world.dn(&group), None);
        world.simulator.with_tenant(|tenant| tenant.restore(&group).unwrap());
        world.pass().await;
        assert_eq!(world.values(&group, "member").len(), 1, "members told: {told}");
        world.assert_equal();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_person_keeps_mail_and_name() {
    let tenant = Tenant::generate(5, 60);
    let user = tenant.live(Kind::User).next().unwrap().to_owned();
    let world = World::new(tenant).await;
    world.pass().await;
    let (dn, mail) = (world.dn(&user), world.values(&user, "mail"));
    world
        .simulator
        .with_tenant(|t| t.set(Kind::User, &user, "accountEnabled", Value::Bool(false)).unwrap());
    world.pass().await;
    assert_eq!(world.values(&user, "userAccountControl"), BTreeSet::from(["514".to_owned()]));
    assert_eq!((world.dn(&user), world.values(&user, "mail")), (dn, mail));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fax_number_reaches_the_printers() {
    let mut tenant = Tenant::generate(5, 60);
    let user = json!({ "displayName": "Fay", "userPrincipalName": "fay@contoso.com",
        "faxNumber": "+47 22 00 00 09" });
    let id = tenant.add_user(user).unwrap();
    let world = World::new(tenant).await;
    world.pass().await;
    let expected = BTreeSet::from(["+47 22 00 00 09".to_owned()]);
    assert_eq!(world.values(&id, "facsimileTelephoneNumber"), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_swap_an_alias_within_one_pass() {
    let mut tenant = Tenant::generate(6, 60);
    let add = |tenant: &mut Tenant, name: &str| {
        let (mail, alias) =
            (format!("SMTP:{name}@contoso.com"), format!("smtp:{name}.alias@contoso.com"));
        let user = json!({ "displayName": name, "userPrincipalName": format!("{name}@contoso.com"),
            "mail": format!("{name}@contoso.com"), "proxyAddresses": [mail, alias] });
        tenant.add_user(user).unwrap()
    };
    let (one, two) = (add(&mut tenant, "swap.one"), add(&mut tenant, "swap.two"));
    let world = World::new(tenant).await;
    world.pass().await;
    world.simulator.with_tenant(|tenant| {
        tenant.swap_alias(&one, &two, "smtp:swap.one.alias@contoso.com").unwrap();
        tenant.swap_alias(&two, &one, "smtp:swap.two.alias@contoso.com").unwrap();
    });
    world.pass().await;
    assert!(world.values(&one, "proxyAddresses").contains("smtp:swap.two.alias@contoso.com"));
    assert!(world.values(&two, "proxyAddresses").contains("smtp:swap.one.alias@contoso.com"));
    world.assert_equal();
    Checker::default().check(&world.snapshot());
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_unique_and_stable_through_a_chain_of_renames() {
    let mut tenant = Tenant::generate(7, 40);
    let add = |tenant: &mut Tenant, name: &str, created: &str| {
        let group = json!({ "displayName": name, "createdDateTime": created, "mailEnabled": true,
            "securityEnabled": false, "groupTypes": [] });
        tenant.add_group(group).unwrap()
    };
    let young = add(&mut tenant, "Chain A", "2024-01-01T00:00:00Z");
    let old = add(&mut tenant, "chain  a", "2020-01-01T00:00:00Z");
    let other = add(&mut tenant, "Chain B", "2021-01-01T00:00:00Z");
    let world = World::new(tenant).await;
    world.pass().await;
    let suffixed = format!("cn=Chain A ({}),ou=groups,dc=contoso,dc=com", &young[..8]);
    assert_eq!(world.dn(&old).unwrap(), "cn=chain  a,ou=groups,dc=contoso,dc=com");
    assert_eq!(world.dn(&young).unwrap(), suffixed);
    // A takes B's name while B takes C's, all in one pass.
    world.simulator.with_tenant(|tenant| {
        rename(tenant, &old, "Chain B");
        rename(tenant, &other, "Chain C");
    });
    world.pass().await;
    assert_eq!(world.dn(&old).unwrap(), "cn=Chain B,ou=groups,dc=contoso,dc=com");
    assert_eq!(world.dn(&other).unwrap(), "cn=Chain C,ou=groups,dc=contoso,dc=com");
    // The name is free now, yet nobody's DN moves without need.
    assert_eq!(world.dn(&young).unwrap(), suffixed);
    Checker::default().check(&world.snapshot());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_group_is_renamed_in_its_members() {
    let mut tenant = Tenant::generate(8, 60);
    let (group, user, _) = group_of_two(&mut tenant);
    let world = World::new(tenant).await;
    world.pass().await;
    world.simulator.with_tenant(|tenant| rename(tenant, &group, "Three, \"quoted\""));
    let record = world.pass().await;
    assert_eq!(record.changed, 3, "the group and its two members");
    assert!(world.values(&user, "memberOf").contains(&world.dn(&group).unwrap()));
    world.assert_equal();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_index_agrees_with_the_entries_after_a_long_history() {
    let world = World::new(Tenant::generate(9, 120)).await;
    let mut checker = Checker::default();
    world.pass().await;
    checker.check(&world.snapshot());
    for round in 0..6 {
        world.simulator.with_tenant(|tenant| life::changes(tenant, 100 + round, 60));
        match round % 3 {
            2 => drop(world.try_pass(true).await.map_err(|(_, error)| error).unwrap()),
            _ => drop(world.pass().await),
        }
        world.assert_equal();
        checker.check(&world.snapshot());
    }
}
