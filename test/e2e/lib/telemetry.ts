import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { dashboardJson } from "../../../components/observability/dashboards/render.ts";
import { systemHealth } from "../../../components/observability/dashboards/system.ts";
import { type PanelTarget, panelQuery } from "../../../tools/lib/panelQuery.ts";
import { eventually, https } from "./http.ts";
import { docker, type TestStack } from "./stack.ts";
import { trader } from "./trading.ts";

interface Span {
  readonly spanID: string;
  readonly operationName: string;
  readonly processID: string;
  readonly references: readonly { readonly refType: string; readonly spanID: string }[];
  readonly tags: readonly { readonly key: string; readonly value: unknown }[];
}
interface Trace {
  readonly spans: readonly Span[];
  readonly processes: Readonly<Record<string, { readonly serviceName: string }>>;
}
interface LogStreams {
  readonly data: {
    readonly result: readonly { readonly stream: Record<string, string>; values: [string, string][] }[];
  };
}

/** The way of an order to crypto, from the edge to the ledger. */
const ORDER_PATH = ["gateway-api", "llm-agents", "risk-manager", "execution-crypto", "portfolio-ledger"] as const;

/** Asks a data source as Grafana does for its reader. */
export interface TelemetryContext {
  readonly stack: () => TestStack;
  /** The login at Grafana. */
  readonly grafana: () => Record<string, string>;
}

/** A frame of Grafana's answer that holds the traces behind a curve. */
interface ExemplarFrame {
  readonly schema: { readonly name?: string; readonly fields: readonly { readonly name: string }[] };
  readonly data: { readonly values: readonly (readonly unknown[])[] };
}

