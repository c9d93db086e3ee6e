import { type AlertGroup, DAY, JOB } from "./alert.ts";

/** Share of its queue that a collector may hold for long: the rest lasts for hours. */
const QUEUE_SHARE = 0.25;
/** The stores' own budgets, bytes. */
const TRACE_BYTES = 10e9;

const grows = (metric: string) => `sum by (job) (increase(${metric}[10m])) > 0`;

/** Whether traces and logs arrive, are stored, and are removed in time. */
export const telemetryAlerts: readonly AlertGroup[] = [
  {
    name: "telemetry",
    alerts: [
      {
        name: "TelemetryQueueGrowing",
        expr: `max by (job) (otelcol_exporter_queue_size / otelcol_exporter_queue_capacity) > ${QUEUE_SHARE}`,
        for: "5m",
        severity: "warning",
        service: JOB,
        subject: "telemetry-queue",
        summary: "{{ $labels.job }} holds back {{ $value | humanizePercentage }} of its queue",
        description: "Jaeger or Loki is down or too slow; nothing is lost until the queue on disk is full.",
      },
      {
        name: "TelemetryRefused",
        expr: [
          "otelcol_receiver_refused_spans",
          "otelcol_receiver_refused_log_records",
          "otelcol_processor_tail_sampling_sampling_trace_dropped_too_early",
        ]
          .map(grows)
          .join(" or "),
        for: "5m",
        severity: "warning",
        service: JOB,
        subject: "telemetry-refused",
        summary: "{{ $labels.job }} refuses spans or lines",
        description: "It has no memory or no disk space left; its senders retry for a while and then drop the data.",
      },
      {
        name: "LogsMissing",
        expr: "sum by (job) (rate(loki_distributor_lines_received_total[10m])) == 0",
        for: "10m",
        severity: "warning",
        service: "log-collector",
        subject: "logs",
        summary: "No log line has arrived for 20 minutes",
        description: "The edge alone writes one for each probe: the log collector reads nothing or cannot deliver.",
      },
      {
        name: "LogsRefused",
        expr: "sum by (job, reason) (increase(loki_discarded_samples_total[10m])) > 0",
        for: "10m",
        severity: "warning",
        service: JOB,
        subject: "logs",
        summary: "Loki refuses lines: {{ $labels.reason }}",
        description:
          "A service writes more than the disk budget allows (rate_limited: its lines come later), or writes invalid lines.",
      },
      {
        name: "LogRetentionFailing",
        expr: `time() - max by (job) (loki_compactor_apply_retention_last_successful_run_timestamp_seconds) > ${DAY}`,
        for: "2h",
        severity: "warning",
        service: JOB,
        subject: "retention",
        summary: "Old log lines have not been removed for a day",
        description: "Loki's disk grows beyond its budget.",
      },
      {
        name: "TraceStoreLarge",
        expr: `sum by (job) (jaeger_storage_badger_size_bytes_lsm) + sum by (job) (jaeger_storage_badger_size_bytes_vlog) > ${TRACE_BYTES}`,
        for: "1h",
        severity: "warning",
        service: JOB,
        subject: "retention",
        summary: "Jaeger's store takes {{ $value | humanize1024 }}B",
        description: "Far more traces fail, are slow or belong to orders than the retention was planned for.",
      },
    ],
  },
];
