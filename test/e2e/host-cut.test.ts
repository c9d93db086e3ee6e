import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { root } from "../../tools/lib/workspace.ts";
import { type Stage, stage } from "./host/stage.ts";
import { eventually } from "./lib/http.ts";

const STATE = "/var/lib/autollm/host";
/** Of a length that nothing else sleeps. */
const HOLDER = "sleep 251";

/** The steps' names, in the order of components/host/plan.ts. */
const steps = [
  ...["sources", "packages", "accounts", "ssh", "firewall", "bans", "audit", "kernel", "upgrades", "system", "swap"],
  ...["engine", "directories", "watchdog", "edge-bans"],
];

describe("a connection that is cut in the middle of each step", () => {
  let { at, configure, fault, setUp, remove } = {} as Stage;

  beforeAll(async () => {
    ({ at, configure, fault, setUp, remove } = await stage("e2e-host-cut"));
    configure();
  });
  afterAll(() => remove?.());

  test("leaves out no step here", () => {
    const folder = join(root, "components/host");
    const names = readdirSync(folder)
      .filter((file) => file.endsWith(".ts"))
      .flatMap((file) => [...readFileSync(join(folder, file), "utf8").matchAll(/^ {4}name: "([a-z-]+)",$/gm)])
      .map(([, name]) => name);
    expect([...steps].sort()).toEqual(names.sort());
  });

  test.each(steps)("is told: %s", async (step) => {
    // The step waits in its script for whoever is at it already.
    await at(`umask 077; mkdir -p ${STATE}; flock ${STATE}/${step}.lock ${HOLDER} >/dev/null 2>&1 &`);
    const failing = fault();
    // Its `flock` waits for what it has open as 9; the holder's has no such file.
    const waits = `for pid in $(pgrep -x flock); do readlink /proc/$pid/fd/9 || true; done | grep -c '/${step}.lock$' || true`;
    await eventually("the step at work", 120, async () => ((await at(waits)) === "1" ? true : undefined));
    await at(`pkill -KILL sshd-session; pkill -f '${HOLDER}'`);
    expect(await failing).toMatch(new RegExp(`host step ${step}: the connection to \\S+ was lost in the middle`));
  });

  test("is made good by the next up, after which nothing differs", async () => {
    const { code, stdout, stderr } = await setUp();
    expect(code, stdout + stderr).toBe(0);
    const again = await setUp();
    expect(again.stdout).toMatch(/Resources:\s+\d+ unchanged/);
  });
});
