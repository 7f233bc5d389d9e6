//! The simulated tenant seen from outside: only HTTP, as a client sees it.

#![cfg(feature = "simulator")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "clippy takes helpers of tests for code outside tests; here a panic is a failed test"
)]

mod faults;
mod lists;
mod tokens;

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
