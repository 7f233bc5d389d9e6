// ldapjs, which sends DNs in lower case and without spaces, and its pages.
const assert = require("node:assert/strict");
const ldap = require(process.env.NPM + "/node_modules/ldapjs");
const { LDAP_URL, LDAP_BASE, LDAP_BIND, LDAP_PASSWORD } = process.env;

const client = ldap.createClient({ url: LDAP_URL });
client.on("error", (error) => {
  throw error;
});

function bind(name, password) {
  return new Promise((done, failed) => client.bind(name, password, (e) => (e ? failed(e) : done())));
}

function search(base, options) {
  return new Promise((done, failed) => {
    client.search(base, options, (error, answer) => {
      if (error) return failed(error);
      const entries = [];
      answer.on("searchEntry", (entry) => entries.push(entry.pojo));
      answer.on("searchReference", () => failed(new Error("a referral")));
      answer.on("error", failed);
      answer.on("end", (result) => (result.status === 0 ? done(entries) : failed(result)));
    });
  });
}

(async () => {
  await bind(LDAP_BIND, LDAP_PASSWORD);
  const [root] = await search("", { scope: "base", filter: "(objectClass=*)" });
  assert(root.attributes.some((a) => a.type === "defaultNamingContext" && a.values[0] === LDAP_BASE));
  const filter = "(&(objectCategory=person)(|(mail=alice@contoso.com)(proxyAddresses=smtp:robert@contoso.com)))";
  const found = await search(LDAP_BASE, { scope: "sub", filter, attributes: ["mail", "memberOf"] });
  assert.deepEqual(found.map((entry) => entry.objectName).sort(), [
    `uid=alice@contoso.com,ou=users,${LDAP_BASE}`,
    `uid=b.baker@contoso.com,ou=users,${LDAP_BASE}`,
  ]);
  const people = await search(LDAP_BASE, { scope: "sub", filter: "(objectClass=user)", paged: true });
  assert.equal(people.length, 1608);
  const dn = "CN=All\\, everywhere, OU=Groups, DC=Contoso, DC=com";
  const [list] = await search(dn, { scope: "base", attributes: ["member"] });
  assert.equal(list.attributes[0].values.length, 5);
  await assert.rejects(bind(LDAP_BIND, "wrong"), { name: "InvalidCredentialsError" });
  client.unbind();
  console.log("ldapjs: root DSE, filters, pages of 100, a DN in other writing, errors");
})();
