import { slotName } from "../credentials/slots.ts";

/**
 * The NATS user of a service. NATS knows one password a user, so two generations that are in force at once are two users, with
 * the same rights.
 */
export function natsUser(service: string, generation: number): string {
  return slotName(service, generation);
}
