import { isPart, partNames, parts } from "../parts.ts";
import { type ServiceName, serviceNames, services } from "../platform/catalogue.ts";
import { type CredentialName, serviceNeeds } from "./catalogue.ts";

function serviceGrants(service: ServiceName): CredentialName[] {
  return [
    ...services[service].credentials,
    ...(serviceNeeds(service, "nats") ? ([`nats-${service}`, "nats-ca"] as const) : []),
    ...(serviceNeeds(service, "postgres") ? ([`postgres-${service}`] as const) : []),
    ...(serviceNeeds(service, "redis") ? ([`redis-${service}`] as const) : []),
  ];
}

/** A workload that may read credentials. */
export const readers: readonly string[] = [
  ...partNames.filter((name) => parts[name].credentials !== undefined),
  ...serviceNames,
];

/** The credentials that a reader may have, and no others. An unknown reader has none. */
export function grantedTo(reader: string): readonly CredentialName[] {
  const service = serviceNames.find((name) => name === reader);
  if (service !== undefined) return serviceGrants(service);
  return isPart(reader) ? (parts[reader].credentials ?? []) : [];
}

/** The readers of a credential: the workloads that a rotation replaces. */
export function readersOf(name: CredentialName): readonly string[] {
  return readers.filter((reader) => grantedTo(reader).includes(name));
}
