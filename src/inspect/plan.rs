//! How a filter is answered: what it was understood as, what the indexes gave for each
//! part, how many candidates are left to test, how many entries match, and at what cost.

use super::export::SelectionError;
use super::notes::notes;
use super::understood;
use crate::directory::attribute::AttributeId;
use crate::directory::dn::{Dn, DnKey};
use crate::directory::filter::Filter;
use crate::directory::predicate::Predicate;
use crate::directory::schema;
use crate::replica::plan::{self, Budget};
use crate::replica::steps::{Index, Outcome, Step, Trace, Untried};
use crate::replica::{Error, Ids, Snapshot, StoredEntry};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::time::Instant;

/// A filter that somebody wonders about.
#[derive(Debug)]
pub struct Question {
    filter: Filter<'static>,
    base: Option<Dn>,
}

/// How a filter is answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    /// The filter as it was understood.
    pub filter: String,
    /// Only this entry and those below it; empty for everything.
    pub base: String,
    /// Parts that are Undefined: neither true nor false of any entry.
    pub undefined: Vec<Undefined>,
    /// What else there is to know.
    pub notes: Vec<String>,
    /// What was done for the whole filter, and for its parts.
    pub plan: Part,
    /// How many entries there are.
    pub entries: u64,
    /// How many the indexes leave.
    pub candidates: u64,
    /// Whether all of them match; otherwise each has to be tested.
    pub exact: bool,
    /// How many match.
    pub matches: u64,
    /// Whether more may match: only so many candidates have been looked at.
    pub at_least: bool,
    /// What that has cost.
    pub cost: Cost,
}

/// A part of a filter that is Undefined.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Undefined {
    /// The part.
    pub part: String,
    /// Why.
    pub reason: String,
}

/// What was done for a part of a filter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// The part; `all of` or `one of` where it is made of others.
    pub part: String,
    /// What was asked, or why nothing was.
    pub how: String,
    /// How many entries were found; absent where nothing was asked.
    pub found: Option<u64>,
    /// Whether all of them match; otherwise they are a superset.
    pub exact: bool,
    /// Roughly how many rows of indexes were looked at.
    pub rows: u64,
    /// Its parts, in the order in which they were asked for.
    pub parts: Vec<Part>,
}

/// What planning and testing have cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Roughly how many rows of indexes were looked at.
    pub rows: u64,
    /// How many may be looked at for one search.
    pub most_rows: u64,
    /// Entries that were tested, one by one.
    pub tested: u64,
    /// Time of planning, in microseconds.
    pub planning_us: u64,
    /// Time of testing, in microseconds.
    pub testing_us: u64,
}

/// So many candidates are looked at.
const TESTED: usize = 10_000;

impl Question {
    /// Reads filter and base.
    pub fn new(filter: &str, base: Option<&str>) -> Result<Self, SelectionError> {
        let filter = understood::understood(&Filter::parse(filter)?);
        Ok(Question { filter, base: base.map(Dn::parse).transpose()? })
    }
}

/// Plans the search, and tests as many candidates as is bearable.
pub fn plan(snapshot: &Snapshot, question: &Question) -> Result<Planned, Error> {
    let entries = snapshot.len()?;
    let bound = Predicate::bind(&question.filter, schema::standard(), &|_| true);
    let budget = Budget::new(snapshot)?;
    let most_rows = budget.left();
    let trace = Trace::default();
    let began = Instant::now();
    let found = plan::matching_noted(&bound, snapshot, &budget, &trace)?;
    let exact = found.known().exact;
    let ids = found.into_ids(snapshot)?;
    let planning = began.elapsed();
    let step = trace.into_step().ok_or(Error::Damaged("a plan"))?;
    let texts = understood::texts(&question.filter, &bound);
    let began = Instant::now();
    let tested = Tested::new(snapshot, &bound, question, (&ids, exact))?;
    let testing = began.elapsed();
    let undefined = understood::undefined(&question.filter).into_iter();
    Ok(Planned {
        filter: question.filter.to_string(),
        base: question.base.as_ref().map(Dn::to_string).unwrap_or_default(),
        undefined: undefined.map(|(part, reason)| Undefined { part, reason }).collect(),
        notes: notes(snapshot, &question.filter, question.base.as_ref(), &bound)?,
        plan: part(&step, &texts, entries),
        entries,
        candidates: ids.len() as u64,
        exact,
        matches: tested.matches,
        at_least: tested.at_least,
        cost: Cost {
            rows: most_rows - budget.left(),
            most_rows,
            tested: tested.tested,
            planning_us: u64::try_from(planning.as_micros()).unwrap_or(u64::MAX),
            testing_us: u64::try_from(testing.as_micros()).unwrap_or(u64::MAX),
        },
    })
}

