import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { publicKeyOf } from "../../components/credentials/keys.ts";
import { ensureImages } from "../../tools/bootstrap/images/images.ts";
import { run } from "../../tools/lib/run.ts";
import { root } from "../../tools/lib/workspace.ts";
import { eventually } from "./lib/http.ts";
import { pythonApplication } from "./lib/python.ts";
import { docker } from "./lib/stack.ts";

const NETWORK = `plain-python-${randomBytes(4).toString("hex")}`;
const ports = {
  "gateway-api": 8000,
  "risk-manager": 8070,
  "execution-crypto": 8072,
  "portfolio-ledger": 8073,
  "llm-agents": 8086,
} as const;
type Program = keyof typeof ports;
const programs = Object.keys(ports) as readonly Program[];

/** The test's application as a plain compose file would have run it: no platform, no TLS, one login for all. */
let folder: string;
const secret = () => randomBytes(16).toString("hex");
const [databasePassword, exchangeKey, jwtSecret] = [secret(), secret(), secret()];

const start = (name: string, args: readonly string[]) =>
  docker(
    ...["run", "--detach", "--name", `${NETWORK}-${name}`, "--network", NETWORK, "--network-alias", name],
    ...["--label", `autollm.test=${NETWORK}`, ...args],
  );

/** Asks from within a program's container, as nothing is published. */
async function ask(program: Program, method: string, path: string, body?: object, token?: string) {
  const { stdout } = await run("docker", [
    ...["exec", `${NETWORK}-${program}`, "curl", "--silent", "--max-time", "5", "--request", method],
    ...(token === undefined ? [] : ["--header", `Authorization: Bearer ${token}`]),
    ...(body === undefined ? [] : ["--header", "Content-Type: application/json", "--data", JSON.stringify(body)]),
    ...["--write-out", "\n%{http_code}", `http://127.0.0.1:${ports[program]}${path}`],
  ]);
  const end = stdout.lastIndexOf("\n");
  return { status: Number(stdout.slice(end + 1)), body: stdout.slice(0, end) };
}

const orders = async () => {
  const program =
    "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:8090/orders').read().decode())";
  const said = await docker("exec", `${NETWORK}-exchange`, "python3", "-c", program);
  return JSON.parse(said) as { count: number; orders: { symbol: string; quantity: number }[] };
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "autollm-plain-"));
  for (const pair of ["llm", "risk"]) {
    const seed = randomBytes(32).toString("base64");
    writeFileSync(join(folder, `${pair}.key`), seed);
    writeFileSync(join(folder, `${pair}.pub`), publicKeyOf(seed));
  }
  const images = await ensureImages(["nats", "postgres", "redis"]);
  const image = await pythonApplication();
  await docker("network", "create", "--internal", "--label", `autollm.test=${NETWORK}`, NETWORK);
  await start("nats", ["--entrypoint", "nats-server", images.nats, "--jetstream", "--store_dir", "/tmp/nats"]);
  await start("redis", ["--entrypoint", "redis-server", images.redis, "--protected-mode", "no"]);
  const sql = `CREATE ROLE trader LOGIN PASSWORD '${databasePassword}'; CREATE DATABASE trader OWNER trader;`;
  const database = [
    "initdb --pgdata=/tmp/db --username=postgres --auth-local=trust --auth-host=scram-sha-256 >/dev/null",
    `printf 'host all all all scram-sha-256\\n' >>/tmp/db/pg_hba.conf`,
    "pg_ctl -D /tmp/db -w -o '-c listen_addresses= -c unix_socket_directories=/tmp' start >/dev/null",
    `printf '%s\\n' "$SQL" | sed 's/; /;\\n/' | psql -q -h /tmp -U postgres`,
    "pg_ctl -D /tmp/db -w stop >/dev/null",
    "exec postgres -D /tmp/db -c listen_addresses='*' -c unix_socket_directories=/tmp",
  ].join(" && ");
  await start("postgres", ["--env", `SQL=${sql}`, "--entrypoint", "/bin/sh", images.postgres, "-c", database]);
  await start("exchange", [
    ...["--env", `EXCHANGE_KEY=${exchangeKey}`],
    ...["--volume", `${join(root, "test", "applications", "exchange.py")}:/exchange.py:ro`],
    ...[image, "python3", "/exchange.py"],
  ]);
  const environment = {
    MESSAGING: JSON.stringify({ nats_url: "nats://nats:4222" }),
    DATABASE: JSON.stringify({ host: "postgres", password: databasePassword }),
    AUTH: JSON.stringify({ jwt_secret: jwtSecret }),
    REDIS_URL: "redis://redis:6379/0",
    BINANCE_API_KEY: exchangeKey,
    EXCHANGE_URL: "http://exchange:8090",
  };
  const env = Object.entries(environment).flatMap(([name, value]) => ["--env", `${name}=${value}`]);
  await eventually("Postgres", 60, async () =>
    (await run("docker", ["exec", `${NETWORK}-postgres`, "pg_isready", "-q", "-h", "postgres"], { allowFailure: true }))
      .code === 0
      ? true
      : undefined,
  );
  for (const program of programs) {
    const module = `apps.${program.replaceAll("-", "_")}.src.main`;
    await start(program, [...env, "--volume", `${folder}:/app/keys:ro`, image, "python", "-m", module]);
  }
});

