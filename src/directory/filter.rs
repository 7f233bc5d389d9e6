//! Search filters as sent (RFC 4511 4.5.1.7) and as written (RFC 4515).
//! Pure: no I/O, no clock.

use std::borrow::Cow;
use std::fmt;

/// Octets of a message, or of one's own.
pub type Octets<'a> = Cow<'a, [u8]>;

/// A search filter. Attribute descriptions and values are octets, as on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter<'a> {
    /// True where all are; `(&)` is True (RFC 4526).
    And(Vec<Filter<'a>>),
    /// True where one is; `(|)` is False (RFC 4526).
    Or(Vec<Filter<'a>>),
    /// True where the inner one is False.
    Not(Box<Filter<'a>>),
    /// `attribute=value`.
    Equality(Octets<'a>, Octets<'a>),
    /// `attribute=initial*any*last`.
    Substrings(Octets<'a>, Substrings<'a>),
    /// `attribute>=value`.
    GreaterOrEqual(Octets<'a>, Octets<'a>),
    /// `attribute<=value`.
    LessOrEqual(Octets<'a>, Octets<'a>),
    /// `attribute=*`.
    Present(Octets<'a>),
    /// `attribute~=value`.
    Approx(Octets<'a>, Octets<'a>),
    /// `attribute:dn:rule:=value`.
    Extensible(Extensible<'a>),
}

/// The pieces of a substrings assertion.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Substrings<'a> {
    /// What a value starts with.
    pub initial: Option<Octets<'a>>,
    /// What follows somewhere behind, in this order.
    pub any: Vec<Octets<'a>>,
    /// What a value ends with.
    pub last: Option<Octets<'a>>,
}

/// An extensible match.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Extensible<'a> {
    /// The matching rule's name or OID.
    pub rule: Option<Octets<'a>>,
    /// The attribute description.
    pub attribute: Option<Octets<'a>>,
    /// The assertion value.
    pub value: Octets<'a>,
    /// Whether the parts of the entry's DN count as attributes too.
    pub dn_attributes: bool,
}

/// Why a text is not a filter, and at which octet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} at octet {at} of the filter")]
pub struct FilterError {
    at: usize,
    what: &'static str,
}

/// How deep filters may nest.
pub const MAX_DEPTH: usize = 64;

impl Filter<'static> {
    /// Reads the string form of RFC 4515. A filter without its outer parentheses is
    /// accepted, as libldap does.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let text = text.trim();
        let wrapped;
        let text = if text.starts_with('(') {
            text
        } else {
            wrapped = format!("({text})");
            &wrapped
        };
        let mut parser = Parser { bytes: text.as_bytes(), at: 0 };
        let filter = parser.filter(0)?;
        parser.spaces();
        if parser.at < parser.bytes.len() { parser.fail("unexpected text") } else { Ok(filter) }
    }
}

/// RFC 4512 1.4: names and OIDs, and `;` before options. Some directories have `_`, too.
fn is_of_a_name(octet: &u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b';' | b'_')
}

struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Parser<'a> {
    fn fail<T>(&self, what: &'static str) -> Result<T, FilterError> {
        Err(FilterError { at: self.at, what })
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn spaces(&mut self) {
        while self.peek() == Some(b' ') {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), FilterError> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            self.fail(what)
        }
    }

    fn filter(&mut self, depth: usize) -> Result<Filter<'static>, FilterError> {
        if depth >= MAX_DEPTH {
            return self.fail("nested too deeply");
        }
        self.spaces();
        self.expect(b'(', "expected '('")?;
        self.spaces();
        let filter = match self.peek() {
            Some(b'&') => Filter::And(self.list(depth)?),
            Some(b'|') => Filter::Or(self.list(depth)?),
            Some(b'!') => {
                self.at += 1;
                Filter::Not(Box::new(self.filter(depth + 1)?))
            }
            _ => self.item()?,
        };
        self.spaces();
        self.expect(b')', "expected ')'")?;
        Ok(filter)
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Filter<'static>>, FilterError> {
        self.at += 1;
        let mut filters = Vec::new();
        loop {
            self.spaces();
            if self.peek() != Some(b'(') {
                return Ok(filters);
            }
            filters.push(self.filter(depth + 1)?);
        }
    }

    fn until(&mut self, ends: &[u8]) -> &'a [u8] {
        let start = self.at;
        while self.peek().is_some_and(|b| !ends.contains(&b)) {
            self.at += 1;
        }
        self.bytes.get(start..self.at).unwrap_or_default().trim_ascii()
    }

    fn item(&mut self) -> Result<Filter<'static>, FilterError> {
        let attribute: Octets<'static> = self.until(b"=<>~:()").to_vec().into();
        let kind = self.peek();
        if attribute.is_empty() && kind != Some(b':') {
            return self.fail("expected an attribute");
        }
        if !attribute.iter().all(is_of_a_name) {
            return self.fail("bad character in an attribute");
        }
        self.at += 1;
        match kind {
            Some(b'=') => self.equality(attribute),
            Some(b':') => self.extensible(attribute),
            Some(operator @ (b'>' | b'<' | b'~')) => {
                self.expect(b'=', "expected '='")?;
                let value = self.value()?;
                Ok(match operator {
                    b'>' => Filter::GreaterOrEqual(attribute, value),
                    b'<' => Filter::LessOrEqual(attribute, value),
                    _ => Filter::Approx(attribute, value),
                })
            }
            _ => {
                self.at -= 1;
                self.fail("expected a comparison")
            }
        }
    }

    fn equality(&mut self, attribute: Octets<'static>) -> Result<Filter<'static>, FilterError> {
        let mut parts = vec![self.value()?];
        while self.peek() == Some(b'*') {
            self.at += 1;
            parts.push(self.value()?);
        }
        let last = parts.pop().unwrap_or_default();
        let mut parts = parts.into_iter();
        let Some(initial) = parts.next() else { return Ok(Filter::Equality(attribute, last)) };
        let any: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
        if initial.is_empty() && any.is_empty() && last.is_empty() {
            return Ok(Filter::Present(attribute));
        }
        let some = |part: Octets<'static>| Some(part).filter(|part| !part.is_empty());
        Ok(Filter::Substrings(
            attribute,
            Substrings { initial: some(initial), any, last: some(last) },
        ))
    }

    fn extensible(&mut self, attribute: Octets<'static>) -> Result<Filter<'static>, FilterError> {
        let mut found = Extensible {
            attribute: Some(attribute).filter(|a| !a.is_empty()),
            ..Extensible::default()
        };
        while self.peek() != Some(b'=') {
            match self.until(b":=()") {
                part if part.eq_ignore_ascii_case(b"dn") => found.dn_attributes = true,
                part if found.rule.is_none()
                    && !part.is_empty()
                    && part.iter().all(is_of_a_name) =>
                {
                    found.rule = Some(part.to_vec().into())
                }
                _ => return self.fail("expected one matching rule"),
            }
            self.expect(b':', "expected ':='")?;
        }
        self.at += 1;
        if found.attribute.is_none() && found.rule.is_none() {
            return self.fail("neither attribute nor matching rule");
        }
        found.value = self.value()?;
        Ok(Filter::Extensible(found))
    }

    /// An assertion value, or a piece of one, with its `\xx` escapes undone.
    fn value(&mut self) -> Result<Octets<'static>, FilterError> {
        let mut value = Vec::new();
        while let Some(byte) = self.peek() {
            match byte {
                b')' | b'*' => break,
                b'(' => return self.fail("unescaped '(' in a value"),
                b'\\' => {
                    let digit =
                        |at: usize| self.bytes.get(at).and_then(|b| char::from(*b).to_digit(16));
                    match (digit(self.at + 1), digit(self.at + 2)) {
                        (Some(high), Some(low)) => value.push((high * 16 + low) as u8),
                        _ => return self.fail("expected two hexadecimal digits behind '\\'"),
                    }
                    self.at += 3;
                }
                _ => {
                    value.push(byte);
                    self.at += 1;
                }
            }
        }
        Ok(value.into())
    }
}

