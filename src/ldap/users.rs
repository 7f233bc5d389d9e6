//! Users who bind with the password that they have in Entra: who is meant by a name, and who
//! is asked about the password. Pure: no clock; reads the snapshot.
//!
//! A name means an entry of a user: its DN, its user principal name, one of its addresses, or
//! its account name, alone or behind `DOMAIN\`. What it is called in Entra is read from what
//! Graph said of it, not from the entry: a mapping must not send passwords to other accounts.

use super::bind_name::bare_name;
use super::profile::Profile;
use crate::config::settings::{LimitSettings, ProfileSettings};
use crate::directory::dn::{Dn, DnKey};
use crate::directory::kind::Kind;
use crate::directory::{schema, text};
use crate::replica::Number;
use crate::replica::error::Error;
use crate::replica::reader::{Context, Snapshot};
use crate::replica::source::SourceObject;
use std::fmt;
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use zeroize::Zeroizing;

/// Attributes that hold addresses, beside `proxyAddresses`.
const ADDRESSES: [&str; 3] = ["mail", "mailLocalAddress", "mailAlternateAddress"];
/// So many entries of one name are looked at; more of them are no name.
const NAMESAKES: usize = 16;

/// Who checks passwords of one connection's users, and what those may see.
pub struct UserBinds {
    /// The connection's name.
    pub connection: String,
    /// What its users may see.
    pub profile: Arc<ProfileSettings>,
    /// Checks a password. It is waited for by the client that binds, and by nobody else.
    pub check: Check,
}

/// What checks a password.
pub type Check = Box<dyn Fn(UserQuestion) -> Checking + Send + Sync>;
/// A check under way.
pub type Checking = Pin<Box<dyn Future<Output = UserAnswer> + Send>>;

/// A password, and whose it is said to be.
pub struct UserQuestion {
    /// Whose.
    pub who: UserName,
    /// The password, as it came; not empty.
    pub password: Zeroizing<Vec<u8>>,
    /// The network that the client is in.
    pub network: IpAddr,
    /// Whether the client may still ask: others at its address may have failed while it
    /// waited.
    pub may_ask: Box<dyn Fn() -> bool + Send + Sync>,
}

/// Whose password it is said to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserName {
    /// A user of the connection.
    User {
        /// The entry's number.
        number: u32,
        /// The user principal name.
        username: String,
        /// Another one where password, name or state of the user have changed.
        version: u64,
    },
    /// A name that is nobody's, in a form that is the same for each way of writing it.
    Nobody(String),
}

/// What the check of a user's password comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserAnswer {
    /// It is right.
    Right,
    /// It is wrong, or there is no such user.
    Wrong,
    /// There were too many wrong ones.
    Locked,
    /// It has expired.
    Expired,
    /// The account is disabled.
    Disabled,
    /// The user may not sign in at this hour.
    Hours,
    /// It alone does not do.
    Barred,
    /// It could not be checked.
    Unavailable,
    /// It was not checked: [`UserQuestion::may_ask`] said no.
    Busy,
}

/// A user that has bound.
#[derive(Debug)]
pub(crate) struct User {
    /// The user principal name.
    pub(crate) name: String,
    connection: String,
    number: Number,
    version: u64,
    /// The commit as of which that was looked at last.
    seen: AtomicU64,
}

impl User {
    /// Whether name, password and state are as they were: a user who was disabled, removed
    /// or has another password now must bind again.
    fn is_as_before(&self, snapshot: &Snapshot) -> bool {
        let sequence = snapshot.sequence();
        if self.seen.load(Ordering::Relaxed) == sequence {
            return true;
        }
        let served = is_user(snapshot, self.number);
        let same = match served.and_then(|served| Ok((served, snapshot.source(self.number)?))) {
            Ok((served, source)) => {
                served && source.is_some_and(|source| version_of(&source) == self.version)
            }
            // The search that follows tells what is wrong.
            Err(_) => true,
        };
        if same {
            self.seen.store(sequence, Ordering::Relaxed);
        }
        same
    }
}

