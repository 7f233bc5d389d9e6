//! Questions about what comes back, and in which order: attributes, sorts, pages, limits.

use crate::allowed;
use crate::intended;
use crate::questions::Questions;
use crate::server::{self, Where};
use entraldap::directory::filter::Filter;
use entraldap::directory::schema;
use ldap3::{LdapError, Scope};
use std::collections::BTreeSet;

impl Questions<'_> {
    /// Which attributes are returned, under which names, with which values.
    pub(crate) async fn reads(&mut self, count: usize) -> Result<(), LdapError> {
        for _ in 0..count {
            self.report.ask("lists of attributes");
            let mut listed = BTreeSet::new();
            let list = self.list();
            let list: Vec<&str> = list.iter().map(String::as_str).collect();
            let dn = self.make.dump.dn(&mut self.make.rng).to_owned();
            let types_only = self.make.rng.one_in(8);
            let (mut we, mut slapd) = tokio::try_join!(
                self.we.read(&dn, &list, types_only),
                self.slapd.read(&dn, &list, types_only)
            )?;
            let names: BTreeSet<String> = we.1.keys().chain(slapd.1.keys()).cloned().collect();
            for name in names.iter().filter(|name| we.1.get(*name) != slapd.1.get(*name)) {
                let only_we = !slapd.1.contains_key(name);
                if let Some(why) = allowed::returned(name, &list, only_we) {
                    self.report.intend(why);
                    listed.insert(name.clone());
                }
            }
            we.1.retain(|name, _| !listed.contains(name));
            slapd.1.retain(|name, _| !listed.contains(name));
            if we == slapd {
                continue;
            }
            let names: BTreeSet<&String> = we.1.keys().chain(slapd.1.keys()).collect();
            let uneven = names.iter().filter(|name| we.1.get(**name) != slapd.1.get(**name));
            let uneven: Vec<String> = uneven
                .map(|name| {
                    let one = |list: &server::Attributes| list.get(*name).map(BTreeSet::len);
                    format!("{name} (we {:?}, slapd {:?})", one(&we.1), one(&slapd.1))
                })
                .collect();
            let text = format!("  {list:?} of {dn}: {}", uneven.join(", "));
            self.report.differ("attributes returned".to_owned(), text);
        }
        Ok(())
    }

    fn list(&mut self) -> Vec<String> {
        let count = self.make.rng.below(5);
        let mut one = || match self.make.rng.below(12) {
            0 => "*".to_owned(),
            1 => "1.1".to_owned(),
            2 => "bogus".to_owned(),
            3 => "@person".to_owned(),
            4 => {
                let classes = schema::standard().classes();
                self.make.rng.pick(classes).map_or_else(String::new, |c| format!("@{}", c.name))
            }
            _ => {
                let attribute = self.make.attribute();
                String::from_utf8_lossy(&self.make.spelled(attribute)).into_owned()
            }
        };
        (0..count).map(|_| one()).collect()
    }

    /// The order of sorted entries, by what they are sorted by.
    pub(crate) async fn sorts(&mut self, count: usize) -> Result<(), LdapError> {
        let used = self.make.dump.all_used().filter(|a| !allowed::is_excluded(a));
        let used: Vec<_> = used.filter(|a| a.single_value).collect();
        for _ in 0..count {
            self.report.ask("sorted searches");
            let rng = &mut self.make.rng;
            let keys: Vec<(&str, Option<&str>, bool)> = (0..1 + rng.below(2))
                .filter_map(|_| {
                    let attribute = rng.pick(&used)?;
                    let rule = attribute.syntax.ordering_rule();
                    // slapd's own definitions have no rule to fall back to.
                    let must = allowed::NO_ORDERING_IN_SLAPD.contains(&attribute.name);
                    let rule = rule.map(|(name, oid)| if rng.one_in(2) { name } else { oid });
                    Some((attribute.name, rule.filter(|_| must || rng.one_in(2)), rng.one_in(2)))
                })
                .collect();
            let critical = rng.one_in(2);
            let filter =
                rng.pick(&["(objectClass=*)", "(objectClass=user)", "(mail=*)", "(!(sn=*))"]);
            let what = Where {
                base: &self.suffix,
                scope: Scope::Subtree,
                filter: filter.copied().unwrap_or_default(),
            };
            let (mut we, mut slapd) = tokio::try_join!(
                self.we.find_sorted(what, &keys, critical),
                self.slapd.find_sorted(what, &keys, critical)
            )?;
            if we.sorted == slapd.sorted && we.sorted != Some(0) {
                // Unsorted: in whatever order.
                we.keys.sort();
                slapd.keys.sort();
            }
            let odd = |key: &Vec<Option<Vec<u8>>>| {
                key.iter().flatten().any(|value| intended::has_odd_letter(value))
            };
            if we != slapd && we.keys.iter().chain(&slapd.keys).any(odd) {
                self.report.intend(intended::ODD_LETTERS);
                we.keys.retain(|key| !odd(key));
                slapd.keys.retain(|key| !odd(key));
            }
            // RFC 2891 2: a sort that fails is told in the response control, and ends the search
            // only where it is critical, with unavailableCriticalExtension. slapd always ends it,
            // with the sort's own code.
            if we.sorted.is_some_and(|code| code > 0 && u32::from(code) == slapd.code) {
                let right = if critical { 12 } else { 0 };
                if we.code == right {
                    self.report.intend("sorts that fail: RFC 2891 2 and not as slapd does");
                    continue;
                }
            }
            // RFC 2891 1.1: an attribute "multiple times": "unwillingToPerform".
            let twice = keys.first().map(|key| key.0) == keys.get(1).map(|key| key.0);
            if twice && we.sorted == Some(53) && slapd.sorted == Some(0) {
                self.report.intend("sorts by an attribute twice: slapd does not mind");
                continue;
            }
            if we != slapd {
                let at = we.keys.iter().zip(&slapd.keys).position(|(a, b)| a != b);
                let text = format!(
                    "  {keys:?} {} critical {critical}\n    we code {}, sorted {:?}, {} entries; \
                     slapd code {}, sorted {:?}, {} entries; first difference at {at:?}: {:?}",
                    what.filter,
                    we.code,
                    we.sorted,
                    we.keys.len(),
                    slapd.code,
                    slapd.sorted,
                    slapd.keys.len(),
                    at.map(|at| (shown(we.keys.get(at)), shown(slapd.keys.get(at))))
                );
                self.report.differ("sorted searches".to_owned(), text);
            }
        }
        Ok(())
    }

    pub(crate) async fn pages(&mut self, count: usize) -> Result<(), LdapError> {
        let all = i32::try_from(self.make.dump.entries.len()).unwrap_or(i32::MAX);
        let sizes = [1, 2, 7, 50, 100, all - 1, all, all + 1, 10_000];
        for (at, size) in sizes.iter().cycle().take(count.max(sizes.len())).enumerate() {
            self.report.ask("paged searches");
            let filter = match at < sizes.len() {
                true => Filter::Present(b"objectClass".into()),
                false => self.make.tree(2),
            };
            let text = filter.to_string();
            let what = Where { base: &self.suffix, scope: Scope::Subtree, filter: &text };
            let (we, slapd) = tokio::try_join!(
                self.we.find_paged(what, *size),
                self.slapd.find_paged(what, *size)
            )?;
            if we != slapd && !self.is_odd(&we.0, &slapd.0) {
                let text = format!(
                    "  {text} in pages of {size}\n    we {}, {} pages\n    slapd {}, {} pages",
                    we.0, we.1, slapd.0, slapd.1
                );
                self.report.differ("paged searches".to_owned(), text);
            }
        }
        Ok(())
    }

    /// How many come is compared: which ones come is up to the server.
    pub(crate) async fn limits(&mut self, count: usize) -> Result<(), LdapError> {
        for _ in 0..count {
            self.report.ask("size limits");
            let filter = self.make.tree(2).to_string();
            let what = Where { base: &self.suffix, scope: Scope::Subtree, filter: &filter };
            let limit = self.make.rng.pick(&[1, 2, 10, 100, 1000]).copied().unwrap_or(1);
            let (we, slapd) = tokio::try_join!(
                self.we.find_some(what, limit),
                self.slapd.find_some(what, limit)
            )?;
            let same = (we.code, we.entries.len()) == (slapd.code, slapd.entries.len());
            if !same && !self.is_odd(&we, &slapd) {
                let text = format!("  {filter} limit {limit}\n    we {we}\n    slapd {slapd}");
                self.report.differ("size limits".to_owned(), text);
            }
        }
        Ok(())
    }
}

fn shown(key: Option<&Vec<Option<Vec<u8>>>>) -> String {
    let one = |value: &Option<Vec<u8>>| match value {
        Some(value) => String::from_utf8_lossy(value).into_owned(),
        None => "-".to_owned(),
    };
    key.map(|values| values.iter().map(one).collect::<Vec<_>>().join(" | ")).unwrap_or_default()
}
