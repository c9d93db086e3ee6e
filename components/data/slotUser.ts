import { slotName } from "../credentials/slots.ts";

/**
 * The name under which a service or part logs in to NATS or Redis. Two generations that are in force at once are two users with
 * the same rights: NATS knows one password per user, and Redis ends the sessions of a user that is removed, but not those of one
 * whose password is.
 */
export function slotUser(name: string, generation: number): string {
  return slotName(name, generation);
}
