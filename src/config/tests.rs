//! Claims about single files, problem by problem.

use super::settings::{
    AdminListen, ClientCertificate, Credential, LogFormat, ProfileSettings, Readable, SignInProof,
    UserBindSettings,
};
use super::{Environment, Problems, Secret, Settings, parse};
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

const CONNECTION: &str = "\
    [[connection]]\n\
    name = \"contoso\"\n\
    base = \"dc=contoso,dc=com\"\n\
    tenant = \"contoso.onmicrosoft.com\"\n\
    client_id = \"11111111-1111-1111-1111-111111111111\"\n\
    client_secret = { env = \"SECRET\" }\n";

const LISTENER: &str = "[[ldap.listener]]\naddress = \"127.0.0.1:389\"\n";

fn environment() -> Environment {
    let variables = [("SECRET", "geheim"), ("BLANK", " ")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Environment { variables: variables.into(), credentials_directory: None }
}

/// Reads `more` after a listener and before a connection.
fn read(more: &str) -> Result<Settings, Problems> {
    parse(&format!("{LISTENER}{more}\n{CONNECTION}"), "t", &environment())
}

/// Reads `more` after a listener and a connection.
fn read_after(more: &str) -> Result<Settings, Problems> {
    parse(&format!("{LISTENER}{CONNECTION}{more}\n"), "t", &environment())
}

#[track_caller]
fn refused(result: Result<Settings, Problems>, expected: &str) {
    let problems = result.unwrap_err();
    assert_eq!(problems.list.len(), 1, "{problems}");
    assert!(problems.to_string().contains(expected), "{problems}");
}

fn secret(settings: &Settings) -> Secret {
    match &settings.connections[0].credential {
        Credential::Secrets(sources) => sources[0].read().unwrap(),
        other => panic!("{other:?}"),
    }
}

fn secret_file(text: &str, mode: u32) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, text).unwrap();
    set_mode(&path, mode);
    let shown = path.display().to_string();
    (folder, shown)
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(not(unix))]
fn set_mode(_: &Path, _: u32) {}

#[test]
fn pages_get_more_memory_where_entries_have_none() {
    let cache = |text: &str| read(&format!("[replica]\n{text}")).unwrap().replica.cache;
    assert_eq!((cache(""), cache("in_memory = false")), (16 << 20, 64 << 20));
    assert_eq!(cache("in_memory = false\ncache = \"2MiB\""), 2 << 20);
}

#[test]
fn what_the_file_says_is_what_the_settings_hold() {
    let settings = read(
        "[replica]\npath = \"x.redb\"\ncache = \"24MiB\"\nhistory = 0x10\n\
         [log]\nformat = \"json\"\nlevel = \"warn,entraldap::ldap=debug\"\n\
         [admin]\nlisten = \"127.0.0.1:9389\"\ntoken = { env = \"SECRET\" }\n\
         [ldap]\nanonymous_search = true\nlimits = { size = 1_000, time = \"0s\" }",
    )
    .unwrap();
    assert_eq!(settings.replica.path, Path::new("x.redb"));
    assert_eq!((settings.replica.cache, settings.replica.history), (24 << 20, 16));
    assert_eq!(settings.log.format, LogFormat::Json);
    assert_eq!(settings.admin.listen, AdminListen::Tcp("127.0.0.1:9389".parse().unwrap()));
    assert_eq!(settings.admin.token.as_ref().unwrap().reveal(), "geheim");
    assert_eq!(settings.ldap.anonymous, Some(Default::default()));
    assert_eq!((settings.ldap.limits.size, settings.ldap.limits.time), (1000, Duration::ZERO));
    assert!(settings.warnings.is_empty(), "{}", settings.warnings);
    assert!(!format!("{settings:?}").contains("geheim"));
}

#[test]
fn file_without_listener_or_connection_is_refused() {
    let problems = parse("", "t", &environment()).unwrap_err().to_string();
    assert!(problems.contains("t: ldap.listener: is missing"), "{problems}");
    assert!(problems.contains("t: connection: is missing"), "{problems}");
}

#[test]
fn required_keys_are_asked_for_by_the_header_they_belong_to() {
    let text =
        format!("{LISTENER}\n[[connection]]\nname = \"a\"\n[[ldap.account]]\nname = \"b\"\n");
    let problems = parse(&text, "t", &environment()).unwrap_err().to_string();
    for expected in [
        "t:4: connection[0].base: is missing; write for example",
        "t:4: connection[0].tenant: is missing",
        "t:4: connection[0].client_id: is missing",
        "t:4: connection[0].client_secret: is missing",
        "t:6: ldap.account[0].password_hash: is missing; run entraldap hash-password",
    ] {
        assert!(problems.contains(expected), "{expected} in\n{problems}");
    }
    assert_eq!(problems.lines().count(), 5, "{problems}");
}

