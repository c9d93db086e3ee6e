import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { NatsConnection } from "@nats-io/transport-node";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { run } from "../../tools/lib/run.ts";
import { root } from "../../tools/lib/workspace.ts";
import { access } from "./lib/access.ts";
import { eventually, https, login } from "./lib/http.ts";
import { type OldInstallation, oldFiles, oldInstallation } from "./lib/oldInstallation.ts";
import { docker, type TestStack, testStack } from "./lib/stack.ts";

/** Which notes of the program Grafana's database has: by what password and key it was made. */
const NOTES = `const { DatabaseSync } = require("node:sqlite");
  const rows = new DatabaseSync("/saved/grafana/grafana.db", { readOnly: true }).prepare("SELECT name FROM autollm_note ORDER BY name").all();
  console.log(rows.map(({ name }) => name).join());`;

const QUERIES = {
  executions: "SELECT *, quantity::text, price::text FROM executions ORDER BY id",
  positions: "SELECT * FROM positions ORDER BY symbol",
};

describe("an old installation's data", () => {
  let stack: TestStack;
  let old: OldInstallation;
  let said = "";

  const importData = async (...args: readonly string[]) => {
    const result = await stack.autollm("import", old.directory, "--data", ...args);
    said = result.stdout + result.stderr;
    return result;
  };
  const ledger = async () => {
    const client = new Client({
      host: await stack.address("postgres", "postgres"),
      ...{ user: "portfolio_ledger", password: old.secrets.postgres, database: "autollm" },
    });
    await client.connect();
    return client;
  };
  const sql = async (text: string) => {
    const client = await old.postgres();
    await client.query(text).finally(() => client.end());
  };
  const redis = async (...words: readonly string[]) =>
    docker("exec", await stack.container("redis"), "/bin/sh", "/etc/autollm/acl.sh", "cli", ...words);
  /** Every message of a stream, as the server keeps it. */
  const messages = async (nats: NatsConnection, stream: string, last: number) => {
    const found: unknown[] = [];
    for (let seq = 1; seq <= last; seq++) {
      const answer = await nats.request(`$JS.API.STREAM.MSG.GET.${stream}`, JSON.stringify({ seq }), {
        timeout: 10_000,
      });
      found.push(answer.json<{ message?: object }>().message ?? null);
    }
    return found;
  };
  /** Starts the command, and kills it and what it started a moment after it says that it begins a step. */
  const killedAt = async (moment: string) => {
    const args = ["import", old.directory, "--data", "--yes", "--stack", stack.name];
    const env = { ...process.env, AUTOLLM_HOME: stack.home };
    const child = spawn("./autollm", args, { cwd: root, env, detached: true, stdio: ["ignore", "ignore", "pipe"] });
    const ended = once(child, "close");
    let [words, begun] = ["", false];
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      words += chunk;
      if (begun) return;
      begun = words.includes(`... ${moment}`);
      if (begun) setTimeout(() => process.kill(-(child.pid ?? 0), "SIGKILL"), 2000);
    });
    const [code, signal] = (await ended) as [number | null, string | null];
    expect([code, signal], words).toEqual([null, "SIGKILL"]);
  };
  // Right after its start the stack makes its first backup.
  const backups = () =>
    eventually("a list of the backups", 60, async () => {
      const { code, stdout } = await stack.autollm("backup", "--list", "--json");
      return code === 0 ? (JSON.parse(stdout) as unknown[]) : undefined;
    });
  const database = async () => {
    const client = await ledger();
    const { rows } = await client.query<{ oid: string }>("SELECT oid FROM pg_database WHERE datname = 'autollm'");
    await client.end();
    return rows[0]?.oid;
  };

  beforeAll(async () => {
    [old, stack] = [await oldInstallation(), await testStack("old-data")];
    const secrets = await stack.autollm("import", old.directory);
    expect(secrets.code, secrets.stderr).toBe(0);
    expect(secrets.stderr).toContain("POSTGRES_PASSWORD becomes postgres-portfolio-ledger, encrypted");
    const up = await stack.up();
    expect(up.code, up.stdout + up.stderr).toBe(0);
  });
  afterAll(async () => {
    await stack?.remove();
    await old?.remove();
  });

  test("is refused with every fault at once, before anything changes", async () => {
    const [before, oid] = [await backups(), await database()];
    await docker("start", old.container("gateway_api"));
    await docker("rename", old.container("grafana"), `${old.project}-away`);
    const [env, text] = [join(old.directory, ".env"), readFileSync(join(old.directory, ".env"), "utf8")];
    writeFileSync(env, text.replace(old.secrets.redis, "another-password-of-the-old-redis"));
    await sql("CREATE TABLE notes (id int PRIMARY KEY); ALTER TABLE executions ADD COLUMN about int REFERENCES notes");
    const refused = await importData();
    expect(refused.code).toBe(1);
    expect(said).toMatch(/1 containers of project old-\w+ run that may write or trade: .* stop gateway_api/);
    expect(said).toContain("the old Redis does not answer with the password");
    expect(said).toContain("table executions of portfolio-ledger refers to notes, which nobody owns");
    expect(said).not.toMatch(/another-password/);
    await sql("ALTER TABLE executions DROP COLUMN about; DROP TABLE notes");
    writeFileSync(env, text);
    await docker("rename", `${old.project}-away`, old.container("grafana"));
    await docker("stop", "--time", "1", old.container("gateway_api"));
    expect([await backups(), await database()]).toEqual([before, oid]);
  });

  test("whose secrets are known defaults is refused by their names, and none is printed", async () => {
    const folder = mkdtempSync(join(tmpdir(), "old-weak-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, ".env"), "POSTGRES_PASSWORD=autollm123\nJWT_SECRET=changeme\n");
    const refused = await stack.autollm("import", folder);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("POSTGRES_PASSWORD: is a known default");
    expect(refused.stderr).not.toMatch(/autollm123|changeme/);
    const none = await stack.autollm("import", folder, "--data");
    expect(none.stderr).toMatch(/no container of this directory was found; name one by --project: .*old-/);
  });

  test("that brings code is restored as the tables' owner, whom Postgres refuses it", async () => {
    // Where it was made it may do so: there the one user is a superuser.
    await sql(
      "CREATE FUNCTION attack(int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN COPY (SELECT 1) TO PROGRAM 'touch /tmp/attacked'; RETURN true; END $$",
    );
    await sql("ALTER TABLE positions ADD COLUMN trap int CHECK (attack(trap))");
    const oid = await database();
    const refused = await importData();
    expect(refused.code, said).toBe(1);
    expect(said).toMatch(
      /the old tables of portfolio-ledger cannot be restored as its role portfolio_ledger: .*permission denied to COPY to or from an external program/,
    );
    expect(said).toContain("The stack's data were not changed.");
    const attacked = await run("docker", ["exec", await stack.container("postgres"), "test", "-e", "/tmp/attacked"], {
      allowFailure: true,
    });
    expect(attacked.code).toBe(1);
    expect(await database()).toBe(oid);
    await sql("ALTER TABLE positions DROP COLUMN trap; DROP FUNCTION attack");
  });

  test("is planned with sizes and times, also over SSH, and nothing changes", async () => {
    const [before, oid] = [await backups(), await database()];
    // In the place of ssh, a program that runs what it is given on this machine.
    const bin = mkdtempSync(join(tmpdir(), "old-ssh-"));
    onTestFinished(() => rmSync(bin, { recursive: true }));
    writeFileSync(
      join(bin, "ssh"),
      '#!/bin/sh\nwhile [ "$1" = -o ] || [ "$1" = -p ]; do shift 2; done\n[ "$1" = ops@old.example ] || exit 255\nshift\nexec sh -c "$*"\n',
      { mode: 0o755 },
    );
    vi.stubEnv("PATH", `${bin}:${process.env.PATH}`);
    onTestFinished(() => void vi.unstubAllEnvs());
    const there = await stack.autollm("import", `ssh://ops@old.example:2222${old.directory}`, "--data", "--dry-run");
    vi.unstubAllEnvs();
    expect(there.code, there.stderr).toBe(0);
    const here = await importData("--dry-run");
    expect(here.code, here.stderr).toBe(0);
    expect(there.stdout).toBe(here.stdout);
    expect(here.stdout).toMatch(/table executions +about 1980 rows +[\d.]+ kB +about 1 s +-> schema portfolio_ledger/);
    expect(here.stdout).toMatch(/stream INTENTS/);
    expect(here.stdout).toMatch(/kill switch: data\/kill_switch.flag is set/);
    expect(here.stdout).toMatch(
      /left behind:[\s\S]*table scratchpad, about 1 rows: no service owns it[\s\S]*data\/models/,
    );
    expect([await backups(), await database()]).toEqual([before, oid]);
  });

  test("is moved whole after the command was killed, and compared row by row", async () => {
    for (const moment of ["reading the old data", "restoring Redis"]) await killedAt(moment);
    const done = await importData();
    expect(done.code, said).toBe(0);
    expect(said).not.toContain("DIFFERS");
    for (const secret of Object.values(old.secrets)) expect(said).not.toContain(secret);

    const [from, to] = [await old.postgres(), await ledger()];
    for (const [table, query] of Object.entries(QUERIES)) {
      const [before, after] = [await from.query(query), await to.query(query)];
      expect(after.rows, table).toEqual(before.rows);
      expect(after.rows.length, table).toBe(table === "executions" ? 1980 : 3);
    }
    // What comes next has the next number, and the owner may write.
    const next = await to.query(
      "INSERT INTO executions (order_id, symbol, side, quantity) VALUES ('new', 'SPY', 'buy', 1) RETURNING id",
    );
    expect(next.rows).toEqual([{ id: 2001 }]);
    const { rows } = await to.query(
      "SELECT nspname, relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relname IN ('scratchpad', 'exposure')",
    );
    expect(rows).toEqual([]);
    await Promise.all([from.end(), to.end()]);
  });

  test("has the same keys of Redis that somebody owns", async () => {
    for (const [key, ...ask] of [
      ["market:last:7", "get"],
      ["risk:queue", "lrange", "0", "-1"],
      ["risk:limits", "hget", "symbol"],
    ] as const) {
      const [command = "", ...rest] = ask;
      const line = command === "hget" ? ["hget", key, ...rest] : [command, key, ...rest];
      expect(await redis(...line), key).toBe(await old.redis(...line));
    }
    expect(Number(await redis("ttl", "LIMITER/10.0.0.1/minute"))).toBeGreaterThan(60);
    expect(await redis("exists", "session:1")).toBe("0");
    expect(said).toContain("4 keys of Redis that begin with session:: no service owns them");
    expect(said).toContain("1 keys of Redis in its other databases");
  });

  test("has the same messages, none of which is worked on again", async () => {
    const to = access(stack);
    const password = await docker("exec", await stack.container("nats-streams"), "cat", "/run/secrets/nats-streams");
    const ca = await docker("exec", await stack.container("nats-streams"), "cat", "/run/secrets/nats-ca");
    const [from, now] = [await old.nats(), await to.nats("streams", password, ca, "_INBOX_streams")];
    const [before, after] = [await messages(from, "INTENTS", 40), await messages(now, "INTENTS", 40)];
    expect(after).toEqual(before);
    expect(before.filter((each) => each === null)).toHaveLength(2);
    const info = await now.request("$JS.API.CONSUMER.INFO.INTENTS.risk-manager_llm_intent_proposed", "", {
      timeout: 10_000,
    });
    // The services have begun to work again: what is delivered is newer than what was moved.
    const { config, delivered } = info.json<{
      config: { opt_start_seq: number };
      delivered: { consumer_seq: number; stream_seq: number };
    }>();
    expect(config.opt_start_seq).toBe(41);
    expect(delivered.consumer_seq).toBeLessThanOrEqual(Math.max(delivered.stream_seq - 40, 0));
    expect(said).toContain("stream OLDLOG, 1 messages");
    await Promise.all([from.close(), now.close()]);
  });

  test("has Grafana's own dashboards and users, who keep their passwords, and no provisioned one", async () => {
    const bob = login("bob", "password of bob 1");
    expect((await https(`${stack.url}/grafana/api/user`, { headers: bob })).status).toBe(200);
    const admin = login("admin", await stack.output("grafanaPassword"));
    const mine = await https(`${stack.url}/grafana/api/dashboards/uid/mine`, { headers: admin });
    expect(JSON.parse(mine.body)).toMatchObject({ dashboard: { title: "Mine é" } });
    expect(mine.body).not.toContain("old-prometheus");
    expect((await https(`${stack.url}/grafana/api/dashboards/uid/old-trading`, { headers: admin })).status).toBe(404);
    // Grafana encrypts by the stack's key: a data source with a password can be made.
    const source = { name: "own", type: "mysql", access: "proxy", url: "db", secureJsonData: { password: "x" } };
    const made = await https(`${stack.url}/grafana/api/datasources`, { method: "POST", headers: admin, body: source });
    expect(made.status, made.body).toBe(200);
    const grafana = await stack.container("grafana");
    expect(await docker("exec", await stack.container("backup"), "node", "-e", NOTES)).toBe("password,secret-key");
    expect(await docker("inspect", "--format", "{{.State.Health.Status}}", grafana)).toBe("healthy");
  });

  test("has the files with the right owner, and the kill switch on", async () => {
    const inBackup = async (path: string) =>
      Buffer.from(await docker("exec", await stack.container("backup"), "base64", path), "base64");
    const places = {
      "data/storage/market.duckdb": "/saved/market-data/features.duckdb",
      "data/storage/parquet/day=1/a.parquet": "/saved/market-data/parquet/day=1/a.parquet",
      "reports/2025/weekly report é.html": "/saved/reports/2025/weekly report é.html",
      "reports/latest.csv": "/saved/reports/latest.csv",
    };
    for (const [from, to] of Object.entries(places))
      expect((await inBackup(to)).equals(Buffer.from(oldFiles[from] ?? "")), to).toBe(true);
    expect(
      await docker(
        "exec",
        await stack.container("backup"),
        "stat",
        "-c",
        "%u:%g %a",
        "/saved/market-data/features.duckdb",
      ),
    ).toMatch(/^70104:70104 640$/);
    expect(said).toMatch(/data\/users.json: the stack has no volume app-gateway-api-app-data/);
    const status = await stack.autollm("kill-switch", "status", "--json");
    expect(JSON.parse(status.stdout)).toMatchObject({ on: true });
    expect(await docker("inspect", "--format", "{{.State.Running}}", await stack.container("execution-ib"))).toBe(
      "false",
    );
    // The old installation is as it was.
    expect(readFileSync(join(old.directory, "data/kill_switch.flag"), "utf8")).toContain("weekend");
    expect(await old.redis("dbsize")).toBe("57");
  });
});
