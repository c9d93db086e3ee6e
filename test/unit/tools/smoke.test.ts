import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import { isDefaultSecret } from "../../../components/strength/defaults.ts";
import { SPELLED_DEFAULTS } from "../../../components/strength/words.ts";
import {
  type Answer,
  type Ask,
  daysLeft,
  headerFaults,
  parseBase,
  type SmokeOptions,
  smoke,
} from "../../../tools/lib/smoke.ts";

const NOW = Date.parse("2026-01-01T00:00:00Z");
const headers = {
  "strict-transport-security": "max-age=31536000; includeSubDomains",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "strict-origin-when-cross-origin",
  "permissions-policy": "camera=()",
};
const certificate = { validTo: "Mar  1 00:00:00 2026 GMT", protocol: "TLSv1.3" };
const answer = (status: number, body = "", more: Partial<Answer> = {}): Answer => ({
  status,
  headers,
  body,
  certificate,
  ...more,
});

/** An environment in which everything is as it must be. */
const good: Readonly<Record<string, Answer>> = {
  "https://trader.example.com/health": answer(200, "ok"),
  "https://trader.example.com/prometheus/api/v1/status/buildinfo": answer(401),
  "https://trader.example.com/grafana/api/health": answer(200, '{"database": "ok"}'),
  "https://trader.example.com/grafana/api/search": answer(401),
  "https://trader.example.com/grafana/api/user": answer(401),
  "https://trader.example.com/api/positions": answer(401),
  "https://trader.example.com/grafana/metrics": answer(404),
  "https://trader.example.com/metrics": answer(404),
  "https://trader.example.com/jaeger/": answer(404),
  "http://trader.example.com:80/health": answer(308, "", {
    headers: { location: "https://trader.example.com/health" },
  }),
};
const options: SmokeOptions = {
  token: { path: "/api/positions", expected: [401, 403] },
  base: new URL("https://trader.example.com"),
  httpPort: 80,
  insecure: false,
  now: NOW,
};

/** The names of the checks that fail when some answers are others. */
async function failures(changed: Readonly<Record<string, Answer>>, changes: Partial<SmokeOptions> = {}) {
  const answers = { ...good, ...changed };
  const ask: Ask = async ({ url }) => {
    const found = answers[url];
    if (found === undefined) throw new Error(`nobody expected ${url}`);
    return found;
  };
  const results = await smoke({ ...options, ...changes }, ask);
  return results.filter(({ outcome }) => outcome === "failed").map(({ name }) => name);
}

