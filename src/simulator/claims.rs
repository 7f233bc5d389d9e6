//! The ten facts that shape every client, and what else is promised about delta, each as a test.

mod links;
mod members;

use std::time::Duration;

use serde_json::{Value, json};

use super::knobs::{Knobs, Lateness, Reason, SelectOnLink, Spelling, StateLoss};
use super::object::Kind;
use super::replica::{Office, first_link};
use super::tenant::Tenant;

fn small() -> Tenant {
    let mut tenant = Tenant::empty("contoso.com");
    tenant.loading = true;
    for id in ["u1", "u2", "u3"] {
        let mail = format!("{id}@contoso.com");
        tenant
            .add_user(json!({"id": id, "displayName": id, "userPrincipalName": mail, "mail": mail,
                             "proxyAddresses": [format!("SMTP:{mail}")], "accountEnabled": true}))
            .unwrap();
    }
    tenant.add_group(json!({"id": "list", "displayName": "List", "groupTypes": [], "mailEnabled": true, "securityEnabled": false, "members": ["u1", "u2", "ghost"]})).unwrap();
    tenant.add_group(json!({"id": "team", "displayName": "Team", "groupTypes": ["Unified"], "members": ["u1", "list"]})).unwrap();
    tenant.add_group(json!({"id": "hidden", "displayName": "Hidden", "groupTypes": ["Unified"], "visibility": "HiddenMembership", "members": ["u3"]})).unwrap();
    tenant.add_group(json!({"id": "empty", "displayName": "Empty", "groupTypes": []})).unwrap();
    tenant.add_contact(json!({"id": "c1", "displayName": "Contact"})).unwrap();
    tenant.loading = false;
    tenant
}

fn office() -> Office {
    Office::new(small(), Knobs::default())
}

fn with(change: impl FnOnce(&mut Knobs)) -> Office {
    let mut knobs = Knobs::default();
    change(&mut knobs);
    Office::new(small(), knobs)
}

fn removed(reason: &str) -> Value {
    json!({"reason": reason})
}

fn code(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["error"]["code"].as_str().unwrap_or_default())
}

#[test]
fn an_object_is_removed_as_changed_when_it_can_be_restored_and_as_deleted_when_not() {
    let office = office();
    let (users, groups) = (office.first(Kind::User), office.first(Kind::Group));
    for id in ["u1", "team", "list"] {
        office.tenant(|tenant| tenant.soft_delete(id).unwrap());
    }
    let round = office.next(&users.link);
    assert_eq!(round.about("u1"), [&json!({"id": "u1", "@removed": {"reason": "changed"}})]);
    let groups = office.next(&groups.link);
    assert_eq!(groups.about("team")[0]["@removed"], removed("changed"));
    assert_eq!(groups.about("list")[0]["@removed"], removed("deleted"));
    office.tenant(|tenant| tenant.purge("u1").unwrap());
    assert_eq!(office.next(&round.link).about("u1")[0]["@removed"], removed("deleted"));
}

// Fact 3
#[test]
fn never_set_is_absent_and_cleared_is_null() {
    let office = office();
    let users = office.first(Kind::User);
    assert!(users.about("u1")[0].get("officeLocation").is_none());
    office.tenant(|tenant| tenant.set(Kind::User, "u1", "officeLocation", "1/2".into()).unwrap());
    office.tenant(|tenant| tenant.set(Kind::User, "u1", "officeLocation", Value::Null).unwrap());
    let round = office.next(&users.link);
    assert_eq!(round.about("u1")[0].get("officeLocation"), Some(&Value::Null));
}

#[test]
fn an_ordinary_round_sends_unchanged_properties_too_and_a_minimal_one_only_what_changed() {
    let office = office();
    let users = office.first(Kind::User);
    office.tenant(|tenant| tenant.set(Kind::User, "u1", "displayName", "New".into()).unwrap());
    let round = office.next(&users.link);
    assert_eq!(round.about("u1")[0]["mail"], "u1@contoso.com");
    let round = office.round(&users.link, true, |_| {});
    assert_eq!(round.about("u1"), [&json!({"id": "u1", "displayName": "New"})]);
}

// Fact 4
#[test]
fn an_empty_page_may_continue() {
    let office = with(|knobs| knobs.empty_page_every = 2);
    let round = office.round(&first_link(Kind::User), false, |_| {});
    assert_eq!(round.items().len(), 3);
    let office = with(|knobs| {
        knobs.page_objects = 1;
        knobs.empty_page_every = 2;
    });
    let round = office.first(Kind::User);
    assert_eq!(round.pages.iter().map(Vec::len).collect::<Vec<_>>(), [1, 0, 1, 0, 1]);
}

// Fact 5
#[test]
fn an_object_may_come_many_times_in_one_round() {
    let office = with(|knobs| {
        knobs.page_objects = 1;
        knobs.repeat_every = 1;
        knobs.copies = 2;
    });
    let round = office.first(Kind::User);
    assert!(round.about("u1").len() > 2);
    assert_eq!(round.about("u1").first(), round.about("u1").last());
}

