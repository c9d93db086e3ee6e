import { readFileSync } from "node:fs";
import type { WorkloadSpec } from "./workload.ts";

const script = readFileSync(new URL("set-aside.sh", import.meta.url), "utf8");
const MOUNT = "/run/autollm";

/** How a program tells that a file of its own is damaged, in the last lines before it ends. */
export interface Damage {
  /** An extended regular expression that such a line has. It holds no `|` outside of brackets. */
  readonly says: string;
  /** What is set aside then, below the program's directory: names with blanks between them; `\1` is the expression's first group. */
  readonly aside: string;
}

/** A line that tells of something else than damage, though the program may say the same of both: no room, no right, somebody else's lock. */
const OTHER = "[Nn]o space left|[Pp]ermission denied|[Rr]ead-only file system|annot allocate memory|directory lock";

/** The rules as sed reads them: of a line that is known, the names. */
export const damageRules = (damages: readonly Damage[]): string =>
  [`/${OTHER}/d`, ...damages.map(({ says, aside }) => `s|.*${says}.*|${aside}|p`), ""].join("\n");

/**
 * A workload that sets its damaged files aside: data that can be had again, or done without. Its image needs a shell.
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
