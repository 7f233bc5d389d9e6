//! Permissions that are missing, credentials of another tenant, and what is recorded.

use crate::world::{World, connection, options};
use entraldap::directory::kind::Kind as Sort;
use entraldap::simulator::{
    Action, Kind, Knobs, Links, Options, Rule, Simulator, Target, Tenant, life,
};
use entraldap::sync::SyncError;

const ALL: [&str; 4] =
    ["User.Read.All", "GroupMember.Read.All", "OrgContact.Read.All", "Domain.Read.All"];

async fn world() -> World {
    World::hasty(Tenant::generate(3, 30), Knobs { page_objects: 8, ..Knobs::default() }).await
}

fn without(role: &str) -> Vec<&'static str> {
    ALL.into_iter().filter(|known| *known != role).collect()
}

#[tokio::test(start_paused = true)]
async fn without_a_permission_that_is_required_nothing_is_published_and_the_error_names_it() {
    for (role, named) in [
        ("User.Read.All", "User.Read.All"),
        ("GroupMember.Read.All", "GroupMember.Read.All"),
        ("OrgContact.Read.All", "OrgContact.Read.All"),
    ] {
        let mut world = world().await;
        world.connection.sync.required = vec![Sort::Group, Sort::Contact];
        world.open();
        world.simulator.grant(&without(role));
        let (record, error) = world.try_pass(false).await.unwrap_err();
        assert!(record.error.contains(named), "{role}: {}", record.error);
        assert!(matches!(error, SyncError::Graph(error) if error.is_permission()));
        assert!(!world.is_published());
        world.simulator.grant(&ALL);
        world.pass().await;
        world.assert_equal();
    }
}

#[tokio::test(start_paused = true)]
async fn a_part_that_may_not_be_read_is_switched_off_with_a_warning_until_it_may() {
    for (role, plural) in
        [("GroupMember.Read.All", "groups"), ("OrgContact.Read.All", "contacts")]
    {
        let world = world().await;
        world.simulator.grant(&without(role));
        for _ in 0..2 {
            let record = world.pass().await;
            assert!(world.is_published());
            assert_eq!(record.verdict, "partial", "{role}");
            assert!(record.error.contains(role), "{}", record.error);
            assert!(record.warnings.iter().any(|w| w.contains(role)), "{:?}", record.warnings);
            assert_eq!(record.entries[plural], 0);
            assert!(record.entries["users"] > 0);
        }
        // Granted while the program runs: the next pass reads all of it.
        world.simulator.grant(&ALL);
        let record = world.pass().await;
        assert_eq!(record.verdict, "committed", "{role}: {}", record.error);
        world.assert_equal();
    }
}

#[tokio::test(start_paused = true)]
async fn a_permission_that_is_taken_away_stops_its_stream_only() {
    let world = world().await;
    world.pass().await;
    let first = world.last_record();
    let long_ago = |change: &mut entraldap::replica::Transaction<'_>| {
        let mut state = change.connection(0)?;
        state.last_full = Some(1);
        change.put_connection(0, &state)
    };
    world.writer().write(long_ago).unwrap();
    for round in 0..3 {
        world.simulator.grant(&without("OrgContact.Read.All"));
        let (user, contact) = world.simulator.with_tenant(|tenant| {
            let user = tenant.live(Kind::User).nth(round).unwrap().to_owned();
            let contact = tenant.live(Kind::Contact).next().unwrap().to_owned();
            let name = format!("Renamed {round}");
            tenant.set(Kind::User, &user, "displayName", name.clone().into()).unwrap();
            tenant.set(Kind::Contact, &contact, "companyName", name.into()).unwrap();
            (user, contact)
        });
        let full = round == 1;
        let record = world.try_pass(full).await.unwrap();
        assert_eq!(record.verdict, "partial");
        assert!(record.error.contains("OrgContact.Read.All"), "{}", record.error);
        assert_eq!(record.entries["contacts"], first.entries["contacts"]);
        assert!(world.values(&user, "displayName").contains(&format!("Renamed {round}")));
        assert!(world.dn(&contact).is_some());
        // An enumeration without contacts is none: the next one is still due.
        assert_eq!(world.snapshot().connections()[0].1.last_full, Some(1));
        world.simulator.grant(&ALL);
        world.pass().await;
        world.assert_equal();
    }
}