impl fmt::Display for Filter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let item = |f: &mut fmt::Formatter<'_>, attribute: &[u8], operator: &str, value: &[u8]| {
            write!(f, "({}{operator}{})", String::from_utf8_lossy(attribute), escape(value))
        };
        match self {
            Filter::And(list) | Filter::Or(list) => {
                f.write_str(if matches!(self, Filter::And(_)) { "(&" } else { "(|" })?;
                list.iter().try_for_each(|inner| fmt::Display::fmt(inner, f))?;
                f.write_str(")")
            }
            Filter::Not(inner) => write!(f, "(!{inner})"),
            Filter::Equality(a, v) => item(f, a, "=", v),
            Filter::GreaterOrEqual(a, v) => item(f, a, ">=", v),
            Filter::LessOrEqual(a, v) => item(f, a, "<=", v),
            Filter::Approx(a, v) => item(f, a, "~=", v),
            Filter::Present(a) => write!(f, "({}=*)", String::from_utf8_lossy(a)),
            Filter::Substrings(a, s) => {
                write!(
                    f,
                    "({}={}*",
                    String::from_utf8_lossy(a),
                    escape(s.initial.as_deref().unwrap_or_default())
                )?;
                s.any.iter().try_for_each(|part| write!(f, "{}*", escape(part)))?;
                write!(f, "{})", escape(s.last.as_deref().unwrap_or_default()))
            }
            Filter::Extensible(e) => {
                write!(
                    f,
                    "({}",
                    String::from_utf8_lossy(e.attribute.as_deref().unwrap_or_default())
                )?;
                f.write_str(if e.dn_attributes { ":dn" } else { "" })?;
                if let Some(rule) = &e.rule {
                    write!(f, ":{}", String::from_utf8_lossy(rule))?;
                }
                write!(f, ":={})", escape(&e.value))
            }
        }
    }
}

/// `value` as it is written inside a filter (RFC 4515 3).
pub fn escape(value: &[u8]) -> String {
    let mut out = String::with_capacity(value.len());
    for chunk in value.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '*' | '(' | ')' | '\\' | '\0'..='\u{1f}' => {
                    out.push_str(&format!("\\{:02x}", u32::from(c)))
                }
                c => out.push(c),
            }
        }
        chunk.invalid().iter().for_each(|b| out.push_str(&format!("\\{b:02x}")));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn filters_are_read_and_written() {
        for text in [
            "(objectClass=*)",
            "(cn=a)",
            "(!(cn=a))",
            "(&(cn=a)(cn=b))",
            "(|)",
            "(&)",
            "(cn>=a)",
            "(cn<=a)",
            "(cn~=a)",
            "(cn=a*)",
            "(cn=*a)",
            "(cn=*a*)",
            "(cn=a*b*c*d)",
            "(cn:=a)",
            "(cn:dn:2.4:=a)",
            "(:caseExactMatch:=a)",
            "(userAccountControl:1.2.840.113556.1.4.803:=2)",
            "(proxyAddresses=smtp:a@b)",
            "(cn=\\2a\\28\\29\\5c)",
            "(objectGUID=\\ff\\01)",
            "(cn=é)",
            "(cn=)",
            "(userCertificate;binary=*)",
        ] {
            assert_eq!(Filter::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_clients_write_loosely_is_understood() {
        let strict = Filter::parse("(&(userPrincipalName=a)(objectCategory=user))").unwrap();
        assert_eq!(
            Filter::parse("(& (userPrincipalName=a) (objectCategory=user) )").unwrap(),
            strict
        );
        assert_eq!(Filter::parse("mail=a@b").unwrap(), Filter::parse("(mail=a@b)").unwrap());
        assert_eq!(Filter::parse("(cn=a**b)").unwrap(), Filter::parse("(cn=a*b)").unwrap());
        let Filter::Equality(_, value) = Filter::parse("(proxyAddresses=smtp\\3aA)").unwrap()
        else {
            panic!()
        };
        assert_eq!(*value, *b"smtp:A");
    }

    #[test]
    fn bad_filters_are_refused_with_a_place() {
        for text in [
            "",
            "(cn=a",
            "(cn=a))",
            "(cn)",
            "(=a)",
            "(cn=a(b)",
            "(cn=\\zz)",
            "(cn=\\2)",
            "(cn>a)",
            "(!cn=a)",
            "()",
            "x(cn=a)",
            "(:=a)",
            "(cn:a:b:=c)",
            "(\t&cn=a)",
            "(c n=a)",
            "(c*n=a)",
            "(cn:a b:=c)",
            "(&(cn=a)",
        ] {
            assert!(Filter::parse(text).is_err(), "{text}");
        }
        assert_eq!(
            Filter::parse("(cn=\\zz)").unwrap_err().to_string(),
            "expected two hexadecimal digits behind '\\' at octet 4 of the filter"
        );
        let deep = "(!".repeat(100) + "(a=b)" + &")".repeat(100);
        assert!(Filter::parse(&deep).is_err());
    }

    proptest! {
        #[test]
        fn any_value_survives_writing_and_reading(value in prop::collection::vec(any::<u8>(), 0..24), text in "\\PC{0,24}") {
            let filter = Filter::Equality(b"cn".into(), value.into());
            prop_assert_eq!(Filter::parse(&filter.to_string()).unwrap(), filter);
            let _ = Filter::parse(&text);
        }
    }
}
