//! Links, and how they die.

use super::*;

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