/// What came of looking at candidates.
struct Tested {
    matches: u64,
    at_least: bool,
    tested: u64,
}

impl Tested {
    fn new(
        snapshot: &Snapshot,
        bound: &Predicate,
        question: &Question,
        (candidates, exact): (&Ids, bool),
    ) -> Result<Self, Error> {
        if exact && question.base.is_none() {
            return Ok(Tested { matches: candidates.len() as u64, at_least: false, tested: 0 });
        }
        let base = question.base.as_ref().map(Dn::key);
        let chains = chains(snapshot, bound)?;
        let at_least = candidates.len() > TESTED;
        let mut found = Tested { matches: 0, at_least, tested: 0 };
        for number in candidates.iter().take(TESTED) {
            let entry = snapshot.entry(number)?.ok_or(Error::Damaged("an entry of an index"))?;
            if base.as_ref().is_some_and(|base| !is_within(&entry, base)) {
                continue;
            }
            if exact {
                found.matches += 1;
                continue;
            }
            let in_chain = |attribute, key: &[u8]| {
                chains.get(&(attribute, key)).is_some_and(|ids| ids.contains(number))
            };
            found.matches += u64::from(bound.evaluate(&entry, &in_chain) == Some(true));
            entry.sound()?;
            found.tested += 1;
        }
        Ok(found)
    }
}

fn is_within(entry: &StoredEntry<'_>, base: &DnKey) -> bool {
    Dn::parse(entry.view().dn()).is_ok_and(|dn| dn.key().is_within(base))
}

type Chains<'p> = HashMap<(AttributeId, &'p [u8]), Ids>;

/// What is reached over any number of entries, looked up once for all candidates.
fn chains<'p>(snapshot: &Snapshot, bound: &'p Predicate) -> Result<Chains<'p>, Error> {
    let mut found = HashMap::new();
    let mut open = vec![bound];
    while let Some(part) = open.pop() {
        match part {
            Predicate::And(list) | Predicate::Or(list) => open.extend(list),
            Predicate::Not(inner) => open.push(inner),
            Predicate::InChain(attribute, key) => {
                found.insert((*attribute, key.as_slice()), snapshot.in_chain(*attribute, key)?);
            }
            _ => {}
        }
    }
    Ok(found)
}

fn part(step: &Step<'_>, texts: &HashMap<*const Predicate, String>, entries: u64) -> Part {
    let mut step = step;
    // What is sought of a negation is the opposite of its part.
    while let (Predicate::Not(_), [inner]) = (step.part, step.inner.as_slice()) {
        step = inner;
    }
    let (mut truth, mut inmost) = (step.truth, step.part);
    while let Predicate::Not(inner) = inmost {
        (truth, inmost) = (!truth, inner);
    }
    let text = match (texts.get(&std::ptr::from_ref(inmost)), inmost) {
        (Some(text), _) => {
            if truth {
                text.clone()
            } else {
                format!("not {text}")
            }
        }
        (None, Predicate::And(_)) => if truth { "all of" } else { "one of" }.to_owned(),
        (None, Predicate::Or(_)) => if truth { "one of" } else { "all of" }.to_owned(),
        (None, _) => String::new(),
    };
    let (how, found, exact) = match step.outcome {
        Outcome::Untried(why) => (untried(why), None, false),
        Outcome::Found(known) => {
            let listed = known.listed as u64;
            let found = if known.complement { entries.saturating_sub(listed) } else { listed };
            (Index::of(inmost).map_or_else(|| made(inmost), index), Some(found), known.exact)
        }
    };
    Part {
        part: text,
        how: how.to_owned(),
        found,
        exact,
        rows: step.rows,
        parts: step.inner.iter().map(|inner| part(inner, texts, entries)).collect(),
    }
}

