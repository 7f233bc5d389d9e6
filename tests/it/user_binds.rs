//! Users who bind with the password that they have in Entra.

use crate::members::{id, user};
use crate::world::daemon::{Place, message};
use crate::world::{BASE, hash, options};
use entraldap::config::{Environment, parse};
use entraldap::daemon::Daemon;
use entraldap::simulator::{
    Action, Kind, RetryAfter, Rule, SignIn, Simulator, Target, Tenant, TokenFault,
};
use ldap3::{LdapConnAsync, LdapConnSettings, LdapResult, Scope, StdStream};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpSocket;

const ANN: &str = "ann@contoso.com";
const BOB: &str = "bob@contoso.com";
const LOCAL: &str = "dn: uid=scanner@contoso.com,ou=users,dc=contoso,dc=com\n\
    objectClass: inetOrgPerson\nuid: scanner@contoso.com\ncn: scanner\nsn: scanner\nmail: scanner@contoso.com\n";

/// Everybody here is at home.
const HOME: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);

fn people(domain: &str) -> Tenant {
    let mut tenant = Tenant::empty(domain);
    for (number, name) in (0..).zip(["ann", "bob", "cyd", "dan"]) {
        let mut person: Value = user(number, name);
        for property in ["userPrincipalName", "mail"] {
            person[property] = format!("{name}@{domain}").into();
        }
        person["proxyAddresses"] =
            json!([format!("SMTP:{name}@{domain}"), format!("smtp:{name}.x@{domain}")]);
        tenant.add_user(person).unwrap();
    }
    let mail = format!("team@{domain}");
    let team = json!({"id": id(10), "displayName": "team", "mail": mail, "mailEnabled": true,
                      "securityEnabled": false, "groupTypes": [], "mailNickname": "team",
                      "proxyAddresses": [format!("SMTP:{mail}")], "members": [id(0)]});
    tenant.add_group(team).unwrap();
    let contact = json!({"id": id(20), "displayName": "Pia", "mail": format!("pia@{domain}")});
    tenant.add_contact(contact).unwrap();
    tenant
}

fn connection(name: &str, simulator: &Simulator, more: &str) -> String {
    format!(
        "[[connection]]\nname = \"{name}\"\nbase = \"dc={name},dc=com\"\ntenant = \"{tenant}\"\n\
         client_id = \"{client}\"\nclient_secret = {{ env = \"SECRET\" }}\n\
         [connection.graph]\nauthority = \"{url}\"\nendpoint = \"{url}\"\n\
         requests_per_second = 1000\nattempts = 1\n\
         [connection.guard]\nenabled = false\n[connection.sync]\nmanual = true\n{more}\n",
        tenant = simulator.options().tenant_id,
        client = simulator.options().client_id,
        url = simulator.base_url(),
    )
}

/// A running daemon before a simulated tenant.
struct House {
    simulator: Simulator,
    daemon: Daemon,
    address: SocketAddr,
    _folder: TempDir,
}

impl House {
    /// With these lines in `[connection.user_binds]`.
    async fn new(lines: &str) -> House {
        Self::with("", &format!("[connection.user_binds]\nenabled = true\n{lines}")).await
    }

    /// With more in the file: behind `[ldap]`, and behind the connection. Synced.
    async fn with(ldap: &str, connections: &str) -> House {
        let house = Self::unsynced(ldap, connections).await;
        house.sync().await;
        house
    }

    async fn unsynced(ldap: &str, connections: &str) -> House {
        let simulator = Simulator::start(people("contoso.com"), options()).await.unwrap();
        let text = connection("contoso", &simulator, connections);
        let (daemon, folder) = start(ldap, &text).await;
        let address = daemon.addresses()[0].0;
        House { simulator, daemon, address, _folder: folder }
    }

    async fn sync(&self) {
        for schedule in self.daemon.schedules() {
            let record = schedule.sync(false).await.unwrap();
            assert_eq!(record.error, "", "{record:?}");
        }
    }

    fn knows(&self, name: &str, password: &str, state: SignIn) {
        self.simulator.set_password(name, password, state);
    }

    /// How many passwords Entra was asked about so far.
    fn asked(&self) -> usize {
        self.simulator.tally().sign_ins
    }

    async fn client(&self, from: Ipv4Addr) -> ldap3::Ldap {
        client(self.address, from).await
    }

    async fn bind(&self, name: &str, password: &str) -> (u32, String) {
        self.bind_from(HOME, name, password).await
    }

    async fn bind_from(&self, from: Ipv4Addr, name: &str, password: &str) -> (u32, String) {
        told(&self.client(from).await.simple_bind(name, password).await.unwrap())
    }

    #[track_caller]
    fn set(&self, number: u32, property: &str, value: Value) {
        let set = |tenant: &mut Tenant| tenant.set(Kind::User, &id(number), property, value);
        self.simulator.with_tenant(set).unwrap();
    }
}

async fn start(ldap: &str, connections: &str) -> (Daemon, TempDir) {
    let folder = TempDir::new().unwrap();
    let local = folder.path().join("local.ldif");
    std::fs::write(&local, LOCAL).unwrap();
    let text = format!(
        "[replica]\npath = \"{}\"\n[admin]\nlisten = \"off\"\n\
         [[ldap.listener]]\naddress = \"127.0.0.1:0\"\n\
         [[ldap.account]]\nname = \"gw\"\npassword_hash = \"{}\"\n{ldap}\n{}",
        folder.path().join("replica.redb").display(),
        hash("gw-password"),
        connections.replace("LOCAL", &local.display().to_string()),
    );
    let secret = ("SECRET".to_owned(), options().client_secret);
    let environment = Environment { variables: [secret].into(), credentials_directory: None };
    let settings = parse(&text, "test.toml", &environment).unwrap();
    (Daemon::start(&settings).await.unwrap(), folder)
}

