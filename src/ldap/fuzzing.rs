//! What fuzz targets call: readers of octets that strangers send, and what must hold of
//! each, whatever is sent. Compiled for `cargo fuzz` only.

use super::controls;
use super::search::paging::{CookieKey, Position, Seal};
use super::search::sort::SortPosition;
use super::wire::ber::{self, Malformed, Tlvs};
use super::wire::controls::{self as wire_controls, Control};
use super::wire::filter;
use super::wire::frame::{self, Framed};
use super::wire::request::{self, ExtendedRequest, Fingerprint, Operation, Refusal, Request};
use super::wire::samples;
use crate::config::settings::LimitSettings;
use crate::directory::filter::{Extensible, Filter};
use std::sync::OnceLock;

/// The limits that a configuration without any has.
fn limits() -> &'static LimitSettings {
    static LIMITS: OnceLock<LimitSettings> = OnceLock::new();
    LIMITS.get_or_init(LimitSettings::default)
}

/// A stream of octets, taken apart as a connection does it.
pub fn frames(input: &[u8], largest: usize) {
    let mut rest = input;
    loop {
        let framed = frame::next(rest, largest);
        let Ok(Framed::Whole { header, value }) = framed else {
            if let Ok(Framed::Partial { needed }) = framed {
                assert!(needed > rest.len(), "no progress is possible");
                assert!(needed <= largest.max(6), "more is waited for than may come");
            }
            // Whatever follows, what is wrong stays wrong.
            if framed.is_err() {
                let more = [rest, b"\x00\x30\xff"].concat();
                assert_eq!(frame::next(&more, largest), framed);
            }
            return;
        };
        let len = header + value;
        assert!(len <= rest.len() && len <= largest && (2..=6).contains(&header));
        arrives_in_pieces(&rest[..len], largest);
        assert_eq!(frame::next(&rest[..len], largest), framed, "octets behind it were looked at");
        message(&rest[header..len], header);
        rest = &rest[len..];
    }
}

/// A reader that asks for as much as it was told is needed gets to the whole message.
fn arrives_in_pieces(message: &[u8], largest: usize) {
    let mut have = 0;
    for _ in 0..8 {
        match frame::next(&message[..have], largest).expect("the start of a good message is good") {
            Framed::Whole { header, value } => {
                assert_eq!(header + value, message.len());
                return;
            }
            Framed::Partial { needed } => {
                assert!(needed > have && needed <= message.len());
                have = needed;
            }
        }
    }
    panic!("a message did not come to its end");
}

/// One message, whose contents start at octet `header`.
pub fn message(contents: &[u8], header: usize) {
    let inside = |part: &[u8]| part.is_empty() || contents.as_ptr_range().contains(&part.as_ptr());
    let placed = |problem: &Malformed| {
        // Of a control's own value the place is counted from its start.
        assert!(problem.at <= header + contents.len());
    };
    match request::decode(contents, header, limits()) {
        Err(Refusal::Disconnect(problem)) => placed(&problem),
        Err(Refusal::Malformed { id, response, problem }) => {
            placed(&problem);
            assert!(id > 0 && response & 0xe0 == 0x60);
        }
        Err(Refusal::TooLarge { id, response, .. }) => assert!(id > 0 && response == 0x65),
        Err(Refusal::Nothing) => {}
        Ok(Request { id, operation, controls }) => {
            let (again, op, _) = request::envelope(contents, header).expect("it was read before");
            assert!(id > 0 && id == again);
            list_of_controls(&controls);
            assert!(controls.iter().all(|control| inside(control.oid)));
            let _ = controls::sort(&controls, &operation, limits());
            match operation {
                Operation::Search(search) => {
                    assert!(search.attributes.iter().count() <= limits().attributes);
                    assert!(search.attributes.iter().all(inside) && inside(search.base));
                    let limit = i32::MAX.cast_unsigned();
                    assert!(search.size_limit <= limit && search.time_limit <= limit);
                    let Fingerprint { target, question } = search.fingerprint;
                    assert!(op.value.starts_with(target) && op.value.ends_with(question));
                    assert!(target.len() + question.len() <= op.value.len());
                    tree(&search.filter);
                }
                Operation::Bind(bind) => assert!(inside(bind.name)),
                Operation::Compare(compare) => {
                    assert!(inside(compare.entry) && inside(compare.value));
                }
                Operation::Extended(extended) => assert!(inside(extended.name)),
                Operation::Write(tag) => assert!(matches!(tag, 0x67 | 0x69 | 0x6b | 0x6d)),
                Operation::Abandon(id) => assert!(id >= 0),
                Operation::Unbind => {}
            }
        }
    }
}

