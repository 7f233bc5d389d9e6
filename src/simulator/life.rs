//! Random plausible changes: what happens in a tenant on an ordinary day. Pure: no I/O, no clock.

use serde_json::{Value, json};

use super::generate::{GroupKind, group};
use super::object::Kind;
use super::people::{Account, contact, user, usual};
use super::rng::Rng;
use super::tenant::{Tenant, TenantError};

/// One change, and what it was in words.
pub fn step(tenant: &mut Tenant, rng: &mut Rng) -> String {
    // A change may find nobody to happen to; another one will.
    for _ in 0..16 {
        if let Ok(Some(text)) = attempt(tenant, rng) {
            return text;
        }
    }
    "nothing happened".to_owned()
}

/// A number of changes from a seed, and what they were.
pub fn changes(tenant: &mut Tenant, seed: u64, count: usize) -> Vec<String> {
    let mut rng = Rng::new(seed);
    (0..count).map(|_| step(tenant, &mut rng)).collect()
}

type Event = Result<Option<String>, TenantError>;

fn attempt(tenant: &mut Tenant, rng: &mut Rng) -> Event {
    match rng.below(30) {
        0..=2 => hire(tenant, rng),
        3 => leave(tenant, rng, Kind::User),
        4 => bring_back(tenant, rng, Kind::User),
        5 => purge(tenant, rng, Kind::User),
        6..=7 => rename(tenant, rng),
        8..=9 => alias_added(tenant, rng),
        10 => alias_removed(tenant, rng),
        11 => alias_swapped(tenant, rng),
        12..=16 => joins(tenant, rng),
        17..=19 => leaves_group(tenant, rng),
        20 => new_group(tenant, rng),
        21 => leave(tenant, rng, Kind::Group),
        22 => bring_back(tenant, rng, Kind::Group),
        23 => purge(tenant, rng, Kind::Group),
        24 => contact_changes(tenant, rng),
        25 => switch(tenant, rng),
        26 => move_desk(tenant, rng),
        27 => new_manager(tenant, rng),
        28 => licence(tenant, rng),
        _ => untracked(tenant, rng),
    }
}

fn hire(tenant: &mut Tenant, rng: &mut Rng) -> Event {
    let account = usual(rng);
    let number = 1_000_000_usize.saturating_add(rng.below(1_000_000_000));
    let domain = tenant.domain().to_owned();
    let id = tenant.add_user(user(rng, account, number, &domain))?;
    if let Some(group) = any(tenant, rng, Kind::Group) {
        tenant.add_member(&group, &id)?;
    }
    let verb = if matches!(account, Account::Guest { .. }) { "was invited" } else { "was hired" };
    Ok(Some(format!("{} {verb}", name(tenant, &id))))
}

fn leave(tenant: &mut Tenant, rng: &mut Rng, kind: Kind) -> Event {
    // The tenant must not die out in a long run.
    if tenant.live(kind).take(11).count() <= 10 {
        return Ok(None);
    }
    let Some(id) = any(tenant, rng, kind) else { return Ok(None) };
    let text = format!("{} was deleted", name(tenant, &id));
    tenant.soft_delete(&id)?;
    Ok(Some(text))
}

fn bring_back(tenant: &mut Tenant, rng: &mut Rng, kind: Kind) -> Event {
    let Some(id) = binned(tenant, rng, kind) else { return Ok(None) };
    tenant.restore(&id)?;
    Ok(Some(format!("{} was restored", name(tenant, &id))))
}

fn purge(tenant: &mut Tenant, rng: &mut Rng, kind: Kind) -> Event {
    let Some(id) = binned(tenant, rng, kind) else { return Ok(None) };
    tenant.purge(&id)?;
    Ok(Some(format!("{id} was removed from the recycle bin for good")))
}

fn rename(tenant: &mut Tenant, rng: &mut Rng) -> Event {
    let kind = if rng.one_in(4) { Kind::Group } else { Kind::User };
    let Some(id) = any(tenant, rng, kind) else { return Ok(None) };
    let before = name(tenant, &id);
    let base: String = before.split(" née ").next().unwrap_or_default().chars().take(60).collect();
    let after =
        format!("{base} née {}", rng.word(&["Berg", "Ødegård", "中村", "Κώστας", "d'Arc, Jr."]));
    tenant.set(kind, &id, "displayName", after.clone().into())?;
    Ok(Some(format!("{before} is now called {after}")))
}

