import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run } from "../../tools/lib/run.ts";
import { HOSTILE_LINE, HOSTILE_ROLE, hostileSql, hostileWays, PROOF } from "./lib/hostileRole.ts";
import { eventually } from "./lib/http.ts";
import { docker, type TestStack, testStack } from "./lib/stack.ts";

describe("a service whose database role has turned on the others", () => {
  let stack: TestStack;
  let postgres: string;

  /** Runs SQL as the service would, by its own password. */
  const asHostile = async (sql: string) => {
    const password = await docker(
      "exec",
      await stack.container("gateway-api"),
      "cat",
      "/run/secrets/env/POSTGRES_PASSWORD",
    );
    const psql = [
      "psql",
      "--no-psqlrc",
      "--quiet",
      "--set=ON_ERROR_STOP=1",
      "--host=127.0.0.1",
      `--username=${HOSTILE_ROLE}`,
    ];
    await run("docker", ["exec", "--interactive", "--env", `PGPASSWORD=${password}`, postgres, ...psql, "autollm"], {
      input: sql,
    });
  };
  /** Where its code ran, and as whom, since a moment. */
  const ran = async (since: string) => {
    const { stdout, stderr } = await run("docker", ["logs", "--since", since, postgres]);
    return [...`${stdout}${stderr}`.matchAll(HOSTILE_LINE)].map(([, kind = "", ...roles]) => ({ kind, roles }));
  };
  const moment = async () => {
    await sleep(1000);
    return new Date().toISOString();
  };
  const proofs = async () => {
    const found: string[] = [];
    for (const workload of ["backup", "restore-test", "postgres"])
      if (
        (await run("docker", ["exec", await stack.container(workload), "test", "-e", PROOF], { allowFailure: true }))
          .code !== 1
      )
        found.push(workload);
    return found;
  };
  const inClear = async () =>
    docker(
      "exec",
      await stack.container("backup"),
      "find",
      "/backup",
      "-mindepth",
      "1",
      "-maxdepth",
      "1",
      "-printf",
      "%f ",
    );

  beforeAll(async () => {
    stack = await testStack("e2e-hostile");
    const up = await stack.up();
    expect(up.code, up.stdout + up.stderr).toBe(0);
    postgres = await stack.container("postgres");
    await asHostile(hostileSql);
  });
  afterAll(async () => {
    await stack?.remove();
  });

  test("has its code run by nobody when its tables are dumped and summed", async () => {
    const since = await moment();
    const { code, stderr } = await stack.autollm("backup");
    expect(code, stderr).toBe(0);
    expect(await ran(since)).toEqual([]);
  });

  test("reaches nothing by the weekly restore test, which has neither secrets nor a network", async () => {
    const { code, stdout, stderr } = await stack.autollm("backup", "--test");
    expect(code, stderr).toBe(0);
    const tables = Number(/: (\d+) tables with/.exec(stdout)?.[1]);
    expect(tables).toBeGreaterThanOrEqual(hostileWays.length);
    const [inspected] = JSON.parse(await docker("inspect", await stack.container("restore-test"))) as {
      HostConfig: { NetworkMode: string };
      Mounts: { Destination: string }[];
    }[];
    expect(inspected?.HostConfig.NetworkMode).toBe("none");
    expect(inspected?.Mounts.map(({ Destination }) => Destination)).toEqual(["/restore-test"]);
    expect(await docker("exec", await stack.container("restore-test"), "ls", "-A", "/scratch")).toBe("");
    expect(await proofs()).toEqual([]);
  });

  test("has its code run as itself alone when the stack is restored", async () => {
    const since = await moment();
    const { code, stderr } = await stack.autollm("restore", "latest");
    expect(code, stderr).toBe(0);
    const seen = await ran(since);
    expect(seen.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(["check", "domain", "generated", "materialized"]),
    );
    expect(seen.filter(({ roles }) => roles.some((role) => role !== HOSTILE_ROLE))).toEqual([]);
    expect(await proofs()).toEqual([]);
  });

  test("that locks a table holds up its own schema alone, which is told by name", async () => {
    const sql = `BEGIN; LOCK TABLE ${HOSTILE_ROLE}.h_rule IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600);`;
    const locked = asHostile(sql).catch(() => undefined);
    await sleep(2000);
    const { code, stderr } = await stack.autollm("backup");
    expect(code).toBe(1);
    expect(stderr).toContain(`schema ${HOSTILE_ROLE}: ${HOSTILE_ROLE}.h_rule is locked by role ${HOSTILE_ROLE}`);
    expect((await stack.autollm("backup", "--list")).stdout).toMatch(/, partial$/m);
    await docker(
      "exec",
      postgres,
      "psql",
      "-h",
      "/tmp",
      "-U",
      "postgres",
      "-Atc",
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()",
    );
    await locked;
    const list = JSON.parse((await stack.autollm("backup", "--list", "--json")).stdout) as {
      id: string;
      partial: boolean;
    }[];
    const partial = list.findLast((each) => each.partial)?.id ?? "";
    const refused = await stack.autollm("restore", partial);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(`--without ${HOSTILE_ROLE}`);
    const restored = await stack.autollm("restore", partial, "--without", HOSTILE_ROLE);
    expect(restored.code, restored.stderr).toBe(0);
  });

  test.each(["SIGTERM", "SIGKILL"] as const)(
    "leaves nothing in plain text when a backup is ended by %s",
    async (signal) => {
      const backup = await stack.container("backup");
      const running = spawn("docker", ["exec", backup, "node", "/app/backup.mjs", "run"], { stdio: "ignore" });
      const ended = new Promise((resolve) => running.once("close", resolve));
      await eventually("restic at work", 60, async () =>
        (await docker("top", backup)).includes("--stdin-filename") ? true : undefined,
      );
      await docker("kill", "--signal", signal, backup);
      await ended;
      await docker("start", backup);
      await eventually("the backup's health", 120, async () =>
        (await docker("inspect", "--format", "{{.State.Health.Status}}", backup)) === "healthy" ? true : undefined,
      );
      expect(
        (await inClear()).split(" ").filter((name) => !["repository", "status.json", "stack.json", ""].includes(name)),
      ).toEqual([]);
      const { code, stderr } = await stack.autollm("backup");
      expect(code, stderr).toBe(0);
    },
  );
});
