// A token service that is not ours: oidc-provider, certified for OpenID, at the addresses of
// Entra's. Behind it just enough of Graph to show that its tokens are good: one user, one
// group, one contact. Usage: token_service.mjs PORT TENANT CLIENTS.json SECRETS
//
// CLIENTS.json is a list of applications: `id`, and `secret`, `certificates` (PEM files) or
// neither; how long its tokens (`token_seconds`) and device codes (`code_seconds`) live;
// what a device is told to wait (`interval`, RFC 8628: 5 s where nothing is said); how many
// polls are answered with slow_down (`slow_downs`); how late refreshed tokens come (`late`). What happens is told line by line, in
// JSON; the tokens and codes are written to the file SECRETS, one a line.
import { X509Certificate, createHash, createPublicKey, generateKeyPairSync, randomBytes } from "node:crypto";
import { appendFileSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";

const require = createRequire(process.env.NPM + "/");
const { createLocalJWKSet, jwtVerify } = require("jose");
// An ES module, which `require` does not take on every Node.
const { Provider, errors } = await import(process.env.NPM + "/node_modules/oidc-provider/lib/index.js");

const [port, tenant, clientsFile, secretsFile] = process.argv.slice(2);
const root = `http://127.0.0.1:${port}`;
const tokenUrl = `${root}/${tenant}/oauth2/v2.0/token`;
const DEFAULT = `${root}/.default`;
const DEVICE = "urn:ietf:params:oauth:grant-type:device_code";
const clients = new Map(JSON.parse(readFileSync(clientsFile)).map((client) => [client.id, client]));

function tell(event, more) {
  console.log(JSON.stringify({ at: Date.now(), event, ...more }));
}

function secrets(...texts) {
  appendFileSync(secretsFile, texts.filter(Boolean).map((text) => text + "\n").join(""));
}

// What Entra registers of a certificate: its key, and by which digest it is named.
function registered(file) {
  const certificate = new X509Certificate(readFileSync(file));
  const thumbprint = createHash("sha256").update(certificate.raw).digest("base64url");
  const jwk = certificate.publicKey.export({ format: "jwk" });
  return { thumbprint, jwk: { ...jwk, kid: thumbprint, use: "sig", alg: "PS256" } };
}

function metadata(client) {
  const proof = client.secret ? "client_secret_post" : client.certificates ? "private_key_jwt" : "none";
  client.keys = (client.certificates ?? []).map(registered);
  return {
    client_id: client.id,
    client_secret: client.secret,
    token_endpoint_auth_method: proof,
    token_endpoint_auth_signing_alg: client.certificates ? "PS256" : undefined,
    jwks: client.certificates ? { keys: client.keys.map((key) => key.jwk) } : undefined,
    grant_types: [DEVICE, "refresh_token"].concat(proof === "none" ? [] : "client_credentials"),
    response_types: [],
    redirect_uris: [],
  };
}

// The provider has looked at alg, iss, sub, aud, exp, nbf, jti, the signature and whether
// the assertion was seen before. This is what Entra wants on top of that.
function entra(_, claims, header, { clientId }) {
  const refuse = (why) => {
    throw new errors.InvalidClientAuth(why);
  };
  if (claims.aud !== tokenUrl) refuse("aud is not the token endpoint");
  if (header.typ !== "JWT") refuse("typ is not JWT");
  const thumbprints = clients.get(clientId).keys.map((key) => key.thumbprint);
  if (!thumbprints.includes(header["x5t#S256"])) refuse("x5t#S256 names no certificate of the application");
  if (!Number.isInteger(claims.nbf)) refuse("nbf is missing");
  if (claims.exp - claims.nbf > 600) refuse("valid for more than ten minutes");
}

// What users can be asked for at a device. An application gets what is registered for it.
const reads = {
  organization: ["User.Read", "Organization.Read.All"],
  domains: ["Domain.Read.All"],
  "users/delta": ["User.Read.All"],
  "groups/delta": ["GroupMember.Read.All"],
  "contacts/delta": ["OrgContact.Read.All"],
};
const permissions = Object.values(reads).flat();
const known = [DEFAULT, ...permissions.map((name) => `${root}/${name}`)];

// Scopes are those of Graph: `.default`, or permissions by name. What was once agreed to is
// all there under `.default` when a token is refreshed, as with Entra.
function resource(ctx, _, oneOf) {
  if (oneOf) return oneOf;
  const { params, route } = ctx.oidc;
  const scopes = (params.scope ?? "").split(" ").filter((scope) => scope.includes(":"));
  const named = scopes.filter((scope) => scope !== DEFAULT);
  const device = route !== "token";
  if (!scopes.length || !scopes.every((scope) => known.includes(scope))) {
    throw new errors.InvalidScope("the scope is not one of Graph", params.scope);
  }
  if (named.length && !device) throw new errors.InvalidScope("an application asks for .default", params.scope);
  if (route === "device_authorization") {
    if (named.length && named.length < scopes.length) {
      throw new errors.InvalidScope(".default stands beside others", params.scope);
    }
    if (named.length) params.scope += ` ${DEFAULT}`;
  }
  return root;
}

// The claims by which Graph decides.
function granted({ oidc }, { kind, scope }) {
  if (kind === "ClientCredentials") return { roles: ["Directory.Read.All"] };
  const agreed = oidc.entities.RefreshToken?.scope ?? scope;
  const named = agreed.split(" ").filter((name) => name.startsWith(root) && name !== DEFAULT);
  const names = named.length ? named.map((name) => name.slice(root.length + 1)) : permissions;
  return { scp: names.join(" ") };
}

const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const signing = { ...privateKey.export({ format: "jwk" }), kid: "service", use: "sig", alg: "RS256" };
const page = (text) => (ctx) => {
  ctx.body = text;
};
const hour = () => 3600;
const provider = new Provider(root, {
  clients: [...clients.values()].map(metadata),
  jwks: { keys: [signing] },
  cookies: { keys: [randomBytes(16).toString("hex")] },
  routes: {
    token: `/${tenant}/oauth2/v2.0/token`,
    device_authorization: `/${tenant}/oauth2/v2.0/devicecode`,
    code_verification: "/devicelogin",
  },
  clientAuthMethods: ["client_secret_post", "private_key_jwt", "none"],
  enabledJWA: { clientAuthSigningAlgValues: ["PS256"] },
  assertJwtClientAuthClaimsAndHeader: entra,
  rotateRefreshToken: true,
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  interactions: { url: (_, { uid }) => `/interaction/${uid}` },
  extraTokenClaims: (ctx, token) => ({ tid: tenant, ...granted(ctx, token) }),
  renderError: (ctx, out) => {
    ctx.body = out;
  },
  features: {
    devInteractions: { enabled: false },
    userinfo: { enabled: false },
    rpInitiatedLogout: { enabled: false },
    clientCredentials: { enabled: true },
    deviceFlow: {
      enabled: true,
      userCodeInputSource: (ctx, form, out, error) => {
        ctx.body = `${error ? (error.userCode ? "unknown code" : error.message) : ""}${form}`;
      },
      userCodeConfirmSource: (ctx, form) => {
        ctx.body = form;
      },
      successSource: page("signed in"),
    },
    resourceIndicators: {
      enabled: true,
      defaultResource: resource,
      useGrantedResource: () => true,
      getResourceServerInfo: (_, identifier, { clientId }) => ({
        scope: known.join(" "),
        audience: identifier,
        accessTokenFormat: "jwt",
        accessTokenTTL: clients.get(clientId).token_seconds ?? 3600,
      }),
    },
  },
  ttl: {
    AccessToken: (_, token) => token.resourceServer.accessTokenTTL,
    ClientCredentials: (_, token) => token.resourceServer.accessTokenTTL,
    DeviceCode: (_, __, { clientId }) => clients.get(clientId).code_seconds ?? 900,
    RefreshToken: hour,
    Interaction: hour,
    Session: hour,
    Grant: hour,
    IdToken: hour,
  },
});

// A refusal says why, which the provider keeps to itself.
function refused(ctx, error) {
  const why = error.error_detail ?? error.error_description;
  if (error.error_detail) ctx.body.error_description += `: ${error.error_detail}`;
  const { client_id: client, grant_type: grant } = ctx.oidc?.body ?? {};
  tell("refused", { client, grant, error: ctx.body.error, why });
}
provider.on("grant.error", refused);
provider.on("device_authorization.error", refused);
provider.on("server_error", (_, error) => tell("failed", { why: error.stack }));
provider.on("grant.success", ({ oidc, body }) => {
  const { client_id: client, grant_type: grant, client_secret: secret, client_assertion: assertion } = oidc.body;
  const [header] = (assertion ?? "").split(".");
  tell("granted", {
    client: client ?? oidc.client.clientId,
    grant,
    proof: assertion ? "assertion" : secret ? "secret" : "none",
    thumbprint: assertion && JSON.parse(Buffer.from(header, "base64url"))["x5t#S256"],
    rotations: oidc.entities.RefreshToken?.rotations,
  });
  // What nobody else should ever write down.
  secrets(body.access_token, body.refresh_token, assertion);
});
provider.on("device_authorization.success", (_, body) => secrets(body.device_code));

// RFC 8628: `interval` is optional, and the provider gives none and allows any.
const polls = new Map();
provider.use(async (ctx, next) => {
  await next();
  const { params, route } = ctx.oidc ?? {};
  const client = clients.get(ctx.oidc?.client?.clientId);
  if (client?.late && params?.grant_type === "refresh_token") await sleep(client.late * 1000);
  if (route === "device_authorization" && ctx.body?.device_code) {
    if (client.interval) ctx.body.interval = client.interval;
    // The first one has to wait, too.
    const start = { last: Date.now(), wait: client.interval ?? 5, slow: client.slow_downs ?? 0 };
    polls.set(ctx.body.device_code, start);
  }
  const poll = route === "token" && ctx.body?.error === "authorization_pending" && polls.get(params.device_code);
  if (!poll) return;
  const waited = (Date.now() - poll.last) / 1000;
  poll.last = Date.now();
  const hasty = waited < poll.wait - 0.1;
  tell(hasty ? "hasty" : "polled", { client: client.id, waited, wait: poll.wait });
  if (hasty || poll.slow > 0) {
    poll.slow -= 1;
    poll.wait += 5;
    ctx.body = { error: "slow_down" };
  }
});

// Whoever comes with the code is Ann, and agrees.
async function signIn(request, response) {
  const { prompt, params } = await provider.interactionDetails(request, response);
  if (prompt.name === "login") {
    return provider.interactionFinished(request, response, { login: { accountId: "ann" } });
  }
  const grant = new provider.Grant({ accountId: "ann", clientId: params.client_id });
  grant.addOIDCScope((prompt.details.missingOIDCScope ?? []).join(" "));
  for (const [indicator, scopes] of Object.entries(prompt.details.missingResourceScopes ?? {})) {
    grant.addResourceScope(indicator, scopes.join(" "));
  }
  return provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } });
}

