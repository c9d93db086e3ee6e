import { request as rawRequest } from "node:http";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Health } from "../../../services/reference/src/health.ts";
import { HttpError, HttpServer, matchPath } from "../../../services/reference/src/http.ts";
import { quietLog, testMetrics } from "./helpers.ts";

describe("paths", () => {
  it.each([
    ["/api/orders/:id", "/api/orders/n1", { id: "n1" }],
    ["/api/orders/:id", "/api/orders/", undefined],
    ["/api/orders/:id", "/api/orders/a/b", undefined],
    ["/health", "/health", {}],
    ["/health", "/healthz", undefined],
  ])("%s and %s", (pattern, path, expected) => expect(matchPath(pattern, path)).toEqual(expected));
});

describe("the server", () => {
  let server: HttpServer;
  let base: string;
  let registry: ReturnType<typeof testMetrics>["metrics"];
  let lines: ReturnType<typeof quietLog>["lines"];

  beforeEach(async () => {
    const { metrics, common } = testMetrics();
    const quiet = quietLog();
    [registry, lines] = [metrics, quiet.lines];
    server = new HttpServer(quiet.log, common);
    server.route("GET", "/items/:id", async ({ params }) => ({ body: { id: params.id } }));
    server.route("POST", "/echo", async (request) => ({ status: 202, body: await request.json() }));
    server.route("GET", "/limited", async () => {
      throw new HttpError(429, "slow down", { "retry-after": "7" });
    });
    server.route("GET", "/broken", async () => {
      throw new Error("password=hunter2 in a driver's message");
    });
    server.route("GET", "/slow", async () => {
      await new Promise((resolve) => setTimeout(resolve, 150));
      return { body: "done" };
    });
    base = `http://127.0.0.1:${await server.listen(0)}`;
  });
  afterEach(() => server.close());

  const post = (body: string) => fetch(`${base}/echo`, { method: "POST", body });

  it("answers, and says that it is a stand-in", async () => {
    const response = await fetch(`${base}/items/7`);
    expect(await response.json()).toEqual({ id: "7" });
    expect(response.headers.get("x-stand-in")).toBe("true");
  });

  it("answers faults with their status and headers", async () => {
    const limited = await fetch(`${base}/limited`);
    expect([limited.status, limited.headers.get("retry-after")]).toEqual([429, "7"]);
    expect((await fetch(`${base}/nothing`)).status).toBe(404);
    expect((await fetch(`${base}/echo`)).status).toBe(405);
  });

  it("keeps the cause of a failure to its log", async () => {
    const response = await fetch(`${base}/broken`);
    expect(response.status).toBe(503);
    expect(await response.text()).not.toContain("hunter2");
    expect(lines.at(-1)).toMatchObject({ level: "error", message: "request failed" });
  });

  it("takes JSON objects of a reasonable size only", async () => {
    expect((await post('{"a":1}')).status).toBe(202);
    for (const body of ["", "[]", "1", "null", "{"]) expect((await post(body)).status).toBe(400);
    expect((await post(`{"a":"${"x".repeat(70_000)}"}`)).status).toBe(413);
  });

  it("survives a target that is no URL", async () => {
    const status = await new Promise((resolve) => {
      rawRequest({ port: new URL(base).port, path: "//[" }, (response) => {
        response.resume();
        resolve(response.statusCode);
      }).end();
    });
    expect(status).toBe(404);
  });

  it("measures by route, so that nobody can make endless series", async () => {
    await fetch(`${base}/items/1`);
    await fetch(`${base}/items/2`);
    await fetch(`${base}/made-up-${Math.random()}`);
    const text = await registry.registry.metrics();
    expect(text).toContain('http_requests_total{method="GET",path="/items/:id",status="200"} 2');
    expect(text).toContain('http_requests_total{method="GET",path="unmatched",status="404"} 1');
  });

  it("finishes what is in flight when it closes", async () => {
    const slow = fetch(`${base}/slow`);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const closed = server.close();
    const response = await slow;
    expect(await response.text()).toBe("done");
    expect(response.headers.get("connection")).toBe("close");
    await closed;
    await expect(fetch(`${base}/items/1`)).rejects.toThrow();
  });
});

describe("health", () => {
  const make = () => {
    const { common, metrics } = testMetrics();
    return { health: new Health(common.dependencyUp), metrics };
  };
  const away = async () => {
    throw new Error("connection refused");
  };

  it("is ok when everything answers", async () => {
    const { health } = make();
    health.own("redis", async () => "PONG");
    expect(await health.report()).toEqual({ status: 200, text: "ok\n" });
  });

  it("is red, with the name, when an own dependency is gone", async () => {
    const { health, metrics } = make();
    health.own("redis", away);
    health.own("nats", async () => undefined);
    expect(await health.report()).toEqual({ status: 503, text: "unavailable: redis (connection refused)\n" });
    expect(await metrics.registry.metrics()).toContain('dependency_up{dependency="redis"} 0');
  });

  it("is amber when a peer is away", async () => {
    const { health } = make();
    health.peer("risk-manager", away);
    expect(await health.report()).toEqual({ status: 200, text: "ok, but away: risk-manager\n" });
  });

  it("does not wait for a probe that hangs, nor fall over one that throws at once", async () => {
    const { health } = make();
    health.own("postgres", () => new Promise(() => undefined));
    health.own("nats", () => {
      throw new Error("not connected");
    });
    const { status, text } = await health.report();
    expect(status).toBe(503);
    expect(text).toContain("postgres (postgres gave no answer within 1000 ms)");
    expect(text).toContain("nats (not connected)");
  });

  it("is red while draining", async () =>
    expect(await make().health.report(true)).toEqual({ status: 503, text: "draining\n" }));
});
