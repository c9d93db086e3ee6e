import { credentialNames, credentialSpec, rotationUnit, rotationUnits } from "./catalogue.ts";
import { type CredentialSpec, TOKEN_LIFE_HOURS } from "./fixed.ts";

/**
 * The steps of a rotation with an overlap.
 * - accept: verifiers accept the new generation as well; signers and servers still use the old one.
 * - present: all readers use the new generation; the old one is still accepted.
 *
 * Without a step the old generation is refused. The key that signs tokens has the last step alone, since one service both signs
 * and verifies, and stays in it for as long as a token may live.
 */
export type OverlapStep = "accept" | "present";

/** Whether a server accepts the previous value too, within one `up`, until every reader has the new one. */
export const overlaps = (spec: CredentialSpec): boolean =>
  spec.kind === "password" && spec.overlap === "while-readers-move";

// A verifier must know a new key before the first signature by it arrives, and no order of deploys ensures that.
const stepsOfSpec = (spec: CredentialSpec): readonly OverlapStep[] => {
  if (spec.kind !== "password") return ["accept", "present"];
  return spec.overlap === "while-tokens-live" ? ["present"] : [];
};

const specsOf = (unit: string): CredentialSpec[] =>
  credentialNames.filter((name) => rotationUnit(name) === unit).map(credentialSpec);

/** The steps of a unit's rotation before the old generation is refused; none if it changes at once. */
export function overlapSteps(unit: string): readonly OverlapStep[] {
  const [spec] = specsOf(unit);
  return spec === undefined || spec.kind === "supplied" ? [] : stepsOfSpec(spec);
}

/** What `overlap` in the stack's config may name. */
export const overlapUnits: readonly string[] = rotationUnits.filter((unit) => overlapSteps(unit).length > 0);

/** How long a unit's last step takes, in hours; undefined if it ends with the next update. */
export function overlapHours(unit: string): number | undefined {
  const tokens = specsOf(unit).some((spec) => spec.kind === "password" && spec.overlap === "while-tokens-live");
  return tokens ? TOKEN_LIFE_HOURS : undefined;
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
  /** The previous one, while it is still accepted. */
  readonly previous: number | undefined;
  /** The one that signers and servers use. */
  readonly presented: number;
}

/** The generations of a unit that the stack's config asks for. */
export function generationsOf(unit: string, newest: number, step: OverlapStep | undefined): Generations {
  const kept = specsOf(unit).some(overlaps);
  const previous = newest > 1 && (kept || step !== undefined) ? newest - 1 : undefined;
  return { newest, previous, presented: step === "accept" && previous !== undefined ? previous : newest };
}
