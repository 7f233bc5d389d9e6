//! The part of a pass that runs inside the transaction: merging, deriving, asking the
//! guard, recording. Either all of it becomes visible at once, or nothing does.

use super::PassRecord;
use super::apply::{self, Rereads, Touched};
use super::derive::{self, Derivation, Derived};
use super::error::SyncError;
use super::haul::Haul;
use super::local::LocalEntries;
use super::losses::{self, Losses};
use super::scope::{self, Scope};
use crate::config::settings::ConnectionSettings;
use crate::directory::ids::ObjectId;
use crate::directory::kind::Kind;
use crate::mapping::Mapping;
use crate::replica;
use crate::replica::Transaction;
use crate::replica::connection::{ConnectionState, Held, Link};
use crate::replica::log::Change;
use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

/// A commit to be.
#[derive(Clone)]
pub(super) struct Commit {
    pub(super) connection: u16,
    pub(super) settings: Arc<ConnectionSettings>,
    pub(super) mapping: Mapping,
    pub(super) local: Option<LocalEntries>,
    /// How many passes are remembered, and for how long changes are, in seconds.
    pub(super) history: (usize, i64),
    /// Whether to tell what would happen, and do nothing.
    pub(super) dry: bool,
}

/// Why a commit did not come to its end. Nothing has changed.
pub(super) enum Stop {
    Failed(SyncError),
    /// Objects in scope have to be read first. The flag: this pass has told of it, so it
    /// is there, whatever a server that lags behind says.
    Missing(Vec<(ObjectId, bool)>),
    /// It waits for a person.
    Held(Losses, Vec<String>),
    /// That was all that was wanted.
    Dry(Box<Preview>),
}

/// What a pass would do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Preview {
    /// Its record, as it would be.
    pub record: PassRecord,
    /// Every change.
    pub changes: Vec<Change>,
    /// Why it would be held; empty where it would not.
    pub held: Vec<String>,
}

impl From<SyncError> for Stop {
    fn from(error: SyncError) -> Self {
        Stop::Failed(error)
    }
}

impl From<replica::Error> for Stop {
    fn from(error: replica::Error) -> Self {
        Stop::Failed(error.into())
    }
}

impl Commit {
    pub(super) fn run(
        &self,
        change: &mut Transaction<'_>,
        haul: &Haul,
        mut record: PassRecord,
        began: Instant,
    ) -> Result<PassRecord, Stop> {
        let now = super::engine::unix_ms() / 1000;
        let mut touched = Touched::default();
        let waiting = change.connection(self.connection)?.touched;
        touched.objects.extend(&waiting);
        touched.neighbours.extend(&waiting);
        self.merge(change, haul, &mut touched)?;
        record.number = change.next_pass()?;
        record.received = touched.received;
        record.warnings.extend(haul.warnings.iter().cloned());
        record.credential_end = haul.credential_end;
        if let Some((_, refused)) = haul.refused.first() {
            record.verdict = "partial".to_owned();
            record.error = refused.to_string();
        }
        let full = haul.refused.is_empty() && haul.rounds.iter().all(|round| round.full);
        if full {
            record.kind = "full".to_owned();
        }
        let mut record = self.publish(change, &touched, record, now, began, &|state| {
            self.follow(state, haul, now, full);
            state.traces |= !touched.cut.is_empty();
        })?;
        for round in &haul.rounds {
            change.unstage(self.connection, round.kind)?;
        }
        record.ended = super::engine::unix_ms();
        record.commit_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.remember(change, &record, now)?;
        Ok(record)
    }

    /// Derives entries anew where the configuration has changed, from what is stored.
    pub(super) fn rederive(
        &self,
        change: &mut Transaction<'_>,
        mut record: PassRecord,
        began: Instant,
    ) -> Result<PassRecord, Stop> {
        let now = super::engine::unix_ms() / 1000;
        record.number = change.next_pass()?;
        let mut record = self.publish(change, &Touched::default(), record, now, began, &|_| {})?;
        record.ended = super::engine::unix_ms();
        record.commit_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.remember(change, &record, now)?;
        Ok(record)
    }

