//! The death of delta and page links, in every shape, for each stream: everything is
//! enumerated anew, and only a complete enumeration removes anything.

use crate::world::World;
use entraldap::simulator::{
    Action, Kind, Knobs, Links, RetryAfter, Rule, StateLoss, Target, Tenant, life,
};
use entraldap::sync::SyncError;
use std::time::Duration;

const DELTA_DEATHS: [StateLoss; 12] = [
    StateLoss::Gone,
    StateLoss::SyncStateNotFound(400),
    StateLoss::SyncStateNotFound(404),
    StateLoss::SyncStateNotFound(410),
    StateLoss::ResyncRequired(400),
    StateLoss::ResyncRequired(409),
    StateLoss::ResyncRequired(410),
    StateLoss::ResyncNested(400),
    StateLoss::TooOld,
    StateLoss::PascalNotFound(400),
    StateLoss::PascalNotFound(410),
    StateLoss::PascalInvalid(410),
];

fn knobs() -> Knobs {
    Knobs { page_objects: 5, page_links: 30, ..Knobs::default() }
}

/// Deletes one object of the kind, and tells which.
fn delete_one(tenant: &mut Tenant, kind: Kind) -> String {
    let id = tenant.live(kind).next().unwrap().to_owned();
    tenant.soft_delete(&id).unwrap();
    id
}

