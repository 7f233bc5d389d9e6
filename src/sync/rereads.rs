//! Which groups' member lists have to be read beside a round, because the round may
//! not tell them. A restored group comes back looking new, and nothing promises that
//! its members come with it.

use super::error::SyncError;
use super::gather::Gathered;
use crate::directory::ids::ObjectId;
use crate::directory::kind::Kind;
use crate::graph::{self, Item};
use crate::replica::Snapshot;
use crate::replica::source::Space;
use std::collections::HashMap;

/// What a round says of one group.
#[derive(Default)]
struct Story {
    /// It came first in what followed an enumeration, or in a delta round.
    late: bool,
    live: bool,
    gone: bool,
    /// It went to the bin and came back within the round.
    back: bool,
    /// Members came with it.
    told: bool,
    hidden: bool,
}

/// The groups to read, in the order in which the round names them, and whether they hide
/// their members.
pub(super) fn wanted(
    snapshot: &Snapshot,
    connection: u16,
    round: &Gathered,
    hidden_members: bool,
    scoped: bool,
) -> Result<Vec<(ObjectId, bool)>, SyncError> {
    let mut stories: HashMap<ObjectId, Story> = HashMap::new();
    let mut order = Vec::new();
    let mut look = |page: u32, body: &[u8]| -> Result<(), SyncError> {
        for item in graph::items(Kind::Group, body)? {
            let story = stories.entry(item.id).or_insert_with(|| {
                order.push(item.id);
                Story { late: !round.full || page >= round.enumerated, ..Story::default() }
            });
            story.add(&item);
        }
        Ok(())
    };
    for page in 0..round.staged {
        if let Some(body) = snapshot.staged(connection, Kind::Group, page)? {
            look(page, &body)?;
        }
    }
    for (page, body) in (round.staged..).zip(&round.pages) {
        look(page, body)?;
    }
    let mut wanted = Vec::new();
    for id in order {
        if let Some(story) = stories.get(&id).filter(|story| story.live) {
            let number = snapshot.find(connection, id)?;
            let is_known = match number {
                Some(number) => snapshot.source(number)?.is_some(),
                None => false,
            };
            // Members that an enumeration does not name are gone; all of them at once
            // is asked about, of hidden ones too: scope and rules go by what is stored.
            let emptied = match number.filter(|_| round.full && !story.told) {
                Some(number) => !snapshot.linked(Space::Members, number)?.is_empty(),
                None => false,
            };
            // Where the scope is cut, unknown groups are out of it, or read whole anyway.
            let is_new = story.late && !is_known && (round.full || !scoped);
            let asked = hidden_members || !story.hidden;
            if emptied || (asked && ((story.back && (is_known || !scoped)) || is_new)) {
                wanted.push((id, story.hidden));
            }
        }
    }
    Ok(wanted)
}

impl Story {
    fn add(&mut self, item: &Item) {
        if item.removed.is_some() {
            (self.live, self.gone, self.told) = (false, true, false);
            return;
        }
        self.live = true;
        self.back |= self.gone;
        self.told |= item.members.iter().any(|member| !member.removed);
        if let Some(visibility) = item.properties.get("visibility") {
            self.hidden = visibility.as_str() == Some("HiddenMembership");
        }
    }
}

/// Whether a refusal concerns this one list only, and will not pass by waiting.
pub(super) fn is_final(error: &graph::GraphError) -> bool {
    use graph::ErrorKind::{NotFound, Permission, Refused};
    matches!(error.kind, NotFound | Permission | Refused)
}
