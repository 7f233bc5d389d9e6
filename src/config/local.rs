//! `[connection.local]`: entries of our own, beside those of the tenant.

use super::reader::Table;
use std::path::PathBuf;

/// `[connection.local]`: entries of our own, beside those of the tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalSettings {
    /// An LDIF file (RFC 2849) with entries below the connection's base.
    pub file: PathBuf,
    /// Who keeps an address or a name that both have.
    pub prefer: Prefer,
}

/// Who keeps what two have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Prefer {
    /// The local entry.
    Local,
    /// The tenant's object.
    #[default]
    Entra,
}

/// Reads the section.
pub(super) fn read(table: &Table<'_>) -> Option<LocalSettings> {
    let file = table.required("file", "write file = \"path of an LDIF file\"", |v| v.path());
    let words = [("entra", Prefer::Entra), ("local", Prefer::Local)];
    let prefer = table.or("prefer", Prefer::default(), |value| value.word(&words));
    Some(LocalSettings { file: file?, prefer })
}
