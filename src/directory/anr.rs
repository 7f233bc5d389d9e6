//! Ambiguous name resolution: `(anr=text)` looks for a person or list by the beginning
//! of any name or address (MS-ADTS 3.1.1.3.1.3.4). Pure: no I/O, no clock.

use super::filter::{Filter, Octets, Substrings};
use super::schema::{self, Described};

/// The attribute that stands for all of them.
pub(super) const NAME: &str = "aNR";

/// Where a text is looked for.
const NAMES: [&str; 9] = [
    "displayName",
    "givenName",
    "sn",
    "name",
    "sAMAccountName",
    "mail",
    "mailNickname",
    "proxyAddresses",
    "physicalDeliveryOfficeName",
];
/// Where only the whole text counts.
const WHOLE: &str = "legacyExchangeDN";

/// The filter that `(anr=value)` and `(anr=value*)` stand for. A leading `=` asks for
/// the whole value instead of its beginning; of two words, one is taken for the given
/// name and the other for the surname, in either order.
pub(super) fn expand(value: &[u8]) -> Filter<'static> {
    let value = value.trim_ascii();
    let (value, exact) = match value.strip_prefix(b"=") {
        Some(rest) => (rest.trim_ascii(), true),
        None => (value, false),
    };
    let begins = |name: &'static str, text: &[u8]| {
        let (name, text) = (Octets::Borrowed(name.as_bytes()), Octets::Owned(text.to_vec()));
        if exact {
            Filter::Equality(name, text)
        } else {
            Filter::Substrings(name, Substrings { initial: Some(text), ..Substrings::default() })
        }
    };
    // Everything begins with nothing, which is not what anybody looks for.
    if value.is_empty() {
        return Filter::Or(Vec::new());
    }
    let mut any: Vec<Filter<'_>> = NAMES.iter().map(|name| begins(name, value)).collect();
    any.push(Filter::Equality(WHOLE.as_bytes().into(), value.to_vec().into()));
    if let Some(at) = value.iter().position(|octet| *octet == b' ') {
        let (first, second) = value.split_at(at);
        let second = second.trim_ascii();
        any.push(Filter::And(vec![begins("givenName", first), begins("sn", second)]));
        any.push(Filter::And(vec![begins("sn", first), begins("givenName", second)]));
    }
    Filter::Or(any)
}

/// What `filter` stands for where it asks for a name this way; `None` for other filters.
pub(crate) fn expansion(filter: &Filter<'_>) -> Option<Filter<'static>> {
    let (name, text): (_, &[u8]) = match filter {
        Filter::Present(name) => (name, b""),
        Filter::Equality(name, value) | Filter::Approx(name, value) => (name, value),
        Filter::Substrings(name, pieces) => (name, pieces.only_initial()?),
        _ => return None,
    };
    match schema::standard().described(name) {
        Described::Attribute(found) if found.name == NAME => Some(expand(text)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::dn::Dn;
    use crate::directory::entry::Entry;
    use crate::directory::predicate::Predicate;
    use crate::directory::schema;

    fn finds(filter: &str) -> Option<bool> {
        let mut ada = Entry::new(Dn::parse("uid=ada,dc=x").unwrap());
        for (name, value) in [
            ("displayName", "Lind, Ada (Sales)"),
            ("givenName", "Ada"),
            ("sn", "Lind"),
            ("mail", "a.lind@contoso.com"),
            ("proxyAddresses", "smtp:countess@contoso.com"),
            ("legacyExchangeDN", "/o=contoso/cn=ada"),
        ] {
            ada.add(schema::standard().attribute(name.as_bytes()).unwrap().id, value);
        }
        let filter = Filter::parse(filter).unwrap();
        Predicate::bind(&filter, schema::standard(), &|_| true).evaluate(&ada, &|_, _| false)
    }

    #[test]
    fn names_and_addresses_are_found_by_their_beginning() {
        for filter in [
            "(anr=ad)",
            "(ANR=Lin)",
            "(1.2.840.113556.1.4.1208=a.lind@)",
            "(anr=lind*)",
            "(anr~=lind)",
            "(anr=smtp:count)",
            "(anr=ada lind)",
            "(anr=li ad)",
            "(anr= a   lin )",
            "(anr==ada)",
            "(anr==Ada Lind)",
            "(anr=/o=contoso/cn=ada)",
        ] {
            assert_eq!(finds(filter), Some(true), "{filter}");
        }
        for filter in ["(anr=sales)", "(anr==ad)", "(anr=ada berg)", "(anr=/o=contoso)", "(anr=*)"]
        {
            assert_eq!(finds(filter), Some(false), "{filter}");
        }
        assert_eq!(finds("(anr=\\20)"), Some(false));
        for filter in ["(anr=*ada)", "(anr=a*a)", "(anr>=a)", "(anr:=ada)"] {
            assert_eq!(finds(filter), None, "{filter}");
        }
    }
}
