import { connect } from "@nats-io/transport-node";
import { Client } from "pg";
import { createClient } from "redis";
import { rotationUnits, serviceNeeds } from "../../../components/credentials/catalogue.ts";
import { natsServices } from "../../../components/data/nats.ts";
import { redisServices } from "../../../components/data/redis.ts";
import { serviceNames, underscored } from "../../../components/platform/catalogue.ts";
import { run } from "../../../tools/lib/run.ts";
import { eventually, https, login } from "./http.ts";
import { docker, type TestStack } from "./stack.ts";
import { filled, postNews, trader } from "./trading.ts";

const postgresServices = serviceNames.filter((name) => serviceNeeds(name, "postgres"));
/** The stand-in of IB Gateway has no screen, so nobody reads this one here. */
const unread = "vnc";
/** A part of the trading path that reads each signing key. */
const SIGNERS = { "llm-signing": "llm-agents", "risk-signing": "risk-manager" } as const;

/** The credentials that somebody reads in a stack of stand-ins. */
export const readUnits = rotationUnits.filter((unit) => unit !== unread);

/** A stack's credentials as their readers have them, and what its servers say to them. */
export function access(stack: TestStack) {
  const file = async (workload: string, path: string) => docker("exec", await stack.container(workload), "cat", path);
  const secret = (service: string, variable: string) => file(service, `/run/secrets/env/${variable}`);

  /** A file of a container whose image may have no program to show it with. */
  async function fileOf(workload: string, path: string): Promise<string> {
    const { stdout } = await run("sh", [
      "-c",
      'docker cp "$1:$2" - | tar -xO',
      "sh",
      await stack.container(workload),
      path,
    ]);
    return stdout;
  }

  /** Of the role that sees what every session of Postgres is doing. */
  const exporterPassword = async () => (await fileOf("postgres-exporter", "/run/secrets/postgres-exporter")).trim();

  async function containerIds(): Promise<Map<string, string>> {
    const format = '{{.Label "autollm.service"}} {{.ID}}';
    const lines = await docker("ps", "--all", "--filter", `label=autollm.stack=${stack.name}`, "--format", format);
    const pairs = lines.split("\n").map((line) => line.split(" ") as [string, string]);
    const ids = new Map(pairs);
    if (ids.size !== pairs.length) throw new Error(`a workload has two containers:\n${lines}`);
    return ids;
  }

  async function postgres(user: string, password: string): Promise<Client> {
    const client = new Client({
      host: await stack.address("postgres", "postgres"),
      user,
      password,
      database: "autollm",
    });
    client.on("error", () => undefined);
    await client.connect();
    return client;
  }

  async function redis(username: string, password: string) {
    const url = `redis://${await stack.address("redis", "redis")}:6379`;
    const socket = { reconnectStrategy: false } as const;
    const client = createClient({ url, username, password, socket, disableOfflineQueue: true });
    client.on("error", () => undefined);
    await client.connect();
    return client;
  }

  /** @param inbox the prefix at which the user receives replies; default: the standard one, at which it may receive none */
  async function nats(user: string, pass: string, ca?: string, inbox?: string) {
    const servers = `${await stack.address("nats", "nats")}:4222`;
    const trusted = ca ?? (await file("reporter", "/run/secrets/files/nats_ca.pem"));
    const tls = { ca: trusted, checkServerIdentity: () => undefined };
    const own = inbox === undefined ? {} : { inboxPrefix: inbox };
    return connect({ servers, tls, user, pass, maxReconnectAttempts: 0, ...own });
  }

  return {
    file,
    secret,
    containerIds,
    postgres,
    exporterPassword,

    /** The workloads that have another container than before. */
    async replacedSince(before: ReadonlyMap<string, string>): Promise<string[]> {
      return [...(await containerIds())].filter(([name, id]) => before.get(name) !== id).map(([name]) => name);
    },

    /** A value of every credential, as one of its readers has it. */
    async values(): Promise<Map<string, string>> {
      const logins = JSON.parse(await fileOf("redis-exporter", "/run/secrets/redis.json")) as Record<string, string>;
      const redisExporter = Object.values(logins)[0] ?? "";
      const found = new Map<string, string>([
        ["redis-exporter", redisExporter],
        ["grafana-admin", await stack.output("grafanaPassword")],
        ["caddy-admin", await stack.output("adminPassword")],
        ["jwt", await secret("gateway-api", "JWT_SECRET")],
        ["nats-tls", await file("nats", "/run/live/current/nats-ca")],
        ["postgres-exporter", await exporterPassword()],
        ["redis-edge-limiter", await file("edge-limiter", "/run/secrets/redis-edge-limiter")],
        ["nats-streams", await file("nats-streams", "/run/secrets/nats-streams")],
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
      for (const service of redisServices) found.set(`redis-${service}`, await secret(service, "REDIS_PASSWORD"));
      for (const service of postgresServices)
        found.set(`postgres-${service}`, await secret(service, "POSTGRES_PASSWORD"));
      return found;
    },

    /** Redis's command line inside its container, with every right. */
    redisCli: async (...args: readonly string[]) =>
      docker("exec", await stack.container("redis"), "/bin/sh", "/etc/autollm/acl.sh", "cli", ...args),

    /** What Redis says to a login: "accepted", or its refusal. */
    async redisLogin(username: string, password: string): Promise<string> {
      try {
        (await redis(username, password)).destroy();
        return "accepted";
      } catch (error) {
        return String(error);
      }
    },

    redis,

    /** The name under which a service logs in to Redis at present. */
    redisUserOf: async (service: string) =>
      (await docker("exec", await stack.container(service), "printenv", "REDIS_USERNAME")).trim(),

    /** What Postgres says to a login: "accepted", or its refusal. */
    async postgresLogin(user: string, password: string): Promise<string> {
      try {
        await (await postgres(user, password)).end();
        return "accepted";
      } catch (error) {
        return String(error);
      }
    },

    nats,

    /** What NATS says to a login: "accepted", or its refusal. */
    async natsLogin(user: string, pass: string, ca?: string): Promise<string> {
      try {
        await (await nats(user, pass, ca)).close();
        return "accepted";
      } catch (error) {
        return String(error);
      }
    },

    /** The name under which a service logs in to NATS at present. */
    natsUserOf: async (service: string) =>
      (await docker("exec", await stack.container(service), "printenv", "NATS_USER")).trim(),

    httpLogin: async (path: string, user: string, password: string) =>
      (await https(`${stack.url}${path}`, { headers: login(user, password) })).status,

    /** Ends when every workload has one container and an order has gone its whole way; answers the order's id. */
    async whole(): Promise<string> {
      await containerIds();
      return eventually("an order goes its whole way", 120, async () => {
        const headers = await trader(stack);
        const id = await postNews(stack, headers);
        await filled(stack, headers, id, 10);
        return id;
      });
    },
  };
}
