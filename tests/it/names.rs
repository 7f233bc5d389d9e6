//! Who is called what: names are unique and stable, and the same everywhere.

use crate::members::{id, office, user};
use entraldap::simulator::{Kind, Knobs};
use serde_json::json;

fn rename(tenant: &mut entraldap::simulator::Tenant, kind: Kind, number: u32, name: &str) {
    let property = if kind == Kind::User { "userPrincipalName" } else { "displayName" };
    tenant.set(kind, &id(number), property, name.into()).unwrap();
}

fn suffix(number: u32) -> String {
    format!(" ({})", &id(number)[..8])
}

#[tokio::test(start_paused = true)]
async fn the_one_that_was_there_first_keeps_the_name() {
    let office = office(Knobs::default()).await;
    // The newcomer is the older object: that does not count any more.
    office.change(|tenant| {
        let group = json!({"id": id(13), "displayName": "Team",
                           "createdDateTime": "1999-01-01T00:00:00Z"});
        tenant.add_group(group).unwrap();
    });
    office.follow().await;
    assert_eq!(office.dn(10), "cn=Team,ou=groups,dc=contoso,dc=com");
    let second = format!("cn=Team{},ou=groups,dc=contoso,dc=com", suffix(13));
    assert_eq!(office.dn(13), second);
    // The first one leaves, and the other is called as before.
    office.change(|tenant| tenant.purge(&id(10)).unwrap());
    office.follow().await;
    assert_eq!(office.dn(13), second);
    // A later one may have the name that is free.
    office.change(|tenant| {
        tenant.add_group(json!({"id": id(14), "displayName": "Team"})).unwrap();
    });
    office.follow().await;
    assert_eq!(office.dn(14), "cn=Team,ou=groups,dc=contoso,dc=com");
    assert_eq!(office.dn(13), second);
}

#[tokio::test(start_paused = true)]
async fn of_two_newcomers_the_older_gets_the_name() {
    let office = office(Knobs::default()).await;
    office.change(|tenant| {
        for (number, year) in [(15, 2022), (16, 2021), (17, 2021)] {
            let created = format!("{year}-01-01T00:00:00Z");
            let group =
                json!({"id": id(number), "displayName": "Twins", "createdDateTime": created});
            tenant.add_group(group).unwrap();
        }
    });
    office.follow().await;
    assert_eq!(office.dn(16), "cn=Twins,ou=groups,dc=contoso,dc=com");
    assert_ne!(office.dn(15), office.dn(16));
}

#[tokio::test(start_paused = true)]
async fn a_chain_of_renames_in_one_pass_frees_each_name_for_the_next() {
    let office = office(Knobs::default()).await;
    let dn = |name: &str| format!("uid={name}@contoso.com,ou=users,dc=contoso,dc=com");
    office.change(|tenant| {
        rename(tenant, Kind::User, 2, "new@contoso.com");
        rename(tenant, Kind::User, 1, "cyd@contoso.com");
        rename(tenant, Kind::User, 0, "bob@contoso.com");
    });
    office.follow().await;
    assert_eq!([0, 1, 2].map(|n| office.dn(n)), ["bob", "cyd", "new"].map(dn));
    // And in a ring.
    office.change(|tenant| {
        rename(tenant, Kind::User, 0, "tmp@contoso.com");
        rename(tenant, Kind::User, 1, "bob@contoso.com");
        rename(tenant, Kind::User, 0, "cyd@contoso.com");
    });
    office.follow().await;
    assert_eq!([0, 1, 2].map(|n| office.dn(n)), ["cyd", "bob", "new"].map(dn));
}

#[tokio::test(start_paused = true)]
async fn a_rename_shows_in_every_member_member_of_and_manager() {
    let office = office(Knobs::default()).await;
    office.change(|tenant| {
        tenant.set_manager(&id(3), Some(&id(0))).unwrap();
        rename(tenant, Kind::Group, 10, "Crew, \"the\" <best>");
        rename(tenant, Kind::User, 0, "ann.berg@contoso.com");
    });
    office.follow().await;
    for member in [0, 1] {
        assert!(office.values(member, "memberOf").contains(&office.dn(10)));
    }
    assert!(office.values(11, "member").contains(&office.dn(10)));
    assert!(office.values(10, "member").contains(&office.dn(0)));
    assert!(office.values(3, "manager").contains(&office.dn(0)));
    crate::world::index::Checker::default().check(&office.world.snapshot());
}

#[tokio::test(start_paused = true)]
async fn names_differ_only_in_case_or_spaces() {
    let office = office(Knobs::default()).await;
    office.change(|tenant| {
        for (number, name) in [(15, "TEAM"), (16, " team "), (17, "Te\u{ad}am"), (18, "")] {
            tenant.add_group(json!({"id": id(number), "displayName": name})).unwrap();
        }
    });
    office.follow().await;
    crate::world::index::Checker::default().check(&office.world.snapshot());
}

#[tokio::test(start_paused = true)]
async fn a_restored_object_gets_its_name_back_or_a_suffix() {
    let office = office(Knobs::default()).await;
    let before = office.dn(0);
    office.change(|tenant| tenant.soft_delete(&id(0)).unwrap());
    office.follow().await;
    office.change(|tenant| tenant.restore(&id(0)).unwrap());
    office.follow().await;
    assert_eq!(office.dn(0), before);
    office.change(|tenant| {
        tenant.soft_delete(&id(0)).unwrap();
        tenant.add_user(user(8, "ann")).unwrap();
    });
    office.follow().await;
    assert_eq!(office.dn(8), before);
    office.change(|tenant| tenant.restore(&id(0)).unwrap());
    office.follow().await;
    assert_ne!(office.dn(0), before);
    assert_eq!(office.dn(8), before);
}
