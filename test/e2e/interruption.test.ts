import { cpSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run } from "../../tools/lib/run.ts";
import { access } from "./lib/access.ts";
import { eventually } from "./lib/http.ts";
import { docker, type TestStack, testStack } from "./lib/stack.ts";
import { isFilled, trader } from "./lib/trading.ts";

describe("an update whose engine is killed", () => {
  let stack: TestStack;
  let to: ReturnType<typeof access>;
  const orders: string[] = [];

  /** Begins an update by one of the project's commands, and kills command and engine some seconds after the engine began. */
  async function killed(seconds: number, command: string, ...args: readonly string[]): Promise<void> {
    const update = stack.autollm(command, ...args);
    const begun = eventually("the update has begun", 180, async () => {
      const found = await run("pgrep", ["-f", `pulumi up --stack ${stack.name} `], { allowFailure: true });
      return found.code === 0 ? true : undefined;
    });
    const ended = await Promise.race([begun, update]);
    if (ended !== true) throw new Error(`no update began: exit code ${ended.code}: ${ended.stderr}${ended.stdout}`);
    await pause(seconds * 1000);
    // The command first, so that it does not go on; then the engine itself.
    const killing = await run("pkill", ["-KILL", "-f", `tools/main.js ${command} .*--stack ${stack.name}`], {
      allowFailure: true,
    });
    expect(killing.code, "the command was killed").toBe(0);
    await run("pkill", ["-KILL", "-f", `pulumi up --stack ${stack.name} `], { allowFailure: true });
    await update;
  }

  /** What any update ends with: it serves, it lost nothing, nothing is left over, and there is nothing to do. */
  async function converged(): Promise<void> {
    orders.push(await to.whole());
    const headers = await trader(stack);
    for (const id of orders) expect(await isFilled(stack, headers, id), "an order from before").toBe(true);
    const exported = JSON.parse(await stack.pulumi("stack", "export")) as {
      deployment: { pending_operations?: unknown[]; resources: { type: string; id: string; delete?: boolean }[] };
    };
    const { pending_operations: pending = [], resources } = exported.deployment;
    expect(pending).toEqual([]);
    expect(resources.filter((resource) => resource.delete === true)).toEqual([]);
    const known = resources.filter(({ type }) => type === "docker:index/container:Container").map(({ id }) => id);
    const filter = ["--filter", `label=autollm.stack=${stack.name}`];
    const there = (await docker("ps", "--all", "--no-trunc", "--quiet", ...filter)).split("\n");
    expect(there.sort(), "the containers that the state knows").toEqual(known.sort());
    expect(await stack.pulumi("preview", "--expect-no-changes")).toMatch(/unchanged/);
  }

  beforeAll(async () => {
    stack = await testStack("interruption");
    to = access(stack);
  });
  afterAll(async () => {
    await stack.remove();
  });

  test("three times in the first `up` is ended by the next one", async () => {
    const ports = ["--http-port", String(stack.httpPort), "--https-port", String(stack.httpsPort)];
    for (const seconds of [8, 20, 40]) await killed(seconds, "up", ...ports);
    const { code, stdout, stderr } = await stack.autollm("up", ...ports);
    expect(code, stdout + stderr).toBe(0);
    await converged();
  });

  test.each([1, 4, 7, 10, 15, 20, 27, 35, 45, 60])(
    "%d s after a rotation began is ended by the next `./autollm up`",
    async (seconds) => {
      const rotated = ["redis-gateway-api", "nats-reporter", "postgres-reporter", "llm-signing"];
      const before = await to.values();
      const formerUser = await to.redisUserOf("gateway-api");
      await killed(seconds, "rotate", ...rotated, "--yes");

      const { code, stdout, stderr } = await stack.autollm("up");
      expect(code, stdout + stderr).toBe(0);
      await converged();
      const now = await to.values();
      for (const unit of rotated) expect(now.get(unit) === before.get(unit), unit).toBe(false);
      expect(await to.redisLogin(formerUser, before.get("redis-gateway-api") ?? "")).toMatch(/WRONGPASS/);
      const formerly = before.get("postgres-reporter") ?? "";
      expect(await to.postgresLogin("reporter", formerly)).toContain("authentication failed");
    },
  );

  test("that had switched hot-reloaded files, and whose change is taken back, leaves the files that the config says", async () => {
    const format = '{{range .Mounts}}{{if eq .Destination "/run/live"}}{{.Source}}{{end}}{{end}}';
    const directory = await docker("inspect", "--format", format, await stack.container("redis"));
    const current = join(directory, "current");
    const before = readlinkSync(current);
    // What the kill leaves: the switch is done, the engine has only noted that it had begun.
    cpSync(join(directory, before), join(directory, "unsaved"), { recursive: true });
    rmSync(current);
    symlinkSync("unsaved", current);
    // Into the state's own file, as an import would leave pending operations out.
    const file = join(stack.home, "state", ".pulumi", "stacks", "autollm", `${stack.name}.json`);
    const state = JSON.parse(readFileSync(file, "utf8")) as {
      checkpoint: { latest: { resources: { urn: string }[]; pending_operations?: unknown[] } };
    };
    const { latest } = state.checkpoint;
    const resource = latest.resources.find(({ urn }) => urn.endsWith("$command:local:Command::redis-live-files"));
    expect(resource, "what writes Redis's hot-reloaded files").toBeDefined();
    latest.pending_operations = [{ resource, type: "creating" }];
    writeFileSync(file, JSON.stringify(state), { mode: 0o600 });

    const { code, stdout, stderr } = await stack.autollm("up");
    expect(code, stdout + stderr).toBe(0);
    expect(readlinkSync(current)).toBe(before);
    await converged();
  });
});
