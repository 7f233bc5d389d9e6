//! Identities of machines and workloads.

use super::*;

#[tokio::test]
async fn a_federated_token_is_read_anew_for_each_token() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let write = |subject: &str, audience: &str, life: i64| {
        std::fs::write(&file, federated_token(subject, audience, life)).unwrap();
    };
    let Federation { subject, audience, .. } = federation();
    write(&subject, &audience, 3600);
    let options = Options { federations: vec![federation()], ..options() };
    let world = world(options, Credential::Federated(file.clone())).await;
    world.pass().await;
    world.assert_equal();
    world.simulator.advance(Duration::from_secs(7200));
    let error = refusal(&world).await;
    assert_eq!(error.code.as_deref(), Some("AADSTS700024"), "{error}");
    write(&subject, &audience, 3 * 3600);
    world.pass().await;
    for (subject, audience, code) in [
        ("other", audience.as_str(), "AADSTS700213"),
        (subject.as_str(), "api://other", "AADSTS700212"),
    ] {
        write(subject, audience, 24 * 3600);
        world.simulator.advance(Duration::from_secs(7200));
        let error = refusal(&world).await;
        assert_eq!(error.code.as_deref(), Some(code));
        assert!(error.to_string().contains("Federated credentials"), "{error}");
    }
    std::fs::write(&file, "\n").unwrap();
    let error = refusal(&world).await;
    assert!(error.kind == ErrorKind::Secret && error.to_string().contains("is empty"), "{error}");
}

fn machine(simulator: &Simulator, machine: &Machine, identity: Option<Identity>) -> Credential {
    let url = |path: &str| format!("{}{path}", simulator.base_url()).parse().unwrap();
    let imds = "/metadata/identity/oauth2/token";
    let host = match machine {
        Machine::Imds => IdentityHost::Imds(url(imds)),
        Machine::AppService(header) => {
            IdentityHost::AppService(url("/msi/token"), Secret::new(header))
        }
        Machine::Arc(keys) => IdentityHost::Arc(url(imds), keys.clone()),
    };
    Credential::Managed(ManagedIdentity { host, identity })
}

#[tokio::test]
async fn a_machine_gets_tokens_for_its_identities() {
    let keys = tempfile::tempdir().unwrap();
    let named = MachineIdentity {
        client: "22222222-0000-4000-8000-000000000001".to_owned(),
        object: "22222222-0000-4000-8000-000000000002".to_owned(),
        resource: "/subscriptions/s/resourceGroups/g/providers/p/userAssignedIdentities/i"
            .to_owned(),
    };
    for host in [
        Machine::Imds,
        Machine::AppService("hush-header".to_owned()),
        Machine::Arc(keys.path().to_owned()),
    ] {
        let options = Options {
            machine: Some(host.clone()),
            machine_identities: vec![named.clone()],
            ..options()
        };
        let mut world = World::with(Tenant::generate(5, 20), options).await;
        world.connection.graph.attempts = 1;
        for identity in [
            None,
            Some(Identity::Client(named.client.clone())),
            Some(Identity::Object(named.object.clone())),
            Some(Identity::Resource(named.resource.clone())),
        ] {
            world.connection.credential = machine(&world.simulator, &host, identity);
            world.open();
            world.pass().await;
            world.assert_equal();
        }
        let unknown = Some(Identity::Client("other".to_owned()));
        world.connection.credential = machine(&world.simulator, &host, unknown);
        world.open();
        let error = refusal(&world).await;
        assert_eq!((error.kind, error.access), (ErrorKind::Credential, Access::Machine));
        assert!(error.to_string().contains("managed_identity"), "{error}");
    }
}

#[tokio::test]
async fn a_machine_without_the_right_header_gets_nothing() {
    let host = Machine::AppService("right".to_owned());
    let options = Options { machine: Some(host), ..options() };
    let mut world = World::with(Tenant::generate(5, 20), options).await;
    world.connection.graph.attempts = 1;
    let other = Machine::AppService("hush-wrong".to_owned());
    world.connection.credential = machine(&world.simulator, &other, None);
    world.open();
    let error = refusal(&world).await;
    assert_eq!(error.status, Some(401));
    assert!(!error.to_string().contains("hush-wrong"), "{error}");
}
