// activedirectory2, which believes in Active Directory.
const assert = require("node:assert/strict");
const { promisify } = require("node:util");
const ActiveDirectory = require(process.env.NPM + "/node_modules/activedirectory2");
const { LDAP_URL, LDAP_BASE, LDAP_PASSWORD } = process.env;

const ad = new ActiveDirectory({
  url: LDAP_URL,
  baseDN: LDAP_BASE,
  username: "svc@contoso.com",
  password: LDAP_PASSWORD,
});
const call = (name, ...rest) => promisify(ad[name]).apply(ad, rest);
const names = (groups) => groups.map((group) => group.cn).sort();

(async () => {
  const root = await promisify(ActiveDirectory.prototype.getRootDSE).call(ad, LDAP_URL, ["defaultNamingContext"]);
  assert.equal(root.defaultNamingContext, LDAP_BASE);
  const alice = await call("findUser", "alice");
  assert.equal(alice.mail, "alice@contoso.com");
  assert.equal((await call("findUser", "alice@contoso.com")).dn, alice.dn);
  assert.equal(await call("userExists", "nobody"), false);
  const group = await call("findGroup", "Team");
  assert.equal(group.dn, `cn=Team,ou=groups,${LDAP_BASE}`);
  assert.equal(await call("groupExists", "Nothing"), false);
  assert.equal(await call("isUserMemberOf", "alice", "Team"), true);
  assert.equal(await call("isUserMemberOf", "zoe", "VPN Users"), false);
  // Up the nested groups, in a circle too.
  assert.deepEqual(names(await call("getGroupMembershipForUser", "zoe")), ["Leads", "Phoenix", "Team"]);
  const members = await call("getUsersForGroup", "Leads");
  assert.deepEqual(members.map((user) => user.sAMAccountName).sort(), ["alice", "zoe"]);
  const everyone = await call("getUsersForGroup", "Everyone");
  assert.equal(everyone.length, 1600);
  const found = await call("findUsers", "mail=a*@contoso.com");
  assert.deepEqual(found.map((user) => user.mail), ["alice@contoso.com"]);
  assert.equal(await call("authenticate", "svc@contoso.com", LDAP_PASSWORD), true);
  await assert.rejects(call("authenticate", "svc@contoso.com", "wrong"));
  console.log("activedirectory2: root DSE, users, groups, nested membership, 1600 members, login");
  process.exit(0);
})();
