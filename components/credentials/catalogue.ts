import { type ServiceName, serviceNames, services } from "../platform/catalogue.ts";
import type { Delivery } from "./delivery.ts";
import {
  type CredentialSpec,
  type Exchange,
  type FixedCredentialName,
  fixedCredentials,
  type PasswordSpec,
  ROTATION_DAYS,
} from "./fixed.ts";

/** The NATS user, the Redis user or the Postgres role of a service, or a credential of the fixed table. */
export type CredentialName =
  | FixedCredentialName
  | `nats-${ServiceName}`
  | `redis-${ServiceName}`
  | `postgres-${ServiceName}`;

/** A service finds the password of its own user in the same variable as every other service. */
const serviceCredential = (
  env: string,
  spec: Pick<PasswordSpec, "bytes" | "alphabet" | "purpose" | "overlap">,
): PasswordSpec => ({
  kind: "password",
  rotationDays: ROTATION_DAYS,
  delivery: { env },
  ...spec,
});

/** Whether a service's entry names a need. */
export function serviceNeeds(service: ServiceName, need: string): boolean {
  return (services[service].needs as readonly string[]).includes(need);
}

function build(): Readonly<Record<string, CredentialSpec>> {
  const table: Record<string, CredentialSpec> = { ...fixedCredentials };
  for (const service of serviceNames) {
    if (serviceNeeds(service, "nats"))
      table[`nats-${service}`] = serviceCredential("NATS_PASSWORD", {
        bytes: 24,
        alphabet: "alphanumeric",
        purpose: `NATS user of ${service}`,
        overlap: "while-readers-move",
      });
    if (serviceNeeds(service, "redis"))
      table[`redis-${service}`] = serviceCredential("REDIS_PASSWORD", {
        bytes: 24,
        alphabet: "alphanumeric",
        purpose: `Redis user of ${service}`,
        overlap: "while-readers-move",
      });
    if (serviceNeeds(service, "postgres"))
      table[`postgres-${service}`] = serviceCredential("POSTGRES_PASSWORD", {
        bytes: 16,
        alphabet: "hex",
        purpose: `Postgres role of ${service}`,
      });
  }
  return table;
}

/** Every credential of the platform. */
export const credentials: Readonly<Record<string, CredentialSpec>> = build();

export const credentialNames = Object.keys(credentials) as CredentialName[];

export function isCredentialName(name: string): name is CredentialName {
  return Object.hasOwn(credentials, name);
}

export function credentialSpec(name: CredentialName): CredentialSpec {
  const spec = credentials[name];
  if (spec === undefined) throw new Error(`${name} is not in the catalogue of credentials`);
  return spec;
}

/** How a credential reaches a service, the service's own NATS user, Redis user and Postgres role included. */
export function deliveryOf(name: CredentialName): Delivery {
  const { delivery } = credentialSpec(name);
  if (delivery === undefined)
    throw new Error(`${name}: no service may have it; its row in components/credentials/fixed.ts says no delivery`);
  return delivery;
}

/** The exchange at which a credential alone is enough to trade with real money; undefined for any other credential. */
export function tradesAt(name: CredentialName): Exchange | undefined {
  const spec = credentialSpec(name);
  return spec.kind === "supplied" ? spec.tradesAt : undefined;
}

/** Names that share one generation number: the two halves of a pair rotate together, and so do a CA, its certificate and key. */
export function rotationUnit(name: CredentialName): string {
  const spec = credentialSpec(name);
  if (spec.kind === "signing-private" || spec.kind === "signing-public") return spec.pair;
  if (spec.kind === "tls-ca" || spec.kind === "tls-certificate" || spec.kind === "tls-key") return "nats-tls";
  return name;
}

/** Whether new values are made by raising a generation. */
export function isRotated(name: CredentialName): boolean {
  const { kind } = credentialSpec(name);
  return kind !== "supplied" && kind !== "permanent";
}

/** What `generation` in the stack's config may name. */
export const rotationUnits: readonly string[] = [...new Set(credentialNames.filter(isRotated).map(rotationUnit))];

/**
 * Credentials that no longer exist, and their replacements. A stack's config may still have their generation, which is ignored;
 * a supplied value of one is a fault.
 */
export const retiredCredentials: Readonly<Record<string, readonly string[]>> = {
  redis: credentialNames.filter((name) => name.startsWith("redis-")),
};