const id = (digit) => `${digit.repeat(8)}-0000-4000-8000-000000000000`;
const domain = { id: "contoso.com", isVerified: true, isDefault: true, isInitial: false };
const user = {
  id: id("a"),
  userPrincipalName: "ann@contoso.com",
  displayName: "Ann",
  mail: "ann@contoso.com",
  proxyAddresses: ["SMTP:ann@contoso.com"],
  accountEnabled: true,
  userType: "Member",
};
const group = {
  id: id("b"),
  displayName: "Everyone",
  mail: "everyone@contoso.com",
  mailNickname: "everyone",
  mailEnabled: true,
  securityEnabled: false,
  groupTypes: [],
  proxyAddresses: ["SMTP:everyone@contoso.com"],
  "members@delta": [{ "@odata.type": "#microsoft.graph.user", id: id("a") }],
};
const contact = {
  id: id("c"),
  displayName: "Carl",
  mail: "carl@fabrikam.com",
  proxyAddresses: ["SMTP:carl@fabrikam.com"],
};
const lists = {
  organization: [{ id: tenant, displayName: "Contoso", verifiedDomains: [{ name: domain.id, isDefault: true }] }],
  domains: [domain],
  "users/delta": [user],
  "groups/delta": [group],
  "contacts/delta": [contact],
};

