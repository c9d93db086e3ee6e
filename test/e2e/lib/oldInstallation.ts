import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { connect, headers, type NatsConnection } from "@nats-io/transport-node";
import { Client } from "pg";
import { run } from "../../../tools/lib/run.ts";
import { eventually } from "./http.ts";
import { imagesHere } from "./images.ts";
import { postgres15 } from "./postgres15.ts";
import { docker } from "./stack.ts";

const USER = "autollm";
const hex = (bytes: number) => randomBytes(bytes).toString("hex");

/** An installation as the bash installer made it: a compose project with one password per store, and a directory beside it. */
export interface OldInstallation {
  readonly directory: string;
  readonly project: string;
  readonly secrets: { readonly postgres: string; readonly redis: string; readonly grafana: string };
  /** The Docker name of a service's container. */
  container(service: string): string;
  /** A session of Postgres's one user, who is a superuser. */
  postgres(): Promise<Client>;
  nats(): Promise<NatsConnection>;
  redis(...words: readonly string[]): Promise<string>;
  remove(): Promise<void>;
}

/** The dashboard that the old installation's own files provision. */
const PROVIDER = `apiVersion: 1
providers:
  - name: autollm
    type: file
    options: { path: /etc/old/dashboards }
`;
const DATA_SOURCE = `apiVersion: 1
datasources:
  - { name: Prometheus, uid: old-prometheus, type: prometheus, access: proxy, url: "http://prometheus:9090" }
`;

/** Rows with what is easily lost on the way: text of many scripts, no values, figures at their limits. */
const TABLES = `
  CREATE TYPE side AS ENUM ('buy', 'sell');
  CREATE TABLE executions (
    id serial PRIMARY KEY, order_id varchar(64) UNIQUE NOT NULL, symbol text NOT NULL, side side NOT NULL,
    quantity numeric(24, 8) NOT NULL, price double precision, filled_at timestamptz NOT NULL DEFAULT now(), raw jsonb, note text
  );
  CREATE INDEX ON executions (symbol, filled_at);
  CREATE TABLE positions (symbol text PRIMARY KEY, quantity numeric NOT NULL, average double precision, digest bytea);
  CREATE TABLE scratchpad (id int PRIMARY KEY, words text);
  CREATE VIEW exposure AS SELECT symbol, quantity * average AS usd FROM positions;
  INSERT INTO executions (order_id, symbol, side, quantity, price, filled_at, raw, note)
    SELECT 'order-' || n, (ARRAY['SPY', 'BTC/USDT', 'AAPL'])[n % 3 + 1], (ARRAY['buy', 'sell'])[n % 2 + 1]::side, n / 7.0,
      CASE WHEN n % 11 = 0 THEN NULL WHEN n % 13 = 0 THEN 'infinity' ELSE n * 1.1 END,
      '2025-03-30 00:59:59.123456+00'::timestamptz + n * interval '17 minutes', jsonb_build_object('n', n, 'tag', E'caf\\u00e9 \\U0001F680'),
      CASE WHEN n % 5 = 0 THEN E'line\\nand\\ttab \\\\ back' WHEN n % 7 = 0 THEN '' END
    FROM generate_series(1, 2000) n;
  DELETE FROM executions WHERE id % 97 = 0;
  INSERT INTO positions SELECT symbol, sum(quantity), 0.1 + 0.2, decode('00ff5c', 'hex') FROM executions GROUP BY symbol;
  INSERT INTO scratchpad VALUES (1, 'nobody owns this');
  ANALYZE;
`;

/** The files of its directories, by path. */
export const oldFiles: Readonly<Record<string, string | Buffer>> = {
  "data/users.json": '{"users":[{"id":"u1"}]}',
  "data/storage/market.duckdb": randomBytes(300_000),
  "data/storage/parquet/day=1/a.parquet": randomBytes(50_000),
  "data/models/model.bin": randomBytes(1000),
  "reports/2025/weekly report é.html": "<h1>weekly</h1>",
  "reports/latest.csv": "a,b\n1,2\n",
};

