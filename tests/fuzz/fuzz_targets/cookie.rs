//! Cookies of paged results: opened only by whom they were made for.
#![no_main]

use entraldap::ldap::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((head, mut rest)) = data.split_first_chunk::<22>() else { return };
    let [a, b, c, d, e, f, g, h, now @ .., x, y, l1, l2, l3, l4] = *head;
    let now = u64::from_be_bytes(now);
    let next = u32::from_be_bytes([a, b, c, d]);
    let sent = u32::from_be_bytes([e, f, g, h]);
    let mut part = |len: u8| {
        let (part, more) = rest.split_at(rest.len().min(len.into()));
        rest = more;
        part
    };
    let parts = [part(l1), part(l2), part(l3), part(l4)];
    fuzzing::cookie(parts, (next, sent, now), rest, (x, y));
});
