import { AGES } from "../../components/credentials/ages.ts";
import { environment, label } from "./labels.ts";
import type { StackFinding, StackSubject } from "./rule.ts";
import { COMMANDS, CONTAINER } from "./types.ts";
import { text } from "./value.ts";

const DAY_SECONDS = 24 * 60 * 60;

/** When a credential was last made anew. */
interface Rotation {
  readonly unit: string;
  readonly periodDays: number;
  /** Seconds since 1970. */
  readonly since: number;
}

/** What the resource that keeps the ages says of each credential: `unit generation days seconds` a line. */
function rotations({ type, name, props }: StackSubject): readonly Rotation[] {
  if (name !== AGES || !COMMANDS.some((command) => command === type)) return [];
  return (text(props.stdout) ?? "")
    .split("\n")
    .map((line) => line.split(" "))
    .filter((parts) => parts.length === 4)
    .map(([unit = "", , days, since]) => ({ unit, periodDays: Number(days), since: Number(since) }));
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
  return subjects.flatMap((subject) =>
    rotations(subject).flatMap(({ unit, periodDays, since }) => {
      const days = Math.floor((now / 1000 - since) / DAY_SECONDS);
      const problem = `is ${days} days old, and its period is ${periodDays} days`;
      return days > periodDays ? [{ subject, key: unit, problem, mend: `rotate it: npm run rotate -- ${unit}` }] : [];
    }),
  );
}
