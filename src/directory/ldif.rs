//! Reading LDIF content records (RFC 2849). Pure: no I/O, no clock.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A record: a name and its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The line that its name stands in, from 1.
    pub line: usize,
    /// Its name, as text.
    pub dn: String,
    /// Line, attribute description and value of each `attrval-spec`.
    pub values: Vec<(usize, String, Vec<u8>)>,
}

/// What is wrong in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The line, from 1.
    pub line: usize,
    /// What, and the remedy.
    pub text: String,
}

impl Mistake {
    /// A mistake in a line.
    pub fn new(line: usize, text: impl Into<String>) -> Self {
        Mistake { line, text: text.into() }
    }
}

/// Reads all records, or every mistake.
///
/// # Errors
/// All mistakes, in the order of their lines.
pub fn parse(text: &str) -> Result<Vec<Record>, Vec<Mistake>> {
    let (mut records, mut mistakes) = (Vec::new(), Vec::new());
    let mut open: Option<Record> = None;
    for (at, (line, text)) in unfolded(text).into_iter().enumerate() {
        if text.is_empty() {
            records.extend(open.take());
            continue;
        }
        let (name, value) = match spec(&text) {
            Ok(spec) => spec,
            Err(what) => {
                mistakes.push(Mistake::new(line, what));
                continue;
            }
        };
        let is = |word: &str| name.eq_ignore_ascii_case(word);
        if at == 0 && is("version") {
            if value != b"1" {
                mistakes.push(Mistake::new(line, "only version: 1 of LDIF is known"));
            }
            continue;
        }
        match &mut open {
            None if is("dn") => match String::from_utf8(value) {
                Ok(dn) => open = Some(Record { line, dn, values: Vec::new() }),
                Err(_) => mistakes.push(Mistake::new(line, "the name is not UTF-8")),
            },
            None => mistakes.push(Mistake::new(line, "a record begins with a line \"dn: ...\"")),
            Some(_) if is("dn") => {
                mistakes.push(Mistake::new(line, "an empty line belongs before the next record"));
            }
            Some(_) if is("changetype") || is("control") => {
                let what = "changes are not entries; write the entries themselves";
                mistakes.push(Mistake::new(line, what));
            }
            Some(record) => record.values.push((line, name, value)),
        }
    }
    records.extend(open);
    if mistakes.is_empty() { Ok(records) } else { Err(mistakes) }
}

/// Lines without comments, each with what was folded onto the next ones, and the number of
/// its first.
fn unfolded(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (at, line) in text.lines().enumerate() {
        match (line.strip_prefix(' '), lines.last_mut()) {
            (Some(rest), Some((_, before))) => before.push_str(rest),
            _ => lines.push((at + 1, line.to_owned())),
        }
    }
    lines.retain(|(_, line)| !line.starts_with('#'));
    lines
}

/// `name: value`, `name:: base64`.
fn spec(line: &str) -> Result<(String, Vec<u8>), String> {
    let (name, rest) =
        line.split_once(':').ok_or_else(|| "is not \"attribute: value\"".to_owned())?;
    let name = name.trim().to_owned();
    if name.is_empty() || name.contains(char::is_whitespace) {
        return Err("is not \"attribute: value\"".to_owned());
    }
    if let Some(coded) = rest.strip_prefix(':') {
        let value = STANDARD.decode(coded.trim());
        let value = value.map_err(|_| format!("the value of {name} is not base64"))?;
        return Ok((name, value));
    }
    if rest.starts_with('<') {
        return Err(format!(
            "{name} names a file; write the value itself, or its base64 after \"::\""
        ));
    }
    Ok((name, rest.trim_start_matches(' ').as_bytes().to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_with_folding_comments_and_base64() {
        let text = "version: 1\n# the\n  scanner\ndn: cn=Scanner,ou=\n users,dc=x\ncn: Scanner\n\
                    description:: w6k=\nmail:scan@x\n\n\n\ndn:: Y249YixkYz14\ncn: b\n";
        let records = parse(text).unwrap();
        assert_eq!(records.len(), 2);
        assert_eq!((records[0].line, records[0].dn.as_str()), (4, "cn=Scanner,ou=users,dc=x"));
        let values: Vec<_> =
            records[0].values.iter().map(|(l, n, v)| (*l, n.as_str(), v.as_slice())).collect();
        assert_eq!(
            values,
            [
                (6, "cn", "Scanner".as_bytes()),
                (7, "description", "é".as_bytes()),
                (8, "mail", "scan@x".as_bytes())
            ]
        );
        assert_eq!((records[1].line, records[1].dn.as_str()), (12, "cn=b,dc=x"));
    }

    #[test]
    fn every_mistake_is_told_with_its_line() {
        let text = "cn: a\n\ndn: cn=a,dc=x\nno colon\ncn:: ?\njpegPhoto:< file:///x\n\
                    changetype: delete\ndn: cn=b,dc=x\n";
        let mistakes = parse(text).unwrap_err();
        let lines: Vec<usize> = mistakes.iter().map(|mistake| mistake.line).collect();
        assert_eq!(lines, [1, 4, 5, 6, 7, 8]);
        assert_eq!(parse("version: 2\n").unwrap_err()[0].line, 1);
        assert_eq!(parse(""), Ok(Vec::new()));
    }
}
