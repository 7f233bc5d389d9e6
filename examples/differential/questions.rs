//! All kinds of questions, asked to both servers.

use crate::allowed;
use crate::definitions;
use crate::generate::Generator;
use crate::intended;
use crate::leaf::Leaf;
use crate::report::Report;
use crate::server::{self, Found, Server, Where, readable};
use crate::values;
use entraldap::directory::dn::Dn;
use entraldap::directory::filter::Filter;
use ldap3::{LdapError, Scope};
use std::collections::BTreeSet;

/// Both servers, and what they are asked.
pub(crate) struct Questions<'d> {
    pub(crate) we: Server,
    pub(crate) slapd: Server,
    pub(crate) make: Generator<'d>,
    /// What came out.
    pub(crate) report: Report,
    /// The name that all others end with.
    pub(crate) suffix: String,
    /// Entries that have others below them.
    containers: Vec<String>,
    /// Entries whose strings slapd folds otherwise (see [`intended::ODD_LETTERS`]).
    pub(crate) odd: BTreeSet<Vec<u8>>,
}

/// Where a question is asked.
type Place = (String, Scope);

impl<'d> Questions<'d> {
    /// Finds out about the tree.
    pub(crate) fn new(we: Server, slapd: Server, make: Generator<'d>) -> Self {
        let names = make.dump.entries.iter().filter_map(|entry| Dn::parse(&entry.dn).ok());
        let parents: BTreeSet<String> =
            names.filter_map(|dn| dn.parent()).map(|dn| dn.to_string()).collect();
        let own = |dn: &&String| make.dump.entries.iter().any(|entry| entry.dn == **dn);
        let containers: Vec<String> = parents.iter().filter(own).cloned().collect();
        let suffix = containers.iter().min_by_key(|dn| dn.len()).cloned().unwrap_or_default();
        let odd =
            make.dump.entries.iter().filter(|entry| {
                entry.values.iter().any(|(_, value)| intended::has_odd_letter(value))
            });
        let odd = odd.map(|entry| server::key(&entry.dn)).collect();
        Questions { we, slapd, make, report: Report::default(), suffix, containers, odd }
    }

    /// Whether answers differ in nothing but entries whose strings slapd folds otherwise.
    pub(crate) fn is_odd(&self, we: &Found, slapd: &Found) -> bool {
        let mut between = we.entries.symmetric_difference(&slapd.entries);
        we.code == slapd.code
            && (we.double, slapd.double) == (0, 0)
            && between.all(|entry| self.odd.contains(entry))
    }

    /// Asks everything; so many filters, and other questions in proportion.
    pub(crate) async fn all(&mut self, filters: usize) -> Result<(), LdapError> {
        self.definitions().await?;
        self.examples().await?;
        self.leaves(filters / 2).await?;
        self.trees(filters - filters / 2).await?;
        self.bases(filters / 8).await?;
        self.compares(filters / 3).await?;
        self.reads(filters / 6).await?;
        self.sorts(filters / 30).await?;
        self.pages(filters / 60).await?;
        self.limits(filters / 60).await
    }

    /// Attributes that both know must be defined alike, or else compare differently for
    /// reasons that are nobody's fault.
    async fn definitions(&mut self) -> Result<(), LdapError> {
        let list = &["attributeTypes"];
        let (we, slapd) = tokio::try_join!(
            self.we.read("cn=Subschema", list, false),
            self.slapd.read("cn=Subschema", list, false)
        )?;
        let defined = |(_, attributes): &(u32, server::Attributes)| {
            let texts: Vec<String> = attributes
                .values()
                .flatten()
                .map(|text| String::from_utf8_lossy(text).into_owned())
                .collect();
            definitions::read(texts.iter().map(String::as_str))
        };
        let (we, slapd) = (defined(&we), defined(&slapd));
        for (name, ours) in &we {
            self.report.ask("definitions");
            let listed =
                allowed::DEFINITIONS.iter().find(|(list, _)| list.contains(&ours.name.as_str()));
            match slapd.get(name) {
                Some(theirs) if theirs.rules() == ours.rules() => {}
                _ if listed.is_some() => self.report.intend("definitions"),
                theirs => {
                    let text = format!("  we {ours:?}\n  slapd {theirs:?}");
                    self.report.differ("definitions".to_owned(), text);
                }
            }
        }
        Ok(())
    }

    async fn find(&mut self, place: &Place, filter: &str) -> Result<(Found, Found), LdapError> {
        let what = Where { base: &place.0, scope: place.1, filter };
        tokio::try_join!(self.we.find(what), self.slapd.find(what))
    }

