import { readFileSync } from "node:fs";
import type * as pulumi from "@pulumi/pulumi";
import { type PartArgs, runPart } from "../../runtime/part.ts";
import type { StatefulVolume } from "../../runtime/volume.ts";
import type { Workload } from "../../runtime/workload.ts";
import { workloadUser } from "../../uids.ts";
import { QUEUE_DIR } from "./collectorConfig.ts";

const script = readFileSync(new URL("queue-guard.sh", import.meta.url), "utf8");

/** The name of a collector's guard. */
export const guardOf = (collector: string): string => `${collector}-guard`;

/**
 * Sets a damaged file of a collector's queue aside. The collector's image holds one program and no shell, and that program ends at
 * each start with a file that it cannot read. The guard has the collector's own user, as the files are that one's alone; no network,
 * no secret and nothing but the queue.
 */
export function runQueueGuard(
  collector: string,
  args: PartArgs,
  queue: StatefulVolume,
  parent: pulumi.Resource,
): Workload {
  return runPart(
    guardOf(collector),
    args,
    {
      image: "backup",
      user: workloadUser(collector),
      command: ["/bin/sh", "/etc/autollm/guard.sh"],
      segments: [],
      deploy: "recreate",
      // It has looked within a minute.
      health: ["/bin/sh", "-c", 'test -n "$(find /tmp/looked -mmin -1)"'],
      memory: 96,
      cpuShares: 256,
      environment: { NODE_OPTIONS: "--max-old-space-size=48" },
      files: { "/etc/autollm": { "guard.sh": script } },
      volumes: [queue.at(QUEUE_DIR)],
      tmpfs: { "/tmp": 1 },
      stopTimeout: 5,
    },
    parent,
  );
}
