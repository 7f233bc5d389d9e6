//! An assertion in a filter, and what can be said of it.

use crate::intended::text;
use entraldap::directory::attribute::{AttributeType, Syntax};
use entraldap::directory::filter::{Extensible, Filter};
use entraldap::directory::schema::{self, Described};

/// An assertion in a filter.
pub(crate) struct Leaf<'f> {
    /// What it is about, if that is known.
    pub(crate) attribute: Option<&'static AttributeType>,
    /// The attribute's description, in lower case.
    description: String,
    /// The options in it.
    pub(crate) options: String,
    /// The assertion itself.
    pub(crate) filter: &'f Filter<'f>,
}

impl<'f> Leaf<'f> {
    /// Of a filter that is no filter of filters.
    pub(crate) fn of(filter: &'f Filter<'f>) -> Option<Self> {
        let description = match filter {
            Filter::And(_) | Filter::Or(_) | Filter::Not(_) => return None,
            Filter::Equality(name, _)
            | Filter::Substrings(name, _)
            | Filter::GreaterOrEqual(name, _)
            | Filter::LessOrEqual(name, _)
            | Filter::Present(name)
            | Filter::Approx(name, _) => &**name,
            Filter::Extensible(found) => found.attribute.as_deref().unwrap_or_default(),
        };
        let attribute = match schema::standard().described(description) {
            Described::Attribute(found) | Described::Subtype(found) => Some(found),
            Described::Unknown => None,
        };
        let text = text(description).to_ascii_lowercase();
        let options = text.split_once(';').map_or("", |(_, options)| options).to_owned();
        Some(Leaf { attribute, description: text, options, filter })
    }

    pub(crate) fn is_of(&self, names: &[&str]) -> bool {
        self.attribute.is_some_and(|attribute| names.contains(&attribute.name))
    }

    pub(crate) fn has(&self, syntaxes: &[Syntax]) -> bool {
        self.attribute.is_some_and(|attribute| syntaxes.contains(&attribute.syntax))
    }

    pub(crate) fn is_ordering(&self) -> bool {
        matches!(self.filter, Filter::GreaterOrEqual(..) | Filter::LessOrEqual(..))
    }

    pub(crate) fn is_presence(&self) -> bool {
        matches!(self.filter, Filter::Present(_))
    }

    /// Whether values are text.
    pub(crate) fn is_string(&self) -> bool {
        self.has(&[Syntax::DirectoryString, Syntax::CaseExactString, Syntax::TelephoneNumber])
    }

    pub(crate) fn is_by_oid(&self) -> bool {
        self.description.starts_with(|c: char| c.is_ascii_digit())
    }

    pub(crate) fn is_tagged(&self) -> bool {
        self.options.split(';').any(|option| option.starts_with("lang-"))
    }

    /// The assertion's value, or the pieces of one.
    pub(crate) fn values(&self) -> impl Iterator<Item = &'f [u8]> + use<'f> {
        let list: Vec<&[u8]> = match self.filter {
            Filter::Equality(_, value)
            | Filter::GreaterOrEqual(_, value)
            | Filter::LessOrEqual(_, value)
            | Filter::Approx(_, value) => vec![value],
            Filter::Extensible(found) => vec![&found.value],
            Filter::Substrings(_, pieces) => {
                let all = pieces.initial.iter().chain(&pieces.any).chain(&pieces.last);
                all.map(AsRef::as_ref).collect()
            }
            _ => Vec::new(),
        };
        list.into_iter()
    }

    pub(crate) fn value_has(&self, octet: u8) -> bool {
        self.values().any(|value| value.contains(&octet))
    }

    pub(crate) fn extensible(&self) -> Option<&'f Extensible<'f>> {
        match self.filter {
            Filter::Extensible(found) => Some(found),
            _ => None,
        }
    }

    pub(crate) fn rule(&self) -> Option<&'f [u8]> {
        self.extensible()?.rule.as_deref()
    }

    /// How differences are put into groups: kind of assertion, syntax, options.
    pub(crate) fn group(&self) -> String {
        let kind = match self.filter {
            Filter::Equality(..) => "=",
            Filter::Substrings(..) => "=*",
            Filter::GreaterOrEqual(..) => ">=",
            Filter::LessOrEqual(..) => "<=",
            Filter::Approx(..) => "~=",
            Filter::Extensible(_) => ":=",
            _ => "presence",
        };
        match self.attribute {
            Some(attribute) => format!("{:?} {kind} {}", attribute.syntax, self.options),
            None => format!("unknown {kind} {}", self.options),
        }
    }
}
