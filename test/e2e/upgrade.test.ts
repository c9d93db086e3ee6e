import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RunResult, run } from "../../tools/lib/run.ts";
import { eventually } from "./lib/http.ts";
import { FORMER_MAJOR, NEWER_MAJOR, newerCheckout, newerImage } from "./lib/newerPostgres.ts";
import { docker, type TestStack, testStack } from "./lib/stack.ts";

/** An image whose `postgres` tells its version and serves no platform: what a broken build would be. */
const BROKEN = "autollm.local/broken-postgres:1";

describe(`a stack that goes from Postgres ${FORMER_MAJOR} to ${NEWER_MAJOR}`, () => {
  const home = mkdtempSync(join(tmpdir(), "autollm-newer-"));
  const clone = join(home, "clone");
  let stack: TestStack;
  let image = "";
  let before = "";
  let formerCluster: string | undefined;

  const env = () => ({ AUTOLLM_HOME: stack.home, CI: "true", PULUMI_COLOR: "never", NO_COLOR: "1" });
  /** Runs a command of the version that has the newer Postgres. */
  const newer = (command: string, ...args: readonly string[]): Promise<RunResult> =>
    run("./autollm", [command, ...args, "--stack", stack.name], { cwd: clone, env: env(), allowFailure: true });
  /** Runs the upgrade, and kills it with all that it has started as soon as it says something. */
  async function killedAt(words: string): Promise<string> {
    const child = spawn("./autollm", ["upgrade", "--stack", stack.name], {
      ...{ cwd: clone, env: { ...process.env, ...env() } },
      ...{ stdio: ["ignore", "ignore", "pipe"], detached: true },
    });
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      said += chunk;
      if (said.includes(words) && child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    });
    await new Promise((resolve) => child.on("close", resolve));
    return said;
  }

  const postgres = () => stack.container("postgres");
  const idOf = async () => docker("inspect", "--format", "{{.Id}}", await postgres());
  const sql = async (text: string) =>
    docker(
      ...["exec", await postgres(), "psql", "--no-psqlrc", "--tuples-only", "--no-align", "--host=/tmp"],
      ...["--username=postgres", "--dbname=autollm", `--command=${text}`],
    );
  const count = () =>
    sql(
      "SELECT count(*) || ' ' || sum(id) || ' ' || md5(string_agg(note, ',' ORDER BY id)) FROM portfolio_ledger.moments",
    );
  /** What a service sees: its own login, over the network. */
  async function asService(text: string): Promise<void> {
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
      await client.query(text);
    } finally {
      await client.end();
    }
  }
  const allHealthy = () =>
    eventually("every container", 240, async () => {
      const filter = ["--filter", `label=autollm.stack=${stack.name}`, "--format", "{{.Names}} {{.Status}}"];
      const lines = (await docker("ps", "--all", ...filter)).split("\n");
      return lines.every((line) => line.includes("(healthy)") || !/ (Up|Restarting)/.test(line)) ? true : undefined;
    });

  beforeAll(async () => {
    await newerCheckout(clone);
    image = await newerImage(clone);
    stack = await testStack("e2e-upgrade");
    const up = await stack.up();
    expect(up.code, up.stdout + up.stderr).toBe(0);
    await asService("CREATE TABLE moments (id int PRIMARY KEY, note text NOT NULL)");
    await asService("INSERT INTO moments SELECT n, 'note ' || n FROM generate_series(1, 5000) n");
    before = await count();
    const archive = await stack.container("wal-archive");
    formerCluster = await eventually("a base backup", 180, async () => {
      const said = await docker("exec", archive, "node", "/app/backup.mjs", "wal-plan", "latest");
      return (JSON.parse(said) as { plan?: { cluster: string } }).plan?.cluster;
    });
  });
  afterAll(async () => {
    await stack?.remove();
    rmSync(home, { recursive: true, force: true });
    await run("docker", ["rmi", "--force", BROKEN], { allowFailure: true });
  });

  test("is refused by `up`, in one line, while Postgres runs on untouched", async () => {
    const id = await idOf();
    const { code, stdout, stderr } = await newer("up");
    expect(code).not.toBe(0);
    // Not the line before it, which shows the script.
    const refused = `has Postgres ${NEWER_MAJOR}, and the volume postgres-data-`;
    const line = `${stdout}${stderr}`.split("\n").find((each) => each.includes(refused)) ?? "";
    expect(line).toContain("postgres: its image");
    expect(line).toContain(`has data of Postgres ${FORMER_MAJOR}, on which that does not start`);
    expect(line).toContain(`./autollm upgrade --stack ${stack.name}`);
    expect(await idOf()).toBe(id);
    expect(await count()).toBe(before);
  });

  test("goes back by itself if the new version does not start: the container, the data and the services", async () => {
    await run("docker", ["build", "--tag", BROKEN, "-"], {
      input: `FROM ${image}\nUSER 0:0\nRUN p=$(command -v postgres) && rm "$p" && printf '#!/bin/sh\\ncase "$*" in *autollm*) echo "no platform for you" >&2; exit 1;; esac\\nexec %s/postgres "$@"\\n' "$(dirname "$(command -v pg_ctl | xargs readlink -f)")" >"$p" && chmod 755 "$p"\nUSER 70:70\n`,
      env: { DOCKER_BUILDKIT: "0" },
    });
    const id = await idOf();
    await stack.pulumi("config", "set", "--path", "autollm:heldImages.postgres", BROKEN);
    const { code, stderr } = await newer("upgrade");
    expect(code, stderr).toBe(1);
    expect(stderr).toMatch(/the new Postgres does not start: .*no platform for you/);
    expect(stderr).toContain(
      `Postgres ${FORMER_MAJOR} runs again on its data, and the services with it. Nothing is lost.`,
    );
    expect(await idOf()).toBe(id);
    expect(await count()).toBe(before);
    await stack.pulumi("config", "rm", "--path", "autollm:heldImages.postgres");
    await allHealthy();
    await asService("INSERT INTO moments VALUES (6000, 'after the way back')");
    before = await count();
  });

  test.each([
    ["while the new cluster is filled", "... filling a new cluster"],
    ["when the clusters have changed places", "... starting Postgres"],
  ])("loses nothing if it is killed %s", async (_, words) => {
    expect(await killedAt(words)).toContain(words);
    // What a container was doing for it ends, or goes on alone.
    await sleep(3000);
    const volume = await docker(
      ...["inspect", "--format", '{{range .Mounts}}{{if eq .Type "volume"}}{{.Name}}{{end}}{{end}}', await postgres()],
    );
    const look = ["--entrypoint", "/bin/sh", image, "-c", "cat /volume/pgdata/PG_VERSION; ls /volume"];
    const seen = await docker(
      "run",
      "--rm",
      "--network",
      "none",
      "--user",
      "70:70",
      "--volume",
      `${volume}:/volume`,
      ...look,
    );
    expect(seen).toMatch(words.includes("filling") ? /^17\n/ : /^18\n(.*\n)*pgdata\.17$/m);
  });

  test("is finished by the same command: every row, the services, and what had been kept", async () => {
    const { code, stderr } = await newer("upgrade");
    expect(code, stderr).toBe(0);
    expect(stderr).toContain(`The cluster of Postgres ${FORMER_MAJOR} is kept in the volume`);
    expect(await sql("SHOW server_version_num")).toMatch(new RegExp(`^${NEWER_MAJOR}`));
    expect(await count()).toBe(before);
    await allHealthy();
    await asService("INSERT INTO moments VALUES (7000, 'after the upgrade')");
    before = await count();
  });

  test("changes nothing when it is typed again, and neither does `up`", async () => {
    const id = await idOf();
    const { code, stderr } = await newer("upgrade");
    expect(code, stderr).toBe(0);
    expect(stderr).toContain("nothing to do");
    const up = await newer("up");
    expect(up.code, up.stdout + up.stderr).toBe(0);
    expect(await idOf()).toBe(id);
  });

  test("is saved and archived as before, and a moment before the upgrade is refused in words", async () => {
    const backup = await newer("backup");
    expect(backup.code, backup.stderr).toBe(0);
    const tested = await newer("backup", "--test");
    expect(tested.code, tested.stderr).toBe(0);
    const archive = await stack.container("wal-archive");
    // Which cluster the archive would restore from.
    const clusterOf = async (at: string) => {
      const said = await docker("exec", archive, "node", "/app/backup.mjs", "wal-plan", at);
      return (JSON.parse(said) as { plan?: { cluster: string } }).plan?.cluster;
    };
    await eventually("that the archive has the new cluster", 240, async () => {
      const [latest, previous] = [await clusterOf("latest"), await clusterOf("previous")];
      return latest !== undefined && previous === formerCluster && latest !== previous ? true : undefined;
    });
    const former = await newer("restore", "--at", "previous");
    expect(former.code).toBe(1);
    expect(former.stderr).toContain(`that moment is of Postgres ${FORMER_MAJOR}`);
    expect(former.stderr).toContain("Nothing was changed.");
    const latest = await newer("restore", "--at", "latest");
    expect(latest.code, latest.stderr).toBe(0);
    expect(await count()).toBe(before);
  });

  test("has room again when the former cluster is removed", async () => {
    const { code, stderr } = await newer("upgrade", "--remove-old");
    expect(code, stderr).toBe(0);
    expect(stderr).toContain(`removed: Postgres ${FORMER_MAJOR}`);
    expect((await newer("upgrade", "--remove-old")).stderr).toContain("no cluster of a former version is kept");
    expect(await count()).toBe(before);
  });
});
