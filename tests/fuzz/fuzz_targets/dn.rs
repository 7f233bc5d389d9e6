//! A name (RFC 4514), and string preparation (RFC 4518) below it.
#![no_main]

use entraldap::directory::attribute::Syntax;
use entraldap::directory::dn::{self, Dn, DnKey};
use entraldap::directory::filter::Substrings;
use entraldap::directory::{schema, text};
use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        name(text);
        preparation(text);
    }
    value(data);
});

fn name(text: &str) {
    let Ok(name) = Dn::parse(text) else { return };
    let written = name.to_string();
    assert_eq!(Dn::parse(&written).as_ref(), Ok(&name), "{written}");
    // The key says where in the tree it stands.
    let key = name.key();
    let mut above = (Some(name.clone()), Some(key.clone()));
    let mut levels = 0;
    while let (Some(name), Some(parent)) = &above {
        assert_eq!(name.key(), *parent);
        assert!(key.is_within(parent));
        levels += 1;
        above = (name.parent(), parent.parent());
    }
    assert_eq!(above, (None, None));
    assert_eq!(key.as_bytes().iter().filter(|octet| **octet == 0).count(), levels - 1);
    assert_eq!(DnKey::from_bytes(key.as_bytes()), key);
    assert_eq!(name.is_root(), key.is_root());
}

fn preparation(text: &str) {
    let folded = text::fold(text);
    assert_eq!(text::fold(&folded), folded);
    assert!(!folded.starts_with(' ') && !folded.ends_with(' ') && !folded.contains("  "));
    assert!(!folded.chars().any(char::is_control));
    let exact = text::prepare_exact(text);
    assert_eq!(text::prepare_exact(&exact), exact);
    assert_eq!(text::fold(&exact), folded);
    // Three octets grow to 33 at most, and then by case once more.
    assert!(folded.len() <= 40 * text.len());
    let piece = text::fold_piece(text);
    assert_eq!(piece.trim(), folded);
    for syntax in syntaxes() {
        // What compares equal to itself has a key; a piece of it is found in it.
        let (key, piece) = (syntax.key(text.as_bytes()), syntax.piece(text.as_bytes()));
        if let (Some(key), Some(piece), true) = (key, piece, syntax.has_substrings()) {
            let piece =
                Substrings { any: vec![piece.trim_ascii().into()], ..Substrings::default() };
            assert!(*syntax == Syntax::CaseExactString || piece.match_key(&key));
        }
    }
}

fn syntaxes() -> &'static [Syntax] {
    static SYNTAXES: OnceLock<Vec<Syntax>> = OnceLock::new();
    SYNTAXES.get_or_init(|| {
        let mut found = Vec::new();
        for attribute in schema::standard().attributes() {
            if !found.contains(&attribute.syntax) {
                found.push(attribute.syntax);
            }
        }
        found
    })
}

/// Any value can stand in a name.
fn value(data: &[u8]) {
    let written = format!("cn={},dc=x", dn::escape(data));
    let name = Dn::parse(&written).expect("an escaped value is a value");
    let first = name.rdn().and_then(|rdn| rdn.first()).expect("one pair");
    assert_eq!(first, ("cn", data));
    let parent = name.parent().expect("a parent");
    assert_eq!(name.key().parent(), Some(parent.key()));
    if let Ok(text) = std::str::from_utf8(data) {
        assert_eq!(parent.child("cn", text), name);
        assert_eq!(parent.key().child(&dn::rdn_key("CommonName", text)), name.key());
    } else {
        // What is no text compares equal to itself only.
        let text: String = data.iter().map(|octet| format!("{octet:02x}")).collect();
        assert_ne!(parent.child("cn", &format!("#{text}")).key(), name.key());
    }
}