/// A filter in BER: within bounds, and the same when written and read again.
pub fn ber_filter(octets: &[u8]) -> Option<Filter<'_>> {
    let filter = filter::decode(&Tlvs::new(octets, 0).next().ok()?, limits()).ok()?;
    tree(&filter);
    Some(filter)
}

fn tree(found: &Filter<'_>) {
    let (nodes, depth, is_known) = measure(found);
    assert!(nodes <= limits().filter_nodes && depth <= limits().filter_depth);
    // What stands for a kind of filter that is not known has no octets of its own, and a
    // substrings filter whose pieces are all empty none that may be sent.
    if is_known {
        assert_eq!(read(&filter_octets(found)).as_ref(), Some(found));
    }
}

fn read(octets: &[u8]) -> Option<Filter<'_>> {
    filter::decode(&Tlvs::new(octets, 0).next().ok()?, limits()).ok()
}

/// Nodes, depth, and whether every part can be written.
fn measure(filter: &Filter<'_>) -> (usize, usize, bool) {
    match filter {
        Filter::And(list) | Filter::Or(list) => {
            list.iter().map(measure).fold((1, 1, true), |sum, inner| {
                (sum.0 + inner.0, sum.1.max(inner.1 + 1), sum.2 && inner.2)
            })
        }
        Filter::Not(inner) => {
            let inner = measure(inner);
            (inner.0 + 1, inner.1 + 1, inner.2)
        }
        Filter::Extensible(found) => (1, 1, *found != Extensible::default()),
        Filter::Substrings(_, pieces) => {
            let is_empty = pieces.initial.is_none() && pieces.last.is_none();
            (1, 1, !(is_empty && pieces.any.is_empty()))
        }
        _ => (1, 1, true),
    }
}

/// A filter as a client would send it.
pub fn filter_octets(filter: &Filter<'_>) -> Vec<u8> {
    samples::filter_octets(filter)
}

/// A list of controls, and their values where they are known.
pub fn controls(octets: &[u8]) {
    if let Ok(tlv) = Tlvs::new(octets, 0).next()
        && let Ok(list) = wire_controls::decode(&tlv, limits().controls)
    {
        list_of_controls(&list);
        let text = |control: &Control<'_>| String::from_utf8_lossy(control.oid).into_owned();
        let written: Vec<u8> = list
            .iter()
            .flat_map(|one| samples::control(&text(one), one.critical, one.value))
            .collect();
        let written = samples::tlv(0xa0, &written);
        let again = Tlvs::new(&written, 0).next().expect("it has just been written");
        assert_eq!(wire_controls::decode(&again, limits().controls).as_ref(), Ok(&list));
        let message = samples::message(b"\x01", &samples::search("dc=x", 2, "(cn=a)", &[]), &[]);
        let search = request::decode(&message[2..], 2, limits()).expect("it is a good search");
        let extended = Operation::Extended(ExtendedRequest { name: b"1.2", value: None });
        for operation in [&search.operation, &extended] {
            // A critical control is obeyed or refused, never forgotten.
            let unknown = list.iter().any(|one| one.critical && one.oid.starts_with(b"9."));
            assert!(!unknown || controls::sort(&list, operation, limits()).is_err());
        }
    }
    if let Ok(keys) = wire_controls::sort_keys(Some(octets)) {
        assert!(!keys.is_empty() && keys.len() <= octets.len() / 4);
    }
    if let Ok(paged) = wire_controls::paged(Some(octets)) {
        assert!(paged.size <= i32::MAX.cast_unsigned() && paged.cookie.len() < octets.len());
    }
}

