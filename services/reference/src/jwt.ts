import { createHmac, timingSafeEqual } from "node:crypto";
import { TOKEN_LIFE_HOURS } from "../../../components/credentials/fixed.ts";
import { HttpError } from "./http.ts";

export interface Claims {
  readonly sub: string;
  /** When it was made, in seconds since 1970. */
  readonly iat: number;
  /** When it ends, in seconds since 1970; no more than `TOKEN_LIFE_HOURS` later. */
  readonly exp: number;
  /** Scopes, separated by blanks; `admin` opens /admin. */
  readonly scope: string;
}

/** A key that verifies tokens. */
export interface VerifyingKey {
  readonly secret: string;
  /** From when on it verifies nothing, in seconds since 1970; absent for the current one. */
  readonly until?: number;
}

const TOKEN_LIFE_S = TOKEN_LIFE_HOURS * 3600;
const SHORTEST_SECRET = 32;
const CLOCK_SKEW_S = 30;

function mac(input: string, secret: string): Buffer {
  return createHmac("sha256", secret).update(input).digest();
}

const base64url = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A token, signed with HS256 (RFC 7515, RFC 7519). */
export function signToken(claims: Claims, secret: string): string {
  const input = `${base64url({ alg: "HS256", typ: "JWT" })}.${base64url(claims)}`;
  return `${input}.${mac(input, secret).toString("base64url")}`;
}

function decoded(part: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The claims of a token that one of the keys signed and that has not expired; undefined otherwise. A token that tells no time at
 * which it was made, or lives longer than a token may, is refused: a key that was replaced would open the door for years.
 * @param keys the current key, then the previous one while its tokens live
 */
export function verifyToken(token: string, keys: readonly VerifyingKey[], now = Date.now()): Claims | undefined {
  const [head, body, signature, ...rest] = token.split(".");
  if (head === undefined || body === undefined || signature === undefined || rest.length > 0) return undefined;
  // The algorithm is ours, never the token's choice.
  if (decoded(head)?.alg !== "HS256") return undefined;
  const given = Buffer.from(signature, "base64url");
  const genuine = keys.some(({ secret, until = Number.POSITIVE_INFINITY }) => {
    if (until <= now / 1000) return false;
    const expected = mac(`${head}.${body}`, secret);
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
  const claims = decoded(body);
  if (!genuine || claims === undefined) return undefined;
  const { sub, iat, exp, nbf, scope } = claims;
  if (typeof sub !== "string" || typeof exp !== "number" || typeof iat !== "number") return undefined;
  if (exp - iat > TOKEN_LIFE_S || iat - CLOCK_SKEW_S > now / 1000) return undefined;
  if (exp + CLOCK_SKEW_S < now / 1000) return undefined;
  if (nbf !== undefined && (typeof nbf !== "number" || nbf - CLOCK_SKEW_S > now / 1000)) return undefined;
  return { sub, iat, exp, scope: typeof scope === "string" ? scope : "" };
}

/**
 * The keys that verify a token. A short one could be guessed offline from any token.
 * @param previousUntil seconds since 1970; without it the previous key verifies nothing
 */
export function verifyingKeys(
  current: string | undefined,
  previous: string | undefined,
  previousUntil: number,
): readonly VerifyingKey[] {
  if (current === undefined) throw new Error("JWT_SECRET must be set");
  const keys = [{ secret: current }, ...(previous === undefined ? [] : [{ secret: previous, until: previousUntil }])];
  if (keys.some(({ secret }) => secret.length < SHORTEST_SECRET)) {
    throw new Error(`JWT_SECRET must have ${SHORTEST_SECRET} characters or more`);
  }
  return keys;
}

/** The caller of a request. @throws HttpError 401 without a good token, 403 without the scope */
export function authorize(authorization: string | undefined, keys: readonly VerifyingKey[], scope?: string): Claims {
  const token = /^Bearer (\S+)$/i.exec(authorization ?? "")?.[1];
  const claims = token === undefined ? undefined : verifyToken(token, keys);
  if (claims === undefined) {
    throw new HttpError(401, "a valid bearer token is needed", { "www-authenticate": 'Bearer realm="autollm"' });
  }
  if (scope !== undefined && !claims.scope.split(" ").includes(scope)) throw new HttpError(403, `needs scope ${scope}`);
  return claims;
}