async fn client(address: SocketAddr, from: Ipv4Addr) -> ldap3::Ldap {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((from, 0))).unwrap();
    let stream = socket.connect(address).await.unwrap().into_std().unwrap();
    let settings = LdapConnSettings::new().set_std_stream(StdStream::Tcp(stream));
    let url = format!("ldap://{address}");
    let (connection, ldap) = LdapConnAsync::with_settings(settings, &url).await.unwrap();
    tokio::spawn(async move { connection.drive().await });
    ldap
}

/// The result code, and the data code that Windows would give.
fn told(result: &LdapResult) -> (u32, String) {
    let data = result.text.split("data ").nth(1).and_then(|rest| rest.split(',').next());
    (result.rc, data.unwrap_or_default().to_owned())
}

fn right() -> (u32, String) {
    (0, String::new())
}

fn refused(data: &str) -> (u32, String) {
    (49, data.to_owned())
}

fn unavailable() -> (u32, String) {
    (52, String::new())
}

fn busy() -> (u32, String) {
    (51, String::new())
}

fn address(n: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 1, n)
}

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
    let waiting = tokio::spawn(async move { waiting.simple_bind(ANN, "right").await.unwrap() });
    house.simulator.requested(house.simulator.tally().total + 1).await;
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

/// The secret is wrong; a person reads what to do in one line of the log. And no line, at any
/// level, holds a password.
#[tokio::test(flavor = "multi_thread")]
async fn the_log_names_the_remedy_and_never_a_password() {
    let simulator = Simulator::start(people("contoso.com"), options()).await.unwrap();
    let place = Place::new(&simulator, "1h", &["127.0.0.1:0"]);
    let configured = |text: String, enabled: bool| {
        let text = text.replace("\"json\"\n[", "\"json\"\nlevel = \"trace\"\n[");
        let text = text.replace("anonymous_search = true", "anonymous_search = false");
        let text = text.split("[connection.user_binds]").next().unwrap().to_owned();
        format!("{text}[connection.user_binds]\nenabled = {enabled}\n")
    };
    place.configure(|text| configured(text, true));
    let mut daemon = place.start().await;
    daemon.wait_for("pass committed").await;
    let address = daemon.addresses[0];
    simulator.set_password(ANN, "pa55-right!", SignIn::Plain);
    simulator.set_password(BOB, "pa55-factor!", SignIn::SecondFactor);
    simulator.set_password("cyd@contoso.com", "pa55-code!", SignIn::Code(99_999, false));
    let mut bound = client(address, HOME).await;
    assert_eq!(told(&bound.simple_bind(ANN, "pa55-right!").await.unwrap()), right());
    let bind = async |name: &str, password: &str| {
        told(&client(address, HOME).await.simple_bind(name, password).await.unwrap())
    };
    assert_eq!(bind(BOB, "pa55-factor!").await, refused("52f"));
    assert_eq!(bind("cyd@contoso.com", "pa55-code!").await, refused("52e"));
    let line = daemon.wait_for("Entra refused a user's password with a code").await;
    assert_eq!(line["level"], "WARN");
    assert_eq!(line["fields"]["code"], "AADSTS99999");
    for n in 0..6 {
        assert_eq!(bind(BOB, &format!("pa55-wrong-{n}!")).await.0, 49);
    }
    daemon.wait_for("wrong passwords again and again").await;
    assert_eq!(bind("nobody", "pa55-nobody!").await, refused("52e"));
    simulator.change_secret("another");
    for _ in 0..5 {
        assert_eq!(bind(ANN, "pa55-right!").await, unavailable());
    }
    let line = daemon.wait_for("passwords of users cannot be checked").await;
    assert_eq!(line["level"], "ERROR");
    let told_what = line["fields"]["error"].as_str().unwrap();
    assert!(told_what.contains("AADSTS7000215"), "{told_what}");
    assert!(told_what.contains("Certificates & secrets"), "{told_what}");

    // Users who have bound must bind again when users cannot bind any more.
    let search = async |client: &mut ldap3::Ldap| {
        let base = "dc=contoso,dc=com";
        client.search(base, Scope::Base, "(objectClass=*)", ["1.1"]).await.unwrap().1.rc
    };
    assert_eq!(search(&mut bound).await, 0);
    place.configure(|text| configured(text, false));
    daemon.wait_for("accounts, profiles").await;
    assert_eq!(search(&mut bound).await, 1);
    assert_eq!(told(&bound.simple_bind(ANN, "pa55-right!").await.unwrap()), refused("52e"));
    simulator.change_secret(&options().client_secret);
    place.configure(|text| configured(text, true));
    daemon.wait_for("accounts, profiles").await;
    assert_eq!(told(&bound.simple_bind(ANN, "pa55-right!").await.unwrap()), right());
    assert_eq!(search(&mut bound).await, 0);

    let log = daemon.kill().await;
    let errors =
        log.iter().filter(|line| message(line).starts_with("passwords of users cannot be checked"));
    assert_eq!(errors.count(), 1);
    let traces = log.iter().filter(|line| line["level"] == "TRACE").count();
    assert!(traces > 20, "{traces}");
    for line in &log {
        let line = line.to_string();
        let encoded = line.contains("pa55") || line.contains(&hex("pa55"));
        assert!(!encoded && !line.contains("right-secret"), "{line}");
        // What octets look like where they are printed as numbers.
        assert!(!line.contains("112, 97, 53, 53"), "{line}");
    }
}

fn hex(text: &str) -> String {
    text.bytes().map(|octet| format!("{octet:02x}")).collect()
}
