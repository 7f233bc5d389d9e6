//! What holds where the file says nothing. `config/example.toml` states the same
//! values, which a test checks.

use super::settings::{
    AdminListen, AdminSettings, Branch, GraphSettings, LimitSettings, LogFormat, LogSettings,
    ReplicaSettings, SyncSettings, TreeSettings, When,
};
use std::time::Duration;
use url::Url;

const MINUTE: u64 = 60;
const DAY: u64 = 24 * 60 * MINUTE;

impl Default for ReplicaSettings {
    fn default() -> Self {
        ReplicaSettings {
            path: "/var/lib/entraldap/replica.redb".into(),
            cache: 16 << 20,
            in_memory: true,
            // About five weeks of one pass in five minutes.
            history: 10_000,
            changes: Duration::from_secs(180 * DAY),
        }
    }
}

impl Default for LogSettings {
    fn default() -> Self {
        LogSettings { format: LogFormat::Human, level: "info".to_owned() }
    }
}

impl Default for AdminSettings {
    fn default() -> Self {
        AdminSettings {
            listen: AdminListen::Unix("/run/entraldap/admin.sock".into()),
            token: None,
            ready_age: Duration::from_secs(DAY),
        }
    }
}

impl Default for LimitSettings {
    fn default() -> Self {
        LimitSettings {
            pdu_before_bind: 64 << 10,
            pdu_after_bind: 1 << 20,
            filter_depth: 64,
            // Grafana asks for 500 members in one Or, others for as many with three
            // attributes each.
            filter_nodes: 4096,
            controls: 16,
            attributes: 256,
            operations: 32,
            output: 256 << 10,
            // Postfix takes a search that was cut short for a failure and defers the
            // mail (AD's own limit is 1000), so nothing is cut short unasked.
            size: 0,
            page: 0,
            time: Duration::from_secs(2 * MINUTE),
            // A search that is given up answers nothing that a gateway can use, and the
            // time limit bounds it already: a tenant is looked through in seconds.
            candidates: 0,
            connections: 16_384,
            // All clients behind one translated address share it, and a mail relay keeps
            // one open in each of its processes; half is left for the others.
            connections_per_address: 8192,
            // Above the 15 minutes that AD allows: gateways keep connections open.
            idle: Duration::from_secs(20 * MINUTE),
            first_request: Duration::from_secs(30),
            tls_handshake: Duration::from_secs(10),
            write_stall: Duration::from_secs(30),
        }
    }
}

impl GraphSettings {
    /// The default manners towards the given authority and Graph roots.
    pub fn at(authority: Url, endpoint: Url) -> Self {
        GraphSettings {
            authority,
            endpoint,
            proxy: None,
            ca_file: None,
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(2 * MINUTE),
            concurrency: 4,
            requests_per_second: 50,
            attempts: 8,
            max_wait: Duration::from_secs(10 * MINUTE),
        }
    }
}

impl Default for SyncSettings {
    fn default() -> Self {
        SyncSettings {
            when: When::Interval(Duration::from_secs(5 * MINUTE)),
            jitter: Duration::ZERO,
            reconcile: Duration::from_secs(7 * DAY),
            contacts: true,
            hidden_members: false,
            required: Vec::new(),
        }
    }
}

impl Default for TreeSettings {
    fn default() -> Self {
        let branch = |ou: &str, rdn: &str| Branch { ou: ou.to_owned(), rdn: rdn.to_owned() };
        TreeSettings {
            users: branch("users", "uid"),
            groups: branch("groups", "cn"),
            contacts: branch("contacts", "cn"),
            domains: branch("domains", "dc"),
        }
    }
}
