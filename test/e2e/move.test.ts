import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import type { Server } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { executors } from "../../components/platform/catalogue.ts";
import { LEASE_S } from "../../tools/lib/move/side.ts";
import { moveSteps } from "../../tools/lib/move/steps.ts";
import { root } from "../../tools/lib/workspace.ts";
import { atConsole, onHost, rebootHost, removeHost, startHost, type TestHost } from "./host/host.ts";
import { leadTo, type Stage, stage } from "./host/stage.ts";
import { access } from "./lib/access.ts";
import { eventually, https } from "./lib/http.ts";
import { freePort } from "./lib/stack.ts";
import { isFilled, postNews, trader } from "./lib/trading.ts";
import { startWriter } from "./lib/writers.ts";

/** The stop on a machine that carries both hosts and the tests: a minute is aimed at, and other stacks may run beside. */
const STOP_S = 240;

/** Of what runs on a host: everything of the stack, and the executors among it. */
interface Running {
  readonly all: number;
  readonly traders: number;
}

describe("a move to another host", () => {
  let { at, configureAll, host, remove, stack } = {} as Stage;
  let next: TestHost;
  let forward: Server;
  let nextUrl: string;
  const orders: string[] = [];

  const onNext = async (script: string): Promise<string> => {
    const { code, stdout, stderr } = await atConsole(next.container, script);
    if (code !== 0) throw new Error(`at the new host's console: exit code ${code}: ${stderr}${stdout}`);
    return stdout.trim();
  };
  const SERVICES = "docker ps --format '{{.Label \"autollm.service\"}}' 2>/dev/null || true";
  async function running(console: typeof at): Promise<Running> {
    const names = (await console(SERVICES)).split("\n").filter((name) => name !== "");
    return { all: names.length, traders: names.filter((name) => executors.some((each) => each === name)).length };
  }
  const healthy = (console: typeof at, count: number) =>
    eventually("all containers healthy", 600, async () => {
      const lines = (await console("docker ps --format '{{.Names}} {{.Status}}'")).split("\n");
      return lines.length >= count && lines.every((line) => line.includes("(healthy)")) ? true : undefined;
    });
  const isFenced = async () => (await at("ls /var/lib/autollm/move/*/fenced 2>/dev/null || true")) !== "";

  /** Never do both have an executor that runs, and the new host has none before the old one is fenced. */
  async function atMostOneTrades(): Promise<void> {
    const [old, young] = await Promise.all([running(at), running(onNext)]);
    expect(old.traders === 0 || young.traders === 0, JSON.stringify({ old, young })).toBe(true);
    if (young.traders > 0) expect(await isFenced()).toBe(true);
  }

  /** Runs the move. It is killed, the engine with it, some time after a step began, or after it has said something. */
  async function move(killedAt?: string, after = 0, to = next): Promise<{ code: number | null; stderr: string }> {
    const args = ["move", "--to", to.address, "--host-key", to.hostKey, "--stack", stack.name];
    const env = { ...process.env, AUTOLLM_HOME: stack.home, CI: "true", PULUMI_COLOR: "never", NO_COLOR: "1" };
    const child = spawn("./autollm", args, { cwd: root, env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    const step = moveSteps.find(({ name }) => name === killedAt);
    const says = step === undefined ? killedAt : `... ${step.says}`;
    let words = "";
    const kill = async () => {
      await pause(after);
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    };
    let isKilled = false;
    const hear = (chunk: string) => {
      words += chunk;
      if (says !== undefined && !isKilled && words.includes(says)) {
        isKilled = true;
        void kill().catch(() => undefined);
      }
    };
    child.stdout.setEncoding("utf8").on("data", hear);
    child.stderr.setEncoding("utf8").on("data", hear);
    const code = await new Promise<number | null>((done) => child.on("close", done));
    return { code, stderr: words };
  }

  beforeAll(async () => {
    ({ at, configureAll, host, remove, stack } = await stage("e2e-move"));
    next = await startHost("autollm-e2e-move-next");
    // A provider's console puts the deployments' key on a new machine.
    const key = readFileSync(`${host.privateKeyPath}.pub`, "utf8").trim();
    await onNext(`echo '${key}' > /root/.ssh/authorized_keys`);
    configureAll();
    const { code, stdout, stderr } = await stack.autollm("up");
    expect(code, stdout + stderr).toBe(0);
    const port = await freePort();
    forward = leadTo(next.address, port);
    nextUrl = `https://localhost:${port}`;
  }, 1_800_000);
  afterAll(async () => {
    forward?.close();
    await remove?.();
    if (next !== undefined) await removeHost(next.container);
  });

  test("is refused with all that is wrong, before anything changes", async () => {
    const refused = async (...args: readonly string[]) => {
      const { code, stderr } = await stack.autollm("move", ...args);
      expect(code).toBe(1);
      return stderr;
    };
    expect(await refused("--to", host.address, "--host-key", host.hostKey)).toContain("is the host of");
    expect(await refused("--to", next.address)).toContain("the new host's key is missing");
    expect(await refused("--to", next.address, "--host-key", host.hostKey)).toContain("is not the pinned one");
    await onNext(
      "cp -L /etc/os-release /root/kept; sed -i 's/^VERSION_ID=.*/VERSION_ID=\"12\"/' $(readlink -f /etc/os-release)",
    );
    expect(await refused("--to", next.address, "--host-key", next.hostKey)).toContain("it runs debian 12");
    await onNext("cp /root/kept $(readlink -f /etc/os-release)");
    expect(await refused("--wipe", next.address)).toContain("has no former host");
    expect(await refused("--back")).toContain("no move of");
    expect((await running(at)).traders).toBe(executors.length);
  });

  test("is continued by the same command, wherever it was killed, and both never trade", async () => {
    const headers = await onHost(host.container, () => trader(stack));
    const everything = (await running(at)).all;
    const news = startWriter(0.5, async () => {
      orders.push(await postNews(stack, headers));
    });
    for (const [step, after] of [
      ["record", 0],
      ["keep-state", 300],
      ["platform", 4_000],
      ["platform", 60_000],
      ["follow", 500],
    ] as const) {
      await move(step, after);
      await atMostOneTrades();
      expect((await running(at)).all, `after ${step}`).toBe(everything);
    }
    // Any other command that changes the stack is told.
    const up = await stack.autollm("up");
    expect(up.code, up.stdout + up.stderr).toBe(1);
    expect(up.stderr).toContain(`is being moved to ${next.address}`);

    await move("workloads are stopped", 1_000);
    await atMostOneTrades();
    const killed = Date.now();
    expect((await running(at)).all).toBeLessThan(everything);
    await eventually("the old host starts again by itself", LEASE_S + 120, async () =>
      (await running(at)).all === everything ? true : undefined,
    );
    console.log(
      `seen: a move killed in its stop, the old host runs again ${Math.round((Date.now() - killed) / 1000)} s later`,
    );
    expect((await running(onNext)).all).toBe(0);
    await healthy(at, everything);

    for (const [step, after] of [
      ["last-changes", 300],
      ["check-files", 300],
      ["check-counts", 300],
    ] as const) {
      await move(step, after);
      await atMostOneTrades();
      expect(await isFenced()).toBe(false);
    }
    await move("fence", 0);
    await atMostOneTrades();
    for (const [step, after] of [
      ["release", 2_000],
      ["take-state", 200],
    ] as const) {
      await move(step, after);
      await atMostOneTrades();
      expect(await isFenced()).toBe(true);
    }
    await move("finish", 2_000);
    await atMostOneTrades();
    const { code, stderr } = await move();
    expect(code, stderr).toBe(0);
    await news.stop();
    await healthy(onNext, everything);
    expect(await running(at)).toEqual({ all: 0, traders: 0 });
    const there = { ...stack, url: nextUrl };
    orders.push(await postNews(there, headers));
    await eventually("every order is in the ledger", 120, async () =>
      (await Promise.all(orders.map((id) => isFilled(there, headers, id)))).every(Boolean) ? true : undefined,
    );
    console.log(`seen: ${orders.length} orders, all filled after the move`);
    expect(await stack.pulumi("preview", "--expect-no-changes")).toMatch(/unchanged/);
  }, 2_400_000);

  test("leaves the old host stopped, also after a reboot, and its executors unable to trade", async () => {
    await rebootHost(host.container);
    await pause(60_000);
    expect(await running(at)).toEqual({ all: 0, traders: 0 });
    const executor = "$(docker ps --all --filter label=autollm.service=execution-ib --format '{{.Names}}')";
    await at(`docker start ${executor}`);
    await pause(3_000);
    expect(await at(`docker logs --tail 1 ${executor} 2>&1`)).toContain("the kill switch is on");
    await at(`docker stop ${executor}`);
    await rebootHost(next.container);
    await healthy(onNext, 30);
    expect((await https(`${nextUrl}/health`)).status).toBe(200);
  });

  test("is finished by another command, which removes the data from the old host alone", async () => {
    const wrong = await stack.autollm("move", "--wipe", next.address);
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toContain("nothing was removed");
    const { code, stderr } = await stack.autollm("move", "--wipe", host.address);
    expect(code, stderr).toBe(0);
    expect(await at("docker ps --all --quiet; docker volume ls --quiet; ls /var/lib/autollm/files")).toBe("");
    expect((await running(onNext)).traders).toBe(executors.length);
    const file = readFileSync(join(stack.home, `Pulumi.${stack.name}.yaml`), "utf8");
    expect(file).toContain(next.address);
    await onHost(next.container, async () => {
      await access({ ...stack, url: nextUrl }).whole();
    });
  });

  test("leads back to the former host as to any other, with a short stop", async () => {
    const { code, stderr } = await move(undefined, 0, host);
    expect(code, stderr).toBe(0);
    const seconds = Number(/the stop took (\d+) s/.exec(stderr)?.[1]);
    console.log(`seen: the stop took ${seconds} s`);
    expect(seconds).toBeLessThan(STOP_S);
    await healthy(at, 30);
    expect(await running(onNext)).toEqual({ all: 0, traders: 0 });
    await onHost(host.container, async () => {
      await access(stack).whole();
    });
  });
});
