//! What other rooms have counted, for the side window.

use crate::admin::{GraphNumbers, Latencies, LdapNumbers};
use crate::graph::Graph;
use crate::ldap;
use serde_json::{Value, json};

/// The counts of the LDAP side as JSON.
pub(super) fn counts(server: &ldap::Server) -> Value {
    let counts = server.counts();
    let operations: Vec<Value> = counts
        .operations
        .iter()
        .map(|(kind, code, count)| {
            json!({ "operation": kind.word(), "result": code, "count": count })
        })
        .collect();
    json!({
        "connections": counts.connections,
        "open": counts.open,
        "refused": counts.refused,
        "entries": counts.entries,
        "misses": counts.misses,
        "malformed": counts.malformed,
        "operations": operations,
    })
}

/// The same, and latencies, for metrics.
pub(super) fn ldap(server: &ldap::Server) -> LdapNumbers {
    let counts = server.counts();
    let operations = counts.operations.iter();
    let latencies = server.latencies().into_iter();
    LdapNumbers {
        connections: counts.connections,
        open: counts.open,
        refused: counts.refused,
        entries: counts.entries,
        misses: counts.misses,
        malformed: counts.malformed,
        operations: operations.map(|(kind, code, count)| (kind.word(), *code, *count)).collect(),
        latencies: latencies
            .map(|one| Latencies { kind: one.kind.word(), buckets: one.classes, sum: one.sum })
            .collect(),
    }
}

/// What was asked of Graph.
pub(super) fn graph(graphs: &[(String, Graph)]) -> Vec<GraphNumbers> {
    let of = |(name, graph): &(String, Graph)| {
        let sent = graph.requests();
        GraphNumbers {
            connection: name.clone(),
            requests: sent.requests,
            retries: sent.retries,
            throttle_waits: sent.throttle_waits,
            throttle_seconds: sent.throttle_time.as_secs_f64(),
            bytes: sent.bytes,
        }
    };
    graphs.iter().map(of).collect()
}