afterAll(async () => {
  const mine = await docker("ps", "--all", "--quiet", "--filter", `label=autollm.test=${NETWORK}`);
  if (mine !== "") await docker("rm", "--force", "--volumes", ...mine.split("\n"));
  await run("docker", ["network", "rm", NETWORK], { allowFailure: true });
  rmSync(folder, { recursive: true, force: true });
});

test("each program answers for its health and its metrics", async () => {
  for (const program of programs) {
    await eventually(`${program} answers`, 60, async () => {
      const { status, body } = await ask(program, "GET", "/health");
      return status === 200 && body === "ok" ? true : undefined;
    });
    expect((await ask(program, "GET", "/metrics")).body).toContain("process_start_time_seconds");
  }
});

test("an intent goes from the gateway through risk to the exchange, and into the ledger", async () => {
  const login = { user: "trader", password: secret() };
  expect((await ask("gateway-api", "POST", "/api/intents", { symbol: "BTC-USD", quantity: 1 })).status).toBe(401);
  expect((await ask("gateway-api", "POST", "/api/auth/register", login)).status).toBe(201);
  const { token } = JSON.parse((await ask("gateway-api", "POST", "/api/auth/login", login)).body) as { token: string };
  const sent = await ask("gateway-api", "POST", "/api/intents", { symbol: "BTC-USD", quantity: 2.5 }, token);
  expect(sent.status, sent.body).toBe(202);
  const placed = await eventually("the order at the exchange", 20, async () => {
    const now = await orders();
    return now.count > 0 ? now : undefined;
  });
  expect(placed).toMatchObject({ count: 1, orders: [{ symbol: "BTC-USD", quantity: 2.5 }] });
  await eventually("the position in the ledger", 20, async () => {
    const { body } = await ask("gateway-api", "GET", "/api/positions", undefined, token);
    return body === JSON.stringify([{ symbol: "BTC-USD", quantity: 2.5 }]) ? true : undefined;
  });
  expect(await docker("exec", `${NETWORK}-portfolio-ledger`, "cat", "data/last.txt")).toBe("BTC-USD");

  const news = await ask("gateway-api", "POST", "/api/news", { headline: "good", symbol: "ETH-USD" }, token);
  expect(news.status, news.body).toBe(202);
  await eventually("the agents' own order", 20, async () =>
    (await orders()).orders.some(({ symbol }) => symbol === "ETH-USD") ? true : undefined,
  );
});

test("an intent beyond the limit is rejected and counted", async () => {
  const login = { user: "large", password: secret() };
  await ask("gateway-api", "POST", "/api/auth/register", login);
  const { token } = JSON.parse((await ask("gateway-api", "POST", "/api/auth/login", login)).body) as { token: string };
  const before = (await orders()).count;
  await ask("gateway-api", "POST", "/api/intents", { symbol: "BTC-USD", quantity: 100_000 }, token);
  await eventually("the rejection", 20, async () =>
    (await ask("risk-manager", "GET", "/metrics")).body.includes('risk_rejections_total{reason="notional"} 1.0')
      ? true
      : undefined,
  );
  expect((await orders()).count).toBe(before);
});

test("its kill switch is a file that the executor never reads", async () => {
  const login = { user: "stopper", password: secret() };
  await ask("gateway-api", "POST", "/api/auth/register", login);
  const { token } = JSON.parse((await ask("gateway-api", "POST", "/api/auth/login", login)).body) as { token: string };
  const before = (await orders()).count;
  expect((await ask("gateway-api", "POST", "/api/risk/kill", {}, token)).status).toBe(202);
  await ask("gateway-api", "POST", "/api/intents", { symbol: "SOL-USD", quantity: 1 }, token);
  await eventually("the order all the same", 20, async () => ((await orders()).count > before ? true : undefined));
});
