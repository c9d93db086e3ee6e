import * as pulumi from "@pulumi/pulumi";
import { type CredentialName, credentialNames } from "./credentials/catalogue.ts";
import { DOMAINS, REGISTRIES } from "./nestedSecrets.ts";
import type { RegistryLogin } from "./registries.ts";
import { ConfigError, checkConfig, type Settings } from "./settings.ts";

/** The stack's config as the program uses it. */
export interface LoadedConfig {
  readonly settings: Settings;
  /** What the owner supplied, as secrets. */
  readonly supplied: ReadonlyMap<CredentialName, pulumi.Output<string>>;
  /** The logins at registries by address, as a secret; absent where there are none. */
  readonly registries?: pulumi.Output<Readonly<Record<string, RegistryLogin>>>;
  /** The private key of each supplied certificate by its domain, as a secret. */
  readonly domainKeys: ReadonlyMap<string, pulumi.Output<string>>;
}

/** The keys that the engine holds encrypted, as it passes them to the program. */
function secretKeys(): ReadonlySet<string> {
  return new Set(JSON.parse(process.env.PULUMI_CONFIG_SECRET_KEYS ?? "[]") as string[]);
}

/**
 * Reads and checks the stack's config.
 * @throws pulumi.RunError with all faults at once, before any resource is registered
 */
export function loadStackConfig(): LoadedConfig {
  try {
    const { settings, supplied } = checkConfig(pulumi.runtime.allConfig(), secretKeys(), pulumi.getStack());
    const config = new pulumi.Config();
    const values = credentialNames
      .filter((name) => supplied.has(name))
      .map((name) => [name, config.requireSecret(name)] as const);
    const domains = config.getSecretObject<Record<string, { readonly key: string }>>(DOMAINS);
    const domainKeys = Object.entries(settings.domains).flatMap(([name, { certificate }]) =>
      certificate === undefined || domains === undefined
        ? []
        : [[name, domains.apply((all) => all[name]?.key ?? "")] as const],
    );
    const loaded = { settings, supplied: new Map(values), domainKeys: new Map(domainKeys) };
    if (Object.keys(settings.registries).length === 0) return loaded;
    return { ...loaded, registries: config.requireSecretObject<Record<string, RegistryLogin>>(REGISTRIES) };
  } catch (error) {
    // A RunError is shown as its message alone: the user's fault needs no stack trace.
    if (error instanceof ConfigError) throw new pulumi.RunError(error.message);
    throw error;
  }
}
