//! `[connection.mapping]`: what becomes of the properties of Graph objects.

use super::property::PropertyPath;
use super::reader::{Place, Table};
use super::settings::TreeSettings;
use super::value::{Trouble, Value, kind_of};
use crate::directory::attribute::{AttributeType, Syntax};
use crate::directory::kind::Kind;
use crate::directory::{nearest, schema};
use std::collections::BTreeSet;
use toml::Spanned;
use toml::de::DeValue;

/// `[connection.mapping]`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MappingSettings {
    /// What entries look like where nothing else is said.
    pub preset: Preset,
    /// Attributes of users that are made otherwise.
    pub user: Vec<Mapped>,
    /// Attributes of groups.
    pub group: Vec<Mapped>,
    /// Attributes of contacts.
    pub contact: Vec<Mapped>,
}

/// What entries look like where nothing else is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Preset {
    /// What clients of Active Directory and of `inetOrgPerson` read.
    #[default]
    Ad,
    /// `inetOrgPerson` and `groupOfNames` only.
    InetOrgPerson,
    /// The same, with `posixAccount` and `posixGroup`.
    Posix,
}

/// An attribute that is made otherwise than by the preset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    /// Its name in the schema.
    pub attribute: &'static str,
    /// Whether the preset's values stay beside it.
    pub keep: bool,
    /// Where its values come from; `None`: it has none.
    pub from: Option<From>,
    /// What is done to each value.
    pub shape: Shape,
    /// Whether only the first value counts.
    pub single: bool,
}

/// Where values come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum From {
    /// The first of these properties that has a value.
    First(Vec<PropertyPath>),
    /// Texts and properties, one after the other.
    Template(Vec<Piece>),
    /// Always the same.
    Constant(Vec<String>),
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// As it is.
    Text(String),
    /// `{property}`: without it there is no value; `{property?}`: without it, nothing.
    Property {
        /// The property.
        path: PropertyPath,
        /// Whether the value can do without it.
        optional: bool,
    },
}

/// What is done to a value, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shape {
    /// It is cut in pieces at this.
    pub split: Option<String>,
    /// A number is made of it, or nothing.
    pub number: Option<Number>,
    /// Letters become small or capital.
    pub case: Option<Case>,
    /// Put before it.
    pub prefix: String,
    /// Put behind it.
    pub suffix: String,
}

/// How a number is made of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Number {
    /// Only its digits are kept.
    Digits,
    /// Without leading zeros and plus sign; what is no whole number is left out.
    Integer,
    /// The point in time as Active Directory counts it, as in `accountExpires`.
    FileTime,
}

/// What letters become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// Small.
    Lower,
    /// Capital.
    Upper,
}

/// Attributes that say what an entry is and where it stands: the house makes them.
const OURS: &[&str] = &[
    "createTimestamp",
    "directReports",
    "distinguishedName",
    "entryDN",
    "entryUUID",
    "hasSubordinates",
    "manager",
    "member",
    "memberOf",
    "modifyTimestamp",
    "name",
    "objectCategory",
    "objectGUID",
    "rfc822MailMember",
    "structuralObjectClass",
    "subschemaSubentry",
    "tokenGroups",
    "uSNChanged",
    "uSNCreated",
    "whenChanged",
    "whenCreated",
];

impl MappingSettings {
    /// The attributes of a kind that are made otherwise.
    pub fn of(&self, kind: Kind) -> &[Mapped] {
        match kind {
            Kind::User => &self.user,
            Kind::Group => &self.group,
            Kind::Contact => &self.contact,
            Kind::Domain => &[],
        }
    }

    /// The properties that are read beside those that are always selected.
    pub fn properties(&self, kind: Kind) -> BTreeSet<&str> {
        let base = super::property::base(kind);
        let mut found = BTreeSet::new();
        for mapped in self.of(kind) {
            match &mapped.from {
                Some(From::First(paths)) => found.extend(paths.iter().map(PropertyPath::root)),
                Some(From::Template(pieces)) => {
                    found.extend(pieces.iter().filter_map(|piece| match piece {
                        Piece::Property { path, .. } => Some(path.root()),
                        Piece::Text(_) => None,
                    }))
                }
                Some(From::Constant(_)) | None => {}
            }
        }
        found.retain(|name| !base.contains(name));
        found
    }
}

/// Reads the section.
pub(super) fn read(table: &Table<'_>, tree: &TreeSettings) -> MappingSettings {
    let presets =
        [("ad", Preset::Ad), ("inetorgperson", Preset::InetOrgPerson), ("posix", Preset::Posix)];
    let kind = |key, kind| {
        let rdn = match kind {
            Kind::User => &tree.users.rdn,
            Kind::Group => &tree.groups.rdn,
            Kind::Contact => &tree.contacts.rdn,
            Kind::Domain => &tree.domains.rdn,
        };
        table.section(key, |table| all(table, kind, rdn))
    };
    MappingSettings {
        preset: table.or("preset", Preset::default(), |value| value.word(&presets)),
        user: kind("user", Kind::User),
        group: kind("group", Kind::Group),
        contact: kind("contact", Kind::Contact),
    }
}

