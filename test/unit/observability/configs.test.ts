import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { EDGE_LIMITS } from "../../../components/host/steps/fail2banEdge.ts";
import { alertmanagerConfig, receivers } from "../../../components/observability/alertmanagerConfig.ts";
import { serviceJobs } from "../../../components/observability/alerts/services.ts";
import { blackboxConfig, edgeTargets } from "../../../components/observability/blackbox.ts";
import { redisPasswords } from "../../../components/observability/exporters.ts";
import { grafanaProvisioning } from "../../../components/observability/grafanaConfig.ts";
import { prometheusConfig, serviceTargets } from "../../../components/observability/prometheusConfig.ts";
import type { Relabeling } from "../../../components/observability/relabeling.ts";
import type { Application } from "../../../components/platform/applications/application.ts";
import { applications } from "../../../components/platform/applications/index.ts";
import { knownMetrics } from "./promql.ts";

type Series = Readonly<Record<string, string>>;

/** What Prometheus stores of a series: each step by its documentation (action `replace`). */
function stored(steps: readonly Relabeling[], series: Series): Series {
  const labels = new Map(Object.entries(series));
  for (const { source_labels, regex, target_label, replacement } of steps) {
    const text = source_labels.map((label) => labels.get(label) ?? "").join(";");
    const found = new RegExp(`^(?:${regex})$`).exec(text);
    if (found === null) continue;
    const value = replacement.replaceAll(/[$](\d)/g, (_, group: string) => found[Number(group)] ?? "");
    if (value === "") labels.delete(target_label);
    else labels.set(target_label, value);
  }
  return Object.fromEntries(labels);
}

interface Receiver {
  readonly name: string;
  readonly webhook_configs: readonly { readonly url?: string; readonly url_file?: string }[];
  readonly slack_configs?: readonly Record<string, unknown>[];
  readonly pagerduty_configs?: readonly Record<string, unknown>[];
}

describe("alertmanager.yml", () => {
  const complete = {
    url: "https://x",
    slackUrlFile: "/run/secrets/slack-webhook",
    pagerdutyKeyFile: "/run/secrets/pagerduty-key",
  };
  const receiversOf = (text: string) =>
    Object.fromEntries(
      (parse(text) as { receivers: Receiver[] }).receivers.map((receiver) => [receiver.name, receiver]),
    );

  test("sends everything to the reporter", () => {
    for (const receiver of Object.values(receiversOf(alertmanagerConfig({ url: "https://x" })))) {
      expect(receiver.webhook_configs.map(({ url }) => url)).toEqual(["http://reporter:8074/alert"]);
      expect(receiver.slack_configs).toBeUndefined();
      expect(receiver.pagerduty_configs).toBeUndefined();
    }
  });

  test("calls an outside monitor at each heartbeat, and at nothing else", () => {
    const all = receiversOf(alertmanagerConfig({ url: "https://x", heartbeatUrlFile: "/run/secrets/heartbeat-url" }));
    for (const [name, { webhook_configs }] of Object.entries(all)) {
      const files = webhook_configs.flatMap(({ url_file }) => url_file ?? []);
      expect(files, name).toEqual(name === receivers.signOfLife ? ["/run/secrets/heartbeat-url"] : []);
    }
  });

  test("pages a person for critical alerts, and for nothing else", () => {
    const all = receiversOf(alertmanagerConfig(complete));
    expect(all[receivers.critical]?.pagerduty_configs).toHaveLength(1);
    expect(all[receivers.critical]?.slack_configs).toHaveLength(1);
    expect(all[receivers.warning]?.slack_configs).toHaveLength(1);
    expect(all[receivers.warning]?.pagerduty_configs).toBeUndefined();
    expect(all[receivers.everything]?.slack_configs).toBeUndefined();
  });

  test("reads its secrets from files", () => {
    const all = receiversOf(alertmanagerConfig(complete));
    expect(all[receivers.critical]?.slack_configs?.[0]).toMatchObject({ api_url_file: complete.slackUrlFile });
    expect(all[receivers.critical]?.pagerduty_configs?.[0]).toMatchObject({
      routing_key_file: complete.pagerdutyKeyFile,
    });
  });

  test("silences a warning beside a critical alert about the same thing of the same service", () => {
    const { inhibit_rules } = parse(alertmanagerConfig({ url: "https://x" })) as { inhibit_rules: unknown[] };
    expect(inhibit_rules).toContainEqual({
      source_matchers: ['severity="critical"'],
      target_matchers: ['severity="warning"'],
      equal: ["service", "subject"],
    });
  });
});

/** Services that all run their stand-ins. */
const standIns = { application: "conventions", release: {} } as const;

