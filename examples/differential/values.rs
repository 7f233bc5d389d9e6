//! Assertion values: real ones, other spellings of them, near misses, and nonsense.

use crate::dump::Dump;
use entraldap::directory::attribute::{AttributeType, Syntax};
use entraldap::directory::ids::{ObjectId, Sid};
use entraldap::directory::schema;
use entraldap::simulator::Rng;
use unicode_normalization::UnicodeNormalization;

/// A value to ask the attribute for.
pub(crate) fn assertion(dump: &Dump, attribute: &AttributeType, rng: &mut Rng) -> Vec<u8> {
    let real = dump.value(attribute, rng);
    if rng.one_in(3) {
        return real;
    }
    if rng.one_in(30) {
        return b"\xff\xfe not UTF-8".to_vec();
    }
    let text = String::from_utf8_lossy(&real).into_owned();
    match attribute.syntax {
        Syntax::DirectoryString | Syntax::CaseExactString => near_text(&text, rng),
        Syntax::TelephoneNumber => near_number(&text, rng),
        Syntax::Boolean => {
            choose(rng, &["TRUE", "FALSE", "true", "False", "yes", "", "TRUE "]).into()
        }
        Syntax::Integer => near_integer(&text, rng),
        Syntax::GeneralizedTime => near_time(&text, rng),
        Syntax::Dn => near_dn(&text, rng).into_bytes(),
        Syntax::ObjectCategory if rng.one_in(2) => {
            choose(rng, &["person", "Group", "user", "computer", "nonsense", ""]).into()
        }
        Syntax::ObjectCategory => near_dn(&text, rng).into_bytes(),
        Syntax::ObjectClass => near_class(&text, rng),
        Syntax::OctetString | Syntax::Guid | Syntax::Sid => near_octets(real, attribute, rng),
    }
}

fn choose<'w>(rng: &mut Rng, words: &[&'w str]) -> &'w str {
    rng.pick(words).copied().unwrap_or_default()
}

/// Another spelling of a text, or a text like it.
pub(crate) fn near_text(text: &str, rng: &mut Rng) -> Vec<u8> {
    let at = rng.below(text.chars().count());
    let replaced = |with: &str| -> String {
        let pieces = text.chars().enumerate();
        pieces.map(|(n, c)| if n == at { with.to_owned() } else { c.to_string() }).collect()
    };
    let inserted = |what: &str| -> String {
        let pieces = text.chars().enumerate();
        pieces.map(|(n, c)| if n == at { format!("{what}{c}") } else { c.to_string() }).collect()
    };
    match rng.below(24) {
        0 => text.to_uppercase(),
        1 => text.to_lowercase(),
        2 => format!("  {text}"),
        3 => format!("{text} "),
        4 => text.replace(' ', "   "),
        5 => text.replace(' ', "\t"),
        6 => text.replace(' ', "\u{a0}"),
        7 => text.replace(' ', ""),
        8 => replaced(""),
        9 => replaced("é"),
        10 => format!("{text}x"),
        11 => format!("x{text}"),
        12 => text.nfd().collect(),
        13 => text.nfkd().collect(),
        14 => text.chars().map(wide).collect(),
        15 => inserted("\u{ad}"),
        16 => inserted("\u{200b}"),
        17 => replaced("*(\\)"),
        18 => text.replace("ss", "ß").replace('s', "ſ"),
        19 => inserted("\u{0}"),
        20 => choose(rng, &["", " ", "   ", "\u{a0}", "\u{ad}"]).to_owned(),
        21 => choose(rng, &["ΣΊΣΥΦΟΣ", "İstanbul", "ﬁle", "日本", "𝒜da", "e\u{301}"]).to_owned(),
        22 => text.chars().cycle().take(text.chars().count() * 9).collect(),
        _ => inserted(" "),
    }
    .into_bytes()
}

