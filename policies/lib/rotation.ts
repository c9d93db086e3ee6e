import { commandLine } from "../../components/configCommand.ts";
import { AGES, type Age, readAges } from "../../components/credentials/ages.ts";
import { environment, label } from "./labels.ts";
import type { StackFinding, StackSubject } from "./rule.ts";
import { COMMANDS, CONTAINER } from "./types.ts";
import { text } from "./value.ts";

const DAY_SECONDS = 24 * 60 * 60;

/** What the resource that keeps the ages says of each credential. */
function rotations({ type, name, props }: StackSubject): readonly Age[] {
  if (name !== AGES || !COMMANDS.some((command) => command === type)) return [];
  return readAges(text(props.stdout) ?? "");
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
  const stack = subjects.map((subject) => label(subject, "autollm.stack")).find((name) => typeof name === "string");
  return subjects.flatMap((subject) =>
    rotations(subject).flatMap(({ unit, periodDays, since }) => {
      const days = Math.floor((now / 1000 - since) / DAY_SECONDS);
      const problem = `is ${days} days old, and its period is ${periodDays} days`;
      return days > periodDays
        ? [{ subject, key: unit, problem, fix: `rotate it: ${commandLine(stack ?? "NAME", `rotate ${unit}`)}` }]
        : [];
    }),
  );
}