fn list_of_controls(list: &[Control<'_>]) {
    assert!(list.len() <= limits().controls);
    for (at, one) in list.iter().enumerate() {
        assert!(one.oid.iter().all(|octet| octet.is_ascii_digit() || *octet == b'.'));
        assert!(!one.oid.is_empty() && !list[..at].iter().any(|other| other.oid == one.oid));
    }
}

/// A cookie opens for the search and account it was made for, and in no other way.
/// `strange` comes from the client; `flip` says how a good cookie is altered.
pub fn cookie(parts: [&[u8]; 4], numbers: (u32, u32, u64), strange: &[u8], flip: (u8, u8)) {
    static KEY: OnceLock<CookieKey> = OnceLock::new();
    let key = KEY.get_or_init(|| CookieKey::new().expect("random octets"));
    let [target, question, account, other] = parts;
    let seal = |target, question, account: &[u8]| -> Seal {
        let account = String::from_utf8_lossy(account);
        key.seal(&Fingerprint { target, question }, b"", &account).expect("a key of a good length")
    };
    let (next, sent, now) = numbers;
    let sorted = match flip.1 % 3 {
        0 => None,
        1 => Some(SortPosition { key: None }),
        _ => Some(SortPosition { key: Some(other.to_vec()) }),
    };
    let position = Position { next, sent, sorted };
    let own = seal(target, question, account);
    // Nobody guesses sixteen octets.
    assert_eq!(own.open(strange, now), None);
    let good = own.cookie(&position, now);
    assert_eq!(own.open(&good, now), Some(position));
    assert_eq!(own.open(&good, now.saturating_add(3601)).is_some(), now > u64::MAX - 3601);
    let mut altered = good.clone();
    let at = usize::from(flip.0) % altered.len();
    altered[at] ^= flip.1.max(1);
    for bad in [&altered[..], &good[..at], &[&good[..], &[flip.1]].concat()] {
        assert_eq!(own.open(bad, now), None);
    }
    let joined = [target, question].concat();
    let at = usize::from(flip.1) % (joined.len() + 1);
    for (t, q, a) in [
        (other, question, account),
        (target, other, account),
        (target, question, other),
        (&joined[..at], &joined[at..], account),
    ] {
        let same_account = String::from_utf8_lossy(a) == String::from_utf8_lossy(account);
        if (t, q) != (target, question) || !same_account {
            assert_eq!(seal(t, q, a).open(&good, now), None);
        }
    }
}

/// Elements of all depths: reading them is bounded by the octets there are.
pub fn elements(octets: &[u8]) {
    let mut open = vec![Tlvs::new(octets, 0)];
    let mut steps = 0;
    while let Some(mut tlvs) = open.pop() {
        while let Ok(tlv) = tlvs.next() {
            steps += 1;
            assert!(tlv.at + tlv.value.len() <= octets.len());
            assert_eq!(octets.get(tlv.at..tlv.at + tlv.value.len()), Some(tlv.value));
            if tlv.tag & 0x20 != 0 && open.len() < 64 {
                open.push(tlv.inside());
            }
            if let (Ok(number), ber::INTEGER) = (tlv.integer(), tlv.tag) {
                let natural = (0..=i64::from(i32::MAX)).contains(&number);
                assert_eq!(tlv.natural("").is_ok(), natural);
            }
        }
    }
    assert!(steps <= 64 * octets.len());
}
