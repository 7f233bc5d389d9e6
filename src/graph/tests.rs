//! The client against a server that answers from a script.

mod auth;
mod faults;
mod pages;
mod server;

use crate::config::Secret;
use crate::config::settings::{
    Branch, ConnectionSettings, Credential, GraphSettings, SecretSource, SyncSettings, TreeSettings,
};
use crate::directory::dn::Dn;
use crate::directory::kind::Kind;
use crate::graph::{Graph, Position};
use server::{Reply, Server};
use std::time::Duration;
use url::Url;

const SECRET: &str = "s3cret-Value~of.the-app";
const ID: &str = "0b1f6a52-6c1e-4a07-9a55-3f1f5a9c0a01";

/// Settings towards one loopback server. No timeouts: a paused clock would run into them while a socket is slow.
fn settings(port: u16) -> ConnectionSettings {
    let root = Url::parse(&format!("http://127.0.0.1:{port}/")).unwrap();
    let branch = |ou: &str, rdn: &str| Branch { ou: ou.to_owned(), rdn: rdn.to_owned() };
    ConnectionSettings {
        name: "contoso".to_owned(),
        base: Dn::parse("dc=contoso,dc=com").unwrap(),
        tenant: "contoso.example".to_owned(),
        client_id: "11111111-2222-3333-4444-555555555555".to_owned(),
        credential: Credential::Secrets(vec![SecretSource::Value(Secret::new(SECRET))]),
        graph: GraphSettings {
            authority: root.clone(),
            endpoint: root,
            proxy: None,
            ca_file: None,
            connect_timeout: Duration::ZERO,
            request_timeout: Duration::ZERO,
            concurrency: 4,
            requests_per_second: 1000,
            attempts: 4,
            max_wait: Duration::from_secs(300),
        },
        sync: SyncSettings::default(),
        mapping: Default::default(),
        include: Default::default(),
        scope: Default::default(),
        rules: Vec::new(),
        guard: Default::default(),
        local: None,
        tree: TreeSettings {
            users: branch("users", "uid"),
            groups: branch("groups", "cn"),
            contacts: branch("contacts", "cn"),
            domains: branch("domains", "dc"),
        },
    }
}

/// A server with this script, and a connection to it.
async fn world(script: impl IntoIterator<Item = Reply>) -> (Server, Graph) {
    let server = Server::start(script).await;
    let graph = Graph::new(&settings(server.port)).unwrap();
    (server, graph)
}

/// A delta link of users to the server, with a state token that must never be seen.
fn delta(server: &Server) -> Position {
    let link = format!("{}v1.0/users/delta?$deltatoken=HUSH-delta-1", server.root());
    format!("users delta {link}").parse().unwrap()
}

/// A page link of users to the server.
fn next(server: &Server) -> Position {
    let link = format!("{}v1.0/users/delta?$skiptoken=HUSH-skip-1", server.root());
    format!("users next {link}").parse().unwrap()
}

fn start() -> Position {
    Position::start(Kind::User)
}

/// The last page of a round, with one user.
fn last_page() -> Reply {
    Reply::json(&format!(
        r#"{{"@odata.deltaLink":"http://127.0.0.1:1/v1.0/users/delta?$deltatoken=HUSH-delta-2","value":[{{"id":"{ID}"}}]}}"#
    ))
}

fn graph_error(status: u16, code: &str) -> Reply {
    Reply::json(&format!(
        r#"{{"error":{{"code":"{code}","message":"m","innerError":{{"request-id":"rid-1"}}}}}}"#
    ))
    .status(status)
}
