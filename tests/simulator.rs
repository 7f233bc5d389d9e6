//! The simulated tenant seen from outside: only HTTP, as a client sees it.

#![cfg(feature = "simulator")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "clippy takes helpers of tests for code outside tests; here a panic is a failed test"
)]

use std::time::Duration;

use entraldap::simulator::{
    Action, Kind, Knobs, Links, Options, RetryAfter, Rule, Simulator, StateLoss, Target, Tenant,
    TokenFault, life,
};
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};

struct World {
    simulator: Simulator,
    client: Client,
    token: String,
}

impl World {
    async fn new(tenant: Tenant) -> Self {
        Self::with(tenant, Options::default()).await
    }

    async fn with(tenant: Tenant, options: Options) -> Self {
        // Any provider will do: the simulator speaks plain HTTP.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let simulator = Simulator::start(tenant, options).await.unwrap();
        let client = Client::builder().no_proxy().build().unwrap();
        let mut world = Self { simulator, client, token: String::new() };
        world.log_in().await;
        world
    }

    async fn log_in(&mut self) {
        let answer = self.ask_token(&[]).await;
        let body: Value = answer.json().await.unwrap();
        self.token = body["access_token"].as_str().unwrap_or_default().to_owned();
    }

    /// Asks for a token with the right form, changed in places.
    async fn ask_token(&self, changed: &[(&str, &str)]) -> Response {
        let options = self.simulator.options();
        let scope = format!("{}/.default", self.simulator.base_url());
        let mut form = vec![
            ("grant_type", "client_credentials"),
            ("client_id", &options.client_id),
            ("client_secret", &options.client_secret),
            ("scope", &scope),
        ];
        form.retain(|(name, _)| !changed.iter().any(|(known, _)| known == name));
        form.extend(changed.iter().filter(|(name, _)| *name != "tenant"));
        let tenant = changed
            .iter()
            .find(|(name, _)| *name == "tenant")
            .map_or(options.tenant_id.as_str(), |(_, id)| id);
        let url = format!("{}/{tenant}/oauth2/v2.0/token", self.simulator.authority());
        self.client.post(url).form(&form).send().await.unwrap()
    }

    fn url(&self, path: &str) -> String {
        if path.starts_with("http") {
            path.to_owned()
        } else {
            format!("{}/v1.0{path}", self.simulator.base_url())
        }
    }

