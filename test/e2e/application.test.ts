import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { access } from "./lib/access.ts";
import { imageWithoutShell } from "./lib/checkedImages.ts";
import { eventually, https, login } from "./lib/http.ts";
import { pythonApplication } from "./lib/python.ts";
import { type Registry, startRegistry } from "./lib/registry.ts";
import { docker, type TestStack, testStack } from "./lib/stack.ts";
import { postNews, trader } from "./lib/trading.ts";

const SERVICE = "portfolio-ledger";

describe("an application that knows nothing of the platform", () => {
  let stack: TestStack;
  let registry: Registry;
  let to: ReturnType<typeof access>;
  let headers: Record<string, string>;
  const configFile = () => join(stack.home, `Pulumi.${stack.name}.yaml`);
  /** Names the image alone, as its owner would. */
  const release = (image: string, more: object = {}) => {
    const file = parse(readFileSync(configFile(), "utf8")) as { config: Record<string, unknown> };
    file.config["autollm:application"] = "autollm";
    file.config["autollm:release"] = { [SERVICE]: { image, ...more } };
    writeFileSync(configFile(), stringify(file));
  };
  const executions = async () => {
    const sql = await to.postgres("portfolio_ledger", await to.secret(SERVICE, "POSTGRES_PASSWORD"));
    const { rows } = await sql.query("SELECT schemaname FROM pg_tables WHERE tablename = 'executions'");
    const count = rows.length === 0 ? 0 : Number((await sql.query("SELECT count(*) FROM executions")).rows[0]?.count);
    await sql.end();
    return { schemas: rows.map(({ schemaname }) => String(schemaname)), count };
  };

  beforeAll(async () => {
    stack = await testStack("application");
    to = access(stack);
    registry = await startRegistry();
    const up = await stack.up();
    expect(up.code, up.stdout + up.stderr).toBe(0);
    headers = await trader(stack);
    release(await registry.push(await pythonApplication(), SERVICE, "1"));
    const released = await stack.autollm("up");
    expect(released.code, released.stdout + released.stderr).toBe(0);
  });

  afterAll(async () => {
    await registry?.stop();
    await stack?.remove();
  });

  test("starts with its image's digest alone, and is healthy by what it has", async () => {
    const container = await stack.container(SERVICE);
    expect(await docker("inspect", "--format", "{{.State.Health.Status}}", container)).toBe("healthy");
    expect(await docker("exec", container, "sh", "-c", "command -v wget; command -v curl")).toBe("/usr/bin/curl");
    expect(await docker("exec", container, "sh", "-c", "touch /app/x 2>&1 || true")).toContain("Read-only file system");
  });

  test("takes its settings under its own names, reaches NATS by TLS and Postgres, and makes its tables in its own schema", async () => {
    expect((await executions()).schemas).toEqual(["portfolio_ledger"]);
    await eventually("a fill in a table of its own", 120, async () => {
      await postNews(stack, headers);
      return (await executions()).count > 0 ? true : undefined;
    });
    const container = await stack.container(SERVICE);
    expect(await docker("exec", container, "cat", "/app/data/last.txt")).toMatch(/\w/);
  });

  test("is scraped, and what it names otherwise is stored under the platform's names", async () => {
    const admin = login("admin", await stack.output("adminPassword"));
    await eventually("its own metrics", 60, async () => {
      const query = encodeURIComponent(`http_requests_total{job="${SERVICE}",path!="",handler=""}`);
      const { body } = await https(`${stack.url}/prometheus/api/v1/query?query=${query}`, { headers: admin });
      const { data } = JSON.parse(body) as { data: { result: { metric: Record<string, string> }[] } };
      return data.result.some(({ metric }) => metric.path === "/metrics" || metric.path === "/health")
        ? true
        : undefined;
    });
  });

  test("has its lines stored with their level, which it calls levelname", async () => {
    const grafana = login("admin", await stack.output("grafanaPassword"));
    await eventually("a line of its own with a level", 90, async () => {
      const query = encodeURIComponent(`{service_name="${SERVICE}"} |= "levelname" | severity_text="INFO"`);
      const path = `loki/api/v1/query_range?limit=10&since=1h&query=${query}`;
      const url = `${stack.url}/grafana/api/datasources/proxy/uid/loki/${path}`;
      const { body } = await https(url, { headers: grafana });
      return (JSON.parse(body) as { data: { result: readonly unknown[] } }).data.result.length > 0 ? true : undefined;
    });
  });

  test("shows no value of a credential in docker inspect, in its log or in the state", async () => {
    const container = await stack.container(SERVICE);
    const values = await Promise.all(["POSTGRES_PASSWORD", "NATS_PASSWORD"].map((name) => to.secret(SERVICE, name)));
    const state = await stack.pulumi("stack", "export");
    const shown = `${await docker("inspect", container)}${await docker("logs", container)}${state}`;
    expect(shown).toContain("risk_config_path");
    for (const value of values) expect(shown.includes(value.trim())).toBe(false);
  });

  test("whose image has no shell, or nothing to ask for its health with, is refused in one line, and the former goes on", async () => {
    const before = await stack.container(SERVICE);
    const good = readFileSync(configFile(), "utf8");
    release(await registry.push(await imageWithoutShell(), SERVICE, "2"));
    const refused = await stack.autollm("up");
    expect(refused.code).toBe(1);
    expect(refused.stdout + refused.stderr).toMatch(
      /portfolio-ledger: its image \S+@sha256:\S+ does not run \/bin\/sh as user 70109:70109/,
    );
    expect(await stack.container(SERVICE)).toBe(before);
    expect(await docker("inspect", "--format", "{{.State.Health.Status}}", before)).toBe("healthy");
    writeFileSync(configFile(), good);
    const again = await stack.autollm("up");
    expect(again.code, again.stdout + again.stderr).toBe(0);
    expect(await stack.container(SERVICE)).toBe(before);
  });
});
