import { type ChildProcess, spawn } from "node:child_process";
import { createPrivateKey, type KeyObject } from "node:crypto";
import { jetstream } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { Client } from "pg";
import { createClient } from "redis";
import { inboxPrefix } from "../../../components/platform/inbox.ts";
import { signed } from "../../../services/reference/src/signing.ts";
import { eventually } from "../lib/http.ts";
import { freePort } from "../lib/stack.ts";
import { reconnecting, startWriter, type WriterResult } from "../lib/writers.ts";
import type { MachineStage } from "./stage.ts";

/** The stores, and an order's way from the intent to the ledger: what an emulated processor carries. */
export const CARRIED = [
  ...["postgres", "redis", "nats", "nats-streams"],
  ...["risk-manager", "execution-crypto", "portfolio-ledger"],
] as const;

/** Ports at which the stores answer, in the segments of their names. */
const STORES = { postgres: 5432, redis: 6379, nats: 4222 } as const;
type Store = keyof typeof STORES;

/** Writes a second, of each kind. */
const RATE = 2;
/** Seconds until a write that has no answer counts as failed. */
const PATIENCE = 15;

/** What was acknowledged before a power cut, kept outside of the machine. */
export interface Acknowledged {
  readonly intents: WriterResult;
  readonly rows: WriterResult;
  /** When each key was acknowledged. */
  readonly keys: readonly number[];
}

interface Secrets {
  readonly nats: string;
  readonly postgres: string;
  readonly redis: string;
  readonly signing: KeyObject;
  readonly ca: string;
}

/** Connections to the stores from outside of the machine, through SSH, as those who have no container here. */
export class Trade {
  readonly #stage: MachineStage;
  readonly #secrets: Secrets;
  readonly #ports: Readonly<Record<Store, number>>;
  #tunnel: ChildProcess | undefined;

  private constructor(stage: MachineStage, secrets: Secrets, ports: Readonly<Record<Store, number>>) {
    this.#stage = stage;
    this.#secrets = secrets;
    this.#ports = ports;
  }

  static async of(stage: MachineStage): Promise<Trade> {
    const secret = await secretsOf(stage);
    const risk = await container(stage, "risk-manager");
    const secrets = {
      nats: secret("nats-llm-agents"),
      postgres: secret("postgres-reporter"),
      redis: secret("redis-risk-manager"),
      signing: createPrivateKey(secret("llm-signing")),
      ca: await stage.at(`docker exec ${risk} cat /run/secrets/files/nats_ca.pem`),
    };
    const ports = { postgres: await freePort(), redis: await freePort(), nats: await freePort() };
    return new Trade(stage, secrets, ports);
  }