#[tokio::test(start_paused = true)]
async fn when_every_stream_is_refused_the_pass_has_failed() {
    let world = world().await;
    world.pass().await;
    let before = world.served();
    world.simulator.grant(&["Domain.Read.All"]);
    for full in [false, true] {
        let (record, _) = world.try_pass(full).await.unwrap_err();
        assert_eq!(record.verdict, "failed");
        assert_eq!(world.served(), before);
    }
    world.simulator.grant(&ALL);
    world.pass().await;
    world.assert_equal();
}

#[tokio::test(start_paused = true)]
async fn domains_are_an_extra() {
    let world = world().await;
    world.simulator.grant(&without("Domain.Read.All"));
    let record = world.pass().await;
    assert_eq!(record.verdict, "committed");
    assert!(record.warnings.iter().any(|warning| warning.contains("Domain.Read.All")));
    assert_eq!(record.entries["domains"], 0);
    world.simulator.grant(&ALL);
    assert_eq!(world.pass().await.entries["domains"], 2);
    let broken = Rule::new(Action::NotFound).on(Target::Graph).path("/domains");
    world.simulator.faults().add(broken);
    let record = world.pass().await;
    assert_eq!((record.entries["domains"], record.removed), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn credentials_of_another_tenant_change_nothing() {
    let mut world = world().await;
    world.pass().await;
    let before = world.served();
    let other = "0dd00000-1111-4222-8333-555555555555".to_owned();
    let other = Options { tenant_id: other, ..options() };
    let other = Simulator::start(Tenant::generate(77, 10), other).await.unwrap();
    let right = std::mem::replace(&mut world.connection, connection(&other));
    world.open();
    for full in [false, true] {
        let (record, error) = world.try_pass(full).await.unwrap_err();
        assert!(matches!(error, SyncError::OtherTenant { .. }), "{error}");
        assert_eq!(record.verdict, "failed");
        assert_eq!(world.served(), before);
    }
    assert_eq!(other.tally().users_delta, 0);
    world.connection = right;
    world.open();
    world.pass().await;
    world.assert_equal();
}

/// Nothing was published yet, so the other tenant is a correction: what was staged from
/// the first one must not be mixed into it.
#[tokio::test(start_paused = true)]
async fn a_corrected_tenant_gets_nothing_of_the_first_one() {
    let mut world = world().await;
    let broken = Rule::new(Action::NotImplemented).on(Target::DeltaOf(Kind::Group));
    world.simulator.faults().add(broken.links(Links::Initial));
    world.try_pass(false).await.unwrap_err();
    let tenant_id = "0dd00000-1111-4222-8333-555555555555".to_owned();
    let other = Options { tenant_id, ..options() };
    let other = Simulator::start(Tenant::generate(77, 10), other).await.unwrap();
    world.connection = connection(&other);
    world.simulator = other;
    world.open();
    world.pass().await;
    world.assert_equal();
}

#[tokio::test(start_paused = true)]
async fn every_pass_is_recorded() {
    let world = world().await;
    let fault = world.simulator.faults().add(Rule::new(Action::BadRequest).on(Target::Delta));
    world.try_pass(false).await.unwrap_err();
    world.simulator.faults().remove(fault);
    world.pass().await;
    world.simulator.with_tenant(|tenant| life::changes(tenant, 3, 20));
    world.simulator.forget_requests();
    let record = world.pass().await;
    assert_eq!(record.requests, world.simulator.tally().total as u64);
    world.try_pass(true).await.unwrap();
    let passes = world.snapshot().passes(10).unwrap();
    let told: Vec<_> = passes
        .iter()
        .map(|pass| (pass.number, pass.verdict.as_str(), pass.kind.as_str()))
        .collect();
    let wanted = [
        (4, "committed", "full"),
        (3, "committed", "delta"),
        (2, "committed", "full"),
        (1, "failed", "delta"),
    ];
    assert_eq!(told, wanted);
    assert!(passes.iter().all(|pass| pass.requests > 0 && pass.ended >= pass.started));
    assert!(passes[3].error.contains("Request_BadRequest"), "{}", passes[3].error);
    assert!(passes[2].added > 30 && passes[2].received > 30);
    assert!(passes[1].changed > 0 && passes[1].error.is_empty());
    let objects = passes[0].entries.values().sum::<u64>();
    let containers = 5;
    assert_eq!(objects + containers, world.snapshot().len().unwrap());
}
