//! How the tenant behaves where documentation, field reports and silence leave a choice.

use std::time::Duration;

use super::assertion::Thumbprint;
use super::object::Kind;

/// How a dead sync state is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateLoss {
    /// 410 with a `Location` that carries an empty delta token, code `syncStateNotFound`.
    Gone,
    /// Code `syncStateNotFound` with this status.
    SyncStateNotFound(u16),
    /// Code `resyncRequired` with this status.
    ResyncRequired(u16),
    /// Code `resyncRequired` only in the inner error, under a general code.
    ResyncNested(u16),
    /// 400 `Request_UnsupportedQuery`, "DeltaLink older than 30 days is not supported."; delta tokens only.
    TooOld,
    /// 400 `Directory_ExpiredPageToken`; skip tokens only.
    PageExpired,
    /// 400 `DirectoryPageTokenNotFoundException`; skip tokens only.
    PageNotFound,
    /// Code `SyncStateNotFound`, spelled as Outlook spells it, with this status.
    PascalNotFound(u16),
    /// Code `SyncStateInvalid`, as Outlook sends it, with this status.
    PascalInvalid(u16),
}

/// How links spell the delta function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// `/users/delta`
    Short,
    /// `/users/delta()`
    Call,
    /// `/users/microsoft.graph.delta`
    Qualified,
    /// `/users/microsoft.graph.delta()`
    QualifiedCall,
}

/// What a `$select` added to a delta link does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SelectOnLink {
    /// 400 unless it names the same properties as the token.
    Refused,
    /// The properties are changed from here on.
    Honoured,
    /// Nothing.
    Ignored,
}

/// The reason given for a removed object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// `changed`
    Changed,
    /// `deleted`
    Deleted,
}

impl Reason {
    pub(super) fn text(self) -> &'static str {
        match self {
            Reason::Changed => "changed",
            Reason::Deleted => "deleted",
        }
    }
}

/// After how many further delta requests a change becomes visible in a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lateness {
    /// The users stream.
    pub users: usize,
    /// The groups stream.
    pub groups: usize,
    /// The contacts stream.
    pub contacts: usize,
}

impl Lateness {
    pub(super) fn of(self, kind: Kind) -> usize {
        match kind {
            Kind::User => self.users,
            Kind::Group => self.groups,
            _ => self.contacts,
        }
    }

    pub(super) fn longest(self) -> usize {
        self.users.max(self.groups).max(self.contacts)
    }
}

/// The switches. The default is the documented behaviour, without surprises.
#[derive(Debug, Clone)]
pub struct Knobs {
    /// Objects per delta page, at least 1.
    pub page_objects: usize,
    /// Member entries per delta page, at least 1.
    pub page_links: usize,
    /// Every so many pages one is empty and continues; 0 for never.
    pub empty_page_every: u32,
    /// Every so many pages one repeats an object of an earlier page; 0 for never.
    pub repeat_every: u32,
    /// How often each object is sent in a page, at least 1.
    pub copies: usize,
    /// Into how many scattered slices the members of a group fall in an enumeration, at least 1.
    pub member_slices: u32,
    /// The enumeration also sends `@removed` objects and members, some of them never seen.
    pub removed_in_initial: bool,
    /// Adding and removing one member between two pages is sent as the outcome only.
    pub coalesce: bool,
    /// An enumeration sends the changes made meanwhile on its own last pages; otherwise the next round has them.
    pub catch_up: bool,
    /// A restored group sends its members again, as a new one does. Without it a client that has never
    /// seen the group cannot tell it from a new group without members.
    pub restored_group_sends_members: bool,
    /// The reason for a removed contact.
    pub contact_reason: Reason,
    /// Member lists also hold entries with an unknown type, without a type, and ids in no stream.
    pub odd_members: bool,
    /// Replication delay.
    pub late: Lateness,
    /// `@odata.context` names another collection.
    pub wrong_context: bool,
    /// The key of the inner error is written `innererror`.
    pub lower_inner_error: bool,
    /// Host (and port) of the links instead of the one that was asked.
    pub link_host: Option<String>,
    /// Spelling of the delta function in links.
    pub spelling: Spelling,
    /// A page asked for a second time answers with a link that will not work.
    pub retried_links_die: bool,
    /// There is never a delta link: an enumeration starts over, a round goes on with empty pages.
    pub endless: bool,
    /// How many versions a delta token lives.
    pub delta_versions: Option<u64>,
    /// How long a delta token lives.
    pub delta_lifetime: Option<Duration>,
    /// How long a skip token lives.
    pub skip_lifetime: Option<Duration>,
    /// How the death of a delta token is reported.
    pub delta_death: StateLoss,
    /// How the death of a skip token is reported.
    pub skip_death: StateLoss,
    /// Groups with hidden membership send members even without `Member.Read.Hidden`.
    pub serve_hidden: bool,
    /// A changed user sends its manager again although the manager stayed.
    pub manager_again: bool,
    /// A changed manager is preceded by the removal of the old one.
    pub manager_both: bool,
    /// Without `$select` a users round sends all properties, not the default set.
    pub all_by_default: bool,
    /// `$select` of a property outside the store is 400, not 501.
    pub outside_is_400: bool,
    /// `$select` on a delta link.
    pub select_on_link: SelectOnLink,
    /// A batch answers in reverse order.
    pub batch_reversed: bool,
    /// A batch with a throttled item fails as a whole with 424.
    pub batch_fails_whole: bool,
    /// Answers are compressed for those who accept it.
    pub gzip: bool,
    /// A request has the permissions that its token was given with, as with Graph; otherwise
    /// those that are granted at that moment.
    pub roles_in_token: bool,
    /// The host of the tenant's Graph, as its authority tells it; not set for its own.
    pub graph_host: Option<String>,
    /// How the thumbprint of a certificate has to be written.
    pub thumbprint: Thumbprint,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            page_objects: 200,
            page_links: 500,
            empty_page_every: 0,
            repeat_every: 0,
            copies: 1,
            member_slices: 1,
            removed_in_initial: false,
            coalesce: true,
            catch_up: true,
            restored_group_sends_members: true,
            contact_reason: Reason::Deleted,
            odd_members: false,
            late: Lateness::default(),
            wrong_context: false,
            lower_inner_error: false,
            link_host: None,
            spelling: Spelling::Short,
            retried_links_die: false,
            endless: false,
            delta_versions: None,
            delta_lifetime: None,
            skip_lifetime: None,
            delta_death: StateLoss::Gone,
            skip_death: StateLoss::PageExpired,
            serve_hidden: false,
            manager_again: false,
            manager_both: false,
            all_by_default: false,
            outside_is_400: false,
            select_on_link: SelectOnLink::Refused,
            batch_reversed: false,
            batch_fails_whole: false,
            gzip: true,
            roles_in_token: false,
            graph_host: None,
            thumbprint: Thumbprint::Any,
        }
    }
}
