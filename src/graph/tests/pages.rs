//! Pages, rounds and lists as they should be.

use super::server::Reply;
use super::*;
use crate::directory::ids::ObjectId;
use crate::graph::{Item, ManagerChange, MemberChange, Next, Page, PositionError, Removal, items};
use serde_json::json;
use std::collections::HashSet;

fn id(text: &str) -> ObjectId {
    text.parse().unwrap()
}

const MANAGER: &str = "0b1f6a52-6c1e-4a07-9a55-3f1f5a9c0a02";

/// A page of `value`, the last of its round.
fn page_of(value: serde_json::Value) -> Vec<u8> {
    let link = "https://graph.microsoft.com/v1.0/users/delta?$deltatoken=DDD-1";
    json!({"@odata.context": "x", "value": value, "@odata.deltaLink": link})
        .to_string()
        .into_bytes()
}

fn one(value: serde_json::Value) -> Item {
    let mut items = items(Kind::User, &page_of(json!([value]))).unwrap();
    assert_eq!(items.len(), 1);
    items.remove(0)
}

#[test]
fn an_object_keeps_null_apart_from_absent_and_loses_annotations() {
    let item = one(
        json!({"@odata.type": "#microsoft.graph.user", "displayName": "Ada", "id": ID.to_uppercase(),
        "mail": null, "proxyAddresses": ["SMTP:ada@x"], "assignedLicenses@odata.type": "x"}),
    );
    assert_eq!(item.id, id(ID));
    let expected = json!({"displayName": "Ada", "mail": null, "proxyAddresses": ["SMTP:ada@x"]});
    assert_eq!(serde_json::Value::Object(item.properties), expected);
    assert_eq!((item.removed, item.manager, item.members.len()), (None, None, 0));
}

#[test]
fn only_the_reason_changed_is_a_soft_removal() {
    for (removed, expected) in [
        (json!({"reason": "changed"}), Some(Removal::SoftDeleted)),
        (json!({"reason": "Changed"}), Some(Removal::SoftDeleted)),
        (json!({"reason": "deleted"}), Some(Removal::Deleted)),
        (json!({"reason": "moved"}), Some(Removal::Deleted)),
        (json!({"reason": 7}), Some(Removal::Deleted)),
        (json!({}), Some(Removal::Deleted)),
        (json!(true), Some(Removal::Deleted)),
        (json!(null), None),
    ] {
        assert_eq!(one(json!({"@removed": removed, "id": ID})).removed, expected);
    }
}

#[test]
fn members_come_in_order_with_their_removals() {
    let item = one(json!({"id": ID, "members@delta": [
        {"@odata.type": "#microsoft.graph.user", "id": ID},
        {"@odata.type": "#microsoft.graph.orgContact", "id": MANAGER, "@removed": {"reason": "deleted"}},
        {"id": ID, "@removed": {}},
        {"id": "not an id"}
    ]}));
    let member = |text: &str, removed, kind: Option<&str>| MemberChange {
        id: id(text),
        removed,
        kind: kind.map(str::to_owned),
    };
    assert_eq!(
        item.members,
        [
            member(ID, false, Some("user")),
            member(MANAGER, true, Some("orgContact")),
            member(ID, true, None)
        ]
    );
}

#[test]
fn a_manager_is_set_cleared_or_left() {
    let gone = json!({"id": ID, "@removed": {"reason": "deleted"}});
    let new = json!({"@odata.type": "#microsoft.graph.user", "id": MANAGER});
    for (list, expected) in [
        (json!([new]), Some(ManagerChange::Set(id(MANAGER)))),
        (json!([gone]), Some(ManagerChange::Cleared)),
        (json!([gone, new]), Some(ManagerChange::Set(id(MANAGER)))),
        (json!([new, gone]), Some(ManagerChange::Set(id(MANAGER)))),
        (json!([]), None),
        (json!(null), None),
    ] {
        assert_eq!(one(json!({"id": ID, "manager@delta": list})).manager, expected, "{list}");
    }
}

