import { readFileSync } from "node:fs";
import type { WorkloadSpec } from "./workloadSpec.ts";

const script = readFileSync(new URL("set-aside.sh", import.meta.url), "utf8");
const MOUNT = "/run/autollm";

/** How a program reports that one of its own files is damaged, in the last lines before it ends. */
export interface Damage {
  /** An extended regular expression that matches such a line, without `|` outside of brackets. */
  readonly says: string;
  /** What is then set aside, below the program's directory: names separated by blanks; `\1` is the expression's first group. */
  readonly aside: string;
}

/** A line that means something other than damage, although the program may report both alike: no space, no permission, a foreign lock. */
const OTHER = "[Nn]o space left|[Pp]ermission denied|[Rr]ead-only file system|annot allocate memory|directory lock";

/** The rules for sed: from a known line to the names. */
export const damageRules = (damages: readonly Damage[]): string =>
  [`/${OTHER}/d`, ...damages.map(({ says, aside }) => `s|.*${says}.*|${aside}|p`), ""].join("\n");

/**
 * A workload that sets its damaged files aside: data that can be made again, or is dispensable. Its image needs a shell.
 * @param directory where its volume is mounted
 */
export function settingAside(
  directory: string,
  damages: readonly Damage[],
  { command, files }: Pick<WorkloadSpec, "command" | "files">,
): Pick<WorkloadSpec, "command" | "files"> {
  return {
    command: ["/bin/sh", `${MOUNT}/set-aside.sh`, directory, ...command],
    files: { ...files, [MOUNT]: { "set-aside.sh": script, "damage.sed": damageRules(damages) } },
  };
}
