"""python ldap3 with get_info=ALL: it reads the schema and believes it."""

import os

from ldap3 import ALL, ALL_ATTRIBUTES, NTLM, SUBTREE, Connection, Server, Tls
from ldap3.core.exceptions import LDAPAttributeError

URL, BASE = os.environ["LDAP_URL"], os.environ["LDAP_BASE"]
BIND, PASSWORD = os.environ["LDAP_BIND"], os.environ["LDAP_PASSWORD"]

server = Server(URL, get_info=ALL, tls=Tls(validate=2, ca_certs_file=os.environ["LDAP_CA"]))
connection = Connection(server, BIND, PASSWORD, auto_bind="TLS_BEFORE_BIND", raise_exceptions=True)

assert server.info.naming_contexts == [BASE], server.info.naming_contexts
assert server.info.other["defaultNamingContext"] == [BASE]
assert "3" in server.info.supported_ldap_versions
schema = server.schema
for name in ["proxyAddresses", "objectGUID", "homeMDB", "msExchHideFromAddressLists", "member"]:
    assert name in schema.attribute_types, name
for name in ["user", "group", "contact", "inetOrgPerson", "organizationalUnit", "domainDNS"]:
    assert name in schema.object_classes, name
# What every program that filters by attributes of Exchange needs: ldap3 refuses to send
# what is not in the schema.
hidden = "(&(mail=alice@contoso.com)(!(msExchHideFromAddressLists=TRUE))(!(homeMDB=*)))"
assert connection.search(BASE, hidden, SUBTREE, attributes=ALL_ATTRIBUTES)
[alice] = connection.entries
assert alice.entry_dn == f"uid=alice@contoso.com,ou=users,{BASE}", alice.entry_dn
assert alice.mail.value == "alice@contoso.com"
# The OIDs of Active Directory make ldap3 format these.
guid = "{20c7ac3a-15ea-58ce-a8b2-89d81a90ec60}"
assert alice.objectGUID.value == guid, alice.objectGUID.value
assert alice.objectSid.value == "S-1-5-21-1004336348-1177238915-682003330-1104"
assert alice.userAccountControl.value == 512
assert alice.pwdLastSet.value.year == 2020, alice.pwdLastSet.value
assert alice.accountExpires.value.year == 9999, alice.accountExpires.value
assert alice.whenCreated.value.year == 2020
assert set(alice.proxyAddresses.values) == {
    "SMTP:alice@contoso.com",
    "smtp:a.adams@contoso.com",
    "smtp:alice@contoso.onmicrosoft.com",
}
try:
    connection.search(BASE, "(noSuchAttribute=x)")
    raise AssertionError("the schema was not read")
except LDAPAttributeError:
    pass

paged = connection.extend.standard.paged_search
people = list(paged(BASE, "(objectClass=user)", SUBTREE, attributes=["mail"], paged_size=500))
assert len(people) == 1608, len(people)
assert "svc" in connection.extend.standard.who_am_i()
assert connection.compare(alice.entry_dn, "mail", "ALICE@contoso.com")
connection.unbind()

# A bind by NTLM cannot work; it must be refused, not dropped.
server = Server(URL, get_info=None)
refused = Connection(server, "CONTOSO\\svc", PASSWORD, authentication=NTLM)
try:
    assert not refused.bind()
    result = refused.result["description"]
except ValueError as error:  # Python without MD4
    result = f"not sent: {error}"
assert result == "authMethodNotSupported" or result.startswith("not sent"), result
print("ldap3: schema, formats, pages, compare; NTLM:", result)
