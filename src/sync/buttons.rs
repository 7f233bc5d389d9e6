//! What a person may tell a connection: to let a held pass through or not, to rest, to
//! go on, to end.

use super::carrier;
use super::engine::{Engine, unix_ms};
use super::error::SyncError;
use super::schedule::Button;
use crate::directory::ids::ObjectId;
use crate::directory::kind::Kind;
use crate::replica::connection::{ConnectionState, Totals};
use crate::replica::source::Space;
use crate::replica::{self, Transaction, Writer};
use std::time::{Duration, Instant};

/// The file is written anew at most so often.
const REWRITE_EVERY: Duration = Duration::from_secs(3600);

impl Engine {
    /// Does what a person wants, and tells what became of it.
    pub async fn press(&self, button: Button) -> Result<String, String> {
        let name = &self.settings.name;
        let nothing_held = format!("{name}: no pass is held");
        let done = match button {
            Button::Approve => match self.approve().await.map_err(told)? {
                true => format!("{name}: what is held may go with the next pass"),
                false => return Err(nothing_held),
            },
            Button::Reject => match self.reject().await.map_err(told)? {
                true => format!(
                    "{name}: rejected; the next pass asks Graph for everything anew, what is published stays"
                ),
                false => return Err(nothing_held),
            },
            Button::Pause => {
                self.set_paused(true).await.map_err(told)?;
                format!("{name}: paused; no pass runs by itself until `entraldap resume {name}`")
            }
            Button::Resume => {
                self.set_paused(false).await.map_err(told)?;
                format!("{name}: passes run again")
            }
            Button::PauseObject(id) => {
                match self.set_object_paused(id, true).await.map_err(told)? {
                    true => format!("{name}: {id} keeps its present state until it is resumed"),
                    false => format!("{name}: {id} was paused before"),
                }
            }
            Button::ResumeObject(id) => {
                match self.set_object_paused(id, false).await.map_err(told)? {
                    true => format!("{name}: {id} follows Graph again"),
                    false => return Err(format!("{name}: {id} is not paused")),
                }
            }
            Button::Disconnect { delete } => {
                self.disconnect(delete).await.map_err(told)?;
                match delete {
                    true => format!(
                        "{name}: disconnected, and all its data was removed; searches below its base answer `unavailable` until the connection is taken out of the configuration"
                    ),
                    false => format!("{name}: disconnected; its data stays as it is and is served"),
                }
            }
        };
        Ok(done)
    }

    /// Lets the held pass through: as much may vanish as was told. Gives whether one is
    /// held.
    pub async fn approve(&self) -> Result<bool, SyncError> {
        self.change_state(|state| {
            let losses = state.held.as_ref().map(|held| held.losses.clone());
            let is_held = losses.is_some();
            state.approved = losses.or(state.approved.take());
            is_held
        })
        .await
    }

    /// Does not believe the held pass: what Graph says now is asked from the beginning.
    /// Gives whether one is held.
    pub async fn reject(&self) -> Result<bool, SyncError> {
        self.change_state(|state| {
            state.approved = None;
            match &mut state.held {
                Some(held) => {
                    held.rejected = true;
                    true
                }
                None => false,
            }
        })
        .await
    }

    /// Passes no longer run by themselves, or do again.
    pub async fn set_paused(&self, paused: bool) -> Result<(), SyncError> {
        self.change_state(move |state| {
            state.paused = paused;
            state.disconnected &= paused;
        })
        .await
    }

    /// An object keeps its present state, or no longer. Gives whether that is new.
    pub async fn set_object_paused(&self, id: ObjectId, paused: bool) -> Result<bool, SyncError> {
        let connection = self.connection;
        let done = carrier::write(&self.writer, move |change| -> Result<bool, replica::Error> {
            let mut state = change.connection(connection)?;
            let (object, id, now) = (id, id.to_string(), unix_ms() / 1000);
            let done = match paused {
                true => !state.paused_objects.contains_key(&id),
                false => state.paused_objects.remove(&id).is_some(),
            };
            if paused {
                state.paused_objects.entry(id).or_insert(now);
            } else if done {
                // What was missed meanwhile is found by looking once more.
                state.touched.extend(change.find(connection, object)?);
            }
            change.put_connection(connection, &state)?;
            Ok(done)
        })
        .await?;
        self.report_state();
        Ok(done)
    }

