//! What an account, or anonymous, may see, from where, and how much of it. Pure: no I/O,
//! no clock.

use crate::config::settings::{LimitSettings, ProfileSettings, Readable};
use crate::directory::attribute::AttributeId;
use crate::directory::dn::DnKey;
use crate::directory::schema;
use ipnet::IpNet;
use std::net::IpAddr;
use std::time::Duration;

/// A profile, ready to be asked.
#[derive(Debug)]
pub(crate) struct Profile {
    networks: Vec<IpNet>,
    bases: Vec<DnKey>,
    readable: Option<Attributes>,
    limits: Allowance,
}

/// A set of attributes: a bit for each number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attributes(Vec<bool>);

/// How much one client may take, where profiles may say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allowance {
    /// Most entries of one search; 0 for no limit.
    pub(crate) size: u32,
    /// Most entries of one page; 0 for no limit.
    pub(crate) page: u32,
    /// Longest time of one search; zero for no limit.
    pub(crate) time: Duration,
    /// Requests of one connection that are under way or wait.
    pub(crate) operations: usize,
}

impl Allowance {
    /// Where no profile says anything.
    pub(crate) fn of(limits: &LimitSettings) -> Self {
        let LimitSettings { size, page, time, operations, .. } = *limits;
        Allowance { size, page, time, operations }
    }
}

impl Attributes {
    fn new(settings: &Readable) -> Option<Self> {
        let (listed, others) = match settings {
            Readable::All => return None,
            Readable::Only(list) => (list, false),
            Readable::Except(list) => (list, true),
        };
        let schema = schema::standard();
        let holds = |id: AttributeId, name: &str| {
            // RFC 4512 2.4: entries are told apart by their object class.
            name == "objectClass" || listed.contains(&id) != others
        };
        Some(Attributes(schema.attributes().iter().map(|a| holds(a.id, a.name)).collect()))
    }

    /// Whether the attribute is in the set.
    pub(crate) fn holds(&self, attribute: AttributeId) -> bool {
        self.0.get(usize::from(attribute.0)).copied().unwrap_or(false)
    }
}

impl Profile {
    /// The profile of these settings, with `limits` where it has none of its own.
    pub(crate) fn new(settings: &ProfileSettings, limits: &LimitSettings) -> Self {
        let limits = Allowance::of(limits);
        Profile {
            networks: settings.networks.clone(),
            bases: settings.bases.iter().map(|base| base.key()).collect(),
            readable: Attributes::new(&settings.attributes),
            limits: Allowance {
                size: settings.size.unwrap_or(limits.size),
                page: settings.page.unwrap_or(limits.page),
                time: settings.time.unwrap_or(limits.time),
                operations: settings.operations.unwrap_or(limits.operations),
            },
        }
    }

    /// Whether it holds for clients at this address.
    pub(crate) fn admits(&self, peer: IpAddr) -> bool {
        // A listener on `[::]` sees IPv4 clients as `::ffff:10.1.2.3`.
        let peer = peer.to_canonical();
        self.networks.is_empty() || self.networks.iter().any(|network| network.contains(&peer))
    }

    /// Whether an attribute may be looked at at all.
    pub(crate) fn may_read(&self, attribute: AttributeId) -> bool {
        self.readable.as_ref().is_none_or(|readable| readable.holds(attribute))
    }

    /// The readable attributes; `None` for all.
    pub(crate) fn readable(&self) -> Option<&Attributes> {
        self.readable.as_ref()
    }

    /// The parts of the tree that exist for it; empty for all of it.
    pub(crate) fn bases(&self) -> &[DnKey] {
        &self.bases
    }

    /// Whether an entry of this name may be seen.
    pub(crate) fn sees(&self, name: &DnKey) -> bool {
        self.bases.is_empty() || self.bases.iter().any(|base| name.is_within(base))
    }

    /// Whether there may be something to see below this name.
    pub(crate) fn sees_below(&self, name: &DnKey) -> bool {
        self.sees(name) || self.bases.iter().any(|base| base.is_within(name))
    }

    /// How much it allows.
    pub(crate) fn limits(&self) -> &Allowance {
        &self.limits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::dn::Dn;

    fn profile(settings: ProfileSettings) -> Profile {
        Profile::new(&settings, &LimitSettings::default())
    }

    fn id(name: &str) -> AttributeId {
        schema::standard().attribute(name.as_bytes()).unwrap().id
    }

    #[test]
    fn networks_know_ipv4_clients_of_an_ipv6_listener() {
        let networks = vec!["10.1.0.0/16".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
        let profile = profile(ProfileSettings { networks, ..ProfileSettings::default() });
        for (address, admitted) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("10.2.2.3", false),
            ("2001:db8:1::1", true),
            ("2001:db9::1", false),
            ("::1", false),
        ] {
            assert_eq!(profile.admits(address.parse().unwrap()), admitted, "{address}");
        }
    }

    #[test]
    fn the_object_class_is_always_readable() {
        for (attributes, mail, sn) in [
            (Readable::All, true, true),
            (Readable::Only(vec![id("mail")]), true, false),
            (Readable::Except(vec![id("mail"), id("objectClass")]), false, true),
        ] {
            let profile = profile(ProfileSettings { attributes, ..ProfileSettings::default() });
            let reads = |name: &str| profile.may_read(id(name));
            assert_eq!((reads("mail"), reads("sn"), reads("objectClass")), (mail, sn, true));
        }
    }

    #[test]
    fn bases_are_all_there_is() {
        let key = |dn: &str| Dn::parse(dn).unwrap().key();
        let bases = vec![Dn::parse("ou=users,dc=x").unwrap()];
        let profile = profile(ProfileSettings { bases, ..ProfileSettings::default() });
        for (dn, sees, below) in [
            ("uid=a,OU=Users,dc=x", true, true),
            ("ou=users,dc=x", true, true),
            ("dc=x", false, true),
            ("", false, true),
            ("ou=users2,dc=x", false, false),
            ("dc=y", false, false),
        ] {
            assert_eq!((profile.sees(&key(dn)), profile.sees_below(&key(dn))), (sees, below));
        }
    }
}
