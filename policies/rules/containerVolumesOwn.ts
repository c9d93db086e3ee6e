import { service } from "../lib/labels.ts";
import type { Finding, ResourceRule } from "../lib/rule.ts";
import { CONTAINER } from "../lib/types.ts";
import { volumeMounts } from "../lib/volumeMounts.ts";
import { volumeOfDockerName, volumeUse, whereToAdd } from "../volumes.ts";

/** What is wrong with a workload that mounts a volume; undefined when it may. */
export function volumeFault(workload: string, volume: string, readOnly: boolean): Omit<Finding, "key"> | undefined {
  const use = volumeUse(volume);
  const fix = `remove the mount, or name ${workload} beside the volume in ${whereToAdd(workload)}`;
  if (use === undefined) return { problem: `is the volume ${volume}, whose owner is not declared`, fix };
  if (use.writer === workload || use.sharers.includes(workload)) return undefined;
  if (!use.readers.includes(workload)) return { problem: `is the volume ${volume}, which is ${use.writer}'s`, fix };
  return readOnly
    ? undefined
    : { problem: `is the volume ${volume}, which is ${use.writer}'s, and writable`, fix: "set readOnly: true" };
}

export const containerVolumesOwn: ResourceRule = {
  name: "container-volumes-own",
  title: "A container mounts only volumes that are its own, or that it may read",
  level: "mandatory",
  severity: "critical",
  why: "A database's volume is the database without its password, and the backup's is every database.",
  fix: "remove the mount, or name the workload beside the volume in policies/volumes.ts",
  types: [CONTAINER],
  *check(subject) {
    for (const { key, source, readOnly } of volumeMounts(subject)) {
      if (source === undefined) continue;
      const volume = volumeOfDockerName(source);
      if (volume === undefined) {
        const fix = `mount a volume of the stack, or name it in ${whereToAdd(service(subject))}`;
        yield { key, problem: "is a volume that the stack does not declare", fix };
        continue;
      }
      const fault = volumeFault(service(subject), volume, readOnly);
      if (fault !== undefined) yield { key, ...fault };
    }
  },
};
