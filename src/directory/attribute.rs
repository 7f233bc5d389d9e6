//! Attribute types and how their values compare. Pure: no I/O, no clock.

use super::dn::Dn;
use super::ids::{ObjectId, Sid};
use super::{anr, schema, text};
use smallvec::SmallVec;

/// What stands for a value in comparisons and in the index, see [`Syntax::key`]. Those of
/// nearly all names and addresses need no memory of their own.
pub type Key = SmallVec<[u8; 64]>;

/// The number of an attribute type inside one schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttributeId(pub u16);

/// An attribute type definition (RFC 4512 4.1.2).
#[derive(Debug)]
pub struct AttributeType {
    /// Its number in the schema.
    pub id: AttributeId,
    /// Its object identifier; Active Directory's where AD has the attribute.
    pub oid: &'static str,
    /// The name that answers carry.
    pub name: &'static str,
    /// Other names that requests may use.
    pub aliases: &'static [&'static str],
    /// How values look and compare.
    pub syntax: Syntax,
    /// Whether an entry has at most one value.
    pub single_value: bool,
    /// Whether it is returned only when asked for by name or `+` (RFC 4512 3.4).
    pub operational: bool,
    /// Whether substrings are looked up so often that they deserve an index of their own.
    pub substrings_index: bool,
}

/// How the values of an attribute look and compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// Directory String, `caseIgnoreMatch`.
    DirectoryString,
    /// IA5 or Directory String, `caseExactMatch`.
    CaseExactString,
    /// Telephone Number, `telephoneNumberMatch`: spaces and hyphens do not matter.
    TelephoneNumber,
    /// Boolean: `TRUE` or `FALSE`.
    Boolean,
    /// INTEGER or AD's LargeInteger, in decimal.
    Integer,
    /// Generalized Time.
    GeneralizedTime,
    /// DN, `distinguishedNameMatch`.
    Dn,
    /// A DN that filters may also give as a class name: `objectCategory=person`.
    ObjectCategory,
    /// OID or name of an object class.
    ObjectClass,
    /// Octet String.
    OctetString,
    /// 16 octets of a GUID; filters may also give its text form.
    Guid,
    /// Octets of a security identifier; filters may also give its text form.
    Sid,
}

impl AttributeType {
    /// Whether values are worked out when somebody asks for them by name, and stored
    /// nowhere: filters cannot tell whether an entry has one.
    pub fn is_constructed(&self) -> bool {
        const NAMES: [&str; 5] =
            ["rfc822MailMember", "tokenGroups", "subschemaSubentry", "hasSubordinates", anr::NAME];
        NAMES.contains(&self.name)
    }
}

impl Syntax {
    /// The octets that stand for `value` in comparisons and in the index, in an order
    /// that agrees with the syntax's ordering rule. `None` where `value` is not of
    /// this syntax; an assertion with it is Undefined (RFC 4511 4.5.1.7).
    pub fn key(self, value: &[u8]) -> Option<Key> {
        match self {
            Syntax::DirectoryString if text::is_plain(value) => {
                let mut key = Key::from_slice(value);
                key.make_ascii_lowercase();
                Some(key)
            }
            Syntax::DirectoryString => Some(text::fold(some_text(value)?).into_bytes().into()),
            Syntax::CaseExactString => {
                Some(text::prepare_exact(some_text(value)?).into_bytes().into())
            }
            Syntax::TelephoneNumber => {
                Some(dialled(&text::fold(some_text(value)?)).into_bytes().into())
            }
            Syntax::Boolean => match as_text(value)?.trim() {
                b if b.eq_ignore_ascii_case("TRUE") => Some(Key::from_slice(b"TRUE")),
                b if b.eq_ignore_ascii_case("FALSE") => Some(Key::from_slice(b"FALSE")),
                _ => None,
            },
            Syntax::Integer => integer(value).map(|number| Key::from_slice(&integer_key(number))),
            Syntax::GeneralizedTime => {
                generalized_time(value).map(|micros| Key::from_slice(&integer_key(micros)))
            }
            Syntax::Dn => dn_key(as_text(value)?),
            Syntax::ObjectCategory => {
                let text = as_text(value)?;
                match schema::standard().category(text.trim()) {
                    Some(category) => Some(Key::from_slice(category.as_bytes())),
                    None => category_key(text),
                }
            }
            Syntax::ObjectClass => {
                let text = as_text(value)?.trim();
                let known = schema::standard().class(text);
                Some(
                    known.map_or(text, |class| class.name).to_ascii_lowercase().into_bytes().into(),
                )
            }
            Syntax::OctetString => Some(Key::from_slice(value)),
            Syntax::Guid => guid(value).map(|octets| Key::from_slice(&octets)),
            Syntax::Sid => sid(value).map(|sid| sid.octets().into()),
        }
    }

