import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hostSteps } from "../../components/host/steps/index.ts";
import { root } from "../../tools/lib/workspace.ts";
import { options } from "../unit/host/options.ts";
import { type Stage, stage } from "./host/stage.ts";
import { eventually } from "./lib/http.ts";

const STATE = "/var/lib/autollm/host";
/** Of a length that nothing else sleeps. */
const HOLDER = "sleep 251";

const steps = hostSteps(options).map(({ name }) => name);

describe("a connection that is cut in the middle of each step", () => {
  let { at, configure, fault, host, setUp, remove } = {} as Stage;

  /** The steps that wait: their `flock` has its file open as 9, a holder's has not. */
  const waiting = async (): Promise<string[]> => {
    const files = await at("for pid in $(pgrep -x flock); do readlink /proc/$pid/fd/9 || true; done");
    return files.split("\n").flatMap((file) => /([a-z-]+)\.lock$/.exec(file)?.[1] ?? []);
  };

  beforeAll(async () => {
    ({ at, configure, fault, host, setUp, remove } = await stage("e2e-host-cut"));
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

  test("is told, by each step's name", async () => {
    const left = new Set(steps);
    while (left.size > 0) {
      // Each step that was not cut yet waits in its script for the process that is at it already.
      const hold = [...left].map((step) => `flock ${STATE}/${step}.lock ${HOLDER} >/dev/null 2>&1 &`);
      await at(`umask 077; mkdir -p ${STATE}; ${hold.join(" ")}`);
      const failing = fault();
      await eventually("a step at work", 300, async () =>
        (await waiting()).some((step) => left.has(step)) ? true : undefined,
      );
      // Those beside it come, too.
      await pause(4000);
      // One that was cut before goes on by itself.
      const cut = (await waiting()).filter((step) => left.has(step));
      await at("pkill -KILL sshd-session");
      const told = await failing;
      for (const step of cut) expect(told).toContain(`host step ${step}: the connection to ${host.address} was lost`);
      for (const step of cut) left.delete(step);
      await at(`pkill -f '${HOLDER}'`);
    }
  });

  test("is made good by the next up, after which nothing differs", async () => {
    const { code, stdout, stderr } = await setUp();
    expect(code, stdout + stderr).toBe(0);
    const again = await setUp();
    expect(again.stdout).toMatch(/Resources:\s+\d+ unchanged/);
  });
});
