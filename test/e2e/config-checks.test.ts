import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { images } from "../../components/images.ts";
import { alertmanagerConfig, receivers } from "../../components/observability/alertmanagerConfig.ts";
import { marketOpenExpression, nyse } from "../../components/observability/alerts/market.ts";
import { metricsOf } from "../../components/observability/alerts/promql.ts";
import { alertGroups, rulesYaml } from "../../components/observability/alerts/rules.ts";
import { blackboxConfig } from "../../components/observability/blackbox.ts";
import { prometheusConfig, serviceTargets } from "../../components/observability/prometheusConfig.ts";
import { collectorConfig, QUEUE_DIR } from "../../components/observability/telemetry/collectorConfig.ts";
import { jaegerConfig } from "../../components/observability/telemetry/jaegerConfig.ts";
import { logCollectorConfig } from "../../components/observability/telemetry/logCollectorConfig.ts";
import { lokiConfig } from "../../components/observability/telemetry/lokiConfig.ts";
import { serviceNames } from "../../components/platform/catalogue.ts";
import { ensureDocker } from "../../tools/bootstrap/docker/docker.ts";
import { type RunResult, run } from "../../tools/lib/run.ts";
import { alertCases } from "./alerts/all.ts";
import { type AlertCase, type Case, testCalendar } from "./alerts/cases.ts";
import { imagesHere } from "./lib/images.ts";

/** Every part's own tool judges what is rendered for it, with the versions that the local stack runs. */
const IMAGES = ["prometheus", "alertmanager", "blackbox-exporter", "otel-collector", "jaeger", "loki"] as const;

/** The collectors' check also looks for the folder of their queue. */
const EXISTS = `--tmpfs=${QUEUE_DIR}`;

const directory = mkdtempSync(join(tmpdir(), "autollm-config-"));
type ImageName = (typeof IMAGES)[number];
let tags: Record<ImageName, string>;
const started: Partial<Record<ImageName, string | undefined>> = {};

