//! Entries of our own, from an LDIF file, among those of the tenant.

use crate::members::{Office, id, office};
use crate::world::compare::texts;
use crate::world::daemon::{Place, message};
use crate::world::index::Checker;
use crate::world::options;
use entraldap::config::settings::{LocalSettings, Prefer};
use entraldap::directory::dn::Dn;
use entraldap::simulator::{Kind, Knobs, Simulator, Tenant};
use std::collections::BTreeSet;

const SCANNER: &str = "dn: cn=Scanner,ou=contacts,dc=contoso,dc=com\nobjectClass: top\n\
    objectClass: contact\ncn: Scanner\nmail: scanner@contoso.com\n\n";

impl Office {
    /// With these local entries.
    fn write(&mut self, text: &str, prefer: Prefer) {
        let file = self.world.folder.path().join("local.ldif");
        std::fs::write(&file, text).unwrap();
        self.world.connection.local = Some(LocalSettings { file, prefer });
        self.world.open();
    }

    fn of(&self, dn: &str, attribute: &str) -> BTreeSet<String> {
        let snapshot = self.world.snapshot();
        match snapshot.number(&Dn::parse(dn).unwrap().key()).unwrap() {
            Some(number) => texts(&snapshot.entry(number).unwrap().unwrap(), attribute),
            None => BTreeSet::new(),
        }
    }

    fn is_served(&self, dn: &str) -> bool {
        let key = Dn::parse(dn).unwrap().key();
        self.world.snapshot().number(&key).unwrap().is_some()
    }
}

fn set(values: &[&str]) -> BTreeSet<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn local_entries_are_served_like_others_and_follow_their_file() {
    let mut office = office(Knobs::default()).await;
    office.write(SCANNER, Prefer::Entra);
    let dn = "cn=Scanner,ou=contacts,dc=contoso,dc=com";
    assert_eq!(office.of(dn, "proxyAddresses"), set(&["SMTP:scanner@contoso.com"]));
    assert_eq!(office.of(dn, "mailLocalAddress"), set(&["scanner@contoso.com"]));
    assert_eq!(office.of(dn, "distinguishedName"), set(&[dn]));
    let mut checker = Checker::default();
    checker.check(&office.world.snapshot());
    let before = office.world.served();
    office.world.open();
    assert_eq!(office.world.served(), before, "nothing changes where nothing changed");
    office.world.try_pass(true).await.unwrap();
    assert_eq!(office.world.served(), before, "a full pass does not sweep them away");

    office.write(&SCANNER.replace("cn: Scanner\n", "cn: Scanner\ntitle: slow\n"), Prefer::Entra);
    assert_eq!(office.of(dn, "title"), set(&["slow"]));
    office.write("", Prefer::Entra);
    assert!(!office.is_served(dn));
    checker.check(&office.world.snapshot());
    office.world.assert_equal();
    office.write(SCANNER, Prefer::Entra);
    office.world.connection.local = None;
    office.world.open();
    assert!(!office.is_served(dn));
}

#[tokio::test(start_paused = true)]
async fn local_groups_have_members_of_the_tenant() {
    let mut office = office(Knobs::default()).await;
    let list = "dn: cn=Local List,ou=groups,dc=contoso,dc=com\nobjectClass: group\ncn: Local List\n\
        mail: list@contoso.com\nmember: uid=ann@contoso.com,ou=users,dc=contoso,dc=com\n\
        member: cn=Scanner,ou=contacts,dc=contoso,dc=com\n\
        member: uid=nobody@contoso.com,ou=users,dc=contoso,dc=com\n\n";
    office.write(&format!("{list}{SCANNER}"), Prefer::Entra);
    let dn = "cn=Local List,ou=groups,dc=contoso,dc=com";
    let scanner = "cn=Scanner,ou=contacts,dc=contoso,dc=com";
    assert_eq!(
        office.of(dn, "member"),
        set(&["uid=ann@contoso.com,ou=users,dc=contoso,dc=com", scanner])
    );
    assert!(office.values(0, "memberOf").contains(dn));
    assert_eq!(office.of(scanner, "memberOf"), set(&[dn]));
    let warnings = office.world.last_record().warnings;
    assert!(warnings.iter().any(|w| w.contains("uid=nobody@")), "{warnings:?}");
    let mut checker = Checker::default();
    checker.check(&office.world.snapshot());
    // Who is renamed is renamed there, too.
    office.change(|tenant| {
        let name = "annie@contoso.com".into();
        tenant.set(Kind::User, &id(0), "userPrincipalName", name).unwrap();
    });
    office.world.pass().await;
    checker.check(&office.world.snapshot());
    // The file names somebody who is called otherwise now.
    assert!(!office.of(dn, "member").iter().any(|member| member.contains("ann@")));
    office.write(&list.replace("uid=ann@", "uid=annie@"), Prefer::Entra);
    assert!(office.values(0, "memberOf").contains(dn));
    checker.check(&office.world.snapshot());
    office.write("", Prefer::Entra);
    office.world.assert_equal();
}

