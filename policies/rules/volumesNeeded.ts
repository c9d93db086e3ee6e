import { service } from "../lib/labels.ts";
import type { Finding, StackFinding, StackRule, StackSubject } from "../lib/rule.ts";
import { CONTAINER, VOLUME } from "../lib/types.ts";
import { isUnknown, text } from "../lib/value.ts";
import { volumeMounts } from "../lib/volumeMounts.ts";
import { volumeFault } from "./containerVolumesOwn.ts";

/** The volumes that a container's mounts come from. In a preview a volume's name is unknown, and what it depends on is not. */
function* check(container: StackSubject, volumes: readonly StackSubject[]): Generator<Finding> {
  const mounts = volumeMounts(container);
  const dependencies = (container.propertyDependencies.mounts ?? []).filter(({ type }) => type === VOLUME);
  const workload = service(container);
  const known = new Set<string>();
  for (const { key, source, readOnly } of mounts) {
    const volume = volumes.find(({ props }) => source !== undefined && text(props.name) === source);
    if (volume === undefined) continue;
    known.add(volume.name);
    const fault = volumeFault(workload, volume.name, readOnly);
    if (fault !== undefined) yield { key, ...fault };
  }
  // It is not known yet which mount it is; a volume that is only read is one of the read-only mounts.
  const mayWrite = isUnknown(container.props.mounts) ? 0 : mounts.filter(({ readOnly }) => !readOnly).length;
  const unnamed = dependencies.filter(({ name }) => !known.has(name));
  for (const { name } of unnamed) {
    const fault = volumeFault(workload, name, true);
    if (fault !== undefined) yield { key: "mounts", ...fault };
  }
  const others = unnamed.filter(({ name }) => volumeFault(workload, name, false) !== undefined);
  const own = dependencies.length - others.length;
  if (others.length > 0 && mayWrite > own)
    yield {
      key: "mounts",
      problem: `has ${mayWrite} writable volumes, but only ${own} of its own`,
      fix: "set readOnly: true on those of others",
    };
}

export const volumesNeeded: StackRule = {
  name: "volumes-needed",
  title: "A container's mounts come from volumes that are its own, or that it may read",
  level: "mandatory",
  severity: "critical",
  why: "The engine generates a volume's name in Docker: this looks at the resource behind the name, in a preview as well.",
  fix: "remove the mount, or name the workload beside the volume in policies/volumes.ts",
  *checkStack(subjects): Generator<StackFinding> {
    const volumes = subjects.filter(({ type }) => type === VOLUME);
    for (const subject of subjects.filter(({ type }) => type === CONTAINER)) {
      for (const finding of check(subject, volumes)) yield { ...finding, subject };
    }
  },
};
