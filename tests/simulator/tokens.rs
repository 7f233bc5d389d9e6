//! Tokens.

use super::*;

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
