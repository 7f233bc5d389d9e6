//! Names that may occur only once.

use super::reader::{Place, Report};
use super::value::Trouble;
use crate::directory::text;
use std::collections::HashMap;

/// Names seen so far, compared without case.
pub(super) struct Distinct {
    what: &'static str,
    seen: HashMap<String, Place>,
}

impl Distinct {
    /// No names yet; `what` they name is told in the problem.
    pub(super) fn new(what: &'static str) -> Self {
        Distinct { what, seen: HashMap::new() }
    }

    /// Reports `name` if it was seen before.
    pub(super) fn check(&mut self, report: &Report<'_>, place: Place, name: &str) {
        match self.seen.get(&text::fold(name)) {
            Some(first) => {
                // A default takes no line of its own, so the key is named as well.
                let message = format!(
                    "{name:?} is also the {} in line {} ({})",
                    self.what,
                    report.line(first),
                    first.key
                );
                report.problem(&place, Trouble::new(message, "choose another"));
            }
            None => {
                self.seen.insert(text::fold(name), place);
            }
        }
    }
}
