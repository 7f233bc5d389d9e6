//! Single values: texts, numbers, durations, sizes, paths, addresses, URLs.
//! Pure: no I/O, no clock.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;
use toml::de::DeValue;
use url::{Host, Url};

/// A value and the key that it belongs to.
pub(super) struct Value<'a> {
    /// The key's last part, for remedies.
    pub(super) key: &'static str,
    /// What stands there.
    pub(super) node: &'a DeValue<'a>,
}

/// What is wrong with a value, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    /// Reads on after the key: "has no port".
    pub(super) message: String,
    /// An order: "write ...".
    pub(super) remedy: String,
}

impl Trouble {
    /// A trouble and its remedy.
    pub(super) fn new(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Trouble { message: message.into(), remedy: remedy.into() }
    }
}

/// The kind of a value, with its article.
pub(super) fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a decimal number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

const SECOND: u64 = 1000;
const TIME_UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", SECOND), ("m", 60 * SECOND), ("h", 3600 * SECOND), ("d", 86_400 * SECOND)];
const SIZE_UNITS: [(&str, u64); 4] =
    [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

impl<'a> Value<'a> {
    /// A text, not empty and without control characters.
    pub(super) fn text(&self) -> Result<&'a str, Trouble> {
        let DeValue::String(text) = self.node else {
            return Err(self.wrong_kind("a text", "\"...\""));
        };
        if text.trim().is_empty() {
            return Err(Trouble::new("is empty", "give it a value or remove the line"));
        }
        if text.chars().any(char::is_control) {
            let remedy = "write it on one line; for a backslash write \\\\ or use single quotes";
            return Err(Trouble::new("contains control characters", remedy));
        }
        Ok(text)
    }

    /// The text, owned.
    pub(super) fn string(&self) -> Result<String, Trouble> {
        self.text().map(str::to_owned)
    }

    /// `true` or `false`.
    pub(super) fn boolean(&self) -> Result<bool, Trouble> {
        match self.node {
            DeValue::Boolean(value) => Ok(*value),
            _ => Err(self.wrong_kind("true or false", "true")),
        }
    }

    /// A whole number within `range`.
    pub(super) fn number<N>(&self, range: RangeInclusive<u32>) -> Result<N, Trouble>
    where
        N: TryFrom<u32>,
    {
        let DeValue::Integer(integer) = self.node else {
            return Err(self.wrong_kind("a whole number", &range.start().to_string()));
        };
        let digits = integer.as_str().replace('_', "");
        let number = u32::from_str_radix(&digits, integer.radix()).ok();
        let inside = number.filter(|number| range.contains(number));
        inside.and_then(|number| N::try_from(number).ok()).ok_or_else(|| {
            let remedy = format!("choose a number from {} to {}", range.start(), range.end());
            Trouble::new(format!("{integer} is out of range"), remedy)
        })
    }

    /// A duration such as `"90s"` or `"1h30m"`, within `range`.
    pub(super) fn duration(&self, range: RangeInclusive<Duration>) -> Result<Duration, Trouble> {
        let (low, high) = (show_duration(*range.start()), show_duration(*range.end()));
        let millis = self.quantity(&TIME_UNITS, "s", &low)?;
        let duration = Duration::from_millis(millis);
        if range.contains(&duration) {
            return Ok(duration);
        }
        let message = format!("{} is out of range", show_duration(duration));
        Err(Trouble::new(message, format!("choose a duration from {low:?} to {high:?}")))
    }

    /// A size such as `"64MiB"`, within `range`, in octets.
    pub(super) fn size(&self, range: RangeInclusive<usize>) -> Result<usize, Trouble> {
        let (low, high) = (show_size(*range.start()), show_size(*range.end()));
        let octets = self.quantity(&SIZE_UNITS, "KiB", &low)?;
        let octets = usize::try_from(octets).unwrap_or(usize::MAX);
        if range.contains(&octets) {
            return Ok(octets);
        }
        let message = format!("{} is out of range", show_size(octets));
        Err(Trouble::new(message, format!("choose a size from {low:?} to {high:?}")))
    }

    /// A list that is not empty, each item read by `read`.
    pub(super) fn list<T>(
        &self,
        read: impl Fn(&Value<'a>) -> Result<T, Trouble>,
    ) -> Result<Vec<T>, Trouble> {
        let DeValue::Array(items) = self.node else {
            return Err(self.wrong_kind("a list", "[\"...\"]"));
        };
        if items.is_empty() {
            return Err(Trouble::new("is empty", "put something into it or remove the line"));
        }
        items.iter().map(|item| read(&Value { key: self.key, node: item.get_ref() })).collect()
    }

    /// A path.
    pub(super) fn path(&self) -> Result<PathBuf, Trouble> {
        self.text().map(PathBuf::from)
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&self, words: &[(&str, T)]) -> Result<T, Trouble> {
        let text = self.text()?;
        let found = words.iter().find(|(word, _)| *word == text);
        found.map(|(_, meaning)| *meaning).ok_or_else(|| {
            let known: Vec<String> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
            Trouble::new(format!("{text:?} is not known"), format!("choose {}", known.join(" or ")))
        })
    }

    /// An address and port to listen on.
    pub(super) fn address(&self) -> Result<SocketAddr, Trouble> {
        let text = self.text()?;
        text.parse().map_err(|_| not_an_address(text))
    }

    /// The root of an HTTPS service; plain HTTP only on this machine, since tokens
    /// and secrets are sent there. Ends in a slash, so that paths can be joined.
    pub(super) fn service(&self) -> Result<Url, Trouble> {
        let text = self.text()?;
        let example = "write for example \"https://graph.microsoft.com/\"";
        let mut url = Url::parse(text)
            .map_err(|error| Trouble::new(format!("{text:?} is not a URL ({error})"), example))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Trouble::new("holds a user name or password", "remove it from the URL"));
        }
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) => {}
            "http" => {
                let message = format!("{text:?} would send tokens in clear text");
                return Err(Trouble::new(message, "write https://; http:// is for loopback only"));
            }
            _ => return Err(Trouble::new(format!("{text:?} is not an https URL"), example)),
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(Trouble::new(format!("{text:?} goes on after the path"), example));
        }
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Ok(url)
    }

    fn quantity(&self, units: &[(&str, u64)], usual: &str, example: &str) -> Result<u64, Trouble> {
        if let DeValue::Integer(integer) = self.node {
            let remedy =
                format!("write for example {} = \"{}{usual}\"", self.key, integer.as_str());
            return Err(Trouble::new(format!("{integer} has no unit"), remedy));
        }
        let DeValue::String(text) = self.node else {
            return Err(self.wrong_kind("a text with a unit", &format!("{example:?}")));
        };
        sum_of_parts(text.trim(), units).ok_or_else(|| {
            let units: Vec<&str> = units.iter().map(|(unit, _)| *unit).collect();
            let message = format!("{:?} is not a number with a unit", text.as_ref());
            let remedy = format!("write a number and one of {}, as {example:?}", units.join(", "));
            Trouble::new(message, remedy)
        })
    }

    fn wrong_kind(&self, wanted: &str, example: &str) -> Trouble {
        let remedy = format!("write for example {} = {example}", self.key);
        Trouble::new(format!("is {}, not {wanted}", kind_of(self.node)), remedy)
    }
}

