/**
 * Two generations of a credential can be in force at once, so each has its own resource: odd generations in one slot, even
 * ones in the other. A raised generation then takes the slot that is free, and the value of the previous generation does not change.
 */
const EVEN = "-even";

/** The name of the resource that holds a generation of a credential, pair or authority. */
export function slotName(name: string, generation: number): string {
  return generation % 2 === 0 ? `${name}${EVEN}` : name;
}

/** The name that the resources of both slots share: `jwt` for `jwt-even`, `nats-tls-key` for `nats-tls-even-key`. */
export function withoutSlot(resource: string): string {
  return resource.replace(/-even(?=-|$)/, "");
}
