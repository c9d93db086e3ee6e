import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run } from "../../tools/lib/run.ts";
import { eventually } from "./lib/http.ts";
import { S3Server } from "./lib/s3Server.ts";
import { docker, type TestStack } from "./lib/stack.ts";

const token = () => randomBytes(16).toString("hex");
/** What the archive promises, with the tests' own look every few seconds. */
const AT_RISK_S = 60;

describe("Postgres's log", () => {
  const mark = `plain-${token()}`;
  let stack: TestStack;
  let place: S3Server;

  const inArchive = async (script: string) =>
    docker("exec", await stack.container("wal-archive"), "sh", "-euc", script);
  async function metric(name: string): Promise<number> {
    const page = await inArchive("wget -q -O - http://127.0.0.1:9182/metrics");
    return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(page)?.[1] ?? Number.NaN);
  }
  async function ask<Row extends object>(sql: string): Promise<Row[]> {
    const client = new Client({
      host: await stack.address("postgres", "postgres"),
      user: "portfolio_ledger",
      password: await docker(
        ...["exec", await stack.container("portfolio-ledger"), "cat", "/run/secrets/env/POSTGRES_PASSWORD"],
      ),
      database: "autollm",
    });
    await client.connect();
    try {
      return (await client.query<Row>(sql)).rows;
    } finally {
      await client.end();
    }
  }
  const count = async () => Number((await ask<{ count: string }>("SELECT count(*) FROM moments"))[0]?.count);
  const baseBackups = () => inArchive("ls /archive/repository/*/base | grep -c '[.]tar[.]gz$' || true").then(Number);

  beforeAll(async () => {
    place = await S3Server.start();
    stack = await place.makeStack("e2e-wal");
    const up = await stack.up();
    expect(up.code, up.stdout + up.stderr).toBe(0);
    await eventually("a base backup", 180, async () => ((await baseBackups()) > 0 ? true : undefined));
    await ask("CREATE TABLE moments (id int PRIMARY KEY, note text NOT NULL)");
  });
  afterAll(async () => {
    await stack?.remove();
    place?.remove();
  });

  test("is stored and sent within a minute of a commit, while little is written", async () => {
    // What was written while the stack started waited for the first base backup.
    for (const what of ["unstored", "unsent"])
      await eventually(`${what} log is little`, 180, async () =>
        (await metric(`wal_archive_${what}_seconds`)) < AT_RISK_S ? true : undefined,
      );
    for (let id = 0; id < 20; id++) {
      await ask(`INSERT INTO moments VALUES (${id}, '${mark}')`);
      await sleep(3000);
      expect(await metric("wal_archive_unstored_seconds")).toBeLessThan(AT_RISK_S);
      expect(await metric("wal_archive_unsent_seconds")).toBeLessThan(AT_RISK_S);
    }
    expect((await place.keys("wal")).length).toBeGreaterThan(0);
  });

  test("lies nowhere in plain text, and opens with no other key", async () => {
    expect(await inArchive(`grep -rl ${mark} /archive/repository | wc -l`)).toBe("0");
    const { stdout } = await run("grep", ["-rl", mark, place.data], { allowFailure: true });
    expect(stdout).toBe("");
    const wrong = `printf wrong-key-of-a-thief | rclone obscure - > /tmp/wrong
      export RCLONE_CONFIG= RCLONE_CONFIG_X_TYPE=crypt RCLONE_CONFIG_X_REMOTE=/archive/repository RCLONE_CONFIG_X_SUFFIX=none
      export RCLONE_CONFIG_X_FILENAME_ENCRYPTION=off RCLONE_CONFIG_X_DIRECTORY_NAME_ENCRYPTION=false
      export RCLONE_CONFIG_X_PASSWORD=$(cat /tmp/wrong)
      cd /archive/repository && rclone cat "x:$(ls -d */base/*.gz | head -n 1)" | wc -c`;
    expect(await inArchive(wrong)).toBe("0");
    const name = await stack.container("wal-archive");
    const key = await docker("exec", name, "cat", "/run/secrets/backup-key");
    expect(await docker("inspect", name)).not.toContain(key);
    expect(await docker("logs", name)).not.toContain(key);
  });

  test("is restored to a moment as a test, which reads every row, runs no code as a superuser, and notices damage", async () => {
    // Postgres evaluates it as it plans any query of the table, with the rights of the asking role.
    await ask(`CREATE FUNCTION hostile_one() RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN
        IF current_setting('is_superuser') = 'on' THEN RAISE EXCEPTION 'a superuser runs my code'; END IF;
        RETURN 1;
      END $$`);
    await ask("CREATE INDEX hostile ON moments (id) WHERE hostile_one() > 0");
    await ask("INSERT INTO moments SELECT n, 'before the moment' FROM generate_series(30000, 30029) n");
    // The moment of the test is a minute before the newest commit that is stored, and has to come after this.
    await sleep(120_000);
    await ask(`INSERT INTO moments VALUES (5555, 'the newest')`);
    await sleep(60_000);
    const tested = async () => {
      const { code, stdout, stderr } = await stack.autollm("backup", "--test", "--json");
      return { code, stderr, said: code === 0 ? (JSON.parse(stdout) as { pointInTime: { rows: number } }) : undefined };
    };
    const whole = await tested();
    expect(whole.code, whole.stderr).toBe(0);
    expect(whole.said?.pointInTime.rows).toBeGreaterThanOrEqual(30);
    expect(await metric("wal_archive_last_restore_test_success")).toBe(1);
    expect(await docker("exec", await stack.container("restore-test"), "ls", "-A", "/scratch")).toBe("");

    const newest = "base=$(ls -t /archive/repository/*/base/*.tar.gz | head -n 1)";
    await inArchive(`${newest}; cp "$base" /archive/whole; truncate -s 5000 "$base"`);
    const damaged = await tested();
    expect(damaged.code).toBe(1);
    expect(await metric("wal_archive_last_restore_test_success")).toBe(0);
    await inArchive(`${newest}; mv /archive/whole "$base"`);
    expect((await tested()).code).toBe(0);
    await ask("DROP INDEX hostile");
  });

  test("brings back the second before a DROP TABLE, and nothing else is lost", async () => {
    await ask(`INSERT INTO moments VALUES (7777, 'one second before')`);
    const rows = await count();
    await sleep(1000);
    const at = new Date().toISOString();
    await sleep(1000);
    await ask("DROP TABLE moments");
    const made = await baseBackups();
    const restored = await stack.autollm("restore", "--at", at);
    expect(restored.code, restored.stderr).toBe(0);
    expect(await count()).toBe(rows);
    expect(await ask("SELECT note FROM moments WHERE id = 7777")).toEqual([{ note: "one second before" }]);
    // The log goes on, on a timeline of its own.
    await eventually("another base backup", 120, async () => ((await baseBackups()) > made ? true : undefined));
    await ask("INSERT INTO moments VALUES (8888, 'after the restore')");
    const latest = await stack.autollm("restore", "--at", "latest");
    expect(latest.code, latest.stderr).toBe(0);
    expect(await count()).toBe(rows + 1);
  });

  test("is not restored to a moment that is not there, which is told before anything changes", async () => {
    const before = await docker("inspect", "--format", "{{.State.StartedAt}}", await stack.container("postgres"));
    for (const at of ["2000-01-01T00:00:00Z", "2100-01-01T00:00:00Z"]) {
      const refused = await stack.autollm("restore", "--at", at);
      expect(refused.code).toBe(1);
      expect(refused.stderr).toMatch(/cannot be restored. What can: 20\d\d-.*Z to 20\d\d-.*Z/);
      expect(refused.stderr).toContain("Nothing was changed.");
    }
    const mistyped = await stack.autollm("restore", "--at", "yesterday");
    expect(mistyped.stderr).toContain("write a time with its zone");
    const after = await docker("inspect", "--format", "{{.State.StartedAt}}", await stack.container("postgres"));
    expect(after).toBe(before);
  });

  test("waits while the second place is away, and is sent afterwards; nothing stops", async () => {
    place.stop();
    for (let id = 10_000; id < 10_012; id++) {
      await ask(`INSERT INTO moments VALUES (${id}, '${mark}')`);
      await sleep(5000);
    }
    expect(await metric("wal_archive_unsent_bytes")).toBeGreaterThan(0);
    expect(await metric("wal_archive_unstored_seconds")).toBeLessThan(AT_RISK_S);
    const rows = await count();
    place.serve();
    await eventually("that all is sent", 180, async () =>
      (await metric("wal_archive_unsent_bytes")) === 0 ? true : undefined,
    );
    expect(await count()).toBe(rows);
  });

  test("survives that its program is killed, without a gap", async () => {
    const name = await stack.container("wal-archive");
    await docker("kill", "--signal", "SIGKILL", name);
    await ask(`INSERT INTO moments VALUES (20000, 'while it was dead')`);
    await docker("start", name);
    await ask("DELETE FROM moments WHERE id = 20000");
    const rows = await count();
    const latest = await stack.autollm("restore", "--at", "latest");
    expect(latest.code, latest.stderr).toBe(0);
    expect(await count()).toBe(rows);
    expect(await metric("wal_archive_lost_total")).toBe(0);
  });

  test("is continued after a restore that was cut short between two clusters", async () => {
    const rows = await count();
    const postgres = await stack.container("postgres");
    await docker("stop", postgres);
    const volume = await docker(
      ...["inspect", "--format", '{{range .Mounts}}{{if eq .Type "volume"}}{{.Name}}{{end}}{{end}}', postgres],
    );
    const image = await docker("inspect", "--format", "{{.Image}}", postgres);
    const move = ["--entrypoint", "mv", image, "/volume/pgdata", "/volume/pgdata.replaced"];
    await docker("run", "--rm", "--network", "none", "--user", "70:70", "--volume", `${volume}:/volume`, ...move);
    await docker("start", postgres);
    await eventually("Postgres", 120, async () =>
      (await docker("inspect", "--format", "{{.State.Health.Status}}", postgres)) === "healthy" ? true : undefined,
    );
    expect(await count()).toBe(rows);
  });
});
