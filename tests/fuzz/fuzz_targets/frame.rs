//! A stream of messages: three octets for the largest size, the rest as received.
#![no_main]

use entraldap::ldap::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Some(([a, b, c], stream)) = data.split_first_chunk() {
        let largest = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        fuzzing::frames(stream, largest);
        fuzzing::elements(stream);
    }
});
