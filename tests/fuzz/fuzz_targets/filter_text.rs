//! A filter as text (RFC 4515): the same when written and read again, and the same in BER.
#![no_main]

use entraldap::directory::filter::Filter;
use entraldap::ldap::fuzzing;
use libfuzzer_sys::fuzz_target;

mod filters;

fuzz_target!(|text: &str| {
    let Ok(filter) = Filter::parse(text) else { return };
    let written = filter.to_string();
    assert_eq!(Filter::parse(&written).as_ref(), Ok(&filter), "{written}");
    if let Some(sent) = fuzzing::ber_filter(&fuzzing::filter_octets(&filter)) {
        assert_eq!(sent, filter);
    }
    filters::evaluates(&filter);
});