fn all(table: &Table<'_>, kind: Kind, rdn: &str) -> Vec<Mapped> {
    let mut mapped: Vec<Mapped> = Vec::new();
    table.each(|name, place, node| {
        let attribute = match attribute(name).and_then(|found| no_name(found, rdn)) {
            Ok(attribute) => attribute,
            Err(trouble) => return table.report.problem(&place, trouble),
        };
        if mapped.iter().any(|other| other.attribute == attribute.name) {
            let message = format!("stands for {}, which is mapped already", attribute.name);
            return table.report.problem(&place, Trouble::new(message, "keep one of the two"));
        }
        mapped.extend(one(table, kind, attribute, place, node));
    });
    mapped
}

fn attribute(name: &str) -> Result<&'static AttributeType, Trouble> {
    let schema = schema::standard();
    let Some(found) = schema.attribute(name.as_bytes()) else {
        let remedy = match schema.nearest(name) {
            Some(meant) => format!("did you mean \"{}\"?", meant.name),
            None => "write an attribute that the schema (cn=Subschema) lists".to_owned(),
        };
        return Err(Trouble::new("is not a known key", remedy));
    };
    if OURS.contains(&found.name) || found.is_constructed() {
        let message = "says what the entry is, and is not a matter of mapping";
        return Err(Trouble::new(message, "map another attribute"));
    }
    Ok(found)
}

/// Of an attribute that has one value and names the entry, that value is the name.
fn no_name(
    attribute: &'static AttributeType,
    rdn: &str,
) -> Result<&'static AttributeType, Trouble> {
    if attribute.single_value && attribute.name.eq_ignore_ascii_case(rdn) {
        let message = "names these entries, so its value is the name";
        return Err(Trouble::new(message, "map another attribute, such as displayName"));
    }
    Ok(attribute)
}

fn one<'a>(
    table: &Table<'a>,
    kind: Kind,
    attribute: &'static AttributeType,
    place: Place,
    node: &'a Spanned<DeValue<'a>>,
) -> Option<Mapped> {
    let is_class = attribute.name == "objectClass";
    let single = attribute.single_value;
    let plain = |from| Mapped {
        attribute: attribute.name,
        keep: is_class,
        from,
        shape: Shape::default(),
        single,
    };
    let mapped = match node.get_ref() {
        DeValue::Boolean(false) => plain(None),
        DeValue::String(text) => match path(kind, text) {
            Ok(path) => plain(Some(From::First(vec![path]))),
            Err(trouble) => {
                table.report.problem(&place, trouble);
                return None;
            }
        },
        DeValue::Table(_) => {
            let inner = table.inner(place.clone(), node, |table| inner(table, kind));
            let (from, keep, shape, multi) = inner.flatten()?;
            if multi == Some(true) && single {
                let trouble = Trouble::new("can have one value only", "remove multi");
                table.report.problem(&place, trouble);
            }
            Mapped {
                attribute: attribute.name,
                keep: keep || is_class,
                from: Some(from),
                shape,
                single: single || multi == Some(false),
            }
        }
        other => {
            let message = format!("is {}, not a property", kind_of(other));
            let remedy = "write a property in quotes, false, or { first = [...] }, { template = \"...\" }, { value = \"...\" }";
            table.report.problem(&place, Trouble::new(message, remedy));
            return None;
        }
    };
    if let Some(From::Constant(values)) = &mapped.from
        && let Err(trouble) = constants(attribute, values, &mapped.shape)
    {
        table.report.problem(&place, trouble);
        return None;
    }
    if is_class && !matches!(mapped.from, Some(From::Constant(_))) {
        let message = "is what the preset makes of the entry";
        let remedy = "add classes: objectClass = { value = [\"posixAccount\"] }";
        table.report.problem(&place, Trouble::new(message, remedy));
        return None;
    }
    Some(mapped)
}

/// Whether values that are always the same can be values of the attribute at all.
fn constants(attribute: &AttributeType, values: &[String], shape: &Shape) -> Result<(), Trouble> {
    if attribute.single_value && values.len() > 1 {
        return Err(Trouble::new("can have one value only", "keep one of them"));
    }
    if attribute.syntax == Syntax::ObjectClass {
        return values.iter().try_for_each(|value| class(value));
    }
    let fits = |value: &&String| attribute.syntax.key(value.as_bytes()).is_some();
    match values.iter().find(|value| !fits(value)) {
        Some(value) if *shape == Shape::default() => {
            let message = format!("{value:?} is no value of {}", attribute.name);
            Err(Trouble::new(message, format!("write {}", example(attribute.syntax))))
        }
        _ => Ok(()),
    }
}

