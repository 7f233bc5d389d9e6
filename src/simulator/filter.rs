//! `$filter` and `$search` of the plain lists. Pure: no I/O, no clock.

use serde_json::{Map, Value};

use super::errors::Refusal;
use super::query::{Params, quoted, split_or};

/// A condition over one object.
#[derive(Debug, PartialEq)]
pub(super) enum Filter {
    All,
    /// One of the clauses holds.
    Any(Vec<Clause>),
    /// Every term is found.
    Search(Vec<(String, String)>),
}

/// One comparison.
#[derive(Debug, PartialEq)]
pub(super) enum Clause {
    Equal(String, Value),
    StartsWith(String, String),
    /// `proxyAddresses/any(p:p eq '...')`
    Contains(String, String),
}

impl Filter {
    /// Reads the options of a list; a search needs the consistency header.
    pub(super) fn read(params: &Params, eventual: bool) -> Result<Self, Refusal> {
        if let Some(search) = params.get("search") {
            if !eventual {
                return Err(Refusal::unsupported(
                    "Request with $search query parameter only works through MSGraph with a special request header: 'ConsistencyLevel: eventual'",
                ));
            }
            return terms(search).map(Self::Search);
        }
        match params.get("filter") {
            None => Ok(Self::All),
            Some(filter) => split_or(filter)
                .iter()
                .map(|part| clause(part.trim()))
                .collect::<Result<_, _>>()
                .map(Self::Any),
        }
    }

    pub(super) fn accepts(&self, object: &Map<String, Value>) -> bool {
        match self {
            Self::All => true,
            Self::Any(clauses) => clauses.iter().any(|clause| clause.holds(object)),
            Self::Search(terms) => {
                terms.iter().all(|(property, term)| found(object, property, term))
            }
        }
    }
}

impl Clause {
    fn holds(&self, object: &Map<String, Value>) -> bool {
        match self {
            Self::Equal(property, wanted) => {
                let value = object.get(property).unwrap_or(&Value::Null);
                match (value.as_str(), wanted.as_str()) {
                    (Some(value), Some(wanted)) => value.to_lowercase() == wanted.to_lowercase(),
                    _ => value == wanted,
                }
            }
            Self::StartsWith(property, start) => {
                let value = object.get(property).and_then(Value::as_str).unwrap_or("");
                value.to_lowercase().starts_with(&start.to_lowercase())
            }
            Self::Contains(property, wanted) => {
                let list = object.get(property).and_then(Value::as_array);
                list.into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    .any(|value| value.eq_ignore_ascii_case(wanted))
            }
        }
    }
}

fn clause(text: &str) -> Result<Clause, Refusal> {
    let invalid =
        || Refusal::bad_request(&format!("Invalid filter clause: '{text}' is not supported."));
    if let Some(inner) =
        text.strip_prefix("startswith(").or_else(|| text.strip_prefix("startsWith("))
    {
        let (property, value) =
            inner.strip_suffix(')').and_then(|inner| inner.split_once(',')).ok_or_else(invalid)?;
        let value = quoted(value.trim()).ok_or_else(invalid)?;
        return Ok(Clause::StartsWith(property.trim().to_owned(), value));
    }
    let (left, right) = text.split_once(" eq ").ok_or_else(invalid)?;
    let right = right.trim();
    if let Some((property, _)) = left.split_once("/any(") {
        let value = right.strip_suffix(')').and_then(quoted).ok_or_else(invalid)?;
        return Ok(Clause::Contains(property.to_owned(), value));
    }
    let value = match right {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        "null" => Value::Null,
        _ => quoted(right).ok_or_else(invalid)?.into(),
    };
    Ok(Clause::Equal(left.trim().to_owned(), value))
}

/// `"displayName:x" AND "mail:y"`
fn terms(search: &str) -> Result<Vec<(String, String)>, Refusal> {
    let parts = search.split('"').skip(1).step_by(2);
    let terms: Option<Vec<_>> = parts
        .map(|part| {
            part.split_once(':').map(|(name, term)| (name.trim().to_owned(), term.to_lowercase()))
        })
        .collect();
    terms.filter(|terms| !terms.is_empty()).ok_or_else(|| {
        Refusal::bad_request("Syntax error: $search terms must be of the form \"property:value\".")
    })
}

/// Names and descriptions are searched by word, everything else from its start.
fn found(object: &Map<String, Value>, property: &str, term: &str) -> bool {
    let value = object.get(property).and_then(Value::as_str).unwrap_or("").to_lowercase();
    if !matches!(property, "displayName" | "description") {
        return value.starts_with(term);
    }
    let words = |text: &str| -> Vec<String> {
        text.split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let known = words(&value);
    words(term).iter().all(|word| known.iter().any(|known| known.starts_with(word.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn holds(query: &str, object: Value) -> Result<bool, u16> {
        let filter = Filter::read(&Params::parse(query), true).map_err(|refusal| refusal.status)?;
        Ok(filter.accepts(object.as_object().unwrap()))
    }

    #[test]
    fn clauses_compare_without_case() {
        let group = json!({"displayName": "All Staff's list", "mailEnabled": true, "proxyAddresses": ["SMTP:a@b.c"]});
        assert_eq!(holds("$filter=displayName eq 'all staff''s list'", group.clone()), Ok(true));
        assert_eq!(holds("$filter=startswith(displayName,'ALL')", group.clone()), Ok(true));
        assert_eq!(holds("$filter=mail eq null or mailEnabled eq false", group.clone()), Ok(true));
        assert_eq!(
            holds("$filter=proxyAddresses/any(p:p eq 'smtp:a@b.c')", group.clone()),
            Ok(true)
        );
        assert_eq!(holds("$filter=mail lt 3", group.clone()), Err(400));
        assert_eq!(holds("$search=\"displayName:sta\"", group.clone()), Ok(true));
        assert_eq!(holds("$search=\"displayName:taff\"", group), Ok(false));
    }
}
