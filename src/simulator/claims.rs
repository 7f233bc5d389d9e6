//! The ten facts that shape every client, and what else is promised about delta, each as a test.

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

// Fact 1
#[test]
fn leaving_a_group_is_reported_as_deleted_although_the_user_lives() {
    let office = office();
    let (users, groups) = (office.first(Kind::User), office.first(Kind::Group));
    office.tenant(|tenant| tenant.remove_member("list", "u1").unwrap());
    let round = office.next(&groups.link);
    let list = round.about("list");
    assert_eq!(
        list[0]["members@delta"],
        json!([{"@odata.type": "#microsoft.graph.user", "id": "u1", "@removed": {"reason": "deleted"}}])
    );
    assert!(office.next(&users.link).items().is_empty());
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

// Fact 2
#[test]
fn soft_deleting_a_user_does_not_produce_member_removals() {
    let office = office();
    let groups = office.first(Kind::Group);
    office.tenant(|tenant| tenant.soft_delete("u1").unwrap());
    let round = office.next(&groups.link);
    assert!(round.items().is_empty());
    office.tenant(|tenant| tenant.restore("u1").unwrap());
    let round = office.next(&round.link);
    assert!(round.items().is_empty());
    assert!(office.tenant(|tenant| tenant.members("list").contains(&"u1")));
    office.tenant(|tenant| tenant.purge("u1").unwrap());
    let round = office.next(&round.link);
    assert_eq!(round.about("list")[0]["members@delta"][0]["@removed"], removed("deleted"));
    assert_eq!(round.about("team")[0]["members@delta"][0]["id"], "u1");
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

// Fact 6
#[test]
fn one_group_spans_pages_with_the_same_scalars_and_another_slice() {
    let office = with(|knobs| knobs.page_links = 1);
    let round = office.first(Kind::Group);
    let list = round.about("list");
    assert_eq!(list.len(), 3);
    for item in &list {
        assert_eq!(item["displayName"], "List");
        assert_eq!(item["members@delta"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn slices_of_a_group_need_not_be_neighbours() {
    let office = with(|knobs| knobs.member_slices = 3);
    let round = office.first(Kind::Group);
    let places: Vec<usize> = round
        .items()
        .iter()
        .enumerate()
        .filter(|(_, item)| item["id"] == "list")
        .map(|(i, _)| i)
        .collect();
    assert!(places.len() > 1 && places.windows(2).any(|pair| pair[1] > pair[0] + 1), "{places:?}");
}

#[test]
fn a_group_without_members_has_no_member_property() {
    let office = office();
    let round = office.first(Kind::Group);
    assert!(round.about("empty")[0].get("members@delta").is_none());
    assert!(
        round.about("hidden")[0].get("members@delta").is_none(),
        "hidden membership is not told"
    );
    super::desk::lock(&office.0.roles).push("Member.Read.Hidden".to_owned());
    assert_eq!(office.first(Kind::Group).about("hidden")[0]["members@delta"][0]["id"], "u3");
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

// Fact 8
#[test]
fn a_dead_token_is_reported_in_every_known_shape() {
    for (shape, status, name) in [
        (StateLoss::Gone, 410, "syncStateNotFound"),
        (StateLoss::SyncStateNotFound(400), 400, "syncStateNotFound"),
        (StateLoss::ResyncRequired(409), 409, "resyncRequired"),
        (StateLoss::ResyncNested(400), 400, "UnknownError"),
        (StateLoss::TooOld, 400, "Request_UnsupportedQuery"),
        (StateLoss::PascalNotFound(410), 410, "SyncStateNotFound"),
        (StateLoss::PascalInvalid(410), 410, "SyncStateInvalid"),
    ] {
        let office = with(|knobs| {
            knobs.delta_death = shape;
            knobs.delta_lifetime = Some(Duration::from_secs(60));
        });
        let link = office.first(Kind::User).link;
        assert_eq!(office.get(&link).0, 200);
        office.0.advance(Duration::from_secs(61));
        let answer = office.answer(&link, &[]);
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(code(&(answer.status, body.clone())), (status, name));
        let location = answer.headers.iter().find(|(name, _)| name == "location");
        assert_eq!(location.is_some(), shape == StateLoss::Gone);
        if let Some((_, location)) = location {
            assert!(location.ends_with("/users/delta?$deltatoken="));
            assert_eq!(office.get(location).0, 200, "an empty token starts anew");
        }
        if matches!(shape, StateLoss::ResyncNested(_)) {
            assert_eq!(body["error"]["innerError"]["code"], "resyncRequired");
        }
    }
}

#[test]
fn a_skip_token_dies_with_its_own_code() {
    let office = with(|knobs| {
        knobs.page_objects = 1;
        knobs.skip_lifetime = Some(Duration::from_secs(5));
    });
    let (_, page) = office.get(&first_link(Kind::User));
    office.0.advance(Duration::from_secs(6));
    let answer = office.get(page["@odata.nextLink"].as_str().unwrap());
    assert_eq!(code(&answer), (400, "Directory_ExpiredPageToken"));
}

#[test]
fn a_delta_token_can_die_after_a_number_of_changes() {
    let office = with(|knobs| knobs.delta_versions = Some(1));
    let link = office.first(Kind::User).link;
    for name in ["a", "b"] {
        assert_eq!(office.get(&link).0, 200);
        office.tenant(|tenant| tenant.set(Kind::User, "u1", "displayName", name.into()).unwrap());
    }
    assert_eq!(office.get(&link).0, 410);
}

// Fact 9
#[test]
fn links_carry_the_query_and_refuse_another() {
    let office = with(|knobs| knobs.page_objects = 1);
    let (_, page) = office.get("/v1.0/users/delta?$select=mail");
    let next = page["@odata.nextLink"].as_str().unwrap();
    assert_eq!(office.get(next).1["value"][0], json!({"id": "u2", "mail": "u2@contoso.com"}));
    assert_eq!(
        code(&office.get(&format!("{next}&$select=mail"))),
        (400, "Request_UnsupportedQuery")
    );
    let link = office.round("/v1.0/users/delta?$select=mail,id", false, |_| {}).link;
    assert_eq!(office.get(&format!("{link}&$select=id,mail")).0, 200);
    assert_eq!(office.get(&format!("{link}&$select=id,displayName")).0, 400);
    assert_eq!(office.get(&link.replace("/users/", "/groups/")).0, 400);
    assert_eq!(office.get(&next.replace("$skiptoken", "$deltatoken")).0, 400);
    assert_eq!(office.get("/v1.0/users/delta?$deltatoken=garbage").0, 400);
}

#[test]
fn a_select_on_a_delta_link_can_be_honoured() {
    let office = with(|knobs| knobs.select_on_link = SelectOnLink::Honoured);
    let link = office.round("/v1.0/users/delta?$select=mail", false, |_| {}).link;
    office.tenant(|tenant| tenant.set(Kind::User, "u1", "displayName", "New".into()).unwrap());
    let (_, page) = office.get(&format!("{link}&$select=displayName"));
    assert_eq!(page["value"], json!([{"id": "u1", "displayName": "New"}]));
}

// Fact 10
#[test]
fn member_references_can_dangle() {
    let office = office();
    let round = office.first(Kind::Group);
    assert!(
        round.about("list")[0]["members@delta"]
            .as_array()
            .unwrap()
            .iter()
            .any(|member| member["id"] == "ghost")
    );
    assert!(office.first(Kind::User).about("ghost").is_empty());
    let office = with(|knobs| knobs.odd_members = true);
    let round = office.first(Kind::Group);
    let members = round.about("list")[0]["members@delta"].as_array().unwrap();
    assert!(members.iter().any(|member| member.get("@odata.type").is_none()));
}

#[test]
fn a_new_member_can_be_referenced_before_its_user_appears() {
    let office = with(|knobs| knobs.late = Lateness { users: 3, ..Lateness::default() });
    let (mut users, groups) = (office.first(Kind::User).link, office.first(Kind::Group).link);
    office.tenant(|tenant| {
        tenant.add_user(json!({"id": "u9", "displayName": "Late"})).unwrap();
        tenant.add_member("list", "u9").unwrap();
    });
    assert_eq!(office.next(&groups).about("list").len(), 1);
    let mut rounds = 0;
    while office.next(&users).about("u9").is_empty() {
        users = office.next(&users).link;
        rounds += 1;
        assert!(rounds < 9);
    }
    assert!(rounds >= 1);
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
fn latest_gives_a_link_and_no_data() {
    let office = office();
    let (status, page) = office.get("/v1.0/users/delta?$deltaToken=latest&$select=mail");
    assert_eq!((status, &page["value"]), (200, &json!([])));
    office.tenant(|tenant| tenant.set(Kind::User, "u2", "mail", Value::Null).unwrap());
    let round = office.next(page["@odata.deltaLink"].as_str().unwrap());
    assert_eq!(round.items(), [&json!({"id": "u2", "mail": null})]);
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
fn adding_and_removing_is_coalesced_or_told_in_order() {
    for (coalesce, expected) in [(true, 1), (false, 2)] {
        let office = with(|knobs| knobs.coalesce = coalesce);
        let link = office.first(Kind::Group).link;
        office.tenant(|tenant| {
            tenant.add_member("list", "u3").unwrap();
            tenant.remove_member("list", "u3").unwrap();
        });
        let round = office.next(&link);
        let members = round.about("list")[0]["members@delta"].as_array().unwrap().clone();
        assert_eq!(members.len(), expected);
        assert_eq!(members.last().unwrap()["@removed"], removed("deleted"));
    }
}

#[test]
fn a_restored_group_sends_members_again_only_when_told_to() {
    for again in [false, true] {
        let office = with(|knobs| {
            knobs.restored_group_sends_members = again;
            knobs.page_links = 1;
        });
        let link = office.first(Kind::Group).link;
        office.tenant(|tenant| tenant.soft_delete("team").unwrap());
        let link = office.next(&link).link;
        office.tenant(|tenant| tenant.restore("team").unwrap());
        let round = office.next(&link);
        let sent: usize = round
            .about("team")
            .iter()
            .filter_map(|item| item["members@delta"].as_array())
            .map(Vec::len)
            .sum();
        assert_eq!(sent, if again { 2 } else { 0 });
        assert_eq!(round.about("team")[0]["displayName"], "Team");
    }
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
fn every_spelling_of_delta_is_known_and_links_take_any() {
    for function in ["delta", "delta()", "microsoft.graph.delta", "microsoft.graph.delta()"] {
        assert_eq!(office().get(&format!("/v1.0/users/{function}")).0, 200, "{function}");
    }
    let office = with(|knobs| {
        knobs.spelling = Spelling::QualifiedCall;
        knobs.link_host = Some("elsewhere:81".to_owned());
        knobs.wrong_context = true;
    });
    let (_, page) = office.get("/v1.0/users/delta");
    assert!(
        page["@odata.deltaLink"]
            .as_str()
            .unwrap()
            .starts_with("http://elsewhere:81/v1.0/users/microsoft.graph.delta()?")
    );
    assert!(page["@odata.context"].as_str().unwrap().contains("directoryObjects"));
}

#[test]
fn an_endless_round_never_gives_a_delta_link() {
    let office = with(|knobs| knobs.endless = true);
    let mut link = first_link(Kind::Group);
    for _ in 0..50 {
        let (_, page) = office.get(&link);
        assert_eq!(page["value"].as_array().unwrap().len(), 4, "the same groups again");
        link = page["@odata.nextLink"].as_str().unwrap().to_owned();
    }
}

#[test]
fn a_retried_page_gives_another_link_and_both_work_unless_told_otherwise() {
    for dies in [false, true] {
        let office = with(|knobs| {
            knobs.page_objects = 1;
            knobs.retried_links_die = dies;
        });
        let (_, page) = office.get(&first_link(Kind::User));
        let link = page["@odata.nextLink"].as_str().unwrap();
        let next = |page: (u16, Value)| page.1["@odata.nextLink"].as_str().unwrap().to_owned();
        let (kept, retried) = (next(office.get(link)), next(office.get(link)));
        assert_ne!(kept, retried);
        assert_eq!(office.get(&kept).0, 200);
        let again = office.get(&retried);
        if dies {
            assert_eq!(code(&again), (400, "DirectoryPageTokenNotFoundException"));
        } else {
            assert_eq!(again.0, 200);
        }
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
