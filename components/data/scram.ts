import { createHash, createHmac, pbkdf2Sync } from "node:crypto";

/** Rounds of PBKDF2: the least of RFC 7677, and Postgres's own default (scram_iterations). */
const ROUNDS = 4096;
/** Bytes of salt, as Postgres itself takes. */
const SALT_BYTES = 16;

const hmac = (key: string | Buffer, text: string) => createHmac("sha256", key).update(text).digest();

/** A password as SCRAM sees it (SASLprep, RFC 4013): other blanks become a space, invisible signs go, and forms are composed. */
function prepared(password: string): string {
  return password
    .replace(/[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]/g, " ")
    .replace(/[\u00ad\u1806\u200b-\u200d\u2060\ufeff]|\u034f|[\u180b-\u180d]|[\ufe00-\ufe0f]/g, "")
    .normalize("NFKC");
}

/**
 * What Postgres stores of a password (RFC 5803, RFC 7677): enough to check a login, and not enough to log in. Given to
 * `ALTER ROLE ... PASSWORD`, it is stored unchanged, so that the password itself never reaches the server.
 * @param saltKey a secret: the salt is derived by it from role and password, so that the same password gives the same text again
 */
export function scramVerifier(
  role: string,
  password: string,
  saltKey: string,
  salt = hmac(saltKey, `scram\0${role}\0${prepared(password)}`).subarray(0, SALT_BYTES),
): string {
  const text = prepared(password);
  const salted = pbkdf2Sync(text, salt, ROUNDS, 32, "sha256");
  const storedKey = createHash("sha256").update(hmac(salted, "Client Key")).digest("base64");
  const serverKey = hmac(salted, "Server Key").toString("base64");
  return `SCRAM-SHA-256$${ROUNDS}:${salt.toString("base64")}$${storedKey}:${serverKey}`;
}
