//! Who is served: rules and switches.

use crate::members::{id, office, user};
use crate::world::World;
use crate::world::index::Checker;
use entraldap::config::settings::{RuleAction, RuleSettings};
use entraldap::directory::filter::Filter;
use entraldap::directory::predicate::Predicate;
use entraldap::directory::schema;
use entraldap::simulator::{Kind, Knobs, Tenant};
use serde_json::json;

fn rule(filter: &str, action: RuleAction) -> RuleSettings {
    let parsed = Filter::parse(filter).unwrap();
    RuleSettings {
        text: "because".to_owned(),
        filter: filter.to_owned(),
        predicate: Predicate::bind(&parsed, schema::standard(), &|_| true),
        action,
    }
}

fn local(name: &str) -> RuleAction {
    RuleAction::Group(name.to_owned())
}

#[tokio::test(start_paused = true)]
async fn rules_decide_in_their_order_and_without_a_request() {
    let mut office = office(Knobs::default()).await;
    let world = &mut office.world;
    let before = world.served();
    world.simulator.forget_requests();
    world.connection.rules = vec![
        rule("(uid=ann@contoso.com)", RuleAction::Include),
        rule("(|(uid=ann@*)(uid=bob@*))", RuleAction::Exclude),
    ];
    world.open();
    assert!(world.dn(&id(0)).is_some(), "the first rule that fits decides");
    assert_eq!(world.dn(&id(1)), None);
    let members = world.values(&id(10), "member");
    assert_eq!(members.len(), 1, "groups do not tell of who is left out: {members:?}");
    let snapshot = world.snapshot();
    let number = snapshot.find(0, id(1).parse().unwrap()).unwrap().unwrap();
    let why = snapshot.left_out(number).unwrap().unwrap();
    assert_eq!(why, "rule 2, \"because\": (|(uid=ann@*)(uid=bob@*))");
    let record = world.last_record();
    assert_eq!((record.kind.as_str(), record.removed), ("derivation", 1));

    world.connection.rules.clear();
    world.open();
    assert_eq!(world.served().keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    assert_eq!(world.snapshot().left_out(number).unwrap(), None);
    assert_eq!(world.simulator.tally().total, 0);
    world.assert_equal();
}

#[tokio::test(start_paused = true)]
async fn rules_put_people_into_groups_that_are_served_like_any() {
    let mut office = office(Knobs::default()).await;
    office.world.connection.rules = vec![
        rule("(department=Sales)", local("All Sales")),
        rule("(memberOf=cn=Team,ou=groups,dc=contoso,dc=com)", local("Everybody of Team")),
    ];
    office.world.open();
    let mut checker = Checker::default();
    checker.check(&office.world.snapshot());
    let dn = |name: &str| format!("cn={name},ou=groups,dc=contoso,dc=com");
    let groups = |office: &crate::members::Office, number: u32| office.values(number, "memberOf");
    assert!(groups(&office, 0).contains(&dn("Everybody of Team")));
    assert!(!groups(&office, 2).contains(&dn("Everybody of Team")));

    office.change(|tenant| {
        tenant.set(Kind::User, &id(2), "department", "Sales".into()).unwrap();
        tenant.add_member(&id(10), &id(3)).unwrap();
    });
    office.world.pass().await;
    assert!(groups(&office, 2).contains(&dn("All Sales")));
    assert!(groups(&office, 3).contains(&dn("Everybody of Team")));
    checker.check(&office.world.snapshot());

    // A group that is renamed is another one to the rule.
    office.change(|tenant| {
        tenant.set(Kind::Group, &id(10), "displayName", "Crew".into()).unwrap();
        tenant.set(Kind::User, &id(2), "department", json!(null)).unwrap();
    });
    office.world.pass().await;
    assert!(!groups(&office, 0).contains(&dn("Everybody of Team")));
    assert!(!groups(&office, 2).contains(&dn("All Sales")));
    checker.check(&office.world.snapshot());
    office.world.try_pass(true).await.unwrap();
    let served = office.world.served();
    assert!(served.contains_key(&dn("All Sales")), "a full pass does not sweep it away");

    office.world.connection.rules.clear();
    office.world.open();
    office.world.assert_equal();
    checker.check(&office.world.snapshot());
}

#[tokio::test(start_paused = true)]
async fn rules_follow_memberships_through_groups() {
    let mut office = office(Knobs::default()).await;
    let chain = "(memberOf:1.2.840.113556.1.4.1941:=cn=List,ou=groups,dc=contoso,dc=com)";
    office.world.connection.rules =
        vec![rule(&format!("(&(objectClass=user)(!{chain}))"), RuleAction::Exclude)];
    office.world.open();
    assert!(office.world.dn(&id(0)).is_some() && office.world.dn(&id(1)).is_some());
    assert_eq!((office.world.dn(&id(2)), office.world.dn(&id(3))), (None, None));
    // The nested group leaves the list: who was in it only by that is no longer served.
    office.change(|tenant| {
        tenant.remove_member(&id(11), &id(10)).unwrap();
    });
    office.world.pass().await;
    assert!(office.world.dn(&id(0)).is_some());
    assert_eq!(office.world.dn(&id(1)), None);
    office.change(|tenant| {
        tenant.add_member(&id(11), &id(10)).unwrap();
        tenant.add_member(&id(10), &id(3)).unwrap();
    });
    office.world.pass().await;
    assert!(office.world.dn(&id(1)).is_some() && office.world.dn(&id(3)).is_some());
}

#[tokio::test(start_paused = true)]
async fn switches_leave_out_whole_kinds() {
    let mut tenant = Tenant::empty("contoso.com");
    let with = |number: u32, name: &str, more: serde_json::Value| {
        let mut user = user(number, name);
        user["assignedLicenses"] = json!([{"skuId": id(99), "disabledPlans": []}]);
        for (key, value) in more.as_object().unwrap() {
            user[key] = value.clone();
        }
        user
    };
    for user in [
        with(0, "ann", json!({})),
        with(1, "guest", json!({"userType": "Guest"})),
        with(2, "off", json!({"accountEnabled": false})),
        with(3, "free", json!({"assignedLicenses": []})),
        with(4, "mute", json!({"mail": null, "proxyAddresses": []})),
        with(
            5,
            "far",
            json!({"mail": "far@fabrikam.com", "proxyAddresses": ["SMTP:far@fabrikam.com"]}),
        ),
    ] {
        tenant.add_user(user).unwrap();
    }
    let group = |number: u32, mail: bool, security: bool, kinds: &[&str]| {
        json!({"id": id(number), "displayName": format!("g{number}"), "mailEnabled": mail,
               "securityEnabled": security, "groupTypes": kinds, "members": [id(0)]})
    };
    tenant.add_group(group(10, true, false, &[])).unwrap();
    tenant.add_group(group(11, true, true, &[])).unwrap();
    tenant.add_group(group(12, false, true, &[])).unwrap();
    tenant.add_group(group(13, true, false, &["Unified"])).unwrap();
    tenant
        .add_contact(json!({"id": id(20), "displayName": "P", "mail": "p@printer.example"}))
        .unwrap();
    let mut world = World::hasty(tenant, Knobs::default()).await;
    world.pass().await;
    world.assert_equal();
    type Switch = (u32, &'static str, fn(&mut entraldap::config::settings::IncludeSettings));
    let switches: [Switch; 8] = [
        (1, "guests = false", |s| s.guests = false),
        (2, "disabled = false", |s| s.disabled = false),
        (3, "unlicensed = false", |s| s.unlicensed = false),
        (4, "without_mail = false", |s| s.without_mail = false),
        (10, "distribution_lists = false", |s| s.distribution_lists = false),
        (11, "mail_security_groups = false", |s| s.mail_security_groups = false),
        (12, "security_groups = false", |s| s.security_groups = false),
        (13, "microsoft365_groups = false", |s| s.microsoft365_groups = false),
    ];
    for (number, why, switch) in switches {
        world.connection.include = Default::default();
        switch(&mut world.connection.include);
        world.open();
        let served: Vec<u32> = (0..=20).filter(|n| world.dn(&id(*n)).is_some()).collect();
        let all = [0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 20];
        let wanted: Vec<u32> = all.into_iter().filter(|other| *other != number).collect();
        assert_eq!(served, wanted, "{why}");
        let snapshot = world.snapshot();
        let number = snapshot.find(0, id(number).parse().unwrap()).unwrap().unwrap();
        assert_eq!(snapshot.left_out(number).unwrap().as_deref(), Some(why));
    }
    world.connection.include = Default::default();
    world.connection.include.domains = vec!["contoso.com".to_owned()];
    world.open();
    assert!(
        world.dn(&id(5)).is_none() && world.dn(&id(20)).is_none() && world.dn(&id(4)).is_some()
    );
    world.connection.include = Default::default();
    world.open();
    world.assert_equal();

    // Contacts are not copied at all when they are switched off.
    world.connection.sync.contacts = false;
    world.open();
    world.pass().await;
    assert_eq!(world.dn(&id(20)), None);
    world.connection.sync.contacts = true;
    world.open();
    world.pass().await;
    world.assert_equal();
}
