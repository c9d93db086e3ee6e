import { type ServiceName, type ServiceSpec, serviceNames, services } from "../../platform/catalogue.ts";
import { KILL_SWITCH_METRIC } from "../../platform/killSwitch.ts";
import { isDurable } from "../../platform/streams.ts";
import { CONTAINER_INFO } from "../../runtime/containerNames.ts";
import { edgeTargets } from "../blackbox.ts";
import { type AlertGroup, DAY, HOUR, JOB, type Recording } from "./alert.ts";
import { MARKET_OPEN } from "./market.ts";
import { selectorsOf } from "./promql.ts";

/** The jobs that expose a metric which an alert reads. */
interface Exposer {
  /** The whole name, or its beginning where it ends in `*`. Of two rows that fit, the first counts. */
  readonly metrics: readonly string[];
  /** The scrape jobs that expose it. */
  readonly jobs: readonly string[];
  /** When it must be there, as the right side of PromQL's `and`. Default: whenever its job is up. */
  readonly when?: string;
  /** Why its absence is no fault, or which alert reports it. Then no alert is made. */
  readonly mayLack?: string;
}

/** A metric that alerts read, and how its absence is noticed. */
export interface NeededMetric {
  readonly metric: string;
  readonly jobs: readonly string[];
  /** The alerts that cannot fire without it. */
  readonly alerts: readonly string[];
  /** Labels by which the rules choose its series. */
  readonly labels: readonly string[];
  readonly when?: string;
  readonly mayLack?: string;
}

const spec = (service: ServiceName): ServiceSpec => services[service];
const served = serviceNames.filter((name) => spec(name).port !== null);
const subjects = (service: ServiceName) => [...spec(service).publishes, ...spec(service).subscribes];
const executors = served.filter((name) => spec(name).publishes.includes("exec.order.filled"));

/** True once a job has been scraped for about so long, in seconds: for metrics that appear only from time to time. */
const upFor = (job: string, seconds: number) => {
  const hours = Math.round(seconds / HOUR);
  return `on () count_over_time(max by (job) (up{job="${job}"})[${hours}h:1h]) > ${0.9 * hours}`;
};
/** An exporter exposes nothing of a server that it does not reach; another alert reports that. */
const reached = (up: string) => `on () max(${up}) == 1`;
const FIRST_TEST = 8 * DAY;