#[test]
fn values_of_the_wrong_kind_are_told_with_an_example() {
    refused(read("[log]\nlevel = 3"), "t:4: log.level: is a number, not a text");
    refused(read("[log]\nlevel = \"inf\""), "\"inf\" does not end in a level");
    refused(read("[replica]\ncache = 64"), "64 has no unit; write for example cache = \"64KiB\"");
    refused(read("[replica]\ncache = \"64MB\""), "write a number and one of B, KiB, MiB, GiB");
    refused(read("[replica]\nhistory = -1"), "-1 is out of range; choose a number from 1");
    refused(read("[ldap.limits]\nidle = 300"), "write for example idle = \"300s\"");
    refused(read("[ldap.limits]\nidle = \"10ms\""), "choose a duration from \"1s\" to \"1d\"");
    refused(read("[ldap.limits]\nfilter_depth = 1000"), "choose a number from 4 to 256");
    refused(read("[ldap.limits]\noutput = \"1KiB\""), "choose a size from \"16KiB\" to \"16MiB\"");
    refused(read("[ldap.limits]\ntls_handshake = 10"), "write for example tls_handshake = \"10s\"");
    refused(read("[ldap]\nanonymous_search = \"yes\""), "is a text, not true or false");
    refused(read("log = 1\n[replica]"), "is not a known key");
    refused(read("[[log]]\nlevel = \"info\""), "write it once, in single brackets: [log]");
    let single = CONNECTION.replace("[[connection]]", "[connection]");
    refused(parse(&format!("{LISTENER}{single}"), "t", &environment()), "[[connection]]");
}

#[test]
fn addresses_need_an_ip_and_a_port() {
    let with = |address: &str| {
        let listener = LISTENER.replace("127.0.0.1:389", address);
        parse(&format!("{listener}{CONNECTION}"), "t", &environment())
    };
    refused(
        with("0.0.0.0"),
        "t:2: ldap.listener[0].address: \"0.0.0.0\" has no port; write for example \"0.0.0.0:389\"",
    );
    refused(with("*:389"), "names no address");
    let warnings = with("0.0.0.0:389").unwrap().warnings.to_string();
    assert!(warnings.contains("t:2: ldap.listener[0].address: passwords"), "{warnings}");
    refused(read(LISTENER), "\"127.0.0.1:389\" is also the listener in line 2");
    assert!(read(&format!("{0}{0}", LISTENER.replace(":389", ":0"))).is_ok());
}

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

#[test]
fn secrets_in_the_file_itself_are_refused_and_not_repeated() {
    let text = format!("{LISTENER}{}", CONNECTION.replace("{ env = \"SECRET\" }", "\"geheim\""));
    let problems = parse(&text, "t", &environment()).unwrap_err();
    assert!(problems.to_string().contains("secrets do not belong in this file"), "{problems}");
    assert!(!problems.to_string().contains("geheim"), "{problems}");
}

#[test]
fn secrets_have_to_be_there() {
    let with = |source: &str, environment: &Environment| {
        let connection = CONNECTION.replace("{ env = \"SECRET\" }", source);
        parse(&format!("{LISTENER}{connection}"), "t", environment)
    };
    let plain = environment();
    refused(with("{ env = \"NONE\" }", &plain), "the variable NONE is not set");
    refused(with("{ env = \"BLANK\" }", &plain), "the variable BLANK is empty");
    refused(with("{ file = \"no-such-file\" }", &plain), "client_secret: no-such-file: ");
    refused(with("{ credential = \"a\" }", &plain), "add LoadCredential=a:/path");
    refused(with("{}", &plain), "needs exactly one of file, env, credential");
    refused(with("{ env = \"SECRET\", file = \"x\" }", &plain), "needs exactly one");
    refused(with("{ file = 1 }", &plain), "client_secret.file: is a number");

    let (folder, path) = secret_file("\n", 0o600);
    refused(with(&format!("{{ file = \"{path}\" }}"), &plain), "secret is empty");
    std::fs::write(&path, "geheim\n").unwrap();
    let with_credentials =
        Environment { credentials_directory: Some(folder.path().to_owned()), ..environment() };
    let settings = with("{ credential = \"secret\" }", &with_credentials).unwrap();
    assert_eq!(secret(&settings).reveal(), "geheim");
    refused(
        with("{ credential = \"../secret\" }", &with_credentials),
        "not the name of a credential",
    );
}

