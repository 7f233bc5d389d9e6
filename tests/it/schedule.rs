//! When passes run by themselves.

use crate::world::World;
use entraldap::config::settings::{Calendar, Cron, SyncSettings, When};
use entraldap::graph::Graph;
use entraldap::simulator::{Simulator, Tenant};
use entraldap::sync::schedule::{Handle, Schedule};
use entraldap::sync::{Button, Engine};
use tokio_util::sync::{CancellationToken, DropGuard};

/// A schedule over the world's replica, running until the guard is dropped.
fn running(world: &World, when: When) -> (Handle, DropGuard) {
    running_by(world, SyncSettings { when, ..SyncSettings::default() })
}

fn running_by(world: &World, sync: SyncSettings) -> (Handle, DropGuard) {
    let graph = Graph::new(&world.connection).unwrap();
    let settings = entraldap::config::settings::ReplicaSettings::default();
    let engine = Engine::new(&world.connection, &settings, graph, world.writer().clone()).unwrap();
    let (schedule, handle) = Schedule::new("contoso", engine, &sync);
    let stop = CancellationToken::new();
    tokio::spawn(schedule.run(stop.clone()));
    (handle, stop.drop_guard())
}

/// Every day at the minute that was this many minutes ago, in UTC.
fn daily(minutes_ago: i64) -> When {
    let minute = (now() / 60 - minutes_ago).rem_euclid(24 * 60);
    let cron = Cron::daily(vec![u16::try_from(minute).unwrap()]);
    When::Calendar(Calendar { zone: jiff::tz::TimeZone::UTC, cron })
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

fn set_last_success(world: &World, time: i64) {
    let set = |change: &mut entraldap::replica::Transaction<'_>| {
        let mut state = change.connection(0)?;
        state.last_success = Some(time);
        change.put_connection(0, &state)
    };
    world.writer().write(set).unwrap();
}

async fn told_when_next(handle: &Handle) -> i64 {
    let mut status = handle.status();
    status.wait_for(|status| status.next.is_some()).await.unwrap().next.unwrap()
}

async fn asked(simulator: &Simulator) -> usize {
    simulator.tally().total
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missed_time_is_caught_up_once() {
    let world = World::new(Tenant::generate(19, 30)).await;
    world.pass().await;
    // It was due an hour ago, and three more times before that.
    set_last_success(&world, now() - 4 * 86_400);
    let passes = |world: &World| world.snapshot().passes(100).unwrap().len();
    let before = passes(&world);
    let (handle, _running) = running(&world, daily(60));
    let mut status = handle.status();
    status.wait_for(|status| status.last.is_some()).await.unwrap();
    let next = told_when_next(&handle).await;
    assert!((22 * 3600..24 * 3600).contains(&(next - now())), "the next one is tomorrow's");
    assert_eq!(passes(&world), before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_that_was_kept_is_not_caught_up() {
    let world = World::new(Tenant::generate(19, 30)).await;
    world.pass().await;
    let asked_before = asked(&world.simulator).await;
    let (handle, _running) = running(&world, daily(60));
    let next = told_when_next(&handle).await;
    assert!((22 * 3600..24 * 3600).contains(&(next - now())));
    assert_eq!(asked(&world.simulator).await, asked_before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_load_does_not_wait_for_its_time() {
    let world = World::new(Tenant::generate(19, 30)).await;
    let (handle, _running) = running(&world, daily(-600));
    handle.status().wait_for(|status| status.published).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn manual_means_that_nothing_runs_by_itself() {
    let world = World::new(Tenant::generate(19, 30)).await;
    let (handle, _running) = running(&world, When::Manual);
    // Whatever it does by itself it would do before it answers.
    assert!(handle.press(Button::Approve).await.unwrap().is_err());
    assert_eq!(asked(&world.simulator).await, 0);
    assert_eq!(handle.status().borrow().next, None);
    let record = handle.sync(false).await.unwrap();
    assert_eq!((record.verdict.as_str(), record.trigger.as_str()), ("committed", "manual"));
    assert_eq!(handle.status().borrow().next, None);
    world.assert_equal();
}

#[tokio::test(flavor = "multi_thread")]
async fn jitter_makes_a_pass_later_and_never_earlier() {
    let world = World::new(Tenant::generate(19, 30)).await;
    world.pass().await;
    let jitter = std::time::Duration::from_secs(4 * 3600);
    let due = now() + 24 * 3600 - 3600;
    for _ in 0..5 {
        let sync = SyncSettings { when: daily(60), jitter, ..SyncSettings::default() };
        let (handle, _running) = running_by(&world, sync);
        let next = told_when_next(&handle).await;
        // The minute itself, and the seconds that this test takes.
        let earliest = due - 120;
        assert!((earliest..earliest + 4 * 3600 + 240).contains(&next), "{}", next - due);
    }
}
