// The other side of token_service.mjs, by hand: shows that the service grants what is right
// and refuses everything else, so that what it grants to entraldap means something.
//   token_client.mjs prove ROOT TENANT CLIENTS.json FOLDER   one line for each thing shown
//   token_client.mjs sign-in URL CODE [no]                   what a user does in a browser
//   token_client.mjs refresh-token ROOT TENANT CLIENT        a device and its user
import assert from "node:assert/strict";
import { X509Certificate, createHash, createPrivateKey, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";

const DEVICE = "urn:ietf:params:oauth:grant-type:device_code";
const BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

// A browser: cookies, forms and redirections, as far as they are needed.
async function signIn(address, code, agree) {
  const cookies = new Map();
  async function go(url, fields) {
    const answer = await fetch(url, {
      redirect: "manual",
      method: fields ? "POST" : "GET",
      body: fields && new URLSearchParams(fields),
      headers: { accept: "text/html", cookie: [...cookies].map((pair) => pair.join("=")).join("; ") },
    });
    // Node 18 joins them; none of these has a comma in its value.
    for (const cookie of (answer.headers.get("set-cookie") ?? "").split(/, (?=[^ ;]+=)/)) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      if (value) cookies.set(name, value);
      else cookies.delete(name);
    }
    const to = answer.headers.get("location");
    return to ? go(new URL(to, url)) : answer.text();
  }
  const form = await go(address);
  const xsrf = /name="xsrf" value="([^"]+)"/.exec(form)?.[1];
  assert.ok(xsrf, form);
  return go(address, { xsrf, user_code: code, ...(agree ? { confirm: "yes" } : { abort: "yes" }) });
}

