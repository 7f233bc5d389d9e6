//! Claims about listeners, accounts and profiles.

use super::*;

#[test]
fn ldaps_needs_a_certificate() {
    refused(
        read("[[ldap.listener]]\naddress = \"127.0.0.1:636\"\nmode = \"ldaps\""),
        "t:5: ldap.listener[1].mode: is \"ldaps\", but there is no [ldap.tls]",
    );
    let (_folder, key) = secret_file("-----BEGIN PRIVATE KEY-----\n", 0o600);
    let problems =
        read(&format!("[ldap.tls]\ncertificate = \"{key}\"\nkey = \"no-such.key\"")).unwrap_err();
    let text = problems.to_string();
    assert!(text.contains("has no line -----BEGIN ...CERTIFICATE-----"), "{text}");
    assert!(text.contains("t:5: ldap.tls.key: no-such.key: "), "{text}");
    assert_eq!(problems.list.len(), 2, "{text}");
}

#[test]
fn account_names_and_hashes_are_checked() {
    let hash = "$argon2id$v=19$m=19456,t=2,p=1$bm90IGEgcGFzc3dvcmQh$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let account = |name: &str, hash: &str| {
        format!("[[ldap.account]]\nname = '{name}'\npassword_hash = '{hash}'\n")
    };
    assert!(read(&account("postfix", hash)).is_ok());
    for name in ["CONTOSO\\a", "a@b", "cn=a", "a,b"] {
        refused(read(&account(name, hash)), "write the bare name");
    }
    let twice = format!("{}{}", account("Postfix", hash), account("postfix", hash));
    refused(read(&twice), "\"postfix\" is also the account in line 4 (ldap.account[0].name)");
    refused(read(&account("a", "geheim")), "is not a PHC string");
    refused(read(&account("a", &hash.replace("2id", "2i"))), "is made with argon2i");
    refused(read(&account("a", hash.rsplit_once('$').unwrap().0)), "lacks");
    let shown = read(&account("a", "geheim")).unwrap_err().to_string();
    assert!(!shown.contains("geheim"), "{shown}");
}

#[test]
fn profiles_are_read_and_given_to_accounts_and_anonymous() {
    let hash = "$argon2id$v=19$m=19456,t=2,p=1$bm90IGEgcGFzc3dvcmQh$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let text = format!(
        "[ldap]\nanonymous = \"Book\"\n\
         [[ldap.account]]\nname = \"a\"\npassword_hash = '{hash}'\nprofile = \"gateway\"\n\
         [[ldap.account]]\nname = \"b\"\npassword_hash = '{hash}'\n\
         [[ldap.profile]]\nname = \"gateway\"\nnetworks = [\"10.1.0.0/16\", \"::1\"]\n\
         bases = [\"ou=users,dc=contoso,dc=com\"]\nexcept_attributes = [\"MOBILE\"]\n\
         size = 1\npage = 2\ntime = \"3s\"\noperations = 4\n\
         [[ldap.profile]]\nname = \"book\"\nattributes = [\"cn\", \"mail\"]"
    );
    let settings = read(&text).unwrap().ldap;
    let gateway = &settings.accounts[0].profile;
    assert_eq!(gateway.networks.len(), 2);
    assert_eq!(gateway.networks[1], "::1/128".parse().unwrap());
    assert_eq!(gateway.bases[0].to_string(), "ou=users,dc=contoso,dc=com");
    assert!(matches!(&gateway.attributes, Readable::Except(list) if list.len() == 1));
    assert_eq!((gateway.size, gateway.page, gateway.operations), (Some(1), Some(2), Some(4)));
    assert_eq!(gateway.time, Some(Duration::from_secs(3)));
    assert_eq!(*settings.accounts[1].profile, ProfileSettings::default());
    let book = settings.anonymous.unwrap();
    assert!(matches!(&book.attributes, Readable::Only(list) if list.len() == 2));
}

