import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../lib/run.ts";
import { type Measured, measure } from "./measure.ts";

const STACK = "bench";

/** Each thing that a user does with the whole platform, in the order in which it is done. */
const STEPS = [
  { what: "first `./autollm up`: all healthy, images there", command: "up", first: true },
  { what: "`./autollm up` that changes nothing", command: "up" },
  { what: "`./autollm preview`, no change", command: "preview" },
  { what: "`./autollm preview`, one service changes", command: "preview", rotates: "postgres-reporter" },
  { what: "`./autollm up`, one service is replaced", command: "up" },
  { what: "`./autollm down`", command: "down" },
] as const;

export interface PlatformRow extends Measured {
  readonly what: string;
}

/**
 * Measures each thing that a user does with the whole platform.
 * @param tree the checkout whose commands are run
 * @param ports on which the stack publishes HTTP and HTTPS
 */
export async function measurePlatform(
  tree: string,
  ports: readonly [http: number, https: number],
): Promise<readonly PlatformRow[]> {
  const home = mkdtempSync(join(tmpdir(), "autollm-bench-"));
  // A commit of before `./autollm` has npm scripts.
  const isFormer = !existsSync(join(tree, "autollm"));
  const autollm = (name: string, ...args: readonly string[]) =>
    run(
      isFormer ? "npm" : "./autollm",
      [...(isFormer ? ["run", "-s", name, "--"] : [name]), ...args, "--stack", STACK],
      {
        cwd: tree,
        env: { AUTOLLM_HOME: home },
      },
    );
  const rows: PlatformRow[] = [];
  try {
    for (const step of STEPS) {
      if ("rotates" in step)
        await autollm("pulumi", "config", "set", "--path", `autollm:generation.${step.rotates}`, "2");
      const args = "first" in step ? ["--http-port", String(ports[0]), "--https-port", String(ports[1])] : [];
      rows.push({ what: step.what, ...(await measure(() => autollm(step.command, ...args))) });
    }
    return rows;
  } finally {
    await autollm("down").catch(() => undefined);
    rmSync(home, { recursive: true, force: true });
  }
}