fn class(name: &str) -> Result<(), Trouble> {
    let schema = schema::standard();
    if schema.class(name).is_some() {
        return Ok(());
    }
    let names: Vec<&str> = schema.classes().iter().map(|class| class.name).collect();
    let remedy = match nearest::nearest(name, &names) {
        Some(meant) => format!("did you mean \"{meant}\"?"),
        None => "write a class that the schema (cn=Subschema) lists".to_owned(),
    };
    Err(Trouble::new(format!("{name:?} is not a known class"), remedy))
}

fn example(syntax: Syntax) -> &'static str {
    match syntax {
        Syntax::Integer => "a whole number in quotes, for example \"1000\"",
        Syntax::Boolean => "\"TRUE\" or \"FALSE\"",
        Syntax::GeneralizedTime => "a time, for example \"20240506070809Z\"",
        Syntax::Dn | Syntax::ObjectCategory => "a DN, for example \"cn=Sales,dc=contoso,dc=com\"",
        Syntax::Guid => "a GUID, for example \"0b1f6a52-6c1e-4a07-9a55-3f1f5a9c0a01\"",
        Syntax::Sid => "a SID, for example \"S-1-5-21-1-2-3-1105\"",
        _ => "a text that is not empty",
    }
}

type Inner = (From, bool, Shape, Option<bool>);

fn inner(table: &Table<'_>, kind: Kind) -> Option<Inner> {
    let property = table.optional("property", |value| path(kind, value.text()?));
    let first = table.optional("first", |value| value.list(|item| path(kind, item.text()?)));
    let template = table.optional("template", |value| template(kind, value.text()?));
    let constant = table.optional("value", |value| match value.node {
        DeValue::Array(_) => value.list(Value::string),
        _ => value.string().map(|text| vec![text]),
    });
    let keep = table.or("keep", false, |value| value.boolean());
    let multi = table.optional("multi", |value| value.boolean());
    let case = table
        .optional("case", |value| value.word(&[("lower", Case::Lower), ("upper", Case::Upper)]));
    let numbers =
        [("digits", Number::Digits), ("integer", Number::Integer), ("filetime", Number::FileTime)];
    let shape = Shape {
        split: table.optional("split", |value| value.string()),
        number: table.optional("number", |value| value.word(&numbers)),
        case,
        prefix: table.optional("prefix", |value| value.string()).unwrap_or_default(),
        suffix: table.optional("suffix", |value| value.string()).unwrap_or_default(),
    };
    let sources = ["property", "first", "template", "value"];
    if sources.into_iter().filter(|key| table.has(key)).count() != 1 {
        let trouble = Trouble::new(
            "needs exactly one of property, first, template, value",
            "keep one of them",
        );
        table.report.problem(&table.own_place(), trouble);
        return None;
    }
    let from = match (property, first, template, constant) {
        (Some(path), ..) => From::First(vec![path]),
        (_, Some(paths), ..) => From::First(paths),
        (_, _, Some(pieces), _) => From::Template(pieces),
        (_, _, _, Some(values)) => From::Constant(values),
        _ => return None,
    };
    Some((from, keep, shape, multi))
}

fn path(kind: Kind, text: &str) -> Result<PropertyPath, Trouble> {
    PropertyPath::parse(kind, text).map_err(|(message, remedy)| Trouble::new(message, remedy))
}

/// `"{givenName} {surname?}"`; a brace itself is doubled.
fn template(kind: Kind, text: &str) -> Result<Vec<Piece>, Trouble> {
    let example = "write for example \"{givenName} {surname}\", and {{ for a brace";
    let wrong = |what: &str| Trouble::new(format!("{text:?} {what}"), example);
    let (mut pieces, mut plain) = (Vec::new(), String::new());
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, behind) = rest.split_at(at);
        plain.push_str(before);
        if behind.starts_with("{{") || behind.starts_with("}}") {
            plain.push_str(behind.get(..1).unwrap_or_default());
            rest = behind.get(2..).unwrap_or_default();
            continue;
        }
        let inside = behind.strip_prefix('{').ok_or_else(|| wrong("has a } without {"))?;
        let (name, behind) = inside.split_once('}').ok_or_else(|| wrong("has a { without }"))?;
        if !plain.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut plain)));
        }
        let (name, optional) = match name.strip_suffix('?') {
            Some(name) => (name, true),
            None => (name, false),
        };
        pieces.push(Piece::Property { path: path(kind, name)?, optional });
        rest = behind;
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        pieces.push(Piece::Text(plain));
    }
    match pieces.iter().any(|piece| matches!(piece, Piece::Property { .. })) {
        true => Ok(pieces),
        false => Err(wrong("names no property")),
    }
}
