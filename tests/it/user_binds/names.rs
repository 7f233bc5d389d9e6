//! Who may bind, and by which name.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_known_by_every_form_of_the_name_and_says_who_it_is() {
    let house = House::with(
        "",
        "[connection.user_binds]\nenabled = true\n[connection.local]\nfile = \"LOCAL\"",
    )
    .await;
    for name in [ANN, "scanner@contoso.com", "team@contoso.com", "pia@contoso.com"] {
        house.knows(name, "right", SignIn::Plain);
    }
    for form in [
        "uid=ann@contoso.com,ou=users,dc=contoso,dc=com",
        "UID=Ann@Contoso.com, OU=Users, DC=contoso, DC=com",
        ANN,
        "ANN@contoso.com",
        "ann.x@contoso.com",
        "CONTOSO\\ann",
        "EXAMPLE\\ann",
        "ann",
    ] {
        let mut client = house.client(HOME).await;
        let answer = client.simple_bind(form, "right").await.unwrap();
        assert_eq!(told(&answer), right(), "{form}");
        let (who, _) = client.extended(ldap3::exop::WhoAmI).await.unwrap().success().unwrap();
        assert_eq!(who.parse::<ldap3::exop::WhoAmIResp>().authzid, format!("u:{ANN}"));
        let filter = "(proxyAddresses=smtp:bob.x@contoso.com)";
        let base = "dc=contoso,dc=com";
        let found = client.search(base, Scope::Subtree, filter, ["mail"]).await.unwrap();
        assert_eq!(found.success().unwrap().0.len(), 1);
    }
    let asked = house.asked();
    for (n, form) in (1u8..).zip([
        "cn=team,ou=groups,dc=contoso,dc=com",
        "team@contoso.com",
        "team",
        "pia@contoso.com",
        "uid=scanner@contoso.com,ou=users,dc=contoso,dc=com",
        "scanner@contoso.com",
        "ou=users,dc=contoso,dc=com",
        "uid=ann@contoso.com,dc=contoso,dc=com",
        "uid=ann@contoso.com,ou=users,dc=example,dc=com",
        "ann@example.com",
        "Ann.X",
        "*",
    ]) {
        let answer = house.bind_from(address(n), form, "right").await;
        assert_eq!(answer, refused("52e"), "{form}");
    }
    // Service accounts come first, in all their forms, and Entra never hears of them.
    for form in ["gw", "gw@contoso.com", "contoso\\gw", "cn=gw,dc=contoso,dc=com"] {
        assert_eq!(house.bind(form, "gw-password").await, right(), "{form}");
        assert_eq!(house.bind(form, "other").await, refused("52e"), "{form}");
    }
    assert_eq!(house.asked(), asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bare_name_must_be_one_users_in_all_tenants() {
    let binds = "[connection.user_binds]\nenabled = true";
    let one = Simulator::start(people("contoso.com"), options()).await.unwrap();
    let mut tenant = people("fabrikam.com");
    tenant.soft_delete(&id(3)).unwrap();
    let two = Simulator::start(tenant, options()).await.unwrap();
    let text = connection("contoso", &one, binds) + &connection("fabrikam", &two, binds);
    let (daemon, _folder) = start("", &text).await;
    let address = daemon.addresses()[0].0;
    one.set_password(ANN, "right", SignIn::Plain);
    one.set_password("dan@contoso.com", "right", SignIn::Plain);
    two.set_password("ann@fabrikam.com", "other", SignIn::Plain);
    let bind = async |name: &str, password: &str| {
        told(&client(address, HOME).await.simple_bind(name, password).await.unwrap())
    };
    assert_eq!(daemon.schedules()[0].sync(false).await.unwrap().error, "");
    // Of the second tenant nothing is known yet.
    assert_eq!(bind(ANN, "right").await, right());
    assert_eq!(bind("ann@fabrikam.com", "other").await, unavailable());
    assert_eq!(bind("dan", "right").await, unavailable());
    let dn = "uid=ann@fabrikam.com,ou=users,dc=fabrikam,dc=com";
    assert_eq!(bind(dn, "other").await, unavailable());
    assert_eq!(daemon.schedules()[1].sync(false).await.unwrap().error, "");
    assert_eq!(bind(dn, "other").await, right());
    assert_eq!(bind("ann@fabrikam.com", "other").await, right());
    assert_eq!(bind("dan", "right").await, right());
    assert_eq!(bind("ann", "right").await, refused("52e"));
    assert_eq!(bind("contoso\\ann", "right").await, right());
    assert_eq!(bind("FABRIKAM\\ann", "other").await, right());
    assert_eq!((one.tally().sign_ins, two.tally().sign_ins), (3, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_first_sync_nobody_is_known() {
    let house = House::unsynced("", "[connection.user_binds]\nenabled = true").await;
    house.knows(ANN, "right", SignIn::Plain);
    for form in [ANN, "ann", "contoso\\ann", "uid=ann@contoso.com,ou=users,dc=contoso,dc=com"] {
        assert_eq!(house.bind(form, "right").await, unavailable(), "{form}");
    }
    assert_eq!(house.bind("gw", "gw-password").await, right());
    assert_eq!(house.asked(), 0);
    house.sync().await;
    assert_eq!(house.bind(ANN, "right").await, right());
}

#[tokio::test(flavor = "multi_thread")]
async fn users_cannot_bind_unless_the_file_says_so() {
    for lines in ["", "[connection.user_binds]", "[connection.user_binds]\nenabled = false"] {
        let house = House::with("", lines).await;
        house.knows(ANN, "right", SignIn::Plain);
        assert_eq!(house.bind(ANN, "right").await, refused("52e"));
        assert_eq!(house.asked(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn users_see_what_their_profile_shows_where_it_holds() {
    let house = House::with(
        "[[ldap.profile]]\nname = \"people\"\nnetworks = [\"127.0.0.1\"]\nattributes = [\"cn\"]",
        "[connection.user_binds]\nenabled = true\nprofile = \"People\"\npublic_client = true",
    )
    .await;
    house.knows(ANN, "right", SignIn::Plain);
    // The application is none that may go without its secret.
    assert_eq!(house.bind(ANN, "right").await, unavailable());
    house.simulator.allow_public_client(true);
    let mut client = house.client(HOME).await;
    assert_eq!(told(&client.simple_bind(ANN, "right").await.unwrap()), right());
    let base = "uid=bob@contoso.com,ou=users,dc=contoso,dc=com";
    let found = client.search(base, Scope::Base, "(objectClass=*)", ["*"]).await.unwrap();
    let entry = ldap3::SearchEntry::construct(found.success().unwrap().0.remove(0));
    let mut names: Vec<&str> = entry.attrs.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["cn", "objectClass"]);
    let asked = house.asked();
    assert_eq!(house.bind_from(address(1), ANN, "right").await, refused("52e"));
    assert_eq!(house.asked(), asked);
}
