//! What vanishes with a pass, and whether that is suspicious. Pure: no I/O, no clock.

use crate::config::settings::{GuardSettings, Threshold};
use crate::directory::kind::Kind;
pub use crate::replica::connection::{Losses, Totals};

/// What is lost, what there was, how much of it may go: of one sort of thing.
struct Count {
    what: &'static str,
    lost: u64,
    allowed: u64,
    total: u64,
    limit: Threshold,
}

/// What is suspicious about `losses`, a sentence each. `before`: what was served.
/// `approved`: what a person has allowed to vanish.
pub fn suspicions(
    losses: &Losses,
    before: &Totals,
    approved: Option<&Losses>,
    guard: &GuardSettings,
) -> Vec<String> {
    let of = |map: &std::collections::BTreeMap<String, u64>, kind: Kind| {
        map.get(kind.plural()).copied().unwrap_or_default()
    };
    let limit = |kind| match kind {
        Kind::User => guard.users,
        Kind::Group => guard.groups,
        Kind::Contact => guard.contacts,
        Kind::Domain => guard.domains,
    };
    let mut counts: Vec<Count> = Kind::ALL
        .into_iter()
        .map(|kind| Count {
            what: kind.plural(),
            lost: of(&losses.entries, kind),
            allowed: approved.map_or(0, |approved| of(&approved.entries, kind)),
            total: of(&before.entries, kind),
            limit: limit(kind),
        })
        .collect();
    counts.push(Count {
        what: "addresses",
        lost: losses.addresses,
        allowed: approved.map_or(0, |approved| approved.addresses),
        total: before.addresses,
        limit: guard.addresses,
    });
    counts.push(Count {
        what: "emptied_groups",
        lost: losses.emptied_groups,
        allowed: approved.map_or(0, |approved| approved.emptied_groups),
        total: before.filled_groups,
        limit: guard.emptied_groups,
    });
    counts.iter().filter_map(|count| count.suspicion(guard.enabled)).collect()
}

impl Count {
    fn suspicion(&self, enabled: bool) -> Option<String> {
        let Count { what, lost, total, limit, .. } = self;
        if *lost <= self.allowed {
            return None;
        }
        // Nobody left is no matter of limits: that is how a broken tenant looks.
        if *what == Kind::User.plural() && lost == total {
            return Some(format!("all {total} users would be removed"));
        }
        if !enabled || !limit.is_exceeded(*lost, *total) {
            return None;
        }
        let (sort, end) = match *what {
            "emptied_groups" => ("groups with members", "would lose their last member"),
            "addresses" => ("addresses", "would be nobody's any more"),
            kind => (kind, "would be removed"),
        };
        let why = if *lost > limit.count {
            format!("[connection.guard.{what}] count = {}", limit.count)
        } else {
            format!("[connection.guard.{what}] share = \"{}%\"", limit.share)
        };
        Some(format!("{lost} of {total} {sort} {end} ({why})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn losses(users: u64) -> Losses {
        Losses { entries: [("users".to_owned(), users)].into(), ..Losses::default() }
    }

    fn totals(users: u64) -> Totals {
        Totals { entries: [("users".to_owned(), users)].into(), addresses: 100, filled_groups: 10 }
    }

    fn asked(lost: Losses, total: u64) -> Vec<String> {
        suspicions(&lost, &totals(total), None, &GuardSettings::default())
    }

    #[test]
    fn few_losses_are_free_and_many_are_not() {
        assert!(asked(losses(5), 20).is_empty(), "free");
        assert_eq!(
            asked(losses(6), 20),
            ["6 of 20 users would be removed ([connection.guard.users] share = \"10%\")"]
        );
        assert!(asked(losses(10), 100).is_empty(), "as much as the share");
        assert_eq!(asked(losses(11), 100).len(), 1);
        assert!(asked(losses(500), 100_000).is_empty());
        assert_eq!(
            asked(losses(501), 100_000),
            ["501 of 100000 users would be removed ([connection.guard.users] count = 500)"]
        );
    }

    #[test]
    fn the_last_user_is_never_removed_unasked() {
        let off = GuardSettings { enabled: false, ..GuardSettings::default() };
        assert!(suspicions(&losses(19), &totals(20), None, &off).is_empty());
        let all = suspicions(&losses(20), &totals(20), None, &off);
        assert_eq!(all, ["all 20 users would be removed"]);
        assert_eq!(suspicions(&losses(1), &totals(1), None, &off).len(), 1);
        assert!(suspicions(&losses(0), &totals(0), None, &off).is_empty());
    }

    #[test]
    fn what_was_approved_may_vanish_and_no_more() {
        let guard = GuardSettings::default();
        let approved = losses(50);
        assert!(suspicions(&losses(50), &totals(60), Some(&approved), &guard).is_empty());
        assert_eq!(suspicions(&losses(51), &totals(60), Some(&approved), &guard).len(), 1);
    }

    #[test]
    fn addresses_and_emptied_groups_have_limits_of_their_own() {
        let lost = Losses { addresses: 21, emptied_groups: 6, ..Losses::default() };
        assert_eq!(
            asked(lost, 100),
            [
                "21 of 100 addresses would be nobody's any more ([connection.guard.addresses] share = \"10%\")",
                "6 of 10 groups with members would lose their last member ([connection.guard.emptied_groups] share = \"10%\")",
            ]
        );
    }
}
