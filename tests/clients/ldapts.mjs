// ldapts: several requests at once on one connection, pages, StartTLS.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(process.env.NPM + "/");
const { Client, InvalidCredentialsError, NoSuchObjectError } = require("ldapts");
const { LDAP_URL, LDAP_BASE, LDAP_BIND, LDAP_PASSWORD, LDAP_CA } = process.env;

const client = new Client({ url: LDAP_URL, timeout: 20000 });
await client.startTLS({ ca: [readFileSync(LDAP_CA)], host: "127.0.0.1" });
await client.bind(LDAP_BIND, LDAP_PASSWORD);

if (process.argv[2] === "at-once") {
  const searches = [];
  for (let number = 0; number < 50; number++) {
    const name = `person${String(number).padStart(4, "0")}@contoso.com`;
    searches.push(client.search(LDAP_BASE, { filter: `(mail=${name})`, attributes: ["mail"] }));
  }
  const answers = await Promise.all(searches);
  answers.forEach((answer, number) => {
    assert.equal(answer.searchEntries.length, 1);
    assert.match(answer.searchEntries[0].mail, new RegExp(`^person0*${number}@`));
  });
  console.log("ldapts: 50 searches at once, each with its own answer");
} else {
  const one = await client.search(LDAP_BASE, {
    filter: "(proxyAddresses=SMTP:A.Adams@CONTOSO.com)",
    explicitBufferAttributes: ["objectGUID"],
  });
  assert.equal(one.searchEntries.length, 1);
  const [alice] = one.searchEntries;
  assert.equal(alice.dn, `uid=alice@contoso.com,ou=users,${LDAP_BASE}`);
  assert.equal(alice.mail, "alice@contoso.com");
  assert.equal(alice.objectGUID.length, 16);
  assert.equal(alice.proxyAddresses.length, 3);
  const people = await client.search(LDAP_BASE, {
    filter: "(objectClass=user)",
    paged: { pageSize: 300 },
    attributes: ["mail"],
  });
  assert.equal(people.searchEntries.length, 1608);
  const some = await client.search(LDAP_BASE, { filter: "(mail=person*)", sizeLimit: 3 });
  assert.equal(some.searchEntries.length, 3);
  await assert.rejects(client.search(`ou=nowhere,${LDAP_BASE}`), NoSuchObjectError);
  await assert.rejects(client.bind(LDAP_BIND, "wrong"), InvalidCredentialsError);
  // A failed bind leaves the connection, for an anonymous user or another bind.
  await client.bind("svc@contoso.com", LDAP_PASSWORD);
  const list = await client.search(LDAP_BASE, { filter: "(mail=everyone@contoso.com)", attributes: ["member"] });
  assert.equal(list.searchEntries[0].member.length, 1600);
  console.log("ldapts: StartTLS, pages of 300, size limit, a list of 1600, errors, another bind");
}
await client.unbind();
