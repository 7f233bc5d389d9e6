//! `[connection.scope]`: whose data is copied at all.

use super::reader::Table;
use super::value::{Trouble, Value};

/// `[connection.scope]`: whose data is copied. Nobody else's is in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeSettings {
    /// Groups by object id, mail address or display name: they and their members are
    /// copied. Empty for the whole tenant.
    pub groups: Vec<String>,
    /// Whether members of member groups belong to it.
    pub nested: bool,
}

impl Default for ScopeSettings {
    fn default() -> Self {
        ScopeSettings { groups: Vec::new(), nested: true }
    }
}

/// Reads the section.
pub(super) fn read(table: &Table<'_>) -> ScopeSettings {
    let default = ScopeSettings::default();
    ScopeSettings {
        groups: table.or("groups", default.groups, |value| {
            let groups = value.list(Value::string)?;
            let doubled = groups.iter().enumerate().find(|(at, group)| {
                groups.iter().take(*at).any(|other| other.eq_ignore_ascii_case(group))
            });
            match doubled {
                Some((_, group)) => {
                    Err(Trouble::new(format!("names {group:?} twice"), "keep one of the two"))
                }
                None => Ok(groups),
            }
        }),
        nested: table.or("nested", default.nested, |value| value.boolean()),
    }
}
