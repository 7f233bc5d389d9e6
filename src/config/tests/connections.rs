//! Claims about connections, their clouds and their trees.

use super::*;

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
fn containers_and_their_names_are_checked() {
    let tree = |text: &str| read_after(&format!("[connection.tree]\n{text}"));
    assert_eq!(tree("users.rdn = \"CN\"").unwrap().connections[0].tree.users.rdn, "cn");
    refused(tree("users.rdn = \"mail\""), "\"mail\" cannot name these entries; choose uid or cn");
    refused(tree("users.ou = \"Groups\""), "is also the container in line");
    refused(read_after("[connection.sync]\ninterval = \"2d\"\nreconcile = \"1d\""), "shorter");
}
