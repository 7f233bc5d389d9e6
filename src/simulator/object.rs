//! What the tenant stores of one object, and the words for kinds and states.

use std::sync::Arc;

/// Position of an object in the tenant's arena; never reused.
pub(super) type Slot = u32;

/// The kinds of directory objects the tenant knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A user: member, guest, shared mailbox, room.
    User,
    /// A group of any kind.
    Group,
    /// An organizational contact.
    Contact,
    /// A device: appears only as a member.
    Device,
    /// A service principal: appears only as a member.
    ServicePrincipal,
    /// Something that is referred to but in no stream.
    Unknown,
}

impl Kind {
    /// The three kinds that have a delta stream.
    pub const STREAMS: [Kind; 3] = [Kind::User, Kind::Group, Kind::Contact];

    /// The `@odata.type` of the kind.
    pub fn odata_type(self) -> &'static str {
        match self {
            Kind::User => "#microsoft.graph.user",
            Kind::Group => "#microsoft.graph.group",
            Kind::Contact => "#microsoft.graph.orgContact",
            Kind::Device => "#microsoft.graph.device",
            Kind::ServicePrincipal => "#microsoft.graph.servicePrincipal",
            Kind::Unknown => "#microsoft.graph.directoryObject",
        }
    }

    /// The collection segment of the kind: `users`, `groups`, `contacts`.
    pub fn segment(self) -> &'static str {
        match self {
            Kind::User => "users",
            Kind::Group => "groups",
            Kind::Contact => "contacts",
            Kind::Device => "devices",
            Kind::ServicePrincipal => "servicePrincipals",
            Kind::Unknown => "directoryObjects",
        }
    }

    /// The type name used in error texts, without `#microsoft.graph.`.
    pub(super) fn type_name(self) -> &'static str {
        self.odata_type().trim_start_matches("#microsoft.graph.")
    }

    pub(super) fn stream(self) -> Option<usize> {
        Kind::STREAMS.iter().position(|kind| *kind == self)
    }
}

/// Where an object is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It exists.
    Live,
    /// It is in the recycle bin and can be restored.
    Deleted,
    /// It is gone for good.
    Purged,
}

/// One stored object. The properties are kept as JSON text: a map of values
/// would take four times the memory at a million users.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) id: Arc<str>,
    pub(super) kind: Kind,
    pub(super) state: State,
    pub(super) text: Box<str>,
    pub(super) manager: Option<Slot>,
    /// Sorted, so that a cursor by value stays right while members change.
    pub(super) members: Vec<Slot>,
    /// Sorted.
    pub(super) member_of: Vec<Slot>,
}

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Created,
    /// Index into the tenant's table of property names.
    Property(u16),
    Deleted,
    Restored,
    Purged,
    Joined(Slot),
    Left(Slot),
    /// The manager before the change.
    Manager(Option<Slot>),
}

/// One entry of the change log; its position is the version before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    pub(super) object: Slot,
    pub(super) what: What,
}
