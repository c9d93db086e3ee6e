import { stringify } from "yaml";

/** Path of the logs in the container; in the official image the directory belongs to its user. */
export const LOKI_DATA = "/loki";

export interface LokiConfigArgs {
  /** Days after which a log line is removed. */
  readonly retentionDays: number;
  /** Disk that the lines of that time may take, GB. */
  readonly retentionGb: number;
}

/** How many times smaller lines are on disk than when they arrive; JSON lines are packed 8 times smaller and more. */
const PACKED = 5;
const DAY_SECONDS = 86_400;

/**
 * The permanent rate of lines at which the size is reached just when the oldest lines are removed, MB/s. Loki has no limit by
 * size: above this rate the log collector waits, and the disk stays within its bound.
 */
export function ingestionRate({ retentionDays, retentionGb }: LokiConfigArgs): number {
  return Number(((retentionGb * 1000 * PACKED) / (retentionDays * DAY_SECONDS)).toFixed(3));
}

/** Loki's configuration: one process, on disk, with a write-ahead log that survives a crash. */
export function lokiConfig(args: LokiConfigArgs): string {
  return stringify({
    auth_enabled: false,
    server: {
      http_listen_port: 3100,
      grpc_listen_address: "127.0.0.1",
      grpc_listen_port: 9095,
      log_level: "warn",
      log_format: "json",
    },
    common: {
      path_prefix: LOKI_DATA,
      instance_addr: "127.0.0.1",
      replication_factor: 1,
      ring: { kvstore: { store: "inmemory" } },
      storage: { filesystem: { chunks_directory: `${LOKI_DATA}/chunks`, rules_directory: `${LOKI_DATA}/rules` } },
    },
    schema_config: {
      configs: [
        {
          from: "2026-01-01",
          store: "tsdb",
          object_store: "filesystem",
          schema: "v13",
          index: { prefix: "index_", period: "24h" },
        },
      ],
    },
    ingester: {
      chunk_encoding: "zstd",
      // A single process has no peers to wait for.
      lifecycler: { min_ready_duration: "0s" },
      wal: { enabled: true, replay_memory_ceiling: "128MB" },
    },
    limits_config: {
      // Lines cannot be deleted by request: they are removed when they are old.
      deletion_mode: "disabled",
      retention_period: `${args.retentionDays * 24}h`,
      ingestion_rate_mb: ingestionRate(args),
      // A burst is normal: the first lines after an outage, or a stack that starts.
      ingestion_burst_size_mb: 32,
      max_line_size: "64KB",
      max_line_size_truncate: true,
      reject_old_samples: true,
      reject_old_samples_max_age: "168h",
      allow_structured_metadata: true,
      volume_enabled: true,
      otlp_config: {
        resource_attributes: {
          ignore_defaults: true,
          attributes_config: [{ action: "index_label", attributes: ["service.name", "deployment.environment.name"] }],
        },
      },
    },
    compactor: {
      working_directory: `${LOKI_DATA}/compactor`,
      retention_enabled: true,
      retention_delete_delay: "2h",
      delete_request_store: "filesystem",
    },
    query_range: { results_cache: { cache: { embedded_cache: { enabled: true, max_size_mb: 16 } } } },
    analytics: { reporting_enabled: false },
  });
}