#[test]
fn one_odd_object_does_not_fail_a_page() {
    let body = page_of(json!([{"id": "x"}, {"displayName": "no id"}, {"id": 7}, {"id": ID}]));
    let page = Page::parse(Kind::User, &body).unwrap();
    assert_eq!((page.items.len(), page.skipped), (1, 3));
    assert!(Page::parse(Kind::User, &page_of(json!([[]]))).is_err());
    assert!(Page::parse(Kind::User, &page_of(json!([{"id": ID, "members@delta": 7}]))).is_err());
}

#[test]
fn positions_are_stored_and_read_again_and_print_no_link() {
    let link = "https://graph.microsoft.com/v1.0/groups/delta?$deltatoken=HUSH%2b with space";
    for text in
        ["groups start".to_owned(), format!("groups next {link}"), format!("users delta {link}")]
    {
        let position: Position = text.parse().unwrap();
        assert_eq!(position.to_text(), text);
        assert_eq!(position.is_start(), text.ends_with("start"));
        assert!(!format!("{position:?}").contains("HUSH"));
        assert!(HashSet::from([position.clone()]).contains(&position));
    }
    for bad in ["", "groups", "groups next", "groups next ", "cats start", "groups start x", "x"] {
        assert_eq!(bad.parse::<Position>(), Err(PositionError), "{bad}");
    }
}

#[test]
fn the_fingerprint_of_a_query_is_stable_and_its_own() {
    let graph = Graph::new(&settings(1)).unwrap();
    let prints: HashSet<_> =
        [Kind::User, Kind::Group, Kind::Contact].map(|kind| graph.select_fingerprint(kind)).into();
    assert_eq!(prints.len(), 3);
    // A changed list of properties changes this text, and costs every installation a full resync.
    assert_eq!(graph.select_fingerprint(Kind::Contact), "6b42d25696c9522c");
}

