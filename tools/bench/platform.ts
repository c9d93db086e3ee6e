import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../lib/run.ts";
import { openWorkspace, root } from "../lib/workspace.ts";
import { seconds } from "./measure.ts";

const STACK = "bench";

/** Seconds of each thing that a user does with the whole platform, and of the parts that a no-change `up` is made of. */
export async function measurePlatform(
  ports: readonly [number, number],
): Promise<readonly (readonly [string, number])[]> {
  const home = mkdtempSync(join(tmpdir(), "autollm-bench-"));
  process.env.AUTOLLM_HOME = home;
  const npm = (command: string, ...args: readonly string[]) =>
    run("npm", ["run", "-s", command, "--", ...args, "--stack", STACK], { cwd: root });
  const rows: [string, number][] = [];
  const measure = async (what: string, work: () => Promise<unknown>) => {
    rows.push([what, await seconds(work)]);
  };
  try {
    await measure("first `npm run up`: all healthy, images there", () =>
      npm("up", "--http-port", String(ports[0]), "--https-port", String(ports[1])),
    );
    const { pulumi } = await openWorkspace(STACK);
    const on = ["--stack", STACK];
    await measure("`npm run up` that changes nothing", () => npm("up"));
    await measure("- of it `pulumi up` with the policies", () =>
      pulumi(["up", ...on, "--yes", "--suppress-outputs", "--policy-pack", join(root, "policies")]),
    );
    await measure("- `pulumi up` without the policies", () => pulumi(["up", ...on, "--yes", "--suppress-outputs"]));
    await measure("- the engine alone: `pulumi stack export`", () => pulumi(["stack", "export", ...on]));
    await measure("`npm run preview`, no change", () => npm("preview"));
    await pulumi(["config", "set", ...on, "--path", "autollm:generation.postgres-reporter", "2"]);
    await measure("`npm run preview`, one service changes", () => npm("preview"));
    await measure("`npm run up`, one service is replaced", () => npm("up"));
    await measure("`npm run down`", () => npm("down"));
    return rows;
  } finally {
    await npm("down").catch(() => undefined);
    rmSync(home, { recursive: true, force: true });
  }
}
