//! What known clients send: each filter of theirs on a directory with known answers.
//! `A` in a filter is an address.

use crate::world::{BASE, World};
use entraldap::config::settings::{LdapSettings, LimitSettings};
use entraldap::simulator::Tenant;
use ldap3::{Scope, SearchEntry};
use serde_json::json;
use std::collections::BTreeSet;
use tokio_util::sync::CancellationToken;

const U1: &str = "11111111-0000-4000-8000-000000000001";
const U2: &str = "11111111-0000-4000-8000-000000000002";
const U3: &str = "11111111-0000-4000-8000-000000000003";
const U4: &str = "11111111-0000-4000-8000-000000000004";
const C1: &str = "33333333-0000-4000-8000-000000000001";
const G1: &str = "22222222-0000-4000-8000-000000000001";
const G2: &str = "22222222-0000-4000-8000-000000000002";

const ALICE: &str = "uid=alice@contoso.com,ou=users,dc=contoso,dc=com";
const BOB: &str = "uid=bob@contoso.com,ou=users,dc=contoso,dc=com";
const ALL: &str = "cn=all,ou=groups,dc=contoso,dc=com";
const EVERYONE: [&str; 4] = ["alice", "bob", "sales", "carol"];

/// Two people, one of them disabled, a shared mailbox, a guest, a contact, and a list
/// with a group inside.
fn tenant() -> Tenant {
    let mut tenant = Tenant::empty("contoso.com");
    let mut user =
        |id: &str, name: &str, upn: &str, mail: &str, enabled: bool, more: serde_json::Value| {
            let (given, surname) = name.split_once(' ').unwrap_or((name, ""));
            let mut user = json!({
                "id": id, "displayName": name, "givenName": given, "surname": surname,
                "userPrincipalName": upn, "mail": mail, "mailNickname": mail.split('@').next(),
                "proxyAddresses": [format!("SMTP:{mail}")], "accountEnabled": enabled,
            });
            for (name, value) in more.as_object().unwrap() {
                user[name] = value.clone();
            }
            tenant.add_user(user).unwrap();
        };
    let aliases = json!({"proxyAddresses": ["SMTP:alice@contoso.com", "smtp:a.adams@contoso.com"]});
    user(U1, "Alice Adams", "alice@contoso.com", "alice@contoso.com", true, aliases);
    user(U2, "Bob Berg", "bob@contoso.com", "bob@contoso.com", false, json!({}));
    user(U3, "Sales", "sales@contoso.com", "sales@contoso.com", false, json!({}));
    let guest = "carol_fabrikam.com#EXT#@contoso.onmicrosoft.com";
    user(U4, "Carol Cole", guest, "carol@fabrikam.com", true, json!({"userType": "Guest"}));
    tenant
        .add_contact(json!({
            "id": C1, "displayName": "Paul Partner", "mail": "paul@partner.example",
            "mailNickname": "paul", "proxyAddresses": ["SMTP:paul@partner.example"],
        }))
        .unwrap();
    tenant
        .add_group(json!({
            "id": G2, "displayName": "inner", "securityEnabled": true, "mailEnabled": false,
            "mailNickname": "inner", "members": [U2],
        }))
        .unwrap();
    tenant
        .add_group(json!({
            "id": G1, "displayName": "all", "securityEnabled": false, "mailEnabled": true,
            "mail": "all@contoso.com", "mailNickname": "all",
            "proxyAddresses": ["SMTP:all@contoso.com"], "members": [U1, G2, C1],
        }))
        .unwrap();
    tenant
}

struct Client {
    ldap: ldap3::Ldap,
    _world: World,
    stop: CancellationToken,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn client() -> Client {
    let world = World::new(tenant()).await;
    world.pass().await;
    let settings = LdapSettings {
        listeners: Vec::new(),
        tls: None,
        accounts: Vec::new(),
        anonymous: Some(std::sync::Arc::default()),
        active_directory: false,
        limits: LimitSettings::default(),
    };
    let reader = world.writer().reader();
    let server = entraldap::ldap::Server::new(&settings, reader, std::time::SystemTime::now);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let server = server.unwrap().into();
    tokio::spawn(entraldap::ldap::serve(listener, server, false, stop.clone()));
    let (connection, ldap) = ldap3::LdapConnAsync::new(&format!("ldap://{address}")).await.unwrap();
    tokio::spawn(async move { connection.drive().await });
    Client { ldap, _world: world, stop }
}

impl Client {
    async fn entries(
        &mut self,
        base: &str,
        scope: Scope,
        filter: &str,
        list: &[&str],
    ) -> Vec<SearchEntry> {
        let found = self.ldap.search(base, scope, filter, list.to_vec()).await.unwrap();
        let (entries, result) = found.success().unwrap_or_else(|error| panic!("{filter}: {error}"));
        assert!(result.refs.is_empty(), "{filter}: a referral");
        entries.into_iter().map(SearchEntry::construct).collect()
    }