    async fn send(&self, path: &str) -> reqwest::Result<Response> {
        self.client.get(self.url(path)).bearer_auth(&self.token).send().await
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let answer = self.send(path).await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default())
    }

    async fn eventual(&self, path: &str) -> (u16, String) {
        let request = self
            .client
            .get(self.url(path))
            .bearer_auth(&self.token)
            .header("ConsistencyLevel", "eventual");
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn batch(&self, requests: Value) -> (u16, Value) {
        let request = self.client.post(self.url("/$batch")).bearer_auth(&self.token);
        let answer = request.json(&json!({ "requests": requests })).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// Follows links to the end of a round or list.
    async fn all(&self, path: &str) -> (Vec<Value>, Option<String>) {
        let mut link = path.to_owned();
        let mut items = Vec::new();
        loop {
            let (status, mut page) = self.get(&link).await;
            assert_eq!(status, 200, "{link}: {page}");
            items.append(page["value"].as_array_mut().unwrap());
            match page["@odata.nextLink"].as_str() {
                Some(next) => link = next.to_owned(),
                None => return (items, page["@odata.deltaLink"].as_str().map(str::to_owned)),
            }
        }
    }

    /// The id of the group of this name.
    fn group(&self, name: &str) -> String {
        self.simulator.with_tenant(|tenant| {
            let named = |id: &&str| tenant.object(id).unwrap()["displayName"] == name;
            tenant.live(Kind::Group).find(named).unwrap().to_owned()
        })
    }
}

fn tenant() -> Tenant {
    Tenant::generate(11, 300)
}

fn code(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["error"]["code"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn a_client_reads_users_groups_and_contacts_and_then_the_changes() {
    let world = World::new(tenant()).await;
    let mut links = Vec::new();
    for (path, kind) in [
        ("/users/delta", Kind::User),
        ("/groups/delta", Kind::Group),
        ("/contacts/delta", Kind::Contact),
    ] {
        let (items, link) = world.all(path).await;
        let live = world.simulator.with_tenant(|tenant| tenant.live(kind).count());
        assert!(items.len() >= live);
        links.push(link.unwrap());
    }
    world.simulator.with_tenant(|tenant| life::changes(tenant, 1, 50));
    let mut changed = 0;
    for link in &links {
        changed += world.all(link).await.0.len();
    }
    assert!(changed > 0);
    let tally = world.simulator.tally();
    assert_eq!((tally.token, tally.refused), (1, 0));
    assert!(tally.users_delta >= 3 && tally.groups_delta >= 2 && tally.contacts_delta >= 2);
    world.simulator.stop().await;
}

#[tokio::test]
async fn answers_carry_the_headers_of_the_service() {
    let world = World::new(tenant()).await;
    let request = world.client.get(world.url("/users/delta")).bearer_auth(&world.token);
    let answer = request.header("client-request-id", "mine").send().await.unwrap();
    assert_eq!(answer.headers()["client-request-id"], "mine");
    for name in ["request-id", "date", "x-ms-ags-diagnostic"] {
        assert_eq!(answer.headers().get_all(name).iter().count(), 1, "{name}");
    }
    assert_eq!(
        world.simulator.requests().last().unwrap().client_request_id.as_deref(),
        Some("mine")
    );
}

#[tokio::test]
async fn without_a_valid_token_there_is_401_with_a_challenge() {
    let mut world = World::new(tenant()).await;
    let good = std::mem::replace(&mut world.token, "nonsense".to_owned());
    let answer = world.send("/users").await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert!(answer.headers()["www-authenticate"].to_str().unwrap().starts_with("Bearer "));
    world.token = good;
    assert_eq!(world.get("/users").await.0, 200);
    world.simulator.advance(Duration::from_secs(3600));
    let answer = world.get("/users").await;
    assert_eq!(code(&answer), (401, "InvalidAuthenticationToken"));
    world.log_in().await;
    assert_eq!(world.get("/users").await.0, 200);
    world.simulator.faults().revoke_access_tokens();
    assert_eq!(world.get("/users").await.0, 401);
}

#[tokio::test]
async fn the_token_tells_its_claims() {
    let world = World::new(tenant()).await;
    assert_eq!(world.token.split('.').count(), 3);
    world.simulator.grant(&[]);
    let body: Value = world.ask_token(&[]).await.json().await.unwrap();
    assert_eq!(body["token_type"], "Bearer");
    assert!(body["expires_in"].is_u64());
    assert!(body.get("refresh_token").is_none());
    assert_eq!(code(&world.get("/users").await), (403, "Authorization_RequestDenied"));
    world.simulator.grant(&["Directory.Read.All"]);
    for path in ["/users", "/groups/delta", "/contacts", "/domains", "/organization"] {
        assert_eq!(world.get(path).await.0, 200, "{path}");
    }
    world.simulator.grant(&["User.Read.All"]);
    assert_eq!(world.get("/groups/delta").await.0, 403);
}

#[tokio::test]
async fn the_token_endpoint_refuses_as_entra_does() {
    let world = World::new(tenant()).await;
    for (changed, status, error, number) in [
        (("client_secret", "wrong"), 401, "invalid_client", 7_000_215),
        (("client_id", "nobody"), 400, "unauthorized_client", 700_016),
        (("scope", "https://elsewhere.example/.default"), 400, "invalid_resource", 500_011),
        (("scope", "User.Read"), 400, "invalid_scope", 70_011),
        (("grant_type", "magic"), 400, "unsupported_grant_type", 70_003),
        (("tenant", "nowhere.example"), 400, "invalid_request", 90_002),
    ] {
        let answer = world.ask_token(&[changed]).await;
        assert_eq!(answer.status(), status);
        let body: Value = answer.json().await.unwrap();
        assert_eq!((body["error"].as_str(), &body["error_codes"]), (Some(error), &json!([number])));
        assert!(
            body["error_description"].as_str().unwrap().starts_with(&format!("AADSTS{number}: "))
        );
    }
    assert_eq!(world.ask_token(&[("tenant", "contoso.com")]).await.status(), 200);
}

#[tokio::test]
async fn the_token_endpoint_fails_on_command() {
    let world = World::new(tenant()).await;
    let faults = world.simulator.faults();
    for (action, status) in [
        (Action::Token(TokenFault::ExpiredSecret), 401),
        (Action::Token(TokenFault::InvalidClientId), 400),
        (Action::Token(TokenFault::UnknownTenant), 400),
        (Action::Throttle(RetryAfter::Seconds(1)), 429),
        (Action::Status(503, RetryAfter::Missing), 503),
        (Action::Token(TokenFault::NotJson), 200),
        (Action::Token(TokenFault::StringExpiry), 200),
    ] {
        let rule = faults.add(Rule::new(action.clone()).on(Target::Token));
        let answer = world.ask_token(&[]).await;
        assert_eq!(answer.status(), status, "{action:?}");
        if action == Action::Token(TokenFault::StringExpiry) {
            assert!(answer.json::<Value>().await.unwrap()["expires_in"].is_string());
        }
        assert_eq!(faults.hits(rule), 1);
        faults.clear();
    }
    faults.add(Rule::new(Action::Token(TokenFault::DeadToken)));
    let body: Value = world.ask_token(&[]).await.json().await.unwrap();
    let dead = body["access_token"].as_str().unwrap();
    assert_eq!(
        world.client.get(world.url("/users")).bearer_auth(dead).send().await.unwrap().status(),
        401
    );
}

#[tokio::test]
async fn throttling_comes_with_every_form_of_retry_after() {
    let world = World::new(tenant()).await;
    for (retry, expected) in [
        (RetryAfter::Seconds(7), Some("7".to_owned())),
        (RetryAfter::Text("2.128".to_owned()), Some("2.128".to_owned())),
        (RetryAfter::Missing, None),
        (RetryAfter::Date(30), Some("GMT".to_owned())),
    ] {
        world.simulator.faults().clear();
        world.simulator.faults().add(Rule::new(Action::Throttle(retry)).times(1));
        let answer = world.send("/users/delta").await.unwrap();
        assert_eq!(answer.status(), 429);
        assert!(answer.headers().contains_key("x-ms-throttle-scope"));
        assert!(answer.headers().contains_key("x-ms-throttle-information"));
        let header =
            answer.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
        match expected {
            Some(expected) => assert!(header.unwrap().ends_with(&expected)),
            None => assert_eq!(header, None),
        }
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["error"]["code"], "TooManyRequests");
        assert_eq!(world.get("/users/delta").await.0, 200, "the rule is used up");
    }
}

#[tokio::test]
async fn statuses_and_codes_are_those_of_the_service() {
    let world = World::new(tenant()).await;
    for (action, status, name) in [
        (Action::Status(500, RetryAfter::Missing), 500, "InternalServerError"),
        (Action::Status(503, RetryAfter::Seconds(2)), 503, "ServiceUnavailable"),
        (Action::Status(504, RetryAfter::Missing), 504, "GatewayTimeout"),
        (Action::Status(509, RetryAfter::Missing), 509, "BandwidthLimitExceeded"),
        (Action::Html(502), 502, ""),
        (Action::TokenExpired, 401, "InvalidAuthenticationToken"),
        (Action::ClaimsChallenge, 401, "InvalidAuthenticationToken"),
        (Action::Forbidden, 403, "Authorization_RequestDenied"),
        (Action::NotFound, 404, "Request_ResourceNotFound"),
        (Action::BadRequest, 400, "Request_BadRequest"),
        (Action::NotImplemented, 501, "NotImplemented"),
    ] {
        world.simulator.faults().clear();
        world.simulator.faults().add(Rule::new(action));
        assert_eq!(code(&world.get("/groups/delta").await), (status, name));
    }
    world.simulator.faults().clear();
    world.simulator.faults().add(Rule::new(Action::ClaimsChallenge));
    let answer = world.send("/users/delta").await.unwrap();
    assert!(answer.headers()["www-authenticate"].to_str().unwrap().contains("insufficient_claims"));
}

#[tokio::test]
async fn a_state_is_lost_only_where_a_token_asks_for_it() {
    let world = World::with(
        tenant(),
        Options { knobs: Knobs { page_objects: 50, ..Knobs::default() }, ..Options::default() },
    )
    .await;
    let (_, page) = world.get("/users/delta").await;
    let next = page["@odata.nextLink"].as_str().unwrap();
    let (_, delta) = world.all("/users/delta").await;
    let delta = delta.unwrap();
    let faults = world.simulator.faults();
    faults.add(Rule::new(Action::StateLost(StateLoss::TooOld)));
    assert_eq!(world.get("/users/delta").await.0, 200);
    assert_eq!(world.get(next).await.0, 200);
    let answer = world.get(&delta).await;
    assert_eq!(code(&answer), (400, "Request_UnsupportedQuery"));
    assert_eq!(answer.1["error"]["message"], "DeltaLink older than 30 days is not supported.");
    faults.clear();
    faults.add(Rule::new(Action::StateLost(StateLoss::PageExpired)).links(Links::Following));
    assert_eq!(world.get(&delta).await.0, 200);
    assert_eq!(code(&world.get(next).await), (400, "Directory_ExpiredPageToken"));
    faults.clear();
    faults.lose_state(StateLoss::Gone);
    let answer = world.send(&delta).await.unwrap();
    assert_eq!(answer.status(), 410);
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    assert!(location.ends_with("/v1.0/users/delta?$deltatoken="));
    assert_eq!(world.get(&location).await.0, 200);
}

#[tokio::test]
async fn answers_break_in_every_way() {
    let world = World::new(tenant()).await;
    let faults = world.simulator.faults();
    for action in [Action::CutBody, Action::CutChunked] {
        faults.clear();
        faults.add(Rule::new(action.clone()));
        let answer = world.send("/users/delta").await.unwrap();
        assert_eq!(answer.status(), 200, "{action:?}");
        assert!(answer.bytes().await.is_err(), "{action:?}");
    }
    faults.clear();
    faults.add(Rule::new(Action::Hangup));
    assert!(world.send("/users/delta").await.is_err());
    assert_eq!(world.simulator.requests().last().unwrap().status, 0);
    for action in [Action::CutJson, Action::HtmlBody, Action::EmptyBody] {
        faults.clear();
        faults.add(Rule::new(action.clone()));
        let answer = world.send("/users/delta").await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(answer.json::<Value>().await.is_err(), "{action:?}");
    }
    for action in [
        Action::Drip { piece: 4096, pause: Duration::from_millis(1) },
        Action::Delay(Duration::from_millis(1)),
    ] {
        faults.clear();
        faults.add(Rule::new(action));
        assert_eq!(world.get("/users/delta").await.0, 200);
    }
    faults.clear();
    faults.add(Rule::new(Action::Raw(418, vec![("X-Tea".into(), "yes".into())], "pot".into())));
    let answer = world.send("/users").await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.headers()["x-tea"].to_str().unwrap()),
        (418, "yes")
    );
}

