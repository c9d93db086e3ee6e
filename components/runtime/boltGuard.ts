import { readFileSync } from "node:fs";
import type * as pulumi from "@pulumi/pulumi";
import type { PartName } from "../parts.ts";
import { type PartArgs, runPart } from "./part.ts";
import type { StatefulVolume } from "./volume.ts";
import type { Workload } from "./workload.ts";

const script = readFileSync(new URL("bolt-guard.sh", import.meta.url), "utf8");

/** The parts that have a guard. */
type Guarded = PartName extends infer Name ? (Name extends `${infer Workload}-guard` ? Workload : never) : never;

/** The bbolt files of a workload. */
export interface BoltFiles {
  readonly volume: StatefulVolume;
  /** The workload's mount point of the volume. */
  readonly directory: string;
  /** Shell patterns, below the directory. */
  readonly files: readonly string[];
}

/**
 * Sets a damaged bbolt file of a workload aside. The workload's image holds one program and no shell, and that program ends at each
 * start with a file that it cannot read. The guard has the workload's own user, since only that user may read the files; no network, no
 * secret and no mount but the volume.
 */
export function runBoltGuard(
  workload: Guarded,
  args: PartArgs,
  { volume, directory, files }: BoltFiles,
  parent: pulumi.Resource,
): Workload {
  return runPart(
    `${workload}-guard`,
    args,
    {
      command: ["/bin/sh", "/etc/autollm/guard.sh", directory, ...files],
      deploy: "recreate",
      // It has checked within a minute.
      health: ["/bin/sh", "-c", 'test -n "$(find /tmp/looked -mmin -1)"'],
      memory: 96,
      cpuShares: 256,
      environment: { NODE_OPTIONS: "--max-old-space-size=48" },
      files: { "/etc/autollm": { "guard.sh": script } },
      volumes: [volume.at(directory)],
      tmpfs: { "/tmp": 1 },
      stopTimeout: 5,
    },
    { parent },
  );
}
