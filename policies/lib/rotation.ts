import { environment, label } from "./labels.ts";
import type { StackFinding, StackSubject } from "./rule.ts";
import { CONTAINER } from "./types.ts";
import { record, text, type Value } from "./value.ts";

const DAY = 24 * 60 * 60 * 1000;
const DEFAULT_PERIOD_DAYS = 90;

/** When a credential was last made anew, as its resource says it in `keepers`, or as its own properties. */
interface Rotation {
  readonly rotated: number;
  readonly periodDays: number;
}

function rotationOf(subject: StackSubject): Rotation | undefined {
  const facts = [subject.props, record(subject.props.keepers)].find(({ rotated }) => text(rotated) !== undefined);
  const rotated = Date.parse(text(facts?.rotated) ?? "");
  if (facts === undefined || Number.isNaN(rotated)) return undefined;
  const periodDays = Number((facts.periodDays as Value) ?? DEFAULT_PERIOD_DAYS);
  return { rotated, periodDays: periodDays > 0 ? periodDays : DEFAULT_PERIOD_DAYS };
}

/** The environment of a stack: the strictest that one of its containers names. */
export function stackEnvironment(subjects: readonly StackSubject[]): string {
  const named = subjects
    .filter((subject) => typeof label(subject, "autollm.environment") === "string")
    .map((subject) => environment(subject));
  return (
    ["production", "staging", "local"].find((name) => named.includes(name)) ??
    (subjects.some(({ type }) => type === CONTAINER) ? "production" : "local")
  );
}

/** The credentials that are older than their period. */
export function overdue(subjects: readonly StackSubject[], now: number): readonly StackFinding[] {
  return subjects.flatMap((subject) => {
    const rotation = rotationOf(subject);
    if (rotation === undefined) return [];
    const days = Math.floor((now - rotation.rotated) / DAY);
    return days > rotation.periodDays
      ? [{ subject, key: "rotated", problem: `was ${days} days ago, and the period is ${rotation.periodDays} days` }]
      : [];
  });
}
