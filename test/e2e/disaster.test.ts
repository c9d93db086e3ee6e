import { randomBytes } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { root } from "../../tools/lib/workspace.ts";
import { tellTable } from "./lib/faults.ts";
import { eventually, https } from "./lib/http.ts";
import { S3Server } from "./lib/s3Server.ts";
import { destroyByHand, docker, remains, type TestStack } from "./lib/stack.ts";

/** A commit as the client saw it: when it was sent, and when it was accepted. */
interface Commit {
  readonly id: number;
  readonly accepted: number;
}

/** What a lost host takes with it of Postgres, at most: seconds (docs/backup.md), and the archive's own look every few. */
const AT_RISK_S = 60;

async function ledger(stack: TestStack): Promise<Client> {
  const password = await docker(
    ...["exec", await stack.container("portfolio-ledger"), "cat", "/run/secrets/env/POSTGRES_PASSWORD"],
  );
  const host = await stack.address("postgres", "postgres");
  const client = new Client({ host, user: "portfolio_ledger", password, database: "autollm" });
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

/** Commits twice a second until it is stopped, or the server is gone. */
function committing(client: Client): { stop(): Promise<readonly Commit[]> } {
  const commits: Commit[] = [];
  let stopped = false;
  const work = (async () => {
    for (let id = 0; !stopped; id++) {
      await client.query("INSERT INTO commits VALUES ($1)", [id]);
      commits.push({ id, accepted: Date.now() });
      await sleep(500);
    }
  })().catch(() => undefined);
  return {
    async stop() {
      stopped = true;
      await work;
      return commits;
    },
  };
}

describe("a host that is lost with everything on it", () => {
  let place: S3Server;
  let stack: TestStack;
  let folder: string;
  let kit: string;

  beforeAll(async () => {
    place = await S3Server.start();
    folder = mkdtempSync(join(tmpdir(), "safe-of-a-test-"));
    kit = join(folder, "kit");
    stack = await place.makeStack("e2e-disaster");
    const up = await stack.up();
    expect(up.code, up.stdout + up.stderr).toBe(0);
  });
  afterAll(async () => {
    await stack?.remove();
    place?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  /** The new cluster's own log must be known first. */
  const previousCommit = () =>
    eventually("the former cluster's last commit", 180, async () => {
      const restored = await stack.autollm("restore", "--at", "previous");
      return restored.code === 0 || !/cannot be restored/.test(restored.stderr) ? restored : undefined;
    });

  test("its recovery kit is written by one command, and is told from one that is out of date", async () => {
    const refused = await stack.autollm("recovery-kit", root);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("is inside the clone");
    const made = await stack.autollm("recovery-kit", kit);
    expect(made.code, made.stderr).toBe(0);
    expect(statSync(join(kit, "backup-key")).mode & 0o777).toBe(0o600);
    const key = readFileSync(join(kit, "backup-key"), "utf8").trim();
    expect(key).toBe(await stack.output("backupKey"));
    expect(made.stdout + made.stderr).not.toContain(key);
    expect((await stack.autollm("recovery-kit", "--check", kit)).code).toBe(0);
    await stack.pulumi("config", "set", "--path", "backup.everyHours", "2");
    const differs = await stack.autollm("recovery-kit", "--check", kit);
    expect(differs.code).toBe(2);
    expect(differs.stdout).toContain(`Pulumi.${stack.name}.yaml is not the stack's present one`);
    await stack.pulumi("config", "rm", "--path", "backup.everyHours");
    expect((await stack.autollm("recovery-kit", kit)).code).toBe(0);
    expect((await stack.autollm("recovery-kit", "--check", kit)).code).toBe(0);
    const page = await docker(
      ...["exec", await stack.container("backup"), "wget", "-q", "-O", "-", "http://127.0.0.1:9180/metrics"],
    );
    expect(page).toMatch(/^backup_recovery_kit_current 1$/m);
  });

  test("comes back from the second place and the kit alone, without more than a minute of commits", async () => {
    const client = await ledger(stack);
    await client.query("CREATE TABLE commits (id int PRIMARY KEY)");
    const archive = await stack.container("wal-archive");
    const figure = async (name: string) => {
      const page = await docker("exec", archive, "wget", "-q", "-O", "-", "http://127.0.0.1:9182/metrics");
      return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(page)?.[1] ?? Number.NaN);
    };
    await eventually("a base backup in the second place", 240, async () =>
      (await place.keys("wal")).some((name) => name.includes("/base/")) ? true : undefined,
    );
    await eventually("little unsent log", 240, async () =>
      (await figure("wal_archive_unsent_seconds")) < AT_RISK_S ? true : undefined,
    );
    const backup = await stack.autollm("backup", "--json");
    expect(backup.code, backup.stderr).toBe(0);
    expect(JSON.parse(backup.stdout)).not.toHaveProperty("copyFailed");

    const load = committing(client);
    // Longer than the log's segments stay open, by some part of one.
    await sleep(45_000 + Math.random() * 30_000);
    await destroyByHand(stack);
    const gone = Date.now();
    const commits = await load.stop();
    await client.end().catch(() => undefined);
    expect(await remains(stack.name)).toEqual([]);

    // A new machine: the clone, the kit, and the second place.
    mkdirSync(stack.home, { recursive: true, mode: 0o700 });
    for (const name of ["passphrase", `Pulumi.${stack.name}.yaml`]) cpSync(join(kit, name), join(stack.home, name));
    const key = readFileSync(join(kit, "backup-key"), "utf8").trim();
    await stack.init();
    await stack.pulumi("config", "set", "--secret", "backup-key", key);
    const up = await stack.up();
    expect(up.code, up.stdout + up.stderr).toBe(0);
    const running = Date.now();
    const fetched = await stack.autollm("backup", "--fetch");
    expect(fetched.code, fetched.stderr).toBe(0);
    const id = /the newest that was fetched: ([0-9a-f]{8})/.exec(fetched.stderr)?.[1] ?? "";
    const whole = await stack.autollm("restore", id, "--yes");
    expect(whole.code, whole.stderr).toBe(0);
    const last = await previousCommit();
    expect(last.code, last.stderr).toBe(0);
    const health = await https(`${stack.url}/health`);
    expect(health.status).toBe(200);
    const back = Date.now();

    const there = await ledger(stack);
    const { rows } = await there.query<{ id: number }>("SELECT id FROM commits ORDER BY id");
    await there.end();
    const kept = new Set(rows.map((row) => row.id));
    const lost = commits.filter(({ id: each }) => !kept.has(each));
    const oldest = lost[0]?.accepted ?? gone;
    const missing = (gone - oldest) / 1000;
    // What is there has no gap: a commit is missing only after the last one that was stored.
    expect(rows.map((row) => row.id)).toEqual(rows.map((_, index) => index));
    expect(missing).toBeLessThan(AT_RISK_S);
    const state = await stack.autollm("status", "--json");
    expect(JSON.parse(state.stdout)).toHaveProperty("workloads");
    tellTable(
      "test/e2e/disaster.test.ts",
      [
        "| what | seconds |",
        "|---|---|",
        `| data loss in Postgres (RPO): the commits of the last | ${missing.toFixed(0)} |`,
        `| recovery time (RTO) to a new platform that runs, images present | ${((running - gone) / 1000).toFixed(0)} |`,
        `| recovery time (RTO) to the platform with its data | ${((back - gone) / 1000).toFixed(0)} |`,
      ].join("\n"),
      "disaster.md",
    );
  });

  test("a lost backend's state comes from a backup, and differs from the platform in nothing", async () => {
    const saved = await stack.autollm("backup");
    expect(saved.code, saved.stderr).toBe(0);
    rmSync(join(stack.home, "state"), { recursive: true, force: true });
    await stack.init();
    const file = join(folder, "state.json");
    const restored = await stack.autollm("restore", "latest", "--state", file);
    expect(restored.code, restored.stderr).toBe(0);
    await stack.pulumi("stack", "import", "--file", file);
    const preview = await stack.pulumi("preview", "--expect-no-changes");
    expect(preview).toMatch(/\d+ unchanged/);
  });

  test("deleted volumes come back from a backup, and a removed container by the next update", async () => {
    const redis = async (...args: readonly string[]) =>
      docker("exec", await stack.container("redis"), "/bin/sh", "/etc/autollm/acl.sh", "cli", ...args);
    const query = async (sql: string) => {
      const client = await ledger(stack);
      const { rows } = await client.query<{ id: number }>(sql);
      await client.end();
      return rows.map(({ id }) => id);
    };
    const newest = async () => (await query("SELECT max(id) AS id FROM commits"))[0] ?? -1;
    const before = await newest();
    const mark = randomBytes(12).toString("hex");
    await redis("set", "e2e:mark", mark);
    const saved = await stack.autollm("backup");
    expect(saved.code, saved.stderr).toBe(0);

    const grafana = await stack.container("grafana");
    await docker("rm", "--force", grafana);
    const shown = await stack.autollm("preview");
    expect(shown.stderr).toContain("container grafana");
    const again = await stack.up();
    expect(again.code, again.stdout + again.stderr).toBe(0);
    expect(await stack.container("grafana")).not.toBe(grafana);

    await query(`INSERT INTO commits VALUES (${before + 1})`);
    await sleep(AT_RISK_S * 1000);
    const gone = ["postgres-data", "redis-data"];
    for (const name of gone) {
      const volume = await docker("volume", "ls", "--quiet", "--filter", `label=autollm.stack=${stack.name}`).then(
        (names) => names.split("\n").find((each) => each.startsWith(`${name}-`)) ?? "",
      );
      const users = await docker("ps", "--all", "--quiet", "--filter", `volume=${volume}`);
      await docker("rm", "--force", ...users.split("\n"));
      await docker("volume", "rm", volume);
    }
    const refused = await stack.up();
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(gone.map((name) => `--new-volume ${name}`).join(" "));
    const drift = await stack.autollm("drift");
    expect(drift.code).toBe(2);
    for (const name of gone) expect(drift.stdout).toContain(`volume ${name}: removed by hand`);
    const up = await stack.autollm("up", ...gone.flatMap((name) => ["--new-volume", name]));
    expect(up.code, up.stdout + up.stderr).toBe(0);
    expect(await redis("get", "e2e:mark")).toBe("");
    const restored = await stack.autollm("restore", "latest", "--yes");
    expect(restored.code, restored.stderr).toBe(0);
    expect(await redis("get", "e2e:mark")).toBe(mark);
    expect(await newest()).toBe(before);
    const last = await previousCommit();
    expect(last.code, last.stderr).toBe(0);
    expect(await newest()).toBe(before + 1);
    expect((await https(`${stack.url}/health`)).status).toBe(200);
  });
});
