import { OWNER } from "../options.ts";
import type { Step } from "../step.ts";

/** Where the host's own programs write metrics, which node-exporter serves. */
export const METRICS_DIR = "/var/lib/autollm/metrics";

interface Directory {
  readonly path: string;
  readonly owner: string;
  readonly mode: string;
}

/** Where the platform keeps what must outlive its containers. Secrets lie behind a directory that only root enters. */
export const directories: readonly Directory[] = [
  { path: "/var/lib/autollm", owner: "root:root", mode: "0755" },
  { path: "/var/lib/autollm/data", owner: `${OWNER}:${OWNER}`, mode: "0750" },
  { path: "/var/lib/autollm/reports", owner: `${OWNER}:${OWNER}`, mode: "0750" },
  { path: "/var/lib/autollm/backups", owner: "root:root", mode: "0700" },
  { path: "/var/lib/autollm/secrets", owner: "root:root", mode: "0700" },
  { path: "/var/lib/autollm/files", owner: "root:root", mode: "0700" },
  { path: METRICS_DIR, owner: "root:root", mode: "0755" },
];

export function directoriesStep(): Step {
  return {
    name: "directories",
    purpose: "makes the directories for data, reports, backups and secrets",
    after: ["packages"],
    activate: directories
      .map(({ path, owner, mode }) => {
        const [user, group] = owner.split(":");
        return `install -d -o ${user} -g ${group} -m ${mode} ${path}`;
      })
      .join("\n"),
    checks: directories.map(({ path, owner, mode }) => ({
      fault: `${path} is missing, or not ${owner} with mode ${mode}`,
      test: `[ "$(stat -c "%U:%G %a" ${path})" = "${owner} ${mode.replace(/^0/, "")}" ]`,
    })),
    undo: ":",
    leaves: "the directories and all that is in them: data is removed by hand only",
  };
}