#[tokio::test]
async fn an_answer_is_compressed_for_those_who_accept_it() {
    let world = World::new(tenant()).await;
    let plain = Client::builder().no_proxy().no_gzip().build().unwrap();
    let ask = || plain.get(world.url("/users/delta")).bearer_auth(&world.token);
    assert!(!ask().send().await.unwrap().headers().contains_key("content-encoding"));
    let answer = ask().header("accept-encoding", "gzip").send().await.unwrap();
    assert_eq!(answer.headers()["content-encoding"], "gzip");
    assert!(world.get("/users/delta").await.1["value"].is_array(), "and can be read");
}

#[tokio::test]
async fn select_follows_the_rules_of_delta() {
    let world = World::new(tenant()).await;
    let (_, page) = world.get("/users/delta?$select=displayName").await;
    let first = page["value"][0].as_object().unwrap();
    assert_eq!(first.keys().collect::<Vec<_>>(), ["displayName", "id"]);
    let (_, page) = world.get("/users/delta").await;
    assert!(
        page["value"][0].get("proxyAddresses").is_none() && page["value"][0].get("mail").is_some()
    );
    let has_members = |page: &Value| {
        page["value"].as_array().unwrap().iter().any(|item| item.get("members@delta").is_some())
    };
    assert!(has_members(&world.get("/groups/delta").await.1), "members come by default");
    assert!(
        !has_members(&world.get("/groups/delta?$select=displayName").await.1),
        "but a selection must name them"
    );
    assert!(has_members(&world.get("/groups/delta?$select=displayName,members").await.1));
    for (path, status, name) in [
        ("/users/delta?$select=aboutMe", 501, "NotImplemented"),
        ("/users/delta?$select=nonsense", 400, "BadRequest"),
        ("/groups/delta?$select=isArchived", 501, "NotImplemented"),
        ("/groups/delta?$expand=members", 400, "Request_UnsupportedQuery"),
        ("/users/delta?$orderby=displayName", 400, "Request_UnsupportedQuery"),
        ("/users/delta?$filter=displayName eq 'x'", 400, "Request_UnsupportedQuery"),
        ("/users/delta?$skiptoken=garbage", 400, "Request_BadRequest"),
        ("/users/delta?$skiptoken=a&$deltatoken=b", 400, "Request_BadRequest"),
    ] {
        assert_eq!(code(&world.get(path).await), (status, name), "{path}");
    }
    assert_eq!(
        world.get("/users/delta?$top=1").await.1["value"].as_array().unwrap().len(),
        200,
        "$top is ignored"
    );
}