/// Another one where name, password or state have changed.
fn version_of(source: &SourceObject) -> u64 {
    let mut version = DefaultHasher::new();
    for name in ["userPrincipalName", "accountEnabled", "lastPasswordChangeDateTime"] {
        source.properties.get(name).map(ToString::to_string).hash(&mut version);
    }
    version.finish()
}

/// The door for users of one connection.
pub(crate) struct Door {
    connection: String,
    profile: Arc<Profile>,
    pub(crate) check: Check,
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Door").field(&self.connection).finish()
    }
}

/// The doors of one configuration; none where users cannot bind.
#[derive(Debug, Default)]
pub(crate) struct Users(Vec<Arc<Door>>);

/// What a bind name comes to.
#[derive(Debug)]
pub(crate) enum Sought {
    /// Users cannot bind.
    Closed,
    /// It is not known yet who there is.
    NotReady,
    /// This door is to be asked; the user, where the name is one's.
    Ask(Arc<Door>, UserName, Option<Arc<User>>),
}

impl Users {
    /// The doors, with `limits` where a profile has none of its own.
    pub(crate) fn new(binds: Vec<UserBinds>, limits: &LimitSettings) -> Self {
        let door = |binds: UserBinds| {
            let profile = Arc::new(Profile::new(&binds.profile, limits));
            Arc::new(Door { connection: binds.connection, profile, check: binds.check })
        };
        Users(binds.into_iter().map(door).collect())
    }

    /// What a user that has bound may see now; `None` where the user must bind again, or
    /// users of the connection cannot bind any more.
    pub(crate) fn profile_of(&self, snapshot: &Snapshot, user: &User) -> Option<&Arc<Profile>> {
        let door = self.0.iter().find(|door| door.connection == user.connection);
        door.filter(|_| user.is_as_before(snapshot)).map(|door| &door.profile)
    }

    /// Whom a bind name means.
    pub(crate) fn seek(
        &self,
        snapshot: &Snapshot,
        name: &str,
        peer: IpAddr,
    ) -> Result<Sought, Error> {
        let Some(first) = self.0.first() else { return Ok(Sought::Closed) };
        let nobody = || {
            let is_ours = |key: &DnKey| snapshot.contexts().iter().any(|c| key.is_within(&c.key));
            let form = text::fold(&bare_name(name, &is_ours));
            Sought::Ask(Arc::clone(first), UserName::Nobody(form), None)
        };
        let number = match self.find(snapshot, name)? {
            Found::User(number) => number,
            Found::NotReady => return Ok(Sought::NotReady),
            Found::Nobody => return Ok(nobody()),
        };
        let Some(source) = snapshot.source(number)? else { return Ok(nobody()) };
        let door = self.door(snapshot, source.connection);
        // Users that are not for this network are as unknown there.
        let door = door.filter(|door| door.profile.admits(peer));
        let property = |name| source.properties.get(name);
        let username = property("userPrincipalName").and_then(|name| name.as_str());
        let (Some(door), Some(username)) = (door, username.filter(|name| !name.is_empty())) else {
            return Ok(nobody());
        };
        let (username, version) = (username.to_owned(), version_of(&source));
        let user = User {
            name: username.clone(),
            connection: door.connection.clone(),
            number,
            version,
            seen: AtomicU64::new(snapshot.sequence()),
        };
        let name = UserName::User { number, username, version };
        Ok(Sought::Ask(Arc::clone(door), name, Some(Arc::new(user))))
    }

    fn door(&self, snapshot: &Snapshot, connection: u16) -> Option<&Arc<Door>> {
        let (_, state) = snapshot.connections().iter().find(|(number, _)| *number == connection)?;
        self.0.iter().find(|door| door.connection == state.name)
    }

    /// Whether it is not known yet who there is in a context that has a door.
    fn waits(&self, snapshot: &Snapshot, context: &Context) -> bool {
        context.entry.is_none() && self.door(snapshot, context.connection).is_some()
    }

