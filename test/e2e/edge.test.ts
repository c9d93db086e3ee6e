import { generateKeyPairSync } from "node:crypto";
import { get } from "node:https";
import { setTimeout as pause } from "node:timers/promises";
import type { TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { certificate } from "../../tools/checkImage/certificates.ts";
import { run } from "../../tools/lib/run.ts";
import { root } from "../../tools/lib/workspace.ts";
import { eventually, https, login } from "./lib/http.ts";
import { quicVersions, sendRaw } from "./lib/raw.ts";
import { docker, type TestStack, testStack } from "./lib/stack.ts";
import { trader } from "./lib/trading.ts";

const newKey = () => generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;

describe("the edge", () => {
  let stack: TestStack;
  let admin: Record<string, string>;
  let headers: Record<string, string>;

  beforeAll(async () => {
    stack = await testStack("e2e-edge");
    const up = await stack.up();
    expect(up.code, up.stdout + up.stderr).toBe(0);
    admin = login("admin", await stack.output("adminPassword"));
    headers = await trader(stack);
  });
  afterAll(async () => {
    await stack?.remove();
  });

  const raw = (text: string) => sendRaw({ port: stack.httpsPort, pieces: [text] });
  const request = (line: string, ...more: readonly string[]) =>
    `${[line, "Host: localhost", ...more, "Connection: close"].join("\r\n")}\r\n\r\n`;
  const status = ({ said }: { said: string }) => Number(/^HTTP\/1\.1 (\d+)/.exec(said)?.[1] ?? 0);
  const healthy = async () => expect((await https(`${stack.url}/health`)).status).toBe(200);

  describe("headers", () => {
    test.each([
      ["/health", 200, "none"],
      ["/nothing", 404, "none"],
      ["/", 302, "none"],
      ["/api/orders", 401, "none"],
      ["/prometheus/graph", 401, "none"],
      ["/alertmanager/", 401, "none"],
      ["/jaeger/", 401, "none"],
      ["/grafana/login", 200, "self"],
    ])("of %s (%i) keep others' pages and scripts out, and name no program", async (path, code, source) => {
      const answer = await https(`${stack.url}${path}`);
      expect(answer.status).toBe(code);
      expect(answer.headers["content-security-policy"]).toMatch(`default-src '${source}'`);
      expect(answer.headers["content-security-policy"]).toMatch("frame-ancestors 'none'");
      expect(answer.headers).toMatchObject({
        "strict-transport-security": "max-age=31536000; includeSubDomains",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
      });
      expect(answer.headers).not.toHaveProperty("server");
      expect(answer.headers["alt-svc"]).toBe(`h3=":${stack.httpsPort}"; ma=86400`);
    });

    test("lead to HTTP/3 where it is published", async () => {
      expect(await quicVersions(stack.httpsPort)).toContain("00000001");
    });
  });

  describe("the admin pages", () => {
    test.each(["/prometheus/query", "/alertmanager/", "/jaeger/"])(
      "%s opens to the login, as a page of its own",
      async (path) => {
        const { status: code, body } = await https(`${stack.url}${path}`, { headers: admin });
        expect(code).toBe(200);
        expect(body.toLowerCase()).toContain("<!doctype html>");
      },
    );

    const ways = ["..", "%2e%2e", "%2E%2e", "..%2f", "..%5c", "%252e%252e", ".%2e", "..;"].flatMap((up) => [
      `/grafana/${up}/prometheus/api/v1/query?query=up`,
      `/grafana/${up}/${up}/prometheus/api/v1/query?query=up`,
      `/health/${up}/prometheus/api/v1/query?query=up`,
      `/grafana/public/${up}/${up}/${up}/${up}/${up}/${up}/etc/passwd`,
      `/prometheus/${up}/${up}/${up}/etc/passwd`,
      `/api/${up}/prometheus/api/v1/query?query=up`,
    ]);
    const odd = [
      "//prometheus/api/v1/query?query=up",
      "/PROMETHEUS/api/v1/query?query=up",
      "/./prometheus/api/v1/query?query=up",
      "/prometheus%2fapi%2fv1%2fquery?query=up",
      "/%70rometheus/api/v1/query?query=up",
      "/prometheus;/api/v1/query?query=up",
    ];

    test("are not reached around the login, whatever the path is written like", async () => {
      const told: string[] = [];
      for (const path of [...ways, ...odd]) {
        const { said } = await raw(request(`GET ${path} HTTP/1.1`));
        if (/"status":"success"|root:.*:0:0:/.test(said)) told.push(path);
      }
      expect(told).toEqual([]);
      // The same question is answered to a client with the login: the test above can fail.
      const known = await https(`${stack.url}/prometheus/api/v1/query?query=up`, { headers: admin });
      expect(known.body).toContain('"status":"success"');
    });

    test("give a file of the host to nobody, login or not", async () => {
      for (const path of ways.filter((way) => way.endsWith("/etc/passwd"))) {
        const { said } = await raw(request(`GET ${path} HTTP/1.1`, `Authorization: ${admin.authorization}`));
        expect(said, path).not.toMatch(/root:.*:0:0:/);
      }
    });
  });

  describe("a change of its configuration", () => {
    const reload = async () =>
      docker(
        ...["exec", await stack.container("caddy"), "caddy", "reload", "--force"],
        ...["--config", "/run/live/current/Caddyfile", "--adapter", "caddyfile"],
      );

    test("ends no request that is under way", async () => {
      const body = JSON.stringify({ headline: "kept", symbol: "BTC-USD" });
      const start = request(
        "POST /api/none HTTP/1.1",
        `Authorization: ${headers.authorization}`,
        `Content-Length: ${body.length}`,
      );
      const half = body.length / 2;
      const slow = Array.from({ length: 20 }, () =>
        sendRaw({
          port: stack.httpsPort,
          pieces: [start + body.slice(0, half), body.slice(half)],
          pause: 5000,
        }),
      );
      await pause(1000);
      await reload();
      for (const answer of await Promise.all(slow)) expect(status(answer)).toBe(404);
    });

    test("loses no request of a client that asks once more, on a new connection, as HTTP's clients do (RFC 9110, 9.2.2)", async () => {
      let done = false;
      const failed: unknown[] = [];
      let answered = 0;
      const count = (code: number) => {
        if (code !== 200) throw new Error(`answered ${code}`);
        answered += 1;
      };
      const ask = async () => count((await https(`${stack.url}/health`)).status);
      const askAnew = async () => count(status(await raw(request("GET /health HTTP/1.1"))));
      const load = Array.from({ length: 10 }, async () => {
        while (!done) {
          await ask()
            .catch(askAnew)
            .catch((error: unknown) => failed.push(error));
          await pause(50);
        }
      });
      for (let index = 0; index < 10; index++) await reload();
      done = true;
      await Promise.all(load);
      expect(failed).toEqual([]);
      expect(answered).toBeGreaterThan(100);
    });

    test("is taken by the container that runs: admin pages are for the admin networks alone", async () => {
      const caddy = await docker("inspect", "--format", "{{.Id}}", await stack.container("caddy"));
      await stack.pulumi("config", "set", "--path", "autollm:adminNetworks[0]", "192.0.2.0/24");
      await stack.pulumi("up", "--yes", "--suppress-outputs");
      for (const path of ["/prometheus/graph", "/alertmanager/", "/jaeger/"])
        expect((await https(`${stack.url}${path}`, { headers: admin })).status, path).toBe(404);
      expect((await https(`${stack.url}/grafana/login`)).status).toBe(404);
      expect((await https(`${stack.url}/`)).status).toBe(404);
      expect((await https(`${stack.url}/health`)).status).toBe(200);
      await stack.pulumi("config", "rm", "autollm:adminNetworks");
      await stack.pulumi("up", "--yes", "--suppress-outputs");
      expect((await https(`${stack.url}/prometheus/query`, { headers: admin })).status).toBe(200);
      expect(await docker("inspect", "--format", "{{.Id}}", await stack.container("caddy"))).toBe(caddy);
    });
  });

  describe("a domain of its own", () => {
    const NAME = "trader.test";
    const authority = { commonName: "An authority of the test", key: newKey() };
    const authorityPem = certificate(authority);
    const issued = () => {
      const key = newKey();
      const own = certificate({ commonName: NAME, key, issuer: authority, names: [NAME] });
      return { certificate: own + authorityPem, key: key.export({ type: "pkcs8", format: "pem" }).toString() };
    };
    /** As the documentation says: from a file. */
    const supply = async ({ certificate: chain, key }: ReturnType<typeof issued>) => {
      const set = async (field: string, value: string, ...flags: readonly string[]) => {
        const path = `autollm:domains["${NAME}"].${field}`;
        const line = ["pulumi", "config", "set", "--path", path, ...flags, "--stack", stack.name];
        const env = { AUTOLLM_HOME: stack.home, CI: "true" };
        await run("./autollm", line, { cwd: root, env, input: value });
      };
      await set("key", key, "--secret");
      await set("certificate", chain);
      await stack.pulumi("up", "--yes", "--suppress-outputs");
    };
    /** The status and the certificate's number, of one new connection that trusts the authority of the test alone. */
    const ask = (path = "/health") =>
      new Promise<{ code: number; serial: string }>((resolve, reject) => {
        const options = { servername: NAME, ca: authorityPem, headers: { host: NAME }, agent: false };
        get(`https://127.0.0.1:${stack.httpsPort}${path}`, options, (response) => {
          const { serialNumber: serial } = (response.socket as TLSSocket).getPeerCertificate();
          response.resume().on("end", () => resolve({ code: response.statusCode ?? 0, serial }));
        }).on("error", reject);
      });

    test("answers with the certificate that was supplied for it, and Prometheus watches it", async () => {
      await expect(ask()).rejects.toThrow();
      await supply(issued());
      expect((await ask()).code).toBe(200);
      expect((await ask("/prometheus/graph")).code).toBe(401);
      expect((await https(`${stack.url}/health`)).status).toBe(200);
      const query = encodeURIComponent(`probe_success{certificate="supplied",domain="${NAME}"}`);
      const found = await eventually("the probe's word", 90, async () => {
        const { body } = await https(`${stack.url}/prometheus/api/v1/query?query=${query}`, { headers: admin });
        return /"value":\[[^\]]*"1"\]/.test(body) ? body : undefined;
      });
      expect(found).toContain(NAME);
    });

    test("takes another certificate without a failed request, and its key is in no log and no description", async () => {
      const before = await ask();
      const caddy = await docker("inspect", "--format", "{{.Id}}", await stack.container("caddy"));
      let done = false;
      const failed: unknown[] = [];
      const seen = new Set<string>();
      const load = Array.from({ length: 4 }, async () => {
        while (!done) {
          await ask().then(
            ({ code, serial }) => (code === 200 ? seen.add(serial) : failed.push(code)),
            (error: unknown) => failed.push(error),
          );
          await pause(50);
        }
      });
      const next = issued();
      await supply(next);
      done = true;
      await Promise.all(load);
      expect(failed).toEqual([]);
      expect((await ask()).serial).not.toBe(before.serial);
      expect(seen.size).toBe(2);
      const name = await stack.container("caddy");
      expect(await docker("inspect", "--format", "{{.Id}}", name)).toBe(caddy);
      const [, line = ""] = next.key.split("\n");
      expect(await docker("inspect", name)).not.toContain(line);
      expect(await docker("logs", name)).not.toContain(line);
    });

    test("that is taken away answers no more", async () => {
      await stack.pulumi("config", "rm", "autollm:domains");
      await stack.pulumi("up", "--yes", "--suppress-outputs");
      await expect(ask()).rejects.toThrow();
      await healthy();
    });
  });

  describe("a hostile client", () => {
    test("gets no further with headers that are too large", async () => {
      expect(status(await raw(request("GET /health HTTP/1.1", `X-Large: ${"a".repeat(32 * 1024)}`)))).toBe(431);
      const many = Array.from({ length: 2000 }, (_, index) => `X-${index}: ${"a".repeat(20)}`);
      expect(status(await raw(request("GET /health HTTP/1.1", ...many)))).toBe(431);
      await healthy();
    });

    test("gets no further with a body that is too large", async () => {
      const large = { headline: "x".repeat(2 * 1024 * 1024), symbol: "BTC-USD" };
      const answer = await https(`${stack.url}/api/news`, { method: "POST", headers, body: large }).catch(String);
      // Refused while it is still being sent: the answer may meet a connection that is already cut.
      if (typeof answer !== "string") expect(answer.status).toBe(413);
      await healthy();
    });

    test("that is slow is cut off, while others are served", async () => {
      function* slowly(text: string) {
        for (const letter of text) yield letter;
      }
      const header = request("GET /health HTTP/1.1", `X-Slow: ${"a".repeat(200)}`);
      const body = `${request("POST /api/news HTTP/1.1", `Authorization: ${headers.authorization}`, "Content-Length: 5000")}{`;
      const attacks = [
        ...Array.from({ length: 200 }, () => slowly(header)),
        ...Array.from({ length: 20 }, () => [body, ...slowly("a".repeat(200))]),
      ].map((pieces) => sendRaw({ port: stack.httpsPort, pieces, pause: 1000, patience: 60 }));
      await healthy();
      for (const { closed, said } of await Promise.all(attacks)) {
        expect(closed).toBe(true);
        // Caddy ends a body that never came with a 504, or with an empty 200; a word of the API would be a 202.
        expect(said).not.toMatch(/HTTP\/1\.1 20[^0]/);
      }
      await healthy();
    });

    const SMUGGLED = "GET /prometheus/api/v1/query?query=up HTTP/1.1\r\nHost: localhost\r\n\r\n";
    const samples: Readonly<Record<string, string>> = {
      "both lengths": `Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
      "two lengths": `Content-Length: 0\r\nContent-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
      "a length with a sign": `Content-Length: +0\r\n\r\n${SMUGGLED}`,
      "an unknown encoding": `Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
      "two encodings": `Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n${SMUGGLED}`,
      "an encoding with a blank before the colon": `Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
      "a folded header": `X-A: b\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
      "a chunk size that overflows": `Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n\r\n${SMUGGLED}`,
      "a header with a bare carriage return": `X-A: b\rTransfer-Encoding: chunked\r\n\r\n${SMUGGLED}`,
    };
    test.each(Object.entries(samples))("smuggles no request past the login with %s", async (_, rest) => {
      const start = `POST /api/news HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${headers.authorization}\r\n`;
      const { said } = await sendRaw({ port: stack.httpsPort, pieces: [start + rest], patience: 15 });
      expect(said).not.toContain('"status":"success"');
      expect(said).not.toMatch(/^HTTP\/1\.1 2/m);
      await healthy();
    });

    test("is counted by its own address, whatever it says in X-Forwarded-For", async () => {
      const codes: number[] = [];
      for (let index = 0; index < 130; index++) {
        const claimed = `203.0.113.${index}`;
        const spoofed = { ...headers, "x-forwarded-for": claimed, "x-real-ip": claimed, forwarded: `for=${claimed}` };
        codes.push((await https(`${stack.url}/api/orders`, { headers: spoofed })).status);
      }
      expect(codes.filter((code) => code === 429).length).toBeGreaterThanOrEqual(30);
      const refused = await https(`${stack.url}/api/orders`, { headers });
      expect(refused.status).toBe(429);
      expect(Number(refused.headers["retry-after"])).toBeGreaterThan(0);
      const log = await docker("logs", "--tail", "500", await stack.container("gateway-api"));
      expect(log).not.toContain('"client":"203.0.113.');
    });

    test("leaves no token in the log, in a header or in an address", async () => {
      const mark = "may-not-be-logged";
      const marked = { authorization: `Bearer ${mark}`, cookie: `grafana_session=${mark}` };
      await https(`${stack.url}/api/orders?token=${mark}&access_token=${mark}&page=1`, { headers: marked });
      const log = await eventually("the request's line in the log", 20, async () => {
        const lines = await docker("logs", "--tail", "20", await stack.container("caddy"));
        return lines.includes("page=1") ? lines : undefined;
      });
      expect(log).not.toContain(mark);
    });
  });
});