    fn remember(
        &self,
        change: &mut Transaction<'_>,
        record: &PassRecord,
        now: i64,
    ) -> Result<(), Stop> {
        change.record_pass(record, self.history.0)?;
        change.forget_changes_before(now.saturating_sub(self.history.1))?;
        Ok(())
    }

    /// Merges what came into the source tables; cuts them to the scope.
    fn merge(
        &self,
        change: &mut Transaction<'_>,
        haul: &Haul,
        touched: &mut Touched,
    ) -> Result<(), Stop> {
        let none = Rereads::new();
        let (groups, others): (Vec<_>, Vec<_>) =
            haul.rounds.iter().partition(|round| round.kind == Kind::Group);
        let scope = haul.scope.as_ref();
        for round in groups {
            let admission = scope::admission(scope, None, round.full);
            apply::apply(change, self.connection, round, &haul.rereads, admission, touched)?;
        }
        apply::apply_fetched(change, self.connection, &haul.fetched, touched)?;
        let reach = match scope {
            Some(scope) => Some(scope.reach(change, self.connection, touched)?),
            None => None,
        };
        for round in others {
            let admission = scope::admission(scope, reach.as_ref(), round.full);
            apply::apply(change, self.connection, round, &none, admission, touched)?;
        }
        if let (Some(scope), Some(reach)) = (scope, reach) {
            self.confine(change, haul, scope, &reach, touched)?;
        }
        if let Some(domains) = &haul.domains {
            apply::apply_domains(change, self.connection, domains, touched)?;
        }
        if !self.settings.sync.contacts {
            self.drop_contacts(change, touched)?;
        }
        Ok(())
    }

    fn confine(
        &self,
        change: &mut Transaction<'_>,
        haul: &Haul,
        scope: &Scope,
        reach: &RoaringBitmap,
        touched: &mut Touched,
    ) -> Result<(), Stop> {
        // What came again under an id that was asked for in vain is asked for anew.
        let mut absent = change.absent(self.connection)?;
        let all = haul.rounds.iter().all(|round| round.full) && haul.refused.is_empty();
        let before = change.connection(self.connection)?;
        if all || before.cut_to != scope.fingerprint() {
            absent.clear();
        }
        for id in &touched.seen {
            if let Some(number) = change.find(self.connection, *id)? {
                absent.remove(number);
                touched.ids.insert(number, *id);
            }
        }
        for id in &haul.absent {
            if let Some(number) = change.find(self.connection, *id)? {
                absent.insert(number);
            }
        }
        change.set_absent(self.connection, &absent)?;
        let missing = scope::missing(change, self.connection, reach, touched)?;
        if !missing.is_empty() {
            let seen: HashSet<ObjectId> = touched.seen.iter().copied().collect();
            let missing = missing.into_iter().map(|id| (id, seen.contains(&id)));
            return Err(Stop::Missing(missing.collect()));
        }
        scope::cut(change, self.connection, reach, touched)?;
        Ok(())
    }

    /// Contacts that are no longer copied.
    fn drop_contacts(
        &self,
        change: &mut Transaction<'_>,
        touched: &mut Touched,
    ) -> Result<(), Stop> {
        for number in change.objects(self.connection, Kind::Contact)?.into_bitmap() {
            change.remove_object(number)?;
            touched.objects.insert(number);
            touched.neighbours.insert(number);
        }
        Ok(())
    }

