import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { serviceNames, services } from "../../../components/platform/catalogue.ts";
import { ConfigurationError, loadConfig, natsSettings, peerUrl } from "../../../services/reference/src/config.ts";
import { KillSwitch, readActivation } from "../../../services/reference/src/killSwitch.ts";
import { Log, reason } from "../../../services/reference/src/log.ts";
import * as groups from "../../../services/reference/src/metrics.ts";
import { startIbGateway } from "../../../services/reference/src/roles/ib-gateway.ts";
import { symbolsOf } from "../../../services/reference/src/symbols.ts";
import { retryForever, sleep, within } from "../../../services/reference/src/timing.ts";
import { frame, handshakeComplete, readFrame, twsVersion } from "../../../services/reference/src/tws.ts";
import { environment, quietLog } from "./helpers.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "reference-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe("the configuration", () => {
  it.each(serviceNames)("knows %s from the catalogue", (name) => {
    const config = loadConfig({ OTEL_SERVICE_NAME: name });
    expect(config.port).toBe(services[name].port);
    expect(config.live).toBe(false);
  });

  it("lets the edge notice before a rolling service closes", () => {
    expect(loadConfig({ OTEL_SERVICE_NAME: "gateway-api" }).drainGraceMs).toBeGreaterThan(0);
    expect(loadConfig({ OTEL_SERVICE_NAME: "execution-ib" }).drainGraceMs).toBe(0);
  });

  it.each([
    {},
    { OTEL_SERVICE_NAME: "" },
    { OTEL_SERVICE_NAME: "gateway" },
    { OTEL_SERVICE_NAME: "reporter", PORT: "x" },
  ])("refuses %j", (source) => {
    expect(() => loadConfig(source)).toThrow(ConfigurationError);
  });

  it.each([{ LIVE: "1" }, { TRADING_MODE: "live" }])("sees that %j asks for live trading", (source) => {
    expect(loadConfig({ OTEL_SERVICE_NAME: "execution-ib", ...source }).live).toBe(true);
  });

  it("takes NATS's login from the URL or beside it, and trusts every authority of its file", () => {
    const authorities = join(directory, "ca");
    writeFileSync(authorities, "NEW\nOLD");
    const inUrl = natsSettings(environment({ NATS_URL: "tls://user:p%40ss@nats:4333" }));
    expect(inUrl).toEqual({ server: "nats:4333", user: "user", password: "p@ss", tls: true, ca: undefined });
    const beside = natsSettings(
      environment({
        NATS_URL: "tls://nats",
        NATS_USER: "u",
        NATS_PASSWORD: "p",
        NATS_CA_PATH: authorities,
      }),
    );
    expect(beside).toEqual({ server: "nats:4222", user: "u", password: "p", tls: true, ca: "NEW\nOLD" });
    expect(natsSettings(environment({})).tls).toBe(false);
  });

  it("finds peers by name, or where it is told", () => {
    expect(peerUrl(environment({}), "risk-manager")).toBe("http://risk-manager:8070");
    expect(peerUrl(environment({ RISK_MANAGER_URL: "http://127.0.0.1:1" }), "risk-manager")).toBe("http://127.0.0.1:1");
  });

  it("reads symbols from the file, the variable, or neither", () => {
    const file = join(directory, "symbols.yaml");
    writeFileSync(file, "symbols: [QQQ, SOL-USD]\n");
    const symbols = (values: Record<string, string>) =>
      symbolsOf(loadConfig({ OTEL_SERVICE_NAME: "data-ingestor", ...values }));
    expect(symbols({ SYMBOLS_CONFIG: file })).toEqual(["QQQ", "SOL-USD"]);
    expect(symbols({ SYMBOLS: "A, B" })).toEqual(["A", "B"]);
    expect(symbols({})).toContain("SPY");
    writeFileSync(file, "- QQQ\n");
    expect(() => symbols({ SYMBOLS_CONFIG: file })).toThrow(/mapping/);
  });
});

describe("the log", () => {
  it("is one JSON object a line, from its level up", () => {
    const lines: string[] = [];
    const log = new Log("svc", "WARNING", (line) => lines.push(line));
    log.info("quiet");
    log.error("loud", { error: "line\nbreak" });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^[^\n]*\n$/);
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({
      level: "error",
      service: "svc",
      message: "loud",
      error: "line\nbreak",
    });
  });

  it("names the cause of any thrown value", () => {
    expect(reason(new Error("x"))).toBe("x");
    expect(reason("text")).toBe("text");
    expect(reason(new AggregateError([new Error("a"), new Error("b")]))).toBe("a; b");
    expect(reason(new TypeError())).toBe("TypeError");
  });
});

