//! The way up from older formats: one step per format, applied in the transaction
//! that sets the new one.
//!
//! Format 1 is the first; in format 2 there are two tables more. Entries and indexes need no step of their own: they are
//! derived anew whenever the mapping's fingerprint differs from the stored one, so a
//! step only has to bring the source tables up.

use redb::WriteTransaction;

/// A step from one format to the next.
type Step = fn(&WriteTransaction) -> Result<(), redb::Error>;

/// The step at place `n` leads from format `n` to `n + 1`.
const STEPS: &[Step] = &[
    // Format 0 was never released: a file that says so holds no tables yet.
    |_| Ok(()),
    // Format 2 has tables for why an object is left out and for account names by object.
    // They are there by now, and the entries are derived anew.
    |_| Ok(()),
];

/// Applies all steps from format `found` on.
pub(super) fn upgrade(txn: &WriteTransaction, found: u32) -> Result<(), redb::Error> {
    STEPS.iter().skip(found as usize).try_for_each(|step| step(txn))
}