#[test]
fn mistakes_in_profiles_are_told_with_what_was_meant() {
    let profile = |line: &str| read(&format!("[[ldap.profile]]\nname = \"gateway\"\n{line}"));
    refused(
        profile("attributes = [\"mail\", \"proxyAdresses\"]"),
        "t:5: ldap.profile[0].attributes: \"proxyAdresses\" is not an attribute; did you mean \"proxyAddresses\"?",
    );
    refused(profile("attributes = \"mail\""), "write for example attributes = [\"...\"]");
    refused(profile("attributes = []"), "is empty; put something into it or remove the line");
    refused(profile("except_attributes = [\"objectclass\"]"), "always readable");
    refused(profile("attributes = [\"cn\"]\nexcept_attributes = [\"sn\"]"), "contradicts");
    refused(profile("networks = [\"10.0.0.300\"]"), "write for example \"10.1.0.0/16\"");
    refused(profile("networks = [\"10.1.2.3/16\"]"), "write \"10.1.0.0/16\" or \"10.1.2.3\"");
    // Mistyped, it would make every recipient unknown.
    refused(profile("bases = [\"ou=user,dc=contoso,dc=com\"]"), "shows nothing");
    refused(profile("bases = [\"ou=users,dc=fabrikam,dc=com\"]"), "\"dc=contoso,dc=com\"");
    refused(profile("bases = [\"contoso\"]"), "is not a DN");
    for base in ["dc=com", "dc=contoso,dc=com", "uid=a,OU=Users,dc=contoso,dc=com"] {
        assert!(profile(&format!("bases = [\"{base}\"]")).is_ok(), "{base}");
    }
    refused(profile("[[ldap.profile]]\nname = \"GATEWAY\""), "is also the profile in line 4");
    refused(
        read("[ldap]\nanonymous = \"gatewy\"\n[[ldap.profile]]\nname = \"gateway\""),
        "\"gatewy\" is not a profile; did you mean \"gateway\"?",
    );
    refused(read("[ldap]\nanonymous = \"x\""), "add [[ldap.profile]] with name = \"x\"");
    let both = "[ldap]\nanonymous = \"a\"\nanonymous_search = true\n[[ldap.profile]]\nname = \"a\"";
    refused(read(both), "ldap.anonymous: contradicts anonymous_search = true");
}

#[test]
fn accounts_may_have_a_certificate_instead_of_a_password() {
    let (_folder, pem) =
        secret_file("-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n", 0o600);
    let tls = format!("[ldap.tls]\ncertificate = \"{pem}\"\nkey = \"{pem}\"\n");
    let ca = format!("{tls}client_ca = \"{pem}\"\n");
    let account = |tls: &str, certificate: &str| {
        read(&format!("{tls}[[ldap.account]]\nname = \"a\"\ncertificate = '{certificate}'"))
    };
    let found = |certificate: &str| {
        account(&ca, certificate).unwrap().ldap.accounts[0].certificate.clone().unwrap()
    };
    let digits = ["AB"; 32];
    let expected = ClientCertificate::Fingerprint([0xab; 32]);
    assert_eq!(found(&format!("sha256:{}", digits.join(":"))), expected);
    assert_eq!(found(&format!("sha256:{}", digits.concat().to_lowercase())), expected);
    assert_eq!(found("dns:GW.contoso.com"), ClientCertificate::DnsName("gw.contoso.com".into()));
    assert!(matches!(found("CN=gw,O=Contoso"), ClientCertificate::Subject(_)));
    for wrong in ["sha256:ab", "sha256:xy", "dns:", "dns:a b", "gateway", "gw.contoso.com"] {
        refused(account(&ca, wrong), "fingerprint -sha256");
    }
    refused(account(&tls, "CN=gw"), "add client_ca to [ldap.tls]");
    refused(account("", "CN=gw"), "add client_ca to [ldap.tls]");
    let second = format!("{ca}[[ldap.account]]\nname = \"b\"\ncertificate = \"CN=gw\"\n");
    refused(account(&second, "cn=GW"), "is also the certificate in line");
}
