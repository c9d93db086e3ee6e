import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { type MetricRow, metricLines, seconds } from "./metricRows.ts";
import { STATUS } from "./settings.ts";

/** The figures of the runs; times in milliseconds since 1970. They outlive the container. */
export interface Status {
  /** Hours between two backups, as they are set. */
  readonly everyHours?: number;
  readonly lastRun?: number;
  readonly lastSuccess?: number;
  readonly lastOk?: boolean;
  readonly seconds?: number;
  readonly bytes?: number;
  readonly repositoryBytes?: number;
  readonly snapshots?: number;
  readonly failures?: number;
  readonly lastGoodTest?: number;
  readonly lastTestOk?: boolean;
  readonly testFailures?: number;
  /** Schemas and kinds of objects that the last backup lacks. */
  readonly missing?: number;
  readonly secondSuccess?: number;
  readonly secondOk?: boolean;
  readonly secondFailures?: number;
  /** Whether this container's own key can remove nothing there. */
  readonly secondAppendOnly?: boolean;
  /** When the last recovery kit was made, and the mark of the key that it holds. */
  readonly kitMade?: number;
  readonly kitKey?: string;
  /** Whether that key is the present one; undefined where no kit is needed. */
  readonly kitCurrent?: boolean;
  /** Snapshots there that are older than is kept. */
  readonly secondDue?: number;
}

export function readStatus(): Status {
  try {
    return JSON.parse(readFileSync(STATUS, "utf8")) as Status;
  } catch {
    return {};
  }
}

/** Changes some figures. */
export function note(change: Status): void {
  writeFileSync(`${STATUS}.new`, `${JSON.stringify({ ...readStatus(), ...change })}\n`, { flush: true });
  renameSync(`${STATUS}.new`, STATUS);
}

const flag = (value: boolean | undefined) => (value === undefined ? undefined : Number(value));

/** Everything that the backup tells Prometheus. */
const table: readonly MetricRow<Status>[] = [
  ["backup_last_success_timestamp_seconds", "gauge", "When the last backup ended well.", (s) => seconds(s.lastSuccess)],
  ["backup_interval_seconds", "gauge", "The time between two backups.", (s) => (s.everyHours ?? 24) * 3600],
  ["backup_last_run_success", "gauge", "1 when the last run ended well.", (s) => flag(s.lastOk)],
  ["backup_duration_seconds", "gauge", "How long the last good backup took.", (s) => s.seconds],
  ["backup_size_bytes", "gauge", "What the last good backup holds.", (s) => s.bytes],
  ["backup_repository_bytes", "gauge", "What all backups take on the disk.", (s) => s.repositoryBytes],
  ["backup_snapshots", "gauge", "Backups that are kept.", (s) => s.snapshots],
  ["backup_failures_total", "counter", "Runs that failed.", (s) => s.failures ?? 0],
  [
    "backup_last_restore_test_timestamp_seconds",
    "gauge",
    "When a backup was last restored as a test, and found whole.",
    (s) => seconds(s.lastGoodTest),
  ],
  ["backup_last_restore_test_success", "gauge", "1 when the last restore test ended well.", (s) => flag(s.lastTestOk)],
  ["backup_restore_test_failures_total", "counter", "Restore tests that failed.", (s) => s.testFailures ?? 0],
  ["backup_missing_parts", "gauge", "Parts of Postgres that the last backup lacks.", (s) => s.missing],
  [
    "backup_second_copy_last_success_timestamp_seconds",
    "gauge",
    "When the second repository last had every backup.",
    (s) => seconds(s.secondSuccess),
  ],
  ["backup_second_copy_last_success", "gauge", "1 when the last copy ended well.", (s) => flag(s.secondOk)],
  [
    "backup_second_copy_append_only",
    "gauge",
    "1 when the backup's own key can remove nothing from the second repository.",
    (s) => flag(s.secondAppendOnly),
  ],
  [
    "backup_second_copy_prune_due_snapshots",
    "gauge",
    "Backups in the second repository that are older than is kept.",
    (s) => s.secondDue,
  ],
  ["backup_recovery_kit_timestamp_seconds", "gauge", "When the last recovery kit was made.", (s) => seconds(s.kitMade)],
  [
    "backup_recovery_kit_current",
    "gauge",
    "1 when the last recovery kit holds the present key.",
    (s) => flag(s.kitCurrent),
  ],
];

/** The names of all of its metrics. */
export const backupMetrics: readonly string[] = table.map(([name]) => name);

/** The page that Prometheus scrapes. */
export const metricsPage = (status: Status): string => [...metricLines(table, status), ""].join("\n");
