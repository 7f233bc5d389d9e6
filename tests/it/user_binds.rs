//! Users who bind with the password that they have in Entra.

mod answers;
mod guesses;
mod memory;
mod names;

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
