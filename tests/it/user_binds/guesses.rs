//! Wrong passwords, and that nobody is locked out by them.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn who_guesses_locks_nobody_out() {
    let house = House::new("failures = 4").await;
    house.knows(ANN, "right", SignIn::Plain);
    house.knows(BOB, "right", SignIn::Plain);
    let (home, away) = (address(1), address(2));
    assert_eq!(house.bind_from(home, ANN, "right").await, right());
    for form in ["ann", "contoso\\ann", ANN, "ann.x@contoso.com"] {
        let guess = format!("guess as {form}");
        assert_eq!(house.bind_from(away, form, &guess).await, refused("52e"), "{form}");
    }
    let asked = house.asked();
    // Not even the right password is told from a wrong one now, wherever a guesser sits.
    assert_eq!(house.bind_from(away, ANN, "right").await, refused("775"));
    assert_eq!(house.bind_from(address(3), ANN, "another").await, refused("775"));
    assert_eq!(house.asked(), asked);
    assert_eq!(house.bind_from(home, ANN, "right").await, right());
    assert_eq!(house.bind_from(away, BOB, "right").await, right());
    // Who goes on is answered busy, as for service accounts.
    let mut last = right();
    for n in 0..10 {
        last = house.bind_from(away, ANN, &format!("guess {n}")).await;
    }
    assert_eq!(last, busy());
    assert_eq!(house.bind_from(home, ANN, "right").await, right());
    // A name that is nobody's takes the same way.
    let mut told = Vec::new();
    for n in 0..6 {
        told.push(house.bind_from(address(4), "nobody", &format!("guess {n}")).await.1);
    }
    assert_eq!(told, ["52e", "52e", "52e", "52e", "775", "775"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_at_once_get_no_further_than_one_after_the_other() {
    let house = House::new("").await;
    house.knows(ANN, "right", SignIn::Plain);
    let mut binds = Vec::new();
    for n in 0..30u8 {
        let mut client = house.client(address(n)).await;
        let guess = format!("guess {n}");
        binds.push(tokio::spawn(
            async move { told(&client.simple_bind(ANN, &guess).await.unwrap()) },
        ));
    }
    for bind in binds {
        assert_eq!(bind.await.unwrap().0, 49);
    }
    assert_eq!(house.asked(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_password_that_comes_again_and_again_is_asked_about_once() {
    let house = House::new("failures = 2").await;
    house.knows(ANN, "new", SignIn::Plain);
    for n in 0..20 {
        assert_eq!(house.bind_from(address(n), ANN, "old").await, refused("52e"));
    }
    assert_eq!(house.asked(), 1);
    assert_eq!(house.bind(ANN, "new").await, right());
}
