//! What is remembered of right passwords, and for how long a session lives.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_remembered_unless_that_is_wanted() {
    let house = House::new("").await;
    house.knows(ANN, "right", SignIn::Plain);
    for n in 1..4 {
        assert_eq!((house.bind(ANN, "right").await, house.asked()), (right(), n));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_password_is_remembered_until_a_pass_tells_of_a_change() {
    let house = House::new("cache = \"10m\"").await;
    house.knows(ANN, "right", SignIn::Plain);
    for form in [ANN, "ann", "ann.x@contoso.com"] {
        assert_eq!((house.bind(form, "right").await, house.asked()), (right(), 1));
    }
    assert_eq!(house.bind_from(address(9), ANN, "wrong").await, refused("52e"));
    assert_eq!(house.bind(ANN, "right").await, right());
    assert_eq!(house.asked(), 2);
    // Changes that have nothing to do with it.
    house.set(0, "jobTitle", "Lead".into());
    house.sync().await;
    assert_eq!((house.bind(ANN, "right").await, house.asked()), (right(), 2));
    house.knows(ANN, "newer", SignIn::Plain);
    assert_eq!((house.bind(ANN, "right").await, house.asked()), (right(), 2));
    house.set(0, "lastPasswordChangeDateTime", "2026-05-05T05:05:05Z".into());
    house.sync().await;
    assert_eq!((house.bind(ANN, "right").await, house.asked()), (refused("52e"), 3));
    assert_eq!((house.bind(ANN, "newer").await, house.asked()), (right(), 4));
    assert_eq!((house.bind(ANN, "newer").await, house.asked()), (right(), 4));
    house.set(0, "accountEnabled", false.into());
    house.sync().await;
    assert_eq!((house.bind(ANN, "newer").await, house.asked()), (refused("533"), 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_with_the_pass_that_tells_of_a_change() {
    for (property, value) in [
        ("accountEnabled", Value::from(false)),
        ("lastPasswordChangeDateTime", Value::from("2026-05-05T05:05:05Z")),
    ] {
        let house = House::new("").await;
        house.knows(ANN, "right", SignIn::Plain);
        let mut client = house.client(HOME).await;
        assert_eq!(told(&client.simple_bind(ANN, "right").await.unwrap()), right());
        let look = async |client: &mut ldap3::Ldap| {
            let scope = ldap3::Scope::Base;
            client.search(BASE, scope, "(objectClass=*)", ["1.1"]).await.unwrap().1.rc
        };
        assert_eq!(look(&mut client).await, 0);
        house.set(0, "jobTitle", "Lead".into());
        house.sync().await;
        assert_eq!(look(&mut client).await, 0);
        house.set(0, property, value);
        house.sync().await;
        // As for whoever has not bound.
        assert_eq!(look(&mut client).await, 1, "{property}");
    }
}
