//! A naive client model without HTTP, and the claim that it always ends in the tenant's state.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::call::{Answer, Call};
use super::desk::{Desk, Options, lock};
use super::knobs::{Knobs, Lateness, Reason, Spelling};
use super::life;
use super::object::Kind;
use super::rng::Rng;
use super::routes;
use super::tenant::Tenant;

pub(super) const SELECTS: [&str; 3] = [
    "id,userPrincipalName,displayName,mail,proxyAddresses,accountEnabled,userType,officeLocation,manager",
    "id,displayName,mail,groupTypes,visibility,proxyAddresses,members",
    "id,displayName,mail,companyName,proxyAddresses",
];
const ROOT: &str = "http://sim";

/// A desk that is asked without a socket.
pub(super) struct Office(pub(super) Desk);

/// The pages of a round and the link that follows it.
pub(super) struct Round {
    pub(super) pages: Vec<Vec<Value>>,
    pub(super) link: String,
}

impl Round {
    pub(super) fn items(&self) -> Vec<&Value> {
        self.pages.iter().flatten().collect()
    }

    /// All items about one object.
    pub(super) fn about(&self, id: &str) -> Vec<&Value> {
        self.items().into_iter().filter(|item| item["id"] == id).collect()
    }
}

impl Office {
    pub(super) fn new(tenant: Tenant, knobs: Knobs) -> Self {
        let desk = Desk::new(tenant, Options { knobs, ..Options::default() });
        desk.remember_token("t".to_owned(), u64::MAX);
        Self(desk)
    }

    pub(super) fn tenant<T>(&self, work: impl FnOnce(&mut Tenant) -> T) -> T {
        work(&mut lock(&self.0.tenant))
    }

    pub(super) fn answer(&self, uri: &str, headers: &[(&str, &str)]) -> Answer {
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        let mut headers: Vec<_> =
            headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        headers.push(("authorization".into(), "Bearer t".into()));
        let call = Call {
            method: "GET".into(),
            path: path.trim_start_matches(ROOT).into(),
            query: query.into(),
            headers,
            root: ROOT.into(),
            ..Call::default()
        };
        routes::answer(&self.0, &call)
    }

    pub(super) fn get(&self, uri: &str) -> (u16, Value) {
        let answer = self.answer(uri, &[]);
        (answer.status, serde_json::from_slice(&answer.body).unwrap_or_default())
    }

    /// Follows a round to its end; `between` runs after each page.
    pub(super) fn round(
        &self,
        start: &str,
        minimal: bool,
        mut between: impl FnMut(&Self),
    ) -> Round {
        let mut link = start.to_owned();
        let mut pages = Vec::new();
        let prefer: &[(&str, &str)] = if minimal { &[("prefer", "return=minimal")] } else { &[] };
        for _ in 0..10_000 {
            let answer = self.answer(&link, prefer);
            assert_eq!(answer.status, 200, "{link}: {}", String::from_utf8_lossy(&answer.body));
            let mut body: Value = serde_json::from_slice(&answer.body).unwrap();
            pages.push(body["value"].as_array_mut().map(std::mem::take).unwrap());
            let (next, done) =
                (body["@odata.nextLink"].as_str(), body["@odata.deltaLink"].as_str());
            assert!(next.is_some() != done.is_some(), "a page has exactly one link");
            between(self);
            if let Some(done) = done {
                return Round { pages, link: done.to_owned() };
            }
            link = next.unwrap().to_owned();
        }
        panic!("the round does not end");
    }

    pub(super) fn first(&self, kind: Kind) -> Round {
        self.round(&first_link(kind), false, |_| {})
    }

    pub(super) fn next(&self, link: &str) -> Round {
        self.round(link, false, |_| {})
    }
}

pub(super) fn first_link(kind: Kind) -> String {
    format!("/v1.0/{}/delta?$select={}", kind.segment(), SELECTS[kind.stream().unwrap()])
}

/// What a simple client keeps.
#[derive(Default)]
struct Replica {
    objects: [BTreeMap<String, Map<String, Value>>; 3],
    gone: BTreeSet<String>,
    edges: BTreeMap<String, BTreeSet<String>>,
    managers: BTreeMap<String, String>,
    links: [Option<String>; 3],
}

impl Replica {
    fn poll(&mut self, office: &Office, kind: Kind, minimal: bool, between: impl FnMut(&Office)) {
        let stream = kind.stream().unwrap();
        let start = self.links[stream].clone();
        let minimal = minimal && start.is_some();
        let round = office.round(&start.unwrap_or_else(|| first_link(kind)), minimal, between);
        for item in round.items() {
            self.apply(office, stream, item);
        }
        self.links[stream] = Some(round.link);
    }

    fn apply(&mut self, office: &Office, stream: usize, item: &Value) {
        let id = item["id"].as_str().unwrap().to_owned();
        if let Some(removed) = item.get("@removed") {
            self.objects[stream].remove(&id);
            self.managers.remove(&id);
            if removed["reason"] == "deleted" {
                self.edges.remove(&id);
            }
            self.gone.insert(id);
            return;
        }
        let returned = self.gone.remove(&id);
        if stream == 1 && lock(&office.0.knobs).restored_group_sends_members {
            if returned {
                self.edges.remove(&id);
            }
        } else if stream == 1 && (returned || !self.objects[1].contains_key(&id)) {
            // A group never seen may be a restored one, which does not send its members: read them.
            self.edges.insert(id.clone(), told_members(office, &id));
        }
        let known = self.objects[stream].entry(id.clone()).or_default();
        for (name, value) in item.as_object().unwrap() {
            match name.as_str() {
                "members@delta" => {
                    let edges = self.edges.entry(id.clone()).or_default();
                    for member in value.as_array().unwrap() {
                        let to = member["id"].as_str().unwrap().to_owned();
                        match member.get("@removed") {
                            Some(reason) => {
                                assert_eq!(reason["reason"], "deleted");
                                edges.remove(&to);
                            }
                            None => {
                                edges.insert(to);
                            }
                        }
                    }
                }
                "manager@delta" => {
                    for manager in value.as_array().unwrap() {
                        let to = manager["id"].as_str().unwrap().to_owned();
                        if manager.get("@removed").is_none() {
                            self.managers.insert(id.clone(), to);
                        } else if self.managers.get(&id) == Some(&to) {
                            self.managers.remove(&id);
                        }
                    }
                }
                _ => {
                    known.insert(name.clone(), value.clone());
                }
            }
        }
    }

