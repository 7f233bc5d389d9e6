//! Points in time as directories write them. Pure: no I/O, no clock.

use jiff::Timestamp;

/// 1970 in intervals of 100 ns since 1601, the count that AD calls FILETIME.
const EPOCH: i128 = 116_444_736_000_000_000;

/// Reads a time as Graph writes it (RFC 3339).
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    text.trim().parse().ok()
}

/// From seconds since 1970.
pub(super) fn from_unix(seconds: i64) -> Option<Timestamp> {
    Timestamp::from_second(seconds).ok()
}

/// Generalized Time in AD's form, `20240506070809.0Z`.
pub(super) fn ad_time(time: Timestamp) -> String {
    format!("{}.0Z", digits(time))
}

/// Generalized Time in the form of other directories, `20240506070809Z`.
pub(super) fn ldap_time(time: Timestamp) -> String {
    format!("{}Z", digits(time))
}

/// `20240506070809`. What a format string does in ten times as long: a first load writes
/// four times for every entry.
fn digits(time: Timestamp) -> String {
    let at = jiff::tz::Offset::UTC.to_datetime(time);
    let numbers = [at.month(), at.day(), at.hour(), at.minute(), at.second()];
    let mut out = format!("{:04}", at.year());
    for number in numbers {
        let (tens, ones) = (number / 10, number % 10);
        out.extend([tens, ones].map(|digit| char::from(b'0' + digit.unsigned_abs())));
    }
    out
}

/// FILETIME; `None` before 1601, where 0 would mean "never".
pub(super) fn filetime(time: Timestamp) -> Option<i128> {
    let intervals = time.as_nanosecond() / 100 + EPOCH;
    (intervals > 0).then_some(intervals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_directories_do() {
        let time = parse("2024-05-06T07:08:09.75Z").unwrap();
        assert_eq!(ad_time(time), "20240506070809.0Z");
        assert_eq!(ldap_time(time), "20240506070809Z");
        assert_eq!(filetime(time), Some(133_594_528_897_500_000));
        assert_eq!(filetime(from_unix(0).unwrap()), Some(EPOCH));
        assert_eq!(filetime(parse("0001-01-01T00:00:00Z").unwrap()), None);
        assert_eq!(ad_time(parse("0001-01-01T00:00:00Z").unwrap()), "00010101000000.0Z");
        assert_eq!(parse("yesterday"), None);
    }
}
