import { type CredentialName, serviceNeeds } from "../credentials/catalogue.ts";
import { POSTGRES_DATABASE } from "../data/postgresRoles.ts";
import { storeUser } from "../data/slotUser.ts";
import type { Settings } from "../settings.ts";
import { isExecutor, type ServiceName, underscored } from "./catalogue.ts";
import { NATS_USER_MARK } from "./natsUser.ts";
import type { Reference } from "./references.ts";

/** The parts of an address: the settings, and the password of the service's own user, if it has one. */
interface Known {
  readonly service: ServiceName;
  readonly settings: Pick<Settings, "generation">;
  readonly ibPort: number;
  /** The password, encoded for a URL (RFC 3986). */
  readonly password: string;
}

interface Address {
  /** The need of the catalogue by which a service has it. */
  readonly need: "nats" | "redis" | "postgres" | "ib-gateway";
  /** Whether the password is part of it. */
  readonly secret?: true;
  readonly value: (known: Known) => string;
}

const user = (store: "nats" | "redis", { service, settings }: Known) =>
  // An executor's is known only when its container is created.
  store === "nats" && isExecutor(service) ? NATS_USER_MARK : storeUser(store, service, settings);

/** The addresses of stores and of IB Gateway, with the service's login: what `${address:NAME}` may name. */
const addresses: Readonly<Record<string, Address>> = {
  "nats.host": { need: "nats", value: () => "nats" },
  "nats.port": { need: "nats", value: () => "4222" },
  "nats.user": { need: "nats", value: (known) => user("nats", known) },
  "nats.url": {
    need: "nats",
    secret: true,
    value: (known) => `tls://${user("nats", known)}:${known.password}@nats:4222`,
  },
  "redis.host": { need: "redis", value: () => "redis" },
  "redis.port": { need: "redis", value: () => "6379" },
  "redis.user": { need: "redis", value: (known) => user("redis", known) },
  "redis.url": {
    need: "redis",
    secret: true,
    value: (known) => `redis://${user("redis", known)}:${known.password}@redis:6379/0`,
  },
  "postgres.host": { need: "postgres", value: () => "postgres" },
  "postgres.port": { need: "postgres", value: () => "5432" },
  "postgres.database": { need: "postgres", value: () => POSTGRES_DATABASE },
  "postgres.user": { need: "postgres", value: ({ service }) => underscored(service) },
  "postgres.url": {
    need: "postgres",
    secret: true,
    value: ({ service, password }) =>
      `postgresql://${underscored(service)}:${password}@postgres:5432/${POSTGRES_DATABASE}`,
  },
  "ib.host": { need: "ib-gateway", value: () => "ib-gateway" },
  "ib.port": { need: "ib-gateway", value: ({ ibPort }) => String(ibPort) },
};

/** The addresses that a service may name: those of the components that its entry needs. */
export function addressNames(service: ServiceName): readonly string[] {
  return Object.entries(addresses)
    .filter(([, { need }]) => serviceNeeds(service, need))
    .map(([name]) => name);
}

/** The credential whose value a reference puts into a text; undefined if it puts none. */
export function credentialIn(service: ServiceName, { kind, name }: Reference): CredentialName | undefined {
  if (kind === "credential") return name as CredentialName;
  const address = kind === "address" ? addresses[name] : undefined;
  return address?.secret === true ? (`${address.need}-${service}` as CredentialName) : undefined;
}

/**
 * An address.
 * @param password of the service's own user there, for an address that holds it
 * @throws for an unknown name
 */
export function addressOf(name: string, known: Omit<Known, "password">, password = ""): string {
  const address = addresses[name];
  if (address === undefined)
    throw new Error(`${name}: no such address; there are ${Object.keys(addresses).join(", ")}`);
  return address.value({ ...known, password: encodeURIComponent(password) });
}
