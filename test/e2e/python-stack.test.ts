import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { parse, stringify } from "yaml";
import { inboxPrefix, STANDARD_INBOX } from "../../components/platform/inbox.ts";
import { run } from "../../tools/lib/run.ts";
import { root } from "../../tools/lib/workspace.ts";
import { access } from "./lib/access.ts";
import { PaperExchange } from "./lib/exchange.ts";
import { Flow } from "./lib/flow.ts";
import { type Answer, eventually, https, login } from "./lib/http.ts";
import { pythonApplication } from "./lib/python.ts";
import { type Registry, startRegistry } from "./lib/registry.ts";
import { docker, type TestStack, testStack } from "./lib/stack.ts";
import { NatsTrial } from "./lib/subjects.ts";
import { twin } from "./lib/twin.ts";

/** The programs that the application has; the stand-ins are the others. */
const PROGRAMS = ["gateway-api", "risk-manager", "llm-agents", "execution-crypto", "portfolio-ledger"] as const;
/** From the command's start to its effect. */
const WITHIN_MS = 2000;
/** The application's own limit is of 100 units of money for each of these, a tenth of a million. */
const TOO_LARGE = 100_000;

/**
 * The application of test/applications/python in place of five services at once, with its preset and an exchange's sandbox: what
 * docs/application.md says that the platform keeps, whatever an image does, is tried against it.
 */
