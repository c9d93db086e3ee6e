import { labelList, service } from "../lib/labels.ts";
import type { Finding, StackFinding, StackRule, StackSubject } from "../lib/rule.ts";
import { CONTAINER, NETWORK } from "../lib/types.ts";
import { isUnknown, list, record, text } from "../lib/value.ts";
import { neededSegments } from "../segments.ts";

const PREFIX = /^segment-/;

/** The segments that a container really joins, by the networks' own names or by what its property depends on. */
function joined(
  container: StackSubject,
  networks: readonly StackSubject[],
): { segments: Set<string>; strangers: string[] } {
  const segments = new Set<string>();
  const strangers: string[] = [];
  for (const { name } of (container.propertyDependencies.networksAdvanced ?? []).filter(
    ({ type }) => type === NETWORK,
  )) {
    segments.add(name.replace(PREFIX, ""));
  }
  const incomplete = networks.some(({ props }) => isUnknown(props.name));
  for (const element of list(container.props.networksAdvanced)) {
    const name = text(record(element).name);
    const network = networks.find(({ props }) => name !== undefined && props.name === name);
    if (network !== undefined) segments.add(network.name.replace(PREFIX, ""));
    else if (name !== undefined && !incomplete) strangers.push(name);
  }
  return { segments, strangers };
}

function* check(container: StackSubject, networks: readonly StackSubject[]): Generator<Finding> {
  const name = service(container);
  const { segments, strangers } = joined(container, networks);
  for (const declared of labelList(container, "autollm.segments") ?? []) segments.add(declared);
  const needed = neededSegments(name);
  if (needed === undefined) {
    if (segments.size > 0)
      yield { key: "labels autollm.service", problem: `is ${name}, whose segments are not declared` };
    return;
  }
  for (const segment of [...segments].filter((candidate) => !needed.includes(candidate))) {
    yield { key: "networksAdvanced", problem: `joins segment ${segment}, which ${name} does not need` };
  }
  for (const stranger of strangers)
    yield { key: "networksAdvanced", problem: `joins ${stranger}, which is not a segment of the stack` };
}

export const segmentsNeeded: StackRule = {
  name: "segments-needed",
  title: "A container joins only the segments that it needs",
  level: "mandatory",
  severity: "high",
  why: "A compromised container reaches every workload in its segments.",
  fix: "leave the segment, or name it in the catalogue's entry (services) or in policies/segments.ts (components)",
  *checkStack(subjects): Generator<StackFinding> {
    const networks = subjects.filter(({ type }) => type === NETWORK);
    for (const subject of subjects.filter(({ type }) => type === CONTAINER)) {
      for (const finding of check(subject, networks)) yield { ...finding, subject };
    }
  },
};
