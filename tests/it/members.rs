//! The facts of Microsoft's delta queries, each from a change in the tenant to what is
//! served: deletions and restores, memberships, managers.

use crate::world::World;
use entraldap::simulator::{Action, Kind, Knobs, Rule, Target, Tenant};
use serde_json::{Value, json};
use std::collections::BTreeSet;

pub struct Office {
    pub world: World,
}

/// A tenant of a few people and lists with fixed ids, published.
pub async fn office(knobs: Knobs) -> Office {
    let mut tenant = Tenant::empty("contoso.com");
    for (number, name) in (0..).zip(["ann", "bob", "cyd", "dan"]) {
        tenant.add_user(user(number, name)).unwrap();
    }
    let group = |number: u32, name: &str, kind: Value, members: &[u32]| {
        let members: Vec<String> = members.iter().map(|m| id(*m)).collect();
        let mail = format!("{}@contoso.com", name.to_lowercase());
        json!({"id": id(number), "displayName": name, "mail": mail, "mailEnabled": true,
               "securityEnabled": false, "groupTypes": kind, "mailNickname": name.to_lowercase(),
               "proxyAddresses": [format!("SMTP:{mail}")],
               "createdDateTime": "2020-01-01T00:00:00Z", "members": members})
    };
    tenant.add_group(group(10, "Team", json!(["Unified"]), &[0, 1])).unwrap();
    tenant.add_group(group(11, "List", json!([]), &[0, 10])).unwrap();
    let contact = json!({"id": id(20), "displayName": "Printer", "mail": "p@printer.example"});
    tenant.add_contact(contact).unwrap();
    let world = World::hasty(tenant, knobs).await;
    world.pass().await;
    world.assert_equal();
    Office { world }
}

pub fn id(number: u32) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

pub fn user(number: u32, name: &str) -> Value {
    json!({"id": id(number), "displayName": name, "userPrincipalName": format!("{name}@contoso.com"),
           "mail": format!("{name}@contoso.com"), "mailNickname": name, "accountEnabled": true,
           "userType": "Member", "proxyAddresses": [format!("SMTP:{name}@contoso.com")],
           "createdDateTime": format!("2020-01-0{}T00:00:00Z", number % 9 + 1)})
}

impl Office {
    pub fn change(&self, work: impl FnOnce(&mut Tenant)) {
        self.world.simulator.with_tenant(work);
    }

    /// A pass that leads to the tenant's state.
    pub async fn follow(&self) {
        self.world.pass().await;
        self.world.assert_equal();
    }

    pub fn dn(&self, number: u32) -> String {
        self.world.dn(&id(number)).unwrap()
    }

    pub fn values(&self, number: u32, attribute: &str) -> BTreeSet<String> {
        self.world.values(&id(number), attribute)
    }

    fn assert_members(&self, group: u32, members: &[u32]) {
        let wanted: BTreeSet<String> = members.iter().map(|m| self.dn(*m)).collect();
        assert_eq!(self.values(group, "member"), wanted);
    }
}

#[tokio::test(start_paused = true)]
async fn a_restored_user_comes_back_with_all_memberships() {
    let office = office(Knobs::default()).await;
    let before = office.values(0, "memberOf");
    assert_eq!(before.len(), 2);
    office.change(|tenant| tenant.soft_delete(&id(0)).unwrap());
    office.follow().await;
    assert_eq!(office.world.dn(&id(0)), None);
    office.assert_members(10, &[1]);
    office.change(|tenant| tenant.restore(&id(0)).unwrap());
    office.follow().await;
    assert_eq!(office.values(0, "memberOf"), before);
    office.change(|tenant| tenant.purge(&id(0)).unwrap());
    office.follow().await;
    office.assert_members(10, &[1]);
}

#[tokio::test(start_paused = true)]
async fn a_membership_that_ends_takes_nobody_away() {
    let office = office(Knobs::default()).await;
    office.change(|tenant| assert!(tenant.remove_member(&id(10), &id(1)).unwrap()));
    office.follow().await;
    assert!(office.world.dn(&id(1)).is_some());
    office.assert_members(10, &[0]);
}

/// With and without a service that sends the members of a restored group again.
#[tokio::test(start_paused = true)]
async fn a_restored_group_has_the_members_that_it_has_now() {
    for sends in [true, false] {
        let knobs = Knobs { restored_group_sends_members: sends, ..Knobs::default() };
        let office = office(knobs).await;
        // The removal is swallowed by the deletion: nobody ever tells it.
        office.change(|tenant| {
            tenant.add_member(&id(10), &id(2)).unwrap();
            tenant.remove_member(&id(10), &id(1)).unwrap();
            tenant.soft_delete(&id(10)).unwrap();
        });
        office.follow().await;
        assert_eq!(office.world.dn(&id(10)), None);
        assert_eq!(office.values(0, "memberOf").len(), 1);
        office.change(|tenant| tenant.restore(&id(10)).unwrap());
        office.follow().await;
        office.assert_members(10, &[0, 2]);
    }
}

