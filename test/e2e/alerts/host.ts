import { DAY, HOUR } from "../../../components/observability/alerts/alert.ts";
import { type AlertCase, constant, disk, either, gauge, node, one, pair, rising } from "./cases.ts";

/** A consumer's figures by their names. */
const consumer = (figures: Readonly<Record<string, number>>) => ({
  series: Object.fromEntries(
    Object.entries(figures).map(([name, value]) => [
      `nats_consumer_${name}{job="nats-exporter",stream="ORDERS",consumer="risk-manager_llm_intent_proposed"}`,
      constant(value),
    ]),
  ),
});

/** The newest backup's, and Postgres's to a moment. */
const RESTORE_TESTS = ["backup_last_restore_test", "wal_archive_last_restore_test"];

export const hostCases: readonly AlertCase[] = [
  {
    alert: "HighCPUUsage",
    service: "host",
    fires: [{ series: { [`node_cpu_seconds_total{${node},cpu="0",mode="idle"}`]: rising(1) }, at: "15m" }],
    quiet: [{ series: { [`node_cpu_seconds_total{${node},cpu="0",mode="idle"}`]: rising(10) }, at: "15m" }],
  },
  pair(
    "HighMemoryUsage",
    "host",
    [`node_memory_MemAvailable_bytes{${node}}`, `node_memory_MemTotal_bytes{${node}}`],
    [5, 100],
    [[20, 100]],
  ),
  pair(
    "DiskSpaceRunningLow",
    "host",
    [`node_filesystem_avail_bytes{${disk}}`, `node_filesystem_size_bytes{${disk}}`],
    [9, 100],
    [[11, 100]],
  ),
  {
    alert: "DiskFillsWithinADay",
    service: "host",
    fires: [
      {
        series: {
          [`node_filesystem_avail_bytes{${disk}}`]: "300-1x600",
          [`node_filesystem_size_bytes{${disk}}`]: constant(1000),
        },
        at: "3h",
        every: "1m",
      },
    ],
    quiet: [
      {
        series: {
          [`node_filesystem_avail_bytes{${disk}}`]: "300-0.01x600",
          [`node_filesystem_size_bytes{${disk}}`]: constant(1000),
        },
        at: "3h",
        every: "1m",
      },
      // Plenty is left: a large copy is no reason to wake anybody.
      {
        series: {
          [`node_filesystem_avail_bytes{${disk}}`]: "900-1x600",
          [`node_filesystem_size_bytes{${disk}}`]: constant(1000),
        },
        at: "3h",
        every: "1m",
      },
    ],
  },
  pair(
    "DiskFull",
    "host",
    [`node_filesystem_avail_bytes{${disk}}`, `node_filesystem_size_bytes{${disk}}`],
    [2, 100],
    [[4, 100]],
  ),
  pair(
    "InodesRunningLow",
    "host",
    [`node_filesystem_files_free{${disk}}`, `node_filesystem_files{${disk}}`],
    [4, 100],
    [
      [6, 100],
      [0, 0],
    ],
  ),
  gauge("ClockSkew", "host", `node_timex_offset_seconds{${node}}`, -0.2, 0.001),
  {
    ...pair(
      "ClockNotSynchronised",
      "host",
      [`node_timex_sync_status{${node}}`, `node_timex_maxerror_seconds{${node}}`],
      [0, 16],
      [
        [1, 0.1],
        [0, 1],
      ],
    ),
    fires: [
      {
        series: {
          [`node_timex_sync_status{${node}}`]: constant(0),
          [`node_timex_maxerror_seconds{${node}}`]: constant(16),
        },
        at: "15m",
      },
    ],
  },
  {
    alert: "SecurityFixesWaiting",
    service: "host",
    fires: [
      one(
        `host_security_fixes_oldest_timestamp_seconds{${node},group="docker",withheld="no"}`,
        0,
        `${2 * DAY + 2 * HOUR}s`,
        "1h",
      ),
    ],
    quiet: [
      one(`host_security_fixes_oldest_timestamp_seconds{${node},group="docker",withheld="no"}`, 0, `${DAY}s`, "1h"),
      // Nothing waits.
      one(`host_security_fixes_waiting{${node},group="docker",withheld="no"}`, 0, `${3 * DAY}s`, "1h"),
    ],
  },
  {
    alert: "SecurityFixesUnknown",
    service: "host",
    fires: [
      one(`host_security_checked_timestamp_seconds{${node}}`, 0, `${2 * DAY + 2 * HOUR}s`, "10m"),
      // The host's figures are not there at all.
      one(`up{${node}}`, 1, "2h", "1m"),
    ],
    quiet: [one(`host_security_checked_timestamp_seconds{${node}}`, 0, `${DAY}s`, "10m")],
  },
  {
    alert: "FirewallRestored",
    service: "host",
    fires: [{ series: { [`host_firewall_restored_total{${node},what="rules"}`]: "0x20 1x60" }, at: "10m" }],
    quiet: [one(`host_firewall_restored_total{${node},what="rules"}`, 3, "2h", "10m")],
  },
  {
    alert: "FirewallNotAsDeclared",
    service: "host",
    fires: [
      one(`host_firewall_checked_timestamp_seconds{${node}}`, 0, "600s", "10s"),
      one(`up{${node}}`, 1, "1h", "1m"),
    ],
    // Seen just before the moment that is looked at.
    quiet: [one(`host_firewall_checked_timestamp_seconds{${node}}`, 540, "600s", "10s")],
  },
  gauge("OtherFirewall", "host", `host_firewall_other{${node},program="ufw"}`, 1, 0),
  {
    ...gauge("RebootRequired", "host", `host_reboot_required{${node}}`, 1, 0),
    fires: [one(`host_reboot_required{${node}}`, 1, "90m", "1m")],
  },
];

