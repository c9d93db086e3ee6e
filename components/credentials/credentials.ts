import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { configCommand } from "../configCommand.ts";
import { keyedDigest } from "../runtime/files.ts";
import { type CredentialName, credentialNames, credentialSpec, rotationUnit } from "./catalogue.ts";
import { Generated, isGenerated } from "./generated.ts";
import { grantedTo } from "./grants.ts";
import { publicKeyOf } from "./keys.ts";
import { generationsOf, type OverlapStep, overlapHours, overlaps } from "./overlap.ts";

export interface CredentialsArgs {
  /** Generation number by rotation unit; absent means 1. Raising it makes a new value. */
  readonly generation: Readonly<Record<string, number | undefined>>;
  /** The step of a rotation with an overlap, by rotation unit; absent means that the previous generation is refused. */
  readonly overlap?: Readonly<Record<string, OverlapStep | undefined>>;
  /** Values that the owner supplied, as secrets. They win over generated ones. */
  readonly supplied: ReadonlyMap<CredentialName, pulumi.Output<string>>;
}

/** The values of a credential that are in force. */
interface Values {
  readonly newest: pulumi.Output<string>;
  /** The previous generation, while it is still accepted. */
  readonly previous?: pulumi.Output<string>;
  /** Until when the previous generation is accepted, in seconds since 1970; absent if only the config ends it. */
  readonly previousUntil?: pulumi.Output<string>;
  /** The value for readers that sign or serve. */
  readonly presented: pulumi.Output<string>;
}

/** Whether a reader signs or serves with a credential's unit, and not only verifies. */
function presents(reader: string, credential: CredentialName): boolean {
  const unit = rotationUnit(credential);
  return grantedTo(reader).some((name) => {
    const { kind } = credentialSpec(name);
    return rotationUnit(name) === unit && (kind === "signing-private" || kind === "tls-key");
  });
}

/** Generates credentials, takes supplied ones, and gives each reader what it is granted and nothing else. */
export class Credentials extends pulumi.ComponentResource {
  readonly #values = new Map<CredentialName, Values>();
  readonly #args: CredentialsArgs;
  /** Hex key of the hashes by which file directories are named (see runtime/files.ts); it stays in the state. */
  readonly digestKey: pulumi.Output<string>;

  constructor(name: string, args: CredentialsArgs, opts?: pulumi.ComponentResourceOptions) {
    super("autollm:credentials:Credentials", name, {}, opts);
    this.#args = args;
    this.digestKey = new random.RandomBytes(`${name}-digest-key`, { length: 32 }, { parent: this }).hex;
    const generated = new Generated(this);
    for (const credential of credentialNames) {
      const values = this.#supplied(credential) ?? this.#generated(credential, generated);
      if (values !== undefined) this.#values.set(credential, values);
    }
    this.registerOutputs({});
  }

  /** The number of the newest generation of a credential. */
  generation(credential: CredentialName): number {
    return this.#args.generation[rotationUnit(credential)] ?? 1;
  }

  /**
   * A credential's value for one reader; undefined when its owner has not supplied it.
   * @throws when the reader is not granted it
   */
  read(reader: string, credential: CredentialName): pulumi.Output<string> | undefined {
    const values = this.#granted(reader, credential);
    if (values === undefined) return undefined;
    if (presents(reader, credential)) return values.presented;
    // A file of authorities may hold several, and every client of TLS trusts them all.
    if (credentialSpec(credential).kind === "tls-ca" && values.previous !== undefined)
      return pulumi.interpolate`${values.newest}${values.previous}`;
    return values.newest;
  }

  /**
   * The value of the previous generation, for a reader that accepts both; undefined when only one is in force.
   * @throws when the reader is not granted it
   */
  previous(reader: string, credential: CredentialName): pulumi.Output<string> | undefined {
    return this.#granted(reader, credential)?.previous;
  }

  /**
   * Until when the previous generation is accepted, in seconds since 1970; undefined if no time ends it.
   * @throws when the reader is not granted the credential
   */
  previousUntil(reader: string, credential: CredentialName): pulumi.Output<string> | undefined {
    return this.#granted(reader, credential)?.previousUntil;
  }

  /**
   * The generations of the credentials that a server accepts in two values while its readers are replaced: a text that changes with each rotation.
   * @throws when the server is not granted it
   */
  overlapping(server: string): string {
    return grantedTo(server)
      .filter((name) => overlaps(credentialSpec(name)))
      .map((name) => `${name} ${this.generation(name)}\n`)
      .join("");
  }

  /** A text that changes with each password that a reader is granted, and exposes none of them. */
  versions(reader: string): pulumi.Output<string> {
    const passwords = grantedTo(reader).filter((name) => credentialSpec(name).kind === "password");
    const values = passwords.map((name) => this.read(reader, name) ?? "");
    return pulumi.unsecret(
      pulumi.all([this.digestKey, pulumi.all(values)]).apply(([key, all]) => keyedDigest(key, JSON.stringify(all))),
    );
  }

  /**
   * As `read`, for a credential that always has a value.
   * @throws when the reader is not granted it, or when it is not supplied
   */
  require(reader: string, credential: CredentialName): pulumi.Output<string> {
    const value = this.read(reader, credential);
    if (value === undefined)
      throw new Error(
        `${reader} needs ${credential}; set it with: ${configCommand(pulumi.getStack(), `set --secret ${credential}`)}`,
      );
    return value;
  }

  #granted(reader: string, credential: CredentialName): Values | undefined {
    if (!grantedTo(reader).includes(credential))
      throw new Error(`${reader} is not granted the credential ${credential}`);
    return this.#values.get(credential);
  }

  /** What the owner supplied: the value itself, or the private half that a public one follows from. It has no generations. */
  #supplied(credential: CredentialName): Values | undefined {
    const { supplied } = this.#args;
    const spec = credentialSpec(credential);
    const derived =
      spec.kind === "signing-public" ? supplied.get(`${spec.pair}-private`)?.apply(publicKeyOf) : undefined;
    const value = supplied.get(credential) ?? derived;
    if (value === undefined) return undefined;
    const secret = pulumi.secret(value);
    return { newest: secret, presented: secret };
  }

  #generated(credential: CredentialName, generated: Generated): Values | undefined {
    const spec = credentialSpec(credential);
    if (!isGenerated(spec)) return undefined;
    const unit = rotationUnit(credential);
    const { newest, previous, presented } = generationsOf(
      unit,
      this.generation(credential),
      this.#args.overlap?.[unit],
    );
    const value = pulumi.secret(generated.value(credential, spec, newest));
    if (previous === undefined) return { newest: value, presented: value };
    const before = pulumi.secret(generated.value(credential, spec, previous));
    const hours = overlapHours(unit);
    return {
      newest: value,
      previous: before,
      ...(hours === undefined ? {} : { previousUntil: this.#until(unit, newest, hours) }),
      presented: presented === newest ? value : before,
    };
  }

  /** The end of an overlap: so many hours after the update that began it. The engine keeps the time in the state. */
  #until(unit: string, generation: number, hours: number): pulumi.Output<string> {
    const create = `echo $(($(date +%s) + ${hours * 3600}))`;
    const triggers = [String(generation)];
    return new command.local.Command(`${unit}-previous-until`, { create, triggers, logging: "none" }, { parent: this })
      .stdout;
  }
}
