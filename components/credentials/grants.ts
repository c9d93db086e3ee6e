import { type ServiceName, serviceNames, services } from "../platform/catalogue.ts";
import { type CredentialName, credentialNames, serviceNeeds } from "./catalogue.ts";

const named = (prefix: string): CredentialName[] => credentialNames.filter((name) => name.startsWith(prefix));

/** What the components may read. */
const partGrants: Readonly<Record<string, readonly CredentialName[]>> = {
  postgres: named("postgres-"),
  redis: named("redis-"),
  nats: named("nats-"),
  "nats-streams": ["nats-streams", "nats-ca"],
  grafana: ["grafana-admin", "grafana-secret"],
  caddy: ["caddy-admin"],
  "edge-limiter": ["redis-edge-limiter"],
  "ib-gateway": ["tws-userid", "tws-password", "vnc"],
  alertmanager: ["slack-webhook", "pagerduty-key", "heartbeat-url"],
  "postgres-exporter": ["postgres-exporter"],
  "redis-exporter": ["redis-exporter"],
  backup: [
    "postgres-backup",
    "redis-backup",
    "nats-backup",
    "nats-ca",
    "backup-key",
    "backup-key-previous",
    "s3-access-key",
    "s3-secret-key",
  ],
  "wal-archive": ["postgres-wal-archive", "backup-key", "backup-key-previous", "s3-access-key", "s3-secret-key"],
};

function serviceGrants(service: ServiceName): CredentialName[] {
  return [
    ...services[service].credentials,
    ...(serviceNeeds(service, "nats") ? ([`nats-${service}`, "nats-ca"] as const) : []),
    ...(serviceNeeds(service, "postgres") ? ([`postgres-${service}`] as const) : []),
    ...(serviceNeeds(service, "redis") ? ([`redis-${service}`] as const) : []),
  ];
}

/** A workload that may read credentials. */
export const readers: readonly string[] = [...Object.keys(partGrants), ...serviceNames];

/** The credentials that a reader may have, and no others. An unknown reader has none. */
export function grantedTo(reader: string): readonly CredentialName[] {
  const service = serviceNames.find((name) => name === reader);
  return service === undefined ? (partGrants[reader] ?? []) : serviceGrants(service);
}

/** The readers of a credential: the workloads that a rotation replaces. */
export function readersOf(name: CredentialName): readonly string[] {
  return readers.filter((reader) => grantedTo(reader).includes(name));
}