describe("smoke tests", () => {
  it("find nothing where all is well", async () => expect(await failures({})).toEqual([]));

  it.each([
    ["health", "https://trader.example.com/health", answer(200, "maybe")],
    ["security headers", "https://trader.example.com/health", answer(200, "ok", { headers: {} })],
    ["Grafana is healthy", "https://trader.example.com/grafana/api/health", answer(200, '{"database": "failing"}')],
    ["Grafana refuses strangers", "https://trader.example.com/grafana/api/search", answer(200, "[]")],
    ["Grafana refuses admin/admin", "https://trader.example.com/grafana/api/user", answer(200, "{}")],
    ["Grafana's metrics are not public", "https://trader.example.com/grafana/metrics", answer(200, "up 1")],
    ["Grafana is healthy", "https://trader.example.com/grafana/api/health", answer(502)],
    ["metrics are not public", "https://trader.example.com/metrics", answer(200, "up 1")],
    ["Jaeger is not public", "https://trader.example.com/jaeger/", answer(200)],
    ["HTTP leads to HTTPS", "http://trader.example.com:80/health", answer(200, "ok")],
    [
      "HTTP leads to HTTPS",
      "http://trader.example.com:80/health",
      answer(301, "", { headers: { location: "https://elsewhere.example.com/health" } }),
    ],
  ])("find a fault of: %s", async (name, url, changed) => expect(await failures({ [url]: changed })).toEqual([name]));

  it("find nothing where the admin pages are hidden from here", async () => {
    const hidden = Object.keys(good).filter((url) => /grafana|prometheus/.test(url));
    expect(await failures(Object.fromEntries(hidden.map((url) => [url, answer(404)])))).toEqual([]);
  });

  it("find an open Prometheus, with and without the default login", async () => {
    const url = "https://trader.example.com/prometheus/api/v1/status/buildinfo";
    expect(await failures({ [url]: answer(200) })).toEqual([
      "Prometheus wants a login",
      "Prometheus refuses admin/admin",
    ]);
  });

  it.each([
    ["ends within two weeks", { validTo: "Jan 10 00:00:00 2026 GMT", protocol: "TLSv1.3" }],
    ["is over an old protocol", { validTo: "Mar  1 00:00:00 2026 GMT", protocol: "TLSv1.1" }],
  ])("refuse a certificate that %s", async (_, changed) => {
    const health = answer(200, "ok", { certificate: changed });
    expect(await failures({ "https://trader.example.com/health": health })).toEqual(["certificate"]);
  });

  it("take a short-lived certificate of Caddy's own with --insecure, but none that has ended", async () => {
    const until = (validTo: string) => ({
      "https://trader.example.com/health": answer(200, "ok", { certificate: { validTo, protocol: "TLSv1.3" } }),
    });
    expect(await failures(until("Jan  1 12:00:00 2026 GMT"), { insecure: true })).toEqual([]);
    expect(await failures(until("Dec 31 23:00:00 2025 GMT"), { insecure: true })).toEqual(["certificate"]);
  });

  it("say once that nothing answers, instead of a dozen times", async () => {
    const results = await smoke(options, () => Promise.reject(new Error("connect ECONNREFUSED")));
    expect(results).toEqual([{ name: "health", outcome: "failed", detail: "connect ECONNREFUSED" }]);
  });

  it("leave the redirect out where the port of HTTP is unknown, and say so", async () => {
    const ask: Ask = async ({ url }) => good[url] ?? answer(500);
    const results = await smoke({ ...options, httpPort: undefined }, ask);
    expect(results.at(-1)).toMatchObject({ name: "HTTP leads to HTTPS", outcome: "skipped" });
  });

  it("find an API that asks for no token", async () => {
    expect(await failures({ "https://trader.example.com/api/positions": answer(200, "{}") })).toEqual([
      "the API wants a token",
      "the API refuses known keys",
    ]);
  });

  /** A gateway that takes tokens of one key, by its own reading of them. */
  const gateway =
    (key: string | undefined, limit = Number.POSITIVE_INFINITY, limited: object = { "retry-after": "17" }): Ask =>
    async ({ url, headers: sent = {} }) => {
      const token = /^Bearer (.*)$/.exec(sent.authorization ?? "")?.[1];
      if (token === undefined) return good[url] ?? answer(500);
      asked += 1;
      if (asked > limit && !waited) return answer(429, "", { headers: { ...limited } });
      const [head = "", body = "", signature] = token.split(".");
      const { alg } = JSON.parse(Buffer.from(head, "base64url").toString()) as { alg: string };
      const signed = key === undefined ? "" : createHmac("sha256", key).update(`${head}.${body}`).digest("base64url");
      return answer(alg === (key === undefined ? "none" : "HS256") && signature === signed ? 200 : 401);
    };
  let asked = 0;
  let waited = false;
  const known = async (ask: Ask) => {
    asked = 0;
    waited = false;
    const wait = async () => {
      waited = true;
    };
    const results = await smoke({ ...options, wait }, ask);
    return results.find(({ name }) => name === "the API refuses known keys");
  };

  it.each([
    ["replace_me", 'signed by "replace_me"'],
    ["changeme", 'signed by "changeme"'],
    ["your-256-bit-secret", 'signed by "your-256-bit-secret"'],
    ["", "signed by an empty key"],
    [undefined, "signed by nobody"],
  ])("find a gateway that runs on %j, and name it", async (key, name) => {
    const result = await known(gateway(key));
    expect(result?.outcome).toBe("failed");
    expect(result?.detail).toContain(`takes a token ${name} (answers 200)`);
  });

  it("wait where the edge's limit says so, and then go on", async () => {
    expect(await known(gateway("a key of its own", 20))).toMatchObject({ outcome: "ok" });
    expect(waited).toBe(true);
    expect(await known(gateway("changeme", 3))).toMatchObject({ outcome: "failed" });
  });

  it("wait a minute where the application's own limit does not say how long", async () => {
    expect(await known(gateway("a key of its own", 20, {}))).toMatchObject({ outcome: "ok" });
    expect(waited).toBe(true);
  });

  it("go on after many short waits, and do not take a limit that stays for a token that is taken", async () => {
    let refusals = 0;
    const busy: Ask = async (request) => {
      const isToken = request.headers?.authorization?.startsWith("Bearer ") === true;
      if (isToken && ++refusals <= 100) return answer(429, "", { headers: { "retry-after": "1" } });
      return gateway("a key of its own")(request);
    };
    expect(await known(busy)).toMatchObject({ outcome: "ok" });
    const closed: Ask = async (request) =>
      request.headers?.authorization?.startsWith("Bearer ") === true ? answer(429) : (good[request.url] ?? answer(500));
    const result = await known(closed);
    expect(result?.outcome).toBe("failed");
    expect(result?.detail).toMatch(/^\d+ of \d+ tokens were not judged: answers 429/);
  });

  it("try known defaults alone, few enough for a minute", () => {
    for (const each of SPELLED_DEFAULTS) expect(isDefaultSecret(each), each).toBe(true);
    expect(SPELLED_DEFAULTS.length).toBeLessThan(80);
    expect(SPELLED_DEFAULTS).toEqual(expect.arrayContaining(["replace_me", "changeme"]));
  });

  it("wait, each of them, where the client's address has used up its requests", async () => {
    const refused = new Set<string>();
    const waits: number[] = [];
    const once: Ask = async ({ url }) => {
      if (refused.has(url)) return good[url] ?? answer(500);
      refused.add(url);
      return answer(429, "", { headers: { "retry-after": "9" } });
    };
    const wait = async (milliseconds: number) => waits.push(milliseconds);
    const results = await smoke({ ...options, wait }, once);
    expect(results.filter(({ outcome }) => outcome !== "ok")).toEqual([]);
    expect(new Set(waits)).toEqual(new Set([10_000]));
  });

  it("send the default login with two requests only, and nothing else that could change a thing", async () => {
    const logins: string[] = [];
    await smoke(options, async ({ url, headers: sent = {} }) => {
      if (sent.authorization?.startsWith("Basic ")) logins.push(new URL(url).pathname);
      return good[url] ?? answer(500);
    });
    expect(logins).toEqual(["/prometheus/api/v1/status/buildinfo", "/grafana/api/user"]);
  });
});

describe("security headers", () => {
  it("are all needed, and must mean something", () => {
    expect(headerFaults(headers)).toEqual([]);
    expect(headerFaults({ ...headers, "strict-transport-security": "max-age=0" })).toHaveLength(1);
    expect(headerFaults({ ...headers, "referrer-policy": "unsafe-url" })).toHaveLength(1);
    expect(headerFaults({ ...headers, server: "Caddy" })).toEqual(['the server tells its name ("Caddy")']);
    expect(headerFaults({})).toHaveLength(5);
  });
});

describe("the URL", () => {
  it.each(["https://trader.example.com", "https://localhost:8443", "https://127.0.0.1:8443/"])("%s is taken", (url) =>
    expect(parseBase(url)).toBeInstanceOf(URL),
  );
  it.each(["trader.example.com", "http://localhost", "https://admin:pw@localhost", "https://localhost/health", ""])(
    "%s is refused",
    (url) => expect(typeof parseBase(url)).toBe("string"),
  );
});

it("a certificate's days are whole ones, and negative when it has ended", () => {
  expect(daysLeft("Jan 15 12:00:00 2026 GMT", NOW)).toBe(14);
  expect(daysLeft("Dec 31 23:00:00 2025 GMT", NOW)).toBe(-1);
});
