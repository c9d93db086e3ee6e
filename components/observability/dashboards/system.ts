import { SERVICE_JOBS } from "../alerts/services.ts";
import { type Dashboard, limits } from "./panel.ts";

const CHOSEN = 'job=~"$service"';
const DISKS = 'fstype!~"tmpfs|ramfs|squashfs|iso9660"';
const REQUESTS = `${CHOSEN},path!~"/health|/metrics"`;

/** System Health: the host, the services as processes, and the parts around them. */
export const systemHealth: Dashboard = {
  uid: "system-health",
  title: "System Health",
  description: "The host, the services as processes, and the parts around them.",
  variables: [{ name: "service", label: "Service", values: `label_values(up{${SERVICE_JOBS}}, job)` }],
  panels: [
    {
      title: "Targets up",
      description: "What could be scraped, of what should be.",
      unit: "short",
      kind: "stat",
      width: 6,
      queries: { up: "sum(up)", expected: "count(up)" },
    },
    {
      title: "Targets down",
      description: "Nothing, when all is well.",
      unit: "short",
      kind: "stat",
      width: 6,
      thresholds: [{ from: 1, colour: "red" }],
      queries: { down: "count(up == 0) or vector(0)" },
    },
    {
      title: "Alerts firing",
      description: "By severity; the dead man's switch is not counted.",
      unit: "short",
      kind: "stat",
      width: 6,
      thresholds: [{ from: 1, colour: "red" }],
      queries: {
        critical: 'count(ALERTS{alertstate="firing",severity="critical"}) or vector(0)',
        warning: 'count(ALERTS{alertstate="firing",severity="warning"}) or vector(0)',
      },
    },
    {
      title: "Edge answers",
      description: "1: the public health page answers over TLS.",
      unit: "short",
      kind: "stat",
      width: 6,
      queries: { success: "min(probe_success)" },
    },
    {
      title: "CPU",
      description: "Busy share of the host's cores.",
      unit: "percentunit",
      kind: "timeseries",
      min: 0,
      max: 1,
      thresholds: limits(0.6, 0.8),
      queries: {
        busy: '1 - avg(rate(node_cpu_seconds_total{mode="idle"}[5m]))',
        "waiting for disks": 'avg(rate(node_cpu_seconds_total{mode="iowait"}[5m]))',
      },
    },
    {
      title: "Memory",
      description: "Of the host; what can be freed at once counts as free.",
      unit: "bytes",
      kind: "timeseries",
      min: 0,
      queries: {
        used: "node_memory_MemTotal_bytes - node_memory_MemAvailable_bytes",
        total: "node_memory_MemTotal_bytes",
      },
    },
    {
      title: "Disk",
      description: "Used share by mount point.",
      unit: "percentunit",
      kind: "timeseries",
      min: 0,
      max: 1,
      thresholds: limits(0.8, 0.9),
      queries: {
        "{{mountpoint}}": `1 - max by (mountpoint) (node_filesystem_avail_bytes{${DISKS}} / node_filesystem_size_bytes{${DISKS}})`,
      },
    },
    {
      title: "Disk throughput",
      description: "Bytes a second, by disk.",
      unit: "Bps",
      kind: "timeseries",
      min: 0,
      queries: {
        "{{device}} read": "rate(node_disk_read_bytes_total[5m])",
        "{{device}} written": "rate(node_disk_written_bytes_total[5m])",
      },
    },
    {
      title: "Network",
      description: "Bits a second of the host's interfaces.",
      unit: "bps",
      kind: "timeseries",
      min: 0,
      queries: {
        "{{device}} in": 'rate(node_network_receive_bytes_total{device!~"lo|docker.*"}[5m]) * 8',
        "{{device}} out": 'rate(node_network_transmit_bytes_total{device!~"lo|docker.*"}[5m]) * 8',
      },
    },
    {
      title: "Container restarts, 1 h",
      description: "Times that a service's process began anew; a deploy counts as one.",
      unit: "short",
      kind: "timeseries",
      min: 0,
      queries: { "{{job}}": `sum by (job) (changes(process_start_time_seconds{${CHOSEN}}[1h]))` },
    },
    {
      title: "Request latency, p95",
      description: "95th percentile by service; health checks and scrapes are left out.",
      unit: "s",
      kind: "timeseries",
      min: 0,
      thresholds: limits(0.5, 1),
      queries: {
        "{{job}}": `histogram_quantile(0.95, sum by (le, job) (rate(http_request_duration_seconds_bucket{${REQUESTS}}[5m])))`,
      },
    },
    {
      title: "Requests",
      description: "Requests a second by service and status.",
      unit: "reqps",
      kind: "timeseries",
      min: 0,
      queries: { "{{job}} {{status}}": `sum by (job, status) (rate(http_requests_total{${CHOSEN}}[5m]))` },
    },
    {
      title: "Request errors",
      description: "Share of requests that the service could not answer (status 500 and above).",
      unit: "percentunit",
      kind: "timeseries",
      min: 0,
      thresholds: limits(0.01, 0.05),
      queries: {
        "{{job}}": `(sum by (job) (rate(http_requests_total{${CHOSEN},status=~"5.."}[5m])) or 0 * sum by (job) (rate(http_requests_total{${CHOSEN}}[5m]))) / sum by (job) (rate(http_requests_total{${CHOSEN}}[5m]))`,
      },
    },
    {
      title: "Memory of its limit",
      description: "Resident memory of each service as a share of its container's limit.",
      unit: "percentunit",
      kind: "bargauge",
      min: 0,
      max: 1,
      thresholds: limits(0.7, 0.9),
      queries: {
        "{{job}}": `max by (job) (process_resident_memory_bytes{${CHOSEN}}) / on (job) max by (job) (service:memory_limit_bytes)`,
      },
    },
    {
      title: "CPU by service",
      description: "Cores in use.",
      unit: "short",
      kind: "timeseries",
      min: 0,
      queries: { "{{job}}": `sum by (job) (rate(process_cpu_seconds_total{${CHOSEN}}[5m]))` },
    },
    {
      title: "Database query time, p95",
      description: "95th percentile by kind of query.",
      unit: "s",
      kind: "timeseries",
      min: 0,
      queries: {
        "{{job}} {{query_type}}": `histogram_quantile(0.95, sum by (le, job, query_type) (rate(db_query_duration_seconds_bucket{${CHOSEN}}[5m])))`,
      },
    },
    {
      title: "Data stores",
      description: "Connections of Postgres, and Redis's memory of its limit.",
      unit: "percentunit",
      kind: "timeseries",
      min: 0,
      max: 1,
      thresholds: limits(0.6, 0.8),
      queries: {
        "Postgres connections": "sum(pg_stat_activity_count) / max(pg_settings_max_connections)",
        "Redis memory": "max(redis_memory_used_bytes) / max(redis_memory_max_bytes > 0)",
      },
    },
    {
      title: "Error budget in use",
      description: "Bad share of the last hour over the share that is allowed: above 1, the promise is being broken.",
      unit: "short",
      kind: "timeseries",
      min: 0,
      thresholds: limits(1, 6),
      queries: { "{{slo}}": "slo:error_ratio:rate1h / on (slo) group_left () slo:error_budget:ratio" },
    },
  ],
};
