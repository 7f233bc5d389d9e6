//! What there is to know of a search beside its plan. Pure: no clock; reads the snapshot.

use super::understood;
use crate::directory::dn::Dn;
use crate::directory::filter::Filter;
use crate::directory::predicate::Predicate;
use crate::replica::plan::{self, Budget, MANY_ROWS};
use crate::replica::{Error, Snapshot};

/// Notes of a search below `base`.
pub(super) fn notes(
    snapshot: &Snapshot,
    filter: &Filter<'_>,
    base: Option<&Dn>,
    bound: &Predicate,
) -> Result<Vec<String>, Error> {
    let mut notes = Vec::new();
    for context in snapshot.contexts().iter().filter(|context| context.entry.is_none()) {
        notes.push(format!(
            "the first sync of {} is not complete: searches there are answered unavailable",
            context.base
        ));
    }
    if let Some(base) = base
        && !base.is_root()
        && snapshot.number(&base.key())?.is_none()
    {
        notes.push(format!("there is no entry {base}: searches below it find no such object"));
    }
    for attribute in understood::attributes(filter) {
        if !attribute.is_constructed() && snapshot.present(attribute.id)?.is_empty() {
            notes.push(format!("no entry has {}", attribute.name));
        }
    }
    let patient = Budget::new(snapshot)?.patience(MANY_ROWS);
    plan::matching(bound, snapshot, &patient)?;
    if patient.is_given_up() {
        notes.push(format!(
            "without a size limit more than {MANY_ROWS} rows may have to be looked at: such searches \
             wait for each other, half as many at once as there are cores, and let others go first"
        ));
    }
    Ok(notes)
}
