//! Members of groups.

use super::*;

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
    crate::simulator::desk::lock(&office.0.roles).push("Member.Read.Hidden".to_owned());
    assert_eq!(office.first(Kind::Group).about("hidden")[0]["members@delta"][0]["id"], "u3");
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