#[tokio::test(start_paused = true)]
async fn an_address_that_both_have_stays_with_whom_the_configuration_prefers() {
    let mut office = office(Knobs::default()).await;
    let twin = "dn: cn=Twin,ou=contacts,dc=contoso,dc=com\nobjectClass: contact\ncn: Twin\n\
        mail: BOB@contoso.com\nproxyAddresses: SMTP:BOB@contoso.com\n\
        proxyAddresses: smtp:twin@contoso.com\n\n";
    let dn = "cn=Twin,ou=contacts,dc=contoso,dc=com";
    office.write(twin, Prefer::Entra);
    assert_eq!(office.of(dn, "mail"), set(&["twin@contoso.com"]), "the next one is primary");
    assert_eq!(office.of(dn, "proxyAddresses"), set(&["smtp:twin@contoso.com"]));
    let warnings = office.world.last_record().warnings;
    assert!(
        warnings.iter().any(|w| w.contains("line 1") && w.contains("bob@contoso.com")),
        "{warnings:?}"
    );
    assert!(office.values(1, "mail").contains("bob@contoso.com"));

    office.write(twin, Prefer::Local);
    assert_eq!(office.of(dn, "mail"), set(&["BOB@contoso.com"]));
    assert!(office.values(1, "mail").is_empty() && office.values(1, "proxyAddresses").is_empty());
    let warnings = office.world.last_record().warnings;
    assert!(warnings.iter().any(|w| w.contains("belongs to a local entry")), "{warnings:?}");
    let mut checker = Checker::default();
    checker.check(&office.world.snapshot());
    office.write("", Prefer::Local);
    office.world.assert_equal();
    checker.check(&office.world.snapshot());
}

#[tokio::test(start_paused = true)]
async fn a_name_that_both_have_stays_with_whom_the_configuration_prefers() {
    let mut office = office(Knobs::default()).await;
    let twin = "dn: cn=Team,ou=groups,dc=contoso,dc=com\nobjectClass: group\ncn: Team\n\n";
    let dn = "cn=Team,ou=groups,dc=contoso,dc=com";
    office.write(twin, Prefer::Entra);
    assert_eq!(office.of(dn, "mail"), set(&["team@contoso.com"]), "the tenant's");
    let warnings = office.world.last_record().warnings;
    assert!(warnings.iter().any(|w| w.contains("not served")), "{warnings:?}");
    office.write(twin, Prefer::Local);
    assert!(office.of(dn, "mail").is_empty());
    assert!(office.dn(10).starts_with("cn=Team (00000000),"), "{}", office.dn(10));
    assert!(office.values(0, "memberOf").contains(&office.dn(10)));
    Checker::default().check(&office.world.snapshot());
    office.write("", Prefer::Local);
    // Names are stable: it keeps the one that it got meanwhile.
    assert!(office.dn(10).starts_with("cn=Team (00000000),"), "{}", office.dn(10));
    office.world.assert_equal();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_daemon_follows_the_file_and_keeps_what_it_had_when_the_file_is_wrong() {
    let mut tenant = Tenant::empty("contoso.com");
    tenant.add_user(crate::members::user(0, "ann")).unwrap();
    let simulator = Simulator::start(tenant, options()).await.unwrap();
    let place = Place::new(&simulator, "1h", &["127.0.0.1:0"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("local.ldif");
    std::fs::write(&file, "dn: cn=x,ou=contacts,dc=contoso,dc=com\nobjectClas: contact\ncn: x\n")
        .unwrap();
    let section = format!("[connection.local]\nfile = \"{}\"\n", file.display());
    place.configure(|text| format!("{text}{section}"));
    let (code, text) = place.verb(&["check", "--offline"]).await;
    assert_eq!(code, 2, "{text}");
    assert!(
        text.contains("local.ldif:2: objectClas is not an attribute; did you mean objectClass?"),
        "{text}"
    );
    std::fs::write(&file, SCANNER).unwrap();
    let mut daemon = place.start().await;
    daemon.wait_for("pass committed").await;
    assert_eq!(daemon.served(daemon.addresses[0]).await.1["contacts"], 1);
    // An editor leaves it half written.
    std::fs::write(&file, format!("{SCANNER}dn: cn=Half\n")).unwrap();
    let told = daemon.wait_for(&file.display().to_string()).await;
    assert!(message(&told).contains("line 7"), "{told}");
    assert_eq!(daemon.served(daemon.addresses[0]).await.1["contacts"], 1);
    std::fs::write(
        &file,
        format!("{SCANNER}{}", SCANNER.replace("Scanner", "Copier").replace("scanner", "copier")),
    )
    .unwrap();
    daemon.wait_for("the local file has changed").await;
    loop {
        if daemon.served(daemon.addresses[0]).await.1["contacts"] == 2 {
            break;
        }
    }
    daemon.stop().await;
}