#[tokio::test]
async fn the_inner_error_is_spelled_in_both_ways() {
    let world = World::new(tenant()).await;
    assert!(world.get("/nothing").await.1["error"]["innerError"]["date"].is_string());
    world.simulator.tune(|knobs| knobs.lower_inner_error = true);
    assert!(world.get("/nothing").await.1["error"]["innererror"]["date"].is_string());
}

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

#[tokio::test]
async fn no_request_is_too_strange_for_an_answer() {
    let world = World::new(tenant()).await;
    for path in [
        "",
        "/",
        "//",
        "/%",
        "/%ff%fe/delta",
        "/users/delta?%",
        "/users/delta?$deltatoken=%00",
        "/users/%2e%2e/x",
        "/users?$filter=",
        "/users?$filter='",
        "/users?$filter=startswith(",
        "/users?$search=\"",
        "/users?$skiptoken=AA",
        "/users?$select=,,",
        "/users/delta?$select=",
        "/groups//members",
        "/groups/x/members?$top=-1",
        "/users/delta?$filter=id eq ''",
        "/users/delta?$skiptoken=&$deltatoken=",
        "/directory/deletedItems/",
        "/users/delta?$select=😀",
    ] {
        let (status, _) = world.get(path).await;
        assert!(status == 200 || (400..=501).contains(&status), "{path}: {status}");
    }
    for method in ["POST", "PUT", "PATCH", "DELETE", "BREW"] {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let answer = world
            .client
            .request(method, world.url("/users"))
            .bearer_auth(&world.token)
            .body("{")
            .send()
            .await;
        assert_eq!(answer.unwrap().status(), 405);
    }
    for body in [
        "",
        "{",
        "[]",
        "{\"requests\":1}",
        "{\"requests\":[{}]}",
        "{\"requests\":[{\"id\":\"1\"}]}",
    ] {
        let request = world.client.post(world.url("/$batch")).bearer_auth(&world.token).body(body);
        assert!(request.send().await.unwrap().status().as_u16() <= 400);
    }
}

