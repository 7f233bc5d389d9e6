//! What was asked, and what came out of it.

use crate::intended;
use std::collections::BTreeMap;

/// Counts, and the differences to be shown.
#[derive(Default)]
pub(crate) struct Report {
    asked: BTreeMap<&'static str, usize>,
    intended: BTreeMap<&'static str, usize>,
    groups: BTreeMap<String, Vec<String>>,
}

/// How many differences of a group are shown.
const SHOWN: usize = 4;

impl Report {
    /// One more question of a kind.
    pub(crate) fn ask(&mut self, kind: &'static str) {
        *self.asked.entry(kind).or_default() += 1;
    }

    /// A difference that is as it should be.
    pub(crate) fn intend(&mut self, what: &'static str) {
        *self.intended.entry(what).or_default() += 1;
    }

    /// A difference.
    pub(crate) fn differ(&mut self, group: String, text: String) {
        self.groups.entry(group).or_default().push(text);
    }

    /// Prints everything. Says whether there was no difference but intended ones.
    pub(crate) fn print(&self) -> bool {
        for (kind, count) in &self.asked {
            println!("{count:6} {kind}");
        }
        println!("intended differences, and how often they were seen:");
        for (what, count) in &self.intended {
            println!("{count:6} {what}");
        }
        let unseen = intended::LEAVES.iter().filter(|k| !self.intended.contains_key(k.what));
        for known in unseen {
            println!("{:6} {}: {}", 0, known.what, known.why);
        }
        let count: usize = self.groups.values().map(Vec::len).sum();
        println!("{count} other differences");
        for (group, texts) in &self.groups {
            println!("-- {group}: {}", texts.len());
            texts.iter().take(SHOWN).for_each(|text| println!("{text}"));
        }
        count == 0
    }
}
