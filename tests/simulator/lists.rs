//! Lists and single objects.

use super::*;

#[tokio::test]
async fn lists_are_paged_selected_and_filtered() {
    let world = World::new(tenant()).await;
    let (_, page) = world.get("/users").await;
    assert_eq!(page["value"].as_array().unwrap().len(), 100);
    let (items, _) = world.all("/users?$select=id,proxyAddresses&$top=70").await;
    assert_eq!(items.len(), 300);
    assert!(items.iter().all(|item| item["proxyAddresses"].is_array()));
    for top in ["0", "1000", "x"] {
        assert_eq!(world.get(&format!("/users?$top={top}")).await.0, 400);
    }
    assert_eq!(
        world.get("/groups?$filter=displayName eq 'project phoenix'").await.1["value"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let (_, found) =
        world.get("/groups?$filter=startswith(displayName,'Nested')&$select=displayName").await;
    assert_eq!(found["value"].as_array().unwrap().len(), 2);
    let (_, found) = world.get("/groups?$filter=mail eq 'group5@contoso.com'").await;
    assert_eq!(found["value"][0]["displayName"], "Sales List");
    let answer = world.get("/groups?$search=\"displayName:phoe\"").await;
    assert_eq!(code(&answer), (400, "Request_UnsupportedQuery"));
    assert!(
        answer.1["error"]["message"].as_str().unwrap().contains("'ConsistencyLevel: eventual'")
    );
    let (status, text) = world.eventual("/groups?$search=\"displayName:phoe\"&$count=true").await;
    assert_eq!(
        (status, serde_json::from_str::<Value>(&text).unwrap()["@odata.count"].as_u64()),
        (200, Some(2))
    );
    assert_eq!(world.eventual("/users/$count").await, (200, "300".to_owned()));
    assert_eq!(world.get("/users/$count").await.0, 400);
}

#[tokio::test]
async fn one_object_is_read_by_id_or_by_name() {
    let world = World::new(tenant()).await;
    let (_, page) = world.get("/users?$select=id,userPrincipalName&$top=999").await;
    for user in page["value"].as_array().unwrap().iter().take(30) {
        let id = user["id"].as_str().unwrap();
        let name: String = user["userPrincipalName"].as_str().unwrap().replace('#', "%23");
        assert_eq!(world.get(&format!("/users/{id}")).await.1["id"], id);
        assert_eq!(world.get(&format!("/users/{name}")).await.1["id"], id);
    }
    assert_eq!(code(&world.get("/users/nobody").await), (404, "Request_ResourceNotFound"));
    let group = world.group("All Staff");
    assert_eq!(world.get(&format!("/groups/{group}")).await.1["displayName"], "All Staff");
}

#[tokio::test]
async fn members_are_typed_paged_and_followed_through_cycles() {
    let world = World::new(tenant()).await;
    let staff = world.group("All Staff");
    let (items, _) = world.all(&format!("/groups/{staff}/members?$select=id&$top=40")).await;
    assert_eq!(items.len(), world.simulator.with_tenant(|tenant| tenant.members(&staff).len()));
    assert!(items.iter().all(|item| item["@odata.type"] == "#microsoft.graph.user"));
    let parent = world.group("Nested Parent");
    let direct = world.all(&format!("/groups/{parent}/members")).await.0.len();
    assert!(world.all(&format!("/groups/{parent}/transitiveMembers")).await.0.len() > direct);
    let cycle = world.group("Cycle A");
    assert!(!world.all(&format!("/groups/{cycle}/transitiveMembers?$top=999")).await.0.is_empty());
    let mixed = world.group("Devices and Services");
    let kinds = world.all(&format!("/groups/{mixed}/members")).await.0;
    assert!(kinds.iter().any(|item| item["@odata.type"] == "#microsoft.graph.orgContact"));
    assert!(
        !kinds.iter().any(|item| item["@odata.type"] == "#microsoft.graph.servicePrincipal"),
        "a known issue"
    );
    let hidden = world.group("Works Council");
    assert!(world.all(&format!("/groups/{hidden}/members")).await.0.is_empty());
    world.simulator.grant(&["GroupMember.Read.All", "Member.Read.Hidden"]);
    let unreadable = world.all(&format!("/groups/{hidden}/members")).await.0;
    assert!(
        !unreadable.is_empty()
            && unreadable.iter().all(|item| item["id"].is_string() && item["mail"].is_null())
    );
    let (status, count) = world.eventual(&format!("/groups/{staff}/members/$count")).await;
    assert_eq!((status, count), (200, items.len().to_string()));
}

#[tokio::test]
async fn the_recycle_bin_lists_one_kind_at_a_time() {
    let world = World::new(tenant()).await;
    let (board, person) = (
        world.group("Board"),
        world.simulator.with_tenant(|tenant| tenant.live(Kind::User).next().unwrap().to_owned()),
    );
    world.simulator.with_tenant(|tenant| {
        tenant.soft_delete(&board).unwrap();
        tenant.soft_delete(&person).unwrap();
    });
    assert_eq!(world.all("/directory/deletedItems/microsoft.graph.user").await.0[0]["id"], person);
    assert_eq!(world.all("/directory/deletedItems/microsoft.graph.group").await.0[0]["id"], board);
    assert_eq!(world.get("/directory/deletedItems/all").await.0, 400);
    assert_eq!(world.get(&format!("/users/{person}")).await.0, 404);
}

#[tokio::test]
async fn domains_and_organization_describe_the_tenant() {
    let world = World::new(tenant()).await;
    let (domains, _) = world.all("/domains").await;
    assert_eq!(domains.iter().filter(|domain| domain["isDefault"] == true).count(), 1);
    assert!(domains.iter().any(|domain| domain["isVerified"] == false));
    let (organization, _) = world.all("/organization").await;
    assert_eq!(organization[0]["id"], world.simulator.options().tenant_id);
}

#[tokio::test]
async fn a_batch_answers_each_of_its_requests() {
    let world = World::new(tenant()).await;
    let group = world.group("All Staff");
    let requests = json!([
        {"id": "1", "method": "GET", "url": "/users?$top=1&$select=id"},
        {"id": "2", "method": "GET", "url": format!("groups/{group}/members?$top=2")},
        {"id": "3", "method": "GET", "url": "/users/nobody"},
        {"id": "4", "method": "GET", "url": "/domains", "dependsOn": ["3"]},
        {"id": "5", "method": "DELETE", "url": "/users/x"},
    ]);
    world
        .simulator
        .faults()
        .add(Rule::new(Action::Throttle(RetryAfter::Seconds(3))).path("/members"));
    let statuses = |body: &Value| -> Vec<(String, u64)> {
        let list = body["responses"].as_array().unwrap().iter();
        list.map(|item| (item["id"].as_str().unwrap().to_owned(), item["status"].as_u64().unwrap()))
            .collect()
    };
    let (status, body) = world.batch(requests.clone()).await;
    assert_eq!(status, 200);
    let expected = [("1", 200), ("2", 429), ("3", 404), ("4", 424), ("5", 405)]
        .map(|(id, n)| (id.to_owned(), n));
    assert_eq!(statuses(&body), expected);
    assert_eq!(body["responses"][1]["headers"]["Retry-After"], "3");
    world.simulator.tune(|knobs| knobs.batch_reversed = true);
    assert_eq!(statuses(&world.batch(requests.clone()).await.1).last(), expected.first());
    world.simulator.tune(|knobs| knobs.batch_fails_whole = true);
    assert_eq!(world.batch(requests).await.0, 424);
    let item = |id: usize| json!({"id": id.to_string(), "method": "GET", "url": "/domains"});
    assert_eq!(world.batch((0..20).map(item).collect()).await.0, 200);
    assert_eq!(world.batch((0..21).map(item).collect()).await.0, 400);
    assert_eq!(world.batch(json!([item(1), item(1)])).await.0, 400);
}
