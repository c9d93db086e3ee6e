import { createHmac } from "node:crypto";
import { SPELLED_DEFAULTS } from "../../components/strength/words.ts";

/** How long a token would live, in seconds: long enough for any clock. */
const LIFE = 600;

const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A token with every claim by which a gateway may know an administrator (RFC 7519), signed by that key, or by nobody. */
export function adminToken(key: string | undefined, now: number): string {
  const seconds = Math.floor(now / 1000);
  const claims = { sub: "admin", scope: "admin", roles: ["admin"], iat: seconds, exp: seconds + LIFE };
  const input = `${encoded({ alg: key === undefined ? "none" : "HS256", typ: "JWT" })}.${encoded(claims)}`;
  return `${input}.${key === undefined ? "" : createHmac("sha256", key).update(input).digest("base64url")}`;
}

/** Tokens that no gateway may take: signed by each known default, by an empty key, and by nobody; each with what it is called. */
export function defaultTokens(now: number): readonly { readonly name: string; readonly token: string }[] {
  return [
    { name: "signed by nobody", token: adminToken(undefined, now) },
    { name: "signed by an empty key", token: adminToken("", now) },
    ...SPELLED_DEFAULTS.map((key) => ({ name: `signed by "${key}"`, token: adminToken(key, now) })),
  ];
}
