import * as pulumi from "@pulumi/pulumi";
import { type CredentialName, deliveryOf } from "../credentials/catalogue.ts";
import { SECRET_FILES_DIR } from "../credentials/delivery.ts";
import { type Outside, outsideSettings } from "../outside.ts";
import type { Settings } from "../settings.ts";
import { addressOf, credentialIn } from "./addresses.ts";
import type { ServiceName } from "./catalogue.ts";
import { NATS_USER_MARK } from "./natsUser.ts";
import { fill, references } from "./references.ts";
import type { Start } from "./release.ts";

export interface FilledArgs {
  readonly settings: Pick<Settings, "generation"> & Outside;
  readonly ibPort: number;
  /** The value of a credential that the service is granted; undefined if it is not supplied. */
  readonly read: (name: CredentialName) => pulumi.Output<string> | undefined;
}

/** A service's variables: those that hold no secret, and those that do, which reach the container as files. */
export interface Filled {
  readonly plain: Readonly<Record<string, string>>;
  readonly secret: Readonly<Record<string, pulumi.Output<string>>>;
}

/**
 * Fills in the references of a service's variables.
 * @throws for a reference within a longer text to something that is not supplied
 */
export function fillEnvironment(service: ServiceName, environment: Start["environment"], args: FilledArgs): Filled {
  const plain: Record<string, string> = {};
  const secret: Record<string, pulumi.Output<string>> = {};
  for (const [variable, text] of Object.entries(environment ?? {})) {
    const found = references(text);
    if (typeof found === "string") throw new Error(`release.${service}.environment.${variable}: ${found}`);
    const names = [...new Set(found.flatMap((reference) => credentialIn(service, reference) ?? []))];
    const values = new Map(names.flatMap((name) => [[name, args.read(name)] as const]));
    const filled = (known: ReadonlyMap<CredentialName, string>) =>
      fill(text, (reference) => {
        const { kind, name } = reference;
        const credential = credentialIn(service, reference);
        const password = credential === undefined ? undefined : known.get(credential);
        if (kind === "credential") return password;
        if (kind === "address") return addressOf(name, { service, ...args }, password);
        if (kind === "setting") return outsideSettings[name]?.(args.settings);
        const delivery = deliveryOf(name as CredentialName);
        return "file" in delivery ? `${SECRET_FILES_DIR}/${delivery.file}` : undefined;
      });
    const present = [...values].flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
    // Whether it is left out does not depend on the values.
    const tried = filled(new Map(present.map(([name]) => [name, ""])));
    if (tried === undefined) continue;
    // What the start wrapper completes is passed as a file.
    if (names.length === 0 && !tried.includes(NATS_USER_MARK)) plain[variable] = tried;
    else
      secret[variable] = pulumi
        .all(present.map(([, value]) => value))
        .apply((all) => filled(new Map(present.map(([name], index) => [name, all[index] ?? ""]))) ?? "");
  }
  return { plain, secret };
}
