//! Which permission serves what (graph.md 2). Pure: no I/O, no clock.

use super::auth::TokenInfo;

/// A part of what is copied, and what may read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// What it is.
    pub part: Part,
    /// The least permission.
    pub least: &'static str,
    /// Others that do as well.
    others: &'static [&'static str],
    /// What is missing without it.
    pub without: &'static str,
}

/// What is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Nothing works without.
    Users,
    /// Groups with their members.
    Groups,
    /// Mail contacts.
    Contacts,
    /// Accepted domains.
    Domains,
    /// The tenant's name.
    Organization,
    /// Members of groups that hide them.
    HiddenMembers,
}

const EVERYTHING: [&str; 2] = ["Directory.Read.All", "Directory.ReadWrite.All"];

/// All parts.
pub const NEEDS: [Need; 6] = [
    Need {
        part: Part::Users,
        least: "User.Read.All",
        others: &["User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"],
        without: "nothing is copied",
    },
    Need {
        part: Part::Groups,
        least: "GroupMember.Read.All",
        others: &[
            "Group.Read.All",
            "Group.ReadWrite.All",
            "GroupMember.ReadWrite.All",
            "Directory.Read.All",
            "Directory.ReadWrite.All",
        ],
        without: "groups and distribution lists are not copied: gateways refuse mail to them",
    },
    Need {
        part: Part::Contacts,
        least: "OrgContact.Read.All",
        others: &EVERYTHING,
        without: "mail contacts are not copied: gateways refuse mail to them; contacts = false says that this is meant",
    },
    Need {
        part: Part::Domains,
        least: "Domain.Read.All",
        others: &["Domain.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"],
        without: "there are no entries for the accepted domains",
    },
    Need {
        part: Part::Organization,
        least: "Organization.Read.All",
        others: &["Organization.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"],
        without: "the tenant's name is not known",
    },
    Need {
        part: Part::HiddenMembers,
        least: "Member.Read.Hidden",
        others: &[],
        without: "groups that hide their members stay empty",
    },
];

impl Need {
    /// Whether a token may read it; `None` where the token does not say what it may.
    pub fn is_met(&self, token: &TokenInfo) -> Option<bool> {
        let held = token.permissions.as_ref()?;
        // In the name of a person, the name of the tenant takes less.
        let person = token.person.is_some() && self.part == Part::Organization;
        if person && held.iter().any(|one| one == "User.Read" || one == "User.Read.All") {
            return Some(true);
        }
        Some(held.iter().any(|one| one == self.least || self.others.contains(&one.as_str())))
    }
}

/// Permissions that allow writing, which is never done.
pub fn needless(token: &TokenInfo) -> Vec<&str> {
    let held = token.permissions.iter().flatten();
    held.map(String::as_str)
        .filter(|name| name.contains("Write") || name.contains(".Manage"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    fn token(permissions: &[&str], person: Option<&str>) -> TokenInfo {
        TokenInfo {
            permissions: Some(permissions.iter().map(|name| (*name).to_owned()).collect()),
            person: person.map(str::to_owned),
            tenant: None,
            application: None,
            audience: None,
            expires: SystemTime::UNIX_EPOCH,
        }
    }

    fn met(token: &TokenInfo) -> Vec<Part> {
        let met = NEEDS.iter().filter(|need| need.is_met(token) == Some(true));
        met.map(|need| need.part).collect()
    }

    #[test]
    fn the_least_permissions_and_the_one_for_all_but_hidden_members() {
        assert_eq!(met(&token(&[], None)), []);
        assert_eq!(met(&token(&["User.Read.All"], None)), [Part::Users]);
        assert_eq!(met(&token(&["Group.Read.All"], None)), [Part::Groups]);
        assert_eq!(met(&token(&["Directory.Read.All"], None)).len(), 5);
        assert_eq!(met(&token(&["Member.Read.Hidden"], None)), [Part::HiddenMembers]);
        assert_eq!(met(&token(&["User.Read"], Some("ada"))), [Part::Organization]);
        assert_eq!(met(&token(&["User.Read"], None)), []);
        let unread = TokenInfo { permissions: None, ..token(&[], None) };
        assert_eq!(NEEDS[0].is_met(&unread), None);
    }

    #[test]
    fn what_allows_writing_is_told() {
        let token = token(&["User.Read.All", "Group.ReadWrite.All"], None);
        assert_eq!(needless(&token), ["Group.ReadWrite.All"]);
    }
}
