import { stringify } from "yaml";
import { nameIn } from "../../segments.ts";
import { maskStatements, redaction } from "./secrets.ts";

/** Path of the queue in the container. */
export const QUEUE_DIR = "/queue";

export interface CollectorConfigArgs {
  /** OTLP over gRPC, `host:port`, of what stores the traces. */
  readonly traces: string;
  /** Share of the ordinary traces that is kept, percent. */
  readonly keptPercent: number;
}

/** A trace that takes longer is kept: the order path's objective is one second. */
const SLOW_MS = 1000;
/** Most ordinary spans that are kept per second, whatever the share: with Jaeger's retention it bounds its disk. */
const ORDINARY_SPANS_PER_SECOND = 50;

/** Which traces are kept; one reason is enough. The others are counted in the span metrics all the same. */
const tailSampling = ({ keptPercent }: Pick<CollectorConfigArgs, "keptPercent">) => ({
  // Long enough for the slowest service to have sent its spans.
  decision_wait: "10s",
  num_traces: 20_000,
  // What comes later follows the decision.
  decision_cache: { sampled_cache_size: 100_000, non_sampled_cache_size: 100_000 },
  policies: [
    { name: "errors", type: "status_code", status_code: { status_codes: ["ERROR"] } },
    { name: "slow", type: "latency", latency: { threshold_ms: SLOW_MS } },
    {
      name: "orders",
      type: "string_attribute",
      string_attribute: {
        key: "messaging.destination.name",
        values: ["^risk\\.order\\.", "^exec\\.order\\.", "^risk\\.kill_switch\\."],
        enabled_regex_matching: true,
        cache_max_size: 100,
      },
    },
    {
      name: "ordinary",
      type: "and",
      and: {
        and_sub_policy: [
          { name: "share", type: "probabilistic", probabilistic: { sampling_percentage: keptPercent } },
          { name: "rate", type: "rate_limiting", rate_limiting: { spans_per_second: ORDINARY_SPANS_PER_SECOND } },
        ],
      },
    },
  ],
});

/** Settings of an exporter that must lose nothing: a queue on disk, with retries without a limit. */
export const durableQueue = {
  retry_on_failure: { enabled: true, initial_interval: "1s", max_interval: "30s", max_elapsed_time: "0s" },
  sending_queue: {
    enabled: true,
    storage: "file_storage",
    // Hours of a busy platform; a full queue makes senders wait instead of dropping.
    sizer: "bytes",
    queue_size: 256 * 1024 * 1024,
    block_on_overflow: true,
    // Batches are made of what is on disk already, so that none is lost with the process.
    batch: { sizer: "bytes", flush_timeout: "1s", min_size: 256 * 1024, max_size: 2 * 1024 * 1024 },
  },
} as const;

/** The extensions that every collector has. */
export const collectorBase = {
  extensions: {
    health_check: { endpoint: "127.0.0.1:13133" },
    file_storage: {
      directory: QUEUE_DIR,
      timeout: "5s",
      // Where bbolt panics at a damaged file, that is set aside as FILE.TIME.backup and an empty one takes its place. At other
      // damage the program ends at each start, until its guard has set the file aside (components/runtime/boltGuard.ts). No order is in it.
      recreate: true,
      // Without it the file keeps the size of the longest queue so far.
      compaction: {
        directory: QUEUE_DIR,
        on_start: true,
        // Files that an interrupted compaction left.
        cleanup_on_start: true,
        on_rebound: true,
        rebound_needed_threshold_mib: 64,
        rebound_trigger_threshold_mib: 8,
      },
    },
  },
} as const;

/** A collector's own telemetry: its metrics are served at a host, its lines are printed from a level on. */
export const telemetryOf = (host: string, level: "info" | "warn") => ({
  metrics: { level: "normal", readers: [{ pull: { exporter: { prometheus: { host, port: 8888 } } } }] },
  logs: { level, encoding: "json" },
});

/** Where the collector of traces serves metrics; it accepts traces from all members of its segments. */
const FIGURES = nameIn("otel-collector", "traces");

/** Refuses data before memory runs out: senders keep it and retry. */
export const memoryLimiter = { check_interval: "1s", limit_percentage: 75, spike_limit_percentage: 20 } as const;

/** Adds attributes from the collector's environment variables, such as the environment's name. */
export const resourceDetection = { detectors: ["env"], timeout: "2s", override: false } as const;

/**
 * The collector's configuration. Every span is redacted, then counted in the span metrics; which traces are kept is
 * decided when they are complete.
 */
export function collectorConfig(args: CollectorConfigArgs): string {
  return stringify(
    {
      extensions: collectorBase.extensions,
      receivers: {
        otlp: { protocols: { grpc: { endpoint: "0.0.0.0:4317" }, http: { endpoint: "0.0.0.0:4318" } } },
      },
      processors: {
        memory_limiter: memoryLimiter,
        resource_detection: resourceDetection,
        redaction,
        "transform/redaction": {
          error_mode: "propagate",
          trace_statements: [
            { context: "span", statements: [...maskStatements("name"), ...maskStatements("status.message")] },
          ],
        },
        tail_sampling: tailSampling(args),
      },
      connectors: {
        forward: {},
        span_metrics: {
          histogram: {
            unit: "s",
            explicit: { buckets: ["5ms", "10ms", "25ms", "50ms", "100ms", "250ms", "500ms", "1s", "2500ms", "5s"] },
          },
          dimensions: [{ name: "http.response.status_code" }, { name: "messaging.destination.name" }],
          exemplars: { enabled: true, max_per_data_point: 5 },
          metrics_flush_interval: "15s",
          metrics_expiration: "1h",
          resource_metrics_key_attributes: ["service.name"],
          // A name that contains an id would make endless series.
          aggregation_cardinality_limit: 2000,
        },
      },
      exporters: {
        "otlp_grpc/jaeger": { endpoint: args.traces, tls: { insecure: true }, ...durableQueue },
        prometheus: { endpoint: `${FIGURES}:8889`, enable_open_metrics: true, metric_expiration: "1h" },
      },
      service: {
        extensions: ["health_check", "file_storage"],
        pipelines: {
          "traces/in": {
            receivers: ["otlp"],
            processors: ["memory_limiter", "resource_detection", "redaction", "transform/redaction"],
            exporters: ["span_metrics", "forward"],
          },
          "traces/kept": { receivers: ["forward"], processors: ["tail_sampling"], exporters: ["otlp_grpc/jaeger"] },
          metrics: { receivers: ["span_metrics"], exporters: ["prometheus"] },
        },
        telemetry: telemetryOf(FIGURES, "info"),
      },
    },
    { lineWidth: 0 },
  );
}