    /// Whether `key` is that of `value`. Makes no key of names and texts in plain ASCII, which
    /// nearly all values are.
    pub fn equals(self, value: &[u8], key: &[u8]) -> bool {
        let is_its_own_key = match self {
            Syntax::DirectoryString => text::is_plain(value),
            Syntax::ObjectClass => is_descriptor(value),
            _ => false,
        };
        if is_its_own_key {
            return value.eq_ignore_ascii_case(key);
        }
        self.key(value).is_some_and(|found| found.as_slice() == key)
    }

    /// Whether `>=` and `<=` are defined.
    pub fn has_ordering(self) -> bool {
        self.ordering_rule().is_some()
    }

    /// The rule that values are ordered by, name and OID (RFC 4517 4.2).
    pub fn ordering_rule(self) -> Option<(&'static str, &'static str)> {
        Some(match self {
            Syntax::DirectoryString => ("caseIgnoreOrderingMatch", "2.5.13.3"),
            Syntax::CaseExactString => ("caseExactOrderingMatch", "2.5.13.6"),
            Syntax::Integer => ("integerOrderingMatch", "2.5.13.15"),
            Syntax::GeneralizedTime => ("generalizedTimeOrderingMatch", "2.5.13.28"),
            Syntax::OctetString => ("octetStringOrderingMatch", "2.5.13.18"),
            Syntax::TelephoneNumber
            | Syntax::Boolean
            | Syntax::Dn
            | Syntax::ObjectCategory
            | Syntax::ObjectClass
            | Syntax::Guid
            | Syntax::Sid => return None,
        })
    }

    /// Whether substrings are defined.
    pub fn has_substrings(self) -> bool {
        matches!(self, Syntax::DirectoryString | Syntax::CaseExactString | Syntax::TelephoneNumber)
    }

    /// A piece of a substrings assertion as it occurs inside a key.
    pub fn piece(self, value: &[u8]) -> Option<Vec<u8>> {
        match self {
            Syntax::DirectoryString => Some(text::fold_piece(as_text(value)?).into_bytes()),
            Syntax::CaseExactString => Some(value.to_vec()),
            Syntax::TelephoneNumber => Some(dialled(&text::fold(as_text(value)?)).into_bytes()),
            _ => None,
        }
    }

    /// The number in a key of [`Syntax::Integer`] or, in microseconds, [`Syntax::GeneralizedTime`].
    pub fn number_of_key(key: &[u8]) -> Option<i64> {
        let octets: [u8; 8] = key.try_into().ok()?;
        Some((u64::from_be_bytes(octets) ^ (1 << 63)).cast_signed())
    }
}

/// RFC 4512 1.4: `descr`, a name that is no OID.
fn is_descriptor(value: &[u8]) -> bool {
    let is_of_it = |octet: &u8| octet.is_ascii_alphanumeric() || *octet == b'-';
    value.first().is_some_and(u8::is_ascii_alphabetic) && value.iter().all(is_of_it)
}

fn as_text(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value).ok()
}

/// RFC 4517 3.3.6: "A zero-length character string is not permitted." Telephone numbers
/// have one character at least, too (3.3.31).
fn some_text(value: &[u8]) -> Option<&str> {
    as_text(value).filter(|text| !text.is_empty())
}

/// A folded telephone number without what does not matter in it (RFC 4518 2.6.3):
/// hyphens of all kinds and spaces.
fn dialled(folded: &str) -> String {
    let insignificant = |c: char| matches!(c, ' ' | '-' | '\u{2010}'..='\u{2015}' | '\u{2212}');
    folded.chars().filter(|c| !insignificant(*c)).collect()
}

/// RFC 4517 3.3.16: `Integer = ( HYPHEN LDIGIT *DIGIT ) / number`, so neither a plus sign
/// nor leading zeros. Spaces around it, which people write in filters, change nothing.
pub(super) fn integer(value: &[u8]) -> Option<i64> {
    let text = as_text(value)?.trim();
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.starts_with(['+', '0']) && text != "0" {
        return None;
    }
    text.parse().ok()
}

