//! LDIF as it is exported, read back by the few rules of RFC 2849 that it uses.
#![no_main]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use entraldap::directory::schema;
use entraldap::inspect::export::ldif_line;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let attributes = schema::standard().attributes();
    let mut lines = Vec::new();
    // A zero octet ends a value, two of them stand for one; the first octet names it.
    let mut rest = data;
    while let Some((which, more)) = rest.split_first() {
        let mut value = Vec::new();
        let mut at = 0;
        while let Some(octet) = more.get(at) {
            at += 1;
            if *octet == 0 {
                if more.get(at) != Some(&0) {
                    break;
                }
                at += 1;
            }
            value.push(*octet);
        }
        rest = &more[at..];
        lines.push((attributes[usize::from(*which) % attributes.len()].name, value));
    }
    let mut out = String::new();
    for (name, value) in &lines {
        ldif_line(&mut out, name, value);
    }
    let read: Vec<_> = out.lines().map(read).collect();
    assert_eq!(read.len(), lines.len());
    for ((name, value), (expected, octets)) in read.iter().zip(&lines) {
        assert_eq!((*name, value), (*expected, octets));
    }
});

fn read(line: &str) -> (&str, Vec<u8>) {
    assert!(line.is_ascii(), "{line}");
    let (name, value) = line.split_once(':').expect("attrval-spec has a colon");
    if let Some(encoded) = value.strip_prefix(": ") {
        return (name, STANDARD.decode(encoded).expect("base64"));
    }
    let value = value.strip_prefix(' ').unwrap_or(value);
    // SAFE-STRING: no NUL, LF, CR; the first not a space, colon or less-than sign. And
    // nothing at its end that an editor would cut off.
    assert!(!value.starts_with([' ', ':', '<']) && !value.ends_with(' '));
    assert!(!value.contains(['\0', '\n', '\r']));
    (name, value.as_bytes().to_vec())
}