fn alias_added(tenant: &mut Tenant, rng: &mut Rng) -> Event {
    let kind = rng.pick(&Kind::STREAMS).copied().unwrap_or(Kind::User);
    let Some(id) = any(tenant, rng, kind) else { return Ok(None) };
    let alias = format!("alias{}@{}", rng.below(1_000_000_000), tenant.domain());
    let mut list = tenant.aliases(&id)?;
    list.push(format!("smtp:{alias}"));
    tenant.set(kind, &id, "proxyAddresses", list.into())?;
    Ok(Some(format!("{} has the new alias {alias}", name(tenant, &id))))
}

fn alias_removed(tenant: &mut Tenant, rng: &mut Rng) -> Event {
    let Some((id, alias)) = with_alias(tenant, rng) else { return Ok(None) };
    let list: Vec<String> =
        tenant.aliases(&id)?.into_iter().filter(|known| *known != alias).collect();
    tenant.set(Kind::User, &id, "proxyAddresses", list.into())?;
    Ok(Some(format!("{} lost the alias {alias}", name(tenant, &id))))
}

fn alias_swapped(tenant: &mut Tenant, rng: &mut Rng) -> Event {
    let (Some((from, alias)), Some(to)) = (with_alias(tenant, rng), any(tenant, rng, Kind::User))
    else {
        return Ok(None);
    };
    if from == to {
        return Ok(None);
    }
    tenant.swap_alias(&from, &to, &alias)?;
    Ok(Some(format!("{} gave the alias {alias} to {}", name(tenant, &from), name(tenant, &to))))
}

fn joins(tenant: &mut Tenant, rng: &mut Rng) -> Event {
    let kind = match rng.below(10) {
        0 => Kind::Group,
        1 => Kind::Contact,
        _ => Kind::User,
    };
    let (Some(group), Some(member)) = (any(tenant, rng, Kind::Group), any(tenant, rng, kind))
    else {
        return Ok(None);
    };
    if group == member || !tenant.add_member(&group, &member)? {
        return Ok(None);
    }
    Ok(Some(format!("{} joined {}", name(tenant, &member), name(tenant, &group))))
}

fn leaves_group(tenant: &mut Tenant, rng: &mut Rng) -> Event {
    let Some(group) = any(tenant, rng, Kind::Group) else { return Ok(None) };
    let members = tenant.members(&group);
    let Some(member) = rng.pick(&members).map(|id| (*id).to_owned()) else { return Ok(None) };
    tenant.remove_member(&group, &member)?;
    if rng.one_in(5) {
        tenant.add_member(&group, &member)?;
        return Ok(Some(format!(
            "{} left {} and came back",
            name(tenant, &member),
            name(tenant, &group)
        )));
    }
    Ok(Some(format!("{} left {}", name(tenant, &member), name(tenant, &group))))
}

fn new_group(tenant: &mut Tenant, rng: &mut Rng) -> Event {
    let kinds = [
        GroupKind::List,
        GroupKind::Public,
        GroupKind::MailSecurity,
        GroupKind::Security,
        GroupKind::Hidden,
    ];
    let kind = rng.pick(&kinds).copied().unwrap_or(GroupKind::List);
    let number = 1_000_000_usize.saturating_add(rng.below(1_000_000_000));
    let domain = tenant.domain().to_owned();
    let id = tenant.add_group(group(
        rng,
        kind,
        &format!("Project {}", number % 10_000),
        number,
        &domain,
    ))?;
    for _ in 0..rng.below(8) {
        if let Some(member) = any(tenant, rng, Kind::User) {
            tenant.add_member(&id, &member)?;
        }
    }
    Ok(Some(format!("the group {} was created", name(tenant, &id))))
}

fn contact_changes(tenant: &mut Tenant, rng: &mut Rng) -> Event {
    let domain = tenant.domain().to_owned();
    match (rng.below(3), any(tenant, rng, Kind::Contact)) {
        (0, Some(id)) => {
            let text = format!("the contact {} was deleted", name(tenant, &id));
            tenant.delete_contact(&id)?;
            Ok(Some(text))
        }
        (1, Some(id)) => {
            let company = format!("Partner {}", rng.below(1000));
            tenant.set(Kind::Contact, &id, "companyName", company.clone().into())?;
            Ok(Some(format!("the contact {} works for {company} now", name(tenant, &id))))
        }
        _ => {
            let number = 1_000_000_usize.saturating_add(rng.below(1_000_000_000));
            let id = tenant.add_contact(contact(rng, number, &domain))?;
            Ok(Some(format!("the contact {} was added", name(tenant, &id))))
        }
    }
}

