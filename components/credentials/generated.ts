import type * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import * as tls from "@pulumi/tls";
import type { CredentialName } from "./catalogue.ts";
import type { LastingSpec, PasswordSpec, SigningKeySpec, SuppliedSpec, TlsSpec } from "./fixed.ts";
import { passwordLength, type RawKeyPair, rawKeyPair } from "./keys.ts";
import { NatsTls } from "./natsTls.ts";
import { slotName } from "./slots.ts";

export type GeneratedSpec = PasswordSpec | LastingSpec | SigningKeySpec | TlsSpec;

/** Whether the platform can make such a credential itself. */
export function isGenerated(spec: GeneratedSpec | SuppliedSpec): spec is GeneratedSpec {
  return spec.kind !== "supplied";
}

/** Makes the values of generations, each once. */
export class Generated {
  readonly #parent: pulumi.Resource;
  readonly #pairs = new Map<string, pulumi.Output<RawKeyPair>>();
  readonly #authorities = new Map<number, NatsTls>();

  /** @param parent the component that the resources are children of */
  constructor(parent: pulumi.Resource) {
    this.#parent = parent;
  }

  /** The value of one generation of a credential. */
  value(name: CredentialName, spec: GeneratedSpec, generation: number): pulumi.Output<string> {
    switch (spec.kind) {
      case "password":
      case "permanent":
        return this.#password(name, spec, generation);
      case "signing-private":
        return this.#pair(spec.pair, generation).privateSeed;
      case "signing-public":
        return this.#pair(spec.pair, generation).publicKey;
      default:
        return this.#authority(generation)[spec.kind];
    }
  }

  #password(name: CredentialName, spec: PasswordSpec | LastingSpec, generation: number): pulumi.Output<string> {
    const keepers = spec.kind === "permanent" ? {} : { generation: String(generation) };
    const opts = { parent: this.#parent };
    const resource = slotName(name, generation);
    if (spec.alphabet === "hex") return new random.RandomBytes(resource, { length: spec.bytes, keepers }, opts).hex;
    const length = passwordLength(spec.bytes, spec.alphabet);
    return new random.RandomPassword(resource, { length, special: false, keepers }, opts).result;
  }

  #pair(pair: string, generation: number): pulumi.Output<RawKeyPair> {
    const resource = slotName(pair, generation);
    let halves = this.#pairs.get(resource);
    if (halves === undefined) {
      const opts = { parent: this.#parent, replacementTrigger: String(generation) };
      halves = new tls.PrivateKey(resource, { algorithm: "ED25519" }, opts).privateKeyPem.apply(rawKeyPair);
      this.#pairs.set(resource, halves);
    }
    return halves;
  }

  #authority(generation: number): NatsTls {
    let authority = this.#authorities.get(generation);
    if (authority === undefined) {
      const args = { generation: String(generation) };
      authority = new NatsTls(slotName("nats-tls", generation), args, { parent: this.#parent });
      this.#authorities.set(generation, authority);
    }
    return authority;
  }
}
