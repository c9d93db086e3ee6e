import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { connect } from "node:http2";
import { Agent, request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { limiterRules, redisAcl } from "../../components/data/redisAcl.ts";
import { loginHash } from "../../components/edge/caddy.ts";
import { type CaddyfileArgs, caddyfile } from "../../components/edge/caddyfile.ts";
import { routes } from "../../components/edge/routes.ts";
import { ensureDocker } from "../../tools/bootstrap/docker/docker.ts";
import { ensureImages } from "../../tools/bootstrap/images/images.ts";
import { type Answer, eventually, https } from "./lib/http.ts";
import { docker } from "./lib/stack.ts";

const LIMIT = 100;
const name = `autollm-rate-${randomBytes(4).toString("hex")}`;
const directory = mkdtempSync(join(tmpdir(), `${name}-`));
const password = randomBytes(24).toString("hex");
const part = (workload: string) => `${name}-${workload}`;

/** A gateway that limits nobody: it counts what reaches it, and says whom it was told that the request is from. */
const GATEWAY = `
let count = 0;
require("node:http").createServer((request, response) => {
  if (request.url === "/count") return response.end(String(count));
  count += 1;
  response.end(request.headers["x-forwarded-for"]);
}).listen(8000);`;

/** Another Caddy, as a client that speaks HTTP/3. */
const HTTP3_CLIENT = `{
	admin off
	auto_https off
}
:9000 {
	reverse_proxy https://caddy.caddy:8443 {
		header_up Host localhost
		transport http {
			versions 3
			tls_insecure_skip_verify
			tls_server_name localhost
		}
	}
}
`;

const files: Readonly<Record<string, string>> = {
  "limiter/redis-edge-limiter": password,
  "redis/users.acl": redisAcl([{ user: "edge-limiter", password, rules: limiterRules }]),
  "caddy/secrets/login": `admin ${loginHash(password, randomBytes(16).toString("hex"))}\n`,
  "client/Caddyfile": HTTP3_CLIENT,
};
function write(path: string, content: string): void {
  mkdirSync(join(directory, path, ".."), { recursive: true, mode: 0o755 });
  writeFileSync(join(directory, path), content);
  chmodSync(join(directory, path), 0o644);
}
/** It listens by itself: nobody gives it sockets here. */
const site = (change: Partial<CaddyfileArgs> = {}) =>
  caddyfile({
    ...{ domains: [{ name: "localhost" }], httpsPort: 8443, routes, loginFile: "secrets/login" },
    ...{ adminNetworks: [], trustedProxies: [], acmeStaging: false, ...change },
  }).replaceAll(/^\s*bind fd\w*\/\d+ \{\n.*\n\s*\}\n/gm, "");

let url = "";
let clientUrl = "";
/** Has Caddy run by another configuration. */
async function give(content: string): Promise<void> {
  write("caddy/Caddyfile", content);
  await docker("exec", part("caddy"), "caddy", "reload", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile");
}
const publishedAt = async (workload: string, port: number) =>
  Number((await docker("port", part(workload), `${port}/tcp`)).split("\n")[0]?.split(":").at(-1));
/** What a container's own address says over HTTP. */
const inside = (address: string) =>
  docker("exec", part("limiter"), "node", "-e", `fetch("${address}").then((a) => a.text()).then(console.log)`);
const counted = async () => Number(await inside("http://gateway-api:8000/count"));
const alone = async () =>
  /^rate_limiter_local (\d)$/m.exec(await inside("http://edge-limiter.edge-limiter:9190/metrics"))?.[1];
const ask = (headers: Record<string, string> = {}, path = "/api/positions", method = "GET"): Promise<Answer> =>
  https(url + path, { headers, method });
const from = (address: string) => ({ "x-forwarded-for": address });
/** The codes of as many requests. */
async function codes(many: number, one: () => Promise<{ readonly status: number }>): Promise<number[]> {
  const found: number[] = [];
  for (let index = 0; index < many; index++) found.push((await one()).status);
  return found;
}
const passed = (found: readonly number[]) => found.filter((code) => code === 200).length;

beforeAll(async () => {
  await ensureDocker({ install: process.env.CI === "true" });
  const images = await ensureImages(["caddy", "redis", "backup"]);
  for (const [path, content] of Object.entries(files)) write(path, content);
  write("caddy/Caddyfile", site());
  chmodSync(directory, 0o755);
  for (const network of ["public", "inner"]) await docker("network", "create", part(network));
  const run = (workload: string, image: string | undefined, options: readonly string[], command: readonly string[]) =>
    docker(
      ...["run", "--detach", "--name", part(workload), "--read-only", "--cap-drop=ALL", "--tmpfs=/tmp:mode=1777"],
      ...["--user=70990:70990", ...options, image ?? "", ...command],
    );
  const at = (alias: string) => [`--network=${part("inner")}`, `--network-alias=${alias}`];
  await run(
    "redis",
    images.redis,
    [...at("redis"), `--volume=${directory}/redis:/etc/redis:ro`],
    [...["redis-server", "--save", "", "--aclfile", "/etc/redis/users.acl", "--dir", "/tmp"]],
  );
  await run("gateway", images.backup, at("gateway-api"), ["node", "-e", GATEWAY]);
  await run(
    "limiter",
    images.backup,
    [
      ...at("edge-limiter"),
      ...["--network-alias=edge-limiter.edge-limiter", `--volume=${directory}/limiter:/run/secrets:ro`],
      ...["--env=HTTP_LISTEN=127.0.0.1,edge-limiter.edge-limiter", "--env=REDIS_USERNAME=edge-limiter"],
      "--env=NODE_OPTIONS=--max-old-space-size=48",
    ],
    ["node", "/app/backup.mjs", "limiter"],
  );
  await docker(
    ...["create", "--name", part("caddy"), "--read-only", "--cap-drop=ALL", "--user=70990:70990"],
    ...[
      "--tmpfs=/tmp:mode=1777",
      "--env=XDG_DATA_HOME=/tmp",
      "--env=XDG_CONFIG_HOME=/tmp",
      "--publish=127.0.0.1::8443",
    ],
    ...[`--network=${part("public")}`, "--network-alias=caddy.public", `--volume=${directory}/caddy:/etc/caddy:ro`],
    ...["--cap-add=NET_BIND_SERVICE", images.caddy ?? "", "caddy", "run"],
    ...["--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"],
  );
  await docker("network", "connect", "--alias", "caddy.caddy", part("inner"), part("caddy"));
  await docker("start", part("caddy"));
  await run(
    "client",
    images.caddy,
    [
      ...[`--network=${part("inner")}`, "--publish=127.0.0.1::9000", "--cap-add=NET_BIND_SERVICE"],
      ...[`--volume=${directory}/client:/etc/caddy:ro`, "--env=XDG_DATA_HOME=/tmp", "--env=XDG_CONFIG_HOME=/tmp"],
    ],
    ["caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"],
  );
  url = `https://localhost:${await publishedAt("caddy", 8443)}`;
  clientUrl = `http://127.0.0.1:${await publishedAt("client", 9000)}`;
  await eventually("the edge", 60, async () => ((await https(`${url}/health`)).status === 200 ? true : undefined));
  await eventually("the limiter at Redis", 30, async () => ((await alone()) === "0" ? true : undefined));
});

afterAll(async () => {
  for (const workload of ["client", "caddy", "limiter", "gateway", "redis"])
    await docker("rm", "--force", "--volumes", part(workload)).catch(() => undefined);
  for (const network of ["public", "inner"]) await docker("network", "rm", part(network)).catch(() => undefined);
  rmSync(directory, { recursive: true, force: true });
});

/** Of a client that connects by itself. */
describe("the rate limit", () => {
  test("lets 100 requests a minute through, and no more reach the gateway, whatever they are", async () => {
    const kinds = [
      () => ask(),
      () => ask({ authorization: "Bearer none" }, "/admin/kill-switch", "POST"),
      () => ask({}, "/api/nothing", "DELETE"),
    ];
    let turn = 0;
    const before = await counted();
    const found = await codes(LIMIT + 50, () => (kinds[turn++ % kinds.length] ?? ask)());
    expect(found).toEqual([...Array(LIMIT).fill(200), ...Array(50).fill(429)]);
    expect((await counted()) - before).toBe(LIMIT);
    const refused = await ask();
    expect(Number(refused.headers["retry-after"])).toBeGreaterThan(0);
    expect(Number(refused.headers["retry-after"])).toBeLessThanOrEqual(60);
    expect(refused.headers["x-content-type-options"]).toBe("nosniff");
    expect(refused.headers).not.toHaveProperty("server");
    expect((await https(`${url}/health`)).status).toBe(200);
  });

  test("takes no client's word for its address", async () => {
    for (const header of ["X-Forwarded-For", "X-Real-IP", "Forwarded", "True-Client-IP", "X-Client-Address"])
      expect((await ask({ [header]: header === "Forwarded" ? "for=203.0.113.9" : "203.0.113.9" })).status, header).toBe(
        429,
      );
  });

  test("counts HTTP/2 with HTTP/1", async () => {
    const session = connect(url, { rejectUnauthorized: false });
    const status = await new Promise((resolve, reject) => {
      session.on("error", reject);
      const stream = session.request({ ":path": "/api/positions", ":authority": "localhost" });
      stream
        .on("response", (headers) => resolve(headers[":status"]))
        .on("error", reject)
        .resume()
        .end();
    });
    session.close();
    expect(status).toBe(429);
  });

  test("counts HTTP/3", async () => {
    const one = () =>
      new Promise<{ status: number; protocol: string }>((resolve, reject) => {
        get(`${clientUrl}/api/positions`, (response) => {
          response.resume().on("end", () => resolve({ status: response.statusCode ?? 0, protocol: "" }));
        }).on("error", reject);
      });
    const found = await codes(LIMIT + 10, one);
    expect(found).toEqual([...Array(LIMIT).fill(200), ...Array(10).fill(429)]);
    const log = await docker("logs", part("caddy"));
    expect(log).toContain('"proto":"HTTP/3.0"');
  });

  test("is kept in Redis: a limiter that is restarted goes on counting", async () => {
    await docker("restart", "--time", "5", part("limiter"));
    // Caddy asks again for as long as the restart takes.
    expect((await ask()).status).toBe(429);
  });
});

describe("behind a proxy", () => {
  beforeAll(async () => {
    const log = (await docker("logs", part("caddy"))).split("\n");
    const mine = log.find((line) => line.includes("/api/positions") && line.includes('"proto":"HTTP/1.1"')) ?? "{}";
    const { request: seen } = JSON.parse(mine) as { request: { remote_ip: string } };
    await give(site({ trustedProxies: [seen.remote_ip] }));
  });

  test("each client that the proxy names has a limit of its own, and cannot name another", async () => {
    expect(passed(await codes(LIMIT + 5, () => ask(from("192.0.2.1, 203.0.113.20"))))).toBe(LIMIT);
    let forged = 0;
    expect(passed(await codes(20, () => ask(from(`198.51.100.${forged++}, 203.0.113.20`))))).toBe(0);
    const other = await ask(from("203.0.113.21"));
    expect([other.status, other.body]).toEqual([200, "203.0.113.21"]);
  });

  test("a customer's IPv6 addresses are one client", async () => {
    let index = 0;
    expect(passed(await codes(LIMIT + 5, () => ask(from(`2001:db8:1:2::${(index++).toString(16)}`))))).toBe(LIMIT);
  });

  test.each(["pause", "stop"])("while Redis is away (%s) each request is answered soon, and limited", async (verb) => {
    await docker(verb, part("redis"));
    const client = verb === "stop" ? "203.0.113.30" : "203.0.113.31";
    let slowest = 0;
    const found = await codes(LIMIT + 10, async () => {
      const start = performance.now();
      const answer = await ask(from(client));
      slowest = Math.max(slowest, performance.now() - start);
      return answer;
    });
    expect(found).toEqual([...Array(LIMIT).fill(200), ...Array(10).fill(429)]);
    expect(slowest).toBeLessThan(2000);
    expect(await alone()).toBe("1");
    await docker(verb === "pause" ? "unpause" : "start", part("redis"));
    await eventually("the limiter at Redis", 30, async () => {
      await ask(from("203.0.113.32"));
      return (await alone()) === "0" ? true : undefined;
    });
  });

  test("costs a request little, and a refused one less than a served one", async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 20, rejectUnauthorized: false });
    const one = (client: string) =>
      new Promise<number>((resolve, reject) => {
        const call = request(`${url}/api/positions`, { agent, headers: from(client) }, (response) => {
          response.resume().on("end", () => resolve(response.statusCode ?? 0));
        });
        call.on("error", reject).end();
      });
    /** Milliseconds that a request takes, of 20 at once. */
    const load = async (clientOf: (index: number) => string) => {
      const many = 3000;
      let next = 0;
      const start = performance.now();
      await Promise.all(
        Array.from({ length: 20 }, async () => {
          while (next < many) await one(clientOf(next++));
        }),
      );
      return (performance.now() - start) / many;
    };
    const many = (network: number) => (index: number) => `10.${network}.${index >> 8}.${index & 255}`;
    await load(many(1));
    const limited = await load(many(2));
    const refused = await load(() => "203.0.113.20");
    await give(site({ trustedProxies: ["0.0.0.0/0"], routes: routes.map((route) => ({ ...route, attempts: [] })) }));
    await load(many(3));
    const free = await load(many(4));
    agent.destroy();
    const say = (value: number) => `${value.toFixed(2)} ms`;
    process.stdout.write(
      `a request: ${say(free)} without the limit, ${say(limited)} with it (${(limited / free).toFixed(1)}×), refused ${say(refused)}\n`,
    );
    expect(limited).toBeLessThan(free * 6);
  });
});
