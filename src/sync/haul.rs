//! Everything that a pass receives before it touches the source tables.

use super::apply::Rereads;
use super::carrier;
use super::engine::Engine;
use super::error::SyncError;
use super::expiry;
use super::gather::{Gathered, Stream};
use super::rereads;
use super::scope::Scope;
use crate::directory::ids::ObjectId;
use crate::directory::kind::Kind;
use crate::graph::permissions::{NEEDS, Part};
use crate::graph::{Access, GraphError, Item, MemberChange};
use crate::replica::connection::ConnectionState;
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// What a pass has received.
pub(super) struct Haul {
    /// A round of each stream.
    pub(super) rounds: Vec<Gathered>,
    /// Member lists that were read beside the rounds.
    pub(super) rereads: Rereads,
    /// The tenant's domains; `None` where they were not read.
    pub(super) domains: Option<Vec<Map<String, Value>>>,
    /// The tenant's id.
    pub(super) tenant: Option<String>,
    /// What the administrator should know.
    pub(super) warnings: Vec<String>,
    /// Unix time at which the credential ends, where that is near.
    pub(super) credential_end: Option<i64>,
    /// Streams that may not be read, while the others go on.
    pub(super) refused: Vec<(Kind, GraphError)>,
    /// Whose data is copied; `None` for the whole tenant.
    pub(super) scope: Option<Scope>,
    /// Objects that entered the scope, read whole.
    pub(super) fetched: Vec<(Kind, Item)>,
    /// Ids that were asked for in vain.
    pub(super) absent: HashSet<ObjectId>,
}

/// How a pass receives.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    /// Enumerate everything.
    pub(super) full: bool,
    /// Leave the replica as it is.
    pub(super) dry: bool,
}

impl Engine {
    /// Receives everything.
    pub(super) async fn haul(&self, manner: Manner) -> Result<Haul, SyncError> {
        let tenant = self.graph.token().await?.tenant;
        if manner.dry {
            self.compare_tenant(tenant.as_deref())?;
        } else {
            self.check_tenant(tenant.as_deref()).await?;
        }
        let scope = self.find_scope().await?;
        let mut haul = Haul {
            rounds: Vec::new(),
            rereads: Rereads::new(),
            domains: None,
            tenant,
            warnings: scope.as_ref().map(|scope| scope.warnings.clone()).unwrap_or_default(),
            credential_end: None,
            refused: Vec::new(),
            scope,
            fetched: Vec::new(),
            absent: HashSet::new(),
        };
        let manner = Manner { full: manner.full || self.is_cut_otherwise(&haul), ..manner };
        let kinds = [Kind::User, Kind::Group, Kind::Contact];
        self.streams(&kinds, manner, &mut haul).await?;
        // An enumeration takes long, and one that was resumed is older still. What
        // changed meanwhile is read before anything is published: somebody who came in
        // this time must not be answered as unknown.
        let full = haul.rounds.iter().filter(|round| round.full);
        let full: Vec<Kind> = full.map(|round| round.kind).collect();
        if Self::is_durable(manner, &haul) {
            haul.rounds.retain(|round| !round.full);
            self.streams(&full, Manner { full: true, ..manner }, &mut haul).await?;
        } else if !manner.dry {
            for round in std::mem::take(&mut haul.rounds) {
                let stream = self.stream(round.kind, false);
                let round = if round.full { stream.go_on(round).await? } else { round };
                haul.rounds.push(round);
            }
        }
        if let (true, Some((_, error))) = (haul.rounds.is_empty(), haul.refused.first()) {
            return Err(error.clone().into());
        }
        self.reread_members(&mut haul).await?;
        self.domains(&mut haul).await;
        let end = self.credential_end().await;
        if let Some((end, warning)) = end.and_then(|end| Some((end, expiry::warning(end)?))) {
            haul.warnings.push(warning);
            haul.credential_end = Some(end);
        }
        Ok(haul)
    }

    /// Pages that hold people out of scope must not come to lie in the file.
    fn is_durable(manner: Manner, haul: &Haul) -> bool {
        !manner.dry && haul.scope.is_none()
    }