    /// The answers of both to an assertion, plain and negated.
    async fn both(&mut self, filter: &Filter<'_>) -> Result<[[Found; 2]; 2], LdapError> {
        let everywhere = (self.suffix.clone(), Scope::Subtree);
        let (we, slapd) = self.find(&everywhere, &filter.to_string()).await?;
        let (not_we, not_slapd) = self.find(&everywhere, &format!("(!{filter})")).await?;
        Ok([[we, not_we], [slapd, not_slapd]])
    }

    /// What is listed must be so: a difference that is gone is to be taken off the list.
    async fn examples(&mut self) -> Result<(), LdapError> {
        for known in intended::LEAVES.iter().filter(|known| !known.example.is_empty()) {
            self.report.ask("examples of intended differences");
            let covered = Filter::parse(known.example).ok();
            let covered = covered.filter(|filter| {
                intended::leaves(filter).any(|covering| covering.what == known.what)
            });
            let holds = match &covered {
                Some(filter) => {
                    let [we, slapd] = self.both(filter).await?;
                    we != slapd && known.explains(&we, &slapd)
                }
                None => false,
            };
            if holds {
                self.report.intend(known.what);
            } else {
                let text = format!("  {}: {}", known.what, known.example);
                self.report.differ("listed, and no such difference".to_owned(), text);
            }
        }
        Ok(())
    }

    /// Single assertions, and what is undefined of them: each is asked negated, too.
    async fn leaves(&mut self, count: usize) -> Result<(), LdapError> {
        for _ in 0..count {
            self.report.ask("assertions, each negated as well");
            let filter = self.make.leaf();
            let [we, slapd] = self.both(&filter).await?;
            if we == slapd {
                continue;
            }
            if let Some(known) = intended::leaves(&filter).find(|known| known.explains(&we, &slapd))
            {
                self.report.intend(known.what);
                continue;
            }
            let [we, not_we] = &we;
            let [slapd, not_slapd] = &slapd;
            let is_string = Leaf::of(&filter).is_some_and(|leaf| leaf.is_string());
            if is_string && self.is_odd(we, slapd) && self.is_odd(not_we, not_slapd) {
                self.report.intend(intended::ODD_LETTERS);
                continue;
            }
            let group = Leaf::of(&filter).map(|leaf| leaf.group()).unwrap_or_default();
            let text = format!(
                "  {filter}\n    we {we}; negated {not_we}\n    slapd {slapd}; negated \
                 {not_slapd}{}",
                only(we, slapd)
            );
            self.report.differ(group, text);
        }
        Ok(())
    }

    /// Filters of filters, at all kinds of places.
    async fn trees(&mut self, count: usize) -> Result<(), LdapError> {
        for _ in 0..count {
            self.report.ask("filters of filters");
            let filter = self.make.tree(4);
            let place = self.place();
            if self.differs(&place, &filter).await? {
                let filter = self.shrink(&place, filter).await?;
                let text = filter.to_string();
                let (we, slapd) = self.find(&place, &text).await?;
                let text = format!(
                    "  {text}\n    at {:?} {:?}\n    we {we}\n    slapd {slapd}{}",
                    place.0,
                    place.1,
                    only(&we, &slapd)
                );
                self.report.differ("filters of filters".to_owned(), text);
            }
        }
        Ok(())
    }

    async fn differs(&mut self, place: &Place, filter: &Filter<'_>) -> Result<bool, LdapError> {
        let (we, slapd) = self.find(place, &filter.to_string()).await?;
        let differs = we != slapd && !self.is_odd(&we, &slapd);
        if we != slapd && !differs {
            self.report.intend(intended::ODD_LETTERS);
        }
        Ok(differs)
    }

