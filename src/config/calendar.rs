//! When passes run by the clock on the wall, as instants. Pure: no I/O, no clock.
//!
//! Days have 23, 24 or 25 hours. A time that a day does not have (clocks go forward) is
//! taken as late as it would have been: 02:30 is 03:30 then. A time that a day has twice is
//! the first of the two. What runs every hour goes on every hour through both.

use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan};

/// Times of the days of a calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    /// Where the clock hangs.
    pub zone: TimeZone,
    /// What it says.
    pub cron: Cron,
}

/// Minutes of a calendar, as `cron` knows them: sets of numbers, as bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    /// Times of day.
    clock: Clock,
    days: u32,
    months: u16,
    /// From Sunday.
    weekdays: u8,
    /// Whether days of the month and of the week are both restricted: then either will do.
    either: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Clock {
    /// Minutes of the day.
    Times(Vec<u16>),
    /// All minutes of all hours that are in the sets. The flag: all hours are.
    Sets { minutes: u64, hours: u32, hourly: bool },
}

/// A field of a cron line: its name, its range, names for numbers.
struct Field {
    name: &'static str,
    low: u8,
    high: u8,
    names: &'static [&'static str],
}

const MINUTE: Field = Field { name: "minute", low: 0, high: 59, names: &[] };
const HOUR: Field = Field { name: "hour", low: 0, high: 23, names: &[] };
const DAY: Field = Field { name: "day of the month", low: 1, high: 31, names: &[] };
const MONTH: Field = Field {
    name: "month",
    low: 1,
    high: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
};
const WEEKDAY: Field = Field {
    name: "day of the week",
    low: 0,
    high: 7,
    names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
};
/// A leap day is eight years away at most.
const LONGEST: i32 = 366 * 8 + 2;

impl Cron {
    /// The same times on every day, in minutes since midnight.
    pub fn daily(mut times: Vec<u16>) -> Self {
        times.sort_unstable();
        times.dedup();
        Cron { clock: Clock::Times(times), days: !0, months: !0, weekdays: !0, either: false }
    }

    /// Reads five fields: minute, hour, day of the month, month, day of the week.
    ///
    /// # Errors
    /// The field that is wrong, and why.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields.as_slice() else {
            return Err(format!("has {} fields, not five", fields.len()));
        };
        let weekdays = WEEKDAY.parse(weekday)?;
        // Sunday has two numbers.
        let weekdays = (weekdays | weekdays >> 7) & 0x7f;
        let restricts = |field: &str| !field.starts_with('*');
        Ok(Cron {
            clock: Clock::Sets {
                minutes: MINUTE.parse(minute)?,
                hours: HOUR.parse(hour)? as u32,
                hourly: !restricts(hour),
            },
            days: DAY.parse(day)? as u32,
            months: MONTH.parse(month)? as u16,
            weekdays: weekdays as u8,
            either: restricts(day) && restricts(weekday),
        })
    }

    fn has(&self, date: Date) -> bool {
        let month = self.months >> date.month() & 1 == 1;
        let day = self.days >> date.day() & 1 == 1;
        let weekday = self.weekdays >> date.weekday().to_sunday_zero_offset() & 1 == 1;
        month && if self.either { day || weekday } else { day && weekday }
    }

    fn minutes(&self) -> Vec<u16> {
        match &self.clock {
            Clock::Times(times) => times.clone(),
            Clock::Sets { minutes, hours, .. } => (0..24 * 60)
                .filter(|at| hours >> (at / 60) & 1 == 1 && minutes >> (at % 60) & 1 == 1)
                .collect(),
        }
    }

    fn is_hourly(&self) -> bool {
        matches!(self.clock, Clock::Sets { hourly: true, .. })
    }
}

impl Field {
    fn parse(&self, text: &str) -> Result<u64, String> {
        let mut bits = 0;
        for part in text.split(',') {
            let (range, step) = match part.split_once('/') {
                Some((range, step)) => {
                    let step = step.parse().ok().filter(|step| *step > 0);
                    let wrong = || format!("{}: {part:?} has no step such as /5", self.name);
                    (range, Some(step.ok_or_else(wrong)?))
                }
                None => (part, None),
            };
            let (first, last) = match (range, range.split_once('-')) {
                ("*", _) => (self.low, self.high),
                (_, Some((first, last))) => (self.number(first)?, self.number(last)?),
                // `5/10` goes on to the end.
                (one, None) if step.is_some() => (self.number(one)?, self.high),
                (one, None) => (self.number(one)?, self.number(one)?),
            };
            if first > last {
                return Err(format!("{}: {part:?} ends before it begins", self.name));
            }
            let step: usize = step.unwrap_or(1);
            for number in (first..=last).step_by(step) {
                bits |= 1 << number;
            }
        }
        Ok(bits)
    }