const keys = createLocalJWKSet({
  keys: [{ ...createPublicKey(privateKey).export({ format: "jwk" }), kid: signing.kid, use: "sig", alg: "RS256" }],
});
async function graph(request, url) {
  const path = url.pathname.slice("/v1.0/".length);
  const [scheme, token] = (request.headers.authorization ?? "").split(" ");
  try {
    if (scheme !== "Bearer") throw new Error("no token");
    const { payload } = await jwtVerify(token, keys, { issuer: root, audience: root, typ: "at+jwt" });
    const may = payload.roles ?? payload.scp.split(" ");
    if (!["Directory.Read.All", ...(reads[path] ?? [])].some((name) => may.includes(name))) {
      tell("forbidden", { path: url.pathname, client: payload.client_id, may });
      return [403, { error: { code: "Authorization_RequestDenied", message: "Insufficient privileges." } }];
    }
    tell("served", { path: url.pathname, client: payload.client_id, user: payload.scp && payload.sub });
  } catch (error) {
    tell("unauthorized", { path: url.pathname, why: error.message });
    return [401, { error: { code: "InvalidAuthenticationToken", message: error.message } }];
  }
  if (!Object.hasOwn(lists, path)) return [404, { error: { code: "Request_ResourceNotFound", message: path } }];
  if (!path.endsWith("/delta")) return [200, { value: lists[path] }];
  const link = `${root}${url.pathname}?$deltatoken=${randomBytes(8).toString("hex")}`;
  return [200, { value: url.searchParams.has("$deltatoken") ? [] : lists[path], "@odata.deltaLink": link }];
}

const oauth = provider.callback();
createServer(async (request, response) => {
  const url = new URL(request.url, root);
  try {
    if (url.pathname.startsWith("/interaction/")) await signIn(request, response);
    else if (url.pathname.startsWith("/v1.0/")) {
      const [status, body] = await graph(request, url);
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    } else oauth(request, response);
  } catch (error) {
    tell("failed", { path: url.pathname, why: error.stack });
    response.writeHead(500).end();
  }
}).listen(Number(port), "127.0.0.1", () => tell("listening", { root }));
