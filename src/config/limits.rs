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
    LimitSettings {
        pdu_before_bind: table
            .or("pdu_before_bind", default.pdu_before_bind, |value| value.size(pdu.clone())),
        pdu_after_bind: table
            .or("pdu_after_bind", default.pdu_after_bind, |value| value.size(pdu.clone())),
        size: table.or("size", default.size, |value| value.number(0..=u32::MAX)),
        time: table.or("time", default.time, |value| value.duration(Duration::ZERO..=DAY)),
        connections: table
            .or("connections", default.connections, |value| value.number(1..=1_000_000)),
        idle: table.or("idle", default.idle, |value| value.duration(wait.clone())),
        first_request: table
            .or("first_request", default.first_request, |value| value.duration(wait.clone())),
        write_stall: table
            .or("write_stall", default.write_stall, |value| value.duration(wait.clone())),
    }
}