/** The jobs of each metric: a row per metric, or for all of a program's. A test fails for a metric without one. */
export const exposers: readonly Exposer[] = [
  // Of Prometheus itself, at each scrape.
  {
    metrics: ["up"],
    jobs: [],
    mayLack: "Prometheus makes it of each scrape; TargetMissing and ServiceDown report its absence",
  },

  // The services' own.
  { metrics: ["process_resident_memory_bytes"], jobs: served },
  { metrics: ["http_requests_total", "http_request_duration_seconds*"], jobs: served },
  { metrics: ["dependency_up"], jobs: served.filter((name) => spec(name).needs.length > 0) },
  { metrics: ["nats_messages_total"], jobs: served.filter((name) => subjects(name).some(isDurable)) },
  { metrics: ["rate_limiter_local"], jobs: ["gateway-api"] },
  // Ages are measured where ticks arrive, and only while there are any.
  { metrics: ["market_feed_lag_seconds"], jobs: ["risk-manager"], when: `on () ${MARKET_OPEN} == 1` },
  { metrics: ["llm_errors_total", "llm_request_duration_seconds*"], jobs: ["llm-agents"] },
  { metrics: ["orders_submitted_total", "orders_filled_total", "orders_failed_total"], jobs: executors },
  // Of the fills alone.
  {
    metrics: ["order_slippage_bps", "order_latency_seconds*"],
    jobs: executors,
    when: "on (job) sum by (job) (orders_filled_total) > 0",
  },
  {
    metrics: ["position_concentration_pct"],
    jobs: ["risk-manager"],
    when: "on (job) max by (job) (portfolio_leverage_ratio) > 0",
  },
  { metrics: ["kill_switch_active", "daily_pnl", "daily_loss_limit", "portfolio_*"], jobs: ["risk-manager"] },

  // The components'.
  { metrics: ["pg_up"], jobs: ["postgres-exporter"] },
  { metrics: ["pg_*"], jobs: ["postgres-exporter"], when: reached("pg_up") },
  { metrics: ["redis_up"], jobs: ["redis-exporter"] },
  { metrics: ["redis_*"], jobs: ["redis-exporter"], when: reached("redis_up") },
  { metrics: ["nats_stream_kept", "nats_stream_repairs_total", "nats_streams_*"], jobs: ["nats-streams"] },
  { metrics: ["nats_up"], jobs: ["nats-exporter"] },
  { metrics: ["nats_*"], jobs: ["nats-exporter"], when: reached("nats_up") },
  { metrics: ["backup_last_success_timestamp_seconds"], jobs: ["backup"], mayLack: "BackupUnknown reports it" },
  {
    metrics: ["backup_second_copy_*"],
    jobs: ["backup"],
    mayLack: "a stack may have no second repository",
  },
  {
    metrics: ["backup_last_restore_test_*"],
    jobs: ["backup"],
    when: upFor("backup", FIRST_TEST),
  },
  { metrics: ["backup_*"], jobs: ["backup"], when: upFor("backup", DAY) },
  { metrics: ["wal_archive_unsent_seconds"], jobs: ["wal-archive"], mayLack: "a stack may have no second place" },
  { metrics: ["wal_archive_last_base_*"], jobs: ["wal-archive"], when: upFor("wal-archive", DAY) },
  {
    metrics: ["wal_archive_last_restore_test_*"],
    jobs: ["wal-archive"],
    when: upFor("wal-archive", FIRST_TEST),
  },
  { metrics: ["wal_archive_*"], jobs: ["wal-archive"] },
  { metrics: ["volume_damaged_files"], jobs: ["backup"] },
  {
    metrics: ["host_security_fixes_oldest_timestamp_seconds"],
    jobs: ["node-exporter"],
    mayLack: "it is there while a fix waits; SecurityFixesUnknown fires if it is not checked",
  },
  { metrics: ["host_security_checked_timestamp_seconds"], jobs: [], mayLack: "SecurityFixesUnknown reports it" },
  { metrics: ["host_firewall_checked_timestamp_seconds"], jobs: [], mayLack: "FirewallNotAsDeclared reports it" },
  { metrics: [KILL_SWITCH_METRIC], jobs: ["node-exporter"], mayLack: "it is there while the kill switch is on" },
  { metrics: ["node_*", "host_*", "credential_*", CONTAINER_INFO], jobs: ["node-exporter"] },
  { metrics: ["container_*"], jobs: ["cadvisor"] },
  // Without an answer there is no certificate; EdgeDown reports that.
  { metrics: ["probe_ssl_earliest_cert_expiry"], jobs: ["edge"], when: "on (job) probe_success == 1" },
  { metrics: ["probe_*"], jobs: edgeTargets([{ name: "localhost" }]).map(({ job }) => job) },
  { metrics: ["caddy_*"], jobs: ["caddy"] },
  { metrics: ["alertmanager_*"], jobs: ["alertmanager"] },
  { metrics: ["prometheus_*"], jobs: ["prometheus"] },
  { metrics: ["loki_discarded_samples_total"], jobs: ["loki"], mayLack: "it is there once a line was refused" },
  { metrics: ["loki_*"], jobs: ["loki"] },
  { metrics: ["jaeger_*"], jobs: ["jaeger"] },
  { metrics: ["otelcol_receiver_refused_spans", "otelcol_processor_tail_sampling_*"], jobs: ["otel-collector"] },
  { metrics: ["otelcol_receiver_refused_log_records"], jobs: ["log-collector"] },
  { metrics: ["otelcol_*"], jobs: ["otel-collector", "log-collector"] },
];

const fits = (pattern: string, metric: string) =>
  pattern.endsWith("*") ? metric.startsWith(pattern.slice(0, -1)) : metric === pattern;