/** Builds one, with rows in it, and the services stopped. */
export async function oldInstallation(): Promise<OldInstallation> {
  const directory = mkdtempSync(join(tmpdir(), "old-autollm-"));
  chmodSync(directory, 0o755);
  const project = `old-${hex(3)}`;
  const secrets = { postgres: hex(16), redis: hex(24), grafana: hex(16) };
  const images = await imagesHere(["redis", "nats", "grafana"]);
  const container = (service: string) => `${project}-${service}-1`;
  const write = (path: string, content: string | Buffer, mode = 0o644) => {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), content, { mode });
  };
  const start = async (service: string, options: readonly string[], image: string, ...command: readonly string[]) => {
    const labels = { project, service, "project.working_dir": directory };
    const all = Object.entries(labels).flatMap(([name, value]) => ["--label", `com.docker.compose.${name}=${value}`]);
    await docker("run", "--detach", "--name", container(service), ...all, ...options, image, ...command);
  };
  const address = (service: string) =>
    docker("inspect", "--format", "{{.NetworkSettings.IPAddress}}", container(service));
  const old: OldInstallation = {
    directory,
    project,
    secrets,
    container,
    postgres: async () => {
      const client = new Client({
        host: await address("postgres"),
        user: USER,
        password: secrets.postgres,
        database: USER,
      });
      client.on("error", () => undefined);
      await client.connect();
      return client;
    },
    nats: async () =>
      connect({ servers: `${await address("nats")}:4222`, user: USER, pass: "old", waitOnFirstConnect: true }),
    redis: async (...words) =>
      (
        await run("docker", ["exec", "--env", "REDISCLI_AUTH", container("redis"), "redis-cli", ...words], {
          env: { REDISCLI_AUTH: secrets.redis },
        })
      ).stdout.trim(),
    remove: async () => {
      const names = await docker("ps", "--all", "--quiet", "--filter", `label=com.docker.compose.project=${project}`);
      if (names !== "") await docker("rm", "--force", "--volumes", ...names.split("\n"));
      rmSync(directory, { recursive: true, force: true });
    },
  };
  try {
    for (const [path, content] of Object.entries(oldFiles)) write(path, content);
    write("data/kill_switch.flag", '{"reason":"weekend"}');
    write(
      ".env",
      `POSTGRES_USER=${USER}\nPOSTGRES_PASSWORD=${secrets.postgres}\nREDIS_PASSWORD="${secrets.redis}"\nREDIS_DB=0\nLIVE=0\nGF_SECURITY_ADMIN_PASSWORD=${secrets.grafana}\n`,
      0o600,
    );
    write("grafana/dashboards/autollm.yaml", PROVIDER);
    write("grafana/datasources/autollm.yaml", DATA_SOURCE);
    write("grafana/files/trading.json", JSON.stringify({ uid: "old-trading", title: "Trading of old", panels: [] }));
    const database = Object.entries({ POSTGRES_USER: USER, POSTGRES_DB: USER, POSTGRES_PASSWORD: secrets.postgres });
    await start(
      "postgres",
      database.flatMap(([name, value]) => ["--env", `${name}=${value}`]),
      await postgres15(),
    );
    await start(
      "redis",
      ["--entrypoint", "redis-server", "--volume", "/data"],
      images.redis,
      "--requirepass",
      secrets.redis,
      "--save",
      "60",
      "1",
    );
    const nats = ["--jetstream", "--store_dir", "/data", "--user", USER, "--pass", "old"];
    await start("nats", ["--user", "0", "--entrypoint", "nats-server", "--volume", "/data"], images.nats, ...nats);
    const grafana = join(directory, "grafana");
    await start(
      "grafana",
      [
        ...["--env", `GF_SECURITY_ADMIN_PASSWORD=${secrets.grafana}`, "--volume", "/var/lib/grafana"],
        ...["--volume", `${grafana}/dashboards:/etc/grafana/provisioning/dashboards:ro`],
        ...["--volume", `${grafana}/datasources:/etc/grafana/provisioning/datasources:ro`],
        ...["--volume", `${grafana}/files:/etc/old/dashboards:ro`],
      ],
      images.grafana,
    );
    await start("gateway_api", ["--entrypoint", "sleep"], images.redis, "infinity");
    await fill(old);
    await docker("stop", "--time", "1", container("gateway_api"), container("grafana"));
    return old;
  } catch (error) {
    await old.remove();
    throw error;
  }
}

