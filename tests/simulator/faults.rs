//! What goes wrong on command.

use super::*;

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
async fn the_inner_error_is_spelled_in_both_ways() {
    let world = World::new(tenant()).await;
    assert!(world.get("/nothing").await.1["error"]["innerError"]["date"].is_string());
    world.simulator.tune(|knobs| knobs.lower_inner_error = true);
    assert!(world.get("/nothing").await.1["error"]["innererror"]["date"].is_string());
}