#[cfg(unix)]
#[test]
fn secret_that_everybody_can_read_is_a_warning() {
    let (_folder, path) = secret_file("geheim\n", 0o644);
    let connection =
        CONNECTION.replace("{ env = \"SECRET\" }", &format!("{{ file = \"{path}\" }}"));
    let text = format!("{LISTENER}{connection}");
    let warnings = parse(&text, "t", &environment()).unwrap().warnings.to_string();
    assert!(warnings.contains("can be read by every user"), "{warnings}");
    set_mode(Path::new(&path), 0o640);
    let warnings = parse(&text, "t", &environment()).unwrap().warnings.to_string();
    assert!(!warnings.contains("can be read by every user"), "{warnings}");
}

#[test]
fn admin_server_is_not_for_the_network() {
    refused(read("[admin]\nlisten = \"0.0.0.0:9389\""), "can be reached from other machines");
    refused(read("[admin]\nlisten = \"127.0.0.1:9389\""), "admin.token: is missing");
    refused(read("[admin]\nlisten = \"/run/x.sock\""), "write \"unix:/run/x.sock\"");
    assert_eq!(read("[admin]\nlisten = \"off\"").unwrap().admin.listen, AdminListen::Off);
}

#[test]
fn connections_have_names_and_bases_of_their_own() {
    let second = |name: &str, base: &str| {
        let other = CONNECTION.replace("\"contoso\"", &format!("\"{name}\""));
        read_after(&other.replace("dc=contoso,dc=com", base))
    };
    assert_eq!(second("fabrikam", "dc=fabrikam,dc=com").unwrap().connections.len(), 2);
    refused(second("CONTOSO", "dc=fabrikam,dc=com"), "is also the name in line 4");
    refused(second("b", "DC=Contoso, DC=com"), "is the same as the base in line 5");
    refused(second("b", "ou=b,dc=contoso,dc=com"), "lies within the base in line 5");
    refused(second("b", "dc=com"), "encloses the base in line 5");
    refused(second("b", "contoso.com"), "is not a DN");
    refused(second("a b", "dc=fabrikam,dc=com"), "does not fit into commands");
}

#[test]
fn tenants_and_clients_are_checked_without_repeating_a_misplaced_secret() {
    let with = |from: &str, to: &str| {
        parse(&format!("{LISTENER}{}", CONNECTION.replace(from, to)), "t", &environment())
    };
    refused(with("contoso.onmicrosoft.com", "common"), "\"common\" is not a tenant");
    let problems = with("11111111-1111-1111-1111-111111111111", "geheim~8Q").unwrap_err();
    assert!(problems.to_string().contains("client_id: is not an id"), "{problems}");
    assert!(!problems.to_string().contains("geheim"), "{problems}");
}

#[test]
fn clouds_have_their_endpoints() {
    let graph = |text: &str| read_after(&format!("[connection.graph]\n{text}"));
    for (cloud, authority, endpoint) in [
        ("global", "https://login.microsoftonline.com/", "https://graph.microsoft.com/"),
        ("us-gov-l4", "https://login.microsoftonline.us/", "https://graph.microsoft.us/"),
        ("us-gov-l5", "https://login.microsoftonline.us/", "https://dod-graph.microsoft.us/"),
        (
            "china",
            "https://login.partner.microsoftonline.cn/",
            "https://microsoftgraph.chinacloudapi.cn/",
        ),
    ] {
        let settings = graph(&format!("cloud = \"{cloud}\"")).unwrap();
        let found = &settings.connections[0].graph;
        assert_eq!((found.authority.as_str(), found.endpoint.as_str()), (authority, endpoint));
    }
    refused(graph("cloud = \"mars\""), "choose \"global\" or \"us-gov-l4\"");
    let own = "authority = \"http://127.0.0.1:1/a\"\nendpoint = \"http://[::1]:1\"\n";
    let settings = graph(own).unwrap();
    assert_eq!(settings.connections[0].graph.authority.as_str(), "http://127.0.0.1:1/a/");
    refused(graph(&format!("{own}cloud = \"global\"")), "cloud: contradicts");
    refused(graph("authority = \"https://login.example/\""), "endpoint: is missing");
    refused(graph(&own.replace("127.0.0.1", "10.0.0.1")), "would send tokens in clear text");
}

