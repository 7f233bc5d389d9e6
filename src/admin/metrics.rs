//! `/metrics` for Prometheus (OpenMetrics text), and `/readyz`. No metric names a person.

use super::api::{Facts, Shared};
use crate::sync::{Phase, Status};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use std::fmt::Error;
use std::time::{SystemTime, UNIX_EPOCH};

/// What the LDAP side has counted.
#[derive(Debug, Clone, Default)]
pub struct LdapNumbers {
    /// Connections accepted so far.
    pub connections: u64,
    /// Connections open now.
    pub open: u64,
    /// Connections turned away.
    pub refused: u64,
    /// Entries returned.
    pub entries: u64,
    /// Searches that found nothing.
    pub misses: u64,
    /// Connections ended because of what they sent.
    pub malformed: u64,
    /// Kind of operation, result code, how often.
    pub operations: Vec<(&'static str, u16, u64)>,
    /// How long operations took, by kind.
    pub latencies: Vec<Latencies>,
}

/// How long operations of a kind took.
#[derive(Debug, Clone, Default)]
pub struct Latencies {
    /// The kind.
    pub kind: &'static str,
    /// Upper bounds in seconds, and how many took no longer than it and longer than the one
    /// before.
    pub buckets: Vec<(f64, u64)>,
    /// All of them together, in seconds.
    pub sum: f64,
}

/// What was asked of Graph for a connection.
#[derive(Debug, Clone, Default)]
pub struct GraphNumbers {
    /// The connection.
    pub connection: String,
    /// Requests sent.
    pub requests: u64,
    /// Requests that were tried again.
    pub retries: u64,
    /// Waits that Graph has asked for.
    pub throttle_waits: u64,
    /// Their length, in seconds.
    pub throttle_seconds: f64,
    /// Octets received.
    pub bytes: u64,
}

/// Everything at one instant.
#[derive(Debug)]
struct Numbers {
    now: i64,
    started: i64,
    entries: u64,
    sequence: u64,
    file_bytes: u64,
    statuses: Vec<Status>,
    ldap: LdapNumbers,
    graph: Vec<GraphNumbers>,
}

pub(super) async fn metrics(State(facts): Shared) -> Response {
    let snapshot = facts.reader.snapshot();
    let numbers = Numbers {
        now: now(),
        started: facts.started,
        entries: snapshot.len().unwrap_or_default(),
        sequence: snapshot.sequence(),
        file_bytes: std::fs::metadata(&facts.replica).map_or(0, |found| found.len()),
        statuses: statuses(&facts),
        ldap: (facts.numbers)(),
        graph: (facts.graph)(),
    };
    let mut registry = Registry::default();
    registry.register_collector(Box::new(numbers));
    let mut body = String::new();
    match text::encode(&mut body, &registry) {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], body).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Ready: everything is published, and not older than it may be.
pub(super) async fn readyz(State(facts): Shared) -> Response {
    let limit = i64::try_from(facts.ready_age.as_secs()).unwrap_or(i64::MAX);
    let mut reasons = Vec::new();
    for status in statuses(&facts).iter().filter(|s| !s.paused && !s.disconnected) {
        let name = &status.connection;
        if !status.published {
            reasons.push(format!("{name}: the first sync is not complete"));
            continue;
        }
        let age = status.last_success.map_or(i64::MAX, |last| now().saturating_sub(last));
        if age > limit {
            reasons.push(format!("{name}: the last good pass is {age} s ago, more than {limit} s"));
        }
    }
    match reasons.is_empty() {
        true => (StatusCode::OK, "ready\n".to_owned()).into_response(),
        false => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", reasons.join("\n"))).into_response()
        }
    }
}

fn statuses(facts: &Facts) -> Vec<Status> {
    facts.schedules.iter().map(|schedule| schedule.status().borrow().clone()).collect()
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().cast_signed())
}

type Labels<'a> = Vec<(&'a str, String)>;

/// Writes a metric with all its label sets.
fn write<'l>(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help, sort): (&str, &str, MetricType),
    values: impl IntoIterator<Item = (Labels<'l>, f64)>,
) -> Result<(), Error> {
    let mut metric = encoder.encode_descriptor(name, help, None, sort)?;
    for (labels, value) in values {
        if labels.is_empty() {
            one(&mut metric, sort, value)?;
        } else {
            one(&mut metric.encode_family(&labels)?, sort, value)?;
        }
    }
    Ok(())
}

fn one(metric: &mut MetricEncoder<'_>, sort: MetricType, value: f64) -> Result<(), Error> {
    match sort {
        MetricType::Counter => metric.encode_counter::<NoLabelSet, f64, f64>(&value, None),
        _ => metric.encode_gauge(&value),
    }
}

impl Collector for Numbers {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        self.sync(&mut encoder)?;
        self.graph(&mut encoder)?;
        self.ldap(&mut encoder)?;
        let gauges = [
            ("entraldap_start_time_seconds", "Unix time of the start", self.started as f64),
            ("entraldap_entries", "Entries in the replica", self.entries as f64),
            ("entraldap_replica_commits", "Commits of the replica file", self.sequence as f64),
            ("entraldap_replica_file_bytes", "Length of the replica file", self.file_bytes as f64),
        ];
        for (name, help, value) in gauges {
            write(&mut encoder, (name, help, MetricType::Gauge), [(Vec::new(), value)])?;
        }
        Ok(())
    }
}