    /// The short names of what a filter finds in the whole tree.
    async fn find(&mut self, filter: &str) -> BTreeSet<String> {
        let entries = self.entries(BASE, Scope::Subtree, filter, &["1.1"]).await;
        entries.iter().map(|entry| short(&entry.dn)).collect()
    }
}

/// What stands before `@`, `_` or `,` in the first RDN.
fn short(dn: &str) -> String {
    let value = dn.split_once('=').unwrap().1;
    value.split(['@', '_', ',']).next().unwrap().to_lowercase()
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_of_known_clients_find_what_they_mean() {
    let mut client = client().await;
    let sid = client.entries(ALICE, Scope::Base, "(objectClass=*)", &["objectSid"]).await;
    let sid: String =
        sid[0].bin_attrs["objectSid"][0].iter().map(|b| format!("\\{b:02x}")).collect();
    let people: Vec<&str> = EVERYONE.to_vec();
    let and = |more: &[&'static str]| [people.clone(), more.to_vec()].concat();
    let many: String = (0..498).map(|n| format!("(sAMAccountName=nobody{n})")).collect();
    let alice = vec!["alice"];
    let recipients = and(&["all", "paul partner"]);
    for (client_name, filter, expected) in [
        (
            "Barracuda",
            "(|(othermailbox=smtp$A)(othermailbox=smtp:A)(proxyaddresses=smtp$A)(proxyaddresses=smtp:A)(mail=A)(userPrincipalName=A))",
            alice.clone(),
        ),
        ("Symantec", "(proxyAddresses=smtp:A)", alice.clone()),
        (
            "Postfix, enabled only",
            "(&(proxyAddresses=smtp:A)(!(userAccountControl:1.2.840.113556.1.4.803:=2)))",
            alice.clone(),
        ),
        ("Cisco accept", "(|(mail=A)(proxyAddresses=smtp:A))", alice.clone()),
        (
            "Cisco alias consolidation",
            "(|(proxyAddresses=A)(proxyAddresses=smtp:A))",
            alice.clone(),
        ),
        (
            "MailCleaner",
            "(|(&(|(objectClass=user)(objectClass=publicFolder)(objectClass=group))(proxyAddresses=SMTP:A))(mail=A)(otherMailbox=smtp:A)(proxyAddresses=SMTP:A)(uid=alice)(cn=A))",
            alice.clone(),
        ),
        ("SpamTitan", "(|(proxyaddresses=smtp$A)(proxyaddresses=smtp:A)(mail=A))", alice.clone()),
        ("Postfix", "(|(proxyAddresses=smtp:A)(proxyAddresses=SMTP:A))", alice.clone()),
        ("Sendmail", "(&(objectClass=inetLocalMailRecipient)(mailLocalAddress=A))", alice.clone()),
        ("Axway", "(proxyAddresses=smtp\\3aA)", alice.clone()),
    ] {
        for address in ["alice@contoso.com", "a.adams@contoso.com", "A.ADAMS@Contoso.COM"] {
            let filter = filter.replace("=A)", &format!("={address})"));
            let filter = filter
                .replace(":A)", &format!(":{address})"))
                .replace("$A)", &format!("${address})"));
            let filter = filter.replace("\\3aA)", &format!("\\3a{address})"));
            let found = client.find(&filter).await;
            assert_eq!(
                found,
                expected.iter().map(|s| s.to_string()).collect(),
                "{client_name}: {filter}"
            );
        }
        let absent = filter.replace("A)", "nobody@contoso.com)").replace("alice", "nobody");
        assert_eq!(client.find(&absent).await, BTreeSet::new(), "{client_name}: {absent}");
    }
    for (client_name, filter, expected) in [
        ("Cisco quarantine", "(mail=smtp:alice@contoso.com)".to_owned(), vec![]),
        ("a disabled mailbox", "(&(proxyAddresses=smtp:sales@contoso.com)(!(userAccountControl:1.2.840.113556.1.4.803:=2)))".to_owned(), vec![]),
        ("a shared mailbox", "(proxyAddresses=smtp:sales@contoso.com)".to_owned(), vec!["sales"]),
        ("a group passes for enabled", "(&(proxyAddresses=smtp:all@contoso.com)(!(userAccountControl:1.2.840.113556.1.4.803:=2)))".to_owned(), vec!["all"]),
        ("a contact passes for enabled", "(&(proxyAddresses=smtp:paul@partner.example)(!(userAccountControl:1.2.840.113556.1.4.803:=2)))".to_owned(), vec!["paul partner"]),
        ("MailCleaner users", "(&(objectClass=person)(sAMAccountName=al*)(|(mail=*)(proxyAddresses=*)))".to_owned(), alice.clone()),
        ("SonicWall", "(&(|(objectClass=group)(objectClass=person)(objectClass=publicFolder))(mail=*))".to_owned(), recipients.clone()),
        ("Hexamail", "(|(objectClass=user)(objectClass=contact)(objectClass=group))".to_owned(), and(&["all", "inner", "paul partner"])),
        ("Proxmox users", "(|(mail=*)(userPrincipalName=*)(proxyAddresses=*)(othermailbox=*)(mailAlternativeAddress=*)(sAMAccountName=*)(uid=*)(memberOf=*))".to_owned(), and(&["all", "inner", "paul partner"])),
        ("Proxmox groups", "(|(objectclass=group)(objectclass=univentionGroup)(objectclass=ipausergroup))".to_owned(), vec!["all", "inner"]),
        ("Postfix lists", "(&(objectClass=group)(mail=all@contoso.com))".to_owned(), vec!["all"]),
        ("Authelia", "(&(|(sAMAccountName=alice)(mail=alice))(sAMAccountType=805306368)(!(userAccountControl:1.2.840.113556.1.4.803:=2))(!(pwdLastSet=0))(|(!(accountExpires=*))(accountExpires=0)(accountExpires>=133700000000000000)))".to_owned(), alice.clone()),
        ("FortiGate", "(&(userPrincipalName=alice@contoso.com)(!(UserAccountControl:1.2.840.113556.1.4.803:=2)))".to_owned(), alice.clone()),
        ("FortiGate groups", "(&(objectcategory=group)(member=*))".to_owned(), vec!["all", "inner"]),
        ("Spring Security", "(&(objectClass=user)(userPrincipalName=alice@contoso.com))".to_owned(), alice.clone()),
        ("Jenkins", "(&(userPrincipalName=alice@contoso.com)(objectCategory=user))".to_owned(), alice.clone()),
        ("Zimbra", "(&(|(cn=al*)(sn=al*)(gn=al*)(mail=al*))(!(msExchHideFromAddressLists=TRUE))(mailnickname=*)(|(&(objectCategory=person)(objectClass=user)(!(homeMDB=*))(!(msExchHomeServerName=*)))(&(objectCategory=person)(objectClass=user)(|(homeMDB=*)(msExchHomeServerName=*)))(&(objectCategory=person)(objectClass=contact))(objectCategory=group)(objectCategory=publicFolder)(objectCategory=msExchDynamicDistributionList)))".to_owned(), vec!["alice", "all"]),
        ("Jenkins, groups of a user", format!("(member:1.2.840.113556.1.4.1941:={})", BOB.to_uppercase()), vec!["all", "inner"]),
        ("FreeRADIUS, nested", format!("(&(objectCategory=person)(memberOf:1.2.840.113556.1.4.1941:={ALL}))"), vec!["alice", "bob", "paul partner"]),
        ("direct members", format!("(&(objectCategory=person)(memberOf={ALL}))"), vec!["alice", "paul partner"]),
        ("Jenkins token groups", format!("(|(objectSid={sid}))"), alice.clone()),
        ("SSSD", "(&(sAMAccountName=alice)(objectclass=user)(sAMAccountName=*)(objectSID=*))".to_owned(), alice.clone()),
        ("nslcd", "(&(&(objectClass=user)(!(objectClass=computer))(objectSid=*))(sAMAccountName=alice))".to_owned(), alice.clone()),
        ("Nextcloud groups", "(&(|(objectclass=posixGroup)(objectclass=group)(objectclass=zimbraDistributionList)(objectclass=groupOfNames))(cn=*))".to_owned(), vec!["all", "inner"]),
        ("Nextcloud login", "(&(|(objectclass=person))(|(samaccountname=alice)(|(mailPrimaryAddress=alice)(mail=alice))))".to_owned(), alice.clone()),
        ("activedirectory2 user", "(&(objectCategory=User)(|(sAMAccountName=alice)(userPrincipalName=alice)))".to_owned(), alice.clone()),
        ("activedirectory2 search", "(&(|(objectClass=user)(objectClass=person))(!(objectClass=computer))(!(objectClass=group))(cn=*Ali*))".to_owned(), alice.clone()),
        ("OPNsense containers", "(|(ou=*)(cn=Users))".to_owned(), vec!["contacts", "domains", "groups", "users"]),
        ("Thunderbird", "(|(cn=ali*)(mail=ali*)(sn=ali*))".to_owned(), alice.clone()),
        ("Thunderbird, two words", "(|(cn=ali*ada*)(mail=ali*ada*)(sn=ali*ada*))".to_owned(), alice.clone()),
        ("Thunderbird quick search", "(|(cn=*dam*)(givenName=*dam*)(sn=*dam*)(mozillaNickname=*dam*)(mail=*dam*)(mozillaSecondEmail=*dam*)(&(title=*dam*)))".to_owned(), alice.clone()),
        ("Outlook", "(&(mail=*)(|(mail=ali*)(|(cn=ali*)(|(sn=ali*)(givenName=ali*)))))".to_owned(), alice.clone()),
        ("Grafana", format!("(|{many}(sAMAccountName=alice)(sAMAccountName=bob))"), vec!["alice", "bob"]),
        ("SSSD sudo", "(&(objectClass=sudoRole)(|(&(!(sudoHost=*))(cn=defaults))(sudoHost=ALL)(sudoHost=vm)(sudoHost=+*)))".to_owned(), vec![]),
        ("docker-mailserver", "(&(objectClass=inetOrgPerson)(mail=alice@contoso.com))".to_owned(), alice.clone()),
        ("docker-mailserver domain", "(mail=*@contoso.com)".to_owned(), vec!["alice", "all", "bob", "sales"]),
        ("anybody by name", "(anr=ali ada)".to_owned(), alice.clone()),
        ("an unknown attribute", "(mailacceptinggeneralid2=alice)".to_owned(), vec![]),
    ] {
        let found = client.find(&filter).await;
        assert_eq!(found, expected.iter().map(|s| s.to_string()).collect(), "{client_name}: {filter}");
    }
}

/// Postfix and Sendmail read each member of a list by its DN, Cisco asks without a base.
#[tokio::test(flavor = "multi_thread")]
async fn lists_expand_by_the_names_of_their_members() {
    let mut client = client().await;
    let list =
        client.entries("", Scope::Subtree, "(mail=all@contoso.com)", &["member", "mail"]).await;
    assert_eq!(list.len(), 1);
    let members = &list[0].attrs["member"];
    assert_eq!(members.len(), 3);
    for (scope, count) in [(Scope::Base, 3), (Scope::Subtree, 3)] {
        let mut found = Vec::new();
        for member in members {
            found.extend(
                client.entries(member, scope, "(objectClass=*)", &["mail", "member"]).await,
            );
        }
        assert_eq!(found.len(), count);
        let dns: BTreeSet<&String> = found.iter().map(|entry| &entry.dn).collect();
        assert_eq!(dns, members.iter().collect(), "names are the same text everywhere");
    }
    let expanded = client.entries(ALL, Scope::Base, "(objectClass=*)", &["rfc822MailMember"]).await;
    let addresses: BTreeSet<&str> =
        expanded[0].attrs["rfc822MailMember"].iter().map(String::as_str).collect();
    let everybody = ["alice@contoso.com", "bob@contoso.com", "paul@partner.example"];
    assert_eq!(addresses, everybody.into_iter().collect());
}