    fn number(&self, text: &str) -> Result<u8, String> {
        let named = self.names.iter().position(|name| text.eq_ignore_ascii_case(name));
        let named = named.and_then(|at| u8::try_from(at).ok()).map(|at| at + self.low);
        let number = named.or_else(|| text.parse().ok());
        number.filter(|number| (self.low..=self.high).contains(number)).ok_or_else(|| {
            format!("{}: {text:?} is none from {} to {}", self.name, self.low, self.high)
        })
    }
}

impl Calendar {
    /// The first instant after `after`; `None` where there is none in eight years.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let mut date = self.zone.to_datetime(after).date().yesterday().ok()?;
        let minutes = self.cron.minutes();
        for _ in 0..LONGEST {
            if self.cron.has(date) {
                let instants = minutes.iter().flat_map(|minute| self.instants(date, *minute));
                if let Some(found) = instants.filter(|instant| *instant > after).min() {
                    return Some(found);
                }
            }
            date = date.tomorrow().ok()?;
        }
        None
    }

    /// The instants at which the clock shows this time on this day.
    fn instants(&self, date: Date, minute: u16) -> Vec<Timestamp> {
        let (hour, minute) = (i8::try_from(minute / 60), i8::try_from(minute % 60));
        let (Ok(hour), Ok(minute)) = (hour, minute) else { return Vec::new() };
        let shown: DateTime = date.at(hour, minute, 0, 0);
        let ambiguous = self.zone.to_ambiguous_timestamp(shown);
        let found = match (ambiguous.offset(), self.cron.is_hourly()) {
            (AmbiguousOffset::Gap { .. }, true) => return Vec::new(),
            (AmbiguousOffset::Fold { .. }, true) => {
                vec![ambiguous.earlier(), ambiguous.later()]
            }
            _ => vec![ambiguous.compatible()],
        };
        found.into_iter().filter_map(Result::ok).collect()
    }

    /// The longest distance between two instants of the year that follows.
    pub fn longest_pause(&self, from: Timestamp) -> Option<jiff::SignedDuration> {
        let end = from.checked_add((366 * 24).hours()).ok()?;
        let (mut last, mut longest) = (self.next(from)?, jiff::SignedDuration::ZERO);
        for _ in 0..20_000 {
            let next = self.next(last)?;
            longest = longest.max(next.duration_since(last));
            if next > end {
                break;
            }
            last = next;
        }
        Some(longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calendar(zone: &str, cron: Cron) -> Calendar {
        Calendar { zone: TimeZone::get(zone).unwrap(), cron }
    }

    #[track_caller]
    fn runs(calendar: &Calendar, from: &str, expected: &[&str]) {
        let mut at: Timestamp = from.parse().unwrap();
        for expected in expected {
            at = calendar.next(at).unwrap();
            assert_eq!(at.to_string(), *expected);
        }
    }

    #[test]
    fn times_of_day_are_those_of_the_zone() {
        let berlin = calendar("Europe/Berlin", Cron::daily(vec![12 * 60, 0]));
        let expected = ["2026-01-09T23:00:00Z", "2026-01-10T11:00:00Z", "2026-01-10T23:00:00Z"];
        runs(&berlin, "2026-01-09T22:59:59Z", &expected);
        runs(&berlin, "2026-07-01T22:00:00Z", &["2026-07-02T10:00:00Z", "2026-07-02T22:00:00Z"]);
    }

    #[test]
    fn a_time_that_does_not_exist_runs_as_late_as_it_would_have_been() {
        let night = |zone| calendar(zone, Cron::daily(vec![150]));
        // 29 March 2026: 02:00 CET is 03:00 CEST.
        let expected = ["2026-03-28T01:30:00Z", "2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"];
        runs(&night("Europe/Berlin"), "2026-03-27T12:00:00Z", &expected);
        let expected = ["2026-03-07T07:30:00Z", "2026-03-08T07:30:00Z", "2026-03-09T06:30:00Z"];
        runs(&night("America/New_York"), "2026-03-07T00:00:00Z", &expected);
        // Half an hour only: 02:00 is 02:30 on 4 October 2026.
        let lord_howe = calendar("Australia/Lord_Howe", Cron::daily(vec![135]));
        let expected = ["2026-10-02T15:45:00Z", "2026-10-03T15:45:00Z", "2026-10-04T15:15:00Z"];
        runs(&lord_howe, "2026-10-02T00:00:00Z", &expected);
        // A day that begins at one o'clock: Santiago, 6 September 2026.
        let midnight = calendar("America/Santiago", Cron::daily(vec![0]));
        let expected = ["2026-09-05T04:00:00Z", "2026-09-06T04:00:00Z", "2026-09-07T03:00:00Z"];
        runs(&midnight, "2026-09-04T12:00:00Z", &expected);
    }

    #[test]
    fn a_time_that_comes_twice_runs_once() {
        // 25 October 2026: 03:00 CEST is 02:00 CET.
        let night = calendar("Europe/Berlin", Cron::daily(vec![150]));
        let expected = ["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"];
        runs(&night, "2026-10-23T12:00:00Z", &expected);
        let new_york = calendar("America/New_York", Cron::parse("30 1 * * *").unwrap());
        runs(&new_york, "2026-11-01T04:00:00Z", &["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"]);
    }

    #[test]
    fn what_runs_every_hour_goes_on_through_both_changes() {
        let hourly = calendar("Europe/Berlin", Cron::parse("*/30 * * * *").unwrap());
        for from in ["2026-03-29T00:00:00Z", "2026-10-24T23:00:00Z"] {
            let mut at: Timestamp = from.parse().unwrap();
            for _ in 0..8 {
                let next = hourly.next(at).unwrap();
                assert_eq!(next.duration_since(at).as_secs(), 1800, "after {at}");
                at = next;
            }
        }
    }

    #[test]
    fn cron_knows_lists_ranges_steps_and_names() {
        let utc = |text| calendar("UTC", Cron::parse(text).unwrap());
        let office = utc("*/20 6-7,22 * * mon-fri");
        // Friday, and over the weekend.
        let expected = ["2026-11-27T22:40:00Z", "2026-11-30T06:00:00Z", "2026-11-30T06:20:00Z"];
        runs(&office, "2026-11-27T22:20:00Z", &expected);
        runs(&utc("0 0 29 feb *"), "2026-01-01T00:00:00Z", &["2028-02-29T00:00:00Z"]);
        // A day of the month or of the week, where both are said.
        let either = utc("0 12 1 * sun");
        let expected = ["2026-11-29T12:00:00Z", "2026-12-01T12:00:00Z", "2026-12-06T12:00:00Z"];
        runs(&either, "2026-11-28T00:00:00Z", &expected);
        runs(&utc("0 0 * * 7"), "2026-11-28T00:00:00Z", &["2026-11-29T00:00:00Z"]);
        runs(
            &utc("5/25 0 * * *"),
            "2026-11-28T00:00:00Z",
            &["2026-11-28T00:05:00Z", "2026-11-28T00:30:00Z", "2026-11-28T00:55:00Z"],
        );
        assert_eq!(utc("0 0 31 2 *").next("2026-01-01T00:00:00Z".parse().unwrap()), None);
    }

    #[test]
    fn mistakes_in_a_cron_line_name_the_field() {
        for (text, expected) in [
            ("* * * *", "has 4 fields, not five"),
            ("60 * * * *", "minute: \"60\" is none from 0 to 59"),
            ("* 24 * * *", "hour: \"24\""),
            ("* * 0 * *", "day of the month: \"0\""),
            ("* * * foo *", "month: \"foo\""),
            ("* * * * 8", "day of the week: \"8\""),
            ("*/0 * * * *", "has no step"),
            ("9-5 * * * *", "ends before it begins"),
            ("1,,2 * * * *", "minute: \"\""),
        ] {
            let error = Cron::parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn the_longest_pause_is_found() {
        let from = "2026-11-29T00:00:00Z".parse().unwrap();
        let pause = |text| {
            calendar("UTC", Cron::parse(text).unwrap()).longest_pause(from).unwrap().as_hours()
        };
        assert_eq!(pause("0 3 * * *"), 24);
        assert_eq!(pause("0 3 * * mon"), 7 * 24);
        assert_eq!(pause("0 0 1 * *"), 31 * 24);
    }
}