/** What traces and logs must do, on a stack that runs. */
export function telemetryTests({ stack, grafana }: TelemetryContext): void {
  const source = async (uid: string, path: string): Promise<string> => {
    const url = `${stack().url}/grafana/api/datasources/proxy/uid/${uid}/${path}`;
    const { status, body } = await https(url, { headers: grafana() });
    if (status !== 200) throw new Error(`${path}: ${status} ${body}`);
    return body;
  };
  const traceOf = async (id: string): Promise<Trace | undefined> =>
    (JSON.parse(await source("jaeger", `api/traces/${id}`)) as { data: Trace[] }).data[0];
  const servicesOf = ({ spans, processes }: Trace) =>
    new Set(spans.map(({ processID }) => processes[processID]?.serviceName));
  const lines = async (query: string): Promise<LogStreams["data"]["result"]> => {
    const path = `loki/api/v1/query_range?limit=500&since=1h&query=${encodeURIComponent(query)}`;
    return (JSON.parse(await source("loki", path)) as LogStreams).data.result;
  };
  /** Posts a news item that becomes an order; answers the id of its trace. */
  const order = async (): Promise<string> => {
    const body = { headline: "Bitcoin rallies on record inflows", symbol: "BTC-USD" };
    const answer = await https(`${stack().url}/api/news`, {
      method: "POST",
      headers: await trader(stack()),
      body,
    });
    expect(answer.status, answer.body).toBe(202);
    return (JSON.parse(answer.body) as { trace_id: string }).trace_id;
  };
  const wholeTrace = (id: string, seconds: number): Promise<Trace> =>
    eventually(`the trace ${id}`, seconds, async () => {
      const trace = await traceOf(id);
      return trace !== undefined && ORDER_PATH.every((name) => servicesOf(trace).has(name)) ? trace : undefined;
    });

  test("one order is one trace: the edge's API, NATS, the agents, the risk manager, the execution and the ledger", async () => {
    const { spans } = await wholeTrace(await order(), 90);
    const ids = new Set(spans.map(({ spanID }) => spanID));
    const parents = spans.map(({ references }) => references.find(({ refType }) => refType === "CHILD_OF")?.spanID);
    expect(parents.filter((parent) => parent === undefined)).toHaveLength(1);
    expect(parents.filter((parent) => parent !== undefined && !ids.has(parent))).toEqual([]);
    const names = spans.map(({ operationName }) => operationName);
    for (const subject of ["news.item.created", "llm.intent.proposed", "risk.order.approved", "exec.order.filled"]) {
      expect(names).toEqual(expect.arrayContaining([`publish ${subject}`, `process ${subject}`]));
    }
  });

  test("the order's lines are found by its trace, each under its service's name", async () => {
    const id = await order();
    await eventually("the lines of the trace", 90, async () => {
      const streams = await lines(`{service_name=~".+"} | trace_id="${id}"`);
      const found = new Set(streams.map(({ stream }) => stream.service_name));
      return found.has("gateway-api") && found.has("risk-manager") && found.has("execution-crypto") ? true : undefined;
    });
  });

  test("every container that printed anything is a service in the logs, and no other stack's", async () => {
    const mine = await docker(
      "ps",
      "--filter",
      `label=autollm.stack=${stack().name}`,
      "--format",
      '{{.Label "autollm.service"}} {{.ID}}',
    );
    const printing: string[] = [];
    for (const line of mine.split("\n")) {
      const [service = "", id = ""] = line.split(" ");
      if ((await docker("logs", "--tail", "1", id)) !== "") printing.push(service);
    }
    expect(printing.length).toBeGreaterThan(12);
    await eventually("a stream for each", 60, async () => {
      const { data } = JSON.parse(await source("loki", "loki/api/v1/label/service_name/values")) as { data: string[] };
      expect(data.filter((name) => !mine.includes(`${name} `))).toEqual([]);
      return printing.every((name) => data.includes(name)) ? true : undefined;
    });
  });

  test("a secret in a line is masked", async () => {
    const secret = randomBytes(12).toString("hex");
    const mark = `mark-${randomBytes(4).toString("hex")}`;
    await https(`${stack().url}/${mark}?api_key=${secret}`);
    const found = await eventually("the access log's line", 60, async () => {
      const streams = await lines(`{service_name="caddy"} |= "${mark}"`);
      return streams.length > 0 ? JSON.stringify(streams) : undefined;
    });
    expect(found).toContain("****");
    expect(found).not.toContain(secret);
  });

  test("a secret in a span is masked, by its attribute's name and by its look", async () => {
    const secret = randomBytes(12).toString("hex");
    const id = randomBytes(16).toString("hex");
    const at = `${Date.now()}000000`;
    const attribute = (key: string, value: string) => ({ key, value: { stringValue: value } });
    const span = {
      traceId: id,
      spanId: randomBytes(8).toString("hex"),
      name: `GET /?api_key=${secret}`,
      kind: 1,
      startTimeUnixNano: at,
      endTimeUnixNano: at,
      // Kept, since it failed.
      status: { code: 2, message: `Authorization: Bearer ${secret}` },
      attributes: [attribute("db.password", secret), attribute("note", `postgres://me:${secret}@postgres/db`)],
    };
    const resource = { attributes: [attribute("service.name", "gateway-api")] };
    const body = JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans: [span] }] }] });
    const send = `fetch(process.env.OTEL_EXPORTER_OTLP_ENDPOINT + "/v1/traces", { method: "POST",
      headers: { "content-type": "application/json" }, body: ${JSON.stringify(body)} }).then((a) => process.exit(a.ok ? 0 : 1))`;
    await docker("exec", await stack().container("gateway-api"), "node", "-e", send);
    const found = await eventually("the span", 60, async () => JSON.stringify(await traceOf(id)));
    expect(found).toContain("****");
    expect(found).not.toContain(secret);
  });

  test("nothing that the collectors took is lost while Jaeger and Loki are away, nor when they restart meanwhile", async () => {
    const [jaeger, loki] = [await stack().container("jaeger"), await stack().container("loki")];
    const collectors = [await stack().container("otel-collector"), await stack().container("log-collector")];
    await docker("stop", jaeger, loki);
    const ids: string[] = [];
    try {
      for (let index = 0; index < 5; index++) ids.push(await order());
      // A span is with the collector when its service was told so, which is after its own batch.
      await new Promise((done) => setTimeout(done, 10_000));
      await docker("restart", ...collectors);
    } finally {
      await docker("start", jaeger, loki);
    }
    for (const id of ids) await wholeTrace(id, 150);
    for (const id of ids) {
      await eventually(`the lines of ${id}`, 150, async () =>
        (await lines(`{service_name="risk-manager"} | trace_id="${id}"`)).length > 0 ? true : undefined,
      );
    }
  });

  test("the points on the curves of a latency lead to traces", async () => {
    const { panels } = JSON.parse(dashboardJson(systemHealth)) as {
      panels: readonly { title: string; targets: readonly PanelTarget[] }[];
    };
    const queries = panels
      .filter(({ title }) => title === "Traced latency, p95")
      .flatMap(({ targets }) => targets.map((target) => panelQuery(target, 15_000, 200)));
    await eventually("exemplars with trace ids", 90, async () => {
      const { body } = await https(`${stack().url}/grafana/api/ds/query`, {
        method: "POST",
        headers: grafana(),
        body: { queries, from: "now-30m", to: "now" },
      });
      const { results } = JSON.parse(body) as {
        results: Readonly<Record<string, { frames: readonly ExemplarFrame[] }>>;
      };
      const ids = (results.A?.frames ?? [])
        .filter(({ schema }) => schema.name === "exemplar")
        .flatMap(({ schema, data }) => data.values[schema.fields.findIndex(({ name }) => name === "trace_id")] ?? []);
      return ids.some((id) => /^\w{32}$/.test(String(id))) ? true : undefined;
    });
  });
}