  /** Opens the way to the stores, at the addresses that they have since the last boot. */
  async open(): Promise<void> {
    this.close();
    const forwards: string[] = [];
    for (const [store, port] of Object.entries(STORES) as [Store, number][]) {
      const name = await container(this.#stage, store);
      const networks = JSON.parse(
        await this.#stage.at(`docker inspect --format '{{json .NetworkSettings.Networks}}' ${name}`),
      ) as Record<string, { IPAddress: string }>;
      const address = Object.entries(networks).find(([network]) => network.startsWith(`segment-${store}-`))?.[1];
      if (address === undefined) throw new Error(`${store} is not in the segment ${store}`);
      forwards.push("-L", `127.0.0.1:${this.#ports[store]}:${address.IPAddress}:${port}`);
    }
    const { machine, user } = this.#stage;
    const own = ["-o", "ControlPath=none", "-o", "ExitOnForwardFailure=yes", "-N"];
    this.#tunnel = spawn("ssh", [...own, ...forwards, ...machine.sshArgs(user)], { stdio: "ignore" });
    await eventually("the way to Postgres", 120, async () => {
      const client = await this.#postgres();
      await client.end();
      return true;
    });
  }

  close(): void {
    this.#tunnel?.kill("SIGKILL");
    this.#tunnel = undefined;
  }

  async #postgres(): Promise<Client> {
    const client = new Client({
      ...{ host: "127.0.0.1", port: this.#ports.postgres, database: "autollm" },
      ...{ user: "reporter", password: this.#secrets.postgres },
      ...{ connectionTimeoutMillis: PATIENCE * 1000, query_timeout: PATIENCE * 1000 },
    });
    client.on("error", () => undefined);
    await client.connect();
    return client;
  }

  async #redis() {
    const client = createClient({
      ...{ url: `redis://127.0.0.1:${this.#ports.redis}`, username: "risk-manager", password: this.#secrets.redis },
      ...{ socket: { reconnectStrategy: false, connectTimeout: PATIENCE * 1000 }, disableOfflineQueue: true },
    } as const);
    client.on("error", () => undefined);
    await client.connect();
    return client;
  }

  #nats(): Promise<NatsConnection> {
    const { nats: pass, ca } = this.#secrets;
    const tls = { ca, checkServerIdentity: () => undefined };
    return connect({
      ...{ servers: `127.0.0.1:${this.#ports.nats}`, user: "llm-agents", pass, maxReconnectAttempts: 0 },
      ...{ inboxPrefix: inboxPrefix("llm-agents"), timeout: PATIENCE * 1000 },
      tls,
    });
  }

  /** Proposes orders, commits rows and sets keys at a steady rate, each until it is acknowledged. */
  async start(run: string): Promise<{ acknowledged(): number; stop(): Promise<Acknowledged> }> {
    const setUp = await this.#postgres();
    await setUp.query("CREATE TABLE IF NOT EXISTS reporter.written (run text, n integer, PRIMARY KEY (run, n))");
    await setUp.end();
    const sql = reconnecting(
      () => this.#postgres(),
      (client) => client.end(),
    );
    const cache = reconnecting(
      () => this.#redis(),
      async (client) => client.destroy(),
    );
    const bus = reconnecting(
      () => this.#nats(),
      (client) => client.close(),
    );
    const keys: number[] = [];
    const counts = { intents: 0, rows: 0 };
    const intents = startWriter(RATE, async (n) => {
      const content = signed(this.#secrets.signing, intent(run, n));
      await bus.use((client) =>
        jetstream(client).publish("llm.intent.proposed", JSON.stringify(content), {
          ...{ msgID: `${run}-${n}`, timeout: PATIENCE * 1000 },
        }),
      );
      counts.intents = n;
    });
    const rows = startWriter(RATE, async (n) => {
      const insert = "INSERT INTO reporter.written VALUES ($1, $2) ON CONFLICT DO NOTHING";
      await sql.use((client) => client.query(insert, [run, n]));
      counts.rows = n;
    });
    const sets = startWriter(RATE, async (n) => {
      await cache.use((client) => client.set(`risk:${run}:${n}`, String(n)));
      keys.push(Date.now());
    });
    return {
      acknowledged: () => Math.min(counts.intents, counts.rows, keys.length),
      stop: async () => {
        const [ofIntents, ofRows] = await Promise.all([intents.stop(), rows.stop(), sets.stop()]);
        await Promise.all([sql.drop(), cache.drop(), bus.drop()]);
        return { intents: ofIntents, rows: ofRows, keys };
      },
    };
  }

  /** The numbers of what was acknowledged and is not there: intents without a fill in the ledger, rows, keys. */
  async missing(run: string, { intents, rows, keys }: Acknowledged) {
    const numbers = (count: number) => Array.from({ length: count }, (_, index) => index + 1);
    const fills = new Set((await this.#superuser("SELECT id FROM portfolio_ledger.fills")).split("\n"));
    const written = new Set((await this.#superuser(`SELECT n FROM reporter.written WHERE run = '${run}'`)).split("\n"));
    const redis = await this.#redis();
    const found = await Promise.all(numbers(keys.length).map((n) => redis.get(`risk:${run}:${n}`)));
    redis.destroy();
    return {
      intents: numbers(intents.acknowledged).filter((n) => !fills.has(`${run}-${n}`)),
      rows: numbers(rows.acknowledged).filter((n) => !written.has(String(n))),
      keys: numbers(keys.length).filter((n) => found[n - 1] !== String(n)),
    };
  }

  async #superuser(sql: string): Promise<string> {
    const psql = "psql --no-psqlrc --host=/tmp --username=postgres --dbname=autollm --tuples-only --no-align";
    return this.#stage.at(`docker exec ${await container(this.#stage, "postgres")} ${psql} --command "${sql}"`);
  }
}

/** The Docker name of a workload's container on the machine. */
export function container(stage: MachineStage, workload: string): Promise<string> {
  return stage.at(`docker ps --all --filter label=autollm.service=${workload} --format '{{.Names}}'`);
}

/** In turn bought and sold, so that the position stays within risk-manager's limits. */
function intent(run: string, n: number): object {
  const side = n % 2 === 1 ? "buy" : "sell";
  const at = new Date().toISOString();
  return { id: `${run}-${n}`, symbol: "BTC-USD", side, quantity: 0.001, model: "e2e", at };
}

interface Exported {
  readonly deployment: {
    readonly resources: readonly { readonly urn: string; readonly outputs?: Readonly<Record<string, unknown>> }[];
  };
}

/** Reads generated credentials in the stack's state, by their resource's name. */
async function secretsOf({ stack }: MachineStage): Promise<(name: string) => string> {
  const { deployment } = JSON.parse(await stack.pulumi("stack", "export", "--show-secrets")) as Exported;
  return (name) => {
    const outputs = deployment.resources.find(({ urn }) => urn.endsWith(`::${name}`))?.outputs ?? {};
    const value = outputs.hex ?? outputs.result ?? outputs.privateKeyPem;
    if (typeof value !== "object" || value === null || !("plaintext" in value))
      throw new Error(`the state has no secret ${name}`);
    return JSON.parse(String(value.plaintext)) as string;
  };
}