    async fn find_scope(&self) -> Result<Option<Scope>, SyncError> {
        let state = self.state().unwrap_or_default();
        let snapshot = self.writer.reader().snapshot();
        let gone = |id: ObjectId| {
            let number = snapshot.find(self.connection, id).ok().flatten();
            let known = number.and_then(|number| snapshot.source(number).ok().flatten());
            state.is_published() && !state.cut_to.is_empty() && known.is_none()
        };
        Scope::find(&self.settings.scope, &state, &gone, &self.graph).await
    }

    /// Whether the source tables lack what is in scope now. Of the whole tenant they have
    /// everything.
    fn is_cut_otherwise(&self, haul: &Haul) -> bool {
        let wanted = haul.scope.as_ref().map(Scope::fingerprint).unwrap_or_default();
        self.state().is_some_and(|state| !state.cut_to.is_empty() && state.cut_to != wanted)
    }

    /// Gathers a round of each of these streams at once.
    async fn streams(
        &self,
        kinds: &[Kind],
        manner: Manner,
        haul: &mut Haul,
    ) -> Result<(), SyncError> {
        let durable = Self::is_durable(manner, haul);
        let gather = async |kind| {
            let is_on = kind != Kind::Contact || self.settings.sync.contacts;
            if !is_on || !kinds.contains(&kind) {
                return None;
            }
            let stream = self.stream(kind, durable);
            Some((kind, stream.gather(manner.full).await))
        };
        let (users, groups, contacts) =
            tokio::join!(gather(Kind::User), gather(Kind::Group), gather(Kind::Contact));
        for (kind, outcome) in [users, groups, contacts].into_iter().flatten() {
            match outcome {
                Ok(round) => haul.take(round),
                // What was published stays; the other streams go on. What nobody requires is
                // left out of a first load.
                Err(SyncError::Graph(error))
                    if error.is_permission()
                        && (self.is_published() || self.may_go_without(kind).await) =>
                {
                    haul.warnings.push(error.to_string());
                    haul.refused.push((kind, error));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether a first load goes on without a kind that was refused. Only where the token
    /// itself says that it may not be read: a grant takes minutes to work everywhere, and
    /// what is left out is answered as unknown.
    async fn may_go_without(&self, kind: Kind) -> bool {
        if self.settings.sync.requires(Some(kind)) {
            return false;
        }
        let Ok(token) = self.graph.token().await else { return false };
        let part = match kind {
            Kind::Group => Part::Groups,
            Kind::Contact => Part::Contacts,
            Kind::User | Kind::Domain => return false,
        };
        NEEDS.iter().any(|need| need.part == part && need.is_met(&token) == Some(false))
    }

    fn stream(&self, kind: Kind, durable: bool) -> Stream<'_> {
        Stream {
            graph: &self.graph,
            writer: &self.writer,
            connection: self.connection,
            kind,
            endpoint: self.settings.graph.endpoint.as_str(),
            durable,
            status: &self.status,
        }
    }

    async fn reread_members(&self, haul: &mut Haul) -> Result<(), SyncError> {
        let Some(at) = haul.rounds.iter().position(|round| round.kind == Kind::Group) else {
            return Ok(());
        };
        // Reading the pages once more takes its time, away from the threads that serve.
        let (round, reader) = (haul.rounds.swap_remove(at), self.writer.reader());
        let (connection, hidden) = (self.connection, self.settings.sync.hidden_members);
        let scoped = haul.scope.is_some();
        let (round, wanted) = carrier::carry(move || {
            let wanted = rereads::wanted(&reader.snapshot(), connection, &round, hidden, scoped);
            (round, wanted)
        })
        .await?;
        haul.rounds.push(round);
        for (id, hides) in wanted? {
            let read = match self.graph.members(id).await {
                // Graph sends nothing, and no error, to those who may not see it.
                Ok(members) if members.is_empty() && hides && !self.sees_hidden().await => {
                    Err("the group hides them, and the application lacks Member.Read.Hidden"
                        .to_owned())
                }
                Ok(members) => Ok(members),
                Err(error) if rereads::is_final(&error) => Err(error.to_string()),
                Err(error) => return Err(error.into()),
            };
            if let Err(why) = &read {
                let what = "were not read; those known stay";
                haul.warnings.push(format!("the members of the group {id} {what}: {why}"));
            }
            haul.rereads.insert(id, read.ok());
        }
        Ok(())
    }

    /// Whether empty lists of groups that hide their members can be believed. A person also
    /// needs a role for them, which no token tells.
    async fn sees_hidden(&self) -> bool {
        if self.graph.access() == Access::Person {
            return false;
        }
        let held = self.graph.token().await.ok().and_then(|token| token.permissions);
        held.is_some_and(|held| held.iter().any(|name| name == "Member.Read.Hidden"))
    }

    /// Domains are an extra: where they may not be read, those known stay.
    async fn domains(&self, haul: &mut Haul) {
        match self.graph.domains().await {
            Ok(domains) if domains.is_empty() => {
                haul.warnings
                    .push("Graph names no domain of the tenant; the known ones stay".to_owned());
            }
            Ok(domains) => haul.domains = Some(domains),
            Err(error) => haul
                .warnings
                .push(format!("the tenant's domains were not read, those known stay: {error}")),
        }
    }

    /// Refuses another tenant's credentials.
    fn compare_tenant(&self, found: Option<&str>) -> Result<(), SyncError> {
        let known = self.state().filter(ConnectionState::is_published);
        match (known.and_then(|state| state.tenant), found) {
            (Some(known), Some(found)) if known != found => {
                Err(SyncError::OtherTenant { known, found: found.to_owned() })
            }
            _ => Ok(()),
        }
    }

    /// The same. Before anything is published they may be a correction: then what was
    /// staged from the other tenant is dropped.
    async fn check_tenant(&self, found: Option<&str>) -> Result<(), SyncError> {
        self.compare_tenant(found)?;
        let known = self.state().and_then(|state| state.tenant);
        let Some(found) = found.filter(|found| known.as_deref() != Some(found)) else {
            return Ok(());
        };
        let (found, connection) = (found.to_owned(), self.connection);
        carrier::write(&self.writer, move |change| {
            let mut state = change.connection(connection)?;
            state.tenant = Some(found);
            state.links.clear();
            state.rounds.clear();
            for kind in Kind::ALL {
                change.unstage(connection, kind)?;
            }
            change.put_connection(connection, &state)
        })
        .await
    }

    /// Reads objects that entered the scope; groups with all their members.
    pub(super) async fn fetch(
        &self,
        haul: &mut Arc<Haul>,
        wanted: Vec<(ObjectId, bool)>,
    ) -> Result<(), SyncError> {
        let ids: Vec<ObjectId> = wanted.iter().map(|(id, _)| *id).collect();
        let (mut found, mut warnings) = (HashMap::new(), Vec::new());
        for object in self.graph.objects(&ids).await? {
            let (kind, mut item) = (object.kind, object.item);
            if kind == Kind::Group {
                let members = self.graph.members(item.id).await?;
                let visibility = item.properties.get("visibility").and_then(Value::as_str);
                let hides = visibility == Some("HiddenMembership");
                if hides && members.is_empty() && !self.sees_hidden().await {
                    warnings.push(format!(
                        "the group {} hides its members, and the application lacks Member.Read.Hidden: none are known",
                        item.id
                    ));
                }
                item.members = members
                    .into_iter()
                    .map(|id| MemberChange { id, removed: false, kind: None })
                    .collect();
            }
            found.insert(item.id, (kind, item));
        }
        if let Some((id, _)) = wanted.iter().find(|(id, sure)| *sure && !found.contains_key(id)) {
            return Err(SyncError::Lagging(*id));
        }
        // The transaction that asked for them is over, and with it the other handle.
        let Some(haul) = Arc::get_mut(haul) else {
            return Err(SyncError::Cut("what was received is still in use".to_owned()));
        };
        haul.absent.extend(ids.iter().filter(|id| !found.contains_key(id)));
        haul.fetched.extend(found.into_values());
        haul.warnings.extend(warnings);
        Ok(())
    }
}

impl Haul {
    fn take(&mut self, round: Gathered) {
        if round.skipped > 0 {
            let what = format!(
                "{} items of {} had no usable id and were passed over",
                round.skipped,
                round.kind.plural()
            );
            self.warnings.push(what);
        }
        self.rounds.push(round);
    }
}
