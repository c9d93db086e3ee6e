import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import * as tls from "@pulumi/tls";
import { type CredentialName, credentialNames, credentialSpec, rotationUnit } from "./catalogue.ts";
import type { LastingSpec, PasswordSpec } from "./fixed.ts";
import { grantedTo } from "./grants.ts";
import { passwordLength, publicKeyOf, rawKeyPair } from "./keys.ts";
import { NatsTls } from "./natsTls.ts";

export interface CredentialsArgs {
  /** Generation number by rotation unit; absent means 1. Raising it makes a new value. */
  readonly generation: Readonly<Record<string, number | undefined>>;
  /** Values that the owner supplied, as secrets. They win over generated ones. */
  readonly supplied: ReadonlyMap<CredentialName, pulumi.Output<string>>;
}

/** Makes what is generated, takes what is supplied, and gives each reader what it is granted and nothing else. */
export class Credentials extends pulumi.ComponentResource {
  readonly #values = new Map<CredentialName, pulumi.Output<string>>();
  readonly #generation: CredentialsArgs["generation"];
  /** Hex key of the hashes by which file directories are named (see runtime/files.ts); it stays in the state. */
  readonly digestKey: pulumi.Output<string>;

  constructor(name: string, args: CredentialsArgs, opts?: pulumi.ComponentResourceOptions) {
    super("autollm:credentials:Credentials", name, {}, opts);
    this.#generation = args.generation;
    this.digestKey = new random.RandomBytes(`${name}-digest-key`, { length: 32 }, { parent: this }).hex;
    const pairs = new Map(
      (["llm-signing", "risk-signing"] as const).map((pair) => [pair, this.#signingPair(pair, args.supplied)]),
    );
    const natsTls = new NatsTls("nats-tls", { generation: this.#generationOf("nats-ca") }, { parent: this });
    for (const credential of credentialNames) {
      const spec = credentialSpec(credential);
      const value =
        args.supplied.get(credential) ??
        (spec.kind === "password" || spec.kind === "lasting"
          ? this.#password(credential, spec)
          : spec.kind === "signing-private"
            ? pairs.get(spec.pair)?.privateSeed
            : spec.kind === "signing-public"
              ? pairs.get(spec.pair)?.publicKey
              : spec.kind === "supplied"
                ? undefined
                : natsTls[spec.kind]);
      if (value !== undefined) this.#values.set(credential, pulumi.secret(value));
    }
    this.registerOutputs({});
  }

  /**
   * A credential's value for one reader; undefined when its owner has not supplied it.
   * @throws when the reader is not granted it
   */
  read(reader: string, credential: CredentialName): pulumi.Output<string> | undefined {
    if (!grantedTo(reader).includes(credential))
      throw new Error(`${reader} is not granted the credential ${credential}`);
    return this.#values.get(credential);
  }

  /**
   * As `read`, for a credential that always has a value.
   * @throws when the reader is not granted it, or when nobody supplied it
   */
  require(reader: string, credential: CredentialName): pulumi.Output<string> {
    const value = this.read(reader, credential);
    if (value === undefined)
      throw new Error(`${reader} needs ${credential}; set it with: pulumi config set --secret ${credential}`);
    return value;
  }

  #generationOf(credential: CredentialName): string {
    return String(this.#generation[rotationUnit(credential)] ?? 1);
  }

  #password(credential: CredentialName, spec: PasswordSpec | LastingSpec): pulumi.Output<string> {
    const keepers = spec.kind === "lasting" ? {} : { generation: this.#generationOf(credential) };
    if (spec.alphabet === "hex")
      return new random.RandomBytes(credential, { length: spec.bytes, keepers }, { parent: this }).hex;
    return new random.RandomPassword(
      credential,
      { length: passwordLength(spec.bytes, spec.alphabet), special: false, keepers },
      { parent: this },
    ).result;
  }

  #signingPair(pair: "llm-signing" | "risk-signing", supplied: CredentialsArgs["supplied"]) {
    const pinned = supplied.get(`${pair}-private`);
    if (pinned !== undefined) return { privateSeed: pinned, publicKey: pinned.apply(publicKeyOf) };
    const key = new tls.PrivateKey(
      pair,
      { algorithm: "ED25519" },
      { parent: this, replacementTrigger: this.#generationOf(`${pair}-private`) },
    );
    const raw = key.privateKeyPem.apply(rawKeyPair);
    return { privateSeed: raw.privateSeed, publicKey: raw.publicKey };
  }
}
