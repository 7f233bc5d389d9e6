//! Every fault that the simulated service knows, during a first load and during a
//! delta pass: while it lasts nothing published is lost, and afterwards all is well.

use crate::world::World;
use entraldap::simulator::{
    Action, Kind, Knobs, Links, RetryAfter, Rule, Target, Tenant, TokenFault, life,
};
use std::time::Duration;

const STREAMS: [Kind; 3] = Kind::STREAMS;

fn knobs() -> Knobs {
    Knobs { page_objects: 6, page_links: 40, ..Knobs::default() }
}

fn retry_afters() -> Vec<RetryAfter> {
    let text = |text: &str| RetryAfter::Text(text.to_owned());
    let mut all = vec![RetryAfter::Missing, RetryAfter::Seconds(7), RetryAfter::Date(30)];
    all.extend([text("2.128"), text("0"), text("soon"), text("-4")]);
    all
}

fn raw(status: u16, body: &str) -> Action {
    let json = ("content-type".to_owned(), "application/json".to_owned());
    Action::Raw(status, vec![json], body.to_owned())
}

/// What makes a request fail for as long as it is there.
fn lasting() -> Vec<Action> {
    let mut all: Vec<Action> = retry_afters().into_iter().map(Action::Throttle).collect();
    all.extend([408, 500, 502, 503, 504, 509].map(|s| Action::Status(s, RetryAfter::Missing)));
    all.push(Action::Status(503, RetryAfter::Seconds(9)));
    all.extend([400, 403, 404, 407, 503].map(Action::Html));
    all.extend([Action::TokenExpired, Action::ClaimsChallenge, Action::Forbidden]);
    all.extend([Action::NotFound, Action::BadRequest, Action::NotImplemented]);
    all.extend([Action::CutBody, Action::CutChunked, Action::CutJson, Action::HtmlBody]);
    all.extend([Action::EmptyBody, Action::Hangup]);
    // No link, both links, an empty link, a foreign link, no list, another shape.
    let value = r#""value":[]"#;
    let link = r#"http://127.0.0.1:9/v1.0/users/delta?$skiptoken=x"#;
    for body in [
        "{}".to_owned(),
        "[]".to_owned(),
        format!("{{{value}}}"),
        format!(r#"{{{value},"@odata.nextLink":"{link}","@odata.deltaLink":"{link}"}}"#),
        format!(r#"{{{value},"@odata.deltaLink":""}}"#),
        format!(r#"{{{value},"@odata.nextLink":"https://graph.example/v1.0/users/delta"}}"#),
        format!(r#"{{"@odata.deltaLink":"{link}"}}"#),
        format!(r#"{{"value":[7],"@odata.deltaLink":"{link}"}}"#),
        r#"{"error":{"code":"UnknownError","message":""}}"#.to_owned(),
    ] {
        all.push(raw(200, &body));
    }
    all.push(raw(204, ""));
    all.push(Action::Raw(
        302,
        vec![("location".to_owned(), "/elsewhere".to_owned())],
        String::new(),
    ));
    all
}

/// One fault, on one stream: on the first request, in the middle, on the delta link.
async fn survives(action: &Action, stream: Kind) {
    let context = format!("{action:?} on {stream:?}");
    let world = World::hasty(Tenant::generate(7, 24), knobs()).await;
    let rule = |links, after| {
        Rule::new(action.clone()).on(Target::DeltaOf(stream)).links(links).after(after)
    };
    for (links, after) in [(Links::Initial, 0), (Links::Next, 1), (Links::Delta, 0)] {
        let id = world.simulator.faults().add(rule(links, after));
        // Contacts are so few that they have no second page.
        let expected = links != Links::Next || stream != Kind::Contact;
        if expected {
            let outcome = world.try_pass(false).await;
            let requests = world.simulator.requests();
            let (record, error) =
                outcome.expect_err(&format!("{context} {links:?}: {requests:#?}"));
            assert_eq!(record.verdict, "failed", "{context}");
            assert_eq!(record.error, error.to_string());
            assert!(!error.to_string().is_empty() && record.requests > 0, "{context}");
            assert!(world.simulator.faults().hits(id) > 0, "{context}");
        }
        assert!(!world.is_published() && world.snapshot().is_empty().unwrap(), "{context}");
        world.simulator.faults().remove(id);
        tokio::time::advance(Duration::from_secs(60)).await;
    }
    world.settle(2).await;
    world.assert_equal();

    let before = world.served();
    world.simulator.with_tenant(|tenant| {
        life::changes(tenant, 5, 12);
        touch(tenant);
    });
    let id = world.simulator.faults().add(rule(Links::Delta, 0));
    match world.try_pass(false).await {
        Err((record, _)) => {
            assert_eq!(record.verdict, "failed", "{context}");
            assert_eq!(world.served(), before, "{context}");
        }
        // A permission that is missing stops its stream, not the others.
        Ok(record) => {
            assert_eq!((record.verdict.as_str(), action), ("partial", &Action::Forbidden));
            let count = |kind: &str| record.entries[kind];
            assert!(count("users") > 10 && count("groups") > 1 && count("contacts") > 0);
        }
    }
    assert!(world.simulator.faults().hits(id) > 0, "{context}");
    world.simulator.faults().remove(id);
    tokio::time::advance(Duration::from_secs(60)).await;
    world.settle(2).await;
    world.assert_equal();
}

/// A change in each stream, whatever else happens.
fn touch(tenant: &mut Tenant) {
    for kind in STREAMS {
        let id = tenant.live(kind).last().unwrap().to_owned();
        tenant.set(kind, &id, "displayName", "Touched".into()).unwrap();
    }
}

async fn all_survive(stream: Kind) {
    for action in lasting() {
        survives(&action, stream).await;
    }
}

#[tokio::test(start_paused = true)]
async fn no_fault_of_the_users_stream_loses_anything() {
    all_survive(Kind::User).await;
}

#[tokio::test(start_paused = true)]
async fn no_fault_of_the_groups_stream_loses_anything() {
    all_survive(Kind::Group).await;
}

#[tokio::test(start_paused = true)]
async fn no_fault_of_the_contacts_stream_loses_anything() {
    all_survive(Kind::Contact).await;
}

#[tokio::test(start_paused = true)]
async fn no_fault_of_the_token_endpoint_loses_anything() {
    let mut faults: Vec<Action> = lasting();
    faults.retain(|f| !matches!(f, Action::TokenExpired | Action::ClaimsChallenge));
    faults.extend(
        [
            TokenFault::WrongSecret,
            TokenFault::ExpiredSecret,
            TokenFault::UnknownClient,
            TokenFault::InvalidClientId,
            TokenFault::UnknownResource,
            TokenFault::UnknownTenant,
            TokenFault::NotJson,
            TokenFault::DeadToken,
        ]
        .map(Action::Token),
    );
    for action in faults {
        let context = format!("{action:?}");
        let mut world = World::hasty(Tenant::generate(7, 12), knobs()).await;
        let rule = || Rule::new(action.clone()).on(Target::Token);
        let id = world.simulator.faults().add(rule());
        let (record, _) = world.try_pass(false).await.expect_err(&context);
        assert_eq!(record.verdict, "failed", "{context}");
        assert!(!record.error.contains(&world.simulator.options().client_secret), "{context}");
        assert!(!world.is_published(), "{context}");
        world.simulator.faults().remove(id);
        // A wait that was asked for ends with the process.
        world.open();
        world.settle(2).await;
        world.assert_equal();

        let before = world.served();
        world.simulator.with_tenant(touch);
        world.simulator.faults().add(rule());
        world.open();
        world.try_pass(false).await.expect_err(&context);
        assert_eq!(world.served(), before, "{context}");
        world.simulator.faults().clear();
        world.open();
        world.settle(2).await;
        world.assert_equal();
    }
}

#[tokio::test(start_paused = true)]
async fn odd_but_good_tokens_serve() {
    for fault in [TokenFault::StringExpiry, TokenFault::Lifetime(1)] {
        let world = World::hasty(Tenant::generate(7, 12), knobs()).await;
        world.simulator.faults().add(Rule::new(Action::Token(fault)));
        world.settle(3).await;
        world.assert_equal();
    }
}

/// One request fails once: the next attempt, after the wait that was asked for, succeeds
/// within the pass. The clock is paused, so the waits take no time.
#[tokio::test(start_paused = true)]
async fn what_passes_is_tried_again_within_the_pass() {
    let mut passing: Vec<Action> = retry_afters().into_iter().map(Action::Throttle).collect();
    passing.extend(retry_afters().into_iter().map(|after| Action::Status(503, after)));
    passing.extend([500, 502, 504, 509].map(|s| Action::Status(s, RetryAfter::Missing)));
    passing.extend([Action::Html(503), Action::TokenExpired, Action::ClaimsChallenge]);
    passing.extend([Action::CutBody, Action::CutChunked, Action::CutJson, Action::HtmlBody]);
    passing.extend([Action::EmptyBody, Action::Hangup]);
    passing.push(Action::Delay(Duration::from_secs(20)));
    passing.push(Action::Drip { piece: 500, pause: Duration::from_millis(50) });
    for action in passing {
        let context = format!("{action:?}");
        let mut world = World::hasty(Tenant::generate(9, 24), knobs()).await;
        world.connection.graph.attempts = 3;
        world.open();
        for links in [Links::Initial, Links::Next, Links::Delta] {
            let rule = Rule::new(action.clone()).on(Target::DeltaOf(Kind::User)).links(links);
            world.simulator.faults().add(rule.nth(1));
        }
        let record = world.pass().await;
        assert_eq!(record.verdict, "committed", "{context}");
        world.assert_equal();
        let renewed = matches!(action, Action::TokenExpired | Action::ClaimsChallenge);
        let slow = matches!(action, Action::Delay(_) | Action::Drip { .. });
        assert_eq!(record.retries, if renewed || slow { 0 } else { 3 }, "{context}");
        let all_wait = matches!(action, Action::Throttle(_) | Action::Status(503, _));
        assert_eq!(record.throttled_ms > 0, all_wait || action == Action::Html(503), "{context}");
        world.simulator.with_tenant(touch);
        let rule = Rule::new(action.clone()).on(Target::Delta).links(Links::Delta);
        world.simulator.faults().add(rule.nth(2));
        world.pass().await;
        world.assert_equal();
    }
}

#[tokio::test(start_paused = true)]
async fn random_trouble_on_every_request_only_costs_passes() {
    for seed in 0..6 {
        let mut world = World::hasty(Tenant::generate(seed, 30), knobs()).await;
        world.connection.graph.attempts = 2;
        world.open();
        let actions = [Action::Hangup, Action::CutJson, Action::NotFound, Action::Html(502)];
        for (action, seed) in actions.into_iter().zip(seed..) {
            world.simulator.faults().add(Rule::new(action).chance(4, seed));
        }
        for round in 0..5 {
            let before = world.served();
            if world.try_pass(false).await.is_err() {
                assert_eq!(world.served(), before);
            }
            world.simulator.with_tenant(|tenant| life::changes(tenant, seed * 10 + round, 8));
        }
        world.simulator.faults().clear();
        tokio::time::advance(Duration::from_secs(60)).await;
        world.settle(2).await;
        world.assert_equal();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_does_not_come_is_given_up() {
    let mut world = World::with(Tenant::generate(7, 24), crate::world::options()).await;
    world.connection.graph.attempts = 1;
    world.connection.graph.request_timeout = Duration::from_secs(1);
    world.open();
    let late = Rule::new(Action::Delay(Duration::from_secs(600))).on(Target::DeltaOf(Kind::User));
    let id = world.simulator.faults().add(late);
    let (record, _) = world.try_pass(false).await.unwrap_err();
    assert!(record.error.contains("timed out"), "{}", record.error);
    assert!(!world.is_published());
    world.simulator.faults().remove(id);
    world.settle(3).await;
    world.assert_equal();
}
