import { type AlertCase, type Case, constant, gauge, one, rising } from "./cases.ts";

const RETENTION_RUN = "loki_compactor_apply_retention_last_successful_run_timestamp_seconds";
/** Jaeger's store with an index of 2 GB, after two hours. */
const traceStore = (bytes: number): Case => ({
  series: {
    'jaeger_storage_badger_size_bytes_lsm{job="jaeger"}': constant(2e9),
    'jaeger_storage_badger_size_bytes_vlog{job="jaeger"}': constant(bytes),
  },
  at: "2h",
  every: "1m",
});
/** The log collector's queue of 256 MiB, and what is in it. */
const queue = (bytes: number): Case => ({
  series: {
    'otelcol_exporter_queue_size{job="log-collector"}': constant(bytes),
    'otelcol_exporter_queue_capacity{job="log-collector"}': constant(268_435_456),
  },
});

const LSM = 'jaeger_storage_badger_size_bytes_lsm{job="jaeger"}';
/** Jaeger, up or not, with all that alerts need of it but one metric. */
const jaeger = (up: 0 | 1) => ({
  'up{job="jaeger"}': constant(up),
  'jaeger_storage_badger_size_bytes_vlog{job="jaeger"}': constant(5),
});

export const watchingCases: readonly AlertCase[] = [
  { alert: "DeadMansSwitch", service: "prometheus", fires: [{ series: {} }], quiet: [] },
  gauge("SilenceActive", "alertmanager", 'alertmanager_silences{job="alertmanager",state="active"}', 1, 0),
  {
    alert: "TargetDown",
    service: "grafana",
    fires: [one('up{job="grafana"}', 0)],
    quiet: [one('up{job="grafana"}', 1), one('up{job="reporter"}', 0)],
  },
  {
    alert: "TargetMissing",
    service: "grafana",
    fires: [one('up{job="prometheus"}', 1)],
    quiet: [{ series: { 'up{job="prometheus"}': constant(0), 'up{job="grafana"}': constant(0) } }],
  },
  {
    alert: "RuleFailing",
    service: "prometheus",
    fires: [{ series: { 'prometheus_rule_evaluation_failures_total{rule_group="risk"}': rising(1) }, at: "15m" }],
    quiet: [one('prometheus_rule_evaluation_failures_total{rule_group="risk"}', 3, "15m")],
  },
  gauge("ConfigReloadFailed", "alertmanager", 'alertmanager_config_last_reload_successful{job="alertmanager"}', 0, 1),
  gauge(
    "AlertmanagerUnreachable",
    "alertmanager",
    'prometheus_notifications_alertmanagers_discovered{job="prometheus"}',
    0,
    1,
  ),
  {
    alert: "NotificationsFailing",
    service: "alertmanager",
    fires: [{ series: { 'alertmanager_notifications_failed_total{integration="slack"}': rising(1) }, at: "15m" }],
    quiet: [one('alertmanager_notifications_failed_total{integration="slack"}', 2, "15m")],
  },
  {
    alert: "PrometheusStorageFailing",
    service: "prometheus",
    fires: [{ series: { prometheus_tsdb_compactions_failed_total: rising(1) }, at: "15m" }],
    quiet: [one("prometheus_tsdb_compactions_failed_total", 2, "15m")],
  },
  {
    alert: "TelemetryQueueGrowing",
    service: "log-collector",
    fires: [queue(90e6)],
    quiet: [queue(40e6)],
  },
  {
    alert: "TelemetryRefused",
    service: "otel-collector",
    fires: [{ series: { 'otelcol_receiver_refused_spans{job="otel-collector"}': rising(1) }, at: "15m" }],
    quiet: [one('otelcol_receiver_refused_spans{job="otel-collector"}', 9, "15m")],
  },
  {
    alert: "LogsMissing",
    service: "log-collector",
    fires: [one('loki_distributor_lines_received_total{job="loki"}', 1000, "25m")],
    quiet: [{ series: { 'loki_distributor_lines_received_total{job="loki"}': rising(1) }, at: "25m" }],
  },
  {
    alert: "LogsRefused",
    service: "loki",
    fires: [{ series: { 'loki_discarded_samples_total{job="loki",reason="rate_limited"}': rising(1) }, at: "20m" }],
    quiet: [one('loki_discarded_samples_total{job="loki",reason="rate_limited"}', 5, "20m")],
  },
  {
    alert: "LogRetentionFailing",
    service: "loki",
    // promtool's clock begins with 0.
    fires: [one(`${RETENTION_RUN}{job="loki"}`, 0, "27h", "5m")],
    quiet: [
      one(`${RETENTION_RUN}{job="loki"}`, 7200, "27h", "5m"),
      one(`${RETENTION_RUN}{job="loki"}`, 0, "25h", "5m"),
    ],
  },
  { alert: "TraceStoreLarge", service: "jaeger", fires: [traceStore(9e9)], quiet: [traceStore(7e9)] },
  {
    alert: "MetricMissing",
    service: "jaeger",
    // There for five minutes, then gone for longer than a restart's counters need.
    fires: [{ series: { ...jaeger(1), [LSM]: `5x20 _x400` }, at: "45m" }],
    quiet: [
      { series: { ...jaeger(1), [LSM]: "5x20 _x400" }, at: "30m" },
      { series: { ...jaeger(1), [LSM]: constant(5) }, at: "45m" },
      // Its job is down, which others tell, or never showed it.
      { series: { ...jaeger(0), [LSM]: "5x20 _x400" }, at: "45m" },
      { series: jaeger(1), at: "45m" },
    ],
  },
  {
    alert: "MetricNeverSeen",
    service: "jaeger",
    // Within the first hours, and a day after it went.
    fires: [
      { series: jaeger(1), at: "70m" },
      { series: { ...jaeger(1), [LSM]: "5x5 _x400" }, at: "27h", every: "5m" },
    ],
    quiet: [
      { series: jaeger(1), at: "50m" },
      { series: jaeger(0), at: "70m" },
      { series: { ...jaeger(1), [LSM]: constant(5) }, at: "70m" },
    ],
  },
  {
    alert: "MarketCalendarEnding",
    service: "prometheus",
    fires: [{ series: {}, at: "310d", every: "12h" }],
    quiet: [{ series: {}, at: "3h", every: "5m" }],
  },
];
