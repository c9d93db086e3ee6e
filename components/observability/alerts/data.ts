import { type AlertGroup, DAY, HOUR, MINUTE } from "./alert.ts";

export const MAX_BACKUP_AGE = 25 * HOUR;
export const MAX_RESTORE_TEST_AGE = 8 * DAY;
const MAX_CONNECTIONS = 0.8;
const MAX_REDIS_MEMORY = 0.8;
const MAX_NATS_STORAGE = 0.8;
const MAX_WAITING = 100;
const MAX_STREAMS_UNSEEN = 2 * MINUTE;

/** When the last backup ended well, in seconds since 1970. */
export const BACKUP_SUCCESS = "backup_last_success_timestamp_seconds";
/** When a backup was last restored as a test, and found intact. */
export const RESTORE_TEST_SUCCESS = "backup_last_restore_test_timestamp_seconds";
/** How long a backup may take beyond its time, and an hour for another attempt. */
const BACKUP_GRACE = 2 * HOUR;
/** 0 when the last run failed. */
const LAST_RUN = "backup_last_run_success";
const LAST_TEST = "backup_last_restore_test_success";
/** The same of the test that restores Postgres to a moment. */
const WAL_TEST_SUCCESS = "wal_archive_last_restore_test_timestamp_seconds";
const LAST_WAL_TEST = "wal_archive_last_restore_test_success";
/** When the second repository last had every backup; absent without one. */
const SECOND_COPY = "backup_second_copy_last_success_timestamp_seconds";
const MAX_SECOND_COPY_AGE = 2 * DAY + HOUR;
/** 24 become due each day: this is two months without a prune. */
const MAX_PRUNE_DUE = 60 * 24;

/** How long a commit may wait until it is stored: what is lost with the disk, at most. */
const MAX_UNSTORED = MINUTE;
const MAX_UNSENT = 5 * MINUTE;
const MAX_BASE_AGE = 26 * HOUR;
/** Half of what Postgres keeps for the archive (`max_slot_wal_keep_size`). */
const MAX_WAL_WAITING = 1024 ** 3;

/** Its exporter cannot log in, or no service that needs it reaches it: a store that hangs may leave its exporter without an answer too. */
const down = (up: string, dependency: string) =>
  `max(${up}) == 0 or max(dependency_up{dependency="${dependency}"}) == 0`;

