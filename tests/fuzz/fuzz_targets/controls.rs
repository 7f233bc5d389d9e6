//! The list of controls, and the values of those that are known.
#![no_main]

use entraldap::ldap::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| fuzzing::controls(data));