    /// Derives what changed, and asks the guard. `follow`: what else becomes of the state.
    fn publish(
        &self,
        change: &mut Transaction<'_>,
        touched: &Touched,
        mut record: PassRecord,
        now: i64,
        began: Instant,
        follow: &dyn Fn(&mut ConnectionState),
    ) -> Result<PassRecord, Stop> {
        let mut state = change.connection(self.connection)?;
        let derivation = Derivation {
            connection: self.connection,
            settings: &self.settings,
            mapping: &self.mapping,
            local: self.local.as_ref(),
            pass: record.number,
            now,
            keep_changes: self.dry,
        };
        let reconfigured = self.is_reconfigured(&state, &derivation, touched);
        let first = change.next_change();
        let derived = derive::derive(change, &derivation, touched)?;
        let held = self.suspicions(&state, &derived, reconfigured);
        record.changes = (first, change.next_change());
        (record.added, record.changed, record.removed) =
            (derived.added, derived.changed, derived.removed);
        record.warnings.extend(derived.warnings);
        state = change.connection(self.connection)?;
        record.entries.clone_from(&state.totals.entries);
        for kind in Kind::ALL {
            record.entries.entry(kind.plural().to_owned()).or_default();
        }
        if self.dry {
            record.ended = super::engine::unix_ms();
            record.commit_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            let changes = derived.changes;
            return Err(Stop::Dry(Box::new(Preview { record, changes, held })));
        }
        if !held.is_empty() {
            return Err(Stop::Held(derived.losses, held));
        }
        state.base = self.settings.base.to_string();
        (state.held, state.approved) = (None, None);
        follow(&mut state);
        change.put_connection(self.connection, &state)?;
        Ok(record)
    }

    fn suspicions(
        &self,
        state: &ConnectionState,
        derived: &Derived,
        reconfigured: bool,
    ) -> Vec<String> {
        let approved = state.approved.as_ref();
        if !state.is_published() {
            // Nobody is known so far, and then everybody would be unknown.
            let came = derived.after.entries.get(Kind::User.plural()).is_some_and(|n| *n > 0);
            let nobody = "the first load has brought no user; look at the permissions, the tenant and the scope";
            let is_held = !came && approved.is_none();
            return is_held.then(|| nobody.to_owned()).into_iter().collect();
        }
        if reconfigured && !self.settings.guard.configuration {
            return Vec::new();
        }
        losses::suspicions(&derived.losses, &derived.before, approved, &self.settings.guard)
    }

    fn is_reconfigured(
        &self,
        state: &ConnectionState,
        derivation: &Derivation<'_>,
        touched: &Touched,
    ) -> bool {
        state.mapping != derive::fingerprint(derivation)
            || (!touched.cut.is_empty() && state.cut_to.is_empty())
    }

    /// What a pass makes of the connection's state.
    fn follow(&self, state: &mut ConnectionState, haul: &Haul, now: i64, full: bool) {
        for round in &haul.rounds {
            let kind = round.kind.plural();
            state.rounds.remove(kind);
            let link = Link { position: round.delta.clone(), select: round.select.clone() };
            state.links.insert(kind.to_owned(), link);
        }
        if !self.settings.sync.contacts {
            state.links.remove(Kind::Contact.plural());
        }
        state.tenant = haul.tenant.clone().or(state.tenant.take());
        // The age of the data is that of the users: they are most of the mail.
        if haul.refused.iter().all(|(kind, _)| *kind != Kind::User) {
            state.last_success = Some(now);
        }
        if full {
            state.last_full = Some(now);
        }
        state.touched.clear();
        state.cut_to = haul.scope.as_ref().map(Scope::fingerprint).unwrap_or_default();
        let groups = haul.scope.iter().flat_map(|scope| &scope.groups);
        state.scope = groups.map(|(named, id)| (named.clone(), id.to_string())).collect();
    }
}

/// Keeps that a pass is held. What it brought is dropped: it is asked for again, from the
/// same link, until a person has decided or nothing is suspicious any more. Were its edges
/// kept, searches for memberships would see them.
pub(super) fn hold(
    change: &mut Transaction<'_>,
    connection: u16,
    mut record: PassRecord,
    losses: Losses,
    reasons: Vec<String>,
    history: usize,
) -> Result<PassRecord, replica::Error> {
    record.number = change.next_pass()?;
    record.ended = super::engine::unix_ms();
    record.verdict = "held".to_owned();
    record.error = format!(
        "{}; what is published stays until `entraldap approve {name}` or `entraldap reject {name}`",
        reasons.join("; "),
        name = record.connection
    );
    let mut state = change.connection(connection)?;
    let before = state.held.take();
    state.held = Some(Held {
        pass: record.number,
        since: before.as_ref().map_or(record.ended / 1000, |held| held.since),
        rejected: false,
        losses,
        reasons,
    });
    // An approval of less than this is none of this.
    state.approved = None;
    change.put_connection(connection, &state)?;
    change.record_pass(&record, history)?;
    Ok(record)
}