#[tokio::test(start_paused = true)]
async fn a_round_follows_its_links_verbatim() {
    let (server, graph) = world([]).await;
    let link = |token: &str| {
        format!("http://localhost:{}/v1.0/x/delta()?$skiptoken={token}&b=%2b+'A'", server.port)
    };
    server.script([
        Reply::json(&format!(r#"{{"@odata.nextLink":"{}","value":[]}}"#, link("AAA_-~."))),
        Reply::json(&format!(
            r#"{{"@odata.nextLink":"{}","value":[{{"id":"{ID}"}}]}}"#,
            link("BBB")
        )),
        last_page(),
    ]);
    let mut position = graph.start(Kind::Group);
    let mut seen = Vec::new();
    let delta = loop {
        let page = graph.page(&position).await.unwrap();
        seen.extend(page.items);
        match page.next {
            Next::More(next) => position = next,
            Next::Done { delta } => break delta,
        }
    };
    assert_eq!(seen.len(), 2);
    assert_eq!(delta.kind(), Kind::Group);
    let lines: Vec<String> = server.asked().into_iter().map(|asked| asked.line).collect();
    assert!(lines[0].starts_with("GET /v1.0/groups/delta?$select=id,displayName,"), "{}", lines[0]);
    assert!(lines[0].contains(",members ") && !lines[0].contains("%20"), "{}", lines[0]);
    // A quote may not stand in a URL: it is escaped, which means the same.
    assert_eq!(lines[1], "GET /v1.0/x/delta()?$skiptoken=AAA_-~.&b=%2b+%27A%27 HTTP/1.1");
    assert_eq!(
        server.asked()[1].header("host"),
        Some(format!("localhost:{}", server.port).as_str())
    );
}

#[tokio::test(start_paused = true)]
async fn a_raw_page_is_read_again_later() {
    let value = json!([{"id": ID, "displayName": "\u{1F600}é\\\""}, {"id": "x"}]);
    let body = page_of(value).iter().map(|o| *o as char).collect::<String>();
    let body: Vec<u8> = body.chars().map(|c| c as u8).collect();
    let link = "https://graph.microsoft.com";
    let text = String::from_utf8(body).unwrap().replace(link, "http://127.0.0.1:5");
    let (_server, graph) = world([Reply::json(&text)]).await;
    let raw = graph.page_raw(&start()).await.unwrap();
    assert_eq!((raw.objects, raw.skipped), (1, 1));
    let page = Page::parse(Kind::User, &raw.body).unwrap();
    assert_eq!(page.next, raw.next);
    assert_eq!(page.items, items(Kind::User, &raw.body).unwrap());
    assert_eq!(page.items[0].properties["displayName"], "\u{1F600}é\\\"");
}

#[tokio::test(start_paused = true)]
async fn a_page_that_would_fail_later_fails_when_it_is_fetched() {
    let page = |inner: &[u8]| {
        let mut body =
            br#"{"@odata.deltaLink":"http://127.0.0.1:1/x?$deltatoken=a","value":[{"id":"#.to_vec();
        body.extend(format!("\"{ID}\",\"p\":").as_bytes());
        body.extend(inner);
        body.extend(b"}]}");
        body
    };
    for inner in
        [&br#""\ud800""#[..], b"\"\xff\"", b"1e999", br#"{"\ud800":1}"#, b"[1,]", b"nul", b"\"\n\""]
    {
        assert!(items(Kind::User, &page(inner)).is_err());
        let (_server, graph) = world(vec![Reply::json("").body(&page(inner)); 4]).await;
        assert!(graph.page_raw(&start()).await.is_err(), "{inner:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_compressed_page_is_read() {
    // gzip of a page with an empty list, made with `gzip -9n`.
    let gzip = include_bytes!("page.json.gz");
    let reply = Reply::json("").header("Content-Encoding", "gzip").body(gzip);
    let (_server, graph) = world([reply]).await;
    assert!(graph.page(&start()).await.unwrap().items.is_empty());
}

#[tokio::test(start_paused = true)]
async fn lists_are_read_to_their_last_page() {
    let (server, graph) = world([]).await;
    let link = format!("{}v1.0/domains?$skiptoken=2", server.root());
    server.script([
        Reply::json(&format!(r#"{{"value":[{{"id":"a.example"}}],"@odata.nextLink":"{link}"}}"#)),
        Reply::json(r#"{"value":[{"id":"b.example"}]}"#),
        Reply::json(r#"{"value":[{"id":"7f1c","displayName":"Contoso"}]}"#),
        Reply::json(&format!(r#"{{"value":[],"@odata.nextLink":"{link}"}}"#)),
        Reply::json(&format!(r#"{{"value":[],"@odata.nextLink":"{link}"}}"#)),
    ]);
    assert_eq!(graph.domains().await.unwrap().len(), 2);
    assert_eq!(graph.organization().await.unwrap()["displayName"], "Contoso");
    assert!(graph.domains().await.unwrap_err().to_string().contains("circle"));
    assert_eq!(server.asked()[2].line, "GET /v1.0/organization HTTP/1.1");
}

#[tokio::test(start_paused = true)]
async fn work_is_counted_over_all_clones() {
    let (_server, graph) = world([graph_error(500, "x"), last_page()]).await;
    let before = graph.requests();
    graph.clone().page(&start()).await.unwrap();
    let done = graph.requests().since(&before);
    assert_eq!((done.requests, done.retries, done.throttle_waits), (3, 1, 0));
    assert!(done.bytes > 100);
}

#[tokio::test(start_paused = true)]
async fn the_members_of_a_group_are_listed_to_the_last_page() {
    let (server, graph) = world([]).await;
    let link = format!("{}v1.0/groups/x/members?$skiptoken=2", server.root());
    server.script([
        Reply::json(&format!(r#"{{"value":[{{"id":"{ID}"}}],"@odata.nextLink":"{link}"}}"#)),
        Reply::json(&format!(r#"{{"value":[{{"id":"{MANAGER}"}}]}}"#)),
        graph_error(403, "Authorization_RequestDenied"),
    ]);
    assert_eq!(graph.members(id(ID)).await.unwrap(), [id(ID), id(MANAGER)]);
    let line = format!("GET /v1.0/groups/{ID}/members?$select=id&$top=999 HTTP/1.1");
    assert_eq!(server.asked()[0].line, line);
    let error = graph.members(id(ID)).await.unwrap_err();
    assert!(error.to_string().contains("GroupMember.Read.All"), "{error}");
}