export const dataCases: readonly AlertCase[] = [
  {
    alert: "PostgresDown",
    service: "postgres",
    fires: [
      one('pg_up{job="postgres-exporter"}', 0),
      // The exporter hangs with it, and tells nothing.
      one('dependency_up{job="gateway-api",dependency="postgres"}', 0),
    ],
    quiet: [
      one('pg_up{job="postgres-exporter"}', 1),
      // One of two readers cannot reach it: that is the reader's trouble.
      {
        series: {
          'dependency_up{job="gateway-api",dependency="postgres"}': constant(1),
          'dependency_up{job="reporter",dependency="postgres"}': constant(0),
        },
      },
    ],
  },
  pair(
    "PostgresConnectionsHigh",
    "postgres",
    ['pg_stat_activity_count{job="postgres-exporter"}', 'pg_settings_max_connections{job="postgres-exporter"}'],
    [90, 100],
    [[50, 100]],
  ),
  {
    alert: "NatsDown",
    service: "nats",
    fires: [one('nats_up{job="nats-exporter"}', 0), one('dependency_up{job="gateway-api",dependency="nats"}', 0)],
    quiet: [one('nats_up{job="nats-exporter"}', 1), one('dependency_up{job="gateway-api",dependency="nats"}', 1)],
  },
  {
    alert: "OrdersWaiting",
    service: "nats",
    fires: [consumer({ pending: 90, unacknowledged: 20, delivered: 1 })],
    // The second is of a program that subscribes by itself.
    quiet: [
      consumer({ pending: 20, unacknowledged: 20, delivered: 1 }),
      consumer({ pending: 90, unacknowledged: 20, delivered: 0 }),
    ],
  },
  {
    alert: "StreamsNotKept",
    service: "nats",
    fires: [
      one('nats_stream_kept{job="nats-streams",stream="ORDERS"}', 0),
      one('nats_streams_checked_timestamp_seconds{job="nats-streams"}', 60),
    ],
    quiet: [
      one('nats_stream_kept{job="nats-streams",stream="ORDERS"}', 1),
      one('nats_streams_checked_timestamp_seconds{job="nats-streams"}', 590),
    ],
  },
  {
    alert: "StreamRepaired",
    service: "nats",
    fires: [{ series: { 'nats_stream_repairs_total{job="nats-streams",stream="ORDERS"}': rising(1) } }],
    quiet: [one('nats_stream_repairs_total{job="nats-streams",stream="ORDERS"}', 3)],
  },
  {
    alert: "StreamLostMessages",
    service: "nats",
    fires: [
      one('nats_stream_gaps{job="nats-exporter",stream="ORDERS"}', 3),
      { series: { 'nats_stream_last_sequence{job="nats-exporter",stream="ORDERS"}': "100x20 60x20" } },
    ],
    quiet: [
      one('nats_stream_gaps{job="nats-exporter",stream="ORDERS"}', 0),
      { series: { 'nats_stream_last_sequence{job="nats-exporter",stream="ORDERS"}': rising(1) } },
    ],
  },
  {
    alert: "DamagedFileSetAside",
    service: "prometheus-data",
    fires: [one('volume_damaged_files{job="backup",volume="prometheus-data"}', 1)],
    quiet: [one('volume_damaged_files{job="backup",volume="prometheus-data"}', 0)],
  },
  pair(
    "NatsStorageFilling",
    "nats",
    ['nats_jetstream_storage_bytes{job="nats-exporter"}', 'nats_jetstream_storage_limit_bytes{job="nats-exporter"}'],
    [90, 100],
    [[50, 100]],
  ),
  {
    alert: "RedisDown",
    service: "redis",
    fires: [
      one('redis_up{job="redis-exporter"}', 0),
      // The exporter hangs with it, and tells nothing.
      one('dependency_up{job="gateway-api",dependency="redis"}', 0),
    ],
    quiet: [
      one('redis_up{job="redis-exporter"}', 1),
      // One of two readers cannot reach it: that is the reader's trouble.
      {
        series: {
          'dependency_up{job="gateway-api",dependency="redis"}': constant(1),
          'dependency_up{job="reporter",dependency="redis"}': constant(0),
        },
      },
    ],
  },
  pair(
    "RedisMemoryHigh",
    "redis",
    ['redis_memory_used_bytes{job="redis-exporter"}', 'redis_memory_max_bytes{job="redis-exporter"}'],
    [90, 100],
    [
      [50, 100],
      [50, 0],
    ],
  ),
  gauge("RedisSnapshotFailing", "redis", 'redis_rdb_last_bgsave_status{job="redis-exporter"}', 0, 1),
  // Before 1970 by that much, since promtool's clock begins then.
  gauge("BackupTooOld", "backup", "backup_last_success_timestamp_seconds", -26 * HOUR, -23 * HOUR),
  pair(
    "BackupLate",
    "backup",
    ["backup_last_success_timestamp_seconds", "backup_interval_seconds"],
    [-4 * HOUR, HOUR],
    [
      [-2 * HOUR, HOUR],
      [-4 * HOUR, 12 * HOUR],
    ],
  ),
  {
    alert: "BackupUnknown",
    service: "backup",
    fires: [{ series: {}, at: "70m", every: "1m" }],
    quiet: [one("backup_last_success_timestamp_seconds", 0, "70m", "1m")],
  },
  gauge("BackupFailing", "backup", "backup_last_run_success", 0, 1),
  either(
    "RestoreTestFailing",
    "backup",
    RESTORE_TESTS.map((test) => `${test}_success`),
    0,
    1,
  ),
  either(
    "RestoreTestTooOld",
    "backup",
    RESTORE_TESTS.map((test) => `${test}_timestamp_seconds`),
    -9 * DAY,
    -6 * DAY,
  ),
  {
    alert: "SecondCopyTooOld",
    service: "backup",
    fires: [
      one("backup_second_copy_last_success", 0, "13h", "1m"),
      one("backup_second_copy_last_success_timestamp_seconds", -50 * HOUR, "13h", "1m"),
    ],
    quiet: [
      one("backup_second_copy_last_success", 1, "13h", "1m"),
      one("backup_second_copy_last_success_timestamp_seconds", -30 * HOUR, "13h", "1m"),
    ],
  },
  {
    alert: "RecoveryKitOutdated",
    service: "backup",
    fires: [one("backup_recovery_kit_current", 0, "25h", "1m")],
    quiet: [one("backup_recovery_kit_current", 1, "25h", "1m")],
  },
  gauge("WalNotStored", "wal-archive", "wal_archive_unstored_seconds", 61, 59),
  gauge("WalWaiting", "wal-archive", "wal_archive_waiting_bytes", 1.1e9, 1e9),
  {
    alert: "WalLost",
    service: "wal-archive",
    fires: [{ series: { wal_archive_lost_total: "0 0 1 1 1 1" }, at: "5m", every: "1m" }],
    quiet: [{ series: { wal_archive_lost_total: "1 1 1 1 1 1" }, at: "5m", every: "1m" }],
  },
  gauge("WalNotSent", "wal-archive", "wal_archive_unsent_seconds", 301, 299),
  gauge("BaseBackupTooOld", "wal-archive", "wal_archive_last_base_timestamp_seconds", -27 * HOUR, -25 * HOUR),
  gauge("SecondCopyRemovable", "backup", "backup_second_copy_append_only", 0, 1),
  {
    alert: "SecondCopyPruneDue",
    service: "backup",
    fires: [one("backup_second_copy_prune_due_snapshots", 1441, "70m", "1m")],
    quiet: [one("backup_second_copy_prune_due_snapshots", 1440, "70m", "1m")],
  },
];