/// Big-endian with the sign flipped, so that octets sort as numbers do.
pub fn integer_key(number: i64) -> [u8; 8] {
    (number.cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

fn dn_key(text: &str) -> Option<Key> {
    Dn::parse(text).ok().map(|dn| Key::from_slice(dn.key().as_bytes()))
}

/// An object category DN compares by its first component: where the schema
/// container lies is no property of this directory.
fn category_key(text: &str) -> Option<Key> {
    let dn = Dn::parse(text).ok()?;
    let (_, value) = dn.rdn()?.first()?;
    Some(text::fold(as_text(value)?).into_bytes().into())
}

fn guid(value: &[u8]) -> Option<[u8; 16]> {
    if let Ok(octets) = <[u8; 16]>::try_from(value) {
        return Some(octets);
    }
    let text = as_text(value)?.trim().trim_start_matches('{').trim_end_matches('}');
    text.parse::<ObjectId>().ok().map(|id| id.guid_octets())
}

fn sid(value: &[u8]) -> Option<Sid> {
    Sid::from_octets(value).or_else(|| Sid::parse(as_text(value)?.trim()))
}

/// Microseconds since 1970 of a Generalized Time (RFC 4517 3.3.13).
pub fn generalized_time(value: &[u8]) -> Option<i64> {
    let text = as_text(value)?.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let field = |from: usize, to: usize| -> Option<i64> {
        if to <= digits { text.get(from..to)?.parse().ok() } else { Some(0) }
    };
    if !matches!(digits, 10 | 12 | 14) {
        return None;
    }
    let (year, month, day) = (field(0, 4)?, field(4, 6)?, field(6, 8)?);
    let (hour, minute, second) = (field(8, 10)?, field(10, 12)?, field(12, 14)?);
    // RFC 4517 3.3.13: strings "that do not represent valid dates [...] SHOULD be considered
    // invalid for this syntax".
    if !(1..=12).contains(&month)
        || !(1..=days_of_month(year, month)).contains(&day)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    let mut rest = text.get(digits..)?;
    let unit = match digits {
        10 => 3_600_000_000,
        12 => 60_000_000,
        _ => 1_000_000i64,
    };
    let mut micros = 0;
    if let Some(fraction) = rest.strip_prefix(['.', ',']) {
        let len = fraction.bytes().take_while(u8::is_ascii_digit).count();
        if len == 0 {
            return None;
        }
        let kept = fraction.get(..len.min(9))?;
        micros = (kept.parse::<f64>().ok()? / 10f64.powi(i32::try_from(kept.len()).ok()?)
            * unit as f64) as i64;
        rest = fraction.get(len..)?;
    }
    let offset_minutes = match rest {
        // RFC 4517 3.3.13: `g-time-zone = %x5A`, which is no small letter.
        "Z" => 0,
        _ => {
            let sign = match rest.bytes().next()? {
                b'+' => 1,
                b'-' => -1,
                _ => return None,
            };
            let digits = rest.get(1..)?;
            if !digits.bytes().all(|b| b.is_ascii_digit()) || !matches!(digits.len(), 2 | 4) {
                return None;
            }
            let minutes: i64 = if digits.len() == 4 { digits.get(2..4)?.parse().ok()? } else { 0 };
            sign * (digits.get(..2)?.parse::<i64>().ok()? * 60 + minutes)
        }
    };
    let seconds = days_from_civil(year, month, day) * 86_400
        + hour * 3_600
        + (minute - offset_minutes) * 60
        + second;
    Some(seconds * 1_000_000 + micros)
}

fn days_of_month(year: i64, month: i64) -> i64 {
    let leaps = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leaps => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_value_equals_a_key_as_its_own_key_does(
            value in r"[ -~]{0,6}|[ A-Ca-c0-1.-]{0,4}|\PC{0,4}|(?i)user|2\.5\.6\.0| top |a\xADb",
            other in r"[ A-Ca-c0-1.-]{0,4}|user|top|group|ab",
        ) {
            for syntax in [Syntax::DirectoryString, Syntax::ObjectClass, Syntax::CaseExactString] {
                for asserted in [&value, &other, &value.to_uppercase()] {
                    let Some(key) = syntax.key(asserted.as_bytes()) else { continue };
                    let expected = syntax.key(value.as_bytes()).is_some_and(|own| own == key);
                    prop_assert_eq!(syntax.equals(value.as_bytes(), &key), expected, "{:?} {}", syntax, asserted);
                }
            }
        }
    }

    #[test]
    fn integers_sort_as_numbers() {
        let keys: Vec<_> = ["-2147483646", "-1", "0", "2", "512", "133700000000000000"]
            .map(|n| Syntax::Integer.key(n.as_bytes()).unwrap())
            .to_vec();
        assert!(keys.is_sorted());
        assert_eq!(Syntax::number_of_key(&keys[0]), Some(-2147483646));
    }

    #[test]
    fn integers_are_written_in_one_way_but_for_spaces_around_them() {
        let key = |text: &str| Syntax::Integer.key(text.as_bytes());
        assert_eq!(key(" 512 "), key("512"));
        assert!(key("0").is_some() && key("-1").is_some() && key("-9223372036854775808").is_some());
        for bad in
            ["abc", "", " ", "-", "+512", "00512", "-0", "-01", "5 12", "9223372036854775808"]
        {
            assert_eq!(key(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_empty_string_is_no_value() {
        for syntax in [Syntax::DirectoryString, Syntax::CaseExactString, Syntax::TelephoneNumber] {
            assert_eq!(syntax.key(b""), None, "{syntax:?}");
        }
    }

    #[test]
    fn times_compare_across_zones_and_precisions() {
        let key = |t: &str| Syntax::GeneralizedTime.key(t.as_bytes());
        assert_eq!(key("20240506070809.0Z"), key("20240506070809Z"));
        assert_eq!(key("202405060708Z"), key("20240506090800+0200"));
        assert_eq!(key("2024050607.5Z"), key("20240506073000Z"));
        assert!(key("20240506070809Z") < key("20240506070809.5Z"));
        assert_eq!(generalized_time(b"19700101000000Z"), Some(0));
        assert_eq!(generalized_time(b"20000229120000Z"), Some(951_825_600_000_000));
        assert!(key("20240131070809Z") < key("20240430070809Z"));
        for bad in [
            "",
            "2024",
            "20241306070809Z",
            "20240506070809",
            "20240506070809.Z",
            "20240506070809+1",
            "20240506070809z",
            "20240230070809Z",
            "20230229070809Z",
            "20240431070809Z",
            "x",
        ] {
            assert_eq!(key(bad), None, "{bad}");
        }
    }

    #[test]
    fn guids_and_sids_match_as_octets_and_as_text() {
        let id: ObjectId = "0b1f6a52-6c1e-4a07-9a55-3f1f5a9c0a01".parse().unwrap();
        let octets = Syntax::Guid.key(&id.guid_octets()).unwrap();
        assert_eq!(Syntax::Guid.key(id.to_string().as_bytes()), Some(octets.clone()));
        assert_eq!(Syntax::Guid.key(format!("{{{id}}}").as_bytes()), Some(octets));
        let sid = id.cloud_sid();
        assert_eq!(Syntax::Sid.key(sid.to_string().as_bytes()), Syntax::Sid.key(&sid.octets()));
        assert_eq!(Syntax::Sid.key(b"nonsense"), None);
    }

    #[test]
    fn telephone_numbers_compare_without_spaces_and_hyphens() {
        let key = |v: &str| Syntax::TelephoneNumber.key(v.as_bytes());
        assert_eq!(key("+47 22-00 00 00"), key("+4722000000"));
        assert_eq!(key(" +1 (555) 010\u{2010}0199 x12").unwrap().as_slice(), b"+1(555)0100199x12");
        assert_ne!(key("+47 22"), key("47 22"));
        assert_eq!(Syntax::TelephoneNumber.piece(b"00 - 00"), Some(b"0000".to_vec()));
        assert_eq!(key("+47 22 AB"), key("+4722ab"));
    }

    #[test]
    fn proxy_addresses_ignore_case_prefix_included() {
        let key = |v: &str| Syntax::DirectoryString.key(v.as_bytes());
        assert_eq!(key("SMTP:Ada@Contoso.com"), key("smtp:ada@contoso.COM"));
        assert_ne!(key("smtp$ada@contoso.com"), key("smtp:ada@contoso.com"));
        assert_eq!(Syntax::DirectoryString.key(b"\xff"), None);
    }
}
