//! Tokens and permissions that come and go.

use super::*;

#[tokio::test]
async fn tokens_that_live_for_seconds_carry_a_long_first_load() {
    let knobs = Knobs { page_objects: 4, ..Knobs::default() };
    let options = Options { token_lifetime: Duration::from_secs(2), knobs, ..options() };
    let world = World::with(Tenant::generate(7, 200), options).await;
    let simulator = &world.simulator;
    // One that dies twice at the same request ends a pass, and the next one goes on.
    let load = world.settle(50);
    // Every few requests the token in use dies, in the middle of a round.
    let time = async {
        for request in (5..).step_by(5) {
            simulator.requested(request).await;
            simulator.advance(Duration::from_secs(3));
        }
    };
    tokio::select! {
        _ = load => {}
        () = time => unreachable!("time does not end"),
    }
    world.assert_equal();
    let tally = world.simulator.tally();
    assert!(tally.token > 5 && tally.refused > 5, "{tally:?}");
}

#[tokio::test(start_paused = true)]
async fn consent_that_is_withdrawn_and_granted_again_costs_nothing() {
    let world = World::hasty(Tenant::generate(5, 30), Knobs::default()).await;
    world.pass().await;
    let served = world.served();
    let user = world.simulator.with_tenant(|tenant| {
        let user = tenant.live(Kind::User).next().unwrap().to_owned();
        tenant.set(Kind::User, &user, "displayName", "Renamed".into()).unwrap();
        user
    });
    world.simulator.grant(&[]);
    for _ in 0..3 {
        world.simulator.faults().revoke_access_tokens();
        let (record, _) = world.try_pass(false).await.unwrap_err();
        assert!(record.error.contains("User.Read.All"), "{}", record.error);
        assert_eq!(world.served(), served);
    }
    let all = options().roles;
    world.simulator.grant(&all.iter().map(String::as_str).collect::<Vec<_>>());
    world.pass().await;
    assert!(world.values(&user, "displayName").contains("Renamed"));
    world.assert_equal();
}

#[tokio::test(start_paused = true)]
async fn a_permission_granted_while_a_token_lives_is_noticed_before_its_end() {
    let knobs = Knobs { roles_in_token: true, ..Knobs::default() };
    let world = World::hasty(Tenant::generate(5, 30), knobs).await;
    world.simulator.grant(&[]);
    let (record, _) = world.try_pass(false).await.unwrap_err();
    assert!(record.error.contains("User.Read.All"), "{}", record.error);
    let all = options().roles;
    world.simulator.grant(&all.iter().map(String::as_str).collect::<Vec<_>>());
    // The token was given a moment ago; many passes in a row do not ask for many.
    for _ in 0..5 {
        world.try_pass(false).await.unwrap_err();
    }
    assert_eq!(world.simulator.tally().token, 1);
    tokio::time::advance(Duration::from_secs(601)).await;
    world.try_pass(false).await.unwrap_err();
    world.pass().await;
    world.assert_equal();
    assert_eq!(world.simulator.tally().token, 2);
    // Withdrawn: Graph goes by the token, too, until it ends.
    world.simulator.grant(&[]);
    world.pass().await;
    tokio::time::advance(Duration::from_secs(3600)).await;
    world.try_pass(false).await.unwrap_err();
    world.assert_equal();
}
