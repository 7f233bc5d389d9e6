//! What may differ, and why. Whatever is not listed here is an error in one of the two.

use crate::allowed::NO_ORDERING_IN_SLAPD;
use crate::generate::equality_rule;
use crate::leaf::Leaf;
use crate::server::Found;
use entraldap::directory::attribute::Syntax;
use entraldap::directory::dn::Dn;
use entraldap::directory::filter::Filter;
use entraldap::directory::predicate::RULE_IN_CHAIN;
use entraldap::directory::schema;
use std::borrow::Cow;

/// What the answers to an assertion and to its negation look like.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Says {
    /// slapd: neither true nor false of any entry. We decide.
    SlapdUndefined,
    /// We: neither true nor false of any entry. slapd decides.
    WeUndefined,
    /// True of at least the entries that it is true of in slapd.
    WeMore,
    /// True of at most the entries that it is true of in slapd.
    SlapdMore,
    /// Other entries.
    Others,
}

/// An intended difference.
pub(crate) struct Intended {
    /// Which assertions, in words.
    pub(crate) what: &'static str,
    /// One of them, which must differ in every directory, if there is one.
    pub(crate) example: &'static str,
    /// The reason.
    pub(crate) why: &'static str,
    /// Which assertions.
    covers: fn(&Leaf<'_>) -> bool,
    /// How the answers differ, where they do.
    pub(crate) says: Says,
}

impl Intended {
    /// Whether the answers, each to the assertion and to its negation, differ as they should.
    pub(crate) fn explains(&self, we: &[Found; 2], slapd: &[Found; 2]) -> bool {
        let undefined = |found: &[Found; 2]| found.iter().all(|f| f.entries.is_empty());
        let [ours, not_ours] = we;
        let [theirs, not_theirs] = slapd;
        let decided = !undefined(we) && !undefined(slapd);
        let codes = we.iter().chain(slapd).all(|found| found.code == 0 && found.double == 0);
        codes
            && match self.says {
                Says::SlapdUndefined => undefined(slapd),
                Says::WeUndefined => undefined(we),
                Says::WeMore => {
                    decided
                        && ours.entries.is_superset(&theirs.entries)
                        && not_ours.entries.is_subset(&not_theirs.entries)
                }
                Says::SlapdMore => {
                    decided
                        && ours.entries.is_subset(&theirs.entries)
                        && not_ours.entries.is_superset(&not_theirs.entries)
                }
                Says::Others => decided,
            }
    }
}

/// Assertions that are answered differently.
pub(crate) const LEAVES: &[Intended] = &[
    Intended {
        what: ">= and <= of cn, name, uid, description, userPassword",
        example: "(cn>=a)",
        why: "slapd's own definitions of these have no ORDERING rule, as in RFC 4519; ours have, \
              as every string of Active Directory",
        covers: |leaf| leaf.is_ordering() && leaf.is_of(NO_ORDERING_IN_SLAPD),
        says: Says::SlapdUndefined,
    },
    Intended {
        what: "~= of strings",
        example: "(sn~=dvorak)",
        why: "RFC 4511 4.5.1.7.6 leaves the algorithm to the server: slapd compares sounds, we \
              compare as Active Directory does, for equality",
        covers: |leaf| {
            matches!(leaf.filter, Filter::Approx(..)) && leaf.has(&[Syntax::DirectoryString])
        },
        says: Says::Others,
    },
    Intended {
        what: "~= of strings, with a value that slapd cannot take",
        example: "",
        why: "as above",
        covers: |leaf| {
            matches!(leaf.filter, Filter::Approx(..)) && leaf.has(&[Syntax::DirectoryString])
        },
        says: Says::SlapdUndefined,
    },
    Intended {
        what: "objectCategory=person and other short names",
        example: "(objectCategory=person)",
        why: "MS-ADTS 3.1.1.3.1.3.5: a filter may give the class instead of the DN",
        covers: |leaf| leaf.has(&[Syntax::ObjectCategory]) && !leaf.value_has(b'='),
        says: Says::SlapdUndefined,
    },
    Intended {
        what: "objectCategory=DN",
        example: "(objectCategory=CN=Person,DC=x)",
        why: "compared by its first RDN: where the schema container lies is no property of this \
              directory, and gateways send the DN of the forest they come from",
        covers: |leaf| leaf.has(&[Syntax::ObjectCategory]) && leaf.value_has(b'='),
        says: Says::WeMore,
    },
    Intended {
        what: "GUIDs and SIDs as text, or not as long as they are",
        example: "",
        why: "MS-ADTS 3.1.1.3.1.2.5: a filter may give their text form. What is neither that \
              nor the octets of one is Undefined, where slapd knows Octet Strings only",
        covers: |leaf| leaf.has(&[Syntax::Guid, Syntax::Sid]) && !leaf.is_presence(),
        says: Says::WeMore,
    },
    Intended {
        what: "GUIDs and SIDs that are none",
        example: "(objectGUID=abc)",
        why: "as above",
        covers: |leaf| leaf.has(&[Syntax::Guid, Syntax::Sid]) && !leaf.is_presence(),
        says: Says::WeUndefined,
    },
    Intended {
        what: "booleans in lower case",
        example: "(hideDLMembership=true)",
        why: "RFC 4517 3.3.3: Boolean = \"TRUE\" / \"FALSE\", which in ABNF (RFC 5234 2.3) are \
              case-insensitive; slapd takes upper case only",
        covers: |leaf| {
            let lower = |value: &[u8]| value.iter().any(u8::is_ascii_lowercase);
            leaf.has(&[Syntax::Boolean]) && leaf.values().any(lower)
        },
        says: Says::SlapdUndefined,
    },
    Intended {
        what: "anr",
        example: "(anr=a)",
        why: "MS-ADTS 3.1.1.3.1.3.4: stands for a search in many attributes",
        covers: |leaf| leaf.is_of(&["aNR"]),
        says: Says::WeMore,
    },
    Intended {
        what: "anr in other ways than = and =x*",
        example: "(anr>=a)",
        why: "as above; there is nothing to compare with",
        covers: |leaf| leaf.is_of(&["aNR"]),
        says: Says::WeUndefined,
    },
    Intended {
        what: "tokenGroups, rfc822MailMember",
        example: "(tokenGroups=x)",
        why: "constructed when asked for and stored nowhere: a filter cannot tell who has one",
        covers: |leaf| leaf.attribute.is_some_and(|attribute| attribute.is_constructed()),
        says: Says::WeUndefined,
    },
    Intended {
        what: "LDAP_MATCHING_RULE_TRANSITIVE_EVAL",
        example: "(memberOf:1.2.840.113556.1.4.1941:=cn=x)",
        why: "MS-ADTS 3.1.1.3.4.4.3; slapd does not have it",
        covers: |leaf| leaf.rule().is_some_and(|rule| rule == RULE_IN_CHAIN.as_bytes()),
        says: Says::SlapdUndefined,
    },
    Intended {
        what: ":dn",
        example: "(ou:dn:=users)",
        why: "MS-ADTS 3.1.1.3.1.3.1: dnAttributes is ignored; RFC 4511 4.5.1.7.7 and slapd look \
              into the DN as well",
        covers: |leaf| leaf.extensible().is_some_and(|found| found.dn_attributes),
        says: Says::SlapdMore,
    },
    Intended {
        what: "an extensible match without an attribute",
        example: "(:caseIgnoreMatch:=users)",
        why: "MS-ADTS 3.1.1.3.1.3.1: Undefined; RFC 4511 4.5.1.7.7 and slapd try all attributes \
              that have the rule's syntax",
        covers: |leaf| leaf.extensible().is_some_and(|found| found.attribute.is_none()),
        says: Says::WeUndefined,
    },
    Intended {
        what: "an extensible match by a rule that is not the attribute's own",
        example: "(sn:caseExactMatch:=x)",
        why: "matchingRuleUse does not list the attribute under that rule, so RFC 4511 4.5.1.7.7 \
              makes it Undefined; slapd applies any rule to any attribute of a syntax that fits",
        covers: |leaf| match (leaf.attribute, leaf.rule()) {
            (Some(attribute), Some(rule)) => {
                let (name, oid) = equality_rule(attribute.syntax);
                !rule.eq_ignore_ascii_case(name.as_bytes()) && rule != oid.as_bytes()
            }
            _ => false,
        },
        says: Says::WeUndefined,
    },
    Intended {
        what: "name, by its object identifier",
        example: "(1.2.840.113556.1.4.1=x)",
        why: "that of Active Directory, 1.2.840.113556.1.4.1; slapd has the name under that of \
              RFC 4519, and no attribute under this one",
        covers: |leaf| leaf.is_of(&["name"]) && leaf.is_by_oid(),
        says: Says::SlapdUndefined,
    },
    Intended {
        what: ODD_LETTERS,
        example: "(sn=i\\cc\\87nan)",
        why: "RFC 4518 2.3 folds by RFC 3454 B.2, where these become two letters",
        covers: |leaf| leaf.is_string() && leaf.values().any(has_odd_letter),
        says: Says::Others,
    },
    Intended {
        what: "strings with letters beyond U+FFFF",
        example: "(givenName=𝒜da)",
        why: "RFC 4518 2.4: normalised by NFKC like all others; slapd leaves them as they are",
        covers: |leaf| {
            let beyond = |value: &[u8]| text(value).chars().any(|c| c > '\u{ffff}');
            leaf.is_string() && leaf.values().any(beyond)
        },
        says: Says::Others,
    },
    Intended {
        what: "telephone numbers with characters that RFC 4517 3.3.29 does not print",
        example: "(mobile=é)",
        why: "they are Unicode strings in Active Directory and in Graph, and must be found; \
              RFC 4517 3.3.31 and slapd let them be PrintableStrings only",
        covers: |leaf| {
            let printable = |c: char| c.is_ascii_alphanumeric() || " '()+,-./:=?".contains(c);
            let other = |value: &[u8]| !text(value).chars().all(printable);
            leaf.has(&[Syntax::TelephoneNumber]) && leaf.values().any(other)
        },
        says: Says::SlapdUndefined,
    },
    Intended {
        what: "structuralObjectClass",
        example: "(structuralObjectClass=person)",
        why: "RFC 4517 4.2.26: the same object identifier; slapd finds superclasses of it, too",
        covers: |leaf| leaf.is_of(&["structuralObjectClass"]),
        says: Says::SlapdMore,
    },
    Intended {
        what: "an empty objectCategory",
        example: "(objectCategory=)",
        why: "neither a class nor a DN with an RDN to compare; for slapd the DN of the root",
        covers: |leaf| {
            leaf.has(&[Syntax::ObjectCategory]) && leaf.values().any(|v| v.trim_ascii().is_empty())
        },
        says: Says::WeUndefined,
    },
    Intended {
        what: "hasSubordinates, subschemaSubentry",
        example: "(hasSubordinates=TRUE)",
        why: "made when somebody asks for them: a filter cannot tell here",
        covers: |leaf| leaf.is_of(&["hasSubordinates", "subschemaSubentry"]),
        says: Says::WeUndefined,
    },
    Intended {
        what: "middleName, by its object identifier",
        example: "(2.16.840.1.113730.3.1.34=x*)",
        why: "Active Directory's is that of `ref` (RFC 3296), which slapd has under it",
        covers: |leaf| leaf.is_of(&["middleName"]) && leaf.is_by_oid(),
        says: Says::SlapdUndefined,
    },
    Intended {
        what: "strings by a beginning or an end of nothing but spaces",
        example: "(sn= *)",
        why: "RFC 4518 2.6.1: a prepared value begins and ends with one space, so that every \
              value has them; slapd prepares values without",
        covers: |leaf| {
            let Filter::Substrings(_, pieces) = leaf.filter else { return false };
            let ends = pieces.initial.iter().chain(&pieces.last);
            leaf.is_string() && ends.into_iter().any(|end| text(end).trim().is_empty())
        },
        says: Says::WeMore,
    },
    Intended {
        what: "strings with soft hyphens, control or zero-width characters",
        example: "(c=\\c2\\adDE)",
        why: "RFC 4518 2.2: mapped to nothing, TAB to SPACE; slapd leaves them as they are",
        covers: |leaf| leaf.is_string() && leaf.values().any(has_mapped),
        says: Says::Others,
    },
    Intended {
        what: "telephone numbers by pieces that are nothing but spaces and hyphens",
        example: "(telephoneNumber=*-*)",
        why: "RFC 4518 2.6.3: insignificant, so that they are in every number; slapd finds none",
        covers: |leaf| {
            let insignificant = |c: char| c.is_whitespace() || matches!(c, '-' | '\u{2010}');
            matches!(leaf.filter, Filter::Substrings(..))
                && leaf.has(&[Syntax::TelephoneNumber])
                && leaf.values().any(|value| text(value).chars().all(insignificant))
        },
        says: Says::WeMore,
    },
    Intended {
        what: ";binary",
        example: "(sn;binary=x)",
        why: "taken as a way of transfer whatever the attribute is, since clients add it where \
              they please; slapd knows it with certificates only, and calls others unknown",
        covers: |leaf| leaf.options.split(';').any(|option| option == "binary"),
        says: Says::SlapdUndefined,
    },
    Intended {
        what: "language tags on operational attributes",
        example: "(createTimestamp;lang-en=*)",
        why: "known and absent, as on other attributes (RFC 3866); slapd calls them unknown",
        covers: |leaf| leaf.is_tagged() && leaf.attribute.is_some_and(|a| a.operational),
        says: Says::SlapdUndefined,
    },
    Intended {
        what: "integers, booleans and class names with spaces around them",
        example: "(userAccountControl= 512)",
        why: "no other value can be meant, and a space more in a gateway's filter must not turn \
              its recipients away; RFC 4517 3.3.3, 3.3.16 and 3.3.26, and slapd, have none",
        covers: |leaf| {
            let padded = |value: &[u8]| value.trim_ascii().len() < value.len();
            let syntaxes = [Syntax::Integer, Syntax::Boolean, Syntax::ObjectClass];
            leaf.has(&syntaxes) && leaf.values().any(padded)
        },
        says: Says::SlapdUndefined,
    },
    Intended {
        what: "times with a fraction of an hour or a minute",
        // It takes an entry that was changed in the very hour: some runs meet one.
        example: "",
        why: "RFC 4517 3.3.13: the fraction is one of the smallest unit that is there, so \
              2026112914.5Z is half past two; for slapd it is half a second past two",
        covers: |leaf| {
            let in_part = |value: &[u8]| {
                let digits = value.iter().take_while(|octet| octet.is_ascii_digit()).count();
                digits < 14 && matches!(value.get(digits), Some(b'.' | b','))
            };
            leaf.has(&[Syntax::GeneralizedTime]) && leaf.values().any(in_part)
        },
        says: Says::Others,
    },
    Intended {
        what: "integers that do not fit in 64 bits",
        example: "(uSNChanged=9223372036854775808)",
        why: "MS-ADTS 3.1.1.2.2.2: a LargeInteger has 64 bits, others are none; those of \
              RFC 4517 and slapd have no end",
        covers: |leaf| {
            let large = |value: &[u8]| value.len() > 18 && text(value).parse::<i64>().is_err();
            leaf.has(&[Syntax::Integer]) && leaf.values().any(large)
        },
        says: Says::WeUndefined,
    },
    Intended {
        what: "classes that nobody knows",
        example: "(objectClass=bogus)",
        why: "no entry is of them: gateways exclude what Active Directory may have and we have \
              not, as in (!(objectClass=msExchSystemObjectsContainer)), and must find the rest. \
              RFC 4517 4.2.26 and slapd: a descriptor that is not recognized is Undefined; slapd \
              says so of unknown numbers, too",
        covers: |leaf| {
            let unknown = |value: &[u8]| schema::standard().class(text(value).trim()).is_none();
            leaf.has(&[Syntax::ObjectClass]) && leaf.values().any(unknown)
        },
        says: Says::SlapdUndefined,
    },
    Intended {
        what: "objectIdentifierMatch by name in an extensible match",
        example: "(objectClass:objectIdentifierMatch:=top)",
        why: "RFC 4511 4.5.1.7.7: the attribute's own rule; slapd has another one in its stead \
              for objectClass and does not take this one",
        covers: |leaf| leaf.has(&[Syntax::ObjectClass]) && leaf.rule().is_some(),
        says: Says::SlapdUndefined,
    },
    Intended {
        what: "names with unknown attribute types, empty values, or one type twice in an RDN",
        example: "(member=bogus=1)",
        why: "well-formed (RFC 4514 3), and no entry has such a name; slapd refuses them",
        covers: |leaf| leaf.has(NAMES) && leaf.values().any(|dn| is_odd_name(&text(dn))),
        says: Says::SlapdUndefined,
    },
    Intended {
        what: "names with values in hexadecimal",
        example: "(member=cn=#040141)",
        why: "RFC 4514 3: hexstring is one of the forms of an attributeValue; slapd takes it for \
              attributes that have a binary form only",
        covers: |leaf| leaf.has(NAMES) && leaf.values().any(|dn| text(dn).contains("=#")),
        says: Says::SlapdUndefined,
    },
];

/// Bases and names of entries that we do not find and slapd refuses to look for.
pub(crate) fn is_odd_name(dn: &str) -> bool {
    let Ok(parsed) = Dn::parse(dn) else { return false };
    let key = String::from_utf8_lossy(parsed.key().as_bytes()).into_owned();
    key.split_terminator('\0').any(|rdn| {
        let pairs = rdn.split('\u{2}').filter_map(|pair| pair.split_once('\u{1}'));
        if pairs.clone().any(|(_, value)| value.is_empty()) {
            return true;
        }
        let kinds: Vec<&str> = pairs.map(|(kind, _)| kind).collect();
        let known = |kind: &&str| schema::standard().attribute(kind.as_bytes()).is_some();
        !kinds.iter().all(known) || kinds.windows(2).any(|two| two.first() == two.last())
    })
}

/// Octets as text.
pub(crate) fn text(value: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(value)
}

/// Characters that RFC 4518 2.2 maps, and that normalisation alone does not.
fn has_mapped(value: &[u8]) -> bool {
    let mapped = |c| matches!(c, '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{200b}');
    text(value).chars().any(mapped)
}

const NAMES: &[Syntax] = &[Syntax::Dn, Syntax::ObjectCategory];

/// RFC 3454 B.2, which RFC 4518 2.3 refers to, folds these to two characters; slapd folds
/// İ to i alone and ß not at all, so that values with them compare otherwise to any value.
pub(crate) const ODD_LETTERS: &str = "values with İ or ß";

/// Whether a value has one of the letters, or may be what one is folded to.
pub(crate) fn has_odd_letter(value: &[u8]) -> bool {
    let value = text(value);
    ["\u{130}", "I\u{307}", "i\u{307}", "ß", "ẞ"].iter().any(|letter| value.contains(letter))
}

/// The first intended difference that an assertion may show; `None` for filters of filters.
pub(crate) fn leaf(filter: &Filter<'_>) -> Option<&'static Intended> {
    leaves(filter).next()
}

/// All intended differences that an assertion may show.
pub(crate) fn leaves(filter: &Filter<'_>) -> impl Iterator<Item = &'static Intended> {
    let leaf = Leaf::of(filter);
    LEAVES.iter().filter(move |known| leaf.as_ref().is_some_and(|leaf| (known.covers)(leaf)))
}
