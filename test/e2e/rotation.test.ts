import { connect } from "@nats-io/transport-node";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { https, login } from "./lib/http.ts";
import { docker, type TestStack, testStack } from "./lib/stack.ts";

/** One of each kind that a client can be refused with. */
const ROTATED = ["redis", "grafana-admin", "nats-reporter", "postgres-reporter", "caddy-admin"] as const;
/** Whoever reads one of them; everybody else must be left alone. */
const READERS = [
  "redis",
  "grafana",
  "nats",
  "postgres",
  "caddy",
  "reporter",
  "gateway-api",
  "data-ingestor",
  "risk-manager",
  "redis-exporter",
];

describe("a rotation by a change of config", () => {
  let stack: TestStack;
  const before = new Map<string, string>();
  let containers: ReadonlyMap<string, string>;
  let message: string;

  const file = async (workload: string, path: string) => docker("exec", await stack.container(workload), "cat", path);

  async function containerIds(): Promise<Map<string, string>> {
    const format = '{{.Label "autollm.service"}} {{.ID}}';
    const lines = await docker("ps", "--all", "--filter", `label=autollm.stack=${stack.name}`, "--format", format);
    return new Map(lines.split("\n").map((line) => line.split(" ") as [string, string]));
  }

  async function values(): Promise<Record<(typeof ROTATED)[number], string>> {
    return {
      redis: await file("redis", "/run/secrets/redis"),
      "grafana-admin": await stack.output("grafanaPassword"),
      "nats-reporter": await file("reporter", "/run/secrets/env/NATS_PASSWORD"),
      "postgres-reporter": await file("reporter", "/run/secrets/env/POSTGRES_PASSWORD"),
      "caddy-admin": await stack.output("adminPassword"),
    };
  }

  const redisCli = async (password: string, ...args: readonly string[]) =>
    docker("exec", "--env", `REDISCLI_AUTH=${password}`, await stack.container("redis"), "redis-cli", ...args);

  async function postgres(password: string, sql: string): Promise<string> {
    const client = new Client({
      host: await stack.address("postgres", "data"),
      user: "reporter",
      password,
      database: "autollm",
    });
    try {
      await client.connect();
      const { rows } = await client.query<{ value: string }>(sql);
      return String(rows[0]?.value ?? "done");
    } catch (error) {
      return String(error);
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  async function nats(pass: string): Promise<string> {
    const servers = `${await stack.address("nats", "apps")}:4222`;
    const tls = { ca: await file("reporter", "/run/secrets/files/nats_ca.pem"), checkServerIdentity: () => undefined };
    try {
      const connection = await connect({ servers, tls, user: "reporter", pass, maxReconnectAttempts: 0 });
      await connection.close();
      return "accepted";
    } catch (error) {
      return String(error);
    }
  }

  beforeAll(async () => {
    stack = await testStack("rotation");
    const up = await stack.npm("up", "--http-port", String(stack.httpPort), "--https-port", String(stack.httpsPort));
    expect(up.code, up.stdout + up.stderr).toBe(0);
    for (const [name, value] of Object.entries(await values())) before.set(name, value);
    await redisCli(before.get("redis") ?? "", "set", "kept", "by the rotation");
    await postgres(
      before.get("postgres-reporter") ?? "",
      "CREATE TABLE reporter.kept AS SELECT 'by the rotation' AS value",
    );
    containers = await containerIds();
    const rotation = await stack.npm("rotate", ...ROTATED, "--yes");
    message = rotation.stdout + rotation.stderr;
    expect(rotation.code, message).toBe(0);
  });

  afterAll(async () => {
    await stack.remove();
  });

  test("makes a new value for each, and says which containers that replaces", async () => {
    for (const [name, value] of Object.entries(await values())) expect(value === before.get(name), name).toBe(false);
    expect(message).toContain("postgres-reporter: a new value; replaced are postgres, reporter");
  });

  test("replaces the readers and nobody else", async () => {
    const after = await containerIds();
    const replaced = [...after].filter(([service, id]) => containers.get(service) !== id).map(([service]) => service);
    expect(replaced.sort()).toEqual([...READERS].sort());
  });

  test("the new values are taken and the old ones refused", async () => {
    const now = await values();
    const old = (name: string) => before.get(name) ?? "";
    expect(await redisCli(now.redis, "ping")).toBe("PONG");
    expect(await redisCli(old("redis"), "ping")).toMatch(/NOAUTH|WRONGPASS/);
    const org = `${stack.url}/grafana/api/org`;
    expect((await https(org, { headers: login("admin", now["grafana-admin"]) })).status).toBe(200);
    expect((await https(org, { headers: login("admin", old("grafana-admin")) })).status).toBe(401);
    const query = `${stack.url}/prometheus/api/v1/query?query=up`;
    expect((await https(query, { headers: login("admin", now["caddy-admin"]) })).status).toBe(200);
    expect((await https(query, { headers: login("admin", old("caddy-admin")) })).status).toBe(401);
    expect(await postgres(now["postgres-reporter"], "SELECT 'yes' AS value")).toBe("yes");
    expect(await postgres(old("postgres-reporter"), "SELECT 1")).toContain("password authentication failed");
    expect(await nats(now["nats-reporter"])).toBe("accepted");
    expect(await nats(old("nats-reporter"))).toMatch(/authorization/i);
  });

  test("the data is as it was", async () => {
    const now = await values();
    expect(await redisCli(now.redis, "get", "kept")).toBe("by the rotation");
    expect(await postgres(now["postgres-reporter"], "SELECT value FROM reporter.kept")).toBe("by the rotation");
  });

  test("nothing is due the day it was made", async () => {
    const { code, stdout } = await stack.npm("rotate", "--due", "--json");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual([]);
  });

  test("a wrong name is one clear error, with the name that was meant", async () => {
    const { code, stderr } = await stack.npm("rotate", "redsi");
    expect(code).toBe(64);
    expect(stderr).toContain('"redsi" is no generated credential; did you mean redis?');
  });
});
