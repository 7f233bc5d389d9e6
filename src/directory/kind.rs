//! The kinds of objects that become entries. Pure: no I/O, no clock.

use std::fmt;

/// What a Graph object is. The numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A user: member, guest, shared or room mailbox.
    User = 0,
    /// A group of any kind, distribution lists included.
    Group = 1,
    /// A mail contact (`orgContact`).
    Contact = 2,
    /// A domain of the tenant.
    Domain = 3,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 4] = [Kind::User, Kind::Group, Kind::Contact, Kind::Domain];

    /// The kind that is stored as `number`.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }

    /// The plural, as in Graph's paths and in reports.
    pub const fn plural(self) -> &'static str {
        match self {
            Kind::User => "users",
            Kind::Group => "groups",
            Kind::Contact => "contacts",
            Kind::Domain => "domains",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::User => "user",
            Kind::Group => "group",
            Kind::Contact => "contact",
            Kind::Domain => "domain",
        })
    }
}
