//! `[ldap.limits]`: how much one client may take.

use super::reader::Table;
use super::settings::LimitSettings;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

/// Reads the section.
pub(super) fn read(table: &Table<'_>) -> LimitSettings {
    let default = LimitSettings::default();
    // Below 4 KiB an ordinary bind or filter would be refused.
    let pdu = (4 << 10)..=(64 << 20);
    let wait = Duration::from_secs(1)..=DAY;
    // Below these an ordinary filter or list of attributes would be refused; above them
    // a filter would be as deep as the stack.
    let (depth, nodes, attributes) = (4..=256, 16..=1_000_000, 16..=100_000);
    let output = (16 << 10)..=(16 << 20);
    let any = 0..=u32::MAX;
    LimitSettings {
        pdu_before_bind: table
            .or("pdu_before_bind", default.pdu_before_bind, |value| value.size(pdu.clone())),
        pdu_after_bind: table
            .or("pdu_after_bind", default.pdu_after_bind, |value| value.size(pdu.clone())),
        filter_depth: table.or("filter_depth", default.filter_depth, |value| value.number(depth)),
        filter_nodes: table.or("filter_nodes", default.filter_nodes, |value| value.number(nodes)),
        controls: table.or("controls", default.controls, |value| value.number(1..=1000)),
        attributes: table.or("attributes", default.attributes, |value| value.number(attributes)),
        operations: table.or("operations", default.operations, |value| value.number(1..=10_000)),
        output: table.or("output", default.output, |value| value.size(output)),
        size: table.or("size", default.size, |value| value.number(any.clone())),
        page: table.or("page", default.page, |value| value.number(any.clone())),
        time: table.or("time", default.time, |value| value.duration(Duration::ZERO..=DAY)),
        candidates: table.or("candidates", default.candidates, |value| value.number(any)),
        connections: table
            .or("connections", default.connections, |value| value.number(1..=1_000_000)),
        connections_per_address: table.or(
            "connections_per_address",
            default.connections_per_address,
            |value| value.number(1..=1_000_000),
        ),
        idle: table.or("idle", default.idle, |value| value.duration(wait.clone())),
        first_request: table
            .or("first_request", default.first_request, |value| value.duration(wait.clone())),
        tls_handshake: table
            .or("tls_handshake", default.tls_handshake, |value| value.duration(wait.clone())),
        write_stall: table
            .or("write_stall", default.write_stall, |value| value.duration(wait.clone())),
    }
}
