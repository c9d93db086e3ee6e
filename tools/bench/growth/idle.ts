import type { WorkloadSpec } from "../../../components/runtime/workloadSpec.ts";

/** A workload that waits, with a configuration file of its own, as the services have. */
export function idle(number: number) {
  return {
    command: ["sleep", "86400"],
    user: "65534:65534",
    memory: 32,
    pids: 32,
    health: ["true"],
    environment: { NUMBER: String(number) },
    files: { "/etc/idle": { "idle.conf": `number=${number}\n` } },
  } satisfies Partial<WorkloadSpec>;
}
