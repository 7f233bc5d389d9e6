//! A filter in BER: reading, binding, evaluating, writing.
#![no_main]

use entraldap::ldap::fuzzing;
use libfuzzer_sys::fuzz_target;

mod filters;

fuzz_target!(|data: &[u8]| {
    if let Some(filter) = fuzzing::ber_filter(data) {
        filters::evaluates(&filter);
        filters::is_written_and_read(&filter);
    }
});
