import type { Subject } from "./rule.ts";
import { hasUnknown, isUnknown, list, record, text, UNKNOWN } from "./value.ts";

/** A label of a container, network or volume: its text, UNKNOWN, or undefined when it has none. */
export function label(subject: Subject, name: string): string | typeof UNKNOWN | undefined {
  const { labels } = subject.props;
  if (isUnknown(labels)) return UNKNOWN;
  // The engine hands over a list of pairs; a plain map is what other providers take.
  const pairs = Array.isArray(labels)
    ? list(labels).map((entry) => [record(entry).label, record(entry).value] as const)
    : Object.entries(record(labels));
  const found = pairs.find(([key]) => key === name);
  // A pair that is still unknown may be the one.
  const hidden =
    found === undefined
      ? hasUnknown(labels) && list(labels).some((entry) => isUnknown(entry) || isUnknown(record(entry).label))
      : isUnknown(found[1]);
  return hidden ? UNKNOWN : text(found?.[1]);
}

/** The texts of a label that holds a comma-separated list; undefined when it is unknown or absent. */
export function labelList(subject: Subject, name: string): readonly string[] | undefined {
  const value = label(subject, name);
  return typeof value === "string" ? value.split(",").filter((part) => part !== "") : undefined;
}

/** The environment that a resource says it is in. Without a label, the strictest. */
export function environment(subject: Subject): string {
  const value = label(subject, "autollm.environment");
  return typeof value === "string" && value !== "" ? value : "production";
}

/** The workload's name. */
export function service(subject: Subject): string {
  const value = label(subject, "autollm.service");
  return typeof value === "string" && value !== "" ? value : subject.name;
}