async function fill(old: OldInstallation): Promise<void> {
  const client = await eventually("the old Postgres", 120, () => old.postgres().catch(() => undefined));
  await client.query(TABLES);
  await client.end();

  await eventually("the old Redis", 30, () => old.redis("ping").catch(() => undefined));
  for (let n = 0; n < 50; n++) await old.redis("set", `market:last:${n}`, `${n}.5`);
  await old.redis("hset", "risk:limits", "daily", "1000", "symbol", "café");
  await old.redis("rpush", "risk:queue", "a", "b", "c");
  await old.redis("set", "LIMITER/10.0.0.1/minute", "3", "EX", "3600");
  for (let n = 0; n < 4; n++) await old.redis("set", `session:${n}`, "x");
  await old.redis("-n", "3", "set", "other", "x");

  const nats = await old.nats();
  const ask = async (subject: string, body: object) => {
    const answer = await nats.request(`$JS.API.${subject}`, JSON.stringify(body), { timeout: 10_000 });
    const value = answer.json<{ error?: { description: string } }>();
    if (value.error !== undefined) throw new Error(value.error.description);
  };
  await ask("STREAM.CREATE.INTENTS", {
    name: "INTENTS",
    subjects: ["llm.intent.*"],
    retention: "limits",
    storage: "file",
  });
  await ask("STREAM.CREATE.OLDLOG", { name: "OLDLOG", subjects: ["log.>"], retention: "limits", storage: "file" });
  for (let n = 1; n <= 40; n++) {
    const own = headers();
    own.set("X-Number", String(n));
    const body = JSON.stringify({ id: `intent-${n}`, symbol: "SPY", side: "buy", text: "é".repeat(n) });
    await nats.request(n % 4 === 0 ? "llm.intent.trace" : "llm.intent.proposed", body, {
      headers: own,
      timeout: 10_000,
    });
  }
  for (const seq of [3, 17]) await ask("STREAM.MSG.DELETE.INTENTS", { seq });
  await nats.request("log.line", "x", { timeout: 10_000 });
  await nats.close();

  await fillGrafana(old);
}

/** A dashboard and a user that a person made, and what the installation's files made. */
async function fillGrafana(old: OldInstallation): Promise<void> {
  const credentials = Buffer.from(`admin:${old.secrets.grafana}`).toString("base64");
  const host = await docker("inspect", "--format", "{{.NetworkSettings.IPAddress}}", old.container("grafana"));
  const call = async (path: string, body?: object) => {
    const answer = await fetch(`http://${host}:3000${path}`, {
      headers: { authorization: `Basic ${credentials}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer.json() as Promise<unknown>;
  };
  await eventually("the old Grafana", 120, () => call("/api/dashboards/uid/old-trading").catch(() => undefined));
  const panel = { type: "timeseries", title: "P", datasource: { type: "prometheus", uid: "old-prometheus" } };
  await call("/api/dashboards/db", { dashboard: { uid: "mine", title: "Mine é", panels: [panel] }, overwrite: true });
  await call("/api/admin/users", {
    name: "Bob",
    login: "bob",
    email: "bob@example.org",
    password: "password of bob 1",
  });
}