    fn compare(&self, office: &Office, context: &str) {
        let tenant = lock(&office.0.tenant);
        let live: BTreeSet<&str> =
            Kind::STREAMS.into_iter().flat_map(|kind| tenant.live(kind)).collect();
        for (stream, kind) in Kind::STREAMS.into_iter().enumerate() {
            let names: Vec<&str> = SELECTS[stream].split(',').collect();
            let bare = |map: &Map<String, Value>| -> Map<String, Value> {
                map.iter()
                    .filter(|(name, value)| names.contains(&name.as_str()) && !value.is_null())
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect()
            };
            let ours: BTreeMap<_, _> =
                self.objects[stream].iter().map(|(id, map)| (id.as_str(), bare(map))).collect();
            let theirs: BTreeMap<_, _> =
                tenant.live(kind).map(|id| (id, bare(&tenant.object(id).unwrap()))).collect();
            for (id, map) in &theirs {
                assert_eq!(ours.get(id), Some(map), "{context}: {kind:?} {id}");
            }
            assert_eq!(ours.len(), theirs.len(), "{context}: {kind:?} too many");
        }
        for group in tenant.live(Kind::Group) {
            let effective = |ids: BTreeSet<String>| -> BTreeSet<String> {
                ids.into_iter().filter(|id| live.contains(id.as_str())).collect()
            };
            let ours = effective(self.edges.get(group).cloned().unwrap_or_default());
            let theirs = effective(told(&tenant, group));
            assert_eq!(ours, theirs, "{context}: members of {group}");
        }
        for user in tenant.live(Kind::User) {
            assert_eq!(
                self.managers.get(user).map(String::as_str),
                tenant.manager(user),
                "{context}: manager of {user}"
            );
        }
    }
}

fn told_members(office: &Office, group: &str) -> BTreeSet<String> {
    office.tenant(|tenant| told(tenant, group))
}

fn told(tenant: &Tenant, group: &str) -> BTreeSet<String> {
    let Some(object) = tenant.object(group) else { return BTreeSet::new() };
    if object.get("visibility").is_some_and(|visibility| visibility == "HiddenMembership") {
        return BTreeSet::new();
    }
    tenant.members(group).into_iter().map(str::to_owned).collect()
}

fn knobs_of(rng: &mut Rng) -> Knobs {
    let mut flip = || rng.one_in(2);
    let mut knobs = Knobs {
        removed_in_initial: flip(),
        coalesce: flip(),
        catch_up: flip(),
        restored_group_sends_members: flip(),
        odd_members: flip(),
        wrong_context: flip(),
        retried_links_die: flip(),
        manager_again: flip(),
        manager_both: flip(),
        contact_reason: if flip() { Reason::Changed } else { Reason::Deleted },
        spelling: if flip() { Spelling::QualifiedCall } else { Spelling::Call },
        ..Knobs::default()
    };
    knobs.page_objects = 1 + rng.below(30);
    knobs.page_links = 1 + rng.below(20);
    knobs.empty_page_every = [0, 2, 5][rng.below(3)];
    knobs.repeat_every = [0, 1, 3][rng.below(3)];
    knobs.copies = 1 + rng.below(3);
    knobs.member_slices = [1, 2, 5][rng.below(3)];
    let late = [0, 0, 3, 9];
    knobs.late = Lateness {
        users: late[rng.below(4)],
        groups: late[rng.below(4)],
        contacts: late[rng.below(4)],
    };
    knobs
}

fn converges(seed: u64, knobs: Knobs, minimal: bool) {
    let context = format!("seed {seed}, minimal {minimal}, {knobs:?}");
    let late = knobs.late.longest();
    let mut tenant = Tenant::generate(seed, 40);
    tenant.keep_deleted_security_groups(seed.is_multiple_of(2));
    // History before the first enumeration: an occupied recycle bin, purged objects.
    life::changes(&mut tenant, seed, 80);
    let office = Office::new(tenant, knobs);
    let mut rng = Rng::new(seed);
    let mut replica = Replica::default();
    for _ in 0..5 {
        for kind in Kind::STREAMS {
            replica.poll(&office, kind, minimal, |office| {
                if rng.one_in(3) {
                    office.tenant(|tenant| life::step(tenant, &mut rng));
                }
            });
        }
        office.tenant(|tenant| (0..rng.below(40)).for_each(|_| drop(life::step(tenant, &mut rng))));
    }
    for _ in 0..=late {
        for kind in Kind::STREAMS {
            replica.poll(&office, kind, minimal, |_| {});
        }
    }
    replica.compare(&office, &context);
}

#[test]
fn a_naive_client_converges_with_the_default_switches() {
    for seed in 0..12 {
        converges(seed, Knobs::default(), false);
        converges(seed, Knobs::default(), true);
    }
}

#[test]
fn a_naive_client_converges_under_all_switches() {
    for seed in 100..250 {
        let knobs = knobs_of(&mut Rng::new(seed));
        converges(seed, knobs, seed % 3 == 0);
    }
}
