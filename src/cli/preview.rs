//! The answer to `entraldap sync --dry-run`, for people.

use super::{Failure, status};
use crate::replica::log::{Action, Change};
use crate::sync::Preview;
use std::io::Write;

/// Prints what a pass would do: every change, then the totals.
pub(super) fn tell(preview: &Preview, out: &mut impl Write) -> Result<(), Failure> {
    let record = &preview.record;
    writeln!(out, "connection  {}: what a {} pass would do", record.connection, record.kind)?;
    for change in &preview.changes {
        change_lines(change, out)?;
    }
    if preview.changes.is_empty() {
        writeln!(out, "  nothing would change")?;
    }
    writeln!(
        out,
        "  in all    {} added, {} changed, {} removed",
        record.added, record.changed, record.removed
    )?;
    for warning in &record.warnings {
        writeln!(out, "  warning   {warning}")?;
    }
    for reason in &preview.held {
        writeln!(out, "  held      {reason}")?;
    }
    if !preview.held.is_empty() {
        writeln!(
            out,
            "            the pass would wait for `entraldap approve {}`",
            record.connection
        )?;
    }
    Ok(())
}

/// The lines that tell of a change.
pub(super) fn change_lines(change: &Change, out: &mut impl Write) -> Result<(), Failure> {
    let (sign, name) = match change.action {
        Action::Added => ("add", &change.dn),
        Action::Changed => ("change", &change.dn),
        Action::Removed => ("remove", &change.dn),
    };
    let name = if name.is_empty() { &change.object } else { name };
    match change.why.as_str() {
        "" => writeln!(out, "  {sign:<9} {name}")?,
        why => writeln!(out, "  {sign:<9} {name} ({why})")?,
    }
    for attribute in &change.attributes {
        for value in &attribute.removed {
            writeln!(out, "            - {}: {value}", attribute.name)?;
        }
        for value in &attribute.added {
            writeln!(out, "            + {}: {value}", attribute.name)?;
        }
        if attribute.more > 0 {
            writeln!(out, "              {}: and {} more", attribute.name, attribute.more)?;
        }
    }
    Ok(())
}

/// A change in the life of an object.
pub(super) fn life_lines(change: &Change, out: &mut impl Write) -> Result<(), Failure> {
    writeln!(out, "{} pass {}", status::shown(change.time), change.pass)?;
    change_lines(change, out)
}