#[tokio::test(start_paused = true)]
async fn a_dead_delta_link_leads_to_a_mark_and_sweep() {
    for kind in Kind::STREAMS {
        for shape in DELTA_DEATHS {
            let context = format!("{shape:?} on {kind:?}");
            let world = World::hasty(Tenant::generate(3, 24), knobs()).await;
            world.pass().await;
            let gone = world.simulator.with_tenant(|tenant| {
                life::changes(tenant, 4, 10);
                delete_one(tenant, kind)
            });
            let before = world.served();
            assert!(world.dn(&gone).is_some(), "{context}");
            let target = Target::DeltaOf(kind);
            let death = Rule::new(Action::StateLost(shape)).on(target).links(Links::Delta);
            let death = world.simulator.faults().add(death.times(1));
            // The enumeration that follows breaks off in the middle.
            let cut = Rule::new(Action::Status(500, RetryAfter::Missing)).on(target);
            let links = if kind == Kind::User { Links::Next } else { Links::Initial };
            let cut = world.simulator.faults().add(cut.links(links));
            world.try_pass(false).await.expect_err(&context);
            assert_eq!(world.simulator.faults().hits(death), 1, "{context}");
            assert_eq!(world.served(), before, "{context}: changed by half an enumeration");
            world.simulator.faults().remove(cut);
            // Where nothing of the enumeration is durable, the dead link is asked again.
            world.simulator.faults().remove(death);
            let again = Rule::new(Action::StateLost(shape)).on(target).links(Links::Delta);
            world.simulator.faults().add(again.times(usize::from(kind != Kind::User)));
            world.simulator.forget_requests();
            world.pass().await;
            assert_eq!(world.dn(&gone), None, "{context}");
            world.assert_equal();
            let next = world.pass().await;
            assert_eq!((next.added, next.changed, next.removed), (0, 0, 0), "{context}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn all_links_die_at_once_in_every_shape() {
    for (seed, shape) in (0..).zip(DELTA_DEATHS) {
        let world = World::hasty(Tenant::generate(seed, 24), knobs()).await;
        world.pass().await;
        world.simulator.with_tenant(|tenant| life::changes(tenant, seed, 15));
        world.simulator.faults().lose_state(shape);
        let record = world.pass().await;
        assert_eq!(record.kind, "full", "{shape:?}");
        world.assert_equal();
        world.simulator.with_tenant(|tenant| life::changes(tenant, seed + 50, 15));
        assert_eq!(world.pass().await.kind, "delta");
        world.assert_equal();
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_page_link_starts_its_round_over() {
    let shapes = [
        StateLoss::PageExpired,
        StateLoss::PageNotFound,
        StateLoss::Gone,
        StateLoss::SyncStateNotFound(400),
        StateLoss::ResyncNested(400),
        StateLoss::PascalInvalid(410),
    ];
    for kind in [Kind::User, Kind::Group] {
        for shape in shapes {
            let context = format!("{shape:?} on {kind:?}");
            let world = World::hasty(Tenant::generate(5, 40), knobs()).await;
            let death = || {
                let death = Rule::new(Action::StateLost(shape)).on(Target::DeltaOf(kind));
                death.links(Links::Next).times(1)
            };
            let first = world.simulator.faults().add(death());
            world.pass().await;
            assert_eq!(world.simulator.faults().hits(first), 1, "{context}");
            world.assert_equal();
            let removed = world.simulator.with_tenant(|tenant| {
                let ids: Vec<String> = tenant.live(kind).map(str::to_owned).collect();
                for (number, id) in ids.iter().enumerate() {
                    tenant.set(kind, id, "displayName", format!("N {number}").into()).unwrap();
                }
                delete_one(tenant, kind)
            });
            let second = world.simulator.faults().add(death());
            world.pass().await;
            assert_eq!(world.simulator.faults().hits(second), 1, "{context}");
            assert_eq!(world.dn(&removed), None, "{context}");
            world.assert_equal();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn links_that_always_die_fail_the_pass_and_nothing_else() {
    let world = World::hasty(Tenant::generate(5, 30), knobs()).await;
    world.pass().await;
    let before = world.served();
    world.simulator.with_tenant(|tenant| life::changes(tenant, 1, 10));
    let rules = [Links::Delta, Links::Next]
        .map(|links| Rule::new(Action::StateLost(StateLoss::Gone)).links(links));
    for rule in rules {
        world.simulator.faults().add(rule);
    }
    let (record, error) = world.try_pass(false).await.unwrap_err();
    assert!(matches!(error, SyncError::Restless(_)), "{error}");
    assert!(record.requests < 100);
    assert_eq!(world.served(), before);
    world.simulator.faults().clear();
    world.settle(2).await;
    world.assert_equal();
}

#[tokio::test(start_paused = true)]
async fn a_chain_without_end_is_an_error_and_the_next_pass_is_fine() {
    let world = World::hasty(Tenant::generate(6, 10), Knobs::default()).await;
    world.simulator.tune(|knobs| knobs.endless = true);
    let (_, error) = world.try_pass(false).await.unwrap_err();
    assert!(matches!(error, SyncError::Endless { .. }), "{error}");
    assert!(!world.is_published());
    world.simulator.tune(|knobs| knobs.endless = false);
    world.pass().await;
    world.assert_equal();

    let before = world.served();
    world.simulator.with_tenant(|tenant| life::changes(tenant, 1, 10));
    world.simulator.tune(|knobs| knobs.endless = true);
    let (_, error) = world.try_pass(false).await.unwrap_err();
    assert!(matches!(error, SyncError::Endless { .. }), "{error}");
    assert_eq!(world.served(), before);
    world.simulator.tune(|knobs| knobs.endless = false);
    world.pass().await;
    world.assert_equal();
}

#[tokio::test(start_paused = true)]
async fn a_link_that_leads_to_itself_is_an_error() {
    let world = World::hasty(Tenant::generate(6, 20), knobs()).await;
    let link = format!("{}/v1.0/users/delta?$skiptoken=circle", world.simulator.base_url());
    let page = format!(r#"{{"value":[],"@odata.nextLink":"{link}"}}"#);
    let circle = Rule::new(Action::Raw(200, Vec::new(), page)).on(Target::DeltaOf(Kind::User));
    let circle = world.simulator.faults().add(circle);
    let (_, error) = world.try_pass(false).await.unwrap_err();
    assert!(matches!(error, SyncError::Endless { .. }), "{error}");
    world.simulator.faults().remove(circle);
    world.pass().await;
    world.assert_equal();
}

#[tokio::test(start_paused = true)]
async fn tokens_die_of_age() {
    let knobs = Knobs {
        delta_lifetime: Some(Duration::from_secs(7 * 24 * 3600)),
        delta_death: StateLoss::TooOld,
        ..knobs()
    };
    let world = World::hasty(Tenant::generate(8, 30), knobs).await;
    world.pass().await;
    for round in 0..3 {
        world.simulator.with_tenant(|tenant| life::changes(tenant, round, 10));
        world.simulator.advance(Duration::from_secs(8 * 24 * 3600));
        assert_eq!(world.settle(2).await.kind, "full");
        world.assert_equal();
    }
}