#[test]
fn password_of_a_proxy_is_never_shown() {
    let graph = |text: &str| read_after(&format!("[connection.graph]\n{text}"));
    let settings = graph("proxy = \"http://ada:geheim@proxy:3128\"").unwrap();
    assert!(!format!("{settings:?}").contains("geheim"));
    let proxy = settings.connections[0].graph.proxy.as_ref().unwrap();
    assert_eq!(proxy.url().password(), Some("geheim"));
    for bad in ["proxy = \"http://ada:geheim@:x\"", "proxy = \"socks5://ada:geheim@proxy\""] {
        let problems = graph(bad).unwrap_err().to_string();
        assert!(problems.contains("connection[0].graph.proxy: is not"), "{problems}");
        assert!(!problems.contains("geheim"), "{problems}");
    }
}

#[test]
fn containers_and_their_names_are_checked() {
    let tree = |text: &str| read_after(&format!("[connection.tree]\n{text}"));
    assert_eq!(tree("users.rdn = \"CN\"").unwrap().connections[0].tree.users.rdn, "cn");
    refused(tree("users.rdn = \"mail\""), "\"mail\" cannot name these entries; choose uid or cn");
    refused(tree("users.ou = \"Groups\""), "is also the container in line");
    refused(read_after("[connection.sync]\ninterval = \"2d\"\nreconcile = \"1d\""), "shorter");
}

#[test]
fn doubled_key_is_told_among_the_other_problems() {
    let problems = read("[log]\nlevel = \"info\"\nlevel = \"warn\"\ncolour = 1").unwrap_err();
    let text = problems.to_string();
    assert!(text.contains("t:5: level stands here a second time"), "{text}");
    assert!(text.contains("t:6: log.colour: is not a known key"), "{text}");
    assert_eq!(problems.list.len(), 2, "{text}");
    let doubled = read("[log]\n[replica]\n[log]").unwrap_err();
    assert_eq!(doubled.list.len(), 1, "{doubled}");
    assert_eq!(doubled.list[0].line, 5, "{doubled}");
}

#[test]
fn mistakes_in_when_passes_run_are_told() {
    let sync = |line: &str| read_after(&format!("[connection.sync]\n{line}"));
    for (line, expected) in [
        ("times = [\"25:00\"]", "\"25:00\" is not a time of day; write for example \"06:30\""),
        ("times = [\"6:30\"]", "is not a time of day"),
        ("times = []", "is empty"),
        ("times = [\"06:30\"]\nzone = \"Europe/Berln\"", "\"Europe/Berln\" is not a time zone"),
        ("cron = \"*/10 * * *\"", "has 4 fields, not five; write minute, hour"),
        ("cron = \"0 0 31 2 *\"", "sync.cron: never comes; choose a day that months have"),
        ("cron = \"0 0 * * *\"\ntimes = [\"06:30\"]", "contradicts times: there is one way"),
        ("interval = \"5m\"\nmanual = true", "keep either interval or manual"),
        ("zone = \"UTC\"", "sync.zone: has no meaning here; it belongs to times or cron"),
        ("jitter = \"2d\"", "choose a duration from"),
        ("domains = [\"contoso\"]", "\"contoso\" is not a domain"),
    ] {
        refused(sync(line), expected);
    }
    let weekly = sync("cron = \"0 3 * * mon\"").unwrap();
    assert!(weekly.warnings.to_string().contains("pauses for more than six days"));
    let twice = sync("times = [\"00:00\", \"12:00\"]\nzone = \"Europe/Berlin\"\nmanual = false");
    let twice = twice.unwrap();
    assert!(!twice.warnings.to_string().contains("six days"), "{}", twice.warnings);
}

#[test]
fn mistakes_in_rules_are_told() {
    let rule = |line: &str| read_after(&format!("[[connection.rule]]\n{line}"));
    let exclude = "\naction = \"exclude\"";
    for (line, expected) in [
        ("action = \"exclude\"", "rule[0].filter: is missing; write for example filter ="),
        ("filter = \"(mail=b)\"", "rule[0].action: is missing; write \"include\", \"exclude\""),
        (&*format!("filter = \"(mail=x\"{exclude}"), "is not a filter"),
        (
            &*format!("filter = \"(departmint=x)\"{exclude}"),
            "tests \"departmint\", which is not an attribute",
        ),
        (
            &*format!("filter = \"(!(member=x))\"{exclude}"),
            "tests \"member\", which depends on other entries",
        ),
        (
            "filter = \"(mail=*)\"\naction = \"drop\"",
            "\"drop\" is not known; choose \"include\" or",
        ),
        ("filter = \"(mail=*)\"\naction = \"group\"", "rule[0].group: is missing"),
        (
            "filter = \"(mail=*)\"\naction = \"include\"\ngroup = \"x\"",
            "group: has no meaning here",
        ),
    ] {
        refused(rule(line), expected);
    }
}

