import { createPrivateKey, X509Certificate } from "node:crypto";
import { bits, type Secret, weakness } from "../strength/weak.ts";
import { type CredentialName, credentialSpec } from "./catalogue.ts";
import { publicKeyOf } from "./keys.ts";

/** The least entropy of a value that replaces a generated one: that of the shortest one that the platform generates. */
const LEAST_BITS = 128;
/** Base64 of 32 bytes: an ed25519 seed or public key (RFC 8032). */
const RAW_KEY = /^[A-Za-z0-9+/]{43}=$/;

/** How the value of a credential of this kind must look; undefined when it does. */
function formFault(name: CredentialName, value: string): string | undefined {
  const spec = credentialSpec(name);
  switch (spec.kind) {
    case "password":
    case "permanent":
      return name !== "vnc" && bits(value) < LEAST_BITS
        ? `has fewer than ${LEAST_BITS} bits, and the one that the stack would generate has ${spec.bytes * 8}`
        : undefined;
    case "signing-private":
      return RAW_KEY.test(value) ? undefined : "is no base64 of a 32-byte ed25519 seed";
    case "signing-public":
      return RAW_KEY.test(value) ? undefined : "is no base64 of a 32-byte ed25519 public key";
    case "tls-key":
      return parses(() => createPrivateKey(value)) ? undefined : "is no private key in PEM";
    case "tls-ca":
    case "tls-certificate":
      return parses(() => new X509Certificate(value)) ? undefined : "is no certificate in PEM";
    default:
      return undefined;
  }
}

function parses(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch {
    return false;
  }
}

/** Whether the value is a PEM text, whose strength its own form decides. */
const isPem = (name: CredentialName) => ["tls-ca", "tls-certificate", "tls-key"].includes(credentialSpec(name).kind);

/**
 * What is wrong with a value that the owner supplied, in words that follow its name; undefined when it may be used. The value
 * itself is never part of it.
 * @param own the stack's own names, which are no secrets
 */
export function suppliedFault(name: CredentialName, value: string, own: readonly string[] = []): string | undefined {
  const secret: Secret = { name, value: value.trim() };
  if (secret.value === "") return "is empty";
  return (isPem(name) ? undefined : weakness(secret, own)) ?? formFault(name, secret.value);
}

/** What is wrong with a supplied public key beside the private one that it must belong to; undefined when nothing is. */
export function pairFault(name: CredentialName, value: string, privateSeed: string | undefined): string | undefined {
  const spec = credentialSpec(name);
  if (spec.kind !== "signing-public") return undefined;
  if (privateSeed === undefined) return `is supplied without ${spec.pair}-private, which signs what it verifies`;
  const belongs = !RAW_KEY.test(privateSeed.trim()) || publicKeyOf(privateSeed.trim()) === value.trim();
  return belongs ? undefined : `does not belong to ${spec.pair}-private`;
}

/** Whether the stack generates a value if none is supplied. */
export function isMade(name: CredentialName): boolean {
  return credentialSpec(name).kind !== "supplied";
}
