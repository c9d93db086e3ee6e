import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { parse, stringify } from "yaml";
import { STAND_IN_COMMAND } from "../../components/platform/standIn.ts";
import { run } from "../../tools/lib/run.ts";
import { eventually } from "./lib/http.ts";
import { carriedRate, startLoad } from "./lib/load.ts";
import { type Registry, startRegistry } from "./lib/registry.ts";
import { docker, type TestStack, testStack } from "./lib/stack.ts";
import { filled, isFilled, postNews, trader } from "./lib/trading.ts";

describe("operations on a running stack", () => {
  let stack: TestStack;
  let headers: Record<string, string>;

  beforeAll(async () => {
    stack = await testStack("e2e-ops");
    const up = await stack.up();
    expect(up.code, up.stdout + up.stderr).toBe(0);
    headers = await trader(stack);
  });

  afterAll(async () => {
    await stack.remove();
  });

  const switchTo = async (...args: readonly string[]) => {
    const { code, stdout, stderr } = await stack.autollm("kill-switch", ...args);
    return { code, text: stdout + stderr };
  };
  /** What risk-manager counts as rejected for the switch. */
  const rejections = async (): Promise<number> => {
    const risk = await stack.container("risk-manager");
    const metrics = await docker("exec", risk, "wget", "-q", "-O", "-", "http://127.0.0.1:8070/metrics");
    return Number(/^risk_rejections_total\{reason="kill_switch"\} (\d+)/m.exec(metrics)?.[1] ?? 0);
  };
  const idOf = async (workload: string) => docker("inspect", "--format", "{{.Id}}", await stack.container(workload));

  describe("the kill switch", () => {
    test("stops all order execution, keeps its reason over a restart, and only `off` releases it", async () => {
      await filled(stack, headers, await postNews(stack, headers));
      expect((await switchTo("status")).code).toBe(0);

      expect((await switchTo("on", "--reason", "the model has gone mad")).code).toBe(0);
      const before = await rejections();
      const stopped = await postNews(stack, headers);
      await eventually("the rejection", 30, async () => ((await rejections()) > before ? true : undefined));
      await docker("restart", await stack.container("risk-manager"));
      await stack.autollm("up");
      const status = await switchTo("status");
      expect(status).toEqual({ code: 2, text: expect.stringContaining("the model has gone mad") });
      expect(await isFilled(stack, headers, stopped)).toBe(false);

      expect((await switchTo("off")).code).toBe(0);
      await filled(stack, headers, await postNews(stack, headers));
      expect(await isFilled(stack, headers, stopped)).toBe(false);
    });

    test("is set and released while risk-manager is down, too", async () => {
      const risk = await stack.container("risk-manager");
      await docker("stop", risk);
      onTestFinished(async () => void (await docker("start", risk)));
      expect((await switchTo("on", "--reason", "it is down")).code).toBe(0);
      expect((await switchTo("status")).text).toContain("it is down");
      expect((await switchTo("off")).code).toBe(0);
      expect((await switchTo("status")).code).toBe(0);
    });

    test("says what it wants when it is called wrongly", async () => {
      expect(await switchTo("of")).toEqual({ code: 64, text: expect.stringContaining("say on, off or status") });
    });
  });

  describe("a release", () => {
    let registry: Registry;
    let reference: string;
    const configFile = () => join(stack.home, `Pulumi.${stack.name}.yaml`);
    const readConfig = () => parse(readFileSync(configFile(), "utf8")) as { config: Record<string, unknown> };
    const releases = () => (readConfig().config["autollm:release"] ?? {}) as Record<string, unknown>;
    /** Names a service's image in the stack's file, as a person would. */
    const release = (service: string, image: string, command: readonly string[] = STAND_IN_COMMAND) => {
      const file = readConfig();
      file.config["autollm:release"] = { ...releases(), [service]: { image, command } };
      writeFileSync(configFile(), stringify(file));
    };

    beforeAll(async () => {
      registry = await startRegistry();
      reference = await docker("inspect", "--format", "{{.Image}}", await stack.container("gateway-api"));
    });
    afterAll(async () => {
      await registry.stop();
    });

    test("of a rolling service fails no request under a load through the edge: 200 a second, or what the machine carries", async () => {
      const from = await clientAddresses(200);
      const old = await idOf("gateway-api");
      const others = await idOf("execution-ib");
      release("gateway-api", await registry.push(reference, "gateway-api", "2"));
      const url = `https://${await stack.address("edge-sockets", "public")}:8443/api/orders`;
      const clients = { url, headers: { ...headers, host: "localhost" }, from };
      const rate = await carriedRate(clients, [200, 100, 50]);
      console.log(`seen: the machine carries ${rate} requests a second`);
      // The limit is per minute: an address has used a few of its requests by now.
      const load = startLoad({ ...clients, rate });
      const up = await stack.autollm("up");
      const { statuses, errors, sent, perSecond, slow } = await load.stop();
      expect(up.code, up.stdout + up.stderr).toBe(0);
      expect(perSecond).toBeGreaterThan(rate * 0.95);
      expect(errors, `slowest answers in ms, by second: ${JSON.stringify(slow)}`).toEqual({});
      expect(statuses).toEqual({ 200: sent });
      expect(await idOf("gateway-api")).not.toBe(old);
      expect(await idOf("execution-ib")).toBe(others);
    });

    test("that never becomes healthy leaves the old one serving, says why, and the next up is clean", async () => {
      const old = await idOf("gateway-api");
      const image = await registry.push(reference, "gateway-api", "3");
      const good = readFileSync(configFile(), "utf8");
      release("gateway-api", image, ["sh", "-c", "echo this release cannot start; exec sleep 1000"]);
      const up = await stack.autollm("up");
      expect(up.code).toBe(1);
      expect(up.stdout + up.stderr).toContain("this release cannot start");
      expect((await docker("ps", "--no-trunc", "--format", "{{.ID}}")).split("\n")).toContain(old);
      await filled(stack, headers, await postNews(stack, headers));

      writeFileSync(configFile(), good);
      const again = await stack.autollm("up");
      expect(again.code, again.stdout + again.stderr).toBe(0);
      // One is left: neither what failed nor what it should have replaced.
      expect((await stack.container("gateway-api")).split("\n")).toHaveLength(1);
      await filled(stack, headers, await postNews(stack, headers));
    });

    test("of an executor never lets two of them run at once, and lets the old one end by itself", async () => {
      const labels = [`label=autollm.stack=${stack.name}`, "label=autollm.service=execution-ib"];
      const filters = labels.flatMap((label) => ["--filter", label]);
      const kinds = ["start", "die"].flatMap((event) => ["--filter", `event=${event}`]);
      const format = '{{.Action}} {{index .Actor.Attributes "exitCode"}}';
      // Listened to all the time: the daemon remembers 256 events, which the health checks of a minute exceed.
      const events = spawn("docker", ["events", ...filters, ...kinds, "--format", format]);
      let seen = "";
      events.stdout.setEncoding("utf8").on("data", (chunk: string) => {
        seen += chunk;
      });
      onTestFinished(() => void events.kill());
      release("execution-ib", await registry.push(reference, "execution-ib", "2"));
      const up = await stack.autollm("up");
      expect(up.code, up.stdout + up.stderr).toBe(0);
      expect(
        seen
          .trim()
          .split("\n")
          .map((line) => line.trim()),
      ).toEqual(["die 0", "start"]);
      await filled(stack, headers, await postNews(stack, headers));
    });

    test("is taken back by `./autollm rollback`", async () => {
      const { code, stdout, stderr } = await stack.autollm("rollback", "--yes");
      expect(code, stdout + stderr).toBe(0);
      expect(releases()).not.toHaveProperty("execution-ib");
      await filled(stack, headers, await postNews(stack, headers));
    });
  });

  /**
   * Gives this machine more addresses at the public segment's bridge, for the time of a test: as many clients. They are of the range
   * for measurements (RFC 2544): the segments are small, and the edge answers no client that has an address of its own in another one.
   */
  async function clientAddresses(count: number): Promise<string[]> {
    const id = await docker(
      "network",
      "ls",
      "--filter",
      `label=autollm.stack=${stack.name}`,
      "--filter",
      "name=segment-public",
      "--quiet",
    );
    const addresses = Array.from({ length: count }, (_, index) => `198.18.0.${index + 20}`);
    const change = (action: string) =>
      run("ip", ["-batch", "-"], {
        input: addresses.map((each) => `addr ${action} ${each}/32 dev br-${id.slice(0, 12)}\n`).join(""),
      });
    await change("add");
    onTestFinished(async () => void (await change("del")));
    return addresses;
  }
});
