//! Passes against the simulated tenant.

use crate::world::World;
use entraldap::simulator::{Tenant, life};

#[tokio::test(flavor = "multi_thread")]
async fn a_first_load_serves_exactly_what_the_tenant_holds() {
    let world = World::new(Tenant::generate(1, 700)).await;
    let record = world.pass().await;
    assert_eq!(record.verdict, "committed");
    world.assert_equal();
    let again = world.pass().await;
    assert_eq!(
        (again.kind.as_str(), again.added, again.changed, again.removed),
        ("delta", 0, 0, 0)
    );
    world.assert_equal();
}

#[tokio::test(flavor = "multi_thread")]
async fn delta_passes_follow_a_living_tenant() {
    let world = World::new(Tenant::generate(2, 300)).await;
    world.pass().await;
    for round in 0..20 {
        world.simulator.with_tenant(|tenant| life::changes(tenant, round, 25));
        world.pass().await;
        world.assert_equal();
    }
}
