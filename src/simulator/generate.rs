//! A tenant by seed and size: every kind of user, group and contact. Pure: no I/O, no clock.

use serde_json::{Map, Value, json};

use super::object::Kind;
use super::people::{SPECIMENS, contact, created, user, usual};
use super::rng::Rng;
use super::tenant::{Tenant, TenantError, initial_domain};

/// The members of the largest list: half of all users, but no more than this.
const LARGEST: usize = 10_000;

/// Kinds of groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GroupKind {
    Public,
    Private,
    Hidden,
    Security,
    MailSecurity,
    List,
    DynamicSecurity,
    DynamicUnified,
}

const GROUP_KINDS: &[GroupKind] = &[
    GroupKind::Public,
    GroupKind::Private,
    GroupKind::Hidden,
    GroupKind::Security,
    GroupKind::MailSecurity,
    GroupKind::List,
    GroupKind::DynamicSecurity,
    GroupKind::DynamicUnified,
];

/// One of each, with a name; what follows is built on their places.
const SPECIMEN_GROUPS: &[(GroupKind, &str)] = &[
    (GroupKind::Public, "Company News"),
    (GroupKind::Private, "Board"),
    (GroupKind::Hidden, "Works Council"),
    (GroupKind::Security, "VPN Users"),
    (GroupKind::MailSecurity, "Server Admins"),
    (GroupKind::List, "Sales List"),
    (GroupKind::DynamicSecurity, "All Enabled"),
    (GroupKind::DynamicUnified, "Everyone in Sales"),
    (GroupKind::List, "Nested Parent"),
    (GroupKind::List, "Nested Child"),
    (GroupKind::List, "Cycle A"),
    (GroupKind::List, "Cycle B"),
    (GroupKind::List, "Empty List"),
    (GroupKind::Private, "Project Phoenix"),
    (GroupKind::Private, "Project Phoenix"),
    (GroupKind::Security, "Devices and Services"),
    (GroupKind::Security, "Role Holders"),
    (GroupKind::MailSecurity, "Synced from Premises"),
    (GroupKind::List, "All Staff"),
    (GroupKind::List, "Sales, \"North\" + South; <Ops>"),
    (GroupKind::List, "Группа продаж"),
    (GroupKind::List, "External Partners"),
];

impl Tenant {
    /// Makes a tenant of `users` users, a tenth as many groups and a twentieth as many contacts.
    ///
    /// Every kind of object is there even in a tiny tenant, so there are
    /// never fewer than 24 users, 22 groups and 4 contacts.
    pub fn generate(seed: u64, users: usize) -> Self {
        let mut tenant = Self::empty("contoso.com");
        tenant.ids = Rng::new(seed ^ 0x1d5);
        tenant.loading = true;
        let built = Builder { rng: Rng::new(seed), tenant: &mut tenant }.build(users);
        debug_assert!(built.is_ok(), "generated ids are unique and known: {built:?}");
        tenant.loading = false;
        tenant
    }
}

struct Builder<'a> {
    rng: Rng,
    tenant: &'a mut Tenant,
}

