//! Whether everything that finds entries agrees with the entries: a walk over all of
//! them, against what the snapshot answers.

use entraldap::directory::attribute::{AttributeId, Syntax};
use entraldap::directory::dn::Dn;
use entraldap::directory::entry::Values;
use entraldap::directory::filter::Substrings;
use entraldap::directory::schema;
use entraldap::replica::{Number, Snapshot};
use std::collections::{BTreeMap, BTreeSet};

type Numbers = BTreeSet<Number>;
type Found = BTreeMap<(u16, Vec<u8>), Numbers>;

/// Remembers what earlier states had, so that rows left behind by them are found too.
#[derive(Default)]
pub struct Checker {
    names: BTreeSet<String>,
    grams: BTreeSet<(u16, Vec<u8>)>,
}

const LINKED: [&str; 6] =
    ["member", "memberOf", "manager", "directReports", "distinguishedName", "entryDN"];

fn id(name: &str) -> AttributeId {
    schema::standard().attribute(name.as_bytes()).unwrap().id
}

impl Checker {
    /// Panics at the first disagreement.
    pub fn check(&mut self, snapshot: &Snapshot) {
        let linked: Vec<AttributeId> = LINKED.iter().map(|name| id(name)).collect();
        let (mut equal, mut links, mut grams) = (Found::new(), Found::new(), Found::new());
        let mut present: BTreeMap<u16, Numbers> = BTreeMap::new();
        let mut names = BTreeMap::new();
        let all: Numbers = snapshot.all().unwrap().iter().collect();
        assert_eq!(all.len() as u64, snapshot.len().unwrap(), "entries without objectClass");
        for number in &all {
            let entry = snapshot.entry(*number).unwrap().expect("a posting to a missing entry");
            let dn = entry.view().dn().to_owned();
            let key = Dn::parse(&dn).unwrap().key();
            assert_eq!(snapshot.number(&key).unwrap(), Some(*number), "{dn} is not found by name");
            assert_eq!(names.insert(key.as_bytes().to_vec(), *number), None, "{dn} twice");
            self.names.insert(dn);
            for slot in entry.view().attributes() {
                present.entry(slot.id.0).or_default().insert(*number);
                let attribute = schema::standard().get(slot.id).unwrap();
                for value in entry.values(slot.id) {
                    if linked.contains(&slot.id) {
                        let dn = Dn::parse(std::str::from_utf8(value).unwrap()).unwrap();
                        let key = (slot.id.0, dn.key().as_bytes().to_vec());
                        links.entry(key).or_default().insert(*number);
                        continue;
                    }
                    let Some(key) = attribute.syntax.key(value) else { continue };
                    if attribute.substrings_index && attribute.syntax == Syntax::DirectoryString {
                        for gram in key.windows(3) {
                            grams.entry((slot.id.0, gram.to_vec())).or_default().insert(*number);
                        }
                    }
                    equal.entry((slot.id.0, key.into_vec())).or_default().insert(*number);
                }
            }
        }
        for name in &self.names {
            let key = Dn::parse(name).unwrap().key();
            let found = snapshot.number(&key).unwrap();
            assert_eq!(found, names.get(key.as_bytes()).copied(), "a name left behind: {name}");
        }
        for attribute in schema::standard().attributes() {
            let found: Numbers = snapshot.present(attribute.id).unwrap().iter().collect();
            let wanted = present.remove(&attribute.id.0).unwrap_or_default();
            assert_eq!(found, wanted, "presence of {}", attribute.name);
            if !linked.contains(&attribute.id) {
                let unknown = |key: &[u8]| !equal.contains_key(&(attribute.id.0, key.to_vec()));
                let stale = snapshot.keys_matching(attribute.id, None, &unknown).unwrap();
                assert!(stale.is_empty(), "{}: keys that no entry has", attribute.name);
            }
        }
        for ((attribute, key), wanted) in equal.iter().chain(&links) {
            let found = snapshot.equal(AttributeId(*attribute), key).unwrap();
            let found: Numbers = found.iter().collect();
            assert_eq!(&found, wanted, "attribute {attribute} key {}", key.escape_ascii());
            // As the file has it, whatever memory says.
            let count = snapshot.count_equal(AttributeId(*attribute), key).unwrap();
            assert_eq!(count, wanted.len(), "attribute {attribute} key {}", key.escape_ascii());
        }
        self.grams.extend(grams.keys().cloned());
        for (attribute, gram) in &self.grams {
            let piece = Substrings { any: vec![gram.clone().into()], ..Substrings::default() };
            let (found, _) = snapshot.substrings(AttributeId(*attribute), &piece, None).unwrap();
            let found: Numbers = found.iter().collect();
            let wanted = grams.get(&(*attribute, gram.clone())).cloned().unwrap_or_default();
            assert_eq!(found, wanted, "attribute {attribute} gram {}", gram.escape_ascii());
        }
        self.links(snapshot, &all, &links);
        accounts(snapshot, &equal);
    }

    /// Nobody is found by a DN that no entry names; chains are what one walks by hand.
    fn links(&self, snapshot: &Snapshot, all: &Numbers, links: &Found) {
        for number in all {
            let entry = snapshot.entry(*number).unwrap().unwrap();
            let key = Dn::parse(entry.view().dn()).unwrap().key().as_bytes().to_vec();
            for name in ["member", "memberOf", "manager", "directReports"] {
                let attribute = id(name);
                let found: Numbers = snapshot.equal(attribute, &key).unwrap().iter().collect();
                let direct = links.get(&(attribute.0, key.clone())).cloned().unwrap_or_default();
                assert_eq!(found, direct, "{name} of {}", entry.view().dn());
                let mut reached = Numbers::new();
                let mut open = direct;
                while let Some(next) = open.pop_first() {
                    if reached.insert(next) {
                        let entry = snapshot.entry(next).unwrap().unwrap();
                        let key = Dn::parse(entry.view().dn()).unwrap().key();
                        let key = (attribute.0, key.as_bytes().to_vec());
                        open.extend(links.get(&key).into_iter().flatten());
                    }
                }
                let found = snapshot.in_chain(attribute, &key).unwrap().iter().collect();
                assert_eq!(reached, found, "chain of {name} from {}", entry.view().dn());
            }
        }
    }
}

/// Of the objects of one connection, no two have one account.
fn accounts(snapshot: &Snapshot, equal: &Found) {
    let account = id("sAMAccountName").0;
    for ((attribute, key), holders) in equal {
        if *attribute == account {
            let connection = |number: &Number| {
                let entry = snapshot.entry(*number).unwrap().unwrap();
                entry.view().identity().connection
            };
            let connections: BTreeSet<u16> = holders.iter().map(connection).collect();
            assert_eq!(holders.len(), connections.len(), "account {} twice", key.escape_ascii());
        }
    }
}