    fn find(&self, snapshot: &Snapshot, name: &str) -> Result<Found, Error> {
        let waits = |context: &Context| self.waits(snapshot, context);
        if let Some(dn) = Dn::parse(name).ok().filter(|_| name.contains('=')) {
            let key = dn.key();
            let context = snapshot.contexts().iter().find(|c| key.is_within(&c.key));
            if context.is_some_and(waits) {
                return Ok(Found::NotReady);
            }
            let number = snapshot.number(&key)?;
            return Ok(match number {
                Some(number) if is_user(snapshot, number)? => Found::User(number),
                _ => Found::Nobody,
            });
        }
        let some_wait = snapshot.contexts().iter().any(waits);
        if let Some((domain, account)) = name.split_once('\\') {
            return account_name(snapshot, account, Some(domain), some_wait);
        }
        if !name.contains('@') {
            return account_name(snapshot, name, None, some_wait);
        }
        let principal = ["userPrincipalName", "uid"].map(|attribute| (attribute, name.to_owned()));
        let address = ADDRESSES.map(|attribute| (attribute, name.to_owned()));
        let proxy = [("proxyAddresses", format!("smtp:{name}"))];
        // A user principal name is one user's; an address that happens to be the same is not
        // what a person signs in with.
        for names in [principal.to_vec(), address.into_iter().chain(proxy).collect()] {
            match holder(snapshot, &names, &|_| true)? {
                Holder::None => {}
                Holder::One(number) => return Ok(Found::User(number)),
                Holder::Many => return Ok(Found::Nobody),
            }
        }
        Ok(if some_wait { Found::NotReady } else { Found::Nobody })
    }
}

enum Found {
    User(Number),
    Nobody,
    NotReady,
}

/// An account name that is one user's only. The domain chooses among the contexts, if one
/// of them is called so.
fn account_name(
    snapshot: &Snapshot,
    account: &str,
    domain: Option<&str>,
    some_wait: bool,
) -> Result<Found, Error> {
    // It may be another user's as well, who is not known yet.
    if some_wait {
        return Ok(Found::NotReady);
    }
    let meant = domain.map(text::fold);
    let is_meant = |context: &&Context| {
        let label = context.base.rdn().and_then(|rdn| rdn.first()).map(|(_, value)| value);
        let label = label.and_then(|value| std::str::from_utf8(value).ok()).map(text::fold);
        meant.is_some() && label == meant
    };
    let named = snapshot.contexts().iter().find(is_meant).map(|context| context.connection);
    let names = ["sAMAccountName", "uid"].map(|attribute| (attribute, account.to_owned()));
    let within = |connection: u16| named.is_none_or(|named| named == connection);
    Ok(match holder(snapshot, &names, &within)? {
        Holder::One(number) => Found::User(number),
        Holder::None | Holder::Many => Found::Nobody,
    })
}

enum Holder {
    None,
    One(Number),
    Many,
}

/// The user that has one of these values.
fn holder(
    snapshot: &Snapshot,
    values: &[(&str, String)],
    within: &dyn Fn(u16) -> bool,
) -> Result<Holder, Error> {
    let mut found = Holder::None;
    for (attribute, value) in values {
        let Some(attribute) = schema::standard().attribute(attribute.as_bytes()) else { continue };
        let Some(key) = attribute.syntax.key(value.as_bytes()) else { continue };
        let numbers = snapshot.equal(attribute.id, &key)?;
        if numbers.len() > NAMESAKES {
            return Ok(Holder::Many);
        }
        for number in numbers.iter() {
            if !is_user(snapshot, number)? || !within(connection_of(snapshot, number)?) {
                continue;
            }
            match found {
                Holder::One(other) if other != number => return Ok(Holder::Many),
                _ => found = Holder::One(number),
            }
        }
    }
    Ok(found)
}

/// Whether a served entry is a user of Entra; entries of the local file have nothing there.
fn is_user(snapshot: &Snapshot, number: Number) -> Result<bool, Error> {
    let Some(entry) = snapshot.entry(number)? else { return Ok(false) };
    let is_user = entry.view().identity().kind == Some(Kind::User);
    Ok(is_user && snapshot.source(number)?.is_some_and(|source| source.kind == Kind::User))
}

fn connection_of(snapshot: &Snapshot, number: Number) -> Result<u16, Error> {
    let entry = snapshot.entry(number)?;
    Ok(entry.map_or(u16::MAX, |entry| entry.view().identity().connection))
}
