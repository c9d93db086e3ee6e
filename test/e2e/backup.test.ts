import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "@nats-io/transport-node";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { run } from "../../tools/lib/run.ts";
import { eventually, https, login } from "./lib/http.ts";
import { docker, type TestStack, testStack } from "./lib/stack.ts";

/** Containers that hold what is destroyed, each with its volume's path. */
const VOLUMES = {
  postgres: "/var/lib/postgresql/data",
  redis: "/data",
  nats: "/data",
  grafana: "/var/lib/grafana",
  "feature-pipeline": "/data",
  "risk-manager": "/data",
  "backtest-engine": "/reports",
} as const;

const token = () => randomBytes(12).toString("hex");

describe("a backup", () => {
  let stack: TestStack;
  /** What was written and acknowledged, by the row's number. */
  const written = new Map<number, string>();
  let beforeBackup = 0;
  const marks = { redis: token(), nats: token(), grafana: token() };
  let report: string;
  let said: string;

  const file = async (workload: string, path: string) => docker("exec", await stack.container(workload), "cat", path);
  const inBackup = async (script: string) => docker("exec", await stack.container("backup"), "sh", "-euc", script);
  const redis = async (...args: readonly string[]) =>
    docker("exec", await stack.container("redis"), "/bin/sh", "/etc/autollm/acl.sh", "cli", ...args);
  const grafana = async (path: string, body?: unknown) =>
    https(`${stack.url}/grafana/api${path}`, {
      headers: login("admin", await stack.output("grafanaPassword")),
      ...(body === undefined ? {} : { method: "POST", body }),
    });
  const reports = async () =>
    docker("exec", await stack.container("backup"), "sh", "-c", "cd /saved/reports && sha256sum * | sort");
  const streamHolds = async (mark: string) =>
    (
      await run("docker", ["exec", await stack.container("nats"), "grep", "-rqs", mark, "/data"], {
        allowFailure: true,
      })
    ).code === 0;
  const ids = async () =>
    docker("ps", "--no-trunc", "--filter", `label=autollm.stack=${stack.name}`, "--format", "{{.ID}} {{.State}}");

  async function database(): Promise<Client> {
    const client = new Client({
      host: await stack.address("postgres", "postgres"),
      user: "portfolio_ledger",
      password: await file("portfolio-ledger", "/run/secrets/env/POSTGRES_PASSWORD"),
      database: "autollm",
    });
    await client.connect();
    return client;
  }

  async function rows(): Promise<Map<number, string>> {
    const client = await database();
    const found = await client.query<{ id: string; content: string }>("SELECT id, content FROM load ORDER BY id");
    await client.end();
    return new Map(found.rows.map(({ id, content }) => [Number(id), content]));
  }

  /** Publishes a message that the durable stream keeps. */
  async function publish(mark: string): Promise<void> {
    const tls = { ca: await file("reporter", "/run/secrets/files/nats_ca.pem"), checkServerIdentity: () => undefined };
    const connection = await connect({
      servers: `${await stack.address("nats", "nats")}:4222`,
      tls,
      user: "news-ingestor",
      pass: await file("news-ingestor", "/run/secrets/env/NATS_PASSWORD"),
    });
    connection.publish("news.item.created", JSON.stringify({ id: mark, headline: mark, symbol: "SPY" }));
    await connection.flush();
    await connection.close();
  }

  beforeAll(async () => {
    stack = await testStack("backup");
    const up = await stack.up();
    expect(up.code, up.stdout + up.stderr).toBe(0);
    await redis("set", "e2e:mark", marks.redis);
    await publish(marks.nats);
    await eventually("the message in the stream", 30, async () => ((await streamHolds(marks.nats)) ? true : undefined));
    expect((await grafana("/folders", { title: marks.grafana })).status).toBe(200);
    const backtest = await stack.autollm("backtest");
    expect(backtest.code, backtest.stdout + backtest.stderr).toBe(0);
    report = await reports();

    const client = await database();
    await client.query("CREATE TABLE load (id bigint PRIMARY KEY, content text NOT NULL)");
    let writing = true;
    const writer = (async () => {
      for (let id = 1; writing; id++) {
        const content = randomBytes(200).toString("hex");
        await client.query("INSERT INTO load VALUES ($1, $2)", [id, content]);
        written.set(id, content);
      }
    })();
    await sleep(2000);
    beforeBackup = written.size;
    const backup = await stack.autollm("backup", "--json");
    expect(backup.code, backup.stderr).toBe(0);
    said = backup.stdout;
    writing = false;
    await writer;
    await client.end();
  });

  afterAll(async () => {
    await stack.remove();
  });

  test("says its id, size and duration, while somebody writes", () => {
    expect(JSON.parse(said)).toMatchObject({
      id: expect.stringMatching(/^[0-9a-f]{8}$/),
      bytes: expect.any(Number),
      seconds: expect.any(Number),
    });
    expect(beforeBackup).toBeGreaterThan(100);
    expect(written.size).toBeGreaterThan(beforeBackup);
  });

  test("is told to Prometheus, and a restore test that found it whole too", async () => {
    const tested = await stack.autollm("backup", "--test");
    expect(tested.code, tested.stderr).toBe(0);
    expect(tested.stdout).toMatch(/is whole: \d+ tables with \d+ rows are as they were saved/);
    const headers = login("admin", await stack.output("adminPassword"));
    for (const metric of ["backup_last_success_timestamp_seconds", "backup_last_restore_test_timestamp_seconds"])
      await eventually(metric, 60, async () => {
        const { body } = await https(`${stack.url}/prometheus/api/v1/query?query=time()-${metric}`, { headers });
        const { data } = JSON.parse(body) as { data: { result: { value: [number, string] }[] } };
        return Number(data.result[0]?.value[1] ?? 1e9) < 600 ? true : undefined;
      });
  });

  test.each<[string, string, RegExp]>([
    [
      "is damaged",
      'for pack in $(find data -type f); do chmod u+w "$pack"; printf "damage" | dd of="$pack" bs=1 seek=40 conv=notrunc 2>/dev/null; done',
      /cannot be read whole, so it is not restored/,
    ],
    ["lacks a pack", "rm -f $(find data -type f -size +8k)", /cannot be read whole, so it is not restored/],
    [
      "is locked by another key",
      "echo another-key >/tmp/another; restic --repo . --password-file /run/secrets/backup-key --no-cache key passwd --new-password-file /tmp/another",
      /does not open with this stack's backup-key/,
    ],
    [
      "is incomplete",
      "head -c 1024 /dev/zero | restic --repo . --password-file /run/secrets/backup-key --no-cache backup --tag rows=1 --stdin --stdin-filename /snapshot.tar",
      /it has no manifest/,
    ],
  ])("that %s is refused before anything is overwritten", async (_, damage, message) => {
    await inBackup("cp -a /backup/repository /backup/good");
    onTestFinished(
      async () =>
        void (await inBackup(
          "chmod -R u+w /backup/repository; rm -r /backup/repository; mv /backup/good /backup/repository",
        )),
    );
    const before = { ids: await ids(), rows: (await rows()).size };
    await inBackup(`export HOME=/tmp; cd /backup/repository; ${damage}`);
    const { code, stderr } = await stack.autollm("restore", "latest");
    expect(code, stderr).toBe(1);
    expect(stderr).toMatch(message);
    expect(stderr).toContain("Nothing was changed.");
    expect(stderr).not.toContain("    at ");
    expect({ ids: await ids(), rows: (await rows()).size }).toEqual(before);
  });

  test("that does not exist is one clear error", async () => {
    expect((await stack.autollm("restore", "0123abcd")).stderr).toMatch(/0123abcd/);
    expect((await stack.autollm("restore", "yesterday")).code).toBe(64);
  });

  test("brings back every row, key, message and file after all volumes were destroyed", async () => {
    const names = await Promise.all(Object.keys(VOLUMES).map((service) => stack.container(service)));
    const image = await docker("inspect", "--format", "{{.Image}}", await stack.container("backup"));
    const services = (
      await docker("ps", "--filter", `label=autollm.stack=${stack.name}`, "--format", "{{.Names}}")
    ).split("\n");
    const stopped = services.filter((name) => !/^(backup|caddy|prometheus)-/.test(name));
    await docker("stop", ...stopped);
    for (const name of names) {
      const wipe = ["--volumes-from", name, "--user", "0:0", "--entrypoint", "find", image];
      await docker(
        "run",
        "--rm",
        "--network",
        "none",
        ...wipe,
        ...new Set(Object.values(VOLUMES)),
        "-mindepth",
        "1",
        "-delete",
      ).catch((error: unknown) => expect(String(error)).toMatch(/No such file or directory/));
    }
    await docker("start", ...stopped);
    await eventually("an empty database", 60, async () => {
      const client = await database();
      const { rows: found } = await client.query("SELECT to_regclass('load') AS load");
      await client.end();
      return found[0]?.load === null ? true : undefined;
    });
    expect(await redis("get", "e2e:mark")).toBe("");
    expect(await streamHolds(marks.nats)).toBe(false);

    expect((await stack.autollm("kill-switch", "on", "--reason", "the volumes are gone")).code).toBe(0);
    const { code, stderr } = await stack.autollm("restore", "latest");
    expect(code, stderr).toBe(0);
    // The backup is of a time when it was not set.
    expect((await stack.autollm("kill-switch", "status")).code).toBe(2);
    expect((await stack.autollm("kill-switch", "off", "--yes")).code).toBe(0);

    const found = await rows();
    expect(found.size).toBeGreaterThanOrEqual(beforeBackup);
    expect([...found].filter(([id, content]) => written.get(id) !== content)).toEqual([]);
    expect([...found.keys()]).toEqual([...found.keys()].map((_, index) => index + 1));
    expect(await redis("get", "e2e:mark")).toBe(marks.redis);
    expect(await streamHolds(marks.nats)).toBe(true);
    await eventually("Grafana", 60, async () => ((await grafana("/health")).status === 200 ? true : undefined));
    expect((await grafana("/folders")).body).toContain(marks.grafana);
    expect(await reports()).toBe(report);
  });

  test("restored, leaves nothing for an up to change, and an order goes its whole way again", async () => {
    const { code } = await stack.autollm("up");
    expect(code).toBe(0);
    expect(await stack.pulumi("preview", "--expect-no-changes")).toMatch(/\d+ unchanged/);
    const client = await database();
    const fills = async () => Number((await client.query("SELECT count(*) FROM fills")).rows[0]?.count);
    const before = await fills();
    await eventually("a new fill in the restored ledger", 90, async () =>
      (await fills()) > before ? true : undefined,
    );
    await client.end();
  });

  test("takes a new key when the owner supplies one with the former, and the former opens it no more", async () => {
    const former = await stack.output("backupKey");
    const list = async () => JSON.parse((await stack.autollm("backup", "--list", "--json")).stdout) as { id: string }[];
    const before = (await list()).map(({ id }) => id);
    await stack.pulumi("config", "set", "--secret", "backup-key", randomBytes(32).toString("hex"));
    await stack.pulumi("config", "set", "--secret", "backup-key-previous", former);
    const up = await stack.autollm("up");
    expect(up.code, up.stdout).toBe(0);
    expect((await list()).map(({ id }) => id)).toEqual(expect.arrayContaining(before));
    const byFormer = (what: string) =>
      inBackup(
        `restic --repo /backup/repository --password-file /run/secrets/backup-key-previous --no-cache --no-lock ${what}`,
      );
    // The daemon has let the present key in, and lets the former out just after that.
    await vi.waitFor(() => expect(byFormer("cat config")).rejects.toThrow(/wrong password/), {
      timeout: 60_000,
      interval: 2000,
    });
    // What a process leaves that was killed between the two: both keys are valid, and a lock. The next opening finishes it.
    const restic = "restic --repo /backup/repository --password-file /run/secrets/backup-key --no-cache";
    await inBackup(
      `export HOME=/tmp; ${restic} key add --new-password-file /run/secrets/backup-key-previous
      sleep 20 | ${restic} backup --stdin & sleep 8; kill -9 $!`,
    );
    expect(await inBackup(`${restic} list locks --no-lock`)).toMatch(/^[0-9a-f]{64}$/m);
    await byFormer("cat config");
    await stack.autollm("backup");
    await expect(byFormer("cat config")).rejects.toThrow(/wrong password/);
  });

  test("is not needed for a protected volume: a destroy alone removes nothing, and it takes a second, explicit step", async () => {
    const urns = (await stack.pulumi("stack", "--show-urns"))
      .split("\n")
      .flatMap((line) => /urn:\S+docker:index\/volume:Volume::\S+/.exec(line) ?? []);
    expect(urns.length).toBeGreaterThan(8);
    // What the program declares for production (test/unit/program.test.ts) is marked by hand here, where it is for trying out.
    await stack.pulumi("state", "protect", ...urns, "--yes");
    const before = await ids();
    const destroyed = await stack.autollm("down");
    expect(destroyed.code).toBe(1);
    expect(destroyed.stdout + destroyed.stderr).toMatch(/protect/);
    expect(await ids()).toBe(before);
    await stack.pulumi("state", "unprotect", ...urns, "--yes");
    const removed = await stack.autollm("down");
    expect(removed.code, removed.stdout + removed.stderr).toBe(0);
    const left = await docker("volume", "ls", "--quiet", "--filter", `label=autollm.stack=${stack.name}`);
    expect(left, removed.stdout + removed.stderr).toBe("");
  });
});