/// The list that is read for a restored group names nobody in the bin.
#[tokio::test(start_paused = true)]
async fn a_member_in_the_bin_keeps_the_place_in_a_restored_group() {
    for sends in [true, false] {
        let knobs = Knobs { restored_group_sends_members: sends, ..Knobs::default() };
        let office = office(knobs).await;
        office.change(|tenant| {
            tenant.soft_delete(&id(1)).unwrap();
            tenant.soft_delete(&id(10)).unwrap();
        });
        office.follow().await;
        office.change(|tenant| tenant.restore(&id(10)).unwrap());
        office.follow().await;
        office.assert_members(10, &[0]);
        office.change(|tenant| tenant.restore(&id(1)).unwrap());
        office.follow().await;
        office.assert_members(10, &[0, 1]);
    }
}

/// A group goes to the bin and comes back while everything is enumerated.
#[tokio::test(start_paused = true)]
async fn a_group_that_blinks_in_an_enumeration_keeps_its_members() {
    let knobs = Knobs {
        restored_group_sends_members: false,
        page_objects: 1,
        page_links: 1,
        member_slices: 2,
        ..Knobs::default()
    };
    for pages in 1..9 {
        let office = office(knobs.clone()).await;
        let simulator = &office.world.simulator;
        simulator.forget_requests();
        let blink = async {
            for (at, deleted) in [(pages, true), (pages + 1, false)] {
                while simulator.tally().groups_delta < at {
                    tokio::task::yield_now().await;
                }
                office.change(|tenant| match deleted {
                    true => tenant.soft_delete(&id(10)).unwrap(),
                    false => tenant.restore(&id(10)).unwrap(),
                });
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            outcome = office.world.try_pass(true) => drop(outcome.map_err(|(_, e)| e).unwrap()),
            () = blink => {}
        }
        // The pass may have ended before the group came back.
        office.change(|tenant| drop(tenant.restore(&id(10))));
        office.follow().await;
        office.assert_members(10, &[0, 1]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_member_list_that_cannot_be_read_stops_nothing() {
    let office = office(Knobs::default()).await;
    office
        .world
        .simulator
        .faults()
        .add(Rule::new(Action::BadRequest).on(Target::Graph).path("/members"));
    office.change(|tenant| {
        let group = json!({"id": id(12), "displayName": "New", "members": [id(2)]});
        tenant.add_group(group).unwrap();
    });
    let record = office.world.pass().await;
    assert!(record.warnings.iter().any(|warning| warning.contains(&id(12))));
    office.world.assert_equal();
    office.assert_members(12, &[2]);
}

#[tokio::test(start_paused = true)]
async fn a_disabled_user_stays_with_the_address() {
    let office = office(Knobs::default()).await;
    office.change(|tenant| {
        tenant.set(Kind::User, &id(1), "accountEnabled", false.into()).unwrap();
    });
    office.follow().await;
    assert_eq!(office.values(1, "userAccountControl"), BTreeSet::from(["514".to_owned()]));
    assert_eq!(office.values(1, "mail"), BTreeSet::from(["bob@contoso.com".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn a_lost_licence_moves_the_address() {
    let office = office(Knobs::default()).await;
    let moved = "bob@contoso.onmicrosoft.com";
    office.change(|tenant| {
        let proxies = json!([format!("SMTP:{moved}")]);
        tenant.set(Kind::User, &id(1), "assignedLicenses", json!([])).unwrap();
        tenant.set(Kind::User, &id(1), "proxyAddresses", proxies).unwrap();
        tenant.set(Kind::User, &id(1), "mail", moved.into()).unwrap();
    });
    office.follow().await;
    assert_eq!(office.values(1, "mail"), BTreeSet::from([moved.to_owned()]));
    assert_eq!(office.values(1, "proxyAddresses").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_alias_changes_hands_in_one_pass() {
    let office = office(Knobs::default()).await;
    let alias = |number| office.values(number, "proxyAddresses").contains("smtp:info@contoso.com");
    office.change(|tenant| {
        let proxies = json!(["SMTP:ann@contoso.com", "smtp:info@contoso.com"]);
        tenant.set(Kind::User, &id(0), "proxyAddresses", proxies).unwrap();
    });
    office.follow().await;
    assert!(alias(0) && !alias(1));
    office.change(|tenant| tenant.swap_alias(&id(0), &id(1), "info@contoso.com").unwrap());
    office.follow().await;
    assert!(!alias(0) && alias(1));
    // From a user to a group, which is another stream.
    office.change(|tenant| tenant.swap_alias(&id(1), &id(11), "info@contoso.com").unwrap());
    office.follow().await;
    assert!(!alias(1) && alias(11));
}

#[tokio::test(start_paused = true)]
async fn managers_come_change_and_go() {
    let office = office(Knobs::default()).await;
    let manager = |number| office.values(number, "manager");
    for boss in [Some(1), Some(2), None, Some(1)] {
        office.change(|tenant| {
            let boss = boss.map(id);
            tenant.set_manager(&id(0), boss.as_deref()).unwrap();
        });
        office.follow().await;
        let wanted: BTreeSet<String> = boss.map(|boss| office.dn(boss)).into_iter().collect();
        assert_eq!(manager(0), wanted);
        for other in [1, 2] {
            let reports = office.values(other, "directReports");
            assert_eq!(reports.len(), usize::from(boss == Some(other)));
        }
    }
    office.change(|tenant| tenant.soft_delete(&id(1)).unwrap());
    office.follow().await;
    assert!(manager(0).is_empty());
    office.change(|tenant| tenant.restore(&id(1)).unwrap());
    office.follow().await;
    assert_eq!(manager(0), BTreeSet::from([office.dn(1)]));
    office.change(|tenant| tenant.purge(&id(1)).unwrap());
    office.follow().await;
    assert!(manager(0).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_member_may_be_named_before_it_is_there() {
    let office = office(Knobs::default()).await;
    office.change(|tenant| assert!(tenant.add_member(&id(10), &id(7)).unwrap()));
    office.follow().await;
    office.assert_members(10, &[0, 1]);
    office.change(|tenant| drop(tenant.add_user(user(7, "eve")).unwrap()));
    office.follow().await;
    office.assert_members(10, &[0, 1, 7]);
    assert_eq!(office.values(7, "memberOf").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn groups_nest_and_run_in_circles() {
    let office = office(Knobs::default()).await;
    office.change(|tenant| {
        tenant.add_member(&id(10), &id(11)).unwrap();
        tenant.add_member(&id(10), &id(10)).unwrap();
    });
    office.follow().await;
    office.assert_members(10, &[0, 1, 10, 11]);
    crate::world::index::Checker::default().check(&office.world.snapshot());
    office.change(|tenant| tenant.soft_delete(&id(11)).unwrap());
    office.follow().await;
    office.assert_members(10, &[0, 1, 10]);
}

#[tokio::test(start_paused = true)]
async fn a_deletion_of_somebody_never_seen_is_nothing() {
    let office = office(Knobs::default()).await;
    office.change(|tenant| {
        for number in [7, 8] {
            tenant.add_user(user(number, "eve")).unwrap();
            tenant.purge(&id(number)).unwrap();
        }
    });
    let record = office.world.pass().await;
    assert_eq!((record.added, record.changed, record.removed), (0, 0, 0));
    office.world.assert_equal();
}

/// Ids are unique over kinds; should an object ever change its kind, the later word counts.
#[tokio::test(start_paused = true)]
async fn an_object_that_turns_up_in_another_stream_moves() {
    let office = office(Knobs::default()).await;
    let world = &office.world;
    let link = format!("{}/v1.0/contacts/delta?$deltatoken=other", world.simulator.base_url());
    let page = |value: Value| {
        let body = json!({"value": [value], "@odata.deltaLink": link});
        Rule::new(Action::Raw(200, Vec::new(), body.to_string())).on(Target::DeltaOf(Kind::Contact))
    };
    let moved = json!({"id": id(1), "displayName": "Bob", "mail": "bob@elsewhere.example"});
    let rule = world.simulator.faults().add(page(moved));
    let record = world.pass().await;
    assert_eq!((record.entries["users"], record.entries["contacts"]), (3, 2));
    assert!(office.dn(1).contains("ou=contacts"));
    let mut checker = crate::world::index::Checker::default();
    checker.check(&world.snapshot());
    world.simulator.faults().remove(rule);
    // Its own stream has it as before, and an enumeration puts everything right.
    world.simulator.faults().lose_state(entraldap::simulator::StateLoss::Gone);
    let record = world.try_pass(true).await.map_err(|(_, error)| error).unwrap();
    assert_eq!((record.entries["users"], record.entries["contacts"]), (4, 1));
    checker.check(&world.snapshot());
    world.assert_equal();
}
