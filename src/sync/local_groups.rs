//! Groups that rules have made: objects of ours among the source tables, served like any
//! group. Their members are whom the rules put in.

use super::derive::Deriving;
use super::error::SyncError;
use super::judge::Verdict;
use crate::directory::ids::ObjectId;
use crate::directory::kind::Kind;
use crate::replica::Number;
use crate::replica::connection::ConnectionState;
use crate::replica::source::{SourceObject, Space};
use roaring::RoaringBitmap;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// An id that stands for a local group's name.
fn group_id(name: &str) -> ObjectId {
    use sha2::Digest;
    let digest = sha2::Sha256::digest(format!("local group {}", name.to_lowercase()));
    ObjectId::from_bytes(digest.first_chunk().copied().unwrap_or_default())
}

impl Deriving<'_, '_> {
    /// Makes the groups that rules name, and drops those that no rule names any more.
    /// Gives those to derive.
    pub(super) fn local_groups(
        &mut self,
        state: &mut ConnectionState,
    ) -> Result<RoaringBitmap, SyncError> {
        let mut touched = RoaringBitmap::new();
        for name in self.judge.groups() {
            let id = group_id(name);
            let number = self.change.number(self.connection, id)?;
            let text = |text: &str| Value::String(text.to_owned());
            let properties = Map::from_iter([
                ("displayName".to_owned(), text(name)),
                ("description".to_owned(), text("made by a rule of entraldap")),
                ("securityEnabled".to_owned(), Value::Bool(true)),
            ]);
            let (connection, kind) = (self.connection, Kind::Group);
            let object = SourceObject { connection, kind, id, manager: None, properties };
            if self.change.put_object(number, &object)? {
                touched.insert(number);
            }
            self.local_groups.insert(name.to_lowercase(), number);
        }
        let wanted: BTreeSet<Number> = self.local_groups.values().copied().collect();
        for number in std::mem::take(&mut state.local_groups) {
            if !wanted.contains(&number) {
                for member in self.change.linked(Space::Members, number)?.iter() {
                    self.change.set_member(number, member, false)?;
                    touched.insert(member);
                }
                self.change.remove_object(number)?;
                touched.insert(number);
            }
        }
        state.local_groups = wanted.into_iter().collect();
        Ok(touched)
    }

    /// Puts an object into the local groups of its verdict, and out of the others.
    pub(super) fn fill_local_groups(
        &mut self,
        number: Number,
        verdict: &Verdict,
    ) -> Result<(), SyncError> {
        if self.local_groups.is_empty() {
            return Ok(());
        }
        let wanted: BTreeSet<Number> = verdict
            .groups
            .iter()
            .filter_map(|name| self.local_groups.get(&name.to_lowercase()).copied())
            .collect();
        let present = self.change.linked(Space::Groups, number)?;
        let groups: Vec<Number> = self.local_groups.values().copied().collect();
        for group in groups {
            let (is, should) = (present.contains(group), wanted.contains(&group));
            if is != should {
                self.change.set_member(group, number, should)?;
                self.refilled.insert(group);
            }
        }
        Ok(())
    }
}
