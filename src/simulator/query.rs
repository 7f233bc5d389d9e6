//! Reading query options the way the service does, with its refusals. Pure: no I/O, no clock.

use super::cursor::DeltaQuery;
use super::errors::Refusal;
use super::object::Kind;
use super::schema::{Property, property};

/// The options of a request, by lower-case name without `$`: the field writes
/// `$deltatoken`, `$deltaToken` and `deltatoken`.
#[derive(Debug, Clone, Default)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// Splits a raw query string; `+` is a space, as in the service.
    pub(super) fn parse(query: &str) -> Self {
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        Self(
            pairs
                .map(|(name, value)| {
                    (name.trim_start_matches('$').to_lowercase(), value.into_owned())
                })
                .filter(|(name, _)| !name.is_empty())
                .collect(),
        )
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The options without one, as a query string.
    pub(super) fn without(&self, name: &str) -> String {
        let mut out = String::new();
        for (known, value) in self.0.iter().filter(|(known, _)| known != name) {
            let value: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
            out.push_str(if out.is_empty() { "$" } else { "&$" });
            out.push_str(&format!("{known}={value}"));
        }
        out
    }

    /// `$top` of a list: 1 to 999.
    pub(super) fn top(&self) -> Result<usize, Refusal> {
        let Some(top) = self.get("top") else { return Ok(100) };
        match top.parse::<usize>() {
            Ok(top) if (1..=999).contains(&top) => Ok(top),
            _ => Err(Refusal::bad_request(&format!(
                "Invalid page size specified: '{top}'. Must be between 1 and 999 inclusive."
            ))),
        }
    }

    /// The names in `$select`.
    pub(super) fn select(&self) -> Option<Vec<String>> {
        let text = self.get("select")?;
        Some(
            text.split(',')
                .map(|name| name.trim().to_owned())
                .filter(|name| !name.is_empty())
                .collect(),
        )
    }
}

/// The token a delta request carries.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    None,
    Latest,
    Skip(&'a str),
    Delta(&'a str),
}

/// Finds the token of a delta request and refuses what may not stand beside it.
pub(super) fn token(params: &Params) -> Result<Token<'_>, Refusal> {
    for option in ["expand", "orderby", "search", "skip"] {
        if params.has(option) {
            return Err(Refusal::unsupported(&format!(
                "The query option '${option}' is not supported by delta query."
            )));
        }
    }
    match (params.get("skiptoken"), params.get("deltatoken")) {
        (Some(_), Some(_)) => {
            Err(Refusal::bad_request("Only one of $skiptoken and $deltatoken may be given."))
        }
        (Some(_), None) if params.has("select") || params.has("filter") => Err(
            Refusal::unsupported("$select and $filter are not supported together with $skiptoken."),
        ),
        (Some(token), None) => Ok(Token::Skip(token)),
        (None, Some("latest")) => Ok(Token::Latest),
        (None, None | Some("")) => Ok(Token::None),
        (None, Some(token)) => Ok(Token::Delta(token)),
    }
}

/// The query of a new round.
pub(super) fn delta(
    kind: Kind,
    params: &Params,
    outside_is_400: bool,
) -> Result<DeltaQuery, Refusal> {
    let stream = kind.stream().ok_or_else(Refusal::not_implemented)?;
    let select = params.select().map(|names| selected(kind, names, outside_is_400)).transpose()?;
    let ids = match params.get("filter") {
        Some(filter) if params.get("deltatoken") != Some("latest") => filtered_ids(filter)?,
        _ => Vec::new(),
    };
    Ok(DeltaQuery { stream, select, ids })
}

/// Checks the names of a `$select` for delta.
pub(super) fn selected(
    kind: Kind,
    names: Vec<String>,
    outside_is_400: bool,
) -> Result<Vec<String>, Refusal> {
    if names.is_empty() {
        return Err(Refusal::bad_request("Invalid $select: no property named."));
    }
    for name in &names {
        match property(kind, name) {
            Property::Stored | Property::Relation => {}
            Property::Outside if outside_is_400 => {
                return Err(Refusal::unsupported(&format!(
                    "The property '{name}' is not supported by delta query."
                )));
            }
            Property::Outside => return Err(Refusal::not_implemented()),
            Property::Missing => return Err(missing(kind, name)),
        }
    }
    Ok(names.into_iter().filter(|name| name != "id").collect())
}

/// The refusal of a property that does not exist.
pub(super) fn missing(kind: Kind, name: &str) -> Refusal {
    let text = format!(
        "Parsing OData Select and Expand failed: Could not find a property named '{name}' on type 'microsoft.graph.{}'.",
        kind.type_name()
    );
    Refusal::new(400, "BadRequest", &text)
}

/// `id eq 'a' or id eq 'b'`, at most 50.
fn filtered_ids(filter: &str) -> Result<Vec<String>, Refusal> {
    let unsupported = || {
        Refusal::unsupported(
            "Only 'id eq' joined by 'or' is supported in $filter of a delta query.",
        )
    };
    let mut ids = Vec::new();
    for clause in split_or(filter) {
        let clause = clause.trim().trim_start_matches('(').trim_end_matches(')').trim();
        let id = clause
            .strip_prefix("id eq ")
            .map(str::trim)
            .and_then(quoted)
            .ok_or_else(unsupported)?;
        ids.push(id);
    }
    if ids.len() > 50 {
        return Err(Refusal::unsupported("Too many ids in $filter: at most 50 are supported."));
    }
    Ok(ids)
}

/// Splits at `or` outside quotes.
pub(super) fn split_or(filter: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    for word in filter.split_inclusive(' ') {
        if !quoted && word.trim().eq_ignore_ascii_case("or") {
            parts.push(String::new());
            continue;
        }
        if word.matches('\'').count() % 2 == 1 {
            quoted = !quoted;
        }
        if let Some(last) = parts.last_mut() {
            last.push_str(word);
        }
    }
    parts
}

/// The text of an OData string literal; a quote inside is doubled.
pub(super) fn quoted(text: &str) -> Option<String> {
    Some(text.strip_prefix('\'')?.strip_suffix('\'')?.replace("''", "'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_known_in_every_spelling() {
        for query in ["$deltatoken=x", "$deltaToken=x", "deltatoken=x", "%24deltatoken=x"] {
            assert_eq!(token(&Params::parse(query)).unwrap(), Token::Delta("x"), "{query}");
        }
        assert_eq!(token(&Params::parse("$deltatoken=")).unwrap(), Token::None);
        assert!(token(&Params::parse("$skiptoken=x&$select=id")).is_err());
    }

    #[test]
    fn a_filter_holds_at_most_fifty_ids() {
        let filter =
            |n: usize| (0..n).map(|i| format!("id eq '{i}'")).collect::<Vec<_>>().join(" or ");
        assert_eq!(filtered_ids(&filter(50)).unwrap().len(), 50);
        assert!(filtered_ids(&filter(51)).is_err());
        assert!(filtered_ids("displayName eq 'x'").is_err());
        assert_eq!(filtered_ids("id eq 'a or b'").unwrap(), ["a or b"]);
    }

    #[test]
    fn a_property_outside_the_store_is_not_implemented() {
        let ask = |names: &str, is_400| {
            selected(Kind::User, names.split(',').map(str::to_owned).collect(), is_400)
                .map_err(|refusal| refusal.status)
        };
        assert_eq!(ask("mail,id", false), Ok(vec!["mail".to_owned()]));
        assert_eq!(ask("mail,aboutMe", false), Err(501));
        assert_eq!(ask("mail,aboutMe", true), Err(400));
        assert_eq!(ask("mail,nonsense", false), Err(400));
    }
}
