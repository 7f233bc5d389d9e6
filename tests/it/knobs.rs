//! Whatever way the service behaves where nothing is promised: once the tenant rests,
//! a few passes lead to its state. Each seed is another service and another history.

use crate::world::World;
use crate::world::index::Checker;
use entraldap::simulator::{
    Action, Knobs, Lateness, Links, Reason, Rng, Rule, SelectOnLink, Spelling, StateLoss, Tenant,
    life,
};

fn knobs_of(rng: &mut Rng) -> Knobs {
    let mut flip = || rng.one_in(2);
    let mut knobs = Knobs {
        removed_in_initial: flip(),
        coalesce: flip(),
        catch_up: flip(),
        restored_group_sends_members: flip(),
        odd_members: flip(),
        wrong_context: flip(),
        lower_inner_error: flip(),
        retried_links_die: flip(),
        serve_hidden: flip(),
        manager_again: flip(),
        manager_both: flip(),
        all_by_default: flip(),
        outside_is_400: flip(),
        batch_reversed: flip(),
        gzip: flip(),
        contact_reason: if flip() { Reason::Changed } else { Reason::Deleted },
        ..Knobs::default()
    };
    let spellings = [Spelling::Short, Spelling::Call, Spelling::Qualified, Spelling::QualifiedCall];
    let selects = [SelectOnLink::Refused, SelectOnLink::Honoured, SelectOnLink::Ignored];
    knobs.spelling = spellings[rng.below(4)];
    knobs.select_on_link = selects[rng.below(3)];
    knobs.page_objects = [1, 2, 7, 30, 200][rng.below(5)];
    knobs.page_links = [1, 3, 20, 200][rng.below(4)];
    knobs.empty_page_every = [0, 2, 5][rng.below(3)];
    knobs.repeat_every = [0, 1, 3][rng.below(3)];
    knobs.copies = 1 + rng.below(3);
    knobs.member_slices = [1, 2, 5][rng.below(3)];
    let late = [0, 0, 3, 9];
    knobs.late = Lateness {
        users: late[rng.below(4)],
        groups: late[rng.below(4)],
        contacts: late[rng.below(4)],
    };
    knobs
}

/// Runs a pass while the tenant goes on changing between its requests.
async fn pass_in_motion(world: &World, rng: &mut Rng, full: bool) -> bool {
    let life = async {
        // Not for ever: small pages would never catch up.
        for _ in 0..40 {
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            world.simulator.with_tenant(|tenant| life::step(tenant, rng));
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        outcome = world.try_pass(full) => outcome.is_ok(),
        () = life => false,
    }
}

async fn converges(seed: u64) {
    let mut rng = Rng::new(seed);
    let knobs = knobs_of(&mut rng);
    let passes = knobs.late.users.max(knobs.late.groups).max(knobs.late.contacts) / 2 + 2;
    let (silent, tells_hidden) = (!knobs.restored_group_sends_members, knobs.serve_hidden);
    let mut tenant = Tenant::generate(seed, 30);
    tenant.keep_deleted_security_groups(rng.one_in(2));
    life::changes(&mut tenant, seed, 60);
    let mut world = World::hasty(tenant, knobs.clone()).await;
    if rng.one_in(2) {
        let host = format!("localhost:{}", world.simulator.address().port());
        world.simulator.tune(|knobs| knobs.link_host = Some(host));
    }
    if rng.one_in(2) {
        world.connection.graph.attempts = 3;
        world.open();
        world.simulator.faults().add(Rule::new(Action::Hangup).chance(5, seed));
    }
    world.connection.sync.hidden_members = tells_hidden && rng.one_in(2);
    world.open();
    let mut checker = Checker::default();
    for round in 0..4 {
        if rng.one_in(2) {
            let full = round == 2 && rng.one_in(2);
            pass_in_motion(&world, &mut rng, full).await;
        } else {
            let _ = world.try_pass(false).await;
        }
        if rng.one_in(3) {
            world.simulator.faults().lose_state(StateLoss::Gone);
        }
        if rng.one_in(4) {
            world.open();
        }
        world.simulator.with_tenant(|tenant| {
            (0..rng.below(30)).for_each(|_| drop(life::step(tenant, &mut rng)));
        });
        checker.check(&world.snapshot());
    }
    world.simulator.faults().clear();
    for _ in 0..passes {
        world.settle(2).await;
    }
    if silent {
        // A group that came out of the bin while everything was enumerated cannot be
        // told from one without members; the next reconcile tells.
        world.try_pass(true).await.map_err(|(_, error)| error).unwrap();
    }
    let differences = world.differences();
    assert!(differences.is_empty(), "seed {seed}, {knobs:?}: {differences:#?}");
    checker.check(&world.snapshot());
    let rest = world.settle(1).await;
    assert_eq!((rest.added, rest.changed, rest.removed), (0, 0, 0), "seed {seed}: no rest");
}

async fn all_converge(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        converges(seed).await;
    }
}

#[tokio::test(start_paused = true)]
async fn any_service_and_any_history_converge_1() {
    all_converge(0..16).await;
}

#[tokio::test(start_paused = true)]
async fn any_service_and_any_history_converge_2() {
    all_converge(100..116).await;
}

#[tokio::test(start_paused = true)]
async fn any_service_and_any_history_converge_3() {
    all_converge(200..216).await;
}

#[tokio::test(start_paused = true)]
async fn the_smallest_pages_do() {
    let knobs = Knobs { page_objects: 1, page_links: 1, member_slices: 3, ..Knobs::default() };
    let world = World::hasty(Tenant::generate(4, 12), knobs).await;
    world.pass().await;
    world.assert_equal();
}

/// A page asked for twice answers with a link that will not work.
#[tokio::test(start_paused = true)]
async fn links_of_retried_pages_die() {
    let knobs = Knobs { page_objects: 4, retried_links_die: true, ..Knobs::default() };
    let mut world = World::hasty(Tenant::generate(4, 30), knobs).await;
    world.connection.graph.attempts = 3;
    world.open();
    let cut = Rule::new(Action::CutBody).links(Links::Next).nth(3);
    world.simulator.faults().add(cut);
    world.settle(3).await;
    world.assert_equal();
}

#[tokio::test(start_paused = true)]
async fn a_living_tenant_keeps_its_indexes_and_names_in_order() {
    let world = World::hasty(Tenant::generate(11, 120), Knobs::default()).await;
    let mut checker = Checker::default();
    for round in 0..12 {
        world.settle(1).await;
        world.assert_equal();
        checker.check(&world.snapshot());
        world.simulator.with_tenant(|tenant| life::changes(tenant, round, 60));
    }
}
