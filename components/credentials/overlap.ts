import { credentialNames, credentialSpec, rotationUnit, rotationUnits } from "./catalogue.ts";
import { type CredentialSpec, TOKEN_LIFE_HOURS } from "./fixed.ts";

/**
 * How far a rotation with an overlap has come.
 * - accept: whoever verifies takes the new generation as well; whoever signs or serves still uses the old one.
 * - present: everybody uses the new generation; the old one is still taken.
 *
 * Without a step the old generation is refused. What tokens are signed with has the last step alone, since one service both signs
 * and verifies, and stays in it for as long as a token may live.
 */
export type OverlapStep = "accept" | "present";

/** Whether a server takes the former value too, within one `up`, until every reader has the new one. */
export const overlaps = (spec: CredentialSpec): boolean =>
  spec.kind === "password" && spec.overlap === "while-readers-move";

// Who verifies must know a new key before the first signature by it arrives, and no order of deploys ensures that.
const stepsOfSpec = (spec: CredentialSpec): readonly OverlapStep[] => {
  if (spec.kind !== "password") return ["accept", "present"];
  return spec.overlap === "while-tokens-live" ? ["present"] : [];
};

const specsOf = (unit: string): CredentialSpec[] =>
  credentialNames.filter((name) => rotationUnit(name) === unit).map(credentialSpec);

/** The steps of a unit's rotation before the old generation is refused; none where it changes at once. */
export function overlapSteps(unit: string): readonly OverlapStep[] {
  const [spec] = specsOf(unit);
  return spec === undefined || spec.kind === "supplied" ? [] : stepsOfSpec(spec);
}

/** What `overlap` in the stack's config may name. */
export const overlapUnits: readonly string[] = rotationUnits.filter((unit) => overlapSteps(unit).length > 0);

/** Hours for which a unit's last step lasts; undefined where it ends with the update after it. */
export function overlapHours(unit: string): number | undefined {
  const lasting = specsOf(unit).some((spec) => spec.kind === "password" && spec.overlap === "while-tokens-live");
  return lasting ? TOKEN_LIFE_HOURS : undefined;
}

/** How many updates a unit's rotation takes. */
export function updatesOf(unit: string): number {
  return overlapHours(unit) === undefined ? overlapSteps(unit).length + 1 : 1;
}

/** The step after this one; undefined at the end. */
export function stepAfter(unit: string, step: OverlapStep): OverlapStep | undefined {
  const steps = overlapSteps(unit);
  return steps[steps.indexOf(step) + 1];
}

/** Which generations of a unit are in force. */
export interface Generations {
  readonly newest: number;
  /** The one before it, while it is still taken. */
  readonly previous: number | undefined;
  /** The one that whoever signs or serves uses. */
  readonly presented: number;
}

/** The generations of a unit that the stack's config asks for. */
export function generationsOf(unit: string, newest: number, step: OverlapStep | undefined): Generations {
  const kept = specsOf(unit).some(overlaps);
  const previous = newest > 1 && (kept || step !== undefined) ? newest - 1 : undefined;
  return { newest, previous, presented: step === "accept" && previous !== undefined ? previous : newest };
}