async function prove(root, tenant, clientsFile, folder) {
  const { SignJWT } = createRequire(process.env.NPM + "/")("jose");
  const clients = Object.fromEntries(JSON.parse(readFileSync(clientsFile)).map((client) => [client.name, client]));
  const tokenUrl = `${root}/${tenant}/oauth2/v2.0/token`;
  const deviceUrl = `${root}/${tenant}/oauth2/v2.0/devicecode`;
  const scope = `${root}/.default`;

  async function post(url, fields) {
    const answer = await fetch(url, { method: "POST", body: new URLSearchParams(fields) });
    return { status: answer.status, ...(await answer.json()) };
  }
  const token = (fields) => post(tokenUrl, { scope, grant_type: "client_credentials", ...fields });
  async function served(accessToken, path = "users/delta") {
    const headers = accessToken ? { authorization: `Bearer ${accessToken}` } : {};
    const answer = await fetch(`${root}/v1.0/${path}`, { headers });
    return { status: answer.status, ...(await answer.json()) };
  }
  async function granted(what, fields) {
    const answer = await token(fields);
    assert.equal(answer.status, 200, `${what}: ${JSON.stringify(answer)}`);
    const { status, value } = await served(answer.access_token);
    assert.equal(status, 200, what);
    assert.equal(value.length, 1, what);
    console.log(what);
    return answer;
  }
  function isRefused(what, answer, error, why) {
    const { status, error_description: description } = answer;
    assert.equal(answer.error, error, `${what}: ${JSON.stringify(answer)}`);
    assert.equal(status, error === "invalid_client" ? 401 : 400, what);
    assert.match(description ?? "", why, what);
    assert.equal(answer.access_token, undefined, what);
    console.log(`${what} (${description || error})`);
  }
  const refused = async (what, fields, error, why) => isRefused(what, await token(fields), error, why);

  const secret = { client_id: clients.secret.id, client_secret: clients.secret.secret };
  const bySecret = await granted("a secret is taken, and Graph takes the token", secret);
  assert.equal(bySecret.refresh_token, undefined);
  const wrong = { ...secret, client_secret: secret.client_secret + "x" };
  await refused("a wrong secret is refused", wrong, "invalid_client", /invalid secret/);
  const strange = { ...secret, client_id: randomUUID() };
  await refused("an unknown application is refused", strange, "invalid_client", /client not found/);
  const open = { client_id: clients.secret.id };
  await refused("an application without a proof is refused", open, "invalid_client", /does not match the registered/);
  const elsewhere = { ...secret, scope: "https://graph.microsoft.com/.default" };
  await refused("the scope of another Graph is refused", elsewhere, "invalid_scope", /not one of Graph/);
  await refused("no scope is refused", { ...secret, scope: "" }, "invalid_scope", /not one of Graph/);
  const named = { ...secret, scope: `${root}/User.Read.All` };
  await refused("a permission by name is no scope of applications", named, "invalid_scope", /asks for .default/);
  const other = await post(tokenUrl.replace(tenant, "other"), { ...secret, scope, grant_type: "client_credentials" });
  assert.equal(other.status, 404);
  console.log("another tenant has no token endpoint");

  // An assertion: what entraldap should send, but for `changed`.
  const { id } = clients.certificate;
  const read = (file) => readFileSync(`${folder}/${file}`);
  const key = createPrivateKey(read("app-key.pem"));
  const thumbprint = (file) =>
    createHash("sha256").update(new X509Certificate(read(file)).raw).digest("base64url");
  const now = () => Math.floor(Date.now() / 1000);
  function assertion({ header, claims, by = key } = {}) {
    const all = { iss: id, sub: id, aud: tokenUrl, jti: randomUUID(), nbf: now(), exp: now() + 600, ...claims };
    const head = { alg: "PS256", typ: "JWT", "x5t#S256": thumbprint("app.pem"), ...header };
    return new SignJWT(all).setProtectedHeader(head).sign(by);
  }
  const proof = (jwt) => ({ client_id: id, client_assertion_type: BEARER, client_assertion: jwt });
  async function badAssertion(what, changed, why, error = "invalid_client") {
    await refused(what, proof(await assertion(changed)), error, why);
  }
  const once = await assertion();
  await granted("an assertion is taken, and Graph takes the token", proof(once));
  await refused("the same assertion again is refused", proof(once), "invalid_client", /only be used once/);
  await granted("the next assertion is taken", proof(await assertion()));
  const byOther = createPrivateKey(read("other-key.pem"));
  await badAssertion("an assertion by another key is refused", { by: byOther }, /signature|no.*key/i);
  const otherCertificate = { by: byOther, header: { "x5t#S256": thumbprint("other.pem") } };
  await badAssertion("a certificate that is not registered is refused", otherCertificate, /signature|no.*key/i);
  const twin = { header: { "x5t#S256": thumbprint("twin.pem") } };
  await badAssertion("another certificate of the registered key is refused", twin, /x5t#S256 names no/);
  await badAssertion("no thumbprint is refused", { header: { "x5t#S256": undefined } }, /x5t#S256 names no/);
  await badAssertion("no typ is refused", { header: { typ: undefined } }, /typ is not JWT/);
  await badAssertion("RS256 is refused", { header: { alg: "RS256" } }, /alg mismatch/);
  // The public key as a shared secret, and no signature at all: old tricks.
  const shared = { header: { alg: "HS256" }, by: new X509Certificate(read("app.pem")).publicKey.export({ type: "spki", format: "der" }) };
  await badAssertion("HS256 with the public key is refused", shared, /alg mismatch/);
  const [, payload] = (await assertion()).split(".");
  const none = `${Buffer.from('{"alg":"none","typ":"JWT"}').toString("base64url")}.${payload}.`;
  await refused("an assertion without a signature is refused", proof(none), "invalid_client", /alg mismatch/);
  const [head, , signature] = (await assertion()).split(".");
  await refused("a signature of something else is refused", proof(`${head}.${payload}.${signature}`), "invalid_client", /signature/);
  const expired = { claims: { nbf: now() - 620, exp: now() - 20 } };
  await badAssertion("an expired assertion is refused", expired, /expired/);
  const early = { claims: { nbf: now() + 60, exp: now() + 660 } };
  await badAssertion("an assertion before its time is refused", early, /not active/);
  for (const claim of ["exp", "jti", "iss", "aud", "nbf"]) {
    await badAssertion(`an assertion without ${claim} is refused`, { claims: { [claim]: undefined } }, /must be|missing/);
  }
  await badAssertion("an assertion for an hour is refused", { claims: { exp: now() + 3600 } }, /ten minutes/);
  for (const [what, aud] of [
    ["Graph", root + "/"],
    ["the token endpoint of another tenant", tokenUrl.replace(tenant, "other")],
    ["the device endpoint", deviceUrl],
    ["the issuer", root],
  ]) {
    await badAssertion(`an assertion for ${what} is refused`, { claims: { aud } }, /aud/);
  }
  await badAssertion("an assertion by another application is refused", { claims: { iss: clients.secret.id } }, /iss/);
  const about = { claims: { sub: clients.secret.id } };
  await badAssertion("an assertion about another application is refused", about, /same as client_id/, "invalid_request");
  const both = { ...proof(await assertion()), client_secret: "x" };
  await refused("an assertion and a secret are refused", both, "invalid_request", /only be provided using one/);
  const type = { ...proof(await assertion()), client_assertion_type: "jwt" };
  await refused("another type of assertion is refused", type, "invalid_request", /client_assertion_type/);

  // What Graph takes.
  async function unauthorized(what, accessToken) {
    const { status, error } = await served(accessToken);
    assert.equal(status, 401, what);
    console.log(`Graph refuses ${what} (${error.message})`);
  }
  await unauthorized("a request without a token");
  await unauthorized("an assertion in place of a token", await assertion());
  const own = { alg: "RS256", typ: "at+jwt", kid: "service" };
  const forged = new SignJWT({ iss: root, aud: root, exp: now() + 60, roles: ["Directory.Read.All"] });
  await unauthorized("a token of somebody else", await forged.setProtectedHeader(own).sign(key));
  const [first, middle, last] = bySecret.access_token.split(".");
  const claims = { ...JSON.parse(Buffer.from(middle, "base64url")), roles: ["Directory.ReadWrite.All"] };
  const more = Buffer.from(JSON.stringify(claims)).toString("base64url");
  await unauthorized("a token that was changed", `${first}.${more}.${last}`);
  const short = await token({ client_id: clients.short.id, client_secret: clients.short.secret });
  assert.equal((await served(short.access_token)).status, 200);
  await sleep((short.expires_in + 1) * 1000);
  await unauthorized("a token that has expired", short.access_token);
  for (const path of ["organization", "domains", "users/delta", "groups/delta", "contacts/delta"]) {
    const { status, value, "@odata.deltaLink": link } = await served(bySecret.access_token, path);
    assert.equal(status, 200, path);
    assert.equal(value.length, 1, path);
    assert.equal(Boolean(link), path.endsWith("/delta"), path);
    if (link) assert.equal((await served(bySecret.access_token, link.split("/v1.0/")[1])).value.length, 0);
  }
  console.log("Graph has one object of each kind, and nothing new after that");

  // A device that a user signs in at.
  const device = { client_id: clients.device.id };
  const wanted = { ...device, scope: `${scope} offline_access` };
  const poll = ({ device_code }, who = device) => post(tokenUrl, { ...who, grant_type: DEVICE, device_code });
  const start = await post(deviceUrl, wanted);
  assert.equal(start.status, 200, JSON.stringify(start));
  assert.equal(start.interval, clients.device.interval);
  await sleep(start.interval * 1000);
  isRefused("a device code without a sign-in is pending", await poll(start), "authorization_pending", /pending/);
  isRefused("a poll too soon is slowed down", await poll(start), "slow_down", /^/);
  assert.match(await signIn(start.verification_uri, "XXXX-XXXX", true), /unknown code/);
  console.log("a wrong code is not signed in with");
  const unknown = await poll({ device_code: start.device_code + "x" });
  isRefused("an unknown device code is refused", unknown, "invalid_grant", /not found/);
  assert.equal(await signIn(start.verification_uri, start.user_code, true), "signed in");
  isRefused("another application's device code is refused", await poll(start, { client_id: clients.brief.id }), "invalid_grant", /client mismatch/);
  const signed = await poll(start);
  assert.equal(signed.status, 200, JSON.stringify(signed));
  assert.equal((await served(signed.access_token)).status, 200);
  console.log("after a sign-in there is a token that Graph takes");
  const online = await post(deviceUrl, { ...device, scope });
  await signIn(online.verification_uri, online.user_code, true);
  const unrefreshed = await poll(online);
  assert.equal(unrefreshed.status, 200);
  assert.equal(unrefreshed.refresh_token, undefined);
  console.log("without offline_access there is no refresh token");
  const users = await post(deviceUrl, { ...device, scope: `${root}/User.Read.All offline_access` });
  await signIn(users.verification_uri, users.user_code, true);
  const userReader = await poll(users);
  assert.equal((await served(userReader.access_token)).status, 200);
  assert.equal((await served(userReader.access_token, "groups/delta")).status, 403);
  const all = await token({ ...device, grant_type: "refresh_token", refresh_token: userReader.refresh_token });
  assert.equal((await served(all.access_token)).status, 200);
  assert.equal((await served(all.access_token, "groups/delta")).status, 403);
  console.log("what a user agreed to by name is what Graph allows, refreshed or not");
  const declined = await post(deviceUrl, wanted);
  await signIn(declined.verification_uri, declined.user_code, false);
  isRefused("a declined sign-in is told", await poll(declined), "access_denied", /aborted/);
  const brief = await post(deviceUrl, { ...wanted, client_id: clients.brief.id });
  await sleep((brief.expires_in + 1) * 1000);
  isRefused("an expired device code is told", await poll(brief, { client_id: clients.brief.id }), "expired_token", /expired/);
  const noDevice = await post(deviceUrl, { client_id: randomUUID(), scope });
  isRefused("a device of an unknown application is refused", noDevice, "invalid_client", /client not found/);

  // Refresh tokens: each is good for once.
  const refresh = (refresh_token, more) => token({ ...device, grant_type: "refresh_token", refresh_token, ...more });
  const next = await refresh(signed.refresh_token);
  assert.equal(next.status, 200, JSON.stringify(next));
  assert.notEqual(next.refresh_token, signed.refresh_token);
  assert.equal((await served(next.access_token)).status, 200);
  const third = await refresh(next.refresh_token, { scope: `${scope} offline_access` });
  assert.equal(third.status, 200, JSON.stringify(third));
  console.log("a refresh token gives a token that Graph takes, and the next refresh token");
  const foreign = await refresh(third.refresh_token, { client_id: clients.brief.id });
  isRefused("another application's refresh token is refused", foreign, "invalid_grant", /client mismatch/);
  isRefused("a used refresh token is refused", await refresh(next.refresh_token), "invalid_grant", /already used/);
  isRefused("and ends all that came of it", await refresh(third.refresh_token), "invalid_grant", /not found/);
  const again = await poll(start);
  isRefused("a used device code is refused", again, "invalid_grant", /consumed|not found/);
}

async function refreshToken(root, tenant, client_id) {
  const post = async (name, fields) => {
    const body = new URLSearchParams({ client_id, ...fields });
    return (await fetch(`${root}/${tenant}/oauth2/v2.0/${name}`, { method: "POST", body })).json();
  };
  const start = await post("devicecode", { scope: `${root}/.default offline_access` });
  await signIn(start.verification_uri, start.user_code, true);
  return (await post("token", { grant_type: DEVICE, device_code: start.device_code })).refresh_token;
}

const [verb, ...words] = process.argv.slice(2);
if (verb === "prove") await prove(...words);
else if (verb === "refresh-token") console.log(await refreshToken(...words));
else console.log(await signIn(words[0], words[1], words[2] !== "no"));