impl Builder<'_> {
    fn build(&mut self, users: usize) -> Result<(), TenantError> {
        let domain = self.tenant.domain().to_owned();
        let people = self.users(users.max(SPECIMENS.len()), &domain)?;
        let mut contacts = Vec::new();
        for number in 0..(users / 20).max(4) {
            contacts.push(self.tenant.add_contact(contact(&mut self.rng, number, &domain))?);
        }
        let mut groups = Vec::new();
        for (number, (kind, name)) in SPECIMEN_GROUPS.iter().enumerate() {
            let group = group(&mut self.rng, *kind, name, number, &domain);
            groups.push(self.tenant.add_group(group)?);
        }
        self.specimens(&groups, &people, &contacts)?;
        for number in SPECIMEN_GROUPS.len()..(users / 10).max(SPECIMEN_GROUPS.len()) {
            let kind = self.rng.pick(GROUP_KINDS).copied().unwrap_or(GroupKind::List);
            let group = group(&mut self.rng, kind, &format!("Team {number}"), number, &domain);
            let id = self.tenant.add_group(group)?;
            let size = self.size(people.len());
            self.fill(&id, &people, size)?;
            if self.rng.one_in(10) {
                self.fill(&id, &contacts, 2)?;
            }
            if self.rng.one_in(20)
                && let Some(nested) = self.rng.pick(&groups).cloned()
            {
                self.tenant.add_member(&id, &nested)?;
            }
            groups.push(id);
        }
        Ok(())
    }

    fn users(&mut self, count: usize, domain: &str) -> Result<Vec<String>, TenantError> {
        let mut people: Vec<String> = Vec::with_capacity(count);
        for number in 0..count {
            let account = match SPECIMENS.get(number) {
                Some(account) => *account,
                None => usual(&mut self.rng),
            };
            let id = self.tenant.add_user(user(&mut self.rng, account, number, domain))?;
            // A tree of managers, eight reports each; the first person has none.
            let manager = number.checked_sub(1).and_then(|above| people.get(above / 8));
            if let Some(manager) = manager {
                self.tenant.set_manager(&id, Some(manager))?;
            }
            people.push(id);
        }
        Ok(people)
    }

    fn specimens(
        &mut self,
        groups: &[String],
        people: &[String],
        contacts: &[String],
    ) -> Result<(), TenantError> {
        let place = |name: &str| SPECIMEN_GROUPS.iter().position(|(_, known)| *known == name);
        let find = |name: &str| {
            place(name).and_then(|place| groups.get(place)).cloned().unwrap_or_default()
        };
        for (child, parent) in [
            ("Nested Child", "Nested Parent"),
            ("Sales List", "Nested Parent"),
            ("Cycle A", "Cycle B"),
            ("Cycle B", "Cycle A"),
            ("Board", "Nested Child"),
        ] {
            self.tenant.add_member(&find(parent), &find(child))?;
        }
        let mixed = find("Devices and Services");
        for kind in [Kind::Device, Kind::ServicePrincipal] {
            let id = self.tenant.add_other(kind, &self.rng.guid())?;
            self.tenant.add_member(&mixed, &id)?;
        }
        self.tenant.add_member(&mixed, &self.rng.guid())?;
        for contact in contacts.iter().take(4) {
            for group in [&mixed, &find("External Partners")] {
                self.tenant.add_member(group, contact)?;
            }
        }
        let staff = find("All Staff");
        for person in people.iter().step_by(2).take(LARGEST) {
            self.tenant.add_member(&staff, person)?;
        }
        let skipped = [staff, find("Empty List")];
        for (group, number) in groups.iter().zip(0_usize..) {
            if skipped.contains(group) {
                continue;
            }
            // Neighbours in age, so that every specimen of a user is in some group.
            for person in people.iter().cycle().skip(number.saturating_mul(3)).take(5) {
                self.tenant.add_member(group, person)?;
            }
        }
        Ok(())
    }

    /// Many small groups, few large ones.
    fn size(&mut self, users: usize) -> usize {
        let rank = 1 + self.rng.below(200);
        (users / 4 / rank).clamp(3, LARGEST).min(if self.rng.one_in(300) { LARGEST } else { 60 })
    }

    fn fill(&mut self, group: &str, from: &[String], size: usize) -> Result<(), TenantError> {
        for _ in 0..size {
            if let Some(member) = self.rng.pick(from) {
                self.tenant.add_member(group, member)?;
            }
        }
        Ok(())
    }
}