fn switch(tenant: &mut Tenant, rng: &mut Rng) -> Event {
    let Some(id) = any(tenant, rng, Kind::User) else { return Ok(None) };
    let enabled =
        tenant.object(&id).and_then(|user| user.get("accountEnabled").and_then(Value::as_bool))
            == Some(true);
    tenant.set(Kind::User, &id, "accountEnabled", (!enabled).into())?;
    Ok(Some(format!("{} was {}", name(tenant, &id), if enabled { "disabled" } else { "enabled" })))
}

/// Sets or clears a property that some have never had: absent, set and null all occur.
fn move_desk(tenant: &mut Tenant, rng: &mut Rng) -> Event {
    let Some(id) = any(tenant, rng, Kind::User) else { return Ok(None) };
    let office =
        if rng.one_in(3) { Value::Null } else { format!("Floor {}", rng.below(30)).into() };
    let text = match office.as_str() {
        Some(office) => format!("{} moved to {office}", name(tenant, &id)),
        None => format!("{} has no office any more", name(tenant, &id)),
    };
    let version = tenant.version();
    tenant.set(Kind::User, &id, "officeLocation", office)?;
    Ok((tenant.version() > version).then_some(text))
}

fn new_manager(tenant: &mut Tenant, rng: &mut Rng) -> Event {
    let Some(id) = any(tenant, rng, Kind::User) else { return Ok(None) };
    let boss = if rng.one_in(4) { None } else { any(tenant, rng, Kind::User) };
    tenant.set_manager(&id, boss.as_deref().filter(|boss| *boss != id))?;
    Ok(Some(format!("{} has another manager", name(tenant, &id))))
}

/// Licence changes move addresses without anyone touching them.
fn licence(tenant: &mut Tenant, rng: &mut Rng) -> Event {
    let Some(id) = any(tenant, rng, Kind::User) else { return Ok(None) };
    let user = tenant.object(&id).unwrap_or_default();
    let mail = user.get("mail").and_then(Value::as_str).map(str::to_owned);
    let initial = super::tenant::initial_domain(tenant.domain());
    let (Some(mail), Some(nick)) = (mail, user.get("mailNickname").and_then(Value::as_str)) else {
        return Ok(None);
    };
    if !mail.ends_with(tenant.domain()) || mail.ends_with(&initial) {
        return Ok(None);
    }
    let fallback = format!("{nick}@{initial}");
    tenant.set(Kind::User, &id, "assignedLicenses", json!([]))?;
    tenant.set(Kind::User, &id, "proxyAddresses", json!([format!("SMTP:{fallback}")]))?;
    tenant.set(Kind::User, &id, "mail", fallback.clone().into())?;
    Ok(Some(format!("{} lost the licence, the address is {fallback} now", name(tenant, &id))))
}

/// A change of something that replicas do not select.
fn untracked(tenant: &mut Tenant, rng: &mut Rng) -> Event {
    let Some(id) = any(tenant, rng, Kind::User) else { return Ok(None) };
    let policy = format!("DisablePasswordExpiration{}", rng.below(1_000_000));
    tenant.set(Kind::User, &id, "passwordPolicies", policy.into())?;
    Ok(Some(format!("{} has another password policy", name(tenant, &id))))
}

fn name(tenant: &Tenant, id: &str) -> String {
    let object = tenant.object(id).unwrap_or_default();
    object.get("displayName").and_then(Value::as_str).unwrap_or(id).to_owned()
}

/// A live object; the walk is long in large tenants, so places are tried first.
fn any(tenant: &Tenant, rng: &mut Rng, kind: Kind) -> Option<String> {
    let walk = tenant.walk(kind);
    let live = |slot: &u32| tenant.is_live(*slot);
    let tried = (0..32).find_map(|_| rng.pick(walk).copied().filter(live));
    tenant.id(tried.or_else(|| walk.iter().copied().find(live))?).map(str::to_owned)
}

fn binned(tenant: &Tenant, rng: &mut Rng, kind: Kind) -> Option<String> {
    let bin: Vec<&str> = tenant.deleted(kind).collect();
    rng.pick(&bin).map(|id| (*id).to_owned())
}

/// A user with an alias besides the primary address.
fn with_alias(tenant: &Tenant, rng: &mut Rng) -> Option<(String, String)> {
    (0..16).find_map(|_| {
        let id = any(tenant, rng, Kind::User)?;
        let alias =
            tenant.aliases(&id).ok()?.into_iter().find(|alias| alias.starts_with("smtp:"))?;
        Some((id, alias))
    })
}