function write(name: string, text: string): void {
  const path = join(directory, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

/** Without network, with the written files. */
const OPTIONS = ["--rm", "--init", "--network=none", `--volume=${directory}:/checks:ro`, EXISTS] as const;

/** Starts a container of an image that waits, unless the official image holds one program and nothing that could wait. */
async function start(image: ImageName): Promise<string | undefined> {
  if ("none" in images[image].healthcheck) return undefined;
  const waiting = ["run", "--detach", ...OPTIONS, "--entrypoint=sleep", tags[image], "infinity"];
  return (await run("docker", waiting)).stdout.trim();
}

/** Runs a program of an image over the written files. One container an image serves all: to start one takes longer than most checks. */
async function tool(image: ImageName, program: string, ...args: string[]): Promise<RunResult> {
  const container = started[image];
  const command =
    container === undefined
      ? ["run", ...OPTIONS, "--workdir=/checks", `--entrypoint=${program}`, tags[image], ...args]
      : ["exec", "--workdir=/checks", container, program, ...args];
  return run("docker", command, { allowFailure: true });
}

async function accepted(result: Promise<RunResult>): Promise<string> {
  const { code, stdout, stderr } = await result;
  expect({ code, said: code === 0 ? "" : `${stdout}${stderr}` }).toEqual({ code: 0, said: "" });
  return stdout;
}

beforeAll(async () => {
  await ensureDocker({ install: process.env.CI === "true" });
  tags = await imagesHere(IMAGES);
  chmodSync(directory, 0o755);
  for (const image of IMAGES) started[image] = await start(image);
});
afterAll(async () => {
  const waiting = Object.values(started).filter((container) => container !== undefined);
  await run("docker", ["rm", "--force", ...waiting], { allowFailure: true });
  rmSync(directory, { recursive: true, force: true });
});

const jobs = ["prometheus", "grafana"];
const parts = ["backup", "host"] as const;

describe("Prometheus", () => {
  test("accepts the rules", async () => {
    write("real.yml", rulesYaml({ jobs, parts }));
    await accepted(tool("prometheus", "promtool", "check", "rules", "--lint=all", "--lint-fatal", "real.yml"));
  });

  test("accepts its configuration", async () => {
    write("rules.yml", rulesYaml({ jobs }));
    const config = prometheusConfig({
      targets: [
        ...serviceTargets({
          application: "autollm",
          release: Object.fromEntries(serviceNames.map((name) => [name, { image: "x" }])),
        }),
        {
          job: "edge",
          address: "blackbox-exporter:9115",
          probe: { module: "edge", url: "https://edge-sockets:8443/health" },
          labels: { certificate: "public" },
        },
      ],
      externalLabels: { environment: "staging" },
      rulesFile: "/checks/rules.yml",
      alertmanager: { address: "alertmanager:9093", path: "/alertmanager" },
    });
    write("prometheus.yml", config);
    await accepted(tool("prometheus", "promtool", "check", "config", "prometheus.yml"));
  });
});

/** One of promtool's tests: how many alerts of the name fire, and for whom. */
function promtoolTest({ alert, service }: AlertCase, { series, at, every }: Case, name: string, fires: boolean) {
  const severity = alertGroups({ jobs, parts })
    .flatMap(({ alerts }) => alerts)
    .find((candidate) => candidate.name === alert)?.severity;
  return {
    name,
    interval: every ?? "15s",
    input_series: Object.entries(series).map(([selector, values]) => ({ series: selector, values })),
    promql_expr_test: [
      {
        expr: `count by (service, severity) (ALERTS{alertname="${alert}",alertstate="firing"})`,
        eval_time: at ?? "10m",
        exp_samples: fires ? [{ labels: `{service="${service}",severity="${severity}"}`, value: 1 }] : [],
      },
    ],
  };
}

interface RuleGroup {
  readonly name: string;
  readonly rules: readonly { readonly alert?: string; readonly record?: string; readonly expr: string }[];
}
const { groups: allGroups } = parse(rulesYaml({ jobs, parts, calendar: testCalendar })) as { groups: RuleGroup[] };

/** The alert's own group, and those that record what it reads. The others would cost most of the time. */
function groupsFor(name: string): readonly RuleGroup[] {
  const needed = new Set(allGroups.filter(({ rules }) => rules.some(({ alert }) => alert === name)));
  // A set that grows is walked to its new end.
  for (const { rules } of needed) {
    const read = rules
      .filter(({ alert }) => alert === undefined || alert === name)
      .flatMap(({ expr }) => metricsOf(expr));
    for (const group of allGroups)
      if (group.rules.some(({ record }) => record !== undefined && read.includes(record))) needed.add(group);
  }
  return allGroups
    .filter((group) => needed.has(group))
    .map(({ name: own, rules }) => ({
      name: own,
      rules: rules.filter(({ alert }) => alert === undefined || alert === name),
    }));
}

describe("each alert", () => {
  test("has a case that fires and, but for the heartbeat, one that does not", () => {
    const names = alertGroups({ jobs, parts }).flatMap(({ alerts }) => alerts.map(({ name }) => name));
    expect(alertCases.map(({ alert }) => alert).sort()).toEqual([...names].sort());
    const incomplete = alertCases.filter(({ fires, quiet }) => fires.length === 0 || quiet.length === 0);
    expect(incomplete.map(({ alert }) => alert)).toEqual(["DeadMansSwitch"]);
  });

  test.concurrent.each(alertCases)("$alert fires when it must and is quiet when it must", async (alertCase) => {
    const { alert, fires, quiet } = alertCase;
    const groups = groupsFor(alert);
    write(`${alert}/rules.yml`, stringify({ groups }));
    // What is recorded comes first, as in the file: a test's steps may be longer than a sample stays fresh.
    const order = groups.map((group) => group.name);
    const cases = [
      ...fires.map((given, index) => ({ given, name: `fires ${index}`, firing: true })),
      ...quiet.map((given, index) => ({ given, name: `is quiet ${index}`, firing: false })),
    ];
    // A file each, since the time between evaluations is one for a whole file.
    const files = cases.map(({ given, name, firing }, index) => {
      const file = `${alert}/${index}.yml`;
      write(
        file,
        stringify({
          rule_files: ["rules.yml"],
          group_eval_order: order,
          evaluation_interval: given.every ?? "15s",
          tests: [promtoolTest(alertCase, given, `${alert} ${name}`, firing)],
        }),
      );
      return file;
    });
    await accepted(tool("prometheus", "promtool", "test", "rules", ...files));
  });
});

describe("Alertmanager", () => {
  const variants = {
    plain: { url: "https://localhost:8443" },
    complete: {
      url: "https://trader.example.com",
      slackUrlFile: "/run/secrets/slack-webhook",
      pagerdutyKeyFile: "/run/secrets/pagerduty-key",
      heartbeatUrlFile: "/run/secrets/heartbeat-url",
    },
  };
  const routed: readonly (readonly [labels: readonly string[], receiver: string])[] = [
    [["alertname=VaRExceeded", "severity=critical", "service=risk-manager"], receivers.critical],
    [["alertname=HighCPUUsage", "severity=warning", "service=host"], receivers.warning],
    [["alertname=DeadMansSwitch", "severity=none", "service=prometheus"], receivers.signOfLife],
    [["alertname=SilenceActive", "severity=none", "service=alertmanager"], receivers.signOfLife],
    [["alertname=Unknown"], receivers.everything],
  ];

  describe.each(Object.entries(variants))("with the %s set of receivers", (name, args) => {
    beforeAll(() => write(`${name}.yml`, alertmanagerConfig(args)));

    test("accepts its configuration", async () => {
      await accepted(tool("alertmanager", "amtool", "check-config", `${name}.yml`));
    });

    test.each(routed)("routes %s to %s", async (labels, receiver) => {
      const config = `--config.file=${name}.yml`;
      const answer = await accepted(tool("alertmanager", "amtool", "config", "routes", "test", config, ...labels));
      expect(answer.trim()).toBe(receiver);
    });
  });
});

describe("the blackbox exporter", () => {
  test.each(["localhost", "trader.example.com"])("accepts its configuration for %s", async (domain) => {
    write("blackbox.yml", blackboxConfig([{ name: domain }]));
    await accepted(tool("blackbox-exporter", "/bin/blackbox_exporter", "--config.file=blackbox.yml", "--config.check"));
  });
});

describe("traces and logs", () => {
  const validate = (image: "otel-collector" | "jaeger", program: string, file: string) =>
    accepted(tool(image, program, "validate", `--config=${file}`));

  test("the collector of traces accepts its configuration", async () => {
    write("collector.yaml", collectorConfig({ traces: "jaeger:4317", keptPercent: 20 }));
    await validate("otel-collector", "/otelcol-contrib", "collector.yaml");
  });

  test("the collector of logs accepts its configuration", async () => {
    write("log-collector.yaml", logCollectorConfig({ stack: "local", logs: "http://loki:3100/otlp" }));
    await validate("otel-collector", "/otelcol-contrib", "log-collector.yaml");
  });

  test("Jaeger accepts its configuration", async () => {
    write("jaeger.yaml", jaegerConfig({ retentionDays: 7 }));
    await validate("jaeger", "/cmd/jaeger/jaeger-linux", "jaeger.yaml");
  });

  test("Loki accepts its configuration", async () => {
    write("loki.yaml", lokiConfig({ retentionDays: 14, retentionGb: 20 }));
    await accepted(tool("loki", "/usr/bin/loki", "-verify-config", "-config.file=loki.yaml"));
  });
});

describe("the market's calendar", () => {
  /** UTC, and whether the exchange trades then. */
  const moments: readonly (readonly [at: string, open: boolean, why: string])[] = [
    ["2026-11-23T14:29:00Z", false, "a minute before the opening bell, winter"],
    ["2026-11-23T14:30:00Z", true, "the opening bell, winter"],
    ["2026-11-23T20:59:00Z", true, "the last minute, winter"],
    ["2026-11-23T21:00:00Z", false, "the closing bell, winter"],
    ["2026-07-01T13:29:00Z", false, "a minute before the opening bell, summer"],
    ["2026-07-01T13:30:00Z", true, "the opening bell, summer"],
    ["2026-07-01T20:00:00Z", false, "the closing bell, summer"],
    ["2026-03-06T13:45:00Z", false, "the last Friday of winter time"],
    ["2026-03-09T13:45:00Z", true, "the first Monday of summer time"],
    ["2026-11-02T13:45:00Z", false, "the first Monday of winter time"],
    ["2026-11-21T16:00:00Z", false, "a Saturday"],
    ["2026-11-22T16:00:00Z", false, "a Sunday"],
    ["2026-11-26T16:00:00Z", false, "Thanksgiving"],
    ["2026-11-27T17:59:00Z", true, "the day after Thanksgiving, before its early close"],
    ["2026-11-27T18:00:00Z", false, "the day after Thanksgiving, after its early close"],
    ["2028-07-03T17:01:00Z", false, "the eve of Independence Day after its early close, summer"],
    ["2027-03-26T16:00:00Z", false, "Good Friday"],
    ["2029-01-03T16:00:00Z", false, "after the table's end"],
  ];

  test("is right at bells, holidays and changes of the clock, by Prometheus's own reckoning", async () => {
    // One rule a moment: the clock is put in for PromQL's own.
    const at = (expression: string, seconds: number) =>
      expression.replaceAll(/\b(year|month|day_of_month|day_of_week|hour|minute)\(\)/g, `$1(vector(${seconds}))`);
    write(
      "market/test.yml",
      stringify({
        tests: [
          {
            interval: "1m",
            input_series: [],
            promql_expr_test: moments.map(([moment, open]) => ({
              expr: at(marketOpenExpression(nyse), Date.parse(moment) / 1000),
              eval_time: "0m",
              exp_samples: [{ labels: "{}", value: open ? 1 : 0 }],
            })),
          },
        ],
      }),
    );
    await accepted(tool("prometheus", "promtool", "test", "rules", "market/test.yml"));
  });
});