/// `1h30m`: whole numbers, each with its unit.
fn sum_of_parts(mut text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let mut sum = 0u64;
    if text.is_empty() {
        return None;
    }
    while !text.is_empty() {
        let end = text.find(|c: char| !c.is_ascii_digit())?;
        let (digits, rest) = text.split_at(end);
        let end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (unit, rest) = rest.split_at(end);
        let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim())?;
        sum = sum.checked_add(digits.parse::<u64>().ok()?.checked_mul(*factor)?)?;
        text = rest;
    }
    Some(sum)
}

/// A duration as it is written in the file.
pub(super) fn show_duration(duration: Duration) -> String {
    show(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX), &TIME_UNITS, "0s")
}

/// A size as it is written in the file.
pub(super) fn show_size(octets: usize) -> String {
    show(octets as u64, &SIZE_UNITS, "0B")
}

fn show(quantity: u64, units: &[(&str, u64)], zero: &str) -> String {
    if quantity == 0 {
        return zero.to_owned();
    }
    let fitting = units.iter().rev().find(|(_, factor)| quantity.is_multiple_of(*factor));
    fitting.map_or_else(|| zero.to_owned(), |(unit, factor)| format!("{}{unit}", quantity / factor))
}

fn not_an_address(text: &str) -> Trouble {
    let unbracketed = text.trim_matches(['[', ']']);
    if let Ok(ip) = unbracketed.parse::<std::net::IpAddr>() {
        let example = SocketAddr::new(ip, 389);
        let message = format!("{text:?} has no port");
        return Trouble::new(message, format!("write for example \"{example}\""));
    }
    if let Some(port) = text.strip_prefix("*:").or(text.strip_prefix(':')) {
        let message = format!("{text:?} names no address");
        let remedy = format!("write \"0.0.0.0:{port}\" for all of IPv4, \"[::]:{port}\" for IPv6");
        return Trouble::new(message, remedy);
    }
    let message = format!("{text:?} is not an address and port");
    Trouble::new(message, "write an IP address and port, for example \"127.0.0.1:389\"")
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_and_written() {
        for (text, millis) in
            [("500ms", 500), ("30s", 30_000), ("1h30m", 5_400_000), ("7d", 604_800_000)]
        {
            assert_eq!(sum_of_parts(text, &TIME_UNITS), Some(millis), "{text}");
        }
        for bad in [
            "",
            "5",
            "m",
            "5 minutes",
            "-5m",
            "5m3",
            "99999999999999999999s",
            "9999999999999999999d",
        ] {
            assert_eq!(sum_of_parts(bad, &TIME_UNITS), None, "{bad}");
        }
        assert_eq!(sum_of_parts("64 MiB", &SIZE_UNITS), Some(64 << 20));
        assert_eq!(show_duration(Duration::from_secs(90)), "90s");
        assert_eq!(show_duration(Duration::from_secs(300)), "5m");
        assert_eq!(show_duration(Duration::ZERO), "0s");
        assert_eq!(show_size(64 << 20), "64MiB");
        assert_eq!(show_size(1500), "1500B");
    }

    #[test]
    fn bad_addresses_are_told_apart() {
        let remedy = |text| not_an_address(text).remedy;
        assert!(remedy("0.0.0.0").contains("\"0.0.0.0:389\""));
        assert!(remedy("::1").contains("\"[::1]:389\""));
        assert!(remedy("*:636").contains("\"[::]:636\""));
        assert!(remedy("localhost:389").contains("IP address"));
    }
}