/// Describes a group of a kind.
pub(super) fn group(
    rng: &mut Rng,
    kind: GroupKind,
    name: &str,
    number: usize,
    domain: &str,
) -> Value {
    use GroupKind::{
        DynamicSecurity, DynamicUnified, Hidden, List, MailSecurity, Private, Public, Security,
    };
    let unified = matches!(kind, Public | Private | Hidden | DynamicUnified);
    let dynamic = matches!(kind, DynamicSecurity | DynamicUnified);
    let mail_enabled = unified || matches!(kind, MailSecurity | List);
    let nick = format!("group{number}");
    let mut types = Vec::new();
    if unified {
        types.push("Unified");
    }
    if dynamic {
        types.push("DynamicMembership");
    }
    let mut map = Map::new();
    let mut put = |name: &str, value: Value| {
        map.insert(name.to_owned(), value);
    };
    put("id", rng.guid().into());
    put("displayName", name.into());
    put("mailNickname", nick.clone().into());
    put("mailEnabled", mail_enabled.into());
    put("securityEnabled", matches!(kind, Security | MailSecurity | DynamicSecurity).into());
    put("groupTypes", types.into());
    put("createdDateTime", created(number).into());
    put("proxyAddresses", json!([]));
    if mail_enabled {
        put("mail", format!("{nick}@{domain}").into());
        let initial = initial_domain(domain);
        put(
            "proxyAddresses",
            json!([format!("SMTP:{nick}@{domain}"), format!("smtp:{nick}@{initial}")]),
        );
    }
    if rng.below(2) == 0 {
        put("description", format!("{name} of {domain}").into());
    }
    let visibility = match kind {
        Public | DynamicUnified => Some("Public"),
        Private => Some("Private"),
        Hidden => Some("HiddenMembership"),
        _ => None,
    };
    if let Some(visibility) = visibility {
        put("visibility", visibility.into());
    }
    if kind == Private {
        put("resourceProvisioningOptions", json!(["Team"]));
    }
    if dynamic {
        put("membershipRule", "(user.department -eq \"Sales\")".into());
        put("membershipRuleProcessingState", "On".into());
    }
    match name {
        "Role Holders" => put("isAssignableToRole", true.into()),
        "Synced from Premises" => {
            put("onPremisesSyncEnabled", true.into());
            put("onPremisesSamAccountName", nick.into());
            put("onPremisesDomainName", format!("corp.{domain}").into());
            put("onPremisesNetBiosName", "CORP".into());
            put(
                "onPremisesSecurityIdentifier",
                "S-1-5-21-1004336348-1177238915-682003330-5120".into(),
            );
        }
        _ => {}
    }
    map.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tiny_tenant_has_one_of_every_kind() {
        let tenant = Tenant::generate(3, 1);
        let counts = tenant.counts();
        assert_eq!((counts.users, counts.groups, counts.contacts), (24, 22, 4));
        assert_eq!(tenant.version(), 0, "the first state is no change");
        let users: Vec<_> = tenant.live(Kind::User).filter_map(|id| tenant.object(id)).collect();
        let has = |test: &dyn Fn(&Map<String, Value>) -> bool| users.iter().any(test);
        assert!(has(&|user| user["userType"] == "Guest"));
        assert!(has(&|user| user["userType"].is_null()));
        assert!(has(&|user| user["mail"].is_null()));
        assert!(has(
            &|user| user["accountEnabled"] == false && user["assignedLicenses"] == json!([])
        ));
        assert!(has(&|user| user["displayName"].as_str().unwrap().starts_with(' ')));
        assert!(has(&|user| !user.contains_key("mobilePhone")));
        let named = |name: &str| {
            let of_name = |id: &&str| tenant.object(id).unwrap()["displayName"] == name;
            tenant.live(Kind::Group).filter(of_name).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(named("Project Phoenix").len(), 2);
        assert!(tenant.members(&named("Empty List")[0]).is_empty());
        assert!(tenant.members(&named("Cycle A")[0]).contains(&named("Cycle B")[0].as_str()));
        assert!(tenant.members(&named("Cycle B")[0]).contains(&named("Cycle A")[0].as_str()));
    }

    #[test]
    fn the_same_seed_gives_the_same_tenant() {
        let picture = |tenant: &Tenant| {
            tenant.live(Kind::User).map(|id| format!("{:?}", tenant.object(id))).collect::<Vec<_>>()
        };
        assert_eq!(picture(&Tenant::generate(5, 60)), picture(&Tenant::generate(5, 60)));
        assert_ne!(picture(&Tenant::generate(5, 60)), picture(&Tenant::generate(6, 60)));
    }

    #[test]
    fn three_thousand_users_make_a_group_of_more_than_a_thousand() {
        let tenant = Tenant::generate(1, 3000);
        assert!(tenant.live(Kind::Group).any(|id| tenant.members(id).len() > 1000));
        assert_eq!(tenant.counts().groups, 300);
    }
}
