//! Operations that a read-only server refuses. Pure: no I/O, no clock.

use super::wire::response::Outcome;
use ldap3_proto::LdapResultCode;

/// The answer to add, modify, delete and rename.
pub(crate) fn write() -> Outcome {
    Outcome::new(
        LdapResultCode::UnwillingToPerform,
        "this directory is a read-only copy; changes are made in Microsoft Entra",
    )
}