// Fact 7
#[test]
fn removals_may_appear_in_the_first_round() {
    let mut tenant = small();
    tenant.soft_delete("u2").unwrap();
    let office = Office::new(tenant, Knobs { removed_in_initial: true, ..Knobs::default() });
    let round = office.first(Kind::User);
    assert_eq!(round.about("u2")[0]["@removed"], removed("changed"));
    assert!(
        round.items().iter().any(|item| item["@removed"]["reason"] == "deleted"),
        "a never seen id"
    );
    let groups = office.first(Kind::Group);
    let members = groups.about("list")[0]["members@delta"].as_array().unwrap();
    assert!(members.iter().any(|member| member.get("@removed").is_some()));
}

#[test]
fn a_round_without_changes_is_empty_and_its_link_still_new() {
    let office = office();
    let first = office.first(Kind::Contact);
    let second = office.next(&first.link);
    assert!(second.items().is_empty());
    assert_ne!(first.link, second.link);
}

#[test]
fn a_change_outside_the_selection_does_not_surface_the_object() {
    let office = office();
    let users = office.first(Kind::User);
    office
        .tenant(|tenant| tenant.set(Kind::User, "u1", "passwordPolicies", "None".into()).unwrap());
    assert!(office.next(&users.link).items().is_empty());
}

#[test]
fn a_filter_by_id_keeps_to_its_ids() {
    let office = office();
    let round = office.round(
        "/v1.0/users/delta?$select=mail&$filter=id eq 'u2' or id eq 'nobody'",
        false,
        |_| {},
    );
    assert_eq!(round.items().len(), 1);
    office.tenant(|tenant| {
        tenant.set(Kind::User, "u1", "mail", Value::Null).unwrap();
        tenant.set(Kind::User, "u2", "mail", Value::Null).unwrap();
    });
    assert_eq!(office.next(&round.link).items().len(), 1);
}

#[test]
fn managers_come_as_an_array_only_when_they_change() {
    let office = office();
    office.tenant(|tenant| tenant.set_manager("u1", Some("u2")).unwrap());
    let link = office.first(Kind::User).link;
    office.tenant(|tenant| tenant.set(Kind::User, "u1", "displayName", "N".into()).unwrap());
    let round = office.next(&link);
    assert!(round.about("u1")[0].get("manager@delta").is_none());
    office.tenant(|tenant| tenant.set_manager("u1", None).unwrap());
    let round = office.next(&round.link);
    assert_eq!(round.about("u1")[0]["manager@delta"][0]["@removed"], removed("deleted"));
    office.tenant(|tenant| tenant.set_manager("u1", Some("u3")).unwrap());
    let round = office.next(&round.link);
    assert_eq!(
        round.about("u1")[0]["manager@delta"],
        json!([{"@odata.type": "#microsoft.graph.user", "id": "u3"}])
    );
}

#[test]
fn the_reason_of_a_removed_contact_is_a_switch() {
    for reason in [Reason::Changed, Reason::Deleted] {
        let office = with(|knobs| knobs.contact_reason = reason);
        let link = office.first(Kind::Contact).link;
        office.tenant(|tenant| tenant.delete_contact("c1").unwrap());
        assert_eq!(office.next(&link).about("c1")[0]["@removed"], removed(reason.text()));
    }
}

#[test]
fn an_alias_moves_from_one_person_to_another() {
    let office = office();
    let link = office.first(Kind::User).link;
    office.tenant(|tenant| {
        tenant
            .set(
                Kind::User,
                "u1",
                "proxyAddresses",
                json!(["SMTP:u1@contoso.com", "smtp:Info@contoso.com"]),
            )
            .unwrap();
        tenant.swap_alias("u1", "u2", "smtp:info@contoso.com").unwrap();
    });
    let round = office.next(&link);
    assert_eq!(round.about("u1")[0]["proxyAddresses"], json!(["SMTP:u1@contoso.com"]));
    assert_eq!(
        round.about("u2")[0]["proxyAddresses"],
        json!(["SMTP:u2@contoso.com", "smtp:info@contoso.com"])
    );
}

#[test]
fn a_change_during_an_enumeration_comes_in_it_or_in_the_next_round() {
    for catch_up in [true, false] {
        let office = with(|knobs| {
            knobs.page_objects = 1;
            knobs.catch_up = catch_up;
        });
        let mut first = true;
        let round = office.round(&first_link(Kind::User), false, |office| {
            if std::mem::take(&mut first) {
                office.tenant(|tenant| tenant.soft_delete("u1").unwrap());
            }
        });
        let told = |round: &super::replica::Round| {
            round.about("u1").iter().any(|item| item.get("@removed").is_some())
        };
        assert_eq!(told(&round), catch_up);
        assert_eq!(told(&office.next(&round.link)), !catch_up);
    }
}

#[test]
fn a_page_of_a_large_tenant_costs_what_it_holds() {
    let office = Office::new(Tenant::generate(2, 3000), Knobs::default());
    let round = office.first(Kind::Group);
    for page in &round.pages {
        let links: usize =
            page.iter().filter_map(|item| item["members@delta"].as_array()).map(Vec::len).sum();
        assert!(page.len() <= 200 && links <= 500);
    }
    assert!(office.first(Kind::User).pages.iter().all(|page| page.len() <= 200));
}