    /// A part of the filter that is answered differently, too, and has no smaller such part.
    async fn shrink(
        &mut self,
        place: &Place,
        filter: Filter<'static>,
    ) -> Result<Filter<'static>, LdapError> {
        let mut smallest = filter;
        'smaller: loop {
            for part in smaller(&smallest) {
                if self.differs(place, &part).await? {
                    smallest = part;
                    continue 'smaller;
                }
            }
            return Ok(smallest);
        }
    }

    fn place(&mut self) -> Place {
        let rng = &mut self.make.rng;
        let scope = match rng.below(3) {
            0 => Scope::Base,
            1 => Scope::OneLevel,
            _ => Scope::Subtree,
        };
        match rng.below(10) {
            0..=5 => (self.suffix.clone(), Scope::Subtree),
            6 | 7 => (rng.pick(&self.containers).cloned().unwrap_or_default(), scope),
            // Both are told to take the empty base for the whole tree.
            8 => (String::new(), Scope::Subtree),
            _ => (self.make.dump.dn(rng).to_owned(), scope),
        }
    }

    /// Bases as people write them, and bases that are not there.
    async fn bases(&mut self, count: usize) -> Result<(), LdapError> {
        for _ in 0..count {
            self.report.ask("bases");
            let (dn, scope) = self.place();
            let rng = &mut self.make.rng;
            let dn = if rng.one_in(3) { format!("cn=nobody,{dn}") } else { dn };
            let dn = values::near_dn(&dn, rng);
            if dn.is_empty() {
                continue;
            }
            let place = (dn, scope);
            let (we, slapd) = self.find(&place, "(objectClass=*)").await?;
            let refused = intended::is_odd_name(&place.0) || place.0.contains("=#");
            if refused && slapd.code == 34 && [0, 32].contains(&we.code) {
                self.report.intend("bases with names that slapd refuses");
            } else if we != slapd {
                let group = format!("bases, {} and {}", we.code, slapd.code);
                let text = format!("  {:?} {scope:?}\n    we {we}\n    slapd {slapd}", place.0);
                self.report.differ(group, text);
            }
        }
        Ok(())
    }

    async fn compares(&mut self, count: usize) -> Result<(), LdapError> {
        for _ in 0..count {
            self.report.ask("compares");
            let Some(entry) = self.make.rng.pick(&self.make.dump.entries) else { return Ok(()) };
            let own = self.make.rng.pick(&entry.values).filter(|_| self.make.rng.below(3) > 0);
            let (attribute, value) = match own {
                Some((attribute, value)) if self.make.rng.one_in(2) => (*attribute, value.clone()),
                Some((attribute, _)) => {
                    let value = values::assertion(self.make.dump, attribute, &mut self.make.rng);
                    (*attribute, value)
                }
                None => {
                    let attribute = self.make.attribute();
                    let value = values::assertion(self.make.dump, attribute, &mut self.make.rng);
                    (attribute, value)
                }
            };
            if allowed::is_excluded(attribute) {
                continue;
            }
            let name = match self.make.rng.one_in(30) {
                true => b"bogus".to_vec(),
                false => self.make.spelled(attribute),
            };
            let dn = match self.make.rng.one_in(20) {
                true => values::near_dn(&entry.dn, &mut self.make.rng),
                false => entry.dn.clone(),
            };
            let text = String::from_utf8_lossy(&name).into_owned();
            let (we, slapd) = tokio::try_join!(
                self.we.compare(&dn, &text, &value),
                self.slapd.compare(&dn, &text, &value)
            )?;
            if we == slapd {
                continue;
            }
            let filter = Filter::Equality(name.into(), value.into());
            let Some(leaf) = Leaf::of(&filter) else { continue };
            if [(5, 6), (6, 5)].contains(&(we, slapd))
                && leaf.is_string()
                && self.odd.contains(&server::key(&entry.dn))
            {
                self.report.intend(intended::ODD_LETTERS);
                continue;
            }
            let listed = allowed::COMPARES
                .iter()
                .find(|(_, _, covers, codes)| codes.contains(&(we, slapd)) && covers(&leaf, &dn));
            match listed {
                Some((what, ..)) => self.report.intend(what),
                None => {
                    let group = format!("compare {we} {slapd}: {}", leaf.group());
                    self.report.differ(group, format!("  {dn} {filter}: we {we}, slapd {slapd}"));
                }
            }
        }
        Ok(())
    }
}

/// Some entries that only one of them found.
fn only(we: &Found, slapd: &Found) -> String {
    let list = |one: &Found, other: &Found| -> Vec<String> {
        one.entries.difference(&other.entries).take(2).map(|key| readable(key)).collect()
    };
    let (ours, theirs) = (list(we, slapd), list(slapd, we));
    let mut out = String::new();
    if !ours.is_empty() {
        out.push_str(&format!("\n    only we: {}", ours.join("; ")));
    }
    if !theirs.is_empty() {
        out.push_str(&format!("\n    only slapd: {}", theirs.join("; ")));
    }
    out
}

/// Filters that are one step smaller.
fn smaller<'a>(filter: &Filter<'a>) -> Vec<Filter<'a>> {
    let lists = |list: &[Filter<'a>], make: fn(Vec<Filter<'a>>) -> Filter<'a>| {
        let without = |at: usize| {
            let kept = list.iter().enumerate().filter(|(n, _)| *n != at);
            make(kept.map(|(_, inner)| inner.clone()).collect())
        };
        let mut out = list.to_vec();
        out.extend((0..list.len()).map(without));
        for (at, inner) in list.iter().enumerate() {
            for part in smaller(inner) {
                let replaced = list.iter().enumerate();
                let replaced =
                    replaced.map(|(n, own)| if n == at { part.clone() } else { own.clone() });
                out.push(make(replaced.collect()));
            }
        }
        out
    };
    match filter {
        Filter::And(list) => lists(list, Filter::And),
        Filter::Or(list) => lists(list, Filter::Or),
        Filter::Not(inner) => {
            let mut out = vec![(**inner).clone()];
            out.extend(smaller(inner).into_iter().map(|part| Filter::Not(Box::new(part))));
            out
        }
        _ => Vec::new(),
    }
}
