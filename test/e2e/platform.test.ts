import { existsSync, readdirSync, readFileSync, statfsSync } from "node:fs";
import { join, relative } from "node:path";
import { connect } from "@nats-io/transport-node";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { edgeTargets } from "../../components/observability/blackbox.ts";
import { hostFiles } from "../../components/observability/nodeExporter.ts";
import { serviceNames, services } from "../../components/platform/catalogue.ts";
import { isKillSwitchDirectory } from "../../components/platform/killSwitch.ts";
import { run } from "../../tools/lib/run.ts";
import { root } from "../../tools/lib/workspace.ts";
import { eventually, https, login } from "./lib/http.ts";
import { reachOfEach } from "./lib/neighbours.ts";
import { docker, remains, type TestStack, testStack } from "./lib/stack.ts";
import { token } from "./lib/trading.ts";

/** Every secret value of the stack's state, by the paths of the engine's own marks. */
function secretsIn(value: unknown, secret = false): string[] {
  if (typeof value === "string") return secret && value.length >= 8 ? [value] : [];
  if (Array.isArray(value)) return value.flatMap((item) => secretsIn(item, secret));
  if (typeof value !== "object" || value === null) return [];
  const marked = "4dabf18193072939515e22adb298388d" in value;
  if (marked && "plaintext" in value) return secretsIn(JSON.parse(String(value.plaintext)), true);
  return Object.values(value).flatMap((item) => secretsIn(item, secret || marked));
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

describe("the local stack", () => {
  let stack: TestStack;
  let secrets: readonly string[];
  let firstUp: string;

  beforeAll(async () => {
    stack = await testStack("e2e");
    const up = await stack.up();
    firstUp = up.stdout + up.stderr;
    expect(up.code, firstUp).toBe(0);
    const state: unknown = JSON.parse(await stack.pulumi("stack", "export", "--show-secrets"));
    secrets = [...new Set(secretsIn(state))];
  });

  afterAll(async () => {
    await stack.remove();
  });

  const file = async (workload: string, path: string) => docker("exec", await stack.container(workload), "cat", path);

  test("a second up changes nothing and says so, and so does the engine", async () => {
    const { code, stdout, stderr } = await stack.autollm("up");
    expect(code).toBe(0);
    expect(stderr).toContain("nothing changes: ");
    expect(stdout).not.toContain("Resources:");
    const preview = await stack.autollm("preview");
    expect(preview.stderr).toContain("nothing changes: ");
    const engine = await stack.autollm("preview", "--diff");
    expect(engine.stdout).toMatch(/Resources:\s+\d+ unchanged/);
  });

  test("a refresh finds nothing that differs from the world", async () => {
    const stdout = await stack.pulumi("preview", "--refresh", "--expect-no-changes");
    expect(stdout).toMatch(/\d+ unchanged/);
  });

  /** The jobs for which a metric is 1. */
  async function jobsWith(metric: string): Promise<string[]> {
    const headers = login("admin", await stack.output("adminPassword"));
    const { body } = await https(`${stack.url}/prometheus/api/v1/query?query=${metric}`, { headers });
    const { data } = JSON.parse(body) as { data: { result: { metric: { job: string }; value: [number, string] }[] } };
    return data.result.filter(({ value }) => value[1] === "1").map(({ metric: { job } }) => job);
  }

  test("all services are healthy and every one of them is scraped", async () => {
    const expected = Object.entries(services).flatMap(([name, { port }]) => (port === null ? [] : [name]));
    await eventually("every target up", 60, async () => {
      const up = await jobsWith("up");
      return expected.every((name) => up.includes(name)) ? up : undefined;
    });
  });

  test("at the edge each route answers, and each admin page stays closed, as the probes see it", async () => {
    const expected = edgeTargets([{ name: "localhost" }]).map(({ job }) => job);
    await eventually("every probe content", 120, async () => {
      const content = await jobsWith("probe_success");
      return expected.every((job) => content.includes(job)) ? content : undefined;
    });
  });

  test("Grafana takes the generated password, and neither admin/admin nor a visitor without a login", async () => {
    const url = `${stack.url}/grafana/api/org`;
    const answer = await https(url, { headers: login("admin", await stack.output("grafanaPassword")) });
    expect(answer.status).toBe(200);
    expect((await https(url, { headers: login("admin", "admin") })).status).toBe(401);
    expect((await https(url)).status).toBe(401);
  });

  test("Grafana's dashboard is there and its data source answers", async () => {
    const headers = login("admin", await stack.output("grafanaPassword"));
    const dashboard = await https(`${stack.url}/grafana/api/dashboards/uid/trading-operations`, { headers });
    expect(dashboard.status).toBe(200);
    const query = { refId: "A", expr: "count(up)", instant: true, datasource: { uid: "prometheus" } };
    const data = await https(`${stack.url}/grafana/api/ds/query`, {
      method: "POST",
      headers,
      body: { queries: [query], from: "now-5m", to: "now" },
    });
    expect(data.status, data.body).toBe(200);
    expect(data.body).toContain('"frames"');
  });

  test("Prometheus is behind a login", async () => {
    const url = `${stack.url}/prometheus/api/v1/query?query=up`;
    expect((await https(url)).status).toBe(401);
    expect((await https(url, { headers: login("admin", "admin") })).status).toBe(401);
  });

  test("Redis refuses a client without a password", async () => {
    const redis = await stack.container("redis");
    const password = await file("gateway-api", "/run/secrets/env/REDIS_PASSWORD");
    const cli = (...args: string[]) =>
      docker("exec", "--env", `REDISCLI_AUTH=${password}`, redis, "redis-cli", ...args);
    expect(await docker("exec", redis, "redis-cli", "ping")).toContain("NOAUTH");
    expect(await cli("ping")).toMatch(/NOAUTH|WRONGPASS/);
    expect(await cli("--user", "gateway-api", "ping")).toBe("PONG");
    expect(await cli("--user", "gateway-api", "hgetall", "risk:holdings")).toContain("NOPERM");
  });

  test("Postgres refuses a wrong password, another service's tables, and the superuser from the network", async () => {
    const host = await stack.address("postgres", "postgres");
    const attempt = async (user: string, password: string, sql: string): Promise<string> => {
      const client = new Client({ host, user, password, database: "autollm" });
      try {
        await client.connect();
        await client.query(sql);
        return "accepted";
      } catch (error) {
        return String(error);
      } finally {
        await client.end().catch(() => undefined);
      }
    };
    const reporter = await file("reporter", "/run/secrets/env/POSTGRES_PASSWORD");
    expect(await attempt("reporter", reporter, "SELECT 1")).toBe("accepted");
    expect(await attempt("reporter", reporter, "INSERT INTO portfolio_ledger.fills DEFAULT VALUES")).toContain(
      "permission denied",
    );
    expect(await attempt("reporter", "postgres", "SELECT 1")).toContain("password authentication failed");
    expect(await attempt("postgres", reporter, "SELECT 1")).toContain("pg_hba.conf rejects");
  });

  test("NATS refuses a stranger, and a subject that is not the user's own", async () => {
    const servers = `${await stack.address("nats", "nats")}:4222`;
    const ca = await file("reporter", "/run/secrets/files/nats_ca.pem");
    const tls = { ca, checkServerIdentity: () => undefined };
    await expect(
      connect({ servers, tls, user: "reporter", pass: "reporter", maxReconnectAttempts: 0 }),
    ).rejects.toThrow(/Authorization/i);
    const pass = await file("data-ingestor", "/run/secrets/env/NATS_PASSWORD");
    const connection = await connect({ servers, tls, user: "data-ingestor", pass });
    const refused = (async () => {
      for await (const status of connection.status()) if (status.type === "error") return String(status.error);
      return "nothing was refused";
    })();
    connection.publish("risk.order.approved", "{}");
    expect(await refused).toMatch(/permissions violation/i);
    await connection.close();
  });

  test("a news item becomes an order, a fill, a row in the ledger and a count in Prometheus", async () => {
    const secret = await file("gateway-api", "/run/secrets/env/JWT_SECRET");
    const headers = { authorization: `Bearer ${token(secret)}` };
    const item = { headline: "Bitcoin rallies on record inflows", symbol: "BTC-USD" };
    expect((await https(`${stack.url}/api/news`, { method: "POST", body: item })).status).toBe(401);
    const posted = await https(`${stack.url}/api/news`, { method: "POST", headers, body: item });
    expect(posted.status, posted.body).toBe(202);
    const { id } = JSON.parse(posted.body) as { id: string };
    const order = await eventually("the fill in the ledger", 60, async () => {
      const { status, body } = await https(`${stack.url}/api/orders/${id}`, { headers });
      return status === 200 && body.includes('"filled"') ? body : undefined;
    });
    expect(order).toContain("BTC-USD");
    const admin = login("admin", await stack.output("adminPassword"));
    await eventually("the fill in Prometheus", 60, async () => {
      const { body } = await https(`${stack.url}/prometheus/api/v1/query?query=sum(orders_filled_total)`, {
        headers: admin,
      });
      const { data } = JSON.parse(body) as { data: { result: { value: [number, string] }[] } };
      return Number(data.result[0]?.value[1] ?? 0) > 0 ? true : undefined;
    });
  });

  test("no container shows a secret in docker inspect, and neither the state nor what `up` printed holds one in plain text", async () => {
    expect(secrets.length).toBeGreaterThan(20);
    const ids = (await docker("ps", "--all", "--quiet", "--filter", `label=autollm.stack=${stack.name}`)).split("\n");
    const inspected = await docker("inspect", ...ids);
    // The program's folder links back to this one.
    const own = readdirSync(stack.home, { withFileTypes: true }).flatMap((entry) => {
      const path = join(stack.home, entry.name);
      if (entry.isDirectory()) return entry.name === "program" ? [] : filesBelow(path);
      return entry.isFile() ? [path] : [];
    });
    const state = own.map((path) => readFileSync(path, "utf8")).join("\n");
    const shown = secrets.filter((secret) => inspected.includes(JSON.stringify(secret).slice(1, -1)));
    expect(shown.length, "secrets in docker inspect").toBe(0);
    const plain = secrets.filter((secret) => state.includes(JSON.stringify(secret).slice(1, -1)));
    expect(plain.length, "secrets in the state").toBe(0);
    expect(secrets.filter((secret) => firstUp.includes(secret)).length, "secrets in what `up` printed").toBe(0);
    const telling = await stack.autollm("pulumi", "preview", "-v=9", "--logtostderr");
    expect([telling.code, telling.stderr]).toEqual([
      1,
      expect.stringContaining("-v=9 makes the engine write every secret"),
    ]);
  });

  test("no two containers share a user, and none sees a neighbour's process, file or Docker's socket", async () => {
    const reference = await docker("inspect", "--format", "{{.Image}}", await stack.container("reporter"));
    const reaches = await reachOfEach(stack.name, reference);
    expect(reaches.length).toBeGreaterThan(20);
    const users = reaches.map((reach) => {
      expect(reach.users, reach.workload).toHaveLength(1);
      return reach.users[0];
    });
    // Written apart from the program: who has root, which the kernel or the files' owner asks for, and who looks after another's files.
    const oneUser = [
      ["edge-sockets", "log-collector", "log-collector-guard"],
      ["loki", "loki-guard"],
      ["otel-collector", "otel-collector-guard"],
    ];
    const byUser = Map.groupBy(reaches, (_, index) => users[index]);
    const together = [...byUser.values()].map((each) => each.map(({ workload }) => workload).sort());
    expect(together.filter(({ length }) => length > 1).sort()).toEqual(oneUser);
    const sockets = reaches.flatMap((reach) => reach.sockets.map((path) => `${reach.workload} ${path}`));
    expect(sockets.sort()).toEqual([
      // By this one the backup hands dumps over to the restore test, and the archive of the log a base backup, and takes numbers back.
      "backup /restore-test/socket",
      // By this one Caddy gets the sockets of the published ports.
      "caddy /run/edge/socket",
      "edge-sockets /run/edge/socket",
      "restore-test /restore-test/socket",
      "wal-archive /restore-test/socket",
    ]);
    for (const { workload, users: own, processes } of reaches) {
      expect(processes.length, workload).toBeGreaterThan(0);
      expect(
        processes.filter(({ uid }) => String(uid) !== own[0]),
        workload,
      ).toEqual([]);
    }
    const shared = reaches.flatMap(({ workload, files }) =>
      reaches
        .filter((other) => other.workload !== workload)
        .flatMap((other) =>
          Object.keys(files)
            .filter((id) => id in other.files)
            .map((id) => ({ between: [workload, other.workload].sort().join(" "), path: files[id] ?? "" })),
        ),
    );
    // The backup reads what it saves, and tells of files that were set aside as damaged, for which it sees these volumes.
    const guarded = ["log-collector", "loki", "otel-collector"];
    const watched = [
      "redis",
      "prometheus",
      "alertmanager",
      "jaeger",
      ...guarded.flatMap((name) => [name, `${name}-guard`]),
    ];
    const saved = [...serviceNames.filter((name) => services[name].volumes.length > 0), "grafana"];
    const allowed = [
      ...[...saved, ...watched].map((name) => ["backup", name].sort().join(" ")),
      // Caddy starts the program that asks for its sockets.
      "caddy edge-sockets",
      ...guarded.map((name) => `${name} ${name}-guard`),
    ];
    expect(shared.filter(({ between }) => !allowed.includes(between))).toEqual([]);
    expect(shared.some(({ between, path }) => between === "backup grafana" && path.endsWith("/grafana.db"))).toBe(true);
    // Everyone who has a secret reads it: what was tried can find one.
    const withSecret = reaches.filter(({ files }) =>
      Object.values(files).some((path) => path.startsWith("/run/secrets/")),
    );
    expect(withSecret.map(({ workload }) => workload)).toContain("postgres-exporter");
  });

  test("node-exporter has three files of the host, no process of it, and tells its network and disks", async () => {
    const mounts = JSON.parse(
      await docker("inspect", "--format", "{{json .Mounts}}", await stack.container("node-exporter")),
    ) as { Source: string }[];
    const foreign = mounts.map(({ Source }) => Source).filter((source) => !source.includes("/node-exporter-files-"));
    // Besides, the stack's own kill switch, which it shows.
    expect(foreign.filter(isKillSwitchDirectory)).toHaveLength(1);
    expect(foreign.filter((source) => !isKillSwitchDirectory(source)).sort()).toEqual(
      hostFiles.map(({ source }) => source).sort(),
    );
    const page = await docker(
      ...["exec", await stack.container("node-exporter")],
      ...["wget", "-q", "-O", "-", "http://127.0.0.1:9100/metrics"],
    );
    const names = new Set([...page.matchAll(/^(node_[A-Za-z0-9_]+)[{ ]/gm)].map(([, name]) => name));
    const needed = readFileSync(join(root, "test/unit/observability/exporter-metrics.txt"), "utf8")
      .split("\n")
      .flatMap((line) => /^node-exporter (node_\S+)$/.exec(line)?.[1] ?? []);
    // What a kernel may lack, or a machine without a disk of its own.
    const optional = /^node_(disk|memory)_/;
    expect(needed.filter((name) => !names.has(name) && !optional.test(name))).toEqual([]);
    const figures = statfsSync("/");
    const headers = login("admin", await stack.output("adminPassword"));
    const query = encodeURIComponent('node_filesystem_size_bytes{fstype!~"tmpfs|ramfs"}');
    const { body } = await https(`${stack.url}/prometheus/api/v1/query?query=${query}`, { headers });
    const { data } = JSON.parse(body) as {
      data: { result: { metric: { mountpoint: string }; value: [number, string] }[] };
    };
    const whole = data.result.find(({ metric }) => metric.mountpoint === "/");
    expect(Number(whole?.value[1])).toBe(figures.blocks * figures.bsize);
  });

  test("only the edge publishes ports, and only on the loopback", async () => {
    const lines = await docker(
      "ps",
      "--filter",
      `label=autollm.stack=${stack.name}`,
      "--format",
      '{{.Label "autollm.service"}} {{.Ports}}',
    );
    const published = lines.split("\n").filter((line) => line.includes("->"));
    expect(published).toHaveLength(1);
    expect(published[0]).toMatch(/^edge-sockets /);
    for (const [, address] of (published[0] ?? "").matchAll(/(\S+):\d+->/g)) expect(address).toBe("127.0.0.1");
  });

  test("a service that has lost its database says so, and recovers", async () => {
    const redis = await stack.container("redis");
    const gateway = await stack.container("gateway-api");
    const health = async () =>
      (
        await run("docker", ["exec", gateway, "wget", "-S", "-O", "-", "http://127.0.0.1:8000/health"], {
          allowFailure: true,
        })
      ).stderr;
    await docker("pause", redis);
    try {
      await eventually("the red health", 30, async () => ((await health()).includes("503") ? true : undefined));
    } finally {
      await docker("unpause", redis);
    }
    await eventually("the green health", 30, async () => ((await health()).includes("200 OK") ? true : undefined));
  });

  test("the backtest engine runs on demand, to its end", async () => {
    const { code, stdout, stderr } = await stack.autollm("backtest");
    expect(code, stderr).toBe(0);
    expect(stdout).toContain("report written");
  });

  test("the backtest engine takes arguments, in a container of its own that is gone afterwards", async () => {
    const before = await docker("ps", "--all", "--quiet", "--filter", `label=autollm.stack=${stack.name}`);
    // The stack stands first: what follows is the engine's.
    const line = ["backtest", "--stack", stack.name, "BTC-USD", "--start", "2025-01-01"];
    const env = { AUTOLLM_HOME: stack.home, CI: "true" };
    const { code, stdout, stderr } = await run("./autollm", line, { env, allowFailure: true });
    expect(code, stderr).toBe(0);
    expect(stdout).toContain("report written");
    expect(await docker("ps", "--all", "--quiet", "--filter", `label=autollm.stack=${stack.name}`)).toBe(before);
  });

  test("weak passwords stop preview and up before anything changes, also one that goes on as a hash, each with its fix", async () => {
    const containers = await docker("ps", "--quiet", "--filter", `label=autollm.stack=${stack.name}`);
    const admin = await stack.output("adminPassword");
    const weak = {
      "caddy-admin": "changeme",
      "grafana-admin": "localhost-2026",
      "redis-risk-manager": "0123456789abcdef0123456789abcdef",
    };
    for (const [name, value] of Object.entries(weak)) await stack.pulumi("config", "set", "--secret", name, value);
    for (const command of ["preview", "up"]) {
      const { code, stdout, stderr } = await stack.autollm(command);
      expect(code, command).toBe(1);
      for (const [name, value] of Object.entries(weak)) {
        expect(stdout).toContain(
          `${name}: is a known default; let the stack make one: ./autollm pulumi config rm ${name} --stack ${stack.name}`,
        );
        expect(stdout + stderr).not.toContain(value);
      }
    }
    expect(await docker("ps", "--quiet", "--filter", `label=autollm.stack=${stack.name}`)).toBe(containers);
    const ask = (password: string) => https(`${stack.url}/prometheus/`, { headers: login("admin", password) });
    expect((await ask("changeme")).status).toBe(401);
    expect((await ask(admin)).status).toBeLessThan(400);
    for (const name of Object.keys(weak)) await stack.pulumi("config", "rm", name);
  });

  test("a faulty config is refused with every fault at once, before anything changes", async () => {
    await stack.pulumi("config", "set", "--plaintext", "logLevl", "debug");
    await stack.pulumi("config", "set", "--plaintext", "openai", "plain-text-by-mistake");
    const up = await stack.autollm("up");
    expect(up.code).toBe(1);
    expect(up.stdout).toContain("did you mean logLevel?");
    expect(up.stdout).toContain(`./autollm pulumi config set --secret openai --stack ${stack.name}`);
    expect(up.stdout).not.toContain("    at ");
    await stack.pulumi("config", "rm", "logLevl");
    await stack.pulumi("config", "rm", "openai");
  });

  test("down removes all that up made, and nothing else", async () => {
    const files = (await stack.pulumi("config", "get", "filesDir")).trim();
    expect(existsSync(files)).toBe(true);
    expect((await remains(stack.name)).length).toBeGreaterThan(20);
    const bystander = `bystander-of-${stack.name}`;
    await docker("volume", "create", bystander);
    onTestFinished(async () => void (await docker("volume", "rm", "--force", bystander)));
    // The docker provider fails on what somebody has removed by hand.
    await docker("rm", "--force", await stack.container("reporter"));
    const { code, stdout, stderr } = await stack.autollm("down");
    expect(code, stdout + stderr).toBe(0);
    expect(await remains(stack.name)).toEqual([]);
    expect(await docker("volume", "ls", "--quiet", "--filter", `name=${bystander}`)).toBe(bystander);
    expect(existsSync(files)).toBe(false);
    const state = filesBelow(join(stack.home, "state")).map((path) => relative(stack.home, path));
    expect(state.filter((path) => path.includes(stack.name))).toEqual([]);
  });
});