fn wide(c: char) -> char {
    match c {
        '!'..='~' => char::from_u32(u32::from(c) + 0xfee0).unwrap_or(c),
        c => c,
    }
}

fn near_number(text: &str, rng: &mut Rng) -> Vec<u8> {
    match rng.below(8) {
        0 => text.replace(' ', ""),
        1 => text.replace(' ', "-"),
        2 => text.replace(['+', ' '], ""),
        3 => text.chars().flat_map(|c| [c, ' ']).collect(),
        4 => format!("{text}0"),
        5 => choose(rng, &["", " ", "-", "abc", "é", "\u{2010}"]).to_owned(),
        6 => format!(" {text} "),
        _ => return near_text(text, rng),
    }
    .into_bytes()
}

fn near_integer(text: &str, rng: &mut Rng) -> Vec<u8> {
    let number: i64 = text.parse().unwrap_or(2);
    match rng.below(12) {
        0 => number.saturating_add(1).to_string(),
        1 => number.saturating_sub(1).to_string(),
        2 => number.saturating_neg().to_string(),
        3 => format!("00{number}"),
        4 => format!("+{number}"),
        5 => format!(" {number}"),
        6 => format!("{number} "),
        7 => (number >> rng.below(63)).to_string(),
        8 => choose(rng, &["abc", "", " ", "1.5", "0x10", "1e3", "-", "--1", "½"]).to_owned(),
        9 => choose(rng, &["0", "-0", "-1", "1", "2", "4", "512"]).to_owned(),
        10 => choose(rng, &["9223372036854775807", "-9223372036854775808"]).to_owned(),
        _ => choose(rng, &["9223372036854775808", "-99999999999999999999999"]).to_owned(),
    }
    .into_bytes()
}

fn near_time(text: &str, rng: &mut Rng) -> Vec<u8> {
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    let part = |count: usize| digits.get(..count).unwrap_or("2024");
    let tail = |count: usize| digits.get(count..).unwrap_or_default();
    match rng.below(20) {
        0 => format!("{digits}Z"),
        1 => format!("{digits}.0Z"),
        2 => format!("{digits}.000Z"),
        3 => format!("{digits},0Z"),
        4 => format!("{digits}+0000"),
        5 => format!("{digits}-00"),
        6 => format!("{digits}+0200"),
        7 => format!("{digits}-1130"),
        8 => format!("{}Z", part(12)),
        9 => format!("{}Z", part(10)),
        10 => format!("{}.5Z", part(10)),
        11 => format!("{digits}.5Z"),
        12 => format!("{}13{}Z", part(4), tail(6)),
        13 => format!("{}0230{}Z", part(4), tail(8)),
        14 => format!("{}60Z", part(12)),
        15 => format!("{}24{}Z", part(8), tail(10)),
        16 => format!("{digits}z"),
        17 => digits,
        18 => choose(rng, &["", "abc", "2024Z", "20240101Z", "240101000000Z"]).to_owned(),
        _ => format!("{}0101000000Z", part(4)),
    }
    .into_bytes()
}

