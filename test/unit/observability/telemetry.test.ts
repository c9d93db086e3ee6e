import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { collectorConfig } from "../../../components/observability/telemetry/collectorConfig.ts";
import { jaegerConfig } from "../../../components/observability/telemetry/jaegerConfig.ts";
import { logCollectorConfig } from "../../../components/observability/telemetry/logCollectorConfig.ts";
import { ingestionRate, lokiConfig } from "../../../components/observability/telemetry/lokiConfig.ts";
import { secretKeys, secretPatterns } from "../../../components/observability/telemetry/secrets.ts";
import { serviceNames, services } from "../../../components/platform/catalogue.ts";
import { OTLP_ENDPOINT } from "../../../components/platform/otlp.ts";
import type { ContainerInputs, Recording } from "../lib/mocks.ts";
import { runPlatform } from "../lib/platform.ts";

/** What the collector makes of a text: RE2's leading flags are the expression's own in JavaScript. */
const masked = (text: string): string =>
  secretPatterns.reduce((line, pattern) => {
    const insensitive = pattern.startsWith("(?i)");
    return line.replaceAll(new RegExp(insensitive ? pattern.slice(4) : pattern, insensitive ? "gi" : "g"), "$1****");
  }, text);

const secret = (bytes: number) => randomBytes(bytes).toString("hex");
const letters = (length: number) =>
  randomBytes(length * 2)
    .toString("base64")
    .replaceAll(/[^A-Za-z0-9]/g, "")
    .slice(0, length);

it("a line in JSON has its level under the first of three names that exists", () => {
  const { receivers } = parse(logCollectorConfig({ stack: "local", logs: "http://loki:3100/otlp" })) as {
    receivers: { file_log: { operators: { type: string; if?: string; parse_from?: string }[] } };
  };
  const parsers = receivers.file_log.operators.filter(({ type }) => type === "severity_parser");
  expect(parsers.map((parser) => [parser.if, parser.parse_from])).toEqual([
    ["attributes.line?.level != nil", "attributes.line.level"],
    ["attributes.line?.level == nil and attributes.line?.levelname != nil", "attributes.line.levelname"],
    [
      "attributes.line?.level == nil and attributes.line?.levelname == nil and attributes.line?.severity != nil",
      "attributes.line.severity",
    ],
  ]);
});

const hidesAttribute = (name: string) => secretKeys.some((pattern) => new RegExp(pattern.slice(4), "i").test(name));

describe("what looks like a secret", () => {
  const value = secret(12);
  const lines: readonly (readonly [what: string, line: string, hidden: string])[] = [
    ["a password by name", `login with password=${value} failed`, value],
    ["a field of JSON", JSON.stringify({ message: "config", REDIS_PASSWORD: value }), value],
    ["JSON within JSON", JSON.stringify({ message: JSON.stringify({ api_key: value }) }), value],
    ["a bearer token", `Authorization: Bearer ${value}`, value],
    ["the login in an address", `connecting to postgres://trader:${value}@postgres:5432/autollm`, value],
    ["the login of Redis", `redis://:${value}@redis:6379`, value],
    ["a token of three parts", `token eyJ${letters(20)}.${letters(20)}.${letters(20)} refused`, "eyJ"],
    ["a private key", `-----BEGIN EC PRIVATE KEY-----\n${letters(30)}\n-----END EC PRIVATE KEY-----`, "BEGIN"],
    ["a key of OpenAI", `using sk-${letters(24)}`, "sk-"],
    ["a token of Telegram", `bot 123456789:${letters(35)} answered`, "123456789:"],
    ["a generated password, alone", `got ${letters(33)} from the file`, "got ****"],
  ];

  it.each(lines)("is masked: %s", (_, line, hidden) => {
    if (hidden.includes("****")) expect(masked(line)).toContain(hidden);
    else expect(masked(line)).not.toContain(hidden);
    expect(masked(line)).toContain("****");
  });

  it.each([
    ["a trace's id", JSON.stringify({ trace_id: secret(16), span_id: secret(8) })],
    ["a uuid", "order 0191d2c4-7a10-7cc3-9a0e-2f5f1b6f0c11 filled"],
    ["an address without a login", "tls://nats:4222 connected"],
    ["a number with a unit", "latency_ms=431 symbol=BTC-USD"],
    ["plain words about tokens", "the token bucket is empty"],
    ["a count of tokens", JSON.stringify({ input_tokens: 512 })],
  ])("leaves %s", (_, line) => expect(masked(line)).toBe(line));

  it.each(["db.password", "http.request.header.authorization", "X-API-Key", "session_token", "client_secret"])(
    "has the name of the attribute %s",
    (name) => {
      expect(hidesAttribute(name)).toBe(true);
    },
  );

  it("is no count of a language model's tokens", () => {
    expect(hidesAttribute("gen_ai.usage.input_tokens")).toBe(false);
  });
});

