"""python-ldap, on libldap: the usual critical pages, the schema, asynchronous searches."""

import os

import ldap
import ldap.controls
import ldap.schema
from ldap.controls.libldap import SimplePagedResultsControl

BASE = os.environ["LDAP_BASE"]

connection = ldap.initialize(os.environ["LDAP_URL"])
connection.set_option(ldap.OPT_REFERRALS, 0)
connection.set_option(ldap.OPT_X_TLS_CACERTFILE, os.environ["LDAP_CA"])
connection.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND)
connection.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
connection.start_tls_s()
try:
    connection.simple_bind_s("svc@contoso.com", "wrong")
    raise AssertionError("a wrong password")
except ldap.INVALID_CREDENTIALS as error:
    assert "data 52e" in error.args[0]["info"]
connection.simple_bind_s(os.environ["LDAP_BIND"], os.environ["LDAP_PASSWORD"])
assert "svc" in connection.whoami_s()

page = SimplePagedResultsControl(True, size=600, cookie="")
people, pages = {}, 0
while True:
    number = connection.search_ext(
        BASE, ldap.SCOPE_SUBTREE, "(objectClass=user)", ["mail"], serverctrls=[page]
    )
    _, entries, _, controls = connection.result3(number)
    people.update(entries)
    pages += 1
    [answer] = [c for c in controls if c.controlType == SimplePagedResultsControl.controlType]
    if not answer.cookie:
        break
    page.cookie = answer.cookie
assert (len(people), pages) == (1608, 3), (len(people), pages)

# TrueNAS asks the root DSE with a control for pages.
page.cookie = ""
number = connection.search_ext("", ldap.SCOPE_BASE, "(objectClass=*)", None, serverctrls=[page])
_, [(_, root)], _, _ = connection.result3(number)
assert root["defaultNamingContext"] == [BASE.encode()]
assert "domainControllerFunctionality" not in root, "TrueNAS would refuse"

subschema = connection.search_subschemasubentry_s()
schema = ldap.schema.SubSchema(connection.read_subschemasubentry_s(subschema))
mail = schema.get_obj(ldap.schema.AttributeType, "proxyAddresses")
assert mail.oid == "1.2.840.113556.1.2.210" and not mail.single_value
assert schema.get_obj(ldap.schema.ObjectClass, "group").oid == "1.2.840.113556.1.5.8"

[(dn, zoe)] = connection.search_s(BASE, ldap.SCOPE_SUBTREE, "(sn=MÜLLER)", ["mail", "sn", "dn", "1.1"])
assert zoe["sn"] == ["Müller".encode()], zoe
empty = connection.search_s(BASE, ldap.SCOPE_SUBTREE, "(&(mail=zoe@contoso.com)(!(bogus=x)))")
assert empty == []
assert connection.compare_s("cn=VPN Users,ou=groups," + BASE, "member", f"UID=Alice@contoso.com, ou=users,{BASE}")
for call, error in [
    (lambda: connection.search_s("ou=nowhere," + BASE, ldap.SCOPE_BASE), ldap.NO_SUCH_OBJECT),
    (lambda: connection.delete_s(dn), ldap.UNWILLING_TO_PERFORM),
    (lambda: connection.search_ext_s(BASE, ldap.SCOPE_SUBTREE, sizelimit=1), ldap.SIZELIMIT_EXCEEDED),
]:
    try:
        call()
        raise AssertionError(error)
    except error:
        pass
# Several at once, and one that is abandoned.
numbers = [connection.search(BASE, ldap.SCOPE_SUBTREE, f"(mail=person{n:04}@contoso.com)") for n in range(20)]
connection.abandon(numbers.pop())
for at, number in enumerate(numbers):
    _, [(_, person)] = connection.result(number)
    assert person["mail"] == [b"person%04d@contoso.com" % at]
connection.unbind_s()
print("python-ldap: StartTLS, critical pages, schema, compare, errors, abandon")
