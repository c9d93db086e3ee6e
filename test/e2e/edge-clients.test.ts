import { Agent, request } from "node:https";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EDGE_PORTS } from "../../components/parts.ts";
import { type Answer, eventually, https, login } from "./lib/http.ts";
import { sendPlain } from "./lib/raw.ts";
import { docker, type TestStack, testStack } from "./lib/stack.ts";

/** Addresses of the documentation's networks (RFC 5737), as a proxy before the edge would name them. */
const GUESSER = "203.0.113.7";
const ADMINISTRATOR = "203.0.113.8";
const STRANGER = "198.51.100.9";

const from = (address: string) => ({ "x-forwarded-for": address });

describe("the edge and its clients", () => {
  let stack: TestStack;
  let admin: Record<string, string>;
  let grafana: Record<string, string>;

  beforeAll(async () => {
    stack = await testStack("e2e-clients");
    const up = await stack.up();
    expect(up.code, up.stdout + up.stderr).toBe(0);
    admin = login("admin", await stack.output("adminPassword"));
    grafana = login("admin", await stack.output("grafanaPassword"));
  });
  afterAll(async () => {
    await stack?.remove();
  });

  const page = (headers: Record<string, string> = {}): Promise<Answer> =>
    https(`${stack.url}/prometheus/api/v1/query?query=up`, { headers });
  const wrong = (number: number) => login("admin", `wrong-${number}`);
  /** A limiter that has forgotten everything. */
  const freshLimiter = async () => {
    await docker("restart", await stack.container("edge-limiter"));
    await eventually("the limiter", 30, async () => ((await page(admin)).status === 200 ? true : undefined));
  };

  describe("a host that is not ours", () => {
    const line = (text: string, host?: string) =>
      `${text}\r\n${host === undefined ? "" : `Host: ${host}\r\n`}Connection: close\r\n\r\n`;
    const requests: readonly (readonly [string, string, number])[] = [
      ["another name", line("GET /health HTTP/1.1", "trader.example.com"), 421],
      ["an address", line("GET /health HTTP/1.1", "192.0.2.1"), 421],
      ["a port alone", line("GET /health HTTP/1.1", ":443"), 421],
      ["an empty name", line("GET /health HTTP/1.1", ""), 400],
      ["no name", line("GET /health HTTP/1.1"), 400],
      ["no name, in HTTP/1.0", line("GET /health HTTP/1.0"), 421],
      ["two names", "GET /health HTTP/1.1\r\nHost: localhost\r\nHost: other\r\nConnection: close\r\n\r\n", 400],
      ["a whole address as its target", line("GET http://trader.example.com/health HTTP/1.1", "localhost"), 421],
      ["a method that is too long", line(`${"A".repeat(40)} /health HTTP/1.1`, "trader.example.com"), 405],
      ["a challenge of ACME's", line("GET /.well-known/acme-challenge/x HTTP/1.1", "trader.example.com"), 421],
    ];
    const tls = { servername: "localhost", ALPNProtocols: ["http/1.1"] };

    test.each(requests)("is refused, without the server's name: %s", async (_, text, status) => {
      for (const said of [await sendPlain(stack.httpPort, text), await sendPlain(stack.httpsPort, text, tls)]) {
        expect(said).toMatch(new RegExp(`^HTTP/1\\.[01] ${status} `));
        expect(said).not.toMatch(/^server:|caddy/im);
        expect(said).not.toContain("\r\n\r\nok");
        // What Go's own server cannot read it answers without any header of ours.
        if (status === 421) expect(said).toMatch(/x-content-type-options: nosniff/i);
      }
    });

    test("is refused in HTTP/2", async () => {
      const { connect } = await import("node:http2");
      const session = connect(stack.url, { rejectUnauthorized: false });
      const answer = await new Promise<Record<string, unknown>>((resolve, reject) => {
        session.on("error", reject);
        const stream = session.request({ ":path": "/health", ":authority": "trader.example.com" });
        stream.on("response", resolve).on("error", reject).resume().end();
      });
      session.close();
      expect(answer[":status"]).toBe(421);
      expect(answer).not.toHaveProperty("server");
      expect(answer["x-content-type-options"]).toBe("nosniff");
    });

    test("gets no certificate to look at", async () => {
      for (const servername of ["trader.example.com", ""])
        expect(await sendPlain(stack.httpsPort, line("GET / HTTP/1.1", "localhost"), { ...tls, servername })).toBe("");
    });

    test("while ours leads from HTTP to HTTPS without the server's name", async () => {
      const said = await sendPlain(stack.httpPort, line("GET /health?a=b HTTP/1.1", "localhost"));
      expect(said).toMatch(/^HTTP\/1\.1 308 /);
      expect(said).toContain(`Location: https://localhost:${stack.httpsPort}/health?a=b\r\n`);
      expect(said).not.toMatch(/^server:/im);
    });
  });

  test("Grafana's metrics are not found at the edge, however they are written, and Prometheus has them", async () => {
    const ways = ["metrics", "/metrics", "./metrics", "%6detrics", "METRICS", "x/../metrics", "metrics/", "metrics/x"];
    for (const way of ways) {
      const text = `GET /grafana/${way} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`;
      const said = await sendPlain(stack.httpsPort, text, { servername: "localhost", ALPNProtocols: ["http/1.1"] });
      expect(said, way).toMatch(/^HTTP\/1\.1 404 /);
      expect(said, way).not.toContain("grafana_build_info");
    }
    await eventually("Grafana's figures", 60, async () => {
      const url = `${stack.url}/prometheus/api/v1/query?query=grafana_build_info`;
      return (await https(url, { headers: admin })).body.includes('"job":"grafana"') ? true : undefined;
    });
  });

  describe("without a proxy before it", () => {
    test("counts a client by its own address, whatever it says of itself", async () => {
      const codes: number[] = [];
      for (let index = 0; index < 14; index++)
        codes.push((await page({ ...wrong(index), ...from(`203.0.113.${index}`) })).status);
      expect(codes).toEqual([...Array(10).fill(401), ...Array(4).fill(429)]);
      await freshLimiter();
    });

    test("refuses what it limits, the login and the services' routes, and nothing else, while the limiter is away", async () => {
      const limiter = await stack.container("edge-limiter");
      await docker("stop", limiter);
      const away = await page(admin);
      expect(away.status).toBe(502);
      expect(away.headers).not.toHaveProperty("server");
      expect((await page()).status).toBe(401);
      expect((await https(`${stack.url}/health`)).status).toBe(200);
      // A limit that opens when its limiter is away would be none.
      expect((await https(`${stack.url}/api/orders`)).status).toBe(502);
      await docker("start", limiter);
      await eventually("the login", 30, async () => ((await page(admin)).status === 200 ? true : undefined));
    });
  });

  describe("behind a proxy", () => {
    beforeAll(async () => {
      await https(`${stack.url}/health?whose=mine`);
      const mine = await eventually("the request in the log", 20, async () => {
        const lines = await docker("logs", "--tail", "50", await stack.container("caddy"));
        const line = lines.split("\n").find((each) => each.includes("whose=mine"));
        return line === undefined ? undefined : (JSON.parse(line) as { request: { remote_ip: string } });
      });
      await stack.pulumi("config", "set", "--path", "autollm:trustedProxies[0]", mine.request.remote_ip);
      await stack.pulumi("config", "set", "--path", "autollm:adminNetworks[0]", "203.0.113.0/28");
      await stack.pulumi("up", "--yes", "--suppress-outputs");
    });

    test("the client is whom the proxy names: for the admin networks, the log, and what lies behind", async () => {
      expect((await page({ ...admin, ...from(ADMINISTRATOR) })).status).toBe(200);
      expect((await page({ ...admin, ...from(STRANGER) })).status).toBe(404);
      // What the client wrote stands left of what the proxy added.
      expect((await page({ ...admin, ...from(`${ADMINISTRATOR}, ${STRANGER}`) })).status).toBe(404);
      expect((await https(`${stack.url}/grafana/login`, { headers: from(STRANGER) })).status).toBe(404);
      // A proxy that names nobody is no administrator.
      expect((await page(admin)).status).toBe(404);
      await https(`${stack.url}/api/orders?whose=named`, { headers: from(STRANGER) });
      await eventually("the client in the log", 20, async () => {
        const lines = await docker("logs", "--tail", "50", await stack.container("caddy"));
        return lines
          .split("\n")
          .some((line) => line.includes("whose=named") && line.includes(`"client_ip":"${STRANGER}"`))
          ? true
          : undefined;
      });
    });

    test("each client of the API has a limit of its own", async () => {
      const ask = async (address: string) =>
        (await https(`${stack.url}/api/orders`, { headers: from(`192.0.2.1, ${address}`) })).status;
      const codes: number[] = [];
      for (let index = 0; index < 110; index++) codes.push(await ask("203.0.113.20"));
      expect(codes.filter((code) => code === 429).length).toBeGreaterThan(0);
      expect(await ask("203.0.113.21")).toBe(401);
    });

    test("two thousand wrong logins take no CPU to speak of, and keep nobody else out", async () => {
      const cpu = async () => {
        const metrics = await docker(
          ...[
            "exec",
            await stack.container("prometheus"),
            "wget",
            "-q",
            "-O",
            "-",
            `http://edge-sockets:${EDGE_PORTS.metrics}/metrics`,
          ],
        );
        return Number(/^process_cpu_seconds_total (\S+)$/m.exec(metrics)?.[1]);
      };
      const agent = new Agent({ keepAlive: true, maxSockets: 40, rejectUnauthorized: false });
      const guess = (number: number) =>
        new Promise<{ status: number; retryAfter: number }>((resolve, reject) => {
          const headers = { ...wrong(number), ...from(GUESSER) };
          const call = request(`${stack.url}/prometheus/`, { agent, headers }, (response) => {
            const { statusCode = 0, headers: said } = response;
            response.resume().on("end", () => resolve({ status: statusCode, retryAfter: Number(said["retry-after"]) }));
          });
          call.on("error", reject).end();
        });
      const before = await cpu();
      let next = 0;
      let done = false;
      const answers: { status: number; retryAfter: number }[] = [];
      const administrator = (async () => {
        const codes: number[] = [];
        while (!done) codes.push((await page({ ...admin, ...from(ADMINISTRATOR) })).status);
        return codes;
      })();
      await Promise.all(
        Array.from({ length: 40 }, async () => {
          while (next < 2000) answers.push(await guess(next++));
        }),
      );
      done = true;
      const codes = await administrator;
      agent.destroy();
      const spent = (await cpu()) - before;
      process.stdout.write(`2000 wrong logins: ${spent.toFixed(1)} s of CPU, ${codes.length} right ones meanwhile\n`);
      expect(answers.filter(({ status }) => status === 401)).toHaveLength(10);
      const refused = answers.filter(({ status }) => status === 429);
      expect(refused).toHaveLength(1990);
      for (const { retryAfter } of refused) expect(retryAfter).toBeGreaterThan(0);
      expect(codes.length).toBeGreaterThan(5);
      expect(new Set(codes)).toEqual(new Set([200]));
      // Without the limit: a hash each, 0.05 s and more.
      expect(spent).toBeLessThan(20);
    });

    test("an outsider cannot lock Grafana's administrator out", async () => {
      const form = (password: string, address: string) =>
        https(`${stack.url}/grafana/login`, {
          method: "POST",
          headers: from(address),
          body: { user: "admin", password },
        });
      const codes: number[] = [];
      for (let index = 0; index < 14; index++) codes.push((await form(`wrong-${index}`, GUESSER)).status);
      expect(codes).toEqual([...Array(10).fill(401), ...Array(4).fill(429)]);
      expect((await form(await stack.output("grafanaPassword"), ADMINISTRATOR)).status).toBe(200);
      const api = `${stack.url}/grafana/api/org`;
      expect((await https(api, { headers: { ...grafana, ...from(ADMINISTRATOR) } })).status).toBe(200);
    });
  });

  describe("a rotation of Grafana's password", () => {
    test("ends the sessions, tokens and users of clients with the former one", async () => {
      const headers = from(ADMINISTRATOR);
      const api = `${stack.url}/grafana/api`;
      const opened = await https(`${stack.url}/grafana/login`, {
        method: "POST",
        headers,
        body: { user: "admin", password: await stack.output("grafanaPassword") },
      });
      const cookie = String(opened.headers["set-cookie"]).split(";")[0] ?? "";
      const session = { ...headers, cookie };
      const post = (path: string, body: unknown) => https(api + path, { method: "POST", headers: session, body });
      const account = JSON.parse((await post("/serviceaccounts", { name: "back", role: "Admin" })).body) as {
        id: number;
      };
      const made = await post(`/serviceaccounts/${account.id}/tokens`, { name: "back" });
      const token = { ...headers, authorization: `Bearer ${(JSON.parse(made.body) as { key: string }).key}` };
      const password = `${cookie.slice(-16)}-made-by-the-thief`;
      expect((await post("/admin/users", { name: "eve", login: "eve", password })).status).toBe(200);
      const user = { ...headers, ...login("eve", password) };
      const status = async (holder: Record<string, string>) => (await https(`${api}/org`, { headers: holder })).status;
      for (const holder of [session, token, user]) expect(await status(holder)).toBe(200);

      const rotation = await stack.autollm("rotate", "grafana-admin", "--yes");
      expect(rotation.code, rotation.stdout + rotation.stderr).toBe(0);
      for (const holder of [session, token, user, { ...headers, ...grafana }]) expect(await status(holder)).toBe(401);
      const now = login("admin", await stack.output("grafanaPassword"));
      expect(await status({ ...headers, ...now })).toBe(200);
      const board = `${api}/dashboards/uid/trading-operations`;
      expect((await https(board, { headers: { ...headers, ...now } })).status).toBe(200);
    });

    test("and nothing else ends them: another image or setting leaves them alone", async () => {
      const headers = from(ADMINISTRATOR);
      const opened = await https(`${stack.url}/grafana/login`, {
        method: "POST",
        headers,
        body: { user: "admin", password: await stack.output("grafanaPassword") },
      });
      const cookie = String(opened.headers["set-cookie"]).split(";")[0] ?? "";
      await docker("restart", await stack.container("grafana"));
      await stack.pulumi("up", "--yes", "--suppress-outputs");
      await eventually("the session", 60, async () => {
        const { status } = await https(`${stack.url}/grafana/api/org`, { headers: { ...headers, cookie } });
        return status === 200 ? true : undefined;
      });
    });
  });
});
