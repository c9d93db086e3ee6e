import type { ServiceName } from "../../../components/platform/catalogue.ts";
import { serviceNames, services, underscored } from "../../../components/platform/catalogue.ts";

/** What of the old installation is a store: by its service's name in the compose project. */
export const oldStores = ["postgres", "redis", "nats", "grafana"] as const;
export type OldStore = (typeof oldStores)[number];

/** Stores that are read by their own programs, so that they run meanwhile; the others' files are read. */
export const readWhileRunning: readonly OldStore[] = ["postgres", "redis"];
/** Stores that may run or not: nobody writes to them once the services are stopped. Grafana writes by itself. */
export const mayRun: readonly OldStore[] = [...readWhileRunning, "nats"];

/**
 * Whose the old application's tables are, which all lay in the schema `public`. The gateway and the reporter made the same tables,
 * and only read them; the service that writes a table owns it.
 */
export const tableOwners: Readonly<Record<string, ServiceName>> = {
  executions: "portfolio-ledger",
  positions: "portfolio-ledger",
};

/** Where a file or a folder of the old installation goes. The first row that fits counts. */
export interface FileRule {
  /** A path below the installation; one that ends in a slash is a folder with all that is in it. */
  readonly from: string;
  readonly volume: string;
  /** A path in the volume; a folder's ends in a slash, or is empty for the volume itself. */
  readonly to: string;
}

export const fileRules: readonly FileRule[] = [
  { from: "data/storage/", volume: "market-data", to: "" },
  { from: "data/users.json", volume: "app-gateway-api-app-data", to: "users.json" },
  { from: "reports/", volume: "reports", to: "" },
];

/** Folders of the installation that are looked through. */
export const folders = ["data", "reports"] as const;

/** The name that the stack's feature-pipeline has for its database (components/platform/environment.ts). */
export const DUCKDB = "features.duckdb";

/** Where the old application's kill switch is, if no variable says otherwise. */
export const KILL_SWITCH = "data/kill_switch.flag";

/** The beginnings of the Redis keys that a service of the stack owns. */
export const redisPatterns: readonly string[] = serviceNames.flatMap((service) => {
  const { redis } = services[service] as { readonly redis?: { readonly keys: readonly string[] } };
  return redis?.keys ?? [];
});

/** The services that may own a table, by the schema that it moves to. */
export const tableServices: readonly ServiceName[] = serviceNames.filter((service) =>
  (services[service].needs as readonly string[]).includes("postgres"),
);

export const schemaOf = (service: ServiceName): string => underscored(service);