#[test]
fn mistakes_in_scope_guard_and_local_file_are_told() {
    for (section, expected) in [
        ("[connection.scope]\ngroups = []", "is empty"),
        ("[connection.scope]\ngroups = [\"a\", \"A\"]", "names \"A\" twice"),
        (
            "[connection.guard]\nusers = { share = \"10\" }",
            "\"10\" is not a share; write a whole number",
        ),
        ("[connection.guard.users]\nshare = \"101%\"", "is not a share"),
        ("[connection.guard.users]\ncount = 3", "users.count: is less than free, which is 5"),
        ("[connection.guard.user]\ncount = 3", "did you mean \"users\"?"),
        ("[connection.local]\nfile = \"no-such.ldif\"", "no-such.ldif:0: No such file"),
        ("[connection.local]\nprefer = \"local\"", "local.file: is missing"),
    ] {
        refused(read_after(section), expected);
    }
}

#[test]
fn mistakes_in_a_local_file_are_told_with_their_lines() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("local.ldif");
    for (text, expected) in [
        (
            "dn: cn=a,dc=fabrikam,dc=com\nobjectClass: contact\ncn: a\n",
            ":1: cn=a,dc=fabrikam,dc=com stands in no container",
        ),
        ("dn: nothing\nobjectClass: contact\n", ":1: \"nothing\" is not a DN"),
        ("dn: cn=a,dc=contoso,dc=com\ncn: a\n", ":1: has no objectClass"),
        (
            "dn: cn=a,dc=contoso,dc=com\nobjectClass: contect\ncn: a\n",
            ":1: contect is not an object class",
        ),
        (
            "dn: cn=a,dc=contoso,dc=com\nobjectClass: contact\ncn: b\n",
            ":1: lacks the value of its name, cn",
        ),
        (
            "dn: cn=a,dc=contoso,dc=com\nobjectClass: contact\ncn: a\ncn: b\n",
            ":4: cn can have one value only",
        ),
        (
            "dn: cn=a,dc=contoso,dc=com\nobjectClass: contact\ncn: a\nuidNumber: x\n",
            ":4: the value of uidNumber is not of its syntax",
        ),
        (
            "dn: cn=a,dc=contoso,dc=com\nobjectClass: contact\ncn: a\nmemberOf: cn=b\n",
            ":4: memberOf is made by entraldap",
        ),
        (
            "dn: cn=a,dc=contoso,dc=com\nobjectClass: contact\ncn: a\n\ndn: CN=A,dc=contoso,dc=com\nobjectClass: contact\ncn: a\n",
            ":5: CN=A,dc=contoso,dc=com stands in line 1 already",
        ),
    ] {
        std::fs::write(&file, text).unwrap();
        refused(
            read_after(&format!("[connection.local]\nfile = \"{}\"", file.display())),
            expected,
        );
    }
}

#[test]
fn mistakes_in_reports_are_told() {
    let mail = "[report.mail]\nserver = \"smtp.contoso.com:587\"\nfrom = \"a@contoso.com\"\nto = [\"b@contoso.com\"]";
    let report = |text: &str| read_after(&format!("[[report]]\nname = \"admins\"\n{text}"));
    assert!(report(mail).is_ok());
    for (text, expected) in [
        ("", "needs exactly one of [report.mail] and [report.webhook]"),
        (
            "on = \"never\"\n[report.webhook]\nurl = \"https://x.example/\"",
            "\"never\" is not known",
        ),
        (
            "connections = [\"fabrikam\"]\n[report.webhook]\nurl = \"https://x.example/\"",
            "\"fabrikam\" is not a connection; choose \"contoso\"",
        ),
        ("[report.webhook]\nurl = \"http://x.example/\"", "would send reports in clear text"),
        ("[report.webhook]\nurl = \"ftp://x.example/\"", "is not an https:// URL"),
        (&*mail.replace(":587", ""), "\"smtp.contoso.com\" has no port"),
        (&*mail.replace("b@contoso.com", "b"), "\"b\" is not a mail address"),
        (
            &*format!("{mail}\nuser = \"x\""),
            "report[0].mail.password: is missing; a login needs both",
        ),
        (
            &*format!("{mail}\npassword = \"x\""),
            "holds a text, but secrets do not belong in this file",
        ),
    ] {
        let problems = report(text).unwrap_err().to_string();
        assert!(problems.contains(expected), "{expected} not in\n{problems}");
    }
    let plain = report(&format!("{mail}\nsecurity = \"none\"")).unwrap();
    assert!(plain.warnings.to_string().contains("in clear text"), "{}", plain.warnings);
}

