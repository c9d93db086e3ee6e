import { createPrivateKey, createPublicKey } from "node:crypto";

/** An ed25519 key pair in the form that the services read: base64 of the raw 32 bytes (RFC 8032). */
export interface RawKeyPair {
  readonly privateSeed: string;
  readonly publicKey: string;
}

/** Takes the raw halves out of a PKCS #8 PEM key. */
export function rawKeyPair(pem: string): RawKeyPair {
  const key = createPrivateKey(pem);
  const { d } = key.export({ format: "jwk" });
  const { x } = createPublicKey(key).export({ format: "jwk" });
  if (key.asymmetricKeyType !== "ed25519" || d === undefined || x === undefined) throw new Error("not an ed25519 key");
  const base64 = (text: string) => Buffer.from(text, "base64url").toString("base64");
  return { privateSeed: base64(d), publicKey: base64(x) };
}

/** The public half of a private seed, for a pair whose private half the owner supplied. */
export function publicKeyOf(privateSeed: string): string {
  // RFC 8410: the fixed PKCS #8 header of an ed25519 key, followed by its seed.
  const der = Buffer.concat([
    Buffer.from("302e020100300506032b657004220420", "hex"),
    Buffer.from(privateSeed, "base64"),
  ]);
  const { x } = createPublicKey(createPrivateKey({ key: der, format: "der", type: "pkcs8" })).export({ format: "jwk" });
  if (x === undefined) throw new Error("not an ed25519 seed");
  return Buffer.from(x, "base64url").toString("base64");
}

/** How many characters of an alphabet hold `bytes` bytes of entropy. */
export function passwordLength(bytes: number, alphabet: "alphanumeric" | "hex"): number {
  const size = alphabet === "hex" ? 16 : 62;
  return Math.ceil((bytes * 8) / Math.log2(size));
}