describe("prometheus.yml", () => {
  const config = (args: Partial<Parameters<typeof prometheusConfig>[0]>) =>
    parse(prometheusConfig({ targets: serviceTargets(standIns), externalLabels: {}, ...args })) as {
      scrape_configs: Record<string, unknown>[];
      alerting?: unknown;
      rule_files?: unknown;
    };

  test("has one job per service, named after it", () => {
    const jobs = config({}).scrape_configs.map(({ job_name }) => job_name);
    expect(jobs).toEqual(serviceTargets(standIns).map(({ job }) => job));
    expect(jobs).toEqual(serviceJobs);
  });

  test("has no alerting without an Alertmanager, and no rules without a file", () => {
    expect(config({})).not.toHaveProperty("alerting");
    expect(config({})).not.toHaveProperty("rule_files");
  });

  test("renames an application's own metrics, and none of a stand-in", () => {
    const image = `registry.example/x@sha256:${"a".repeat(64)}`;
    const settings = {
      application: "autollm",
      release: { "gateway-api": { image }, "llm-agents": { image } },
    } as const;
    const jobs = config({ targets: serviceTargets(settings) }).scrape_configs;
    const renamed = (job: string) =>
      (jobs.find(({ job_name }) => job_name === job)?.metric_relabel_configs ?? []) as Relabeling[];
    expect(renamed("portfolio-ledger")).toEqual([]);
    const show = (job: string, series: Series) => stored(renamed(job), series);
    expect(show("gateway-api", { __name__: "gateway_http_requests_total", endpoint: "/api/x", status: "500" })).toEqual(
      { __name__: "http_requests_total", path: "/api/x", status: "500" },
    );
    expect(
      show("gateway-api", { __name__: "gateway_request_latency_seconds_bucket", handler: "/api/x", le: "0.5" }),
    ).toEqual({ __name__: "http_request_duration_seconds_bucket", path: "/api/x", le: "0.5" });
    expect(show("llm-agents", { __name__: "http_requests_total", handler: "/health", status: "2xx" })).toEqual({
      ...{ __name__: "http_requests_total", path: "/health", status: "2xx" },
    });
    expect(show("llm-agents", { __name__: "llm_intents_total", status: "auto" }).status).toBe("proposed");
    expect(show("gateway-api", { __name__: "llm_intents_total", status: "manual" }).status).toBe("proposed");
    const others: Series[] = [
      { __name__: "other_total", handler: "x", endpoint: "y" },
      { __name__: "http_requests_total_more", handler: "x" },
      { __name__: "llm_intents_total", status: "automatic" },
    ];
    for (const series of others) expect(show("gateway-api", series)).toEqual(series);
  });

  test("maps to names and labels that the platform knows", async () => {
    const known = await knownMetrics();
    const mappings = Object.values(applications as Readonly<Record<string, Application>>).flatMap(
      ({ metrics = [] }) => metrics,
    );
    expect(mappings.length).toBeGreaterThan(0);
    for (const { metric, as = metric } of mappings) expect(known.has(as) || known.has(`${as}_count`), as).toBe(true);
  });

  test("names a prober's target as the instance", () => {
    const probe = { module: "edge", url: "https://edge-sockets:8443/health" };
    const [job] = config({ targets: [{ job: "edge", address: "blackbox-exporter:9115", probe }] }).scrape_configs;
    expect(job).toMatchObject({
      metrics_path: "/probe",
      params: { module: ["edge"], target: [probe.url] },
      relabel_configs: [{ target_label: "instance", replacement: probe.url }],
    });
  });
});

describe("the exporters", () => {
  test("redis-exporter finds the password by the user and the address", () => {
    expect(JSON.parse(redisPasswords("exporter-even", 'a"b'))).toEqual({
      "redis://exporter-even@redis:6379": 'a"b',
    });
  });

  test("a public certificate is checked, and Caddy's own is not", () => {
    const tls = (domain: string) => parse(blackboxConfig([{ name: domain }])).modules.edge.http.tls_config as unknown;
    expect(tls("trader.example.com")).toEqual({ server_name: "trader.example.com" });
    expect(tls("localhost")).toEqual({ server_name: "localhost", insecure_skip_verify: true });
  });

  test("each public route is probed for an answer, and each admin page for staying closed", () => {
    const asked = edgeTargets([{ name: "localhost" }]).map(({ job, probe, labels }) => [
      job,
      probe?.module,
      labels?.login,
    ]);
    expect(asked).toEqual([
      ["edge", "edge", undefined],
      ["edge-api", "answers", "no"],
      ["edge-admin", "answers", "no"],
      ["edge-webhook", "answers", "no"],
      ["edge-grafana", "answers", "no"],
      ["edge-prometheus", "closed", "yes"],
      ["edge-alertmanager", "closed", "yes"],
      ["edge-jaeger", "closed", "yes"],
    ]);
    const { modules } = parse(blackboxConfig([{ name: "localhost" }])) as {
      modules: Readonly<Record<string, { http: { valid_status_codes?: number[] } }>>;
    };
    expect(modules.closed?.http.valid_status_codes).not.toContain(200);
    expect(modules.answers?.http.valid_status_codes?.filter((code) => code >= 500)).toEqual([]);
  });

  test("the refusals of these probes are too few for a ban at the edge", () => {
    const seldom = edgeTargets([{ name: "localhost" }]).filter(({ job }) => job !== "edge");
    expect(seldom.map(({ interval }) => interval)).toEqual(seldom.map(() => "1m"));
    expect(seldom.length * (EDGE_LIMITS.findtime / 60)).toBeLessThan(EDGE_LIMITS.maxretry);
  });
});

test("Grafana's provisioning is YAML", () => {
  for (const text of Object.values(grafanaProvisioning("local")))
    expect(parse(String(text))).toHaveProperty("apiVersion", 1);
});
