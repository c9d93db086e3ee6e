import { spawn } from "node:child_process";
import { userInfo } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Status } from "../../tools/lib/status.ts";
import { root } from "../../tools/lib/workspace.ts";
import { eventually } from "./lib/http.ts";
import { docker, type TestStack, testStack } from "./lib/stack.ts";

/** A second or two on an idle machine; the tests' machine has others at work, too. */
const SECONDS = 8;

describe("./autollm status", () => {
  let stack: TestStack;

  beforeAll(async () => {
    stack = await testStack("e2e-status");
    const up = await stack.up();
    expect(up.code, up.stdout + up.stderr).toBe(0);
  });
  afterAll(async () => {
    await stack.remove();
  });

  async function look(): Promise<{ code: number; status: Status; seconds: number }> {
    const start = Date.now();
    const { code, stdout, stderr } = await stack.autollm("status", "--json");
    expect(stdout, stderr).toMatch(/^{/);
    return { code, status: JSON.parse(stdout) as Status, seconds: (Date.now() - start) / 1000 };
  }
  const problems = ({ problems: all }: Status) => all.map(({ what }) => what);

  test("ends with 0 where all is well, and soon, with everything that it is for", async () => {
    const { status, seconds } = await eventually("a stack that is well", 180, async () => {
      const seen = await look();
      return seen.code === 0 ? seen : undefined;
    });
    expect(seconds).toBeLessThan(SECONDS);
    expect(status).toMatchObject({
      ...{ verdict: "fine", environment: "local", trading: "paper", problems: [], silent: [], changing: null },
      killSwitch: { on: false },
      deployment: { result: "succeeded", by: expect.stringContaining(`${userInfo().username} from `) },
    });
    const running = (await docker("ps", "--quiet", "--filter", `label=autollm.stack=${stack.name}`)).split("\n");
    expect(status.workloads?.filter(({ state }) => state === "running").length).toBe(running.length);
    for (const { digest, since } of status.workloads ?? []) {
      expect(digest).toMatch(/^[0-9a-f]{64}$/);
      expect(Date.parse(since ?? "")).toBeGreaterThan(Date.now() - 3_600_000);
    }
    expect(status.due?.map(({ what }) => what)).toEqual(expect.arrayContaining(["rotation", "certificate"]));
    expect(status.alerts).toEqual([]);
    const text = await stack.autollm("status");
    expect(text.stdout).toMatch(/^FINE {2}e2e-status/);
    expect(text.stdout).toMatch(/^ {2}gateway-api +healthy +[0-9a-f]{12} /m);
  });

  test("ends with 2 where a container was stopped, and names it", async () => {
    const name = await stack.container("reporter");
    await docker("stop", name);
    const { code, status } = await look();
    expect(code).toBe(2);
    expect(status.problems).toContainEqual({ what: "reporter", says: expect.stringContaining(`(${name})`) });
    await docker("start", name);
  });

  test("shows the kill switch with its reason, and the executors as its doing", async () => {
    expect((await stack.autollm("kill-switch", "on", "--reason", "a drill")).code).toBe(0);
    const { code, status } = await look();
    expect(code).toBe(2);
    expect(status.killSwitch).toMatchObject({ on: true, reason: "a drill" });
    expect(problems(status)).toContain("kill switch");
    // A daemon that is busy may let one look go without the containers.
    const workloads = await eventually("the containers", 60, async () => (await look()).status.workloads ?? undefined);
    const executor = workloads.find(({ name }) => name === "execution-ib");
    expect(executor).toMatchObject({ state: "exited", problem: null, note: "kill switch" });
    expect((await stack.autollm("kill-switch", "off", "--yes")).code).toBe(0);
  });

  test("waits for no Prometheus that hangs: it names it, and tells the rest", async () => {
    const name = await stack.container("prometheus");
    await docker("pause", name);
    const { code, status, seconds } = await look();
    await docker("unpause", name);
    expect(code).toBe(2);
    expect(seconds).toBeLessThan(SECONDS + 4);
    expect(problems(status)).toContain("prometheus");
    expect(status.silent.map(({ source }) => source)).toEqual(expect.arrayContaining(["alerts (Prometheus)"]));
    expect(status.workloads?.length).toBeGreaterThan(30);
  });

  test("looks again and again with --watch, until it is interrupted", async () => {
    const line = ["status", "--watch", "--json", "--stack", stack.name];
    const env = { ...process.env, AUTOLLM_HOME: stack.home };
    const child = spawn(join(root, "autollm"), line, { env, stdio: ["ignore", "pipe", "inherit"] });
    let lines = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      lines += chunk;
    });
    const ended = new Promise<number | null>((done) => child.on("close", done));
    await eventually("three looks", 60, async () => (lines.split("\n").length > 3 ? true : undefined));
    child.kill("SIGINT");
    expect([0, 1, 2]).toContain(await ended);
    for (const each of lines.trim().split("\n")) expect(JSON.parse(each)).toHaveProperty("verdict");
  });
});