describe("an application that is not adapted to the platform", () => {
  let stack: TestStack;
  let registry: Registry;
  let exchange: PaperExchange;
  let news: Flow;
  let to: ReturnType<typeof access>;
  const user = { user: "trader", password: randomBytes(12).toString("hex") };
  const exchangeKey = randomBytes(24).toString("hex");

  const configFile = () => join(stack.home, `Pulumi.${stack.name}.yaml`);
  type Config = Record<string, unknown>;
  const config = (change: (config: Config) => void) => {
    const file = parse(readFileSync(configFile(), "utf8")) as { config?: Config };
    file.config ??= {};
    change(file.config);
    writeFileSync(configFile(), stringify(file));
  };
  /** What the owner of the application writes: images, and here the address of an exchange that is not the real one. */
  const release = (environment: Readonly<Record<string, Readonly<Record<string, string>>>> = {}) =>
    config((own) => {
      own["autollm:application"] = "autollm";
      own["autollm:release"] = Object.fromEntries(
        PROGRAMS.map((name) => [name, { image: images.get(name), environment: environment[name] ?? {} }]),
      );
    });
  const images = new Map<string, string>();
  let sandbox: Readonly<Record<string, string>>;
  const up = async () => {
    const { code, stdout, stderr } = await stack.autollm("up");
    expect(code, stdout + stderr).toBe(0);
    return stdout + stderr;
  };
  /** Of the application, against a certificate that nobody has signed. */
  const smokeTests = () => {
    const options = ["--insecure", "--http-port", String(stack.httpPort), "--application", "autollm"];
    return run("./autollm", ["smoke", stack.url, ...options], { cwd: root, allowFailure: true });
  };
  const switchTo = async (...args: readonly string[]) => {
    const { code, stdout, stderr } = await stack.autollm("kill-switch", ...args);
    return { code, text: stdout + stderr };
  };
  const state = async (workload: string) =>
    docker("inspect", "--format", "{{.State.Status}}", await stack.container(workload));

  let headers: Record<string, string> = {};
  const api = (method: string, path: string, body?: object): Promise<Answer> =>
    https(`${stack.url}${path}`, { method, headers, ...(body === undefined ? {} : { body }) });
  const logIn = () => api("POST", "/api/auth/login", user);
  const propose = (symbol: string, quantity: number) => api("POST", "/api/intents", { symbol, quantity });

  const grafana = async (path: string, body?: object) =>
    https(`${stack.url}/grafana/api${path}`, {
      headers: login("admin", await stack.output("grafanaPassword")),
      ...(body === undefined ? {} : { method: "POST", body }),
    });
  interface Sample {
    readonly metric: Readonly<Record<string, string>>;
    readonly value: readonly [number, string];
  }
  const query = async (expr: string): Promise<readonly Sample[]> => {
    const { body } = await grafana(`/datasources/proxy/uid/prometheus/api/v1/query?query=${encodeURIComponent(expr)}`);
    return (JSON.parse(body) as { data: { result: Sample[] } }).data.result;
  };
  const there = (expr: string, seconds = 90) =>
    eventually(expr, seconds, async () => {
      const found = await query(expr);
      return found.length > 0 ? found : undefined;
    });

  beforeAll(async () => {
    stack = await testStack("e2e-python");
    to = access(stack);
    registry = await startRegistry();
    const image = await pythonApplication();
    for (const name of PROGRAMS) images.set(name, await registry.push(image, name, "1"));
    exchange = await PaperExchange.start(exchangeKey);
    // The exchange is a program of this machine, as the containers see it.
    const outside = Object.entries(networkInterfaces())
      .filter(([name]) => !name.startsWith("br-"))
      .flatMap(([, addresses = []]) => addresses)
      .find(({ family, internal }) => family === "IPv4" && !internal)?.address;
    sandbox = { EXCHANGE_URL: `http://${outside}:${exchange.port}` };
    writeFileSync(configFile(), stringify({ config: {} }), { mode: 0o600 });
    await stack.pulumi("stack", "select", "--create");
    release({ "execution-crypto": sandbox });
    config((own) => {
      own["autollm:httpPort"] = stack.httpPort;
      own["autollm:httpsPort"] = stack.httpsPort;
    });
    await stack.pulumi("config", "set", "--secret", "binance-key", exchangeKey);
    news = new Flow({
      ...{ to, service: "news-ingestor", subject: "news.item.created" },
      message: (n) => ({ id: `news-${n}`, headline: "good", symbol: "ETH-USD" }),
    });
  });

  afterAll(async () => {
    await news?.stop();
    exchange?.stop();
    await registry?.stop();
    await stack?.remove();
  });

  test("is refused with an exchange's key on paper, unless that is said to be of a sandbox", async () => {
    const refused = await stack.autollm("up");
    expect(refused.code).toBe(1);
    expect(refused.stdout + refused.stderr).toMatch(
      /binance-key: trades with real money, and this stack trades on paper/,
    );
    config((own) => {
      own["autollm:trading"] = { sandbox: ["binance"] };
    });
  });

  test("starts as five services with its images' digests and its preset, after the streams were made", async () => {
    await up();
    const inspected = async (workload: string, format: string) =>
      docker("inspect", "--format", format, await stack.container(workload));
    const streams = Date.parse(await inspected("nats-streams", "{{.State.StartedAt}}"));
    for (const name of PROGRAMS) {
      expect(await inspected(name, "{{.State.Health.Status}}"), name).toBe("healthy");
      const id = await docker("image", "inspect", "--format", "{{.Id}}", images.get(name) ?? "");
      expect(await inspected(name, "{{.Image}}"), name).toBe(id);
      expect(Date.parse(await inspected(name, "{{.State.StartedAt}}")), name).toBeGreaterThan(streams);
    }
    // The gateway asked for a stream of its own at its start; it is the platform's.
    await there('nats_stream_kept{stream="INTENTS"} == 1');
    expect(await docker("logs", await stack.container("nats"))).not.toMatch(/Violation.*(INTENTS|_INBOX\.)/);
  });

  test("trades at the exchange with the sandbox's key, and shows the position", async () => {
    expect((await propose("SOL-USD", 2.5)).status).toBe(401);
    expect((await api("POST", "/api/auth/register", user)).status).toBe(201);
    const { token } = JSON.parse((await logIn()).body) as { token: string };
    headers = { authorization: `Bearer ${token}` };
    expect((await propose("SOL-USD", 2.5)).status).toBe(202);
    await eventually("the order at the exchange", 30, async () =>
      (await exchange.orders()).some(({ symbol, quantity }) => symbol === "SOL-USD" && quantity === 2.5)
        ? true
        : undefined,
    );
    await eventually("the position", 30, async () =>
      (await api("GET", "/api/positions")).body.includes('"symbol":"SOL-USD","quantity":2.5') ? true : undefined,
    );
    await news.start();
    await eventually("an order of the agents'", 30, async () =>
      (await exchange.orders()).some(({ id }) => id.startsWith("news-")) ? true : undefined,
    );
    news.isPaused = true;
  });

  test("shows no value of a credential in docker inspect, in logs or in the state", async () => {
    const values = new Map([...(await to.values()), ["binance-key", exchangeKey]]);
    for (const name of PROGRAMS) {
      const files = await docker("exec", await stack.container(name), "sh", "-c", "cd /run/secrets && find . -type f");
      for (const path of files.split("\n")) values.set(`${name} ${path}`, await to.file(name, `/run/secrets/${path}`));
    }
    expect([...values.keys()]).toEqual(expect.arrayContaining(["execution-crypto ./env/BINANCE_API_KEY"]));
    const ids = await docker("ps", "--all", "--quiet", "--filter", `label=autollm.stack=${stack.name}`);
    const places = new Map([["state", await stack.pulumi("stack", "export")]]);
    for (const id of ids.split("\n")) {
      places.set(`inspect ${id}`, await docker("inspect", id));
      places.set(`logs ${id}`, await docker("logs", id));
    }
    // A part of a JSON text, such as a password in a group of settings, is found by itself; what is no secret is in none of them.
    const secrets = [...values].flatMap(([name, value]) => {
      const isPlain = /public|_ca|\.pem|certificate|NATS_USER|_USER$/i.test(name);
      return isPlain || value.trim().length < 8 ? [] : [[name, value.trim()] as const];
    });
    expect(secrets.length).toBeGreaterThan(30);
    const seen = [...places].flatMap(([place, content]) =>
      secrets.filter(([, value]) => content.includes(value)).map(([name]) => `${name} in ${place}`),
    );
    expect(seen).toEqual([]);
  });

  test("may wait at the standard inbox where its preset says so, and nobody else hears there", async () => {
    const servers = `${await stack.address("nats", "nats")}:4222`;
    const ca = await to.file("reporter", "/run/secrets/files/nats_ca.pem");
    for (const name of PROGRAMS) {
      const trial = await NatsTrial.of(
        ...([servers, await to.natsUserOf(name), await to.secret(name, "NATS_PASSWORD"), ca] as const),
      );
      const heard = await trial.subscribe([STANDARD_INBOX, ...PROGRAMS.map((other) => `${inboxPrefix(other)}.>`)]);
      const own = `${inboxPrefix(name)}.>`;
      expect(heard, name).toEqual(name === "gateway-api" ? [STANDARD_INBOX, own] : [own]);
      expect(
        await trial.publish(["_INBOX.1", "$JS.API.STREAM.UPDATE.INTENTS", "$JS.API.STREAM.DELETE.ORDERS"]),
      ).toEqual([]);
      await trial.close();
    }
  });

  test("is limited at the edge to 100 requests a minute of a client, before its gateway sees them", async () => {
    const seenByGateway = async () => {
      const page = await docker(
        "exec",
        await stack.container("gateway-api"),
        "curl",
        "-s",
        "http://127.0.0.1:8000/metrics",
      );
      return [...page.matchAll(/^http_requests_total\{.*handler="\/api\/positions".*\} (\S+)$/gm)].reduce(
        (sum, [, count]) => sum + Number(count),
        0,
      );
    };
    const before = await seenByGateway();
    const answers = await Promise.all(Array.from({ length: 130 }, () => api("GET", "/api/positions")));
    const limited = answers.filter(({ status, headers: own }) => status === 429 && own["retry-after"] !== undefined);
    expect(limited.length).toBeGreaterThanOrEqual(30);
    for (const { headers: own } of limited) expect(Number(own["retry-after"])).toBeGreaterThan(0);
    expect((await seenByGateway()) - before).toBeLessThanOrEqual(100);
  });

  test("is told of the metrics that it lacks, and its own names are on the dashboards", async () => {
    // Of another minute than the requests before.
    await eventually("the next minute", 120, async () =>
      (await propose("BTC-USD", TOO_LARGE)).status === 202 ? true : undefined,
    );
    await there('risk_rejections_total{job="risk-manager",reason="notional"} > 0');
    await there('http_requests_total{job="gateway-api",path="/api/positions",handler=""} > 0');
    await there('llm_intents_total{job="llm-agents",status="proposed",side="buy"} > 0');
    await there('rate(http_request_duration_seconds_count{job="gateway-api",path!=""}[5m])');
    for (const [job, metric] of [
      ["risk-manager", "portfolio_var_95"],
      ["execution-crypto", "orders_submitted_total"],
    ] as const)
      await there(`ALERTS{alertname="MetricNeverSeen",job="${job}",metric="${metric}"}`, 120);
    const shown = await grafana("/search?type=dash-db");
    const rows = JSON.parse(shown.body) as readonly { readonly uid: string }[];
    expect(rows.length).toBeGreaterThanOrEqual(5);
  });

  test("has its traces in Jaeger: the gateway's with its database, the executor's call of the exchange", async () => {
    const jaeger = async (path: string) =>
      JSON.parse((await grafana(`/datasources/proxy/uid/jaeger/api/${path}`)).body) as { readonly data: unknown };
    // A share of the ordinary traces is kept.
    await eventually("a trace of each program", 240, async () => {
      await api("GET", "/api/positions");
      news.isPaused = false;
      await new Promise((done) => setTimeout(done, 1000));
      news.isPaused = true;
      const { data } = await jaeger("services");
      return PROGRAMS.every((name) => (data as readonly string[]).includes(name)) ? true : undefined;
    });
    interface Trace {
      readonly spans: readonly {
        readonly operationName: string;
        readonly tags: readonly { readonly key: string; readonly value: unknown }[];
      }[];
    }
    const has = (service: string, what: string, wanted: (trace: Trace) => boolean) =>
      eventually(what, 240, async () => {
        await api("GET", "/api/positions");
        news.isPaused = false;
        await new Promise((done) => setTimeout(done, 1000));
        news.isPaused = true;
        const { data } = await jaeger(`traces?service=${service}&limit=500&lookback=1h`);
        return (data as readonly Trace[]).some(wanted) ? true : undefined;
      });
    const named = ({ spans }: Trace, pattern: RegExp) => spans.some(({ operationName }) => pattern.test(operationName));
    const tagged = ({ spans }: Trace, value: string) =>
      spans.some(({ tags }) => tags.some((tag) => tag.value === value));
    await has(
      "gateway-api",
      "positions, with the query behind them",
      (trace) => named(trace, /^GET \/api\/positions$/) && tagged(trace, "postgresql"),
    );
    await has("execution-crypto", "an order at the exchange", (trace) => named(trace, /^POST$/));
    await has("portfolio-ledger", "a fill in the ledger", (trace) => tagged(trace, "postgresql"));
  });

  test("is found by the smoke tests to refuse tokens of known keys", async () => {
    const smoke = await smokeTests();
    expect(smoke.code, smoke.stdout + smoke.stderr).toBe(0);
  });

  test("is stopped by the kill switch within two seconds, until `off` alone, over restarts, an up, a rotation and a restore", async () => {
    const placed = async () => (await exchange.orders()).filter(({ id }) => id.startsWith("news-"));
    news.isPaused = false;
    const already = (await placed()).length;
    await eventually("orders", 30, async () => ((await placed()).length > already + 20 ? true : undefined));
    const backup = await stack.autollm("backup");
    expect(backup.code, backup.stdout + backup.stderr).toBe(0);

    const began = Date.now();
    const on = await switchTo("on", "--reason", "an application that ignores it");
    expect(on.code, on.text).toBe(0);
    await news.more(60);
    const last = Math.max(...(await placed()).map(({ received }) => received));
    console.log(`seen: last order at the exchange ${Math.round(last - began)} ms after the command's start`);
    expect(last - began).toBeLessThan(WITHIN_MS);
    const before = (await exchange.orders()).length;
    const stillStopped = async () => {
      expect((await switchTo("status")).code).toBe(2);
      await news.more(20);
      expect((await exchange.orders()).length).toBe(before);
    };
    expect(await state("execution-crypto")).toBe("exited");
    await docker("restart", await stack.container("nats"));
    await stillStopped();
    const executor = await stack.container("execution-crypto");
    await docker("start", executor);
    await docker("restart", executor);
    // The program that starts it has it among its own arguments.
    const programs = await docker("exec", executor, "sh", "-c", "cat /proc/[0-9]*/comm");
    expect(programs.split("\n")).toContain("sh");
    expect(programs).not.toContain("python");
    await stillStopped();

    // The gateway with the key that it has where none arrives, and another container of the executor.
    release({ "execution-crypto": { ...sandbox, AGAIN: "1" }, "gateway-api": { AUTH: "{}" } });
    expect((await up()).trimEnd().split("\n").slice(-3).join("\n")).toContain("The kill switch is ON");
    expect(await state("execution-crypto")).toBe("exited");
    await stillStopped();
    const rotated = await stack.autollm("rotate", "nats-execution-crypto", "--yes");
    expect(rotated.code, rotated.stdout + rotated.stderr).toBe(0);
    await stillStopped();
    const gateway = await stack.container("gateway-api");
    await docker("exec", gateway, "rm", "/app/data/users.json");
    const restored = await stack.autollm("restore", "latest", "--yes");
    expect(restored.code, restored.stdout + restored.stderr).toBe(0);
    expect(await state("execution-crypto")).toBe("exited");
    // The application's own volume is back.
    expect(await docker("exec", gateway, "cat", "/app/data/users.json")).toContain(user.user);
    await stillStopped();

    const sent = news.sent;
    const off = await switchTo("off");
    expect(off.code, off.text).toBe(0);
    const after = await eventually("an order", 60, async () => {
      const found = (await exchange.orders()).slice(before);
      return found.length > 0 ? found : undefined;
    });
    for (const { id } of after) expect(Number(id.split("-")[1])).toBeGreaterThanOrEqual(sent);
  });

  test("is found by the smoke tests where its gateway takes a token that everybody can sign", async () => {
    const smoke = await smokeTests();
    expect(smoke.code).toBe(1);
    expect(smoke.stdout).toMatch(/failed +the API refuses known keys .*replace_me/);
  });

  test("never has two executors: one that goes on after a deploy, as one that could not be stopped, places no order", async () => {
    news.isPaused = false;
    const former = await twin(stack, "execution-crypto");
    onTestFinished(async () => void (await docker("rm", "--force", former)));
    const times = async () => {
      const count = new Map<string, number>();
      for (const { id } of await exchange.orders()) count.set(id, (count.get(id) ?? 0) + 1);
      return count;
    };
    await eventually("orders of both", 60, async () =>
      [...(await times()).values()].some((count) => count > 1) ? true : undefined,
    );
    await docker("pause", former);
    release({ "execution-crypto": { ...sandbox, AGAIN: "2" } });
    await up();
    const deployed = news.sent;
    await docker("unpause", former);
    await news.more(100);
    const since = [...(await times())].filter(([id]) => Number(id.split("-")[1]) > deployed);
    expect(since.length).toBeGreaterThan(50);
    expect(since.filter(([, count]) => count > 1)).toEqual([]);
  });
});
