import { stringify } from "yaml";
import { nameIn } from "../../segments.ts";
import { collectorBase, durableQueue, memoryLimiter, resourceDetection, telemetryOf } from "./collectorConfig.ts";
import { maskStatements, redaction } from "./secrets.ts";

/** Where Docker writes the containers' logs. */
export const CONTAINER_LOGS = "/var/lib/docker/containers";

export interface LogCollectorConfigArgs {
  /** The stack whose containers' lines are read; other containers on the same host are left out. */
  readonly stack: string;
  /** OTLP over HTTP, without a slash at its end, of what stores the lines. */
  readonly logs: string;
}

/** Fields of a JSON line that may contain its level; the first that exists counts. Python's loggers write the second, Google's the third. */
export const LEVEL_FIELDS = ["level", "levelname", "severity"] as const;
const lineField = (name: string) => `attributes.line?.${name}`;

/** Steps from a line of Docker's file to the container's line, and to its service. */
const operators = (stack: string) => [
  // Docker adds the container's labels behind the line; in the line itself the quotes would be escaped.
  { type: "filter", expr: `not (body contains ${JSON.stringify(`"autollm.stack":"${stack}"`)})` },
  { type: "json_parser", parse_from: "body", parse_to: "attributes" },
  {
    type: "time_parser",
    parse_from: "attributes.time",
    layout_type: "gotime",
    layout: "2006-01-02T15:04:05.999999999Z07:00",
  },
  // Docker cuts a line after 16 KB.
  {
    type: "recombine",
    combine_field: "attributes.log",
    is_last_entry: 'attributes.log endsWith "\\n"',
    source_identifier: 'attributes["log.file.path"]',
    combine_with: "",
    force_flush_period: "5s",
  },
  { type: "move", from: "attributes.log", to: "body" },
  { type: "move", from: 'attributes.attrs["autollm.service"]', to: 'resource["service.name"]' },
  { type: "move", from: "attributes.stream", to: 'attributes["log.iostream"]' },
  ...["attrs", "time"].map((name) => ({ type: "remove", field: `attributes.${name}` })),
  { type: "remove", field: 'attributes["log.file.path"]' },
  {
    type: "json_parser",
    if: 'body startsWith "{"',
    parse_from: "body",
    parse_to: "attributes.line",
    on_error: "send_quiet",
  },
  ...LEVEL_FIELDS.map((field, index) => ({
    type: "severity_parser",
    if: [
      ...LEVEL_FIELDS.slice(0, index).map((former) => `${lineField(former)} == nil`),
      `${lineField(field)} != nil`,
    ].join(" and "),
    parse_from: `attributes.line.${field}`,
    // Python's name for it, which the collector does not know.
    mapping: { fatal: "critical" },
    on_error: "send_quiet",
  })),
  {
    type: "trace_parser",
    if: "attributes.line?.trace_id != nil",
    trace_id: { parse_from: "attributes.line.trace_id" },
    span_id: { parse_from: "attributes.line.span_id" },
    on_error: "send_quiet",
  },
  // The line itself is stored, and its fields only there.
  { type: "remove", if: "attributes.line != nil", field: "attributes.line" },
];

/** The log collector's configuration: every container's lines, labelled by service, masked, on their way to Loki. */
export function logCollectorConfig({ stack, logs }: LogCollectorConfigArgs): string {
  return stringify(
    {
      extensions: collectorBase.extensions,
      receivers: {
        file_log: {
          include: [`${CONTAINER_LOGS}/*/*-json.log`],
          include_file_path: true,
          include_file_name: false,
          start_at: "beginning",
          // Its read position outlives it.
          storage: "file_storage",
          poll_interval: "1s",
          max_log_size: "64KiB",
          retry_on_failure: { enabled: true, max_elapsed_time: "0s" },
          operators: operators(stack),
        },
      },
      processors: {
        memory_limiter: memoryLimiter,
        resource_detection: resourceDetection,
        redaction,
        "transform/redaction": {
          error_mode: "propagate",
          log_statements: [{ context: "log", conditions: ["IsString(body)"], statements: maskStatements("body") }],
        },
      },
      exporters: { "otlp_http/loki": { endpoint: logs, ...durableQueue } },
      service: {
        extensions: ["health_check", "file_storage"],
        pipelines: {
          logs: {
            receivers: ["file_log"],
            processors: ["memory_limiter", "resource_detection", "redaction", "transform/redaction"],
            exporters: ["otlp_http/loki"],
          },
        },
        // Its own lines are read as well: a line per failure would feed itself.
        telemetry: telemetryOf(nameIn("log-collector", "scrape"), "warn"),
      },
    },
    { lineWidth: 0 },
  );
}