/** Labels that a scrape adds, or that a histogram has by its nature. */
const GIVEN = ["job", "instance", "le"];

/**
 * The metrics that the alerts read, by themselves and by what is recorded for them.
 * @throws if no row of the table says which jobs expose one
 */
export function neededMetrics(
  alerts: readonly { readonly name: string; readonly expr: string }[],
  recordings: readonly Recording[],
): readonly NeededMetric[] {
  const recorded = Map.groupBy(recordings, ({ record }) => record);
  const found = new Map<string, { alerts: Set<string>; labels: Set<string> }>();
  const read = (expr: string, alert: string, seen: readonly string[]): void => {
    for (const { metric, matchers } of selectorsOf(expr)) {
      const rules = recorded.get(metric);
      if (rules !== undefined) {
        if (!seen.includes(metric)) for (const rule of rules) read(rule.expr, alert, [...seen, metric]);
        continue;
      }
      const entry = found.get(metric) ?? { alerts: new Set(), labels: new Set() };
      found.set(metric, entry);
      entry.alerts.add(alert);
      for (const { label } of matchers) if (!GIVEN.includes(label)) entry.labels.add(label);
    }
  };
  for (const { name, expr } of alerts) read(expr, name, []);
  return [...found].map(([metric, entry]) => {
    const row = exposers.find(({ metrics }) => metrics.some((pattern) => fits(pattern, metric)));
    if (row === undefined)
      throw new Error(
        `${[...entry.alerts].join(", ")}: no row of \`exposers\` (components/observability/alerts/needed.ts) says which jobs expose ${metric}`,
      );
    const { jobs, when, mayLack } = row;
    return {
      ...{ metric, jobs, alerts: [...entry.alerts], labels: [...entry.labels] },
      ...(when === undefined ? {} : { when }),
      ...(mayLack === undefined ? {} : { mayLack }),
    };
  });
}

/** 1 while a metric is there, 0 while its job is up without it; absent if the metric may be absent. By `metric` and `job`. */
export const METRIC_PRESENT = "needed_metric:present";

/** The rules that record `METRIC_PRESENT`. */
export function presenceRecordings(needed: readonly NeededMetric[]): readonly Recording[] {
  return needed
    .filter(({ mayLack }) => mayLack === undefined)
    .map(({ metric, jobs, alerts, when }) => {
      const of = `job=~"${jobs.join("|")}"`;
      const due = `max by (job) (up{${of}} == 1)`;
      return {
        record: METRIC_PRESENT,
        expr: `count by (job) (${metric}{${of}}) > bool 0 or 0 * ${when === undefined ? due : `(${due} and ${when})`}`,
        labels: { metric, alerts: alerts.join(", ") },
      };
    });
}

/** How far back a metric counts as one that was there. */
const MEMORY = "1d";
const before = (value: number) => `${METRIC_PRESENT} == 0 and max_over_time(${METRIC_PRESENT}[${MEMORY}]) == ${value}`;

/** Alerts on alerts that cannot fire, since a metric that they read is missing. */
export const missingMetricAlerts: readonly AlertGroup[] = [
  {
    name: "missing metrics",
    alerts: [
      {
        name: "MetricMissing",
        expr: before(1),
        // A counter that a restart emptied comes back with its first event.
        for: "30m",
        severity: "warning",
        service: JOB,
        subject: "metric-{{ $labels.metric }}",
        summary: "{{ $labels.job }} no longer exposes {{ $labels.metric }}",
        description: "It is up. These alerts read the metric and cannot fire without it: {{ $labels.alerts }}.",
      },
      {
        name: "MetricNeverSeen",
        expr: before(0),
        for: "1h",
        severity: "warning",
        service: JOB,
        subject: "metric-{{ $labels.metric }}",
        summary: "{{ $labels.job }} has not exposed {{ $labels.metric }} for a day, or ever",
        description: "It is up. These alerts read the metric and cannot fire without it: {{ $labels.alerts }}.",
      },
    ],
  },
];
