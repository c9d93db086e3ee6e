import { createPrivateKey } from "node:crypto";
import { type CredentialName, isCredentialName } from "../../components/credentials/catalogue.ts";
import { rawKeyPair } from "../../components/credentials/keys.ts";
import { withoutSlot } from "../../components/credentials/slots.ts";
import type { StackSubject } from "./rule.ts";
import { PRIVATE_KEY, RANDOM_BYTES, RANDOM_PASSWORD } from "./types.ts";
import { text } from "./value.ts";

/** Shorter ones could stand in a file by chance. */
const MIN_LENGTH = 8;

/** The credential of a TLS key, by the name of its resource. */
const KEY_CREDENTIALS: Readonly<Record<string, CredentialName>> = {
  "nats-tls-key": "nats-key",
  "llm-signing": "llm-signing-private",
  "risk-signing": "risk-signing-private",
};

/** The values that the engine generated, each with the credential that it is; undefined for keys that no container may hold. */
export function secretValues(subjects: readonly StackSubject[]): ReadonlyMap<string, CredentialName | undefined> {
  const found = new Map<string, CredentialName | undefined>();
  const add = (value: string | undefined, name: CredentialName | undefined) => {
    if (value !== undefined && value.length >= MIN_LENGTH) found.set(value, name);
  };
  for (const { type, name: resource, props } of subjects) {
    const name = withoutSlot(resource);
    const credential = isCredentialName(name) ? name : undefined;
    if (type === RANDOM_PASSWORD) add(text(props.result), credential);
    if (type === RANDOM_BYTES) {
      add(text(props.hex), credential);
      add(text(props.base64), credential);
    }
    if (type === PRIVATE_KEY)
      for (const value of keyForms(text(props.privateKeyPem))) add(value, KEY_CREDENTIALS[name]);
  }
  return found;
}

/** A key as PEM, and as the raw seed where it is ed25519. */
function keyForms(pem: string | undefined): readonly string[] {
  if (pem === undefined) return [];
  try {
    const seed = createPrivateKey(pem).asymmetricKeyType === "ed25519" ? [rawKeyPair(pem).privateSeed] : [];
    return [pem.trim(), ...seed];
  } catch {
    return [pem.trim()];
  }
}