const edgeRequests = (code: string) => `caddy_http_request_duration_seconds_count{job="caddy",code="${code}"}`;

export const edgeCases: readonly AlertCase[] = [
  gauge("EdgeDown", "caddy", 'probe_success{job="edge",certificate="public",domain="trader.example.com"}', 0, 1),
  {
    alert: "EdgeRouteDown",
    service: "caddy",
    fires: [one('probe_success{job="edge-api",route="/api/",login="no"}', 0)],
    quiet: [
      one('probe_success{job="edge-api",route="/api/",login="no"}', 1),
      // Whether a closed page answers as it should is AdminPageOpen's.
      one('probe_success{job="edge-jaeger",route="/jaeger/",login="yes"}', 0),
    ],
  },
  {
    alert: "AdminPageOpen",
    service: "caddy",
    fires: [one('probe_http_status_code{job="edge-jaeger",route="/jaeger/",login="yes"}', 200)],
    quiet: [401, 404, 502, 0].map((code) =>
      one('probe_http_status_code{job="edge-jaeger",route="/jaeger/",login="yes"}', code),
    ),
  },
  {
    alert: "EdgeErrorsHigh",
    service: "caddy",
    fires: [{ series: { [edgeRequests("200")]: rising(9), [edgeRequests("502")]: rising(1) }, at: "15m" }],
    quiet: [{ series: { [edgeRequests("200")]: rising(99), [edgeRequests("502")]: rising(1) }, at: "15m" }],
  },
  {
    alert: "CertificateExpiry",
    service: "caddy",
    fires: [
      one(
        'probe_ssl_earliest_cert_expiry{job="edge",certificate="public",domain="trader.example.com"}',
        13 * DAY,
        "15m",
      ),
      one('probe_ssl_earliest_cert_expiry{job="edge",certificate="internal",domain="localhost"}', HOUR, "15m"),
    ],
    quiet: [
      one(
        'probe_ssl_earliest_cert_expiry{job="edge",certificate="public",domain="trader.example.com"}',
        30 * DAY,
        "15m",
      ),
      one('probe_ssl_earliest_cert_expiry{job="edge",certificate="internal",domain="localhost"}', 8 * HOUR, "15m"),
      // A route's probe sees the same certificate, of any signer.
      one('probe_ssl_earliest_cert_expiry{job="edge-grafana",route="/grafana/",login="no"}', 8 * HOUR, "15m"),
    ],
  },
  pair(
    "SecretRotationDue",
    "credentials",
    [
      `credential_rotated_timestamp_seconds{${node},name="redis-exporter"}`,
      `credential_rotation_period_seconds{${node},name="redis-exporter"}`,
    ],
    [-91 * DAY, 90 * DAY],
    [[-89 * DAY, 90 * DAY]],
  ),
];
