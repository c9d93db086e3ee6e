import { X509Certificate } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { connect } from "@nats-io/transport-node";
import { Client } from "pg";
import { createClient } from "redis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { credentialNames, rotationUnits, serviceNeeds } from "../../components/credentials/catalogue.ts";
import { readersOf } from "../../components/credentials/grants.ts";
import { natsServices } from "../../components/data/nats.ts";
import { serviceNames, underscored } from "../../components/platform/catalogue.ts";
import { run } from "../../tools/lib/run.ts";
import { eventually, https, login } from "./lib/http.ts";
import { docker, type TestStack, testStack } from "./lib/stack.ts";
import { orderOf, postNews, trader } from "./lib/trading.ts";
import { reconnecting, startWriter, type WriterResult } from "./lib/writers.ts";

const postgresServices = serviceNames.filter((name) => serviceNeeds(name, "postgres"));
/** The stand-in of IB Gateway has no screen, so nobody reads this one here. */
const unread = "vnc";
const units = rotationUnits.filter((unit) => unit !== unread);
/** A part of the trading path that reads each signing key. */
const SIGNERS = { "llm-signing": "llm-agents", "risk-signing": "risk-manager" } as const;

describe("a rotation", () => {
  let stack: TestStack;

  const file = async (workload: string, path: string) => docker("exec", await stack.container(workload), "cat", path);
  const secret = (service: string, variable: string) => file(service, `/run/secrets/env/${variable}`);

  async function containerIds(): Promise<Map<string, string>> {
    const format = '{{.Label "autollm.service"}} {{.ID}}';
    const lines = await docker("ps", "--all", "--filter", `label=autollm.stack=${stack.name}`, "--format", format);
    return new Map(lines.split("\n").map((line) => line.split(" ") as [string, string]));
  }

  /** The workloads that have another container than before. */
  async function replacedSince(before: ReadonlyMap<string, string>): Promise<string[]> {
    return [...(await containerIds())].filter(([name, id]) => before.get(name) !== id).map(([name]) => name);
  }

  /** A value of every unit, as one of its readers has it. */
  async function values(): Promise<Map<string, string>> {
    const found = new Map<string, string>([
      ["redis", await file("redis", "/run/live/current/redis")],
      ["grafana-admin", await stack.output("grafanaPassword")],
      ["caddy-admin", await stack.output("adminPassword")],
      ["jwt", await secret("gateway-api", "JWT_SECRET")],
      ["nats-tls", await file("nats", "/run/live/current/nats-ca")],
      ["postgres-exporter", await file("postgres", "/run/live/current/postgres-exporter")],
      ...(await Promise.all(
        (["postgres-backup", "redis-backup", "nats-backup"] as const).map(
          async (name) => [name, await file("backup", `/run/secrets/${name}`)] as const,
        ),
      )),
    ]);
    for (const [pair, signer] of Object.entries(SIGNERS)) {
      found.set(pair, await file(signer, `/run/secrets/files/${underscored(pair)}_private_key`));
    }
    for (const service of natsServices) found.set(`nats-${service}`, await secret(service, "NATS_PASSWORD"));
    for (const service of postgresServices)
      found.set(`postgres-${service}`, await secret(service, "POSTGRES_PASSWORD"));
    return found;
  }

  const redisCli = async (password: string, ...args: readonly string[]) =>
    docker("exec", "--env", `REDISCLI_AUTH=${password}`, await stack.container("redis"), "redis-cli", ...args);

  async function postgres(user: string, password: string): Promise<Client> {
    const client = new Client({ host: await stack.address("postgres", "data"), user, password, database: "autollm" });
    client.on("error", () => undefined);
    await client.connect();
    return client;
  }

  /** What Postgres says to a login: "accepted", or its refusal. */
  async function postgresLogin(user: string, password: string): Promise<string> {
    try {
      await (await postgres(user, password)).end();
      return "accepted";
    } catch (error) {
      return String(error);
    }
  }

  async function natsLogin(user: string, pass: string, ca?: string): Promise<string> {
    const servers = `${await stack.address("nats", "apps")}:4222`;
    const trusted = ca ?? (await file("reporter", "/run/secrets/files/nats_ca.pem"));
    try {
      const tls = { ca: trusted, checkServerIdentity: () => undefined };
      const connection = await connect({ servers, tls, user, pass, maxReconnectAttempts: 0 });
      await connection.close();
      return "accepted";
    } catch (error) {
      return String(error);
    }
  }

  /** The name under which a service logs in to NATS at present. */
  const natsUserOf = async (service: string) =>
    (await docker("exec", await stack.container(service), "printenv", "NATS_USER")).trim();

  const httpLogin = async (path: string, user: string, password: string) =>
    (await https(`${stack.url}${path}`, { headers: login(user, password) })).status;

  async function whole(): Promise<void> {
    const names = [...(await containerIds()).keys()];
    expect(new Set(names).size, "one container a workload").toBe(names.length);
    await eventually("an order goes its whole way", 90, async () => {
      const headers = await trader(stack);
      const id = await postNews(stack, headers).catch(() => undefined);
      if (id === undefined) return undefined;
      return eventually("the order is known", 10, async () => {
        const { status } = await orderOf(stack, headers, id);
        return status === 200 ? true : undefined;
      }).catch(() => undefined);
    });
  }

  beforeAll(async () => {
    stack = await testStack("rotation");
    const up = await stack.npm("up", "--http-port", String(stack.httpPort), "--https-port", String(stack.httpsPort));
    expect(up.code, up.stdout + up.stderr).toBe(0);
  });

  afterAll(async () => {
    await stack.remove();
  });

  describe("by a change of config alone", () => {
    let former: Map<string, string>;
    let formerUser: string;

    test("replaces the readers of the credentials and nobody else, and refuses the old values", async () => {
      const ids = await containerIds();
      former = await values();
      formerUser = await natsUserOf("reporter");
      const rotated = ["redis", "nats-reporter", "postgres-reporter", "caddy-admin"] as const;
      for (const unit of rotated) await stack.pulumi("config", "set", "--path", `autollm:generation.${unit}`, "2");
      await stack.pulumi("up", "--yes", "--suppress-outputs");

      const readers = new Set(rotated.flatMap(readersOf));
      // Servers take a new password while they run.
      for (const server of ["redis", "nats", "postgres", "caddy"]) readers.delete(server);
      expect((await replacedSince(ids)).sort()).toEqual([...readers].sort());
      const now = await values();
      expect(await redisCli(now.get("redis") ?? "", "ping")).toBe("PONG");
      expect(await redisCli(former.get("redis") ?? "", "ping")).toMatch(/NOAUTH|WRONGPASS/);
      expect(await natsLogin(await natsUserOf("reporter"), now.get("nats-reporter") ?? "")).toBe("accepted");
      expect(await natsLogin(formerUser, former.get("nats-reporter") ?? "")).toMatch(/authorization/i);
      expect(await postgresLogin("reporter", now.get("postgres-reporter") ?? "")).toBe("accepted");
      expect(await postgresLogin("reporter", former.get("postgres-reporter") ?? "")).toContain("authentication failed");
      const page = "/prometheus/api/v1/query?query=up";
      expect(await httpLogin(page, "admin", now.get("caddy-admin") ?? "")).toBe(200);
      expect(await httpLogin(page, "admin", former.get("caddy-admin") ?? "")).toBe(401);
    });

    test("holds when a server starts anew: the old values stay refused", async () => {
      const now = await values();
      await docker("restart", await stack.container("redis"), await stack.container("nats"));
      await eventually("Redis takes the present password", 60, async () =>
        (await redisCli(now.get("redis") ?? "", "ping").catch(() => "")) === "PONG" ? true : undefined,
      );
      expect(await redisCli(former.get("redis") ?? "", "ping")).toMatch(/NOAUTH|WRONGPASS/);
      await eventually("NATS takes the present user", 60, async () =>
        (await natsLogin(await natsUserOf("reporter"), now.get("nats-reporter") ?? "")) === "accepted"
          ? true
          : undefined,
      );
      expect(await natsLogin(formerUser, former.get("nats-reporter") ?? "")).toMatch(/authorization/i);
      await whole();
    });
  });

  describe("of everything, while clients write", () => {
    let before: Map<string, string>;
    let now: Map<string, string>;
    let oldNatsUsers: Map<string, string>;
    let message: string;
    let token: Record<string, string>;
    const results = new Map<string, WriterResult>();
    const accepted: string[] = [];
    const users = async () =>
      new Map(await Promise.all(natsServices.map(async (name) => [name, await natsUserOf(name)] as const)));

    beforeAll(async () => {
      before = await values();
      oldNatsUsers = await users();
      token = await trader(stack);
      const sql = await postgres("reporter", before.get("postgres-reporter") ?? "");
      await sql.query("CREATE TABLE reporter.written (n integer PRIMARY KEY)");
      await sql.end();
      const rows = reconnecting(
        async () => postgres("reporter", await secret("reporter", "POSTGRES_PASSWORD")),
        (client) => client.end(),
      );
      const keys = reconnecting(
        async () => {
          const url = `redis://${await stack.address("redis", "data")}:6379`;
          const password = await secret("gateway-api", "REDIS_PASSWORD");
          const client = createClient({
            url,
            password,
            socket: { reconnectStrategy: false },
            disableOfflineQueue: true,
          });
          client.on("error", () => undefined);
          await client.connect();
          return client;
        },
        async (client) => client.destroy(),
      );
      const writers = {
        postgres: startWriter(20, (n) =>
          rows.use((client) => client.query("INSERT INTO reporter.written VALUES ($1) ON CONFLICT DO NOTHING", [n])),
        ),
        redis: startWriter(20, (n) => keys.use((client) => client.set(`written:${n}`, "yes"))),
        // Asked for again below, all that is sent must stay within the rate limit of one client.
        "news through Caddy": startWriter(0.5, async () => {
          accepted.push(await postNews(stack, token));
        }),
      };
      const rotation = await stack.npm("rotate", "--all", "--yes");
      message = rotation.stdout + rotation.stderr;
      for (const [name, writer] of Object.entries(writers)) results.set(name, await writer.stop());
      await Promise.all([rows.drop(), keys.drop()]);
      expect(rotation.code, message).toBe(0);
      now = await values();
      for (const [name, result] of results) process.stdout.write(`${name}: ${JSON.stringify(result)}\n`);
    });

    test("makes a new value of every credential that the platform makes, and says whom it replaces", () => {
      expect([...now.keys()].sort()).toEqual([...units].sort());
      for (const unit of units) expect(now.get(unit) === before.get(unit), unit).toBe(false);
      expect(message).toContain("postgres-reporter: a new value; replaced are postgres, reporter");
    });

    test("the new values are taken and the old ones refused", async () => {
      const old = (name: string) => before.get(name) ?? "";
      const fresh = (name: string) => now.get(name) ?? "";
      expect(await redisCli(fresh("redis"), "ping")).toBe("PONG");
      expect(await redisCli(old("redis"), "ping")).toMatch(/NOAUTH|WRONGPASS/);
      for (const [name, path] of [
        ["grafana-admin", "/grafana/api/org"],
        ["caddy-admin", "/prometheus/api/v1/query?query=up"],
      ] as const) {
        expect(await httpLogin(path, "admin", fresh(name)), name).toBe(200);
        expect(await httpLogin(path, "admin", old(name)), name).toBe(401);
      }
      for (const name of credentialNames.filter((each) => each.startsWith("postgres-"))) {
        const user = underscored(name.slice("postgres-".length));
        expect(await postgresLogin(user, fresh(name)), name).toBe("accepted");
        expect(await postgresLogin(user, old(name)), name).toContain("password authentication failed");
      }
      const present = await users();
      for (const service of natsServices) {
        expect(await natsLogin(present.get(service) ?? "", fresh(`nats-${service}`)), service).toBe("accepted");
        expect(await natsLogin(oldNatsUsers.get(service) ?? "", old(`nats-${service}`)), service).toMatch(
          /authorization/i,
        );
      }
      const user = present.get("reporter") ?? "";
      expect(await natsLogin(user, fresh("nats-reporter"), fresh("nats-tls"))).toBe("accepted");
      expect(await natsLogin(user, fresh("nats-reporter"), old("nats-tls"))).toMatch(/certificate/i);
      expect(new X509Certificate(await file("reporter", "/run/secrets/files/nats_ca.pem")).fingerprint256).toBe(
        new X509Certificate(fresh("nats-tls")).fingerprint256,
      );
    });

    test("refuses no client of the edge, of Postgres or of Redis", () => {
      expect(Object.keys(results.get("news through Caddy")?.failed ?? {}).join()).not.toMatch(/ECONN|disconnected/);
      expect(Object.keys(results.get("redis")?.failed ?? {}).join()).not.toMatch(/NOAUTH|WRONGPASS/);
    });

    test("loses nothing that was acknowledged", async () => {
      const sql = await postgres("reporter", now.get("postgres-reporter") ?? "");
      const { rows } = await sql.query<{ count: string }>("SELECT count(*) FROM reporter.written");
      await sql.end();
      expect(Number(rows[0]?.count)).toBeGreaterThanOrEqual(results.get("postgres")?.acknowledged ?? Number.NaN);
      const script = "return #redis.call('keys', 'written:*')";
      const count = await redisCli(now.get("redis") ?? "", "eval", script, "0");
      expect(Number(count)).toBeGreaterThanOrEqual(results.get("redis")?.acknowledged ?? Number.NaN);
      expect(accepted.length).toBeGreaterThan(0);
      await pause(60_000);
      for (const id of accepted) {
        await pause(700);
        await eventually(`an order for ${id}`, 90, async () =>
          (await orderOf(stack, token, id)).status === 200 ? true : undefined,
        );
      }
    });

    test("a token of the key before is good until the next rotation, and not after it", async () => {
      const seen = async () => (await orderOf(stack, token, accepted[0] ?? "")).status;
      expect(await seen()).toBe(200);
      const { code, stdout, stderr } = await stack.npm("rotate", "jwt", "--yes");
      expect(code, stdout + stderr).toBe(0);
      expect(await seen()).toBe(401);
    });
  });

  describe("whose engine is killed", () => {
    test.each([4, 10, 20, 35])(
      "%d s after it began is ended by the next `npm run up`",
      async (seconds) => {
        const before = await values();
        const rotation = stack.npm("rotate", "redis", "nats-reporter", "postgres-reporter", "llm-signing", "--yes");
        await eventually("the update has begun", 60, async () => {
          const found = await run("pgrep", ["-f", `up --stack ${stack.name} `], { allowFailure: true });
          return found.code === 0 ? true : undefined;
        });
        await pause(seconds * 1000);
        // The command first, so that it does not go on; then the engine itself.
        await run("pkill", ["-KILL", "-f", `rotate.ts .*--stack ${stack.name}`], { allowFailure: true });
        await run("pkill", ["-KILL", "-f", `up --stack ${stack.name} `], { allowFailure: true });
        await rotation;

        const { code, stdout, stderr } = await stack.npm("up");
        expect(code, stdout + stderr).toBe(0);
        await whole();
        const now = await values();
        for (const unit of ["redis", "nats-reporter", "postgres-reporter", "llm-signing"])
          expect(now.get(unit) === before.get(unit), unit).toBe(false);
        expect(await redisCli(before.get("redis") ?? "", "ping")).toMatch(/NOAUTH|WRONGPASS/);
        expect(await postgresLogin("reporter", before.get("postgres-reporter") ?? "")).toContain(
          "authentication failed",
        );
        expect(await stack.pulumi("preview", "--expect-no-changes")).toMatch(/unchanged/);
      },
      900_000,
    );
  });

  test("is known to Prometheus, which has the age of each credential", async () => {
    const headers = login("admin", await stack.output("adminPassword"));
    const query = "time() - credential_rotated_timestamp_seconds < credential_rotation_period_seconds";
    await eventually("every age", 60, async () => {
      const { body } = await https(`${stack.url}/prometheus/api/v1/query?query=${encodeURIComponent(query)}`, {
        headers,
      });
      const { data } = JSON.parse(body) as { data: { result: { metric: { name: string } }[] } };
      const known = data.result.map(({ metric }) => metric.name);
      return rotationUnits.every((unit) => known.includes(unit)) ? true : undefined;
    });
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
