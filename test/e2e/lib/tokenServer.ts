import { generateKeyPairSync, randomUUID, sign, X509Certificate } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { RegistryLogin } from "../../../components/registries.ts";
import { certificate } from "../../../tools/checkImage/certificates.ts";
import { freePort } from "./stack.ts";

const SERVICE = "registry";
const ISSUER = "token-server";
const LIFE_SECONDS = 300;

/** Hands out tokens for a registry to a client that has the login, as GitHub's and Docker Hub's registries do. */
export interface TokenServer {
  /** What the registry's own config says of it. */
  readonly auth: Readonly<Record<string, string>>;
  /** The certificate of the authority by which the registry knows the tokens. */
  readonly authority: string;
  stop(): void;
}

const base64url = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** https://distribution.github.io/distribution/spec/auth/token/ */
export async function startTokenServer(login: () => RegistryLogin, rootcertbundle: string): Promise<TokenServer> {
  const pair = () => generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  const root = { commonName: ISSUER, key: pair() };
  const key = pair();
  const chain = new X509Certificate(certificate({ commonName: SERVICE, key, issuer: root })).raw.toString("base64");
  const token = (scopes: readonly string[], subject: string) => {
    const now = Math.floor(Date.now() / 1000);
    const access = scopes.map((scope) => {
      const [, type, name, actions = ""] = /^([^:]+):(.*):([^:]+)$/.exec(scope) ?? [];
      return { type, name, actions: actions.split(",") };
    });
    const head = base64url({ typ: "JWT", alg: "ES256", x5c: [chain] });
    const times = { iat: now, nbf: now - 5, exp: now + LIFE_SECONDS };
    const claims = base64url({ iss: ISSUER, aud: SERVICE, sub: subject, jti: randomUUID(), access, ...times });
    const signed = sign("sha256", Buffer.from(`${head}.${claims}`), { key, dsaEncoding: "ieee-p1363" });
    return `${head}.${claims}.${signed.toString("base64url")}`;
  };
  const server: Server = createServer((request, response) => {
    const { user, password } = login();
    const wanted = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
    response.setHeader("content-type", "application/json");
    if (request.headers.authorization !== wanted) {
      response.statusCode = 401;
      response.end(JSON.stringify({ errors: [{ code: "UNAUTHORIZED", message: "authentication required" }] }));
      return;
    }
    const { searchParams } = new URL(request.url ?? "/", "http://localhost");
    const made = token(
      searchParams.getAll("scope").flatMap((scope) => scope.split(" ")),
      user,
    );
    response.end(JSON.stringify({ token: made, access_token: made, expires_in: LIFE_SECONDS }));
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    auth: { realm: `http://127.0.0.1:${port}/token`, service: SERVICE, issuer: ISSUER, rootcertbundle },
    authority: certificate(root),
    stop: () => void server.close(),
  };
}
