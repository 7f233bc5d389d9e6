//! A process that dies costs only time: the next one asks for the pages that were not
//! durable, and comes to the same end.

use crate::world::World;
use entraldap::simulator::{
    Action, Kind, Knobs, Links, Rule, StateLoss, Tally, Target, Tenant, life,
};

const PAGE: usize = 4;

fn knobs() -> Knobs {
    Knobs { page_objects: PAGE, ..Knobs::default() }
}

fn pages(world: &World, kind: Kind) -> usize {
    world.simulator.with_tenant(|tenant| tenant.live(kind).count().div_ceil(PAGE))
}

/// Lets the users stream break off after some pages.
async fn break_off(world: &World, next_pages: usize, full: bool) {
    let cut = Rule::new(Action::Hangup).on(Target::DeltaOf(Kind::User)).links(Links::Next);
    let cut = world.simulator.faults().add(cut.after(next_pages));
    world.try_pass(full).await.unwrap_err();
    world.simulator.faults().remove(cut);
    world.simulator.forget_requests();
}

fn assert_users(tally: Tally, pages: usize) {
    // One more request at the end: what changed since.
    assert_eq!(tally.users_delta, pages + 1, "{tally:?}");
}

#[tokio::test(start_paused = true)]
async fn a_first_load_goes_on_at_the_last_durable_page() {
    for k in [0, 1, 3, 6] {
        let mut world = World::hasty(Tenant::generate(2, 40), knobs()).await;
        break_off(&world, k, false).await;
        assert!(!world.is_published());
        world.open();
        assert!(!world.is_published());
        world.pass().await;
        let tally = world.simulator.tally();
        assert_users(tally, pages(&world, Kind::User) - (k + 1));
        // These were complete: what changed since the first pass, and since that.
        assert_eq!((tally.groups_delta, tally.contacts_delta), (2, 2));
        world.assert_equal();
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_dies_again_and_again() {
    let mut world = World::hasty(Tenant::generate(3, 60), knobs()).await;
    for _ in 0..5 {
        break_off(&world, 2, false).await;
        let change = |tenant: &mut Tenant| life::changes(tenant, tenant.version(), 3);
        world.simulator.with_tenant(change);
        world.open();
    }
    world.pass().await;
    world.assert_equal();
}

/// The future of a pass is dropped in the middle, as at a stop or a crash: pages that
/// were not durable yet are asked for again, and no others.
#[tokio::test(start_paused = true)]
async fn a_killed_pass_repeats_few_pages() {
    let mut world = World::hasty(Tenant::generate(3, 400), knobs()).await;
    let all = pages(&world, Kind::User);
    let watch = async {
        while world.simulator.tally().users_delta < 60 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        _ = world.try_pass(false) => panic!("the pass came to its end"),
        () = watch => {}
    }
    world.open();
    world.simulator.forget_requests();
    world.pass().await;
    let asked = world.simulator.tally().users_delta;
    assert!(asked <= all + 1 - 60 + 18, "{asked} of {all}");
    world.assert_equal();
}

#[tokio::test(start_paused = true)]
async fn a_reconcile_goes_on_and_nothing_changes_before_its_end() {
    let mut world = World::hasty(Tenant::generate(5, 40), knobs()).await;
    world.pass().await;
    world.simulator.with_tenant(|tenant| life::changes(tenant, 9, 20));
    let before = world.served();
    break_off(&world, 3, true).await;
    assert_eq!(world.served(), before);
    world.open();
    assert_eq!(world.served(), before);
    // The next pass is an ordinary one: the enumeration under way comes first.
    let all = pages(&world, Kind::User);
    let record = world.pass().await;
    assert!(world.simulator.tally().users_delta <= all - 4 + 2);
    assert_eq!(record.kind, "full");
    world.assert_equal();
    assert_eq!(world.pass().await.kind, "delta");
}

/// Another stream keeps failing for days while one is complete: what is published then
/// is not the state of the first day.
#[tokio::test(start_paused = true)]
async fn a_first_publication_knows_those_who_came_while_it_was_delayed() {
    let mut world = World::hasty(Tenant::generate(5, 20), knobs()).await;
    let broken = Rule::new(Action::NotImplemented).on(Target::DeltaOf(Kind::Group));
    let broken = world.simulator.faults().add(broken);
    world.try_pass(false).await.unwrap_err();
    let (new, gone) = world.simulator.with_tenant(|tenant| {
        let new = serde_json::json!({"displayName": "New", "userPrincipalName": "new@contoso.com"});
        let gone = tenant.live(Kind::User).next().unwrap().to_owned();
        tenant.soft_delete(&gone).unwrap();
        (tenant.add_user(new).unwrap(), gone)
    });
    world.open();
    world.try_pass(false).await.unwrap_err();
    world.simulator.faults().remove(broken);
    world.pass().await;
    assert!(world.dn(&new).is_some() && world.dn(&gone).is_none());
    world.assert_equal();
}

/// The service shows in an enumeration only what was there at its start.
#[tokio::test(start_paused = true)]
async fn a_first_publication_knows_those_who_came_while_it_was_read() {
    let knobs = Knobs { catch_up: false, ..knobs() };
    let world = World::hasty(Tenant::generate(5, 60), knobs).await;
    let grow = async {
        while world.simulator.tally().users_delta < 5 {
            tokio::task::yield_now().await;
        }
        world.simulator.with_tenant(|tenant| life::changes(tenant, 1, 30));
        std::future::pending::<()>().await;
    };
    tokio::select! {
        record = world.pass() => assert_eq!(record.verdict, "committed"),
        () = grow => {}
    }
    world.assert_equal();
}

#[tokio::test(start_paused = true)]
async fn a_round_whose_page_link_died_meanwhile_starts_over() {
    for shape in [StateLoss::PageExpired, StateLoss::PageNotFound, StateLoss::Gone] {
        let mut world = World::hasty(Tenant::generate(6, 40), knobs()).await;
        break_off(&world, 4, false).await;
        world.simulator.with_tenant(|tenant| {
            let id = tenant.live(Kind::User).next().unwrap().to_owned();
            tenant.soft_delete(&id).unwrap();
        });
        world.simulator.faults().lose_state(shape);
        world.open();
        world.pass().await;
        assert!(world.simulator.tally().users_delta > pages(&world, Kind::User), "{shape:?}");
        world.assert_equal();
    }
}

#[tokio::test(start_paused = true)]
async fn another_selection_enumerates_anew() {
    let mut world = World::hasty(Tenant::generate(6, 30), knobs()).await;
    world.pass().await;
    world.simulator.with_tenant(|tenant| life::changes(tenant, 2, 10));
    let forget = |change: &mut entraldap::replica::Transaction<'_>| {
        let mut state = change.connection(0)?;
        for link in state.links.values_mut() {
            link.select = "what an older version selected".to_owned();
        }
        change.put_connection(0, &state)
    };
    world.writer().write(forget).unwrap();
    world.open();
    world.simulator.forget_requests();
    let record = world.pass().await;
    assert_eq!(record.kind, "full");
    assert!(world.simulator.tally().users_delta >= pages(&world, Kind::User));
    world.assert_equal();

    // The same in the middle of a round: its pages are worth nothing.
    break_off(&world, 3, true).await;
    let forget = |change: &mut entraldap::replica::Transaction<'_>| {
        let mut state = change.connection(0)?;
        state.rounds.values_mut().for_each(|round| round.select = "older".to_owned());
        state.links.values_mut().for_each(|link| link.select = "older".to_owned());
        change.put_connection(0, &state)
    };
    world.writer().write(forget).unwrap();
    world.open();
    world.pass().await;
    assert!(world.simulator.tally().users_delta >= pages(&world, Kind::User));
    world.assert_equal();
}
