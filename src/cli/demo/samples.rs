//! What the demo offers to try: people, a list, searches.

use crate::cli::Failure;
use crate::simulator::{Kind, Tenant};
use crate::sync::Status;
use serde_json::{Map, Value, json};
use std::io::Write;
use std::net::SocketAddr;

/// Addresses that a search finds, or not.
#[derive(Debug, Default)]
pub(super) struct Samples {
    primary: String,
    alias: String,
    list: String,
    contact: String,
    prefix: String,
    domain: String,
}

fn text<'a>(object: &'a Map<String, Value>, property: &str) -> &'a str {
    object.get(property).and_then(Value::as_str).unwrap_or("")
}

fn aliases(object: &Map<String, Value>) -> impl Iterator<Item = &str> {
    let proxies = object.get("proxyAddresses").and_then(Value::as_array).into_iter().flatten();
    proxies.filter_map(Value::as_str).filter_map(|proxy| proxy.strip_prefix("smtp:"))
}

/// Whether a shell and LDAP take the text as it is.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || ".@-+_".contains(c))
}

/// Chooses people and lists whose addresses are plain.
pub(super) fn choose(tenant: &Tenant) -> Samples {
    let mut samples = Samples { domain: tenant.domain().to_owned(), ..Samples::default() };
    let objects = |kind| tenant.live(kind).filter_map(|id| Some((id, tenant.object(id)?)));
    for (_, user) in objects(Kind::User) {
        let inside = |address: &&str| is_plain(address) && address.ends_with(tenant.domain());
        let alias = aliases(&user).find(inside);
        let surname = text(&user, "surname");
        if let (Some(alias), true, true) =
            (alias, is_plain(text(&user, "mail")), is_plain(surname) && surname.len() > 3)
        {
            samples.primary = text(&user, "mail").to_owned();
            // Gateways ask as the sender wrote: in any case.
            samples.alias = alias.to_uppercase();
            samples.prefix = surname.chars().take(3).collect();
            break;
        }
    }
    let lists = objects(Kind::Group).filter(|(_, group)| {
        is_plain(text(group, "mail")) && text(group, "visibility") != "HiddenMembership"
    });
    let by_size = lists
        .map(|(id, group)| (tenant.members(id).len().abs_diff(6), text(&group, "mail").to_owned()));
    samples.list = by_size.min().map_or_else(String::new, |(_, mail)| mail);
    let contact = objects(Kind::Contact).find(|(_, contact)| is_plain(text(contact, "mail")));
    samples.contact =
        contact.map_or_else(String::new, |(_, contact)| text(&contact, "mail").to_owned());
    samples
}

/// Prints who to bind as, and lines to try.
pub(super) fn print(
    out: &mut impl Write,
    first: &Status,
    samples: &Samples,
    base: &str,
    address: SocketAddr,
    changes: bool,
    as_json: bool,
) -> Result<(), Failure> {
    let bind = format!("cn=demo,{base}");
    let line = |filter: String, attributes: &str| {
        format!(
            "ldapsearch -x -LLL -H ldap://{address} -D {bind} -w demo -b {base} '{filter}' {attributes}"
        )
    };
    let lines = [
        (
            "a person by the primary address",
            line(format!("(mail={})", samples.primary), "cn mail proxyAddresses"),
        ),
        (
            "the same person by an alias, in another case",
            line(format!("(proxyAddresses=smtp:{})", samples.alias), "mail"),
        ),
        ("a list with its members", line(format!("(mail={})", samples.list), "cn mail member")),
        (
            "an address nobody has: no entry, and the gateway refuses it",
            line(format!("(proxyAddresses=smtp:nobody@{})", samples.domain), "mail"),
        ),
        (
            "an address book as one types, and a mail contact",
            line(
                format!("(|(sn={}*)(mail={}))", samples.prefix, samples.contact),
                "displayName mail telephoneNumber",
            ),
        ),
    ];
    let counts = first.last.as_ref().map(|pass| pass.entries.clone()).unwrap_or_default();
    if as_json {
        let searches: Vec<&String> = lines.iter().map(|(_, line)| line).collect();
        writeln!(
            out,
            "{}",
            json!({ "address": address.to_string(), "base": base, "bind": bind, "password": "demo", "entries": counts, "searches": searches })
        )?;
        return Ok(());
    }
    let counts: Vec<String> =
        counts.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let took = first.last.as_ref().map_or(0, |pass| pass.ended - pass.started);
    writeln!(out, "A simulated tenant was synced in {took} ms: {}.", counts.join(", "))?;
    if changes {
        writeln!(out, "It changes a few times a minute, and the replica follows.")?;
    }
    writeln!(
        out,
        "\n  server    ldap://{address}\n  base      {base}\n  bind DN   {bind}\n  password  demo\n"
    )?;
    for (what, line) in lines {
        writeln!(out, "# {what}\n{line}\n")?;
    }
    writeln!(out, "Ctrl-C ends it; nothing is left behind.")?;
    Ok(())
}
