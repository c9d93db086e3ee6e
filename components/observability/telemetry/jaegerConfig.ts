import { stringify } from "yaml";
import { nameIn } from "../../segments.ts";

/** Path of the traces in the container. */
export const JAEGER_DATA = "/badger";
/** The path below which its pages and its query API are served, the same behind the edge and inside. */
export const JAEGER_PATH = "/jaeger";

export interface JaegerConfigArgs {
  /** Days after which a trace is removed. */
  readonly retentionDays: number;
}

/** Jaeger's configuration: a span is acknowledged when it is stored, so nothing waits in memory. */
export function jaegerConfig({ retentionDays }: JaegerConfigArgs): string {
  return stringify({
    service: {
      extensions: ["jaeger_storage", "jaeger_query", "healthcheckv2"],
      pipelines: { traces: { receivers: ["otlp"], exporters: ["jaeger_storage_exporter"] } },
      telemetry: {
        resource: { "service.name": "jaeger" },
        metrics: {
          level: "detailed",
          readers: [{ pull: { exporter: { prometheus: { host: nameIn("jaeger", "traces"), port: 8888 } } } }],
        },
        logs: { level: "info", encoding: "json" },
      },
    },
    extensions: {
      healthcheckv2: { use_v2: true, http: { endpoint: "127.0.0.1:13133" } },
      jaeger_query: {
        base_path: JAEGER_PATH,
        storage: { traces: "disk" },
        http: { endpoint: `${nameIn("jaeger", "jaeger")}:16686` },
        grpc: { endpoint: "127.0.0.1:16685" },
      },
      jaeger_storage: {
        backends: {
          disk: {
            badger: {
              directories: { keys: `${JAEGER_DATA}/keys`, values: `${JAEGER_DATA}/values` },
              ephemeral: false,
              ttl: { spans: `${retentionDays * 24}h` },
            },
          },
        },
      },
    },
    receivers: { otlp: { protocols: { grpc: { endpoint: `${nameIn("jaeger", "traces")}:4317` } } } },
    exporters: { jaeger_storage_exporter: { trace_storage: "disk" } },
  });
}
