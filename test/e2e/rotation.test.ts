import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { credentialNames, rotationUnits } from "../../components/credentials/catalogue.ts";
import { readersOf } from "../../components/credentials/grants.ts";
import { natsServices } from "../../components/data/nats.ts";
import { redisServices } from "../../components/data/redis.ts";
import { underscored } from "../../components/platform/catalogue.ts";
import { access, readUnits } from "./lib/access.ts";
import { eventually, https, login } from "./lib/http.ts";
import { docker, type TestStack, testStack } from "./lib/stack.ts";
import { filled, orderOf, postNews, token as tokenOf, trader } from "./lib/trading.ts";
import { reconnecting, startWriter, type WriterResult } from "./lib/writers.ts";

/** The containers that an update replaced, by the engine's own log of events. */
function replacedBy(log: string): string[] {
  type Event = { resOutputsEvent?: { metadata: { op: string; urn: string; type: string } } };
  const steps = log
    .trim()
    .split("\n")
    .flatMap((line) => (JSON.parse(line) as Event).resOutputsEvent?.metadata ?? []);
  const replaced = steps.filter(({ op, type }) => op === "create-replacement" && type.endsWith(":Container"));
  return replaced.map(({ urn }) => urn.split("::").at(-1) ?? "").sort();
}

describe("a rotation", () => {
  let stack: TestStack;
  let to: ReturnType<typeof access>;

  beforeAll(async () => {
    stack = await testStack("rotation");
    to = access(stack);
    const up = await stack.up();
    expect(up.code, up.stdout + up.stderr).toBe(0);
  });

  afterAll(async () => {
    await stack.remove();
  });

  describe("by a change of config alone", () => {
    let former: Map<string, string>;
    let formerUser: string;
    let formerRedisUser: string;

    test("replaces the readers of the credentials and nobody else, and refuses the old values", async () => {
      const ids = await to.containerIds();
      former = await to.values();
      formerUser = await to.natsUserOf("reporter");
      formerRedisUser = await to.redisUserOf("gateway-api");
      const rotated = ["redis-gateway-api", "nats-reporter", "postgres-reporter", "caddy-admin"] as const;
      for (const unit of rotated) await stack.pulumi("config", "set", "--path", `autollm:generation.${unit}`, "2");
      // The option is one of the engine's for debugging.
      vi.stubEnv("PULUMI_DEBUG_COMMANDS", "1");
      onTestFinished(() => void vi.unstubAllEnvs());
      const events = join(stack.home, "events.json");
      await stack.pulumi("up", "--yes", "--suppress-outputs", "--event-log", events);

      const readers = new Set(rotated.flatMap(readersOf));
      // Servers take a new password while they run.
      for (const server of ["redis", "nats", "postgres", "caddy"]) readers.delete(server);
      expect((await to.replacedSince(ids)).sort()).toEqual([...readers].sort());
      expect(replacedBy(readFileSync(events, "utf8"))).toEqual([...readers].sort());
      const now = await to.values();
      expect(await to.redisLogin(await to.redisUserOf("gateway-api"), now.get("redis-gateway-api") ?? "")).toBe(
        "accepted",
      );
      expect(await to.redisLogin(formerRedisUser, former.get("redis-gateway-api") ?? "")).toMatch(/WRONGPASS/);
      expect(await to.natsLogin(await to.natsUserOf("reporter"), now.get("nats-reporter") ?? "")).toBe("accepted");
      expect(await to.natsLogin(formerUser, former.get("nats-reporter") ?? "")).toMatch(/authorization/i);
      expect(await to.postgresLogin("reporter", now.get("postgres-reporter") ?? "")).toBe("accepted");
      expect(await to.postgresLogin("reporter", former.get("postgres-reporter") ?? "")).toContain(
        "authentication failed",
      );
      const page = "/prometheus/api/v1/query?query=up";
      expect(await to.httpLogin(page, "admin", now.get("caddy-admin") ?? "")).toBe(200);
      expect(await to.httpLogin(page, "admin", former.get("caddy-admin") ?? "")).toBe(401);
    });

    test("holds if a server starts again: the old values stay refused", async () => {
      const now = await to.values();
      await docker("restart", await stack.container("redis"), await stack.container("nats"));
      await eventually("Redis takes the present user", 60, async () =>
        (await to.redisLogin(await to.redisUserOf("gateway-api"), now.get("redis-gateway-api") ?? "")) === "accepted"
          ? true
          : undefined,
      );
      expect(await to.redisLogin(formerRedisUser, former.get("redis-gateway-api") ?? "")).toMatch(/WRONGPASS/);
      await eventually("NATS takes the present user", 60, async () =>
        (await to.natsLogin(await to.natsUserOf("reporter"), now.get("nats-reporter") ?? "")) === "accepted"
          ? true
          : undefined,
      );
      expect(await to.natsLogin(formerUser, former.get("nats-reporter") ?? "")).toMatch(/authorization/i);
      await to.whole();
    });
  });

  describe("of everything, while clients write", () => {
    let before: Map<string, string>;
    let now: Map<string, string>;
    let oldNatsUsers: Map<string, string>;
    let oldRedisUsers: Map<string, string>;
    let sessions: Awaited<ReturnType<typeof openSessions>>;
    let message: string;
    const results = new Map<string, WriterResult>();
    const accepted: string[] = [];
    /** Statements about passwords that a role which sees every session has seen, by how they begin. */
    const shownStatements: string[] = [];
    let answers: Record<string, unknown> = {};

    /** A session in each server and a token, as somebody has them who was in before the rotation. */
    async function openSessions(values: ReadonlyMap<string, string>) {
      const value = (name: string) => values.get(name) ?? "";
      const redis = await to.redis(await to.redisUserOf("risk-manager"), value("redis-risk-manager"));
      const backup = await to.redis("backup", value("redis-backup"));
      const sql = await to.postgres("gateway_api", value("postgres-gateway-api"));
      const nats = await to.nats(await to.natsUserOf("news-ingestor"), value("nats-news-ingestor"));
      const headers = { authorization: `Bearer ${tokenOf(value("jwt"), "admin")}` };
      const alive = async (work: () => Promise<unknown>) =>
        work().then(
          () => "alive",
          () => "ended",
        );
      expect(await alive(() => redis.ping())).toBe("alive");
      expect(await alive(() => sql.query("SELECT 1"))).toBe("alive");
      expect(await alive(() => nats.flush())).toBe("alive");
      return {
        ask: async () => ({
          redis: await alive(() => redis.ping()),
          "redis-backup": await alive(() => backup.ping()),
          postgres: await alive(() => sql.query("SELECT 1")),
          nats: await alive(() => nats.flush()),
          jwt: (await https(`${stack.url}/admin/kill-switch`, { headers })).status,
        }),
      };
    }
    const redisUsers = async () =>
      new Map(await Promise.all(redisServices.map(async (name) => [name, await to.redisUserOf(name)] as const)));
    const users = async () =>
      new Map(await Promise.all(natsServices.map(async (name) => [name, await to.natsUserOf(name)] as const)));

    beforeAll(async () => {
      before = await to.values();
      oldNatsUsers = await users();
      oldRedisUsers = await redisUsers();
      sessions = await openSessions(before);
      const sql = await to.postgres("reporter", before.get("postgres-reporter") ?? "");
      await sql.query("CREATE TABLE reporter.written (n integer PRIMARY KEY)");
      await sql.end();
      const rows = reconnecting(
        async () => to.postgres("reporter", await to.secret("reporter", "POSTGRES_PASSWORD")),
        (client) => client.end(),
      );
      const keys = reconnecting(
        async () => {
          // Both of one moment: a replacement between the two reads would give a pair that never was.
          const container = await stack.container("gateway-api");
          const words = 'printf "%s %s" "$REDIS_USERNAME" "$(cat /run/secrets/env/REDIS_PASSWORD)"';
          const [username = "", password = ""] = (await docker("exec", container, "sh", "-c", words)).split(" ");
          return to.redis(username, password);
        },
        async (client) => client.destroy(),
      );
      const watcher = reconnecting(
        async () => to.postgres("exporter", await to.exporterPassword()),
        (client) => client.end(),
      );
      const writers = {
        "watcher of sessions": startWriter(50, () =>
          watcher.use(async (client) => {
            const shown = "SELECT query FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query ~* $1";
            // The pattern is a parameter, so that this query is none that it finds.
            for (const { query } of (await client.query(shown, ["passwor[d]\\s+'|scram-sh[a]|md5[0-9a-f]{32}"])).rows)
              shownStatements.push(String(query).slice(0, 60));
          }),
        ),
        postgres: startWriter(20, (n) =>
          rows.use((client) => client.query("INSERT INTO reporter.written VALUES ($1) ON CONFLICT DO NOTHING", [n])),
        ),
        redis: startWriter(20, (n) => keys.use((client) => client.set(`ratelimit:written:${n}`, "yes"))),
        // Asked for again below, all that is sent must stay within the rate limit of one client.
        "news through Caddy": startWriter(0.5, async () => {
          // A client logs in again if its token is refused: by the key of that moment.
          accepted.push(await postNews(stack, await trader(stack)));
        }),
      };
      const rotation = await stack.autollm("rotate", "--all", "--yes");
      message = rotation.stdout + rotation.stderr;
      for (const [name, writer] of Object.entries(writers)) results.set(name, await writer.stop());
      await Promise.all([rows.drop(), keys.drop(), watcher.drop()]);
      expect(rotation.code, message).toBe(0);
      answers = await sessions.ask();
      now = await to.values();
      for (const [name, result] of results) process.stdout.write(`${name}: ${JSON.stringify(result)}\n`);
    });

    test("makes a new value of every credential that the platform makes, and says whom it replaces", () => {
      expect([...now.keys()].sort()).toEqual([...readUnits].sort());
      for (const unit of readUnits) expect(now.get(unit) === before.get(unit), unit).toBe(false);
      expect(message).toContain("postgres-reporter: a new value; replaced are postgres, reporter");
    });

    test("the new values are taken and the old ones refused", async () => {
      const old = (name: string) => before.get(name) ?? "";
      const fresh = (name: string) => now.get(name) ?? "";
      const presentRedis = await redisUsers();
      for (const service of redisServices) {
        expect(await to.redisLogin(presentRedis.get(service) ?? "", fresh(`redis-${service}`)), service).toBe(
          "accepted",
        );
        expect(await to.redisLogin(oldRedisUsers.get(service) ?? "", old(`redis-${service}`)), service).toMatch(
          /WRONGPASS/,
        );
      }
      expect(await to.redisLogin("backup", fresh("redis-backup"))).toBe("accepted");
      expect(await to.redisLogin("backup", old("redis-backup"))).toMatch(/WRONGPASS/);
      for (const [name, path] of [
        ["grafana-admin", "/grafana/api/org"],
        ["caddy-admin", "/prometheus/api/v1/query?query=up"],
      ] as const) {
        expect(await to.httpLogin(path, "admin", fresh(name)), name).toBe(200);
        expect(await to.httpLogin(path, "admin", old(name)), name).toBe(401);
      }
      for (const name of credentialNames.filter((each) => each.startsWith("postgres-"))) {
        const user = underscored(name.slice("postgres-".length));
        expect(await to.postgresLogin(user, fresh(name)), name).toBe("accepted");
        expect(await to.postgresLogin(user, old(name)), name).toContain("password authentication failed");
      }
      const present = await users();
      for (const service of natsServices) {
        expect(await to.natsLogin(present.get(service) ?? "", fresh(`nats-${service}`)), service).toBe("accepted");
        expect(await to.natsLogin(oldNatsUsers.get(service) ?? "", old(`nats-${service}`)), service).toMatch(
          /authorization/i,
        );
      }
      const user = present.get("reporter") ?? "";
      expect(await to.natsLogin(user, fresh("nats-reporter"), fresh("nats-tls"))).toBe("accepted");
      expect(await to.natsLogin(user, fresh("nats-reporter"), old("nats-tls"))).toMatch(/certificate/i);
      expect(new X509Certificate(await to.file("reporter", "/run/secrets/files/nats_ca.pem")).fingerprint256).toBe(
        new X509Certificate(fresh("nats-tls")).fingerprint256,
      );
    });

    test("shows no password and no verifier among the sessions' statements while they are set", () => {
      expect(results.get("watcher of sessions")?.acknowledged).toBeGreaterThan(200);
      expect(shownStatements).toEqual([]);
    });

    test("refuses no client of the edge, of Postgres or of Redis", () => {
      expect(Object.keys(results.get("news through Caddy")?.failed ?? {}).join()).not.toMatch(/ECONN|disconnected/);
      expect(Object.keys(results.get("redis")?.failed ?? {}).join()).not.toMatch(/NOAUTH|WRONGPASS/);
    });

    test("loses nothing that was acknowledged", async () => {
      const sql = await to.postgres("reporter", now.get("postgres-reporter") ?? "");
      const { rows } = await sql.query<{ count: string }>("SELECT count(*) FROM reporter.written");
      await sql.end();
      expect(Number(rows[0]?.count)).toBeGreaterThanOrEqual(results.get("postgres")?.acknowledged ?? Number.NaN);
      const count = await to.redisCli("eval", "return #redis.call('keys', 'ratelimit:written:*')", "0");
      expect(Number(count)).toBeGreaterThanOrEqual(results.get("redis")?.acknowledged ?? Number.NaN);
      expect(accepted.length).toBeGreaterThan(0);
      await pause(60_000);
      const present = await trader(stack);
      for (const id of accepted) {
        await pause(700);
        await filled(stack, present, id, 90);
      }
    });

    test("leaves nobody in who was in before: sessions of each server, and tokens", async () => {
      // All of them are asked within the minute after the rotation's end, before anything else (see beforeAll).
      expect(answers).toEqual({ redis: "ended", "redis-backup": "ended", postgres: "ended", nats: "ended", jwt: 401 });
    });

    test("a token of the key before is good after a plain rotation, and not after one of a key that leaked", async () => {
      const status = async (headers: Record<string, string>) =>
        (await orderOf(stack, headers, accepted[0] ?? "")).status;
      const first = await trader(stack);
      const plain = await stack.autollm("rotate", "jwt", "--yes");
      expect(plain.code, plain.stdout + plain.stderr).toBe(0);
      expect(await status(first)).toBe(200);
      const second = await trader(stack);
      expect(await status(second)).toBe(200);
      const leaked = await stack.autollm("rotate", "jwt", "--leaked", "--yes");
      expect(leaked.code, leaked.stdout + leaked.stderr).toBe(0);
      expect([await status(first), await status(second)]).toEqual([401, 401]);
      expect(await status(await trader(stack))).toBe(200);
    });
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
    const { code, stdout } = await stack.autollm("rotate", "--due", "--json");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual([]);
  });

  test("a wrong name is one clear error, with the name that was meant", async () => {
    const { code, stderr } = await stack.autollm("rotate", "redis-backpu");
    expect(code).toBe(64);
    expect(stderr).toContain('"redis-backpu" is no generated credential; did you mean redis-backup?');
  });
});
