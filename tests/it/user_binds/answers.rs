//! What a client is told of a bind.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_of_entra_has_its_answer() {
    let house = House::new("").await;
    let names = [ANN, BOB, "cyd@contoso.com", "dan@contoso.com"];
    for (n, (state, expected)) in (0u8..).zip([
        (SignIn::Plain, right()),
        (SignIn::SecondFactor, refused("52f")),
        (SignIn::SecondFactorClaims, refused("52f")),
        (SignIn::MustEnrol, refused("52f")),
        (SignIn::ConditionalAccess, refused("52f")),
        (SignIn::External, refused("52f")),
        (SignIn::Unassigned, refused("52f")),
        (SignIn::Expired, refused("532")),
        (SignIn::ExpiredOnPremises, refused("532")),
        (SignIn::Locked, refused("775")),
        (SignIn::Disabled, refused("533")),
        (SignIn::Hours, refused("530")),
        (SignIn::Federated, refused("52e")),
        (SignIn::NoConsent, unavailable()),
        (SignIn::AgentTrouble, unavailable()),
        (SignIn::Loop, unavailable()),
        (SignIn::Code(99_999, true), refused("52f")),
        (SignIn::Code(99_999, false), refused("52e")),
    ]) {
        let (name, password) = (names[usize::from(n) % 4], format!("password-{n}"));
        house.knows(name, &password, state);
        let before = house.asked();
        let answer = house.bind_from(address(n + 1), name, &password).await;
        assert_eq!((answer, house.asked()), (expected, before + 1), "{state:?}");
    }
    house.knows(ANN, "right", SignIn::Plain);
    assert_eq!(house.bind(ANN, "wrong").await, refused("52e"));
    assert_eq!(house.bind(ANN, "right").await, right());
    // Not known to Entra (yet, or any more), and known to nobody.
    house.simulator.with_tenant(|tenant| tenant.add_user(user(7, "eve")).unwrap());
    house.sync().await;
    assert_eq!(house.bind("eve@contoso.com", "right").await, refused("52e"));
    let before = house.asked();
    assert_eq!(house.bind("nobody@contoso.com", "right").await, refused("52e"));
    // Spaces around it are never part of a password; of a user or not.
    for name in [ANN, "nobody@contoso.com"] {
        assert_eq!(house.bind(name, "right ").await, refused("52e"));
    }
    assert_eq!(house.asked(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_count_as_right_where_the_file_says_so() {
    let house = House::new("accept_codes = [50076, 99999]").await;
    for (n, (state, expected)) in (0u8..).zip([
        (SignIn::SecondFactor, right()),
        (SignIn::SecondFactorClaims, right()),
        (SignIn::Code(99_999, false), right()),
        (SignIn::MustEnrol, refused("52f")),
        (SignIn::Code(99_998, true), refused("52f")),
    ]) {
        let password = format!("password-{n}");
        house.knows(ANN, &password, state);
        assert_eq!(house.bind(ANN, &password).await, expected, "{state:?}");
        assert_eq!(house.bind_from(address(n), ANN, "wrong").await, refused("52e"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_checked_is_unavailable_and_no_failure() {
    let house = House::new("failures = 1").await;
    house.knows(ANN, "right", SignIn::Plain);
    for action in [
        Action::Status(503, RetryAfter::Seconds(300)),
        Action::Throttle(RetryAfter::Seconds(300)),
        Action::Html(403),
        Action::HtmlBody,
        Action::EmptyBody,
        Action::CutBody,
        Action::CutJson,
        Action::Raw(302, vec![("location".to_owned(), "http://portal/".to_owned())], String::new()),
        Action::Token(TokenFault::WrongSecret),
        Action::Token(TokenFault::ExpiredSecret),
        Action::Token(TokenFault::UnknownClient),
        Action::Token(TokenFault::InvalidClientId),
        Action::Token(TokenFault::UnknownTenant),
        Action::Token(TokenFault::UnknownResource),
    ] {
        let rule = house.simulator.faults().add(Rule::new(action.clone()).on(Target::Token));
        assert_eq!(house.bind(ANN, "right").await, unavailable(), "{action:?}");
        let hits = house.simulator.faults().hits(rule);
        assert_eq!(hits, if action == Action::CutBody { 2 } else { 1 }, "{action:?}");
        house.simulator.faults().remove(rule);
        assert_eq!(house.bind(ANN, "right").await, right(), "{action:?}");
    }
    // One answer that is lost is asked for once more.
    house.simulator.faults().add(Rule::new(Action::Hangup).on(Target::Token).times(1));
    assert_eq!(house.bind(ANN, "right").await, right());
    // A sync that is throttled stops nobody. Longer than it waits: a silence that one stream
    // is told of holds the others as well.
    house.simulator.faults().add(Rule::new(Action::Throttle(RetryAfter::Seconds(3600))));
    house.daemon.schedules()[0].sync(false).await.unwrap();
    assert_eq!(house.bind(ANN, "right").await, right());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_answer_is_waited_for_until_the_time_is_up_and_by_nobody_else() {
    let house = House::new("timeout = \"1s\"").await;
    house.knows(ANN, "right", SignIn::Plain);
    let slow = Rule::new(Action::Delay(Duration::from_secs(30))).on(Target::Token).times(1);
    house.simulator.faults().add(slow);
    let mut waiting = house.client(HOME).await;
    let requests = house.simulator.tally().total;
    let waiting = tokio::spawn(async move { waiting.simple_bind(ANN, "right").await.unwrap() });
    house.simulator.requested(requests + 1).await;
    assert_eq!(house.bind("gw", "gw-password").await, right());
    house.knows(BOB, "right", SignIn::Plain);
    assert_eq!(house.bind(BOB, "right").await, right());
    assert_eq!(told(&waiting.await.unwrap()), unavailable());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_binds_at_once_are_one_question() {
    let house = House::new("").await;
    house.knows(ANN, "right", SignIn::Plain);
    let slow = Rule::new(Action::Delay(Duration::from_secs(3))).on(Target::Token);
    house.simulator.faults().add(slow);
    let mut binds = Vec::new();
    for n in 0..100 {
        let mut client = house.client(HOME).await;
        let name = if n % 2 == 0 { ANN } else { "ann" };
        binds.push(tokio::spawn(
            async move { told(&client.simple_bind(name, "right").await.unwrap()) },
        ));
    }
    for bind in binds {
        assert_eq!(bind.await.unwrap(), right());
    }
    assert_eq!(house.asked(), 1);
}