interface Pipeline {
  readonly receivers: string[];
  readonly processors?: string[];
  readonly exporters: string[];
}
interface CollectorFile {
  readonly receivers?: { readonly file_log: { readonly operators: readonly unknown[] } };
  readonly service: { readonly pipelines: Readonly<Record<string, Pipeline>> };
  readonly exporters: Readonly<Record<string, { sending_queue?: unknown; retry_on_failure?: unknown }>>;
  readonly processors: { readonly tail_sampling: { readonly policies: readonly { name: string }[] } };
}
const traces = parse(collectorConfig({ traces: "jaeger:4317", keptPercent: 20 })) as CollectorFile;
const logs = parse(logCollectorConfig({ stack: "staging", logs: "http://loki:3100/otlp" })) as CollectorFile;

describe("the collectors", () => {
  it("limit their memory before anything else, and redact before anything is counted, decided or sent", () => {
    for (const pipeline of [traces.service.pipelines["traces/in"], logs.service.pipelines.logs]) {
      expect(pipeline?.processors?.[0]).toBe("memory_limiter");
      expect(pipeline?.processors).toEqual(expect.arrayContaining(["redaction", "transform/redaction"]));
    }
    const senders = Object.values(traces.service.pipelines).filter(({ receivers }) => receivers.includes("otlp"));
    expect(senders).toHaveLength(1);
  });

  it("count every span, kept or not", () => {
    expect(traces.service.pipelines["traces/in"]?.exporters).toContain("span_metrics");
    expect(traces.service.pipelines["traces/in"]?.processors).not.toContain("tail_sampling");
  });

  it("keep failures, slow ones and every order", () => {
    expect(traces.processors.tail_sampling.policies.map(({ name }) => name)).toEqual([
      "errors",
      "slow",
      "orders",
      "ordinary",
    ]);
  });

  it("keep data on disk, without a limit of time, while its receiver is down", () => {
    for (const exporter of [traces.exporters["otlp_grpc/jaeger"], logs.exporters["otlp_http/loki"]]) {
      expect(exporter).toMatchObject({
        sending_queue: { storage: "file_storage", block_on_overflow: true },
        retry_on_failure: { max_elapsed_time: "0s" },
      });
    }
  });

  it("take the lines of their own stack only", () => {
    const [first] = logs.receivers?.file_log.operators ?? [];
    expect(first).toEqual({ type: "filter", expr: 'not (body contains "\\"autollm.stack\\":\\"staging\\"")' });
  });
});

describe("what is stored", () => {
  it("is removed after its time, and not by request", () => {
    expect(jaegerConfig({ retentionDays: 3 })).toContain("spans: 72h");
    expect(parse(lokiConfig({ retentionDays: 3, retentionGb: 2 }))).toMatchObject({
      limits_config: { retention_period: "72h", deletion_mode: "disabled" },
      compactor: { retention_enabled: true },
    });
  });

  it("cannot outgrow its disk: a permanent flood of lines is slowed to what fits", () => {
    const seconds = 14 * 86_400;
    const rate = ingestionRate({ retentionDays: 14, retentionGb: 20 });
    expect((rate * seconds) / 5 / 1000).toBeCloseTo(20, 0);
    expect(ingestionRate({ retentionDays: 14, retentionGb: 40 })).toBeGreaterThan(rate);
  });
});

describe("in the stack", () => {
  const labels = ({ envs }: ContainerInputs) => envs ?? [];

  it("each service that can reach the collector sends its traces there", async () => {
    const platform: Recording = await runPlatform();
    for (const name of serviceNames) {
      const sends = labels(platform.container(name)).includes(`OTEL_EXPORTER_OTLP_ENDPOINT=${OTLP_ENDPOINT}`);
      expect(sends, name).toBe(services[name].port !== null);
    }
  });

  it("each container's lines carry its name and its stack", async () => {
    const platform: Recording = await runPlatform();
    for (const [name, { logOpts }] of platform.containers) {
      expect(logOpts?.labels, name).toBe("autollm.service,autollm.stack");
    }
  });
});