fn index(index: Index) -> &'static str {
    match index {
        Index::Every => "so of every entry",
        Index::Presence => "presence index",
        Index::Equality => "equality index",
        Index::Links => "names and links",
        Index::Range => "equality index, a range",
        Index::Prefix => "equality index, a prefix",
        Index::Grams => "substrings index",
        Index::Chain => "links, followed over any number of entries",
        Index::Walk => "a walk over all values",
    }
}

fn made(part: &Predicate) -> &'static str {
    match part {
        Predicate::Undefined => "undefined",
        _ => "",
    }
}

fn untried(why: Untried) -> &'static str {
    match why {
        Untried::NothingLeft => "not looked up: no candidate is left",
        Untried::FewLeft => "not looked up: few candidates are left, which are tested",
        Untried::AllFound => "not looked up: every entry is a candidate already",
        Untried::Spent => "not looked up: too many rows have been looked at",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::ReplicaSettings;
    use crate::directory::entry::Entry;
    use crate::directory::ids::ObjectId;
    use crate::replica::encoding::{Identity, encode};
    use crate::replica::plan::MANY_ROWS;
    use crate::replica::{Number, Writer};

    /// Forty people, of whom five are called Ada; every other one is disabled.
    fn replica() -> Writer {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("replica.redb");
        let settings = ReplicaSettings { path, cache: 1 << 24, ..ReplicaSettings::default() };
        let writer = crate::replica::open(&settings).unwrap();
        let put = |change: &mut crate::replica::Transaction<'_>| -> Result<(), Error> {
            for at in 0..40u32 {
                let dn = format!("uid=user{at},ou=ou{},dc=x", at % 2);
                let mut entry = Entry::new(Dn::parse(&dn).unwrap());
                let account = if at % 2 == 0 { "514" } else { "512" };
                let name = if at % 8 == 0 { "Ada" } else { "Bob" };
                for (attribute, value) in [
                    ("objectClass", "user"),
                    ("mail", &format!("user{at}@contoso.com")),
                    ("displayName", &format!("{name} Number {at}")),
                    ("userAccountControl", account),
                ] {
                    let known = schema::standard().attribute(attribute.as_bytes()).unwrap();
                    entry.add(known.id, value);
                }
                let object = ObjectId::from_bytes(u128::from(at).to_be_bytes());
                let identity = Identity { kind: None, connection: 0, parent: Number::MAX, object };
                change.put_entry(at, &encode(&entry, &identity, schema::standard()))?;
            }
            Ok(())
        };
        writer.write(put).unwrap();
        writer
    }

    fn planned(filter: &str, base: Option<&str>) -> Planned {
        let question = Question::new(filter, base).unwrap();
        plan(&replica().reader().snapshot(), &question).unwrap()
    }

    /// The plan as lines: depth, part, what was asked, what was found.
    fn lines(part: &Part, depth: usize, out: &mut Vec<String>) {
        let found = part.found.map_or(String::new(), |found| format!(" {found}"));
        out.push(format!("{}{} | {}{found}", "  ".repeat(depth), part.part, part.how));
        part.parts.iter().for_each(|inner| lines(inner, depth + 1, out));
    }

    #[track_caller]
    fn shows(filter: &str, expected: &[&str]) {
        let mut found = Vec::new();
        lines(&planned(filter, None).plan, 0, &mut found);
        assert_eq!(found, expected, "{filter}");
    }

    #[test]
    fn each_part_is_shown_with_what_answers_it() {
        for (filter, line) in [
            ("(mail=user7@contoso.com)", "(mail=user7@contoso.com) | equality index 1"),
            ("(mail=*)", "(mail=*) | presence index 40"),
            ("(objectClass=*)", "(objectClass=*) | so of every entry 40"),
            ("(mail=user1*)", "(mail=user1*) | equality index, a prefix 11"),
            ("(displayName=*ada*)", "(displayName=*ada*) | substrings index 5"),
            ("(mail>=user9)", "(mail>=user9) | equality index, a range 1"),
            ("(displayName=*d*)", "(displayName=*d*) | a walk over all values 5"),
            (
                "(userAccountControl:1.2.840.113556.1.4.803:=2)",
                "(userAccountControl:1.2.840.113556.1.4.803:=2) | a walk over all values 20",
            ),
            ("(member=cn=x)", "(member=cn=x) | names and links 0"),
            (
                "(member:1.2.840.113556.1.4.1941:=cn=x)",
                "(member:1.2.840.113556.1.4.1941:=cn=x) | links, followed over any number of entries 0",
            ),
            ("(!(mail=user7@contoso.com))", "not (mail=user7@contoso.com) | equality index 39"),
            ("(mial=x)", "(mial=x) | undefined 0"),
        ] {
            shows(filter, &[line]);
        }
    }

    #[test]
    fn parts_are_shown_in_the_order_in_which_they_were_asked() {
        shows(
            "(&(objectClass=user)(mail=user7@contoso.com))",
            &[
                "all of |  1",
                "  (mail=user7@contoso.com) | equality index 1",
                "  (objectClass=user) | not looked up: few candidates are left, which are tested",
            ],
        );
        shows(
            "(&(mail=nobody)(objectClass=user))",
            &[
                "all of |  0",
                "  (mail=nobody) | equality index 0",
                "  (objectClass=user) | not looked up: no candidate is left",
            ],
        );
        shows(
            "(!(|(mail=user7@contoso.com)(!(objectClass=user))))",
            &[
                "all of |  39",
                "  (objectClass=user) | equality index 40",
                "  not (mail=user7@contoso.com) | equality index 39",
            ],
        );
    }

    #[test]
    fn what_is_left_to_test_is_tested_and_counted() {
        let found = planned("(&(displayName=*ada*)(!(userAccountControl=512)))", None);
        assert_eq!(
            (found.candidates, found.exact, found.matches, found.at_least),
            (5, false, 5, false)
        );
        assert_eq!(found.cost.tested, 5);
        let found = planned("(mail=*)", None);
        assert_eq!(
            (found.candidates, found.exact, found.matches, found.cost.tested),
            (40, true, 40, 0)
        );
        let found = planned("(mail=*)", Some("OU=OU1,dc=x"));
        assert_eq!((found.candidates, found.matches), (40, 20));
        assert_eq!(
            found.notes,
            ["there is no entry OU=OU1,dc=x: searches below it find no such object"]
        );
        assert!(found.cost.rows > 0 && found.cost.rows < found.cost.most_rows);
    }

    #[test]
    fn that_a_search_has_to_wait_for_others_is_told() {
        // Each part may look at the values of all forty.
        let costly = format!("(|{})", "(displayName=*d*)".repeat(MANY_ROWS as usize / 40));
        let notes = planned(&costly, None).notes;
        assert!(notes.iter().any(|note| note.contains("more than 50000 rows")), "{notes:?}");
        assert_eq!(planned("(displayName=*d*)", None).notes, [""; 0]);
    }

    #[test]
    fn what_finds_nothing_is_told() {
        let found = planned("(&(mail=user7@contoso.com)(mial=x)(telephoneNumber=1))", None);
        assert_eq!(
            (found.matches, &found.notes[..]),
            (0, &["no entry has telephoneNumber".to_owned()][..])
        );
        assert_eq!(found.undefined[0].part, "(mial=x)");
        let error = Question::new("(&(mail=a)(cn=\\zz))", None).unwrap_err().to_string();
        assert!(
            error.contains("at octet 14") && error.contains("(mail=ada@contoso.com)"),
            "{error}"
        );
    }
}
