import { rotationPeriod } from "../../components/credentials/ages.ts";
import { credentialNames, isCredentialName, isRotated, rotationUnit } from "../../components/credentials/catalogue.ts";
import { withoutSlot } from "../../components/credentials/slots.ts";
import { deploymentOf, type StateResource } from "./state.ts";
import type { Workspace } from "./workspace.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

/** The resources that make values, by the name that they have in the stack. */
const makesValue = /^(random:index\/random(Password|Bytes)|tls:index\/privateKey):/;

/** The rotation unit of a resource's name: a credential's own, a signing pair, or NATS's certificates. */
function unitOf(name: string): string | undefined {
  if (name.startsWith("nats-tls-")) return "nats-tls";
  if (isCredentialName(name)) return isRotated(name) ? rotationUnit(name) : undefined;
  return credentialNames.some((credential) => rotationUnit(credential) === name) ? name : undefined;
}

/** Days since each unit's value was made: that of its oldest part, each by its newest generation. */
export function ages(resources: readonly StateResource[], now: number): ReadonlyMap<string, number> {
  const parts = new Map<string, number>();
  for (const { type, urn, created } of resources) {
    if (created === undefined || !makesValue.test(type)) continue;
    const part = withoutSlot(urn.split("::").at(-1) ?? "");
    parts.set(part, Math.min((now - Date.parse(created)) / DAY_MS, parts.get(part) ?? Number.POSITIVE_INFINITY));
  }
  const found = new Map<string, number>();
  for (const [part, age] of parts) {
    const unit = unitOf(part);
    if (unit !== undefined) found.set(unit, Math.max(age, found.get(unit) ?? 0));
  }
  return found;
}

/** The units whose value is older than its period. */
export function overdue(resources: readonly StateResource[], now: number): string[] {
  return [...ages(resources, now)].filter(([unit, age]) => age > rotationPeriod(unit)).map(([unit]) => unit);
}

/** The units of a stack that are due, by the times that the engine keeps in the state. */
export async function dueUnits(workspace: Workspace): Promise<string[]> {
  return overdue((await deploymentOf(workspace)).resources ?? [], Date.now());
}