describe("the metrics", () => {
  const wanted = [
    "orders_submitted_total",
    "orders_filled_total",
    "orders_failed_total",
    "order_latency_seconds",
    "order_slippage_bps",
    "realized_pnl_total",
    "daily_pnl",
    "daily_loss_limit",
    "portfolio_var_95",
    "portfolio_var_limit",
    "portfolio_equity",
    "position_value_usd",
    "position_concentration_pct",
    "portfolio_leverage_ratio",
    "open_positions",
    "risk_rejections_total",
    "risk_limit_breaches_total",
    "execution_latency_seconds",
    "llm_intents_total",
    "llm_tokens_used_total",
    "nats_messages_total",
    "db_query_duration_seconds",
    "http_requests_total",
    "http_request_duration_seconds",
  ];

  it("have every name that dashboards and alerts use, once", () => {
    const metrics = new groups.Metrics();
    groups.commonMetrics(metrics, "test");
    const {
      databaseMetrics,
      limiterMetrics,
      marketMetrics,
      marketArrival,
      agentMetrics,
      riskMetrics,
      orderMetrics,
      ledgerMetrics,
    } = groups;
    // Registering a name twice throws: two groups never own the same series.
    for (const group of [
      databaseMetrics,
      limiterMetrics,
      marketMetrics,
      marketArrival,
      agentMetrics,
      riskMetrics,
      orderMetrics,
      ledgerMetrics,
    ])
      group(metrics);
    const names = metrics.registry.getMetricsAsArray().map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(wanted));
  });
});

describe("the kill switch", () => {
  const path = () => join(directory, "state/kill-switch");

  it("is set until its file is removed, over restarts", () => {
    new KillSwitch(path()).activate({ reason: "first" });
    new KillSwitch(path()).activate({ reason: "second" });
    expect(new KillSwitch(path()).state()).toEqual({ active: true, detail: '{"reason":"first"}' });
    rmSync(path());
    expect(new KillSwitch(path()).state()).toEqual({ active: false });
  });

  it("is set by any file, even an unreadable one", () => {
    mkdirSync(path(), { recursive: true });
    expect(new KillSwitch(path()).state()).toEqual({ active: true });
  });

  describe("where no new file can be written", () => {
    // A folder in the place of the new file fails the write as a full disk does.
    const fillDisk = () => mkdirSync(`${path()}.part`, { recursive: true });

    it("is set by the file kept in reserve, and released by removing it", () => {
      const killSwitch = new KillSwitch(path());
      fillDisk();
      killSwitch.activate({ reason: "stop" });
      expect(new KillSwitch(path()).state(), "seen by another process").toMatchObject({ active: true });
      rmSync(path());
      expect(killSwitch.state()).toEqual({ active: false });
    });

    it("is set in memory without a reserve, and written as soon as there is room", () => {
      const killSwitch = new KillSwitch(path());
      fillDisk();
      rmSync(`${path()}.reserve`);
      killSwitch.activate({ reason: "stop" });
      expect(killSwitch.state()).toEqual({ active: true, detail: '{"reason":"stop"}' });
      expect(existsSync(path())).toBe(false);
      rmSync(`${path()}.part`, { recursive: true });
      expect(killSwitch.state()).toEqual({ active: true, detail: '{"reason":"stop"}' });
      expect(existsSync(path())).toBe(true);
      rmSync(path());
      expect(killSwitch.state()).toEqual({ active: false });
    });

    it("counts as set where its folder cannot be read", () => {
      writeFileSync(join(directory, "state"), "a file in the place of the folder");
      expect(new KillSwitch(path()).state()).toMatchObject({ active: true });
    });
  });

  it("is set by any message", () => {
    expect(readActivation('{"reason":"x"}')).toEqual({ reason: "x" });
    expect(readActivation("stop!")).toMatchObject({ reason: "stop!" });
    expect(readActivation("")).toMatchObject({ reason: "" });
  });
});

describe("the broker's greeting", () => {
  it("is framed by its length", () => {
    expect(readFrame(frame("v100..176"))).toBe("v100..176");
    expect(readFrame(frame("v100..176").subarray(0, 6))).toBeUndefined();
    expect(handshakeComplete(Buffer.concat([Buffer.from("API\0"), frame("v100..176")]))).toBe(true);
    expect(handshakeComplete(Buffer.from("GET / HTTP/1.1\r\n"))).toBe(false);
  });

  it("is answered by the stand-in, which survives a rude client", async () => {
    const { log, lines } = quietLog();
    const port = 20_000 + (process.pid % 20_000);
    const stop = await startIbGateway(loadConfig({ SERVICE_ROLE: "ib-gateway", IB_LISTEN_PORTS: String(port) }), log);
    await new Promise<void>((resolve) => {
      const rude = connect(port, "127.0.0.1", () => rude.end("x".repeat(5000)));
      rude.on("close", () => resolve());
      rude.on("error", () => undefined);
      rude.resume();
    });
    expect(await twsVersion("127.0.0.1", port, 1000)).toBe(176);
    expect(lines.some(({ message }) => String(message).includes("trades nothing"))).toBe(true);
    await stop();
    await expect(twsVersion("127.0.0.1", port, 300)).rejects.toThrow();
  });
});

describe("timing", () => {
  it("gives up on what takes too long", async () => {
    await expect(within(20, "it", new Promise(() => undefined))).rejects.toThrow("it gave no answer within 20 ms");
    expect(await within(1000, "it", Promise.resolve(1))).toBe(1);
  });

  it("ends a sleep and a retry when the service stops", async () => {
    const stop = new AbortController();
    const slept = sleep(60_000, stop.signal);
    let attempts = 0;
    const retried = retryForever(
      stop.signal,
      async () => {
        throw new Error("never");
      },
      () => attempts++,
    );
    setTimeout(() => stop.abort(), 30);
    await slept;
    expect(await retried).toBeUndefined();
    expect(attempts).toBeGreaterThan(0);
  });
});