const USER_BINDS: &str = "[connection.user_binds]\nenabled = true\n";

fn user_binds(lines: &str) -> Option<UserBindSettings> {
    let settings = read_after(&format!("[connection.user_binds]\n{lines}")).unwrap();
    settings.connections.into_iter().next().unwrap().user_binds
}

#[test]
fn user_binds_are_off_until_they_are_enabled() {
    assert_eq!(user_binds(""), None);
    assert_eq!(user_binds("enabled = false\nfailures = 3"), None);
    assert_eq!(user_binds("enabled = true"), Some(UserBindSettings::default()));
    let settings = user_binds(
        "enabled = true\naccept_codes = [50076, 99999]\ncache = \"15m\"\ntimeout = \"3s\"\n\
         failures = 50\npause = \"1h\"\nscope = \"openid\"\n\
         client_id = \"22222222-1111-1111-1111-111111111111\"\nclient_secret = { env = \"SECRET\" }",
    );
    let settings = settings.unwrap();
    assert_eq!(settings.accept_codes, [50076, 99999]);
    assert_eq!(
        (settings.cache, settings.timeout),
        (Duration::from_secs(900), Duration::from_secs(3))
    );
    assert!(matches!(settings.proof, SignInProof::Secret(_)));
    assert_eq!(
        user_binds("enabled = true\npublic_client = true").unwrap().proof,
        SignInProof::Public
    );
    let profile = "[[ldap.profile]]\nname = \"People\"\nsize = 5\n";
    let text = format!("{LISTENER}{profile}{CONNECTION}{USER_BINDS}profile = \"people\"\n");
    let settings = parse(&text, "t", &environment()).unwrap();
    let binds = settings.connections[0].user_binds.as_ref().unwrap();
    assert_eq!((binds.profile.name.as_str(), binds.profile.size), ("People", Some(5)));
    // Users can search then.
    assert!(settings.warnings.is_empty(), "{}", settings.warnings);
}

#[test]
fn example_states_the_defaults_of_user_binds() {
    let example = include_str!("../../config/example.toml");
    let (_, section) = example.split_once("[connection.user_binds]\n").unwrap();
    let section = section.split("\n\n").next().unwrap();
    let defaults = section.lines().filter_map(|line| line.strip_prefix('#'));
    let defaults: Vec<&str> = defaults.filter(|line| !line.starts_with([' ', '#'])).collect();
    assert!(defaults.len() >= 7, "{defaults:?}");
    let lines = defaults.join("\n").replace("enabled = false", "enabled = true");
    assert_eq!(user_binds(&lines), Some(UserBindSettings::default()));
}

#[test]
fn user_binds_that_would_let_anybody_in_or_cannot_work_are_refused() {
    let with = |line: &str| read_after(&format!("{USER_BINDS}{line}"));
    for code in [50126, 50034, 50056, 50053, 50055, 50144, 50057, 7_000_215, 90002, 50196, 65001] {
        refused(with(&format!("accept_codes = [50076, {code}]")), &format!("holds {code}, which"));
    }
    refused(with("accept_codes = [76]"), "76 is out of range");
    refused(with("accept_codes = \"50076\""), "is a text, not a list");
    refused(with("cache = \"16m\""), "16m is out of range");
    refused(with("failures = 0"), "0 is out of range");
    refused(with("failures = 51"), "51 is out of range");
    refused(with("pasue = \"1m\""), "did you mean \"pause\"?");
    refused(with("profile = \"people\""), "\"people\" is not a profile");
    refused(with("client_secret = \"geheim\""), "secrets do not belong in this file");
    refused(
        with("client_id = \"22222222-1111-1111-1111-111111111111\""),
        "connection[0].user_binds.client_secret: is missing; write the secret of this client_id",
    );
    refused(
        with("public_client = true\nclient_secret = { env = \"SECRET\" }"),
        "contradicts client_secret",
    );
}
