import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import type { Config } from "./config.ts";
import { MessageError, type Payload, parsePayload, text } from "./messages.ts";

// The DER heads of an ed25519 key (RFC 8410); the 32 bytes of the seed or of the public key follow.
const PRIVATE_HEAD = Buffer.from("302e020100300506032b657004220420", "hex");
const PUBLIC_HEAD = Buffer.from("302a300506032b6570032100", "hex");
const KEY_BYTES = 32;

function keyBytes(base64: string, what: string): Buffer {
  const bytes = Buffer.from(base64.trim(), "base64");
  if (bytes.length !== KEY_BYTES) throw new Error(`${what} must be base64 of ${KEY_BYTES} bytes, not ${bytes.length}`);
  return bytes;
}

/** The key whose 32-byte seed a text holds in base64. */
export function privateKey(base64: string): KeyObject {
  const key = Buffer.concat([PRIVATE_HEAD, keyBytes(base64, "the signing key")]);
  return createPrivateKey({ key, format: "der", type: "pkcs8" });
}

/** The public key whose 32 bytes a text holds in base64. */
export function publicKey(base64: string): KeyObject {
  const key = Buffer.concat([PUBLIC_HEAD, keyBytes(base64, "the public key")]);
  return createPublicKey({ key, format: "der", type: "spki" });
}

/** The current public key, and the previous one while producers move. `name` is LLM or RISK. */
export function trustedKeys({ env }: Config, name: "LLM" | "RISK"): readonly KeyObject[] {
  const previous = env.file(`${name}_PUBLIC_KEY_PREVIOUS_PATH`);
  return [env.requiredFile(`${name}_PUBLIC_KEY_PATH`), ...(previous === undefined ? [] : [previous])].map(publicKey);
}

/** Signs the exact text that is sent, so that no two programs need to agree on how JSON is written. */
export function signed(key: KeyObject, content: object): Payload {
  const payload = JSON.stringify(content);
  return { payload, signature: sign(null, Buffer.from(payload), key).toString("base64") };
}

/**
 * The content of a signed message.
 * @throws MessageError when no trusted key made the signature
 */
export function verified(keys: readonly KeyObject[], message: Payload): Payload {
  if (typeof message.payload !== "string" || typeof message.signature !== "string") {
    throw new MessageError("is not signed");
  }
  const content = text(message, "payload", 10_000);
  const signature = Buffer.from(message.signature, "base64");
  if (keys.some((key) => verify(null, Buffer.from(content), key, signature))) return parsePayload(content);
  throw new MessageError("the signature is by no trusted key");
}
