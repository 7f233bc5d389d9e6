//! The contents of one message: number, operation, controls.
#![no_main]

use entraldap::ldap::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // A frame as it is, or its contents alone.
    fuzzing::message(data, 2);
    fuzzing::message(data.get(2..).unwrap_or_default(), 2);
});
