import { slotName } from "../credentials/slots.ts";
import type { ServiceName } from "../platform/catalogue.ts";
import type { Settings } from "../settings.ts";

/**
 * The name under which a service or component logs in to NATS or Redis. Two generations that are in force at once are two users with
 * the same rights: NATS knows one password per user, and Redis ends the sessions of a user that is removed, but not those of one
 * whose password is.
 */
export function slotUser(name: string, generation: number): string {
  return slotName(name, generation);
}

/** The name of a service's user in NATS or Redis, by the generation of its password. */
export function storeUser(
  store: "nats" | "redis",
  service: ServiceName,
  { generation }: Pick<Settings, "generation">,
): string {
  return slotUser(service, generation[`${store}-${service}`] ?? 1);
}