/** What must not be lost: the data stores and their backups. */
export const dataAlerts: readonly AlertGroup[] = [
  {
    name: "data",
    alerts: [
      {
        name: "PostgresDown",
        expr: down("pg_up", "postgres"),
        for: "1m",
        severity: "critical",
        service: "postgres",
        summary: "Postgres does not answer",
        description: "The ledger, the API and the reporter cannot work without it.",
      },
      {
        name: "PostgresConnectionsHigh",
        expr: `sum(pg_stat_activity_count) / max(pg_settings_max_connections) > ${MAX_CONNECTIONS}`,
        for: "5m",
        severity: "warning",
        service: "postgres",
        subject: "connections",
        summary: "{{ $value | humanizePercentage }} of Postgres's connections are in use",
        description: "A service leaks connections; when none is left, new ones are refused.",
      },
      {
        name: "RedisDown",
        expr: down("redis_up", "redis"),
        for: "1m",
        severity: "critical",
        service: "redis",
        summary: "Redis does not answer",
        description: "The risk manager cannot decide, and the API's rate limit counts per replica.",
      },
      {
        name: "NatsDown",
        expr: down("nats_up", "nats"),
        for: "1m",
        severity: "critical",
        service: "nats",
        summary: "NATS does not answer",
        description: "No news, intent or order is delivered; what NATS accepted waits on its volume.",
      },
      {
        name: "OrdersWaiting",
        // Both what was not delivered yet, and what was delivered and never confirmed; at a consumer that is read: a program may
        // subscribe by itself, and its consumer then counts every message.
        expr: `max by (consumer) (nats_consumer_pending + nats_consumer_unacknowledged) > ${MAX_WAITING} and max by (consumer) (nats_consumer_delivered) > 0`,
        for: "5m",
        severity: "warning",
        service: "nats",
        subject: "queue",
        summary: "{{ $value | humanize }} messages wait for {{ $labels.consumer }}",
        description: "A step of an order's path is slower than its input, or does not work at all.",
      },
      {
        name: "StreamsNotKept",
        expr: `min by (stream) (nats_stream_kept) == 0 or time() - max(nats_streams_checked_timestamp_seconds) > ${MAX_STREAMS_UNSEEN}`,
        for: "1m",
        severity: "critical",
        service: "nats",
        subject: "streams",
        summary: "NATS's stream {{ $labels.stream }} is not as declared",
        description:
          "A stream or a consumer is missing or has other settings, and cannot be repaired without losing messages; or it could not be checked.",
      },
      {
        name: "StreamRepaired",
        expr: "sum by (stream) (increase(nats_stream_repairs_total[15m])) > 0",
        for: "0s",
        severity: "warning",
        service: "nats",
        subject: "stream-change",
        summary: "NATS's stream {{ $labels.stream }} was changed or removed, and repaired",
        description: "If the stream was removed, the messages in it are lost.",
      },
      {
        name: "StreamLostMessages",
        // Messages leave a stream at its old end alone, and numbers only grow.
        expr: "max by (stream) (nats_stream_gaps) > 0 or max by (stream) (resets(nats_stream_last_sequence[1h])) > 0",
        for: "0s",
        severity: "critical",
        service: "nats",
        subject: "stream-loss",
        summary: "NATS has lost messages of the stream {{ $labels.stream }}",
        description: "A file of the stream was damaged, and NATS continued without what it could not read.",
      },
      {
        name: "DamagedFileSetAside",
        expr: "max by (volume) (volume_damaged_files) > 0",
        for: "0s",
        severity: "warning",
        service: "{{ $labels.volume }}",
        subject: "damage",
        summary: "{{ $value }} damaged files were set aside in the volume {{ $labels.volume }}",
        description: "The program runs without them; this alert fires until the files are moved away.",
      },
      {
        name: "NatsStorageFilling",
        expr: `max(nats_jetstream_storage_bytes) / max(nats_jetstream_storage_limit_bytes > 0) > ${MAX_NATS_STORAGE}`,
        for: "5m",
        severity: "warning",
        service: "nats",
        subject: "storage",
        summary: "JetStream uses {{ $value | humanizePercentage }} of its storage limit",
        description: "At its limit it accepts no order.",
      },
      {
        name: "RedisMemoryHigh",
        expr: `redis_memory_used_bytes / (redis_memory_max_bytes > 0) > ${MAX_REDIS_MEMORY}`,
        for: "5m",
        severity: "warning",
        service: "redis",
        subject: "memory",
        summary: "Redis uses {{ $value | humanizePercentage }} of its memory limit",
        description: "At its limit it refuses every write.",
      },
      {
        name: "RedisSnapshotFailing",
        expr: "redis_rdb_last_bgsave_status == 0 or redis_aof_last_write_status == 0",
        for: "5m",
        severity: "critical",
        service: "redis",
        subject: "persistence",
        summary: "Redis cannot write to its disk",
        description: "A restart would lose everything written since.",
      },
    ],
  },
  {
    name: "backups",
    alerts: [
      {
        name: "BackupTooOld",
        expr: `time() - max(${BACKUP_SUCCESS}) > ${MAX_BACKUP_AGE}`,
        for: "0s",
        severity: "critical",
        service: "backup",
        subject: "age",
        summary: "The last good backup is {{ $value | humanizeDuration }} old",
        description: "Each run since then failed or did not start.",
      },
      {
        name: "BackupLate",
        expr: `time() - max(${BACKUP_SUCCESS}) > max(backup_interval_seconds) + ${BACKUP_GRACE}`,
        for: "0s",
        severity: "warning",
        service: "backup",
        subject: "interval",
        summary: "The last good backup is {{ $value | humanizeDuration }} old, and one is due more often",
        description: "What Redis, the streams and the volumes got since then is lost if the disk is.",
      },
      {
        name: "BackupUnknown",
        expr: `absent(${BACKUP_SUCCESS})`,
        for: "1h",
        severity: "critical",
        service: "backup",
        subject: "age",
        summary: "The age of the last backup is unknown",
        description: "The backup's metrics are missing.",
        needs: "backup",
      },
      {
        name: "BackupFailing",
        expr: `max(${LAST_RUN}) == 0`,
        for: "0s",
        severity: "warning",
        service: "backup",
        subject: "run",
        summary: "The last backup failed",
        description: "It is retried each hour; the earlier backups are intact.",
      },
      {
        name: "RestoreTestFailing",
        expr: `max(${LAST_TEST}) == 0 or max(${LAST_WAL_TEST}) == 0`,
        for: "0s",
        severity: "critical",
        service: "backup",
        subject: "restore-test",
        summary: "The newest backup, or Postgres to a moment, could not be restored",
        description:
          "A repository is damaged, or the restored data differs from what was saved: treat it as no backup.",
      },
      {
        name: "RestoreTestTooOld",
        expr: `time() - max(${RESTORE_TEST_SUCCESS}) > ${MAX_RESTORE_TEST_AGE} or time() - max(${WAL_TEST_SUCCESS}) > ${MAX_RESTORE_TEST_AGE}`,
        for: "0s",
        severity: "warning",
        service: "backup",
        subject: "restore-test",
        summary: "No backup has been restored as a test for {{ $value | humanizeDuration }}",
        description: "The weekly test failed or did not run; a backup that was never restored is only a hope.",
      },
      {
        name: "SecondCopyTooOld",
        expr: `time() - max(${SECOND_COPY}) > ${MAX_SECOND_COPY_AGE} or max(backup_second_copy_last_success) == 0`,
        for: "12h",
        severity: "warning",
        service: "backup",
        subject: "second-copy",
        summary: "The second repository lacks the newest backups",
        description: "The copy fails or does not run: until it does, the backups are lost if the host is.",
      },
      {
        name: "SecondCopyRemovable",
        expr: "max(backup_second_copy_append_only) == 0",
        for: "0s",
        severity: "warning",
        service: "backup",
        subject: "second-copy-key",
        summary: "The backup's own key can remove the second copy",
        description:
          "An attacker in the backup's container could remove both copies: its key may delete, or the bucket keeps no versions.",
      },
      {
        name: "SecondCopyPruneDue",
        expr: `max(backup_second_copy_prune_due_snapshots) > ${MAX_PRUNE_DUE}`,
        for: "1h",
        severity: "warning",
        service: "backup",
        subject: "second-copy-size",
        summary: "{{ $value }} backups in the second repository are past their retention",
        description: "The container that writes may remove nothing there; run the prune with the other key.",
      },
      {
        name: "RecoveryKitOutdated",
        expr: "max(backup_recovery_kit_current) == 0",
        for: "1d",
        severity: "warning",
        service: "backup",
        subject: "recovery-kit",
        summary: "There is no recovery kit with the present key of the backups",
        description: "If the host and the stack's state are lost, the backups cannot be read without it.",
      },
      {
        name: "WalNotStored",
        expr: `max(wal_archive_unstored_seconds) > ${MAX_UNSTORED} or max(wal_archive_receiving) == 0`,
        for: "5m",
        severity: "critical",
        service: "wal-archive",
        summary: "Postgres's last commits are not stored",
        description: "If the disk is lost now, more than a minute of commits is lost with it.",
      },
      {
        name: "WalWaiting",
        expr: `max(wal_archive_waiting_bytes) > ${MAX_WAL_WAITING}`,
        for: "1m",
        severity: "critical",
        service: "wal-archive",
        subject: "waiting",
        summary: "{{ $value | humanize1024 }}B of Postgres's log wait to be stored",
        description:
          "At 2 GiB Postgres gives up what waits, so that its disk does not fill: those moments cannot be restored.",
      },
      {
        name: "WalLost",
        expr: "max(increase(wal_archive_lost_total[1h])) > 0",
        for: "0s",
        severity: "critical",
        service: "wal-archive",
        subject: "gap",
        summary: "Postgres removed log before it was stored",
        description: "There are moments that cannot be restored; a new base backup begins the next range.",
      },
      {
        name: "WalNotSent",
        expr: `max(wal_archive_unsent_seconds) > ${MAX_UNSENT} or increase(wal_archive_failures_total{step="send"}[15m]) > 5`,
        for: "10m",
        severity: "warning",
        service: "wal-archive",
        subject: "second",
        summary: "The second place lacks Postgres's last commits",
        description: "They are stored on the host, and are sent when the second place answers again.",
      },
      {
        name: "BaseBackupTooOld",
        expr: `time() - max(wal_archive_last_base_timestamp_seconds) > ${MAX_BASE_AGE}`,
        for: "0s",
        severity: "warning",
        service: "wal-archive",
        subject: "base",
        summary: "Postgres's last base backup is {{ $value | humanizeDuration }} old",
        description: "A restore to a moment still works, and takes longer each day.",
      },
    ],
  },
];
