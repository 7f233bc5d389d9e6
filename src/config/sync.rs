//! `[connection.sync]`: when, and what of.

use super::calendar::{Calendar, Cron};
use super::reader::Table;
use super::settings::{SyncSettings, When};
use super::value::{Trouble, Value};
use crate::directory::kind::Kind;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::time::Duration;

const DAY: u64 = 86_400;
/// Graph forgets a delta link after 7 days, and every pass would start from nothing.
const LONGEST_PAUSE: Duration = Duration::from_secs(6 * DAY);
/// The ways to say when; one of them.
const WAYS: [&str; 4] = ["interval", "times", "cron", "manual"];

/// Reads the section.
pub(super) fn read(table: &Table<'_>) -> SyncSettings {
    let default = SyncSettings::default();
    let reconcile = Duration::from_secs(60)..=Duration::from_secs(90 * DAY);
    let settings = SyncSettings {
        when: when(table).unwrap_or(default.when),
        jitter: table.or("jitter", default.jitter, |value| {
            value.duration(Duration::ZERO..=Duration::from_secs(DAY))
        }),
        reconcile: table.or("reconcile", default.reconcile, |value| value.duration(reconcile)),
        contacts: table.or("contacts", default.contacts, |value| value.boolean()),
        hidden_members: table.or("hidden_members", default.hidden_members, |value| value.boolean()),
        required: table.or("required", default.required, |value| {
            value.list(|item| item.word(&[("groups", Kind::Group), ("contacts", Kind::Contact)]))
        }),
    };
    if settings.required.contains(&Kind::Contact) && !settings.contacts {
        let trouble = Trouble::new("names contacts, which are switched off", "set contacts = true");
        table.report.problem(&table.place("required"), trouble);
    }
    if let When::Interval(interval) = settings.when
        && settings.reconcile < interval
    {
        let remedy = "choose a longer reconcile, or a shorter interval";
        let trouble = Trouble::new("is shorter than interval", remedy);
        table.report.problem(&table.place("reconcile"), trouble);
    }
    settings
}

fn when(table: &Table<'_>) -> Option<When> {
    let interval =
        table.optional("interval", |value| value.duration(Duration::from_secs(1)..=LONGEST_PAUSE));
    let zone = table.optional("zone", zone);
    let times = table.optional("times", |value| value.list(time));
    let cron = table.optional("cron", cron);
    let manual = table.optional("manual", |value| value.boolean());
    let said: Vec<&str> = WAYS
        .into_iter()
        .filter(|key| table.has(key) && (*key != "manual" || manual != Some(false)))
        .collect();
    if let [first, second, ..] = said.as_slice() {
        let trouble = Trouble::new(
            format!("contradicts {first}: there is one way to say when"),
            format!("keep either {first} or {second}"),
        );
        table.report.problem(&table.place(second), trouble);
        return None;
    }
    if table.has("zone") && !table.has("times") && !table.has("cron") {
        let trouble = Trouble::new("has no meaning here", "it belongs to times or cron");
        table.report.problem(&table.place("zone"), trouble);
    }
    let zoned = |cron: Cron| Calendar { zone: zone.clone().unwrap_or(TimeZone::UTC), cron };
    let when = match (times, cron, manual) {
        (Some(times), ..) => When::Calendar(zoned(Cron::daily(times))),
        (_, Some(cron), _) => When::Calendar(zoned(cron)),
        (_, _, Some(true)) => When::Manual,
        _ => When::Interval(interval?),
    };
    if let When::Calendar(calendar) = &when {
        look(table, calendar);
    }
    Some(when)
}

/// A calendar that never comes is a mistake; one with long pauses works, and costs much.
fn look(table: &Table<'_>, calendar: &Calendar) {
    let key = if table.has("cron") { "cron" } else { "times" };
    let start = Timestamp::UNIX_EPOCH;
    if calendar.next(start).is_none() {
        let remedy = "choose a day that months have";
        table.report.problem(&table.place(key), Trouble::new("never comes", remedy));
    } else if calendar
        .longest_pause(start)
        .is_some_and(|pause| pause.as_secs().unsigned_abs() > LONGEST_PAUSE.as_secs())
    {
        let trouble = Trouble::new(
            "pauses for more than six days: Graph forgets where it was, and such passes read everything",
            "run it twice a week or more often",
        );
        table.report.warning(&table.place(key), trouble);
    }
}

fn zone(value: &Value<'_>) -> Result<TimeZone, Trouble> {
    let name = value.text()?;
    TimeZone::get(name).map_err(|_| {
        let remedy =
            "write its name in the time zone database, such as \"Europe/Berlin\" or \"UTC\"";
        Trouble::new(format!("{name:?} is not a time zone"), remedy)
    })
}

/// `"06:30"`, in minutes.
fn time(value: &Value<'_>) -> Result<u16, Trouble> {
    let text = value.text()?;
    let digits = |text: &str| match text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit()) {
        true => text.parse::<u16>().ok(),
        false => None,
    };
    let parts = text.split_once(':').and_then(|(h, m)| Some((digits(h)?, digits(m)?)));
    parts.filter(|(hours, minutes)| *hours < 24 && *minutes < 60).map_or_else(
        || {
            let message = format!("{text:?} is not a time of day");
            Err(Trouble::new(message, "write for example \"06:30\"; a day ends before \"24:00\""))
        },
        |(hours, minutes)| Ok(hours * 60 + minutes),
    )
}

fn cron(value: &Value<'_>) -> Result<Cron, Trouble> {
    let remedy = "write minute, hour, day of the month, month and day of the week: \"*/10 6-20 * * mon-fri\"";
    Cron::parse(value.text()?).map_err(|error| Trouble::new(error, remedy))
}
