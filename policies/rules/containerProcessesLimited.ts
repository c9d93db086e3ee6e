import type { ResourceRule } from "../lib/rule.ts";
import { CONTAINER } from "../lib/types.ts";
import { hasUnknown, list, record } from "../lib/value.ts";

/** More processes and threads than this are a runaway, whatever the program. */
const MAX_PROCESSES = 8192;

export const containerProcessesLimited: ResourceRule = {
  name: "container-processes-limited",
  title: "A container's processes are limited",
  level: "disabled",
  severity: "medium",
  why: "A fork bomb in one container leaves the host without process ids.",
  mend: `set ulimits: [{ name: "nproc", soft, hard }] with hard at ${MAX_PROCESSES} or less (the provider has no pids limit)`,
  types: [CONTAINER],
  *check({ props: { ulimits } }) {
    if (hasUnknown(ulimits)) return;
    const hard = list(ulimits)
      .map(record)
      .find(({ name }) => name === "nproc")?.hard;
    if (typeof hard !== "number") yield { key: "ulimits", problem: "lacks nproc" };
    else if (hard < 1 || hard > MAX_PROCESSES) yield { key: "ulimits nproc", problem: "is no limit" };
  },
};