/// Another spelling of a name, or a name like it.
pub(crate) fn near_dn(dn: &str, rng: &mut Rng) -> String {
    let rdns = rdns(dn);
    let joined = |separator: &str, write: &dyn Fn(&str, &str) -> String| {
        let written: Vec<String> = rdns.iter().map(|(kind, value)| write(kind, value)).collect();
        written.join(separator)
    };
    let plain = |kind: &str, value: &str| format!("{kind}={value}");
    match rng.below(20) {
        0 => joined(" , ", &plain),
        1 => joined(",", &|kind, value| format!("{kind} = {value}")),
        2 => dn.to_uppercase(),
        3 => dn.to_lowercase(),
        4 => joined(",", &|kind, value| format!("{}={value}", alias(kind))),
        5 => joined(",", &|kind, value| format!("{}={value}", oid(kind))),
        6 => joined(",", &|kind, value| format!("{kind}={}", escaped_first(value))),
        7 => joined(",", &|kind, value| format!("{kind}={}", value.replace(' ', "  "))),
        8 => joined(",", &|kind, value| format!("{kind}={value}x")),
        9 => joined(",", &|kind, value| format!("x{kind}={value}")),
        10 => format!("bogus=1,{dn}"),
        11 => format!("{dn},"),
        12 => format!("{dn},dc=org"),
        13 => rdns.iter().skip(1).map(|(k, v)| plain(k, v)).collect::<Vec<_>>().join(","),
        14 => joined(";", &plain),
        15 => joined(",", &|kind, value| format!("{kind}={}", hexadecimal(value))),
        16 => joined(",", &|kind, value| match value.contains('\\') {
            true => plain(kind, value),
            false => format!("{kind}=\"{value}\""),
        }),
        17 => choose(rng, &["no dn", "=", "cn", "cn=", ",", "cn=a+", "cn=a\\", "1=2"]).to_owned(),
        18 => joined("+", &plain),
        _ => String::new(),
    }
}

/// The parts of a name, as written.
fn rdns(dn: &str) -> Vec<(&str, &str)> {
    let mut escaped = false;
    let parts = dn.split(|c| {
        let ends = c == ',' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    parts.map(|rdn| rdn.split_once('=').unwrap_or((rdn, ""))).collect()
}

fn alias(kind: &str) -> &str {
    let known = schema::standard().attribute(kind.as_bytes());
    known.and_then(|a| a.aliases.first()).copied().unwrap_or(kind)
}

fn oid(kind: &str) -> &str {
    schema::standard().attribute(kind.as_bytes()).map_or(kind, |attribute| attribute.oid)
}

fn escaped_first(value: &str) -> String {
    match value.bytes().next() {
        Some(first) if first.is_ascii_alphanumeric() => {
            format!("\\{first:02X}{}", value.get(1..).unwrap_or_default())
        }
        _ => value.to_owned(),
    }
}

/// RFC 4514 2.4: `#` and the BER of the value.
fn hexadecimal(value: &str) -> String {
    if value.contains('\\') || value.len() > 127 {
        return value.to_owned();
    }
    let octets: String = value.bytes().map(|octet| format!("{octet:02x}")).collect();
    format!("#04{:02x}{octets}", value.len())
}

fn near_class(text: &str, rng: &mut Rng) -> Vec<u8> {
    let classes = schema::standard().classes();
    let class = rng.pick(classes);
    match rng.below(8) {
        0 => text.to_uppercase(),
        1 => class.map_or("", |class| class.oid).to_owned(),
        2 | 3 => class.map_or("", |class| class.name).to_owned(),
        4 => format!(" {text} "),
        5 => format!("{text}x"),
        6 => choose(rng, &["", "per son", "1.2.3.4", "*", "person;x", "persön", "1."]).to_owned(),
        _ => choose(rng, &["device", "mailUser", "bogus", "posixAccount"]).to_owned(),
    }
    .into_bytes()
}

fn near_octets(real: Vec<u8>, attribute: &AttributeType, rng: &mut Rng) -> Vec<u8> {
    let mut octets = real;
    match rng.below(6) {
        0 => {
            if let Some(last) = octets.last_mut() {
                *last ^= 1;
            }
        }
        1 => octets.truncate(octets.len() / 2),
        2 => octets.push(0),
        3 => octets.clear(),
        4 => octets = choose(rng, &["abc", " ", "0b1f6a52"]).into(),
        _ => match (attribute.syntax, <[u8; 16]>::try_from(octets.as_slice())) {
            (Syntax::Guid, Ok(guid)) => {
                octets = ObjectId::from_guid_octets(guid).to_string().into_bytes();
            }
            (Syntax::Sid, _) => {
                if let Some(sid) = Sid::from_octets(&octets) {
                    octets = sid.to_string().into_bytes();
                }
            }
            _ => octets.reverse(),
        },
    }
    octets
}
