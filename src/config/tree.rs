//! `[connection.tree]`: names of containers and RDN attributes.

use super::distinct::Distinct;
use super::reader::Table;
use super::settings::{Branch, TreeSettings};
use super::value::{Trouble, Value};

/// Reads the section.
pub(super) fn read(table: &Table<'_>) -> TreeSettings {
    let default = TreeSettings::default();
    let mut names = Distinct::new("container");
    // Each of the attributes has a value on every entry of its container and names
    // no more than one entry there, or is made to by the naming rules.
    TreeSettings {
        users: table.section("users", |t| branch(t, default.users, &["uid", "cn"], &mut names)),
        groups: table.section("groups", |t| branch(t, default.groups, &["cn"], &mut names)),
        contacts: table.section("contacts", |t| branch(t, default.contacts, &["cn"], &mut names)),
        domains: table.section("domains", |t| branch(t, default.domains, &["dc"], &mut names)),
    }
}

fn branch(table: &Table<'_>, default: Branch, rdns: &[&str], names: &mut Distinct) -> Branch {
    let ou = table.or("ou", default.ou, |value| value.string());
    let rdn = table.or("rdn", default.rdn, |value| rdn(value, rdns));
    names.check(table.report, table.place("ou"), &ou);
    Branch { ou, rdn }
}

fn rdn(value: &Value<'_>, suitable: &[&str]) -> Result<String, Trouble> {
    let text = value.text()?;
    let found = suitable.iter().find(|name| name.eq_ignore_ascii_case(text));
    found.map(|name| (*name).to_owned()).ok_or_else(|| {
        let message = format!("{text:?} cannot name these entries");
        Trouble::new(message, format!("choose {}", suitable.join(" or ")))
    })
}