    /// Gives the connection up: no pass runs any more. Its data stays and is served, or
    /// goes, and then nothing below its base can be answered.
    pub async fn disconnect(&self, delete: bool) -> Result<(), SyncError> {
        let (connection, now) = (self.connection, unix_ms() / 1000);
        carrier::write(&self.writer, move |change| -> Result<(), SyncError> {
            if delete {
                wipe(change, connection, now)?;
            }
            let mut state = change.connection(connection)?;
            (state.disconnected, state.paused) = (true, true);
            state.traces |= delete;
            change.put_connection(connection, &state)?;
            Ok(())
        })
        .await?;
        if delete {
            self.tidy().await;
        }
        self.report_state();
        Ok(())
    }

    /// Writes the file anew, should free pages of it hold data of people who left the
    /// scope, or be most of it: at most once an hour, since that costs as much as the file
    /// is long.
    pub(super) async fn tidy(&self) {
        let state = self.state().unwrap_or_default();
        let mut last = self.rewritten.lock().await;
        let is_due = last.is_none_or(|last| last.elapsed() >= REWRITE_EVERY);
        let bloated = self.writer.is_bloated().unwrap_or(false);
        if !(state.traces || bloated) || !is_due {
            return;
        }
        let writer = self.writer.clone();
        let done = carrier::carry(move || writer.rewrite()).await;
        *last = Some(Instant::now());
        let done = match done.and_then(|done| done.map_err(SyncError::from)) {
            Ok(()) if state.traces => self.change_state(|state| state.traces = false).await,
            done => done,
        };
        if let Err(error) = done {
            if !state.traces {
                tracing::warn!(connection = %self.settings.name, "free pages of the replica file stay: {error}");
                return;
            }
            tracing::error!(connection = %self.settings.name, "data of people out of scope may still stand in free pages of the replica file: {error}");
        }
    }

    async fn change_state<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut ConnectionState) -> T + Send + 'static,
    ) -> Result<T, SyncError> {
        let connection = self.connection;
        let done = carrier::write(&self.writer, move |change| -> Result<T, replica::Error> {
            let mut state = change.connection(connection)?;
            let done = work(&mut state);
            change.put_connection(connection, &state)?;
            Ok(done)
        })
        .await?;
        self.report_state();
        Ok(done)
    }
}

/// Gives up a connection that the configuration no longer has; its data goes. Gives
/// whether the file knows it.
pub fn forget(writer: &Writer, name: &str) -> Result<bool, SyncError> {
    let known = writer.write(|change| -> Result<bool, SyncError> {
        for number in change.connection_numbers()? {
            if change.connection(number)?.name == name {
                wipe(change, number, unix_ms() / 1000)?;
                return Ok(true);
            }
        }
        Ok(false)
    })?;
    if known {
        writer.rewrite()?;
    }
    Ok(known)
}

/// Removes everything that came by a connection.
fn wipe(change: &mut Transaction<'_>, connection: u16, now: i64) -> Result<(), SyncError> {
    let state = change.connection(connection)?;
    for kind in Kind::ALL {
        for number in change.objects(connection, kind)?.into_bitmap() {
            for member in change.linked(Space::Members, number)?.iter() {
                change.set_member(number, member, false)?;
            }
            change.remove_object(number)?;
            change.set_left_out(number, None)?;
            change.remove_entry(number)?;
            change.anonymise_changes_of(number)?;
        }
        change.unstage(connection, kind)?;
    }
    for number in change.entries_of(connection)? {
        change.remove_entry(number)?;
        change.anonymise_changes_of(number)?;
    }
    change.release_accounts(connection)?;
    change.put_connection(
        connection,
        &ConnectionState {
            name: state.name,
            base: state.base,
            configured: state.configured,
            last_success: None,
            totals: Totals::default(),
            disconnected: true,
            ..ConnectionState::default()
        },
    )?;
    tracing::info!(connection, now, "all data of the connection was removed");
    Ok(())
}

fn told(error: SyncError) -> String {
    error.to_string()
}
