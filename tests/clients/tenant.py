"""Writes a tenant with known people into a folder, for `examples/simulate`.

What the clients' tests expect stands here: every address they ask for, and how many
entries of each kind there are. Usage: tenant.py FOLDER
"""

import json
import sys
import uuid
from pathlib import Path

DOMAIN = "contoso.com"
INITIAL = "contoso.onmicrosoft.com"
# More than a page of any client (Proxmox 900, most others 1000), and more members than
# Active Directory returns at once (1500).
PEOPLE = 1600
# Accounts that came from an Active Directory have its SIDs.
AD = "S-1-5-21-1004336348-1177238915-682003330"


def guid(name):
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, name + "." + DOMAIN))


def user(nick, given, surname, aliases=(), **more):
    mail = more.get("mail", f"{nick}@{DOMAIN}")
    person = {
        "id": guid(nick),
        "userPrincipalName": f"{nick}@{DOMAIN}",
        "displayName": f"{given} {surname}",
        "givenName": given,
        "surname": surname,
        "mail": mail,
        "mailNickname": nick,
        "accountEnabled": True,
        "userType": "Member",
        "createdDateTime": "2020-02-03T04:05:06Z",
        "businessPhones": [],
        "otherMails": [],
        "proxyAddresses": [f"SMTP:{mail}"] + [f"smtp:{alias}" for alias in aliases],
    }
    person.update(more)
    return person


def mailbox(nick, name, aliases=()):
    """A shared mailbox or a room: nobody can sign in to it."""
    box = user(nick, name, "", aliases, displayName=name, accountEnabled=False)
    del box["givenName"], box["surname"]
    return box


def group(nick, name, members, mail=True, security=False, **more):
    entry = {
        "id": guid(nick),
        "displayName": name,
        "mailNickname": nick,
        "mailEnabled": mail,
        "securityEnabled": security,
        "groupTypes": [],
        "createdDateTime": "2020-02-03T04:05:06Z",
        "proxyAddresses": [f"SMTP:{nick}@{DOMAIN}"] if mail else [],
        "members": [guid(member) for member in members],
    }
    if mail:
        entry["mail"] = f"{nick}@{DOMAIN}"
    entry.update(more)
    return entry


def contact(nick, name, mail, alias):
    return {
        "id": guid(nick),
        "displayName": name,
        "mail": mail,
        "mailNickname": nick,
        "proxyAddresses": [f"SMTP:{mail}", f"smtp:{alias}"],
    }


def users():
    yield user(
        "alice",
        "Alice",
        "Adams",
        [f"a.adams@{DOMAIN}", f"alice@{INITIAL}"],
        department="Sales",
        jobTitle="Engineer",
        companyName="Contoso Ltd",
        businessPhones=["+47 22 000001"],
        mobilePhone="+47 90000001",
        faxNumber="+47 22 000009",
        officeLocation="7/40",
        onPremisesSyncEnabled=True,
        onPremisesSamAccountName="alice",
        onPremisesSecurityIdentifier=f"{AD}-1104",
    )
    # A comma, which DNs escape, and a UPN that is no address of hers.
    yield user(
        "bob",
        "Bob",
        "Baker",
        [f"robert@{DOMAIN}"],
        displayName="Baker, Bob",
        userPrincipalName=f"b.baker@{DOMAIN}",
        onPremisesSyncEnabled=True,
        onPremisesSamAccountName="bob",
        onPremisesSecurityIdentifier=f"{AD}-1105",
    )
    yield user("zoe", "Zoë", "Müller", [f"z.mueller@{DOMAIN}"])
    yield user("left", "Leo", "Left", accountEnabled=False)
    yield mailbox("info", "Information", [f"contact@{DOMAIN}"])
    yield mailbox("room1", "Room 1")
    yield user(
        "carol",
        "Carol",
        "Guest",
        mail="carol@fabrikam.com",
        userPrincipalName=f"carol_fabrikam.com#EXT#@{INITIAL}",
        mailNickname="carol_fabrikam.com#EXT#",
        otherMails=["carol@fabrikam.com"],
        userType="Guest",
    )
    # An account without a mailbox.
    yield user("scanner", "Scan", "Service", mail=None, proxyAddresses=[])
    for number in range(PEOPLE):
        yield user(f"person{number:04}", "Pat", f"Person{number:04}")


def groups():
    yield group("all", "All, everywhere", ["alice", "info", "dora", "sales", "everyone"])
    # A list in a list in a list, and back again.
    yield group("sales", "Sales", ["alice", "bob", "all"])
    yield group("everyone", "Everyone", [f"person{number:04}" for number in range(PEOPLE)])
    yield group("team", "Team", ["alice", "bob", "carol", "info", "dora", "leads"])
    yield group("leads", "Leads", ["zoe", "alice"])
    yield group("empty", "Empty", [])
    yield group(
        "vpn",
        "VPN Users",
        ["alice"],
        mail=False,
        security=True,
        onPremisesSyncEnabled=True,
        onPremisesSamAccountName="vpn",
        onPremisesSecurityIdentifier=f"{AD}-1110",
    )
    yield group("staff", "Staff", ["bob", "vpn"], mail=False, security=True)
    yield group("phoenix", "Phoenix", ["alice", "zoe"], groupTypes=["Unified"])


def contacts():
    yield contact("dora", "Dora Extern", "dora@fabrikam.com", f"dora@{DOMAIN}")


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "meta.json").write_text(json.dumps({"domain": DOMAIN}))
    for name, objects in [("users", users()), ("groups", groups()), ("contacts", contacts())]:
        lines = [json.dumps(entry) + "\n" for entry in objects]
        (folder / f"{name}.jsonl").write_text("".join(lines))


main(Path(sys.argv[1]))