impl Numbers {
    fn sync(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let by_connection = |value: &dyn Fn(&Status) -> f64| -> Vec<(Labels<'static>, f64)> {
            let of =
                |status: &Status| (vec![("connection", status.connection.clone())], value(status));
            self.statuses.iter().map(of).collect()
        };
        let passes = self.statuses.iter().flat_map(|status| {
            status.passes.iter().map(|(verdict, count)| {
                let connection = ("connection", status.connection.clone());
                (vec![connection, ("verdict", verdict.clone())], *count as f64)
            })
        });
        let name = ("entraldap_passes", "Passes since the start, by verdict", MetricType::Counter);
        write(encoder, name, passes)?;
        let entries = self.statuses.iter().flat_map(|status| {
            let last = status.last.iter().flat_map(|record| &record.entries);
            last.map(|(kind, count)| {
                let connection = ("connection", status.connection.clone());
                (vec![connection, ("kind", kind.clone())], *count as f64)
            })
        });
        let name =
            ("entraldap_connection_entries", "Entries after the last pass", MetricType::Gauge);
        write(encoder, name, entries)?;
        let flag = |truth: bool| f64::from(u8::from(truth));
        let age = |status: &Status| {
            status.last_success.map_or(f64::INFINITY, |last| (self.now - last).max(0) as f64)
        };
        type Value<'v> = &'v dyn Fn(&Status) -> f64;
        let gauges: [(&str, &str, Value<'_>); 8] = [
            ("entraldap_published", "Whether a first complete sync is served", &|s| {
                flag(s.published)
            }),
            ("entraldap_data_age_seconds", "Age of the last good pass", &age),
            ("entraldap_pass_held", "Whether a pass waits for a person", &|s| {
                flag(s.held.is_some())
            }),
            ("entraldap_paused", "Whether passes do not run by themselves", &|s| flag(s.paused)),
            ("entraldap_disconnected", "Whether the connection was given up", &|s| {
                flag(s.disconnected)
            }),
            ("entraldap_pass_running", "Whether a pass runs", &|s| flag(s.phase != Phase::Idle)),
            ("entraldap_failures", "Passes failed since the last good one", &|s| {
                f64::from(s.failures)
            }),
            ("entraldap_paused_objects", "Objects that keep their state", &|s| {
                s.paused_objects.len() as f64
            }),
        ];
        for (name, help, value) in gauges {
            write(encoder, (name, help, MetricType::Gauge), by_connection(value))?;
        }
        // Only where it is known: a zero would be an alarm.
        let ends = self.statuses.iter().filter_map(|status| {
            let end = status.credential_end? as f64;
            Some((vec![("connection", status.connection.clone())], end))
        });
        let help = "Unix time at which the client secret or certificate ends";
        write(encoder, ("entraldap_credential_end_seconds", help, MetricType::Gauge), ends)
    }

    fn graph(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        type Value<'v> = &'v dyn Fn(&GraphNumbers) -> f64;
        let counters: [(&str, &str, Value<'_>); 5] = [
            ("entraldap_graph_requests", "Requests to Graph and Entra", &|n| n.requests as f64),
            ("entraldap_graph_retries", "Requests that were tried again", &|n| n.retries as f64),
            ("entraldap_graph_throttle_waits", "Waits that Graph asked for", &|n| {
                n.throttle_waits as f64
            }),
            ("entraldap_graph_throttle_seconds", "Length of these waits", &|n| n.throttle_seconds),
            ("entraldap_graph_received_bytes", "Octets of answers", &|n| n.bytes as f64),
        ];
        for (name, help, value) in counters {
            let values = self
                .graph
                .iter()
                .map(|numbers| (vec![("connection", numbers.connection.clone())], value(numbers)));
            write(encoder, (name, help, MetricType::Counter), values)?;
        }
        Ok(())
    }

    fn ldap(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let ldap = &self.ldap;
        let operations = ldap.operations.iter().map(|(kind, code, count)| {
            let labels = vec![("operation", (*kind).to_owned()), ("result", code.to_string())];
            (labels, *count as f64)
        });
        let help = "LDAP operations by kind and result code (RFC 4511 4.1.9)";
        write(encoder, ("entraldap_ldap_operations", help, MetricType::Counter), operations)?;
        let counters = [
            ("entraldap_ldap_connections", "Connections accepted", ldap.connections),
            ("entraldap_ldap_connections_refused", "Connections turned away", ldap.refused),
            (
                "entraldap_ldap_connections_malformed",
                "Connections ended for what they sent",
                ldap.malformed,
            ),
            ("entraldap_ldap_entries_returned", "Entries returned", ldap.entries),
            ("entraldap_ldap_searches_without_entry", "Searches that found nothing", ldap.misses),
        ];
        for (name, help, value) in counters {
            write(encoder, (name, help, MetricType::Counter), [(Vec::new(), value as f64)])?;
        }
        let name = ("entraldap_ldap_connections_open", "Connections open", MetricType::Gauge);
        write(encoder, name, [(Vec::new(), ldap.open as f64)])?;
        let help = "How long LDAP operations took, from their request to the end of their answer";
        let name = "entraldap_ldap_operation_seconds";
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
        for one in &ldap.latencies {
            let count = one.buckets.iter().map(|(_, count)| count).sum();
            let labels = [("operation", one.kind)];
            let mut metric = metric.encode_family(&labels)?;
            metric.encode_histogram::<NoLabelSet>(one.sum, count, &one.buckets, None)?;
        }
        Ok(())
    }
}
