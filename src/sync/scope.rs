//! Whose data is copied: the members of some groups. Which groups those are is asked of
//! Graph by name; who their members are follows from the edges that every round of groups
//! brings. Nobody else's data stays in the file.

use super::apply::{Admission, Touched};
use super::error::SyncError;
use crate::config::settings::ScopeSettings;
use crate::directory::ids::ObjectId;
use crate::directory::kind::Kind;
use crate::graph::{FoundGroup, Graph};
use crate::replica::connection::ConnectionState;
use crate::replica::source::Space;
use crate::replica::{Number, Transaction};
use roaring::RoaringBitmap;
use std::collections::BTreeMap;

/// The groups whose members are copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scope {
    /// As configured, and their ids.
    pub(super) groups: BTreeMap<String, ObjectId>,
    /// Whether members of member groups belong to it.
    pub(super) nested: bool,
    /// What the administrator should know about them.
    pub(super) warnings: Vec<String>,
}

impl Scope {
    /// Finds the groups; `None` where the whole tenant is copied. What was found once is
    /// found again by its id, whatever it is called by now.
    pub(super) async fn find(
        settings: &ScopeSettings,
        state: &ConnectionState,
        gone: &(dyn Fn(ObjectId) -> bool + Sync),
        graph: &Graph,
    ) -> Result<Option<Scope>, SyncError> {
        if settings.groups.is_empty() {
            return Ok(None);
        }
        let mut scope =
            Scope { groups: BTreeMap::new(), nested: settings.nested, warnings: Vec::new() };
        for named in &settings.groups {
            let known = state.scope.get(named).and_then(|id| id.parse::<ObjectId>().ok());
            let id = match known {
                Some(id) if !gone(id) => id,
                Some(id) => scope.again(named, id, graph).await?,
                None => match named.parse::<ObjectId>() {
                    Ok(id) => id,
                    Err(_) => one(named, graph.find_groups(named).await?)?.id,
                },
            };
            scope.groups.insert(named.clone(), id);
        }
        Ok(Some(scope))
    }

    /// A group that is gone may have been made anew under its name.
    async fn again(
        &mut self,
        named: &str,
        id: ObjectId,
        graph: &Graph,
    ) -> Result<ObjectId, SyncError> {
        if named.parse::<ObjectId>().is_ok() {
            self.warnings.push(format!(
                "the group {id} of [connection.scope] is gone; nobody is in scope by it"
            ));
            return Ok(id);
        }
        match one(named, graph.find_groups(named).await?) {
            Ok(found) => {
                self.warnings.push(format!(
                    "the group {named:?} of [connection.scope] was {id} and is {} now",
                    found.id
                ));
                Ok(found.id)
            }
            Err(_) => {
                self.warnings.push(format!(
                    "the group {named:?} of [connection.scope] is gone; nobody is in scope by it"
                ));
                Ok(id)
            }
        }
    }

    /// A text that stands for it.
    pub(super) fn fingerprint(&self) -> String {
        let ids: std::collections::BTreeSet<String> =
            self.groups.values().map(ObjectId::to_string).collect();
        let ids: Vec<String> = ids.into_iter().collect();
        format!("{} {}", if self.nested { "nested" } else { "direct" }, ids.join(" "))
    }

    /// The objects in scope: the groups and their members.
    pub(super) fn reach(
        &self,
        change: &mut Transaction<'_>,
        connection: u16,
        touched: &mut Touched,
    ) -> Result<RoaringBitmap, SyncError> {
        let mut reach = RoaringBitmap::new();
        let mut open = Vec::new();
        // What lies in the bin is no group of these, and has no members.
        let groups = change.objects(connection, Kind::Group)?;
        for id in self.groups.values() {
            let number = change.number(connection, *id)?;
            touched.ids.insert(number, *id);
            reach.insert(number);
            open.push(number);
        }
        while let Some(group) = open.pop() {
            if !groups.contains(group) {
                continue;
            }
            for member in change.linked(Space::Members, group)?.iter() {
                if reach.insert(member) && self.nested {
                    open.push(member);
                }
            }
        }
        Ok(reach)
    }
}

fn one(named: &str, mut found: Vec<FoundGroup>) -> Result<FoundGroup, SyncError> {
    if found.len() > 1 {
        let tell = |group: &FoundGroup| {
            let mail = group.mail.as_deref().unwrap_or("no mail");
            format!("{} ({}, {mail}, {})", group.id, group.display_name, group.sort())
        };
        let list: Vec<String> = found.iter().map(tell).collect();
        return Err(SyncError::Scope(format!(
            "{named:?} may mean {}; name the group by its id",
            list.join(" or ")
        )));
    }
    found.pop().ok_or_else(|| {
        SyncError::Scope(format!(
            "there is no group {named:?}; `entraldap groups --search TEXT` finds groups, name one by its id, mail address or display name"
        ))
    })
}

/// Objects in scope of which nothing is known, with their ids.
pub(super) fn missing(
    change: &mut Transaction<'_>,
    connection: u16,
    reach: &RoaringBitmap,
    touched: &Touched,
) -> Result<Vec<ObjectId>, SyncError> {
    let absent = change.absent(connection)?;
    let mut missing = Vec::new();
    for number in reach - absent {
        if let Some(id) = touched.ids.get(&number)
            && !change.has_object(number)?
        {
            missing.push(*id);
        }
    }
    Ok(missing)
}

/// Removes from the source tables what is not in scope.
pub(super) fn cut(
    change: &mut Transaction<'_>,
    connection: u16,
    reach: &RoaringBitmap,
    touched: &mut Touched,
) -> Result<(), SyncError> {
    let local = RoaringBitmap::from_iter(change.connection(connection)?.local_groups);
    for kind in [Kind::User, Kind::Group, Kind::Contact] {
        let known = change.objects(connection, kind)?.into_bitmap();
        for number in known - reach - &local {
            forget(change, number, kind, touched)?;
        }
    }
    Ok(())
}

fn forget(
    change: &mut Transaction<'_>,
    number: Number,
    kind: Kind,
    touched: &mut Touched,
) -> Result<(), SyncError> {
    let manager = change.object(number)?.and_then(|object| object.manager);
    change.remove_object(number)?;
    touched.objects.extend(manager);
    touched.objects.insert(number);
    touched.neighbours.insert(number);
    touched.cut.insert(number);
    if kind == Kind::Group {
        for member in change.linked(Space::Members, number)?.iter() {
            change.set_member(number, member, false)?;
            touched.objects.insert(member);
        }
    }
    Ok(())
}

/// What of a round is kept. `reach` is not known yet while groups are read: all of a full
/// round are kept then, and cut afterwards.
pub(super) fn admission<'a>(
    scope: Option<&Scope>,
    reach: Option<&'a RoaringBitmap>,
    full: bool,
) -> Admission<'a> {
    match (scope, reach, full) {
        (None, _, _) | (Some(_), None, true) => Admission::All,
        (Some(_), None, false) => Admission::Known,
        (Some(_), Some(reach), true) => Admission::Among(reach),
        (Some(_), Some(reach), false) => Admission::KnownAmong(reach),
    }
}