#[tokio::test]
async fn a_tenant_changes_by_itself_and_stops() {
    let world = World::new(tenant()).await;
    world.simulator.live(Duration::from_millis(1), 9);
    let mut link = world
        .all("/users/delta?$select=displayName,proxyAddresses,accountEnabled")
        .await
        .1
        .unwrap();
    loop {
        let (items, next) = world.all(&link).await;
        if !items.is_empty() {
            break;
        }
        link = next.unwrap();
    }
    assert!(!world.simulator.news().is_empty());
    let address = world.simulator.address();
    world.simulator.stop().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_loaded_population_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("meta.json", r#"{"domain":"fabrikam.example","users":1}"#);
    write(
        "users.jsonl",
        r#"{"id":"u1","displayName":"Ada","mail":"ada@fabrikam.example","userPrincipalName":"Ada@fabrikam.example"}"#,
    );
    write("groups.jsonl", r#"{"id":"g1","displayName":"All","members":["u1"]}"#);
    write("contacts.jsonl", "");
    let world = World::new(Tenant::load(folder.path()).unwrap()).await;
    assert_eq!(world.get("/users/ada@fabrikam.example").await.1["id"], "u1");
    assert_eq!(world.all("/groups/delta").await.0[0]["members@delta"][0]["id"], "u1");
}
